"""The ground: strokes on what is smooth, nothing changed elsewhere; it stands, or goes with what is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.networks.layers import OwnStatistics
from artem_vr.styles.library import Library, Style
from artem_vr.stylize import ground
from artem_vr.stylize.engines.graph import loaded
from artem_vr.stylize.ground import DEPTH, LEVELS, Ground, depth_for, share_for, smooth_share, smoothness, with_ground
from artem_vr.stylize.loading import load_network_style
from artem_vr.stylize.matching import Matcher
from artem_vr.stylize.relief import SIDE, relief
from artem_vr.stylize.ties import NO_TIES

STYLES = [style for style in Library().styles() if style.kind == "shipped" and style.form == "network"]


def flat(level: int, height: int = 96, width: int = 128, eyes: int = 1) -> np.ndarray:
    return np.full((eyes, height, width, 3), level, np.uint8)


def test_auto_lays_it_where_it_can_be_right() -> None:
    assert depth_for("auto", stands=True, eyes=1) == DEPTH > 0
    assert depth_for("auto", stands=False, eyes=1) == depth_for("auto", stands=True, eyes=2) == 0
    assert depth_for("auto", stands=False, eyes=2, follows=True) == DEPTH
    assert depth_for(0.25, stands=False, eyes=2) == 0.25 and depth_for(0.0, stands=True, eyes=1, follows=True) == 0


def test_less_is_laid_in_the_style_of_who_leaves_much_smooth() -> None:
    random = np.random.default_rng(0)
    strokes = random.integers(0, 256, (64, 200, 3), np.uint8)
    half_bare = np.concatenate((strokes, np.full_like(strokes, 230)), axis=1)
    assert smooth_share(strokes) == 0 and smooth_share(np.full_like(strokes, 9)) == 1
    assert 0.4 < smooth_share(half_bare) < 0.5
    assert share_for(0.0) == 1 > share_for(0.1) > share_for(0.3) > share_for(0.5) == share_for(1.0) == 0
    auto, told = Ground("auto"), Ground(0.4)
    for one in (auto, told):
        one.follow(1, NO_TIES, 0.0, stands=True)
    bare = flat(128)
    assert np.array_equal(auto.laid(bare), with_ground(bare, DEPTH))
    assert np.array_equal(auto.laid(bare, 0.3), with_ground(bare, DEPTH * share_for(0.3)))
    assert auto.laid(bare, 0.6) is bare
    assert np.array_equal(told.laid(bare, 0.6), with_ground(bare, 0.4))  # who says how much gets that
    auto.follow(1, NO_TIES, 0.1, stands=True)
    bare[:, :48] = random.integers(0, 256, (48, 128, 3), np.uint8)  # the next frame in the same memory
    assert np.array_equal(auto.laid(bare, 0.3), with_ground(bare, DEPTH * share_for(0.3)))


def test_the_relief_is_even_seamless_and_always_the_same() -> None:
    once = relief()
    assert once.shape == (SIDE, SIDE) and once.dtype == np.float32
    assert abs(once.mean()) < 0.01 and 0.9 < once.std() < 1.05 and np.abs(once).max() <= 2
    relief.cache_clear()
    assert np.array_equal(relief(), once)
    for axis in (0, 1):
        inside = np.abs(np.diff(once, axis=axis)).mean()
        seam = np.abs(once.take(0, axis) - once.take(-1, axis)).mean()
        assert 0.7 * inside < seam < 1.3 * inside
        parts = [abs(part.mean()) for part in np.array_split(once, 8, axis)]
        assert max(parts) < 0.1  # nowhere lighter or darker as a whole


def test_smooth_parts_get_it_and_others_nothing() -> None:
    random = np.random.default_rng(0)
    picture = flat(120, 128, 256)
    picture[:, :, 128:] = random.integers(60, 200, (1, 128, 128, 3), np.uint8)
    before = picture.copy()
    laid = with_ground(picture, 0.5)
    assert np.array_equal(picture, before)
    far = ground.WINDOW + 2
    assert np.array_equal(laid[:, :, 128 + far :], picture[:, :, 128 + far :])
    waves = laid[0, :, : 128 - far].astype(float) - 120
    assert 0.7 * 0.5 * LEVELS < waves.std() < 1.3 * 0.5 * LEVELS and np.ptp(waves, axis=2).max() == 0  # grey
    twice = with_ground(picture, 1.0)[0, :, : 128 - far].astype(float) - 120
    assert 1.8 < twice.std() / waves.std() < 2.2


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_get_what_there_is_room_for(level: int) -> None:
    laid = with_ground(flat(level), 1.0).astype(int)
    assert np.abs(laid - level).max() <= 2 * LEVELS and 0.2 < (laid != level).mean() < 0.6


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 2), st.integers(0, 255))
def test_pictures_of_any_size(height: int, width: int, eyes: int, level: int) -> None:
    pictures = flat(level, height, width, eyes)
    laid = with_ground(pictures, 0.5)
    assert laid.shape == pictures.shape and laid.dtype == np.uint8 and laid.flags.c_contiguous
    assert all(np.array_equal(eye, laid[0]) for eye in laid)
    assert with_ground(pictures, 0.0) is pictures


def test_pictures_larger_than_the_relief() -> None:
    laid = with_ground(flat(128, 3, 2 * SIDE + 40), 0.5)
    assert np.array_equal(laid[:, :, 2:20], laid[:, :, 2 * SIDE + 2 : 2 * SIDE + 20])


def test_noise_of_a_sensor_is_smooth_and_writing_is_not() -> None:
    random = np.random.default_rng(1)
    noisy = np.clip(flat(128)[0] + random.normal(0, 2, (96, 128, 3)), 0, 255).round().astype(np.uint8)
    assert smoothness(noisy).mean() > 0.95
    written = flat(255)[0]
    written[::6, ::3] = 0
    assert smoothness(written).max() == 0


def scene(x: float = 0.0, y: float = 0.0, zoom: float = 1.0, size: tuple[int, int] = (192, 256)) -> np.ndarray:
    """(H, W, 3): a wall, smooth in the middle and full of things around, seen a little further right and down."""
    random = np.random.default_rng(0)
    height, width = size
    wide = cv2.GaussianBlur(random.normal(0, 1, (height + 128, width + 128)), (0, 0), 2)
    wide = 128 + 45 * wide / wide.std()
    cv2.rectangle(wide, (128, 112), (width, height + 16), 120.0, cv2.FILLED)
    move = np.array([[zoom, 0, -64 + x], [0, zoom, -64 + y]])
    seen = cv2.warpAffine(wide, move, (width, height), flags=cv2.INTER_CUBIC)
    return np.repeat(np.clip(seen, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


MIDDLE = np.s_[72:120, 88:168]
"""Of `scene`: smooth, with room around it."""


def waves(laid: np.ndarray, bare: np.ndarray, x: int = 0, y: int = 0) -> np.ndarray:
    """What was laid in the middle of the scene, which has gone ``x`` and ``y`` pixels since."""
    rows, columns = MIDDLE
    place = slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)
    return (laid[place].astype(float) - bare[place])[..., 0]


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_it_goes_with_what_moves() -> None:
    matcher, under = Matcher(), Ground("auto")
    first = np.zeros(0)
    for number in range(9):
        x, y = 2 * number, -number
        bare = scene(x, y)
        under.follow(1, matcher.ties(bare[None]), number / 30, follows=True)
        laid = under.laid(bare[None])[0]
        first = first if number else waves(laid, bare)
        assert np.array_equal(laid[:24], bare[:24])  # there is enough to see
    assert likeness(waves(laid, bare, x, y), first) > 0.9 > 0.4 > likeness(waves(laid, bare), first)
    other = 255 - scene()[::-1, ::-1]
    under.follow(1, matcher.ties(other[None]), 0.4, follows=True)
    assert np.array_equal(under.laid(other[None]), with_ground(other[None], DEPTH))  # a cut: it begins anew
    under.follow(1, matcher.ties(other[None]), 0.5, follows=True)  # and goes on from there
    assert likeness(under.laid(other[None]).astype(float) - other, with_ground(other[None], DEPTH) - 1.0 * other) > 0.99


def test_both_eyes_have_the_same_at_the_depth_of_the_wall() -> None:
    under, eyes = Ground("auto"), np.stack((scene(12), scene(0)))  # what is near lies further right in the left eye
    under.follow(2, Matcher().ties(eyes), 0.0, follows=True)
    left, right = under.laid(eyes)
    there = waves(left, eyes[0], 12)
    assert likeness(there, waves(right, eyes[1])) > 0.9 > 0.4 > likeness(there, waves(right, eyes[1], 12))


def test_a_stretched_one_fades_into_a_fresh_one() -> None:
    matcher, under = Matcher(), Ground("auto")
    deviations, turns = [], 0
    for number in range(60):
        bare = scene(-96 * 0.006 * number, -80 * 0.006 * number, zoom=1 + 0.006 * number)
        under.follow(1, matcher.ties(bare[None]), number / 30, follows=True)
        turns += len(under._layers) == 2
        deviations.append(waves(under.laid(bare[None])[0], bare).std())
    assert 20 < turns < 55  # a second of two layers
    assert min(deviations) > 0.6 * max(deviations) > 3


def test_it_comes_and_goes_slowly_and_is_there_at_first() -> None:
    under, bare = Ground("auto"), flat(128)

    def deviation(at: float, follows: bool) -> float:
        under.follow(1, NO_TIES, at, follows=follows)
        return float(under.laid(bare).std())

    whole = deviation(10.0, True)
    assert whole > 5
    going = [deviation(10.1 + 0.1 * number, False) for number in range(8)]
    assert whole > going[0] > going[1] > 0 == going[-1]
    assert under.laid(bare) is bare
    coming = [deviation(11 + 0.1 * number, True) for number in range(8)]
    assert 0 < coming[0] < coming[1] < coming[-1] == whole


def test_where_the_source_has_stalled_it_goes_at_once() -> None:
    under, bare = Ground(0.5), flat(128)
    for wanted in (0.5, 0.0, 0.5):
        under.wanted = wanted
        under.follow(1, NO_TIES, 10.0)
        assert (under.laid(bare).std() > 5) == bool(wanted)


def test_without_ties_it_waits_where_it_is() -> None:
    matcher, under = Matcher(), Ground(0.5)
    for number in range(4):
        bare = scene(3 * number)
        under.follow(1, matcher.ties(bare[None]), number / 30, follows=True)
    before = under.laid(bare[None])
    under.follow(1, NO_TIES, 0.2, follows=True)
    assert np.array_equal(under.laid(bare[None]), before)
    assert not np.array_equal(before, with_ground(bare[None], 0.5))
    assert under.laid(flat(120, 96, 128)).shape == (1, 96, 128, 3)  # another size of that frame
    under.follow(2, NO_TIES, 0.3)  # another source
    assert np.array_equal(under.laid(flat(99, eyes=2)), with_ground(flat(99, eyes=2), 0.5))


def test_a_desktop_keeps_it_whatever_moves_there() -> None:
    matcher, under = Matcher(), Ground("auto")
    for number in range(4):
        bare = scene(3 * number)[None]
        under.follow(1, matcher.ties(bare), number / 30, stands=True, follows=True)
        assert np.array_equal(under.laid(bare), with_ground(bare, DEPTH))


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_shipped_style_makes_strokes_of_it(style: Style) -> None:
    """Without it what is flat is painted flat."""
    network = loaded(load_network_style(style).network)

    def painted(pictures: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            return (255 * network(x, OwnStatistics())).numpy()

    for level in (40, 128, 220):
        bare, laid = painted(flat(level, 128, 128)), painted(with_ground(flat(level, 128, 128), DEPTH))
        assert bare.std(axis=(2, 3)).max() < 2 and laid.std(axis=(2, 3)).mean() > 8
