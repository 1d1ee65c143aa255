"""The library lists what is usable, names what is not, and never fails as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from artem_vr.errors import StyleError, WeightsError
from artem_vr.networks.checkpoint import load_network
from artem_vr.styles.library import Library, normalize

SUM = "0" * 64


def entry(name: str, /, **more: object) -> dict[str, object]:
    title = name.replace("_", " ").title()
    return {
        "name": name,
        "file": f"{name}.safetensors",
        "sha256": SUM,
        "title": title,
        "artist": "A",
        "year": "1889",
    } | more


def make(tmp_path: Path, *entries: object, version: object = 1) -> Library:
    shipped, own = tmp_path / "weights", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    for e in entries:
        if isinstance(e, dict) and str(e.get("file", "")).endswith(".safetensors"):
            (shipped / Path(str(e["file"])).name).write_bytes(b"weights")
    (shipped / "index.json").write_text(json.dumps({"version": version, "styles": list(entries)}))
    return Library(shipped, own)


def test_order_and_fields(tmp_path: Path) -> None:
    library = make(tmp_path, entry("the_scream"), entry("starry_night", network="fast"))
    (tmp_path / "own" / "My Style.safetensors").write_bytes(b"x")
    (tmp_path / "own" / "the_scream.safetensors").write_bytes(b"x")
    (tmp_path / "own" / "notes.txt").write_text("x")
    styles = library.styles()
    assert [s.name for s in styles] == ["the_scream", "starry_night", "my_style", "the_scream_own"]
    assert [s.kind for s in styles] == ["shipped", "shipped", "own", "own"]
    assert styles[1].network == "fast" and styles[1].sha256 == SUM and styles[1].year == "1889"
    assert styles[2].sha256 is None and library.problems == []


def test_find(tmp_path: Path) -> None:
    library = make(tmp_path, entry("starry_night"), entry("the_great_wave"))
    for name in ("starry_night", "Starry Night", "STARRY-NIGHT"):
        assert library.find(name).name == "starry_night"
    with pytest.raises(StyleError, match="Did you mean starry_night"):
        library.find("stary_nigth")
    with pytest.raises(StyleError, match="styles list"):
        library.find("qqqqqqqqqqqq")
    with pytest.raises(StyleError, match="picture"):
        library.find("holiday.JPG")
    with pytest.raises(StyleError, match="does not exist"):
        library.find("no/such.safetensors")
    path = tmp_path / "A file.safetensors"
    path.write_bytes(b"x")
    assert library.find(str(path)).path == path


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 1}', '{"version": 9, "styles": []}', '{"version":1,"styles":3}', "[" * 9999],
)
def test_a_broken_index_leaves_own_styles(tmp_path: Path, content: str) -> None:
    library = make(tmp_path)
    (tmp_path / "weights" / "index.json").write_text(content)
    (tmp_path / "own" / "mine.safetensors").write_bytes(b"x")
    assert [s.name for s in library.styles()] == ["mine"]
    assert len(library.problems) == 1 and "\n" not in library.problems[0]


def test_no_index_and_nothing_else(tmp_path: Path) -> None:
    library = Library(tmp_path / "no", tmp_path / "nothing")
    assert library.styles() == [] and len(library.problems) == 1
    with pytest.raises(StyleError):
        library.find("starry_night")


@pytest.mark.parametrize(
    "bad",
    [
        3, None, {}, entry("x", name=""), entry("x", name="X Y"), entry("x", sha256="12"), entry("x", title=5),
        entry("x", file="../x.safetensors"), entry("x", file="/etc/x.safetensors"), entry("x", file=".."),
        entry("x", file="..\\x.safetensors"), entry("x", file="C:x"), entry("good"), entry("y", file="absent"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_left_out(tmp_path: Path, bad: object) -> None:
    library = make(tmp_path, entry("good"), bad, entry("also_good"))
    assert [s.name for s in library.styles()] == ["good", "also_good"]
    assert len(library.problems) == 1
    library.styles()
    assert len(library.problems) == 1  # of the last call only


def test_missing_weights(tmp_path: Path) -> None:
    library = make(tmp_path, entry("good"), entry("gone"))
    (tmp_path / "weights" / "gone.safetensors").unlink()
    assert [s.name for s in library.styles()] == ["good"]
    assert "gone" in library.problems[0]


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make(tmp_path, entry("good"))

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert [s.name for s in library.styles()] == ["good"]
    assert "Permission denied" in library.problems[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may do everything")
def test_a_folder_without_rights(tmp_path: Path) -> None:
    library = make(tmp_path, entry("good"))
    (tmp_path / "own").chmod(0)
    try:
        assert [s.name for s in library.styles()] == ["good"]
        assert library.problems
    finally:
        (tmp_path / "own").chmod(0o755)


def test_add_and_remove(tmp_path: Path) -> None:
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.fast import FastNetwork

    library = make(tmp_path, entry("good"))
    path = tmp_path / "Mine.safetensors"
    save_network(path, FastNetwork(8, 8, 4, 1))
    assert library.add(path).name == "mine"
    assert [s.name for s in library.styles()] == ["good", "mine"]
    with pytest.raises(StyleError, match="already"):
        library.add(path)
    with pytest.raises(StyleError, match="already"):
        library.add(path, "Good")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError):
        library.add(tmp_path / "bad.safetensors")
    with pytest.raises(StyleError, match="not one of your own"):
        library.remove("good")
    library.remove("mine")
    assert [s.name for s in library.styles()] == ["good"]
    assert list((tmp_path / "own").iterdir()) == []


def test_add_where_nothing_can_be_written(tmp_path: Path) -> None:
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.fast import FastNetwork

    path = tmp_path / "mine.safetensors"
    save_network(path, FastNetwork(8, 8, 4, 1))
    (tmp_path / "file").write_text("")
    with pytest.raises(StyleError, match="cannot be written"):
        Library(tmp_path / "none", tmp_path / "file" / "own").add(path)


def test_normalize() -> None:
    assert normalize(" The Starry-Night!") == "the_starry_night"


def test_six_paintings_are_shipped_and_each_file_is_what_the_index_says() -> None:
    library = Library(own=Path("nowhere"))
    styles = library.styles()
    assert len(styles) >= 6 and not library.problems
    for style in styles:
        load_network(style.path, style.sha256)
        assert style.title and style.artist and style.year
