"""``artem-vr styles [list|add|remove|sheet]``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artem_vr.commands.options import add_setting, load_settings

if TYPE_CHECKING:
    from artem_vr.styles.library import Style


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
            action.add_argument("file", type=Path, metavar="PICTURE", help="a picture, or a trained .safetensors file")
            action.add_argument("--name", help="how the style is to be called (default: as the file)")
        elif name == "remove":
            action.add_argument("name", metavar="NAME")
        elif name == "sheet":
            action.add_argument("photo", type=Path, metavar="PHOTO")
            action.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="a picture file")
            add_setting(action, "device", "engine", "precision")


def run(arguments: argparse.Namespace) -> int:
    from artem_vr.styles.library import PICTURE_SUFFIXES, Library

    library = Library()
    action = arguments.action or "list"
    if action == "sheet":
        from artem_vr.offline.style_sheet import style_sheet

        result = style_sheet(library, arguments.photo, arguments.output, load_settings(arguments), report)
        print(json.dumps(result) if arguments.json else result["output"])
        return 2 if result["errors"] else 0
    if action == "add":
        if arguments.file.suffix.lower() in PICTURE_SUFFIXES:
            library.find(str(arguments.file))  # says what becomes of pictures
        style = library.add(arguments.file, arguments.name)
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


def _line(number: int, style: Style, width: int) -> str:
    maker = ", ".join(text for text in (style.artist, style.year) if text)
    origin = "your own" if style.kind == "own" else ""
    return f"{number:>3}  {style.name:<{width}}  {'; '.join(t for t in (style.title, maker, origin) if t)}"


def _facts(style: Style) -> dict[str, Any]:
    return {**dataclasses.asdict(style), "path": str(style.path)}
