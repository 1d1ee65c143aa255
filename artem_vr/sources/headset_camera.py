"""The headset's own camera as a source. The headset hands the camera over; this room knows no headset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SourceError
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.source import Shot


class HeadsetCamera(Protocol):
    """What a headset gives. It may also have ``layout: Layout`` (how both eyes lie in a picture; without it, what the
    user chose holds) and ``right_first: bool`` (the first half is the right eye's)."""

    def read(self) -> tuple[npt.NDArray[np.uint8], int, npt.NDArray[np.float32] | None] | None:
        """The newest picture: (H, W, 4) uint8 RGBA, top row first, alpha 0 where there is none; the camera's own count
        of it; head-to-world 4x4 float32 when it was taken. None when there is none yet. Does not wait."""
        ...


class HeadsetCameraSource:
    """Reads each picture of a `HeadsetCamera` once. Raises `SourceError` when none comes for ``silence`` seconds."""

    name = "headset"
    live = True
    rate: float | None = None

    def __init__(
        self,
        camera: HeadsetCamera,
        layout: Layout = "mono",
        silence: float = 1.5,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._camera = camera
        self._layout: Layout = getattr(camera, "layout", layout)
        self._right_first = bool(getattr(camera, "right_first", False))
        self._silence, self._clock, self._sleep = silence, clock, sleep
        self._sequence: int | None = None

    def read(self) -> Shot | None:
        begun = self._clock()
        while self._clock() - begun < self._silence:
            got = self._camera.read()
            if got is not None and got[1] != self._sequence:
                rgba, self._sequence, pose = got
                eyes = split(over_black(rgba), self._layout)
                if self._right_first and len(eyes) == 2:
                    eyes = np.ascontiguousarray(eyes[::-1])
                return Shot(eyes, head_pose=pose)
            self._sleep(0.002)
        raise SourceError("The headset's camera sends no pictures", "Switch the camera on in SteamVR's settings")

    def skip(self) -> None:
        pass

    def close(self) -> None:
        pass  # the camera belongs to the headset


def over_black(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 -> (H, W, 3) uint8, black where alpha is 0."""
    return np.ascontiguousarray(rgba[..., :3] * (rgba[..., 3:] > 0))
