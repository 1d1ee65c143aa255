"""The ground: strokes on what is smooth, nothing changed elsewhere, and only where pictures stand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.networks.layers import OwnStatistics
from artem_vr.styles.library import Library, Style
from artem_vr.stylize import ground
from artem_vr.stylize.engines.graph import loaded
from artem_vr.stylize.ground import DEPTH, LEVELS, SIDE, depth_for, relief, smoothness, with_ground
from artem_vr.stylize.loading import load_network_style

STYLES = [style for style in Library().styles() if style.kind == "shipped" and style.form == "network"]


def flat(level: int, height: int = 96, width: int = 128, eyes: int = 1) -> np.ndarray:
    return np.full((eyes, height, width, 3), level, np.uint8)


def test_auto_lays_it_under_single_pictures_that_stand() -> None:
    assert depth_for("auto", stands=True, eyes=1) == DEPTH > 0
    assert depth_for("auto", stands=False, eyes=1) == depth_for("auto", stands=True, eyes=2) == 0
    assert depth_for(0.25, stands=False, eyes=2) == 0.25 and depth_for(0.0, stands=True, eyes=1) == 0


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
    far = ground.WINDOW // 2 + 1
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
    laid = with_ground(flat(128, 3, SIDE + 40), 0.5)
    assert np.array_equal(laid[:, :, :20], laid[:, :, SIDE : SIDE + 20])


def test_noise_of_a_sensor_is_smooth_and_writing_is_not() -> None:
    random = np.random.default_rng(1)
    noisy = np.clip(flat(128)[0] + random.normal(0, 2, (96, 128, 3)), 0, 255).round().astype(np.uint8)
    assert smoothness(noisy).mean() > 0.95
    written = flat(255)[0]
    written[::6, ::3] = 0
    assert smoothness(written).max() == 0


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
