"""``artem-vr run``: the program itself."""

from __future__ import annotations

import argparse

from artem_vr.commands.options import add_setting, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_setting(
        parser, "source", "layout", "style", "strength", "headset", "view", "device", "engine", "precision", "scale",
        "mirror", "frames", "record",
    )  # fmt: skip
    parser.add_argument(
        "--hud", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help="show the head-up display"
    )


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    from artem_vr import app

    return app.run(settings)
