"""The deck: whatever is pressed, in whatever order and from whatever thread, it stays sane."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.errors import StyleError
from artem_vr.styles.deck import FADE_SECONDS, Deck, fade

NAMES = ("a", "b", "c", "d")


def test_round_and_round() -> None:
    now = [1.0]
    deck = Deck(NAMES, "b", clock=lambda: now[0])
    assert deck.current.style == "b" and deck.current.generation == 0 and deck.current.changed_at == 1.0
    now[0] = 2.0
    assert [deck.next().style for _ in range(4)] == ["c", "d", "a", "b"]
    assert deck.current.generation == 4 and deck.current.changed_at == 2.0
    assert deck.previous().style == "a" and deck.select(3).style == "d" and deck.select("c").index == 2


def test_the_same_again_is_no_change() -> None:
    deck = Deck(NAMES)
    before = deck.current
    assert deck.select("a") is before
    one = Deck(["only"])
    assert one.next().generation == 0 and one.neighbours() == ()


def test_neighbours() -> None:
    assert Deck(NAMES, "a").neighbours() == ("b", "d")
    assert Deck(NAMES[:2], "a").neighbours() == ("b",)


def test_errors_leave_the_deck_alone() -> None:
    deck = Deck(NAMES, "c")
    for wrong in (-1, 4, "z"):
        with pytest.raises(StyleError):
            deck.select(wrong)
    assert deck.current.style == "c" and deck.names == NAMES
    with pytest.raises(StyleError):
        Deck([])
    with pytest.raises(StyleError):
        Deck(NAMES, "z")


def test_compare_and_strength() -> None:
    deck = Deck(NAMES, strength=0.5)
    deck.compare = True
    assert deck.current.shown_strength == 0.0 and deck.strength == 0.5
    deck.compare = False
    assert deck.current.shown_strength == 0.5
    deck.strength = -2
    assert deck.strength == 0.0
    deck.strength = math.nan
    assert deck.strength == 1.0


def named(deck: Deck) -> tuple[str, ...]:
    return deck.names


def test_styles_that_come_are_chosen_and_go_again() -> None:
    deck = Deck(NAMES, "c")
    assert deck.add(["x", "y", "x"]).style == "x" and named(deck) == (*NAMES, "x", "y")
    assert deck.current.index == 4 and deck.current.generation == 1
    assert deck.add(["a"]).index == 0 and len(deck.names) == 6  # it is there already
    deck.select("x")
    assert deck.add(["z"], instead_of="x").index == 4 and named(deck) == (*NAMES, "z", "y")
    assert deck.add(["a"], instead_of="z").style == "a" and named(deck) == (*NAMES, "y")
    deck.select("y")
    assert deck.remove("y", "c").style == "c" and named(deck) == NAMES
    before = deck.current
    assert deck.remove("nobody") is before
    assert deck.remove("a") == replace(before, index=1)  # the current one stays, its number changes
    assert deck.remove("c").style == "d"
    deck.remove("b")
    assert deck.remove("d").style == "d" and named(deck) == ("d",)  # the last one stays


def test_what_comes_again_is_a_new_choice_and_another_edition() -> None:
    deck = Deck(("a", "/x.png", "0.5*a+0.5*/x.png", "b+/x"), "a")
    styles = deck.names
    assert deck.add(["/y.png", "a"]).generation == 1 and deck.select("/x.png").generation == 2
    assert [deck.edition(style) for style in styles] == [1, 0, 1, 0]  # "a" came again, and it is in the blend
    before = deck.add(["/x.png"])
    assert (before.style, before.generation, before.index) == ("/x.png", 3, 1)
    assert [deck.edition(style) for style in styles] == [1, 1, 2, 0]
    assert deck.add(["/x.png"], instead_of="/x.png") is before  # it only stays
    assert deck.next().generation == 4 and deck.edition("/x.png") == 1


def test_a_picture_of_a_blend_that_comes_for_the_first_time_makes_that_another_edition() -> None:
    deck = Deck(("a", "0.5*a+0.5*/x.png"), "a")
    assert deck.add(["/x.png"]).style == "/x.png"
    assert deck.edition("0.5*a+0.5*/x.png") == 1


def test_what_was_painted_outside_a_region_is_another_edition_when_it_comes() -> None:
    deck = Deck(("a", "b"), "a")
    deck.outside = "/x.png"
    deck.outside = ""  # its painter may still be there
    assert deck.add(["/x.png"]).style == "/x.png" and deck.edition("/x.png") == 1
    assert deck.add(["/y.png"]).style == "/y.png" and deck.edition("/y.png") == 0


def test_the_style_outside_and_the_ground_are_part_of_the_snapshot() -> None:
    deck = Deck(NAMES)
    before = deck.current
    deck.outside = "b"
    assert (before.outside, deck.current.outside, deck.next().outside) == ("", "b", "b")
    deck.ground = 0.25
    assert (before.ground, deck.ground, deck.next().ground) == ("auto", 0.25, 0.25)
    assert deck.current.generation == 2


@given(
    st.lists(st.one_of(st.sampled_from(["next", "previous", "compare"]), st.integers(-2, 5), st.floats()), max_size=40)
)
def test_any_sequence_of_commands(commands: list[str | int | float]) -> None:
    deck = Deck(NAMES)
    generation, style = 0, "a"
    for command in commands:
        if command == "next":
            deck.next()
        elif command == "previous":
            deck.previous()
        elif command == "compare":
            deck.compare = not deck.compare
        elif isinstance(command, int):
            if 0 <= command < len(NAMES):
                deck.select(command)
        elif isinstance(command, float):
            deck.strength = command
        now = deck.current
        assert NAMES[now.index] == now.style and 0 <= now.strength <= 1
        assert now.generation == generation + (now.style != style)
        generation, style = now.generation, now.style


def test_many_threads() -> None:
    deck = Deck(NAMES)
    torn: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            now = deck.current
            if NAMES[now.index] != now.style:
                torn.append(now.style)

    def press() -> None:
        for _ in range(500):
            deck.next()
            deck.strength = 0.25

    watcher = threading.Thread(target=watch)
    pressers = [threading.Thread(target=press) for _ in range(4)]
    for thread in (watcher, *pressers):
        thread.start()
    for thread in pressers:
        thread.join()
    done.set()
    watcher.join()
    assert not torn
    assert deck.current.generation == 2000 and deck.current.index == 0


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 2))
def test_fade_stays_within_bounds(now: float, changed_at: float, duration: float) -> None:
    assert 0.0 <= fade(now, changed_at, duration) <= 1.0


@given(st.floats(0, 0.5), st.floats(0, 0.5))
def test_fade_only_grows(a: float, b: float) -> None:
    assert fade(min(a, b), 0.0) <= fade(max(a, b), 0.0)


def test_fade_ends() -> None:
    assert fade(5.0, 5.0) == 0.0 and fade(5.0 + FADE_SECONDS / 2, 5.0) == pytest.approx(0.5)
    assert fade(5.0 + FADE_SECONDS, 5.0) == pytest.approx(1.0) and fade(5.0, 5.0, 0.0) == 1.0
