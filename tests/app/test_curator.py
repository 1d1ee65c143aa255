"""Files that were dropped, blends that were asked for, pictures that are kept: what the viewer gets, and is told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from artem_vr.live.curator import Arrival, Curator
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.sources.pictures import save_picture
from artem_vr.styles.codes import StyleCode, mixed, read_code, write_code
from artem_vr.styles.library import Library
from artem_vr.stylize.encoder import Encoder
from artem_vr.stylize.loading import StyleLoader
from tests.app.conftest import PATIENCE, painting, write_codes


@pytest.fixture
def curator(coded_library: Library) -> Iterator[Curator]:
    one = Curator(coded_library)
    yield one
    assert one.stop(PATIENCE)


def arrival(curator: Curator) -> Arrival:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := curator.arrivals():
            (only,) = found
            return only
        time.sleep(0.002)
    raise AssertionError("nothing came")


def other_network(library: Library, folder: Path) -> Library:
    """The same user's library beside a later version of the program, whose network and codes are others."""
    torch.manual_seed(5)
    folder.mkdir()
    network = CompactNetwork(8, 8, 8, 2)
    network.encoder.answer.bias.data.copy_(network.plain.flatten())
    compact = save_network(folder / "compact.safetensors", network)
    write_codes(folder, compact)
    return Library(shipped=folder, own=library.own)


def picture(folder: Path, name: str = "my_holiday.png") -> Path:
    save_picture(folder / name, painting(7))
    return folder / name


def test_dropped_pictures_come_with_their_stems_as_titles(curator: Curator, tmp_path: Path) -> None:
    paths = [picture(tmp_path), picture(tmp_path, "a+b.jpg")]
    curator.bring(paths)
    found = arrival(curator)
    assert found.styles == ((str(paths[0]), "My holiday"), (str(paths[1]), "A+b"))
    assert "My holiday" in found.notice and "K keeps" in found.notice


def test_a_file_of_weights_works_too_even_if_it_is_called_like_a_shipped_one(
    curator: Curator, coded_library: Library, tmp_path: Path
) -> None:
    path = tmp_path / "alone.safetensors"
    path.write_bytes((tmp_path / "weights" / "alone.safetensors").read_bytes())
    curator.bring([path])
    ((name, _),) = arrival(curator).styles
    assert coded_library.find(name).path == path


def test_what_is_no_style_is_one_line_and_the_others_come(curator: Curator, tmp_path: Path) -> None:
    text, empty, good = tmp_path / "notes.txt", tmp_path / "empty.png", picture(tmp_path)
    text.write_text("hello")
    empty.touch()
    for path, words in ((text, "no picture"), (empty, "empty"), (tmp_path, "folder"), (tmp_path / "no.jpg", "no file")):
        curator.bring([path])
        found = arrival(curator)
        assert found.styles == ()
        assert words in found.notice and str(tmp_path) + "/" not in found.notice and "\n" not in found.notice
    curator.bring([text, good, empty])
    found = arrival(curator)
    assert [name for name, _ in found.styles] == [str(good)]
    assert "2 of 3" in found.notice


def test_a_blend_takes_the_next_painting_that_has_a_code(curator: Curator) -> None:
    curator.blend([(1.0, "red")], ["alone", "blue"])
    assert arrival(curator).styles == (("0.5*red+0.5*blue", "50 % Red, 50 % Blue"),)
    curator.blend([(0.5, "red"), (0.5, "blue")], ["alone"], "0.5*red+0.5*blue")
    found = arrival(curator)
    assert found.styles == () and "alone is a network of its own" in found.notice
    curator.blend([(1.0, "red")], [])
    assert "no other painting" in arrival(curator).notice


def test_keeping_a_picture_puts_its_code_and_a_copy_into_the_library(
    curator: Curator, coded_library: Library, tmp_path: Path
) -> None:
    path = picture(tmp_path, "red.png")  # a name that is taken
    curator.keep(str(path))
    assert "red_2" in arrival(curator).notice
    kept = coded_library.find("red_2")
    code = read_code(kept.path)
    assert coded_library.compact is not None
    assert np.array_equal(code.values, Encoder(*coded_library.compact).encode(painting(7)))
    assert code.picture and kept.title == "Red"
    curator.keep(str(path))
    assert "already" in arrival(curator).notice
    assert [style.name for style in coded_library.styles() if style.kind == "own"] == ["red_2"]


