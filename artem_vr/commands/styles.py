"""``artem-vr styles [list|add|remove|sheet]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artem_vr.commands.options import add_setting, load_settings
from artem_vr.typed_path import named

if TYPE_CHECKING:
    from artem_vr.styles.library import Library, Style


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions (list if none is named)")
    for name, summary in (
        ("list", "all styles, and where each comes from"),
        ("add", "keep a style among your own"),
        ("remove", "remove one of your own styles"),
        ("sheet", "draw all styles on one photograph"),
    ):
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        if name == "add":
            action.add_argument(
                "file", type=named, metavar="PICTURE", help="a picture, or a .safetensors file of weights or of a code"
            )
            action.add_argument("--name", help="how the style is to be called (default: as the file)")
        elif name == "remove":
            action.add_argument("name", metavar="NAME")
        elif name == "sheet":
            action.add_argument("photo", type=named, metavar="PHOTO")
            action.add_argument("-o", "--output", type=named, required=True, metavar="FILE", help="a picture file")
            add_setting(action, "device", "engine", "precision")


def run(arguments: argparse.Namespace) -> int:
    from artem_vr.styles.library import Library

    library = Library()
    action = arguments.action or "list"
    if action == "sheet":
        from artem_vr.offline.style_sheet import style_sheet

        settings = load_settings(arguments, all_styles=True)
        result = style_sheet(library, arguments.photo, arguments.output, settings, report)
        print(json.dumps(result) if arguments.json else result["output"])
        return 2 if result["errors"] else 0
    if action == "add":
        style = _added(library, arguments.file, arguments.name, load_settings(arguments).stroke_size)
        print(json.dumps(_facts(style)) if arguments.json else f"Added {style.name}")
        return 0
    if action == "remove":
        style = library.remove(arguments.name)
        print(json.dumps(_facts(style)) if arguments.json else f"Removed {style.name}")
        return 0
    styles = library.styles()
    for problem in library.problems:
        report(f"{problem}.")
    if arguments.json:
        print(json.dumps({"styles": [_facts(style) for style in styles], "problems": library.problems}))
    else:
        for number, style in enumerate(styles, start=1):
            print(_line(number, style, max(len(other.name) for other in styles)))
    return 0


def report(line: str) -> None:
    print(f"artem-vr: {line}", file=sys.stderr)


def _added(library: Library, file: Path, name: str | None, stroke_size: int) -> Style:
    """A file of weights or of a code is copied; of anything else, as a picture, the code and a small copy are kept.

    ``stroke_size``: short side, in pixels, at which pictures are read.
    """
    if file.suffix.lower() == ".safetensors":
        return library.add(file, name)
    from artem_vr.errors import StyleError
    from artem_vr.sources.pictures import load_picture
    from artem_vr.styles.library import NO_COMPACT, title_of
    from artem_vr.stylize.encoder import Encoder

    picture = load_picture(file)
    if library.compact is None:
        raise StyleError(f"{file.name} is a picture, and {NO_COMPACT}", "Reinstall the program")
    name = name or file.stem
    library.free_name(name)  # a name that is taken is told before the picture is read
    return library.keep(Encoder(*library.compact).code(picture, title_of(name), stroke_size), name)


def _line(number: int, style: Style, width: int) -> str:
    """``3  senecio      code     Senecio; Paul Klee, 1922``"""
    maker = ", ".join(text for text in (style.artist, style.year) if text)
    origin = "your own" if style.kind == "own" else ""
    facts = "; ".join(text for text in (style.title, maker, origin) if text)
    return f"{number:>3}  {style.name:<{width}}  {style.form:<7}  {facts}"


def _facts(style: Style) -> dict[str, Any]:
    """The style as JSON has it; the parts of blends, which no list holds, are left out."""
    return {name: value for name, value in vars(style).items() if name != "parts"} | {"path": str(style.path)}
