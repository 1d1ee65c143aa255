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
        width, height = window.width // len(eyes), window.height
        gl.glDisable(gl.GL_BLEND)
        self._program.use()
        gl.glActiveTexture(gl.GL_TEXTURE0)
        for place, eye in enumerate(eyes):
            x, y, inner_width, inner_height = geometry.letterbox(width, height, eye.width / eye.height)
            if len(eyes) == 2:  # the eyes meet in the middle, the bars are outside
                x = width - inner_width if place == 0 else width
            gl.glViewport(x, y, inner_width, inner_height)
            gl.glBindTexture(gl.GL_TEXTURE_2D, eye.texture_id)
            self._mesh.draw()

    def release(self) -> None:
        """Delete program and mesh. May be called again."""
        self._program.release()
        self._mesh.release()
