"""What an evaluation says: the table as text, Markdown or JSON, and a sheet of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from artem_vr.evaluation.exam import Row

Cell = Callable[["Row"], str]


def _number(name: str, digits: int) -> Cell:
    return lambda row: _shown(getattr(row, name), f".{digits}f")


def _percent(name: str) -> Cell:
    return lambda row: _shown(100 * getattr(row, name), ".0f", " %")


def _shown(value: float | int | None, form: str, unit: str = "") -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:{form}}{unit}"


COLUMNS: dict[str, Cell] = {
    "network": lambda row: row.network,
    "style": lambda row: row.style,
    "tex": _number("tex", 3),
    "style loss": _number("style_loss", 3),
    "content": _number("content_loss", 3),
    "edge": _number("edge", 2),
    "edge SSIM": _number("edge_ssim", 2),
    "weave": _number("weave", 4),
    "style found": _percent("style_retrieval"),
    "photo found": _percent("content_retrieval"),
    "e_stab": _number("e_stab", 4),
    "flicker": _number("flicker", 3),
    "motion gain": _number("motion_gain", 2),
    "film gain": _number("film_gain", 2),
    "stereo error": _number("stereo_error", 4),
    "stereo flicker": _number("stereo_flicker", 3),
    "stereo gain": _number("stereo_gain", 2),
    "drift px": _number("disparity_drift", 2),
    "bad1": _percent("bad1"),
    "noise gain": _number("noise_gain", 2),
    "contrast": _number("contrast", 3),
    "ms": _number("ms", 1),
    "parameters": lambda row: _shown(row.parameters, ",d"),
    "kB": lambda row: _shown(None if row.file_bytes is None else row.file_bytes / 1000, ".0f"),
}
"""Heading -> how a row fills it."""

LEGEND = (
    "tex, style loss, content, weave: 0 is best; edge, edge SSIM: 1 is the photograph's; gains: 1 is as steady as the "
    "input; flicker: change over contrast; found: share of pictures whose painting, or photograph, is told from them."
)


def _table(rows: Sequence[Row]) -> list[list[str]]:
    """Heading and rows; columns that nobody fills are left out."""
    cells = [list(COLUMNS)] + [[cell(row) for cell in COLUMNS.values()] for row in rows]
    kept = [k for k in range(len(COLUMNS)) if k < 2 or any(line[k] != "-" for line in cells[1:])]
    return [[line[k] for k in kept] for line in cells]


def as_text(rows: Sequence[Row], heading: str) -> str:
    """A table for the terminal."""
    table = _table(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True)))
             for line in table]  # fmt: skip
    return "\n".join([heading, *(line.rstrip() for line in lines), LEGEND])


def as_markdown(rows: Sequence[Row], heading: str) -> str:
    """The same for a model card."""
    table = _table(rows)
    rule = ["---" if k < 2 else "---:" for k in range(len(table[0]))]
    lines = ["| " + " | ".join(line) + " |" for line in [table[0], rule, *table[1:]]]
    return "\n".join([heading, "", *lines, "", LEGEND])


def as_json(rows: Sequence[Row], conditions: dict[str, Any]) -> dict[str, Any]:
    """One object: under which conditions, and a row for each network and style."""
    return conditions | {"rows": [row.as_json() for row in rows]}


def sheet(
    photographs: Sequence[np.ndarray],
    styles: Sequence[tuple[str, np.ndarray, Sequence[np.ndarray]]],
    size: int = 256,
) -> np.ndarray:
    """Photographs in the first row; below, for each style, its painting and every photograph painted.

    Pictures are (H, W, 3) uint8 RGB of any size and are shown whole, in fields of ``size``; ``styles`` holds
    (title, painting, one picture for each photograph). Returns (H, W, 3) uint8 RGB.
    """
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    gap, title_height = 6, 22
    columns = 1 + len(photographs)
    width = columns * (size + gap) + gap
    height = (1 + len(styles)) * (size + title_height + gap) + gap
    canvas = Image.new("RGB", (width, height), (250, 250, 248))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)

    def place(picture: np.ndarray, column: int, row: int) -> None:
        image = Image.fromarray(picture)
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        x = gap + column * (size + gap) + (size - image.width) // 2
        y = gap + row * (size + title_height + gap) + title_height + (size - image.height) // 2
        canvas.paste(image, (x, y))

    def write(text: str, row: int) -> None:
        draw.text((gap, gap + row * (size + title_height + gap) + 2), text, fill=(40, 40, 40), font=font)

    write("Photographs", 0)
    for column, photograph in enumerate(photographs, start=1):
        place(photograph, column, 0)
    for row, (title, painting, pictures) in enumerate(styles, start=1):
        write(title, row)
        for column, picture in enumerate([painting, *pictures]):
            place(picture, column, row)
    return np.asarray(canvas)


def save_sheet(path: Path, picture: np.ndarray) -> None:
    """Writes ``picture`` in one step. Raises PictureError."""
    from artem_vr.sources.pictures import save_picture

    save_picture(path, picture)
