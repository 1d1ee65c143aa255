"""Look into a JPEG file without decoding it."""

from __future__ import annotations

# Markers that stand alone, without a length behind them: TEM, RST0..RST7, SOI.
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
# Start of frame: all of C0..CF but DHT, JPG and DAC.
_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_size(data: bytes | bytearray | memoryview) -> tuple[int, int] | None:
    """(width, height) in pixels that the file's header declares; None when it is no JPEG or is cut off before.

    Where several frame headers stand before the first scan (a decoder might take any), the largest counts.
    """
    if len(data) < 4 or data[0] != 0xFF or data[1] != 0xD8:
        return None
    sizes: list[tuple[int, int]] = []
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker in (0xD9, 0xDA):  # end of image, start of scan: no header follows
            break
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2:
            break
        if marker in _FRAME and at + 9 <= len(data):
            sizes.append((data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]))
        at += 2 + length
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def is_complete(data: bytes | bytearray | memoryview) -> bool:
    """True when the file begins and ends as a JPEG does (padding after the end is common and allowed)."""
    tail = bytes(data[-64:]).rstrip(b"\0\r\n \t")
    return len(data) > 4 and data[0] == 0xFF and data[1] == 0xD8 and tail.endswith(b"\xff\xd9")
