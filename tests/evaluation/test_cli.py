import argparse
import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from artem_vr import assets
from artem_vr.cli import main
from artem_vr.errors import ArtemError, EngineError, PictureError, SettingsError
from artem_vr.evaluation import cli, exam
from artem_vr.evaluation.pictures import PictureFiles, read_picture
from artem_vr.evaluation.split import held_out
from artem_vr.evaluation.subjects import Subject
from artem_vr.networks.adain import AdaINDecoder, feature_scale, vgg_sum
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import save_picture
from artem_vr.stylize.ground import DEPTH
from artem_vr.stylize.matching import SMALLEST
from artem_vr.training.publish import publish_compact
from artem_vr.training.vgg_weights import load_vgg

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


def test_naive_signs_of_two_networks_are_told_apart(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network(tmp_path / "later.safetensors", FastNetwork(16, 16, 8, 1), {"style": "great_wave"})
    words = [*usual(place), "--json", "--no-baselines", "--naive-signs"]
    assert run(place / "a.safetensors", tmp_path / "later.safetensors", *words) == 0
    names = [row["network"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert names == ["fast (a)", "fast, naive signs (a)", "fast (later)", "fast, naive signs (later)"]


def test_pictures_too_small_to_be_steadied_are_refused(place: Path) -> None:
    """Not called steadied: no stroke is followed in them."""
    assert cli.SMALLEST_STEADIED * 2 // 3 == SMALLEST
    words = [*usual(place), "--steadied", "--size", "95"]
    with pytest.raises(SettingsError, match="--steadied means nothing with --size 95"):
        run(place / "a.safetensors", *words)


def test_json_of_a_file_and_the_baselines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = place / "sheet.png"
    assert run(place / "a.safetensors", *usual(place), "--json", "--sheet", sheet) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(r["network"], r["style"]) for r in printed["rows"]] == [
        ("fast", "great_wave"), ("photograph", "great_wave"), ("colour transfer", "great_wave"),
        ("blend 30/70", "great_wave"), ("blend 70/30", "great_wave"),
    ]  # fmt: skip
    assert printed["photographs"] == 2 and printed["size"] == 64 and printed["complete"] is True
    row = printed["rows"][0]
    assert row["file_bytes"] == (place / "a.safetensors").stat().st_size and row["ms"] > 0
    assert sheet.is_file()


def test_rows_say_which_file_they_are_of(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before and after a training, for instance."""
    timed: list[float] = []
    measure_network = exam.measure_network

    def noted(*of: Any) -> None:
        timed.append(of[1].ground)
        measure_network(*of)

    monkeypatch.setattr(exam, "measure_network", noted)
    save_network(tmp_path / "later.safetensors", FastNetwork(16, 16, 8, 1), {"style": "great_wave"})
    words = [*usual(place), "--json", "--no-baselines", "--ground", "0.5"]
    assert run(place / "a.safetensors", tmp_path / "later.safetensors", *words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"] for row in rows] == ["fast, ground 0.5 (a)", "fast, ground 0.5 (later)"]
    assert [row["file"] for row in rows] == ["a.safetensors", "later.safetensors"]
    assert timed == [0.0, 0.0]  # the time is the network's


def test_the_ground_is_as_deep_as_the_program_lays_it_for_the_painting(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strokes, bare = torch.rand(1, 3, 80, 100), torch.full((1, 3, 80, 100), 0.5)
    depths = [cli._depth_for("auto", painting) for painting in (strokes, torch.cat((strokes, bare), dim=3), bare)]
    assert depths[0] == DEPTH > depths[1] > depths[2] == 0
    assert cli._depth_for(0.3, bare) == 0.3
    assert run(place / "a.safetensors", *usual(place), "--json", "--no-baselines", "--ground", "auto") == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["network"] == "fast, ground auto"
    with pytest.raises(argparse.ArgumentTypeError, match="neither a number"):
        cli._depth("deep")


@pytest.mark.parametrize("end", [KeyboardInterrupt(), EngineError("memory does not suffice", "Use a smaller --size")])
def test_what_was_measured_is_printed_whatever_ends_it(
    place: Path, end: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C, or an error, in the third row of five; the status is that of the end."""
    measure = exam.measure

    def measured(examination: exam.Exam, subject: Subject, *more: Any, **options: Any) -> exam.Row:
        if subject.name == "colour transfer":
            raise end
        return measure(examination, subject, *more, **options)

    monkeypatch.setattr(exam, "measure", measured)
    words = ["evaluate", *map(str, (place / "a.safetensors", *usual(place)))]
    assert main([*words, "--json"]) == (130 if isinstance(end, KeyboardInterrupt) else 2)
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert [row["network"] for row in printed["rows"]] == ["fast", "photograph"] and printed["complete"] is False
    assert captured.err.count("\n") == (0 if isinstance(end, KeyboardInterrupt) else 1)
    assert main(words) != 0
    table = capsys.readouterr().out
    assert "not complete" in table.splitlines()[0] and "photograph  great_wave" in table


def test_nothing_is_printed_where_nothing_was_measured(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*arguments: Any, **options: Any) -> exam.Row:
        raise KeyboardInterrupt

    monkeypatch.setattr(exam, "measure", pressed)
    assert main(["evaluate", *map(str, (place / "a.safetensors", *usual(place), "--json"))]) == 130
    assert capsys.readouterr().out == ""


def test_all_is_what_is_shipped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = place / "weights"
    digest = save_network(shipped / "s.safetensors", FastNetwork(16, 16, 8, 1), {})
    entry = {"name": "starry_night", "file": "s.safetensors", "sha256": digest, "title": "T"}
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


@pytest.fixture(scope="module")
def compact(place: Path) -> Path:
    """A network for any painting; and four paintings, two of which no training uses."""
    from PIL import Image

    torch.manual_seed(1)
    save_network(place / "compact.safetensors", CompactNetwork(16, 16, 8, 1))
    (place / "many").mkdir()
    names = [f"painting{k}.png" for k in range(200)]
    unseen, seen = ([n for n in names if held_out(Path(n)) == wanted] for wanted in (True, False))
    for k, name in enumerate(unseen[:2] + seen[:2]):
        colours = np.random.default_rng(k).integers(0, 256, (6 + 9 * k, 8 + 9 * k, 3), np.uint8)
        Image.fromarray(np.kron(colours, np.ones((4, 4, 1), np.uint8))).save(place / "many" / name)
    return place / "compact.safetensors"


def test_a_network_for_any_painting_is_measured_on_paintings_it_has_not_seen(
    place: Path, compact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [compact, *usual(place), "--paintings", place / "many", "--photographs-per-painting", "1", "--json"]
    assert run(*words, "--held-out", "--sheet", place / "many.png") == 0
    printed = json.loads(capsys.readouterr().out)
    rows = printed["rows"]
    assert all(held_out(Path(f"{name}.png")) for name in printed["paintings"]) and len(printed["paintings"]) == 2
    assert [(row["network"], row["style"]) for row in rows] == [
        *(("compact", name) for name in printed["paintings"]), ("compact", "mean of 2 paintings"),
        ("photograph", "mean of 2 paintings"), ("colour transfer", "mean of 2 paintings"),
        ("blend 30/70", "mean of 2 paintings"), ("blend 70/30", "mean of 2 paintings"),
    ]  # fmt: skip
    one, other, mean = rows[:3]
    assert mean["tex"] == pytest.approx((one["tex"] * other["tex"]) ** 0.5, rel=1e-4)
    assert mean["edge"] == pytest.approx((one["edge"] + other["edge"]) / 2, rel=1e-4)
    assert one["tex"] != other["tex"] and mean["style_retrieval"] in (0, 0.5, 1)
    assert mean["file_bytes"] == compact.stat().st_size and mean["parameters"] == one["parameters"] > 100_000
    assert (place / "many.png").is_file()

    assert run(*words, "--no-baselines") == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 5
    (style,) = printed["paintings"][:1]
    assert run(*words, "--no-baselines", "--style", style) == 0
    assert [row["style"] for row in json.loads(capsys.readouterr().out)["rows"]] == [style, "1 painting"]


def test_a_painting_that_is_not_there_is_said_beside_those_that_are(place: Path, compact: Path) -> None:
    for words in (
        [compact, *usual(place), "--style", "dream"],
        [place / "a.safetensors", *usual(place), "--style", "dream"],
    ):
        error = refused(*words)
        assert "no painting 'dream'" in error and "Add it, or name one with --style: great_wave, starry_night." in error
    seen = next(p.stem for p in (place / "many").iterdir() if not held_out(p))
    unseen = sorted(p.stem for p in (place / "many").iterdir() if held_out(p))
    words = [compact, *usual(place), "--paintings", place / "many", "--held-out"]
    error = refused(*words, "--style", seen)
    assert f"--held-out takes the painting {seen!r} away. Leave --held-out out" in error and ", ".join(unseen) in error
    assert f"takes the painting {unseen[1]!r} away" in refused(*words, "1", "--style", unseen[1])
    assert "no painting 'dream'" in refused(*words, "--style", "dream")


def test_options_that_mean_nothing_are_refused(place: Path, compact: Path) -> None:
    network = [place / "a.safetensors", *usual(place)]
    error = refused(*network, "--photographs-per-painting", "4")
    assert "--photographs-per-painting means nothing without a network for any painting" in error
    for words in (network, [compact, *usual(place)]):
        assert "means nothing without --optimize" in refused(*words, "--optimize-iterations", "200")


def test_a_file_that_is_named_twice_counts_once(
    place: Path, compact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    words = ["compact.safetensors", place / "a.safetensors", compact, "a.safetensors", *usual(place), "--json"]
    assert run(*words, "--no-baselines", "--photographs-per-painting", "1") == 0
    assert [(row["network"], row["style"]) for row in json.loads(capsys.readouterr().out)["rows"]] == [
        ("fast", "great_wave"), ("compact", "great_wave"), ("compact", "starry_night"),
        ("compact", "mean of 2 paintings"),
    ]  # fmt: skip


@pytest.mark.parametrize("fits", [True, False])
def test_all_has_the_shipped_decoder_where_it_fits(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fits: bool
) -> None:
    """It was trained with one VGG-19; with another one the others are measured all the same."""
    shipped = place / "weights"
    decoder = AdaINDecoder(3)
    decoder.encoder.fill_(0 if fits else 1)  # 0: any
    digest = save_network(shipped / "s.safetensors", FastNetwork(16, 16, 8, 1), {})
    entry = {"name": "starry_night", "file": "s.safetensors", "sha256": digest, "title": "T"}
    part = {"file": "decoder.safetensors", "sha256": save_network(shipped / "decoder.safetensors", decoder)}
    (shipped / "index.json").write_text(json.dumps({"version": 1, "decoder": part, "styles": [entry]}))
    monkeypatch.setattr(assets, "folder", lambda name: place / name)
    assert run("all", *usual(place), "--no-baselines", "--json", "--style", "starry_night") == 0
    printed = capsys.readouterr()
    networks = [row["network"] for row in json.loads(printed.out)["rows"]]
    assert set(networks) == ({"fast", "adain"} if fits else {"fast"})
    named = [shipped / "s.safetensors", *([shipped / "decoder.safetensors"] if fits else [])]  # counts once
    assert run("all", *named, *usual(place), "--no-baselines", "--json", "--style", "starry_night") == 0
    assert [row["network"] for row in json.loads(capsys.readouterr().out)["rows"]] == networks
    assert ("decoder.safetensors does not fit" in printed.err) is not fits


def test_all_has_the_shipped_codes(
    place: Path, compact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_compact(compact, place / "paintings", place / "any" / "weights")
    monkeypatch.setattr(assets, "folder", lambda name: place / "any" / name)
    assert run("all", *usual(place), "--no-baselines", "--markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("| compact | " in line for line in lines) == 2


def test_paintings_of_which_none_is_left_out(place: Path, compact: Path) -> None:
    assert "--held-out" in refused(compact, *usual(place), "--held-out")
    assert "--held-out is 0" in refused(compact, *usual(place), "--held-out", "0")


def test_only_so_many_of_the_paintings_that_are_left_out(
    place: Path, compact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [compact, *usual(place), "--paintings", place / "many", "--photographs-per-painting", "1", "--json"]
    assert run(*words, "--held-out", "1", "--no-baselines") == 0
    first = min(p for p in (place / "many").iterdir() if held_out(p))
    assert json.loads(capsys.readouterr().out)["paintings"] == [first.stem]


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


def test_a_film_in_which_nothing_moves_has_no_gain(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for number in range(3):
        save_picture(tmp_path / f"{number}.png", frame)
    words = [place / "a.safetensors", *usual(place), "--no-baselines", "--film", tmp_path]
    assert run(*words, "--json") == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["film_gain"] is None and row["motion_gain"] > 0
    assert run(*words) == 0
    assert "film gain" not in capsys.readouterr().out  # a column of "-" alone is left out


@pytest.mark.parametrize("size", [(4, 4), (64, 12), (12, 64)])
def test_a_film_of_tiny_frames_is_refused(place: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    for number in range(2):
        save_picture(tmp_path / f"{number}.png", np.zeros((*size, 3), np.uint8))
    error = refused(place / "a.safetensors", *usual(place), "--film", tmp_path)
    assert f"{size[1]}x{size[0]} pixels" in error and "--film" in error


def test_strokes_are_not_said_to_be_followed_in_films_too_small_for_that(place: Path, tmp_path: Path) -> None:
    for number in range(2):
        save_picture(tmp_path / f"{number}.png", np.zeros((60, 200, 3), np.uint8))
    error = refused(place / "a.safetensors", *usual(place), "--film", tmp_path, "--steadied", "--size", "96")
    assert "200x60 pixels" in error and "96 or more" in error


def test_frames_of_a_film_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(1, 13):
        save_picture(tmp_path / f"frame{number}.png", np.full((40, 40, 3), 20 * number, np.uint8))
    assert [int(frame.mean()) for frame in cli._film(tmp_path, 40)] == [20 * number for number in range(1, 13)]


def test_the_style_of_a_file_can_be_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [place / "a.safetensors", *usual(place), "--no-baselines", "--style", "starry_night", "--unseen"]
    assert run(*words, "--film", place / "paintings", "--photographs", "9") == 0
    captured = capsys.readouterr()
    assert "fast" in captured.out and "starry_night" in captured.out and "film gain" in captured.out
    assert "only 4 photographs" in captured.err


@pytest.fixture(scope="module")
def decoder(place: Path) -> Path:
    """A decoder for the VGG-19 of ``place``."""
    vgg = load_vgg(place / "vgg.safetensors")
    network = AdaINDecoder(3)
    network.encoder.fill_(vgg_sum(vgg.up_to("relu3_1")))
    with torch.no_grad():
        network.scale.copy_(feature_scale(vgg, "relu3_1", torch.rand(1, 3, 32, 32)))
    save_network(place / "decoder.safetensors", network, {})
    return place / "decoder.safetensors"


def test_a_decoder_of_adain_is_measured_with_the_encoder(
    place: Path, decoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [decoder, *usual(place), "--no-baselines", "--json"]
    assert run(*words, "--style", "great_wave") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["network"], row["style"]) for row in rows] == [("adain", "great_wave"), ("adain", "1 painting")]
    row = rows[0]
    assert row["parameters"] == 2 * 555_075 + 253  # VGG-19 up to relu3_1 and the decoder's mirror of it
    assert row["file_bytes"] == decoder.stat().st_size
    assert all(row[name] is not None for name in ("tex", "style_loss", "content_loss", "e_stab", "stereo_error", "ms"))
    assert run(*words) == 0
    assert [row["style"] for row in json.loads(capsys.readouterr().out)["rows"]] == [
        "great_wave", "starry_night", "mean of 2 paintings",
    ]  # fmt: skip
    state = {k: v.contiguous() * 2 for k, v in VGG19().state_dict().items() if k != "mean"}
    save_file(state, tmp_path / "other.safetensors")
    assert "other weights" in refused(*words, "--vgg", tmp_path / "other.safetensors")


def test_optimised_pictures_are_a_row_of_their_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [place / "a.safetensors", *usual(place), "--no-baselines", "--json"]
    assert run(*words, "--optimize", "1", "--optimize-iterations", "8") == 0
    network, optimized = json.loads(capsys.readouterr().out)["rows"]
    assert (optimized["network"], optimized["style"]) == ("optimize", "great_wave")
    assert optimized["style_loss"] < network["style_loss"] and optimized["ms"] > network["ms"]
    assert optimized["parameters"] is None and optimized["e_stab"] is None  # nothing moves: it would take an hour
    assert "--optimize" in refused(*words, "--optimize", "0")
    assert "--optimize-iterations" in refused(*words, "--optimize-iterations", "0")


@pytest.mark.parametrize("name", ["none/sheet.png", "sheet.tiff", "content", "paintings/great_wave.png"])
def test_a_sheet_that_cannot_be_kept_is_refused_before_anything_is_measured(place: Path, name: str) -> None:
    painting = place / "paintings" / "great_wave.png"
    before = painting.read_bytes()
    with pytest.raises(ArtemError, match="--sheet"):
        run(place / "no weights", *usual(place), "--sheet", place / name)
    assert painting.read_bytes() == before


def test_a_sheet_in_a_folder_without_rights_is_refused_before_anything_is_measured(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ArtemError, match=r"sheet\.png cannot be written"):
        run(place / "no weights", *usual(place), "--sheet", place / "sheet.png")


def test_pictures_are_read_whenever_they_are_asked_for_and_not_kept(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in ("a", "b")}
    for path in paths.values():
        save_picture(path, np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))
    files = PictureFiles(paths)
    assert list(files) == ["a", "b"] and len(files) == 2
    assert torch.equal(files["a"], read_picture(paths["a"])) and files["a"] is not files["a"]
    paths["b"].write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"b\.png"):  # before anything is measured
        PictureFiles(paths)
