"""stylize: what is written where, what is done to a picture, and real files through a real network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from artem_vr import cli, typed_path
from artem_vr.errors import ArtemError, PictureError, SettingsError, SourceError
from artem_vr.live.record import Recorder
from artem_vr.offline import files as offline
from artem_vr.offline.files import (
    Job,
    Look,
    blended,
    each_job,
    joined,
    paint_all,
    painted,
    plan,
    typed_as_folder,
    with_colors_of,
)
from artem_vr.offline.video_files import SUFFIXES, VideoReader, VideoWriter
from artem_vr.sources.layout import split
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.stop_requests import REQUESTS

Pictures = npt.NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Pictures:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def invert(eyes: Pictures, elapsed: float | None) -> Pictures:
    """A painter whose work is easy to recognise."""
    return 255 - eyes


def film(path: Path, frames: int = 5, height: int = 48, width: int = 64) -> Path:
    """A film whose frame n is a flat grey of 40 n."""
    with VideoWriter(path, 12.0) as writer:
        for number in range(frames):
            writer.write(np.full((height, width, 3), 40 * number, np.uint8))
    return path


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


# What is written where


def test_one_picture_into_a_file(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    assert plan([tmp_path / "a.jpg"], tmp_path / "b.png") == (
        [Job(tmp_path / "a.jpg", "picture", tmp_path / "b.png")],
        [],
    )


def test_one_picture_into_a_folder(tmp_path: Path) -> None:
    photo, out = tmp_path / "a.jpg", tmp_path / "out"
    touch(photo)
    wanted = [Job(photo, "picture", out / "a.png")]
    assert plan([photo], out, into_folder=True) == (wanted, [])
    out.mkdir()
    assert plan([photo], out) == (wanted, [])


def test_one_video_into_a_video_or_pictures(tmp_path: Path) -> None:
    movie = tmp_path / "film.MP4"
    touch(movie)
    assert plan([movie], tmp_path / "b.mkv") == ([Job(movie, "video", tmp_path / "b.mkv")], [])
    assert plan([movie], tmp_path / "frames") == ([Job(movie, "video", tmp_path / "frames", "film")], [])


def test_folders_are_listed_sorted_and_not_deeper(tmp_path: Path) -> None:
    room, out = tmp_path / "in", tmp_path / "out"
    touch(
        room / "b.png",
        room / "a.jpg",
        room / "c.mp4",
        room / "notes.txt",
        room / ".hidden.png",
        room / "deep" / "d.png",
    )
    jobs, errors = plan([room], out)
    assert errors == []
    assert jobs == [
        Job(room / "a.jpg", "picture", out / "a.png"),
        Job(room / "b.png", "picture", out / "b.png"),
        Job(room / "c.mp4", "video", out, "c"),
    ]


def test_no_output_is_written_twice(tmp_path: Path) -> None:
    inputs = [tmp_path / "1" / "a.jpg", tmp_path / "2" / "A.png", tmp_path / "3" / "a.jpg", tmp_path / "a.mp4"]
    touch(*inputs)
    jobs, _ = plan(inputs, tmp_path / "out")
    assert [job.prefix or job.output.name for job in jobs] == ["a.jpg.png", "A.png.png", "a.jpg-2.png", "a.mp4"]


def test_missing_and_empty_inputs_leave_the_others(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "a.png")
    jobs, errors = plan([tmp_path / "none.png", tmp_path / "empty", tmp_path / "a.png"], tmp_path / "out")
    assert [job.input.name for job in jobs] == ["a.png"]
    assert [path.name for path, _ in errors] == ["none.png", "empty"]


def test_several_inputs_go_into_a_folder_whatever_is_missing(stylize: Any, tmp_path: Path) -> None:
    save_picture(tmp_path / "b.png", noise(8, 8))
    status, out, err = stylize("none.jpg", "b.png", "-o", "many")
    assert (status, out) == (2, os.path.join("many", "b.png") + "\n")
    assert err.count("\n") == 1 and "none.jpg" in err
    (tmp_path / "taken").write_bytes(b"a file")
    status, out, err = stylize("none.jpg", "b.png", "-o", "taken")
    lines = err.splitlines()
    assert (status, out, len(lines)) == (2, "", 2) and "none.jpg" in lines[0] and "taken is a file" in lines[1]
    assert stylize("b.png", "b.png", "-o", "one.png")[:2] == (0, "one.png\n")


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        (["a.png"], "a.png"),
        (["a.png"], "./sub/../a.png"),
        (["a.png", "b.png"], "."),
        (["."], "."),
        (["a.mp4"], "a.mp4"),
        (["a.mp4", "a_000001.png"], "."),
        (["A.mp4", "a_000001.png"], "."),  # the same where file systems do not tell capitals
    ],
)
def test_an_input_is_never_overwritten(inputs: list[str], output: str, tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.png", "b.png", "a.mp4", "A.mp4", "a_000001.png")))
    (tmp_path / "sub").mkdir()
    with pytest.raises(SettingsError, match="would be overwritten"):
        plan([tmp_path / name for name in inputs], tmp_path / output)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_nor_through_a_link(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    for name in ("link.png", "hard.png"):
        with pytest.raises(SettingsError, match="would be overwritten"):
            plan([tmp_path / "a.png"], tmp_path / name)


@pytest.mark.parametrize("typed", ["style.png", "0.5*great_wave+0.5*style.png"])
@pytest.mark.parametrize("output", ["style.png", "none/../style.png", "link.png", "."])
def test_nor_is_the_style(
    typed: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "no.toml"))
    save_picture(tmp_path / "style.png", noise(40, 40))
    if output == "link.png":
        if os.name == "nt":
            pytest.skip("links need rights on Windows")
        (tmp_path / "link.png").symlink_to("style.png")
    (tmp_path / "in").mkdir()
    save_picture(tmp_path / "in" / "style.jpg", noise(40, 40, 1))
    before = (tmp_path / "style.png").read_bytes(), sorted(os.listdir(tmp_path))
    assert cli.main(["stylize", "in/style.jpg", "-o", output, "--style", typed]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "style.png is the style and would be overwritten" in err
    assert ((tmp_path / "style.png").read_bytes(), sorted(os.listdir(tmp_path))) == before


@pytest.mark.parametrize(
    ("name", "output"), [("a.png", "b.mp4"), ("a.png", "b"), ("a.mp4", "b.png"), ("a.mp4", "b.xyz")]
)
def test_outputs_of_the_wrong_kind(name: str, output: str, tmp_path: Path) -> None:
    touch(tmp_path / name)
    with pytest.raises(SettingsError, match="which kind"):
        plan([tmp_path / name], tmp_path / output)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png")
    with pytest.raises(SettingsError, match="is a file"):
        plan([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "c.png")


@pytest.mark.parametrize(
    ("text", "folder"), [("out/", True), (".", True), ("a/..", False), ("out", False), ("", False)]
)
def test_what_only_a_folder_is_called(text: str, folder: bool) -> None:
    assert typed_as_folder(text) is folder


# What is done to a picture


@pytest.mark.parametrize("layout", ["mono", "sbs", "tb"])
@given(height=st.integers(2, 9), width=st.integers(2, 9), seed=st.integers(0, 99))
@hypothesis_settings(deadline=None, max_examples=20)
def test_joining_undoes_splitting(layout: Any, height: int, width: int, seed: int) -> None:
    picture = noise(height, width, seed)
    whole = joined(split(picture, layout), layout)
    assert np.array_equal(whole, picture[: whole.shape[0], : whole.shape[1]])
    assert picture.shape[0] - whole.shape[0] <= 1 and picture.shape[1] - whole.shape[1] <= 1


def test_half_width_eyes_keep_their_size() -> None:
    ramp = np.repeat(np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], 6, 0), 3, 2)  # (6, 20, 3)
    whole = joined(split(ramp, "half-sbs"), "half-sbs")
    assert whole.shape == ramp.shape
    assert np.abs(whole.astype(int) - ramp)[:, 1:9].max() <= 1, "inside an eye a ramp stays a ramp"


def test_half_height_eyes_are_joined_as_half_width_ones_are() -> None:
    picture = noise(12, 20)
    on_its_side = np.ascontiguousarray(picture.swapaxes(0, 1))
    whole = joined(split(picture, "half-tb"), "half-tb")
    assert np.array_equal(whole, joined(split(on_its_side, "half-sbs"), "half-sbs").swapaxes(0, 1))


@pytest.mark.parametrize("layout", ["mono", "sbs", "half-sbs", "tb", "half-tb"])
@pytest.mark.parametrize("preserve_color", [False, True])
def test_strength_0_is_the_source_bit_for_bit(layout: Any, preserve_color: bool) -> None:
    picture = noise(10, 12)
    assert np.array_equal(painted(picture, Look(layout, 0.0, preserve_color), invert, None), picture)


def test_strength_blends() -> None:
    source, painting = noise(9, 7, 1), noise(9, 7, 2)
    assert np.array_equal(blended(source, painting, 1.0), painting)
    exact = source + 0.3 * (painting.astype(float) - source)
    assert np.abs(blended(source, painting, 0.3) - exact).max() <= 0.501


def test_both_eyes_go_in_one_batch() -> None:
    seen: list[tuple[int, ...]] = []

    def record(eyes: Pictures, elapsed: float | None) -> Pictures:
        seen.append(eyes.shape)
        return eyes

    for layout in ("mono", "sbs", "half-sbs", "tb", "half-tb"):
        painted(noise(8, 12), Look(layout), record, None)
    assert seen == [(1, 8, 12, 3), (2, 8, 6, 3), (2, 8, 12, 3), (2, 4, 12, 3), (2, 8, 12, 3)]


def test_preserved_colors() -> None:
    """Luminance is the painting's and chroma the source's, wherever nothing had to be clipped."""
    weights = np.array([0.299, 0.587, 0.114])
    source = np.random.default_rng(0).integers(100, 156, (20, 20, 3)).astype(np.uint8)
    painting = np.random.default_rng(1).integers(80, 176, (20, 20, 3)).astype(np.uint8)
    result = with_colors_of(source, painting).astype(float)
    assert np.abs(result @ weights - painting @ weights).max() <= 0.51
    chroma = [p - (p @ weights)[..., None] for p in (result, source.astype(float))]
    assert np.abs(chroma[0] - chroma[1]).max() <= 1.01


def test_size_is_that_of_the_longer_side() -> None:
    for longer, wanted in ((10, (5, 10)), (40, (20, 40)), (20, (10, 20))):
        assert painted(noise(10, 20), Look(size=longer), invert, None).shape == (*wanted, 3)


@pytest.mark.parametrize("layout", ["sbs", "half-sbs", "tb", "half-tb"])
@pytest.mark.parametrize("size", [10, 33, 50, 64, 100])
def test_eyes_do_not_mix_when_they_are_resized(layout: Any, size: int) -> None:
    stacked = layout in ("tb", "half-tb")
    picture = np.zeros((64, 20, 3) if stacked else (20, 64, 3), np.uint8)
    picture[np.s_[32:] if stacked else np.s_[:, 32:]] = 255
    result = painted(picture, Look(layout, size=size), lambda eyes, elapsed: eyes, None)
    first, second = split(result, "tb" if stacked else "sbs")
    assert (first == 0).all() and (second == 255).all()
    assert max(result.shape) == size // 2 * 2 and min(result.shape[:2]) == round(20 * size / 64)


# Files


def run_jobs(jobs: list[Job], look: Look | None = None) -> tuple[offline.Outcome, list[str]]:
    lines: list[str] = []
    return paint_all(jobs, look or Look(), lambda _: invert, lines.append), lines


def test_a_picture_file(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise(10, 12))
    outcome, lines = run_jobs([Job(tmp_path / "a.png", "picture", tmp_path / "new" / "b.png")])
    assert lines == [] and np.array_equal(load_picture(tmp_path / "new" / "b.png"), 255 - noise(10, 12))
    (done,) = outcome.outputs
    assert (done["width"], done["height"], done["frames"], done["eyes"]) == (12, 10, 1, 1)


def test_memory_that_opencv_does_not_get_costs_a_line_too(tmp_path: Path) -> None:
    jobs = [Job(tmp_path / name, "picture", tmp_path / f"{name}.png") for name in ("a", "b")]
    said: list[str] = []

    def work(job: Job) -> dict[str, Any]:
        if job.input.name == "a":
            raise cv2.error(
                "(-4:Insufficient memory) Failed to allocate 671072256 bytes in function 'OutOfMemoryError'"
            )
        return {}

    outcome = each_job(jobs, work, said.append)
    assert [row["input"] for row in outcome.outputs] == [str(tmp_path / "b")]
    assert len(said) == 1 and "memory does not suffice. Paint it smaller with --size" in said[0]

    def defect(_: Job) -> dict[str, Any]:
        raise AttributeError("'Job' object has no attribute 'allocate'")

    with pytest.raises(AttributeError):
        each_job(jobs, defect, said.append)


def test_a_bad_file_costs_a_line_and_the_others_are_painted(tmp_path: Path) -> None:
    save_picture(tmp_path / "good.png", noise(8, 8))
    good = (tmp_path / "good.png").read_bytes()
    for name, content in {"empty.png": b"", "cut.png": good[:-40], "text.jpg": b"hello", "no.mp4": b"hello"}.items():
        (tmp_path / name).write_bytes(content)
    names = ["empty.png", "cut.png", "text.jpg", "no.mp4", "absent.png", "good.png"]
    jobs = [Job(tmp_path / n, "video" if n.endswith("mp4") else "picture", tmp_path / "out" / n) for n in names]
    outcome, lines = run_jobs(jobs)
    assert [Path(done["input"]).name for done in outcome.outputs] == ["good.png"]
    assert len(lines) == len(outcome.errors) == 5
    assert all(name in line and "\n" not in line for name, line in zip(names, lines, strict=False))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.png"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_a_video_becomes_a_video(suffix: str, tmp_path: Path) -> None:
    source, target = film(tmp_path / "film.mp4"), tmp_path / f"out{suffix}"
    outcome, lines = run_jobs([Job(source, "video", target)])
    assert lines == [] and outcome.outputs[0]["frames"] == 5
    with VideoReader(target) as video:
        assert (video.width, video.height) == (64, 48) and video.rate == pytest.approx(12.0)
        means = [float(picture.mean()) for picture in video]
    assert means == pytest.approx([255 - 40 * n for n in range(5)], abs=6)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["film.mp4", f"out{suffix}"])


def test_a_video_keeps_red_red_and_up_up(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :, 0] = 200  # red above, blue below
    picture[32:, :, 2] = 200
    with VideoWriter(tmp_path / "film.mp4", 10.0) as writer:
        writer.write(picture)
    with VideoReader(tmp_path / "film.mp4") as video:
        (seen,) = list(video)
    assert np.abs(seen[8:24].mean((0, 1)) - [200, 0, 0]).max() < 20
    assert np.abs(seen[40:56].mean((0, 1)) - [0, 0, 200]).max() < 20


def test_a_video_becomes_numbered_pictures(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", frames=3)
    _, lines = run_jobs([Job(source, "video", tmp_path / "frames", "film")])
    assert lines == []
    names = sorted(p.name for p in (tmp_path / "frames").iterdir())
    assert names == ["film_000001.png", "film_000002.png", "film_000003.png"]


def test_pictures_of_a_longer_film_that_are_still_there_are_told_of(tmp_path: Path) -> None:
    """Who makes a film of them again would have the old one's end behind the new one's."""
    said: list[str] = []
    for frames in (5, 3):
        job = Job(film(tmp_path / "film.avi", frames), "video", tmp_path / "out", "film")
        outcome = paint_all([job], Look(), lambda kind: invert, said.append)
    assert said == [f"{tmp_path / 'out'} holds 2 older pictures behind the last one of {tmp_path / 'film.avi'}."]
    assert outcome.outputs[0]["notice"] == said[0] and len(os.listdir(tmp_path / "out")) == 5


def test_frames_of_a_film_know_the_time_since_the_last(tmp_path: Path) -> None:
    seen: list[float | None] = []

    def note(eyes: Pictures, elapsed: float | None) -> Pictures:
        seen.append(elapsed)
        return eyes

    paint_all([Job(film(tmp_path / "a.mp4"), "video", tmp_path / "b.mp4")], Look(), lambda _: note, print)
    assert seen == [None, *[pytest.approx(1 / 12)] * 4]


def test_odd_sizes_lose_a_line_in_a_video(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "odd.mp4", 10.0) as writer:
        writer.write(noise(49, 65))
    with VideoReader(tmp_path / "odd.mp4") as video:
        assert (video.width, video.height) == (64, 48)


def test_the_report_has_the_size_that_the_film_has(stylize: Any, tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", frames=2)
    status, out, _ = stylize("film.mp4", "-o", "odd.mp4", "--size", "25", "--strength", "0", "--json")
    (told,) = json.loads(out)["outputs"]
    with VideoReader(tmp_path / "odd.mp4") as video:
        assert (status, told["width"], told["height"]) == (0, video.width, video.height)
    assert told["width"] % 2 == told["height"] % 2 == 0


@pytest.mark.parametrize("name", ["film.divx", "film", "film.old"])
def test_a_film_may_be_called_anything(name: str, stylize: Any, tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", frames=2)
    (tmp_path / "film.mp4").rename(tmp_path / name)
    status, out, err = stylize(name, "-o", "painted.mp4", "--strength", "0")
    assert (status, out, err) == (0, "painted.mp4\n", "")
    (tmp_path / "frames").mkdir()
    for folder in ("frames", "others", "new/"):
        status, out, err = stylize(name, "-o", folder, "--strength", "0")
        assert (status, err) == (0, "") and len(list((tmp_path / folder).iterdir())) == 2
    save_picture(tmp_path / "a.png", noise(20, 20))
    (tmp_path / "a.png").rename(tmp_path / "a.old")
    assert stylize("a.old", "-o", "painted.mp4")[0] == 2, "a picture becomes no film"
    for notes in ("notes", "notes.txt", "list.ffconcat"):  # FFmpeg would draw a text, letter by letter
        (tmp_path / notes).write_text(f"ffconcat version 1.0\nfile {name}\n" if "." in notes else "neither")
        status, _, err = stylize(notes, "-o", "frames")
        assert status == 2 and "not a picture that can be read" in err
        status, _, err = stylize(notes, "-o", "painted.mp4")
        assert status == 2 and "not a video that can be read" in err


def test_a_folder_that_cannot_be_made_is_named(stylize: Any, tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise(20, 20))
    status, _, err = stylize("a.png", "-o", f"a.png{os.sep}b.png")
    assert status == 2 and "the folder a.png cannot be made (File exists)" in err and err.count("\n") == 1
    status, _, err = stylize("a.png", "-o", f"a.png{os.sep}")
    assert status == 2 and "a.png is a file, and a folder is named like it" in err


def test_what_is_too_large_for_its_kind_of_file_is_refused_before_it_is_painted(stylize: Any, tmp_path: Path) -> None:
    """And the remedy helps."""
    save_picture(tmp_path / "long.png", noise(8, 16400))
    status, _, err = stylize("long.png", "-o", "long.webp", "--strength", "0")
    assert status == 2 and "WEBP holds no more than 16383" in err and err.count("\n") == 1
    assert stylize("long.png", "-o", "long.webp", "--strength", "0", "--size", "16383")[0] == 0
    with pytest.raises(PictureError, match=r"JPEG holds no more than 65500.*\.png"):
        save_picture(tmp_path / "long.jpg", np.zeros((1, 65501, 3), np.uint8))
    with pytest.raises(SourceError, match=r"8191 in a row.*--size 8190"), VideoWriter(tmp_path / "a.mp4", 9) as writer:
        writer.write(np.zeros((2, 8192, 3), np.uint8))
    with VideoWriter(tmp_path / "a.mp4", 9) as writer:
        writer.write(np.zeros((2, 8191, 3), np.uint8))  # of which the last column is left out
    (tmp_path / "a.mp4").unlink()
    job = Job(film(tmp_path / "film.mp4"), "video", tmp_path / "a.mp4")
    said: list[str] = []
    outcome = paint_all([job], Look(size=9000), lambda kind: lambda eyes, _: pytest.fail("it is painted"), said.append)
    assert not outcome.outputs and "films hold no more than 8191" in said[0]
    (tmp_path / "film.mp4").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.png", "long.webp"]


def test_a_film_may_have_a_name_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    """255 bytes: of letters that take four each not 60."""
    with VideoWriter(tmp_path / ("\U00010348" * 62 + ".mp4"), 9) as writer:
        writer.write(noise(16, 16))
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]


def test_a_video_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"the old one")
    with pytest.raises(RuntimeError), VideoWriter(target, 10.0) as writer:
        writer.write(noise(32, 32))
        raise RuntimeError
    assert target.read_bytes() == b"the old one" and list(tmp_path.iterdir()) == [target]


@pytest.fixture()
def small_disk() -> Iterator[None]:
    """No file grows beyond 50 kB: to whoever writes one, the disk is full."""
    resource = pytest.importorskip("resource")  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_video(suffix: str, tmp_path: Path, small_disk: None) -> None:
    path = film(tmp_path / f"film{suffix}")
    old = path.read_bytes()
    with pytest.raises(SourceError, match="space left"), VideoWriter(path, 10.0) as writer:
        for number in range(12):
            writer.write(noise(240, 320, number))
    assert path.read_bytes() == old and os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rate", [0.5, 23.976, 120.0])
def test_all_pictures_are_counted_at_any_rate(suffix: str, rate: float, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / f"film{suffix}", rate) as writer:
        for number in range(7):
            writer.write(noise(32, 48, number))
    with VideoReader(writer.path) as video:
        assert len(list(video)) == 7


def test_a_video_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "a.mp4", tmp_path / "a.txt"):
        with pytest.raises(SourceError), VideoWriter(path, 10.0) as writer:
            writer.write(noise(32, 32))
    assert list(tmp_path.iterdir()) == []


# All of it, with a real network


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights: it paints nonsense, but always the same."""
    torch = pytest.importorskip("torch")
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.fast import FastNetwork

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("style") / "random.safetensors"
    save_network(path, FastNetwork(quarter=8, eighth=8, half=8, blocks=1).eval())
    return path


