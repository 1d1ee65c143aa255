"""Every vsync gets a pair, whatever the network does; and a loop that waits for the network is found out.

The test runtime's clock says what is late. In `slow_motion` the real time that a turn takes counts in it, slowed down
so far that this machine, busy as it may be, has ample time for a turn.
"""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from artem_vr import app
from artem_vr.live.controls import View
from artem_vr.live.process import Interpreter
from artem_vr.live.run_report import PaintingLog
from artem_vr.mailbox import Mailbox
from artem_vr.vr.desktop_headset import DesktopHeadset
from tests.app.conftest import PATIENCE, Rig, flat, noise

pytestmark = [pytest.mark.display, pytest.mark.graphics]

VSYNC = 1 / 90
AMPLE = 10.0
"""How many turns have time between two vsyncs, in slow motion."""


def turn_seconds(rig: Rig, turns: int) -> float:
    """Median of what a turn really takes, with a painting to upload in each: it has no more to do than that."""
    painting = None
    while painting is None:
        rig.paint(noise(0))
        painting = rig.log.take()
    seconds = []
    for _ in range(turns):
        Mailbox.put(rig.log, painting)  # again, and not counted
        begun = time.perf_counter()
        rig.turn()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def slow_motion(rig: Rig) -> None:
    """From now on real time counts."""
    rig.turn(2)
    rig.pace = VSYNC / (AMPLE * turn_seconds(rig, 15))


class Impatient:
    """A mutation of the render loop: it waits for the next painting, up to ``vsyncs`` of them."""

    def __init__(self, rig: Rig, vsyncs: float) -> None:
        self._rig, self._vsyncs = rig, vsyncs
        rig.loop._stylizer = self

    @property
    def painted(self) -> Any:
        return self

    def take(self) -> Any:
        return self._rig.log.take(timeout=self._vsyncs * VSYNC / self._rig.pace)

    def state(self) -> Any:
        return self._rig.stylizer.state()


class SlowPainter:
    """Paints for ``seconds`` of virtual time."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        self._rig, self.seconds = rig, seconds
        self._changed = threading.Condition()
        self.painting = False
        self.done = 0
        self.ending = False

    def __call__(self, style: str, pictures: np.ndarray) -> np.ndarray:
        with self._changed:
            ready_at = self._rig.clock() + self.seconds
            self.painting = True
            self._changed.notify_all()
            while not self.ending and self._rig.clock() < ready_at:
                self._changed.wait(0.001)
            self.painting = False
            self.done += 1
        return pictures.copy()

    def tick(self) -> None:
        """The clock has moved: whoever is ready may go on; waits until the painter paints (again)."""
        with self._changed:
            before = self.done
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.painting or self.done > before, PATIENCE)

    def end(self) -> None:
        with self._changed:
            self.ending = True
            self._changed.notify_all()


@pytest.fixture
def slow(rig: Rig) -> Iterator[SlowPainter]:
    painter = SlowPainter(rig, 0.040)
    rig.paint(noise(0))  # painters are ready before the clock counts
    slow_motion(rig)
    rig.engine.paint = painter
    yield painter
    painter.end()


def hang(rig: Rig) -> threading.Event:
    """The network hangs, in the painting of ``noise(1)``, until the event is set."""
    begun, free = threading.Event(), threading.Event()

    def block(style: str, pictures: np.ndarray) -> np.ndarray:
        begun.set()
        free.wait(PATIENCE)
        return pictures.copy()

    rig.engine.paint = block
    rig.put(noise(1))
    assert begun.wait(PATIENCE)
    return free


@pytest.fixture
def blocked(rig: Rig) -> Iterator[None]:
    """The network hangs, with the painting of ``noise(0)`` on the screen."""
    slow_motion(rig)
    free = hang(rig)
    yield
    free.set()


class Watch:
    """What the headset got from here on."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._submits, self._late = rig.runtime.count.submits, rig.runtime.count.frames_late

    def every_turn_gave_a_pair_in_time(self, turns: int) -> None:
        """A busy machine may hold a turn up now and then; a loop that waits is late again and again."""
        count = self._rig.runtime.count
        assert count.vsyncs_without_submit == 0
        assert count.submits - self._submits == 2 * turns
        late = count.frames_late - self._late
        assert late <= turns // 4, f"{late} of {turns} turns were late"


def check_a_slow_network(rig: Rig, slow: SlowPainter, turns: int) -> None:
    watch, begun = Watch(rig), rig.clock()
    for number in range(turns):
        rig.put(flat((number, 0, 0), (0, number, 0)))
        slow.tick()
        rig.turn()
    watch.every_turn_gave_a_pair_in_time(turns)
    assert slow.done <= (rig.clock() - begun) / slow.seconds + 1


def check_a_blocked_network(rig: Rig, turns: int) -> None:
    watch = Watch(rig)
    rig.turn(turns)
    watch.every_turn_gave_a_pair_in_time(turns)
    assert np.array_equal(rig.seen("left"), noise(0)[0][1:-1, 1:-1])  # the last painting stays


def test_a_network_of_40_ms_costs_no_vsync(rig: Rig, slow: SlowPainter) -> None:
    check_a_slow_network(rig, slow, 90)
    assert slow.done >= 5


def test_a_loop_that_waits_for_each_painting_is_found_out(rig: Rig, slow: SlowPainter) -> None:
    Impatient(rig, vsyncs=1000)
    with pytest.raises(AssertionError, match="turns were late"):
        check_a_slow_network(rig, slow, 12)


