"""CUDA pictures into OpenGL textures, without a way through the host's memory.

Needs `cuda.bindings` (the extra ``gpu``) and an OpenGL context on the same GPU. Where it cannot
work, `CudaTexture` raises `InteropError` with the reason and `texture.StreamTexture` goes through
pixel buffer objects instead.
"""

from __future__ import annotations

import importlib
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


class CudaTexture:
    """An RGBA8 texture registered with CUDA.

    Made once the texture has its size, in the thread and context that draw. `release` it before
    the texture is re-specified or deleted, and before the context ends.

    Raises:
        InteropError: CUDA is not there, or refuses the texture.
    """

    def __init__(self, texture: int, width: int, height: int) -> None:
        self._runtime = runtime = _runtime()
        self._size = (width, height)
        self._in_flight: object = None
        self._resource: Any = None
        # A stream of its own, before all others: on the default stream a copy would wait behind the network.
        _least, highest = _checked("cudaDeviceGetStreamPriorityRange", runtime.cudaDeviceGetStreamPriorityRange())
        (self._stream,) = _checked(
            "cudaStreamCreateWithPriority",
            runtime.cudaStreamCreateWithPriority(int(runtime.cudaStreamNonBlocking), int(highest)),
        )
        try:
            self._register(texture)
        except InteropError:
            self.release()
            raise

    def _register(self, texture: int) -> None:
        runtime = self._runtime
        (self._resource,) = _checked(
            "cudaGraphicsGLRegisterImage",
            runtime.cudaGraphicsGLRegisterImage(
                texture, int(gl.GL_TEXTURE_2D), runtime.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsWriteDiscard
            ),
        )

    def update(self, picture: Any) -> None:
        """Copy ``picture``, a CUDA array (H, W, 4) uint8 of the texture's size, rows top first.

        The picture must be finished when it is handed over (its stream waited for), and nobody may
        write to it until the next update.

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
            self._in_flight = picture  # the copy runs on after this call: keep its memory until the next
        finally:
            _checked("cudaGraphicsUnmapResources", runtime.cudaGraphicsUnmapResources(1, self._resource, stream))

    def release(self) -> None:
        """Unregister the texture; it stays usable in OpenGL. Never raises: the context may be gone."""
        if self._resource is not None:
            self._runtime.cudaGraphicsUnregisterResource(self._resource)
            self._resource = self._in_flight = None
        if self._stream is not None:
            self._runtime.cudaStreamDestroy(self._stream)
            self._stream = None
