"""The stage: a virtual screen, fixed in the world, seen by each eye.

Other views (passthrough, dome) are other classes with a ``draw_eye`` of the same kind, drawing the
same `FrameTextures` with the same shader on another mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from artem_vr.render import geometry, gl, target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.geometry import Matrix, Screen
from artem_vr.render.mesh import Mesh
from artem_vr.render.program import Program
from artem_vr.render.target import Colour, Target

STALE_BRIGHTNESS = 0.4
"""`Look.brightness` for the last frame of a source that has stalled."""

_IDENTITY = np.eye(4, dtype=np.float32)
_SOURCE, _PAINTED, _BEFORE = range(3)  # texture units


@dataclass(frozen=True)
class Look:
    """How a frame is mixed; the same for both eyes. All from 0 to 1."""

    strength: float = 1.0
    """0: the source, bit for bit where pixels meet pixels. 1: the painting."""
    fade: float = 1.0
    """0: the painting of the style before the switch. 1: of the present one."""
    brightness: float = 1.0
    """Less than 1 dims the picture."""


class Stage:
    """Draws a frame on a world-locked virtual screen, or flat over a whole target."""

    def __init__(self) -> None:
        self._program = Program("picture.vert", "stage.frag")
        self._program.use()
        for name, unit in (("source", _SOURCE), ("painted", _PAINTED), ("before", _BEFORE)):
            self._program.set(name, unit)
        self._flat = Mesh(geometry.rectangle(-1, -1, 1, 1))
        self._screen = Mesh(geometry.rectangle(-1, -1, 1, 1))
        self._shape: tuple[Screen, float] | None = None

    def draw_eye(
        self,
        eye_target: Target,
        eye: int,
        frame: FrameTextures,
        view_projection: Matrix,
        screen: Screen,
        look: Look = Look(),
        background: Colour = (0.0, 0.0, 0.0),
    ) -> None:
        """Draw what ``eye`` (0 left, 1 right) sees into its target, background included.

        ``view_projection`` is `geometry.view_projection`'s, fresh for every vsync.
        """
        target.clear(eye_target, background)
        if not frame.ready:
            return
        if self._shape != (screen, frame.aspect):
            self._screen.replace(geometry.screen_mesh(screen, frame.aspect))
            self._shape = (screen, frame.aspect)
        self._draw(self._screen, eye, frame, view_projection, look, background, edge=1.0)

    def draw_flat(
        self,
        whole: Target,
        eye: int,
        frame: FrameTextures,
        look: Look = Look(),
        background: Colour = (0.0, 0.0, 0.0),
        keep_aspect: bool = False,
    ) -> None:
        """Draw one eye's picture over all of ``whole``; with ``keep_aspect`` between bars of the background."""
        target.clear(whole, background)
        if not frame.ready or whole.width <= 0 or whole.height <= 0:
            return
        if keep_aspect:
            gl.glViewport(*geometry.letterbox(whole.width, whole.height, frame.aspect))
        self._draw(self._flat, eye, frame, _IDENTITY, look, background, edge=0.0)

    def _draw(
        self, mesh: Mesh, eye: int, frame: FrameTextures, transform: Matrix, look: Look, background: Colour, edge: float
    ) -> None:
        strength = look.strength if frame.painted else 0.0
        fade = look.fade if frame.fading else 1.0
        if strength < 1.0:
            frame.bind_source(eye, _SOURCE)
        if strength > 0.0:
            frame.bind_painted(eye, _PAINTED)
        if strength > 0.0 and fade < 1.0:
            frame.bind_before(eye, _BEFORE)
        gl.glDisable(gl.GL_BLEND)
        program = self._program
        program.use()
        program.set("transform", transform)
        program.set("strength", float(strength))
        program.set("fade", float(fade))
        program.set("brightness", float(look.brightness))
        program.set("background", background)
        program.set("edge", edge)
        mesh.draw()

    def release(self) -> None:
        """Delete program and meshes. May be called again."""
        self._program.release()
        self._flat.release()
        self._screen.release()
