"""The desktop as a headset, on a clock of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from artem_vr.vr.desktop_headset import EYE_DISTANCE, HALF_FIELD, HIGHEST_PITCH, RADIANS_PER_UNIT, DesktopHeadset
from artem_vr.vr.headset import Focus, Headset
from artem_vr.vr.poses import yaw_pitch


class Clock:
    """Virtual seconds; sleeping moves them."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desktop(clock: Clock) -> DesktopHeadset:
    return DesktopHeadset((800, 600), 60.0, clock, clock.sleep)


def test_keeps_the_protocol(desktop: DesktopHeadset) -> None:
    headset: Headset = desktop
    with headset:
        poses = headset.begin_frame()
        assert headset.submit(1, 2, poses.head_to_world)
        headset.end_frame()
        headset.pulse()
        assert list(headset.poll_commands()) == []
        assert headset.camera() is None


def test_frames_are_a_period_apart_whatever_the_work(desktop: DesktopHeadset, clock: Clock) -> None:
    times = []
    for work in (0.0, 0.010, 0.016, 0.001):
        poses = desktop.begin_frame()
        times.append(clock.now)
        assert poses.displayed_at == pytest.approx(clock.now + 1 / 60)
        assert poses.should_render and poses.focus is Focus.FOCUSED
        clock.now += work
    np.testing.assert_allclose(np.diff(times), 1 / 60)
    assert desktop.missed_vsyncs == 0


def test_a_stall_is_counted_and_not_made_up_for(desktop: DesktopHeadset, clock: Clock) -> None:
    desktop.begin_frame()
    clock.now += 2.0
    desktop.begin_frame()
    assert desktop.missed_vsyncs == 119
    before = clock.now
    desktop.begin_frame()
    assert clock.now - before == pytest.approx(1 / 60)


def test_the_mouse_turns_the_head(desktop: DesktopHeadset) -> None:
    np.testing.assert_array_equal(desktop.begin_frame().head_to_world, np.eye(4))
    desktop.look(right=100, down=-50)
    expected = yaw_pitch(-100 * RADIANS_PER_UNIT, 50 * RADIANS_PER_UNIT)
    np.testing.assert_allclose(desktop.begin_frame().head_to_world, expected, atol=1e-6)


def test_the_head_cannot_turn_over(desktop: DesktopHeadset) -> None:
    desktop.look(right=0, down=-1e6)
    np.testing.assert_allclose(desktop.begin_frame().head_to_world, yaw_pitch(0, HIGHEST_PITCH), atol=1e-6)


def test_recentring_makes_the_gaze_straight_ahead(desktop: DesktopHeadset) -> None:
    desktop.look(right=300, down=80)
    desktop.recenter()
    np.testing.assert_allclose(desktop.begin_frame().head_to_world, np.eye(4), atol=1e-6)
    desktop.look(right=-100, down=0)
    np.testing.assert_allclose(desktop.begin_frame().head_to_world, yaw_pitch(100 * RADIANS_PER_UNIT, 0), atol=1e-6)


def test_pixels_are_square_and_eyes_apart(desktop: DesktopHeadset) -> None:
    for matrix in desktop.projections:
        assert matrix[0, 0] * 800 == pytest.approx(matrix[1, 1] * 600)
        assert matrix[1, 1] == pytest.approx(1 / math.tan(HALF_FIELD))
    left, right = desktop.eye_to_head
    assert right[0, 3] - left[0, 3] == pytest.approx(EYE_DISTANCE)
    assert left[0, 3] < 0
