"""Small motions of still photographs: what a head, a second eye and a sensor do to a picture.

A motion is a sampling grid of ``torch.nn.functional.grid_sample`` (align_corners=False): for each
pixel of the moved picture, where in the still one it comes from, in [-1, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def identity_grid(height: int, width: int) -> Tensor:
    """(1, H, W, 2): the grid that samples every pixel from its own place."""
    y = (torch.arange(height) + 0.5) * 2 / height - 1
    x = (torch.arange(width) + 0.5) * 2 / width - 1
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)[None]


def head_motion_grid(height: int, width: int, generator: torch.Generator, pixels: float = 6.0) -> Tensor:
    """(1, H, W, 2): a random small homography: shift, turn, zoom and tilt of up to ``pixels``."""

    def draw(limit: float) -> float:
        return (torch.rand((), generator=generator).item() * 2 - 1) * limit

    reach = 2 * pixels / min(height, width)
    angle, zoom = draw(reach / 2), 1 + draw(reach / 2)
    c, s = math.cos(angle) * zoom, math.sin(angle) * zoom
    matrix = torch.tensor(
        [[c, -s, draw(reach)], [s, c, draw(reach)], [draw(reach / 4), draw(reach / 4), 1.0]], dtype=torch.float32
    )
    grid = identity_grid(height, width)
    moved = torch.cat((grid, torch.ones_like(grid[..., :1])), dim=-1) @ matrix.T
    return moved[..., :2] / moved[..., 2:]


def disparity_grid(height: int, width: int, generator: torch.Generator, pixels: float = 16.0) -> Tensor:
    """(1, H, W, 2): a random horizontal disparity of up to ``pixels``, as of the other eye.

    A smooth relief with things before it, whose edges are sharp: there the other eye sees other neighbours, and
    strokes that reach across an edge would differ between the eyes. Most of what differs in a real pair does so there.
    """

    def draw(cells: int) -> Tensor:
        coarse = torch.rand(1, 1, cells, cells, generator=generator) * 2 - 1
        return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False).clamp(-1, 1)[0, 0]

    relief, near = draw(4), draw(6) > 0
    offset, step = (torch.rand(2, generator=generator) * 2 - 1).tolist()
    shift = 0.3 * offset + 0.1 * relief + 0.6 * step * near
    grid = identity_grid(height, width)
    return torch.stack((grid[..., 0] + shift * pixels * 2 / width, grid[..., 1]), dim=-1)


def draw_motion(height: int, width: int, generator: torch.Generator, other_eye: bool) -> tuple[Tensor, Tensor]:
    """(1, H, W, 2) and (1, 3, H, W): where a head or, in the ``other_eye``, the scene's depth moves each pixel to,
    and the noise, in units of the picture, that the sensor adds: a deviation of up to 3/255.
    """
    make = disparity_grid if other_eye else head_motion_grid
    grid = make(height, width, generator)
    sigma = torch.rand((), generator=generator) * 3 / 255
    return grid, torch.randn(1, 3, height, width, generator=generator) * sigma


def sample(pictures: Tensor, grid: Tensor) -> Tensor:
    """``pictures`` (B, C, H, W) sampled at ``grid`` (B, H, W, 2), bicubic: little blur."""
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def valid_mask(grid: Tensor, height: int, width: int, margin: int = 8) -> Tensor:
    """(B, 1, H, W) of 0 and 1: where ``grid`` samples at least ``margin`` pixels inside the picture."""
    inside_x = grid[..., 0].abs() < 1 - 2 * margin / width
    inside_y = grid[..., 1].abs() < 1 - 2 * margin / height
    return (inside_x & inside_y)[:, None].float()
