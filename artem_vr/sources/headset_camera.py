"""The headset's own cameras as a source. The headset hands them over; this room knows no headset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SourceError
from artem_vr.sources.source import Rest, Shot

REST_SECONDS = 0.25
"""How often it is said that there is a pause."""


class CameraPicture(Protocol):
    """One taking of the headset's cameras."""

    @property
    def pictures(self) -> npt.NDArray[np.uint8]:
        """(E, H, W, 4) uint8 RGBA, top row first, left eye first; alpha 0 where the camera saw nothing."""

    @property
    def sequence(self) -> int:
        """The camera's own count: equal for the same picture, growing, possibly with gaps."""

    @property
    def camera_poses(self) -> npt.NDArray[np.float32] | None:
        """Each eye's camera in tracking space, (E, 4, 4) float32, at the time of exposure; None where it is not
        known."""

    @property
    def span(self) -> float:
        """Width of one eye's picture over the focal length, 0 where it is not known."""


class HeadsetCamera(Protocol):
    """What the headset hands over."""

    @property
    def pause(self) -> str:
        """Why no picture is due now, in one line; empty: one is due."""

    def read(self) -> CameraPicture | None:
        """The newest picture, or None when there is no new one; never waits. May raise an `ArtemError`."""


class HeadsetCameraSource:
    """Reads each picture of a `HeadsetCamera` once.

    Raises `SourceError` when none comes for ``silence`` seconds in which one was due.
    """

    name = "headset"
    live = True
    rate: float | None = None

    def __init__(
        self,
        camera: HeadsetCamera,
        silence: float = 1.5,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._camera, self._silence, self._clock, self._sleep = camera, silence, clock, sleep
        self._sequence: int | None = None
        self._quiet_since: float | None = None  # None: the next reading begins to wait
        self._camera_poses: npt.NDArray[np.float32] | None = None  # the last one that was known

    def read(self) -> Shot | Rest:
        begun = self._clock()
        if self._quiet_since is None:
            self._quiet_since = begun
        while (now := self._clock()) - self._quiet_since < self._silence:
            got = self._camera.read()
            if got is not None and got.sequence != self._sequence:
                self._sequence, self._quiet_since = got.sequence, None
                if got.camera_poses is not None:  # while tracking is lost the room must not jump elsewhere
                    self._camera_poses = got.camera_poses
                return Shot(over_black(got.pictures), camera_poses=self._camera_poses, span=got.span)
            if reason := self._camera.pause:
                self._quiet_since = now  # its time runs from the end of the pause on
                if now - begun >= REST_SECONDS:
                    return Rest(reason)
            self._sleep(0.002)
        self._quiet_since = None
        raise SourceError("The headset's camera sends no pictures", "Switch the camera on in SteamVR's settings")

    def skip(self) -> None:
        pass

    def close(self) -> None:
        pass  # the camera belongs to the headset


def over_black(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(E, H, W, 4) uint8 RGBA -> (E, H, W, 3) uint8, C-contiguous, black where alpha is 0."""
    return np.ascontiguousarray(pictures[..., :3] * (pictures[..., 3:] > 0))
