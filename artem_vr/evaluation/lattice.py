"""Measures a lattice: spectral peaks that the steps of a network's head leave in its output."""

from __future__ import annotations

import torch
from torch import Tensor

PERIODS = (2, 4, 8)
"""In pixels: the upsampling steps of our networks make patterns of these, if any."""

VISIBLE = 1 / 255
"""Amplitude of a sine, RGB in [0, 1]: one level of an eight-bit picture, which nobody sees."""


def probes(size: int = 256) -> dict[str, Tensor]:
    """Flat pictures and ramps, (1, 3, size, size): whatever repeats in the output, the network made."""
    ramp = torch.linspace(0, 1, size)
    across, down = ramp.expand(size, size), ramp[:, None].expand(size, size)
    colour = torch.tensor([0.9, 0.5, 0.2])[:, None, None]
    pictures = {"grey": torch.full((size, size), 0.5), "across": across, "down": down, "diagonal": (across + down) / 2}
    tinted = {f"{name}, tinted": picture * colour for name, picture in pictures.items()}
    grey = {name: picture.expand(3, size, size) for name, picture in pictures.items()}
    return {name: picture[None].contiguous() for name, picture in (grey | tinted).items()}


def lattice_peaks(picture: Tensor) -> dict[tuple[int, int], tuple[float, float]]:
    """For each pair of periods (across, down; 0 is constant): amplitude there and beside it.

    "Beside" is the largest of the medians along the row, the column and the two diagonals of the
    spectrum through the peak: horizontal strokes fill a whole column of it, strokes at 45 degrees a
    diagonal; a lattice stands out from all of them.

    ``picture`` (1, 3, H, W), RGB in [0, 1], H and W multiples of 8. The border (32 pixels) is left
    out; a Blackman window keeps the slow parts of the picture from leaking into the peaks.
    """
    luminance = picture[0].double().mean(dim=0)[32:-32, 32:-32]
    size = luminance.shape[0]
    window = torch.blackman_window(size, periodic=True, dtype=torch.float64)
    window2 = window[:, None] * window[None]
    spectrum = torch.fft.fft2((luminance - luminance.mean()) * window2).abs() * 2 / window2.sum()
    result = {}
    bins = [0] + [size // period for period in PERIODS]
    names = (0, *PERIODS)
    for i, across in enumerate(bins):
        for j, down in enumerate(bins):
            if i == j == 0:
                continue
            near = torch.tensor([d for d in range(-9, 10) if abs(d) > 3])  # outside the window's own width
            peak = spectrum[down + torch.arange(-1, 2)][:, across + torch.arange(-1, 2)].max()
            still = torch.zeros_like(near)
            lines = [(still, near), (near, still), (near, near), (near, -near)]
            along = [spectrum[(down + dy) % size, (across + dx) % size].median() for dy, dx in lines]
            result[names[i], names[j]] = (peak.item(), max(along).item())
    return result


def worst_lattice(picture: Tensor) -> float:
    """Amplitude of the strongest peak that stands out four times from its surroundings; 0 if none does."""
    return max((peak for peak, around in lattice_peaks(picture).values() if peak > 4 * around), default=0.0)
