"""``artem-vr stylize``: files in, painted files out."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from artem_vr.commands.options import add_setting, load_settings
from artem_vr.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{parser.description} A video becomes a video (without sound), or numbered PNG pictures where OUTPUT is a "
        "folder. Strength and layout are 1 and mono unless they are given, whatever settings.toml says."
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, a video, or a folder of them")
    parser.add_argument("-o", "--output", required=True, metavar="OUTPUT", help="a file, or a folder")
    add_setting(parser, "style", "strength", "layout", "device", "engine", "precision")
    parser.add_argument("--preserve-color", action="store_true", help="keep the source's colours, paint its lightness")
    parser.add_argument("--size", type=_size, metavar="PIXELS", help="longer side of the result (default: as it is)")
    parser.add_argument("--json", action="store_true", help="print one JSON object about what was done")


def _size(text: str) -> int:
    if not text.isdecimal() or not 16 <= int(text) <= 16384:
        raise argparse.ArgumentTypeError("it must be a whole number from 16 to 16384")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    given = vars(arguments)
    settings = dataclasses.replace(settings, strength=given.get("strength", 1.0), layout=given.get("layout", "mono"))
    from artem_vr.offline import files

    look = files.Look(settings.layout, settings.strength, arguments.preserve_color, arguments.size)
    inputs = [Path(text) for text in arguments.inputs]
    if "" in (arguments.output, *arguments.inputs):
        raise SettingsError("an INPUT or the OUTPUT is empty", "Name a file or a folder")
    jobs, errors = files.plan(inputs, Path(arguments.output), files.typed_as_folder(arguments.output))

    def report(line: str) -> None:
        print(f"artem-vr: {line}", file=sys.stderr)

    for _, line in errors:
        report(line)
    outcome, facts = files.stylize(jobs, look, settings, report) if jobs else (files.Outcome(), {})
    outcome.errors[:0] = [{"input": str(path), "error": line} for path, line in errors]
    if arguments.json:
        print(json.dumps({**facts, "outputs": outcome.outputs, "errors": outcome.errors}))
    else:
        for done in outcome.outputs:
            print(done["output"])
    return 2 if outcome.errors else 0
