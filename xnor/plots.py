"""Plots of the measurements of `bench.run_bench`, beside the article's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .bench import ARTICLE, ARTICLE_PRODUCT_RATIO

_COLOURS = {"xnor": "#1b6ca8", "general": "#c05a2a", "fp32": "#6b6b6b", "low": "#9a9a9a"}


def _title(machine: dict[str, Any]) -> str:
    where = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    return str(where)


def plot(results: dict[str, Any], folder: Path | str) -> list[Path]:
    """Write xnor_conv.png and xnor_gemm.png into ``folder`` (made if it is not there); returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for kind, draw in (("conv", _convolutions), ("gemm", _products)):
        rows = [row for row in results["rows"] if row["kind"] == kind]
        if rows:
            made.append(draw(rows, results["machine"], folder / f"xnor_{kind}.png"))
    return made


def _low(rows: list[dict[str, Any]]) -> str:
    return "bf16" if "bf16_ms" in rows[0] else "fp16"


def _figure(columns: int, height: float = 4.2) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0 * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _bars(axes: Any, labels: list[str], series: list[tuple[str, list[float | None], str]], what: str) -> None:
    width = 0.8 / len(series)
    for number, (name, values, colour) in enumerate(series):
        places = [index + (number - (len(series) - 1) / 2) * width for index in range(len(labels))]
        axes.bar(places, [value or 0.0 for value in values], width, label=name, color=colour)
    axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=20)
    axes.set_ylabel(what)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _convolutions(rows: list[dict[str, Any]], machine: dict[str, Any], path: Path) -> Path:
    low = _low(rows)
    figure, (left, middle, right) = _figure(3)
    labels = [f"{row['input']}\n{row['kernel']}" for row in rows]
    _bars(
        left, labels,
        [
            ("bits, packing included", [row["xnor_ms"] for row in rows], _COLOURS["xnor"]),
            ("same kernel, no bits", [row["general_ms"] for row in rows], _COLOURS["general"]),
            ("torch fp32", [row["fp32_ms"] for row in rows], _COLOURS["fp32"]),
            (f"torch {low}", [row[f"{low}_ms"] for row in rows], _COLOURS["low"]),
        ],
        "ms (logarithmic)",
    )  # fmt: skip
    left.set_yscale("log")
    left.set_title(f"Here: {_title(machine)}", fontsize=9)
    channels = list(ARTICLE)
    _bars(
        middle, [f"256x256x{count}" for count in channels],
        [
            ("bitwise", [ARTICLE[count][0] for count in channels], _COLOURS["xnor"]),
            ("general", [ARTICLE[count][1] for count in channels], _COLOURS["general"]),
        ],
        "ms (logarithmic)",
    )  # fmt: skip
    middle.set_yscale("log")
    middle.set_title("The article (its laptop GPU, 4x4 -> 256)", fontsize=9)
    ours = {row["input"]: row["ratio_general"] for row in rows}
    _bars(
        right, [f"256x256x{count}" for count in channels],
        [
            ("here", [ours.get(f"256x256x{count}") for count in channels], _COLOURS["xnor"]),
            ("the article", [ARTICLE[count][1] / ARTICLE[count][0] for count in channels], _COLOURS["general"]),
        ],
        "times faster",
    )  # fmt: skip
    right.axhline(1, color="black", linewidth=0.8)
    right.set_title("Bits against the same kernel without bits", fontsize=9)
    figure.savefig(path, dpi=110)
    return path


def _products(rows: list[dict[str, Any]], machine: dict[str, Any], path: Path) -> Path:
    low = _low(rows)
    figure, axes = _figure(1)
    _bars(
        axes, [row["input"] for row in rows],
        [
            ("against torch fp32", [row["ratio_fp32"] for row in rows], _COLOURS["xnor"]),
            (f"against torch {low}", [row[f"ratio_{low}"] for row in rows], _COLOURS["general"]),
        ],
        "times faster",
    )  # fmt: skip
    axes.axhline(1, color="black", linewidth=0.8)
    axes.axhline(ARTICLE_PRODUCT_RATIO, color=_COLOURS["fp32"], linestyle="--", linewidth=1)
    axes.annotate("the article: up to 6 times cuBLAS", (0, ARTICLE_PRODUCT_RATIO), fontsize=8, va="bottom")
    axes.set_title(f"Matrix products: {_title(machine)}", fontsize=9)
    figure.savefig(path, dpi=110)
    return path
