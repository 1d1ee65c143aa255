"""The feed, with sources and a clock that the tests move by hand."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.sources import feed as feed_module
from artem_vr.sources.feed import Feed
from artem_vr.sources.source import FinalSourceError, Rest, Shot

GONE = SourceError("The cable is out", "Put it in")


class Clock:
    """Time that passes when somebody sleeps, or when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.stop_after: int | None = None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += seconds
        self.slept.append(seconds)
        time.sleep(0)
        return self.stop_after is not None and len(self.slept) >= self.stop_after


class Scripted:
    """A source that does what the list says, then hangs until `let_go`.

    A number is a picture of that grey, a rest is one, an error is raised, None is the end; a function is called for one
    of these.
    """

    name = "scripted"

    def __init__(self, *script: Any, live: bool = True, rate: float | None = None) -> None:
        self.script, self.live, self.rate = deque(script), live, rate
        self.let_go, self.reading, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.skipped = 0

    def read(self) -> Shot | Rest | None:
        if not self.script:
            self.reading.set()
            self.let_go.wait(60)
            return grey(255)
        step = self.script.popleft()
        step = step() if callable(step) else step
        if isinstance(step, Exception):
            raise step
        return step if step is None or isinstance(step, Rest) else grey(step)

    def skip(self) -> None:
        self.skipped += 1

    def close(self) -> None:
        self.closed.set()


def grey(level: int) -> Shot:
    return Shot(np.full((1, 4, 6, 3), level, np.uint8))


def until(condition: Callable[[], Any]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.001)


@pytest.fixture
def feeds() -> Iterator[Callable[..., Feed]]:
    """Makes started feeds out of sources, opened one after the other; the last one again and again."""
    made: list[Feed] = []
    sources: list[Scripted] = []

    def make(*scripts: Any, clock: Clock | None = None, start: bool = True, **options: Any) -> Feed:
        clock = clock or Clock()
        waiting = deque(scripts)
        sources.extend(s for s in scripts if isinstance(s, Scripted))

        def factory() -> Any:
            following = waiting.popleft() if len(waiting) > 1 else waiting[0]
            if isinstance(following, Exception):
                raise following
            return following() if callable(following) else following

        feed = Feed(factory, clock, **{"sleep": clock.sleep, "watch_every": None, **options})
        made.append(feed)
        if start:
            feed.start()
        return feed

    yield make
    for source in sources:
        source.let_go.set()
    for feed in made:
        feed.stop(10)


def test_frames_arrive_with_their_number_and_time(feeds):
    clock = Clock()
    source = Scripted(10, 20)
    feed = feeds(source, clock=clock)
    assert source.reading.wait(30)
    frame = feed.frames.take(30)
    assert frame is feed.latest
    assert frame.eyes.shape == (1, 4, 6, 3) and frame.eyes[0, 0, 0, 0] == 20
    assert (frame.sequence, frame.captured_at, frame.camera_poses) == (1, 100.0, None)
    assert feed.frames.replaced == 1  # the newest wins
    state = feed.state()
    assert (state.kind, state.message, state.width, state.height, state.eyes) == ("live", "", 6, 4, 1)


def test_what_the_source_says_of_time_and_pose_is_kept(feeds):
    pose = np.eye(4, dtype=np.float32)
    source = Scripted()
    source.read = lambda: Shot(np.zeros((2, 3, 3, 3), np.uint8), 42.0, pose, still=True, stands=True)  # type: ignore[method-assign]
    frame = feeds(source).frames.take(30)
    assert frame.captured_at == 42.0 and frame.camera_poses is pose and len(frame.eyes) == 2
    assert frame.still and frame.stands


def test_before_the_first_frame_it_is_opening(feeds):
    feed = feeds(Scripted(), start=False)
    assert feed.state().kind == "opening" and feed.state().width == 0
    assert feed.stop(1)


ASLEEP = Rest("It sleeps")


def test_a_source_that_rests_is_read_on_and_is_neither_new_nor_failed(feeds):
    seen = []

    def look() -> int:
        seen.append(feed.state())
        return 7

    source = Scripted(*[ASLEEP] * 50, look, ASLEEP, look)
    feed: Feed = feeds(source, AssertionError("it was opened again"), start=False)
    feed.start()
    until(lambda: len(seen) == 2)
    assert [(state.kind, state.message) for state in seen] == [("opening", "It sleeps"), ("stale", "It sleeps")]
    assert source.reading.wait(30)
    assert feed.latest is not None and feed.latest.sequence == 1


