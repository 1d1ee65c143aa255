"""The protocol that every headset keeps, whether OpenVR or the desktop that stands in for one.

World space is right-handed, in metres: +x right, +y up, -z forward. Its origin is where the
wearer's head was at the last recentring, turned the way the head looked, but level. Tracking space, the
runtime's own, stays where it is: what was seen a while ago is known by its place there. Matrices are
4x4 float32 for column vectors: v' = M @ v.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.vr.commands import Command, Hand

Matrix = npt.NDArray[np.float32]


class Focus(Enum):
    """What the wearer sees of us."""

    FOCUSED = "focused"
    """Our pictures, and our actions get the buttons."""
    VISIBLE = "visible"
    """Our pictures behind the runtime's menu, which has the buttons; or the runtime asks for a pause."""
    HIDDEN = "hidden"
    """Another program has the headset; frames come at about 10 a second, and nothing need be drawn."""
    STANDBY = "standby"
    """Nobody wears the headset; nothing need be drawn."""


@dataclass(frozen=True, eq=False)
class FramePoses:
    """What `Headset.begin_frame` says about the frame that begins.

    ``head_to_world`` is (4, 4) float32: the pose predicted for the time the frame is seen; hand it to
    `Headset.submit` with the textures that were drawn with it. While tracking is lost it is the last
    one known, and ``tracked`` is False.
    ``displayed_at`` is when the frame will be seen, in seconds of the headset's clock
    (``time.perf_counter`` outside tests).
    ``should_render`` False means: neither draw nor submit, but keep calling `begin_frame`.
    ``reduce_work`` True means: the runtime is short of time; draw less if you can.
    ``tracking_to_world``, (4, 4) float32, is another one after each recentring.
    """

    frame: int
    head_to_world: Matrix
    displayed_at: float
    tracked: bool = True
    focus: Focus = Focus.FOCUSED
    should_render: bool = True
    reduce_work: bool = False
    tracking_to_world: Matrix = field(default_factory=lambda: np.eye(4, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One picture of the headset's own cameras.

    ``pictures`` is (E, H, W, 4) uint8 RGBA, top row first, C-contiguous, E as in `HeadsetCamera.eyes`,
    left eye first whatever order the device has. Alpha is 0 where the camera saw nothing.
    ``sequence`` is the camera's own count: equal for the same picture, growing, possibly with gaps.
    ``camera_poses`` is each eye's camera in tracking space, (E, 4, 4) float32, at the time of exposure, or None where
    the runtime does not know it.
    ``span`` is the width of one eye's picture over the lens's focal length, both in pixels; 0 where it is not known.
    """

    pictures: npt.NDArray[np.uint8]
    sequence: int
    camera_poses: Matrix | None
    span: float = 0.0


class HeadsetCamera(Protocol):
    """The headset's cameras. To be read in another thread than the headset's."""

    @property
    def pause(self) -> str:
        """Why no picture is due now, in one line: the headset sleeps, the camera is being opened. Empty: one is due."""

    def read(self) -> CameraFrame | None:
        """The newest picture, or None when there is none that was not read before; never waits.

        Raises:
            HeadsetError: the camera or the headset has gone.
        """

    def close(self) -> None:
        """The camera is no longer needed."""


class Headset(Protocol):
    """Two eyes that follow a head. One thread, the render loop's, calls all of this.

    A frame is ``begin_frame``, drawing, ``submit``, ``glFlush``, the mirror, ``end_frame``; then
    ``poll_commands`` whenever convenient, at least once a frame.
    """

    @property
    def name(self) -> str:
        """Maker and model, as a person would say it."""

    @property
    def eye_size(self) -> tuple[int, int]:
        """Recommended width and height of one eye's render target in pixels. May change, rarely."""

    @property
    def refresh_hz(self) -> float:
        """Frames a second."""

    @property
    def projections(self) -> tuple[Matrix, Matrix]:
        """Left and right, eye space to OpenGL's clip space (depth -1..1). May change between frames."""

    @property
    def eye_to_head(self) -> Matrix:
        """(2, 4, 4) float32, left and right, turned as well as shifted on canted displays. May change."""

    @property
    def missed_vsyncs(self) -> int:
        """How many times an old frame was shown again because a new one came late, since the start."""

    def begin_frame(self) -> FramePoses:
        """Wait for the next frame's turn and predict its poses.

        Raises:
            HeadsetError: the runtime has gone.
        """

    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        """Show two OpenGL textures, drawn with ``head_pose`` (head-to-world, (4, 4) float32).

        GL_RGBA8, one sample, no mipmaps, gamma-encoded, bottom row first. False when the runtime
        did not take them now (another program has the headset): not an error. The texture binding
        and OpenGL's error state are undefined afterwards: reset both.

        Raises:
            HeadsetError: the runtime refuses such textures, or has gone.
        """

    def end_frame(self) -> None:
        """The frame is submitted and the mirror drawn: let the runtime have the GPU."""

    def poll_commands(self) -> Sequence[Command]:
        """What the wearer or the runtime asked for since the last call, in order."""

    def pulse(self, hand: Hand = "both") -> None:
        """A short tick in the hand, where there is a controller."""

    def hand_poses(self) -> Mapping[str, Matrix]:
        """Hand-to-world of each hand that is tracked now, by "left" and "right"; hands point along -z.

        A hand's place is its controller's tip, where the runtime's own laser begins.
        """

    def recenter(self) -> None:
        """Make the head's place and direction the world's origin, from the next `begin_frame` on: the wearer's wish."""

    def camera(self) -> HeadsetCamera | None:
        """The headset's cameras, opened at the first call; None where there are none."""

    def close(self) -> None:
        """Give the headset back. Calling it again does nothing."""

    def __enter__(self) -> Headset: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
