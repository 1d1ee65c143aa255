"""torch as the engine: on the CPU in bf16 or fp32, on CUDA in fp16 as a replayed graph.

Binarised networks run here too, whatever executes the others: their layers call the kernels of `xnor` (Numba on the
CPU, CUDA on a GPU, where they are captured with the rest).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch

from artem_vr.errors import EngineError
from artem_vr.hardware import cpu_has_bf16, cuda_trouble
from artem_vr.installing import pip_install
from artem_vr.stylize.engines.base import (
    BINARY,
    Code,
    NetworkOrLoader,
    Painter,
    Pictures,
    State,
    check_inputs,
    initial_state,
    pad_pictures,
    padded,
)
from artem_vr.stylize.engines.graph import PictureGraph, loaded

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchCpuPainter:
    """Eager torch on the CPU."""

    def __init__(self, graph: PictureGraph, eyes: int, height: int, width: int) -> None:
        self.eyes, self.height, self.width = eyes, height, width
        self.channels, self.coded = graph.channels, graph.coded
        self._graph: PictureGraph | None = graph
        self._padded = padded(height, graph.multiple), padded(width, graph.multiple)

    def paint(self, pictures: Pictures, state: State, rate: float, code: Code | None = None) -> tuple[Pictures, State]:
        check_inputs(self, pictures, code)
        if self._graph is None:
            raise ValueError("the painter was closed")
        batch = torch.from_numpy(pad_pictures(pictures, *self._padded))
        with torch.inference_mode():
            given = None if code is None else torch.from_numpy(code)
            painted, new_state = self._graph(batch, torch.from_numpy(state), torch.tensor([rate]), given)
        return np.ascontiguousarray(painted.numpy()[:, : self.height, : self.width]), new_state.numpy()

    def close(self) -> None:
        self._graph = None


@functools.cache
def _streams() -> tuple[torch.cuda.Stream, torch.cuda.Stream]:
    """Two streams of the lowest priority, since drawing goes first: one for all painting, one for all preparing.

    Not one for each painter: torch has 32 and hands them out in turn, so that a later painter's capture would be on
    the very stream that an older one paints on.
    """
    return torch.cuda.Stream(priority=0), torch.cuda.Stream(priority=0)


def painting_stream() -> torch.cuda.Stream:
    """The stream that all painting is on; for what goes on with painted pictures."""
    return _streams()[0]


class TorchCudaPainter:
    """fp16 on CUDA: the whole pass is captured once and replayed; inputs are copied in place.

    `paint` returns numpy pictures; where ``on_device``, which it asks first, says so, a (E, H, W, 4) RGBA uint8 CUDA
    tensor, complete when `paint` returns, for drawing without a way through the CPU.

    One painter may be made while other threads paint, draw and allocate on the same device.
    """

    def __init__(
        self,
        graph: PictureGraph,
        eyes: int,
        height: int,
        width: int,
        on_device: Callable[[], bool] = lambda: False,
    ) -> None:
        self.eyes, self.height, self.width = eyes, height, width
        self.channels, self.coded = graph.channels, graph.coded
        self._on_device = on_device
        self._padded = padded(height, graph.multiple), padded(width, graph.multiple)
        self._module = graph.cuda()
        self._stream, preparing = _streams()
        shape = (eyes, *self._padded, 3)
        self._staging = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._pictures = torch.zeros(shape, dtype=torch.uint8, device="cuda")
        self._state = torch.from_numpy(initial_state(self.channels)).cuda()
        self._rate = torch.ones(1, device="cuda")
        self._code = torch.zeros(2, self.channels, device="cuda") if self.coded else None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._capture(preparing)

    def _capture(self, stream: torch.cuda.Stream) -> None:
        inputs = self._pictures, self._state, self._rate, self._code
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(3):  # the libraries choose their kernels before the capture
                self._module(*inputs)
            stream.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            # By default a capture forbids all threads what is forbidden to this one (cudaMalloc, for instance): a
            # painting that needs memory meanwhile would fail, and spoil the capture.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._painted, self._new_state = self._module(*inputs)

    def paint(
        self, pictures: Pictures, state: State, rate: float, code: Code | None = None
    ) -> tuple[Pictures | torch.Tensor, State]:
        check_inputs(self, pictures, code)
        if self._graph is None:
            raise ValueError("the painter was closed")
        on_device = self._on_device()
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            self._staging.copy_(torch.from_numpy(pad_pictures(pictures, *self._padded)))
            self._pictures.copy_(self._staging, non_blocking=True)
            self._state.copy_(torch.from_numpy(state), non_blocking=True)
            self._rate.fill_(rate)
            if self._code is not None and code is not None:
                self._code.copy_(torch.from_numpy(code), non_blocking=True)
            self._graph.replay()
            new_state = self._new_state.cpu().numpy()
            painted = self._painted[:, : self.height, : self.width]
            result: Pictures | torch.Tensor
            if on_device:
                result = torch.nn.functional.pad(painted, (0, 1), value=255)
            else:
                result = painted.cpu().numpy()
            self._stream.synchronize()
        return result, new_state

    def close(self) -> None:
        self._graph = None


class TorchEngine:
    """``device`` "cpu" or "cuda"; ``precision`` "auto", "fp32", "bf16", (CUDA) "fp16", or "xnor".

    "xnor" paints binarised networks only, with their real-valued layers in fp32, on CUDA in fp16.
    """

    name = "torch"

    def __init__(
        self,
        device: str = "cpu",
        precision: str = "auto",
        on_device: Callable[[], bool] = lambda: False,
        channels_last: bool | None = None,
    ) -> None:
        """``on_device``: as of `TorchCudaPainter`. ``channels_last``: memory layout of features, None for the one that
        is usually faster.

        Raises `EngineError` when the device or precision is not there.
        """
        if device == "cuda" and (trouble := cuda_trouble()):
            remedy = "Install the GPU's driver and a torch built for CUDA and this card, or take --device cpu"
            raise EngineError(trouble, remedy)
        if device == "cuda" and precision == "xnor":
            from xnor.cuda import available

            if not available():
                remedy = f"Install a compiler for them: {pip_install('gpu')}, update the driver, or take --device cpu"
                raise EngineError("Kernels for networks of bits do not run on the GPU here", remedy)
        if precision == "auto":
            precision = "fp16" if device == "cuda" else "bf16" if cpu_has_bf16() else "fp32"
        dtypes = _DTYPES | {"xnor": torch.float16 if device == "cuda" else torch.float32}
        if precision not in dtypes or (device == "cpu" and precision == "fp16"):
            raise EngineError(f"torch on the {device} does not paint in {precision}", "Take --precision auto")
        self.device, self.precision, self.on_device = device, precision, on_device
        self._dtype, self._channels_last = dtypes[precision], channels_last is not False
        self.pixels_per_second = 1.5e9 if device == "cuda" else 10e6 if precision == "xnor" else 15e6

    def prepare(self, style_key: str, network: NetworkOrLoader, eyes: int, height: int, width: int) -> Painter:
        network = loaded(network)
        if self.precision == "xnor" and getattr(network, "architecture", "") != BINARY:
            raise EngineError("This style has no bits to paint with", "Take --precision auto, or a binarised style")
        graph = PictureGraph(network, self._dtype, self._channels_last)
        if self.device == "cuda":
            return TorchCudaPainter(graph, eyes, height, width, self.on_device)
        painter = TorchCpuPainter(graph, eyes, height, width)
        state = initial_state(graph.channels)
        code = state if graph.coded else None  # any code does: this only warms up
        painter.paint(np.zeros((eyes, height, width, 3), np.uint8), state, 1.0, code)
        return painter
