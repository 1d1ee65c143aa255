"""Look into a JPEG file without decoding it."""

from __future__ import annotations

from collections.abc import Iterator

# Markers that stand alone, without a length behind them: TEM, RST0..RST7, SOI.
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
# Start of frame: all of C0..CF but DHT, JPG and DAC.
_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"

Bytes = bytes | bytearray | memoryview


def jpeg_size(data: Bytes) -> tuple[int, int] | None:
    """(width, height) in pixels that the file's header declares; None when it is no JPEG or is cut off before.

    Where several frame headers stand before the first scan (a decoder might take any), the largest counts.
    """
    sizes = [
        (data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6])
        for marker, at in _markers(data)
        if marker in _FRAME and at + 9 <= len(data)
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def is_complete(data: Bytes) -> bool:
    """True when the file begins as a JPEG does and its picture has an end.

    What stands behind that does not matter: cameras pad, and phones write more there (Samsung's do).
    """
    scan = next((at for marker, at in _markers(data) if marker == _SCAN), None)
    return scan is not None and bytes(data).find(_END_OF_IMAGE, scan) >= 0  # a thumbnail's end stands before the scan


def _markers(data: Bytes) -> Iterator[tuple[int, int]]:
    """The markers that begin a segment of the header, each with its place; the first scan's is the last."""
    if len(data) < 4 or data[0] != 0xFF or data[1] != 0xD8:
        return
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == _END_OF_IMAGE[1]:
            return
        yield marker, at
        length = data[at + 2] << 8 | data[at + 3]
        if marker == _SCAN or length < 2:
            return
        at += 2 + length
