"""What the network of bits promises: packing changes nothing, files are small, and no float of a weight is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from artem_vr import assets
from artem_vr.errors import WeightsError
from artem_vr.evaluation.lattice import VISIBLE, probes, worst_lattice
from artem_vr.networks.binary import WORD, BinaryLayer, BinaryNetwork
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.layers import GivenStatistics, InstanceNorm, OwnStatistics, statistics_channels
from xnor.layers import PackedConv2d, XnorConv2d

SHIPPED = [
    assets.folder("weights") / style["file"]
    for style in json.loads((assets.folder("weights") / "index.json").read_text("utf-8"))["styles"]
    if style["network"] == "binary"
]


def network(words: int = 1, layers: int = 2) -> BinaryNetwork:
    """Small, with shifts, slopes and norms that do something."""
    torch.manual_seed(0)
    made = BinaryNetwork(quarter=8, half=8, words=words, layers=layers).eval()
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, InstanceNorm):
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, XnorConv2d):
                for parameter in (module.shift, module.slope):
                    assert parameter is not None
                    parameter.uniform_(-0.5, 0.5)
    return made


def layers_of(made: BinaryNetwork) -> list[BinaryLayer]:
    return [layer for layer in made.body if isinstance(layer, BinaryLayer)]


def tensors_of(module: nn.Module) -> Iterator[Tensor]:
    """Every tensor that a module holds anywhere: parameters, buffers, plain attributes, lists, NumPy arrays."""
    for part in module.modules():
        waiting = [value for key, value in vars(part).items() if key != "_modules"]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, np.ndarray):
                yield torch.from_numpy(value.astype(value.dtype))
            elif isinstance(value, dict):
                waiting += value.values()
            elif isinstance(value, list | tuple):
                waiting += value
            elif hasattr(value, "words") and not isinstance(value, nn.Module):
                waiting += vars(value).values()


@pytest.mark.parametrize("size", [(32, 40), (45, 61)])
def test_packing_changes_nothing(size: tuple[int, int]) -> None:
    trained = network(words=2)
    packed = trained.packed()
    assert not any(isinstance(module, XnorConv2d) for module in packed.modules())
    with torch.no_grad():
        pictures = torch.rand(2, 3, *size)
        recorded = OwnStatistics()
        wanted = trained(pictures, recorded)
        assert wanted.shape == pictures.shape
        assert torch.allclose(packed(pictures, GivenStatistics(recorded.recorded)), wanted, atol=1e-5)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        assert torch.allclose(packed(pictures, GivenStatistics(recorded.recorded)), wanted, atol=1e-3)
    assert sum(p.numel() for p in trained.body.parameters()) > 2 * 9 * (2 * WORD) ** 2  # the trained one is whole


def test_every_binarised_layer_has_a_real_way_around_it() -> None:
    made = network(layers=3)
    for layer in layers_of(made):
        nn.init.zeros_(layer.norm.weight)
        nn.init.zeros_(layer.norm.bias)
    x = torch.randn(1, WORD, 6, 7)
    y = x
    for layer in layers_of(made):
        y = layer(y, OwnStatistics())
    assert torch.equal(y, x)


def test_every_weight_learns() -> None:
    made = network()
    made(torch.rand(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())


def test_after_loading_no_float_of_a_binarised_weight_exists(tmp_path: Path) -> None:
    trained = network(words=2)
    save_network(tmp_path / "bits.safetensors", trained.packed())
    loaded, metadata = load_network(tmp_path / "bits.safetensors")
    assert metadata["architecture"] == "binary" and isinstance(loaded, BinaryNetwork)
    with torch.no_grad():
        loaded(torch.rand(1, 3, 40, 40))  # whatever is made at the first run is there now
    least = 9 * (2 * WORD) ** 2
    assert any(t.numel() >= least for t in tensors_of(trained.body))  # this search does find such tensors
    found = list(tensors_of(loaded.body))
    assert found and not any(t.is_floating_point() and t.numel() > 2 * WORD for t in found)
    for layer, old in zip(layers_of(loaded), layers_of(trained), strict=True):
        assert isinstance(layer.conv, PackedConv2d) and isinstance(old.conv, XnorConv2d)
        assert layer.conv.words.dtype == torch.int64
        signs = layer.conv._filters(2 * WORD, (3, 3)).signs()
        assert np.array_equal(signs, np.where(old.conv.weight.detach().numpy() >= 0, 1, -1))


def test_sizes() -> None:
    """The file 5 times smaller than in fp32 and smaller than a fast style's; the binarised layers 25 times."""
    made = BinaryNetwork()
    whole = 4 * sum(p.numel() for p in made.parameters())
    packed = made.packed()
    stored = sum(t.numel() * (2 if t.is_floating_point() else t.element_size()) for t in packed.state_dict().values())
    assert stored < 400_000 and whole >= 5 * stored
    body = 4 * sum(p.numel() for layer in layers_of(made) for p in layer.conv.parameters())
    in_memory = sum(t.nbytes for layer in layers_of(packed) for t in layer.conv.state_dict().values())
    assert body >= 25 * in_memory


@pytest.mark.parametrize("damage", ["words", "type", "tail", "finite", "key", "option"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bits.safetensors"
    save_network(path, network().packed())
    tensors = safetensors.torch.load(path.read_bytes())
    header = {"format_version": "1", "architecture": "binary"}
    options = {"quarter": 8, "half": 8, "words": 1, "layers": 2}
    name = "body.1.conv.words"
    if damage == "words":
        tensors[name] = tensors[name][:, :-1].contiguous()
    elif damage == "type":
        tensors[name] = tensors[name].to(torch.int32)
    elif damage == "tail":
        tensors[name] = torch.cat([tensors[name], tensors[name][:, :1]], dim=1)
    elif damage == "finite":
        tensors["body.0.conv.thresholds"][3] = torch.nan
    elif damage == "key":
        tensors["body.0.conv.weight"] = torch.zeros(WORD, WORD, 3, 3)
    elif damage == "option":
        options["words"] = 5
    path.write_bytes(safetensors.torch.save(tensors, header | {"options": json.dumps(options)}))
    with pytest.raises(WeightsError, match=r"bits\.safetensors"):
        load_network(path)


def test_only_the_packed_form_is_written(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="before packing"):
        save_network(tmp_path / "x.safetensors", network())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(3))
def test_no_lattice_even_untrained(seed: int) -> None:
    torch.manual_seed(seed)
    made = BinaryNetwork(layers=3).eval()
    with torch.no_grad():
        assert max(worst_lattice(made(picture)) for picture in probes().values()) < VISIBLE


def test_two_styles_are_shipped() -> None:
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_files_are_smaller_than_the_fast_networks(path: Path) -> None:
    loaded, _ = load_network(path)
    fast = path.with_stem(path.stem.removesuffix("_xnor"))
    assert path.stat().st_size < min(400_000, fast.stat().st_size)
    shadow = BinaryNetwork(**loaded.options)  # type: ignore[arg-type]
    assert statistics_channels(shadow) == statistics_channels(loaded)
    assert 4 * sum(p.numel() for p in shadow.parameters()) >= 5 * path.stat().st_size
