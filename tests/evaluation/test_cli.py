import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from artem_vr import assets
from artem_vr.errors import ArtemError
from artem_vr.evaluation import cli
from artem_vr.evaluation.split import held_out
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.vgg import VGG19

pytest.importorskip("cv2")


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return cli.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs, two paintings, VGG-19 weights and a network."""
    from PIL import Image

    place = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)

    def picture(path: Path) -> None:
        coarse = Image.fromarray(rng.integers(0, 255, (8, 10, 3), np.uint8))
        coarse.resize((100, 80), Image.Resampling.BICUBIC).save(path)

    (place / "content").mkdir()
    (place / "paintings").mkdir()
    names = [f"photo{k}.png" for k in range(200) if held_out(Path(f"photo{k}.png"))][:3]
    for name in [*names, "seen.png" if not held_out(Path("seen.png")) else "seen too.png"]:
        picture(place / "content" / name)
    for name in ("starry_night", "great_wave"):
        picture(place / "paintings" / f"{name}.png")
    torch.manual_seed(0)
    state = {k: v.contiguous() for k, v in VGG19().state_dict().items() if k != "mean"}
    save_file(state, place / "vgg.safetensors")
    save_network(place / "a.safetensors", FastNetwork(16, 16, 8, 1), {"style": "great_wave"})
    return place


def usual(place: Path) -> list[str | Path]:
    return ["--content", place / "content", "--paintings", place / "paintings", "--vgg", place / "vgg.safetensors",
            "--size", "64", "--painting-size", "80", "--moving", "1", "--photographs", "2"]  # fmt: skip


def test_bits_stand_beside_naive_signs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(place / "bits.safetensors", BinaryNetwork(8, 8, 1, 1).packed(), {"style": "great_wave"})
    words = [*usual(place), "--json", "--no-baselines", "--naive-signs"]
    assert run(place / "a.safetensors", place / "bits.safetensors", *words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"] for row in rows] == ["fast", "fast, naive signs", "binary"]
    assert all(row["style_loss"] > 0 and row["e_stab"] > 0 for row in rows)
    assert rows[1]["file_bytes"] is None and rows[2]["file_bytes"] == (place / "bits.safetensors").stat().st_size
    assert rows[2]["parameters"] > 64 * 64 * 9


def test_json_of_a_file_and_the_baselines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = place / "sheet.png"
    assert run(place / "a.safetensors", *usual(place), "--json", "--sheet", sheet) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(r["network"], r["style"]) for r in printed["rows"]] == [
        ("fast", "great_wave"), ("photograph", "great_wave"), ("colour transfer", "great_wave"),
        ("blend 30/70", "great_wave"), ("blend 70/30", "great_wave"),
    ]  # fmt: skip
    assert printed["photographs"] == 2 and printed["size"] == 64
    row = printed["rows"][0]
    assert row["file_bytes"] == (place / "a.safetensors").stat().st_size and row["ms"] > 0
    assert sheet.is_file()


def test_all_is_what_is_shipped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = place / "weights"
    digest = save_network(shipped / "s.safetensors", FastNetwork(16, 16, 8, 1), {})
    entry = {"name": "starry_night", "file": "s.safetensors", "sha256": digest}
    (shipped / "index.json").write_text(json.dumps({"version": 1, "styles": [entry]}))
    monkeypatch.setattr(assets, "folder", lambda name: place / name)
    assert run("all", *usual(place), "--no-baselines", "--markdown") == 0
    assert "| fast | starry_night |" in capsys.readouterr().out
    (shipped / "index.json").write_text(json.dumps({"version": 1, "styles": [entry | {"sha256": "0" * 64}]}))
    with pytest.raises(ArtemError, match="sha256"):
        run("all", *usual(place))
    (shipped / "index.json").write_text("[]")
    with pytest.raises(ArtemError, match="shipped styles"):
        run("all", *usual(place))


def refused(*words: str | Path) -> str:
    with pytest.raises(ArtemError) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_missing_is_said_in_one_line(place: Path, tmp_path: Path) -> None:
    weights = place / "a.safetensors"
    assert "--content" in refused(weights)
    assert "--paintings" in refused(weights, "--content", place / "content")
    assert "--paintings" in refused(weights, *usual(place), "--paintings", tmp_path)
    assert "--content" in refused(weights, *usual(place), "--content", tmp_path / "none")
    assert "--vgg" in refused(weights, *usual(place), "--vgg", tmp_path / "none")
    assert "--stereo" in refused(weights, *usual(place), "--stereo", tmp_path)
    assert "film" in refused(weights, *usual(place), "--film", tmp_path / "none.mp4")
    assert "--size" in refused(weights, *usual(place), "--size", "1")
    assert "does not exist" in refused(tmp_path / "none.safetensors", *usual(place))
    assert "the_kiss" in refused(weights, *usual(place), "--style", "the_kiss")


def test_the_style_of_a_file_can_be_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [place / "a.safetensors", *usual(place), "--no-baselines", "--style", "starry_night", "--unseen"]
    assert run(*words, "--film", place / "paintings", "--photographs", "9") == 0
    captured = capsys.readouterr()
    assert "fast" in captured.out and "starry_night" in captured.out and "film gain" in captured.out
    assert "only 4 photographs" in captured.err
