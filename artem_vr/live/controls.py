"""What the viewer does by hand: keys, mouse drops and controller buttons become changes of the deck and the view.

The keyboard is a table (`KEYS`), so that the program obeys, and README and ``--help`` print, the same thing.
Everything here is pure: no window, no headset, no file; the render loop hands events in and reads `View` afterwards.
What needs files is wished for from a `Curator`, and arrives later.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from artem_vr.live import blending
from artem_vr.live.blending import SHARE_STEP, Parts
from artem_vr.live.curator import Arrival
from artem_vr.render.events import CloseRequested, Event, FilesDropped, KeyPressed
from artem_vr.vr.commands import Command, Kind

MirrorMode = Literal["left", "right", "both"]
RegionKind = Literal["none", "left", "right", "top", "bottom", "gaze"]
REGIONS: tuple[RegionKind, ...] = get_args(RegionKind)
REGION_WORDS = {"none": "everywhere", "gaze": "where you look"}

NOTICE_SECONDS = 5.0
"""How long a message stays on the HUD."""
TROUBLE_SECONDS = 15.0
"""And one from the headset, which is not an answer to what the wearer just did."""


class Deed(enum.Enum):
    """Everything that a hand can ask for; the value is its help text."""

    NEXT_STYLE = "next painting"
    PREVIOUS_STYLE = "previous painting"
    SELECT_STYLE = "painting by its number"
    STRONGER = "stronger: more painting, less source"
    WEAKER = "weaker: more source, less painting"
    COMPARE = "hold to see the source"
    BLEND = "blend with the next painting; again: a third, a fourth"
    MORE_OF_LAST = "blend: more of its last painting"
    LESS_OF_LAST = "blend: less of its last painting"
    KEEP = "keep a picture you dropped, or a blend, among your styles"
    PRESERVE_COLOR = "colours of the source, or of the painting"
    GROUND = "strokes on what is smooth, too, or none there"
    REGION = "paint everywhere, or left, right, top, bottom, where you look"
    SWAP_EYES = "exchange the eyes of a stereo film or picture"
    RECENTER = "bring the screen in front of you"
    TOGGLE_HUD = "show or hide the information line"
    MIRROR_MODE = "window shows both eyes, the left, the right"
    FULLSCREEN = "full screen, and back"
    SEEK_HEADSET = "look for the headset (again)"
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
    KeyBinding(("b",), Deed.BLEND, "B"),
    KeyBinding(("]", ".", "kp_add"), Deed.MORE_OF_LAST, "] . or keypad +", repeats=True),
    KeyBinding(("[", ",", "kp_subtract"), Deed.LESS_OF_LAST, "[ , or keypad -", repeats=True),
    KeyBinding(("k",), Deed.KEEP, "K"),
    KeyBinding(("l",), Deed.PRESERVE_COLOR, "L"),
    KeyBinding(("t",), Deed.GROUND, "T"),
    KeyBinding(("g",), Deed.REGION, "G"),
    KeyBinding(("x",), Deed.SWAP_EYES, "X"),
    KeyBinding(("r", "home"), Deed.RECENTER, "R, Home"),
    KeyBinding(("h",), Deed.TOGGLE_HUD, "H"),
    KeyBinding(("m",), Deed.MIRROR_MODE, "M"),
    KeyBinding(("f", "f11"), Deed.FULLSCREEN, "F, F11"),
    KeyBinding(("v",), Deed.SEEK_HEADSET, "V"),
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


class Current(Protocol):
    """What is chosen."""

    @property
    def style(self) -> str: ...
    @property
    def index(self) -> int: ...


class Deck(Protocol):
    """As much of `artem_vr.styles.deck.Deck` as hands can reach."""

    strength: float
    compare: bool
    outside: str
    ground: float | Literal["auto"]

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def current(self) -> Current: ...
    def next(self) -> object: ...
    def previous(self) -> object: ...
    def select(self, which: int | str) -> object: ...
    def add(self, names: Sequence[str], instead_of: str = "") -> object: ...
    def remove(self, name: str, instead: str = "") -> object: ...


class Curator(Protocol):
    """As much of `artem_vr.live.curator.Curator` as hands can reach; nothing of it waits."""

    def bring(self, paths: Sequence[Path]) -> None: ...
    def blend(self, parts: Parts, others: Iterable[str], instead_of: str = "") -> None: ...
    def keep(self, style: str) -> None: ...


@dataclass
class View:
    """How the picture is shown, and what the loop has yet to do. Only the render thread changes it."""

    mirror: MirrorMode = "left"
    hud: bool = True
    hud_seen: bool = True
    """The information line is there now, and is not fading out; the loop says so before hands are obeyed."""
    wake_hud: bool = False
    """The information line shall be shown for a while; the loop does so and clears this."""
    fullscreen: bool = False
    preserve_color: bool = False
    ground: float | Literal["auto"] = "auto"
    """The deck's, when it is not 0."""
    region: RegionKind = "none"
    region_style: str = ""
    """The style outside the region; empty: the source."""
    region_size: float = 0.25
    """Radius of the disc that follows where the viewer points, in heights of the picture."""
    region_softness: float = 0.1
    """Width of the region's edge, in heights of the picture."""
    swap_eyes: bool = False
    """The eyes that the layout takes apart are exchanged; the thread that reads the source looks at this."""
    mono: bool = False
    """The source's newest frame is one picture for both eyes; the loop says so before hands are obeyed."""
    own_pair: bool = False
    """The source itself knows its eyes; the loop says so before hands are obeyed."""
    pointer: tuple[float, float] | None = None
    """Of the mouse, in pixels from the window's top left; None until it was moved."""
    recenter: bool = False
    """The screen shall be brought in front of the viewer; the loop does so and clears this."""
    seek_headset: bool = False
    """Asked for; whoever looks for it clears it."""
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

    def __init__(
        self,
        deck: Deck,
        view: View,
        curator: Curator,
        titles: dict[str, str] | None = None,
        whole: Iterable[str] = (),
    ) -> None:
        """``titles``: a style's name to the painting's title; what arrives is written into it. ``whole``: names of
        styles that are no blends, though there may be a + in them."""
        self.deck, self.view, self.curator = deck, view, curator
        self.titles = {} if titles is None else titles
        self._comparing: set[str] = set()
        self._before: dict[str, str] = {}
        """Styles that came while the program ran, and what was chosen before they came."""
        self._whole = set(whole)
        """And those of files that were dropped."""
        self._blends_due = 0
        """Blends that were asked for and have not come: of the second not even its first painting is known yet."""
        self._shift_due = 0.0
        """What the last of them is to be shifted by."""

    def handle(self, event: Event, now: float) -> bool:
        """Obey one event of the window at ``now``; whether it was one of ours."""
        if isinstance(event, CloseRequested):
            self.do(Deed.QUIT, now)
        elif isinstance(event, FilesDropped):
            if event.paths:
                self._whole |= {str(path) for path in event.paths}
                self.curator.bring(event.paths)
            else:
                self.view.note("Nothing usable was dropped", now)
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
                self.compare(command.value > 0, by="hand")
            case Kind.NOTICE:
                self.view.note(command.text, now, TROUBLE_SECONDS)
            case kind:
                self.do(_BY_COMMAND[kind], now)
        return command.kind in (Kind.NEXT_STYLE, Kind.PREVIOUS_STYLE)

    def _key(self, event: KeyPressed, now: float) -> bool:
        binding = _BY_KEY.get(event.key)
        if binding is None or ((event.alt or event.control) and not event.released):
            return False  # another program's shortcut; but what went down alone may come up beside Ctrl
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
            case Deed.BLEND:
                self.blend()
            case Deed.MORE_OF_LAST:
                self.shift(SHARE_STEP, now)
            case Deed.LESS_OF_LAST:
                self.shift(-SHARE_STEP, now)
            case Deed.KEEP:
                self.curator.keep(deck.current.style)
            case Deed.PRESERVE_COLOR:
                view.preserve_color = not view.preserve_color
                view.note(f"Colours of the {'source' if view.preserve_color else 'painting'}", now)
            case Deed.GROUND:
                deck.ground = view.ground if deck.ground == 0 else 0.0
                view.note(f"{'Strokes' if deck.ground else 'No strokes'} on what is smooth", now)
            case Deed.REGION:
                self.set_region(REGIONS[(REGIONS.index(view.region) + 1) % len(REGIONS)])
                view.note(f"Painted: {REGION_WORDS.get(view.region, view.region)}", now)
            case Deed.SWAP_EYES if view.mono:
                view.note("There is one picture for both eyes: nothing to exchange", now)
            case Deed.SWAP_EYES if view.own_pair:
                view.note("This source knows its eyes: nothing to exchange", now)
            case Deed.SWAP_EYES:
                view.swap_eyes = not view.swap_eyes
                view.note(f"Eyes {'exchanged' if view.swap_eyes else 'as the layout says'}", now)
            case Deed.RECENTER:
                view.recenter = True
            case Deed.TOGGLE_HUD:
                view.hud = view.hud_seen = view.wake_hud = not (view.hud and view.hud_seen)
            case Deed.MIRROR_MODE:
                modes: tuple[MirrorMode, ...] = ("both", "left", "right")
                view.mirror = modes[(modes.index(view.mirror) + 1) % len(modes)]
            case Deed.FULLSCREEN:
                view.fullscreen = not view.fullscreen
            case Deed.SEEK_HEADSET:
                view.seek_headset = True
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

    def compare(self, held: bool, by: Literal["key", "hand"] = "key") -> None:
        """Show the source while it is ``held`` by either."""
        (self._comparing.add if held else self._comparing.discard)(by)
        self.deck.compare = bool(self._comparing)

    def set_region(self, region: RegionKind) -> None:
        """Paint in ``region`` only; the style outside it costs nothing where there is no outside."""
        self.view.region = region
        self.deck.outside = self.view.region_style if region != "none" else ""

    def blend(self) -> None:
        """Wish for a blend of the current style with the next painting that is not in it yet; once the blend that is
        still wished for is there, where there is one: then of that."""
        self._blends_due += 1
        if self._blends_due == 1:
            self._wish_blend()

    def _wish_blend(self) -> None:
        current, names = self.deck.current.style, self.deck.names
        parts = self._parts(current)
        within = [name for _, name in parts]
        last = names.index(within[-1]) if within[-1] in names else self.deck.current.index
        others = [name for name in (*names[last + 1 :], *names[:last]) if name not in within]
        self.curator.blend(
            parts, [name for name in others if len(self._parts(name)) == 1], current if len(parts) > 1 else ""
        )

    def shift(self, by: float, now: float) -> None:
        """Change the share of the last painting of a blend; of one that is still to come once it is there."""
        if self._blends_due:
            self._shift_due += by
            return
        current = self.deck.current.style
        parts = self._parts(current)
        if len(parts) < 2:
            self.view.note("This is no blend; B makes one", now)
            return
        name = blending.shifted(parts, by)
        self.receive(Arrival(((name, blending.title_of(blending.parts_of(name), self.titles)),), current), now)

    def receive(self, arrival: Arrival, now: float) -> None:
        """Take what the curator found: into the deck with it, and the first is chosen."""
        if arrival.styles:
            before = self.deck.current.style
            if before == arrival.instead_of:  # it goes: what was there before it stays
                before = self._before.get(before, before)
            for name, title in arrival.styles:
                self.titles[name] = title
                if name not in self.deck.names:
                    self._before[name] = before
            self.deck.add([name for name, _ in arrival.styles], arrival.instead_of)
        if arrival.notice:
            self.view.note(arrival.notice, now)
        if arrival.of_blend:
            self._blends_due = self._blends_due - 1 if arrival.styles else 0
            if self._blends_due:
                self._wish_blend()
                return
            by, self._shift_due = self._shift_due, 0.0
            if by and arrival.styles:
                self.shift(by, now)

    def failed(self, reason: str, now: float, painted: str = "") -> None:
        """The current style cannot be painted: one that came while the program ran goes again, and what is ``painted``
        stays; where that is itself, or in the deck no more, what was chosen before it came."""
        name = self.deck.current.style
        if name in self._before:
            before = self._before.pop(name)
            self.deck.remove(name, painted if painted != name and painted in self.deck.names else before)
            self.view.note(reason.replace(name, Path(name).name), now)

    def _parts(self, style: str) -> Parts:
        """Of a blend; a file is none, whatever it is called."""
        return [(1.0, style)] if style in self._whole else blending.parts_of(style)
