"""The loss curve as a picture."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from artem_vr.errors import PictureError


def draw_curve(table: Path, output: Path) -> None:
    """Draws ``losses.csv`` (a column a loss, a row every 50 iterations) on a logarithmic axis.

    What is no number leaves a gap. Raises `PictureError` for another table.
    """
    from matplotlib.figure import Figure

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file, restkey="beyond"))
    if not rows:
        return
    if "iteration" not in rows[0]:
        raise PictureError(f"{table} is no table of losses any more", "Delete it: it is begun anew")
    iterations = [_number(row["iteration"]) for row in rows]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name in rows[0]:
        if name not in ("iteration", "beyond"):
            values = [_number(row[name]) for row in rows]
            axes.semilogy(iterations, [v if math.isnan(v) else max(1e-6, v) for v in values], label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss (running mean)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(output, dpi=110)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
