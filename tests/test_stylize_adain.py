"""``artem-vr stylize --method adain``: the article's network for any painting, with VGG-19, into files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artem_vr.cli import main
from artem_vr.networks.adain import AdaINDecoder, AdaINNetwork, feature_scale, vgg_sum
from artem_vr.networks.checkpoint import save_network
from artem_vr.offline.video_files import VideoReader, VideoWriter
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.styles.library import Library
from artem_vr.training.vgg_weights import load_vgg


@pytest.fixture
def place(tmp_path: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph, a pair, a film and two paintings; and a decoder (not trained) among what is shipped."""
    rng = np.random.default_rng(0)
    save_picture(tmp_path / "photo.png", rng.integers(0, 255, (30, 44, 3), np.uint8))
    half = rng.integers(0, 255, (30, 24, 3), np.uint8)
    save_picture(tmp_path / "pair.png", np.concatenate((half, half), axis=1))
    for name, top in (("dark", 80), ("light", 255)):
        save_picture(tmp_path / f"{name}.png", rng.integers(top // 2, top, (40, 36, 3), np.uint8))
    with VideoWriter(tmp_path / "film.mp4", 12.0) as writer:
        for _ in range(3):
            writer.write(rng.integers(0, 255, (32, 48, 3), np.uint8))
    torch.manual_seed(0)
    decoder, vgg = AdaINDecoder(3), load_vgg(vgg_file)
    with torch.no_grad():
        dict(decoder.named_parameters())["conv1_1.weight"].normal_(std=0.1)  # so that features make a difference
    decoder.scale.copy_(feature_scale(vgg, decoder.layer, torch.rand(1, 3, 32, 32)))
    decoder.encoder.fill_(vgg_sum(vgg.up_to(decoder.layer)))
    digest = save_network(tmp_path / "decoder.safetensors", decoder)
    monkeypatch.setattr(Library, "decoder", property(lambda self: (tmp_path / "decoder.safetensors", digest)))
    monkeypatch.setattr("artem_vr.offline.adain.PAINTING_SIDE", 32)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def paint(place: Path, vgg_file: Path, *words: str | Path, photo: str = "photo.png", output: str = "out.png") -> int:
    return main([
        "stylize", str(place / photo), "-o", str(place / output), "--method", "adain", "--vgg", str(vgg_file),
        "--device", "cpu", *map(str, words or ("--style", place / "dark.png")),
    ])  # fmt: skip


def test_a_picture_is_painted_like_the_painting(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint(place, vgg_file, "--style", str(place / "dark.png"), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["method"], printed["style"], printed["strength"]) == ("adain", "dark", 1.0)
    (done,) = printed["outputs"]
    assert (done["width"], done["height"], done["engine"], done["device"]) == (44, 30, "torch", "cpu")
    dark = load_picture(place / "out.png")
    assert dark.shape == (30, 44, 3)
    assert paint(place, vgg_file, "--style", str(place / "light.png"), output="light_out.png") == 0
    assert np.abs(dark.astype(int) - load_picture(place / "light_out.png")).mean() > 2, "the painting counts"


def test_strength_nought_is_the_source_and_half_lies_between(place: Path, vgg_file: Path) -> None:
    style = ("--style", str(place / "dark.png"))
    for strength in ("0", "0.5", "1"):
        assert paint(place, vgg_file, *style, "--strength", strength, output=f"{strength}.png") == 0
    source = load_picture(place / "photo.png").astype(int)
    none, half, whole = (load_picture(place / f"{strength}.png").astype(int) for strength in ("0", "0.5", "1"))
    assert np.array_equal(none, source)
    assert not np.array_equal(half, whole)


def test_both_eyes_are_painted_alike(place: Path, vgg_file: Path) -> None:
    words = ("--style", str(place / "dark.png"), "--layout", "sbs")
    assert paint(place, vgg_file, *words, photo="pair.png") == 0
    left, right = np.split(load_picture(place / "out.png"), 2, axis=1)
    assert np.array_equal(left, right)


def test_a_film_becomes_a_film(place: Path, vgg_file: Path) -> None:
    assert paint(place, vgg_file, photo="film.mp4", output="out.mp4") == 0
    with VideoReader(place / "out.mp4") as film:
        frames = list(film)
    assert len(frames) == 3 and frames[0].shape == (32, 48, 3)


def test_where_the_gpu_fails_for_good_the_processor_paints_on(
    place: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the middle of a film: it is as if the processor had painted all of it."""
    words = ("--style", place / "dark.png", "--strength", "0.5")
    assert paint(place, vgg_file, *words, photo="film.mp4", output="truth.mp4") == 0
    forward, painted = AdaINNetwork.forward, list[int]()

    def failing(network: AdaINNetwork, *inputs: Any) -> torch.Tensor:
        painted.append(1)
        if len(painted) == 2:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return forward(network, *inputs)

    monkeypatch.setattr(AdaINNetwork, "forward", failing)
    monkeypatch.setattr("artem_vr.offline.adain.gpu_is_lost", lambda device, error: True)
    assert paint(place, vgg_file, *words, photo="film.mp4", output="out.mp4") == 0
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "GPU has failed, the processor paints on" in printed
    with VideoReader(place / "truth.mp4") as truth, VideoReader(place / "out.mp4") as out:
        assert all(map(np.array_equal, list(truth), list(out))) and len(painted) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--method adain has no painting. Give --style a PICTURE."),
        (("--style", "starry_night"), "starry_night is no picture file"),
        (("--style", "{place}/dark.png", "--ground", "0.5"), "--ground means nothing with --method adain"),
        (("--style", "{place}/dark.png", "--iterations", "5"), "--iterations means nothing with --method adain"),
        (("--style", "{place}/dark.png", "--device", "cuda"), "CUDA"),
    ],
)
def test_what_cannot_be_is_one_line(
    place: Path, vgg_file: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    assert paint(place, vgg_file, *(word.format(place=place) for word in words), "--json") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (place / "out.png").exists()


def test_vgg_alone_needs_a_method(place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stylize", str(place / "photo.png"), "-o", str(place / "out.png"), "--vgg", str(vgg_file)]) == 2
    assert "--vgg means nothing with --method network" in capsys.readouterr().err


def test_the_painting_is_not_written_over(place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "dark.png").read_bytes()
    assert paint(place, vgg_file, output="dark.png") == 2
    assert "would be overwritten" in capsys.readouterr().err and (place / "dark.png").read_bytes() == before


def test_nor_where_it_is_called_as_a_picture_of_the_film(
    place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A film may be painted like a picture of one that was painted before."""
    frame = place / "frames" / "film_000002.png"
    frame.parent.mkdir()
    frame.write_bytes(before := (place / "dark.png").read_bytes())
    assert paint(place, vgg_file, "--style", frame, photo="film.mp4", output="frames") == 2
    assert "would be overwritten" in capsys.readouterr().err and frame.read_bytes() == before


def test_another_vgg_is_refused(place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = load_file(vgg_file)
    save_file(tensors | {"conv1_2.bias": tensors["conv1_2.bias"] + 1}, place / "other.safetensors")
    assert paint(place, place / "other.safetensors") == 2
    error = capsys.readouterr().err
    assert "does not fit: the decoder was trained with other weights of VGG-19" in error and error.count("\n") == 1


def test_without_a_decoder_it_says_how_to_get_one(
    place: Path, vgg_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Library, "decoder", None)
    assert paint(place, vgg_file) == 2
    assert "artem-vr train adain --encoder vgg19" in capsys.readouterr().err
    own = ("--style", place / "dark.png", "--decoder", place / "decoder.safetensors")
    assert paint(place, vgg_file, *own) == 0


def test_a_style_is_no_decoder(place: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    style = next(style for style in Library().styles() if style.form == "network")
    assert paint(place, vgg_file, "--style", place / "dark.png", "--decoder", style.path) == 2
    assert "is no decoder" in capsys.readouterr().err
