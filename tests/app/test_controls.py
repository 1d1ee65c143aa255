from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from artem_vr.live.blending import Parts, parts_of
from artem_vr.live.controls import DIGITS, KEYS, REGIONS, Controls, Deed, View, keyboard_table
from artem_vr.live.curator import Arrival
from artem_vr.render.events import CloseRequested, FilesDropped, KeyPressed, MouseMoved
from artem_vr.styles.deck import Deck
from artem_vr.vr import commands


class WishList:
    """A curator that only remembers what it was asked."""

    def __init__(self) -> None:
        self.wishes: list[tuple[object, ...]] = []

    def bring(self, paths: Sequence[Path]) -> None:
        self.wishes.append(("bring", *paths))

    def blend(self, parts: Parts, others: Iterable[str], instead_of: str = "") -> None:
        self.wishes.append(("blend", list(parts), list(others), instead_of))

    def keep(self, style: str) -> None:
        self.wishes.append(("keep", style))


@pytest.fixture
def controls() -> Controls:
    return Controls(Deck(("great_wave", "scream", "starry_night")), View(), WishList())


def press(controls: Controls, key: str, now: float = 0.0, **how: bool) -> bool:
    return controls.handle(KeyPressed(key, **how), now)


def test_next_and_previous_walk_through_the_deck(controls):
    for key, index in (("right", 1), ("n", 2), ("space", 0), ("left", 2), ("p", 1), ("backspace", 0)):
        assert press(controls, key)
        assert controls.deck.current.index == index


def test_a_digit_selects_a_painting_and_says_so_when_there_is_none(controls):
    press(controls, "3")
    assert controls.deck.current.index == 2
    press(controls, "0", now=1.0)
    assert controls.deck.current.index == 2
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


def test_the_source_is_seen_as_long_as_key_or_trigger_is_held(controls):
    controls.obey(commands.compare(True), 0.0)
    press(controls, "c")
    press(controls, "c", released=True)
    assert controls.deck.compare
    press(controls, "c")
    controls.obey(commands.compare(False), 0.0)
    assert controls.deck.compare
    press(controls, "c", released=True)
    assert not controls.deck.compare


def test_the_eyes_of_a_source_that_knows_them_are_not_exchanged(controls):
    controls.view.own_pair = True
    press(controls, "x", now=1.0)
    assert not controls.view.swap_eyes
    assert "nothing to exchange" in controls.view.message(1.5)


def test_a_picture_named_like_a_blend_is_none(controls):
    deck = Deck(("Monet+Lilies.jpg", "scream"))
    controls = Controls(deck, View(), WishList(), whole=["Monet+Lilies.jpg"])
    press(controls, "]")
    assert "no blend" in controls.view.message(0.5)
    press(controls, "b")
    assert controls.curator.wishes[0][1] == [(1.0, "Monet+Lilies.jpg")]
    assert deck.names == ("Monet+Lilies.jpg", "scream")


@pytest.mark.parametrize("modifier", ["control", "alt"])
def test_compare_ends_when_its_key_comes_up_whatever_else_is_held(controls, modifier):
    press(controls, "c")
    press(controls, "c", released=True, **{modifier: True})
    assert not controls.deck.compare
    assert not press(controls, "c", **{modifier: True})
    assert not controls.deck.compare, "that is another program's shortcut"


def test_a_held_key_does_not_flash_through_the_paintings(controls):
    press(controls, "right")
    for _ in range(30):
        press(controls, "right", repeat=True)
    press(controls, "right", released=True)
    assert controls.deck.current.index == 1


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


def test_the_information_line_is_hidden_where_it_is_seen_and_else_shown(controls):
    view = controls.view
    press(controls, "h")
    assert not view.hud and not view.wake_hud
    press(controls, "h")
    assert view.hud and view.wake_hud
    view.hud_seen = view.wake_hud = False  # it has faded
    for shown in (True, False, True):
        press(controls, "h")
        assert (view.hud, view.wake_hud) == (shown, shown)


