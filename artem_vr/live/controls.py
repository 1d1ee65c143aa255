"""What the viewer does by hand: keys, mouse drops and controller buttons become changes of the deck and the view.

The keyboard is a table (`KEYS`), so that the program obeys, and README and ``--help`` print, the same thing.
Everything here is pure: no window, no headset; the render loop hands events in and reads `View` afterwards.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from artem_vr.render.events import CloseRequested, Event, FilesDropped, KeyPressed
from artem_vr.vr.commands import Command, Kind

MirrorMode = Literal["left", "right", "both"]

NOTICE_SECONDS = 5.0
"""How long a message stays on the HUD."""


class Deed(enum.Enum):
    """Everything that a hand can ask for; the value is its help text."""

    NEXT_STYLE = "next painting"
    PREVIOUS_STYLE = "previous painting"
    SELECT_STYLE = "painting by its number"
    STRONGER = "stronger: more painting, less source"
    WEAKER = "weaker: more source, less painting"
    COMPARE = "hold to see the source"
    RECENTER = "bring the screen in front of you"
    TOGGLE_HUD = "show or hide the information line"
    MIRROR_MODE = "window shows both eyes, the left, the right"
    FULLSCREEN = "full screen, and back"
    QUIT = "quit"


@dataclass(frozen=True)
class KeyBinding:
    """``keys`` (names of `KeyPressed.key`) that do one deed. ``repeats``: also while a key is held."""

    keys: tuple[str, ...]
    deed: Deed
    label: str
    repeats: bool = False


DIGITS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0")

KEYS: tuple[KeyBinding, ...] = (
    KeyBinding(("right", "n", "space"), Deed.NEXT_STYLE, "Right, N, Space"),
    KeyBinding(("left", "p", "backspace"), Deed.PREVIOUS_STYLE, "Left, P, Backspace"),
    KeyBinding(DIGITS, Deed.SELECT_STYLE, "1 ... 9, 0 (tenth)"),
    KeyBinding(("up", "page_up"), Deed.STRONGER, "Up, Page Up", repeats=True),
    KeyBinding(("down", "page_down"), Deed.WEAKER, "Down, Page Down", repeats=True),
    KeyBinding(("c",), Deed.COMPARE, "C"),
    KeyBinding(("r", "home"), Deed.RECENTER, "R, Home"),
    KeyBinding(("h",), Deed.TOGGLE_HUD, "H"),
    KeyBinding(("m",), Deed.MIRROR_MODE, "M"),
    KeyBinding(("f", "f11"), Deed.FULLSCREEN, "F, F11"),
    KeyBinding(("q", "escape"), Deed.QUIT, "Q, Escape"),
)

_BY_KEY = {key: binding for binding in KEYS for key in binding.keys}


def keyboard_table() -> list[tuple[str, str]]:
    """(keys, what they do), a row a deed, as README and ``--help`` print them."""
    return [(binding.label, binding.deed.value) for binding in KEYS]


_BY_COMMAND = {
    Kind.NEXT_STYLE: Deed.NEXT_STYLE,
    Kind.PREVIOUS_STYLE: Deed.PREVIOUS_STYLE,
    Kind.RECENTER: Deed.RECENTER,
    Kind.TOGGLE_HUD: Deed.TOGGLE_HUD,
    Kind.QUIT: Deed.QUIT,
}

STRENGTH_STEP = 0.1
"""What one press of a key adds to the strength or takes away."""


class Deck(Protocol):
    """As much of `artem_vr.styles.deck.Deck` as hands can reach."""

    strength: float
    compare: bool

    @property
    def names(self) -> tuple[str, ...]: ...
    def next(self) -> object: ...
    def previous(self) -> object: ...
    def select(self, which: int | str) -> object: ...


@dataclass
class View:
    """How the picture is shown, and what the loop has yet to do. Only the render thread touches it."""

    mirror: MirrorMode = "left"
    hud: bool = True
    fullscreen: bool = False
    recenter: bool = False
    """The screen shall be brought in front of the viewer; the loop does so and clears this."""
    leave: bool = False
    """The run shall end."""
    notice: str = ""
    notice_until: float = 0.0

    def note(self, text: str, now: float, seconds: float = NOTICE_SECONDS) -> None:
        """Show ``text`` (one line) on the HUD for a while."""
        self.notice, self.notice_until = text, now + seconds

    def message(self, now: float) -> str:
        """The notice that is to be shown at ``now``; empty when there is none any more."""
        return self.notice if now < self.notice_until else ""


class Controls:
    """Turns what hands do into changes of ``deck`` and ``view``."""

    def __init__(self, deck: Deck, view: View) -> None:
        self.deck, self.view = deck, view

    def handle(self, event: Event, now: float) -> bool:
        """Obey one event of the window at ``now``; whether it was one of ours."""
        if isinstance(event, CloseRequested):
            self.do(Deed.QUIT, now)
        elif isinstance(event, FilesDropped):
            self.view.note(dropped_message(event.paths), now)
        elif isinstance(event, KeyPressed):
            return self._key(event, now)
        else:
            return False
        return True

    def obey(self, command: Command, now: float) -> bool:
        """Obey one command of the headset at ``now``; whether a tick in the hand should answer it."""
        match command.kind:
            case Kind.STRENGTH:
                self.strengthen(command.value)
            case Kind.COMPARE:
                self.compare(command.value > 0)
            case kind:
                self.do(_BY_COMMAND[kind], now)
        return command.kind in (Kind.NEXT_STYLE, Kind.PREVIOUS_STYLE)

    def _key(self, event: KeyPressed, now: float) -> bool:
        binding = _BY_KEY.get(event.key)
        if binding is None or event.alt or event.control:
            return False
        if binding.deed is Deed.COMPARE:
            if not event.repeat:
                self.compare(not event.released)
        elif event.released or (event.repeat and not binding.repeats):
            pass
        elif binding.deed is Deed.SELECT_STYLE:
            self.select(DIGITS.index(event.key), now)
        else:
            self.do(binding.deed, now)
        return True

    def do(self, deed: Deed, now: float) -> None:
        """One deed that needs no more than its name. `Deed.COMPARE` turns comparing on."""
        deck, view = self.deck, self.view
        match deed:
            case Deed.NEXT_STYLE:
                deck.next()
            case Deed.PREVIOUS_STYLE:
                deck.previous()
            case Deed.STRONGER:
                self.strengthen(STRENGTH_STEP)
            case Deed.WEAKER:
                self.strengthen(-STRENGTH_STEP)
            case Deed.COMPARE:
                self.compare(True)
            case Deed.RECENTER:
                view.recenter = True
            case Deed.TOGGLE_HUD:
                view.hud = not view.hud
            case Deed.MIRROR_MODE:
                modes: tuple[MirrorMode, ...] = ("both", "left", "right")
                view.mirror = modes[(modes.index(view.mirror) + 1) % len(modes)]
            case Deed.FULLSCREEN:
                view.fullscreen = not view.fullscreen
            case Deed.QUIT:
                view.leave = True
            case Deed.SELECT_STYLE:
                raise ValueError("SELECT_STYLE needs a number: call select()")

    def select(self, index: int, now: float) -> None:
        """The painting number ``index`` (from 0) of the deck, or a notice that there is none."""
        count = len(self.deck.names)
        if 0 <= index < count:
            self.deck.select(index)
        else:
            self.view.note(f"There is no painting {index + 1}; the deck has {count}", now)

    def strengthen(self, change: float) -> None:
        """Add ``change`` to the strength, kept in [0, 1]."""
        self.deck.strength = min(max(round(self.deck.strength + change, 4), 0.0), 1.0)

    def compare(self, held: bool) -> None:
        """Show the source while ``held``."""
        self.deck.compare = held


def dropped_message(paths: tuple[Path, ...]) -> str:
    """What the viewer is told who dropped files on the window."""
    if not paths:
        return "Nothing usable was dropped"
    name = paths[0].name
    return f"{name[:40]}: painting like any picture is not possible yet; the arrow keys choose among the shipped styles"
