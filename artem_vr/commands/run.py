"""``artem-vr run``: the program itself."""

from __future__ import annotations

import argparse

from artem_vr.commands.options import add_setting, load_settings
from artem_vr.settings import NAMED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_setting(
        parser, "source", "layout", "style", "strength", "region", "region_style", "headset", "view", "device",
        "engine", "precision", "scale", "steadying", "ground", "mirror", "frames", "record",
    )  # fmt: skip
    for name, does in (
        ("--hud", "show the head-up display"),
        ("--swap-eyes", "exchange the eyes that --layout takes apart"),
        ("--preserve-color", "keep the source's colours, paint its lightness"),
    ):
        parser.add_argument(name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=does)


def run(arguments: argparse.Namespace) -> int:
    from artem_vr.styles.library import Library

    settings = load_settings(arguments, *NAMED)
    library = Library()
    for name in (settings.style, settings.region_style):
        if name:  # told at once where it is mistyped: what follows loads libraries for seconds
            library.find_for(settings.precision, name)
    from artem_vr import app

    return app.run(settings)
