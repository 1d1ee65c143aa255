"""``artem-vr train fast`` from photographs to a listed style."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from artem_vr import hardware
from artem_vr.cli import main
from artem_vr.errors import SettingsError
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.sources.pictures import save_picture
from artem_vr.styles.library import Library
from artem_vr.training import cli
from artem_vr.training.cli import check_output, check_run_folder, sums_of_inputs
from artem_vr.training.publish import publish
from artem_vr.training.sheets import rows_of
from tests.training.refusals import assert_one_line


def train(pictures: Path, vgg_file: Path, folder: Path, *more: str) -> int:
    return main([
        "train", "fast", "--content", str(pictures), "--style", str(pictures / "style" / "stripes.png"),
        "--vgg", str(vgg_file), "-o", str(folder / "stripes.safetensors"), "--run", str(folder / "run"),
        "--iterations", "2", "--batch-size", "1", "--crop", "64", "--style-sizes", "64", "--device", "cpu", *more,
    ])  # fmt: skip


def test_a_style_is_trained_and_published_with_its_recipe(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    assert train(pictures, vgg_file, tmp_path, "--seed", "5") == 0
    network, metadata = load_network(tmp_path / "stripes.safetensors")
    recipe = json.loads(metadata["recipe"])
    assert recipe["seed"] == 5 and recipe["iterations"] == 2 and recipe["style"] == "stripes.png"
    assert str(tmp_path) not in json.dumps(metadata)  # a recipe names no folder of anybody's machine
    assert {"gram", "texture", "content", "consistency"} <= json.loads(metadata["losses"]).keys()
    assert 0 <= float(metadata["smooth"]) < 0.5  # stripes: the ground is laid in this style
    run = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"checkpoint.pt", "losses.csv", "losses.png", "sheet-000002.png"} <= run

    shipped = tmp_path / "weights"
    for title in ("Draft", "Stripes"):  # publishing again replaces
        publish(tmp_path / "stripes.safetensors", shipped, "stripes", title, "Nobody", "2026")
    library = Library(shipped, tmp_path / "own")
    (style,) = library.styles()
    assert (style.name, style.title, style.network) == ("stripes", "Stripes", "fast")
    published, _ = load_network(style.path, style.sha256)
    for a, b in zip(network.parameters(), published.parameters(), strict=True):
        assert torch.equal(a, b)

    base = ["--base", str(shipped / "stripes.safetensors"), "--run", str(tmp_path / "second")]
    assert train(pictures, vgg_file, tmp_path, *base) == 0


def test_a_network_of_another_shape_is_a_base(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(tmp_path / "old.safetensors", FastNetwork(blocks=2, late_blocks=0, reach=1))
    base = ["--base", str(tmp_path / "old.safetensors"), "--blocks", "1"]
    assert train(pictures, vgg_file, tmp_path, *base) == 0
    network, metadata = load_network(tmp_path / "stripes.safetensors")
    shape = {"blocks": 1, "late_blocks": 1, "reach": 2}
    assert isinstance(network, FastNetwork) and shape.items() <= network.options.items()
    assert shape.items() <= json.loads(metadata["recipe"]).items()
    capsys.readouterr()
    assert train(pictures, vgg_file, tmp_path, *base, "--late-blocks", "2") == 2  # its folder holds the other training
    assert_one_line(capsys, "other settings")


def test_a_shape_that_means_nothing_is_refused_before_vgg_is_looked_for(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "begin", lambda arguments: pytest.fail("looked for VGG-19"))
    assert train(pictures, vgg_file, tmp_path, "--network", "johnson", "--late-blocks", "1") == 2
    assert_one_line(capsys, "--late-blocks means nothing")


def test_another_painting_under_the_same_name_is_another_training(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    painting = tmp_path / "painting.png"
    painting.write_bytes((pictures / "style" / "stripes.png").read_bytes())
    assert train(pictures, vgg_file, tmp_path, "--style", str(painting)) == 0
    first = (tmp_path / "stripes.safetensors").read_bytes()
    capsys.readouterr()
    assert train(pictures, vgg_file, tmp_path, "--style", str(painting)) == 0
    assert "is finished already" in capsys.readouterr().err
    save_picture(painting, np.full((96, 120, 3), 99, np.uint8))
    assert train(pictures, vgg_file, tmp_path, "--style", str(painting)) == 2
    assert_one_line(capsys, "holds a training with other settings or pictures")
    assert (tmp_path / "stripes.safetensors").read_bytes() == first


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_is_what_the_processor_has(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, precision: str
) -> None:
    monkeypatch.setattr(hardware, "cpu_has_bf16", lambda: has_bf16)
    assert train(pictures, vgg_file, tmp_path) == 0
    assert json.loads(load_network(tmp_path / "stripes.safetensors")[1]["recipe"])["precision"] == precision


OTHERS: dict[str, Callable[[], torch.nn.Module]] = {
    "compact": lambda: CompactNetwork(8, 8, 8, 1),
    "johnson": JohnsonNetwork,
    "narrow": lambda: FastNetwork(8, 8, 8, 1),
}
"""Networks whose weights a fast one of the usual size cannot take over."""


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--crop", "70"], "--crop is 70"),
        (["--crop", "9" * 30], "--crop is 9999"),
        (["--iterations", "-1"], "--iterations is -1"),
        (["--iterations", "9" * 30], "--iterations is 9999"),
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--learning-rate", "0"], "--learning-rate is 0"),
        (["--learning-rate", "inf"], "--learning-rate is inf"),
        (["--seed", "99999999999999999999"], "--seed is 9999"),
        (["--seed", "-1"], "--seed is -1"),
        (["--style-sizes", "64", "0"], "--style-sizes is 0"),
        (["--style-sizes", "9" * 30], "--style-sizes is 9999"),
        (["--gram-weight", "nan"], "--gram-weight is nan"),
        (["--content-weight", "-1"], "--content-weight is -1"),
        (["--tv-weight", "inf"], "--tv-weight is inf"),
        (["--reach", "4"], "--reach is 4"),
        (["--late-blocks", "-1"], "--late-blocks is -1"),
        (["--reach", "2", "--network", "johnson"], "--reach means nothing"),
        (["--base", "missing.safetensors"], "missing.safetensors"),
        (["--base", "compact"], "is a compact network"),
        (["--base", "johnson"], "is a johnson network"),
        (["--base", "narrow"], "does not fit"),
        (["--vgg", "missing.safetensors"], "missing.safetensors"),
        (["--style", "missing.png"], "missing.png"),
        (["--content", "missing"], "missing"),
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
    if (other := arguments[1]) in OTHERS:
        arguments = ["--base", str(tmp_path / "other.safetensors")]
        save_network(tmp_path / "other.safetensors", OTHERS[other]())
    assert train(pictures, vgg_file, tmp_path, *arguments) == 2
    assert_one_line(capsys, cause)
    assert not (tmp_path / "stripes.safetensors").exists()


@pytest.mark.parametrize(
    ("kind", "option", "victim"),
    [
        ("fast", "--style", "painting.png"),
        ("fast", "--base", "old.safetensors"),
        ("fast", "--vgg", "old.safetensors"),
        ("fast", "--content", "photographs/deep/a.png"),
        ("binary", "--style", "painting.png"),
        ("binary", "--teacher", "old.safetensors"),
        ("adain", "--style", "painting.png"),
        ("adain", "--style", "paintings/b.png"),
        ("adain", "--base", "old.safetensors"),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
def test_what_is_read_is_never_overwritten(
    kind: str, option: str, victim: str, linked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name in ("painting.png", "old.safetensors", "photographs/deep/a.png", "paintings/b.png", "paintings/c.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"kept")
    output = victim
    if linked:
        if os.name == "nt":
            pytest.skip("links need rights on Windows")
        output = "link.safetensors"
        Path(output).symlink_to(victim)
    words = ["train", kind, "--content", "photographs", "-o", output, "--style", "painting.png"]
    if kind == "adain":
        words.append("paintings")
    if option not in ("--content", "--style"):
        words += [option, victim]
    assert main(words) == 2
    assert_one_line(capsys, f"{output} is ")
    assert Path(victim).read_bytes() == b"kept" and not Path("runs").exists()


@pytest.mark.parametrize(
    ("kind", "where", "run"),
    [("fast", ".", ""), ("fast", "photographs", "photographs/run"), ("adain", "photographs", "paintings/deep/run")],
)
def test_the_sheets_do_not_go_where_pictures_are_read(
    kind: str, where: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for name in ("painting.png", "photographs/a.png", "paintings/b.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    style = ["paintings"] if kind == "adain" else ["painting.png"]
    words = ["train", kind, "--content", where, "-o", "new.safetensors", "--style", *style]
    assert main([*words, *(["--run", run] if run else [])]) == 2
    assert_one_line(capsys, f"{run or 'runs/new'}, where the training keeps its sheets, lies in")
    assert not Path("runs").exists() and not Path(run or "runs").exists()


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--run", "painting.png"], "painting.png, where the training keeps its sheets, is no folder"),
        (["--run", "painting.png/run"], "painting.png/run/checkpoint.pt cannot be written"),
        (["-o", "painting.png/new.safetensors"], "painting.png/new.safetensors cannot be written"),
        (["-o", "x" * 250 + ".safetensors", "--run", "run"], "too long"),
        (["-o", "mine.code.safetensors"], "is the name of a code, not of a network"),
    ],
)
def test_what_could_not_be_written_in_the_end_is_said_before_anything_is_read(
    words: list[str], cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("artem_vr.training.vgg_weights.load_vgg", lambda *_: pytest.fail("VGG-19 was read"))
    Path("photographs").mkdir()
    Path("painting.png").touch()
    words = ["train", "fast", "--content", "photographs", "--style", "painting.png", "-o", "new.safetensors", *words]
    assert main(words) == 2
    assert_one_line(capsys, cause)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["painting.png", "photographs"]


@pytest.mark.parametrize(
    ("kind", "option"),
    [("fast", "--style"), ("fast", "--base"), ("fast", "--vgg"), ("binary", "--teacher"), ("adain", "--base")],
)
def test_what_is_not_there_is_said_before_vgg_is_downloaded(
    kind: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("artem_vr.training.vgg_weights.load_vgg", lambda *_: pytest.fail("VGG-19 was read"))
    Path("photographs").mkdir()
    Path("painting.png").touch()
    words = ["train", kind, "--content", "photographs", "--style", "painting.png", "-o", "new.safetensors"]
    assert main([*words, option, "not there"]) == 2
    assert_one_line(capsys, f"there is no not there, which {option} names")


def test_torchrun_leaves_our_options_to_us() -> None:
    """As docs/training.md writes the command: torchrun guesses at shortened options, wherever they stand."""
    from torch.distributed.run import get_args_parser

    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    found = re.search("`(torchrun .*train fast) ...`", text)
    assert found is not None
    ours = ["--run", "folder", "-o", "new.safetensors", "--style", "painting.png"]
    understood = get_args_parser().parse_args([*found[1].split()[1:], *ours])
    assert understood.module and understood.training_script == "artem_vr"
    assert understood.training_script_args == ["train", "fast", *ours]


def test_a_training_has_its_folder_until_its_weights_are_written(
    pictures: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers, and the plain network, are found for minutes after the last iteration, and kept there."""
    written = []

    def save(*given: Any) -> str:
        assert train(pictures, vgg_file, tmp_path) == 2
        assert "another training is at work" in capsys.readouterr().err
        written.append(given[0])
        return save_network(*given)

    monkeypatch.setattr("artem_vr.networks.checkpoint.save_network", save)
    assert train(pictures, vgg_file, tmp_path) == 0
    assert written == [tmp_path / "stripes.safetensors"]


