"""The fast network rearranged for OpenVINO: it never sees a pixel, only blocks of 4x4 of them.

    FastNetwork:  unshuffle 4 - body - up to 1/4 - up to 1/2 - up to 1/1
    BlockForm:                  body - up to 1/4 - [conv] - [conv] on the four phases of 1/2, side by side as channels

The same map, borders included (a test holds both equal), without a single tensor larger than a
quarter of the picture: what an `UpsampleConv` writes stays as phases in channels, and the last
convolution, folded once more, reads them there. Norms come before the shuffle, on phases, with
the statistics of all phases of a channel. Pictures are cut into blocks as bytes (`base.pack`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.fast import FastNetwork, ResidualBlock
from artem_vr.networks.layers import (
    EPSILON,
    Affine,
    Feature,
    Given,
    InstanceNorm,
    Normalizer,
    UpsampleConv,
    batch_statistics,
    constant_gain,
    convolved,
    keep_gain,
    normalized,
    own_code,
    rectified,
    statistics_channels,
)
from artem_vr.networks.tuning import dead_leaves
from artem_vr.stylize.engines.base import BLOCK, pack
from artem_vr.stylize.engines.eight_bits import EightBits

PHASES = 4  #: of an upsampling by 2: rows times columns
COLOURS = 3

SEEN = (256, 1200)
"""Side in pixels, and discs, of the made-up pictures by which the levels of 8 bits are put up."""


class BlockForm(nn.Module):
    """``(blocks, state, rate[, code]) -> (blocks, new state)``.

    Blocks are (E, H/4, W/4, 48) uint8 as `base.pack` makes them; H and W are whole multiples of the network's. State,
    rate and, if ``coded``, code as in `layers.SmoothedStatistics`; else the network's own deviations and means are its
    code.
    """

    own: Tensor | None
    encode4: nn.Module
    encode8: nn.Module
    decode4: nn.Module
    decode2: nn.Module
    decode1: nn.Module

    def __init__(self, network: FastNetwork, coded: bool = False) -> None:
        super().__init__()
        self.coded = coded
        network = copy.deepcopy(network).eval().requires_grad_(False)
        self.multiple, self.channels = network.multiple, statistics_channels(network)
        self.register_buffer("own", None if coded else own_code(network), persistent=False)
        outputs = network.encode4.weight.shape[0]
        weight = network.encode4.weight.reshape(outputs, 3, BLOCK * BLOCK, 3, 3)  # unshuffle: colour, row, column
        weight = weight.transpose(1, 2).reshape(outputs, 48, 3, 3)
        assert network.encode4.bias is not None
        # it reads bytes as they are, whole numbers that bf16 can hold: x / 255 - 0.5 is in weights and bias
        self.encode4 = _conv(weight / 255, network.encode4.bias - 0.5 * weight.sum((1, 2, 3)))
        self.encode8, self.blocks = network.encode8, network.blocks
        self.decode4, self.decode2 = _phases(network.decode4), _phases(network.decode2)
        self.late_blocks = network.late_blocks
        self.decode1 = _conv(fold_again(network.decode1), network.decode1.bias.repeat(BLOCK * BLOCK))
        self.beyond = nn.ModuleDict(edge_phases(network.decode1.weight.shape[1]))
        for blocks in (self.blocks, self.late_blocks):
            for convolution in blocks.modules():
                if isinstance(convolution, nn.Conv2d):
                    keep_gain(convolution)
        keep_gain(self.encode8)
        for up in (self.decode4, self.decode2):  # all phases of a channel have the same
            keep_gain(up, constant_gain(up)[::PHASES])
        self.norm_encode4, self.norm_encode8 = network.norm_encode4, network.norm_encode8
        self.norm_decode4, self.norm_decode2 = network.norm_decode4, network.norm_decode2

    def forward(self, blocks: Tensor, state: Tensor, rate: Tensor, code: Tensor | None = None) -> tuple[Tensor, Tensor]:
        statistics = PhaseStatistics(state, rate, code if self.coded else self.own)
        x = blocks.float()
        x = torch.cat((x[:, :1], x, x[:, -1:]), 1)  # padded as it lies: OpenVINO then needs no other layout
        x = torch.cat((x[:, :, :1], x, x[:, :, -1:]), 2)
        y = Feature(self.encode4(x.permute(0, 3, 1, 2)))
        skip = rectified(statistics, self.norm_encode4, y)  # (E, quarter, H/4, W/4)
        y = rectified(statistics, self.norm_encode8, convolved(self.encode8, skip))  # (E, eighth, H/8, W/8)
        for block in self.blocks:
            y = block(y, statistics)
        y = convolved(self.decode4, y)  # (E, 4 * quarter, H/8, W/8)
        y = rectified(Shuffled(statistics), self.norm_decode4, y, skip)  # (E, quarter, H/4, W/4)
        for block in self.late_blocks:
            y = block(y, statistics)
        y = convolved(self.decode2, y)  # (E, 4 * half, H/4, W/4)
        x = F.relu(normalized(statistics, self.norm_decode2, y))
        x = torch.sigmoid(self.decode1(self._grown(x)))  # (E, 48, H/4, W/4)
        painted = (x * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return painted.contiguous(), statistics.new_state()

    def in_eight_bits(self) -> BlockForm:
        """A copy whose convolutions are `EightBits`. Raises ValueError where codes are inputs: then features differ."""
        if self.coded:
            raise ValueError("a network that takes codes has no 8-bit form")
        form = copy.deepcopy(self)
        form.encode4 = first = _in_eight_bits(form.encode4)
        form.encode8 = _in_eight_bits(form.encode8)
        for block in (*form.blocks, *form.late_blocks):
            assert isinstance(block, ResidualBlock)
            for name in ("conv1", "conv2"):
                setattr(block, name, _in_eight_bits(getattr(block, name)))
        form.decode4 = _in_eight_bits(form.decode4, lambda outputs: outputs // PHASES)
        form.decode2 = _in_eight_bits(form.decode2, lambda outputs: outputs // PHASES)
        form.decode1 = _in_eight_bits(form.decode1, lambda outputs: outputs % COLOURS, inputs_alike=PHASES)
        state = torch.zeros(2, form.channels)
        with torch.no_grad():
            for picture in (dead_leaves(*SEEN) * 255).round().byte().permute(0, 2, 3, 1).numpy():
                form(torch.from_numpy(pack(picture[None])), state, torch.ones(1))
        first.settle(lowest=0, step=1)  # it reads bytes
        for convolution in form.modules():
            if isinstance(convolution, EightBits) and convolution is not first:
                convolution.settle()
        return form

    def _grown(self, x: Tensor) -> Tensor:
        """One more block on each side. The outermost half-size pixel goes on, so its phase fills both places."""
        beyond = self.beyond
        x = torch.cat((beyond["left"](x[..., :1]), x, beyond["right"](x[..., -1:])), 3)
        return torch.cat((beyond["top"](x[:, :, :1]), x, beyond["bottom"](x[:, :, -1:])), 2)


class PhaseStatistics:
    """`layers.SmoothedStatistics` that also takes a feature whose phases are still channels."""

    def __init__(self, state: Tensor, rate: Tensor, code: Tensor | None = None) -> None:
        self._state, self._rate = state, rate
        self.code = Affine(code)
        self._position = 0
        self._means: list[Tensor] = []
        self._variances: list[Tensor] = []

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        channels, phases = norm.channels, x.shape[1] // norm.channels
        here = slice(self._position, self._position + channels)
        self._position += channels
        mean, variance = channel_statistics(x)
        if phases > 1:  # (4 C,) to (C,): variance within the phases and between them
            means = mean.reshape(channels, phases)
            mean = means.mean(1)
            spread = means - mean[:, None]
            variance = (variance.reshape(channels, phases) + spread * spread).mean(1)
        mean = (1 - self._rate) * self._state[0, here] + self._rate * mean  # exact at rates 0 and 1
        variance = (1 - self._rate) * self._state[1, here] + self._rate * variance
        self._means.append(mean)
        self._variances.append(variance)
        weight, bias = norm.affine(given or self.code(norm), mean, variance)
        scale = weight * torch.rsqrt(variance + EPSILON)
        shift = bias - mean * scale
        if phases > 1:
            scale, shift = (v[:, None].expand(-1, phases).reshape(-1) for v in (scale, shift))
        return x * scale[None, :, None, None] + shift[None, :, None, None]

    def new_state(self) -> Tensor:
        return torch.stack((torch.cat(self._means), torch.cat(self._variances)))


class Shuffled:
    """A normalizer that puts the phases of what it normalises into their places."""

    def __init__(self, normalize: Normalizer) -> None:
        self._normalize, self.code = normalize, normalize.code

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        return F.pixel_shuffle(self._normalize(norm, x, given), 2)


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) fp32 of each channel; when tracing, in the form that OpenVINO runs fastest.

    There it is the difference of mean square and squared mean, which is good enough for features kept near zero.
    """
    if not torch.jit.is_tracing():
        return batch_statistics(x)
    count = x.shape[0] * x.shape[2] * x.shape[3]
    mean = x.mean((0, 2, 3))
    norm = torch.linalg.vector_norm(x, 2, (0, 2, 3))
    return mean, (norm * norm / count - mean * mean).clamp(min=0)


