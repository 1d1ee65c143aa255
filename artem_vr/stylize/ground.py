"""The ground: a faint relief that is laid under the smooth parts of a picture before it is painted.

A network that was trained to paint steadily has nothing to hang a stroke on where its picture is smooth: a clear sky,
a wall, the empty parts of a desktop became flat colour. A painter's ground is not smooth either. This one is made of
short waves that follow a field of bends and whirls, as brushes leave them; networks make strokes of their own
painting of it.

It stands in its place in the picture, as canvas does. So "auto" lays it where pictures stand, too: photographs,
desktops.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

DEPTH = 0.5
"""What "auto" lays."""
LEVELS = 16.0
"""Deviation of the relief, in levels of 255, at depth 1."""
SMOOTH, ROUGH = 3.0, 9.0
"""Deviation of a picture's grey, in levels, up to which it gets the whole relief, and from which on nothing of it: that
has enough of its own."""
WINDOW = 17
"""Side, in pixels, of the windows in which that is looked at."""

SIDE = 1024
"""Of the relief, in pixels; it is repeated beyond."""
STROKE = 4.0
"""Distance of its waves, in deviations of a Gaussian: they are about four times as many pixels apart."""
BEND = 70.0
"""Size of its bends, likewise."""
DRIFT = 0.7
"""How much all waves lie across: 0 leaves a whirl in every bend."""
CALM = 0.3
"""Of the field, in deviations: where it is weaker, in the middle of a whirl, waves are short."""
STEP, DOUBLINGS = 1.5, 4
"""Waves are followed in 2^DOUBLINGS steps of so many pixels to either side."""


def depth_for(wanted: float | Literal["auto"], stands: bool, eyes: int) -> float:
    """What is ``wanted`` (0..1); of "auto" DEPTH for single pictures that stand in their place, and 0 for others.

    Over a moving camera's pictures a relief that stands would lie like a dirty pane. For two eyes it would hang at the
    distance of the screen, whatever is seen there.
    """
    if wanted == "auto":
        return DEPTH if stands and eyes == 1 else 0.0
    return wanted


def with_ground(pictures: Bytes, depth: float) -> Bytes:
    """``pictures``, (E, H, W, 3) uint8 RGB, with the relief; themselves where there is none (``depth`` 0)."""
    if depth <= 0:
        return pictures
    import cv2

    height, width = pictures.shape[1:3]
    waves = depth * LEVELS * _relief_of(height, width)
    result = np.empty_like(pictures)
    for picture, other in zip(pictures, result, strict=True):
        added = cv2.multiply(waves, smoothness(picture))
        cv2.add(picture, cv2.merge((added, added, added)), dst=other, dtype=cv2.CV_8U)
    return result


def smoothness(picture: Bytes) -> Floats:
    """(H, W), 0 to 1, of (H, W, 3) uint8 RGB: 1 where nothing is to be seen, 0 among lines and texture."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    mean = cv2.boxFilter(grey, cv2.CV_32F, (WINDOW, WINDOW))
    square = cv2.sqrBoxFilter(grey, cv2.CV_32F, (WINDOW, WINDOW))
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    return np.clip((ROUGH - deviation) / (ROUGH - SMOOTH), 0, 1)


@functools.lru_cache(maxsize=4)
def _relief_of(height: int, width: int) -> Floats:
    """(H, W): the relief, repeated as far as needed."""
    times = -(-height // SIDE), -(-width // SIDE)
    return np.ascontiguousarray(np.tile(relief(), times)[:height, :width])


@functools.cache
def relief() -> Floats:
    """(SIDE, SIDE), mean 0, deviation near 1; seamless when it is repeated, and always the same. Takes some 0.2 s.

    Noise, smeared along a field of directions (line integral convolution, Cabral & Leedom 1993). The field is the
    curl of a smooth potential, which neither begins nor ends anywhere, and the drift.
    """
    random = np.random.default_rng(0)
    noise, potential = (random.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(2))
    waves = _blurred(noise, STROKE / 2) - _blurred(noise, STROKE)
    potential = _blurred(potential, BEND)
    down = np.roll(potential, -1, 0) - np.roll(potential, 1, 0)
    across = np.roll(potential, -1, 1) - np.roll(potential, 1, 1)
    field = np.stack((down / down.std() + DRIFT, -across / across.std()), axis=-1)
    field /= np.linalg.norm(field, axis=-1, keepdims=True) + CALM
    way: Floats = (STEP * field).astype(np.float32)
    result: Floats = _smeared(waves, way) + _smeared(waves, -way) - waves
    return np.clip((result - result.mean()) / result.std(), -2, 2)


def _blurred(noise: Floats, deviation: float) -> Floats:
    """By a Gaussian; what leaves at one side comes in at the other."""
    down, across = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    kept = np.exp(-2 * (np.pi * deviation) ** 2 * (down**2 + across**2))
    return np.fft.irfft2(np.fft.rfft2(noise) * kept, noise.shape).astype(np.float32)


def _smeared(waves: Floats, way: Floats) -> Floats:
    """The sum of ``waves`` over 2^DOUBLINGS places along the ``way`` (H, W, 2): from each place a step, x and y."""
    import cv2

    y, x = np.indices(waves.shape, np.float32)
    here = np.stack((x, y), axis=-1)
    for _ in range(DOUBLINGS):  # so far, and as far again from there
        places: Any = here + way
        there: Any = None  # OpenCV wants no second map beside these places
        waves = waves + cv2.remap(waves, places, there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        way = way + cv2.remap(way, places, there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return waves
