"""Any painting at the price of the fast network: adaptive instance normalisation everywhere, a code a painting.

    painting --StyleEncoder, once--> code (2, C)
    RGB --FastNetwork, every norm with the code's deviations and means--> painted RGB

Huang & Belongie 2017 (AdaIN) in the arrangement of Ghiasi et al. 2017 (a style encoder predicts the
deviations and means of *every* norm). At run time only the painter runs; the code is an input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import Normalizer, conv, own_code, statistics_channels

ANSWER = 0.1
"""What the last layer reads is scaled by this: else a step of Adam that all its inputs agree on throws the codes
so far that the painter is lost (with 1, a training at a rate of 1e-3 diverged after 700 iterations)."""

SKETCH = 16
"""Channels whose covariance stands for the texture of one level of the style encoder."""


class StyleEncoder(nn.Module):
    """A painting, RGB in [0, 1], (B, 3, H, W), at least 32x32, to numbers about palette and strokes, (B, ``outputs``).

    What it sees at each level is pooled over the whole picture: means, deviations, and the covariance
    of a few mixtures of channels (a small Gram matrix). Where a thing is in the painting does not matter.
    """

    widths = (32, 64, 96, 128, 128)

    def __init__(self, outputs: int, hidden: int = 256) -> None:
        super().__init__()
        inputs = (3, *self.widths[:-1])
        strides = (2, 2, 2, 2, 1)
        self.levels = nn.ModuleList(
            conv(a, b, 5 if k == 0 else 3, stride)
            for k, (a, b, stride) in enumerate(zip(inputs, self.widths, strides, strict=True))
        )
        self.sketches = nn.ModuleList(nn.Conv2d(width, SKETCH, 1, bias=False) for width in self.widths)
        pooled = 2 * (3 + sum(self.widths)) + len(self.widths) * SKETCH * (SKETCH + 1) // 2
        self.normalize = nn.LayerNorm(pooled)
        self.reduce = nn.Linear(pooled, hidden)
        self.think = nn.Linear(hidden, hidden)
        self.answer = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x - 0.5
        pooled = [x.mean((2, 3)) * 4, _deviation(x) * 4]
        for level, sketch in zip(self.levels, self.sketches, strict=True):
            x = F.leaky_relu(level(x), 0.1)  # (B, width, H/2, W/2) ... H/16
            pooled += [x.mean((2, 3)), _deviation(x), _covariance(sketch(x))]
        y = F.silu(self.reduce(self.normalize(torch.cat(pooled, dim=1))))
        y = y + F.silu(self.think(y))
        return self.answer(ANSWER * y)


def _deviation(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C); differentiable where it is zero."""
    return (x.var((2, 3), correction=0) + 1e-5).sqrt()


def _covariance(x: Tensor) -> Tensor:
    """(B, C, H, W) to the signed roots of the upper half of its covariance, (B, C (C + 1) / 2)."""
    flat = x.flatten(2)
    flat = flat - flat.mean(2, keepdim=True)
    covariance = flat @ flat.transpose(1, 2) / flat.shape[2]
    row, column = torch.triu_indices(x.shape[1], x.shape[1])
    values = covariance[:, row, column]
    return values * (values.abs() + 1e-3).rsqrt()


class CompactNetwork(nn.Module):
    """``painter`` paints as a code says; ``encoder`` makes codes of paintings.

    The painter's own deviations and means are the code of no painting at all: with them it shows
    the photograph as well as it can. A code between that and a painting's is a weaker style (alpha).
    """

    architecture = "compact"
    multiple = FastNetwork.multiple

    def __init__(self, quarter: int = 32, eighth: int = 48, half: int = 16, blocks: int = 7) -> None:
        super().__init__()
        self.painter = FastNetwork(quarter, eighth, half, blocks)
        self.options = self.painter.options
        self.channels = statistics_channels(self.painter)
        self.encoder = StyleEncoder(2 * self.channels)

    @property
    def plain(self) -> Tensor:
        """(2, C): the code that shows the photograph."""
        return own_code(self.painter)

    def encode(self, paintings: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to codes (B, 2, C)."""
        return self.encoder(paintings).unflatten(1, (2, self.channels))

    def forward(self, x: Tensor, normalize: Normalizer | None = None) -> Tensor:
        """The painter; ``normalize`` carries the code (`layers.Affine`)."""
        return self.painter(x, normalize)