def fold_again(last: UpsampleConv) -> Tensor:
    """The last upsampling convolution as one on blocks: (48, 4 * inputs, 3, 3).

    Reads 2x2 phases of half size as channels (input, row, column), writes 4x4 pixels as channels
    (row, column, colour). Only for a folded kernel that reaches two half-size pixels, as 5x5 does.
    """
    if last.radius > 2:
        raise ValueError("a kernel of this size reaches beyond the neighbouring blocks")
    folded = last.folded_weight()
    taps, inputs = folded.shape[-1], folded.shape[1]
    folded = folded.reshape(last.outputs, 2, 2, inputs, taps, taps)
    weight = folded.new_zeros(4, 4, last.outputs, inputs, 2, 2, 3, 3)
    for a in range(2):  # half-size position inside the block of the output ...
        for b in range(2):
            for i in range(taps):
                for j in range(taps):
                    y, x = a + i - last.radius, b + j - last.radius  # ... and of the input that this tap reads
                    to = weight[2 * a : 2 * a + 2, 2 * b : 2 * b + 2, :, :, y % 2, x % 2, y // 2 + 1, x // 2 + 1]
                    to += folded[..., i, j].permute(1, 2, 0, 3)
    return weight.reshape(16 * last.outputs, 4 * inputs, 3, 3)


def edge_phases(inputs: int) -> dict[str, nn.Module]:
    """For each side, what makes the block beyond an edge block: a choice among its phase channels (input, row, column).

    Written as convolutions, exact, since weights are 0 and 1: a gather would have OpenVINO turn the whole feature to
    another layout and back, a tenth of the frame's time.
    """
    first = 4 * torch.arange(inputs)[:, None]
    orders = {"left": (0, 0, 2, 2), "right": (1, 1, 3, 3), "top": (0, 1, 0, 1), "bottom": (2, 3, 2, 3)}
    chosen = {side: (first + torch.tensor(order)).reshape(-1) for side, order in orders.items()}
    return {
        side: _conv(F.one_hot(order, 4 * inputs).float()[:, :, None, None], torch.zeros(4 * inputs))
        for side, order in chosen.items()
    }


def _in_eight_bits(
    convolution: nn.Module, channel_of: Callable[[Tensor], Tensor] | None = None, inputs_alike: int = 1
) -> EightBits:
    """``channel_of``: from the numbers of outputs to those of the channels whose phases they are."""
    assert isinstance(convolution, nn.Conv2d)
    alike = None if channel_of is None else channel_of(torch.arange(len(convolution.weight)))
    return EightBits(convolution, inputs_alike, alike)


def _phases(up: UpsampleConv) -> nn.Conv2d:
    return _conv(up.folded_weight(), up.bias.repeat_interleave(4), up.radius)


def _conv(weight: Tensor, bias: Tensor, padding: int = 0) -> nn.Conv2d:
    """A convolution that pads by repetition."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=padding, padding_mode="replicate")
    conv.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    conv.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv
