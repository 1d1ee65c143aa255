"""What every engine does, whatever executes the network. Imports nothing heavy.

A picture pair is one batch; a mono frame is a batch of one. Pictures go in and come out as
uint8 RGB, NHWC; the statistics' state and rate (see `networks.layers.SmoothedStatistics`) are
inputs and the new state an output, so an engine keeps nothing from frame to frame. A network that
paints like any painting also takes a style code (`networks.layers.Affine`), new with each frame if need be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Union

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import nn

Pictures = npt.NDArray[np.uint8]
"""(E, H, W, 3) uint8 RGB, top row first."""
State = npt.NDArray[np.float32]
"""(2, C) fp32: running means, running variances."""
Code = npt.NDArray[np.float32]
"""(2, C) fp32: the deviations, then the means, that the norms give."""
NetworkOrLoader = Union["nn.Module", Callable[[], "nn.Module"]]
"""A network (fp32, eval), or what loads it: not called where a cache makes it unnecessary. Either may name its kind as
``architecture``."""

BINARY = "binary"
"""``architecture`` of the networks that only torch with the kernels of `xnor` executes."""
EIGHT_BITS = "fast"
"""``architecture`` of the networks that an engine of precision "int8" executes, and no others."""


BLOCK = 4
"""Edge of the pixel blocks that `pack` makes."""


class Painter(Protocol):
    """One network at one size, ready to run."""

    eyes: int
    height: int
    width: int
    channels: int
    """Width C of the state."""
    coded: bool
    """Whether ``paint`` wants a code."""

    def paint(self, pictures: Pictures, state: State, rate: float, code: Code | None = None) -> tuple[Any, State]:
        """The painted pictures, same shape and type in memory of their own, and the new state.

        Raises ValueError for a wrong shape, and where a code is missing or not wanted. Called by one thread at a time.
        """
        ...

    def close(self) -> None:
        """Give the memory back; the painter is of no use afterwards. May be called twice."""
        ...


class Engine(Protocol):
    """Executes networks. ``prepare`` may run in another thread than painting."""

    name: str
    """"openvino" or "torch"."""
    precision: str
    """What really runs: "fp32", "bf16", "fp16", "int8" or "xnor"."""
    device: str
    """"cpu" or "cuda"."""
    pixels_per_second: float
    """Rough speed of the fast network, to choose a first working size."""

    def prepare(self, style_key: str, network: NetworkOrLoader, eyes: int, height: int, width: int) -> Painter:
        """Make ``network`` ready for that shape. ``style_key`` names its weights (their sha256)."""
        ...


def initial_state(channels: int) -> State:
    """A state for the first frame, which is painted with rate 1 and so does not see it."""
    state = np.zeros((2, channels), np.float32)
    state[1] = 1
    return state


def padded(size: int, multiple: int) -> int:
    return size + -size % multiple


def pad_pictures(pictures: Pictures, height: int, width: int) -> Pictures:
    """Grown at the right and bottom by repetition, as `layers.pad_to_multiple` would; C-contiguous."""
    _, h, w, _ = pictures.shape
    if (h, w) == (height, width):
        return np.ascontiguousarray(pictures)
    return np.pad(pictures, ((0, 0), (0, height - h), (0, width - w), (0, 0)), mode="edge")


_RUN = np.dtype((np.void, 3 * BLOCK))  # a block's row of pixels, moved as one thing: nearly twice as fast as as bytes


def pack(pictures: Pictures) -> Pictures:
    """(E, H, W, 3) to blocks (E, H/4, W/4, 48), channels ordered row, column, colour; H and W in whole blocks."""
    e, h, w, _ = pictures.shape
    runs = np.ascontiguousarray(pictures).reshape(e, h, -1).view(_RUN).reshape(e, h // BLOCK, BLOCK, w // BLOCK)
    return np.ascontiguousarray(runs.transpose(0, 1, 3, 2)).view(np.uint8)


def unpack(blocks: Pictures) -> Pictures:
    """The inverse of `pack`, in memory of its own."""
    e, h, w, _ = blocks.shape
    runs = np.ascontiguousarray(blocks).view(_RUN)  # (E, H/4, W/4, 4)
    return runs.transpose(0, 1, 3, 2).copy().view(np.uint8).reshape(e, h * BLOCK, w * BLOCK, 3)


def check_inputs(painter: Painter, pictures: Pictures, code: Code | None) -> None:
    """Raises ValueError for what `Painter.paint` does not take."""
    wanted = (painter.eyes, painter.height, painter.width, 3)
    if pictures.shape != wanted or pictures.dtype != np.uint8:
        raise ValueError(f"pictures are {pictures.shape} {pictures.dtype}, and not {wanted} uint8")
    shape = None if code is None else code.shape
    if shape != ((2, painter.channels) if painter.coded else None):
        wants = f"codes of {painter.channels} channels" if painter.coded else "no code"
        raise ValueError(f"the painter takes {wants}, and not one of shape {shape}")
