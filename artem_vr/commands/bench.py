"""``artem-vr bench [xnor]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("xnor",), metavar="xnor",
        help="measure the binarised kernels instead of the networks",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="xnor: three rounds, no products above 2048")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="xnor: draw the tables beside the article's figures")


def run(arguments: argparse.Namespace) -> int:
    """Raises `SettingsError` where an option does not fit what is measured, or the device is not there."""
    from artem_vr.errors import SettingsError

    if arguments.what != "xnor":
        if arguments.quick or arguments.plots:
            raise SettingsError("--quick and --plots belong to bench xnor", "Say: artem-vr bench xnor ...")
        from artem_vr import bench

        return bench.main(as_json=arguments.json)
    from xnor.bench import run_bench
    from xnor.errors import XnorError

    try:
        results = run_bench(quick=arguments.quick, progress=lambda line: print(line, file=sys.stderr))
    except XnorError as error:
        raise SettingsError(str(error).rstrip("."), "") from error
    if arguments.plots:
        from xnor.plots import plot

        arguments.plots.mkdir(parents=True, exist_ok=True)
        for path in plot(results, arguments.plots):
            print(path, file=sys.stderr)
    print(json.dumps(results) if arguments.json else xnor_table(results))
    return 0


def xnor_table(results: dict[str, object]) -> str:
    """The rows as text: milliseconds, then how many times faster than each opponent."""
    columns = ("kind", "input", "kernel", "backend", "xnor_ms", "ratio_fp32", "ratio_bf16", "ratio_general")
    rows: list[tuple[str, ...]] = [columns]
    listed = results["rows"]
    assert isinstance(listed, list)
    for row in listed:
        values = (row.get(name, row.get("ratio_fp16") if name == "ratio_bf16" else None) for name in columns)
        rows.append(tuple("-" if value is None else str(value) for value in values))
    widths = [max(len(row[k]) for row in rows) for k in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
