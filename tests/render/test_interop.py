"""CUDA into OpenGL, and back to the thread that paints, on a `Device` that is played."""

from __future__ import annotations

import contextlib
import importlib
import threading
import weakref

import numpy as np
import pytest

from artem_vr.render import gl, interop, target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.interop import CudaPictures
from artem_vr.render.stage import Stage
from artem_vr.render.target import EyeTarget
from artem_vr.render.texture import StreamTexture
from tests.render.device import Device, OnDevice
from tests.render.scenes import noise


@pytest.fixture
def device(monkeypatch):
    device = Device()
    monkeypatch.setattr(interop, "_runtime", lambda: device)
    return device


@pytest.fixture
def cuda(device):
    """The way of CUDA pictures; nothing of it is left on the device."""
    cuda = CudaPictures()
    yield cuda
    cuda.release()
    assert not device.registered and not device.mapped and not device.events and device.streams == 0


@pytest.fixture
def frame(context, cuda):
    frame = FrameTextures(cuda)
    yield frame
    frame.release()


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
    def test_registered_once_and_copied_upright(self, context, device, cuda, eye):
        pictures = noise(eye.height, eye.width, 4)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0, ..., :3])
        texture = StreamTexture(cuda=cuda)
        device.calls.clear()
        for seed in range(3):
            texture.update(OnDevice(noise(6, 5, 4, seed)))
            assert texture.path == "cuda" and cuda.failure == ""
        texture.release()
        once = ["map", "array", "copy", "unmap"]
        assert device.calls == ["register", *once, *once, *once, "unregister"]
        assert not device.registered

    def test_rows_with_a_pitch(self, context, device, eye):
        whole = noise(eye.height, eye.width + 11, 4)
        part = whole[:, 3 : 3 + eye.width]
        assert np.array_equal(seen(eye, OnDevice(part[None]))[..., :3], part[..., :3])

    def test_another_size_is_registered_anew(self, context, device, cuda):
        texture = StreamTexture(cuda=cuda)
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
    def test_where_cuda_fails_the_picture_comes_through_the_host(self, context, device, cuda, eye, call):
        device.fails = call
        pictures = noise(eye.height, eye.width, 4)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0, ..., :3])
        texture = StreamTexture(cuda=cuda)
        texture.update(OnDevice(pictures[0]))
        device.calls.clear()
        texture.update(OnDevice(pictures[0]))
        assert device.calls == []  # it is not tried again
        assert "cudaErrorUnknown" in cuda.failure and texture.path == "pbo"
        assert not device.registered and not device.mapped
        texture.release()

    def test_three_channels_go_through_the_host(self, context, device, eye):
        pictures = noise(eye.height, eye.width, 3)[None]
        assert np.array_equal(seen(eye, OnDevice(pictures))[..., :3], pictures[0])
        assert device.calls == []


def elsewhere(do):
    """Have it done by the thread that paints."""
    thread = threading.Thread(target=do, name="painter")
    thread.start()
    thread.join()


def host(seed: int = 0) -> np.ndarray:
    return noise(6, 5, 3, seed)[None].repeat(2, axis=0)


@pytest.mark.graphics
@pytest.mark.display
class TestPicturesOnTheirWay:
    def test_a_painting_stays_in_memory_until_its_copies_are_done(self, device, cuda, frame):
        """Else torch would paint the next one there before."""
        device.busy = True
        painted = OnDevice(np.stack([noise(6, 5, 4, seed) for seed in (1, 2)]))
        alive = weakref.ref(painted)
        frame.update(host(), painted, "a")
        del painted
        device.busy = False
        assert len(device.queue) == 3  # two copies and an event
        while device.queue:
            frame.update(host(), host(), "a")
            elsewhere(cuda.wanted)
            assert alive() is not None
            device.queue.pop(0)()
        frame.update(host(), host(), "a")
        elsewhere(cuda.wanted)
        assert alive() is None

    def test_a_copy_that_is_not_done_is_left_behind_as_no_error(self, device, cuda, frame):
        """CUDA remembers it for the thread, and torch would name it as the reason of whatever it does next there."""
        device.busy = True
        for seed in (1, 2):
            frame.update(host(), OnDevice(noise(6, 5, 4, seed)[None]), "a")
        assert not all(device.events.values()) and device.last_error == 0
        while device.queue:
            device.queue.pop(0)()

    def test_the_thread_that_draws_frees_no_painting(self, device, cuda, frame):
        """It would wait where torch's allocator is locked, as long as a network is made ready."""
        freed_by = []

        def painting(seed, dtype=np.uint8):
            picture = OnDevice(noise(6, 5, 4, seed)[None].astype(dtype))
            weakref.finalize(picture, lambda: freed_by.append(threading.current_thread().name))
            return picture

        for seed in range(9):
            frame.update(host(), painting(seed), key=seed // 2, other=painting(seed) if seed % 3 else None)
            with contextlib.suppress(ValueError):
                frame.update(host(), painting(seed), "cannot be shown", other=painting(seed, np.float32))
            frame.keep(painting(seed))  # was never shown
            if seed % 4 == 3:
                elsewhere(cuda.wanted)
                assert len(freed_by) >= 4 * seed
        frame.release()
        elsewhere(cuda.wanted)
        assert len(freed_by) == 9 + 6 + 3 * 9
        assert set(freed_by) == {"painter"}

    @pytest.mark.parametrize("call", ["register", "copy"])
    def test_where_cuda_fails_the_thread_that_draws_downloads_no_more_than_the_first_painting(
        self, device, cuda, frame, monkeypatch, call
    ):
        """Whatever style and size come; for that is done by the thread that paints."""
        downloads = []
        cpu = OnDevice.cpu

        def download(picture):
            downloads.append(picture)
            return cpu(picture)

        monkeypatch.setattr(OnDevice, "cpu", download)
        device.fails = call
        for seed in range(6):
            pictures = np.stack([noise(6 + seed // 3, 5, 4, seed), noise(6 + seed // 3, 5, 4, seed)])
            painted = OnDevice(pictures) if cuda.wanted() else pictures
            frame.update(host(), painted, key=seed // 2, other=painted if seed % 2 else None)
            assert len(downloads) == 2  # an eye each
        assert device.calls.count(call) == 1
        assert "cudaErrorUnknown" in frame.interop_failure and frame.path == "pbo"


@pytest.mark.gpu
@pytest.mark.graphics
@pytest.mark.display
def test_on_a_real_device_pictures_go_from_cuda_into_both_eyes(context, eye):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    if b"NVIDIA" not in gl.glGetString(gl.GL_VENDOR):
        pytest.skip(f"OpenGL is not NVIDIA's here, but that of {gl.glGetString(gl.GL_VENDOR).decode()}")
    cuda = CudaPictures()
    stage, frame = Stage(), FrameTextures(cuda)
    for seed, larger in enumerate((0, 0, 0, 5)):  # each of the textures that take turns, then another size
        assert cuda.wanted()
        height, width = eye.height + larger, eye.width + larger
        pictures = np.stack([noise(height, width, 4, 2 * seed + side) for side in (0, 1)])
        tensor = torch.from_numpy(pictures).cuda()
        torch.cuda.synchronize()
        frame.update(noise(4, 4)[None], tensor, "a")
        assert (frame.path, frame.interop_failure) == ("cuda", "")
        whole = EyeTarget(width, height)
        for side in (0, 1):
            stage.draw_flat(whole, side, frame)
            assert np.array_equal(target.read_back(whole)[..., :3], pictures[side, ..., :3])
        whole.release()
    stage.release()
    frame.release()