@pytest.fixture
def stylize(style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in ``tmp_path``; (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "none.toml"))

    def run(*words: str) -> tuple[int, str, str]:
        status = cli.main(["stylize", *words, "--style", str(style), "--device", "cpu", "--engine", "torch"])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_command_paints(stylize: Any, tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise(37, 51))
    assert stylize("a.png", "-o", "b.png") == (0, "b.png\n", "")
    assert load_picture(tmp_path / "b.png").shape == (37, 51, 3)
    status, out, err = stylize("a.png", "-o", "c.png", "--strength", "0", "--json")
    report = json.loads(out)
    assert (status, err, report["errors"]) == (0, "", [])
    assert report["outputs"][0] | {"seconds": 0} == {
        "input": "a.png", "output": "c.png", "kind": "picture", "eyes": 1, "seconds": 0, "width": 51, "height": 37,
        "frames": 1, "engine": "torch", "precision": "fp32", "device": "cpu",
    }  # fmt: skip
    assert np.array_equal(load_picture(tmp_path / "c.png"), noise(37, 51))


def test_on_windows_a_pattern_is_all_of_its_files(
    stylize: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_path, "os", SimpleNamespace(name="nt", path=os.path, sep=os.sep))
    for name in ("a.png", "b.png"):
        save_picture(tmp_path / name, noise(16, 16))
    status, out, err = stylize("?.png", "-o", "painted", "--strength", "0")
    assert (status, sorted(Path(line).name for line in out.splitlines()), err) == (0, ["a.png", "b.png"], "")
    status, out, err = stylize("*.bmp", "-o", "painted")
    assert status == 2 and "*.bmp" in err and err.count("\n") == 1


