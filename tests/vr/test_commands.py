"""Buttons and sticks become commands."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.vr.commands import BUTTONS, NEXT_STYLE, RECENTER, Buttons, Kind, compare, stick_to_strength


def test_a_button_acts_when_it_goes_down_and_not_again_while_held() -> None:
    buttons = Buttons()
    assert buttons.update({"next_style": True}) == [NEXT_STYLE]
    assert buttons.update({"next_style": True}) == []
    assert buttons.update({"next_style": False}) == []
    assert buttons.update({"next_style": True}) == [NEXT_STYLE]


def test_a_comparison_lasts_as_long_as_its_button() -> None:
    buttons = Buttons()
    assert buttons.update({"compare": True}) == [compare(True)]
    assert buttons.update({"compare": True, "recenter": True}) == [RECENTER]
    assert buttons.update({}) == [compare(False)], "the controller has gone"


def test_every_button_has_its_own_kind() -> None:
    assert len(set(BUTTONS.values())) == len(BUTTONS)
    assert Kind.QUIT not in BUTTONS.values(), "quitting by a slip of the thumb"


def test_a_resting_stick_changes_nothing() -> None:
    assert stick_to_strength(0.2, 1.0) == 0.0
    assert stick_to_strength(math.nan, 1.0) == 0.0


def test_up_is_stronger_and_a_full_push_takes_a_second_and_a_half() -> None:
    steps = [stick_to_strength(1.0, 1 / 90) for _ in range(135)]
    assert sum(steps) == pytest.approx(1.0)
    assert stick_to_strength(-1.0, 0.01) == -stick_to_strength(1.0, 0.01) < 0


@given(st.floats(-2, 2), st.floats(-1, 1e6))
def test_no_stall_makes_strength_jump(deflection: float, seconds: float) -> None:
    assert abs(stick_to_strength(deflection, seconds)) <= 0.1
