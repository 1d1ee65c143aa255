"""Measures what the steps of a network's head leave in its output: a lattice where nothing is, a weave in strokes."""

from __future__ import annotations

import torch
from torch import Tensor

PERIOD = 8
"""Pixels after which a pattern of the upsampling steps of our networks repeats, if they make one."""

WAVES = [(i, j) for i in range(5) for j in range(-3, 5) if (i, j) > (0, 0) and (i not in (0, 4) or j >= 0)]
"""What such a pattern is made of: waves of so many cycles in `PERIOD` pixels (across, down); (2, -2) falls to the left
with a period of 4. All there are, each once."""

UNSEEN = 1e-3
"""Step between neighbouring pixels, RGB in [0, 1], below which steps count for next to nothing in `weave`."""

VISIBLE = 1 / 255
"""Amplitude of a sine, RGB in [0, 1]: one level of an eight-bit picture, which nobody sees."""


def probes(height: int = 256, width: int = 256) -> dict[str, Tensor]:
    """Flat pictures and ramps, (1, 3, height, width): whatever repeats in the output, the network made."""
    across = torch.linspace(0, 1, width).expand(height, width)
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    colour = torch.tensor([0.9, 0.5, 0.2])[:, None, None]
    flat = torch.full((height, width), 0.5)
    pictures = {"grey": flat, "across": across, "down": down, "diagonal": (across + down) / 2}
    tinted = {f"{name}, tinted": picture * colour for name, picture in pictures.items()}
    grey = {name: picture.expand(3, height, width) for name, picture in pictures.items()}
    return {name: picture[None].contiguous() for name, picture in (grey | tinted).items()}


def spectral_peaks(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 33) each, of the waves in the order of `WAVES`: amplitude there and beside it.

    "Beside" is the largest of the medians along the row, the column and the two diagonals of the
    spectrum through the peak: horizontal strokes fill a whole column of it, strokes at 45 degrees a
    diagonal; a lattice stands out from all of them. The waves of two pixels (4, 0), (0, 4) and (4, 4) are their own
    mirror images, and count double: pixels of a chessboard are the first thing to be seen of a network.

    ``pictures`` (B, 3, H, W), RGB in [0, 1], sides multiples of 8 from 136 on. The border (32 pixels) is left
    out; a Blackman window keeps the slow parts of the picture from leaking into the peaks. Has a gradient.
    """
    luminance = pictures.double().mean(dim=1)[:, 32:-32, 32:-32]
    height, width = luminance.shape[1:]
    windows = [
        torch.blackman_window(size, periodic=True, dtype=torch.float64, device=pictures.device)
        for size in (height, width)
    ]
    window = windows[0][:, None] * windows[1]
    level = luminance.mean(dim=(1, 2), keepdim=True)
    spectrum = torch.fft.fft2((luminance - level) * window).abs() * 2 / window.sum()
    near = torch.tensor([d for d in range(-9, 10) if abs(d) > 3])  # outside the window's own width
    still, wide = torch.zeros_like(near), torch.arange(-1, 2)
    peaks, around = [], []
    for i, j in WAVES:
        across, down = width * i // PERIOD, height * j // PERIOD
        peaks.append(spectrum[:, (down + wide) % height][..., (across + wide) % width].amax(dim=(1, 2)))
        lines = [(still, near), (near, still), (near, near), (near, -near)]
        along = [spectrum[:, (down + dy) % height, (across + dx) % width].median(dim=1).values for dy, dx in lines]
        around.append(torch.stack(along).amax(dim=0))
    return torch.stack(peaks, dim=1), torch.stack(around, dim=1)


def lattice_peaks(picture: Tensor) -> dict[tuple[int, int], tuple[float, float]]:
    """`spectral_peaks` of one picture (1, 3, H, W), by `WAVES`."""
    (peaks,), (around,) = spectral_peaks(picture)
    return dict(zip(WAVES, zip(peaks.tolist(), around.tolist(), strict=True), strict=True))


def worst_lattice(picture: Tensor) -> float:
    """Amplitude of the strongest peak that stands out four times from its surroundings; 0 if none does."""
    return max((peak for peak, around in lattice_peaks(picture).values() if peak > 4 * around), default=0.0)


def weave(pictures: Tensor) -> Tensor:
    """(B,): how much steps between neighbouring pixels depend on where in `PERIOD` they lie; 0 if not at all.

    Mean step by its place: variance of the eight over their squared mean. Averaged over both directions, and over
    the steps and how far each differs from the next, which a comb of fine lines shows in. 0.04: at some places they
    are larger than at those beside them by about a fifth up and down. A photograph has about 0.001.

    ``pictures`` (B, C, H, W), RGB or any other channels in [0, 1], sides of at least 10. Has a gradient.
    """
    parts = []
    for picture in (pictures, pictures.transpose(2, 3)):
        steps = picture[..., 1:] - picture[..., :-1]
        for differences in (steps, steps[..., 1:] - steps[..., :-1]):
            # smooth where there is no step: signs are a matter of rounding there, and gradients would be
            sizes = (differences.square() + UNSEEN**2).sqrt() - UNSEEN
            lines = sizes.mean(dim=(1, 2))  # (B, W - 1 or W - 2)
            whole = lines.shape[1] // PERIOD * PERIOD
            by_place = lines[:, :whole].unflatten(1, (-1, PERIOD)).mean(dim=1)  # (B, 8)
            mean = by_place.mean(dim=1).clamp_min(1e-4)  # a flat picture has no steps: 0
            parts.append(by_place.var(dim=1, correction=0) / mean.square())
    return torch.stack(parts).mean(dim=0)
