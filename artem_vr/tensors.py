"""Pictures as tensors: from bytes and back, brought to size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

MOST_PROPORTION = 8
"""Of a picture that is to be brought to size: a strip of 1x4000 shall not fill the memory."""


def bytes_of(pictures: Tensor) -> npt.NDArray[np.uint8]:
    """(B, 3, H, W) in [0, 1], what is beyond cut off -> (B, H, W, 3) uint8."""
    return (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def of_bytes(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) fp32 in [0, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def without_ends(picture: Tensor) -> Tensor:
    """(..., H, W), and of what is longer than `MOST_PROPORTION` times its width the middle."""
    most = MOST_PROPORTION * min(picture.shape[-2:])
    top, left = (max(0, (side - most) // 2) for side in picture.shape[-2:])
    return picture[..., top : top + most, left : left + most]


def short_side(picture: Tensor, size: int) -> Tensor:
    """(1, 3, H, W) resized, antialiased, so that its shorter side is ``size``; of strips only the middle."""
    picture = without_ends(picture)
    height, width = picture.shape[-2:]
    scale = size / min(height, width)
    shape = (max(size, round(height * scale)), max(size, round(width * scale)))
    if shape == (height, width):
        return picture
    return F.interpolate(picture, size=shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def square(picture: Tensor, size: int) -> Tensor:
    """The middle of the picture, (1, 3, size, size)."""
    picture = short_side(picture, size)
    top, left = (picture.shape[-2] - size) // 2, (picture.shape[-1] - size) // 2
    return picture[..., top : top + size, left : left + size]