def test_eyes_that_see_the_same_get_the_same(stylize: Any, tmp_path: Path) -> None:
    eye = noise(32, 32)
    save_picture(tmp_path / "mono.png", eye)
    save_picture(tmp_path / "same.png", np.concatenate([eye, eye], axis=1))
    assert stylize("mono.png", "-o", "one.png")[0] == 0
    assert stylize("same.png", "-o", "two.png", "--layout", "sbs")[0] == 0
    one, two = load_picture(tmp_path / "one.png"), load_picture(tmp_path / "two.png")
    assert np.array_equal(two[:, :32], two[:, 32:])
    assert np.abs(two[:, :32].astype(int) - one).max() <= 1


def test_statistics_are_shared_between_the_eyes(stylize: Any, tmp_path: Path) -> None:
    """What is flat grey in one eye is painted otherwise beside a dark other eye than beside a bright one."""
    left = noise(32, 32)
    for name, right in (("dark", left // 4), ("bright", 255 - left // 4)):
        save_picture(tmp_path / f"{name}.png", np.concatenate([left, right], axis=1))
        assert stylize(f"{name}.png", "-o", f"{name}_painted.png", "--layout", "sbs")[0] == 0
    dark, bright = (load_picture(tmp_path / f"{name}_painted.png")[:, :32].astype(int) for name in ("dark", "bright"))
    assert np.abs(dark - bright).max() > 1


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (16, 16)])
def test_the_smallest_pictures(stylize: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    save_picture(tmp_path / "a.png", noise(*size))
    assert stylize("a.png", "-o", "b.png")[0] == 0
    assert load_picture(tmp_path / "b.png").shape == (*size, 3)


def test_a_stereo_film_and_a_bad_picture_in_a_folder(stylize: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "film.mp4", frames=3)
    (tmp_path / "in" / "bad.png").write_bytes(b"nothing")
    save_picture(tmp_path / "in" / "good.png", noise(20, 20))
    status, out, err = stylize("in", "-o", "out", "--layout", "sbs", "--json")
    report = json.loads(out)
    assert status == 2 and err.count("\n") == 1 and "bad.png" in err
    assert [(o["input"], o["frames"], o["eyes"]) for o in report["outputs"]] == [
        (os.path.join("in", "film.mp4"), 3, 2),
        (os.path.join("in", "good.png"), 1, 2),
    ]
    assert len(report["errors"]) == 1
    assert sorted(os.listdir("out")) == ["film_000001.png", "film_000002.png", "film_000003.png", "good.png"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.png", "-o", "b.png"], "none.png"),
        (["a.png", "-o", "a.png"], "overwritten"),
        (["a.png", "-o", ""], "empty"),
        (["a.png", "-o", "b.png", "--precision", "xnor"], "binarised"),
    ],
)
def test_errors_are_one_line(words: list[str], says: str, stylize: Any, tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise(8, 8))
    before = (tmp_path / "a.png").read_bytes()
    status, out, err = stylize(*words)
    assert (status, out) == (2, "") and err.count("\n") == 1 and says.lower() in err.lower()
    assert (tmp_path / "a.png").read_bytes() == before


