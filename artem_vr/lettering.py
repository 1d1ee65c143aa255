"""Letters in pictures: in Pillow's own font, which every machine has, and in as few letters as that has."""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

_PIXELS = 22
"""Of the font that is asked which letters there are."""

_PLAIN = {
    "–": "-",
    "—": "-",
    "×": "x",
    "Ł": "L",
    "ł": "l",
    "Ø": "O",
    "ø": "o",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "→": ">",
}


def printable(line: str) -> str:
    """The line in the letters that Pillow's own font has: "é" becomes "e", unknown ones "?"."""
    return "".join(map(_printable_letter, unicodedata.normalize("NFC", line)))  # names of a Mac's are taken apart


def fitting(line: str, width: float, pixels: int, least: int) -> tuple[str, Any]:
    """`printable`, and its font: ``pixels`` high, or lower where it would be wider than ``width`` pixels; where even
    ``least`` is too high for that, the line is cut."""
    line = printable(line)
    for height in range(pixels, least, -1):
        if font_of(height).getlength(line) <= width:
            return line, font_of(height)
    font = font_of(least)
    if font.getlength(line) > width:
        while line and font.getlength(f"{line}...") > width:
            line = line[:-1]
        line = f"{line.rstrip()}..."
    return line, font


@functools.cache
def _printable_letter(letter: str) -> str:
    if letter.isspace():
        return " "
    font = font_of(_PIXELS)
    if bytes(font.getmask(letter)) != bytes(font.getmask("\uffff")):
        return letter
    plain = unicodedata.normalize("NFKD", letter)
    return _PLAIN.get(letter) or "".join(part for part in plain if part.isascii()) or "?"


@functools.cache
def font_of(pixels: int) -> Any:
    """Pillow's own, so many pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(pixels)
