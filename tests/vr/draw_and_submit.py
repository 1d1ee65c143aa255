"""Run by test_pictures.py as a program of its own: draws with real OpenGL on real pyopenvr.

A process of its own because PyOpenGL decides once, at its import, whether it speaks GLX or EGL, and other tests
want EGL. Prints one JSON object: for the sound headset and for each defect, null or what the check said.

    python -m tests.vr.draw_and_submit VRCLIENT.SO FOLDER
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ["PYOPENGL_PLATFORM"] = "glx"

import glfw
from OpenGL import GL

from artem_vr.errors import HeadsetError
from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import Runtime
from tests.vr import mutations
from tests.vr.checks import HEIGHT, WIDTH, check_pictures_arrive


@contextlib.contextmanager
def opengl() -> Iterator[None]:
    """A hidden window with an OpenGL 3.3 core context."""
    glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_X11)
    if not glfw.init():
        raise SystemExit("GLFW does not start")
    hints = {
        glfw.VISIBLE: False,
        glfw.CONTEXT_VERSION_MAJOR: 3,
        glfw.CONTEXT_VERSION_MINOR: 3,
        glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE,
    }
    for hint, value in hints.items():
        glfw.window_hint(hint, value)
    window = glfw.create_window(64, 64, "test", None, None)
    if not window:
        raise SystemExit("there is no OpenGL 3.3 here")
    glfw.make_context_current(window)
    try:
        yield
    finally:
        glfw.terminate()


class Painter:
    """Two textures an eye, used in turn: a picture submitted late is still there to be seen as the old one."""

    def __init__(self, internal_format: int = GL.GL_RGBA8) -> None:
        self._format = internal_format
        self._textures: dict[str, list[int]] = {eye: [int(GL.glGenTextures(1)) for _ in range(2)] for eye in _EYES}

    def paint(self, eye: str, picture: npt.NDArray[np.uint8]) -> int:
        self._textures[eye].reverse()
        texture = self._textures[eye][0]
        upload(texture, picture[::-1], self._format)
        return texture


_EYES = ("left", "right")


def upload(texture: int, bottom_first: npt.NDArray[np.uint8], internal_format: int = GL.GL_RGBA8) -> None:
    """One level, bottom row first; leaves texture 0 bound."""
    height, width, _ = bottom_first.shape
    data = np.ascontiguousarray(bottom_first)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    GL.glTexParameteri(GL.GL_TEXTURE_2D, GL.GL_TEXTURE_MAX_LEVEL, 0)
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, internal_format, width, height, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, data)
    GL.glBindTexture(GL.GL_TEXTURE_2D, 0)


def flip(texture: int) -> None:
    """Turn a texture upside down."""
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    raw = GL.glGetTexImage(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
    upload(texture, np.frombuffer(raw, np.uint8).reshape(HEIGHT, WIDTH, 4)[::-1])


def outcome(check: Callable[[], None]) -> str | None:
    """What the check said, on one line; None when it passed."""
    try:
        check()
    except AssertionError as error:
        return " ".join(str(error).split()) or "failed"
    return None


def on_a_fresh_runtime(library: Path, folder: Path, check: Callable[[OpenVRHeadset, Runtime], None]) -> str | None:
    folder.mkdir()
    with Runtime(library, folder, read_back=True) as runtime:
        with OpenVRHeadset() as headset:
            return outcome(lambda: check(headset, runtime))


def pictures_of(wrap: Callable[[OpenVRHeadset], Any]) -> Callable[[OpenVRHeadset, Runtime], None]:
    def check(headset: OpenVRHeadset, runtime: Runtime) -> None:
        check_pictures_arrive(wrap(headset), runtime, Painter().paint)

    return check


def bindings_survive(headset: OpenVRHeadset, runtime: Runtime) -> None:
    """A pixel buffer bound for packing neither swallows the picture nor is lost."""
    painter = Painter()
    buffer = int(GL.glGenBuffers(1))
    GL.glBindBuffer(GL.GL_PIXEL_PACK_BUFFER, buffer)
    GL.glBufferData(GL.GL_PIXEL_PACK_BUFFER, 4 * WIDTH * HEIGHT, None, GL.GL_STREAM_READ)
    check_pictures_arrive(headset, runtime, painter.paint)
    assert GL.glGetIntegerv(GL.GL_PIXEL_PACK_BUFFER_BINDING) == buffer
    GL.glBindBuffer(GL.GL_PIXEL_PACK_BUFFER, 0)
    assert GL.glGetError() == GL.GL_NO_ERROR


def wrong_format_is_refused(headset: OpenVRHeadset, runtime: Runtime) -> None:
    """A texture that SteamVR cannot share ends in a clear error, not in a black headset."""
    painter = Painter(GL.GL_RGBA16F)
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    poses = headset.begin_frame()
    left, right = (painter.paint(eye, picture) for eye in _EYES)
    try:
        headset.submit(left, right, poses.head_to_world)
    except HeadsetError as error:
        assert error.name == "CompositorError_TextureUsesUnsupportedFormat", error.name
    else:
        raise AssertionError("a half-float texture was taken")


def main(library: Path, folder: Path) -> None:
    cases: dict[str, Callable[[OpenVRHeadset, Runtime], None]] = {
        "sound": pictures_of(lambda headset: headset),
        "bindings survive": bindings_survive,
        "wrong format is refused": wrong_format_is_refused,
        "eyes swapped": pictures_of(mutations.EyesSwapped),
        "picture flipped": pictures_of(lambda headset: mutations.PictureFlipped(headset, flip)),
        "stale pose": pictures_of(mutations.StalePose),
        "old picture": pictures_of(mutations.OldPicture),
    }
    with opengl():
        results = {
            name: on_a_fresh_runtime(library, folder / f"case{number}", check)
            for number, (name, check) in enumerate(cases.items())
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
