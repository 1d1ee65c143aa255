"""Pairs of eyes whose disparity is known: made from photographs, or measured by others.

Disparity d (in pixels, not negative) belongs to the left picture: its pixel (x, y) shows what
the right one shows at (x - d, y).
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from artem_vr.errors import PictureError
from artem_vr.evaluation.motion import Camera, inside, pixel_positions, sample


@dataclass(frozen=True)
class StereoPair:
    """``eyes`` (2, 3, H, W), left then right; ``disparity`` (1, H, W); ``mask`` (1, H, W) bool: seen by both."""

    eyes: Tensor
    disparity: Tensor
    mask: Tensor

    def expected_left(self, eyes: Tensor) -> Tensor:
        """(1, 3, H, W): what the left of ``eyes`` (2, 3, H, W) must be if the right one is right."""
        return sample(eyes[1:], positions_in_right(self.disparity))


def positions_in_right(disparity: Tensor) -> Tensor:
    """(1, H, W) -> positions (1, H, W, 2)."""
    height, width = disparity.shape[-2:]
    own = pixel_positions(height, width)
    return torch.stack((own[..., 0] - disparity, own[..., 1]), dim=-1)


def synthetic_pair(scene: Tensor, size: int, generator: torch.Generator, furthest: float = 12.0) -> StereoPair:
    """A photograph (1, 3, H, W) hung on a smooth random relief, seen by two cameras of ``size``.

    Disparities lie within 0..``furthest`` pixels and vary so slowly that hardly anything is hidden (nothing, from a
    ``size`` of 96 on).
    """
    relief = torch.rand(1, 1, 4, 4, generator=generator)
    relief = F.interpolate(relief, size=(size, size), mode="bicubic", align_corners=True).clamp(0, 1)
    disparity = relief[:, 0] * furthest
    camera, still = Camera(scene, size), torch.eye(3, dtype=torch.float64)
    right = camera.picture(still)
    left = camera.picture(still, torch.stack((-disparity, torch.zeros_like(disparity)), dim=-1))
    mask = inside(positions_in_right(disparity), size, size)[:, 0]
    return StereoPair(torch.cat((left, right)), disparity, mask)


def read_pairs(folder: Path, size: int) -> list[StereoPair]:
    """Pairs ``NAMEL.*``, ``NAMER.*`` with their disparity in pixels ``NAMEGT.png`` (0: unknown), as Middlebury's.

    The disparity's file is grey, of 8 or 16 bits, and its numbers are whole pixels.
    They are reduced so that the shorter side is ``size`` at most. Raises PictureError.
    """
    pairs = []
    for truth in sorted(folder.glob("*GT.png")) if folder.is_dir() else []:
        name = truth.name.removesuffix("GT.png")
        eyes = [next(iter(sorted(folder.glob(f"{glob.escape(name)}{side}.*"))), None) for side in "LR"]
        if eyes[0] is not None and eyes[1] is not None:
            pairs.append(_read_pair(eyes[0], eyes[1], truth, size))
    if not pairs:
        remedy = "Give --stereo a folder with NAMEL.jpg, NAMER.jpg and NAMEGT.png"
        raise PictureError(f"{folder} holds no stereo pairs", remedy)
    return pairs


def _read_pair(left: Path, right: Path, truth: Path, size: int) -> StereoPair:
    from artem_vr.evaluation.pictures import read_picture
    from artem_vr.sources.pictures import load_levels
    from artem_vr.tensors import short_side

    pictures = [read_picture(path) for path in (left, right)]
    disparity = torch.from_numpy(load_levels(truth))[None]
    if len({values.shape[-2:] for values in (*pictures, disparity)}) > 1:
        raise PictureError(f"{left.name}, {right.name} and {truth.name} differ in size", "Give pictures of one size")
    eyes = torch.cat(pictures)
    original = eyes.shape[-1]
    if min(eyes.shape[-2:]) > size:
        eyes = torch.cat([short_side(eye, size) for eye in eyes.split(1)])
    height, width = eyes.shape[-2:]
    # nearest: the mean of two depths, or of a depth and "unknown", is no depth
    disparity = F.interpolate(disparity[None], size=(height, width), mode="nearest-exact")[0]
    known = disparity > 0
    disparity = disparity * (width / original)
    mask = known & inside(positions_in_right(disparity), height, width)[:, 0] & ~hidden(disparity)
    if not mask.any():
        cause = f"{truth} has no disparity at which both eyes see the same"
        raise PictureError(cause, "Give --stereo disparities in pixels, smaller than the pictures are wide")
    return StereoPair(eyes, disparity, mask)


def hidden(disparity: Tensor) -> Tensor:
    """(1, H, W) bool: pixels of the left eye that something nearer covers in the right one.

    Every pixel is sent to its column there; where a clearly larger disparity lands too, it is hidden.
    """
    _, height, width = disparity.shape
    column = (torch.arange(width) - disparity[0]).round().long().clamp(0, width - 1)  # (H, W)
    nearest = torch.zeros(height, width).scatter_reduce(1, column, disparity[0], "amax")
    return (nearest.gather(1, column) > disparity[0] + 1.0)[None]


def match(eyes: Tensor, furthest: float) -> Tensor:
    """Disparity (1, H, W) that StereoSGBM (Hirschmueller 2008) finds in ``eyes`` (2, 3, H, W); NaN where none.

    ``furthest`` is the largest disparity expected, in pixels.
    """
    import cv2

    from artem_vr.tensors import bytes_of

    pictures = bytes_of(eyes)
    count, window = 16 * int(np.ceil((furthest + 8) / 16)), 5
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=count,
        blockSize=window,
        P1=8 * 3 * window * window,
        P2=32 * 3 * window * window,
        disp12MaxDiff=1,
        uniquenessRatio=5,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    # a strip of repeated border on the left, or the columns without a full search range would stay unmatched
    left, right = (cv2.copyMakeBorder(p, 0, 0, count, 0, cv2.BORDER_REPLICATE) for p in pictures)
    found = matcher.compute(left, right)[:, count:].astype(np.float32) / 16
    return torch.from_numpy(np.where(found < 0, np.nan, found).astype(np.float32))[None]
