"""What a person typed, as the path of a file, or of several."""

from __future__ import annotations

import glob
import os
from pathlib import Path


def path_of(typed: str) -> Path:
    """``typed``, ~ and ~user put in full; where a file is called so, or that is nobody, it is that file."""
    try:
        return Path(typed) if os.path.lexists(typed) else Path(typed).expanduser()
    except RuntimeError:
        return Path(typed)


def paths_of(typed: str) -> list[Path]:
    """The files that ``typed`` stands for: Windows' shells leave it to programs to put them in place of *.jpg.

    A pattern that no file fits stays, to be told of.
    """
    if os.name != "nt" or not set(typed) & set("*?") or os.path.lexists(typed):
        return [Path(typed)]
    found = glob.glob(typed.replace("[", "[[]"))  # for Windows' shells, brackets are letters
    return [Path(name) for name in sorted(found) or [typed]]