def test_while_a_source_rests_waiting_for_its_first_frame_is_no_error(feeds):
    feed = feeds(GONE, Scripted(*[ASLEEP] * 3))
    until(lambda: feed.state().message == ASLEEP.reason)
    assert feed.wait_first(0.0) is False


def test_a_live_source_that_fails_is_tried_again_with_growing_pauses(feeds):
    clock = Clock()
    clock.stop_after = 7
    feed = feeds(GONE, clock=clock)
    until(lambda: len(clock.slept) == 7)
    assert clock.slept == [0.5, 1, 2, 4, 8, 8, 8]
    assert feed.state().kind == "opening" and feed.state().message == str(GONE)


def test_after_a_frame_the_pauses_begin_anew(feeds):
    clock = Clock()
    last = Scripted(3)
    first = Scripted(1, GONE)
    feed = feeds(first, GONE, Scripted(2, GONE), last, clock=clock)
    assert last.reading.wait(30)
    assert clock.slept == [0.5, 1, 0.5]
    assert first.closed.is_set()
    assert feed.latest is not None and feed.latest.sequence == 2  # counted on through the reopening
    assert feed.state().kind == "live"


def test_while_the_source_is_away_the_last_frame_is_kept_and_called_stale(feeds):
    held = threading.Event()
    clock = Clock()

    def hold(_: float) -> bool:
        held.wait(30)
        return True

    feed = feeds(Scripted(50, GONE), clock=clock, sleep=hold)
    until(lambda: feed.state().message)
    state = feed.state()
    assert (state.kind, state.message, state.since, state.width) == ("stale", str(GONE), 100.0, 6)
    assert feed.latest is not None and feed.latest.eyes[0, 0, 0, 0] == 50
    held.set()


def test_silence_is_called_stale(feeds):
    clock = Clock()
    source = Scripted(1)
    feed = feeds(source, clock=clock)
    assert source.reading.wait(30)
    assert feed.state().kind == "live"
    clock.now += 3
    assert (feed.state().kind, feed.state().message) == ("stale", "No picture for 3 s")
    source.script.append(2)
    source.let_go.set()
    until(lambda: feed.state().kind == "live")


@pytest.mark.parametrize("error", [FinalSourceError("There is no file x", "Check the name"), None])
def test_an_error_that_is_final_ends_it(feeds, error):
    opened = []

    def factory() -> Any:
        opened.append(1)
        if error:
            raise error
        return Scripted(1, GONE, live=False)

    clock = Clock()
    feed = feeds(factory, clock=clock)
    until(lambda: feed.state().kind == "failed")
    assert feed.state().message == str(error or GONE)
    assert feed.stop(30) and opened == [1] and clock.slept == []


def test_the_end_of_a_file(feeds):
    feed = feeds(Scripted(1, 2, None, live=False))
    until(lambda: feed.state().kind == "ended")
    assert feed.latest is not None and feed.latest.sequence == 1
    assert feed.stop(30)


def test_a_live_source_that_ends_is_opened_again(feeds):
    last = Scripted(2)
    feed = feeds(Scripted(1, None), last)
    assert last.reading.wait(30)
    assert feed.latest is not None and feed.latest.sequence == 1


def test_a_surprise_does_not_end_the_thread(feeds):
    last = Scripted(2)
    clock = Clock()
    feed = feeds(ZeroDivisionError("what?"), Scripted(1, TypeError("surprise")), last, clock=clock)
    assert last.reading.wait(30)
    assert clock.slept == [0.5, 0.5] and feed.state().kind == "live"


def test_stopping_does_not_wait_for_a_reading_that_hangs(feeds):
    source = Scripted(1)
    feed = feeds(source, sleep=None, watch_every=0.01)
    assert source.reading.wait(30)
    assert feed.stop(0.01) is False
    assert not source.closed.is_set()
    source.let_go.set()
    assert source.closed.wait(30)  # the abandoned thread cleans up when it wakes
    assert feed.latest is not None and feed.latest.eyes[0, 0, 0, 0] == 1  # and its late frame is dropped


def test_a_reading_that_hangs_is_abandoned_and_the_source_opened_again(feeds):
    clock = Clock()
    first, second = Scripted(1), Scripted(2)
    feed = feeds(first, second, clock=clock, read_patience=6.0)
    assert first.reading.wait(30)
    clock.now += 5
    feed.check()
    assert feed.state().message == "No picture for 5 s"
    clock.now += 2
    feed.check()
    assert second.reading.wait(30)
    assert clock.slept == [0.5]
    frame = feed.latest
    assert frame is not None and frame.eyes[0, 0, 0, 0] == 2
    first.let_go.set()
    assert first.closed.wait(30)
    assert feed.latest is frame


