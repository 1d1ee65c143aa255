"""The article's generator: our baseline in speed and quality.

Johnson et al. 2016 ("Perceptual losses for real-time style transfer"), with instance
normalisation (Ulyanov et al. 2017) and nearest-neighbour upsampling (Odena et al. 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.fast import ResidualBlock
from artem_vr.networks.layers import Feature, InstanceNorm, Normalizer, OwnStatistics, conv, pad_to_multiple


class JohnsonNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), to the same, painted. 1.68 million parameters."""

    architecture = "johnson"
    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, int] = {}
        self.conv1, self.norm1 = conv(3, 32, 9), InstanceNorm(32)
        self.conv2, self.norm2 = conv(32, 64, 3, stride=2), InstanceNorm(64)
        self.conv3, self.norm3 = conv(64, 128, 3, stride=2), InstanceNorm(128)
        self.blocks = nn.ModuleList(ResidualBlock(128) for _ in range(5))
        self.up1, self.norm_up1 = conv(128, 64, 3), InstanceNorm(64)
        self.up2, self.norm_up2 = conv(64, 32, 3), InstanceNorm(32)
        self.out = conv(32, 3, 9)

    def forward(self, x: Tensor, normalize: Normalizer | None = None) -> Tensor:
        normalize = normalize or OwnStatistics()
        height, width = x.shape[-2:]
        x = pad_to_multiple(x, self.multiple) - 0.5
        x = F.relu(normalize(self.norm1, self.conv1(x)))  # (B, 32, H, W)
        x = F.relu(normalize(self.norm2, self.conv2(x)))  # (B, 64, H/2, W/2)
        x = F.relu(normalize(self.norm3, self.conv3(x)))  # (B, 128, H/4, W/4)
        for block in self.blocks:
            x = block(Feature(x), normalize).seen
        x = F.interpolate(x, scale_factor=2.0)  # nearest
        x = F.relu(normalize(self.norm_up1, self.up1(x)))  # (B, 64, H/2, W/2)
        x = F.interpolate(x, scale_factor=2.0)
        x = F.relu(normalize(self.norm_up2, self.up2(x)))  # (B, 32, H, W)
        return torch.sigmoid(self.out(x))[..., :height, :width]
