"""Pictures and counts for the tests of the renderer."""

from __future__ import annotations

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


def objects(most: int = 4096) -> dict[str, int]:
    """How many OpenGL objects of each kind live in this context."""
    kinds = {
        "textures": gl.glIsTexture,
        "buffers": gl.glIsBuffer,
        "framebuffers": gl.glIsFramebuffer,
        "vertex arrays": gl.glIsVertexArray,
        "programs": gl.glIsProgram,
        "shaders": gl.glIsShader,
    }
    return {kind: sum(bool(exists(number)) for number in range(1, most)) for kind, exists in kinds.items()}
