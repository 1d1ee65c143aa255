"""What is found between two pictures is where things really are, and what cannot be found is not trusted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.sources.demo import DemoSource
from artem_vr.stylize.eye_matching import EYES_SIDE, EyeMatcher
from artem_vr.stylize.matching import SMALLEST, Matcher
from artem_vr.stylize.steadying import Steadier
from artem_vr.stylize.ties import SIDE, Tie, Ties, halved, reduced


def _texture(seed: int) -> np.ndarray:
    """Coloured spots of some pixels."""
    spots = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (384, 384, 3)), (0, 0), 2)
    return np.clip(128 + spots / spots.std() * 50, 0, 255).astype(np.uint8)


TEXTURES = _texture(0), _texture(1)


def window(texture: int, x: float = 0, y: float = 0, size: int = SIDE) -> np.ndarray:
    """(size, size, 3): a texture seen through a window ``x``, ``y`` pixels from its place in the middle."""
    start = (TEXTURES[0].shape[1] - size) / 2
    move = np.array([[1, 0, -(start + x)], [0, 1, -(start + y)]], np.float32)
    return cv2.warpAffine(TEXTURES[texture], move, (size, size), flags=cv2.INTER_CUBIC)


def middle(values: np.ndarray, margin: int = 24) -> np.ndarray:
    return values[margin:-margin, margin:-margin]


def found(*frames: np.ndarray) -> Ties:
    """Of the last of the frames, each (E, H, W, 3)."""
    matcher = Matcher()
    return [matcher.ties(frame) for frame in frames][-1]


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (3.5, -2.25), (-9.0, 4.0)])
def test_a_moving_camera_is_followed(x: float, y: float) -> None:
    """The window moves to the right: things were further right before."""
    (tie,) = found(window(0)[None], window(0, x, y)[None]).before
    off = np.abs(middle(tie.shift) - (x, y)).max(axis=2)
    assert np.median(off) < 0.2 and np.percentile(off, 90) < 0.7
    assert middle(tie.trust).mean() > 0.9


def test_larger_pictures_are_looked_at_in_small() -> None:
    scene, moved = (cv2.resize(window(0, x), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC) for x in (0.0, 2.0))
    (tie,) = found(scene[None], moved[None]).before
    assert tie.trust.shape == (SIDE, SIDE) and tie.shift.shape == (SIDE, SIDE, 2)
    assert np.median(middle(tie.shift)[..., 0]) == pytest.approx(2.0, abs=0.2)


def test_what_only_now_comes_into_view_is_not_trusted() -> None:
    now = window(0, 2.0)
    now[100:150, 80:140] = window(1)[100:150, 80:140]
    (tie,) = found(window(0)[None], now[None]).before
    assert tie.trust[106:144, 86:134].mean() < 0.1
    assert middle(tie.trust).mean() > 0.75
    beyond = tie.trust[24:-24, -1]  # two columns were outside of the picture before
    assert beyond.mean() < 0.5


def test_a_cut_another_size_and_another_number_of_eyes_have_no_frame_before() -> None:
    matcher, dark, bright = Matcher(), window(0)[None] // 8, 255 - window(1)[None] // 8
    numbers = []
    for eyes, follows in (
        (dark, False),
        (dark, True),
        (bright, False),
        (bright, True),
        (np.repeat(bright, 2, axis=0), False),
        (bright[:, :200], False),
        (bright[:, : SMALLEST - 1], False),
        (bright[:, :200], False),
    ):
        ties = matcher.ties(eyes)
        assert len(ties.before) == (len(eyes) if follows else 0)
        assert (ties.across is not None) == (len(eyes) == 2)
        numbers.append(ties.number)
    assert numbers == list(range(1, 9))


def test_a_cut_between_scenes_of_like_colours_is_none_of_motion() -> None:
    """Histograms do not tell; here and there something fits by chance."""
    assert found(window(0)[None], window(1)[None]).before == ()
    assert len(found(window(0)[None], window(0, 20)[None]).before) == 1


def test_what_tears_is_not_trusted() -> None:
    """The lower half stays, the upper one runs."""
    now = window(0)
    now[:128] = window(0, 9.0)[:128]
    (tie,) = found(window(0)[None], now[None]).before
    assert tie.trust[20:110, 30:-30].mean() > 0.85 and tie.trust[146:-20, 30:-30].mean() > 0.85
    assert tie.trust[124:132, 30:-30].min(axis=0).mean() < 0.2


def pair(far: float, near: float | None = None, down: float = 0.0) -> np.ndarray:
    """Two eyes: a wall that is ``far`` pixels further right in the left one, and before it a square, ``near`` pixels.

    ``down``: how much lower all of it is in the left one.
    """
    left, right = window(0, -far, -down), window(0)
    if near is not None:
        right[80:180, 90:170] = window(1)[80:180, 90:170]
        left[80:180, 90 + int(near) : 170 + int(near)] = window(1)[80:180, 90:170]
    return np.stack((left, right))


@pytest.mark.parametrize("far", [0.0, 5.5, -7.0, 40.0])
def test_the_right_eye_is_found_in_the_left_one(far: float) -> None:
    """Also where it lies to the left: films put things behind the screen so."""
    tie = found(pair(far)).across
    assert tie is not None
    seen = tie.trust[30:-30, 60:-60]
    assert seen.mean() > 0.85
    off = np.abs(tie.shift[30:-30, 60:-60, 0] - far)[seen > 0.5]
    assert np.median(off) < 0.2 and np.percentile(off, 95) < 0.6


def test_an_edge_of_depth_is_found_to_the_pixel_and_what_it_hides_is_not_trusted() -> None:
    tie = found(pair(3, near=15)).across
    assert tie is not None
    square = slice(88, 172), slice(98, 162)
    assert tie.trust[square].mean() > 0.9 and np.median(tie.shift[square][..., 0]) == pytest.approx(15, abs=0.3)
    wall = slice(88, 172), slice(190, 230)
    assert tie.trust[wall].mean() > 0.9 and np.median(tie.shift[wall][..., 0]) == pytest.approx(3, abs=0.3)
    hidden = slice(88, 172), slice(171, 180)  # the square covers it in the left eye
    assert tie.trust[hidden].mean() < 0.15
    for column, disparity in ((87, 3), (92, 15), (167, 15)):  # the square begins at 90 and ends before 170
        at = slice(88, 172), column
        assert tie.trust[at].mean() > 0.9 and np.median(tie.shift[at][..., 0]) == pytest.approx(disparity, abs=0.3)
    assert tie.trust[88:172, 89:91].mean() < 0.75  # the edge itself, a pixel wide


def test_beside_an_edge_of_depth_both_eyes_have_the_same_strokes() -> None:
    """Each eye is painted with strokes of its own; the wall and the square are both given the left eye's."""
    eyes = pair(3, near=15)
    random = np.random.default_rng(0)
    painted = np.stack([cv2.blur(random.integers(0, 256, eyes[0].shape, np.uint8), (3, 3)) for _ in eyes])
    right = Steadier().steadied(painted, found(eyes), 0.0)[1].astype(int)
    for columns, disparity in ((slice(80, 88), 3), (slice(92, 168), 15)):  # the square begins at 90
        left = painted[0, 90:170, columns.start + disparity : columns.stop + disparity]
        assert np.abs(right[90:170, columns] - left).mean() < 3
    hidden = slice(172, 179)  # nothing to be given
    assert np.abs(right[90:170, hidden] - painted[1, 90:170, hidden]).mean() < 6


