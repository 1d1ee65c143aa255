"""The fast network on blocks is the fast network: every pixel, every statistic, the borders too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import InstanceNorm, SmoothedStatistics, own_code
from artem_vr.stylize.engines.base import pack, unpack
from artem_vr.stylize.engines.blocks import BlockForm, channel_statistics
from artem_vr.stylize.engines.graph import PictureGraph, best_for_openvino


def network(**options: int) -> FastNetwork:
    torch.manual_seed(5)
    net = FastNetwork(**options).eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, InstanceNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for module in (net.encode4, net.decode4, net.decode2, net.decode1):
            module.bias.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
    return net


def test_pack_is_undone_by_unpack() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), dtype=np.uint8)
    blocks = pack(pictures)
    assert blocks.shape == (2, 6, 10, 48)
    assert (blocks[1, 2, 3].reshape(4, 4, 3) == pictures[1, 8:12, 12:16]).all()
    assert np.array_equal(unpack(blocks), pictures)


@pytest.mark.parametrize(
    "options", [{}, {"quarter": 8, "eighth": 16, "half": 4, "blocks": 1, "late_blocks": 0, "reach": 1}]
)
@pytest.mark.parametrize("shape", [(2, 32, 48), (1, 16, 16)])
def test_equal_to_the_network(options: dict[str, int], shape: tuple[int, int, int]) -> None:
    net = network(**options)
    rng = np.random.default_rng(1)
    form = BlockForm(net)
    state = torch.from_numpy(rng.uniform(0.1, 1, (2, form.channels)).astype(np.float32))
    for rate in (1.0, 0.3, 0.0):
        pictures = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        with torch.no_grad():
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
            statistics = SmoothedStatistics(state, torch.tensor([rate]), own_code(net))
            wanted = net(x, statistics).permute(0, 2, 3, 1).numpy() * 255
            blocks, new_state = form(torch.from_numpy(pack(pictures)), state, torch.tensor([rate]))
        assert np.abs(unpack(blocks.numpy()) - wanted).max() < 0.51  # rounding
        assert torch.allclose(new_state, statistics.new_state(), atol=1e-4)
        state = new_state


def test_statistics_as_traced() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 40, 30) * torch.tensor([1, 0.1, 3, 1, 0.0])[:, None, None] + torch.arange(5.0)[:, None, None]
    example = x[:, :, :8, :8]
    traced = torch.jit.trace(channel_statistics, (example,), check_trace=False)
    for now, wanted in zip(traced(x), channel_statistics(x), strict=True):
        assert torch.allclose(now, wanted, atol=2e-4)


def test_other_networks_keep_their_form() -> None:
    from artem_vr.networks.johnson import JohnsonNetwork

    assert isinstance(best_for_openvino(JohnsonNetwork()), PictureGraph)
    assert isinstance(best_for_openvino(FastNetwork(8, 8, 4, 1)), BlockForm)
