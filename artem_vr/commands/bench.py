"""``artem-vr bench [xnor]``."""

from __future__ import annotations

import argparse
import importlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("xnor",), metavar="xnor",
        help="measure the binarised kernels instead of the networks",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    name = "xnor.bench" if arguments.what == "xnor" else "artem_vr.bench"
    return int(importlib.import_module(name).main(as_json=arguments.json))
