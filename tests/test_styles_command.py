"""``artem-vr styles``: list, add, remove, sheet."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from artem_vr import cli
from artem_vr.offline import style_sheet
from artem_vr.offline.style_sheet import BACKGROUND, CELL, sheet
from artem_vr.sources.pictures import decode_picture, load_picture, save_picture
from artem_vr.styles import library
from artem_vr.styles.codes import read_code
from artem_vr.stylize.encoder import Encoder


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
    assert capsys.readouterr() == ("  1  random  network  Random Strokes; Nobody, 1900\n", "")
    assert cli.main(["styles", "list", "--json"]) == cli.main(["styles", "--json"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    style = json.loads(first)["styles"][0]
    assert (style["name"], style["form"], style["kind"], style["year"]) == ("random", "network", "shipped", "1900")


def test_add_and_remove(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["styles", "add", "mine.safetensors", "--name", "My Own"]) == 0
    assert cli.main(["styles"]) == 0
    assert "  2  my_own  network  My own; your own\n" in capsys.readouterr().out
    assert cli.main(["styles", "remove", "my_own"]) == 0
    assert cli.main(["styles", "remove", "random"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def coded_room(room: Path) -> Path:
    """The same with a network that paints like any picture."""
    import torch

    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.compact import CompactNetwork

    torch.manual_seed(0)
    digest = save_network(room / "weights" / "compact.safetensors", CompactNetwork(8, 8, 8, 1))
    index = json.loads((room / "weights" / "index.json").read_text())
    index["compact"] = {"file": "compact.safetensors", "sha256": digest}
    (room / "weights" / "index.json").write_text(json.dumps(index))
    return room


def stripes(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 7 % 256, y * 5 % 256, (x + y) % 256], axis=-1).astype(np.uint8))


def save_odd(path: Path, kind: str) -> None:
    """A picture of a kind that few think of."""
    picture = stripes(60, 80)
    match kind:
        case "1x1" | "1x4000" | "4000x1":
            width, height = map(int, kind.split("x"))
            stripes(height, width).save(path, "PNG")
        case "40 megapixels":
            Image.new("RGB", (8000, 5000), (200, 90, 40)).save(path, "JPEG")
        case "cmyk":
            picture.convert("CMYK").save(path, "JPEG")
        case "16 bits":
            Image.fromarray((np.mgrid[0:60, 0:80][0] * 1000).astype(np.uint16)).save(path, "PNG")
        case "palette":
            picture.convert("P").save(path, "PNG")
        case "alpha":
            picture.putalpha(120)
            picture.save(path, "PNG")
        case "animated":
            picture.save(path, "GIF", save_all=True, append_images=[picture.rotate(90)])


@pytest.mark.parametrize(
    "kind",
    ["1x1", "1x4000", "4000x1", "40 megapixels", "cmyk", "16 bits", "palette", "alpha", "animated"],
)
def test_any_picture_can_be_added(coded_room: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    save_odd(coded_room / "odd one.jpg", kind)
    assert cli.main(["styles", "add", "odd one.jpg", "--json"]) == 0
    captured = capsys.readouterr()
    added = json.loads(captured.out)
    assert (added["name"], added["form"], added["kind"], added["title"]) == ("odd_one", "code", "own", "Odd one")
    code = read_code(Path(added["path"]))
    assert np.isfinite(code.values).all() and code.network == library.Library().compact[1]  # type: ignore[index]
    assert decode_picture(code.picture).std() < 128 and captured.err == ""
    assert cli.main(["styles"]) == 0
    assert "odd_one  code     Odd one; your own" in capsys.readouterr().out


def spoil(path: Path, kind: str) -> None:
    """A file that cannot be a style."""
    match kind:
        case "truncated":
            stripes(200, 300).save(path, "JPEG")
            path.write_bytes(path.read_bytes()[:3000])
        case "text":
            path.write_text("Dear reader, this is a letter")
        case "bomb":
            stripes(4, 4).save(path, "PNG")
            data = bytearray(path.read_bytes())
            data[16:24] = (60_000).to_bytes(4, "big") * 2
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
            path.write_bytes(data)
        case "empty":
            path.write_bytes(b"")
        case "folder":
            path.mkdir()


@pytest.mark.parametrize("kind", ["truncated", "text", "bomb", "empty", "folder", "missing"])
def test_what_is_no_picture_is_refused_in_one_line(
    coded_room: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(coded_room / "bad.jpg", kind)
    for words in (["add", "bad.jpg"], ["add", "bad.jpg", "--name", "x"]):
        assert cli.main(["styles", *words]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "bad.jpg" in error
    assert not (coded_room / "own").exists()


def test_codes_that_are_not_numbers_are_refused(coded_room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = {"format_version": "1", "kind": "style code", "network": "a" * 64}
    values = np.full((2, 48), np.nan, np.float32)
    safetensors.numpy.save_file({"code": values}, coded_room / "nan.code.safetensors", header)
    assert cli.main(["styles", "add", "nan.code.safetensors"]) == 2
    assert "not finite" in capsys.readouterr().err
    (coded_room / "own").mkdir()
    (coded_room / "nan.code.safetensors").rename(coded_room / "own" / "nan.code.safetensors")
    assert cli.main(["styles"]) == 0
    captured = capsys.readouterr()
    assert "nan.code" in captured.err and captured.err.count("\n") == 1 and "nan" not in captured.out


def test_pictures_names_and_folders(coded_room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stripes(60, 80).save(coded_room / "random.png")
    assert cli.main(["styles", "add", "random.png"]) == 2  # the name of the shipped style
    assert "already" in capsys.readouterr().err
    assert cli.main(["styles", "add", "random.png", "--name", "Late Summer"]) == 0
    assert cli.main(["styles", "remove", "late_summer"]) == 0
    (coded_room / "own").rmdir()
    (coded_room / "own").write_text("no folder")
    capsys.readouterr()
    assert cli.main(["styles", "add", "random.png", "--name", "x"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_pictures_are_read_at_the_stroke_size_of_the_settings(coded_room: Path) -> None:
    stripes(500, 600).save(coded_room / "a.png")
    for size in (448, 128):
        (coded_room / "settings.toml").write_text(f"stroke_size = {size}\n")
        assert cli.main(["styles", "add", "a.png", "--name", f"read at {size}"]) == 0
        kept = read_code(coded_room / "own" / f"read_at_{size}.code.safetensors")
        (weights, digest), picture = library.Library().compact or (Path(), ""), load_picture(coded_room / "a.png")
        assert np.array_equal(kept.values, Encoder(weights, digest).encode(picture, size))


def test_pictures_with_names_in_another_script_are_styles_of_their_own(
    coded_room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("北斎", "富士"):
        stripes(60, 80 + len(name)).save(coded_room / f"{name}.png")
        assert cli.main(["styles", "add", f"{name}.png"]) == 0
        assert capsys.readouterr().out == f"Added {name}\n"
    assert cli.main(["styles", "remove", "富士"]) == 0
    assert [path.name for path in (coded_room / "own").iterdir()] == ["北斎.code.safetensors"]


def test_without_the_network_for_pictures(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stripes(60, 80).save(room / "photo.png")
    assert cli.main(["styles", "add", "photo.png"]) == 2
    assert "not installed" in capsys.readouterr().err and not (room / "own").exists()


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


def two_styles(room: Path) -> None:
    (room / "weights" / "second.safetensors").write_bytes((room / "mine.safetensors").read_bytes())
    index = json.loads((room / "weights" / "index.json").read_text())
    (entry,) = index["styles"]
    index["styles"].append(entry | {"name": "second", "file": "second.safetensors"})
    (room / "weights" / "index.json").write_text(json.dumps(index))
    save_picture(room / "photo.png", np.full((60, 80, 3), 99, np.uint8))


SHEET = ["styles", "sheet", "photo.png", "-o", "sheet.png", "--engine", "torch", "--device"]


def test_what_keeps_all_styles_from_a_sheet_is_said_once(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_styles(room)
    monkeypatch.setattr("artem_vr.stylize.engines.torch_engine.cuda_trouble", lambda: "there is no card")
    assert cli.main([*SHEET, "cuda"]) == 2
    error = capsys.readouterr().err
    assert "there is no card" in error and "Install artem-vr again" not in error and error.count("\n") == 1
    assert not (room / "sheet.png").exists()


def test_styles_that_fail_for_reasons_of_their_own_cost_a_line_each(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_styles(room)
    (room / "weights" / "second.safetensors").write_bytes(b"damaged")
    assert cli.main([*SHEET, "cpu", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["styles"] == ["random"] and captured.err.count("\n") == 1
    (room / "weights" / "random.safetensors").write_bytes(b"damaged as well")
    assert cli.main([*SHEET, "cpu"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and "random" in lines[0] and "second" in lines[1] and "lines above" in lines[2]


def test_a_sheet_shows_how_far_it_is_on_a_terminal_only(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_styles(room)
    assert cli.main([*SHEET, "cpu"]) == 0
    assert capsys.readouterr().err == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert cli.main([*SHEET, "cpu"]) == 0
    assert "/2" in terminal.getvalue() and "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r") and terminal.getvalue().rsplit("\r", 2)[1].strip() == ""  # it is gone


def test_a_sheet_is_painted_at_full_strength_whatever_the_settings_say(coded_room: Path) -> None:
    save_picture(coded_room / "photo.png", np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    stripes(60, 80).save(coded_room / "a.png")
    assert cli.main(["styles", "add", "a.png"]) == 0
    for strength in ("0.1", "1.0"):
        (coded_room / "settings.toml").write_text(f"strength = {strength}\n")
        words = ["styles", "sheet", "photo.png", "-o", f"{strength}.png", "--engine", "torch", "--device", "cpu"]
        assert cli.main(words) == 0
    assert np.array_equal(load_picture(coded_room / "0.1.png"), load_picture(coded_room / "1.0.png"))


def test_a_sheet_shows_all_styles_whatever_the_settings_say(coded_room: Path) -> None:
    save_picture(coded_room / "photo.png", np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))
    stripes(60, 80).save(coded_room / "a.png")
    assert cli.main(["styles", "add", "a.png"]) == 0
    (coded_room / "settings.toml").write_text('precision = "xnor"\n')
    assert cli.main(["styles", "sheet", "photo.png", "-o", "sheet.png", "--engine", "torch", "--device", "cpu"]) == 0
    words = ["styles", "sheet", "photo.png", "-o", "bits.png", "--device", "cpu", "--precision", "xnor"]
    assert cli.main(words) == 2, "there are no bits, and they were asked for"


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_a_sheet_shows_every_picture_unchanged(count: int) -> None:
    pictures = [np.full((30, 40, 3), 10 + index, np.uint8) for index in range(count)]
    whole = sheet([(str(index), picture) for index, picture in enumerate(pictures)])
    for picture in pictures:
        assert np.count_nonzero((whole == picture[0, 0]).all(axis=2)) >= 1200


def test_titles_keep_to_their_pictures_and_to_the_letters_that_there_are() -> None:
    """A phone's photographs are narrow, and titles of shipped styles have 34 letters."""
    picture = np.full((480, 270, 3), 90, np.uint8)
    long = sheet([(title, picture) for title in ("The Great Wave off Kanagawa (XNOR)", "x" * 120, "Été")])
    assert (long[:, 284:292] == BACKGROUND).all(), "nothing is written between two pictures"
    assert (long[:, -10:] == BACKGROUND).all(), "nor beyond the last one"
    assert np.array_equal(sheet([("Été", picture)]), sheet([("Ete", picture)]))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sheet", "which kind of picture"),
        ("sheet.gif", "which kind of picture"),
        ("folder.png", "it is a folder"),
        (f"{'long' * 70}.png", "cannot be written"),
    ],
)
def test_a_sheet_that_could_not_be_written_is_refused_before_anything_is_painted(
    name: str, says: str, room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "folder.png").mkdir()
    save_picture(room / "photo.png", np.zeros((64, 96, 3), np.uint8))
    monkeypatch.setattr(style_sheet, "Brush", lambda *_, **__: pytest.fail("it was painted"))
    assert cli.main(["styles", "sheet", "photo.png", "-o", name]) == 2
    assert says in capsys.readouterr().err


def test_the_folder_of_a_sheet_is_made(room: Path) -> None:
    save_picture(room / "photo.png", np.zeros((64, 96, 3), np.uint8))
    words = ["styles", "sheet", "photo.png", "-o", "new/deep/sheet.png", "--engine", "torch", "--device", "cpu"]
    assert cli.main(words) == 0
    assert (room / "new" / "deep" / "sheet.png").exists()
