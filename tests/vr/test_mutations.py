"""The checks of poses and life pass on the headset, and fail on one with a defect. (Pictures: test_pictures.py.)"""

from __future__ import annotations

import pytest

from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import Runtime
from tests.vr import mutations
from tests.vr.checks import check_poses_given_are_poses_used, check_quit_is_acknowledged


def test_poses_given_are_poses_used(headset: OpenVRHeadset, runtime: Runtime) -> None:
    check_poses_given_are_poses_used(headset, runtime)


def test_a_stale_pose_is_found(headset: OpenVRHeadset, runtime: Runtime) -> None:
    with pytest.raises(AssertionError, match="given in frame 2"):
        check_poses_given_are_poses_used(mutations.StalePose(headset), runtime)


def test_a_quit_is_acknowledged(headset: OpenVRHeadset, runtime: Runtime) -> None:
    check_quit_is_acknowledged(headset, runtime)


def test_an_unacknowledged_quit_is_found(headset: OpenVRHeadset, runtime: Runtime) -> None:
    with pytest.raises(AssertionError, match="not acknowledged"):
        check_quit_is_acknowledged(mutations.QuitUnacknowledged(headset), runtime)
