"""Whether two names are of one file: what keeps a command from writing over what it reads."""

from __future__ import annotations

from pathlib import Path


def same_file(one: Path, other: Path) -> bool:
    """Also through links, and where the file is not there yet. Names that cannot be looked up are no other's."""
    try:
        try:
            return one.samefile(other)
        except OSError:  # one is not there, or only once a folder is made: none/../a.png
            return one.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # too long a name, links in a circle, a null character
        return False
