"""The HUD: a small panel of text, in the corner of the window and before the eyes."""

from __future__ import annotations

import textwrap
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from artem_vr.lettering import font_of, printable
from artem_vr.render import geometry, gl, target
from artem_vr.render.geometry import Matrix
from artem_vr.render.mesh import Mesh
from artem_vr.render.program import Program
from artem_vr.render.target import Target
from artem_vr.render.texture import StreamTexture

SHOWN_SECONDS = 4.0
"""How long the panel stays after something worth knowing changed."""
FADE_SECONDS = 0.5
REFRESH_SECONDS = 0.25
"""How often figures that change all the time are written anew, at most."""

_FONT_PIXELS = 22
_PADDING = 16
LONGEST = 64
"""Characters of a line; what is longer is cut, messages are broken."""
EYE_DISTANCE = 1.2
"""Metres before the head: nearer tires the eyes."""
_METRES_PER_PIXEL = 0.0015  # at a distance of 1 metre
_DROP = 0.233  # below straight ahead, likewise

Panel = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class HudText:
    """What the panel says. Empty fields take no room."""

    style: str = ""
    detail: str = ""
    """Small figures that change all the time: frames a second, latency. They do not wake the panel."""
    engine: str = ""
    source: str = ""
    """The source and its state."""
    message: str = ""
    """Something is wrong: the panel stays while this is not empty. Lines, of which long ones are broken."""


class Hud:
    """The panel. ``now`` is any steady clock's time in seconds, one a frame: both eyes see the same panel.

    Drawing draws what there is. `prepare`, once a frame, writes the texture anew when the text has changed; its
    picture is made in a thread of its own, as that takes longer than a frame does.
    """

    def __init__(self, scale: float = 1.0) -> None:
        """``scale`` is the desktop's content scale: pixels per unit."""
        self.pinned = False
        """True: never fades out."""
        self._enabled = True
        self.rasterised = 0
        """How often the panel's picture was made anew."""
        self._scale = scale
        self._program = Program("picture.vert", "hud.frag", ("SMOOTH",))  # letters are small
        self._program.use()
        self._program.set("panel", 0)
        self._texture = StreamTexture(2)
        self._mesh = Mesh(geometry.rectangle(0, -1, 1, 0))
        self._wanted = HudText()
        self._asked = HudText()
        self._woken_at = self._asked_at = float("-inf")
        self._worker = ThreadPoolExecutor(1, "hud")
        self._picture: Future[Panel] | None = None
        self._outdated = False
        """Whether the texture says what was said before the panel had faded out."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the panel in pixels."""
        return (self._texture.width, self._texture.height)

    def update(self, text: HudText, now: float) -> None:
        """Say ``text`` as soon as its picture is made. Any change but that of ``detail`` shows the panel again."""
        if replace(text, detail="") != replace(self._wanted, detail=""):
            self._outdated |= self.opacity(now) == 0.0
            self.wake(now)
            self._asked_at = float("-inf")
        self._wanted = text

    @property
    def enabled(self) -> bool:
        """Whether all is drawn; else messages only."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        if enabled != self._enabled:  # the panel may still hold a message that has long gone
            self._enabled = enabled
            self._outdated = self._says_another or (self._outdated and self._picture is not None)

    def wake(self, now: float) -> None:
        """Show the panel for a while."""
        self._woken_at = now

    @property
    def _text(self) -> HudText:
        """As much of what is to be said as is drawn."""
        return self._wanted if self.enabled else HudText(message=self._wanted.message)

    @property
    def _says_another(self) -> bool:
        """Whether the picture that was asked for last says more than other details."""
        return replace(self._asked, detail="") != replace(self._text, detail="")

    def opacity(self, now: float) -> float:
        """How much of the panel is seen at ``now``, 0..1."""
        text = self._text
        if text == HudText():
            return 0.0
        if self.pinned or text.message:
            return 1.0
        left = self._woken_at + SHOWN_SECONDS + FADE_SECONDS - now
        return min(1.0, max(0.0, left / FADE_SECONDS))

    def draw_in_corner(self, window: Target, now: float) -> None:
        """Draw over the top left corner of what ``window`` holds; small windows get a smaller panel."""
        opacity = self._visible(now)
        if opacity == 0.0 or window.width <= 0 or window.height <= 0:
            return
        width, height = self.size
        shrink = min(1.0, window.width / width, window.height / height)
        x, y = 2.0 * width * shrink / window.width, 2.0 * height * shrink / window.height
        transform = np.diag(np.array([x, y, 1, 1], np.float32))
        transform[:2, 3] = (-1, 1)
        self._draw(window, transform, opacity)

    def draw_in_eye(
        self,
        eye_target: Target,
        eye_projection: Matrix,
        eye_to_head: Matrix,
        now: float,
        distance: float = EYE_DISTANCE,
    ) -> None:
        """Draw over what ``eye_target`` holds, ``distance`` metres before the head and fixed to it, always as large.

        It must not lie behind what it covers: eyes cannot look at both.
        """
        opacity = self._visible(now)
        if opacity == 0.0:
            return
        width, height = (pixels * distance * _METRES_PER_PIXEL / self._scale for pixels in self.size)
        panel_to_head = geometry.translation(-width / 2, -_DROP * distance, -distance)
        panel_to_head[0, 0], panel_to_head[1, 1] = width, height
        head = np.eye(4, dtype=np.float32)  # everything is relative to the head
        self._draw(eye_target, geometry.view_projection(eye_projection, head, eye_to_head, panel_to_head), opacity)

    def settle(self, now: float) -> None:
        """Wait until the panel shows the newest text: for still pictures and tests."""
        self._asked_at = float("-inf")
        self.prepare(now)
        while self._picture is not None:
            self._picture.exception()
            self.prepare(now)

    def _visible(self, now: float) -> float:
        """The opacity; 0 until there is a picture, and one that says what the panel has come back for."""
        return self.opacity(now) if self.rasterised and not self._outdated else 0.0

    def prepare(self, now: float) -> bool:
        """Take the worker's picture if it is there; ask for another if the text changed and the panel is seen.

        Returns whether the panel looks different: who draws only what changed has to draw again.
        """
        before = self.rasterised
        if self._picture is not None and self._picture.done():
            if self._picture.exception() is None:
                self._texture.update(self._picture.result())
                self.rasterised += 1
            self._picture = None
            self._outdated &= self._says_another
        text = self._text
        if (
            self.opacity(now) > 0.0
            and self._picture is None
            and text != self._asked
            and now - self._asked_at >= REFRESH_SECONDS
        ):
            self._picture = self._worker.submit(rasterise, text, self._scale)
            self._asked, self._asked_at = text, now
        return self.rasterised != before

    def _draw(self, onto: Target, transform: Matrix, opacity: float) -> None:
        target.bind(onto)
        gl.glEnable(gl.GL_BLEND)
        # The colour is premultiplied; the target's alpha stays 1.
        gl.glBlendFuncSeparate(gl.GL_ONE, gl.GL_ONE_MINUS_SRC_ALPHA, gl.GL_ZERO, gl.GL_ONE)
        self._texture.bind(0)
        self._program.use()
        self._program.set("transform", transform)
        self._program.set("opacity", float(opacity))
        self._mesh.draw()
        gl.glDisable(gl.GL_BLEND)

    def release(self) -> None:
        """Delete what lies in OpenGL and end the thread. May be called again."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        self._picture = None
        self._program.release()
        self._texture.release()
        self._mesh.release()


