"""The library lists what is usable, names what is not, and never fails as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.errors import ArtemError, PictureError, StyleError, WeightsError
from artem_vr.networks.checkpoint import load_network
from artem_vr.sources.pictures import save_picture
from artem_vr.styles.codes import StyleCode, read_code, write_code
from artem_vr.styles.library import Library, file_stem, normalize

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
    with pytest.raises(StyleError, match="artem-vr styles names them all"):
        library.find("qqqqqqqqqqqq")
    with pytest.raises(StyleError, match="picture"):
        library.find("holiday.JPG")
    with pytest.raises(StyleError, match="does not exist"):
        library.find("no/such.safetensors")
    path = tmp_path / "A file.safetensors"
    path.write_bytes(b"x")
    assert library.find(str(path)).path == path


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_titles_of_files_are_fit_to_be_shown(tmp_path: Path) -> None:
    """Whatever a file is called: names of files need not be text."""
    library = make_coded(tmp_path)
    for ending, fallback in ((".safetensors", "A network"), (".code.safetensors", "A code"), (".png", "A picture")):
        for stem, title in (("caf\udce9", "Caf"), ("my\nfile", "My file"), ("\udce9", fallback)):
            path = tmp_path / f"{stem}{ending}"
            code_file(path) if "code" in ending else picture_file(tmp_path / "a.png").rename(path)
            assert library.find(str(path)).title == title


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


COMPACT = "c" * 64


def code_file(path: Path, network: str = COMPACT, title: str = "", picture: bytes = b"") -> str:
    values = np.full((2, 3), len(path.name), np.float32)
    return write_code(path, StyleCode(values, network, title, picture))


def picture_file(path: Path) -> Path:
    save_picture(path, np.full((20, 30, 3), 99, np.uint8))
    return path


def make_coded(tmp_path: Path) -> Library:
    """Two networks and two codes, one of a painting that has a network too; and the compact network's file."""
    library = make(tmp_path, entry("great_wave"), entry("the_scream"))
    shipped = tmp_path / "weights"
    (shipped / "compact.safetensors").write_bytes(b"compact")
    entries = json.loads((shipped / "index.json").read_text())["styles"]
    for name, painting in (("great_wave_any", "great_wave"), ("senecio", "senecio")):
        file = f"{name}.code.safetensors"
        digest = code_file(shipped / file)
        more = {"file": file, "sha256": digest, "network": "code", "painting": painting, "title": "Painted " + name}
        entries.append(entry(name, **more))
    index = {"version": 1, "compact": {"file": "compact.safetensors", "sha256": COMPACT.upper()}, "styles": entries}
    (shipped / "index.json").write_text(json.dumps(index))
    return library


