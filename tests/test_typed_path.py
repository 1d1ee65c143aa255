"""What is typed finds the files that are meant."""

from __future__ import annotations

import os
import types
from pathlib import Path

import numpy as np
import pytest

from artem_vr import typed_path
from artem_vr.cli import main
from artem_vr.live.record import Recorder
from artem_vr.sources.pictures import save_picture
from artem_vr.typed_path import named, path_of, paths_of


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path


def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what `typed_path` asks: pathlib and glob keep this system's ways."""
    windows = types.SimpleNamespace(**vars(os))
    windows.name = "nt"
    monkeypatch.setattr(typed_path, "os", windows)


def test_the_tilde_is_the_home(place: Path) -> None:
    assert path_of("~/a.jpg") == place / "home" / "a.jpg"


def test_a_name_that_begins_with_a_tilde_is_a_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is called so: Windows takes any name for a user's."""
    (place / "~backup.jpg").touch()
    monkeypatch.setattr(Path, "expanduser", lambda path: place / "Users" / path.name[1:])
    assert path_of("~backup.jpg") == Path("~backup.jpg")
    assert path_of("~other.jpg") == place / "Users" / "other.jpg"


def test_what_is_to_be_written_may_begin_with_a_tilde(place: Path) -> None:
    assert named("~/a.png") == paths_of("~/a.png")[0] == place / "home" / "a.png"
    for other in ("~a.png", "a/~/b.png", "~", ""):
        assert named(other) == Path(other)
    (place / "~").mkdir()
    (place / "~" / "a.png").touch()
    assert named("~/a.png") == Path("~/a.png"), "a file that is called so"


def test_nothing_is_written_into_a_folder_called_tilde(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a shell leaves it to us: those of Windows, and others in --output=~/a.png."""
    (place / "home").mkdir()
    save_picture(place / "home" / "photo.png", np.full((20, 30, 3), 99, np.uint8))
    assert main(["stylize", "~/photo.png", "--output=~/new/painted.png", "--strength", "0"]) == 0
    assert (place / "home" / "new" / "painted.png").is_file()
    for words in (
        ["bench", "--weights=~/none.safetensors"],
        ["train", "fast", "--content=~/none", "--style=~/photo.png", "--output=~/new.safetensors"],
        ["evaluate", "all", "--content=~/none", "--paintings=~/none"],
    ):
        assert main(words) == 2
        assert str(place / "home" / "none") in capsys.readouterr().err
    recorder = Recorder("~/film.mp4")
    recorder.close()
    assert recorder.path == place / "home" / "film.mp4"
    assert sorted(path.name for path in place.iterdir()) == ["home"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("*.jpg", ["a.jpg", "b.jpg"]),
        ("in/?.jpg", ["in/c.jpg"]),
        ("a.jpg", ["a.jpg"]),
        ("a[[]1].*", ["a[[]1].*"]),
        ("a[1].*", ["a[1].png"]),
        ("*.bmp", ["*.bmp"]),
        ("", [""]),
    ],
)
def test_on_windows_patterns_are_put_in_full(
    place: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: list[str]
) -> None:
    on_windows(monkeypatch)
    (place / "in").mkdir()
    for name in ("b.jpg", "a.jpg", "a[1].png", "a1.png", "in/c.jpg"):
        (place / name).touch()
    assert paths_of(typed) == [Path(name) for name in meant]


def test_a_file_that_is_called_like_a_pattern_is_meant(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "a.jpg").touch()
    assert paths_of("*.jpg") == [Path("*.jpg")], "elsewhere the shell has done what is to be done"
    on_windows(monkeypatch)
    (place / "*.jpg").touch()
    assert paths_of("*.jpg") == [Path("*.jpg")]
