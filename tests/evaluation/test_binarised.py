"""Signs without training: what the comparison shows, and that it is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from artem_vr.evaluation.binarised import main, naive_signs, parameter_count, plain
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import UpsampleConv
from xnor.layers import XnorConv2d


def test_all_but_the_first_and_the_last_become_signs_and_the_network_stays_as_it_was() -> None:
    torch.manual_seed(0)
    network = FastNetwork(8, 8, 8, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    naive = naive_signs(network)
    binarised = {name for name, layer in naive.named_modules() if isinstance(layer, XnorConv2d)}
    body = {f"{block}.conv{k}" for block in ("blocks.0", "blocks.1", "late_blocks.0") for k in (1, 2)}
    assert binarised == {"encode8", "decode4.1", "decode2.1"} | body
    assert not any(isinstance(layer, XnorConv2d) for layer in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        picture = torch.rand(1, 3, 32, 32)
        assert not torch.allclose(naive(picture), network(picture), atol=1e-3)


def test_the_plain_form_of_an_upsampling_layer_is_the_same_map() -> None:
    layer = UpsampleConv(5, 3, 3)
    x = torch.randn(2, 5, 7, 6)
    assert torch.allclose(plain(layer)(x), layer(x), atol=1e-5)


def test_signs_count_as_parameters() -> None:
    trained = BinaryNetwork(quarter=8, half=8, words=1, layers=2)
    scales = 2 * 64  # one for each output; in training they follow from the weights
    assert parameter_count(trained.packed()) == sum(p.numel() for p in trained.parameters()) + scales
    assert parameter_count(FastNetwork()) == 216_147


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    torch.manual_seed(0)
    save_network(tmp_path / "fast.safetensors", FastNetwork(8, 8, 8, 1))
    save_network(tmp_path / "bits.safetensors", BinaryNetwork(quarter=8, half=8, words=1, layers=1).packed())
    y, x = np.mgrid[0:48, 0:64]
    Image.fromarray(np.stack([x * 4, y * 5, x + y], axis=-1).astype(np.uint8)).save(tmp_path / "photo.png")
    return {path.stem: path for path in tmp_path.iterdir()}


def test_the_picture(files: dict[str, Path], tmp_path: Path) -> None:
    pair = [str(files["fast"]), str(files["bits"])]
    assert main([str(files["photo"]), *pair, *pair, "-o", str(tmp_path / "out.png"), "--size", "64"]) == 0
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width > 4 * 64 and picture.height > 2 * 48


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["photo", "fast"], "pairs"),
        (["photo", "bits", "fast"], "bits.safetensors is a binary network"),
        (["photo", "fast", "fast"], "fast.safetensors is a fast network"),
        (["missing", "fast", "bits"], "missing"),
        (["photo", "fast", "bits", "--size=-5"], "--size is -5"),
    ],
)
def test_bad_input_is_one_line(
    files: dict[str, Path], tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.png"
    assert main([*(str(files.get(word, word)) for word in words), "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and not output.exists()


def test_the_photograph_is_not_written_over(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = files["photo"].read_bytes()
    words = [str(files[name]) for name in ("photo", "fast", "bits")]
    assert main([*words, "-o", words[0]]) == 2
    assert "is read, and would be overwritten" in capsys.readouterr().err and files["photo"].read_bytes() == before
