"""Our generator for headsets: small features, a body at 1/8 size and a block at 1/4, no lattice.

    RGB --unshuffle 4--> 1/4 --stride 2--> 1/8 -- residual blocks -- up --> 1/4 (+ skip)
        -- residual block -- up --> 1/2 -- up --> RGB

Every "up" is bilinear interpolation and a convolution, folded into one convolution at the lower
size (`UpsampleConv`). At most 8 GMAC a megapixel, against 154 of `johnson`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.layers import (
    Feature,
    InstanceNorm,
    Normalizer,
    OwnStatistics,
    UpsampleConv,
    conv,
    convolved,
    normalized,
    pad_to_multiple,
    rectified,
    with_residual,
)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016); no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = conv(channels, channels, 3), InstanceNorm(channels)
        self.conv2, self.norm2 = conv(channels, channels, 3), InstanceNorm(channels)

    def forward(self, x: Feature, normalize: Normalizer) -> Feature:
        y = rectified(normalize, self.norm1, convolved(self.conv1, x))
        return with_residual(normalize, self.norm2, x, convolved(self.conv2, y))


class FastNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), to the same, painted. Any size from 16x16 up."""

    architecture = "fast"
    multiple = 8
    """Sizes are padded to multiples of this inside."""

    def __init__(
        self,
        quarter: int = 32,
        eighth: int = 48,
        half: int = 16,
        blocks: int = 3,
        late_blocks: int = 1,
        reach: int = 2,
    ) -> None:
        """Channels at 1/4, 1/8 and 1/2 size; residual ``blocks`` at 1/8 and, behind them, ``late_blocks`` at 1/4.

        ``reach``: how many features at 1/4 size the step to 1/8 sees to each side. With few of them a feature changes
        with where in its 8 pixels a thing lies, and strokes tremble as it moves.
        """
        super().__init__()
        self.options = {
            "quarter": quarter,
            "eighth": eighth,
            "half": half,
            "blocks": blocks,
            "late_blocks": late_blocks,
            "reach": reach,
        }
        self.encode4, self.norm_encode4 = conv(3 * 16, quarter, 3), InstanceNorm(quarter)
        self.encode8, self.norm_encode8 = conv(quarter, eighth, 2 * reach + 1, stride=2), InstanceNorm(eighth)
        self.blocks = nn.ModuleList(ResidualBlock(eighth) for _ in range(blocks))
        self.decode4, self.norm_decode4 = UpsampleConv(eighth, quarter, 3), InstanceNorm(quarter)
        self.late_blocks = nn.ModuleList(ResidualBlock(quarter) for _ in range(late_blocks))
        self.decode2, self.norm_decode2 = UpsampleConv(quarter, half, 3), InstanceNorm(half)
        self.decode1 = UpsampleConv(half, 3, 5)

    def forward(self, x: Tensor, normalize: Normalizer | None = None) -> Tensor:
        normalize = normalize or OwnStatistics()
        height, width = x.shape[-2:]
        last = self.features(x, normalize)
        return self.picture(normalized(normalize, self.norm_decode2, last))[..., :height, :width]

    def features(self, x: Tensor, normalize: Normalizer) -> Feature:
        """All but the last norm and what is behind it: (B, half, H/2, W/2) of the padded size."""
        x = F.pixel_unshuffle(pad_to_multiple(x, self.multiple) - 0.5, 4)  # (B, 48, H/4, W/4)
        skip = rectified(normalize, self.norm_encode4, convolved(self.encode4, Feature(x)))  # (B, quarter, H/4, W/4)
        y = rectified(normalize, self.norm_encode8, convolved(self.encode8, skip))  # (B, eighth, H/8, W/8)
        for block in self.blocks:
            y = block(y, normalize)
        y = rectified(normalize, self.norm_decode4, convolved(self.decode4, y), skip)  # (B, quarter, H/4, W/4)
        for block in self.late_blocks:
            y = block(y, normalize)
        return convolved(self.decode2, y)  # (B, half, H/2, W/2)

    def picture(self, normalized: Tensor) -> Tensor:
        """(B, half, H/2, W/2) behind the last norm to (B, 3, H, W), RGB in [0, 1]."""
        return torch.sigmoid(self.decode1(F.relu(normalized)))
