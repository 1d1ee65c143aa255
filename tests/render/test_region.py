"""Regions and preserved colours: what the shader draws is what the formulas say, within a byte."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.offline.files import blended, with_colors_of
from artem_vr.render import geometry, target
from artem_vr.render.geometry import Screen, pointed_at
from artem_vr.render.region import Region
from artem_vr.render.stage import Look
from artem_vr.render.target import EyeTarget
from tests.render.scenes import flat, noise

WIDTH, HEIGHT = 96, 48


@pytest.fixture
def whole(context):
    whole = EyeTarget(WIDTH, HEIGHT)
    yield whole
    whole.release()


def drawn(stage, frame, whole, look: Look, eye: int = 0) -> np.ndarray:
    stage.draw_flat(whole, eye, frame, look)
    return target.read_back(whole)[..., :3].astype(int)


def mask(region: Region) -> np.ndarray:
    """(HEIGHT, WIDTH): how much a pixel is inside, from distances in picture heights alone."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    y, x = y / HEIGHT, x / HEIGHT
    aspect = WIDTH / HEIGHT
    distance = {
        "left": aspect / 2 - x,
        "right": x - aspect / 2,
        "top": 0.5 - y,
        "bottom": y - 0.5,
        "gaze": np.full_like(x, -9.0),
    }[region.kind]
    if region.place is not None:
        distance = region.size - np.hypot(x - region.place[0] * aspect, y - region.place[1])
    t = np.clip(distance / max(region.softness, 1e-4) + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))[..., None]


@pytest.mark.graphics
@pytest.mark.display
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_preserved_colours_are_those_of_the_offline_program(stage, frame, whole, strength):
    source, painted = noise(HEIGHT, WIDTH, seed=1), noise(HEIGHT, WIDTH, seed=2)
    frame.update(source[None], painted[None], "a")
    wanted = blended(source, with_colors_of(source, painted), strength)
    seen = drawn(stage, frame, whole, Look(strength, preserve_color=True))
    assert np.abs(seen - wanted).max() <= 1
    assert np.abs(seen - painted).mean() > 10


@pytest.mark.graphics
@pytest.mark.display
def test_preserving_colours_of_a_grey_source_gives_a_grey_painting(stage, frame, whole):
    frame.update(flat(HEIGHT, WIDTH, 120)[None], noise(HEIGHT, WIDTH, seed=2)[None], "a")
    seen = drawn(stage, frame, whole, Look(preserve_color=True))
    assert np.ptp(seen, axis=2).max() <= 1 and np.ptp(seen) > 50


@pytest.mark.graphics
@pytest.mark.display
@pytest.mark.parametrize(
    "region",
    [
        *(Region(kind, 0.2) for kind in ("left", "right", "top", "bottom")),
        Region("left", 0.0),
        Region("gaze", 0.15, 0.3, (0.25, 0.6)),
        Region("gaze", 0.1, 0.3, None),
    ],
    ids=lambda region: f"{region.kind}-{region.softness}-{region.place}",
)
def test_one_style_inside_another_outside_soft_between(stage, frame, whole, region):
    source, inside, outside = (noise(HEIGHT, WIDTH, seed=seed)[None] for seed in (1, 2, 3))
    share = mask(region)
    frame.update(source, inside, "a", other=outside)
    seen = drawn(stage, frame, whole, Look(region=region))
    assert np.abs(seen - (outside[0] * (1 - share) + inside[0] * share)).max() <= 2
    assert np.array_equal(seen[share[..., 0] == 0], outside[0][share[..., 0] == 0])
    assert np.array_equal(seen[share[..., 0] == 1], inside[0][share[..., 0] == 1])
    frame.update(source, inside, "a")  # no other style: the source, bit for bit
    seen = drawn(stage, frame, whole, Look(region=region))
    assert np.array_equal(seen[share[..., 0] == 0], source[0][share[..., 0] == 0])


