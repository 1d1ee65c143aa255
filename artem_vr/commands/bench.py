"""``artem-vr bench [xnor]``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("networks", "xnor"), default="networks", metavar="xnor",
        help="measure the binarised kernels instead of the networks",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.what == "xnor":
        from xnor.bench import run_bench as bench_kernels

        return bench_kernels(as_json=arguments.json)
    from artem_vr.bench import run_bench

    return run_bench(as_json=arguments.json)
