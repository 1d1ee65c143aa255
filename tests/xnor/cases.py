"""Convolutions that the tests of every back end go through."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import xnor
from xnor import reference

CHANNELS = (1, 3, 31, 32, 33, 63, 64, 65, 128)  # around the ends of words


class Case(NamedTuple):
    batch: int = 1
    channels: int = 3
    height: int = 7
    width: int = 9
    outputs: int = 5
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    padding_value: int = 0
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def options(self) -> dict[str, Any]:
        return {
            "stride": self.stride, "padding": self.padding, "padding_value": self.padding_value,
            "dilation": self.dilation, "groups": self.groups,
        }  # fmt: skip

    def arrays(self, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pictures and filters, with a few zeros of both signs among the pictures."""
        random = np.random.default_rng(seed)
        x = random.standard_normal((self.batch, self.channels, self.height, self.width), dtype=np.float32)
        x[..., ::4] = 0.0
        x[..., 1::5] = -0.0
        w = random.standard_normal((self.outputs, self.channels // self.groups, *self.kernel), dtype=np.float32)
        return x, w

    def expected(self, seed: int = 0) -> NDArray[np.int32]:
        return reference.conv2d(*self.arrays(seed), **self.options)


SHAPES = (
    Case(kernel=(1, 1)),
    Case(kernel=(4, 4), padding=(1, 1)),
    Case(height=1, width=1, kernel=(1, 1), channels=65),
    Case(height=5, width=4, kernel=(5, 4)),
    Case(height=3, width=3, kernel=(5, 5), padding=(1, 1)),
    Case(kernel=(2, 5), stride=(2, 3), padding=(1, 2)),
    Case(kernel=(3, 2), dilation=(2, 3), padding=(2, 1), padding_value=1),
    Case(batch=3, channels=6, outputs=9, groups=3, padding=(1, 1), padding_value=-1),
    Case(channels=4, outputs=4, groups=4, padding=(1, 1)),  # depthwise
    Case(channels=130, outputs=34, groups=2, padding=(2, 0), stride=(1, 2)),
    Case(channels=66, outputs=70, kernel=(3, 3), padding=(3, 3), padding_value=1, groups=2),
    Case(batch=2, height=13, width=21, channels=64, outputs=17, padding=(1, 1)),
    Case(height=9, width=30, channels=16, kernel=(4, 4), padding=(1, 1)),  # a line of the window fills a word
    Case(height=8, width=40, channels=10, outputs=6, kernel=(3, 5), stride=(2, 1), padding=(0, 2), groups=2),
    Case(height=30, width=25, channels=3, kernel=(4, 4)),  # windows of one line follow each other over tiles
)


def check_results_are_tensors(backend: Any) -> None:
    """Where one of the operands is a tensor, so is what comes of them."""
    case = Case(height=3, width=3, kernel=(2, 2), outputs=2)
    x, w = case.arrays()
    a, b = x[0, 0], x[0, 1]
    for kinds in ((torch.from_numpy, np.asarray), (np.asarray, torch.from_numpy)):
        result = xnor.conv2d(kinds[0](x), kinds[1](w), backend=backend)
        assert isinstance(result, torch.Tensor) and (result.numpy() == case.expected()).all()
        result = xnor.gemm(kinds[0](a), kinds[1](b), backend=backend)
        assert isinstance(result, torch.Tensor) and (result.numpy() == reference.gemm(a, b)).all()
