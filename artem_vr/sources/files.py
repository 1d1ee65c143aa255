"""What can be wrong with a file before anybody looks into it."""

from __future__ import annotations

from pathlib import Path


def problem_of(path: Path) -> tuple[str, str] | None:
    """(cause, remedy) when ``path`` is not a readable regular file with something in it; else None. Never raises."""
    try:
        if path.is_dir():
            return f"{path} is a folder", "Give the name of a file in it"
        if not path.exists():
            return f"There is no file {path}", "Check the name"
        if not path.is_file():
            return f"{path} is not a regular file", "Give the name of a picture or film"
        with path.open("rb") as file:
            return None if file.read(1) else (f"{path} is empty (0 bytes)", "Copy or save it again")
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        shown = str(path) if len(str(path)) < 200 else str(path)[:60] + "..."
        return f"{shown!r} cannot be read ({reason(error)})", "Check the name and the rights"


def reason(error: BaseException) -> str:
    """The system's words for an error, without numbers and names of files."""
    return getattr(error, "strerror", None) or str(error)
