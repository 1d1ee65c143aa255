"""Muon for convolutions, Adam for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from artem_vr.training.mixed_optimizer import MixedOptimizer, OptimizerName


def network(channels_last: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 12, 3), nn.GroupNorm(12, 12), nn.Conv2d(12, 16, 3), nn.Conv2d(16, 3, 5))
    return made.to(memory_format=torch.channels_last) if channels_last else made  # type: ignore[call-overload]


def step(of: nn.Sequential, optimizer: MixedOptimizer, rate: float = 1e-2) -> list[Tensor]:
    """The changes of all parameters."""
    before = [p.detach().clone() for p in of.parameters()]
    optimizer.zero_grad()
    x = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    (of(x) - 0.5).square().mean().backward()
    optimizer.set_rate(rate)
    optimizer.step()
    return [p.detach() - old for p, old in zip(of.parameters(), before, strict=True)]


def test_directions_are_balanced_and_steps_are_as_long_as_adams() -> None:
    changes = {}
    for name in ("muon", "adam"):
        of = network()
        names = [n for n, _ in of.named_parameters()]
        changes[name] = dict(zip(names, step(of, MixedOptimizer({1.0: list(of.parameters())}, name)), strict=True))
    for weights in ("0.weight", "2.weight"):
        values = torch.linalg.svdvals(changes["muon"][weights].flatten(1))
        assert values.min() > 0.5 * values.max(), "all singular values of a step are about alike"
        ratio = changes["muon"][weights].square().mean().sqrt() / changes["adam"][weights].square().mean().sqrt()
        assert 0.1 < ratio < 0.4  # a fifth of the length of Adam's first step, whose later ones are as short
    for other in ("0.bias", "1.weight", "3.weight"):  # of three outputs, and what is no matrix
        assert torch.equal(changes["muon"][other], changes["adam"][other])


def test_how_weights_lie_in_memory_makes_no_difference() -> None:
    both = []
    for of in (network(), network(channels_last=True)):
        changes = step(of, MixedOptimizer({1.0: list(of.parameters())}, "muon"))
        both.append([change.flatten() for change in changes if change.dim() == 4])
    for plain, last in zip(*both, strict=True):
        assert torch.nn.functional.cosine_similarity(plain, last, dim=0) > 0.999  # Muon computes in bf16


def test_a_factor_is_one_of_the_rate() -> None:
    of = network()
    first, other, second = (dict(of.named_parameters())[f"{k}.weight"] for k in range(3))
    changes = step(of, MixedOptimizer({1.0: [other], 0.0: [first, second]}, "muon"))
    moved = [bool(change.any()) for change in changes]
    assert moved == [False, False, True, False, False, False, False, False]


@pytest.mark.parametrize("name", ["muon", "adam"])
def test_what_was_saved_goes_on_as_if_nothing_had_been(name: OptimizerName, tmp_path: Path) -> None:
    of = network()
    optimizer = MixedOptimizer({1.0: list(of.parameters())}, name)
    for _ in range(3):
        step(of, optimizer)
    torch.save({"network": of.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    wanted = step(of, optimizer)
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    again = network()
    again.load_state_dict(saved["network"])
    resumed = MixedOptimizer({1.0: list(again.parameters())}, name)
    resumed.load_state_dict(saved["optimizer"])
    assert all(torch.equal(a, b) for a, b in zip(wanted, step(again, resumed), strict=True))
    with pytest.raises(KeyError):
        MixedOptimizer({1.0: list(again.parameters())}, "adam" if name == "muon" else "muon").load_state_dict(
            saved["optimizer"]
        )
