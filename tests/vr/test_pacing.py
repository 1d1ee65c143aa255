"""Pacing decisions, driven through stalls by numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.vr.pacing import Slot, VsyncCount, displayed_after, next_slot

PERIOD = 1 / 90


def test_the_first_frame_begins_at_once() -> None:
    assert next_slot(None, 5.0, PERIOD) == Slot(5.0, 0)


def test_a_frame_on_time_begins_one_period_later() -> None:
    assert next_slot(5.0, 5.001, PERIOD) == Slot(5.0 + PERIOD, 0)


def test_a_frame_that_takes_exactly_a_period_is_on_time() -> None:
    assert next_slot(5.0, 5.0 + PERIOD, PERIOD).missed == 0


def test_a_frame_a_little_too_long_misses_one() -> None:
    slot = next_slot(5.0, 5.0 + 1.2 * PERIOD, PERIOD)
    assert slot.missed == 1
    assert slot.begins == pytest.approx(5.0 + 2 * PERIOD)


def test_after_a_stall_of_two_seconds_there_is_no_burst() -> None:
    stalled = next_slot(5.0, 7.0, PERIOD)
    assert stalled.missed == 179
    assert stalled.begins >= 7.0 - PERIOD * 0.01
    assert next_slot(stalled.begins, stalled.begins + 0.001, PERIOD) == Slot(stalled.begins + PERIOD, 0)


def test_a_clock_that_went_backwards_begins_anew() -> None:
    assert next_slot(5.0, 1.0, PERIOD) == Slot(1.0, 0)


@given(
    work=st.lists(st.floats(0.0, 0.5), min_size=1, max_size=40),
    hz=st.sampled_from([60.0, 72.0, 80.0, 90.0, 120.0, 144.0]),
)
def test_slots_stay_on_their_grid_and_every_vsync_is_used_or_counted(work: list[float], hz: float) -> None:
    period = 1 / hz
    now = begun = 0.0
    missed = frames = 0
    for seconds in work:
        slot = next_slot(begun, now, period)
        assert slot.begins > begun
        assert slot.begins >= now - 0.01 * period
        assert slot.begins - now <= period * 1.01
        begun, now = slot.begins, max(now, slot.begins) + seconds
        missed, frames = missed + slot.missed, frames + 1
    assert missed + frames == pytest.approx(begun / period, abs=1e-3)


class TestVsyncCount:
    def test_the_past_is_not_ours(self) -> None:
        assert VsyncCount().updated(1000, 7).missed == 0

    def test_counts_what_each_new_frame_reports(self) -> None:
        count = VsyncCount().updated(10, 0).updated(11, 0).updated(14, 2).updated(15, 0)
        assert count.missed == 2

    def test_a_report_read_twice_counts_once_and_grows(self) -> None:
        count = VsyncCount().updated(10, 0).updated(12, 1).updated(12, 1).updated(12, 2)
        assert count.missed == 2

    def test_an_older_report_changes_nothing(self) -> None:
        count = VsyncCount().updated(10, 0).updated(12, 1)
        assert count.updated(11, 5) == count

    def test_frame_numbers_wrap(self) -> None:
        assert VsyncCount().updated(2**32 - 1, 0).updated(3, 3).missed == 3


def test_displayed_after() -> None:
    assert displayed_after(0.005, 0.002, 0.011) == pytest.approx(0.014)
    assert displayed_after(-1.0, 5.0, 0.011) == 0.0
    assert displayed_after(0.0, -3.0, 0.011) == pytest.approx(0.011)
