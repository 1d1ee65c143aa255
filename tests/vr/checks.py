"""Checks of a headset against the test runtime; each raises AssertionError where the headset fails it.

They are functions, not tests, so that test_mutations.py can show that they fail on a headset with a defect.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from artem_vr.vr.commands import QUIT
from artem_vr.vr.headset import Headset, Matrix
from artem_vr.vr.poses import inverse, levelled, product, yaw_pitch
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr

FRAMES = 8
WIDTH, HEIGHT = 48, 40
EYES = {"left": (200, 40, 40), "right": (40, 40, 200)}

Paint = Callable[[str, npt.NDArray[np.uint8]], int]
"""Uploads a picture ((H, W, 4) uint8, top row first) for "left" or "right"; the OpenGL texture."""


def walk(frame: int) -> Matrix:
    """Where the head is in frame ``frame``, in tracking space: never twice the same, never level."""
    return yaw_pitch(0.3 + 0.05 * frame, -0.2 + 0.03 * frame, (0.5 + 0.01 * frame, 1.6, 0.1 * frame))


def coded_picture(eye: str, frame: int, head_pose: Matrix) -> npt.NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 4): says for which eye, in which frame, and with which pose (to 1 mm) it was drawn.

    No two of its rows are equal, so that it cannot be mistaken for itself upside down or shifted.
    """
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[..., :3] = EYES[eye]
    picture[:, WIDTH // 2 :, 1] = np.arange(HEIGHT)[:, None] * 5
    picture[..., 3] = 255
    picture[0, 0, :3] = frame
    pose = np.round(head_pose[:3].ravel() * 1000).astype(np.int16)
    picture[1, :12, :2] = pose.view(np.uint8).reshape(12, 2)
    return picture


def script_walk(runtime: Runtime) -> None:
    """Let the head `walk` from the next frame on."""
    begun = int(runtime.count.waits)
    for frame in range(1, FRAMES + 1):
        runtime.script_pose(begun + frame, walk(frame))


def check_poses_given_are_poses_used(headset: Headset, runtime: Runtime) -> None:
    """Each frame is drawn with the pose that the runtime gave for it, and submitted as drawn with that."""
    script_walk(runtime)
    origin = levelled(walk(1))  # a new headset begins with a recentring
    for frame in range(1, FRAMES + 1):
        poses = headset.begin_frame()
        expected = product(inverse(origin), walk(frame))
        np.testing.assert_allclose(poses.head_to_world, expected, atol=1e-5, err_msg=f"given in frame {frame}")
        assert headset.submit(1, 2, poses.head_to_world), f"frame {frame} was not taken"
        for eye in ("left", "right"):
            used = runtime.last(eye)
            assert used.frame == runtime.count.waits, f"the {eye} eye has no picture in frame {frame}"
            np.testing.assert_allclose(used.pose, walk(frame), atol=1e-5, err_msg=f"used in frame {frame}, {eye}")
        headset.end_frame()


def check_pictures_arrive(headset: Headset, runtime: Runtime, paint: Paint) -> None:
    """What is painted for each eye reaches that eye: byte by byte, upright, in its frame, with its pose."""
    script_walk(runtime)
    origin = levelled(walk(1))
    for frame in range(1, FRAMES + 1):
        poses = headset.begin_frame()
        left, right = (paint(eye, coded_picture(eye, frame, poses.head_to_world)) for eye in ("left", "right"))
        assert headset.submit(left, right, poses.head_to_world), f"frame {frame} was not taken"
        headset.end_frame()
        for eye in ("left", "right"):
            seen = runtime.last(eye)
            assert seen.picture is not None, f"frame {frame} has no picture for the {eye} eye"
            expected = coded_picture(eye, frame, product(inverse(origin), walk(frame)))
            np.testing.assert_array_equal(seen.picture, expected, err_msg=f"frame {frame}, {eye} eye")


def check_quit_is_acknowledged(headset: Headset, runtime: Runtime) -> None:
    """A quit is acknowledged in the frame in which it comes, once, and becomes a command."""
    headset.begin_frame()
    runtime.push_event(ovr.QUIT)
    commands = list(headset.poll_commands())
    assert commands == [QUIT], f"a quit became {commands}"
    assert runtime.count.quits_acknowledged == 1, "the quit was not acknowledged"
    headset.begin_frame()
    assert not headset.poll_commands()
    assert runtime.count.quits_acknowledged == 1, "the quit was acknowledged twice"
