"""The desktop as a headset: a head that the mouse turns, frames paced by the clock.

Everything downstream is the same with and without a headset; nothing here needs SteamVR or OpenGL.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType

import numpy as np

from artem_vr.vr.commands import Command
from artem_vr.vr.headset import FramePoses, Hand, HeadsetCamera, Matrix
from artem_vr.vr.pacing import Slot, next_slot
from artem_vr.vr.poses import inverse, levelled, product, projection, translation, yaw_pitch

EYE_DISTANCE = 0.063
"""Metres between the pupils: the adult mean."""
HALF_FIELD = math.radians(24)
"""From straight ahead to the nearer edge of the picture: a seat from which the screen nearly fills the window."""
RADIANS_PER_UNIT = 0.003
"""Head turned by each unit the mouse moves: a turn of 90 degrees takes about 500."""
HIGHEST_PITCH = math.radians(85)
"""Short of straight up, where left and right would lose their meaning."""


class DesktopHeadset:
    """A `Headset` without a headset.

    Args:
        eye_size: width and height of one eye's picture in pixels.
        refresh_hz: frames a second.
        clock, sleep: seconds; replaced in tests.
    """

    name = "Desktop"

    def __init__(
        self,
        eye_size: tuple[int, int] = (1080, 1080),
        refresh_hz: float = 60.0,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.refresh_hz = refresh_hz
        self.missed_vsyncs = 0
        self.eye_size: tuple[int, int]
        self.projections: tuple[Matrix, Matrix]
        self.fit(eye_size)
        self.eye_to_head: Matrix = np.stack([translation(-EYE_DISTANCE / 2, 0, 0), translation(EYE_DISTANCE / 2, 0, 0)])
        self._clock, self._sleep = clock, sleep
        self._slot: Slot | None = None
        self._frame = 0
        self._yaw = self._pitch = 0.0
        self._origin: Matrix = np.eye(4, dtype=np.float32)

    def fit(self, eye_size: tuple[int, int]) -> None:
        """Another width and height of one eye's picture, in pixels: the window's shape is another."""
        self.eye_size = eye_size
        wide, high = _half_tangents(eye_size)
        both = projection(-wide, wide, -high, high)
        self.projections = (both, both)

    def look(self, right: float, down: float) -> None:
        """Turn the head by a movement of the mouse, in screen units."""
        self._yaw = math.remainder(self._yaw - right * RADIANS_PER_UNIT, math.tau)
        self._pitch = min(max(self._pitch - down * RADIANS_PER_UNIT, -HIGHEST_PITCH), HIGHEST_PITCH)

    def begin_frame(self) -> FramePoses:
        """Wait until the next frame's turn."""
        period = 1 / self.refresh_hz
        now = self._clock()
        slot = next_slot(self._slot.begins if self._slot else None, now, period)
        if slot.begins > now:
            self._sleep(slot.begins - now)
        self._slot = slot
        self.missed_vsyncs += slot.missed
        self._frame += 1
        pose = product(inverse(self._origin), yaw_pitch(self._yaw, self._pitch))
        return FramePoses(self._frame, pose, displayed_at=slot.begins + period)

    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        """Nothing: the mirror window is where these pictures are seen."""
        return True

    def end_frame(self) -> None:
        """Nothing: there is no compositor to hand over to."""

    def poll_commands(self) -> list[Command]:
        """None: on the desktop all commands come from the window's keys."""
        return []

    def pulse(self, hand: Hand = "both") -> None:
        """Nothing: there is no hand to pulse."""

    def hand_poses(self) -> dict[str, Matrix]:
        """None: the mouse points in the window."""
        return {}

    def recenter(self) -> None:
        """Straight ahead is where the head looks now, and level: the mouse's pitch starts anew."""
        self._origin = levelled(yaw_pitch(self._yaw, 0.0))
        self._pitch = 0.0

    def camera(self) -> HeadsetCamera | None:
        """None: webcams are sources of their own."""
        return None

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> DesktopHeadset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _half_tangents(eye_size: tuple[int, int]) -> tuple[float, float]:
    """Tangents of half the field of view across and up, for square pixels."""
    width, height = eye_size
    shorter = math.tan(HALF_FIELD)
    return shorter * width / min(width, height), shorter * height / min(width, height)
