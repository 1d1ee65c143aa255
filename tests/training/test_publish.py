"""Publishing puts the compact network and its codes among the shipped styles, whole and consistent, or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from artem_vr.errors import StyleError, WeightsError
from artem_vr.networks.adain import AdaINDecoder
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.styles.codes import read_code
from artem_vr.styles.library import Library
from artem_vr.stylize.encoder import Encoder
from artem_vr.stylize.loading import load_network_style
from artem_vr.training import publish
from tests.training.refusals import assert_one_line


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Trained weights (fp32), two paintings, a table of titles, and a shipped style of one of the paintings."""
    torch.manual_seed(0)
    save_network(tmp_path / "trained.safetensors", CompactNetwork(8, 8, 8, 1), {"recipe": "{}"}, torch.float32)
    save_network(tmp_path / "fast.safetensors", FastNetwork(8, 8, 8, 1))
    (tmp_path / "paintings").mkdir()
    for k, name in enumerate(("great_wave", "the_kiss_klimt")):
        picture = np.random.default_rng(k).integers(0, 256, (40, 50, 3), np.uint8)
        save_picture(tmp_path / "paintings" / f"{name}.png", picture)
    table = {"the_kiss_klimt": {"name": "the_kiss", "title": "The Kiss", "artist": "Gustav Klimt", "year": "1908"}}
    (tmp_path / "titles.json").write_text(json.dumps(table))
    publish.publish(tmp_path / "fast.safetensors", tmp_path / "weights", "great_wave", "The Wave", "Hokusai", "1831")
    return tmp_path


def run(place: Path, *words: str | Path) -> int:
    sys.argv = ["publish", "--into", str(place / "weights"), *map(str, words)]
    return publish.main()


def usual(place: Path) -> list[str | Path]:
    return ["--compact", place / "trained.safetensors", "--codes", place / "paintings",
            "--titles", place / "titles.json"]  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_network_and_codes_are_listed_and_belong_together(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, *usual(place)) == 0
    assert json.loads(capsys.readouterr().out)["compact"]["file"] == "compact.safetensors"
    library = Library(place / "weights", place / "own")
    wave, wave_code, kiss = library.styles()
    assert library.problems == [] and library.compact is not None
    assert (wave_code.name, wave_code.title, wave_code.artist) == ("great_wave_any", "The Wave (code)", "Hokusai")
    assert (kiss.name, kiss.title, kiss.artist, kiss.year) == ("the_kiss", "The Kiss", "Gustav Klimt", "1908")
    assert [style.in_deck for style in (wave, wave_code, kiss)] == [True, False, True]

    network, metadata = load_network(*library.compact)
    assert isinstance(network, CompactNetwork) and metadata["recipe"] == "{}"
    assert all(torch.equal(p, p.half().float()) for p in network.parameters())
    encoder = Encoder(*library.compact)
    for style, file in ((wave_code, "great_wave"), (kiss, "the_kiss_klimt")):
        code = read_code(style.path, style.sha256)
        assert code.network == encoder.key and not code.picture  # shipped codes carry no picture
        reading = encoder.read(load_picture(place / "paintings" / f"{file}.png"))
        assert np.array_equal(code.values, reading.values) and code.smooth == pytest.approx(reading.smooth, abs=1e-3)


def test_publishing_again_replaces_and_leaves_nothing_behind(place: Path) -> None:
    assert run(place, *usual(place)) == 0
    before = Library(place / "weights", place / "own").styles()
    (place / "paintings" / "the_kiss_klimt.png").rename(place / "paintings" / "the_kiss.png")
    assert run(place, *usual(place)[:4]) == 0  # titles are known by now
    after = Library(place / "weights", place / "own").styles()
    assert [(s.name, s.title, s.year) for s in after] == [(s.name, s.title, s.year) for s in before]
    assert all(read_code(style.path, style.sha256).values.any() for style in after[1:])
    (place / "paintings" / "great_wave.png").unlink()
    save_network(place / "trained.safetensors", CompactNetwork(8, 8, 8, 1))
    assert run(place, *usual(place)) == 0
    names = ["compact.safetensors", "great_wave.safetensors", "index.json", "the_kiss.code.safetensors"]
    assert sorted(content(place / "weights")) == names
    assert Library(place / "weights", place / "own").find("the_kiss").form == "code"
    assert run(place, place / "fast.safetensors", "--name", "new", "--title", "New") == 0  # keeps the compact network
    assert Library(place / "weights", place / "own").compact is not None


def test_a_network_in_the_place_of_a_code_leaves_no_file_behind(place: Path) -> None:
    assert run(place, *usual(place)) == 0
    assert (place / "weights" / "the_kiss.code.safetensors").is_file()
    assert run(place, place / "fast.safetensors", "--name", "the_kiss", "--title", "The Kiss") == 0
    listed = {style["file"] for style in json.loads((place / "weights" / "index.json").read_text())["styles"]}
    there = {path.name for path in (place / "weights").glob("*.safetensors")} - {"compact.safetensors"}
    assert there == listed and "the_kiss.safetensors" in listed


