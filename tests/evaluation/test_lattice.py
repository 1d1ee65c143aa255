"""A lattice is found with its amplitude, whatever the shape of the picture, and nothing else is taken for one."""

from __future__ import annotations

import math

import pytest
import torch

from artem_vr.evaluation.lattice import PERIODS, lattice_peaks, probes, worst_lattice

SHAPES = [(256, 256), (192, 320), (328, 136)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("across", [True, False], ids=["across", "down"])
def test_a_wave_is_found_at_its_period_with_its_amplitude(shape: tuple[int, int], period: int, across: bool) -> None:
    height, width = shape
    wave = torch.cos(2 * math.pi / period * torch.arange(width if across else height))
    picture = probes(height, width)["diagonal"] + 0.02 * (wave if across else wave[:, None])
    peaks = lattice_peaks(picture)
    expected = 0.02 * (2 if period == 2 else 1)  # at the highest frequency both halves of a spectrum are one
    assert peaks[(period, 0) if across else (0, period)][0] == pytest.approx(expected, rel=0.05)
    assert worst_lattice(picture) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ramps_and_strokes_are_no_lattice(shape: tuple[int, int]) -> None:
    strokes = 0.2 * torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for picture in probes(*shape).values():
        assert worst_lattice(picture) < 1e-3
        assert worst_lattice((picture + strokes).clamp(0, 1)) == 0