def test_a_blocked_network_costs_no_vsync(rig: Rig, blocked: None) -> None:
    check_a_blocked_network(rig, 60)


def test_a_loop_that_waits_a_little_for_the_network_is_found_out(rig: Rig, blocked: None) -> None:
    Impatient(rig, vsyncs=1.5)
    with pytest.raises(AssertionError, match="turns were late"):
        check_a_blocked_network(rig, 12)


class Turns:
    """A render loop of which only the turns are counted: a painting after the second, the end after the fourth."""

    def __init__(self, headset: Any, view: View, log: PaintingLog) -> None:
        self.headset, self._view, self._log = headset, view, log
        self.intervals: list[float] = []

    def turn(self) -> None:
        self.intervals.append(sys.getswitchinterval())
        if len(self.intervals) == 2:
            self._log.distinct = 1
        self._view.leave = len(self.intervals) == 4

    def last_turn(self) -> None:
        pass


@pytest.mark.parametrize(("headset", "usual_turns"), [(DesktopHeadset(), 2), (object(), 1)], ids=["window", "headset"])
def test_once_it_runs_the_app_lets_threads_take_turns_quickly(headset: Any, usual_turns: int) -> None:
    """In a window from the first painting on: engines are prepared before it. In a headset no vsync may be lost."""
    view, log = View(), PaintingLog()
    loop: Any = Turns(headset, view, log)
    outlook: Any = SimpleNamespace(check=lambda: None)
    usual = sys.getswitchinterval()
    with Interpreter() as interpreter:
        app.go_on(loop, view, outlook, log, interpreter, lambda: False)
    assert loop.intervals == pytest.approx([usual] * usual_turns + [0.0005] * (4 - usual_turns))
    assert sys.getswitchinterval() == usual


def newest_latency(rig: Rig) -> float:
    """Seconds from capture to display of the frame that came to be seen last."""
    return rig.meter._latency[-1]


def usual_latency(rig: Rig) -> float:
    """The same where nothing is slow: painted while one vsync goes by, neither before nor after it."""
    paint, gone_by = rig.engine.paint, threading.Event()

    def within_a_vsync(style: str, pictures: np.ndarray) -> np.ndarray:
        assert gone_by.wait(PATIENCE)
        return paint(style, pictures)

    while rig.log.arrived.acquire(blocking=False):
        pass
    rig.engine.paint = within_a_vsync
    rig.put(noise(1))
    rig.turn()
    gone_by.set()
    assert rig.log.arrived.acquire(timeout=PATIENCE)
    rig.turn()
    rig.engine.paint = paint
    return newest_latency(rig)


def test_after_a_stall_of_the_network_the_newest_frame_is_next(rig: Rig) -> None:
    rig.paint(noise(0))
    usual = usual_latency(rig)
    free = hang(rig)
    while rig.log.arrived.acquire(blocking=False):
        pass
    for number in range(180):  # two seconds of a camera at 90 Hz
        rig.put(flat((number, 0, 0), (number, 0, 0)))
        rig.turn()
    free.set()
    assert rig.log.arrived.acquire(timeout=PATIENCE)  # the frame that was under way
    assert rig.log.arrived.acquire(timeout=PATIENCE)  # the newest
    rig.turn()
    assert newest_latency(rig) < usual + 1.5 * VSYNC
    assert rig.seen("left")[0, 0, 0] == 179


def test_after_a_stall_of_the_render_loop_the_newest_frame_is_next(rig: Rig) -> None:
    rig.paint(noise(0))
    usual = usual_latency(rig)
    for number in range(20):  # the loop is held up for two seconds while paintings go on
        rig.paint(flat((number, 0, 0), (number, 0, 0)))
        rig.runtime.advance(0.1)
    rig.paint(flat((99, 0, 0), (99, 0, 0)))
    rig.turn()
    assert rig.seen("left")[0, 0, 0] == 99
    assert newest_latency(rig) < usual + 1.5 * VSYNC
    submits = rig.runtime.count.submits
    rig.turn(10)
    assert rig.runtime.count.submits - submits == 20


@contextmanager
def full_collections() -> Iterator[list[int]]:
    """A list that grows with each collection of everything."""
    seen: list[int] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "start" and told["generation"] == 2:
            seen.append(told["generation"])

    gc.callbacks.append(note)
    try:
        yield seen
    finally:
        gc.callbacks.remove(note)


def keep_many_objects() -> None:
    """As libraries do that are imported, and networks that are prepared."""
    kept = [[number] for number in range(500_000)]
    del kept


def test_once_quick_the_interpreter_does_not_walk_all_objects_beside_the_render_loop() -> None:
    with full_collections() as usual:
        keep_many_objects()
    with Interpreter() as interpreter, full_collections() as quick:
        interpreter.quicken()
        keep_many_objects()
    assert usual, "else this test says nothing"
    assert not quick


def test_how_the_interpreter_was_is_put_back() -> None:
    before, collecting = sys.getswitchinterval(), gc.get_threshold()
    with Interpreter() as interpreter:
        assert sys.getswitchinterval() == pytest.approx(before) and gc.get_threshold() == collecting
        for _ in range(2):
            interpreter.quicken()
        assert sys.getswitchinterval() < before and gc.get_threshold() != collecting
        assert gc.isenabled(), "garbage goes on being collected"
    assert sys.getswitchinterval() == pytest.approx(before) and gc.get_threshold() == collecting