@pytest.mark.graphics
@pytest.mark.display
def test_both_sides_have_the_strength_and_none_shows_the_source(stage, frame, whole):
    frame.update(flat(8, 16, 0)[None], flat(8, 16, 100)[None], "a", other=flat(8, 16, 200)[None])
    seen = drawn(stage, frame, whole, Look(0.5, region=Region("left", 0.0)))
    assert (seen[:, : WIDTH // 2 - 1] == 50).all() and (seen[:, WIDTH // 2 + 1 :] == 100).all()
    source = noise(HEIGHT, WIDTH, seed=1)
    frame.update(source[None], noise(HEIGHT, WIDTH)[None], "a", other=noise(HEIGHT, WIDTH, seed=3)[None])
    look = Look(0.0, region=Region("left"), preserve_color=True)
    assert np.array_equal(drawn(stage, frame, whole, look), source)


@pytest.mark.graphics
@pytest.mark.display
def test_a_fade_goes_on_inside_the_region(stage, frame, whole):
    frame.update(flat(8, 16, 0)[None], flat(8, 16, 200)[None], "before", other=flat(8, 16, 9)[None])
    frame.update(flat(8, 16, 0)[None], flat(8, 16, 100)[None], "now", other=flat(8, 16, 9)[None])
    seen = drawn(stage, frame, whole, Look(fade=0.5, region=Region("left", 0.0)))
    assert (np.abs(seen[:, :40] - 150) <= 1).all() and (seen[:, 56:] == 9).all()


@pytest.mark.graphics
@pytest.mark.display
def test_both_eyes_see_the_mask_at_the_same_place_of_the_screen(context, stage, frame):
    """So it lies as deep as the screen: where each eye sees that place, the mask's middle is."""
    eye = EyeTarget(200, 160)
    frame.update(flat(10, 20, 0)[None], flat(10, 20, 255)[None], "a")
    look = Look(region=Region("gaze", 0.0, 0.2, (0.75, 0.5)))
    for side in (0, 1):
        offset = geometry.translation((-0.1, 0.1)[side], 0, 0)
        see = geometry.view_projection(geometry.projection(-1, 1, 0.8, -0.8), np.eye(4, dtype="f4"), offset)
        stage.draw_eye(eye, side, frame, see, Screen(2.0, 2.0, 0.0), look)
        columns = np.nonzero(target.read_back(eye)[80, :, 0] > 128)[0]
        middle = (columns[0] + columns[-1] + 1) / 2
        x = (0.5 - (-0.1, 0.1)[side]) / 2.0  # tangent: the place is 0.5 m right of the middle, 2 m away
        assert abs(middle - (x + 1) / 2 * 200) <= 1.5
    eye.release()


def test_pointing_straight_ahead_is_the_middle_and_away_is_nowhere() -> None:
    for curvature in (0.0, 0.4, 1.0):
        screen = Screen(2.0, 2.0, curvature)
        assert pointed_at(screen, 2.0, (0, 0, 0), (0, 0, -1)) == pytest.approx((0.5, 0.5))
        right = pointed_at(screen, 2.0, (0, 0, 0), (0.3, 0, -1))
        up = pointed_at(screen, 2.0, (0, 0, 0), (0, 0.1, -1))
        assert right is not None and up is not None
        assert right[0] > 0.6 and up[1] < 0.4
    assert pointed_at(Screen(curvature=0.0), 2.0, (0, 0, 0), (0, 0, 1)) is None
    assert pointed_at(Screen(curvature=0.0), 2.0, (0, 0, 0), (1, 0, 0)) is None
    assert pointed_at(Screen(curvature=1.0), 2.0, (0, 0, 0), (0, 1, 0)) is None


@given(
    st.floats(0, 1), st.integers(0, 64), st.floats(0, 1), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-0.4, 1)
)
def test_pointing_at_a_place_of_the_mesh_finds_that_place(
    curvature: float, column: int, v: float, x: float, y: float, z: float
) -> None:
    """From wherever the head is, as long as it is before the screen."""
    screen, aspect = Screen(1.5, 2.4, curvature if curvature > 1e-3 else 0.0, 0.2), 1.6
    mesh = geometry.screen_mesh(screen, aspect)
    top, bottom = mesh[0::2], mesh[1::2]
    column = min(column, len(top) - 1)
    place = bottom[column] + (top[column] - bottom[column]) * v
    origin = np.array([x, y, z])
    found = pointed_at(screen, aspect, origin, place[:3] - origin)
    assert found is not None
    assert found == pytest.approx((float(place[3]), 1 - v), abs=1e-3)


def test_a_point_of_the_window_is_the_place_that_is_drawn_there() -> None:
    from artem_vr.render.mirror import seen_at

    assert seen_at(100, 50, 200, 100, 1.0, "left") == (0, 0.5, 0.5)
    assert seen_at(50, 0, 200, 100, 1.0, "right") == (1, 0.0, 1.0)  # bars of 50 pixels at the sides
    assert seen_at(150, 100, 300, 100, 1.0, "both") == (1, 0.0, 0.0)
    assert seen_at(149, 100, 300, 100, 1.0, "both") == pytest.approx((0, 0.99, 0.0))
    assert math.isfinite(seen_at(3, 3, 0, 0, 1.0, "left")[1])  # a minimised window
