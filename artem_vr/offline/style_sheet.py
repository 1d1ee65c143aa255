"""``artem-vr styles sheet``: every style of the library on one photograph, in one picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from artem_vr.errors import ArtemError, StyleError
from artem_vr.lettering import fitting
from artem_vr.offline.brush import Brush, load_style
from artem_vr.offline.files import check_suffix, progress, resized
from artem_vr.same_file import same_file
from artem_vr.settings import Settings
from artem_vr.sources.frame import Picture
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.styles.library import Library
from artem_vr.writable import check_writable

CELL = 480
"""Longer side of each picture on the sheet, in pixels."""
MARGIN, CAPTION, FONT_SIZE, LEAST_FONT_SIZE = 12, 30, 18, 12
BACKGROUND, INK = (250, 250, 247), (30, 30, 30)


def style_sheet(
    library: Library, photo: Path, output: Path, settings: Settings, report: Callable[[str], None]
) -> dict[str, Any]:
    """Write the sheet to ``output``: the photograph first, then the styles in the library's order.

    All are painted at full strength, whatever ``settings`` say: a sheet is there to compare styles.
    A style that cannot be used costs one line to ``report``. Raises `ArtemError` if there is nothing to show; a reason
    that all of them have is said once.
    """
    settings = replace(settings, strength=1.0)
    if same_file(output, photo):
        raise StyleError(f"{output} is the photograph itself", "Name another FILE")
    check_suffix(output, "picture")
    check_writable(output)
    picture = resized(load_picture(photo), CELL)
    output.parent.mkdir(parents=True, exist_ok=True)
    cells = [("the photograph", picture)]
    shown: list[str] = []
    failed: dict[str, ArtemError] = {}

    def lost(line: str) -> None:
        """The GPU has failed: later styles do without it."""
        nonlocal settings
        settings = replace(settings, device="cpu")
        report(line)

    styles = library.styles_for(settings.precision)
    for style in progress(styles, total=len(styles), desc="sheet", unit="style"):
        try:
            brush = Brush(load_style(library, style.name, settings), settings, still=True, lost=lost)
            cells.append((style.title or style.name, brush(picture[np.newaxis], None)[0]))
            brush.close()
            shown.append(style.name)
        except ArtemError as error:
            failed[style.name] = error
    lines = {name: str(error) for name, error in failed.items()}
    if failed and not shown and len(set(lines.values())) == 1:
        raise next(iter(failed.values()))
    for line in lines.values():
        report(line)
    if failed and not shown:
        raise StyleError("No style can be used", "Do what the lines above say")
    if not shown:
        reason = library.problems[0] if library.problems else "No style can be used"
        raise StyleError(reason, "Install artem-vr again")
    errors = [{"style": name, "error": line} for name, line in lines.items()]
    save_picture(output, sheet(cells))
    return {"output": str(output), "styles": shown, "errors": errors}


def sheet(cells: list[tuple[str, Picture]], columns: int = 0) -> Picture:
    """Titled pictures of one size, (H, W, 3) uint8 each, on a grid of ``columns``; 0: about as wide as it is high."""
    from PIL import Image, ImageDraw

    height, width = cells[0][1].shape[:2]
    columns = columns or max(1, min(len(cells), round(math.sqrt(len(cells) * (height + CAPTION) / width))))
    rows = math.ceil(len(cells) / columns)
    step_x, step_y = width + MARGIN, height + CAPTION + MARGIN
    image = Image.new("RGB", (columns * step_x + MARGIN, rows * step_y + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for index, (title, picture) in enumerate(cells):
        x, y = MARGIN + index % columns * step_x, MARGIN + index // columns * step_y
        image.paste(Image.fromarray(picture), (x, y))
        line, font = fitting(title, width, FONT_SIZE, LEAST_FONT_SIZE)
        draw.text((x, y + height + 5), line, fill=INK, font=font)
    return np.array(image, np.uint8)
