"""Silence for a C library that writes to standard error what its error code says already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_STANDARD_ERROR = 2


@contextlib.contextmanager
def quiet_library() -> Iterator[None]:
    """While inside, the process's standard error goes nowhere. Keep it short: other threads are silenced too."""
    try:
        kept = os.dup(_STANDARD_ERROR)
    except OSError:  # no standard error at all, as in a windowed program
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STANDARD_ERROR)
        yield
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
        os.close(nowhere)
