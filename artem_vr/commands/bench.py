"""``artem-vr bench [xnor]``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from artem_vr.typed_path import named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("xnor",), metavar="xnor",
        help="measure the binarised kernels instead of the networks",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--size", type=_size, action="append", metavar="WxH", help="of a picture (default: 512x512 1080x1200)"
    )
    parser.add_argument("--eyes", type=int, choices=(1, 2), help="pictures at a time (default: both)")
    parser.add_argument(
        "--weights", type=named, action="append", default=[], metavar="FILE", help="instead of shipped ones"
    )
    parser.add_argument("--quick", action="store_true", help="xnor: three rounds, no products above 2048")
    parser.add_argument("--plots", type=named, metavar="DIR", help="xnor: draw the tables beside the article's figures")


def run(arguments: argparse.Namespace) -> int:
    """Raises `SettingsError` where an option does not fit what is measured, or the device is not there."""
    from artem_vr.errors import SettingsError

    if arguments.what != "xnor":
        if arguments.quick or arguments.plots:
            raise SettingsError("--quick and --plots belong to bench xnor", "Say: artem-vr bench xnor ...")
        from artem_vr import bench

        eyes = [arguments.eyes] if arguments.eyes else None
        return bench.main(arguments.json, arguments.size, eyes, arguments.weights)
    if arguments.size or arguments.eyes or arguments.weights:
        raise SettingsError("--size, --eyes and --weights are of the networks' bench", "Say: artem-vr bench ...")
    from xnor.bench import run_bench
    from xnor.errors import XnorError

    if arguments.plots:
        arguments.plots.mkdir(parents=True, exist_ok=True)  # before minutes are spent
    try:
        results = run_bench(quick=arguments.quick, progress=lambda line: print(line, file=sys.stderr))
    except XnorError as error:
        raise SettingsError(str(error).rstrip("."), "") from error
    print(json.dumps(results) if arguments.json else xnor_table(results), flush=True)
    if arguments.plots:
        from xnor.plots import plot

        for path in plot(results, arguments.plots):
            print(path, file=sys.stderr)
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (
        width.isdecimal()
        and height.isdecimal()
        and 32 <= min(int(width), int(height)) <= max(int(width), int(height)) <= 8192
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; say e.g. 512x512, from 32 to 8192")
    return int(width), int(height)


def xnor_table(results: dict[str, Any]) -> str:
    """The rows as text: milliseconds (ours whole, packing alone, product alone, opponents), how many times faster we
    are than each opponent, and kilobytes of weights and activations in bits and in fp32. Columns that no row has are
    left out."""
    rows = [{**row, **_kilobytes(row.get("memory", {}))} for row in results["rows"]]
    present = [name for name in XNOR_COLUMNS if any(row.get(name) is not None for row in rows)]
    cells = [present, *(["-" if row.get(name) is None else str(row[name]) for name in present] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(present))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    if "vgg19" in results:
        fp32, file, resident = (results["vgg19"][f"{name}_bytes"] / 1e6 for name in ("fp32", "packed", "resident"))
        sizes = f"{fp32:.1f} MB in fp32; packed {file:.2f} MB in the file, {resident:.2f} MB in memory after a picture"
        lines.append(f"weights of VGG-19: {sizes} (the article: 512 to 16 MB)")
    return "\n".join(lines)


XNOR_COLUMNS = (
    "kind", "input", "kernel", "backend", "xnor_ms", "pack_ms", "product_ms", "fp32_ms", "ratio_fp32", "bf16_ms",
    "ratio_bf16", "fp16_ms", "ratio_fp16", "tf32_ms", "ratio_tf32", "general_ms", "ratio_general",
    "fraction_of_bound", "weights_kb", "weights_fp32_kb", "activations_kb", "activations_fp32_kb",
)  # fmt: skip


def _kilobytes(memory: dict[str, int]) -> dict[str, float]:
    return {f"{name.removesuffix('_bits')}_kb": round(size / 1000, 1) for name, size in memory.items()}
