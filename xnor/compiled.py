"""Numba's compiler with a cache on disk that notices every change of this package.

Numba looks only at the file a function stands in. What that function calls is compiled into it, so that after an
update old code of another file would go on running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """``function``, compiled at its first call for each kind of arguments, without Python's lock.

    What is compiled is kept on disk, where that is allowed.
    """
    try:
        made = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere may a file be kept: compiled anew at every start
        made = njit(nogil=True)(function)
    # Numba has no public way to add to what it compares. Where this one is gone, its own comparison is left.
    index: Any = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        index._source_stamp = (index._source_stamp, _of_all_sources())
    return made


@cache
def _of_all_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
