"""Decisions about time, without time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.sources.pacing import is_of_use, next_turn, pause

rates = st.floats(0.1, 240)
moments = st.floats(0, 1e5)


def test_the_first_frame_comes_at_once():
    turn = next_turn(None, 7.0, 25.0, may_skip=True)
    assert (turn.wait, turn.skip, turn.due) == (0.0, 0, 7.0)


@settings(max_examples=60, deadline=None)
@given(moments, st.floats(0, 100), rates, st.booleans())
def test_what_holds_for_every_turn(due, later, rate, may_skip):
    now = due + later
    turn = next_turn(due, now, rate, may_skip)
    assert turn.wait >= 0 and 0 <= turn.skip <= 8 and turn.due > due
    assert turn.wait == 0 or turn.skip == 0
    assert turn.skip == 0 or may_skip
    # After waiting, a frame is never early, and at most one frame late.
    assert -1e-6 <= now + turn.wait - turn.due < 1 / rate + 1e-6


def test_a_film_keeps_its_tempo_with_a_slow_reader():
    due, now, shown, number = None, 0.0, [], -1
    for _ in range(40):
        turn = next_turn(due, now, 10.0, may_skip=True)
        now += turn.wait
        number += 1 + turn.skip
        shown.append((number, now))
        due = turn.due
        now += 0.25  # a reading takes two and a half frames' time
    assert all(abs(at - number / 10) < 0.11 for number, at in shown)


def test_after_a_long_stop_the_film_goes_on_where_it_was():
    turn = next_turn(10.0, 500.0, 25.0, may_skip=True)
    assert (turn.wait, turn.skip, turn.due) == (0.0, 0, 500.0)


def test_the_pauses_grow_to_eight_seconds():
    assert [pause(n) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert pause(10**9) == 8 and pause(0) == 0.5


@given(moments, rates, st.floats(0, 1), st.floats(-2, 2), st.booleans())
def test_a_frame_is_left_out_only_where_a_better_one_is_there_in_time(due, rate, reading, later, another_waits):
    asked_at = due + later
    of_use = is_of_use(due, rate, reading, asked_at, another_waits)
    assert of_use or due <= asked_at  # whoever comes late finds the newest
    next_in_time = due + 1 / rate + reading <= asked_at
    assert of_use != (next_in_time or (another_waits and due <= asked_at < due + reading))
    assert is_of_use(due, rate, reading, None, another_waits)
