"""While Windows holds the window, the program turns on. Windows itself is played."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from artem_vr.render.held_window import PATIENCE, TIMER_MILLISECONDS, HeldWindow, start_timer


def test_it_turns_only_while_polling_takes_long() -> None:
    now, turns = [0.0], []
    held = HeldWindow(lambda: turns.append(held.turning), lambda: now[0])
    held.tick()
    with held:
        held.tick()
        now[0] += PATIENCE / 2
        held.tick()
        assert turns == [], "events alone, as always"
        now[0] += PATIENCE
        held.tick()
        held.tick()
    now[0] += 10
    held.tick()
    assert turns == [True, True]
    assert not held.turning


def test_a_turn_that_polls_does_not_turn_within_itself() -> None:
    now, turns = [0.0], []

    def turn() -> None:
        turns.append(1)
        held.tick()

    held = HeldWindow(turn, lambda: now[0])
    with held:
        now[0] += 1
        held.tick()
    assert turns == [1]


@pytest.mark.parametrize("wrong", [ValueError, KeyboardInterrupt], ids=["error", "Ctrl-C"])
def test_what_goes_wrong_is_raised_when_polling_ends(wrong: type[BaseException]) -> None:
    now, turns = [0.0], []

    def turn() -> None:
        turns.append(1)
        raise wrong("it went wrong")

    held = HeldWindow(turn, lambda: now[0])
    with pytest.raises(wrong, match="it went wrong"):
        with held:
            now[0] += 1
            held.tick()
            held.tick()
    assert turns == [1]
    with held:
        pass


def test_the_timer_is_the_windows_own() -> None:
    ticks, timers = [], []

    class SetTimer:
        argtypes: Any = None
        restype: Any = None

        def __call__(self, window: int, number: int, milliseconds: int, procedure: Any) -> int:
            timers.append((window, milliseconds))
            procedure(window, 0x113, number, 0)
            return number

    user32 = SimpleNamespace(SetTimer=SetTimer())
    kept = start_timer(2**40 + 1, lambda: ticks.append(1), user32, ctypes.CFUNCTYPE)
    assert kept is not None and timers == [(2**40 + 1, TIMER_MILLISECONDS)] and ticks == [1]
    assert user32.SetTimer.argtypes[0] is ctypes.c_void_p, "handles have 64 bits"


def test_elsewhere_there_is_none() -> None:
    assert start_timer(1, lambda: None) is None
