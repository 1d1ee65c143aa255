"""Any painting at the price of the fast network: adaptive instance normalisation everywhere, a code a painting.

    painting --StyleEncoder, once--> code (2, C) --tuned to the painting's palette--> code (2, C)
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
from artem_vr.networks.tuning import tuned

TRAITS = 96
"""Numbers in which the style encoder sums up a painting's texture."""

PALETTE = 6
"""Means and deviations of red, green and blue, which are told beside them."""

SKETCH = 16
"""Channels whose covariance stands for the texture of one level of the style encoder."""


class StyleEncoder(nn.Module):
    """A painting, RGB in [0, 1], (B, 3, H, W), at least 32x32, to numbers about palette and strokes, (B, ``outputs``).

    Random convolutions see it at five sizes. At each, what they see is pooled over the whole picture: means,
    deviations, and the covariance of a few mixtures of channels (a small Gram matrix); where a thing is
    in the painting does not matter. ``read`` tells the painting's *traits* from that: the principal components
    of what VGG-19 sees, by a regression in closed form (`training.reading`). Only ``answer``, from traits to
    codes, is trained together with the painter.
    """

    widths = (32, 64, 96, 128, 128)
    gain: Tensor
    """(outputs,): fixed scale of the answers."""
    centre: Tensor
    """(pooled,): means over paintings of what is pooled."""
    spread: Tensor
    """(pooled,): deviations of the same."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        inputs = (3, *self.widths[:-1])
        strides = (2, 2, 2, 2, 1)
        self.levels = nn.ModuleList(
            conv(a, b, 5 if k == 0 else 3, stride)
            for k, (a, b, stride) in enumerate(zip(inputs, self.widths, strides, strict=True))
        )
        self.sketches = nn.ModuleList(nn.Conv2d(width, SKETCH, 1, bias=False) for width in self.widths)
        pooled = 2 * (3 + sum(self.widths)) + len(self.widths) * SKETCH * (SKETCH + 1) // 2
        self.register_buffer("centre", torch.zeros(pooled))
        self.register_buffer("spread", torch.ones(pooled))
        self.read = nn.Linear(pooled, TRAITS, bias=False)
        self.answer = nn.Linear(TRAITS + PALETTE, outputs)
        self.register_buffer("gain", torch.ones(outputs))
        for part in (self.levels, self.sketches, self.read):
            part.requires_grad_(False)

    def pooled(self, x: Tensor) -> Tensor:
        """(B, pooled): what is seen, the palette first."""
        x = x - 0.5
        pooled = list(_moments(x))
        for level, sketch in zip(self.levels, self.sketches, strict=True):
            x = F.leaky_relu(level(x), 0.1)  # (B, width, H/2, W/2) ... H/16
            pooled += [*_moments(x), _covariance(sketch(x))]
        return torch.cat(pooled, dim=1)

    def traits(self, x: Tensor) -> Tensor:
        """(B, TRAITS + PALETTE): of mean 0 over many paintings, and of deviation 1 or less, the first ones most."""
        seen = (self.pooled(x) - self.centre) / self.spread
        return torch.cat((self.read(seen), seen[:, :PALETTE]), dim=1)

    def code(self, traits: Tensor) -> Tensor:
        """(B, TRAITS + PALETTE) to (B, outputs). Linear: a mixture of traits has the mixture of codes."""
        return self.answer(traits) * self.gain

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self.traits(x))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) to means and deviations, (B, C) each; differentiable where these are zero."""
    flat = x.flatten(2)
    mean = flat.mean(2)
    variance = (flat - mean[:, :, None]).square().mean(2)  # as exact as `var_mean`, at a quarter of its time
    return mean, (variance + 1e-5).sqrt()


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

    def __init__(
        self,
        quarter: int = 32,
        eighth: int = 48,
        half: int = 16,
        blocks: int = 5,
        late_blocks: int = 1,
        reach: int = 2,
    ) -> None:
        """See `FastNetwork`."""
        super().__init__()
        self.painter = FastNetwork(quarter, eighth, half, blocks, late_blocks, reach)
        self.options = self.painter.options
        self.channels = statistics_channels(self.painter)
        self.encoder = StyleEncoder(2 * self.channels)

    @property
    def plain(self) -> Tensor:
        """(2, C): the code that shows the photograph."""
        return own_code(self.painter)

    def encode(self, paintings: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to codes (B, 2, C), which paint in these paintings' colours and contrast."""
        codes = self.encoder(paintings).unflatten(1, (2, self.channels))
        variances, means = torch.var_mean(paintings, dim=(2, 3), correction=0)
        palettes = zip(codes, means, variances.sqrt(), strict=True)
        return torch.stack([tuned(self.painter, code, mean, deviation) for code, mean, deviation in palettes])

    def forward(self, x: Tensor, normalize: Normalizer | None = None) -> Tensor:
        """The painter; ``normalize`` carries the code (`layers.Affine`)."""
        return self.painter(x, normalize)
