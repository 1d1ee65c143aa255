"""A style network with everything around it: bytes in, bytes out, state in, state out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import (
    InstanceNorm,
    SmoothedStatistics,
    UpsampleConv,
    constant_gain,
    keep_gain,
    own_code,
    statistics_channels,
)
from artem_vr.stylize.engines.base import NetworkOrLoader
from artem_vr.stylize.engines.blocks import BlockForm


class PictureGraph(nn.Module):
    """``(pictures, state, rate[, code]) -> (pictures, new state)``, for eager running, tracing, graphs.

    pictures (E, H, W, 3) uint8 RGB, H and W whole multiples of ``multiple``; state (2, C) fp32;
    rate (1,) fp32; code (2, C) fp32 of a compact network (``coded``). The network runs in ``dtype``
    with ``memory_format`` features; statistics and the last rounding in fp32. A fast network's own deviations and
    means are given to it as a code is: features then stay near zero, and a flat picture flat, in bf16 and fp16, too.
    """

    own: Tensor | None

    def __init__(
        self, network: nn.Module, dtype: torch.dtype = torch.float32, channels_last: bool = False, fold: bool = True
    ) -> None:
        super().__init__()
        network, self.coded = painter_of(network)
        self.network = frozen(network, fold)
        self.multiple = int(getattr(network, "multiple", 1))
        self.channels = statistics_channels(network)
        given = isinstance(network, FastNetwork)
        self.register_buffer("own", own_code(self.network) if given and not self.coded else None, persistent=False)
        self.dtype = dtype
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)  # type: ignore[call-overload]
        for module in self.network.modules():
            if not isinstance(module, InstanceNorm):  # its parameters meet fp32 statistics
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.to(dtype)
            if given and isinstance(module, (nn.Conv2d, UpsampleConv)):
                keep_gain(module)
            if given and isinstance(module, FoldedUpsample):  # four phases of each channel, all alike
                keep_gain(module, constant_gain(module)[::4])

    def forward(
        self, pictures: Tensor, state: Tensor, rate: Tensor, code: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        x = pictures.permute(0, 3, 1, 2).to(self.dtype) / 255  # (E, 3, H, W) in [0, 1]
        if not torch.jit.is_tracing():
            x = x.contiguous(memory_format=self.memory_format)
        statistics = SmoothedStatistics(state, rate, code if self.coded else self.own)
        y = self.network(x, statistics).float()
        painted = (y * 255 + 0.5).clamp(0, 255).to(torch.uint8)
        return painted.permute(0, 2, 3, 1).contiguous(), statistics.new_state()


class FoldedUpsample(nn.Module):
    """An `UpsampleConv` whose folded weights are computed once and not with every picture."""

    def __init__(self, source: UpsampleConv) -> None:
        super().__init__()
        self.radius = source.radius
        self.weight = nn.Parameter(source.folded_weight().detach().clone(), requires_grad=False)
        self.bias = nn.Parameter(source.bias.detach().repeat_interleave(4), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (self.radius,) * 4, mode="replicate")
        return F.pixel_shuffle(F.conv2d(x, self.weight, self.bias), 2)


def painter_of(network: nn.Module) -> tuple[nn.Module, bool]:
    """What runs at every frame, and whether it takes a style code."""
    return (network.painter, True) if isinstance(network, CompactNetwork) else (network, False)


def frozen(network: nn.Module, fold: bool = True) -> nn.Module:
    """A copy for inference: no gradients, upsampling folded once."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if fold:
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, UpsampleConv):
                    setattr(parent, name, FoldedUpsample(child))
    return network


def loaded(network: NetworkOrLoader) -> nn.Module:
    return network if isinstance(network, nn.Module) else network()


def best_for_openvino(network: nn.Module) -> PictureGraph | BlockForm:
    """The quickest equal form of ``network``, to be traced, in fp32; `BlockForm` takes and gives packed pictures."""
    painter, coded = painter_of(network)
    if isinstance(painter, FastNetwork) and painter.decode1.radius <= 2:
        return BlockForm(painter, coded)
    return PictureGraph(network)
