"""CUDA into OpenGL, with a CUDA runtime of our own: its "device memory" is the host's.

It keeps CUDA's rules (register before map, map before copy, unregister before the texture changes) and
really copies into the texture, so that order, pitch and orientation are tested without a GPU.
"""

from __future__ import annotations

import ctypes
import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from artem_vr.render import gl, interop, target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.stage import Stage
from artem_vr.render.texture import StreamTexture
from tests.render.scenes import noise


class Device:
    """What of `cuda.bindings.runtime` is used; ``fails`` names the call that answers with an error."""

    cudaGraphicsRegisterFlags = SimpleNamespace(cudaGraphicsRegisterFlagsWriteDiscard=2)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyDeviceToDevice=3)

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.calls: list[str] = []
        self.registered: dict[int, tuple[int, tuple[int, ...]]] = {}  # resource: texture, its size then
        self.mapped: set[int] = set()
        self.streams = 0

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
        memory = (ctypes.c_ubyte * (pitch * height)).from_address(pointer)
        rows = np.ascontiguousarray(np.frombuffer(memory, np.uint8).reshape(height, pitch)[:, :width])
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
        gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, 0, 0, width // 4, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, rows)
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


@pytest.fixture
def device(monkeypatch):
    device = Device()
    monkeypatch.setattr(interop, "_runtime", lambda: device)
    return device


def seen(eye, pictures) -> np.ndarray:
    """What a frame with these paintings shows."""
    stage, frame = Stage(), FrameTextures()
    frame.update(noise(4, 4)[None], pictures, "a")
    stage.draw_flat(eye, 0, frame)
    pixels = target.read_back(eye)
    stage.release()
    frame.release()
    return pixels


def test_without_cuda_it_says_why(monkeypatch):
    def missing(_name):
        raise ImportError("no module")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert interop.unavailable() == "unavailable: cuda-bindings is not installed or finds no CUDA library"


def test_without_a_device_it_says_why(monkeypatch):
    monkeypatch.setattr(interop, "_runtime", lambda: Device(fails="count"))
    assert interop.unavailable() == "unavailable: cudaGetDeviceCount failed: cudaErrorUnknown"


def test_the_real_library_answers(device, monkeypatch):
    assert interop.unavailable() is None
    monkeypatch.undo()
    pytest.importorskip("cuda.bindings.runtime", reason="the extra 'gpu' is not installed")
    answer = interop.unavailable()
    assert answer is None or answer.startswith("unavailable: ")


def test_what_is_on_a_device():
    import torch

    assert not interop.is_cuda(np.zeros((2, 2, 4), np.uint8))
    assert not interop.is_cuda(torch.zeros((2, 2, 4), dtype=torch.uint8))
    assert interop.is_cuda(OnDevice(noise(2, 2, 4)))


@pytest.mark.graphics
@pytest.mark.display
class TestTextures:
    def test_registered_once_and_copied_upright(self, context, device, eye):
        pictures = noise(eye.height, eye.width, 4)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0, ..., :3])
        texture = StreamTexture()
        device.calls.clear()
        for seed in range(3):
            texture.update(OnDevice(noise(6, 5, 4, seed)))
            assert texture.path == "cuda" and texture.interop_failure == ""
        texture.release()
        once = ["map", "array", "copy", "unmap"]
        assert device.calls == ["register", *once, *once, *once, "unregister"]
        assert not device.registered and device.streams == 0

    def test_rows_with_a_pitch(self, context, device, eye):
        whole = noise(eye.height, eye.width + 11, 4)
        part = whole[:, 3 : 3 + eye.width]
        assert np.array_equal(seen(eye, OnDevice(part[None]))[..., :3], part[..., :3])

    def test_another_size_is_registered_anew(self, context, device):
        texture = StreamTexture()
        number = texture.id
        for size in (4, 4, 9, 4):
            texture.update(OnDevice(noise(size, size, 4)))
        texture.update(noise(7, 7))  # from the host, in another size
        path: str = texture.path
        assert path == "pbo" and not device.registered
        texture.update(OnDevice(noise(7, 7, 4)))
        path = texture.path
        assert texture.id == number and path == "cuda"
        assert device.calls.count("register") == device.calls.count("unregister") + 1 == 4
        texture.release()

    @pytest.mark.parametrize("call", ["register", "map", "array", "copy"])
    def test_where_cuda_fails_the_picture_comes_through_the_host(self, context, device, eye, call):
        device.fails = call
        pictures = noise(eye.height, eye.width, 4)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0, ..., :3])
        texture = StreamTexture()
        texture.update(OnDevice(pictures[0]))
        device.calls.clear()
        texture.update(OnDevice(pictures[0]))
        assert device.calls == []  # it is not tried again
        assert "cudaErrorUnknown" in texture.interop_failure and texture.path == "pbo"
        assert not device.registered and not device.mapped and device.streams == 0
        texture.release()

    def test_three_channels_go_through_the_host(self, context, device, eye):
        pictures = noise(eye.height, eye.width, 3)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0])
        assert device.calls == []


@pytest.mark.gpu
@pytest.mark.graphics
@pytest.mark.display
def test_on_a_real_device(context, eye):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    pictures = noise(eye.height, eye.width, 4)[None]
    tensor = torch.from_numpy(pictures).cuda()
    torch.cuda.synchronize()
    assert np.array_equal(seen(eye, tensor)[..., :3], pictures[0, ..., :3])
