"""The header of a safetensors file: what a file of weights says of itself. Touches no tensor and imports no torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from artem_vr.errors import WeightsError

DAMAGED = "Get the file again, or choose another style"
"""The remedy."""

MAX_HEADER_BYTES = 1024 * 1024
"""Headers of ours have some kilobytes."""


def read_metadata(name: str, data: bytes) -> dict[str, str]:
    """``__metadata__``, strings to strings, of the file called ``name`` whose (first) bytes are ``data``.

    Raises `WeightsError` where the header is not all there or makes no sense.
    """
    (length,) = struct.unpack("<Q", data[:8]) if len(data) >= 8 else (len(data),)
    if length > len(data) - 8:
        raise WeightsError(f"{name} is cut short or not a safetensors file", DAMAGED)
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.get("__metadata__", {})
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()):
            raise ValueError
    except (ValueError, AttributeError, RecursionError):
        raise WeightsError(f"{name} has no readable safetensors header", DAMAGED) from None
    return dict(metadata)


def smooth_entry(share: float) -> dict[str, str]:
    """What `smooth_of` reads."""
    return {"smooth": f"{share:.3f}"}


def smooth_of(metadata: Mapping[str, str]) -> float:
    """Share of the painting that its painter left smooth (`stylize.ground.smooth_share`); 0 where nothing is said."""
    try:
        share = float(metadata.get("smooth", 0))
    except ValueError:
        return 0.0
    return share if 0 <= share <= 1 else 0.0


def with_sorted_metadata(data: bytes) -> bytes:
    """The same file with its metadata in order of their names, as the library, which has them at random, does not.

    So equal weights with equal metadata are equal files, with one sha256. ``data``: what the library wrote.
    """
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = dict(sorted(header.pop("__metadata__", {}).items()))
    text = json.dumps({"__metadata__": metadata} | header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def architecture_of(path: Path) -> str:
    """The kind of network that ``path`` says it holds; empty where it says nothing. Reads the header only."""
    try:
        with path.open("rb") as file:
            return read_metadata(path.name, file.read(MAX_HEADER_BYTES)).get("architecture", "")
    except (OSError, WeightsError):
        return ""
