"""Pictures and counts for the tests of the renderer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from artem_vr.render import gl

Picture = npt.NDArray[np.uint8]


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Picture:
    """Every byte random: a picture that shows any turning, shifting, filtering or rounding."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def flat(height: int, width: int, *colour: int) -> Picture:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def quarters(height: int, width: int) -> Picture:
    """Red top left, green top right, blue bottom left, white bottom right."""
    picture = np.empty((height, width, 3), np.uint8)
    top, left = slice(0, height // 2), slice(0, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    picture[top, left] = (255, 0, 0)
    picture[top, right] = (0, 255, 0)
    picture[bottom, left] = (0, 0, 255)
    picture[bottom, right] = (255, 255, 255)
    return picture


def objects() -> dict[str, int]:
    """How many OpenGL objects of each kind live in this context.

    Drivers count names upwards and give those of deleted objects late or never again: all up to the newest are asked.
    """
    kinds = {
        "textures": (gl.glIsTexture, gl.glGenTextures, gl.glDeleteTextures),
        "buffers": (gl.glIsBuffer, gl.glGenBuffers, gl.glDeleteBuffers),
        "framebuffers": (gl.glIsFramebuffer, gl.glGenFramebuffers, gl.glDeleteFramebuffers),
        "vertex arrays": (gl.glIsVertexArray, gl.glGenVertexArrays, gl.glDeleteVertexArrays),
    }
    living = {}
    for kind, (exists, generate, delete) in kinds.items():
        newest = int(generate(1))
        delete(1, [newest])
        living[kind] = _living(exists, newest)
    newest = int(gl.glCreateProgram())  # shaders share their names
    gl.glDeleteProgram(newest)
    return living | {"programs": _living(gl.glIsProgram, newest), "shaders": _living(gl.glIsShader, newest)}


def _living(exists: Callable[[int], object], newest: int) -> int:
    return sum(bool(exists(name)) for name in range(1, max(newest, 256)))
