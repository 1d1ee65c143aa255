"""Convolutions on numbers of 8 bits: twice the products a cycle that bf16 has, four times those of fp32.

A feature becomes one of 256 levels, a weight one of 127. In torch this is the definition (`EightBits` rounds, and
computes in fp32); OpenVINO finds the same rounding in the graph and computes in integers.

The arithmetic of Jacob et al. 2018 ("Quantization and training of neural networks for efficient
integer-arithmetic-only inference"), with the steps of input channels put into the weights. One thing is added, for the
sake of phases: an upsampling that is folded into a convolution (`layers.UpsampleConv`) yields pixels side by side as
channels. Weights that are rounded each by itself make the same constant a little brighter in one phase than in the
next, which is a lattice. So they are rounded in a way that keeps their sums.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 255
"""Of a feature, from 0 up."""
WEIGHT_LEVELS = 63
"""Of a weight, to either side of 0. With 127 pictures come 4 dB nearer to fp32, but a processor without products of
8 bits (VNNI) adds two of them in 16 bits: 2 x 255 x 63 is what fits."""
MARGIN = 1.3
"""What the largest numbers seen are multiplied with: other pictures have larger ones."""


class EightBits(nn.Module):
    """A convolution whose inputs and weights are rounded to 8 bits; sums, bias and result are not.

    It only looks on until `settle` is called. The convolution must pad by repetition or not at all: then a constant
    stays one, and the lowest level of each channel can be put into the bias.
    """

    lowest: Tensor
    step: Tensor
    weight_step: Tensor

    def __init__(self, convolution: nn.Conv2d, inputs_alike: int = 1, outputs_alike: Tensor | None = None) -> None:
        """``inputs_alike``: so many inputs in a row are phases of one channel. ``outputs_alike`` (outputs,) int64: the
        channels, counted from 0, whose phases the outputs are; None: each is one of its own."""
        super().__init__()
        self.convolution = convolution
        self.settled = False
        self._inputs_alike, self._outputs_alike = inputs_alike, outputs_alike
        outputs, inputs = convolution.weight.shape[:2]
        self.register_buffer("lowest", torch.zeros(inputs), persistent=False)
        self.register_buffer("step", torch.zeros(inputs), persistent=False)
        self.register_buffer("weight_step", torch.zeros(outputs), persistent=False)
        self._highest = torch.zeros(inputs)
        gain = getattr(convolution, "kept_gain", None)
        if gain is not None:
            self.register_buffer("kept_gain", gain, persistent=False)

    @property
    def weight(self) -> Tensor:
        return self.convolution.weight

    @torch.no_grad()
    def settle(self, lowest: float | None = None, step: float | None = None) -> None:
        """Puts up the levels: those given, or what was seen so far, and some more; and rounds the weights."""
        if lowest is None or step is None:
            low = self.lowest.reshape(-1, self._inputs_alike).amin(1)
            high = self._highest.reshape(-1, self._inputs_alike).amax(1)
            self.lowest = (MARGIN * low).repeat_interleave(self._inputs_alike)
            self.step = (MARGIN * (high - low) / LEVELS).clamp_min(1e-6).repeat_interleave(self._inputs_alike)
        else:
            self.lowest, self.step = torch.full_like(self.lowest, lowest), torch.full_like(self.step, step)
        convolution = self.convolution
        outputs, inputs = convolution.weight.shape[:2]
        weight = convolution.weight * self.step[:, None, None]
        largest = weight.abs().amax((1, 2, 3))
        alike = torch.arange(outputs) if self._outputs_alike is None else self._outputs_alike
        largest = torch.zeros_like(largest).scatter_reduce(0, alike, largest, "amax")[alike]
        self.weight_step = (largest / (WEIGHT_LEVELS - 1)).clamp_min(1e-12)  # one level is left to keep sums with
        whole = weight / self.weight_step[:, None, None, None]
        whole = rounded_together(whole.reshape(outputs, inputs // self._inputs_alike, -1), alike).reshape_as(weight)
        weight = whole * self.weight_step[:, None, None, None]
        assert convolution.bias is not None
        convolution.bias += torch.einsum("oiyx,i->o", weight, self.lowest / self.step)
        convolution.weight.copy_(weight)
        self.settled = True

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to what the convolution makes of it."""
        if not self.settled:
            self._highest = torch.maximum(self._highest, x.amax((0, 2, 3)))
            self.lowest = torch.minimum(self.lowest, x.amin((0, 2, 3)))
            return self.convolution(x)
        x = (x - self.lowest[None, :, None, None]) * (1 / self.step)[None, :, None, None]
        x = torch.fake_quantize_per_tensor_affine(x, 1.0, 0, 0, LEVELS)
        zero = torch.zeros_like(self.weight_step, dtype=torch.int32)
        # nothing is left to round: it tells OpenVINO of the levels, which only knows 127 of them
        weight = torch.fake_quantize_per_channel_affine(self.convolution.weight, self.weight_step, zero, 0, -127, 127)
        return self.convolution._conv_forward(x, weight, self.convolution.bias)


def rounded_together(x: Tensor, alike: Tensor) -> Tensor:
    """(outputs, groups, n) in whole numbers, up or down, so that each sum over n is rounded, too: no errors gather.

    ``alike`` (outputs,): channels. Outputs of one channel must have the same sums, and have them still.
    """
    sums = x.double().sum(2)
    count = torch.bincount(alike).to(sums)[:, None]
    wanted = (torch.zeros(len(count), sums.shape[1]).to(sums).index_add(0, alike, sums) / count).round()[alike]
    down = x.floor()
    up = (wanted - down.double().sum(2)).long().clamp(0, x.shape[2])  # so many are rounded up: those that are nearest
    place = (x - down).argsort(dim=2, descending=True).argsort(dim=2)
    return down + (place < up[..., None])
