"""Frames: optics, poses, what is submitted and how, and the vsyncs that are missed."""

from __future__ import annotations

import numpy as np
import openvr
import pytest

from artem_vr.errors import HeadsetError, HeadsetGpuError
from artem_vr.vr.openvr_headset import DISCONTINUITY, OpenVRHeadset
from artem_vr.vr.poses import inverse, levelled, product, translation, yaw_pitch
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr

WITH_POSE = 8
GAMMA = 1


def show(headset: OpenVRHeadset) -> bool:
    """One frame, drawn with the pose it was given."""
    taken = headset.submit(1, 2, headset.begin_frame().head_to_world)
    headset.end_frame()
    return taken


def test_projections_are_the_runtimes(headset: OpenVRHeadset) -> None:
    system = openvr.VRSystem()
    for eye, matrix in zip((openvr.Eye_Left, openvr.Eye_Right), headset.projections, strict=True):
        runtimes = np.array(system.getProjectionMatrix(eye, 0.05, 100.0).m, np.float32)
        np.testing.assert_allclose(matrix[[0, 1, 3]], runtimes[[0, 1, 3]], rtol=1e-5, atol=1e-6)
    assert headset.projections[0][0, 2] < 0 < headset.projections[1][0, 2], "each eye sees farther outwards"


def test_canted_displays_keep_their_turn(headset: OpenVRHeadset) -> None:
    left, right = headset.eye_to_head
    assert left[0, 3] == pytest.approx(-0.032)
    assert right[0, 3] == pytest.approx(0.032)
    assert left[0, 2] == pytest.approx(-right[0, 2])
    assert abs(left[0, 2]) > 0.05