def test_an_opening_that_hangs_is_abandoned_after_its_own_patience(feeds):
    clock = Clock()
    held, opening = threading.Event(), threading.Event()

    def hang() -> Any:
        opening.set()
        held.wait(30)
        return Scripted(9)

    good = Scripted(2)
    feed = feeds(hang, good, clock=clock, open_patience=30.0)
    assert opening.wait(30)
    clock.now += 29
    feed.check()
    assert feed.state().message == ""
    clock.now += 2
    feed.check()
    assert good.reading.wait(30)
    held.set()


def test_no_more_than_a_few_threads_are_abandoned(feeds):
    clock = Clock()
    sources = [Scripted(1) for _ in range(9)]
    feed = feeds(*sources, clock=clock)
    for source in sources[:5]:
        assert source.reading.wait(30)
        clock.now += 100
        feed.check()
    clock.now += 100
    feed.check()
    assert not sources[5].reading.is_set() and len(feed._abandoned) == 4
    assert feed.state().kind == "stale"


def test_a_file_on_a_slow_disk_is_waited_for(feeds):
    clock = Clock()
    source = Scripted(1, live=False)
    feed = feeds(source, clock=clock, paced=True)
    feed.frames.take(30)
    assert source.reading.wait(30)
    clock.now += 1000
    feed.check()
    assert feed._abandoned == []


def test_a_film_is_paced_and_late_frames_are_skipped(feeds):
    clock = Clock()

    def slow() -> int:
        clock.now += 0.25
        return 1

    source = Scripted(1, 1, 1, slow, 1, None, live=False, rate=10.0)
    feed = feeds(source, clock=clock)
    until(lambda: feed.state().kind == "ended")
    waits = [round(wait, 6) for wait in clock.slept]
    assert waits == [0.1, 0.1, 0.1, 0.05]
    assert source.skipped == 1


class Taker(Clock):
    """Takes frames, each as soon as it is done with the one before; passes time while the feed sleeps and reads."""

    def __init__(self, *working: float) -> None:
        """Seconds for each frame; the last again and again."""
        super().__init__()
        self.feed: Feed | None = None
        self.working = deque(working)
        self.free_at = self.now
        self.ages: list[float] = []
        """Of the frames taken, in seconds."""

    def sleep(self, seconds: float) -> bool:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.001)
            if self.feed is None or self.now < self.free_at:
                continue
            frame = self.feed.frames.take()
            if frame is not None:
                self.ages.append(self.now - frame.captured_at)
                self.free_at = self.now + (self.working.popleft() if len(self.working) > 1 else self.working[0])
        return False

    def read(self, seconds: float) -> Callable[[], int]:
        """A step of a script that takes that long."""

        def step() -> int:
            self.sleep(seconds)
            return 1

        return step


@pytest.fixture
def taken(feeds) -> Callable[..., Scripted]:
    """90 frames of a film, or of a screen, of 30 a second are read, in so many seconds each, for this taker."""

    def play(taker: Taker, reading: float, live: bool = False) -> Scripted:
        steps = [taker.read(reading) for _ in range(90)]
        source = Scripted(*steps, live=live, rate=30.0)
        taker.feed = feed = feeds(source, clock=taker, start=False)
        feed.start()
        assert source.reading.wait(30)
        return source

    return play


@pytest.mark.parametrize("working", [0.001, 0.01, 0.02])
def test_who_takes_quickly_gets_every_frame(taken, working):
    taker = Taker(working)
    source = taken(taker, 0.004)
    assert source.skipped == 0 and len(taker.ages) >= 88


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("reading", [0.001, 0.01, 0.03])
@pytest.mark.parametrize("working", [0.05, 0.1, 0.17])
def test_for_who_takes_slowly_hardly_more_is_read_than_is_taken(taken, working, reading, live):
    taker = Taker(working)
    source = taken(taker, reading, live)
    assert len(taker.ages) > 0.9 * (90 - 6)  # six: until it is known how long the taker works
    assert max(taker.ages[3:]) <= 2 / 30 + reading + 0.002
    assert (source.skipped > 0) != live  # a film goes on meanwhile, a screen has nothing to pass over


def test_after_a_stall_the_newest_frame_is_there(taken):
    taker = Taker(0.1, 0.1, 0.1, 0.1, 1.0, 0.1)
    taken(taker, 0.01)
    assert len(taker.ages) > 12 and max(taker.ages) <= 1 / 30 + 0.012


