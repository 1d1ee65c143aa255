"""Shader programs from the files in shaders/."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr import assets
from artem_vr.errors import GraphicsError
from artem_vr.render import gl

_INCLUDE = re.compile(r'^#include "([\w.]+)"[ \t]*$', re.MULTILINE)
_VERSION = re.compile(r"\A#version .*\n")
_REMEDY = "Update the graphics driver; it must support OpenGL 3.3"

Value = float | int | tuple[float, ...] | npt.NDArray[np.float32]


def shader_text(name: str) -> str:
    """The text of shaders/``name``, with each line ``#include "file"`` replaced by that file's text."""
    text = (assets.folder("shaders") / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: shader_text(match[1]), text)


class Program:
    """A vertex and a fragment shader, linked; ``defines`` are names defined in the fragment shader.

    Raises:
        GraphicsError: a shader does not compile or link; the cause names the file and the
            driver's first complaint.
        FileNotFoundError: there is no such shader.
    """

    def __init__(self, vertex: str, fragment: str, defines: tuple[str, ...] = ()) -> None:
        self.id = int(gl.glCreateProgram())
        self._locations: dict[str, int] = {}
        self._values: dict[str, object] = {}
        shaders: list[int] = []
        try:
            for name, kind in ((vertex, gl.GL_VERTEX_SHADER), (fragment, gl.GL_FRAGMENT_SHADER)):
                text = shader_text(name)
                if name == fragment:
                    text = _VERSION.sub(lambda line: line[0] + "".join(f"#define {word}\n" for word in defines), text)
                shaders.append(_compile(name, text, kind))
                gl.glAttachShader(self.id, shaders[-1])
            gl.glLinkProgram(self.id)
            if not gl.glGetProgramiv(self.id, gl.GL_LINK_STATUS):
                raise GraphicsError(
                    f"shaders {vertex} and {fragment} do not link: {_log(gl.glGetProgramInfoLog(self.id))}", _REMEDY
                )
        except BaseException:
            self.release()
            raise
        finally:
            for shader in shaders:
                gl.glDeleteShader(shader)  # the program keeps what it needs of them

    def use(self) -> None:
        """Make this the program that draws; `set` needs it."""
        gl.glUseProgram(self.id)

    def set(self, name: str, value: Value) -> None:
        """Set the uniform ``name`` of the program in use, unless it has that value already.

        An int is set as int or sampler, a float as float, 2 to 4 floats as a vector, a (4, 4) array
        as a matrix for column vectors (v' = M @ v). Names that the driver dropped are ignored.
        """
        key = (type(value), value.tobytes() if isinstance(value, np.ndarray) else value)
        if self._values.get(name) == key:
            return
        location = self._locations.get(name)
        if location is None:
            location = self._locations[name] = int(gl.glGetUniformLocation(self.id, name))
        self._values[name] = key
        if location < 0:
            return
        if isinstance(value, np.ndarray):
            # NumPy's rows are the matrix' rows: OpenGL transposes them into its columns.
            gl.glUniformMatrix4fv(location, 1, gl.GL_TRUE, np.ascontiguousarray(value, np.float32))
        elif isinstance(value, int):
            gl.glUniform1i(location, value)
        elif isinstance(value, float):
            gl.glUniform1f(location, value)
        else:
            setters: dict[int, Any] = {2: gl.glUniform2f, 3: gl.glUniform3f, 4: gl.glUniform4f}
            setters[len(value)](location, *value)

    def release(self) -> None:
        """Delete the program. May be called again."""
        if self.id:
            gl.glUseProgram(0)  # a program in use would live on
            gl.glDeleteProgram(self.id)
            self.id = 0


def _compile(name: str, text: str, kind: Any) -> int:
    shader = int(gl.glCreateShader(kind))
    gl.glShaderSource(shader, text)
    gl.glCompileShader(shader)
    if not gl.glGetShaderiv(shader, gl.GL_COMPILE_STATUS):
        log = _log(gl.glGetShaderInfoLog(shader))
        gl.glDeleteShader(shader)
        raise GraphicsError(f"shader {name} does not compile: {log}", _REMEDY)
    return shader


def _log(log: bytes | str) -> str:
    """The first line of a driver's log."""
    text = log.decode("utf-8", "replace") if isinstance(log, bytes) else log
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
