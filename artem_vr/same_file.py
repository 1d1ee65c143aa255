"""Whether two names are of one file: what keeps a command from writing over what it reads; and whether a file is still
what it was."""

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


def content_of(path: Path) -> tuple[Path, int, int]:
    """What changes with a file's content, as far as is known without reading it: time of the last change, and size."""
    try:
        facts = path.stat()
    except OSError:  # who reads it will say so
        return path, 0, 0
    return path, facts.st_mtime_ns, facts.st_size
