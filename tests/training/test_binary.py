"""``artem-vr train binary``: from a teacher or without one, to a packed style that can be published and painted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from artem_vr.cli import main
from artem_vr.errors import WeightsError
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.networks.layers import OwnStatistics
from artem_vr.networks.vgg import VGG19
from artem_vr.styles.library import Library
from artem_vr.training.binary import Tap, TaughtLossWeights, TaughtObjective, relative_error, take_ends
from artem_vr.training.data import Photographs
from artem_vr.training.fast import StylePicture
from artem_vr.training.publish import publish
from artem_vr.training.trainer import Schedule, Trainer
from tests.training.refusals import assert_one_line
from xnor.layers import PackedConv2d


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_network(path, FastNetwork(32, 16, 16, 1))
    return path


def objective(pictures: Path, teacher: Path, **weights: float) -> TaughtObjective:
    torch.manual_seed(0)
    fast, _ = load_network(teacher)
    assert isinstance(fast, FastNetwork)
    return TaughtObjective(
        BinaryNetwork(words=1, layers=2), VGG19(), StylePicture(pictures / "style" / "stripes.png", (64,)),
        Photographs(pictures, 64, seed=3), TaughtLossWeights(**weights), [], 3, teacher=fast,
    )  # fmt: skip


def test_the_pupil_comes_nearer_to_the_teacher(pictures: Path, teacher: Path, tmp_path: Path) -> None:
    taught = objective(pictures, teacher, gram=0, texture=0, content=0, variation=0, consistency=0)
    kept = {name: value.clone() for name, value in taught._teacher[0].state_dict().items()}
    trainer = Trainer(taught, Schedule(30, warm_up=1), tmp_path, batch_size=2, mixed_precision=False)
    batch = taught.batch(0, 2, 0)
    taught.batch = lambda *_: batch  # type: ignore[method-assign]
    losses = [trainer.step() for _ in range(30)]
    assert {"painting", "features", "gram", "texture", "content", "variation"} <= losses[0].keys()
    assert losses[-1]["painting"] < 0.5 * losses[0]["painting"]
    assert losses[-1]["features"] < losses[0]["features"]
    assert all(torch.equal(value, kept[name]) for name, value in taught._teacher[0].state_dict().items())
    assert not any("teacher" in name for name in taught.state_dict())  # a checkpoint is the pupil's alone


def test_what_both_networks_share_begins_as_the_teachers() -> None:
    pupil, fast = BinaryNetwork(words=1, layers=1), FastNetwork()
    take_ends(pupil, fast)
    for name in ("encode4.weight", "norm_encode4.bias", "decode2.weight", "decode1.weight", "decode1.bias"):
        assert torch.equal(pupil.get_parameter(name), fast.get_parameter(name))
    with pytest.raises(WeightsError, match="quarter"):
        take_ends(pupil, FastNetwork(quarter=16))


def test_a_tap_keeps_what_leaves_the_wanted_norms_in_order() -> None:
    network = FastNetwork(8, 8, 8, 1)
    tap = Tap(OwnStatistics(), (network.norm_decode2, network.norm_decode4))
    picture = torch.rand(1, 3, 32, 32)
    assert torch.equal(network(picture, tap), network(picture))
    assert [tuple(kept.shape) for kept in tap.kept] == [(1, 8, 8, 8), (1, 8, 16, 16)]


def test_the_relative_error_is_0_for_the_same_and_1_for_flat_grey() -> None:
    picture = torch.rand(2, 3, 40, 40)
    assert relative_error(picture, picture) == 0
    assert relative_error(picture.mean(dim=(2, 3), keepdim=True), picture) == pytest.approx(1, rel=1e-3)
    contrast = torch.tensor([0.5, 2.0])[:, None, None, None]  # each picture by its own contrast
    error = relative_error(contrast * (picture + 0.1 * torch.ones(1)), contrast * picture)
    assert error == pytest.approx(relative_error(picture + 0.1, picture).item(), rel=1e-3)


def train(pictures: Path, vgg_file: Path, folder: Path, *more: str) -> int:
    return main([
        "train", "binary", "--content", str(pictures), "--style", str(pictures / "style" / "stripes.png"),
        "--vgg", str(vgg_file), "-o", str(folder / "stripes.safetensors"), "--run", str(folder / "run"), "--words",
        "1", "--layers", "2", "--iterations", "2", "--batch-size", "2", "--crop", "64", "--style-sizes", "64",
        "--device", "cpu", "--precision", "fp32", *more,
    ])  # fmt: skip


@pytest.mark.parametrize("taught", [True, False])
def test_from_photographs_to_a_style_of_bits(
    pictures: Path, vgg_file: Path, teacher: Path, tmp_path: Path, taught: bool
) -> None:
    assert train(pictures, vgg_file, tmp_path, *(["--teacher", str(teacher)] if taught else [])) == 0
    network, metadata = load_network(tmp_path / "stripes.safetensors")
    assert isinstance(network, BinaryNetwork) and isinstance(network.body[0].conv, PackedConv2d)
    recipe, losses = json.loads(metadata["recipe"]), json.loads(metadata["losses"])
    assert recipe["kind"] == "binary" and recipe["teacher"] == ("teacher.safetensors" if taught else None)
    assert ("painting" in losses) == taught and "gram" in losses and str(tmp_path) not in json.dumps(metadata)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"checkpoint.pt", "losses.png", "sheet-000002.png"}

    publish(tmp_path / "stripes.safetensors", tmp_path / "weights", "stripes_xnor", "Stripes in bits")
    (style,) = Library(tmp_path / "weights", tmp_path / "own").styles()
    assert style.binarised
    again, _ = load_network(style.path, style.sha256)
    for (name, a), b in zip(network.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--words", "0"], "--words is 0"),
        (["--layers", "99"], "--layers is 99"),
        (["--teacher", "johnson", "--looked-at", "3"], "--looked-at is 3"),
        (["--teacher", "johnson", "--painting-weight", "nan"], "--painting-weight is nan"),
        (["--painting-weight", "4"], "--painting-weight means nothing without --teacher"),
        (["--features-weight", "1"], "--features-weight means nothing without --teacher"),
        (["--looked-at", "1"], "--looked-at means nothing without --teacher"),
        (["--features-weight", "-1"], "--features-weight is -1"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--seed", "-1"], "--seed is -1"),
        (["--style-sizes", "0"], "--style-sizes is 0"),
        (["--teacher", "missing.safetensors"], "missing.safetensors"),
        (["--teacher", "johnson"], "is a johnson network"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    pictures: Path,
    vgg_file: Path,
    tmp_path: Path,
    arguments: list[str],
    cause: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments[1] == "johnson":
        arguments[1] = str(tmp_path / "johnson.safetensors")
        save_network(tmp_path / "johnson.safetensors", JohnsonNetwork())
    assert train(pictures, vgg_file, tmp_path, *arguments) == 2
    assert_one_line(capsys, cause)
    assert not (tmp_path / "stripes.safetensors").exists()
