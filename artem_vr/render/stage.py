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
from artem_vr.render.region import Region
from artem_vr.render.target import Colour, Target

STALE_BRIGHTNESS = 0.4
"""`Look.brightness` for the last frame of a source that has stalled."""

_IDENTITY = np.eye(4, dtype=np.float32)
_SAMPLERS = ("source", "painted", "before", "other")
_SOURCE, _PAINTED, _BEFORE, _OTHER = range(len(_SAMPLERS))  # texture units
_MIXES = (
    ("SOURCE",),
    ("PAINTED",),
    ("PAINTED", "SOURCE"),
    ("BEFORE", "PAINTED"),
    ("BEFORE", "PAINTED", "SOURCE"),
    ("PAINTED", "SOURCE", "REGION"),
    ("BEFORE", "PAINTED", "SOURCE", "REGION"),
    ("PAINTED", "SOURCE", "REGION", "OTHER"),
    ("BEFORE", "PAINTED", "SOURCE", "REGION", "OTHER"),
)
"""Which pictures can count: a program for each, so that the others cost nothing."""


@dataclass(frozen=True)
class Look:
    """How a frame is mixed; the same for both eyes. Numbers are from 0 to 1."""

    strength: float = 1.0
    """0: the source, bit for bit where pixels meet pixels. 1: the painting."""
    fade: float = 1.0
    """0: the painting of the style before the switch. 1: of the present one."""
    brightness: float = 1.0
    """Less than 1 dims the picture."""
    preserve_color: bool = False
    """The painting's luminance with the source's chroma."""
    region: Region | None = None
    """Where the painting is seen; None: everywhere. Outside is the frame's other painting, or else the source."""


class Stage:
    """Draws a frame on a world-locked virtual screen, or flat over a whole target."""

    def __init__(self, smooth: bool | None = None) -> None:
        """``smooth``: average what is reduced; None: unless OpenGL runs in software."""
        software = gl.is_software()
        quality = ("SMOOTH",) if smooth or (smooth is None and not software) else ()
        self._programs: dict[tuple[str, ...], Program] = {}
        for pictures in _MIXES:
            for edge in ((), ("EDGE",)):
                program = Program("picture.vert", "stage.frag", (*pictures, *edge, *quality))
                program.use()
                for unit, name in enumerate(_SAMPLERS):
                    program.set(name, unit)
                self._programs[*pictures, *edge] = program
        self._flat = Mesh(geometry.rectangle(-1, -1, 1, 1))
        self._screen = Mesh(geometry.rectangle(-1, -1, 1, 1))
        self._shape: tuple[Screen, float] | None = None
        if not software:
            self._warm_up()

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
        self._draw(self._screen, eye, frame, view_projection, look, background, ("EDGE",))

    def draw_flat(
        self,
        whole: Target,
        eye: int,
        frame: FrameTextures,
        look: Look = Look(),
        background: Colour = (0.0, 0.0, 0.0),
    ) -> None:
        """Draw one eye's picture over all of ``whole``."""
        target.clear(whole, background)
        if not frame.ready or whole.width <= 0 or whole.height <= 0:
            return
        self._draw(self._flat, eye, frame, _IDENTITY, look, background, ())

    def _warm_up(self) -> None:
        """Draw once with every program: drivers finish compiling then, and a style switch must not wait for it."""
        nothing = target.EyeTarget(1, 1)
        target.bind(nothing)
        for program in self._programs.values():
            program.use()
            self._flat.draw()
        nothing.release()

    def _draw(
        self,
        mesh: Mesh,
        eye: int,
        frame: FrameTextures,
        transform: Matrix,
        look: Look,
        background: Colour,
        edge: tuple[str, ...],
    ) -> None:
        strength = look.strength if frame.painted else 0.0
        fade = look.fade if frame.fading else 1.0
        pictures: tuple[str, ...] = ()
        if strength > 0.0 and fade < 1.0:
            pictures += ("BEFORE",)
            frame.bind_before(eye, _BEFORE)
        if strength > 0.0:
            pictures += ("PAINTED",)
            frame.bind_painted(eye, _PAINTED)
        region = look.region if strength > 0.0 else None
        if strength < 1.0 or look.preserve_color or region:
            pictures += ("SOURCE",)
            frame.bind_source(eye, _SOURCE)
        if region:
            pictures += ("REGION",)
        if region and frame.other:
            pictures += ("OTHER",)
            frame.bind_other(eye, _OTHER)
        gl.glDisable(gl.GL_BLEND)
        program = self._programs[*pictures, *edge]
        program.use()
        program.set("transform", transform)
        program.set("strength", float(strength))
        program.set("fade", float(fade))
        program.set("preserve_color", float(look.preserve_color))
        program.set("brightness", float(look.brightness))
        if region:
            for name, value in region.uniforms(frame.aspect).items():
                program.set(name, value)
        program.set("background", background)
        mesh.draw()

    def release(self) -> None:
        """Delete programs and meshes. May be called again."""
        for program in self._programs.values():
            program.release()
        self._flat.release()
        self._screen.release()