def test_damaged_weights_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "none.toml"))
    save_picture(tmp_path / "a.png", noise(8, 8))
    (tmp_path / "bad.safetensors").write_bytes(b"\0" * 100)
    words = [
        "stylize",
        str(tmp_path / "a.png"),
        "-o",
        str(tmp_path / "b.png"),
        "--style",
        str(tmp_path / "bad.safetensors"),
    ]
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "bad.safetensors" in captured.err and not (tmp_path / "b.png").exists()


def test_memory_that_does_not_suffice_is_said(style: Path) -> None:
    from artem_vr.offline.brush import Brush, load_style
    from artem_vr.settings import Settings
    from artem_vr.styles.library import Library

    class Poor:
        name, precision, device = "torch", "fp32", "cpu"

        def prepare(self, *_: object) -> Any:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    brush = Brush(load_style(Library(), str(style), Settings()), Settings(device="cpu"), still=True)
    brush.engine = Poor()  # type: ignore[assignment]
    with pytest.raises(ArtemError, match="--size"):
        brush(noise(8, 8)[None], None)


class FailingGpu:
    """Paints as the processor does, ``paintings`` times; then it fails as CUDA does, and goes on to."""

    name, precision, device = "torch", "fp32", "cuda"

    def __init__(self, paintings: int) -> None:
        from artem_vr.stylize.engines.torch_engine import TorchEngine

        self.left, self.failed, self._engine = paintings, False, TorchEngine("cpu", "fp32")

    def prepare(self, *place: Any) -> Any:
        self._check()
        painter: Any = self._engine.prepare(*place)
        paint = painter.paint

        def painted(*inputs: Any) -> Any:
            self._check()
            self.left -= 1
            return paint(*inputs)

        painter.paint = painted
        painter.close = lambda: self._check() if self.failed else None
        return painter

    def _check(self) -> None:
        if not self.left:
            self.failed = True
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might ...")


