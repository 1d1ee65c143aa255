"""Training of the network for any painting: it learns, repeats itself, and leaves what is to be examined alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from artem_vr.cli import main
from artem_vr.errors import PictureError, WeightsError
from artem_vr.evaluation.split import held_out
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.networks.layers import InstanceNorm, OwnStatistics
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import save_picture
from artem_vr.training import answering, compact
from artem_vr.training.compact import (
    PLAIN_RATE,
    CompactLossWeights,
    CompactObjective,
    Paintings,
    begin_with_code,
    start_from,
)
from artem_vr.training.data import Photographs
from artem_vr.training.trainer import Schedule, Trainer
from tests.training.refusals import assert_one_line


def make_paintings(pictures: Path, seed: int = 3) -> Paintings:
    return Paintings([pictures / "style" / "stripes.png", pictures], window=64, seed=seed, short_sides=(64, 96))


def make_objective(pictures: Path, seed: int = 3) -> CompactObjective:
    torch.manual_seed(0)
    network, vgg = CompactNetwork(16, 16, 16, 1), VGG19()  # random weights serve: what is tested is the machinery
    photographs = Photographs(pictures, 64, seed=seed)
    return CompactObjective(
        network, vgg, make_paintings(pictures, seed), photographs, CompactLossWeights(), ([], []), seed
    )


def test_a_few_steps_lower_the_loss_on_a_tiny_fixed_set(pictures: Path, tmp_path: Path) -> None:
    objective = make_objective(pictures)
    batch = objective.batch(0, 2, 0)
    batch["strengths"] = torch.tensor([1.0, 0.0])  # one to be painted, one to be shown as it is
    objective.batch = lambda *_: batch  # type: ignore[method-assign]
    schedule = Schedule(iterations=10, warm_up=1, checkpoint_every=99, sample_every=99, learning_rate=3e-3)
    trainer = Trainer(objective, schedule, tmp_path, batch_size=2, mixed_precision=False)
    losses = [trainer.step() for _ in range(10)]
    assert losses[-1]["total"] < 0.9 * losses[0]["total"]
    assert losses[-1]["plain"] < losses[0]["plain"] and losses[-1]["palette"] < losses[0]["palette"]


def test_a_lattice_on_ramps_a_weave_in_strokes_and_other_outlines_are_losses(pictures: Path) -> None:
    objective = make_objective(pictures)
    batch = objective.batch(0, 2, 0)

    def losses(weight: float) -> dict[str, float]:
        objective.weights = CompactLossWeights(lattice=weight, weave=10 * weight, edge=20 * weight)
        with torch.no_grad():
            return {name: float(value) for name, value in objective(**batch).items()}

    untrained, without = losses(0.3), losses(0)
    assert not without.keys() & {"lattice", "weave", "edge"}
    all_three = 0.3 * untrained["lattice"] + 3 * untrained["weave"] + 6 * untrained["edge"]
    assert untrained["total"] - without["total"] == pytest.approx(all_three, abs=1e-3)
    painter = objective.network.painter
    handle = painter.register_forward_hook(lambda _, given, painted: 1 - given[0])  # the same outlines
    assert losses(0.3)["edge"] < 0.05 < untrained["edge"]
    handle.remove()
    handle = painter.register_forward_hook(lambda *args: args[2] + 0.1 * stripes(args[2]))  # on whatever is painted
    assert losses(0.3)["lattice"] > 100 * (untrained["lattice"] + 0.01)
    handle.remove()
    painter.register_forward_hook(lambda *args: args[2][..., ::2].repeat_interleave(2, dim=3))  # columns of two pixels
    assert losses(0.3)["weave"] > 0.2


def stripes(like: torch.Tensor) -> torch.Tensor:
    return (torch.arange(like.shape[-1]) % 2).float().expand_as(like)


def test_batches_are_decided_by_seed_iteration_and_place_alone(pictures: Path) -> None:
    first, second = make_objective(pictures), make_objective(pictures)
    batch, again = first.batch(7, 2, 0), second.batch(7, 2, 0)
    assert batch.keys() == again.keys() and all(torch.equal(batch[name], again[name]) for name in batch)
    for name, value in second.batch(7, 1, 1).items():  # what a second process would draw
        if name.endswith("rivals"):  # as many as of the whole batch, for they are its
            assert torch.equal(value, batch[name])
            continue
        torch.testing.assert_close(value, batch[name][1:], rtol=1e-3, atol=1e-4)
    assert not torch.equal(first.batch(8, 2, 0)["pictures"], batch["pictures"])
    assert not torch.equal(make_objective(pictures, seed=4).batch(7, 2, 0)["grids"], batch["grids"])


def test_where_crops_are_few_their_content_is_looked_at_once(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = make_objective(pictures), make_objective(pictures)
    few.photographs = Photographs(pictures, 64, seed=3, crops=2)
    looked: list[int] = []
    forward = VGG19.forward
    monkeypatch.setattr(VGG19, "forward", lambda self, x, layers: looked.append(len(x)) or forward(self, x, layers))  # type: ignore[func-returns-value]
    batches = [few.batch(iteration, 2, 0) for iteration in range(6)]
    seen = {picture.numpy().tobytes() for batch in batches for picture in batch["pictures"]}
    assert len(seen) == 2 and len(few._contents) == 2
    paintings = len(few._targets)
    assert sum(looked) == paintings + 2
    # the losses are those of a training that looks every time
    losses = few(**batches[0])
    again = few(**{name: value for name, value in batches[0].items() if name != "content"})
    torch.testing.assert_close(losses["content"], again["content"], rtol=1e-2, atol=1e-4)
    assert "content" not in many.batch(0, 2, 0)


def test_the_code_of_no_painting_is_learned_faster(pictures: Path, tmp_path: Path) -> None:
    objective = make_objective(pictures)
    learned = [parameter for group in objective.rates().values() for parameter in group]
    assert len(learned) == len(set(learned)) == sum(p.requires_grad for p in objective.network.parameters())
    batch = objective.batch(0, 2, 0) | {"strengths": torch.zeros(2)}
    objective.batch = lambda *_: batch  # type: ignore[method-assign]
    before = {name: p.detach().clone() for name, p in objective.network.painter.named_parameters()}
    schedule = Schedule(iterations=1, warm_up=1, learning_rate=1e-3)
    Trainer(objective, schedule, tmp_path, batch_size=2, mixed_precision=False).step()
    moved = {n: float((p.detach() - before[n]).abs().max()) for n, p in objective.network.painter.named_parameters()}
    assert moved["norm_encode4.weight"] == pytest.approx(PLAIN_RATE * 1e-3, rel=0.02)  # Adam's first step is its rate
    assert moved["encode4.weight"] == pytest.approx(1e-3, rel=0.02)


def test_the_code_of_no_painting_is_fitted_in_the_end_and_nothing_else(pictures: Path) -> None:
    objective = make_objective(pictures)
    network, photograph = objective.network, objective.photographs.batch(0, 2, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def error() -> float:
        with torch.no_grad():
            return float((network(photograph) - photograph).abs().mean())

    first = error()
    assert objective.fit_plain(60) is network
    assert error() < 0.8 * first
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all("norm" in name for name in changed)


def test_strengths_are_drawn_all_the_way_from_photograph_to_painting(pictures: Path) -> None:
    objective = make_objective(pictures)
    strengths = torch.cat([objective.batch(iteration, 4, 0)["strengths"] for iteration in range(40)])
    assert strengths.min() == 0 and strengths.max() == 1
    between = ((strengths > 0) & (strengths < 1)).float().mean()
    assert 0.05 < between < 0.3 and 0.6 < (strengths == 1).float().mean() < 0.9


def test_paintings_for_the_examination_are_never_drawn(tmp_path: Path) -> None:
    for k in range(40):
        save_picture(tmp_path / f"{k}.png", np.full((8, 8, 3), k, np.uint8))
    paintings = Paintings([tmp_path], window=8, seed=0)
    everything = set(tmp_path.iterdir())
    assert set(paintings.paths) == {path for path in everything if not held_out(path)} < everything
    drawn = {paintings.view(iteration, 0).path for iteration in range(400)}
    assert drawn == set(paintings.paths)
    (unseen,) = [path for path in everything if held_out(path)][:1]
    assert Paintings([unseen], window=8, seed=0).paths == [unseen]  # what is named itself is meant
    with pytest.raises(PictureError, match="--style"):
        Paintings([tmp_path / "none"], window=8, seed=0)
    (tmp_path / "cut.png").write_bytes(unseen.read_bytes()[:40])
    with pytest.raises(PictureError, match=r"cut\.png"):  # now, and not when it is drawn
        Paintings([tmp_path / "cut.png"], window=8, seed=0)


def test_a_view_is_a_window_of_its_painting_and_there_are_few(pictures: Path) -> None:
    paintings = make_paintings(pictures)
    views = {paintings.view(iteration, place) for iteration in range(100) for place in range(2)}
    assert len(views) <= paintings.views * len(set(paintings.paths))
    for view in list(views)[:6]:
        picture = paintings.picture(view)
        assert picture.shape == (1, 3, 64, 64) and picture.min() >= 0 and picture.max() <= 1
        assert 64 <= view.short_side <= 96 and sorted(view.channels) == [0, 1, 2]
    stripes = sum(view.path.name == "stripes.png" for view in views)
    assert stripes == paintings.views  # one painting beside a folder is seen as often as its root says


def test_a_fast_network_is_a_start_and_so_is_a_compact_one() -> None:
    torch.manual_seed(0)
    fast, network = FastNetwork(16, 16, 16, 1), CompactNetwork(16, 16, 16, 3)
    for parameter in fast.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    start_from(network, fast)
    x, painting = torch.rand(1, 3, 48, 64), torch.rand(1, 3, 48, 48)
    with torch.no_grad():
        torch.testing.assert_close(network(x), fast(x), rtol=1e-4, atol=1e-5)
        answered = network(x, OwnStatistics(network.encoder(painting).unflatten(1, (2, network.channels))))
        assert (answered - fast(x)).abs().mean() < 0.1
        again = CompactNetwork(16, 16, 16, 3)
        start_from(again, network)
        assert torch.equal(again.encode(painting), network.encode(painting)) and torch.equal(again(x), network(x))


def taught_compact(blocks: int, late_blocks: int, reach: int) -> CompactNetwork:
    """One whose encoder answers differently to every painting, and differently for every norm."""
    network = CompactNetwork(16, 16, 16, blocks, late_blocks, reach)
    begin_with_code(network)
    torch.nn.init.normal_(network.encoder.answer.weight, std=0.1)
    torch.nn.init.normal_(network.encoder.read.weight, std=0.1)
    return network


def by_norm(network: CompactNetwork, code: torch.Tensor) -> dict[str, torch.Tensor]:
    """The parts of a code (..., C), by the norm's name."""
    names = [name for name, norm in network.painter.named_modules() if isinstance(norm, InstanceNorm)]
    return dict(zip(names, code.split(16, dim=-1), strict=True))


