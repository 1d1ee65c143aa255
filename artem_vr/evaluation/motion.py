"""Known motion: cameras that look at a photograph, sampling along a motion, flow of real film.

A *position* is where a pixel of one picture lies in another: (..., 2), x then y, in pixels, the
centre of the first pixel at (0, 0). Everything in torch is differentiable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def pixel_positions(height: int, width: int) -> Tensor:
    """(1, H, W, 2): every pixel at its own place."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return torch.stack((x, y), dim=-1)[None]


def sample(pictures: Tensor, positions: Tensor, mode: str = "bilinear") -> Tensor:
    """``pictures`` (B, C, H, W) read at ``positions`` (1 or B, h, w, 2): (B, C, h, w). The border is repeated."""
    height, width = pictures.shape[-2:]
    size = positions.new_tensor([width, height])
    grid = (2 * positions + 1) / size - 1
    grid = grid.expand(pictures.shape[0], -1, -1, -1)
    return F.grid_sample(pictures, grid, mode=mode, padding_mode="border", align_corners=False)


def inside(positions: Tensor, height: int, width: int, margin: float = 1.0) -> Tensor:
    """(B, 1, h, w) bool: where ``positions`` lie in a picture of that size, ``margin`` pixels from its border."""
    x, y = positions[..., 0], positions[..., 1]
    within = (x >= margin) & (x <= width - 1 - margin) & (y >= margin) & (y <= height - 1 - margin)
    return within[:, None]


def along(matrix: Tensor, height: int, width: int) -> Tensor:
    """Positions (1, H, W, 2) where the homography ``matrix`` (3, 3) takes each pixel."""
    points = pixel_positions(height, width).double()
    points = torch.cat((points, torch.ones_like(points[..., :1])), dim=-1) @ matrix.double().T
    return (points[..., :2] / points[..., 2:]).float()


def head_motion(generator: torch.Generator, height: int, width: int, pixels: float = 4.0) -> Tensor:
    """A random small homography (3, 3) fp64, about the centre: shift, turn, zoom and tilt of up to ``pixels``."""

    def draw(limit: float) -> float:
        return (2 * torch.rand((), generator=generator).item() - 1) * limit

    half = max(height, width) / 2
    angle, zoom = draw(pixels / half / 2), 1 + draw(pixels / half / 2)
    cosine, sine = math.cos(angle) * zoom, math.sin(angle) * zoom
    tilt = pixels / half / half / 4
    motion = torch.tensor(
        [[cosine, -sine, draw(pixels)], [sine, cosine, draw(pixels)], [draw(tilt), draw(tilt), 1.0]],
        dtype=torch.float64,
    )
    centre = torch.tensor(
        [[1.0, 0.0, (width - 1) / 2], [0.0, 1.0, (height - 1) / 2], [0.0, 0.0, 1.0]], dtype=torch.float64
    )
    return centre @ motion @ torch.linalg.inv(centre)


def subpixel_shift(generator: torch.Generator) -> Tensor:
    """A shift (3, 3) fp64 of up to one pixel in each direction."""
    x, y = (2 * torch.rand(2, generator=generator, dtype=torch.float64) - 1).tolist()
    return torch.tensor([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]], dtype=torch.float64)


@dataclass(frozen=True)
class Camera:
    """Takes pictures of ``size`` of a flat scene, all through one kind of lens.

    Each pixel is the mean of 2x2 places of the scene, read with bicubic interpolation. No picture
    is made from another: the residue between two after warping is the input's own,
    as it is between the frames of a real camera.
    """

    scene: Tensor
    """(1, 3, H, W), RGB in [0, 1]."""
    size: int
    cover: float = 0.9
    """How much of the scene's shorter side the unmoved picture shows; the rest is room to move."""

    def picture(self, motion: Tensor, offset: Tensor | None = None) -> Tensor:
        """(1, 3, size, size) after the homography ``motion`` (3, 3) of picture pixels.

        ``offset`` (1, size, size, 2), in picture pixels, is added to each pixel's place before ``motion``.
        """
        height, width = self.scene.shape[-2:]
        step = self.cover * min(height, width) / self.size  # scene pixels in a picture pixel
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2])
        total = torch.zeros(1, 3, self.size, self.size)
        for dx in (-0.25, 0.25):
            for dy in (-0.25, 0.25):
                points = pixel_positions(self.size, self.size) + torch.tensor([dx, dy])
                if offset is not None:
                    points = points + offset
                points = torch.cat((points, torch.ones_like(points[..., :1])), dim=-1).double() @ motion.T
                points = (points[..., :2] / points[..., 2:]).float()
                positions = (points - (self.size - 1) / 2) * step + middle
                total += sample(self.scene, positions, mode="bicubic")
        return (total / 4).clamp(0, 1)


def displacement(now: Tensor, before: Tensor, size: int) -> Tensor:
    """Positions (1, size, size, 2) in the picture of motion ``before`` of each pixel of that of motion ``now``."""
    return along(torch.linalg.inv(before) @ now, size, size)


def film_motion(now: np.ndarray, before: np.ndarray) -> tuple[Tensor, Tensor]:
    """Where each pixel of a frame of film was in the frame before, and which are to be trusted.

    ``now`` and ``before`` are (H, W, 3) uint8 RGB. DIS flow (Kroeger et al. 2016) both ways; trusted where
    there and back again leads home (Sundaram et al. 2010): positions (1, H, W, 2), mask (1, 1, H, W).
    """
    import cv2

    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey_now, grey_before = (cv2.cvtColor(np.ascontiguousarray(p), cv2.COLOR_RGB2GRAY) for p in (now, before))
    back, forth = (
        torch.from_numpy(np.asarray(dis.calc(a, b, np.zeros((*a.shape, 2), np.float32)), np.float32))[None]
        for a, b in ((grey_now, grey_before), (grey_before, grey_now))
    )
    height, width = now.shape[:2]
    positions = pixel_positions(height, width) + back
    returned = sample(forth.permute(0, 3, 1, 2), positions).permute(0, 2, 3, 1)
    error = (back + returned).square().sum(dim=-1)
    size = back.square().sum(dim=-1) + returned.square().sum(dim=-1)
    trusted = error < 0.01 * size + 0.5
    return positions, trusted[:, None] & inside(positions, height, width)
