"""Which photographs and paintings are never trained on, so that the measures are of pictures never seen."""

from __future__ import annotations

import hashlib
from pathlib import Path


def held_out(path: Path) -> bool:
    """True for about one picture in sixteen: training leaves it out, evaluation uses it.

    Decided by the file's name alone (sha256 of the UTF-8 name, modulo 16, is 0), so it does not
    change with the folder, the machine or the other files.
    """
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest, "big") % 16 == 0
