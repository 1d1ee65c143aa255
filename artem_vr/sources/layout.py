"""How two eyes lie in one picture, and how to take them apart."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SourceError

Layout = Literal["mono", "sbs", "half-sbs", "tb", "half-tb"]
"""``mono``: one picture for both eyes. ``sbs``: left eye in the left half, right eye in the right one.
``half-sbs``: the same, each eye squeezed to half its width. ``tb``: left eye above, right eye below.
``half-tb``: the same, each eye squeezed to half its height."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def split(picture: npt.NDArray[np.uint8], layout: Layout) -> npt.NDArray[np.uint8]:
    """Take one picture apart into its eyes, left eye first.

    ``picture`` is (H, W, 3) uint8. Returns (E, H', W', 3) uint8, C-contiguous: E is 1 for ``mono``, else 2.
    An odd last column (``sbs``, ``half-sbs``) or row (``tb``, ``half-tb``) belongs to neither eye and is dropped.
    The eyes of ``half-sbs`` are stretched to twice their width, those of ``half-tb`` to twice their height.
    ``mono`` does not copy a contiguous picture.

    Raises `SourceError` when the picture is too small to hold two eyes or the layout is unknown.
    """
    height, width = picture.shape[:2]
    if layout == "mono":
        return np.ascontiguousarray(picture)[np.newaxis]
    if layout not in LAYOUTS:
        raise SourceError(f"The layout {layout!r} is unknown", f"Choose one of {', '.join(LAYOUTS)}")
    stacked = layout in ("tb", "half-tb")
    if (height if stacked else width) < 2:
        raise SourceError(
            f"A picture of {width}x{height} pixels is too small for the layout {layout}", "Use --layout mono"
        )
    if stacked:
        half = height // 2
        eyes = np.ascontiguousarray(picture[: 2 * half]).reshape(2, half, width, 3)
        return eyes if layout == "tb" else _stretched(eyes, 2 * half, width)
    half = width // 2
    eyes = picture[:, : 2 * half].reshape(height, 2, half, 3).transpose(1, 0, 2, 3)
    return np.ascontiguousarray(eyes) if layout == "sbs" else _stretched(eyes, height, 2 * half)


def _stretched(eyes: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """(2, H, W, 3) -> (2, height, width, 3): linear between the pixels, whose centres stay where they were."""
    import cv2

    out = np.empty((2, height, width, 3), np.uint8)
    for eye, target in zip(eyes, out, strict=True):
        cv2.resize(eye, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return out
