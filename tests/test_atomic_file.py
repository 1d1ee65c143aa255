"""Files appear whole or not at all, and what keeps one from it is said at once."""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artem_vr import atomic_file
from artem_vr.atomic_file import REPLACE_TRIES, write_atomically


def keep_container(path: Path) -> None:
    from artem_vr.stylize.engines.openvino_engine import write_container

    write_container(path, "key", {}, b"xml", b"weights")


def keep_picture(path: Path) -> None:
    from artem_vr.sources.pictures import save_picture

    save_picture(path, np.zeros((4, 4, 3), np.uint8))


def ask(path: Path) -> None:
    from artem_vr.writable import check_writable

    check_writable(path)


def keep_data(path: Path) -> None:
    write_atomically(path, b"new")


KEEPERS = [keep_data, keep_container, keep_picture]


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Nobody may make anything in ``folder``, as it is without rights, for root too; the names that were tried."""
    tried: list[str] = []

    def guarded(make: Callable[..., Any]) -> Callable[..., Any]:
        def asked(name: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(name, str | os.PathLike) and Path(name).parent == folder:
                tried.append(os.fspath(name))
                raise PermissionError(errno.EACCES, "Permission denied")
            return make(name, *arguments, **options)

        return asked

    monkeypatch.setattr(io, "open", guarded(io.open))
    monkeypatch.setattr(os, "open", guarded(os.open))
    monkeypatch.setattr(os, "mkdir", guarded(os.mkdir))
    return tried


def as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """tempfile takes a folder without rights for one where the name is taken."""
    windows = types.SimpleNamespace(**vars(os))
    windows.name, windows.access = "nt", lambda *_: True
    monkeypatch.setattr(tempfile, "_os", windows)
    monkeypatch.setattr(tempfile, "TMP_MAX", 100)


@pytest.mark.parametrize("keep", [*KEEPERS, ask], ids=lambda keep: keep.__name__)
def test_a_folder_without_rights_is_said_at_once(
    keep: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = refuse(monkeypatch, tmp_path)
    as_on_windows(monkeypatch)
    with pytest.raises(Exception, match="Permission denied"):
        keep(tmp_path / "kept.png")
    assert len(tried) == 1


def test_vgg_for_a_folder_without_rights_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from artem_vr.errors import WeightsError
    from artem_vr.training.vgg_weights import load_vgg

    tried = refuse(monkeypatch, tmp_path)
    as_on_windows(monkeypatch)
    with pytest.raises(WeightsError, match="Permission denied"):
        load_vgg(None, cache=tmp_path)
    assert len(tried) == 1


def scanner(monkeypatch: pytest.MonkeyPatch, times: int, system: str) -> list[float]:
    """Somebody has files open when they are to get their names, ``times`` times; the pauses that were made."""
    replace, left, pauses = os.replace, [times], list[float]()

    def busy(part: Path, path: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(errno.EACCES, "in use")
        replace(part, path)

    known = types.SimpleNamespace(**vars(os))
    known.name, known.replace = system, busy
    monkeypatch.setattr(atomic_file, "os", known)
    monkeypatch.setattr(atomic_file, "time", types.SimpleNamespace(sleep=pauses.append))
    return pauses


def keep_state(path: Path) -> None:
    from artem_vr.training.trainer import save_state

    save_state({"iteration": 1}, path)


def keep_mirror(path: Path) -> None:
    from artem_vr.live.record import PictureWriter

    writer = PictureWriter(path)
    writer.write(np.zeros((4, 4, 3), np.uint8))
    writer.close()


def keep_film(path: Path) -> None:
    from artem_vr.offline.video_files import VideoWriter

    with VideoWriter(path.with_suffix(".mp4"), 10.0) as writer:
        writer.write(np.zeros((32, 32, 3), np.uint8))
    path.with_suffix(".mp4").rename(path)


@pytest.mark.parametrize("keep", [*KEEPERS, keep_state, keep_mirror, keep_film], ids=lambda keep: keep.__name__)
def test_on_windows_a_scanner_costs_a_moment_and_no_file(
    keep: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = scanner(monkeypatch, REPLACE_TRIES - 1, "nt")
    path = tmp_path / "kept.png"
    path.write_bytes(b"old")
    keep(path)
    assert path.read_bytes() != b"old" and list(tmp_path.iterdir()) == [path]
    assert len(pauses) == REPLACE_TRIES - 1 and sum(pauses) < 1


@pytest.mark.parametrize(("system", "pauses"), [("nt", REPLACE_TRIES - 1), ("posix", 0)])
def test_a_file_that_stays_in_use_is_said_and_left(
    system: str, pauses: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scanner(monkeypatch, 100, system)
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with pytest.raises(PermissionError, match="in use"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    assert len(made) == pauses


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "kept"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts letters, not bytes")
def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("\N{ARTIST PALETTE}" * 63)  # 252 of 255 bytes
    write_atomically(path, b"whole")
    assert path.read_bytes() == b"whole"
