"""What the headset network promises: its budget, no lattice and no weave."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from artem_vr.evaluation.lattice import VISIBLE, probes, weave, worst_lattice
from artem_vr.networks.checkpoint import load_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.networks.layers import InstanceNorm, OwnStatistics, UpsampleConv, conv
from artem_vr.sources.demo import DemoSource
from artem_vr.styles.library import Library, Style


def multiply_accumulates(network: nn.Module, height: int, width: int) -> int:
    """MACs of all convolutions as executed (folded), by their output sizes."""
    total = 0

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, UpsampleConv):  # one convolution at the lower resolution, four phases
            total += module.folded_weight().numel() * inputs[0].shape[2] * inputs[0].shape[3]
        elif isinstance(module, nn.Conv2d):
            total += module.weight.numel() * output.shape[2] * output.shape[3]

    handles = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, (nn.Conv2d, UpsampleConv))]
    with torch.no_grad():
        network(torch.rand(1, 3, height, width))
    for handle in handles:
        handle.remove()
    return total


def test_the_budget() -> None:
    fast, johnson = FastNetwork(), JohnsonNetwork()
    assert multiply_accumulates(fast, 256, 256) / 256**2 <= 8_000  # 8 GMAC a megapixel
    assert sum(p.numel() for p in fast.parameters()) <= 400_000
    assert 150_000 < multiply_accumulates(johnson, 128, 128) / 128**2 < 160_000


class BareShuffle(nn.Module):
    """From 1/4 size straight to pixels by a shuffle: the head that leaves a lattice."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.norm, self.head = conv(48, 32, 3), InstanceNorm(32), conv(32, 48, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(OwnStatistics()(self.norm, self.encode(torch.pixel_unshuffle(x - 0.5, 4))))
        return torch.sigmoid(torch.pixel_shuffle(self.head(x), 4))


def worst_of(network: nn.Module, height: int = 256, width: int = 256) -> float:
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third less time
    with torch.no_grad():
        return max(worst_lattice(network(picture)) for picture in probes(height, width).values())


@pytest.mark.parametrize("seed", range(3))
def test_a_bare_shuffle_head_is_caught(seed: int) -> None:
    torch.manual_seed(seed)
    assert worst_of(BareShuffle()) > 2 * VISIBLE


@pytest.mark.parametrize("seed", range(3))
def test_the_architecture_leaves_no_lattice_even_untrained(seed: int) -> None:
    torch.manual_seed(seed)
    assert worst_of(FastNetwork()) < VISIBLE


SHIPPED = [s for s in Library().styles() if s.kind == "shipped" and s.form == "network"]


@pytest.mark.parametrize("size", [(256, 256), (512, 512), (1512, 1680)], ids=str)
@pytest.mark.parametrize("style", SHIPPED, ids=lambda style: style.name)
def test_no_shipped_style_has_a_lattice(style: Style, size: tuple[int, int]) -> None:
    """The larger the picture, the more a faint lattice stands out from strokes, which average out."""
    network, _ = load_network(style.path)
    assert worst_of(network, *size) < VISIBLE


@pytest.mark.parametrize("style", SHIPPED, ids=lambda style: style.name)
def test_no_shipped_style_weaves_its_strokes(style: Style) -> None:
    """Steps between neighbouring pixels depend on the grid of the layers below by less than a tenth up and down."""
    shot = DemoSource(768, 512).read()
    assert shot is not None
    picture = torch.from_numpy(shot.eyes[0]).permute(2, 0, 1)[None] / 255
    assert weave(picture).item() < 1e-3
    network, _ = load_network(style.path)
    with torch.no_grad():
        assert weave(network(picture)).item() < 0.01
