"""``artem-vr train adain --encoder vgg19``: a decoder learns, is saved by itself, and paints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artem_vr.cli import main
from artem_vr.networks.adain import AdaINDecoder, AdaINNetwork, moments
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.sources.pictures import load_picture
from artem_vr.training import losses
from artem_vr.training.adain import SHEET_SIDE, AdaINLossWeights, AdaINObjective
from artem_vr.training.compact import Paintings
from artem_vr.training.data import Photographs
from artem_vr.training.trainer import Schedule, Trainer
from artem_vr.training.vgg_weights import load_vgg
from tests.training.refusals import assert_one_line


def make_trainer(pictures: Path, vgg_file: Path, folder: Path, depth: int = 3) -> Trainer:
    torch.manual_seed(0)
    decoder = AdaINDecoder(depth)
    photographs = Photographs(pictures, 64, seed=3)
    paintings = Paintings([pictures / "style"], window=64, seed=3)
    vgg = load_vgg(vgg_file)
    objective = AdaINObjective(decoder, vgg, paintings, photographs, AdaINLossWeights(), ([], []))
    # so low a rate that every step goes down, whatever the processor
    schedule = Schedule(iterations=10, warm_up=1, learning_rate=5e-6, checkpoint_every=4, sample_every=1000)
    return Trainer(objective, schedule, folder, batch_size=1, mixed_precision=False)


@pytest.mark.parametrize("depth", [3, 4])
def test_a_few_steps_lower_the_loss_on_a_fixed_batch(
    pictures: Path, vgg_file: Path, tmp_path: Path, depth: int
) -> None:
    trainer = make_trainer(pictures, vgg_file, tmp_path, depth)
    batch = trainer.objective.batch(0, 1, 0)
    trainer.objective.batch = lambda *_: batch  # type: ignore[method-assign]
    steps = [trainer.step() for _ in range(10)]
    assert set(steps[0]) == {"content", "style", "total"}
    assert steps[0]["total"] == pytest.approx(steps[0]["content"] + 10 * steps[0]["style"], rel=1e-5)
    assert steps[-1]["total"] < 0.9 * steps[0]["total"]


def test_only_the_decoder_learns_and_is_kept(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    objective = make_trainer(pictures, vgg_file, tmp_path).objective
    assert isinstance(objective, AdaINObjective)
    assert {name.split(".")[0] for name in objective.state_dict()} == {"network"}
    assert set(map(id, objective.parameters())) == set(map(id, objective.network.parameters()))


def test_the_losses_are_those_of_the_paper_made_relative() -> None:
    ours, target = torch.rand(2, 4, 6, 6), torch.rand(2, 4, 5, 7)
    (mean, deviation), (wanted_mean, wanted_deviation) = moments(ours), moments(target)
    for b in range(2):
        error = ((mean - wanted_mean)[b] ** 2).sum() + ((deviation - wanted_deviation)[b] ** 2).sum()
        size = (wanted_mean[b] ** 2).sum() + (wanted_deviation[b] ** 2).sum()
        got = losses.moments_distance(moments(ours), moments(target))[b]
        torch.testing.assert_close(got, error / size)
    assert losses.moments_distance(moments(target), moments(target)).sum() == 0
    assert losses.feature_distance(ours, ours).sum() == 0
    torch.testing.assert_close(losses.feature_distance(ours * 0, ours), torch.ones(2))


def train(pictures: Path, vgg_file: Path, folder: Path, *more: str) -> int:
    return main([
        "train", "adain", "--encoder", "vgg19", "--content", str(pictures), "--style", str(pictures / "style"),
        "--vgg", str(vgg_file), "-o", str(folder / "decoder.safetensors"), "--run", str(folder / "run"),
        "--iterations", "2", "--batch-size", "1", "--crop", "64", "--device", "cpu", "--precision", "fp32", *more,
    ])  # fmt: skip


@pytest.mark.parametrize("depth", ["relu3_1", "relu4_1"])
def test_a_decoder_is_trained_with_its_recipe(pictures: Path, vgg_file: Path, tmp_path: Path, depth: str) -> None:
    single = ["--style", str(pictures / "style" / "stripes.png")] if depth == "relu4_1" else []
    assert train(pictures, vgg_file, tmp_path, "--depth", depth, *single) == 0
    decoder, metadata = load_network(tmp_path / "decoder.safetensors", parts=True)
    assert isinstance(decoder, AdaINDecoder) and decoder.layer == depth
    assert float(decoder.scale) > 0 and int(decoder.encoder) != 0
    recipe = json.loads(metadata["recipe"])
    assert recipe["depth"] == depth and recipe["style_weight"] == 10 and recipe["encoder"] == "vgg19"
    assert recipe["paintings"] == 1 and "gram_weight" not in recipe  # which is the compact network's
    assert str(tmp_path) not in json.dumps(metadata)
    assert {"content", "style"} <= json.loads(metadata["losses"]).keys()
    run = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"checkpoint.pt", "losses.csv", "losses.png", "sheet-000002.png"} <= run
    sheet = load_picture(tmp_path / "run" / "sheet-000002.png")
    assert sheet.shape[0] == 2 * SHEET_SIDE and sheet.std() > 10
    AdaINNetwork(load_vgg(vgg_file), decoder)  # they fit

    assert train(pictures, vgg_file, tmp_path, "--depth", depth, *single) == 0  # the same again is done at once
    assert train(pictures, vgg_file, tmp_path, "--depth", depth, *single, "--style-weight", "3") == 2


def test_a_decoder_goes_on_from_another_and_keeps_the_scale_that_it_knows(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert train(pictures, vgg_file, first, "--depth", "relu3_1") == 0
    more = ["--depth", "relu3_1", "--base", str(first / "decoder.safetensors"), "--weave-weight", "20"]
    assert train(pictures, vgg_file, second, *more, "--crop", "72", "--iterations", "0") == 0
    (base, _), (decoder, metadata) = (load_network(d / "decoder.safetensors", parts=True) for d in (first, second))
    assert base.state_dict().keys() == decoder.state_dict().keys()
    assert all(torch.equal(decoder.state_dict()[name], tensor) for name, tensor in base.state_dict().items())
    assert json.loads(metadata["recipe"])["base"] == "decoder.safetensors"

    capsys.readouterr()
    assert train(pictures, vgg_file, tmp_path, *more, "--depth", "relu4_1") == 2
    assert_one_line(capsys, "or another --depth")
    save_file({name: 2 * tensor for name, tensor in load_file(vgg_file).items()}, tmp_path / "other.safetensors")
    assert train(pictures, tmp_path / "other.safetensors", tmp_path, *more) == 2
    assert_one_line(capsys, "other weights of VGG-19")


def test_the_loss_of_weave_is_told_with_the_others(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    assert train(pictures, vgg_file, tmp_path, "--weave-weight", "20") == 0
    told = json.loads(load_network(tmp_path / "decoder.safetensors", parts=True)[1]["losses"])
    assert told["total"] == pytest.approx(told["content"] + 10 * told["style"] + 20 * told["weave"], rel=1e-4)
    assert told["weave"] > 0


@pytest.mark.parametrize(
    "words", [["stylize", "{photo}", "-o", "{out}", "--style", "{file}"], ["styles", "add", "{file}"]]
)
def test_a_decoder_is_not_taken_for_a_style(
    pictures: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"photo": pictures / "photo0.png", "out": tmp_path / "out.png", "file": tmp_path / "decoder.safetensors"}
    save_network(names["file"], AdaINDecoder(3), {})
    assert main([word.format(**names) for word in words]) == 2
    error = capsys.readouterr().err
    assert "paints nothing without VGG-19" in error and len(error.strip().splitlines()) == 1
    assert not names["out"].exists()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--gram-weight", "1"], "--gram-weight"),
        (["--blocks", "3"], "--blocks"),
        (["--encoder", "compact", "--blocks", "13"], "--blocks is 13"),
        (["--encoder", "compact", "--crops", "9" * 30], "--crops is 9999"),
        (["--encoder", "compact", "--answer-rounds", "-1"], "--answer-rounds is -1"),
        (["--encoder", "compact", "--plain-weight", "nan"], "--plain-weight is nan"),
        (["--style-weight", "-2"], "--style-weight is -2"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--seed", "99999999999999999999"], "--seed is 9999"),
        (["--base", "some.safetensors"], "--base"),
        (["--encoder", "compact", "--depth", "relu3_1"], "--depth"),
        (["--style", "missing.png"], "missing.png"),
        (["--vgg", "missing.safetensors"], "missing.safetensors"),
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
    assert train(pictures, vgg_file, tmp_path, *arguments) == 2
    assert_one_line(capsys, cause)
    assert not (tmp_path / "decoder.safetensors").exists()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (2, 3)])
def test_tiny_and_slim_pictures_train_too(vgg_file: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    import numpy as np

    from artem_vr.sources.pictures import save_picture

    save_picture(tmp_path / "slim.png", np.full((*size, 3), 90, np.uint8))
    assert Photographs(tmp_path, 64, seed=0).batch(0, 2).shape == (2, 3, 64, 64)
    paintings = Paintings([tmp_path / "slim.png"], window=64, seed=0)
    assert paintings.picture(paintings.view(0, 0)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("size", [(1, 1), (40, 1), (3, 90)])
def test_paintings_of_any_size_are_on_the_sheet(
    pictures: Path, vgg_file: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    objective = make_trainer(pictures, vgg_file, tmp_path).objective
    assert isinstance(objective, AdaINObjective)
    objective._sheet = ([np.full((64, 64, 3), 90, np.uint8)], [np.full((*size, 3), 90, np.uint8)])
    assert objective.sample_sheet().shape[2] == 3
