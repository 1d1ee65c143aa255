"""The losses mean what their names say."""

from __future__ import annotations

import math

import pytest
import torch

from artem_vr.evaluation.lattice import VISIBLE
from artem_vr.training import losses, warps
from artem_vr.training.data import draw_ramp


def random_pictures(seed: int = 0, size: int = 48) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_texture_of_the_same_features_has_no_distance() -> None:
    features = torch.rand(2, 8, 12, 12)
    statistics = losses.TextureStatistics.of(features)
    assert losses.relative_distance(statistics.gram, statistics.gram).sum() == 0
    assert torch.allclose(statistics.correlation.diagonal(dim1=1, dim2=2), torch.ones(2, 8), atol=1e-3)


def test_correlation_is_blind_to_scale_and_offset_but_gram_is_not() -> None:
    features = torch.rand(1, 8, 16, 16)
    plain, changed = losses.TextureStatistics.of(features), losses.TextureStatistics.of(features * 3 + 2)
    assert losses.relative_distance(changed.correlation, plain.correlation).item() < 1e-4
    assert losses.relative_distance(changed.gram, plain.gram).item() > 1


def test_mixed_precision_sees_the_texture_of_features_far_from_zero() -> None:
    """Squares that were rounded before the mean's was taken away left deviations of 0, and distances of billions."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(16, 16, generator=generator)
    features = 60 + torch.einsum("ij,bjhw->bihw", mixing, torch.randn(2, 16, 48, 48, generator=generator))
    features[:, 3] = 7.0  # as good as dead
    exact = losses.TextureStatistics.of(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = losses.TextureStatistics.of(features.bfloat16())
    assert float(losses.relative_distance(rounded.correlation, exact.correlation).max()) < 0.001
    assert float(losses.relative_distance(rounded.gram, exact.gram).max()) < 0.001


def test_content_loss_is_zero_for_the_same_and_about_one_for_unrelated_features() -> None:
    features, other = torch.randn(1, 64, 16, 16), torch.randn(1, 64, 16, 16)
    assert losses.content_loss(features, features).item() == 0
    assert losses.content_loss(features * 2 + 1, features).item() < 1e-3
    assert losses.content_loss(features, other).item() == pytest.approx(1, abs=0.05)


def ramps(count: int = 12) -> torch.Tensor:
    return torch.stack([draw_ramp(160, torch.Generator().manual_seed(seed)) for seed in range(count)])


def test_ramps_are_pictures_reproducible_flat_or_not_and_in_all_directions() -> None:
    pictures = ramps(60)
    assert torch.equal(pictures, ramps(60))
    assert pictures.min() >= 0 and pictures.max() <= 1
    across, down = (pictures.diff(dim=dim).abs().mean(dim=(1, 2, 3)) for dim in (3, 2))
    flat = (across + down) < 1e-6
    assert 10 <= int(flat.sum()) <= 32
    steep = torch.atan2(down, across)[~flat]
    assert steep.min() < 0.4 and steep.max() > 1.1


@pytest.mark.parametrize("period", (2, 4, 8))
def test_a_lattice_costs_its_power_and_ramps_and_strokes_cost_nothing(period: int) -> None:
    smooth = ramps()
    strokes = (smooth + 0.1 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    wave = torch.cos(2 * math.pi / period * torch.arange(160.0))
    for amplitude in (3 * VISIBLE, 6 * VISIBLE):
        cost = losses.lattice_loss(smooth + amplitude * wave)
        assert cost.tolist() == pytest.approx([(amplitude * (2 if period == 2 else 1) / VISIBLE) ** 2] * 12, rel=0.3)
    assert losses.lattice_loss(smooth).max() < 1e-3 and losses.lattice_loss(strokes).mean() < 1


def test_the_way_down_from_a_lattice_leads_away_from_it() -> None:
    period = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    smooth, optimizer = ramps(2), torch.optim.Adam([period], lr=1e-2)
    costs = []
    for _ in range(60):
        cost = losses.lattice_loss(smooth + 0.1 * period.tile(1, 1, 20, 20)).sum()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.1 * costs[0]


def test_consistency_is_relative_to_contrast_and_looks_only_inside_the_mask() -> None:
    painting = random_pictures()
    moved = painting + 0.1 * random_pictures(1)
    mask = torch.ones(2, 1, 48, 48)
    full = losses.consistency_loss(painting, moved, mask)
    half = losses.consistency_loss(painting / 2, moved / 2, mask)
    assert full.item() == pytest.approx(half.item(), rel=1e-4)
    mask[..., :24] = 0
    moved[..., :24] = 5.0
    assert losses.consistency_loss(painting, moved, mask).item() < 1


def test_a_batch_loss_is_the_mean_of_its_pictures() -> None:
    pictures, moved = random_pictures(2), random_pictures(3)
    mask = torch.ones(2, 1, 48, 48)
    both = losses.consistency_loss(pictures, moved, mask)
    single = [losses.consistency_loss(pictures[k : k + 1], moved[k : k + 1], mask[:1]) for k in range(2)]
    assert both.item() == pytest.approx(torch.stack(single).mean().item(), rel=1e-5)


def test_the_identity_grid_samples_every_pixel_from_its_own_place() -> None:
    pictures = random_pictures()
    grid = warps.identity_grid(48, 48).expand(2, -1, -1, -1)
    assert torch.allclose(warps.sample(pictures, grid), pictures, atol=1e-4)
    assert warps.valid_mask(grid, 48, 48, margin=0).all()


@pytest.mark.parametrize("make", [warps.head_motion_grid, warps.disparity_grid])
def test_motions_are_small_reproducible_and_of_the_kind_they_claim(make) -> None:
    for seed in range(20):
        grid = make(64, 80, torch.Generator().manual_seed(seed), pixels=6.0)
        assert torch.equal(grid, make(64, 80, torch.Generator().manual_seed(seed), pixels=6.0))
        pixels = (grid - warps.identity_grid(64, 80)) * torch.tensor([80, 64]) / 2
        assert pixels.abs().max() < 40
        if make is warps.disparity_grid:
            assert pixels[..., 1].abs().max() < 1e-4 and pixels[..., 0].abs().max() <= 6.01


def test_the_other_eye_sees_depth_with_edges() -> None:
    jumps = []
    for seed in range(20):
        grid = warps.disparity_grid(64, 80, torch.Generator().manual_seed(seed), pixels=12.0)
        shift = (grid - warps.identity_grid(64, 80))[0, ..., 0] * 80 / 2
        jumps.append(float(shift.diff(dim=1).abs().max()))
    assert max(jumps) > 2, "the relief is smooth everywhere: no thing stands before another"
    assert min(jumps) < 1, "depth edges should differ in height"


def test_edge_loss_asks_for_the_photographs_outlines_whatever_their_tone() -> None:
    photograph, other = random_pictures(0), random_pictures(1)
    assert float(losses.edge_loss(photograph, photograph).max()) == pytest.approx(0, abs=1e-4)
    negative = 0.9 - 0.5 * photograph  # as dark as the photograph is bright, and paler
    assert float(losses.edge_loss(negative, photograph).max()) < 0.05
    unrelated = losses.edge_loss(other, photograph)
    assert unrelated.shape == (2,) and float(unrelated.min()) > 0.5
    assert 0.1 < float(losses.edge_loss((photograph + other) / 2, photograph).max()) < float(unrelated.min())


def test_edge_loss_sees_the_outlines_of_a_hazy_photograph_in_mixed_precision_too() -> None:
    hazy = 0.05 * random_pictures(0) + 0.76
    with torch.autocast("cpu", torch.bfloat16):
        mixed = losses.edge_loss(random_pictures(1), hazy)
    assert torch.equal(mixed, losses.edge_loss(random_pictures(1), hazy)) and mixed.dtype == torch.float32


def test_edge_loss_of_a_flat_painting_has_a_gradient_and_no_nan() -> None:
    flat = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    loss = losses.edge_loss(flat, random_pictures(size=32)[:1]).sum()
    loss.backward()
    assert torch.isfinite(loss) and flat.grad is not None and bool(torch.isfinite(flat.grad).all())
