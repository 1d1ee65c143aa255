"""Pictures and files for the tests of the sources."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from artem_vr.sources.frame import Picture


def gradient(height: int = 24, width: int = 32) -> Picture:
    """(height, width, 3) uint8: red grows to the right, green downwards, blue marks the upper left corner."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 250, width).astype(np.uint8)[None, :]
    picture[..., 1] = np.linspace(0, 250, height).astype(np.uint8)[:, None]
    picture[: height // 4, : width // 4, 2] = 200
    return picture


def encoded(picture: Picture, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as a file's bytes."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()


def grey_jpeg(level: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """A JPEG of one grey level."""
    return encoded(np.full((size[1], size[0], 3), level, np.uint8))


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is gigantic."""
    data = bytearray(grey_jpeg(90))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is gigantic, every checksum in order."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
