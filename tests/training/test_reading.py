"""Traits of paintings: what they are, and that the style encoder learns to tell them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from artem_vr.errors import SettingsError
from artem_vr.networks.compact import PALETTE, TRAITS, StyleEncoder
from artem_vr.training.losses import STYLE_LAYERS, TextureStatistics, distinction, relative_distance, relative_distances
from artem_vr.training.reading import Traits, teach
from artem_vr.training.trainer import Schedule, Trainer
from tests.training.test_compact import make_objective


def make_statistics(seed: int, channels: int = 6) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    parts = {}
    for layer in STYLE_LAYERS:
        mixing = torch.randn(channels, channels, generator=random)
        features = torch.einsum("ij,bjhw->bihw", mixing, torch.randn(1, channels, 16, 16, generator=random)).relu()
        found = TextureStatistics.of(features)
        parts[f"{layer}_mean"], parts[f"{layer}_deviation"] = found.mean, found.deviation
        parts[f"{layer}_correlation"] = found.correlation
    return parts


def test_traits_are_the_principal_components_and_the_first_is_of_deviation_1() -> None:
    paintings = [make_statistics(seed) for seed in range(140)]
    traits = Traits.of(paintings)
    values = torch.stack([traits(one) for one in paintings])
    assert values.shape == (140, TRAITS)
    torch.testing.assert_close(values.mean(dim=0), torch.zeros(TRAITS), atol=0.02, rtol=0)
    covariance = values.T.cov(correction=0)
    variances = covariance.diagonal()
    assert variances[0] == pytest.approx(1, abs=0.01) and (variances[:-1] >= variances[1:] - 1e-3).all()
    torch.testing.assert_close(covariance, torch.diag(variances), atol=0.01, rtol=0)  # not correlated


def test_fewer_paintings_than_traits_leave_the_others_at_0() -> None:
    paintings = [make_statistics(seed) for seed in range(3)]
    traits = Traits.of(paintings)
    values = torch.stack([traits(one) for one in paintings])
    assert torch.equal(values[:, 2:], torch.zeros(3, TRAITS - 2)) and values[:, :2].abs().min() > 0.01


def test_a_single_painting_is_refused() -> None:
    with pytest.raises(SettingsError, match="one painting"):
        Traits.of([make_statistics(0)])


def test_paintings_that_are_all_alike_are_refused() -> None:
    """What tells them apart is rounding, which would be made traits of deviation 1."""
    blank = make_statistics(0)
    rounded = {name: value * (1 + 1e-7 * torch.randn_like(value)) for name, value in blank.items()}
    with pytest.raises(SettingsError, match="blank or alike"):
        Traits.of([blank, rounded, blank])


def texture(grain: int, seed: int) -> Tensor:
    """(1, 3, 96, 96): grey noise in squares of ``grain`` pixels."""
    noise = torch.rand(1, 1, 96 // grain, 96 // grain, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, scale_factor=grain, mode="nearest").expand(1, 3, 96, 96)


def test_the_encoder_tells_traits_of_pictures_that_it_was_not_taught() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(8)
    answer = encoder.answer.weight.clone()
    grains = [2, 3, 4, 6, 8, 12] * 8
    true = torch.zeros(len(grains), TRAITS)
    true[:, 0] = torch.tensor(grains).float().log() - torch.tensor(grains).float().log().mean()
    told = teach(encoder, [texture(grain, seed) for seed, grain in enumerate(grains)], true)
    assert 0.8 < told <= 1
    unseen = [(grain, texture(grain, 1000 + grain)) for grain in (2, 4, 8)]
    found = torch.cat([encoder.traits(picture) for _, picture in unseen])
    assert found.shape == (3, TRAITS + PALETTE)
    assert found[0, 0] < found[1, 0] - 0.2 and found[1, 0] < found[2, 0] - 0.2
    assert torch.equal(encoder.answer.weight, answer)  # what is painted is not its business


def test_a_training_changes_what_is_painted_and_not_what_is_read(pictures: Path, tmp_path: Path) -> None:
    objective = make_objective(pictures)
    assert 0 <= objective.teach_to_read(progress=False) <= 1
    encoder = objective.network.encoder
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    Trainer(objective, Schedule(iterations=2, warm_up=1), tmp_path, batch_size=2, mixed_precision=False).run(False)
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"answer.weight", "answer.bias"}


def test_distances_to_many_targets_are_those_to_each() -> None:
    ours, targets = torch.randn(2, 5, 5), torch.randn(3, 5, 5)
    matrix = relative_distances(ours, targets)
    for k in range(3):
        torch.testing.assert_close(matrix[:, k], relative_distance(ours, targets[k : k + 1].expand(2, 5, 5)))


def test_distinction_is_the_cross_entropy_of_the_own_painting() -> None:
    own, rivals = torch.tensor([1.0, 1.0]), torch.tensor([[1.0, 1.0, 1.0], [5.0, 5.0, 0.5]])
    same = torch.tensor([[False, False, False], [False, False, True]])
    found = distinction(own, rivals, same, spread=0.1)
    torch.testing.assert_close(found, torch.tensor([4.0, 1.0]).log())  # one of four; alone, its other view left out