def test_codes_are_styles_and_the_deck_has_the_better_of_two(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    code_file(tmp_path / "own" / "holiday.code.safetensors", title="Holiday by the sea")
    (tmp_path / "own" / "holiday.safetensors").write_bytes(b"x")
    assert library.compact == (tmp_path / "weights" / "compact.safetensors", COMPACT)
    styles = {style.name: style for style in library.styles()}
    assert list(styles) == ["great_wave", "the_scream", "great_wave_any", "senecio", "holiday", "holiday_own"]
    assert [s.form for s in styles.values()] == ["network", "network", "code", "code", "code", "network"]
    assert [s.name for s in styles.values() if not s.in_deck] == ["great_wave_any"]
    assert styles["holiday"].title == "Holiday by the sea" and styles["great_wave_any"].painting == "great_wave"
    assert library.problems == []
    (tmp_path / "weights" / "great_wave.safetensors").unlink()
    assert library.find("great_wave_any").in_deck  # now it is the only one


def test_without_the_compact_network_everything_else_works(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    code_file(tmp_path / "own" / "mine.code.safetensors")
    picture = picture_file(tmp_path / "photo.png")
    (tmp_path / "weights" / "compact.safetensors").unlink()
    assert library.compact is None
    assert [style.name for style in library.styles()] == ["great_wave", "the_scream"]
    assert len(library.problems) == 2 and "3 styles are left out" in library.problems[1]
    for name in (str(picture), "great_wave+the_scream"):
        with pytest.raises(StyleError, match="not installed"):
            library.find(name)


@pytest.mark.parametrize(
    "bad",
    [
        3, [], {}, {"file": "../x", "sha256": COMPACT}, {"file": "compact.safetensors"},
        {"file": "compact.safetensors", "sha256": 7}, {"file": "x", "sha256": "0"},
    ],
)  # fmt: skip
def test_a_compact_network_that_is_listed_wrongly(tmp_path: Path, bad: object) -> None:
    library = make_coded(tmp_path)
    index = json.loads((tmp_path / "weights" / "index.json").read_text())
    (tmp_path / "weights" / "index.json").write_text(json.dumps(index | {"compact": bad}))
    assert library.compact is None
    assert [style.name for style in library.styles()] == ["great_wave", "the_scream"]
    assert "listed wrongly" in library.problems[0]


@pytest.mark.parametrize("more", [{"file": "x.safetensors"}, {"network": "fast"}, {"painting": 3}])
def test_a_code_that_is_listed_wrongly(tmp_path: Path, more: dict[str, object]) -> None:
    file = {"file": "x.code.safetensors", "network": "code"}
    library = make(tmp_path, entry("good"), entry("x", **file | more))
    assert [style.name for style in library.styles()] == ["good"] and len(library.problems) == 1


def test_own_codes_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    own = tmp_path / "own"
    (own / "bad.code.safetensors").write_bytes(b"no")
    code_file(own / "old.code.safetensors", network="d" * 64)
    code_file(own / "old_with_picture.code.safetensors", network="d" * 64, picture=b"jpeg")
    assert [s.name for s in library.styles() if s.kind == "own"] == ["old_with_picture"]
    assert len(library.problems) == 2
    assert "bad.code" in library.problems[0] and "another network" in library.problems[1]
    for name, why in (("bad", "bad.code.safetensors"), ("Old", "another network"), ("bad+the_scream", "bad.code")):
        with pytest.raises(WeightsError, match=why):  # who asks for one is not told that there is none
            library.find(name)
    (tmp_path / "weights" / "compact.safetensors").unlink()
    with pytest.raises(StyleError, match=r"'old_with_picture' is a code, and .* not installed"):
        library.find("old_with_picture")


def test_own_files_are_read_again_only_when_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every switch asks for them all, and each keeps a picture."""
    library, read = make_coded(tmp_path), []
    own = tmp_path / "own"
    code_file(own / "a.code.safetensors", title="A")
    code_file(own / "b.code.safetensors", title="B")

    def counted(path: Path) -> StyleCode:
        read.append(path.name[0])
        return read_code(path)

    monkeypatch.setattr("artem_vr.styles.library.read_code", counted)
    titles = [[library.find(name).title for name in "ab"] for _ in range(3)]
    assert titles == [["A", "B"]] * 3 and read == ["a", "b"]
    code_file(own / "b.code.safetensors", title="Another")
    assert library.find("b").title == "Another" and read == ["a", "b", "b"]
    (own / "a.code.safetensors").write_bytes(b"no")
    for _ in range(2):  # a disk may have been away
        assert [style.name for style in library.styles() if style.kind == "own"] == ["b"] and len(library.problems) == 1
    assert read == ["a", "b", "b", "a", "a"]


def test_a_code_that_cannot_be_used_is_not_added(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    old, pictured = tmp_path / "old.code.safetensors", tmp_path / "pictured.code.safetensors"
    code_file(old, network="d" * 64)
    code_file(pictured, network="d" * 64, picture=b"jpeg")
    with pytest.raises(WeightsError, match="another network"):
        library.add(old)
    assert library.add(pictured).name == "pictured"  # it can be read again
    (tmp_path / "weights" / "compact.safetensors").unlink()
    with pytest.raises(StyleError, match="not installed"):
        library.add(pictured, "again")
    assert [path.name for path in library.own.iterdir()] == ["pictured.code.safetensors"]


def test_files_that_cannot_be_used_can_be_removed(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    own = tmp_path / "own"

    def names() -> list[str]:
        return sorted(path.name.partition(".")[0] for path in own.iterdir())

    for stem in ("bad", "worse", "senecio"):  # the last is called like a shipped style
        (own / f"{stem}.code.safetensors").write_bytes(b"no")
    code_file(own / "old.code.safetensors", network="d" * 64)
    code_file(own / "good.code.safetensors", title="Bad")
    code_file(own / "twice.code.safetensors")
    (own / "twice.safetensors").write_bytes(b"x")
    assert library.remove("bad").name == "bad"  # not the style of that title
    assert library.remove("Old").path.name == "old.code.safetensors"
    assert library.remove("worse.code.safetensors").name == "worse"
    assert library.remove("senecio").kind == "own"
    assert library.remove("twice.safetensors").path.name == "twice.safetensors"
    assert names() == ["good", "twice"]
    for name in ("senecio", "old", "worse.code.safetensors", "great_wave+senecio"):
        with pytest.raises(StyleError):
            library.remove(name)
    assert len(library.styles()) == 6
    (tmp_path / "weights" / "compact.safetensors").unlink()  # no code can be used any more
    assert library.remove("good").name == "good" and names() == ["twice"]


def test_a_picture_is_a_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make_coded(tmp_path)
    monkeypatch.chdir(tmp_path)
    picture_file(tmp_path / "the_scream.png").rename(tmp_path / "My picture")
    picture_file(tmp_path / "great_wave.png")
    for name in ("great_wave.png", "My picture", str(tmp_path / "great_wave.png")):
        style = library.find(name)
        assert (style.form, style.kind, style.path, style.name) == ("picture", "own", Path(name), name)
        assert library.find(style.name) == style  # never the shipped style of that name
    (tmp_path / "letter.jpg").write_text("Dear reader")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("letter.jpg", "empty.png", "none.jpg", str(tmp_path / "folder.jpg"), "x" * 5000 + ".jpg"):
        with pytest.raises(PictureError) as caught:
            library.find(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(StyleError):
        library.find("bad\0name")


def test_a_file_of_a_code_is_a_style(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    path = tmp_path / "A sunset.code.safetensors"
    code_file(path)
    style = library.find(str(path))
    assert (style.form, style.path, style.name) == ("code", path, str(path))


def test_blends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make_coded(tmp_path)
    monkeypatch.chdir(tmp_path)
    picture_file(tmp_path / "a.png")
    style = library.find("3*great_wave + 1* a.png")
    assert style.form == "blend" and [weight for weight, _ in style.parts] == [0.75, 0.25]
    assert [part.name for _, part in style.parts] == ["great_wave_any", "a.png"]  # a network stands for its code
    assert style.name == "0.75*great_wave_any+0.25*a.png" and "75 %" in style.title
    assert library.find(style.name) == style
    assert [w for w, _ in library.find("senecio+Great Wave+great_wave_any+a.png").parts] == [0.25] * 4
    assert library.find("senecio+0*a.png").parts[0][0] == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("senecio+", "no style"), ("+", "no style"), ("0.5*senecio", "blends 1 style"),
        ("senecio+senecio" * 3, "no style"), ("+".join(["senecio"] * 5), "5 styles"),
        ("x*senecio+senecio", "no weight"), ("-1*senecio+senecio", "weight -1"), ("nan*senecio+senecio", "weight nan"),
        ("inf*senecio+senecio", "inf"), ("0*senecio+0*senecio", "proportion"),
        ("1e308*senecio+1e308*senecio", "proportion"), ("senecio+the_scream", "no code"),
        ("senecio+senecia", "mean senecio"), ("senecio+none.jpg", "none.jpg"),
    ],
)  # fmt: skip
def test_blends_that_make_no_sense(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(ArtemError, match=cause) as caught:
        make_coded(tmp_path).find(text)
    assert "\n" not in str(caught.value)


def test_a_name_with_a_plus_is_still_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = make_coded(tmp_path)
    monkeypatch.chdir(tmp_path)
    code_file(tmp_path / "own" / "cats.code.safetensors", title="Cats + dogs")
    picture_file(tmp_path / "one+two.png")
    assert library.find("cats + dogs").name == "cats"
    assert library.find("one+two.png").form == "picture"


def test_keep_and_remove_a_code(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    code = StyleCode(np.ones((2, 3), np.float32), COMPACT, "By the sea")
    style = library.keep(code, "Sea side" + "!" * 300)
    assert style.name == "sea_side" and library.find("By the sea") == library.find("sea_side") == style
    with pytest.raises(StyleError, match="already"):
        library.keep(code, "senecio")
    assert library.add(style.path, "again").title == "By the sea"
    assert len(library.keep(code, "x" * 300).name) <= 60
    library.remove("again")
    with pytest.raises(StyleError, match="not one of your own"):
        library.remove("senecio")
    with pytest.raises(StyleError, match="not one of your own"):
        library.remove("senecio+sea_side")
    names = [s.name for s in library.styles() if s.kind == "own"]
    assert names == ["sea_side", "x" * 60]
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        Library(tmp_path / "none", tmp_path / "file" / "own").keep(code, "sea")


def test_a_file_that_is_left_out_is_not_written_over(tmp_path: Path) -> None:
    """Of a newer version of the program, for instance: what is wrong with it may be mended."""
    library = make_coded(tmp_path)
    left_out = tmp_path / "own" / "holiday.code.safetensors"
    code_file(left_out, network="d" * 64)
    before = left_out.read_bytes()
    code = StyleCode(np.ones((2, 3), np.float32), COMPACT, "Holiday")
    with pytest.raises(StyleError, match="already a style 'holiday'"):
        library.keep(code, "Holiday")
    assert left_out.read_bytes() == before
    library.remove("holiday")
    assert library.keep(code, "Holiday").name == "holiday"


def test_the_compact_network_is_no_single_style(tmp_path: Path) -> None:
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.compact import CompactNetwork

    save_network(tmp_path / "any.safetensors", CompactNetwork(8, 8, 4, 1))
    with pytest.raises(StyleError, match="any picture"):
        make(tmp_path).add(tmp_path / "any.safetensors")


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        (" The Starry-Night!", "the_starry_night"), ("a__b", "a_b"), ("北斎", "北斎"), ("富士 三十六。", "富士_三十六"),
        ("ＨＯＫＵＳＡＩ", "hokusai"), ("ΩΜΕΓΑ", "ωμεγα"), ("STRASSE", "strasse"), ("Straße", "strasse"),
        ("cafe\u0301", "café"), ("Café", "café"), ("कि", "कि"), ("की", "की"), ("№ 5", "no_5"),
        ("", ""), ("!?", ""), ("🎨", ""), ("\udce9", ""), ("\0/\\:", ""), ("❤\ufe0f", ""), ("❤\ufe0f a", "a"),
        ("می\u200cخواهم", "میخواهم"), ("\u0301a", "a"), ("a/b\\c:d\u202ee", "a_b_c_d_e"),
    ],
)  # fmt: skip
def test_normalize(name: str, normal: str) -> None:
    assert normalize(name) == normalize(normalize(name)) == normal


@given(st.text(max_size=40))
def test_normal_names_stay_as_they_are_and_are_files_everywhere(name: str) -> None:
    assert normalize(normalize(name)) == normalize(name)
    stem = file_stem(name * 9)
    assert normalize(stem) == stem and len(stem.encode()) <= 220 and len(stem) <= 70
    assert not set(stem) & set('<>:"/\\|?*. ') and stem.isprintable()


def test_names_that_only_windows_minds_are_changed() -> None:
    assert [file_stem(name) for name in ("CON", "Com1", "console", "nul.png")] == [
        "con_style", "com1_style", "console", "nul_png",
    ]  # fmt: skip


def test_however_long_a_name_is_a_number_makes_another_of_it(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    code = StyleCode(np.ones((2, 3), np.float32), COMPACT)
    names = [library.keep(code, library.free_name("a very long name " * 9, number)).name for number in range(1, 13)]
    assert len(set(names)) == 12 and names[1].endswith("_2") and names[11].endswith("_12")
    assert all(len(name) <= 60 for name in names)


def test_names_in_any_script_are_told_apart(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    code = StyleCode(np.ones((2, 3), np.float32), COMPACT)
    for name in ("北斎", "富士", "कि", "की", "Ω", "語" * 300):
        assert library.find(library.keep(code, name).name).name == file_stem(name)
    for name in ("北斎", "富士", "की", "ω"):
        with pytest.raises(StyleError, match="already"):
            library.free_name(name)
    assert library.remove("富士").name == "富士"
    with pytest.raises(StyleError, match="no style"):
        library.remove("富士")
    with pytest.raises(StyleError, match="no style"):
        library.remove("!?")
    assert [s.name for s in library.styles() if s.kind == "own"] == sorted(["北斎", "कि", "की", "ω", "語" * 60])


def test_names_without_any_letter_are_no_others(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    codes = [StyleCode(np.full((2, 3), n, np.float32), COMPACT, title) for n, title in enumerate(("🎨", "🌊"))]
    assert [library.keep(code, code.title).name for code in codes] == ["own", "own_2"]
    assert library.find("🌊").name == "own_2" and library.find("own").title == "🎨"
    for name in ("🔥", "", "!"):
        with pytest.raises(StyleError):
            library.find(name)
    assert library.remove("🌊").name == "own_2"
    (tmp_path / "own" / "🔥.safetensors").write_bytes(b"x")  # put there by hand
    assert [(s.name, s.title) for s in library.styles() if s.kind == "own"] == [("own", "🎨"), ("own_own", "🔥")]


def test_a_name_comes_before_a_title(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    for name, title in (("a", "B"), ("b", "Sea"), ("c", "Senecio")):
        library.keep(StyleCode(np.ones((2, 3), np.float32), COMPACT, title), name)
    assert library.find("b").name == library.find("B").name == "b"
    assert library.find("senecio").kind == "shipped"
    assert library.remove("b").name == "b" and library.find("b").name == "a"


def test_six_paintings_are_shipped_and_each_file_is_what_the_index_says() -> None:
    library = Library(own=Path("nowhere"))
    styles = library.styles()
    assert len(styles) >= 6 and not library.problems
    for style in styles:
        if style.form == "code":
            code = read_code(style.path, style.sha256)
            assert library.compact is not None and code.network == library.compact[1] and not code.picture
        else:
            load_network(style.path, style.sha256)
        assert style.title and style.artist and style.year


def test_a_file_that_is_no_style_is_told_from_a_name_that_nobody_knows(tmp_path: Path) -> None:
    library = make_coded(tmp_path)
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(StyleError, match=r"film\.mp4 is no picture"):
        library.find(str(tmp_path / "film.mp4"))
    name = library.styles()[0].name
    with pytest.raises(StyleError) as caught:
        library.find(name + "x")
    assert f"Did you mean {name}" in str(caught.value) and str(caught.value).endswith("?")
    with pytest.raises(StyleError) as caught:
        library.remove(name + "x")
    assert name not in caught.value.remedy, "it is none of one's own"
