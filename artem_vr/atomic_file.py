"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

REPLACE_TRIES = 5
REPLACE_PAUSE = 0.2
"""Seconds between them: a virus scanner that looks at a file has then let it go."""


def write_atomically(path: Path, data: bytes) -> None:
    """``data`` as file ``path``; missing folders are made, and a crash leaves the old file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    file = part.open("xb")
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def part_of(path: Path) -> Path:
    """A name beside ``path`` that nobody has, for what shall become ``path``.

    Not tempfile's: in a folder without rights its functions try 2^31 names on Windows before they say so (Python 3.11
    and 3.12).
    """
    return path.with_name(f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.part")


def replace(part: Path, path: Path) -> None:
    """Rename ``part`` to ``path``, which may be there. Raises OSError.

    On Windows that fails while anybody has one of them open; so it is tried again for a moment.
    """
    for _ in range(REPLACE_TRIES - 1 if os.name == "nt" else 0):
        try:
            return os.replace(part, path)
        except PermissionError:
            time.sleep(REPLACE_PAUSE)
    os.replace(part, path)
