"""Whether a file could be written: asked before the work that ends in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from artem_vr.atomic_file import part_of
from artem_vr.errors import SettingsError


def check_writable(path: Path) -> None:
    """Raises `SettingsError` where no file ``path`` could be made, or the one there be replaced.

    Folders that are missing could be made. Nothing is left behind: what is tried is a file of another name, in the
    first folder above that is there.
    """
    try:
        if path.is_dir():
            raise SettingsError(f"{path} cannot be written: it is a folder", "Name a file, or move the folder away")
        place = next((folder for folder in path.parents if os.path.lexists(folder)), path.parent)
        for name in path.relative_to(place).parts:
            with contextlib.suppress(FileNotFoundError):
                (place / name).lstat()  # too long a name is told of a file that is not there, too
        tried = part_of(place / "tried")
        tried.open("xb").close()
        tried.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} cannot be written ({reason})", "Check the name and the folder's rights") from None
