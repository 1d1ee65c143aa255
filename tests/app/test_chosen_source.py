"""A source that nobody named: the best one that gives pictures, and what does not is passed over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artem_vr.errors import HeadsetError, SourceError
from artem_vr.live import chosen_source
from artem_vr.live.chosen_source import ChosenSource
from artem_vr.sources.feed import Feed
from artem_vr.sources.source import Rest, Shot

PATIENCE = 120.0


class Camera:
    """A live source whose readings do what the test says: a picture, a rest, or an error."""

    live, rate = True, None

    def __init__(self, name: str, *readings: Any) -> None:
        self.name, self._readings = name, list(readings)

    def read(self) -> Shot | Rest:
        following = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        if callable(following):
            following = following()
        if isinstance(following, Exception):
            raise following
        if isinstance(following, Rest):
            return following
        return Shot(np.full((1, 4, 6, 3), following, np.uint8))

    def skip(self) -> None:
        pass

    def close(self) -> None:
        pass


DARK = HeadsetError("The headset's camera sends no pictures", "Switch it on")
BUSY = SourceError("Camera 0 cannot be opened", "Close the program that uses it")

Opening = dict[str, Callable[[], Any]]


class Search:
    """A run's source and feed, where sources open as the test says; `opened` has their names."""

    def __init__(self, sources: Opening, typed: str = "", read_patience: float = 6.0) -> None:
        self.sources, self.opened = sources, []  # type: Opening, list[str]
        self.ended = threading.Event()
        self.source = ChosenSource(typed, "mono")
        self.feed = Feed(self.source.open, sleep=lambda _: self.ended.wait(0.001), read_patience=read_patience)
        self.source.feed = self.feed

    def open(self, name: str, *_: object, **__: object) -> Any:
        self.opened.append(name)
        return self.sources[name]()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.001)


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Search]]:
    made: list[Search] = []

    def begin(sources: Opening, **options: Any) -> Search:
        one = Search(sources, **options)
        made.append(one)
        monkeypatch.setattr(chosen_source, "default_sources", lambda camera: list(sources))
        monkeypatch.setattr(chosen_source, "open_source", one.open)
        one.feed.start()
        return one

    yield begin
    for one in made:
        one.ended.set()
        one.feed.stop(PATIENCE)


def refuses(error: Exception) -> Callable[[], Any]:
    def open_it() -> Any:
        raise error

    return open_it


def test_a_camera_that_sends_nothing_is_passed_over_and_said(
    search: Callable[..., Search], capsys: pytest.CaptureFixture[str]
) -> None:
    one = search(
        {
            "headset": lambda: Camera("headset", DARK),
            "webcam": refuses(BUSY),
            "screen": lambda: Camera("screen", 200),
            "demo": refuses(AssertionError("the screen is there")),
        }
    )
    one.until(lambda: one.feed.latest is not None)
    assert one.source.name == "screen" and not one.source.searching
    assert one.opened == ["headset", "webcam", "screen"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "headset is passed over" in lines[0] and DARK.cause in lines[0]
    assert "webcam is passed over" in lines[1] and BUSY.cause in lines[1]


def test_a_camera_that_sleeps_with_the_headset_is_waited_for(search: Callable[..., Search]) -> None:
    awake = threading.Event()

    def picture() -> Any:
        time.sleep(0.001)
        return 200 if awake.is_set() else Rest("The headset sleeps")

    one = search(
        {"headset": lambda: Camera("headset", picture), "demo": refuses(AssertionError("the headset only sleeps"))}
    )
    one.until(lambda: one.feed.state().message == "The headset sleeps")
    assert one.source.searching, "no reason to end"
    awake.set()
    one.until(lambda: one.feed.latest is not None)
    assert one.opened == ["headset"] and one.source.name == "headset"


def test_while_another_may_come_there_is_no_reason_to_end(search: Callable[..., Search]) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def slow_screen() -> Any:
        opening.set()
        go_on.wait(PATIENCE)
        return Camera("screen", 200)

    one = search({"headset": lambda: Camera("headset", DARK), "screen": slow_screen})
    assert opening.wait(PATIENCE)
    assert one.feed.state().message and one.source.searching
    go_on.set()
    one.until(lambda: not one.source.searching)
    assert one.feed.wait_first(PATIENCE)


def test_a_camera_whose_driver_hangs_is_passed_over(search: Callable[..., Search]) -> None:
    hang = threading.Event()
    try:
        one = search(
            {"webcam": lambda: Camera("webcam", lambda: hang.wait(PATIENCE)), "screen": lambda: Camera("screen", 9)},
            read_patience=0.0,
        )
        one.until(lambda: one.source.name == "screen")
    finally:
        hang.set()
    one.until(lambda: one.feed.latest is not None)
    assert one.opened[:2] == ["webcam", "screen"]


@pytest.mark.parametrize("works", [False, True])
def test_a_driver_that_comes_back_too_late_changes_nothing(monkeypatch: pytest.MonkeyPatch, works: bool) -> None:
    source = ChosenSource("", "mono")
    opened: list[str] = []

    def open_source(name: str, *_: object, **__: object) -> Any:
        opened.append(name)
        if name == "webcam":  # the feed gives it up, and another thread opens the next one; then it comes back
            assert source.open().name == "screen"
            if not works:
                raise BUSY
        return Camera(name, 9)

    monkeypatch.setattr(chosen_source, "default_sources", lambda camera: ["webcam", "screen", "demo"])
    monkeypatch.setattr(chosen_source, "open_source", open_source)
    with nullcontext() if works else pytest.raises(SourceError, match="cannot be opened"):
        source.open()
    assert source.name == "screen" and opened == ["webcam", "screen"]


def test_the_one_that_gave_a_picture_is_kept(search: Callable[..., Search]) -> None:
    gone = SourceError("The screen is gone", "")
    one = search({"screen": lambda: Camera("screen", 200, gone), "demo": refuses(AssertionError("not now"))})
    one.until(lambda: len(one.opened) > 3)
    assert set(one.opened) == {"screen"}


def test_it_ends_only_when_none_is_left(search: Callable[..., Search]) -> None:
    one = search({"headset": lambda: Camera("headset", DARK), "webcam": refuses(BUSY)})
    one.until(lambda: not one.source.searching)
    one.until(lambda: "No source" in one.feed.state().message)
    with pytest.raises(SourceError, match="No source gives a picture"):
        one.feed.wait_first(0.0)


def test_one_that_was_named_is_never_exchanged(search: Callable[..., Search]) -> None:
    one = search({"webcam": refuses(BUSY), "demo": lambda: Camera("demo", 1)}, typed="webcam")
    assert not one.source.searching
    one.until(lambda: len(one.opened) > 2)
    assert set(one.opened) == {"webcam"}
    with pytest.raises(SourceError, match="cannot be opened"):
        one.feed.wait_first(0.0)


def test_a_file_that_is_not_there_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        ChosenSource(str(tmp_path / "film.mp4"), "mono")
    (tmp_path / "film.mp4").write_bytes(b"something")
    assert ChosenSource(str(tmp_path / "film.mp4"), "mono").is_file