def rasterise(text: HudText, scale: float = 1.0) -> Panel:
    """The panel's picture: (H, W, 4) uint8 RGBA, sRGB-encoded, premultiplied alpha, top row first."""
    from PIL import Image, ImageDraw

    lines = [(line, size, colour) for line, size, colour in _lines(text) if line]
    fonts = [font_of(round(size * scale)) for _, size, _ in lines]
    padding, spacing = round(_PADDING * scale), round(_FONT_PIXELS * 0.35 * scale)
    widths = [font.getlength(line) for (line, _, _), font in zip(lines, fonts, strict=True)]
    heights = [sum(font.getmetrics()) for font in fonts]
    width = int(max(widths, default=0)) + 2 * padding
    height = sum(heights) + spacing * max(0, len(lines) - 1) + 2 * padding
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=padding * 0.75, fill=(12, 12, 16, 190))
    y = padding
    for (line, _, colour), font, line_height in zip(lines, fonts, heights, strict=True):
        draw.text((padding, y), line, font=font, fill=(*colour, 255))
        y += line_height + spacing
    panel = np.array(image)
    panel[..., :3] = (panel[..., :3].astype(np.uint16) * panel[..., 3:] + 127) // 255
    return panel


def _lines(text: HudText) -> list[tuple[str, float, tuple[int, int, int]]]:
    """Each line with its size in pixels and its colour."""
    white, grey, amber = (255, 255, 255), (190, 190, 196), (255, 190, 90)
    small = _FONT_PIXELS * 0.8
    plain = [(text.style, _FONT_PIXELS, white), (text.source, small, grey), (text.engine, small, grey)]
    lines = [(printable(cut(line)), float(size), colour) for line, size, colour in plain]
    lines.append((printable(cut(text.detail)), small, grey))
    lines += [(printable(line), small, amber) for line in _wrap(text.message)]
    return lines


def cut(text: str, most: int = LONGEST) -> str:
    """``text`` in ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrap(message: str, most: int = 6) -> list[str]:
    lines = [line for part in message.splitlines() for line in textwrap.wrap(part, LONGEST)]
    return lines if len(lines) <= most else [*lines[: most - 1], cut(lines[most - 1], LONGEST - 2) + " …"]
