"""What the render loop draws: the frame on its stage for each eye, the HUD, and the mirror window.

Binds the parts of `artem_vr.render` together; the calls of OpenGL themselves stay there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.errors import GraphicsError
from artem_vr.live.controls import MirrorMode
from artem_vr.live.hands import HandsInUse
from artem_vr.render import gl
from artem_vr.render.context import Context
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.geometry import (
    FAR_AWAY,
    Matrix,
    Screen,
    distance_ahead,
    filling,
    narrowed,
    pointed_at,
    seen_as,
    through,
    translation,
    view_projection,
)
from artem_vr.render.hud import EYE_DISTANCE, Hud
from artem_vr.render.interop import CudaPictures
from artem_vr.render.mirror import Mirror, seen_at
from artem_vr.render.stage import Look, Stage
from artem_vr.render.target import EyeTarget, LateReader, read_back
from artem_vr.vr.headset import FramePoses, Headset
from artem_vr.vr.poses import inverse, product

BEFORE_SCREEN = 0.8
"""Of the way to a near screen: where the HUD is then."""
NEAREST_PANEL = 0.2
"""Metres."""

Eyes = npt.NDArray[np.uint8]  # (E, H, W, 3) uint8 RGB, top row first


@dataclass(frozen=True)
class ShownFrame:
    """What the textures hold: a frame of the source, and its painting if there is one."""

    source: Eyes
    painted: Any = None
    """(E, H, W, 3) uint8, or a CUDA array (E, H, W, 4)."""
    key: object = None
    """Of its style: where it is another one the scene fades."""
    other: Any = None
    """The same frame in another style, as ``painted``."""
    camera_poses: Matrix | None = None
    """Of pictures that the headset took: each eye's camera in tracking space, (E, 4, 4) float32, when it did."""
    span: float = 0.0
    """And its width at a distance of 1, 0 where nobody knows."""


