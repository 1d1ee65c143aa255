"""How fast the normalisation statistics follow the picture, and when they start anew.

Pure functions and one small object; no clock of its own: time comes with the frames. Smoothing
by elapsed time means that 30 and 90 frames a second look the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CoarsePicture = npt.NDArray[np.float32]
"""(E, 6, 6, 3): a coarse picture, 0..1."""

TAU_SECONDS = 0.4
"""After this long the statistics have gone 63 % of the way to a new scene's."""

BINS = 16
SAMPLES = 48
"""Grid of SAMPLES x SAMPLES pixels an eye that a signature looks at."""

HISTOGRAM_CUT = 0.45
"""A frame whose colour histogram moved by this much (0..1) begins a new scene."""
HISTOGRAM_HINT, LAYOUT_CUT = 0.2, 0.18
"""... or by this much, if the coarse picture also moved by LAYOUT_CUT (mean absolute, 0..1)."""

LIGHT = 0.0015
"""Share of their brightness by which all things may be brighter or darker than the statistics have seen them."""
SHADES = 0.03, 0.97
"""Parts of the coarse picture beyond are black or white, and say nothing of the light."""


def smoothing_rate(elapsed: float, tau: float = TAU_SECONDS) -> float:
    """Share of the way to this frame's statistics, in [0, 1], after ``elapsed`` seconds.

    Two steps of half the time go exactly as far as one step of the whole. A time that runs
    backwards counts as none.
    """
    if tau <= 0:
        return 1.0
    return -math.expm1(-max(0.0, elapsed) / tau)


@dataclass(frozen=True, eq=False)
class Signature:
    """What is remembered of a frame to recognise a cut."""

    shape: tuple[int, ...]
    histogram: npt.NDArray[np.float32]
    """(3, BINS), each row sums to 1."""
    layout: CoarsePicture


def signature(eyes: npt.NDArray[np.uint8]) -> Signature:
    """Of ``eyes`` (E, H, W, 3) uint8, any size; costs some 0.1 ms, whatever the size."""
    count, height, width, _ = eyes.shape
    rows = np.linspace(0, height - 1, SAMPLES).astype(np.intp)
    columns = np.linspace(0, width - 1, SAMPLES).astype(np.intp)
    grid = eyes[:, rows[:, None], columns[None, :]]  # (E, SAMPLES, SAMPLES, 3)
    levels = (grid.reshape(-1, 3) // (256 // BINS)).astype(np.intp) + BINS * np.arange(3)
    histogram = np.bincount(levels.ravel(), minlength=3 * BINS).reshape(3, BINS) / (grid.size / 3)
    tile = SAMPLES // 6
    layout = grid.reshape(count, 6, tile, 6, tile, 3).mean(axis=(2, 4), dtype=np.float32) / 255
    return Signature(eyes.shape, histogram.astype(np.float32), layout)


def is_cut(before: Signature, after: Signature) -> bool:
    """Whether a new scene began: another size or eye count, or quite other colours."""
    if before.shape != after.shape:
        return True
    histogram = float(np.abs(after.histogram - before.histogram).sum()) / 6
    if histogram > HISTOGRAM_CUT:
        return True
    layout = float(np.abs(after.layout - before.layout).mean())
    return histogram > HISTOGRAM_HINT and layout > LAYOUT_CUT


def light_change(seen: CoarsePicture, layout: CoarsePicture) -> float:
    """By what share everything is brighter (below 0: darker) than in ``seen``; 0 where not all things are alike.

    Lamps that flicker and a camera's exposure do that. Medians: what moves in less than half of the coarse picture
    neither hides a change of the light nor looks like one.
    """
    middle = (seen + layout) / 2
    shaded = (middle > SHADES[0]) & (middle < SHADES[1])
    if np.count_nonzero(shaded) < middle.size / 8:
        return 0.0
    gains = (layout - seen)[shaded] / middle[shaded]
    gain = float(np.median(gains))
    return gain if float(np.median(np.abs(gains - gain))) < abs(gain) / 2 else 0.0


def light_rate(change: float) -> float:
    """How much of a `light_change` is followed at once: nothing up to LIGHT, all from twice that on.

    Between, so much that light which drifts is followed evenly, without a jump now and then.
    """
    return min(1.0, max(0.0, abs(change) / LIGHT - 1))


class RateKeeper:
    """Turns frames into smoothing rates: 1 for the first frame and at a cut, else by time and by changes of the light.

    Statistics of another light would make the norms pass a change of brightness on, many times magnified.
    """

    def __init__(self, tau: float = TAU_SECONDS) -> None:
        self._tau = tau
        self._signature: Signature | None = None
        self._seen: CoarsePicture = np.zeros(0, np.float32)
        """The coarse picture that the statistics belong to: smoothed as they are."""
        self._captured_at = 0.0

    def reset(self) -> None:
        """The next frame gets rate 1: another style, another source."""
        self._signature = None

    def rate(self, eyes: npt.NDArray[np.uint8], captured_at: float) -> float:
        """``eyes`` (E, H, W, 3) uint8; ``captured_at`` in seconds. In [0, 1]."""
        now = signature(eyes)
        before, self._signature = self._signature, now
        elapsed, self._captured_at = captured_at - self._captured_at, captured_at
        if before is None or is_cut(before, now):
            self._seen = now.layout
            return 1.0
        rate = max(smoothing_rate(elapsed, self._tau), light_rate(light_change(self._seen, now.layout)))
        self._seen = (1 - rate) * self._seen + rate * now.layout
        return rate