def test_a_compact_network_with_more_blocks_and_reach_paints_like_its_base_at_first_and_can_learn() -> None:
    torch.manual_seed(0)
    base, network = taught_compact(1, 1, reach=1), CompactNetwork(16, 16, 16, 3, 2, reach=2)
    start_from(network, base)
    x = torch.rand(1, 3, 48, 64)
    for painting in torch.rand(2, 1, 3, 48, 48):
        theirs, ours = base.encode(painting)[0], network.encode(painting)[0]
        assert ours.shape != theirs.shape
        with torch.no_grad():
            expected = base(x, OwnStatistics(theirs))
            torch.testing.assert_close(network(x, OwnStatistics(ours)), expected, rtol=1e-4, atol=1e-5)
    answered = network.encoder(torch.rand(1, 3, 48, 48)).unflatten(1, (2, -1))
    network(x, OwnStatistics(answered)).square().sum().backward()
    moved = network.encoder.answer.bias.grad
    assert moved is not None
    deviations = by_norm(network, moved.unflatten(0, (2, -1))[0])
    for name in ("blocks.1.norm2", "blocks.2.norm2", "late_blocks.1.norm2"):  # 0 at first
        assert deviations[name].abs().min() > 0


def test_of_a_compact_network_with_more_blocks_the_last_ones_go_and_the_others_keep_their_codes() -> None:
    torch.manual_seed(0)
    base, network = taught_compact(3, 2, reach=1), CompactNetwork(16, 16, 16, 2, 1, reach=1)
    start_from(network, base)
    x, painting = torch.rand(1, 3, 48, 64), torch.rand(1, 3, 48, 48)
    answers, gone = by_norm(base, base.encoder(painting).unflatten(1, (2, -1))), ("blocks.2", "late_blocks.1")
    kept = torch.cat([part for name, part in answers.items() if not name.startswith(gone)], dim=2)
    silent = torch.cat([0 * part if name.startswith(gone) else part for name, part in answers.items()], dim=2)
    assert torch.equal(network.encoder(painting).unflatten(1, (2, -1)), kept)
    with torch.no_grad():
        torch.testing.assert_close(
            network(x, OwnStatistics(kept)), base(x, OwnStatistics(silent)), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "base",
    [
        FastNetwork(16, 32, 16, 1),
        CompactNetwork(16, 32, 16, 1),
        CompactNetwork(16, 16, 16, 1, reach=3),
        JohnsonNetwork(),
    ],
    ids=["wider", "wider compact", "more reach", "another kind"],
)
def test_a_base_that_does_not_fit_is_refused(base: torch.nn.Module) -> None:
    with pytest.raises(WeightsError, match="base"):
        start_from(CompactNetwork(16, 16, 16, 1), base)


