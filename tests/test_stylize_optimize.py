"""``artem-vr stylize --method optimize``: files, snapshots, going on, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from artem_vr.cli import main
from artem_vr.offline.optimize import snapshot_path, snapshots
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.training.optimize import Optimization


@pytest.fixture()
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photograph and a painting; paintings are read small, to be quick."""
    rng = np.random.default_rng(0)
    save_picture(tmp_path / "photo.png", rng.integers(0, 255, (20, 26, 3), np.uint8))
    save_picture(tmp_path / "painting.png", rng.integers(0, 120, (24, 24, 3), np.uint8))
    monkeypatch.setattr("artem_vr.offline.optimize.PAINTING_SIDE", 32)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def paint(place: Path, vgg_file: Path, *words: str | int | Path, output: str = "out.png") -> int:
    return main([
        "stylize", str(place / "photo.png"), "-o", str(place / output), "--method", "optimize",
        "--style", str(place / "painting.png"), "--vgg", str(vgg_file), "--size", "26", "--device", "cpu",
        "--iterations", "4", *map(str, words),
    ])  # fmt: skip


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} - {"photo.png", "painting.png", "config"}


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_loss_falls_and_snapshots_are_kept(
    place: Path, vgg_file: Path, optimizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint(place, vgg_file, "--optimizer", optimizer, "--snapshot-every", 2, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    (done,) = printed["outputs"]
    assert done["last_loss"] < 0.9 * done["first_loss"] and done["iterations"] == 4
    assert printed["method"] == "optimize" and printed["style"] == "painting" and done["resumed_from"] is None
    assert names(place) == {"out.png", "out-000002.png", "out-000004.png"}
    out = load_picture(place / "out.png")
    assert out.shape == (20, 26, 3)
    assert np.array_equal(out, load_picture(place / "out-000004.png"))
    assert not np.array_equal(out, load_picture(place / "out-000002.png"))


def test_the_same_command_gives_the_same_picture(place: Path, vgg_file: Path) -> None:
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        assert paint(place, vgg_file, "--start", "noise", "--seed", seed, "--iterations", 2, output=name) == 0
    a, b, c = (load_picture(place / f"{name}.png") for name in "abc")
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_resuming_goes_on_where_the_last_one_ended(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint(place, vgg_file, "--snapshot-every", 4, "--resume", "--json") == 0  # there is nothing: a beginning
    first = json.loads(capsys.readouterr().out)["outputs"][0]
    assert first["resumed_from"] is None
    assert paint(place, vgg_file, "--snapshot-every", 2, "--resume", "--json") == 0
    second = json.loads(capsys.readouterr().out)["outputs"][0]
    assert Path(second["resumed_from"]) == place / "out.png"
    assert second["first_loss"] == pytest.approx(first["last_loss"], rel=0.05)  # 8 bits lie between
    assert second["last_loss"] < first["last_loss"]
    assert list(snapshots(place / "out.png")) == [4, 6, 8]

    (place / "out.png").unlink()  # a run that was interrupted leaves snapshots only
    os.utime(place / "out-000006.png", (2e9, 2e9))
    assert paint(place, vgg_file, "--resume", "--json", "--iterations", 1) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["resumed_from"].endswith("out-000006.png")

    assert paint(place, vgg_file, "--resume", place / "out-000004.png", "--json", "--size", 40, output="big.png") == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["resumed_from"].endswith("out-000004.png")
    assert load_picture(place / "big.png").shape == (31, 40, 3)


def test_snapshots_are_named_after_their_output(tmp_path: Path) -> None:
    output = tmp_path / "my.picture.jpg"
    assert snapshot_path(output, 100).name == "my.picture-000100.jpg"
    for name in ("my.picture-000100.jpg", "my.picture-1000000.jpg", "my.picture-12.jpg", "other-000100.jpg"):
        (tmp_path / name).touch()
    assert list(snapshots(output)) == [100, 1_000_000]
    assert snapshots(tmp_path / "none" / "a.png") == {}


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--style", "great_wave"], "no painting in the package"),
        (["--style", ""], "style"),
        (["--strength", "0.5"], "--strength means nothing"),
        (["--preserve-color"], "--preserve-color means nothing"),
        (["--layout", "sbs"], "--layout means nothing"),
        (["--engine", "torch"], "--engine means nothing"),
        (["--method", "network"], "means nothing with --method network"),
        (["--iterations", "0"], "--iterations"),
        (["--snapshot-every", "x"], "--snapshot-every"),
        (["--style-weight", "-1"], "--style-weight"),
        (["--tv-weight", "nan"], "--tv-weight"),
        (["--optimizer", "sgd"], "--optimizer"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "1"], "--seed means nothing without --start noise"),
        (["--start", "photograph", "--seed", "1"], "--seed means nothing without --start noise"),
        (["--start", "noise", "--resume", "{place}/photo.png"], "--start means nothing with --resume"),
        (["--resume", "none.png"], "none.png"),
        (["--resume", "{place}/painting.png"], "other proportions"),
        (["--vgg", "none.safetensors"], "none.safetensors"),
        (["--size", "16"], "16 are needed"),
        (["-o", "{place}/photo.png"], "would be overwritten"),
        (["-o", "{place}/painting.png"], "would be overwritten"),
        (["-o", "{place}/out.tga"], "out.tga"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2(
    place: Path, vgg_file: Path, words: list[str], cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in place.glob("*.png")}
    assert paint(place, vgg_file, *(word.format(place=place) for word in words)) == 2
    error = capsys.readouterr().err
    assert cause in error and "Traceback" not in error and len(error.strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in place.glob("*.*") if path.is_file()} == before


def test_a_snapshot_overwrites_no_input(place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "photo.png").rename(place / "out-000002.png")
    photo = (place / "out-000002.png").read_bytes()
    words = ["stylize", str(place / "out-000002.png"), "-o", str(place / "out.png"), "--method", "optimize",
             "--style", str(place / "painting.png"), "--vgg", str(vgg_file), "--snapshot-every", "1"]  # fmt: skip
    assert main(words) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert (place / "out-000002.png").read_bytes() == photo and names(place) == {"out-000002.png"}


def paint_folder(place: Path, vgg_file: Path, *words: str | int | Path) -> int:
    """A picture, and one that is called as the first one's snapshot after two iterations."""
    (place / "room").mkdir(exist_ok=True)
    for name in ("a.png", "a-000002.png"):
        (place / "room" / name).write_bytes((place / "photo.png").read_bytes())
    return main([
        "stylize", str(place / "room"), "-o", str(place / "new"), "--method", "optimize", "--style",
        str(place / "painting.png"), "--vgg", str(vgg_file), "--size", "26", "--device", "cpu", "--json",
        *map(str, words),
    ])  # fmt: skip


def test_no_snapshot_is_written_over_another_output(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint_folder(place, vgg_file, "--iterations", 2, "--snapshot-every", 1) == 2
    error = capsys.readouterr().err
    assert "a-000002.png would be written twice" in error and error.count("\n") == 1
    assert not (place / "new").exists()
    assert paint_folder(place, vgg_file, "--iterations", 1, "--snapshot-every", 1) == 0  # they do not meet
    assert {path.name for path in (place / "new").iterdir()} == {
        "a.png", "a-000001.png", "a-000002.png", "a-000002-000001.png",
    }  # fmt: skip


def test_another_output_is_no_snapshot_to_go_on_from(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint_folder(place, vgg_file, "--iterations", 1) == 0
    (place / "new" / "a.png").unlink()
    capsys.readouterr()
    assert paint_folder(place, vgg_file, "--iterations", 1, "--resume") == 0
    outputs = json.loads(capsys.readouterr().out)["outputs"]
    assert {Path(done["output"]).name: done["resumed_from"] for done in outputs} == {
        "a.png": None, "a-000002.png": str(place / "new" / "a-000002.png"),
    }  # fmt: skip


@pytest.fixture()
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterations fail the test."""

    def run(*arguments: object) -> None:
        pytest.fail("the picture was optimised")

    monkeypatch.setattr("artem_vr.training.optimize.Optimization.run", run)


@pytest.mark.parametrize(
    ("output", "words", "cause"),
    [
        ("new/", [], "a.png cannot be written: it is a folder"),
        ("photo.png/b.png", [], "Not a directory"),
        ("photo.png/deep/b.png", [], "Not a directory"),
        ("x" * 300 + "/b.png", [], "too long"),
        ("x" * 245 + ".png", ["--snapshot-every", 2], "too long"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(
    place: Path, vgg_file: Path, no_work: None, output: str, words: list[str], cause: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (place / "a.png").write_bytes((place / "photo.png").read_bytes())
    (place / "new" / "a.png").mkdir(parents=True)
    before = sorted(place.rglob("*"))
    assert main([
        "stylize", str(place / "a.png"), "-o", f"{place}/{output}", "--method", "optimize", "--style",
        str(place / "painting.png"), "--vgg", str(vgg_file), "--iterations", "4", *map(str, words),
    ]) == 2  # fmt: skip
    error = capsys.readouterr().err
    assert cause in error and error.count("\n") == 1
    assert sorted(place.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_said_before_the_work(
    place: Path, vgg_file: Path, no_work: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "shut").mkdir(mode=0o555)
    assert paint(place, vgg_file, output="shut/out.png") == 2
    assert "rights" in capsys.readouterr().err


def test_a_snapshot_that_fails_is_said_once_and_the_picture_is_painted_on(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        (place / f"out-{number:06d}.png").mkdir()
    assert paint(place, vgg_file, "--snapshot-every", 1) == 0
    error = capsys.readouterr().err
    assert "out-000001.png cannot be written" in error and error.count("\n") == 1
    assert load_picture(place / "out.png").shape == (20, 26, 3) and (place / "out-000003.png").is_file()


def test_ctrl_c_leaves_the_picture_as_far_as_it_is(
    place: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    losses, counted = Optimization.losses, iter(range(1_000))

    def pressed(self: Optimization, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        if next(counted) == 3:  # in the fourth iteration of Adam, which looks once in each
            raise KeyboardInterrupt
        return losses(self, picture)

    with monkeypatch.context() as patch:
        patch.setattr(Optimization, "losses", pressed)
        assert paint(place, vgg_file, "--optimizer", "adam") == 130
    captured = capsys.readouterr()
    assert "out.png is as it was after 3 of 4 iterations; --resume goes on from there." in captured.err
    assert captured.err.count("\n") == 1 and captured.out == ""
    assert paint(place, vgg_file, "--optimizer", "adam", "--iterations", 3, output="three.png") == 0
    assert np.array_equal(load_picture(place / "out.png"), load_picture(place / "three.png"))


def test_a_gpu_that_fails_for_good_costs_a_line(
    place: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(Optimization, "run", failing)
    monkeypatch.setattr("artem_vr.offline.optimize.gpu_is_lost", lambda device, error: True)
    assert paint(place, vgg_file) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "GPU has failed" in printed and "--device cpu" in printed and not names(place)


def test_ctrl_c_before_anything_was_done_leaves_the_old_picture(
    place: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint(place, vgg_file) == 0
    before = (place / "out.png").read_bytes()
    capsys.readouterr()

    def pressed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Optimization, "losses", pressed)
    assert paint(place, vgg_file) == 130
    assert (place / "out.png").read_bytes() == before and capsys.readouterr() == ("", "")


def test_a_start_means_something_until_there_is_a_picture_to_go_on_from(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | int] = ["--start", "noise", "--seed", 1, "--resume", "--iterations", 1]
    assert paint(place, vgg_file, *words) == 0
    assert paint(place, vgg_file, *words) == 2
    error = capsys.readouterr().err
    assert "--start means nothing with --resume" in error and "out.png" in error and error.count("\n") == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_snapshots_are_counted_on_from_a_picture_that_was_none(place: Path, vgg_file: Path, suffix: str) -> None:
    output = f"out{suffix}"
    assert paint(place, vgg_file, "--iterations", 3, "--snapshot-every", 2, output=output) == 0  # 2, and the output: 3
    assert paint(place, vgg_file, "--iterations", 2, "--snapshot-every", 1, "--resume", output=output) == 0
    assert list(snapshots(place / output)) == [2, 4, 5]
    other = f"other{suffix}"
    words: list[str | int | Path] = ["--iterations", 1, "--snapshot-every", 1, "--resume", place / output]
    assert paint(place, vgg_file, *words, output=other) == 0
    assert list(snapshots(place / other)) == [6]


def test_where_a_picture_does_not_say_its_count_its_snapshots_do(place: Path, vgg_file: Path) -> None:
    assert paint(place, vgg_file, "--iterations", 3, "--snapshot-every", 2) == 0
    save_picture(place / "out.png", load_picture(place / "out.png"))  # somebody saved it anew
    assert paint(place, vgg_file, "--iterations", 2, "--snapshot-every", 1, "--resume") == 0
    assert list(snapshots(place / "out.png")) == [2, 3, 4]
    assert paint(place, vgg_file, "--iterations", 2, "--snapshot-every", 2, output="out.bmp") == 0
    assert paint(place, vgg_file, "--iterations", 2, "--snapshot-every", 2, "--resume", output="out.bmp") == 0
    assert list(snapshots(place / "out.bmp")) == [2, 4]


def test_several_inputs_go_on_from_their_own_pictures_only(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "other.png").write_bytes((place / "photo.png").read_bytes())
    words = ["stylize", str(place / "photo.png"), str(place / "other.png"), "-o", str(place / "new"), "--method",
             "optimize", "--style", str(place / "painting.png"), "--vgg", str(vgg_file), "--iterations", "1",
             "--size", "26", "--device", "cpu", "--json", "--resume"]  # fmt: skip
    assert main([*words, str(place / "photo.png")]) == 2
    error = capsys.readouterr().err
    assert "Leave the PICTURE out" in error and error.count("\n") == 1 and not (place / "new").exists()
    for _ in range(2):
        assert main(words) == 0
        outputs = json.loads(capsys.readouterr().out)["outputs"]
    assert [done["resumed_from"] for done in outputs] == [done["output"] for done in outputs]


def test_films_are_refused_and_a_folder_goes_on_without_them(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--method", "optimize", "--style", str(place / "painting.png"), "--vgg", str(vgg_file)]
    (place / "film.mp4").write_bytes(b"x")
    assert main(["stylize", str(place / "film.mp4"), "-o", str(place / "out.png"), *words]) == 2
    assert "is a video" in capsys.readouterr().err
    (place / "room").mkdir()
    (place / "photo.png").rename(place / "room" / "photo.png")
    (place / "film.mp4").rename(place / "room" / "film.mp4")
    more = ["--iterations", "1", "--size", "26"]
    assert main(["stylize", str(place / "room"), "-o", str(place / "new"), *words, *more]) == 2
    captured = capsys.readouterr()
    assert "film.mp4 is a video" in captured.err and "photo.png" in captured.out
    assert [path.name for path in (place / "new").iterdir()] == ["photo.png"]
