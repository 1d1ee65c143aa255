"""Paintings stay on what they show; what is new, and what cannot be tied, is painted as ever."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.sources.demo import DemoSource
from artem_vr.stylize.matching import Matcher
from artem_vr.stylize.steadying import JUDGE_AFTER, PATIENCE, Budget, Steadier, kept
from artem_vr.stylize.ties import NO_TIES, Tie, Ties

SHAPE = (64, 80)


def tie(x: float = 0.0, y: float = 0.0, trust: float = 1.0, shape: tuple[int, int] = SHAPE) -> Tie:
    shift = np.full((*shape, 2), (x, y), np.float32)
    return Tie(shift, np.full(shape, trust, np.float32), np.zeros((*shape, 3), np.uint8))


def noise(seed: int, eyes: int = 1, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (eyes, *SHAPE, channels), np.uint8)


@given(st.floats(0, 3), st.floats(0, 3))
def test_what_is_kept_goes_by_time_and_not_by_frames(a: float, b: float) -> None:
    assert kept(a) * kept(b) == pytest.approx(kept(a + b))
    assert 0 < kept(a) <= 1 == kept(0) == kept(-1)


def test_the_first_painting_is_shown_as_it_is() -> None:
    painted = noise(0, eyes=2)
    assert np.array_equal(Steadier().steadied(painted, Ties(1, (), None), 0.0), painted)


def test_a_still_thing_keeps_its_strokes() -> None:
    steadier, first, second = Steadier(), noise(0), noise(1)
    steadier.steadied(first, Ties(1, (), None), 10.0)
    shown = steadier.steadied(second, Ties(2, (tie(),), None), 10.02)
    expected = kept(0.02) * first.astype(float) + (1 - kept(0.02)) * second
    assert np.abs(shown - expected).max() <= 1


def test_strokes_go_where_the_thing_goes() -> None:
    """It lay 5 pixels further right and 2 further up before. The tie's grid is half as fine as the picture."""
    steadier, first = Steadier(), noise(0)
    steadier.steadied(first, Ties(1, (), None), 0.0)
    half = tie(2.5, -1.0, shape=(SHAPE[0] // 2, SHAPE[1] // 2))
    shown = steadier.steadied(noise(1), Ties(2, (half,), None), 0.0)  # no time has passed: all of it is kept
    assert np.array_equal(shown[0, 2:, :-5], first[0, :-2, 5:])


def test_what_is_not_trusted_is_painted_anew() -> None:
    steadier, second = Steadier(), noise(1, eyes=2)
    steadier.steadied(noise(0, eyes=2), Ties(1, (), None), 0.0)
    ties = Ties(2, (tie(3, trust=0), tie(trust=0)), tie(9, trust=0))
    assert np.array_equal(steadier.steadied(second, ties, 0.01), second)


def test_the_right_eye_is_given_the_strokes_of_the_left_one() -> None:
    """Its things lie 7 pixels further right in the left eye."""
    painted = noise(0, eyes=2)
    shown = Steadier().steadied(painted, Ties(1, (), tie(7)), 0.0)
    assert np.array_equal(shown[0], painted[0])
    assert np.array_equal(shown[1, :, :-7], painted[0, :, 7:])


def test_nothing_is_read_half_way_between_a_thing_and_what_is_behind_it() -> None:
    """Their ways lie 20 pixels apart, in a grid of half the size; between the two the left eye has a red post."""
    painted = np.zeros((2, 64, 96, 3), np.uint8)
    painted[0, :, 52:64] = 255, 0, 0
    shift = np.zeros((32, 48, 2), np.float32)
    shift[:, :24, 0], shift[:, 24:, 0] = 0, 10
    whole = np.ones((32, 48), np.float32)
    for discontinuous, brightest in ((True, 0), (False, 255)):
        across = Tie(shift, whole, painted[1], discontinuous)
        assert Steadier().steadied(painted, Ties(1, (), across), 0.0)[1].max() == brightest


@pytest.mark.parametrize(
    "between",
    [
        lambda steadier: steadier.forget(),
        lambda steadier: steadier.steadied(noise(5), NO_TIES, 0.1),  # a frame that was not looked at
        lambda steadier: steadier.steadied(noise(5)[:, :32], Ties(2, (), None), 0.1),  # another size
    ],
)
def test_only_the_frame_before_is_kept(between: Callable[[Steadier], object]) -> None:
    steadier, last = Steadier(), noise(1)
    steadier.steadied(noise(0), Ties(1, (), None), 0.0)
    between(steadier)
    assert np.array_equal(steadier.steadied(last, Ties(3, (tie(),), None), 0.2), last)


def test_what_was_shown_is_not_changed_later() -> None:
    steadier = Steadier()
    shown = steadier.steadied(noise(0, eyes=2), Ties(1, (), tie(1)), 0.0)
    copy = shown.copy()
    steadier.steadied(noise(1, eyes=2), Ties(2, (tie(), tie()), tie(1)), 0.01)
    assert np.array_equal(shown, copy)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(("channels", "discontinuous"), [(3, False), (4, False), (3, True)])
def test_pictures_on_a_device_are_steadied_alike(channels: int, discontinuous: bool, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    arrays, tensors = Steadier(), Steadier()
    ramp = np.linspace(-4, 4, 40 * 32, dtype=np.float32).reshape(32, 40)
    shift = np.dstack((ramp, ramp[::-1]))
    uneven = Tie(shift, np.clip(np.abs(ramp) / 4, 0, 1), np.zeros((*ramp.shape, 3), np.uint8), discontinuous)
    for number in range(1, 4):
        painted = cv2.blur(noise(number, 2, channels).transpose(1, 2, 0, 3).reshape(*SHAPE, -1), (3, 3))
        painted = np.ascontiguousarray(painted.reshape(*SHAPE, 2, channels).transpose(2, 0, 1, 3))
        ties = Ties(number, (uneven, tie(0.3)) if number > 1 else (), uneven)
        expected = arrays.steadied(painted, ties, number / 30)
        with torch.inference_mode():  # as painters do
            pictures = torch.from_numpy(painted).to(device)
        shown = tensors.steadied(pictures, ties, number / 30)
        assert shown.dtype == torch.uint8 and shown.shape == painted.shape and shown.is_contiguous()
        difference = np.abs(shown.cpu().numpy().astype(int) - expected)
        assert difference.max() <= 6 and difference.mean() < 0.4  # OpenCV reads at 32nds of a pixel


def test_a_trembling_painting_of_a_moving_stereo_scene_is_steady_and_in_place() -> None:
    """The painting is the negative of the source, with strokes that are others at every moment and in each eye."""
    demo, matcher, steadier = DemoSource(256, 192), Matcher(), Steadier()
    random = np.random.default_rng(0)
    for number in range(12):
        eyes = demo.read().eyes  # type: ignore[union-attr]
        true = 255.0 - eyes
        strokes = cv2.resize(random.normal(0, 40, (96, 128, 6)), (256, 192)).reshape(192, 256, 2, 3)
        painted = np.clip(true + strokes.transpose(2, 0, 1, 3), 0, 255).astype(np.uint8)
        shown = steadier.steadied(painted, matcher.ties(eyes), number / 30)

    def off(pictures: np.ndarray) -> list[float]:
        return [float(np.sqrt(np.mean((picture - one) ** 2))) for picture, one in zip(pictures, true, strict=True)]

    assert all(now < 0.66 * then for now, then in zip(off(shown), off(painted), strict=True))


@pytest.mark.parametrize("speed", [0, 4])
def test_strokes_on_a_bare_wall_stay_where_a_camera_has_noise(speed: int) -> None:
    """A wall looks like itself wherever it is looked for."""
    random, matcher, steadier = np.random.default_rng(0), Matcher(), Steadier()
    height, width = 256, 320
    scene = cv2.GaussianBlur(random.normal(0, 1, (height, width + 40, 3)), (0, 0), 4)
    scene = 128 + 45 * scene / scene.std()
    scene[:150] = np.linspace(150, 190, width + 40)[:, None]
    strokes = cv2.GaussianBlur(random.normal(0, 1, (height, width + 40, 3)), (0, 0), 3)
    strokes = np.clip(128 + 40 * strokes / strokes.std(), 0, 255).astype(np.uint8)
    off = []
    for number in range(8):
        seen = slice(number * speed, number * speed + width)
        noisy = np.clip(scene[:, seen] + random.normal(0, 1.5, (height, width, 3)), 0, 255).astype(np.uint8)
        painted = strokes[None, :, seen]
        shown = steadier.steadied(painted, matcher.ties(noisy[None]), number / 30)
        off.append(np.abs(shown[0, 20:130, 60:-60] - painted[0, 20:130, 60:-60].astype(float)).mean())
    assert max(off) < 6  # of strokes of 40; 13 to 20 where each goes by what was found for itself


def test_a_try_is_no_proof() -> None:
    budget = Budget(0.05)
    assert budget.allows and not budget.proven
    take(budget, 0.02)
    assert budget.proven and Budget(0.05, budget.proven).proven
    take(budget, 0.06)
    assert not budget.proven
    while not take(budget, 0.01, 0.06):
        assert not budget.proven
    assert not budget.proven  # it is being tried


def take(budget: Budget, bare: float, steadying: float = 0.02) -> bool:
    for _ in range(JUDGE_AFTER):
        cost = steadying if budget.allows else 0.0
        budget.took(bare + cost, cost)
    return budget.allows


def test_there_is_time_to_steady_until_pairs_take_too_long_and_again_when_they_do_not() -> None:
    budget = Budget(0.05)
    assert take(budget, 0.029) and take(budget, 0.029)
    assert not take(budget, 0.033)
    for _ in range(5):
        assert not take(budget, 0.029)  # would do, with no room: it does not come and go
    assert take(budget, 0.019)
    assert take(budget, 0.019)


def test_a_busy_moment_does_not_end_it_for_good() -> None:
    budget = Budget(0.05)
    assert take(budget, 0.02, 0.015)
    assert not take(budget, 0.08, 0.06)  # everything takes four times as long
    assert take(budget, 0.02, 0.015)


def test_what_seemed_too_dear_in_a_busy_moment_is_tried_again_but_ever_more_rarely() -> None:
    budget = Budget(0.05)
    assert not take(budget, 0.03, 0.06)
    assert [take(budget, 0.02) for _ in range(2 * PATIENCE)] == (2 * PATIENCE - 1) * [False] + [True]
    assert take(budget, 0.02, 0.015)
    assert not take(budget, 0.02, 0.06)
    tries = sum(take(budget, 0.02, 0.06) for _ in range(500))
    assert 5 < tries < 15


def test_what_is_done_without_steadying_too_is_no_part_of_its_price() -> None:
    """A ground that stands is laid whether or not there is time to steady."""

    def pairs(slower: float = 1.0) -> bool:
        for _ in range(JUDGE_AFTER):
            ground, steadying = 0.018, 0.015 * budget.allows
            budget.took(slower * (0.030 + ground + steadying), slower * (ground + steadying))
        return budget.allows

    budget = Budget(0.083)
    assert pairs()
    assert not pairs(slower=1.5)
    assert pairs()


def test_where_a_smaller_size_comes_first_it_is_proven_but_never_refused() -> None:
    budget = Budget(0.05)
    for seconds, proven in ((0.03, True), (0.2, False), (0.03, True)):
        for _ in range(JUDGE_AFTER):
            budget.took(seconds, 0.01, may_refuse=False)
        assert budget.allows and budget.proven is proven


def test_a_refusal_outlasts_another_size() -> None:
    """Else it would come and go with each, where sizes follow from what it takes."""
    budget = Budget(0.05)
    assert not take(budget, 0.03, 0.06)
    for _ in range(JUDGE_AFTER - 1):
        budget.took(0.001, 0.0)
    budget.other_size()
    budget.took(0.001, 0.0)
    assert not budget.allows


def test_a_single_slow_pair_says_nothing() -> None:
    budget = Budget(0.05)
    for number in range(10 * JUDGE_AFTER):
        budget.took(2.0 if number % 7 == 0 else 0.03, 0.01)
    assert budget.allows


def test_what_was_painted_before_is_led_all_the_way_to_what_is_painted_now() -> None:
    """Bytes would stop short of it, the more frames a second the sooner."""
    steadier = Steadier()
    for number in range(120):
        painted = np.full((1, *SHAPE, 3), 100 if number == 0 else 80, np.uint8)
        shown = steadier.steadied(painted, Ties(number + 1, (tie(),) if number else (), None), number / 120)
    assert (shown == 80).all()


def test_both_eyes_lag_behind_alike() -> None:
    steadier = Steadier()
    for number in range(8):
        painted = np.full((2, *SHAPE, 3), 20 * number, np.uint8)
        shown = steadier.steadied(painted, Ties(number + 1, (tie(), tie()) if number else (), tie()), number / 30)
        assert np.array_equal(shown[0], shown[1])
    assert shown[0].max() < 140