@pytest.fixture
def failing_gpu(monkeypatch: pytest.MonkeyPatch) -> FailingGpu:
    """What --device cuda finds."""
    from artem_vr.stylize.engines import choose_engine

    gpu = FailingGpu(3)
    monkeypatch.setattr(
        "artem_vr.offline.brush.choose_engine", lambda *asked: gpu if asked[1] == "cuda" else choose_engine(*asked)
    )
    monkeypatch.setattr("artem_vr.hardware.cuda_failure", lambda: "" if gpu.left else "CUDA error")
    return gpu


def test_where_the_gpu_fails_for_good_the_processor_paints_on(
    failing_gpu: FailingGpu, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """In the middle of a film: it is as if the processor had painted all of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "none.toml"))
    (tmp_path / "in").mkdir()
    save_picture(tmp_path / "in" / "a.png", noise(40, 64))
    film(tmp_path / "in" / "b.mp4")
    save_picture(tmp_path / "in" / "c.png", noise(40, 64, 1))
    paint = ["stylize", "in", "--json", "--style", str(style), "--engine", "torch", "--precision", "fp32"]
    assert cli.main([*paint, "--device", "cpu", "-o", "truth"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main([*paint, "--device", "cuda", "-o", "out"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "GPU has failed, the processor paints on" in printed.err
    assert [done["device"] for done in json.loads(printed.out)["outputs"]] == ["cuda", "cpu", "cpu"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.png", "b_000001.png", "b_000002.png", "b_000003.png", "b_000004.png", "b_000005.png", "c.png"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "truth" / name).read_bytes()


def test_what_fails_on_a_sound_gpu_is_no_failure_of_that(
    failing_gpu: FailingGpu, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setattr("artem_vr.hardware.cuda_failure", lambda: "")
    failing_gpu.left = 0
    save_picture(tmp_path / "a.png", noise(40, 64))
    words = ["stylize", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--style", str(style)]
    with pytest.raises(RuntimeError, match="illegal memory access"):
        cli.main([*words, "--device", "cuda"])
    assert not (tmp_path / "b.png").exists()


def test_a_sheet_goes_on_without_the_gpu(
    failing_gpu: FailingGpu, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artem_vr.offline.style_sheet import style_sheet
    from artem_vr.settings import Settings
    from artem_vr.styles.library import Library

    failing_gpu.left, own, lines = 1, tmp_path / "own", list[str]()
    own.mkdir()
    for name in ("one", "two", "three"):
        (own / f"{name}.safetensors").write_bytes(style.read_bytes())
    save_picture(tmp_path / "a.png", noise(40, 64))
    library, settings = Library(tmp_path / "nothing", own), Settings(device="cuda")
    shown = style_sheet(library, tmp_path / "a.png", tmp_path / "sheet.png", settings, lines.append)
    assert (shown["styles"], shown["errors"]) == (["one", "three", "two"], [])
    assert len(lines) == 1 and "GPU has failed" in lines[0]


@pytest.mark.parametrize("taken", [[], ["film-2.mp4"]])
def test_a_film_is_not_thrown_away_where_the_old_one_cannot_be_replaced(
    taken: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows while a player has it open."""
    replace, goal = os.replace, film(tmp_path / "film.mp4")
    old = goal.read_bytes()
    for name in taken:
        (tmp_path / name).touch()

    def refuse(one: Path, other: Path) -> None:
        if other == goal:
            raise PermissionError(13, "in use")
        replace(one, other)

    monkeypatch.setattr(os, "replace", refuse)
    kept = tmp_path / f"film-{2 + len(taken)}.mp4"
    with pytest.raises(SourceError, match=f"the film is in {kept}"), VideoWriter(goal, 10.0) as writer:
        for number in range(3):
            writer.write(noise(32, 48, number))
    assert goal.read_bytes() == old
    with VideoReader(kept) as video:
        assert len(list(video)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([goal.name, *taken, kept.name])


@pytest.mark.parametrize("rate", [119.8765, 239.967, 23.976, 240.0, 59.94, 0.5])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_rate_of_a_film_can_be_written(suffix: str, rate: float, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / f"film{suffix}", rate) as writer:
        for number in range(3):
            writer.write(noise(32, 48, number))
    with VideoReader(writer.path) as video:
        assert video.rate == pytest.approx(rate, rel=0.001)


def test_frames_of_a_film_and_pictures_called_so_do_not_meet(tmp_path: Path) -> None:
    for name in ("film.mp4", "film_000001.png", "film_2.png", "film_title.png", "other_000001.png"):
        (tmp_path / name).touch()
    jobs, errors = plan([tmp_path], tmp_path / "out")
    assert not errors
    outputs = sorted(job.output.name for job in jobs if job.prefix is None)
    assert outputs == ["film_000001.png.png", "film_2.png.png", "film_title.png", "other_000001.png"]


def test_bits_that_the_file_wants_give_way_to_a_style_without_them(stylize: Any, tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", noise(8, 8))
    (tmp_path / "none.toml").write_text('precision = "xnor"\n')
    status, out, err = stylize("a.png", "-o", "b.png")
    assert (status, out) == (0, "b.png\n") and err.count("\n") == 1 and "binarised" in err


@pytest.mark.parametrize(
    ("names", "outputs"),
    [
        (["clip.mp4", "clip.avi", "clip.mp4_000001.jpg"], ["clip.mp4", "clip.avi", "clip.mp4_000001-2.png"]),
        (["clip.mp4_000001.jpg", "a/clip.mp4", "b/clip.mp4", "clip.mp4-2_000001.jpg"],
         ["clip.mp4_000001-2.png", "clip.mp4", "clip.mp4-2", "clip.mp4-2_000001-2.png"]),
    ],
)  # fmt: skip
def test_nor_where_films_share_their_name(names: list[str], outputs: list[str], tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in names]
    touch(*inputs)
    jobs, _ = plan(inputs, tmp_path / "out")
    assert [job.prefix or job.output.name for job in jobs] == outputs


def test_the_settings_of_a_run_do_not_change_what_is_painted_into_files(
    stylize: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "a.png", noise(40, 64))
    assert stylize("a.png", "-o", "b.png")[0] == 0
    (tmp_path / "none.toml").write_text('strength = 0.1\nlayout = "sbs"\npreserve_color = true\n')
    monkeypatch.setenv("ARTEM_VR_STRENGTH", "0.2")
    assert stylize("a.png", "-o", "c.png")[0] == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_several_files_do_not_go_into_a_folder_called_like_a_picture(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "photos" / name).touch()
    for output in ("painted.png", "painted.mp4"):
        with pytest.raises(SettingsError, match="called like one file"):
            plan([tmp_path / "photos"], tmp_path / output)
    jobs, _ = plan([tmp_path / "photos"], tmp_path / "painted.png", into_folder=True)  # a separator was typed
    assert len(jobs) == 2


def test_films_and_pairs_are_steadied_and_each_begins_with_its_own_strokes(style: Path) -> None:
    """What differs between these frames, and between their eyes, is a camera's noise."""

    from artem_vr.offline.brush import Brush, load_style
    from artem_vr.settings import Settings, Steadying
    from artem_vr.styles.library import Library

    random = np.random.default_rng(0)
    scene = cv2.GaussianBlur(random.normal(0, 1, (96, 128, 3)), (0, 0), 2)
    scene = 128 + 40 * scene / scene.std()
    frames = [np.clip(scene + random.normal(0, 4, (2, 96, 128, 3)), 0, 255).astype(np.uint8) for _ in range(3)]

    def painted(steadying: Steadying) -> tuple[float, float]:
        """How much eyes differ, and frames."""
        settings = Settings(device="cpu", engine="torch", precision="fp32", steadying=steadying)
        brush = Brush(load_style(Library(), str(style), settings), settings, still=False)
        film = [brush(eyes, 0.04 if number else None).astype(float) for number, eyes in enumerate(frames)]
        assert np.array_equal(brush(frames[0], None), film[0])  # another film
        brush.close()
        return float(np.abs(film[2][0] - film[2][1]).mean()), float(np.abs(film[2] - film[1]).mean())

    (eyes, motion), (bare_eyes, bare_motion) = painted("auto"), painted("never")
    assert eyes < 0.6 * bare_eyes and motion < 0.6 * bare_motion


def test_photographs_have_a_ground_and_so_has_what_is_steadied(stylize: Any, tmp_path: Path) -> None:
    """What is flat is painted flat; on the ground it has strokes."""
    save_picture(tmp_path / "flat.png", np.full((64, 96, 3), 120, np.uint8))
    film(tmp_path / "flat.mkv", frames=1, height=64, width=96)

    def unevenness(*words: str) -> float:
        assert stylize("flat.png", "-o", "painted.png", *words)[0] == 0
        return float(load_picture(tmp_path / "painted.png").std(axis=(0, 1)).mean())

    assert unevenness("--ground", "0") == 0 < unevenness("--ground", "0.1")
    assert unevenness() == unevenness("--ground", "0.5") > 1
    for words, smooth in ((("--ground", "0"), True), (("--steadying", "never"), True), ((), False)):
        assert stylize("flat.mkv", "-o", "frames/", *words)[0] == 0
        (frame,) = (load_picture(path) for path in (tmp_path / "frames").rglob("*.png"))
        assert (frame.std() < 1) == smooth


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", [b"take:2", b"caf\xe9", "é".encode() * 120])
def test_outputs_may_be_called_anything(name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """... also with nearly as many bytes as a name can have."""
    monkeypatch.chdir(tmp_path)
    stem = os.fsdecode(name)
    film(tmp_path / "film.mp4")
    save_picture(tmp_path / "photo.png", noise(32, 32))
    jobs = [
        Job(tmp_path / "film.mp4", "video", Path(f"{stem}.mp4")),
        Job(tmp_path / "photo.png", "picture", Path(f"{stem}.png")),
    ]
    outcome, lines = run_jobs(jobs)
    assert lines == [] and len(outcome.outputs) == 2
    with VideoReader(Path(f"{stem}.mp4")) as video:
        assert len(list(video)) == 5
    for recorded in (f"{stem}.mp4", f"{stem}.png"):
        recorder = Recorder(recorded)
        recorder.put(noise(32, 32), 0.0)
        assert recorder.close(60) and recorder.failure == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["film.mp4", "photo.png", f"{stem}.mp4", f"{stem}.png"]
    )


def test_a_file_that_is_named_in_two_ways_is_painted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_picture(Path("photo.png"), noise(8, 8))
    jobs, errors = offline.plan(
        [Path("photo.png"), tmp_path / "photo.png", Path()], Path("painted"), True, lambda line: None
    )
    assert [job.input for job in jobs] == [Path("photo.png")] and errors == []


@pytest.mark.parametrize("name", [name for name in REQUESTS if hasattr(signal, name)])
def test_a_request_to_end_ends_it_in_order(name: str, tmp_path: Path) -> None:
    """As Ctrl-C does: begun files go, and an hour of optimising is kept."""
    code = (
        "import signal, sys\n"
        f"signal.signal(signal.{name}, signal.SIG_DFL)\n"  # also where the tests run under nohup
        "from artem_vr import cli\n"
        "from artem_vr.offline import files\n"
        "def stylize(*_):\n"
        "    try:\n"
        f"        signal.raise_signal(signal.{name})\n"
        "    finally:\n"
        "        print('in order')\n"
        "files.stylize = stylize\n"
        "sys.exit(cli.main(['stylize', 'a.png', '-o', 'b.png']))\n"
    )
    save_picture(tmp_path / "a.png", noise(32, 32))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "in order\n"), done.stderr
