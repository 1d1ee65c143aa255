"""The relief of the ground (`ground`): short waves that follow a field of bends and whirls, as brushes leave them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 1024
"""In pixels; it is repeated beyond."""
STROKE = 4.0
"""Width of its waves, in deviations of a Gaussian: they are three times as many pixels apart."""
BEND = 70.0
"""Size of its bends, likewise."""
DRIFT = 0.7
"""How much all waves lie across: 0 would leave a whirl in every bend."""
CALM = 0.3
"""Strength of the field, in deviations, below which waves become short: in the middle of a whirl."""
STEP, DOUBLINGS = 1.5, 4
"""Waves are followed in 2^DOUBLINGS steps of so many pixels to either side."""


@functools.cache
def relief() -> Floats:
    """(SIDE, SIDE), mean 0, deviation near 1, -2 to 2; seamless when it is repeated, always the same. Takes 0.5 s.

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
    y, x = np.indices(waves.shape, np.float32)
    here = np.stack((x, y), axis=-1)
    for _ in range(DOUBLINGS):  # so far, and as far again from there
        places = here + way
        waves = waves + repeated(waves, places)
        way = way + repeated(way, places)
    return waves


def repeated(tile: Floats, places: Floats) -> Any:
    """(h, w[, C]): ``tile``, repeated on all sides, at ``places`` (h, w, 2), x and y."""
    import cv2

    second: Any = None  # a map for y, where x stands alone
    return cv2.remap(tile, places, second, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