class Scene:
    """Everything of the run that lies in OpenGL. Used by the render thread only."""

    def __init__(
        self,
        context: Context,
        eye_size: tuple[int, int],
        screen: Screen,
        stereo_shift: float = 0.0,
        cuda: CudaPictures | None = None,
    ) -> None:
        """``eye_size`` is width and height of each eye's target in pixels; `fit` changes it. ``stereo_shift``: share of
        its width by which the pictures of a pair are moved towards each other. ``cuda``: as of `FrameTextures`."""
        self._context, self._screen, self._stereo_shift = context, screen, stereo_shift
        self.frame = FrameTextures(cuda)
        self._stage = Stage()
        self._mirror = Mirror()
        self._hands = HandsInUse()
        self.hud = Hud(scale=context.content_scale)
        self.eyes = _pair(eye_size)
        self._submitted = False
        """Whether a headset's runtime knows the present pair."""
        self._other_eyes: dict[tuple[int, int], tuple[EyeTarget, EyeTarget]] = {}
        """Pairs that it knows, of sizes that were wanted before."""
        self._shown: ShownFrame | None = None
        self._reader = LateReader()
        self._asked_at = 0.0

    def fit(self, eye_size: tuple[int, int]) -> None:
        """Draw the eyes at another size from now on. Raises `GraphicsError`, and keeps the size, if it cannot be.

        Textures that were submitted are kept: drivers give a deleted texture's name to the next one, and SteamVR takes
        a name that it knows for a texture of the size that it knows (openvr#216).
        """
        size = (self.eyes[0].width, self.eyes[0].height)
        if eye_size == size:
            return
        known = self._other_eyes.pop(eye_size, None)
        before, self.eyes = self.eyes, known or _pair(eye_size)
        if self._submitted:
            self._other_eyes[size] = before
        else:
            _release(before)
        self._submitted = known is not None

    def show(self, frame: ShownFrame, now: float) -> None:
        """Put a frame into the textures, both eyes together. Raises ValueError if they are no pictures."""
        self.frame.update(frame.source, frame.painted, frame.key, now, frame.other)
        self._shown = replace(frame, painted=None, other=None)  # those are not this thread's to keep

    def draw_eyes(
        self, headset: Headset, poses: FramePoses, look: Look, now: float, desktop: MirrorMode | None = None
    ) -> None:
        """Draw both eyes with these poses.

        A picture of the headset's own cameras is seen where they took it: it stays there while the head turns on.
        On the ``desktop`` (what its window shows) the screen fills the view, the HUD is in the window only,
        and an eye that nobody sees is left out.
        """
        projections, eye_to_head = headset.projections, headset.eye_to_head
        screen = self._placed(headset, desktop)
        panel = EYE_DISTANCE if desktop else self._before(screen, poses)
        for eye, target in enumerate(self.eyes):
            if desktop == ("right", "left")[eye]:
                continue
            seen = view_projection(
                projections[eye], poses.head_to_world, eye_to_head[eye], self._taken_from(eye, poses, desktop)
            )
            if moved := self._moved(screen, eye, desktop):
                seen = seen @ translation(moved, 0, 0)
            self._stage.draw_eye(target, eye, self.frame, seen, screen, look)
            if desktop is None:
                self.hud.draw_in_eye(target, projections[eye], eye_to_head[eye], now, panel)

    def pointed_at(
        self,
        headset: Headset,
        poses: FramePoses,
        desktop: MirrorMode | None = None,
        pointer: tuple[float, float] | None = None,
    ) -> tuple[float, float] | None:
        """Where on the picture the viewer points: 0..1, (0, 0) its top left, beside it less or more.

        With a headset a hand in use that points at the picture, the right one first, else the head; on the
        ``desktop`` the mouse's ``pointer`` (pixels from the window's top left), until it is there the head.
        None: away from the screen.
        """
        screen, aspect = self._placed(headset, desktop), self.frame.aspect
        if desktop and pointer is not None:
            window, eyes = self._context.screen, self.eyes[0]
            eye, x, y = seen_at(*pointer, window.width, window.height, eyes.width / eyes.height, desktop)
            eye_to_world = poses.head_to_world @ headset.eye_to_head[eye]
            across, up = through(headset.projections[eye], 2 * x - 1, 2 * y - 1)
            return pointed_at(screen, aspect, eye_to_world[:3, 3], eye_to_world[:3, :3] @ (across, up, -1))
        taken_from = self._taken_from(0, poses, desktop)
        hands = headset.hand_poses()
        to_tracking = inverse(poses.tracking_to_world)  # there what lies stays where it lies
        used = self._hands.of({hand: product(to_tracking, pose) for hand, pose in hands.items()}, poses.displayed_at)
        for hand in ("right", "left"):
            if hand in used:
                pose = seen_as(hands[hand], taken_from)
                place = pointed_at(screen, aspect, pose[:3, 3], -pose[:3, 2])
                if place is not None and 0 <= place[0] <= 1 and 0 <= place[1] <= 1:
                    return place
        head = seen_as(poses.head_to_world, taken_from)
        return pointed_at(screen, aspect, head[:3, 3], -head[:3, 2])

    def draw_mirror(self, mode: MirrorMode, now: float) -> None:
        """Draw the window, HUD included; `Context.swap` shows it."""
        window = self._context.screen
        self._mirror.draw(window, *self.eyes, mode)
        self.hud.draw_in_corner(window, now)

    def mirror_picture(self) -> npt.NDArray[np.uint8]:
        """What the window holds, before it is swapped: (H, W, 3) uint8 RGB, top row first. Waits for the GPU."""
        return np.ascontiguousarray(read_back(self._context.screen)[..., :3])

    def late_mirror_picture(self, now: float | None) -> tuple[npt.NDArray[np.uint8], float] | None:
        """`mirror_picture`, as a view, and the time of the call before this one, without waiting; None where there was
        none.

        ``now`` None: no picture is to follow.
        """
        picture = self._reader.read(None if now is None else self._context.screen)
        before, self._asked_at = self._asked_at, now or 0.0
        return None if picture is None else (picture[..., :3], before)

    def after_submit(self) -> None:
        """Send what was drawn to the GPU before the mirror is begun, and clear the errors that a runtime leaves."""
        self._submitted = True
        gl.glFlush()  # the headset's compositor waits for these commands; the window's come after them
        gl.standing_errors()

    def _placed(self, headset: Headset, desktop: MirrorMode | None) -> Screen:
        """The screen as it stands: on the desktop it fills the view, in a headset it is not too high.

        A picture of the headset's cameras is as wide as they saw; that of two cameras far away, where the depths of
        lenses that look the same way are right.
        """
        aspect = self.frame.aspect
        if desktop:
            return filling(aspect, headset.projections[0])
        shown = self._shown
        if shown is None or not shown.span or shown.camera_poses is None:
            return narrowed(self._screen, aspect)
        distance = FAR_AWAY if len(shown.source) == 2 else self._screen.distance
        return Screen(distance, shown.span * distance, curvature=0.0)

    def _before(self, screen: Screen, poses: FramePoses) -> float:
        """Metres from the head to where the HUD is: never behind the screen, at both of which eyes could not look."""
        ahead = distance_ahead(screen, seen_as(poses.head_to_world, self._taken_from(0, poses)))
        return min(EYE_DISTANCE, max(NEAREST_PANEL, BEFORE_SCREEN * ahead))

    def _moved(self, screen: Screen, eye: int, desktop: MirrorMode | None) -> float:
        """Metres by which an eye's picture of a pair is moved to the right, so that depths suit the screen."""
        shown = self._shown
        if desktop or shown is None or shown.camera_poses is not None or len(shown.source) == 1:
            return 0.0
        return (0.5, -0.5)[eye] * self._stereo_shift * screen.width

    def _taken_from(self, eye: int, poses: FramePoses, desktop: MirrorMode | None = None) -> Matrix | None:
        """Where in the world the camera was that took an eye's picture; None: the headset did not, or nobody looks from
        a head."""
        if desktop or self._shown is None or self._shown.camera_poses is None:
            return None
        cameras = self._shown.camera_poses
        return np.asarray(poses.tracking_to_world @ cameras[min(eye, len(cameras) - 1)])

    def release(self) -> None:
        """Delete what lies in OpenGL. May be called again."""
        for part in (self.frame, self._stage, self._mirror, self.hud, self._reader):
            part.release()
        for pair in (self.eyes, *self._other_eyes.values()):
            _release(pair)


def _release(pair: tuple[EyeTarget, EyeTarget]) -> None:
    for eye in pair:
        eye.release()


def _pair(eye_size: tuple[int, int]) -> tuple[EyeTarget, EyeTarget]:
    """Raises `GraphicsError`."""
    left = EyeTarget(*eye_size)
    try:
        return left, EyeTarget(*eye_size)
    except GraphicsError:
        left.release()
        raise
