"""A CUDA runtime of our own, whose "device memory" is the host's.

It keeps CUDA's rules (register before map, map before copy, unregister before the texture changes) and
really copies into the texture, so that order, pitch and orientation are tested without a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from artem_vr.render import gl


class Device:
    """What of `cuda.bindings.runtime` is used; ``fails`` names the call that answers with an error.

    While it is ``busy``, what streams are given waits in ``queue``.
    """

    cudaGraphicsRegisterFlags = SimpleNamespace(cudaGraphicsRegisterFlagsWriteDiscard=2)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyDeviceToDevice=3)

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls: list[str] = []
        self.registered: dict[int, tuple[int, tuple[int, ...]]] = {}  # resource: texture, its size then
        self.mapped: set[int] = set()
        self.streams = 0
        self.busy = False
        self.queue: list[Callable[[], object]] = []
        self.last_error = 0
        self.events: dict[int, bool] = {}  # event: whether all before it is done

    def _enqueue(self, work: Callable[[], object]) -> None:
        if self.busy:
            self.queue.append(work)
        else:
            work()

    def _answer(self, name, *values):
        self.calls.append(name)
        if name == self.fails:
            return (Failure(), None)
        return (0, *values)

    cudaStreamNonBlocking = 1
    stream = 77

    def cudaDeviceGetStreamPriorityRange(self):
        return (0, 0, -5)

    def cudaStreamCreateWithPriority(self, flags, priority):
        assert flags == 1 and priority == -5  # neither behind the network nor waiting for it
        self.streams += 1
        return (0, self.stream)

    def cudaStreamDestroy(self, stream):
        assert stream == self.stream
        self.streams -= 1
        return (0,)

    cudaEventDisableTiming = 2
    cudaError_t = SimpleNamespace(cudaErrorNotReady=600)

    def cudaEventCreateWithFlags(self, flags):
        assert flags == 2
        event = 5000 + len(self.events)
        self.events[event] = True
        return (0, event)

    def cudaEventRecord(self, event, stream):
        assert stream == self.stream
        self.events[event] = False
        self._enqueue(lambda: self.events.update({event: True}))
        return (0,)

    def cudaEventQuery(self, event):
        self.last_error = 0 if self.events[event] else 600
        return (self.last_error,)

    def cudaGetLastError(self):
        error, self.last_error = self.last_error, 0
        return (error,)

    def cudaEventDestroy(self, event):
        del self.events[event]
        return (0,)

    def cudaGetDeviceCount(self):
        return self._answer("count", 1)

    def cudaGraphicsGLRegisterImage(self, texture, kind, flags):
        assert kind == gl.GL_TEXTURE_2D and flags == 2
        resource = 1000 + len(self.calls)
        answer = self._answer("register", resource)
        if len(answer) == 2 and answer[0] == 0:
            self.registered[resource] = (texture, size_of(texture))
        return answer

    def cudaGraphicsUnregisterResource(self, resource):
        assert resource not in self.mapped
        texture, size = self.registered.pop(resource)
        assert gl.glIsTexture(texture) and size_of(texture) == size, "the texture changed while CUDA held it"
        return self._answer("unregister")

    def cudaGraphicsMapResources(self, count, resource, stream):
        assert stream == self.stream
        assert count == 1 and resource in self.registered and resource not in self.mapped
        answer = self._answer("map")
        if answer[0] == 0:
            self.mapped.add(resource)
        return answer

    def cudaGraphicsUnmapResources(self, count, resource, stream):
        assert stream == self.stream
        self.mapped.remove(resource)
        return self._answer("unmap")

    def cudaGraphicsSubResourceGetMappedArray(self, resource, index, level):
        assert resource in self.mapped and index == level == 0
        return self._answer("array", resource)

    def cudaMemcpy2DToArrayAsync(self, array, x, y, pointer, pitch, width, height, kind, stream):
        assert array in self.mapped and kind == 3 and x == y == 0 and stream == self.stream
        texture, size = self.registered[array]
        assert size == (width // 4, height) == size_of(texture)

        def copy():
            memory = (ctypes.c_ubyte * (pitch * height)).from_address(pointer)
            rows = np.ascontiguousarray(np.frombuffer(memory, np.uint8).reshape(height, pitch)[:, :width])
            gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
            gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, 0, 0, width // 4, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, rows)

        self._enqueue(copy)
        return self._answer("copy")


class Failure:
    name = "cudaErrorUnknown"

    def __int__(self) -> int:
        return 999


class OnDevice:
    """A picture that says it lies on a device, as torch's CUDA tensors do."""

    is_cuda = True

    def __init__(self, picture: np.ndarray) -> None:
        self._picture = picture
        self.shape = picture.shape

    @property
    def __cuda_array_interface__(self):
        described = self._picture.__array_interface__
        return {**described, "version": 2}

    def __getitem__(self, index):
        return OnDevice(self._picture[index])

    def cpu(self):
        return self._picture


def size_of(texture: int) -> tuple[int, ...]:
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
    return tuple(
        int(gl.glGetTexLevelParameteriv(gl.GL_TEXTURE_2D, 0, name))
        for name in (gl.GL_TEXTURE_WIDTH, gl.GL_TEXTURE_HEIGHT)
    )