def test_lenses_that_move_are_followed(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_eye("left", (-1.0, 1.0, -1.0, 1.0), translation(-0.035, 0, 0))
    runtime.set_property(0, ovr.REFRESH_HZ, 120.0)
    runtime.push_event(ovr.IPD_CHANGED)
    headset.poll_commands()
    assert headset.eye_to_head[0][0, 3] == pytest.approx(-0.035)
    assert headset.projections[0][0, 0] == pytest.approx(1.0)
    assert headset.refresh_hz == 120.0


@pytest.mark.parametrize("tangents", [(0.0, 0.0, 0.0, 0.0), (float("nan"), 1.0, -1.0, 1.0), (1.0, -1.0, -1.0, 1.0)])
def test_optics_without_sense_have_defaults(runtime: Runtime, tangents: tuple[float, float, float, float]) -> None:
    runtime.set_eye("left", tangents, np.zeros((4, 4), np.float32))
    with OpenVRHeadset() as headset:
        assert headset.projections[0][0, 0] == pytest.approx(1.0)
        assert headset.eye_to_head[1][0, 3] > 0 > headset.eye_to_head[0][0, 3]


def test_the_world_begins_level_where_the_head_is(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_pose(yaw_pitch(2.0, -0.5, (1.0, 1.7, -3.0)))
    np.testing.assert_allclose(headset.begin_frame().head_to_world, yaw_pitch(0, -0.5), atol=1e-5)


def test_recentring_takes_effect_at_the_next_frame(headset: OpenVRHeadset, runtime: Runtime) -> None:
    show(headset)
    runtime.set_pose(yaw_pitch(1.0, 0.2, (0.4, 1.2, 0.0)))
    assert not np.allclose(headset.begin_frame().head_to_world, yaw_pitch(0, 0.2), atol=1e-3)
    headset.recenter()
    np.testing.assert_allclose(headset.begin_frame().head_to_world, yaw_pitch(0, 0.2), atol=1e-5)


def test_a_recentring_in_the_runtimes_menu_is_ours_too(headset: OpenVRHeadset, runtime: Runtime) -> None:
    show(headset)
    runtime.set_pose(yaw_pitch(1.0, 0.0, (0.4, 1.2, 0.0)))
    runtime.push_event(ovr.ZERO_POSE_RESET)
    headset.poll_commands()
    np.testing.assert_allclose(headset.begin_frame().head_to_world, np.eye(4), atol=1e-5)


def test_the_runtime_is_told_of_the_jump_once(headset: OpenVRHeadset, runtime: Runtime) -> None:
    for _ in range(3):
        show(headset)
    headset.recenter()
    for _ in range(2):
        show(headset)
    flags = [one.flags & DISCONTINUITY for one in runtime.submissions if one.eye == "right"]
    assert flags == [DISCONTINUITY, 0, 0, DISCONTINUITY, 0]


def test_lost_tracking_keeps_the_last_pose(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_pose(yaw_pitch(0.0, 0.1))
    seen = headset.begin_frame().head_to_world
    runtime.set_tracked(False)
    runtime.set_pose(yaw_pitch(1.5, 0.9, (9.0, 9.0, 9.0)))
    poses = headset.begin_frame()
    assert not poses.tracked
    assert poses.should_render
    np.testing.assert_array_equal(poses.head_to_world, seen)
    assert headset.submit(1, 2, poses.head_to_world)
    for eye in ("left", "right"):
        used = runtime.last(eye)
        assert used.flags & WITH_POSE, "else the old picture would pass for one of the present pose"
        np.testing.assert_allclose(used.pose, yaw_pitch(0.0, 0.1), atol=1e-5)
    runtime.set_tracked(True)
    assert headset.begin_frame().tracked
    show(headset)
    assert not runtime.last("left").flags & WITH_POSE


def test_without_tracking_from_the_start_the_world_waits(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_tracked(False)
    runtime.set_pose(yaw_pitch(1.0, 0.0, (5.0, 1.0, 0.0)))
    np.testing.assert_array_equal(headset.begin_frame().head_to_world, np.eye(4))
    runtime.set_tracked(True)
    np.testing.assert_allclose(headset.begin_frame().head_to_world, np.eye(4), atol=1e-5)


@pytest.mark.parametrize("broken", [np.zeros((4, 4), np.float32), np.full((4, 4), np.nan, np.float32)])
def test_a_pose_that_is_none_is_not_used(
    headset: OpenVRHeadset, runtime: Runtime, broken: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    seen = headset.begin_frame().head_to_world
    runtime.set_pose(broken)
    poses = headset.begin_frame()
    assert not poses.tracked
    np.testing.assert_array_equal(poses.head_to_world, seen)


def test_textures_go_to_their_eyes_gamma_encoded(headset: OpenVRHeadset, runtime: Runtime) -> None:
    headset.submit(41, 42, headset.begin_frame().head_to_world)
    assert [(one.eye, one.texture) for one in runtime.submissions] == [("left", 41), ("right", 42)]
    assert all(one.color_space == GAMMA and not one.error for one in runtime.submissions)


def test_a_picture_drawn_with_an_older_pose_is_submitted_with_it(headset: OpenVRHeadset, runtime: Runtime) -> None:
    first = yaw_pitch(0.4, 0.1, (1.0, 1.5, 2.0))
    runtime.set_pose(first)
    drawn = headset.begin_frame().head_to_world
    runtime.set_pose(yaw_pitch(0.9, 0.1, (1.0, 1.5, 2.0)))
    headset.begin_frame()
    assert headset.submit(1, 2, drawn)
    for eye in ("left", "right"):
        used = runtime.last(eye)
        assert used.flags & WITH_POSE
        np.testing.assert_allclose(used.pose, first, atol=1e-5)


def test_a_picture_drawn_in_time_needs_no_pose(headset: OpenVRHeadset, runtime: Runtime) -> None:
    show(headset)
    assert not any(one.flags & WITH_POSE for one in runtime.submissions)


def test_a_double_submit_is_not_taken_and_does_no_harm(headset: OpenVRHeadset, runtime: Runtime) -> None:
    poses = headset.begin_frame()
    assert headset.submit(1, 2, poses.head_to_world)
    assert not headset.submit(1, 2, poses.head_to_world)
    assert runtime.submissions[-1].error == 108  # AlreadySubmitted
    assert show(headset)


@pytest.mark.parametrize("number", [1, 100, 101, 107, 108, 109, 110, 4711])
def test_errors_of_submit_that_pass(headset: OpenVRHeadset, runtime: Runtime, number: int) -> None:
    poses = headset.begin_frame()
    runtime.fail_next_submit(number)
    assert not headset.submit(1, 2, poses.head_to_world)
    assert show(headset)


OF_THE_GPU = (102, 104, 106)
"""InvalidTexture, TextureIsOnWrongDevice, SharedTexturesNotSupported"""


@pytest.mark.parametrize("number", [102, 103, 104, 105, 106])
def test_errors_of_submit_that_stay(headset: OpenVRHeadset, runtime: Runtime, number: int) -> None:
    poses = headset.begin_frame()
    runtime.fail_next_submit(number)
    with pytest.raises(HeadsetError, match="CompositorError_") as caught:
        headset.submit(1, 2, poses.head_to_world)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, HeadsetGpuError) == (number in OF_THE_GPU)


def test_frames_in_time_miss_nothing(headset: OpenVRHeadset, runtime: Runtime) -> None:
    for _ in range(20):
        runtime.advance(0.010)
        show(headset)
    assert headset.missed_vsyncs == runtime.count.vsyncs_missed == 0
    assert runtime.count.vsyncs_without_submit == 0
    assert runtime.now == pytest.approx(0.010 + 19 / 90), "each frame began at its vsync"


def test_late_frames_are_counted(headset: OpenVRHeadset, runtime: Runtime) -> None:
    show(headset)
    show(headset)
    runtime.advance(0.030)  # two vsyncs pass
    show(headset)
    show(headset)
    assert runtime.count.vsyncs_missed == 2
    assert headset.missed_vsyncs == 2


def test_a_runtime_without_frame_timing_counts_nothing(
    headset: OpenVRHeadset, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headset._compositor, "getFrameTiming", lambda ago: (False, None))
    runtime.advance(0.5)
    assert show(headset)
    assert headset.missed_vsyncs == 0


def test_each_frame_is_handed_over(headset: OpenVRHeadset, runtime: Runtime) -> None:
    for _ in range(3):
        show(headset)
    assert runtime.count.handoffs == 3


def test_a_world_pose_turns_back_into_the_runtimes(headset: OpenVRHeadset, runtime: Runtime) -> None:
    """The chain tracking -> world -> tracking loses nothing, far from the origin and after many recentrings."""
    for turn in range(20):
        pose = yaw_pitch(0.7 * turn, 0.3, (10.0 + turn, 1.6, -20.0))
        runtime.set_pose(pose)
        headset.recenter()
        given = headset.begin_frame().head_to_world
        np.testing.assert_allclose(given, product(inverse(levelled(pose)), pose), atol=1e-4)
        runtime.set_pose(translation(0, 0, 0))
        headset.begin_frame()
        headset.submit(1, 2, given)
        np.testing.assert_allclose(runtime.last("left").pose, pose, atol=1e-4)
