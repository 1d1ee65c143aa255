"""What a window reports, in no library's words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Button = Literal["left", "right", "middle"]


@dataclass(frozen=True)
class KeyPressed:
    """A key went down, repeats while held (``repeat``), or came up (``released``).

    ``key`` is a lower-case name: the letter of the user's keyboard layout ("a"), the digit of the
    key's place ("1", whatever the layout writes there), or one of the words in `context.KEY_NAMES`
    ("space", "escape", "left", "page_up", "f1", ...).
    """

    key: str
    repeat: bool = False
    released: bool = False
    shift: bool = False
    control: bool = False
    alt: bool = False


@dataclass(frozen=True)
class FilesDropped:
    """Files were dropped on the window."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Resized:
    """The window's framebuffer has a new size, in pixels; 0 x 0 while it is minimised."""

    width: int
    height: int


@dataclass(frozen=True)
class Uncovered:
    """What the window showed is lost (another lay over it, or it was minimised): it is to be drawn again."""


@dataclass(frozen=True)
class CloseRequested:
    """The user closed the window; it stays open until the program closes it."""


@dataclass(frozen=True)
class MouseMoved:
    """The pointer is at (x, y) and moved by (dx, dy): screen units, from the top left corner."""

    x: float
    y: float
    dx: float
    dy: float


@dataclass(frozen=True)
class MouseButton:
    """A mouse button went down or came up."""

    button: Button
    pressed: bool


Event = KeyPressed | FilesDropped | Resized | Uncovered | CloseRequested | MouseMoved | MouseButton
