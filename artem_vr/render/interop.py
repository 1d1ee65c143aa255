"""CUDA pictures into OpenGL textures, without a way through the host's memory.

Needs `cuda.bindings` (the extra ``gpu``) and an OpenGL context on the same GPU. Where it cannot
work, `CudaTexture` raises `InteropError` with the reason; `texture.StreamTexture` goes through
pixel buffer objects then, and `CudaPictures` wants no more pictures that lie on the GPU.
"""

from __future__ import annotations

import importlib
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.render import gl


class InteropError(Exception):
    """CUDA and OpenGL cannot share a texture here. ``str()`` is the reason, in a few words."""


def is_cuda(picture: object) -> bool:
    """Whether ``picture`` lies in a GPU's memory (a torch CUDA tensor, say)."""
    if getattr(picture, "is_cuda", None) is False:
        return False  # a torch CPU tensor has the interface's name, and raises when it is read
    return hasattr(picture, "__cuda_array_interface__")


def to_host(picture: Any) -> npt.NDArray[np.uint8]:
    """The CUDA tensor ``picture`` in the host's memory, same shape."""
    return np.asarray(picture.cpu())


def unavailable() -> str | None:
    """Why CUDA cannot share textures with OpenGL here ("unavailable: ..."), or None where it may.

    None is a promise of the library and a device only: registering a texture can still fail, when
    the OpenGL context is on another device.
    """
    try:
        runtime = _runtime()
        (count,) = _checked("cudaGetDeviceCount", runtime.cudaGetDeviceCount())
    except InteropError as error:
        return f"unavailable: {error}"
    return None if count else "unavailable: there is no CUDA device"


def _runtime() -> Any:
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except (ImportError, OSError, RuntimeError) as error:
        raise InteropError("cuda-bindings is not installed or finds no CUDA library") from error


