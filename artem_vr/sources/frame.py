"""What travels from a source to the stylizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, top row first, C-contiguous."""


@dataclass(frozen=True, eq=False)
class StereoFrame:
    """The pictures of both eyes, taken together.

    ``eyes`` is (E, H, W, 3) uint8 RGB, top row first, C-contiguous. E is 2 (left, right) or 1: a
    mono frame, stylised once and shown to both eyes.
    ``captured_at`` is ``time.perf_counter()`` in seconds when the picture was taken.
    ``sequence`` counts the frames of one source from 0, without gaps for frames never read.
    ``camera_poses`` is each eye's camera in the headset's tracking space, (E, 4, 4) float32, at that time, where the
    headset took the pictures; None elsewhere. ``span``: how wide such a picture is at a distance of 1 (its width over
    the lens's focal length), 0 where nobody knows.
    ``still``: of a photograph, in which nothing will ever move. ``stands``: of a picture that as a whole stands in its
    place, as a photograph and a desktop do: no camera moves.
    """

    eyes: npt.NDArray[np.uint8]
    captured_at: float
    sequence: int
    camera_poses: npt.NDArray[np.float32] | None = None
    still: bool = False
    stands: bool = False
    span: float = 0.0
