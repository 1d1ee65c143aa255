from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from artem_vr.live.controls import DIGITS, KEYS, Controls, Deed, View, keyboard_table
from artem_vr.render.events import CloseRequested, FilesDropped, KeyPressed, MouseMoved
from artem_vr.vr import commands


@dataclass
class PlainDeck:
    names: tuple[str, ...] = ("great_wave", "scream", "starry_night")
    index: int = 0
    strength: float = 1.0
    compare: bool = False

    def next(self) -> None:
        self.index = (self.index + 1) % len(self.names)

    def previous(self) -> None:
        self.index = (self.index - 1) % len(self.names)

    def select(self, which: int | str) -> None:
        assert isinstance(which, int)
        self.index = which


@pytest.fixture
def controls() -> Controls:
    return Controls(PlainDeck(), View())


def press(controls: Controls, key: str, now: float = 0.0, **how: bool) -> bool:
    return controls.handle(KeyPressed(key, **how), now)


def test_next_and_previous_walk_through_the_deck(controls):
    for key, index in (("right", 1), ("n", 2), ("space", 0), ("left", 2), ("p", 1), ("backspace", 0)):
        assert press(controls, key)
        assert controls.deck.index == index


def test_a_digit_selects_a_painting_and_says_so_when_there_is_none(controls):
    press(controls, "3")
    assert controls.deck.index == 2
    press(controls, "0", now=1.0)
    assert controls.deck.index == 2
    assert "no painting 10" in controls.view.message(1.5)
    assert controls.view.message(60.0) == ""


def test_strength_moves_in_steps_and_stays_within_its_limits(controls):
    press(controls, "down")
    assert controls.deck.strength == pytest.approx(0.9)
    for _ in range(20):
        press(controls, "down", repeat=True)
    assert controls.deck.strength == 0.0
    for _ in range(20):
        press(controls, "up")
    assert controls.deck.strength == 1.0


def test_compare_lasts_as_long_as_the_key_is_held(controls):
    press(controls, "c")
    press(controls, "c", repeat=True)
    assert controls.deck.compare
    press(controls, "c", released=True)
    assert not controls.deck.compare


def test_a_held_key_does_not_flash_through_the_paintings(controls):
    press(controls, "right")
    for _ in range(30):
        press(controls, "right", repeat=True)
    press(controls, "right", released=True)
    assert controls.deck.index == 1


def test_the_view_follows_its_keys(controls):
    view = controls.view
    press(controls, "h")
    assert not view.hud
    seen = []
    for _ in range(4):
        press(controls, "m")
        seen.append(view.mirror)
    assert seen == ["right", "both", "left", "right"]
    press(controls, "f11")
    assert view.fullscreen
    press(controls, "r")
    assert view.recenter
    assert not view.leave
    press(controls, "escape")
    assert view.leave


def test_closing_the_window_quits(controls):
    assert controls.handle(CloseRequested(), 0.0)
    assert controls.view.leave


def test_a_dropped_picture_gets_a_clear_answer_and_changes_nothing(controls):
    controls.handle(FilesDropped((Path("holiday.jpg"),)), 3.0)
    assert "holiday.jpg" in controls.view.message(3.1)
    assert "not possible yet" in controls.view.message(3.1)
    assert "\n" not in controls.view.message(3.1)
    assert controls.deck.index == 0
    controls.handle(FilesDropped(()), 3.0)
    assert controls.view.message(3.1)


def test_other_events_and_keys_are_left_to_others(controls):
    assert not controls.handle(MouseMoved(1, 2, 3, 4), 0.0)
    assert not press(controls, "z")
    assert not press(controls, "q", control=True)
    assert not controls.view.leave


def test_the_table_is_complete_and_without_contradiction():
    keys = [key for binding in KEYS for key in binding.keys]
    assert len(keys) == len(set(keys))
    assert {binding.deed for binding in KEYS} == set(Deed)
    assert set(DIGITS) <= set(keys)
    assert all(label and text for label, text in keyboard_table())


def test_the_headset_speaks_in_commands(controls):
    assert controls.obey(commands.NEXT_STYLE, 0.0)
    assert controls.deck.index == 1
    assert controls.obey(commands.PREVIOUS_STYLE, 0.0)
    assert controls.deck.index == 0
    assert not controls.obey(commands.compare(True), 0.0)
    assert controls.deck.compare
    controls.obey(commands.compare(False), 0.0)
    assert not controls.deck.compare
    for _ in range(10):
        controls.obey(commands.strength(-0.033), 0.0)
    assert controls.deck.strength == pytest.approx(0.67)
    controls.obey(commands.RECENTER, 0.0)
    controls.obey(commands.TOGGLE_HUD, 0.0)
    controls.obey(commands.QUIT, 0.0)
    assert (controls.view.recenter, controls.view.hud, controls.view.leave) == (True, False, True)


def test_every_kind_of_command_is_obeyed(controls):
    for kind in commands.Kind:
        controls.obey(commands.Command(kind, 0.5), 0.0)
