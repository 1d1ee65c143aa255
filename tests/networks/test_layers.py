"""The building blocks: folded upsampling, shared and smoothed statistics."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.networks.layers import (
    GivenStatistics,
    InstanceNorm,
    OwnStatistics,
    SmoothedStatistics,
    UpsampleConv,
    batch_statistics,
    own_code,
    statistics_channels,
)
from artem_vr.training.losses import consistency_loss


def smoothed(network: nn.Module, x: Tensor, state: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    normalize = SmoothedStatistics(state, torch.tensor([rate]))
    y = network(x, normalize)
    return y, normalize.new_state()


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([1, 3, 5, 7, 9]),
    height=st.integers(2, 12),
    width=st.integers(2, 12),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 4),
)
def test_the_folded_convolution_equals_upsampling_and_convolution_borders_included(
    kernel: int, height: int, width: int, inputs: int, outputs: int
) -> None:
    layer = UpsampleConv(inputs, outputs, kernel).double()
    layer.bias.data.normal_()
    x = torch.randn(2, inputs, height, width, dtype=torch.float64)
    folded, plain = layer(x), layer.unfolded(x)
    assert folded.shape == (2, outputs, 2 * height, 2 * width)
    assert torch.allclose(folded, plain, atol=1e-6)


def test_own_statistics_are_those_of_instance_norm() -> None:
    x = torch.randn(3, 5, 9, 7) * 4 + 2
    norm = InstanceNorm(5)
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    normalize = OwnStatistics()
    y = normalize(norm, x)
    expected = nn.functional.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=1e-2)
    assert torch.allclose(y, expected, atol=1e-4)
    assert torch.allclose(normalize.recorded[0][0], x.mean((2, 3)), atol=1e-4)
    assert torch.allclose(normalize.recorded[0][1], x.var((2, 3), correction=0), rtol=1e-3)


@pytest.mark.parametrize("network", [FastNetwork(16, 16, 16, 2), JohnsonNetwork()], ids=["fast", "johnson"])
def test_replayed_statistics_paint_the_same_picture(network: nn.Module) -> None:
    x = torch.rand(2, 3, 32, 40)
    with torch.no_grad():
        own = OwnStatistics()
        first = network(x, own)
        again = network(x, GivenStatistics(own.recorded))
    assert torch.allclose(first, again, atol=1e-4)
    assert torch.equal(network(x), network(x, None))


def test_statistics_of_bf16_features_are_as_exact_as_those_of_others() -> None:
    """A channel whose mean is many times its deviation, as codes make them."""
    x = (50 + 0.5 * torch.randn(2, 6, 24, 32)).bfloat16().contiguous(memory_format=torch.channels_last)
    mean, variance = batch_statistics(x)
    assert mean.dtype == variance.dtype == torch.float32
    assert torch.allclose(mean, x.double().mean((0, 2, 3)).float(), atol=1e-3)
    assert torch.allclose(variance, x.double().var((0, 2, 3), correction=0).float(), rtol=1e-3)


@pytest.mark.parametrize("coded", [False, True])
def test_in_mixed_precision_too_replayed_statistics_paint_the_same_picture(coded: bool) -> None:
    """Of a hazy one, whose features hardly differ: nothing of it is lost in what both passes share."""
    torch.manual_seed(0)
    network = FastNetwork(16, 16, 16, 2)
    code = own_code(network) * torch.tensor([[20.0], [1.0]]) + torch.tensor([[0.0], [3.0]]) if coded else None
    x = 0.8 + 0.02 * torch.rand(2, 3, 64, 80)
    with torch.autocast("cpu", torch.bfloat16):  # with gradients: so it is trained
        own = OwnStatistics(code)
        first = network(x, own)
        again = network(x, GivenStatistics(own.recorded, code))
    assert all(value.dtype == torch.float32 for pair in own.recorded for value in pair)
    assert consistency_loss(first.float(), again.float(), torch.ones(2, 1, 64, 80)) < 5e-3


def test_smoothed_statistics_are_shared_by_both_eyes() -> None:
    network = FastNetwork(16, 16, 16, 2)
    left = torch.rand(1, 3, 32, 40)
    right = torch.rand(1, 3, 32, 40) * 0.2
    state = torch.zeros(2, statistics_channels(network))
    with torch.no_grad():
        pair, _ = smoothed(network, torch.cat((left, right)), state, 1.0)
        swapped, _ = smoothed(network, torch.cat((right, left)), state, 1.0)
        same, _ = smoothed(network, torch.cat((left, left)), state, 1.0)
        alone, _ = smoothed(network, left, state, 1.0)
    assert torch.allclose(pair, swapped.flip(0), atol=1e-5)  # no eye is special
    assert torch.equal(same[0], same[1])
    assert torch.allclose(same[:1], alone, atol=1e-4)
    assert not torch.allclose(pair[:1], alone, atol=1e-2)  # the other eye counts


def test_smoothing_moves_by_its_rate_and_a_rate_of_one_forgets() -> None:
    network = FastNetwork(16, 16, 16, 1)
    x = torch.rand(2, 3, 24, 24)
    width = statistics_channels(network)
    old = torch.rand(2, width) + 0.5
    with torch.no_grad():
        _, fresh = smoothed(network, x, old, 1.0)
        _, again = smoothed(network, x, torch.zeros(2, width), 1.0)
        _, kept = smoothed(network, x, old, 0.0)
        _, half = smoothed(network, x, old, 0.5)
    assert torch.equal(fresh, again)
    assert torch.equal(kept, old)
    first = network.norm_encode4.channels  # later layers see inputs that the first layers changed
    assert torch.allclose(half[:, :first], (old + fresh)[:, :first] / 2, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (45, 24), (64, 70)])
@pytest.mark.parametrize("network", [FastNetwork(16, 16, 16, 1), JohnsonNetwork()], ids=["fast", "johnson"])
def test_any_size_comes_out_as_it_went_in(network: nn.Module, size: tuple[int, int]) -> None:
    with torch.no_grad():
        y = network(torch.rand(1, 3, *size))
    assert y.shape == (1, 3, *size) and y.min() >= 0 and y.max() <= 1