def test_closing_the_window_quits(controls):
    assert controls.handle(CloseRequested(), 0.0)
    assert controls.view.leave


def test_dropped_files_are_wished_for_and_the_old_style_goes_on_until_they_come(controls):
    controls.handle(FilesDropped((Path("holiday.jpg"), Path("b.png"))), 3.0)
    assert controls.curator.wishes == [("bring", Path("holiday.jpg"), Path("b.png"))]
    assert controls.deck.current.style == "great_wave"
    controls.receive(Arrival((("holiday.jpg", "Holiday"), ("b.png", "B")), notice="K keeps it"), 4.0)
    assert controls.deck.names == ("great_wave", "scream", "starry_night", "holiday.jpg", "b.png")
    assert controls.deck.current.style == "holiday.jpg"
    assert controls.titles["holiday.jpg"] == "Holiday"
    assert controls.view.message(4.1) == "K keeps it"
    controls.handle(FilesDropped(()), 5.0)
    assert "Nothing" in controls.view.message(5.1)
    assert len(controls.curator.wishes) == 1


def test_what_cannot_be_painted_goes_again_and_the_old_style_is_back(controls):
    controls.deck.select("scream")
    controls.receive(Arrival((("/a/b/torn.jpg", "Torn"),)), 1.0)
    controls.failed("/a/b/torn.jpg is cut off. Copy it again.", 2.0)
    assert controls.deck.current.style == "scream"
    assert "/a/b/torn.jpg" not in controls.deck.names
    assert controls.view.message(2.1) == "torn.jpg is cut off. Copy it again."
    controls.failed("scream is damaged.", 3.0)  # a style that was always there stays
    assert controls.deck.names == ("great_wave", "scream", "starry_night")


def test_blends_grow_by_the_next_painting_and_shares_move(controls):
    press(controls, "b")
    first = ("blend", [(1.0, "great_wave")], ["scream", "starry_night"], "")
    assert controls.curator.wishes == [first]
    controls.titles |= {"great_wave": "Wave", "scream": "Scream"}
    blend = "0.5*great_wave+0.5*scream"
    controls.receive(Arrival(((blend, "50 % Wave, 50 % Scream"),), of_blend=True), 0.0)
    press(controls, "b")
    assert controls.curator.wishes[-1] == ("blend", [(0.5, "great_wave"), (0.5, "scream")], ["starry_night"], blend)
    controls.receive(Arrival(notice="There is no other painting to blend with", of_blend=True), 0.0)
    press(controls, "]")
    press(controls, "]", repeat=True)
    assert controls.deck.current.style == "0.3*great_wave+0.7*scream"
    assert controls.titles[controls.deck.current.style] == "30 % Wave, 70 % Scream"
    assert len(controls.deck.names) == 4  # one blend, whatever its shares
    for _ in range(20):
        press(controls, "[")
    assert controls.deck.current.style == "0.9*great_wave+0.1*scream"
    controls.deck.select(0)
    press(controls, "]", now=1.0)
    assert "no blend" in controls.view.message(1.1)


def test_a_blend_asked_for_before_the_last_has_come_is_of_that(controls):
    for _ in range(2):
        press(controls, "b")
    assert len(controls.curator.wishes) == 1
    blend = "0.5*great_wave+0.5*scream"
    controls.receive(Arrival((("other.jpg", "Other"),)), 0.0)  # of a wish before: it is not what is waited for
    controls.deck.select("great_wave")
    assert len(controls.curator.wishes) == 1
    controls.receive(Arrival(((blend, "Two"),), of_blend=True), 0.0)
    wished = ("blend", [(0.5, "great_wave"), (0.5, "scream")], ["starry_night", "other.jpg"], blend)
    assert controls.curator.wishes[1:] == [wished]
    controls.receive(Arrival(notice="There is no other painting to blend with", of_blend=True), 0.0)
    press(controls, "b")
    assert controls.curator.wishes[1:] == [wished, wished]  # what came to nothing is not waited for


