"""Taking two eyes apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from artem_vr.errors import SourceError
from artem_vr.sources.layout import LAYOUTS, split

pictures = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda hw: arrays(np.uint8, (*hw, 3)))


@settings(max_examples=40, deadline=None)
@given(pictures)
def test_mono_is_the_picture_itself(picture):
    eyes = split(picture, "mono")
    assert eyes.shape == (1, *picture.shape)
    assert np.array_equal(eyes[0], picture)


@settings(max_examples=40, deadline=None)
@given(pictures, pictures)
def test_eyes_side_by_side_come_back_left_first(left, right):
    right = np.resize(right, left.shape)
    eyes = split(np.concatenate([left, right], axis=1), "sbs")
    assert np.array_equal(eyes, np.stack([left, right]))
    assert eyes.flags.c_contiguous


@settings(max_examples=40, deadline=None)
@given(pictures, pictures)
def test_eyes_one_above_the_other_come_back_upper_one_left(left, right):
    right = np.resize(right, left.shape)
    eyes = split(np.concatenate([left, right], axis=0), "tb")
    assert np.array_equal(eyes, np.stack([left, right]))
    assert eyes.flags.c_contiguous


@settings(max_examples=40, deadline=None)
@given(pictures)
def test_half_eyes_are_stretched_to_the_whole_picture(picture):
    height, width = picture.shape[:2]
    if width < 2:
        return
    eyes = split(picture, "half-sbs")
    assert eyes.shape == (2, height, width // 2 * 2, 3)
    assert eyes.flags.c_contiguous
    halves = split(picture, "sbs").astype(int)
    # Two neighbours made of a pixel lie around it: their mean is near it wherever its own neighbours are alike.
    assert np.abs(eyes[:, :, 0].astype(int) - halves[:, :, 0]).max() <= 1
    assert np.abs(eyes[:, :, -1].astype(int) - halves[:, :, -1]).max() <= 1
    assert eyes.min() >= halves.min() and eyes.max() <= halves.max()


def test_half_eyes_are_linear_in_between_and_do_not_mix():
    eyes = split(np.array([[[0], [100], [200], [200]]], np.uint8).repeat(3, 2), "half-sbs")
    assert eyes[0, 0, :, 0].tolist() == [0, 25, 75, 100]
    assert eyes[1, 0, :, 0].tolist() == [200] * 4


@settings(max_examples=40, deadline=None)
@given(pictures)
def test_half_as_high_is_half_as_wide_lying_on_its_side(picture):
    if picture.shape[0] < 2:
        return
    eyes = split(picture, "half-tb")
    assert eyes.flags.c_contiguous
    on_its_side = split(np.ascontiguousarray(picture.swapaxes(0, 1)), "half-sbs")
    assert np.array_equal(eyes, on_its_side.swapaxes(1, 2))


@pytest.mark.parametrize(
    ("layout", "shape"), [("sbs", (4, 5, 3)), ("half-sbs", (4, 5, 3)), ("tb", (5, 4, 3)), ("half-tb", (5, 4, 3))]
)
def test_an_odd_last_line_is_dropped(layout, shape):
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    even = picture[:4, :4]
    assert np.array_equal(split(picture, layout), split(even, layout))


@pytest.mark.parametrize(
    ("layout", "shape"), [("sbs", (4000, 1, 3)), ("half-sbs", (9, 1, 3)), ("tb", (1, 4000, 3)), ("half-tb", (1, 9, 3))]
)
def test_a_picture_too_small_for_two_eyes_is_refused(layout, shape):
    with pytest.raises(SourceError, match="too small"):
        split(np.zeros(shape, np.uint8), layout)


def test_an_unknown_layout_is_refused_with_the_known_ones():
    with pytest.raises(SourceError, match="mono, sbs, half-sbs, tb, half-tb"):
        split(np.zeros((2, 2, 3), np.uint8), "diagonal")  # type: ignore[arg-type]
    assert LAYOUTS == ("mono", "sbs", "half-sbs", "tb", "half-tb")
