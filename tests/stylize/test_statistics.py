"""Smoothing goes by time, not by frames; a cut starts anew and a moving camera does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.stylize.statistics import RateKeeper, is_cut, signature, smoothing_rate


def scene(seed: int, height: int = 96, width: int = 128, eyes: int = 2) -> np.ndarray:
    """Smooth coloured blobs, different for each seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : height * 2, 0 : width * 2] / height
    picture = np.zeros((height * 2, width * 2, 3))
    base = rng.uniform(20, 235, 3)
    for _ in range(6):
        center, color = rng.uniform(0, 2.5, 2), rng.uniform(-60, 60, 3)
        picture += np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) * 6)[..., None] * color
    picture = np.clip(picture + base, 0, 255).astype(np.uint8)
    return np.stack([picture[:height, :width], picture[:height, 2 : width + 2]])[:eyes]


@given(st.floats(0, 5), st.floats(0, 5))
def test_two_short_steps_go_as_far_as_a_long_one(a: float, b: float) -> None:
    left = (1 - smoothing_rate(a)) * (1 - smoothing_rate(b))
    assert left == pytest.approx(1 - smoothing_rate(a + b), abs=1e-9)


@given(st.floats(-10, 100), st.floats(0, 3))
def test_rate_is_a_share(elapsed: float, tau: float) -> None:
    assert 0.0 <= smoothing_rate(elapsed, tau) <= 1.0


def test_thirty_and_ninety_frames_a_second_are_the_same() -> None:
    def after_a_second(fps: int) -> float:
        keeper, state = RateKeeper(), 0.0
        eyes = scene(1)
        keeper.rate(eyes, 10.0)
        for i in range(1, fps + 1):
            state += keeper.rate(eyes, 10.0 + i / fps) * (1.0 - state)
        return state

    assert after_a_second(30) == pytest.approx(after_a_second(90), abs=1e-6)
    assert after_a_second(7) == pytest.approx(after_a_second(90), abs=1e-6)


def test_first_frame_reset_and_time_running_backwards() -> None:
    keeper, eyes = RateKeeper(), scene(1)
    assert keeper.rate(eyes, 5.0) == 1.0
    assert keeper.rate(eyes, 5.0) == 0.0
    assert keeper.rate(eyes, 4.0) == 0.0
    keeper.reset()
    assert keeper.rate(eyes, 4.1) == 1.0


def test_cuts() -> None:
    cut = sum(is_cut(signature(scene(i)), signature(scene(i + 1))) for i in range(30))
    assert cut >= 27  # two scenes may happen to look alike
    dark, light = np.full((2, 64, 64, 3), 10, np.uint8), np.full((2, 64, 64, 3), 240, np.uint8)
    assert is_cut(signature(dark), signature(light))


def test_size_or_eye_count_is_a_cut() -> None:
    assert is_cut(signature(scene(1)), signature(scene(1, eyes=1)))
    assert is_cut(signature(scene(1)), signature(scene(1, 96, 120)))


def test_movement_noise_and_exposure_are_no_cut() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        eyes = scene(seed, 200, 240)
        before = signature(eyes[:, :180, :220])
        for after in (
            eyes[:, 8:188, 12:232],
            np.clip(eyes[:, :180, :220] + rng.normal(0, 4, (2, 180, 220, 3)), 0, 255).astype(np.uint8),
            (eyes[:, :180, :220] * 0.97).astype(np.uint8),
        ):
            assert not is_cut(before, signature(after))


def test_tiny_pictures() -> None:
    assert signature(np.zeros((1, 1, 1, 3), np.uint8)).histogram.sum() == pytest.approx(3)
