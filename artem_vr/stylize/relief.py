"""The relief of the ground (`ground`): short waves that follow a field of bends and whirls, as brushes leave them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 512
"""In pixels; it is repeated beyond. Each of them is two of the picture's to be painted, here and below."""
FINE, BROAD = 2.0, 3.5
"""Widths of its waves, in deviations of a Gaussian, which change from place to place: they are three times as many
pixels apart."""
BEND = 35.0
"""Size of its bends, likewise."""
DRIFT = 0.7
"""How much all waves lie across: 0 would leave a whirl in every bend."""
CALM = 0.3
"""Strength of the field, in deviations, below which waves become short: in the middle of a whirl."""
STEP, DOUBLINGS = 0.4, 4
"""Waves are followed in 2^DOUBLINGS steps to either side, of so many widths."""


@functools.cache
def relief() -> Floats:
    """(SIDE, SIDE), mean 0, deviation near 1, -2 to 2; seamless when it is repeated, always the same. Takes 0.2 s.

    Noise, smeared along a field of directions (line integral convolution, Cabral & Leedom 1993). The field is the
    curl of a smooth potential, which neither begins nor ends anywhere, and the drift.
    """
    random = np.random.default_rng(0)
    potential = _blurred(_noise(random), BEND)
    down = np.roll(potential, -1, 0) - np.roll(potential, 1, 0)
    across = np.roll(potential, -1, 1) - np.roll(potential, 1, 1)
    field = np.stack((down / down.std() + DRIFT, -across / across.std()), axis=-1)
    field /= np.linalg.norm(field, axis=-1, keepdims=True) + CALM
    fine, broad = (_waves(_noise(random), field.astype(np.float32), width) for width in (FINE, BROAD))
    where = _blurred(_noise(random), BEND)
    share = 1 / (1 + np.exp(-2.5 * where / where.std()))
    return np.clip(np.sqrt(share) * fine + np.sqrt(1 - share) * broad, -2, 2).astype(np.float32)


def _noise(random: np.random.Generator) -> Floats:
    return random.normal(size=(SIDE, SIDE)).astype(np.float32)


def _waves(noise: Floats, field: Floats, width: float) -> Floats:
    """(SIDE, SIDE), deviation 1: waves of that ``width`` along the ``field``."""
    across = _blurred(noise, width / 2) - _blurred(noise, width)
    way = np.float32(STEP * width) * field
    along: Floats = _smeared(across, way) + _smeared(across, -way) - across
    return along / along.std()


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
