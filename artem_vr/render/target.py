"""What is drawn into: an eye's texture, or the window; and pixels read back."""

from __future__ import annotations

from ctypes import c_void_p
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.errors import GraphicsError
from artem_vr.render import gl

Colour = tuple[float, float, float]
"""sRGB-encoded red, green and blue, 0..1."""


class Target(Protocol):
    """A framebuffer of ``width`` x ``height`` pixels."""

    @property
    def framebuffer(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class EyeTarget:
    """A texture to draw one eye's picture into, kept while the headset wants that size.

    RGBA8, one sample, no mipmaps, bottom row first: what OpenVR takes with ``ColorSpace_Gamma``.
    Its alpha is 1 everywhere. Sizes are in pixels.

    Raises:
        GraphicsError: the driver refuses a framebuffer of this size.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self.texture_id = int(gl.glGenTextures(1))
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.texture_id)
        gl.glTexImage2D(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA8, width, height, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, None)
        for name, value in (
            (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR),
            (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
            (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
            (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
            (gl.GL_TEXTURE_MAX_LEVEL, 0),
        ):
            gl.glTexParameteri(gl.GL_TEXTURE_2D, name, value)
        self._framebuffer = int(gl.glGenFramebuffers(1))
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._framebuffer)
        gl.glFramebufferTexture2D(gl.GL_FRAMEBUFFER, gl.GL_COLOR_ATTACHMENT0, gl.GL_TEXTURE_2D, self.texture_id, 0)
        status = gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, 0)
        if status != gl.GL_FRAMEBUFFER_COMPLETE:
            self.release()
            gl.standing_errors()
            raise GraphicsError(
                f"OpenGL cannot draw into a picture of {width} x {height}", "Choose a smaller render resolution"
            )

    @property
    def framebuffer(self) -> int:
        return self._framebuffer

    @property
    def width(self) -> int:
        return self._width

    @property
    def height(self) -> int:
        return self._height

    def release(self) -> None:
        """Delete framebuffer and texture. May be called again."""
        if self.texture_id:
            gl.glDeleteFramebuffers(1, [self._framebuffer])
            gl.glDeleteTextures([self.texture_id])
            self.texture_id = self._framebuffer = 0


def bind(target: Target) -> None:
    """Draw into all of ``target`` from now on."""
    gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, target.framebuffer)
    gl.glViewport(0, 0, target.width, target.height)


def clear(target: Target, colour: Colour = (0.0, 0.0, 0.0)) -> None:
    """Fill ``target`` with ``colour``, opaque, and draw into it from now on."""
    bind(target)
    gl.glClearColor(*colour, 1.0)
    gl.glClear(gl.GL_COLOR_BUFFER_BIT)


def copy(source: Target, window: Target, left: int, bottom: int) -> None:
    """Copy all of ``source``, pixel by pixel, to that place in ``window``, and draw into ``window`` from now on."""
    gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, source.framebuffer)
    gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, window.framebuffer)
    whole = (0, 0, source.width, source.height)
    place = (left, bottom, left + source.width, bottom + source.height)
    gl.glBlitFramebuffer(*whole, *place, gl.GL_COLOR_BUFFER_BIT, gl.GL_NEAREST)


def read_back(target: Target) -> npt.NDArray[np.uint8]:
    """The pixels of ``target``: (H, W, 4) uint8 RGBA, top row first. Waits until all is drawn.

    A window is read before its `swap`. `LateReader` does not wait.
    """
    gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, target.framebuffer)
    gl.glBindBuffer(gl.GL_PIXEL_PACK_BUFFER, 0)
    gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
    pixels = np.empty((target.height, target.width, 4), np.uint8)
    gl.glReadPixels(0, 0, target.width, target.height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels)
    return np.ascontiguousarray(pixels[::-1])  # OpenGL's rows are bottom first


class LateReader:
    """`read_back` without waiting for the GPU: each reading gives what was asked for by the one before."""

    def __init__(self) -> None:
        self._buffer = int(gl.glGenBuffers(1))
        self._size: tuple[int, int] | None = None  # height and width of what was asked for

    def read(self, target: Target | None) -> npt.NDArray[np.uint8] | None:
        """The pixels that ``target`` had at the last call, (H, W, 4) uint8 RGBA, top row first; None at the first.

        They are a view of memory that is bottom row first: turning that costs more than reading it did.
        ``target`` None: nothing is asked for.
        """
        gl.glBindBuffer(gl.GL_PIXEL_PACK_BUFFER, self._buffer)
        picture = None
        if self._size is not None:
            pixels = np.empty((*self._size, 4), np.uint8)
            gl.glGetBufferSubData(gl.GL_PIXEL_PACK_BUFFER, 0, pixels.nbytes, pixels)
            picture = pixels[::-1]
            self._size = None
        if target is not None:
            size = target.width * target.height * 4
            gl.glBufferData(gl.GL_PIXEL_PACK_BUFFER, size, None, gl.GL_STREAM_READ)
            gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, target.framebuffer)
            gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
            gl.glReadPixels(0, 0, target.width, target.height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, c_void_p(0))
            self._size = (target.height, target.width)
        gl.glBindBuffer(gl.GL_PIXEL_PACK_BUFFER, 0)
        return picture

    def release(self) -> None:
        """Delete the buffer. May be called again."""
        if self._buffer:
            gl.glDeleteBuffers(1, [self._buffer])
            self._buffer = 0
