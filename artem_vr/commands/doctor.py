"""``artem-vr doctor``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{parser.description} Exit status 0 where the program can run, 1 where something that it cannot do without "
        "is missing."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from artem_vr import doctor

    return doctor.run(as_json=arguments.json)
