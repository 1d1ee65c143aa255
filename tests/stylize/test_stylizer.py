"""The stylizer with an engine of ours that obeys the tests: every wait is for an event, not for time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from artem_vr.errors import StyleError, WeightsError
from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.styles.deck import Deck
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines.graph import loaded
from artem_vr.stylize.ground import DEPTH, share_for, with_ground
from artem_vr.stylize.loading import LoadedStyle, load_network_style
from artem_vr.stylize.painters import MOST, POLITE, PainterKey, Painters, called, how_many
from artem_vr.stylize.steadying import Steadier
from artem_vr.stylize.styled import Tuning
from artem_vr.stylize.stylizer import STAND_BACK_SECONDS, PaintedFrame, Stylizer

PATIENCE = 30.0
NAMES = [f"style{i}" for i in range(8)]


def wait_for(condition: Callable[[], Any]) -> Any:
    """The first true value of ``condition``; fails after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError("it did not happen")


class FakeLibrary:
    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.coded: set[str] = set()

    def find(self, name: str) -> Style:
        if name in self.missing:
            raise StyleError(f"There is no style {name!r}", "Choose another")
        return Style(name, name, "shipped", Path(name), form="code" if name in self.coded else "network")


class FakePainter:
    """Paints every pixel with the style's number; records what it was given."""

    def __init__(self, engine: FakeEngine, number: int, eyes: int, height: int, width: int) -> None:
        self.engine, self.number = engine, number
        self.eyes, self.height, self.width, self.channels = eyes, height, width, 2
        self.rates: list[float] = []
        self.closed = False

    def paint(self, pictures: np.ndarray, state: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
        assert not self.closed and pictures.shape == (self.eyes, self.height, self.width, 3)
        self.engine.painting.set()
        assert self.engine.gate.wait(PATIENCE)
        if self.number in self.engine.raising:
            raise RuntimeError("the engine broke\nin two lines")
        self.rates.append(rate)
        self.given = pictures
        if self.engine.copies:
            return pictures.copy(), state + 1
        trembling = self.engine.trembles * (len(self.rates) % 2)
        return np.full_like(pictures, self.number + trembling), state + 1

    def close(self) -> None:
        self.closed = True
        self.engine.alive.discard(self)


class FakeEngine:
    name, precision, device, pixels_per_second = "fake", "fp32", "cpu", 1e12

    def __init__(self) -> None:
        self.gate, self.painting, self.preparing = threading.Event(), threading.Event(), threading.Event()
        self.prepare_gate = threading.Event()
        self.gate.set()
        self.prepare_gate.set()
        self.raising: set[int] = set()
        self.trembles = 0
        """How much brighter every other painting is."""
        self.highest = 10_000
        """There is no memory for higher pictures."""
        self.copies = False
        """Paintings are what the painters are given."""
        self.alive: set[FakePainter] = set()
        self.most_alive = 0
        self.made: list[FakePainter] = []

    def prepare(self, style_key: str, network: Any, eyes: int, height: int, width: int) -> FakePainter:
        self.preparing.set()
        assert self.prepare_gate.wait(PATIENCE)
        if height > self.highest:
            raise RuntimeError("CUDA out of memory")
        network()
        painter = FakePainter(self, int(style_key), eyes, height, width)
        self.alive.add(painter)
        self.made.append(painter)
        self.most_alive = max(self.most_alive, len(self.alive))
        return painter


class Setup:
    def __init__(self, **options: Any) -> None:
        self.frames: Mailbox[StereoFrame] = Mailbox()
        self.deck, self.library, self.engine = Deck(NAMES), FakeLibrary(), FakeEngine()
        self.bad: set[str] = set()
        self.smooth: dict[str, float] = {}
        """By style, where its painting is so in part."""
        self.count = 0
        options = {"scale": 1.0, "clock": lambda: 0.0} | options  # however busy the machine is: there is time
        self.stylizer = Stylizer(
            self.frames, self.deck, self.library, self.engine, load=self, **options  # type: ignore[arg-type]
        )  # fmt: skip
        self.seen: StereoFrame | None = None
        """What the stylizer was done with last, painted or not."""
        step = self.stylizer._step_one

        def noted(frame: StereoFrame) -> bool:
            try:
                return step(frame)
            finally:
                self.seen = frame

        self.stylizer._step_one = noted  # type: ignore[method-assign]
        self.stylizer.start()

    reads_pictures = False

    def __call__(self, style: Style) -> LoadedStyle:
        if style.name in self.bad:
            raise WeightsError(f"The weights of {style.name} are damaged", "Reinstall the program")
        smooth = self.smooth.get(style.name, 0.0)
        return LoadedStyle(style.name.removeprefix("style"), nn.Identity, smooth=smooth)

    def shared(self) -> LoadedStyle:
        raise AssertionError("nobody reads pictures here")

    def send(
        self,
        eyes: int = 2,
        height: int = 64,
        width: int = 72,
        value: int = 100,
        still: bool = False,
        stands: bool = False,
    ) -> StereoFrame:
        pictures = np.full((eyes, height, width, 3), value, np.uint8)
        frame = StereoFrame(pictures, self.count / 30, self.count, still=still, stands=stands)
        self.count += 1
        self.frames.put(frame)
        return frame

    @property
    def ready(self) -> int:
        """How many painters are, not counting one that is being made."""
        return len(self.stylizer.painters._ready)

    def stuck(self) -> StereoFrame:
        """A frame that is being painted until ``engine.gate`` is set."""
        self.engine.gate.clear()
        self.engine.painting.clear()
        frame = self.send()
        assert self.engine.painting.wait(PATIENCE)
        return frame

    def paint(self, style: str | None = None, **frame: Any) -> PaintedFrame:
        """Send frames, each when it is done with the one before, until one comes back painted (in ``style``)."""

        def attempt() -> PaintedFrame | None:
            sent = self.send(**frame)
            wait_for(lambda: self.seen is sent)
            painted = self.stylizer.painted.take()
            if painted is not None and style in (None, painted.style):
                return painted
            return None

        result: PaintedFrame = wait_for(attempt)
        return result


@pytest.fixture()
def make() -> Iterator[Callable[..., Setup]]:
    setups: list[Setup] = []

    def build(**options: Any) -> Setup:
        setups.append(Setup(**options))
        return setups[-1]

    yield build
    for setup in setups:
        setup.engine.gate.set()
        setup.engine.prepare_gate.set()
        assert setup.stylizer.stop(PATIENCE)
        assert not setup.engine.alive


def test_a_frame_is_painted(make: Callable[..., Setup]) -> None:
    setup = make()
    painted = setup.paint()
    assert painted.style == "style0" and (painted.pictures == 0).all() and painted.pictures.shape == (2, 64, 72, 3)
    assert (painted.source.eyes == 100).all()
    state = setup.stylizer.state()
    assert (state.style, state.engine, state.height, state.width) == ("style0", "fake", 64, 72)
    assert state.message == "" and state.frames >= 1


def test_the_ground_is_laid_under_what_stands(make: Callable[..., Setup]) -> None:
    def given(setup: Setup, **frame: Any) -> np.ndarray:
        """What the painter was given for such a frame; the frame itself stays as it was."""
        painted = setup.paint(**frame)
        assert (painted.source.eyes == 100).all()
        return next(p for p in setup.engine.made if p.eyes == len(painted.source.eyes)).given

    setup = make(steadying="never")
    assert (given(setup, eyes=1) == 100).all() and (given(setup, eyes=2, stands=True) == 100).all()
    expected = with_ground(np.full((1, 64, 72, 3), 100, np.uint8), DEPTH)
    assert np.array_equal(given(make(), eyes=1, stands=True), expected) and expected.std() > 4
    bare, deep = make(steadying="never"), make(steadying="never")
    bare.deck.ground, deep.deck.ground = 0.0, 0.2
    assert (given(bare, eyes=1, stands=True) == 100).all() and given(deep, eyes=2).std() > 2


def test_each_style_gets_as_much_of_the_ground_as_its_painter_would_lay(make: Callable[..., Setup]) -> None:
    """Also where two of them share a picture."""
    setup = make()
    setup.smooth |= {"style0": 0.2, "style1": 0.9}
    setup.deck.outside = "style1"
    bare = np.full((1, 64, 72, 3), 100, np.uint8)
    wait_for(lambda: setup.paint(eyes=1, stands=True).other is not None)
    given = {painter.number: painter.given for painter in setup.engine.made if painter.rates}
    assert np.array_equal(given[0], with_ground(bare, DEPTH * share_for(0.2))) and given[0].std() > 2
    assert np.array_equal(given[1], bare)


def test_without_a_ground_it_paints_on(make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def broken(*_: object, **__: object) -> None:
        told.append(setup.stylizer.state().message)
        raise RuntimeError("the ground broke")

    with monkeypatch.context() as patched:
        patched.setattr("artem_vr.stylize.stylizer.Ground.follow", broken)
        setup = make()
        setup.paint(eyes=1, stands=True)
        assert (setup.engine.made[0].given == 100).all()
        assert "painted smooth (RuntimeError: the ground broke)" in setup.stylizer.state().message
        wait_for(lambda: setup.paint(eyes=1, stands=True) and len(told) > 3)
    assert all("painted smooth" in message for message in told[1:]), "the line does not come and go with each frame"
    wait_for(lambda: setup.paint(eyes=1, stands=True) and not setup.stylizer.state().message)


def test_a_style_outside_that_is_chosen_inside_is_not_being_prepared_any_more(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint()
    setup.engine.prepare_gate.clear()
    setup.deck.outside = "style5"
    wait_for(lambda: setup.paint() and setup.stylizer.state().message == "Preparing style5")
    setup.deck.select(5)
    setup.engine.prepare_gate.set()
    wait_for(lambda: setup.paint().style == "style5" and not setup.stylizer.state().message)


@pytest.mark.parametrize("eyes", [1, 2])
def test_where_strokes_are_held_the_ground_goes_along(eyes: int, make: Callable[..., Setup]) -> None:
    setup = make(steadying="always")
    for _ in range(3):
        setup.paint(eyes=eyes)
    assert setup.engine.made[0].given.std() > 4


def ground_of(setup: Setup, style: str = "style0", **frame: Any) -> float:
    """Deviation of what the painter of ``style`` was given last, of a flat frame: 0 without a ground."""
    setup.paint(style, **frame)
    number = int(style.removeprefix("style"))
    return float([p for p in setup.engine.made if p.number == number and p.rates][-1].given.std())


@pytest.mark.parametrize("height", [384, 640])
def test_where_there_is_time_at_the_whole_size_moving_pictures_have_a_ground(
    height: int, make: Callable[..., Setup]
) -> None:
    """... whether or not "auto" could choose a smaller one."""
    setup = make(scale="auto")
    wait_for(lambda: ground_of(setup, height=height, width=640, eyes=1) > 4)


def test_while_a_style_is_made_ready_a_ground_that_cannot_go_along_goes_away(make: Callable[..., Setup]) -> None:
    """For long it would lie still over pictures that move."""
    setup = make()
    wait_for(lambda: ground_of(setup, eyes=1) > 4)
    setup.engine.prepare_gate.clear()
    setup.deck.select("style4")
    wait_for(lambda: ground_of(setup, eyes=1) == 0)
    setup.engine.prepare_gate.set()
    wait_for(lambda: ground_of(setup, "style4", eyes=1) > 4)


@pytest.mark.parametrize("eyes", [1, 2])
def test_the_ground_of_a_photograph_stays_whatever_is_chosen(make: Callable[..., Setup], eyes: int) -> None:
    setup = make()

    def ground(style: str) -> float:
        wait_for(lambda: (painted := setup.stylizer.painted.take()) is not None and painted.style == style)
        return float(next(p for p in reversed(setup.engine.made) if p.number == int(style[-1]) and p.rates).given.std())

    setup.send(eyes=eyes, height=128, width=128, still=True, stands=True)  # one frame, for ever
    assert ground("style0") > 4
    for number in (1, 2, 0):
        wait_for(lambda: setup.ready >= 3)
        setup.deck.select(number)
        assert ground(f"style{number}") > 4


def test_a_style_that_works_at_another_size_has_not_failed(make: Callable[..., Setup]) -> None:
    """Else one that was dropped on the window would leave the deck."""
    setup = make()
    setup.paint()
    setup.engine.highest = 64
    setup.stylizer.recommend((128, 144))
    wait_for(lambda: setup.paint() and "out of memory" in setup.stylizer.state().message)
    painted = setup.paint()
    assert painted.style == "style0" and painted.pictures.shape[1] == 64
    assert setup.stylizer.state().failed == -1


@pytest.mark.parametrize("where", ["prepare", "paint", "begin"])
@pytest.mark.parametrize("scale", ["auto", 1.0])
def test_where_memory_lacks_it_paints_smaller(
    where: str, scale: Any, make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is chosen; SteamVR's resolution was raised, or was always more than the GPU has memory for."""
    setup = make(eye_size=(512, 576), scale=scale, keep=2, steadying="never")
    paint = FakePainter.paint

    def lacking(painter: FakePainter, *given: Any) -> Any:
        if painter.height > 800:
            raise RuntimeError("CUDA out of memory")
        return paint(painter, *given)

    frame: dict[str, Any] = {"height": 1024, "width": 1152}
    if where != "paint":
        setup.engine.highest = 800
    monkeypatch.setattr(FakePainter, "paint", lacking)
    if where != "begin":
        assert setup.paint("style0", **frame).pictures.shape[1] == 512
        assert setup.stylizer.state().message == ""
    setup.stylizer.recommend((1024, 1152))
    wait_for(lambda: setup.paint(**frame).pictures.shape[1] == 768)
    assert setup.stylizer.state().style == "style0" and setup.stylizer.state().failed == -1
    assert "does not suffice for 1152x1024" in setup.stylizer.state().message
    setup.deck.select("style4")
    assert setup.paint("style4", **frame).pictures.shape[1] == 768
    for _ in range(2):
        setup.stylizer.recommend((640, 720))
        wait_for(lambda: setup.paint("style4", **frame).pictures.shape[1] == 640)
        assert setup.stylizer.state().message == ""
        setup.stylizer.recommend((1024, 1152))
        wait_for(lambda: setup.paint("style4", **frame).pictures.shape[1] == 768)
        assert "does not suffice" in setup.stylizer.state().message


def test_another_size_is_taken_over_between_paintings(make: Callable[..., Setup]) -> None:
    setup = make(eye_size=(1024, 1152), scale="auto", keep=2, steadying="never")
    setup.engine.highest = 600
    frame: dict[str, Any] = {"height": 1024, "width": 1152}
    wait_for(lambda: setup.paint(**frame).pictures.shape[1] == 512)
    setup.engine.gate.clear()
    setup.engine.painting.clear()
    sent = setup.send(**frame)
    assert setup.engine.painting.wait(PATIENCE)
    setup.stylizer.recommend((400, 450))
    setup.engine.gate.set()
    wait_for(lambda: setup.seen is sent)
    assert "does not suffice" in setup.stylizer.state().message, "and nothing is wrong"
    wait_for(lambda: setup.paint(**frame).pictures.shape[1] == 400)


def test_where_memory_lacks_while_painting_what_is_idle_goes_first(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = make(keep=3, steadying="never")
    paint = FakePainter.paint

    def lacking(painter: FakePainter, *given: Any) -> Any:
        if len(setup.engine.alive) == 3:
            raise RuntimeError("CUDA out of memory")
        return paint(painter, *given)

    monkeypatch.setattr(FakePainter, "paint", lacking)
    frame: dict[str, Any] = {"height": 1024, "width": 1152}
    assert setup.paint("style0", **frame).pictures.shape[1] == 1024
    wait_for(lambda: len(setup.engine.made) == 3)
    wait_for(lambda: setup.send(**frame) and len(setup.engine.alive) == 1)
    assert setup.paint("style0", **frame).pictures.shape[1] == 1024
    setup.deck.select("style1")
    assert setup.paint("style1", **frame).pictures.shape[1] == 1024
    assert not setup.stylizer.state().message


def test_while_something_is_prepared_lack_of_memory_says_nothing_of_the_size(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = make(keep=2, steadying="never")
    prepare, paint = setup.engine.prepare, FakePainter.paint
    busy, tried = threading.Event(), threading.Semaphore(0)

    def preparing(*given: Any) -> FakePainter:
        if setup.engine.made:
            busy.set()
        try:
            return prepare(*given)
        finally:
            busy.clear()

    def lacking(painter: FakePainter, *given: Any) -> Any:
        if busy.is_set():
            tried.release()
            raise RuntimeError("CUDA out of memory")
        return paint(painter, *given)

    setup.engine.prepare = preparing  # type: ignore[assignment, method-assign]
    monkeypatch.setattr(FakePainter, "paint", lacking)
    frame: dict[str, Any] = {"height": 1024, "width": 1152}
    assert setup.paint("style0", **frame).pictures.shape[1] == 1024
    for style in ("style4", "style5"):  # what is chosen, or what may be chosen next
        setup.engine.prepare_gate.clear()
        setup.deck.select(style)
        wait_for(busy.is_set)
        for _ in range(3):
            setup.send(**frame)
            assert tried.acquire(timeout=PATIENCE)
        setup.engine.prepare_gate.set()
        assert setup.paint(style, **frame).pictures.shape[1] == 1024
        assert not setup.stylizer.state().message


def test_where_memory_lacks_for_two_styles_it_paints_both_smaller(make: Callable[..., Setup]) -> None:
    setup = make(keep=2, steadying="never")
    prepare = setup.engine.prepare

    def out_of_memory(style_key: str, network: Any, eyes: int, height: int, width: int) -> FakePainter:
        if height > 800 and len([p for p in setup.engine.alive if p.height > 800]):
            raise RuntimeError("CUDA out of memory")
        return prepare(style_key, network, eyes, height, width)

    setup.engine.prepare = out_of_memory  # type: ignore[method-assign]
    frame: dict[str, Any] = {"height": 1024, "width": 1152}
    assert setup.paint("style0", **frame).pictures.shape[1] == 1024
    setup.deck.outside = "style5"
    painted = wait_for(lambda: (both := setup.paint("style0", **frame)).other is not None and both)
    assert painted.pictures.shape == painted.other.shape == (2, 768, 864, 3)


def test_a_style_outside_that_failed_is_tried_again_when_it_is_chosen_again(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.bad.add("style5")
    setup.paint()
    setup.deck.outside = "style5"
    wait_for(lambda: setup.paint() and "style5 are damaged" in setup.stylizer.state().message)
    setup.deck.outside = ""
    wait_for(lambda: setup.paint() and not setup.stylizer.state().message)
    setup.bad.clear()
    setup.deck.outside = "style5"
    assert (until_both(setup, "style0", "style5").other == 5).all()


def test_newest_wins_after_a_stall(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint()
    stuck = setup.stuck()
    for _ in range(50):
        newest = setup.send()
    setup.stylizer.painted.take()
    setup.engine.gate.set()
    seen = [wait_for(setup.stylizer.painted.take).source.sequence]
    while seen[-1] != newest.sequence:
        seen.append(wait_for(setup.stylizer.painted.take).source.sequence)
    assert seen in ([stuck.sequence, newest.sequence], [newest.sequence])


def test_a_switch_keeps_the_old_style_until_the_new_one_is_ready(make: Callable[..., Setup]) -> None:
    setup = make(keep=2)
    setup.paint("style0")
    wait_for(lambda: setup.ready == 2)
    setup.engine.preparing.clear()
    setup.engine.prepare_gate.clear()
    setup.deck.select("style5")
    setup.paint("style0")
    assert setup.engine.preparing.wait(PATIENCE)
    for _ in range(3):
        painted = setup.paint()
        assert painted.style == "style0"
    assert "Preparing style5" in setup.stylizer.state().message
    setup.engine.prepare_gate.set()
    painted = setup.paint("style5")
    assert (painted.pictures == 5).all()
    assert setup.stylizer.state().message == ""


def test_a_style_is_prepared_while_the_frame_before_it_is_still_being_painted(make: Callable[..., Setup]) -> None:
    setup = make(keep=2)
    setup.paint("style0")
    wait_for(lambda: setup.ready == 2)
    setup.stuck()
    setup.deck.select("style5")
    wait_for(lambda: 5 in {painter.number for painter in setup.engine.made})
    setup.engine.gate.set()
    setup.paint("style5")


@pytest.mark.parametrize(("step", "style"), [(Deck.next, "style1"), (Deck.previous, "style7")])
def test_neighbours_are_ready_before_they_are_needed(
    make: Callable[..., Setup], step: Callable[[Deck], Any], style: str
) -> None:
    setup = make()
    setup.paint("style0")
    wait_for(lambda: {p.number for p in setup.engine.alive} == {0, 1, 7})
    setup.engine.prepare_gate.clear()  # from here on nothing new can be made
    step(setup.deck)
    setup.paint(style)
    setup.deck.select(0)
    setup.paint("style0")


def test_no_frame_mixes_styles_and_memory_is_bounded(make: Callable[..., Setup]) -> None:
    setup = make(keep=3)
    for press in range(40):
        setup.deck.next() if press % 3 else setup.deck.select(press * 5 % len(NAMES))
        painted = setup.paint()
        assert len(np.unique(painted.pictures)) == 1  # left and right, top to bottom
        assert f"style{painted.pictures.flat[0]}" == painted.style
        assert setup.stylizer.painters.alive <= 3
    assert setup.engine.most_alive <= 3


def test_large_painters_are_fewer() -> None:
    small, large = PainterKey("a", 2, 512, 512), PainterKey("a", 2, 1680, 1512)
    assert 20e6 < small.bytes < 40e6 and 200e6 < large.bytes < 350e6
    assert how_many(small, 3, 600 * 2**20) == 3 and how_many(large, 3, 600 * 2**20) == 2
    assert how_many(large, 3, 0) == 2


def test_painters_that_share_a_network_count_once() -> None:
    made: list[str] = []

    def prepare(key: PainterKey) -> Any:
        made.append(key.style)
        return FakePainter(FakeEngine(), 0, 1, 8, 8)

    painters = Painters(prepare, keep=3, budget=0)  # room for two: what paints, and what is chosen next
    painters.start()
    own = [PainterKey(name, 1, 8, 8) for name in "ab"]
    codes = [PainterKey(name, 1, 8, 8, network="any picture") for name in "cdefg"]
    painters.want([own[0], *codes], own[:1])
    for key in [own[0], *codes]:
        wait_for(lambda key=key: painters.get(key))  # type: ignore[misc]
    painters.want([codes[0], own[1]], own[:1])  # no place for a third network
    assert not painters.get(own[1])
    painters.want([codes[1], codes[2]], own[:1])
    assert all(painters.get(key) for key in [own[0], *codes])  # nobody had to go
    painters.want([own[1]], own[:1])
    wait_for(lambda: painters.get(own[1]))
    assert painters.get(own[0]) and not any(painters.get(key) for key in codes)
    painters.stop()
    assert made == ["a", "c", "d", "e", "f", "g", "b"]


def test_codes_are_ready_beside_each_other_where_memory_is_short(make: Callable[..., Setup]) -> None:
    setup = make(budget=0)
    setup.library.coded.update(NAMES[:3])
    setup.deck.select("style1")
    setup.paint("style1")
    wait_for(lambda: setup.ready == 3)  # and both neighbours
    setup.deck.select("style5")
    setup.paint("style5")
    setup.paint("style5")  # nothing needs the codes any more
    wait_for(lambda: setup.ready == 2)  # this one, and one neighbour


@pytest.fixture
def reading(make: Callable[..., Setup]) -> Setup:
    """One code is painted, and another was chosen whose reading lasts until ``engine.prepare_gate`` is set."""
    setup = make()
    setup.library.coded.update(NAMES)
    setup.paint("style0")
    wait_for(lambda: setup.ready == 3)
    setup.stuck()
    setup.engine.prepare_gate.clear()
    setup.deck.select("style5")
    setup.engine.gate.set()
    assert wait_for(setup.stylizer.painted.take).style == "style0"
    return setup


def test_a_picture_that_is_read_has_the_processor_to_itself(reading: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artem_vr.stylize.stylizer.STAND_BACK_SECONDS", PATIENCE)
    reading.send()
    assert reading.stylizer.painted.take(timeout=0.2) is None
    newest = reading.send()
    reading.engine.prepare_gate.set()
    painted = wait_for(reading.stylizer.painted.take)
    assert painted.style == "style5" and painted.source is newest


def test_where_reading_a_picture_takes_long_the_old_style_goes_on(reading: Setup) -> None:
    for _ in range(3):
        reading.paint("style0")


def test_who_chooses_does_not_wait_for_a_network_that_goes() -> None:
    closing, gate = threading.Event(), threading.Event()

    class Slow:
        def close(self) -> None:
            closing.set()
            gate.wait(PATIENCE)

    painters = Painters(lambda key: Slow(), keep=1)  # type: ignore[arg-type, return-value]
    painters.start()
    *fitting, one_more = (PainterKey(style, 1, 64, 64) for style in ("first", "second", "third"))
    for key in fitting:
        painters.want([key])
        wait_for(lambda key=key: painters.get(key))  # type: ignore[misc]
    painters.want([one_more])
    assert closing.wait(PATIENCE)
    choosing = threading.Thread(target=painters.wake)
    choosing.start()
    choosing.join(PATIENCE / 2)
    waits = choosing.is_alive()
    gate.set()
    wait_for(lambda: painters.get(one_more))
    painters.stop(PATIENCE)
    assert not waits


def test_even_painters_that_share_everything_are_not_kept_without_end() -> None:
    painters = Painters(lambda key: FakePainter(FakeEngine(), 0, 1, 8, 8))  # type: ignore[arg-type, return-value]
    painters.start()
    for number in range(2 * MOST):
        key = PainterKey(str(number), 1, 8, 8, network="any picture")
        painters.want([key])
        wait_for(lambda key=key: painters.get(key))  # type: ignore[misc]
        assert painters.alive <= MOST
    painters.stop()


def test_statistics_start_anew_for_a_style_and_at_a_cut(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    setup.paint("style0")
    (painter,) = [p for p in setup.engine.made if p.number == 0]
    assert painter.rates[0] == 1.0 and all(0 < rate < 1 for rate in painter.rates[1:])
    setup.paint("style0", value=250)
    assert painter.rates.count(1.0) == 2
    setup.deck.next()
    setup.paint("style1", value=250)
    (other,) = [p for p in setup.engine.made if p.number == 1]
    assert other.rates[0] == 1.0
    before = painter.rates.count(1.0)
    setup.deck.previous()
    setup.paint("style0", value=250)
    assert painter.rates.count(1.0) == before + 1


def test_an_engine_that_raises_keeps_the_thread_and_the_old_style(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    setup.engine.raising.add(4)
    setup.deck.select("style4")

    def failed() -> bool:
        setup.send()
        return "style4 failed" in setup.stylizer.state().message

    wait_for(failed)
    assert setup.paint().style == "style0"
    assert "\n" not in setup.stylizer.state().message
    setup.engine.raising.clear()
    setup.deck.select("style3")
    setup.paint("style3")
    setup.deck.select("style4")
    setup.paint("style4")  # a new choice is a new chance
    assert setup.stylizer.state().message == ""


def test_where_the_gpu_fails_for_good_the_processor_paints_on(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = FakeEngine()
    spare.name = "spare"
    setup = make(spare=lambda: spare)
    setup.engine.device = "cuda"
    setup.paint("style0")
    wait_for(lambda: setup.ready == 3)
    setup.engine.preparing.clear()
    setup.engine.prepare_gate.clear()
    setup.deck.select(5)
    setup.paint("style0")
    assert setup.engine.preparing.wait(PATIENCE)  # while one more is made
    monkeypatch.setattr("artem_vr.hardware.cuda_failure", lambda: "CUDA error: unspecified launch failure")
    setup.engine.raising = set(range(len(NAMES)))
    wait_for(lambda: setup.send() and setup.stylizer._engine.name == "spare")
    setup.engine.prepare_gate.set()
    wait_for(lambda: setup.paint("style5") and spare.painting.is_set())  # by none of those that were there
    wait_for(lambda: setup.ready == 3)
    state = setup.stylizer.state()
    assert (state.engine, state.device) == ("spare", "cpu")
    assert state.message.startswith("The GPU has failed, the processor paints on")
    assert not setup.engine.alive, "nothing of it is kept"
    setup.deck.select(3)
    assert setup.paint("style3").style == "style3"


def test_where_the_gpu_fails_while_a_painting_is_steadied_the_next_ones_are_steadied(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = FakeEngine()
    spare.name = "spare"
    setup = make(spare=lambda: spare, steadying="always")
    setup.engine.device = "cuda"
    wait_for(lambda: setup.paint("style0") and setup.stylizer.state().steadied > 0)
    steadied = Steadier.steadied

    def reset(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(Steadier, "steadied", steadied)
        monkeypatch.setattr("artem_vr.hardware.cuda_failure", lambda: "CUDA error: unspecified launch failure")
        setup.engine.raising = set(range(len(NAMES)))
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(Steadier, "steadied", reset)
    wait_for(lambda: setup.send() and setup.stylizer._engine.name == "spare")
    before = setup.stylizer._steadied
    wait_for(lambda: setup.paint("style0") and setup.stylizer._steadied > before)


def test_a_style_that_fails_on_a_sound_gpu_is_no_failure_of_that(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> Any:
        raise AssertionError("there is no need")

    setup = make(spare=never)
    setup.engine.device = "cuda"
    monkeypatch.setattr("artem_vr.hardware.cuda_failure", lambda: "")
    setup.paint("style0")
    setup.engine.raising = {4}
    setup.deck.select(4)
    wait_for(lambda: setup.paint() and "failed while painting" in setup.stylizer.state().message)
    assert setup.paint("style0").style == "style0"


def test_the_running_style_breaks(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    wait_for(lambda: setup.ready == 3)
    setup.engine.raising.add(0)
    assert setup.paint("style1").style == "style1"
    assert "style0 failed" in setup.stylizer.state().message


def test_bad_weights_and_unknown_styles_are_messages(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    setup.bad.add("style3")
    setup.library.missing.add("style4")
    for name, words in (("style3", "damaged"), ("style4", "no style")):
        setup.deck.select(name)

        def told(words: str = words) -> bool:
            setup.send()
            return words in setup.stylizer.state().message

        wait_for(told)
        assert setup.paint().style == "style0"


def test_another_eye_count_or_size(make: Callable[..., Setup]) -> None:
    setup = make()
    assert setup.paint(eyes=2).pictures.shape == (2, 64, 72, 3)
    for shape in ((1, 64, 72), (1, 96, 96), (2, 96, 96)):
        eyes, height, width = shape

        def fits(eyes: int = eyes, height: int = height, width: int = width) -> bool:
            return bool(setup.paint(eyes=eyes, height=height, width=width).pictures.shape[:1] == (eyes,))

        wait_for(fits)
    wait_for(lambda: setup.paint(height=80, width=64).pictures.shape == (2, 80, 64, 3))


def test_a_broken_frame_is_survived(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint()
    setup.frames.put(StereoFrame(np.zeros((3,), np.uint8), 0.0, 0))
    wait_for(lambda: "Painting failed" in setup.stylizer.state().message)
    setup.paint()
    assert setup.stylizer.state().message == ""


def test_a_blocked_painter_does_not_block_the_others() -> None:
    setup = Setup()
    setup.paint()
    setup.stuck()
    assert setup.stylizer.state().style == "style0"
    assert not setup.stylizer.stop(timeout=0.05)
    setup.engine.gate.set()
    assert setup.stylizer.stop(PATIENCE)


def test_the_headset_size_is_used(make: Callable[..., Setup]) -> None:
    setup = make(eye_size=(80, 72), scale=1.0)
    assert setup.paint().pictures.shape == (2, 80, 72, 3)


def test_auto_comes_down_when_the_engine_is_slow(make: Callable[..., Setup]) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.12
        return now[0]

    setup = make(scale="auto", clock=clock)
    wait_for(lambda: setup.paint(height=512, width=512).pictures.shape[1] == 384)


def test_a_photograph_keeps_its_size_however_slow_the_engine(make: Callable[..., Setup]) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 3.0
        return now[0]

    setup = make(scale="auto", clock=clock)
    for _ in range(40):
        assert setup.paint(eyes=1, height=512, width=768, still=True).pictures.shape == (1, 512, 768, 3)


def test_auto_does_not_judge_a_smaller_size_by_the_times_of_the_larger_one(make: Callable[..., Setup]) -> None:
    """Its painter takes a while to be ready; meanwhile the larger one goes on."""
    now, tick = [0.0], [0.04]  # a frame looks at it four times

    def clock() -> float:
        now[0] += tick[0]
        return now[0]

    setup = make(scale="auto", steadying="never", clock=clock)

    def height() -> int:
        size: int = setup.paint(eyes=1, height=1024, width=1024).pictures.shape[1]
        return size

    assert height() == 1024
    setup.engine.prepare_gate.clear()
    for _ in range(40):
        assert height() == 1024
    tick[0] = 0.07 / 3  # as fast as the size of the next step makes it: quick enough, with no room for the step before
    setup.engine.prepare_gate.set()
    seen = wait_for(lambda: size if (size := height()) != 1024 else None)
    assert seen == 768
    for _ in range(40):
        assert height() == 768


def until_both(setup: Setup, style: str, outside: str) -> PaintedFrame:
    """The first frame that is there in both styles."""

    def attempt() -> PaintedFrame | None:
        painted = setup.paint(style)
        return painted if painted.outside == outside and painted.other is not None else None

    result: PaintedFrame = wait_for(attempt)
    return result


def test_a_choice_is_seen_where_the_source_has_stalled(make: Callable[..., Setup]) -> None:
    """A camera that hangs, a telephone out of reach: in the picture that was there last, and once."""

    def newest(count: int) -> PaintedFrame:
        wait_for(lambda: setup.stylizer.state().frames >= count)
        painted: PaintedFrame = wait_for(setup.stylizer.painted.take)
        return painted

    setup = make()
    last = setup.paint("style0").source
    count = setup.stylizer.state().frames
    setup.deck.select("style3")
    painted = newest(count + 1)
    assert painted.style == "style3" and painted.source is last and (painted.pictures == 3).all()
    setup.deck.outside = "style5"
    painted = newest(count + 2)
    assert (painted.style, painted.outside) == ("style3", "style5") and (painted.other == 5).all()
    setup.engine.raising.add(6)
    setup.deck.select("style6")
    wait_for(lambda: "style6 failed" in setup.stylizer.state().message)
    wait_for(lambda: setup.stylizer.state().failed == setup.deck.current.generation)
    setup.deck.strength = 0.5  # the renderer's own, where no style is a code
    assert setup.stylizer.painted.take(timeout=0.5) is None and setup.stylizer.state().frames == count + 2


def test_a_style_outside_is_seen_where_the_source_stalls_while_it_is_prepared(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    wait_for(lambda: setup.ready == 3)
    setup.engine.prepare_gate.clear()
    setup.deck.outside = "style5"
    last = setup.paint("style0")
    assert last.other is None and "Preparing style5" in setup.stylizer.state().message
    setup.engine.prepare_gate.set()
    painted = wait_for(setup.stylizer.painted.take)
    assert painted.source is last.source and (painted.other == 5).all() and setup.stylizer.state().message == ""
    assert setup.stylizer.painted.take(timeout=0.5) is None


def test_what_cannot_be_painted_is_said_where_the_source_has_stalled(make: Callable[..., Setup]) -> None:
    """And who goes back to what is shown is told nothing any more."""
    setup = make()
    setup.bad.add("style4")
    setup.paint("style0")
    setup.deck.select("style4")
    wait_for(lambda: "style4 are damaged" in setup.stylizer.state().message)
    assert setup.stylizer.state().failed == setup.deck.current.generation
    setup.deck.select("style0")
    wait_for(lambda: setup.stylizer.state().message == "")
    assert setup.stylizer.state().failed == -1
    setup.engine.prepare_gate.clear()
    setup.deck.select("style2")
    wait_for(lambda: "Preparing style2" in setup.stylizer.state().message)
    setup.deck.select("style0")
    wait_for(lambda: setup.stylizer.state().message == "")


def test_another_size_is_painted_where_the_source_has_stalled(make: Callable[..., Setup]) -> None:
    setup = make(eye_size=(128, 128))
    last = setup.paint("style0", height=256, width=256)
    assert last.pictures.shape[1:3] == (128, 128)
    setup.stylizer.recommend((256, 256))
    painted: PaintedFrame = wait_for(setup.stylizer.painted.take)
    assert painted.source is last.source and painted.pictures.shape[1:3] == (256, 256)
    assert setup.stylizer.painted.take(timeout=0.5) is None


@pytest.mark.parametrize("steadying", ["always", "never"])
def test_the_ground_goes_where_the_source_has_stalled(steadying: str, make: Callable[..., Setup]) -> None:
    setup = make(steadying=steadying)
    setup.engine.copies = True
    setup.deck.ground = 0.2
    for _ in range(3):
        assert setup.paint("style0").pictures.std() > 2
    setup.deck.ground = 0.0
    painted = wait_for(setup.stylizer.painted.take)
    assert painted.style == "style0" and (painted.pictures == 100).all()
    assert setup.stylizer.painted.take(timeout=0.5) is None


def test_a_ground_that_was_going_is_gone_where_the_source_stalls_then(make: Callable[..., Setup]) -> None:
    """But that is not so yet where a slow camera's next frame is waited for: it would go at one blow."""
    setup = make(steadying="never")
    setup.engine.copies = True
    setup.deck.ground = 0.5
    whole = setup.paint("style0").pictures.std()
    setup.stuck()
    setup.deck.ground = 0.0
    last = setup.send()
    setup.engine.gate.set()
    painted = wait_for(lambda: (one := setup.stylizer.painted.take()) is not None and one.source is last and one)
    assert whole > painted.pictures.std() > 0.5 * whole
    assert setup.stylizer.painted.take(timeout=0.5) is None
    assert (wait_for(setup.stylizer.painted.take).pictures == 100).all()
    assert setup.stylizer.painted.take(timeout=0.5) is None


def test_the_strength_of_a_code_is_seen_where_the_source_has_stalled(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.paint("style0")
    wait_for(lambda: setup.ready == 3)
    for painter in setup.stylizer.painters._ready.values():
        painter.coded = True
    setup.paint("style0")
    setup.deck.strength = 0.5
    assert wait_for(setup.stylizer.painted.take).style == "style0"
    assert setup.stylizer.painted.take(timeout=0.5) is None


def test_the_same_frame_is_painted_in_the_style_outside_too(make: Callable[..., Setup]) -> None:
    setup = make()
    assert setup.paint("style0").other is None
    setup.deck.outside = "style5"
    both = until_both(setup, "style0", "style5")
    assert (both.pictures == 0).all() and (both.other == 5).all() and both.other.shape == both.pictures.shape
    for _ in range(3):
        both = until_both(setup, "style0", "style5")
    setup.deck.outside = "style0"  # the same again needs no second painter
    assert (until_both(setup, "style0", "style0").other == 0).all()
    setup.deck.outside = ""
    wait_for(lambda: setup.paint("style0").other is None)


def test_each_of_the_two_styles_has_its_own_statistics(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.deck.outside = "style5"
    until_both(setup, "style0", "style5")
    until_both(setup, "style0", "style5")
    (other,) = [p for p in setup.engine.made if p.number == 5]
    assert other.rates[0] == 1.0 and all(rate < 1 for rate in other.rates[1:])
    setup.deck.select("style1")
    until_both(setup, "style1", "style5")
    assert other.rates.count(1.0) == 1  # a switch inside is none outside
    (one,) = [p for p in setup.engine.made if p.number == 1]
    assert one.rates[0] == 1.0


def test_a_switch_with_two_styles_in_use_keeps_both_and_memory_is_bounded(make: Callable[..., Setup]) -> None:
    setup = make(keep=2, budget=0)
    setup.deck.outside = "style7"
    until_both(setup, "style0", "style7")
    for press in (3, 5, 1):
        setup.deck.select(press)
        painted = wait_for(lambda: setup.paint())
        while painted.style != f"style{press}":
            assert painted.other is not None and (painted.other == 7).all()  # never without it
            painted = setup.paint()
    assert setup.engine.most_alive <= 3


def test_a_style_outside_that_fails_is_a_message_and_the_other_goes_on(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.bad.add("style4")
    setup.deck.outside = "style4"
    setup.paint("style0")

    def told(words: str) -> bool:
        painted = setup.paint("style0")
        return painted.other is None and words in setup.stylizer.state().message

    wait_for(lambda: told("damaged"))
    assert setup.stylizer.state().failed == -1  # the current style is well
    assert setup.stylizer.state().other_failed
    setup.engine.raising.add(5)
    setup.deck.outside = "style5"
    wait_for(lambda: told("style5 failed"))
    assert setup.stylizer.state().other_failed
    setup.deck.outside = "style6"
    wait_for(lambda: setup.paint("style0").other is not None)
    assert not setup.stylizer.state().other_failed
    setup.deck.outside = ""
    wait_for(lambda: setup.paint("style0") and setup.stylizer.state().message == "")


def test_which_choice_failed_is_told(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.bad.add("style3")
    setup.paint("style0")
    assert setup.stylizer.state().failed == -1
    generation = setup.deck.select("style3").generation

    def failed() -> bool:
        setup.send()
        return setup.stylizer.state().failed == generation

    wait_for(failed)
    setup.deck.select("style0")
    setup.paint("style0")
    wait_for(lambda: setup.paint() and setup.stylizer.state().failed == -1)


def test_messages_name_files_without_their_folders() -> None:
    assert called("great_wave") == "great_wave"
    assert called("/home/me/a.b/c.jpg") == "c.jpg"
    assert called("0.5*/tmp/x/a.jpg+0.5*C:\\pictures\\b.png") == "0.5*a.jpg+0.5*b.png"


def test_where_memory_lacks_what_is_idle_goes_and_it_is_tried_once_more() -> None:
    """A card has less than its driver says, and others use it too."""
    closed: list[str] = []

    class Held:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)

    def prepare(key: PainterKey) -> Any:
        if key.style == "d" and not closed:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if key.style == "e":
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return Held(key.style)

    painters = Painters(prepare, keep=4)
    painters.start()
    a, b, d, e = (PainterKey(name, 1, 64, 64) for name in "abde")
    painters.want([a, b], painting=[a])
    wait_for(lambda: painters.get(a) and painters.get(b))
    painters.want([d, b], painting=[a])
    wait_for(lambda: painters.get(d))
    assert closed == ["b"] and painters.get(a) is not None and painters.failure(d) is None
    painters.want([e], painting=[a])
    assert "out of memory" in wait_for(lambda: painters.failure(e))
    assert painters.get(a) is not None, "what is painted with stays"
    painters.stop(PATIENCE)


def test_where_memory_lacks_what_may_be_chosen_next_does_not_throw_out_each_other() -> None:
    """Else they are prepared for ever, beside the painting."""
    calls: list[str] = []

    class Held:
        def close(self) -> None:
            alive.discard(self)

    alive: set[Held] = set()

    def prepare(key: PainterKey) -> Any:
        calls.append(key.style)
        if len(alive) == 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        alive.add(held := Held())
        return held

    painters = Painters(prepare, keep=4)
    painters.start()
    a, b, c, d = (PainterKey(name, 1, 64, 64) for name in "abcd")
    painters.want([a, b, c, d], painting=[a])
    wait_for(lambda: painters.failure(d))
    assert calls == ["a", "b", "c", "d"] and painters.get(b) and painters.lacks_memory(c) and not painters.failure(b)
    painters.forgive()
    painters.want([c, d, b], painting=[a])  # chosen: the one that is needed less goes
    wait_for(lambda: painters.get(c) and painters.failure(b))
    assert calls[4:6] == ["c", "c"] and not painters.get(b) and not painters.lacks_memory(c)
    painters.stop(PATIENCE)


def test_preparation_that_fails_is_not_repeated_until_forgiven() -> None:
    calls: list[PainterKey] = []

    def prepare(key: PainterKey) -> Any:
        calls.append(key)
        raise ValueError("never\nworks")

    painters = Painters(prepare)
    painters.start()
    key = PainterKey("a", 1, 8, 8)
    for _ in range(5):
        painters.want([key])
        painters.want([])
    painters.want([key])
    reason = wait_for(lambda: painters.failure(key))
    assert "never works" in reason.replace("\n", " ") and len(calls) == 1
    painters.forgive()
    wait_for(lambda: len(calls) == 2)
    painters.stop()


def key_of(style: str) -> PainterKey:
    """Of `Setup`'s frames."""
    return PainterKey(style, 2, 64, 72)


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="threads have no priorities here")
def test_what_is_waited_for_is_prepared_at_normal_priority_and_the_rest_politely() -> None:
    """A picture that was dropped must not queue behind the painting that goes on meanwhile."""
    priority: dict[str, int] = {}

    def prepare(key: PainterKey) -> Any:
        priority[key.style] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return FakePainter(FakeEngine(), 0, 1, 8, 8)

    painters = Painters(prepare, keep=3)
    painters.start()
    keys = {name: PainterKey(name, 1, 8, 8) for name in "abcde"}
    painters.want([keys["a"], keys["b"]])
    wait_for(lambda: painters.get(keys["b"]))
    painters.want([keys["c"], keys["d"]], [keys["a"]])
    wait_for(lambda: painters.get(keys["d"]))
    painters.want([keys["c"], keys["e"]], [keys["c"]], urgent=[keys["e"]])  # two styles are seen at a time
    wait_for(lambda: painters.get(keys["e"]))
    painters.stop()
    ours = os.getpriority(os.PRIO_PROCESS, 0)  # the tests themselves may be polite
    assert priority == dict.fromkeys("ace", ours) | dict.fromkeys("bd", max(POLITE, ours))


def test_painting_makes_way_for_what_is_waited_for_behind_a_polite_preparation(make: Callable[..., Setup]) -> None:
    """No thread that was made polite may become less so: on busy cores it takes ten times as long."""
    setup = make(keep=2)
    rested: list[float] = []
    wait = setup.stylizer._stop.wait

    def noted(seconds: float | None = None) -> bool:
        rested.append(seconds or 0.0)
        return wait(seconds)

    setup.stylizer._stop.wait = noted  # type: ignore[method-assign, assignment]
    setup.engine.prepare_gate.clear()
    setup.send()
    assert setup.engine.preparing.wait(PATIENCE) and not setup.stylizer.painters.held_up  # at normal priority
    setup.engine.preparing.clear()
    setup.engine.prepare_gate.set()
    setup.paint("style0")
    wait_for(lambda: setup.ready == 2)
    setup.engine.prepare_gate.clear()

    def prepares_a_neighbour() -> bool:
        """Politely. Asked for again until then: a last frame that was on its way may have asked for another one."""
        setup.stylizer.painters.want([key_of("style0")])
        setup.stylizer.painters.want([key_of("style0"), key_of("style4")])
        return setup.stylizer.painters._preparing == key_of("style4")

    wait_for(prepares_a_neighbour)
    assert not setup.stylizer.painters.held_up and not rested
    setup.deck.select("style2")
    wait_for(lambda: setup.paint() and rested)
    assert setup.stylizer.painters.held_up and max(rested) <= STAND_BACK_SECONDS
    setup.engine.prepare_gate.set()
    setup.paint("style2")


def test_the_style_outside_a_region_is_waited_for_too(make: Callable[..., Setup]) -> None:
    setup = make()
    waited_for: list[set[str]] = []
    want = setup.stylizer.painters.want

    def noted(keys: Any, painting: Any = (), urgent: Any = ()) -> None:
        waited_for.append({key.style for key in urgent})
        want(keys, painting, urgent)

    setup.stylizer.painters.want = noted  # type: ignore[method-assign]
    setup.deck.outside = "style5"
    until_both(setup, "style0", "style5")
    assert waited_for[-1] == {"style5"}


def test_load_style_checks_the_sum(tmp_path: Path) -> None:
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.fast import FastNetwork

    path = tmp_path / "x.safetensors"
    digest = save_network(path, FastNetwork(8, 8, 4, 1))
    style = load_network_style(Style("x", "X", "shipped", path, digest))
    assert style.key == digest and style.code is None and isinstance(loaded(style.network), FastNetwork)
    with pytest.raises(WeightsError, match="damaged"):
        load_network_style(Style("x", "X", "shipped", path, "0" * 64))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_network_style(Style("x", "X", "own", tmp_path / "none"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError):
        loaded(style.network)


def test_the_network_for_any_picture_is_no_style_by_itself() -> None:
    compact = Library().compact
    assert compact is not None
    with pytest.raises(StyleError, match="paints like any picture"):
        load_network_style(Style("x", "X", "own", compact[0]))


def levels(setup: Setup, count: int = 20, **frame: Any) -> list[float]:
    """The mean levels of so many paintings; those of the right eye are the left one's."""
    result = []
    for _ in range(count):
        pictures = setup.paint(**frame).pictures
        assert (pictures[:1] == pictures).all()
        result.append(float(pictures.mean()))
    return result


class Ticking:
    """A clock that goes on by so many seconds whenever somebody looks at it."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._now = seconds, 0.0

    def __call__(self) -> float:
        self._now += self.seconds
        return self._now


def test_where_the_source_stays_paintings_do_not_tremble(make: Callable[..., Setup]) -> None:
    setup = make(steadying="always")
    setup.engine.trembles = 100
    seen = levels(setup)[4:]
    assert max(seen) - min(seen) < 70
    assert setup.stylizer.state().steadied == 1


def test_steadying_can_be_left_out(make: Callable[..., Setup]) -> None:
    setup = make(steadying="never")
    setup.engine.trembles = 100
    assert set(levels(setup)) == {0, 100}
    assert setup.stylizer.state().steadied == 0


def test_paintings_that_hardly_come_are_not_steadied(make: Callable[..., Setup]) -> None:
    clock = Ticking(0.0)
    setup = make(clock=clock)
    setup.engine.trembles = 100
    levels(setup)
    assert setup.stylizer.state().steadied == 1
    clock.seconds = 0.06
    wait_for(lambda: set(levels(setup, 6)) == {0, 100})
    assert 0 < setup.stylizer.state().steadied < 1


def test_a_new_style_begins_with_its_own_strokes(make: Callable[..., Setup]) -> None:
    setup = make(steadying="always")
    levels(setup, 3)
    setup.deck.select(3)
    assert (setup.paint("style3").pictures == 3).all()  # and nothing of style0, which is 0


def test_the_style_outside_a_region_is_steadied_too(make: Callable[..., Setup]) -> None:
    setup = make(steadying="always")
    setup.deck.outside = "style5"
    setup.engine.trembles = 100
    until_both(setup, "style0", "style5")
    seen = [float(until_both(setup, "style0", "style5").other.mean()) for _ in range(20)][4:]
    assert min(seen) > 5 and max(seen) - min(seen) < 70


def test_another_scene_has_no_strokes_of_the_one_before(make: Callable[..., Setup]) -> None:
    setup = make(steadying="always")
    setup.engine.trembles = 100
    for number in range(12):
        painted = setup.paint(value=250 if number % 2 else 5)  # every frame is a cut
        assert painted.pictures.mean() in (0, 100)


def test_while_a_style_is_made_ready_time_is_spent_on_that(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.engine.trembles = 100
    levels(setup, 6)
    setup.engine.prepare_gate.clear()
    setup.deck.select(3)
    levels(setup, 2)  # one of them may have begun before
    assert set(levels(setup, 8)) == {0, 100}
    setup.engine.prepare_gate.set()
    assert setup.paint("style3").pictures.mean() in (3, 103)
    seen = levels(setup)[4:]
    assert max(seen) - min(seen) < 70


def test_smaller_pictures_come_before_ones_that_are_not_steadied(make: Callable[..., Setup]) -> None:
    """Where the size is free."""
    clock = Ticking(0.03)  # a steadied pair looks at it five times, another one once
    setup = make(scale="auto", clock=clock)

    def height() -> int:
        size: int = setup.paint(height=640, width=640).pictures.shape[1]
        return size

    assert height() == 640
    while height() > 480:
        assert setup.stylizer.state().steadied == 1
    wait_for(lambda: height() and setup.stylizer.state().steadied < 1)  # there is no smaller one


def test_beside_a_gpu_what_the_processor_does_costs_no_pixels(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steadying goes first there: fewer pixels would hardly make it quicker, and the GPU has time for all of them."""
    now = [0.0]
    setup = make(scale="auto", clock=lambda: now[0])
    setup.engine.device = "cuda"
    look = setup.stylizer._hand.look

    def slow(*arguments: Any) -> Any:
        ties = look(*arguments)
        spent = 0.3 if ties.before or ties.across is not None else 0.0
        now[0] += spent
        setup.stylizer._hand._seconds += spent
        return ties

    def paint(painter: FakePainter, pictures: np.ndarray, state: Any, rate: float) -> Any:
        now[0] += 0.01
        return np.full_like(pictures, painter.number), state

    monkeypatch.setattr(setup.stylizer._hand, "look", slow)
    monkeypatch.setattr(FakePainter, "paint", paint)
    seen = {setup.paint(height=640, width=640).pictures.shape[1:3] for _ in range(120)}
    assert seen == {(640, 640)}
    assert 0 < setup.stylizer.state().steadied < 0.5


def test_no_painter_is_closed_while_it_paints(make: Callable[..., Setup]) -> None:
    """Not even where something else is chosen while it paints its first frame."""
    setup = make()
    setup.paint("style0")
    setup.engine.gate.clear()
    setup.engine.painting.clear()
    setup.deck.select(4)
    (key,) = wait_for(lambda: [key for key in setup.stylizer.painters._ready if key.style == "style4"])
    styled = setup.stylizer.painters.get(key)
    assert styled is not None
    painting = threading.Thread(
        target=lambda: styled.paint(np.zeros((2, 64, 72, 3), np.uint8), None, 1.0, Tuning()), daemon=True
    )
    closing = threading.Thread(target=styled.close, daemon=True)
    painting.start()
    assert setup.engine.painting.wait(PATIENCE)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive() and not any(painter.closed for painter in setup.engine.made if painter.number == 4)
    setup.engine.gate.set()
    closing.join(PATIENCE)
    painting.join(PATIENCE)
    assert styled.closed
    with pytest.raises(ValueError, match="was closed"):
        styled.paint(np.zeros((2, 64, 72, 3), np.uint8), None, 1.0, Tuning())


@pytest.mark.parametrize("outside", [False, True])
def test_one_that_was_closed_before_its_first_frame_has_not_failed(
    make: Callable[..., Setup], outside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = make()
    setup.paint("style0")
    get = setup.stylizer.painters.get

    def taken_away(key: PainterKey) -> Any:
        painter = get(key)
        if painter is not None and key.style == "style4":
            monkeypatch.undo()
            with setup.stylizer.painters._condition:
                setup.stylizer.painters._ready.pop(key)
                setup.stylizer.painters._condition.notify_all()
            painter.close()
        return painter

    monkeypatch.setattr(setup.stylizer.painters, "get", taken_away)
    if outside:
        setup.deck.outside = "style4"
        wait_for(lambda: setup.paint("style0").other is not None)
    else:
        setup.deck.select(4)
        assert setup.paint("style4").style == "style4", "it is prepared anew"
    assert setup.stylizer.state().message == ""


def test_another_source_is_judged_anew(make: Callable[..., Setup]) -> None:
    clock = Ticking(0.06)
    setup = make(clock=clock)
    setup.engine.trembles = 100
    wait_for(lambda: set(levels(setup, 6)) == {0, 100})
    clock.seconds = 0.0
    wait_for(lambda: setup.paint(height=72).pictures.shape[1] == 72)  # strokes begin anew with the painter
    seen = levels(setup, height=72)[6:]
    assert max(seen) - min(seen) < 70


@pytest.mark.parametrize("what", ["looking", "laying over"])
def test_where_steadying_fails_paintings_go_on(
    make: Callable[..., Setup], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("not enough\nfor that")

    setup = make(steadying="always")
    setup.paint()
    name = "Matcher.ties" if what == "looking" else "_steadied"
    module = "matching" if what == "looking" else "steadying"
    monkeypatch.setattr(f"artem_vr.stylize.{module}.{name}", fail)
    setup.engine.trembles = 100
    wait_for(lambda: set(levels(setup, 6)) == {0, 100})
    assert "not steadied (MemoryError: not enough" in setup.stylizer.state().message


def test_beside_a_style_that_failed_the_old_one_is_steadied(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.bad.add("style3")
    setup.paint()
    setup.deck.select(3)
    wait_for(lambda: setup.paint() and setup.stylizer.state().failed >= 0)
    setup.engine.trembles = 100
    seen = levels(setup)[4:]
    assert max(seen) - min(seen) < 70


def test_a_pair_at_rest_is_steadied_after_a_slow_film_too(make: Callable[..., Setup]) -> None:
    clock = Ticking(0.06)
    setup = make(clock=clock)
    setup.engine.trembles = 100
    wait_for(lambda: set(levels(setup, 6)) == {0, 100})
    before = setup.stylizer.state()
    setup.paint(still=True)
    setup.paint(still=True)
    after = setup.stylizer.state()
    assert round(after.steadied * after.frames) > round(before.steadied * before.frames)
