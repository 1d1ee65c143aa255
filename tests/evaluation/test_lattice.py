"""A lattice and a weave are found, whatever the shape of the picture, and nothing else is taken for one."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from artem_vr.evaluation.lattice import PERIOD, WAVES, lattice_peaks, probes, weave, worst_lattice

SHAPES = [(256, 256), (192, 320), (328, 136)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("wave", WAVES, ids=str)
def test_a_wave_is_found_at_its_place_with_its_amplitude(shape: tuple[int, int], wave: tuple[int, int]) -> None:
    height, width = shape
    cycles = (wave[0] * torch.arange(width) + wave[1] * torch.arange(height)[:, None]) / PERIOD
    picture = probes(height, width)["diagonal"] + 0.02 * torch.cos(2 * math.pi * cycles)
    # at the highest frequencies both halves of a spectrum are one
    expected = 0.02 * (2 if wave[0] in (0, 4) and wave[1] in (0, 4) else 1)
    assert lattice_peaks(picture)[wave][0] == pytest.approx(expected, rel=0.05)
    assert worst_lattice(picture) == pytest.approx(expected, rel=0.05)


def test_the_waves_are_all_that_repeat_after_eight_pixels() -> None:
    """Each with its mirror image, in the opposite direction, and the constant: as many as the pattern has pixels."""
    both = {(i % PERIOD, j % PERIOD) for i, j in WAVES} | {(-i % PERIOD, -j % PERIOD) for i, j in WAVES}
    assert len(both | {(0, 0)}) == PERIOD**2
    assert len(WAVES) == (PERIOD**2 + 4) // 2 - 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ramps_and_strokes_are_no_lattice(shape: tuple[int, int]) -> None:
    strokes = 0.2 * torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for picture in probes(*shape).values():
        assert worst_lattice(picture) < 1e-3
        assert worst_lattice((picture + strokes).clamp(0, 1)) == 0


def strokes(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("factor", (2, 4, 8))
def test_noise_that_was_enlarged_is_woven(shape: tuple[int, int], factor: int) -> None:
    """Bilinear interpolation of white noise: one step in ``factor`` is half as large as the others, and differs
    from those before and after it; these are all alike."""
    enlarged = F.interpolate(strokes(*shape), scale_factor=factor, mode="bilinear")
    share = 1 / factor
    of_steps, of_bends = 0.25 * share * (1 - share) / (1 - share / 2) ** 2, factor / 2 - 1
    assert weave(enlarged).tolist() == pytest.approx([(of_steps + of_bends) / 2] * 2, rel=0.1)
    nearest = F.interpolate(strokes(*shape), scale_factor=factor, mode="nearest")
    assert weave(nearest).tolist() == pytest.approx([(factor - 1 + of_bends) / 2] * 2, rel=0.1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_strokes_that_follow_no_grid_are_not_woven(shape: tuple[int, int]) -> None:
    """Nor are ramps, nor is what is flat."""
    for picture in (strokes(*shape), *probes(*shape).values()):
        assert weave(picture).max() < 1e-3
    assert weave(torch.full((2, 3, *shape), 0.5)).tolist() == [0, 0]
