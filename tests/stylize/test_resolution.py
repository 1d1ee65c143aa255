"""The working size: exact where the user was, never flapping where the program chooses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.errors import SettingsError
from artem_vr.stylize.resolution import (
    GREATEST,
    STEPS,
    Scale,
    Size,
    choose_step,
    first_step,
    parse_scale,
    resize,
    steps_for,
    working_size,
)


def test_scale_one_is_exactly_the_headset() -> None:
    for about_as_an_eye in ((960, 960), (1511, 1450), (960, 800)):
        assert working_size(about_as_an_eye, (1683, 1511), 1.0) == (1683, 1511)
    assert working_size((512, 512), None, 1.0) == (512, 512)
    assert working_size((640, 640), (1680, 1600), 0.5) == (840, 800)


@pytest.mark.parametrize("source", [(1080, 1920), (480, 640), (1920, 1080), (1080, 3840)])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
def test_a_source_of_another_shape_keeps_it_at_the_headsets_number_of_pixels(source: Size, scale: float) -> None:
    eye = (1680, 1512)
    height, width = working_size(source, eye, scale)
    assert width / height == pytest.approx(source[1] / source[0], rel=0.03)
    assert height * width == pytest.approx(scale**2 * eye[0] * eye[1], rel=0.03)
    assert scale == 1.0 or (height % 8, width % 8) == (0, 0)


def test_without_a_headset_scale_is_of_the_source() -> None:
    assert working_size((1080, 1920), None, 1.0) == (1080, 1920)
    assert working_size((1080, 1920), None, 0.5) == (544, 960)


def test_auto_keeps_proportions_and_invents_no_pixels() -> None:
    assert working_size((480, 640), (1680, 1512), "auto") == (480, 640)
    height, width = working_size((2160, 3840), (1680, 1512), "auto")
    assert height * width <= 1680 * 1512 * 1.02 and width / height == pytest.approx(16 / 9, rel=0.02)
    assert working_size((480, 640), None, "auto", 0.5) == (240, 320)


@pytest.mark.parametrize(("share", "after"), [(1.1, 0.75), (0.9, 0.75), (0.7, 0.75), (0.6, 1.0), (0.1, 1.0)])
def test_a_step_up_needs_a_margin(share: float, after: float) -> None:
    """``share`` of the target is what a pair would take at the whole size."""
    assert choose_step(0.75, share * 0.08 * 0.75**2, 0.08) == after


@given(st.floats(0.001, 2), st.lists(st.floats(0.85, 1.15), min_size=20, max_size=20))
def test_on_a_machine_whose_times_vary_steps_do_not_flap(seconds: float, wind: list[float]) -> None:
    """``seconds``: what a pair takes at the whole size, on average."""
    steps = [1.0]
    for gust in wind:
        steps.append(choose_step(steps[-1], seconds * gust * steps[-1] ** 2))
    ups = sum(later > earlier for earlier, later in pairwise(steps))
    assert ups == 0, "it only ever goes down from where it began"
    steps = [STEPS[-1]]
    for gust in wind:
        steps.append(choose_step(steps[-1], seconds * gust * steps[-1] ** 2))
    turns = sum(later < earlier for earlier, later in pairwise(steps))
    assert turns == 0, "what was taken with a margin is kept"


@given(st.floats(1e-4, 1))
def test_steps_settle(seconds: float) -> None:
    step, seen = 1.0, []
    for _ in range(8):
        step = choose_step(step, seconds * step**2)
        seen.append(step)
    assert seen[-1] == seen[-2] == seen[-3]


def test_first_step() -> None:
    assert first_step((512, 512), None, 2, 1e9) == 1.0
    assert first_step((2000, 2000), None, 2, 1e7) == 0.25


def test_a_photograph_begins_at_its_size_unless_it_is_huge() -> None:
    assert first_step((1000, 1500), None, 1, 15e6) < 1.0 == first_step((1000, 1500), None, 1, 15e6, still=True)
    assert first_step((5000, 5000), None, 1, 15e6, still=True) == 0.75


def test_auto_keeps_the_shape_of_a_huge_picture() -> None:
    assert working_size((4000, 8000), None, "auto") == (2048, 4096)


@pytest.mark.parametrize("scale", [1.0, 0.75, 0.5, "auto"])
@pytest.mark.parametrize("source", [(3000, 12000), (4320, 7680), (12000, 3000)])
def test_what_is_too_large_keeps_its_shape_at_any_scale(source: Size, scale: Scale) -> None:
    height, width = working_size(source, None, scale)
    assert max(height, width) <= GREATEST
    assert width / height == pytest.approx(source[1] / source[0], rel=0.01)


def test_auto_makes_no_mud() -> None:
    assert steps_for((512, 768), None) == (1.0, 0.75)
    assert steps_for((240, 320), None) == (1.0,)
    assert steps_for((2160, 3840), (1680, 1512)) == STEPS[:4]
    for scale in (1.0, 0.5):  # as where memory does not suffice
        sizes = [working_size((2160, 7680), None, scale, step) for step in STEPS]
        assert sizes == sorted(set(sizes), reverse=True)
    assert first_step((512, 768), None, 2, 1.0) == 0.75  # however slow the engine


@pytest.mark.parametrize("text", ["0.2", "1.01", "nan", "inf", "x", "-1", ""])
def test_bad_scale(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_scale(text)


def test_good_scale() -> None:
    assert parse_scale("auto") == "auto" and parse_scale("1") == 1.0 and parse_scale(0.25) == 0.25


def test_resize() -> None:
    eyes = np.random.default_rng(0).integers(0, 255, (2, 40, 60, 3), dtype=np.uint8)
    assert resize(eyes, (40, 60)) is eyes
    small = resize(eyes, (20, 30))
    assert small.shape == (2, 20, 30, 3) and small.dtype == np.uint8
    boxes = eyes.reshape(2, 20, 2, 30, 2, 3).mean((2, 4))
    assert np.abs(small - boxes).max() <= 1
    assert resize(eyes[:1], (80, 90)).shape == (1, 80, 90, 3)
