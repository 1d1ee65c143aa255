"""``artem-vr styles``: list, add, remove, sheet."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from artem_vr import cli
from artem_vr.offline.style_sheet import CELL, sheet
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.styles import library


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with one shipped style, an empty folder for the user's own, and a weights file to add."""
    torch = pytest.importorskip("torch")
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.fast import FastNetwork

    shipped = tmp_path / "weights"
    shipped.mkdir()
    torch.manual_seed(0)
    save_network(shipped / "random.safetensors", FastNetwork(quarter=8, eighth=8, half=8, blocks=1))
    content = (shipped / "random.safetensors").read_bytes()
    (tmp_path / "mine.safetensors").write_bytes(content)
    entry = {
        "name": "random", "file": "random.safetensors", "sha256": hashlib.sha256(content).hexdigest(),
        "title": "Random Strokes", "artist": "Nobody", "year": "1900",
    }  # fmt: skip
    (shipped / "index.json").write_text(json.dumps({"version": 1, "styles": [entry]}))
    monkeypatch.setattr(library.assets, "folder", lambda _: shipped)
    monkeypatch.setattr(library, "own_folder", lambda: tmp_path / "own")
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "settings.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["styles"]) == 0
    assert capsys.readouterr() == ("  1  random  Random Strokes; Nobody, 1900\n", "")
    assert cli.main(["styles", "list", "--json"]) == cli.main(["styles", "--json"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert json.loads(first)["styles"][0]["name"] == "random"


def test_add_and_remove(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["styles", "add", "mine.safetensors", "--name", "My Own"]) == 0
    assert cli.main(["styles"]) == 0
    assert "  2  my_own  My own; your own\n" in capsys.readouterr().out
    assert cli.main(["styles", "remove", "my_own"]) == 0
    assert cli.main(["styles", "remove", "random"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_add_says_what_it_cannot_take(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "bad.safetensors").write_bytes(b"bad")
    for file in ("bad.safetensors", "none.safetensors"):
        assert cli.main(["styles", "add", file]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_sheet(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(room / "photo.png", np.full((60, 80, 3), 99, np.uint8))
    words = ["styles", "sheet", "photo.png", "-o", "sheet.png", "--json", "--engine", "torch", "--device", "cpu"]
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"output": "sheet.png", "styles": ["random"], "errors": []}
    assert load_picture(room / "sheet.png").shape[1] > CELL
    (room / "weights" / "random.safetensors").write_bytes(b"damaged")
    assert cli.main(words) == 2
    assert cli.main(["styles", "sheet", "photo.png", "-o", "photo.png"]) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_a_sheet_shows_every_picture_unchanged(count: int) -> None:
    pictures = [np.full((30, 40, 3), 10 + index, np.uint8) for index in range(count)]
    whole = sheet([(str(index), picture) for index, picture in enumerate(pictures)])
    for picture in pictures:
        assert np.count_nonzero((whole == picture[0, 0]).all(axis=2)) >= 1200