def test_a_share_changed_before_the_blend_has_come_is_of_that(controls):
    press(controls, "b")
    controls.receive(Arrival((("0.5*great_wave+0.5*scream", "Two"),), of_blend=True), 0.0)
    press(controls, "b")
    for _ in range(2):
        press(controls, "]")
    three = "0.333333*great_wave+0.333333*scream+0.333333*starry_night"
    controls.receive(Arrival(((three, "Three"),), "0.5*great_wave+0.5*scream", of_blend=True), 0.0)
    shares = {name: share for share, name in parts_of(controls.deck.current.style)}
    assert shares["starry_night"] == pytest.approx(1 / 3 + 0.2, abs=1e-4)
    assert len(controls.deck.names) == 4  # one blend
    press(controls, "b")
    press(controls, "]")
    controls.receive(Arrival(notice="There is no other painting to blend with", of_blend=True), 0.0)
    press(controls, "]")  # what came to nothing is not shifted later
    shares = {name: share for share, name in parts_of(controls.deck.current.style)}
    assert shares["starry_night"] == pytest.approx(1 / 3 + 0.3, abs=1e-4)


def test_a_picture_that_came_long_ago_and_fails_now_leaves_what_is_painted(controls):
    controls.receive(Arrival((("mine.jpg", "Mine"),)), 0.0)
    controls.deck.select("starry_night")
    controls.receive(Arrival((("mine.jpg", "Mine"),)), 1.0)  # dropped again, and damaged meanwhile
    controls.failed("mine.jpg is cut off.", 2.0, painted="starry_night")
    assert controls.deck.current.style == "starry_night"
    controls.receive(Arrival((("mine.jpg", "Mine"),)), 3.0)
    controls.failed("mine.jpg is cut off.", 4.0, painted="mine.jpg")
    assert controls.deck.current.style == "starry_night"


def test_a_dropped_file_is_no_blend_whatever_it_is_called(controls):
    controls.handle(FilesDropped((Path("a+b.jpg"),)), 0.0)
    controls.receive(Arrival((("a+b.jpg", "A b"),)), 0.0)
    press(controls, "]", now=1.0)
    assert "no blend" in controls.view.message(1.1)
    assert controls.deck.current.style == "a+b.jpg"


def test_keeping_is_wished_for(controls):
    press(controls, "k")
    assert controls.curator.wishes == [("keep", "great_wave")]


@pytest.mark.parametrize("depth", ["auto", 0.3])
def test_the_ground_is_left_out_and_comes_back_as_it_was(controls, depth):
    controls.deck.ground = controls.view.ground = depth
    press(controls, "t", now=1.0)
    assert controls.deck.ground == 0 and controls.view.message(1.1) == "No strokes on what is smooth"
    press(controls, "t", now=2.0)
    assert controls.deck.ground == depth and controls.view.message(2.1) == "Strokes on what is smooth"


def test_colours_and_regions_have_their_keys(controls):
    press(controls, "l", now=1.0)
    assert controls.view.preserve_color
    assert "source" in controls.view.message(1.1)
    controls.view.region_style = "scream"
    seen = []
    for _ in range(len(REGIONS)):
        press(controls, "g", now=2.0)
        seen.append((controls.view.region, controls.deck.outside))
    inside = ("left", "right", "top", "bottom", "gaze")
    assert seen == [*((kind, "scream") for kind in inside), ("none", "")]  # outside costs nothing where there is none
    assert "everywhere" in controls.view.message(2.1)


def test_eyes_are_exchanged_and_back(controls):
    press(controls, "x", now=1.0)
    assert controls.view.swap_eyes
    assert "exchanged" in controls.view.message(1.1)
    press(controls, "x", now=2.0)
    assert not controls.view.swap_eyes


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
    assert controls.deck.current.index == 1
    assert controls.obey(commands.PREVIOUS_STYLE, 0.0)
    assert controls.deck.current.index == 0
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
