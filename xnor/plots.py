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


def _emulated(rows: list[dict[str, Any]]) -> bool:
    """Whether the processor lacks the low precision: torch then takes far longer in it than in fp32 on every row."""
    low = f"{_low(rows)}_ms"
    return all(row[low] is None or row[low] > 2 * row["fp32_ms"] for row in rows)


def _figure(*widths: float, height: float = 4.2) -> tuple[Any, Any]:
    """A figure of panels side by side, ``widths`` in inches, and the panels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(sum(widths), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, len(widths), width_ratios=widths)


def _number(value: float) -> str:
    """One digit behind the point, none from a hundred on."""
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def _bars(axes: Any, labels: list[str], series: list[tuple[str, list[float | None], str]], what: str) -> None:
    """A group of bars for each label, with their values on them; no bar where there is no value."""
    width = 0.84 / len(series)
    for number, (name, values, colour) in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * width
        shown = [(index + shift, value) for index, value in enumerate(values) if value is not None]
        bars = axes.bar([place for place, _ in shown], [value for _, value in shown], width, label=name, color=colour)
        axes.bar_label(bars, [_number(value) for _, value in shown], fontsize=7, padding=1)
    axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=20)
    axes.set_ylabel(what)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _convolutions(rows: list[dict[str, Any]], machine: dict[str, Any], path: Path) -> Path:
    low = _low(rows)
    figure, (left, middle, right) = _figure(9.0, 5.0, 5.0)
    labels = [f"{row['input']}\n{row['kernel']}" for row in rows]
    _bars(
        left, labels,
        [
            ("bits, packing included", [row["xnor_ms"] for row in rows], _COLOURS["xnor"]),
            ("same kernel, no bits", [row["general_ms"] for row in rows], _COLOURS["general"]),
            ("torch fp32", [row["fp32_ms"] for row in rows], _COLOURS["fp32"]),
            (
                f"torch {low} (emulated)" if _emulated(rows) else f"torch {low}",
                [row[f"{low}_ms"] for row in rows], _COLOURS["low"],
            ),
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
    figure, axes = _figure(6.5)
    series = [("against torch fp32", [row["ratio_fp32"] for row in rows], _COLOURS["xnor"])]
    against_low = [row[f"ratio_{low}"] for row in rows]
    if not _emulated(rows):
        series.append((f"against torch {low}", against_low, _COLOURS["general"]))
    axes.axhline(1, color="black", linewidth=0.8)
    axes.axhline(
        ARTICLE_PRODUCT_RATIO, color="black", linestyle="--", linewidth=1, label="the article: up to 6 times cuBLAS"
    )
    _bars(axes, [row["input"] for row in rows], series, "times faster")
    if _emulated(rows):  # on the same axis its bars would leave nothing to see of the others
        ratios = ", ".join(_number(ratio) for ratio in against_low if ratio is not None)
        axes.set_xlabel(f"not drawn: torch {low}, which this processor emulates ({ratios} times)", fontsize=8)
    axes.set_title(f"Matrix products: {_title(machine)}", fontsize=9)
    figure.savefig(path, dpi=110)
    return path
