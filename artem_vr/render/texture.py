"""A texture that pictures are streamed into, through pixel buffer objects or from CUDA."""

from __future__ import annotations

from ctypes import c_void_p
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from artem_vr.render import gl, interop

_UPLOAD_UNIT = 15
"""Uploads have a texture unit of their own, so that they leave those alone that are bound for drawing."""


class StreamTexture:
    """An RGBA8 texture for pictures of any size; its id stays the same for the whole run.

    The picture's top row is the texture's first: v = 0 is the top (shaders/picture.vert knows).
    Before the first `update` it is one opaque black pixel. Linear filter, no mipmaps, clamped at
    the edges.
    """

    def __init__(self, buffers: int = 3, cuda: interop.CudaPictures | None = None) -> None:
        """``cuda``: the way of CUDA pictures; None: through the host's memory."""
        self.width = 1
        self.height = 1
        self.path: Literal["pbo", "cuda"] = "pbo"
        """How the newest picture came: through a pixel buffer object, or from CUDA directly."""
        self._pictures = cuda
        self._cuda: interop.CudaTexture | None = None
        self._limit = int(gl.glGetIntegerv(gl.GL_MAX_TEXTURE_SIZE))
        self._buffers = [int(gl.glGenBuffers(1)) for _ in range(buffers)]
        self._capacities = [0] * buffers
        self._turn = 0
        self.id = int(gl.glGenTextures(1))
        self.bind(_UPLOAD_UNIT)
        for name, value in (
            (gl.GL_TEXTURE_MIN_FILTER, gl.GL_LINEAR),
            (gl.GL_TEXTURE_MAG_FILTER, gl.GL_LINEAR),
            (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_EDGE),
            (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_EDGE),
            (gl.GL_TEXTURE_MAX_LEVEL, 0),
        ):
            gl.glTexParameteri(gl.GL_TEXTURE_2D, name, value)
        self._specify(np.array([0, 0, 0, 255], np.uint8))

    def update(self, picture: Any) -> None:
        """Replace the picture: (H, W, 3) or (H, W, 4) uint8, RGB or RGBA, top row first.

        A NumPy array, or a CUDA array (H, W, 4) such as a torch tensor, finished. Returns before the GPU has the
        picture; a NumPy array may be reused at once, a CUDA array is the caller's to keep (`CudaPictures.keep`).
        Pictures larger than OpenGL's largest texture lose rows and columns.

        Raises:
            ValueError: the shape or dtype is another.
        """
        if interop.is_cuda(picture):
            if self._update_from_cuda(picture):
                return
            picture = interop.to_host(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.size == 0:
            raise ValueError(f"expected uint8 (H, W, 3) or (H, W, 4), got {picture.dtype} {picture.shape}")
        step = -(-max(picture.shape[:2]) // self._limit)
        self._update_from_host(np.ascontiguousarray(picture[::step, ::step]))

    def bind(self, unit: int) -> None:
        """Make this the two-dimensional texture of texture unit ``unit``."""
        gl.glActiveTexture(gl.GL_TEXTURE0 + unit)
        gl.glBindTexture(gl.GL_TEXTURE_2D, self.id)

    def release(self) -> None:
        """Delete the texture and its buffers. May be called again."""
        self._release_cuda()
        if self.id:
            gl.glDeleteTextures([self.id])
            gl.glDeleteBuffers(len(self._buffers), self._buffers)
            self.id = 0
            self._buffers = []

    def _update_from_host(self, picture: npt.NDArray[np.uint8]) -> None:
        height, width, channels = picture.shape
        self.bind(_UPLOAD_UNIT)
        self._resize(width, height)
        turn = self._turn = (self._turn + 1) % len(self._buffers)
        gl.glBindBuffer(gl.GL_PIXEL_UNPACK_BUFFER, self._buffers[turn])
        if self._capacities[turn] != picture.nbytes:
            gl.glBufferData(gl.GL_PIXEL_UNPACK_BUFFER, picture.nbytes, None, gl.GL_STREAM_DRAW)
            self._capacities[turn] = picture.nbytes
        # The buffer was last used several pictures ago: writing to it waits for nothing.
        gl.glBufferSubData(gl.GL_PIXEL_UNPACK_BUFFER, 0, picture.nbytes, picture)
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        layout = gl.GL_RGB if channels == 3 else gl.GL_RGBA
        gl.glTexSubImage2D(gl.GL_TEXTURE_2D, 0, 0, 0, width, height, layout, gl.GL_UNSIGNED_BYTE, c_void_p(0))
        gl.glBindBuffer(gl.GL_PIXEL_UNPACK_BUFFER, 0)
        self.path = "pbo"

    def _update_from_cuda(self, picture: Any) -> bool:
        """False where the picture has to go through the host's memory."""
        pictures = self._pictures
        if pictures is None or pictures.failure:
            return False
        height, width = int(picture.shape[0]), int(picture.shape[1])
        if int(picture.shape[2]) != 4 or max(height, width) > self._limit:
            return False
        self.bind(_UPLOAD_UNIT)
        self._resize(width, height)
        try:
            if self._cuda is None:
                self._cuda = pictures.texture(self.id, width, height)
            self._cuda.update(picture)
        except interop.InteropError as error:
            self._release_cuda()
            pictures.failure = str(error)
            return False
        self.path = "cuda"
        return True

    def _resize(self, width: int, height: int) -> None:
        """Give the bound texture another size; CUDA holds on to the old one, so it goes first."""
        if (width, height) != (self.width, self.height):
            self._release_cuda()
            self.width, self.height = width, height
            self._specify(None)

    def _specify(self, pixels: npt.NDArray[np.uint8] | None) -> None:
        gl.glTexImage2D(
            gl.GL_TEXTURE_2D, 0, gl.GL_RGBA8, self.width, self.height, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels
        )

    def _release_cuda(self) -> None:
        if self._cuda is not None:
            self._cuda.release()
            self._cuda = None
