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


def named(typed: str) -> Path:
    """``typed``, ~ before a separator put in full, as shells do it, but not all of them and not in --option=~/a.png.

    What begins so otherwise (~new.png) is the name of a file that may be still to be written.
    """
    return path_of(typed) if typed.startswith(("~/", "~" + os.sep)) else Path(typed)


def paths_of(typed: str) -> list[Path]:
    """The files that ``typed`` stands for: Windows' shells leave it to programs to put them in place of *.jpg.

    A pattern that no file fits stays, to be told of.
    """
    path = named(typed)
    if os.name != "nt" or not set(typed) & set("*?") or os.path.lexists(typed):
        return [path]
    found = glob.glob(str(path).replace("[", "[[]"))  # for Windows' shells, brackets are letters
    return [Path(name) for name in sorted(found)] or [path]
