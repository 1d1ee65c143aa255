"""The mirror: what the eyes see, in the desktop's window."""

from __future__ import annotations

from typing import Literal

from artem_vr.render import geometry, gl, target
from artem_vr.render.mesh import Mesh
from artem_vr.render.program import Program
from artem_vr.render.target import Colour, EyeTarget, Target

MirrorMode = Literal["left", "right", "both"]

_BARS: Colour = (0.0, 0.0, 0.0)


class Mirror:
    """Copies the eyes' targets into the window, never distorted, with bars where they do not fill it."""

    def __init__(self, smooth: bool | None = None) -> None:
        """``smooth``: average what is reduced; None: unless OpenGL runs in software."""
        smooth = not gl.is_software() if smooth is None else smooth
        self._program = Program("mirror.vert", "mirror.frag", ("SMOOTH",) if smooth else ())
        self._program.use()
        self._program.set("eye", 0)
        self._mesh = Mesh(geometry.rectangle(-1, -1, 1, 1))

    def draw(self, window: Target, left: EyeTarget, right: EyeTarget, mode: MirrorMode = "left") -> None:
        """Draw the left eye, the right eye, or both side by side into ``window``, bars included."""
        if window.width <= 0 or window.height <= 0:  # minimised
            return
        target.clear(window, _BARS)
        eyes = {"left": [left], "right": [right], "both": [left, right]}[mode]
        width, height = window.width, window.height
        gl.glDisable(gl.GL_BLEND)
        self._program.use()
        gl.glActiveTexture(gl.GL_TEXTURE0)
        for eye, viewport in zip(eyes, _viewports(width, height, left.width / left.height, mode), strict=True):
            if viewport[2:] == (eye.width, eye.height):  # software OpenGL pays for every pixel of a shader
                target.copy(eye, window, *viewport[:2])
                continue
            gl.glViewport(*viewport)
            gl.glBindTexture(gl.GL_TEXTURE_2D, eye.texture_id)
            self._mesh.draw()

    def release(self) -> None:
        """Delete program and mesh. May be called again."""
        self._program.release()
        self._mesh.release()


def seen_at(
    x: float, y: float, width: int, height: int, eye_aspect: float, mode: MirrorMode
) -> tuple[int, float, float]:
    """What of the eyes' targets the point (``x``, ``y``) of a ``width`` x ``height`` window shows, from its top left.

    Returns the eye (0 left, 1 right) and the place in its target, 0..1, (0, 0) its bottom left; beside the target
    the numbers go on.
    """
    viewports = _viewports(width, height, eye_aspect, mode)
    place = int(mode == "both" and x >= width / 2)
    left, bottom, inner_width, inner_height = viewports[place]
    eye = {"left": 0, "right": 1, "both": place}[mode]
    return eye, (x - left) / max(inner_width, 1), (height - y - bottom) / max(inner_height, 1)


def _viewports(width: int, height: int, eye_aspect: float, mode: MirrorMode) -> list[tuple[int, int, int, int]]:
    """For each eye that is shown: left, bottom, width and height of its part of the window, in pixels."""
    if mode != "both":
        return [geometry.letterbox(width, height, eye_aspect)]
    _, y, inner_width, inner_height = geometry.letterbox(width // 2, height, eye_aspect)
    middle = width // 2  # the eyes meet there, the bars are outside
    return [(middle - inner_width, y, inner_width, inner_height), (middle, y, inner_width, inner_height)]
