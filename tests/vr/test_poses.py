"""Poses and projections."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.vr.poses import from_rows, inverse, is_rigid, levelled, product, projection, translation, yaw_pitch

ANGLES = st.floats(-3.1, 3.1)
PLACES = st.tuples(*[st.floats(-20, 20)] * 3)


@given(yaw=ANGLES, pitch=st.floats(-1.5, 1.5), place=PLACES)
def test_a_pose_and_its_inverse_make_nothing(yaw: float, pitch: float, place: tuple[float, float, float]) -> None:
    pose = yaw_pitch(yaw, pitch, place)
    assert is_rigid(pose)
    np.testing.assert_allclose(product(inverse(pose), pose), np.eye(4), atol=1e-5)


@given(yaw=ANGLES, pitch=st.floats(-1.5, 1.5), place=PLACES)
def test_levelling_keeps_the_place_and_the_way(yaw: float, pitch: float, place: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(levelled(yaw_pitch(yaw, pitch, place)), yaw_pitch(yaw, 0.0, place), atol=1e-3)


@pytest.mark.parametrize("pitch", [math.pi / 2, -math.pi / 2])
def test_levelling_a_vertical_gaze_takes_the_top_of_the_head(pitch: float) -> None:
    np.testing.assert_allclose(levelled(yaw_pitch(0.7, pitch)), yaw_pitch(0.7, 0.0), atol=1e-3)


def test_yaw_turns_left_and_pitch_up() -> None:
    forward = np.array([0, 0, -1, 0])
    np.testing.assert_allclose((yaw_pitch(math.pi / 2, 0) @ forward)[:3], [-1, 0, 0], atol=1e-6)
    np.testing.assert_allclose((yaw_pitch(0, math.pi / 2) @ forward)[:3], [0, 1, 0], atol=1e-6)


def test_what_is_no_pose_is_refused() -> None:
    assert not is_rigid(np.full((4, 4), np.nan, np.float32))
    assert not is_rigid(np.zeros((4, 4), np.float32))
    assert not is_rigid(np.diag([1, 1, -1, 1]).astype(np.float32)), "a mirror image"


def test_from_rows_takes_twelve_numbers() -> None:
    np.testing.assert_array_equal(from_rows(translation(1, 2, 3)[:3].ravel()), translation(1, 2, 3))


def test_projection_puts_the_tangents_on_the_edges() -> None:
    left, right, bottom, top, near, far = -1.4, 1.2, -1.45, 1.5, 0.1, 50.0
    matrix = projection(left, right, bottom, top, near, far)
    for depth in (near, 3.0, far):
        corner = matrix @ np.array([right * depth, top * depth, -depth, 1])
        np.testing.assert_allclose(corner[:2] / corner[3], [1, 1], rtol=1e-5)
        corner = matrix @ np.array([left * depth, bottom * depth, -depth, 1])
        np.testing.assert_allclose(corner[:2] / corner[3], [-1, -1], rtol=1e-5)
    for depth, clip in ((near, -1.0), (far, 1.0)):
        point = matrix @ np.array([0, 0, -depth, 1])
        assert point[2] / point[3] == pytest.approx(clip, abs=1e-4)
