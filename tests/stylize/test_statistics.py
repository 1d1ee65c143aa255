"""Smoothing goes by time, not by frames; a cut and another light start anew and a moving camera does not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.networks.checkpoint import load_network
from artem_vr.networks.tuning import dead_leaves
from artem_vr.sources.demo_scene import Scene
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import initial_state
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.statistics import LIGHT, RateKeeper, is_cut, light_rate, signature, smoothing_rate


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


def photograph(index: int) -> np.ndarray:
    """(192, 224, 3) uint8 with the statistics of a natural scene."""
    leaves = dead_leaves()[index].permute(1, 2, 0).numpy() * 255
    return cv2.resize(leaves, (224, 192), interpolation=cv2.INTER_AREA)


def filmed(picture: np.ndarray, gains: list[float]) -> list[np.ndarray]:
    """(1, H, W, 3) uint8 a gain: ``picture`` in light of that strength, seen by a camera that makes noise."""
    rng = np.random.default_rng(0)
    noise = 1.5
    frames = [picture * gain + rng.normal(0, noise, picture.shape) for gain in gains]
    return [np.clip(np.rint(frame), 0, 255).astype(np.uint8)[None] for frame in frames]


def crossed(frames: list[np.ndarray]) -> list[np.ndarray]:
    """A person walks through: the coarse picture changes in a third of its columns, others in each frame."""
    person = photograph(2)[:, 100:130]
    result = [frame.copy() for frame in frames]
    for i, frame in enumerate(result):
        frame[0, :, 6 * i : 6 * i + 30] = person
    return result


def rates(frames: list[np.ndarray], fps: int = 30) -> list[float]:
    """Of all frames but the first."""
    keeper = RateKeeper()
    return [keeper.rate(frame, i / fps) for i, frame in enumerate(frames)][1:]


FLICKER = [1.0, 0.98] * 6
SMOOTH = pytest.approx(smoothing_rate(1 / 30))


@pytest.mark.parametrize("index", range(4))
def test_flicker_is_followed_at_once_whoever_walks_through(index: int) -> None:
    picture = photograph(index)
    assert set(rates(filmed(picture, FLICKER))) == {1.0}
    assert set(rates(filmed(picture, [1.0, 1.01] * 6))) == {1.0}
    assert set(rates(crossed(filmed(picture, FLICKER)))) == {1.0}


@pytest.mark.parametrize("index", range(4))
def test_noise_and_passers_by_are_no_change_of_the_light(index: int) -> None:
    still = filmed(photograph(index), [1.0] * 12)
    assert rates(still) == rates(crossed(still)) == [SMOOTH] * 11


def test_a_moving_camera_is_no_change_of_the_light() -> None:
    demo = Scene(128, 96)
    assert rates([demo.render(i / 30) for i in range(30)]) == [SMOOTH] * 29
    for index in range(4):
        wide = cv2.resize(photograph(index), (448, 384))
        pan = [wide[None, 3 * i : 3 * i + 192, 2 * i : 2 * i + 224].astype(np.uint8) for i in range(20)]
        assert rates(pan) == [SMOOTH] * 19


def test_light_is_seen_beside_black_and_burnt_out_walls() -> None:
    for around in (0, 255):
        frames = filmed(photograph(1), FLICKER)
        for frame in frames:
            frame[0, :, :96] = around
        assert set(rates(frames)) == {1.0}
        assert rates([np.full((1, 64, 64, 3), around, np.uint8)] * 3) == [SMOOTH] * 2


def test_light_rate_grows_evenly() -> None:
    followed = [light_rate(change) for change in np.linspace(-3 * LIGHT, 3 * LIGHT, 61)]
    assert followed[0] == followed[-1] == 1.0 and max(followed[21:40]) == 0.0
    assert max(np.abs(np.diff(followed))) < 0.11


@pytest.mark.parametrize(
    ("fps", "gains"),
    [
        (30, FLICKER * 3),
        (30, [1 + 0.025 * math.sin(2 * math.pi * i / 30) for i in range(36)]),
        (90, [1 - 0.001 * i for i in range(36)]),
        (90, [1 - 0.003 * i for i in range(36)]),
    ],
    ids=["lamps", "exposure that hunts", "dusk", "exposure"],
)
def test_no_change_of_the_light_is_magnified(fps: int, gains: list[float]) -> None:
    """No frame differs from the one before by much more than it would without smoothing."""
    frames = filmed(photograph(1), gains)
    style = Library().find("great_wave")
    painter = TorchEngine("cpu", "fp32").prepare("k", load_network(style.path, style.sha256)[0], 1, 192, 224)

    def changes(rates: list[float]) -> np.ndarray:
        """Of each painted frame from the one before."""
        state, painted = initial_state(painter.channels), []
        for frame, rate in zip(frames, rates, strict=True):
            picture, state = painter.paint(frame, state, rate)
            painted.append(picture.astype(np.float32))
        return np.abs(np.diff(painted, axis=0)).mean(axis=(1, 2, 3, 4))

    kept, unsmoothed = changes([1.0, *rates(frames, fps)]), changes([1.0] * len(frames))
    assert kept.mean() < 1.3 * unsmoothed.mean() and kept.max() < 1.3 * unsmoothed.max()
    painter.close()