def test_unpaced_every_frame_arrives_however_slow_the_taker(feeds):
    clock = Clock()
    feed = feeds(Scripted(*range(60), None, live=False, rate=10.0), clock=clock, paced=False)
    levels, numbers = [], []
    for number in range(60):
        frame = feed.frames.take(30)
        assert frame is not None
        levels.append(int(frame.eyes[0, 0, 0, 0]))
        numbers.append(frame.sequence)
        if number % 7 == 0:
            time.sleep(0.002)
    assert levels == numbers == list(range(60))
    assert clock.slept == [] and feed.frames.replaced == 0
    until(lambda: feed.state().kind == "ended")


def test_unpaced_waiting_for_the_taker_is_not_stale_and_can_be_stopped(feeds):
    clock = Clock()
    feed = feeds(Scripted(1, 2, live=False, rate=10.0), clock=clock, paced=False)
    until(lambda: feed.latest is not None and feed._reader is not None and feed._reader.busy_since is None)
    clock.now += 100
    assert feed.state().kind == "live"
    assert feed.stop(30)


@pytest.mark.parametrize("watched", [False, True], ids=["nobody looks", "nobody comes for a frame"])
def test_a_file_that_was_waited_with_is_not_stale_while_it_is_read_again(feeds, watched):
    clock, looks = Clock(), threading.Event()
    source = Scripted(1, live=False, rate=10.0)
    if watched:
        looks.set()
    feed = feeds(source, clock=clock, paced=not watched, watched=looks)
    until(lambda: feed.latest is not None and feed._reader is not None and feed._reader.busy_since is None)
    clock.now += 100
    looks.set()
    assert feed.frames.take(30) is not None
    assert source.reading.wait(30)
    assert (feed.state().kind, feed.state().message) == ("live", "")
    clock.now += 3
    assert (feed.state().kind, feed.state().message) == ("stale", "No picture for 3 s")


def test_waiting_for_the_first_frame(feeds):
    assert feeds(Scripted(1)).wait_first(30)
    assert not feeds(Scripted()).wait_first(0.01)
    with pytest.raises(SourceError, match="cable"):
        feeds(GONE, Scripted()).wait_first(30)


def test_the_frame_rate_is_measured(feeds):
    clock = Clock()
    source = Scripted(*[1] * 20, live=True, rate=25.0)
    feed = feeds(source, clock=clock)
    assert source.reading.wait(30)
    assert feed.state().fps == pytest.approx(25, rel=0.02)


def test_a_film_waits_while_nobody_looks_and_then_goes_on_where_it_was(feeds):
    clock, watched = Clock(), threading.Event()
    source = Scripted(1, 2, 3, live=False, rate=10)
    feed = feeds(source, clock=clock, watched=watched)
    assert feed.frames.take(30).eyes[0, 0, 0, 0] == 1, "the first frame is there for whoever comes"
    time.sleep(0.05)  # time for a wrong reader to read on
    clock.now += 60
    assert len(source.script) == 2
    assert feed.state().kind == "live"
    watched.set()
    assert source.reading.wait(30)
    assert source.skipped == 0, "nothing was missed"
    assert clock.slept == pytest.approx([0.1, 0.1])


def test_a_film_that_waits_for_eyes_can_be_stopped(feeds):
    source = Scripted(1, 2, live=False, rate=10)
    feed = feeds(source, watched=threading.Event())
    assert feed.frames.take(30) is not None
    assert feed.stop(10)
    assert list(source.script) == [2]


def test_life_goes_on_while_nobody_looks(feeds):
    source = Scripted(1, 2, 3)
    feed = feeds(source, watched=threading.Event())
    assert source.reading.wait(30)
    assert feed.frames.take(30).eyes[0, 0, 0, 0] == 3


def test_on_windows_a_pause_is_as_long_as_it_was_asked_to_be(feeds, monkeypatch):
    """There the stop flag's own wait ends at a tick of 15.6 ms, and a film of 60 frames a second would show 32."""
    clock = Clock()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(feed_module, "time", SimpleNamespace(perf_counter=clock, sleep=clock.sleep))
    film = Scripted(*range(1, 13), None, live=False, rate=8.0)
    feed = feeds(film, clock=clock, sleep=None)
    until(lambda: feed.state().kind == "ended")
    assert clock.now == pytest.approx(100.0 + 12 / 8)
    assert max(clock.slept) <= 0.05, "and in between it looks whether it is to end"


def test_on_windows_a_long_pause_can_be_stopped(feeds, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    feed = feeds(GONE, sleep=None)
    until(lambda: feed.state().message)
    begun = time.perf_counter()
    assert feed.stop(0.4) and time.perf_counter() - begun < 0.4, "the pause would be of half a second"
