"""What shows nothing (black film, an empty wall, a fade) is painted as nothing: in no precision a pattern."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from artem_vr.hardware import cpu_has_bf16
from artem_vr.networks.checkpoint import load_network
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines import choose_engine, initial_state
from artem_vr.stylize.engines.base import Engine
from artem_vr.stylize.engines.torch_engine import TorchEngine

NETWORKS = [s for s in Library().styles() if s.kind == "shipped" and s.form == "network" and not s.binarised]


def engines(cache: Path) -> list[Engine]:
    """Torch computes in bf16 on every CPU; OpenVINO only where the CPU has it."""
    found: list[Engine] = [TorchEngine("cpu", "fp32"), TorchEngine("cpu", "bf16")]
    if importlib.util.find_spec("openvino"):
        for precision in ("int8", "bf16" if cpu_has_bf16() else "fp32"):
            found.append(choose_engine("openvino", precision=precision, cache=cache))
    return found


@pytest.mark.parametrize("style", NETWORKS, ids=lambda style: style.name)
def test_a_flat_picture_stays_flat(style: Style, converted: Path) -> None:
    network, _ = load_network(style.path)
    for engine in engines(converted):
        painter = engine.prepare(style.name, network, 2, 96, 120)
        for colour in ((0, 0, 0), (40, 40, 40), (128, 128, 128), (250, 180, 40), (255, 255, 255)):
            pictures = np.empty((2, 96, 120, 3), np.uint8)
            pictures[:] = colour
            painted, _ = painter.paint(pictures, initial_state(painter.channels), 1.0)
            differing = np.ptp(np.asarray(painted).astype(int), axis=(0, 1, 2))
            assert differing.max() <= 1, (engine.name, colour)  # of 255 levels: a rounding
        painter.close()