def train(pictures: Path, vgg_file: Path, folder: Path, *more: str) -> int:
    return main([
        "train", "adain", "--content", str(pictures), "--style", str(pictures / "style"), "--vgg", str(vgg_file),
        "-o", str(folder / "any.safetensors"), "--run", str(folder / "run"), "--iterations", "2", "--batch-size", "1",
        "--crop", "64", "--blocks", "1", "--device", "cpu", "--precision", "fp32", *more,
    ])  # fmt: skip


def test_the_command_trains_from_a_fast_network_and_writes_its_recipe(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "PLAIN_ITERATIONS", 3)
    monkeypatch.setattr(answering, "SAMPLES", 1)
    monkeypatch.setattr(answering, "TRIALS", 1)
    monkeypatch.setattr(answering, "RIDGES", (0.1,))
    save_network(tmp_path / "base.safetensors", FastNetwork(blocks=1))
    assert train(pictures, vgg_file, tmp_path, "--base", str(tmp_path / "base.safetensors"), "--seed", "5") == 0
    network, metadata = load_network(tmp_path / "any.safetensors")
    assert isinstance(network, CompactNetwork) and network.options["blocks"] == 1
    recipe = json.loads(metadata["recipe"])
    assert recipe["seed"] == 5 and recipe["base"] == "base.safetensors" and recipe["paintings"] == 1
    assert str(tmp_path) not in json.dumps(metadata) and str(pictures) not in json.dumps(metadata)
    names = {"gram", "texture", "content", "palette", "plain", "consistency"}
    assert names <= json.loads(metadata["losses"]).keys()
    assert {"checkpoint.pt", "losses.csv", "sheet-000002.png"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_a_compact_base_may_have_another_shape_which_holds_where_nothing_is_said(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "PLAIN_ITERATIONS", 1)
    save_network(tmp_path / "base.safetensors", CompactNetwork(blocks=2, late_blocks=0, reach=1))
    base = ("--base", str(tmp_path / "base.safetensors"), "--answer-rounds", "0")
    assert train(pictures, vgg_file, tmp_path, *base, "--late-blocks", "2") == 0
    network, metadata = load_network(tmp_path / "any.safetensors")
    shape = {"blocks": 1, "late_blocks": 2, "reach": 1}
    assert isinstance(network, CompactNetwork) and shape.items() <= network.options.items()
    assert shape.items() <= json.loads(metadata["recipe"]).items()


def test_without_iterations_only_answers_and_strength_are_taught(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compact, "PLAIN_ITERATIONS", 3)
    monkeypatch.setattr(answering, "SAMPLES", 1)
    monkeypatch.setattr(answering, "TRIALS", 1)
    base = CompactNetwork(blocks=1)
    save_network(tmp_path / "base.safetensors", base)
    only = ("--base", str(tmp_path / "base.safetensors"), "--iterations", "0", "--answer-rounds")
    assert train(pictures, vgg_file, tmp_path, *only, "1") == 0
    network, _ = load_network(tmp_path / "any.safetensors")
    state = {name: value.half().float() for name, value in base.state_dict().items()}
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, state[name])}
    norms = {name for name in state if ".norm" in name and name.startswith("painter.")}
    assert changed <= norms | {"encoder.answer.weight", "encoder.answer.bias"} and changed & norms
    capsys.readouterr()
    # what the folder keeps is for these settings alone
    assert train(pictures, vgg_file, tmp_path, *only, "2") == 2
    assert_one_line(capsys, "other settings")
    (tmp_path / "run" / "checkpoint.pt").unlink()  # another training in the same folder
    assert train(pictures, vgg_file, tmp_path, *only, "1", "--seed", "3") == 0
    assert "answers.pt is of another training" in capsys.readouterr().err
    assert train(pictures, vgg_file, tmp_path, *only, "1", "--seed", "3") == 0  # the same again goes on from it
    assert "another training" not in capsys.readouterr().err
    (tmp_path / "run" / "answers.pt").write_bytes(b"half of it")
    assert train(pictures, vgg_file, tmp_path, *only, "1", "--seed", "3") == 2
    assert_one_line(capsys, "answers.pt")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--base", "missing.safetensors"], "missing.safetensors"),
        (["--style", "missing"], "missing"),
        (["--blocks", "0"], "--blocks is 0"),
        (["--crops", "-1"], "--crops is -1"),
        (["--answer-rounds", "-1"], "--answer-rounds is -1"),
        (["--blocks", "13"], "--blocks is 13"),
        (["--lattice-weight", "nan"], "--lattice-weight is nan"),
        (["--base", "johnson"], "does not fit"),
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
        arguments = ["--base", str(tmp_path / "johnson.safetensors")]
        save_network(tmp_path / "johnson.safetensors", JohnsonNetwork())
    assert train(pictures, vgg_file, tmp_path, *arguments) == 2
    assert_one_line(capsys, cause)
    assert not (tmp_path / "any.safetensors").exists()
