"""The loss curve as a picture."""

from __future__ import annotations

import csv
import math
from pathlib import Path


def draw_curve(table: Path, output: Path) -> None:
    """Draws ``losses.csv`` (a column a loss, a row every 50 iterations) on a logarithmic axis."""
    from matplotlib.figure import Figure

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    iterations = [int(row["iteration"]) for row in rows]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name in rows[0]:
        if name != "iteration":
            values = [float(row[name]) for row in rows]  # what is no number leaves a gap
            axes.semilogy(iterations, [v if math.isnan(v) else max(1e-6, v) for v in values], label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss (running mean)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    figure.savefig(output, dpi=110)
