"""What a person typed, as the path of a file."""

from __future__ import annotations

from pathlib import Path


def path_of(typed: str) -> Path:
    """``typed``, ~ and ~user put in full; where that is nobody, a file is called so."""
    try:
        return Path(typed).expanduser()
    except RuntimeError:
        return Path(typed)