def _checked(call: str, answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a runtime call's answer; raises InteropError where its error is not success."""
    error, *values = answer
    if int(error):
        raise InteropError(f"{call} failed: {getattr(error, 'name', error)}")
    return tuple(values)


class CudaPictures:
    """Paintings in a GPU's memory, on their way into textures and back to where they came from.

    Two threads meet here. The one that draws copies paintings into textures and frees none of them: torch's allocator
    may be locked for as long as a network is made ready elsewhere. It keeps each until the copies are done. The one
    that paints asks `wanted` before each painting, and lets go of them there.
    """

    def __init__(self) -> None:
        self.failure = ""
        """Why paintings come through the host's memory, which holds from the first failure on; empty while they do not.

        Whoever paints brings them there: done by the thread that draws, it would hold up each frame.
        """
        self._runtime: Any = None
        self._stream: Any = None
        self._kept: deque[tuple[Any, list[object]]] = deque()  # an event behind their copies, pictures
        self._drawn: deque[list[object]] = deque()  # for the thread that paints

    def wanted(self) -> bool:
        """Whether the next painting shall stay on the GPU. Called by the thread that paints."""
        while self._drawn:
            self._drawn.popleft().clear()  # the other thread may still be holding the list
        return not self.failure

    def texture(self, texture: int, width: int, height: int) -> CudaTexture:
        """A texture of OpenGL's for copies of pictures; see `CudaTexture`. Raises `InteropError`."""
        if self._stream is None:
            self._runtime = runtime = _runtime()
            # A stream of its own, before all others: on the default stream a copy would wait behind the network.
            _least, highest = _checked("cudaDeviceGetStreamPriorityRange", runtime.cudaDeviceGetStreamPriorityRange())
            (self._stream,) = _checked(
                "cudaStreamCreateWithPriority",
                runtime.cudaStreamCreateWithPriority(int(runtime.cudaStreamNonBlocking), int(highest)),
            )
        return CudaTexture(self._runtime, self._stream, texture, width, height)

    def keep(self, *pictures: object) -> None:
        """Hold what of ``pictures`` is on a GPU until all copies that were begun are done, and hand on what is done.

        Called by the thread that draws, which has no reference to them left when it comes here again. Never raises.
        """
        while self._kept and self._is_done(self._kept[0][0]):
            self._drawn.append(self._kept.popleft()[1])
        on_device = [picture for picture in pictures if is_cuda(picture)]
        if on_device:
            self._kept.append((self._mark(), on_device))

    def _mark(self) -> Any:
        """An event behind all copies that were begun. None: there are none."""
        if self._stream is None:
            return None
        runtime = self._runtime
        try:
            (event,) = _checked(
                "cudaEventCreateWithFlags", runtime.cudaEventCreateWithFlags(int(runtime.cudaEventDisableTiming))
            )
            _checked("cudaEventRecord", runtime.cudaEventRecord(event, self._stream))
        except InteropError as error:  # where CUDA cannot even do that, it copies nothing more either
            self.failure = str(error)
            return None
        return event

    def _is_done(self, event: Any) -> bool:
        if event is None:
            return True
        (error,) = self._runtime.cudaEventQuery(event)
        if int(error) == int(self._runtime.cudaError_t.cudaErrorNotReady):
            self._runtime.cudaGetLastError()  # no failure, but remembered as one: torch would report it
            return False
        self._runtime.cudaEventDestroy(event)
        return True

    def release(self) -> None:
        """Give back what CUDA made for us, once the textures are released: nobody reads their copies then."""
        while self._kept:
            event, pictures = self._kept.popleft()
            if event is not None:
                self._runtime.cudaEventDestroy(event)
            self._drawn.append(pictures)
        if self._stream is not None:
            self._runtime.cudaStreamDestroy(self._stream)
            self._stream = None


class CudaTexture:
    """An RGBA8 texture registered with CUDA.

    Made by `CudaPictures.texture` once the texture has its size, in the thread and context that draw. `release` it
    before the texture is re-specified or deleted, and before the context ends.
    """

    def __init__(self, runtime: Any, stream: Any, texture: int, width: int, height: int) -> None:
        """Raises `InteropError`: CUDA refuses the texture."""
        self._runtime, self._stream = runtime, stream
        self._size = (width, height)
        (self._resource,) = _checked(
            "cudaGraphicsGLRegisterImage",
            runtime.cudaGraphicsGLRegisterImage(
                texture, int(gl.GL_TEXTURE_2D), runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
            ),
        )

    def update(self, picture: Any) -> None:
        """Copy ``picture``, a CUDA array (H, W, 4) uint8 of the texture's size, rows top first.

        The picture must be finished when it is handed over (its stream waited for). The copy runs on after this
        call: whoever calls has `CudaPictures.keep` hold the picture's memory, which nobody may write to meanwhile.

        Raises:
            InteropError: a CUDA call failed.
            ValueError: the shape, dtype or layout is another.
        """
        width, height = self._size
        described = picture.__cuda_array_interface__
        strides = described.get("strides") or (width * 4, 4, 1)
        if tuple(described["shape"]) != (height, width, 4) or described["typestr"] != "|u1" or strides[1:] != (4, 1):
            raise ValueError(f"expected uint8 ({height}, {width}, 4) with dense rows, got {described['shape']}")
        runtime, stream = self._runtime, self._stream
        _checked("cudaGraphicsMapResources", runtime.cudaGraphicsMapResources(1, self._resource, stream))
        try:
            (array,) = _checked(
                "cudaGraphicsSubResourceGetMappedArray",
                runtime.cudaGraphicsSubResourceGetMappedArray(self._resource, 0, 0),
            )
            kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            _checked(
                "cudaMemcpy2DToArrayAsync",
                runtime.cudaMemcpy2DToArrayAsync(
                    array, 0, 0, described["data"][0], strides[0], width * 4, height, kind, stream
                ),
            )
        finally:
            _checked("cudaGraphicsUnmapResources", runtime.cudaGraphicsUnmapResources(1, self._resource, stream))

    def release(self) -> None:
        """Unregister the texture; it stays usable in OpenGL. Never raises: the context may be gone."""
        if self._resource is not None:
            self._runtime.cudaGraphicsUnregisterResource(self._resource)
            self._resource = None
