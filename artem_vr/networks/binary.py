"""A style network whose body is made of bits: every weight and every input of it is -1 or +1.

    RGB --unshuffle 4--> 1/4 --stride 2--> 1/8 -- binarised layers -- up --> 1/4 (+ skip)
        -- up --> 1/2 -- up --> RGB

The outline is that of `fast`; what binarised networks need to keep their quality comes from Bi-Real Net (Liu et al.
2018: a real-valued shortcut around *every* binarised convolution) and ReActNet (Liu et al. 2020: a learned shift
before the sign, a PReLU after it). The first and the last layers are real. The body is 64 * ``words`` channels wide,
so that every pixel fills whole words. It gets no rectified features: their signs would all be +1.

In training the convolutions are `xnor.layers.XnorConv2d` with real-valued shadow weights; `BinaryNetwork.packed`
turns them into bits, and only that form is written, read and run.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.layers import InstanceNorm, Normalizer, OwnStatistics, UpsampleConv, conv, pad_to_multiple
from xnor.convert import pack
from xnor.layers import PackedConv2d, XnorConv2d

WORD = 64
"""Channels that one word of signs holds."""

BRANCH_GAIN = 0.5
"""First deviation of what a layer adds. The stream then stays near 1, where gradients pass through the sign."""


class BinaryLayer(nn.Module):
    """``x + norm(PReLU(scale * conv3x3(sign(x + shift), sign(weight))))``; x passes by untouched."""

    def __init__(self, channels: int, packed: bool) -> None:
        super().__init__()
        kind = PackedConv2d if packed else XnorConv2d
        self.conv = kind(channels, channels, 3, padding=1, padding_mode="replicate", bias=False)
        self.norm = InstanceNorm(channels)
        nn.init.constant_(self.norm.weight, BRANCH_GAIN)

    def forward(self, x: Tensor, normalize: Normalizer) -> Tensor:
        return x + normalize(self.norm, self.conv(x))


class BinaryNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), to the same, painted. Any size from 16x16 up."""

    multiple = 8
    """Sizes are padded to multiples of this inside."""

    def __init__(self, quarter: int = 32, half: int = 16, words: int = 2, layers: int = 10, packed: bool = False):
        """``words``: width of the body in words of 64 channels. ``packed``: bits (all zero, to be loaded) instead of
        shadow weights; such a network does not train.
        """
        super().__init__()
        self.options = {"quarter": quarter, "half": half, "words": words, "layers": layers}
        self.architecture = "binary" if packed else "binary, before packing"
        eighth = WORD * words
        self.encode4, self.norm_encode4 = conv(3 * 16, quarter, 3), InstanceNorm(quarter)
        self.encode8, self.norm_encode8 = conv(quarter, eighth, 3, stride=2), InstanceNorm(eighth)
        self.body = nn.ModuleList(BinaryLayer(eighth, packed) for _ in range(layers))
        self.decode4, self.norm_decode4 = UpsampleConv(eighth, quarter, 3), InstanceNorm(quarter)
        self.decode2, self.norm_decode2 = UpsampleConv(quarter, half, 3), InstanceNorm(half)
        self.decode1 = UpsampleConv(half, 3, 5)

    @classmethod
    def from_bits(cls, quarter: int, half: int, words: int, layers: int) -> BinaryNetwork:
        """The packed form, ready to take the tensors of a file: no real weight of its body is ever made."""
        return cls(quarter, half, words, layers, packed=True)

    def packed(self) -> BinaryNetwork:
        """A copy that holds bits and scales instead of shadow weights; it paints the same within float rounding."""
        result = copy.deepcopy(self).eval().requires_grad_(False)
        pack(result.body)
        result.architecture = "binary"
        return result

    def forward(self, x: Tensor, normalize: Normalizer | None = None) -> Tensor:
        normalize = normalize or OwnStatistics()
        height, width = x.shape[-2:]
        x = F.pixel_unshuffle(pad_to_multiple(x, self.multiple) - 0.5, 4)  # (B, 48, H/4, W/4)
        skip = F.relu(normalize(self.norm_encode4, self.encode4(x)))  # (B, quarter, H/4, W/4)
        x = normalize(self.norm_encode8, self.encode8(skip))  # (B, 64 * words, H/8, W/8)
        for layer in self.body:
            x = layer(x, normalize)
        x = F.relu(normalize(self.norm_decode4, self.decode4(x)) + skip)  # (B, quarter, H/4, W/4)
        x = F.relu(normalize(self.norm_decode2, self.decode2(x)))  # (B, half, H/2, W/2)
        return torch.sigmoid(self.decode1(x))[..., :height, :width]  # (B, 3, H, W)