def test_keeping_a_blend_keeps_it_and_the_pictures_in_it(
    curator: Curator, coded_library: Library, tmp_path: Path
) -> None:
    blend = f"0.75*blue+0.25*{picture(tmp_path)}"
    loader = StyleLoader(coded_library)
    shown = loader.read(coded_library.find(blend)).values
    curator.keep(blend)
    notice = arrival(curator).notice
    assert "blue_and_my_holiday" in notice and ", my_holiday" in notice
    own = {style.name: style for style in coded_library.styles() if style.kind == "own"}
    assert set(own) == {"blue_and_my_holiday", "my_holiday"}
    assert own["blue_and_my_holiday"].title == "75 % Blue, 25 % My holiday"
    assert np.array_equal(loader.read(own["blue_and_my_holiday"]).values, shown)
    curator.keep(blend)
    assert "already" in arrival(curator).notice
    curator.keep("0.5*red+0.5*blue")  # of nothing but styles that are there
    assert "red_and_blue" in arrival(curator).notice
    curator.keep("blue")
    assert "already" in arrival(curator).notice


def test_a_kept_blend_is_mixed_anew_for_another_network(
    curator: Curator, coded_library: Library, tmp_path: Path
) -> None:
    """After an update of the program. Of a blend in a blend, too; the pictures themselves may be gone by then."""
    path = picture(tmp_path)
    curator.keep(f"0.75*blue+0.25*{path}")
    assert "blue_and_my_holiday" in arrival(curator).notice
    curator.keep("0.5*red+0.5*blue_and_my_holiday")
    assert "red_and_blue_and_my_holiday" in arrival(curator).notice
    coded_library.remove("my_holiday")
    path.unlink()
    updated = other_network(coded_library, tmp_path / "updated")
    loader = StyleLoader(updated)
    red, blue = (loader.read(updated.find(name)).values for name in ("red", "blue"))
    holiday = loader.encoder().encode(painting(7))
    found = loader.read(updated.find("blue_and_my_holiday")).values
    # its copy is a JPEG
    assert np.abs(found - mixed([blue, holiday], [0.75, 0.25])).mean() < 0.05 * np.abs(blue - holiday).mean()
    nested = loader.read(updated.find("red_and_blue_and_my_holiday")).values
    np.testing.assert_allclose(nested, mixed([red, found], [0.5, 0.5]), rtol=1e-4, atol=1e-5)
    assert updated.problems == []


def test_a_blend_of_what_cannot_be_read_again_is_kept_as_long_as_the_network_stays(
    curator: Curator, coded_library: Library, tmp_path: Path
) -> None:
    bare = read_code(coded_library.find("red").path)
    write_code(tmp_path / "bare.code.safetensors", StyleCode(bare.values, bare.network, "Bare"))
    curator.keep(f"0.5*blue+0.5*{tmp_path / 'bare.code.safetensors'}")
    assert "blue_and_bare" in arrival(curator).notice
    assert np.array_equal(
        StyleLoader(coded_library).read(coded_library.find("blue_and_bare")).values,
        StyleLoader(coded_library).read(coded_library.find("0.5*blue+0.5*red")).values,
    )
    updated = other_network(coded_library, tmp_path / "updated")
    names = {style.name for style in updated.styles()}
    assert "blue_and_bare" not in names and any("keeps no picture" in problem for problem in updated.problems)


def test_a_picture_that_has_changed_is_kept_anew(curator: Curator, coded_library: Library, tmp_path: Path) -> None:
    path = picture(tmp_path)
    blend = f"0.5*blue+0.5*{path}"
    curator.keep(blend)
    assert "Kept as blue_and_my_holiday, my_holiday" in arrival(curator).notice
    save_picture(path, painting(8))
    os.utime(path, (2e9, 2e9))  # whatever the clock of the disk
    curator.keep(str(path))
    assert "Kept as my_holiday_2" in arrival(curator).notice
    curator.keep(blend)
    assert "Kept as blue_and_my_holiday_2:" in arrival(curator).notice
    assert coded_library.compact is not None
    encoder = Encoder(*coded_library.compact)
    for name, seed in (("my_holiday", 7), ("my_holiday_2", 8)):
        assert np.array_equal(read_code(coded_library.find(name).path).values, encoder.encode(painting(seed)))
    for name in (str(path), blend):
        curator.keep(name)
        assert "already" in arrival(curator).notice


def test_what_cannot_be_kept_says_why(curator: Curator, coded_library: Library, tmp_path: Path) -> None:
    torn = picture(tmp_path)
    torn.write_bytes(torn.read_bytes()[:-40])
    curator.keep(str(torn))
    assert "damaged" in arrival(curator).notice
    coded_library.own.write_text("a file where the folder should be")
    curator.keep(str(picture(tmp_path, "b.png")))
    assert "cannot be" in arrival(curator).notice
    curator.keep("nobody_knows_this")
    assert "no style" in arrival(curator).notice


def test_the_longest_wish_keeps_nobody_waiting(coded_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    asked, free = threading.Event(), threading.Event()

    def stuck(name: str) -> None:
        asked.set()
        free.wait(PATIENCE)

    curator = Curator(coded_library)
    monkeypatch.setattr(coded_library, "find", stuck)
    curator.keep("red")
    assert asked.wait(PATIENCE)
    assert curator.arrivals() == []
    assert not curator.stop(0.01)
    free.set()
    assert curator.stop(PATIENCE)