def test_weights_are_written_by_the_first_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "photographs").mkdir()
    arguments = argparse.Namespace(
        output=tmp_path / "file" / "new.safetensors", run=tmp_path / "file" / "run",
        content=tmp_path / "photographs", style=tmp_path / "painting.png",
    )  # fmt: skip
    for check in (check_output, check_run_folder):
        with pytest.raises(SettingsError, match="cannot be written"):
            check(arguments)
    monkeypatch.setenv("RANK", "1")
    check_output(arguments)
    check_run_folder(arguments)


def test_weights_of_an_earlier_training_are_replaced(tmp_path: Path) -> None:
    """Also where they lie among the photographs."""
    (tmp_path / "old.safetensors").touch()
    check_output(argparse.Namespace(output=tmp_path / "old.safetensors", content=tmp_path, style=tmp_path / "no.png"))


@pytest.mark.parametrize("name", ["mine", "mine.pt", "folder.safetensors"])
def test_a_name_that_no_style_could_have_is_refused_before_training(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(SettingsError, match="no name of weights"):
        check_output(argparse.Namespace(output=tmp_path / name))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_painting_whose_name_is_no_text_is_trained(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"st \xff.png")
    odd.write_bytes((pictures / "style" / "stripes.png").read_bytes())
    assert train(pictures, vgg_file, tmp_path, "--style", str(odd)) == 0
    assert load_network(tmp_path / "stripes.safetensors")[1]["style"] == "st ?"
    folder = argparse.Namespace(style=[tmp_path], base=None, teacher=None, vgg=None)
    assert sums_of_inputs(folder).keys() == {"style 0"}


def test_a_painting_is_not_overwritten_by_a_sheet(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    style = tmp_path / "run" / "sheet-000001.png"
    style.parent.mkdir()
    content = (pictures / "style" / "stripes.png").read_bytes()
    style.write_bytes(content)
    assert train(pictures, vgg_file, tmp_path, "--style", str(style)) == 2
    assert_one_line(capsys, "would be overwritten")
    assert style.read_bytes() == content


def test_another_programs_checkpoint_is_one_line(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ({"a": 1}, [1]):
        (tmp_path / "run").mkdir(exist_ok=True)
        torch.save(content, tmp_path / "run" / "checkpoint.pt")
        assert train(pictures, vgg_file, tmp_path) == 2
        assert_one_line(capsys, "is no checkpoint of such a training")


def test_rows_of_the_losses_that_are_none_do_not_end_a_training(pictures: Path, vgg_file: Path, tmp_path: Path) -> None:
    assert train(pictures, vgg_file, tmp_path) == 0
    losses = tmp_path / "run" / "losses.csv"
    kept = losses.read_bytes()
    losses.write_bytes(kept + b"abc,1\n" + bytes(64) + b"\n")
    assert train(pictures, vgg_file, tmp_path) == 0
    assert losses.read_bytes() == kept


def test_of_strips_a_sheet_shows_the_middle() -> None:
    rows = rows_of([[np.zeros((1, 4000, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)]], height=32)
    assert rows.shape[0] == 32 and rows.shape[1] < 40 * 32
