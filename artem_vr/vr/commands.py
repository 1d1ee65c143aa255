"""What a person can ask for while the program runs, in no device's words.

Controllers, keys and the runtime all speak in these; the deck and the stage obey them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal


class Kind(Enum):
    """The kinds of command, with what `Command.value` means where it means something."""

    NEXT_STYLE = "next style"
    PREVIOUS_STYLE = "previous style"
    STRENGTH = "strength"
    """value: the change, -1..1."""
    COMPARE = "compare"
    """value: 1 while the source is to be seen, 0 when the painting is back."""
    RECENTER = "recenter"
    TOGGLE_HUD = "toggle the HUD"
    QUIT = "quit"
    NOTICE = "notice"
    """Nothing is asked for: `Command.text` is something to be read by the wearer."""


Hand = Literal["left", "right", "both"]


@dataclass(frozen=True)
class Command:
    """One thing asked for, once."""

    kind: Kind
    value: float = 0.0
    hand: Hand = "both"
    """Whose it is; both where that is not known."""
    text: str = ""
    """One line, without its full stop."""


NEXT_STYLE = Command(Kind.NEXT_STYLE)
PREVIOUS_STYLE = Command(Kind.PREVIOUS_STYLE)
RECENTER = Command(Kind.RECENTER)
TOGGLE_HUD = Command(Kind.TOGGLE_HUD)
QUIT = Command(Kind.QUIT)


def notice(text: str) -> Command:
    """Let the wearer read ``text``."""
    return Command(Kind.NOTICE, text=text)


def strength(change: float) -> Command:
    """Make the style stronger or weaker by ``change`` (-1..1)."""
    return Command(Kind.STRENGTH, change)


def compare(held: bool) -> Command:
    """Show the source while ``held``."""
    return Command(Kind.COMPARE, float(held))


BUTTONS: Mapping[str, Kind] = {
    "next_style": Kind.NEXT_STYLE,
    "previous_style": Kind.PREVIOUS_STYLE,
    "compare": Kind.COMPARE,
    "recenter": Kind.RECENTER,
    "toggle_hud": Kind.TOGGLE_HUD,
}
"""Boolean actions of actions/actions.json, by the last word of their name."""

STRENGTH_BUTTONS: Mapping[str, float] = {"stronger": 1.0, "weaker": -1.0}
"""The others: each is, while it is held, a stick at this deflection; for pads, on which a thumb may rest."""

HELD = frozenset({Kind.COMPARE})
"""Kinds that last as long as the button is down; the others happen when it goes down."""

DEAD_ZONE = 0.25
"""A stick at rest is rarely at 0, and a worn one drifts."""
FULL_SWING_SECONDS = 1.5
"""How long a fully pushed stick takes from strength 0 to 1."""
LONGEST_STEP = 0.1
"""Seconds: a stick held through a stall must not make strength jump."""


def stick_to_strength(deflection: float, seconds: float) -> float:
    """The change of strength by a stick at ``deflection`` (-1..1, up is stronger) for ``seconds``."""
    if not math.isfinite(deflection):
        return 0.0
    beyond = min(1.0, abs(deflection)) - DEAD_ZONE
    if beyond <= 0:
        return 0.0
    speed = beyond / (1 - DEAD_ZONE) / FULL_SWING_SECONDS
    return math.copysign(speed * min(max(seconds, 0.0), LONGEST_STEP), deflection)


@dataclass
class Buttons:
    """Turns the state of buttons, frame by frame, into commands at the edges.

    A button whose controller has gone counts as released, so that a comparison never stays
    held by a controller with an empty battery.
    """

    _down: dict[Kind, bool] = field(default_factory=dict)

    def update(self, down: Mapping[str, bool]) -> list[Command]:
        """The commands between the last state and ``down`` (action name to pressed); absent is released."""
        commands = []
        for action, kind in BUTTONS.items():
            now, before = down.get(action, False), self._down.get(kind, False)
            self._down[kind] = now
            if now == before:
                continue
            if kind in HELD:
                commands.append(Command(kind, float(now)))
            elif now:
                commands.append(Command(kind))
        return commands
