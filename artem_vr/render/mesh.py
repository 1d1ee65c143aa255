"""A triangle strip in the GPU's memory."""

from __future__ import annotations

from ctypes import c_void_p

import numpy as np

from artem_vr.render import gl
from artem_vr.render.geometry import Vertices


class Mesh:
    """One triangle strip of `geometry` vertices, for the inputs of shaders/picture.vert."""

    def __init__(self, vertices: Vertices) -> None:
        self._count = 0
        self.vertex_array = int(gl.glGenVertexArrays(1))
        self._buffer = int(gl.glGenBuffers(1))
        gl.glBindVertexArray(self.vertex_array)
        self.replace(vertices)
        for location, length, offset in ((0, 3, 0), (1, 2, 12)):
            gl.glEnableVertexAttribArray(location)
            gl.glVertexAttribPointer(location, length, gl.GL_FLOAT, gl.GL_FALSE, 20, c_void_p(offset))
        gl.glBindVertexArray(0)

    def replace(self, vertices: Vertices) -> None:
        """Make it another strip."""
        vertices = np.ascontiguousarray(vertices, np.float32)
        gl.glBindBuffer(gl.GL_ARRAY_BUFFER, self._buffer)
        gl.glBufferData(gl.GL_ARRAY_BUFFER, vertices.nbytes, vertices, gl.GL_STATIC_DRAW)
        self._count = len(vertices)

    def draw(self) -> None:
        """Draw with the program in use."""
        gl.glBindVertexArray(self.vertex_array)
        gl.glDrawArrays(gl.GL_TRIANGLE_STRIP, 0, self._count)
        gl.glBindVertexArray(0)

    def release(self) -> None:
        """Delete it. May be called again."""
        if self.vertex_array:
            gl.glDeleteVertexArrays(1, [self.vertex_array])
            gl.glDeleteBuffers(1, [self._buffer])
            self.vertex_array = self._buffer = 0