@pytest.mark.parametrize("smooth", [True, False])
def test_an_outline_does_not_hang_in_a_smooth_sky(smooth: bool) -> None:
    """The sky that lies beside a thing in the left eye, where its outline is painted, lies off it in the right one."""
    eyes = pair(0, near=15)
    if smooth:  # of a deviation of 4 levels instead of 50
        square = eyes.copy()
        eyes = np.repeat((128 + (window(0)[None] - 128.0) * 0.08).round().astype(np.uint8), 2, axis=0)
        for eye, old, at in zip(eyes, square, (105, 90), strict=True):
            eye[80:180, at : at + 80] = old[80:180, at : at + 80]
    tie = found(eyes).across
    assert tie is not None
    beside = tie.trust[90:170, 185:188]  # from 185 on the left eye sees the sky
    assert np.median(tie.shift[90:170, 185:195, 0]) == pytest.approx(0, abs=0.3)
    assert (beside.mean() < 0.4) == smooth and tie.trust[90:170, 203:223].mean() > 0.9


@pytest.mark.parametrize(("far", "near"), [(-15, 40), (-20, None), (60, None), (0, 62), (5, 10)])
def test_near_and_far_things_are_found_together(far: int, near: int | None) -> None:
    """Which disparities there are is found in a small copy first; a thing of a tenth of the width counts."""
    eyes = np.stack([cv2.resize(eye, (384, 384), interpolation=cv2.INTER_CUBIC) for eye in pair(far / 1.5)])
    if near is not None:
        post = cv2.resize(window(1), (384, 384))[:, 100:138]
        eyes[1, 40:, 120:158] = post[40:]
        eyes[0, 40:, 120 + near : 158 + near] = post[40:]
    tie = found(eyes).across
    assert tie is not None
    for where, disparity in (((slice(60, 350), slice(220, 270)), far), ((slice(60, 350), slice(124, 154)), near)):
        if disparity is not None:
            assert tie.trust[where].mean() > 0.85
            assert np.median(tie.shift[where][..., 0]) == pytest.approx(disparity, abs=0.3)


