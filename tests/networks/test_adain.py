"""AdaIN gives a painting's means and deviations; with VGG-19 and a decoder it paints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

from artem_vr.errors import WeightsError
from artem_vr.networks.adain import FEATURE_SCALE, AdaINDecoder, AdaINNetwork, adain, feature_scale, moments, vgg_sum
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.layers import OwnStatistics, SmoothedStatistics, statistics_channels
from artem_vr.networks.vgg import VGG19
from artem_vr.styles.library import Library


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    """Random, but pictures still differ in its deepest features."""
    torch.manual_seed(0)
    vgg = VGG19()
    for name, parameter in vgg.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            torch.nn.init.zeros_(parameter)
    return vgg


def network_of(vgg: VGG19, depth: int = 3, alpha: float = 1.0) -> AdaINNetwork:
    torch.manual_seed(1)
    decoder = AdaINDecoder(depth)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        decoder.scale.copy_(feature_scale(vgg, decoder.layer, pictures))
    return AdaINNetwork(vgg, decoder, alpha).requires_grad_(False)


@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 6),
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    scale=st.sampled_from([0.5, 1.0, 100.0]),
    offset=st.sampled_from([-50.0, 0.0, 3.0]),
    seed=st.integers(0, 1000),
)
def test_the_result_has_the_paintings_means_and_deviations(
    batch: int, channels: int, height: int, width: int, scale: float, offset: float, seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, height, width, generator=random, dtype=torch.float64)
    x += torch.arange(height)[:, None] % 2  # no channel is all but constant
    mean = torch.randn(batch, channels, generator=random, dtype=torch.float64) * 10
    deviation = torch.rand(batch, channels, generator=random, dtype=torch.float64) * 20
    result = adain(x * scale + offset, mean, deviation)
    assert result.dtype == torch.float64 and result.shape == x.shape
    torch.testing.assert_close(result.mean((2, 3)), mean, rtol=1e-6, atol=1e-6)
    variance = (x * scale).var((2, 3), correction=0)
    known = deviation * (variance / (variance + 1e-5)).sqrt()  # short by what keeps a constant channel from a NaN
    torch.testing.assert_close(result.var((2, 3), correction=0).sqrt(), known, rtol=1e-6, atol=1e-6)
    lively = variance > 0.1
    torch.testing.assert_close(known[lively], deviation[lively], rtol=1e-4, atol=1e-6)


def test_the_result_is_the_papers_equation_in_float64() -> None:
    x = torch.randn(2, 5, 7, 6, dtype=torch.float64) * 30 + 4
    y = torch.randn(2, 5, 4, 3, dtype=torch.float64) * 7 - 2
    wanted = torch.empty_like(x)
    for b in range(2):
        for c in range(5):
            own = x[b, c]
            wanted[b, c] = y[b, c].std(correction=0) * (own - own.mean()) / own.std(correction=0) + y[b, c].mean()
    torch.testing.assert_close(adain(x, *moments(y)), wanted, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(adain(x.float(), *moments(y.float())).double(), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 3.7, -1000.0])
def test_a_constant_channel_becomes_the_mean(value: float) -> None:
    x = torch.full((1, 2, 5, 5), value)
    result = adain(x, torch.tensor([2.0, -8.0]), torch.tensor([5.0, 0.0]))
    torch.testing.assert_close(result, torch.tensor([2.0, -8.0])[None, :, None, None].expand_as(x))


def test_constant_channels_have_gradients_that_are_numbers() -> None:
    x = torch.zeros(1, 2, 4, 4, requires_grad=True)
    adain(x, *moments(torch.zeros(1, 2, 3, 3))).square().sum().backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all())


def off(result: Tensor, wanted: Tensor) -> float:
    return float((result - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("depth", [3, 4])
def test_every_normalizer_gives_the_definition(vgg: VGG19, depth: int) -> None:
    network = network_of(vgg, depth)
    pictures, painting = torch.rand(2, 3, 32, 40), torch.rand(1, 3, 48, 32) * torch.rand(3, 1, 1)
    code = network.encode(painting)[0]
    features = network.features(pictures)
    assert float(features.square().mean().sqrt()) == pytest.approx(FEATURE_SCALE, rel=0.2)
    wanted = adain(features, code[1], code[0])
    own = OwnStatistics(code)(network.norm, features)
    assert off(own, wanted) < 1e-3
    state = torch.zeros(2, network.decoder.channels)
    shared = SmoothedStatistics(state, torch.ones(1), code)(network.norm, features[:1])
    assert off(shared, wanted[:1]) < 1e-3


def painted(network: AdaINNetwork, eyes: Tensor, code: Tensor) -> Tensor:
    assert statistics_channels(network) == network.decoder.channels  # what the state of the program has room for
    return network(eyes, SmoothedStatistics(torch.zeros(2, network.decoder.channels), torch.ones(1), code))


def test_eyes_share_their_statistics(vgg: VGG19) -> None:
    network = network_of(vgg)
    code = network.encode(torch.rand(1, 3, 32, 32))[0]
    left, right = torch.rand(1, 3, 24, 64), torch.rand(1, 3, 24, 64) * 0.2
    right[..., :48] = left[..., :48]
    pair = painted(network, torch.cat((left, right)), code)
    same = painted(network, torch.cat((left, left)), code)
    assert torch.equal(same[0], same[1])
    torch.testing.assert_close(pair[0, ..., :20], pair[1, ..., :20], atol=1e-5, rtol=0)  # out of sight of what differs
    assert not torch.allclose(pair[0, ..., 48:], pair[1, ..., 48:], atol=1e-2)
    assert not torch.allclose(pair[:1], painted(network, left, code), atol=1e-3)  # the other eye counts
    torch.testing.assert_close(painted(network, torch.cat((right, left)), code), pair.flip(0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("depth", [3, 4])
def test_alpha_goes_from_the_photographs_own_features_to_the_paintings(vgg: VGG19, depth: int) -> None:
    pictures = torch.rand(1, 3, 32, 32)
    whole, half, plain = (network_of(vgg, depth, alpha) for alpha in (1.0, 0.5, 0.0))
    code = whole.encode(torch.rand(1, 3, 32, 32) * 0.3)[0]
    features = plain.unframed(pictures)
    assert torch.equal(plain(pictures, OwnStatistics(code)), plain.decoder(features).clamp(0, 1))
    mixed = (features + OwnStatistics(code)(half.norm, features)) / 2
    torch.testing.assert_close(half(pictures, OwnStatistics(code)), half.decoder(mixed).clamp(0, 1), atol=1e-4, rtol=0)
    assert not torch.allclose(whole(pictures, OwnStatistics(code)), plain(pictures, OwnStatistics(code)), atol=1e-2)


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (16, 16), (17, 31), (45, 24)])
def test_any_size_comes_out_as_it_went_in(vgg: VGG19, depth: int, size: tuple[int, int]) -> None:
    network = network_of(vgg, depth)
    result = network(torch.rand(2, 3, *size), OwnStatistics(network.encode(torch.rand(1, 3, 19, 33))[0]))
    assert result.shape == (2, 3, *size) and result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("size", [(16, 16), (48, 64)])
def test_a_picture_gets_no_frame(vgg: VGG19, depth: int, size: tuple[int, int]) -> None:
    """What has no border has the same features everywhere; VGG-19 by itself sees an edge there."""
    network = network_of(vgg, depth)
    flat = torch.tensor([0.9, 0.2, 0.5])[None, :, None, None].expand(1, 3, *size)
    deviation = network.unframed(flat).std(dim=(2, 3))
    assert deviation.max() < 1e-3 * FEATURE_SCALE
    assert network.features(flat).std(dim=(2, 3)).max() > FEATURE_SCALE / 10


def test_a_flat_picture_is_painted_without_nan(vgg: VGG19) -> None:
    network = network_of(vgg)
    code = network.encode(torch.zeros(1, 3, 32, 32))[0]
    assert bool(torch.isfinite(network(torch.zeros(1, 3, 32, 32), OwnStatistics(code))).all())


@pytest.mark.parametrize(("depth", "parameters"), [(3, 555_075), (4, 3_505_219)])
def test_the_decoder_mirrors_the_encoder(vgg: VGG19, depth: int, parameters: int) -> None:
    decoder = AdaINDecoder(depth)
    assert sum(p.numel() for p in decoder.parameters()) == parameters
    features = vgg(torch.rand(1, 3, 32, 48), (decoder.layer,))[decoder.layer]
    assert features.shape[1] == decoder.channels and decoder(features).shape == (1, 3, 32, 48)
    encoder = {k: v.shape for k, v in vgg.up_to(decoder.layer).state_dict().items() if k.endswith("weight")}
    mirrored = {k: v.transpose(0, 1).shape for k, v in decoder.state_dict().items() if k.endswith("weight")}
    assert mirrored == encoder


@pytest.mark.parametrize("depth", [3, 4])
def test_a_file_holds_the_decoder_alone_and_paints_the_same_pictures(vgg: VGG19, depth: int, tmp_path: Path) -> None:
    network = network_of(vgg, depth)
    network.decoder.encoder.fill_(vgg_sum(network.vgg))
    for parameter in network.decoder.parameters():
        parameter.copy_(parameter.half())
    network.decoder.scale.copy_(network.decoder.scale.half())
    path = tmp_path / "decoder.safetensors"
    save_network(path, network.decoder, {})
    assert path.stat().st_size <= 7 * 2**20
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(network.decoder.state_dict())
    loaded, metadata = load_network(path, parts=True)
    assert isinstance(loaded, AdaINDecoder) and metadata["architecture"] == "adain"
    pictures = torch.rand(2, 3, 24, 32)
    code = network.encode(torch.rand(1, 3, 32, 32))[0]
    again = AdaINNetwork(vgg, loaded)
    assert torch.equal(again.encode(pictures), network.encode(pictures))
    assert torch.equal(again(pictures, OwnStatistics(code)), network(pictures, OwnStatistics(code)))


def test_a_decoder_is_no_style_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "decoder.safetensors"
    save_network(path, AdaINDecoder(3), {})
    with pytest.raises(WeightsError, match="VGG-19") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_a_decoder_is_refused_by_another_vgg(vgg: VGG19) -> None:
    decoder = AdaINDecoder(3)
    decoder.encoder.fill_(vgg_sum(vgg.up_to("relu3_1")))
    AdaINNetwork(vgg, decoder)
    torch.manual_seed(5)
    with pytest.raises(ValueError, match="other weights"):
        AdaINNetwork(VGG19(), decoder)


def test_the_sum_of_an_encoder_is_that_of_its_bf16(vgg: VGG19) -> None:
    part = vgg.up_to("relu2_1")
    low = VGG19("relu2_1")
    low.load_state_dict(part.state_dict())
    assert vgg_sum(low.to(torch.bfloat16)) == vgg_sum(part) != vgg_sum(vgg)


def test_there_is_nothing_learned_in_the_layer(vgg: VGG19) -> None:
    assert list(network_of(vgg).norm.state_dict()) == []


def test_the_shipped_decoder_is_whole_and_small() -> None:
    shipped = Library().decoder
    assert shipped is not None and shipped[0].stat().st_size <= 7_000_000
    decoder, metadata = load_network(*shipped, parts=True)
    assert isinstance(decoder, AdaINDecoder) and int(decoder.encoder) != 0
    assert "recipe" in metadata or "iterations" in str(metadata)
