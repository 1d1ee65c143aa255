import math

import numpy as np
import pytest

from artem_vr.render import geometry
from artem_vr.render.geometry import Screen
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.poses import yaw_pitch


def test_a_flat_screen():
    mesh = geometry.screen_mesh(Screen(distance=2, width=3, curvature=0, elevation=0.5), aspect=1.5)
    assert mesh.tolist() == [
        [-1.5, 1.5, -2.0, 0.0, 1.0],
        [-1.5, -0.5, -2.0, 0.0, 0.0],
        [1.5, 1.5, -2.0, 1.0, 1.0],
        [1.5, -0.5, -2.0, 1.0, 0.0],
    ]


@pytest.mark.parametrize("curvature", [0.05, 0.3, 1.0])
def test_a_curved_screen_is_a_cylinder_with_the_right_width(curvature):
    mesh = geometry.screen_mesh(Screen(distance=2, width=3, curvature=curvature), aspect=1.5)
    radius = 2 / curvature
    assert np.allclose(np.hypot(mesh[:, 0], mesh[:, 2] - (radius - 2)), radius, atol=1e-4)
    top = mesh[0::2]
    assert math.isclose(np.linalg.norm(np.diff(top[:, :3], axis=0), axis=1).sum(), 3, rel_tol=1e-3)
    middle = top[len(top) // 2]
    assert np.allclose(middle, [0, 1, -2, 0.5, 1], atol=1e-6)
    assert top[0, 2] > -2 and top[-1, 2] > -2  # the edges come towards the viewer


def test_a_high_picture_has_a_narrower_screen():
    screen = Screen(distance=2, width=2.4, curvature=0.3, elevation=0.1)
    assert geometry.narrowed(screen, 16 / 9) == screen
    for aspect in (9 / 16, 1.0, 1.5):
        narrow = geometry.narrowed(screen, aspect)
        assert narrow.width / aspect == pytest.approx(0.65 * 2.4)
        assert (narrow.distance, narrow.curvature, narrow.elevation) == (2, 0.3, 0.1)
        assert np.ptp(geometry.screen_mesh(narrow, aspect)[:, 1]) == pytest.approx(1.56, abs=1e-4)


def test_a_screen_too_wide_to_bend_is_bent_less():
    mesh = geometry.screen_mesh(Screen(distance=0.5, width=10, curvature=1), aspect=1)
    angles = np.unwrap(np.arctan2(mesh[::2, 0], -(mesh[::2, 2] - (10 / (1.5 * math.pi) - 0.5))))
    assert math.isclose(angles[-1] - angles[0], 1.5 * math.pi, rel_tol=1e-3)


@pytest.mark.parametrize(
    "screen", [Screen(distance=0), Screen(width=-1), Screen(curvature=1.1), Screen(curvature=-0.1)]
)
def test_no_screen(screen):
    with pytest.raises(ValueError, match="not a screen"):
        geometry.screen_mesh(screen, 1.0)


def test_projection_takes_the_sides_to_the_edges():
    matrix = geometry.projection(-1.2, 0.8, 0.9, -1.1, 0.1, 50)
    for x, y, z, expected in ((-1.2, 0.9, -1.0, (-1, 1)), (0.8, -1.1, -1.0, (1, -1)), (-2.4, -2.2, -2.0, (-1, -1))):
        clip = matrix @ np.array([x, y, z, 1], np.float32)
        assert np.allclose(clip[:2] / clip[3], expected, atol=1e-6)
    for z, depth in ((-0.1, -1), (-50.0, 1)):
        clip = matrix @ np.array([0, 0, z, 1], np.float32)
        assert math.isclose(clip[2] / clip[3], depth, abs_tol=1e-4)


def test_perspective_is_a_symmetric_projection():
    tangent = math.tan(math.radians(30))
    assert np.allclose(
        geometry.perspective(60, 1.5), geometry.projection(-1.5 * tangent, 1.5 * tangent, tangent, -tangent)
    )


def test_a_pose_is_seen_from_where_the_screen_was_placed():
    placed = yaw_pitch(0.7, -0.2, (1, 2, 3))
    assert np.allclose(geometry.seen_as(placed, placed), np.eye(4), atol=1e-6)
    assert geometry.seen_as(placed, None) is placed


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((200, 100), 1.0, (50, 0, 100, 100)),
        ((100, 200), 2.0, (0, 75, 100, 50)),
        ((160, 90), 16 / 9, (0, 0, 160, 90)),
        ((0, 90), 1.0, (0, 0, 0, 0)),
        ((1000, 1), 1.0, (499, 0, 1, 1)),
    ],
)
def test_letterbox(size: tuple[int, int], aspect, expected):
    assert geometry.letterbox(*size, aspect) == expected


@pytest.mark.parametrize("curvature", [0.0, 0.5, 1.0])
def test_how_far_the_screen_is_straight_ahead(curvature):
    screen = Screen(distance=2.0, width=3.0, curvature=curvature)
    assert geometry.distance_ahead(screen, np.eye(4, dtype=np.float32)) == pytest.approx(2.0)
    assert geometry.distance_ahead(screen, geometry.translation(0, 5, -1.5)) == pytest.approx(0.5)
    away = yaw_pitch(math.pi, 0)
    assert geometry.distance_ahead(screen, away) == (
        math.inf if not curvature else pytest.approx(2.0 / curvature * 2 - 2.0)
    )


@pytest.mark.parametrize("window", [(1280, 720), (600, 900), (2000, 400)])
@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16, 4.0, 1 / 40])
def test_in_a_window_all_of_the_picture_is_seen_and_it_is_as_large_as_it_can_be(window, aspect):
    desktop = DesktopHeadset(window)
    screen = geometry.filling(aspect, desktop.projections[0])
    mesh = geometry.screen_mesh(screen, aspect)
    corners = np.column_stack((mesh[:, :3], np.ones(len(mesh), np.float32)))
    for projection, eye_to_head in zip(desktop.projections, desktop.eye_to_head, strict=True):
        seen = corners @ (projection @ np.linalg.inv(eye_to_head)).T
        x, y, depth = (seen[:, :3] / seen[:, 3:]).T
        assert np.abs(x).max() < 1 and np.abs(y).max() < 1 and np.abs(depth).max() < 1
        assert max(np.ptp(x), np.ptp(y)) == pytest.approx(2 * 0.96, abs=0.01)