@pytest.mark.parametrize("size", [(600, 512), (1512, 1680), (301, 299), (1001, 385)])
def test_motion_and_depth_are_evened_on_one_grid(size: tuple[int, int]) -> None:
    """The ground is carried by both, though eyes are compared in larger copies than frames are."""
    eyes = np.stack([cv2.resize(eye, size, interpolation=cv2.INTER_CUBIC) for eye in pair(6)])
    ties = found(eyes, eyes)
    assert ties.across is not None and ties.across.trust.shape > ties.before[1].trust.shape
    assert ties.across.even.shape == ties.before[1].even.shape
    width = ties.across.even.shape[1]  # the pair is 256 wide
    across = ties.across.even[20:-20, 20 : -width // 5]
    assert np.abs(across[..., 0] - 6 * width / 256).max() < 0.3 and np.abs(across[..., 1]).max() < 0.2


@pytest.mark.parametrize("down", [2.0, -0.6, 7.5])
def test_eyes_that_do_not_hang_level_are_brought_to_one_level(down: float) -> None:
    eyes, matcher = pair(6, down=down), Matcher()
    tie = matcher.ties(eyes).across
    assert tie is not None and np.median(tie.shift[..., 1]) == pytest.approx(down, abs=1)  # at once
    for _ in range(10):
        tie = matcher.ties(eyes).across
    assert tie is not None and np.median(tie.shift[..., 1]) == pytest.approx(down, abs=0.15)
    assert middle(tie.trust).mean() > 0.85


@pytest.mark.parametrize("exposure", [0.9, 1.1])
def test_eyes_that_are_exposed_each_for_itself_are_found(exposure: float) -> None:
    eyes = (0.7 * pair(6)).astype(np.uint8)
    eyes[1] = np.clip(exposure * eyes[1], 0, 255)
    tie = found(eyes).across
    assert tie is not None and middle(tie.trust, 30).mean() > 0.85
    assert np.median(tie.shift[..., 0]) == pytest.approx(6, abs=0.3)


def test_a_level_that_was_wrong_is_left_again() -> None:
    matcher = EyeMatcher()
    matcher._down = 8.0  # as eyes that did not fit together may have left it
    left, right = pair(6)
    for _ in range(12):
        tie = matcher.across(left, right, right)
    assert matcher._down == pytest.approx(0.0, abs=0.15) and middle(tie.trust).mean() > 0.85


def test_eyes_that_see_different_things_are_not_tied() -> None:
    tie = found(np.stack((window(0), window(1)))).across
    assert tie is not None and tie.trust.mean() < 0.2


def test_a_bare_wall_has_no_depth() -> None:
    """Strokes carried along by a disparity that is none would lie before or behind the wall."""
    tie = found(np.full((2, 100, 120, 3), 90, np.uint8)).across
    assert tie is not None and tie.trust.max() == 0


def check(tie: Tie, height: int, width: int) -> None:
    assert tie.shift.shape == (height, width, 2) and tie.trust.shape == (height, width)
    assert tie.shift.dtype == tie.trust.dtype == np.float32
    assert np.isfinite(tie.shift).all() and tie.trust.min() >= 0 and tie.trust.max() <= 1.0001


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 150), st.integers(1, 400), st.integers(1, 2), st.sampled_from(["noise", "flat", "wall"]), st.data()
)
def test_pictures_of_all_shapes_are_looked_at(
    height: int, width: int, eyes: int, kind: str, data: st.DataObject
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    frames = np.full((2, eyes, height, width, 3), 90, np.uint8)
    if kind == "noise":
        frames = random.integers(0, 256, frames.shape, np.uint8)
    elif kind == "wall":
        frames[:] = np.resize(window(0, size=150), (height, width, 3))
    matcher = Matcher()
    for frame in frames:
        ties = matcher.ties(frame)
        large = min(height, width) >= SMALLEST
        assert (ties.across is not None) == (large and eyes == 2)
        scale = min(1.0, SIDE / min(height, width))
        for tie in (*ties.before, *([ties.across] if ties.across is not None else [])):
            check(tie, round(height * scale), round(width * scale))


def test_least_disparity_is_a_disparity() -> None:
    """The matcher's word for "not found" is one less than the least that it looked for."""
    matcher = EyeMatcher()
    flat = np.full((SIDE, SIDE, 3), 128, np.uint8)
    check(matcher.across(flat, flat, flat), SIDE, SIDE)


@pytest.mark.parametrize("noise", [0, 2])
def test_a_wide_sky_goes_with_the_picture(noise: int) -> None:
    """Where no place within reach says where it goes; a camera's noise says nothing either."""
    random = np.random.default_rng(0)
    world = cv2.resize(random.normal(128, 60, (60, 300, 3)), (1200, 240), interpolation=cv2.INTER_CUBIC)
    world[:168] = 140
    matcher = Matcher()
    for number in range(4):
        seen = world[:, 4 * number : 4 * number + 360]
        frame = np.clip(seen + random.normal(0, noise, seen.shape), 0, 255).round().astype(np.uint8)
        ties = matcher.ties(frame[None])
    across, down = ties.before[0].even[:70, 20:-20].reshape(-1, 2).T  # in pixels of half the size
    assert np.abs(across - 2).max() < 0.4 and np.abs(down).max() < 0.3


@pytest.mark.parametrize(("side", "levels"), [(SIDE, 0.6), (EYES_SIDE, 1.0)])  # of a half that is hardly larger
@pytest.mark.parametrize(("height", "width"), [(512, 640), (2240, 2016), (1680, 1512), (1081, 1925), (1200, 4000)])
def test_the_small_copy_is_the_mean_of_what_it_covers(height: int, width: int, side: int, levels: float) -> None:
    """Whatever way it is made: of large pictures by halves first."""
    shot = DemoSource(width, height).read()
    assert shot is not None
    small = reduced(halved(shot.eyes[0]), side)
    plain = cv2.resize(shot.eyes[0], small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert min(small.shape[:2]) == side
    assert np.abs(small.astype(int) - plain).mean() < levels
