"""At which size the networks work.

A size given by ``--scale`` is exact where memory suffices for it: 1 is the headset's recommended size per eye, or, for
a source of quite another shape, as many pixels in the source's shape. ``auto`` keeps the source's proportions
and never more pixels than the source has, and goes down a few fixed steps until the engine keeps up;
few, because each size is another compiled network. A photograph keeps the size it began with: nothing in it moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

Scale = float | Literal["auto"]
Size = tuple[int, int]
"""(height, width) of one eye."""

STEPS = (1.0, 0.75, 0.5, 0.35, 0.25)
"""What ``auto`` chooses from."""
LEAST, GREATEST = 64, 4096
TARGET_SECONDS = 1 / 12
"""``auto`` wants a painted pair at least this often; heads move smoothly whatever the paintings do."""
STILL_SECONDS = 1.0
"""That often where nothing moves, by the engine's rough speed: a huge photograph begins smaller on a slow machine."""
ALIKE = 1.25
"""Aspects are about the same up to this ratio. Headset cameras and square eyes are about as an eye's target is; strokes
painted in its shape and shown in their own stretch no more than this."""
LEAST_SHORT_SIDE = 384
"""``auto`` shrinks no picture below this short side, in pixels: smaller paintings are mud, however quick."""


def parse_scale(text: str | float) -> Scale:
    """ "auto" or a number in 0.25..1. Raises `SettingsError`."""
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.25 <= value <= 1.0:
        raise SettingsError(f"--scale {text} has no meaning", "Give auto, or a number from 0.25 to 1")
    return value


def working_size(source: Size, eye: Size | None, scale: Scale, step: float = 1.0) -> Size:
    """(height, width) at which a frame of size ``source`` is painted.

    ``eye``: what the headset recommends for one eye, None without a headset: then the source's
    size stands in. A number as ``scale`` is a factor of its height and width; where the source's aspect
    is not about the eye's, the same number of pixels has the source's aspect. ``step`` is one of STEPS,
    and for a number less than 1 only where memory does not suffice.
    """
    if scale != "auto":
        height, width = _in_shape_of(source, eye) if eye is not None else source
        fitting = min(1.0, GREATEST / (scale * max(height, width)))
        height, width, scale = height * fitting, width * fitting, scale * step
        if scale == 1.0:
            return _clamp(height), _clamp(width)
        return _round8(height * scale), _round8(width * scale)
    pixels = source[0] * source[1]
    if eye is not None:
        pixels = min(pixels, eye[0] * eye[1])
    shrink = step * min((pixels / (source[0] * source[1])) ** 0.5, GREATEST / max(source))
    if shrink >= 1.0:
        return _clamp(source[0]), _clamp(source[1])
    return _round8(source[0] * shrink), _round8(source[1] * shrink)


def _in_shape_of(source: Size, eye: Size) -> tuple[float, float]:
    """Height and width: ``eye`` itself, if ``source`` has about its aspect, else as many pixels in the source's."""
    ours, theirs = source[1] / source[0], eye[1] / eye[0]
    if max(ours / theirs, theirs / ours) <= ALIKE:
        return eye
    height = (eye[0] * eye[1] / ours) ** 0.5
    return height, height * ours


def steps_for(source: Size, eye: Size | None, scale: Scale = "auto") -> tuple[float, ...]:
    """The steps at which such a source is painted: those that leave LEAST_SHORT_SIDE, and 1."""
    short_side = min(working_size(source, eye, scale))
    return tuple(step for step in STEPS if step == 1.0 or step * short_side >= LEAST_SHORT_SIDE)


def choose_step(
    current: float, paint_seconds: float, target: float = TARGET_SECONDS, steps: Sequence[float] = STEPS
) -> float:
    """The step of ``steps`` (falling from 1) that keeps up, given the time a pair took at step ``current``.

    Time is taken to grow with the pixels. Going down is immediate; up only with a margin of a
    third, so that two steps never alternate.
    """
    per_area = paint_seconds / current**2
    fitting = [step for step in steps if per_area * step**2 <= target]
    best = fitting[0] if fitting else steps[-1]
    if best > current:
        roomy = [step for step in steps if step > current and per_area * step**2 <= target / 1.5]
        return roomy[0] if roomy else current
    return best


def first_step(source: Size, eye: Size | None, eyes: int, pixels_per_second: float, still: bool = False) -> float:
    """Where ``auto`` starts, from an engine's rough speed in pixels a second; and stays, with a ``still`` source."""
    height, width = working_size(source, eye, "auto")
    target = STILL_SECONDS if still else TARGET_SECONDS
    return choose_step(1.0, eyes * height * width / pixels_per_second, target, steps_for(source, eye))


def resize(eyes: npt.NDArray[np.uint8], size: Size) -> npt.NDArray[np.uint8]:
    """(E, H, W, 3) uint8 to (E, height, width, 3); the same array when nothing is to be done."""
    if eyes.shape[1:3] == size:
        return eyes
    import cv2

    height, width = size
    shrinks = height * width < eyes.shape[1] * eyes.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(eyes), height, width, 3), np.uint8)
    pictures: Sequence[npt.NDArray[np.uint8]] = list(eyes)
    for picture, target in zip(pictures, resized, strict=True):
        cv2.resize(picture, (width, height), dst=target, interpolation=how)
    return resized


def _clamp(value: float) -> int:
    return int(min(GREATEST, max(LEAST, round(value))))


def _round8(value: float) -> int:
    """To the nearest multiple of 8: no network pads then."""
    return _clamp(8 * round(value / 8))