def test_how_smooth_a_painting_is_can_be_said_later(place: Path) -> None:
    """Of weights that were trained before their headers told; it stays when they are published again."""
    save_picture(place / "bare.png", np.full((40, 50, 3), 200, np.uint8))
    naming = ["--name", "great_wave", "--title", "The Wave"]
    said: tuple[str | Path, ...]
    for said in (("--painting", place / "bare.png"), ()):
        assert run(place, place / "fast.safetensors", *naming, *said) == 0
        (style,) = Library(place / "weights", place / "own").styles()
        assert load_network_style(style).smooth == 1.0
        (place / "fast.safetensors").write_bytes(style.path.read_bytes())
    before = content(place / "weights")
    assert run(place, place / "fast.safetensors", *naming, "--painting", place / "none.png") == 2
    assert content(place / "weights") == before


def test_the_full_size_fits_its_budget(place: Path) -> None:
    torch.manual_seed(0)
    save_network(place / "full.safetensors", CompactNetwork())
    assert run(place, *usual(place), "--compact", place / "full.safetensors") == 0
    assert (place / "weights" / "compact.safetensors").stat().st_size <= 4_000_000
    assert sum(p.numel() for p in CompactNetwork().parameters()) <= 2_000_000


def test_a_decoder_is_listed_beside_the_styles(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = Library(place / "weights", place / "own")
    assert library.decoder is None
    save_network(place / "adain.safetensors", AdaINDecoder(3), {"recipe": "{}"}, torch.float32)
    assert run(place, *usual(place), "--decoder", place / "adain.safetensors") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[-1]["decoder"]["file"] == "decoder.safetensors"
    assert library.decoder is not None and library.compact is not None and len(library.styles()) == 3
    network, metadata = load_network(*library.decoder, parts=True)
    assert isinstance(network, AdaINDecoder) and metadata["recipe"] == "{}"
    assert run(place, place / "fast.safetensors", "--name", "new", "--title", "New") == 0  # keeps it
    assert library.decoder is not None
    library.decoder[0].unlink()
    assert library.decoder is None and library.problems == []


def test_a_style_is_no_decoder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(place / "weights")
    assert run(place, "--decoder", place / "fast.safetensors") == 2
    assert_one_line(capsys, "fast.safetensors is no decoder. Train one with artem-vr train adain --encoder vgg19.")
    assert content(place / "weights") == before


@pytest.mark.parametrize(
    "index",
    ["{", "[]", '{"styles": [{}]}', '{"styles": [3]}', '{"version": 1}', '{"version": 1, "styles": [{"name": "new"}]}',
     '{"styles": [{"name": "b", "file": "b", "network": "code"}]}'],
)  # fmt: skip
def test_a_damaged_index_is_one_line_and_nothing_is_replaced(
    place: Path, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(place, place / "fast.safetensors", "--name", "new", "--title", "New") == 0
    (place / "weights" / "index.json").write_text(index)
    save_network(place / "fast.safetensors", FastNetwork(16, 8, 8, 1))
    before = content(place / "weights")
    capsys.readouterr()
    assert run(place, place / "fast.safetensors", "--name", "new", "--title", "New") == 2
    assert_one_line(capsys, "index.json is damaged")
    assert content(place / "weights") == before


@pytest.mark.parametrize("bad", ["weights", "kind", "picture", "no pictures", "titles", "names", "no name", "device"])
def test_what_is_wrong_leaves_the_folder_as_it_was(place: Path, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    match bad:
        case "weights":
            (place / "trained.safetensors").write_bytes(b"no")
        case "kind":
            save_network(place / "trained.safetensors", FastNetwork(8, 8, 8, 1))
        case "picture":
            (place / "paintings" / "z.jpg").write_text("a letter")
        case "no pictures":
            for path in (place / "paintings").iterdir():
                path.unlink()
        case "titles":
            (place / "titles.json").write_text('{"great_wave": {"painter": 3}}')
        case "names":
            (place / "titles.json").write_text('{"great_wave": {"name": "the_kiss_klimt"}}')
        case "no name":
            (place / "titles.json").write_text('{"great_wave": {"name": "!!!"}}')
        case "device":  # a file that Windows cannot have
            (place / "titles.json").write_text('{"great_wave": {"name": "con"}}')
    before = content(place / "weights")
    assert run(place, *usual(place)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    assert content(place / "weights") == before


@pytest.mark.parametrize("words", [[], ["--compact", "x"], ["--codes", "x"], ["weights.safetensors"]])
def test_what_is_missing_is_asked_for(place: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(place, *words)
    assert caught.value.code == 2


def test_what_the_library_could_not_use_is_not_published(tmp_path: Path) -> None:
    save_network(tmp_path / "a.safetensors", FastNetwork(16, 16, 8, 1), {})
    with pytest.raises(StyleError, match="my_style"):
        publish.publish(tmp_path / "a.safetensors", tmp_path / "into", "My Style", "Mine")
    for name in ("compact", "decoder"):  # the files of the networks for any painting
        with pytest.raises(StyleError, match="another --name"):
            publish.publish(tmp_path / "a.safetensors", tmp_path / "into", name, "Mine")
    compact = Library().compact
    assert compact is not None
    with pytest.raises(WeightsError, match="--compact"):
        publish.publish(compact[0], tmp_path / "into", "mine", "Mine")
    assert not (tmp_path / "into").exists()
