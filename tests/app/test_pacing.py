"""Every vsync gets a pair, whatever the network does; the virtual clock of the test runtime says what is late."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from artem_vr.live.process import SwitchInterval
from tests.app.conftest import PATIENCE, Rig, flat, noise

pytestmark = [pytest.mark.display, pytest.mark.graphics]

VSYNC = 1 / 90


class SlowPainter:
    """Paints for ``seconds`` of virtual time; `tick` tells it that time has passed."""

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
            self._changed.wait_for(lambda: self.ending or self._rig.clock() >= ready_at, PATIENCE)
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
    rig.turn(2)
    rig.engine.paint = painter
    yield painter
    painter.end()


def every_vsync_got_a_pair(rig: Rig, turns: int, submits_before: int) -> None:
    assert rig.runtime.count.vsyncs_without_submit == 0
    assert rig.runtime.count.vsyncs_missed == 0
    assert rig.runtime.count.submits - submits_before == 2 * turns


def test_a_network_of_40_ms_costs_no_vsync(rig: Rig, slow: SlowPainter) -> None:
    begun, submits = rig.clock(), rig.runtime.count.submits
    for number in range(90):
        rig.put(flat((number, 0, 0), (0, number, 0)))
        slow.tick()
        rig.turn()
    every_vsync_got_a_pair(rig, 90, submits)
    assert rig.clock() - begun == pytest.approx(90 * VSYNC, rel=0.02)
    assert 5 <= slow.done <= 25  # one second at 40 ms a painting


def test_a_thread_that_computes_in_python_costs_no_vsync(rig: Rig) -> None:
    rig.paint(noise(0))
    rig.turn(2)
    spinning, free = threading.Event(), threading.Event()

    def spin(style: str, pictures: np.ndarray) -> np.ndarray:
        spinning.set()
        while not free.is_set():
            sum(range(100))
        return pictures.copy()

    rig.engine.paint = spin
    rig.put(noise(1))
    assert spinning.wait(PATIENCE)
    submits = rig.runtime.count.submits
    try:
        with SwitchInterval() as interval:
            interval.quicken()
            assert sys.getswitchinterval() == pytest.approx(0.0005)
            rig.turn(30)
    finally:
        free.set()
    every_vsync_got_a_pair(rig, 30, submits)


def test_a_blocked_painter_costs_no_vsync(rig: Rig) -> None:
    eyes = noise(0)
    rig.paint(eyes)
    rig.turn(2)
    blocked, free = threading.Event(), threading.Event()

    def block(style: str, pictures: np.ndarray) -> np.ndarray:
        blocked.set()
        free.wait(PATIENCE)
        return pictures.copy()

    rig.engine.paint = block
    rig.put(noise(1))
    assert blocked.wait(PATIENCE)
    submits = rig.runtime.count.submits
    try:
        rig.turn(90)
        assert np.array_equal(rig.seen("left"), eyes[0][1:-1, 1:-1])  # the last painting stays
    finally:
        free.set()
    every_vsync_got_a_pair(rig, 90, submits)


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
    blocked, free = threading.Event(), threading.Event()

    def block(style: str, pictures: np.ndarray) -> np.ndarray:
        blocked.set()
        free.wait(PATIENCE)
        return pictures.copy()

    rig.engine.paint = block
    rig.put(noise(1))
    assert blocked.wait(PATIENCE)
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


def test_the_switch_interval_is_put_back() -> None:
    before = sys.getswitchinterval()
    with SwitchInterval() as interval:
        assert sys.getswitchinterval() == pytest.approx(before)
        interval.quicken()
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == pytest.approx(before)
