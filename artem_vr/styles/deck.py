"""What is chosen now: the style, its strength, and whether the source is shown to compare.

Written by the controls, read by the stylizer and the renderer, each in its own thread. Readers
take one immutable `Selection`, so they never see half of a change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from artem_vr.errors import StyleError
from artem_vr.styles.blends import is_blend, read_blend

FADE_SECONDS = 0.3


@dataclass(frozen=True)
class Selection:
    """A snapshot of the deck."""

    style: str
    index: int
    strength: float = 1.0
    """0 shows the source bit for bit, 1 the painting."""
    compare: bool = False
    """The source is shown while this is held."""
    generation: int = 0
    """Grows by one with every change of style, also where it came again (`Deck.add`)."""
    changed_at: float = 0.0
    """The deck's clock, in seconds, when the style was chosen."""
    outside: str = ""
    """The style outside the region in which ``style`` is seen; empty: none."""
    ground: float | Literal["auto"] = "auto"
    """Depth, 0 to 1, of the relief under what is smooth in the source; "auto": where it can be right."""

    @property
    def shown_strength(self) -> float:
        return 0.0 if self.compare else self.strength


class Deck:
    """Thread-safe. Style names are those of the library, in its order; at least one."""

    def __init__(
        self,
        names: Sequence[str],
        current: str | None = None,
        strength: float = 1.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Raises `StyleError` when there is no style, or ``current`` is not among ``names``."""
        if not names:
            raise StyleError("There is no style to choose from", "Reinstall the program, or train a style")
        self._lock = threading.Lock()
        self._names = tuple(names)
        self._clock = clock
        self._again: dict[str, int] = {}
        """How often a style came that was there already."""
        self._outsides: set[str] = set()
        """Styles, and parts of blends, that were asked for outside a region: there may be painters of them."""
        self._wake: Callable[[], object] = lambda: None
        index = 0 if current is None else self._index(current)
        self._selection = Selection(self._names[index], index, _unit(strength), changed_at=clock())

    def wake_at_choices(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` whenever another style is chosen, in the thread and within the lock of who chooses.

        So it must not wait, nor ask the deck anything.
        """
        self._wake = wake

    @property
    def current(self) -> Selection:
        return self._selection  # one reference: reading it is atomic

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def neighbours(self) -> tuple[str, ...]:
        """The styles one step away, the next one first, without the current one."""
        with self._lock:
            names, index = self._names, self._selection.index
        near = (names[(index + 1) % len(names)], names[(index - 1) % len(names)])
        return tuple(dict.fromkeys(name for name in near if name != names[index]))

    def next(self) -> Selection:
        return self._step(1)

    def previous(self) -> Selection:
        return self._step(-1)

    def select(self, which: int | str) -> Selection:
        """By position (0 is the first) or name. Raises `StyleError` when there is no such style."""
        with self._lock:
            return self._choose(self._index(which))

    @property
    def strength(self) -> float:
        return self._selection.strength

    @strength.setter
    def strength(self, value: float) -> None:
        """Values outside 0..1 are clamped."""
        with self._lock:
            self._selection = replace(self._selection, strength=_unit(value))

    @property
    def compare(self) -> bool:
        return self._selection.compare

    @compare.setter
    def compare(self, held: bool) -> None:
        with self._lock:
            self._selection = replace(self._selection, compare=bool(held))

    @property
    def outside(self) -> str:
        return self._selection.outside

    @outside.setter
    def outside(self, style: str) -> None:
        """Need not be one of the deck's; empty: nothing else is painted."""
        with self._lock:
            self._outsides |= _names_in(style)
            self._selection = replace(self._selection, outside=style)

    @property
    def ground(self) -> float | Literal["auto"]:
        return self._selection.ground

    @ground.setter
    def ground(self, depth: float | Literal["auto"]) -> None:
        with self._lock:
            self._selection = replace(self._selection, ground=depth)

    def edition(self, style: str) -> int:
        """Another number whenever ``style``, or a part of it where it is a blend, was added again."""
        again = self._again  # never changed, only replaced
        return sum(again.get(name, 0) for name in _names_in(style)) if again else 0

    def add(self, names: Sequence[str], instead_of: str = "") -> Selection:
        """Put styles (at least one) at the end, where they are not there already, and choose the first.

        The first takes the place of ``instead_of``, where that is in the deck. Those that are there already, or
        were `outside`, may be files whose content is another one now: they become a new `edition`, and the first a new
        choice.
        """
        with self._lock:
            first, *others = names
            known = self._outsides.union(*map(_names_in, self._names))
            again = {name for name in names if name in known and name != instead_of}
            if again:
                self._again = self._again | {name: self._again.get(name, 0) + 1 for name in again}
            deck = [first if name == instead_of else name for name in self._names]
            self._names = tuple(dict.fromkeys([*deck, first, *others]))
            return self._choose(self._names.index(first), anew=first in again)

    def remove(self, name: str, instead: str = "") -> Selection:
        """Take a style away. If it was the current one, ``instead`` is chosen, or else a neighbour; the last one stays.

        A style that is not in the deck cannot be taken away: nothing happens.
        """
        with self._lock:
            rest = tuple(other for other in self._names if other != name)
            if not rest or len(rest) == len(self._names):
                return self._selection
            self._names = rest
            current = self._selection.style
            if current == name:
                current = instead if instead in rest else rest[min(self._selection.index, len(rest) - 1)]
            return self._choose(rest.index(current))

    def _step(self, by: int) -> Selection:
        with self._lock:
            return self._choose((self._selection.index + by) % len(self._names))

    def _index(self, which: int | str) -> int:
        if isinstance(which, int):
            if not 0 <= which < len(self._names):
                raise StyleError(f"There is no style number {which + 1}", f"There are {len(self._names)}")
            return which
        if which not in self._names:
            raise StyleError(f"There is no style {which[:60]!r} in the deck", f"There are: {', '.join(self._names)}")
        return self._names.index(which)

    def _choose(self, index: int, anew: bool = False) -> Selection:
        """``anew``: it is a change even if it is the current style. Called with the lock held."""
        old = self._selection
        name = self._names[index]
        if name != old.style or anew:
            changed = {"generation": old.generation + 1, "changed_at": self._clock()}
            self._selection = replace(old, style=name, index=index, **changed)  # type: ignore[arg-type]
            self._wake()
        elif index != old.index:
            self._selection = replace(old, index=index)
        return self._selection


def _names_in(style: str) -> set[str]:
    """The style's own name and, where it is a blend, those of its parts."""
    try:
        return {style, *(name for _, name in read_blend(style))} if is_blend(style) else {style}
    except StyleError:  # a file with such a name
        return {style}


def _unit(value: float) -> float:
    return min(1.0, max(0.0, float(value))) if value == value else 1.0  # NaN is nobody's wish


def fade(now: float, changed_at: float, duration: float = FADE_SECONDS) -> float:
    """How much of the new picture shows: 0 at ``changed_at``, 1 after ``duration`` seconds.

    Smooth at both ends. For a cross-fade pass the time at which the first picture of the new
    style was there, not the time of the key press: until then there is nothing to fade to.
    """
    if duration <= 0:
        return 1.0
    t = min(1.0, max(0.0, (now - changed_at) / duration))
    return t * t * (3 - 2 * t)
