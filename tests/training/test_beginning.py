"""A network begins with the weights of another: what both have is taken over, what is new changes nothing."""

from __future__ import annotations

import pytest
import torch

from artem_vr.errors import WeightsError
from artem_vr.networks.fast import FastNetwork
from artem_vr.training.beginning import begin_as

WIDTHS = (16, 16, 8)


def painted(network: FastNetwork) -> torch.Tensor:
    with torch.no_grad():
        return network(torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(1)))


def test_more_blocks_and_reach_paint_the_same_at_first_and_can_learn() -> None:
    base, network = (
        FastNetwork(*WIDTHS, blocks=1, late_blocks=0, reach=1),
        FastNetwork(*WIDTHS, blocks=3, late_blocks=2),
    )
    assert not torch.allclose(painted(network), painted(base), atol=1e-3)
    begin_as(network, base)
    assert torch.allclose(painted(network), painted(base), atol=1e-6)
    network(torch.rand(1, 3, 32, 32)).square().sum().backward()
    for block in (*network.blocks[1:], *network.late_blocks):
        assert block.norm2.weight.grad is not None and block.norm2.weight.grad.abs().max() > 0
    assert network.encode8.weight.grad is not None and network.encode8.weight.grad[..., 0].abs().max() > 0


def test_of_more_blocks_the_last_ones_go() -> None:
    base, network = FastNetwork(*WIDTHS, blocks=3, late_blocks=2), FastNetwork(*WIDTHS, blocks=2, late_blocks=1)
    begin_as(network, base)
    name = "blocks.1.conv1.weight"
    assert torch.equal(network.state_dict()[name], base.state_dict()[name])
    del base.blocks[2], base.late_blocks[1]
    assert torch.equal(painted(network), painted(base))


@pytest.mark.parametrize("base", [FastNetwork(16, 32, 8), FastNetwork(*WIDTHS, reach=3)], ids=["wider", "more reach"])
def test_what_does_not_fit_is_refused_and_nothing_is_changed(base: FastNetwork) -> None:
    network = FastNetwork(*WIDTHS)
    before = painted(network)
    with pytest.raises(WeightsError, match="Say --reach 3" if base.options["reach"] == 3 else "does not fit"):
        begin_as(network, base)
    assert torch.equal(painted(network), before)
