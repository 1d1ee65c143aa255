"""Blends by key: shares stay shares, whatever is pressed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.errors import StyleError
from artem_vr.live.blending import LEAST_SHARE, grown, parts_of, shifted, title_of
from artem_vr.styles.blends import read_blend

letters = st.characters(codec="ascii", categories=("L", "N"), include_characters="_/. ")
names = st.text(letters, min_size=1).map(str.strip)


def test_two_are_half_and_half_three_a_third_each() -> None:
    two = grown(parts_of("great_wave"), "senecio")
    assert parts_of(two) == [(0.5, "great_wave"), (0.5, "senecio")]
    three = grown(parts_of(two), "/tmp/my picture.jpg")
    assert [weight for weight, _ in parts_of(three)] == pytest.approx([1 / 3] * 3)
    assert title_of(parts_of(two), {"senecio": "Senecio"}) == "50 % great_wave, 50 % Senecio"


def test_a_fifth_and_names_that_cannot_be_written_are_refused() -> None:
    four = [(0.25, name) for name in "abcd"]
    with pytest.raises(StyleError, match="at most 4"):
        grown(four, "e")
    for bad in ("x+y.jpg", "space.jpg "):
        with pytest.raises(StyleError, match="cannot be blended: its name"):
            grown([(1.0, "a")], bad)
    with pytest.raises(StyleError, match=r"^waves.jpg cannot be blended: its folder's name has a \+"):
        grown([(1.0, "a")], "/home/me/art + design/waves.jpg")


def test_more_is_never_less_whatever_was_typed() -> None:
    assert parts_of(shifted(parts_of("0.05*a+0.95*b"), 0.1))[-1] == (0.95, "b")
    assert parts_of(shifted(parts_of("0.95*a+0.05*b"), -0.1))[-1] == (0.05, "b")
    assert parts_of(shifted(parts_of("0.95*a+0.05*b"), 0.1))[-1][0] == pytest.approx(0.15)


@given(st.lists(names.filter(bool), min_size=2, max_size=4, unique=True), st.lists(st.sampled_from([-0.1, 0.1])))
def test_shares_sum_to_one_and_every_painting_stays_seen(words: list[str], presses: list[float]) -> None:
    blend = words[0]
    for word in words[1:]:
        blend = grown(parts_of(blend), word)
    for by in presses:
        blend = shifted(parts_of(blend), by)
    parts = read_blend(blend)
    assert [name for _, name in parts] == words
    assert sum(weight for weight, _ in parts) == pytest.approx(1)
    assert LEAST_SHARE - 1e-5 <= parts[-1][0] <= 1 - LEAST_SHARE + 1e-5
    assert all(weight > 0 for weight, _ in parts)
    others = [weight for weight, _ in parts[:-1]]
    assert others == pytest.approx([others[0]] * len(others), rel=1e-3)  # they keep their proportion


@pytest.mark.parametrize("typed", ["0*a+1*b", "1e-20*a+b", "0*a+0*b+1*c"])
@pytest.mark.parametrize("by", [-0.1, 0.1])
def test_what_was_typed_with_a_last_painting_alone_can_be_shifted(typed: str, by: float) -> None:
    shares = [weight for weight, _ in read_blend(shifted(parts_of(typed), by))]
    assert shares[-1] == pytest.approx(1 - LEAST_SHARE)
    assert shares[:-1] == pytest.approx([LEAST_SHARE / (len(shares) - 1)] * (len(shares) - 1))
