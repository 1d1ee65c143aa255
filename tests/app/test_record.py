from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from artem_vr.errors import SettingsError
from artem_vr.live import record
from artem_vr.live.record import (
    FILMS,
    FRAMES_PER_SECOND,
    MAX_REPEATS,
    MOST_LATE,
    FilmWriter,
    Recorder,
    frames_due,
)


def flat(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


class Kept:
    """A writer that keeps pictures in a list."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.closed = False
        self.wrote = threading.Event()

    def write(self, picture: np.ndarray) -> None:
        self.values.append(int(picture[0, 0, 0]))
        self.wrote.set()

    def close(self) -> None:
        self.closed = True


def put_and_wait(recorder: Recorder, kept: Kept, value: int, now: float) -> None:
    kept.wrote.clear()
    recorder.put(flat(value), now)
    assert kept.wrote.wait(60)


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def test_frames_due_follow_the_clock():
    assert frames_due(0.0, 0, fps=30) == 1
    assert frames_due(0.01, 1, fps=30) == 0
    assert frames_due(0.51, 1, fps=30) == 15
    assert frames_due(1e6, 0) == MAX_REPEATS


def test_a_pause_shows_the_picture_before_it(tmp_path):
    kept = Kept()
    recorder = Recorder(tmp_path / "film.mp4", kept)
    put_and_wait(recorder, kept, 1, now=10.0)
    put_and_wait(recorder, kept, 2, now=10.0 + 3.5 / FRAMES_PER_SECOND)
    assert recorder.close(60)
    assert kept.values == [1, 1, 1, 2]
    assert kept.closed


def test_a_long_pause_is_cut_and_the_time_after_it_is_right(tmp_path):
    kept = Kept()
    recorder = Recorder(tmp_path / "film.mp4", kept)
    put_and_wait(recorder, kept, 1, now=0.0)
    put_and_wait(recorder, kept, 2, now=1e5)
    put_and_wait(recorder, kept, 3, now=1e5 + 1.5 / FRAMES_PER_SECOND)
    assert recorder.close(60)
    assert len(kept.values) == 1 + MAX_REPEATS + 1
    assert kept.values[-2:] == [2, 3]


def test_the_loop_is_asked_for_thirty_pictures_a_second(tmp_path):
    recorder = Recorder(tmp_path / "film.mp4", Kept())
    assert recorder.wants(5.0)
    recorder.expect(5.0)
    assert not recorder.wants(5.0 + 1 / 90)
    assert recorder.wants(5.0 + 3 / 90)
    recorder.put(flat(1), 5.0)  # later than it was shown
    assert recorder.wants(5.0 + 3 / 90)
    recorder.close(60)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_film_comes_back(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    recorder = Recorder(path)
    picture = np.zeros((48, 65, 3), np.uint8)  # an odd width, as windows have
    picture[...] = (200, 60, 20)
    recorder.put(picture, 0.0)
    assert recorder.close(60)
    film = cv2.VideoCapture(str(path))
    good, frame = film.read()
    assert good
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[24, 32].astype(int) - (20, 60, 200)).max() < 12


@pytest.mark.parametrize(("height", "width"), [(96, 32), (16, 64), (49, 65), (1, 1)])
def test_in_a_film_a_window_of_another_size_keeps_its_shape(tmp_path, height, width):
    writer = FilmWriter(tmp_path / "film.mp4")
    writer.write(flat(128))
    writer.write(flat(255, height, width))
    writer.close()
    film = cv2.VideoCapture(str(tmp_path / "film.mp4"), cv2.CAP_FFMPEG)
    assert film.grab()
    _, picture = film.read()
    film.release()
    assert picture.shape == (48, 64, 3)
    bright = picture.min(axis=2) > 128
    rows, columns = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    scale = min(48 / (height // 2 * 2 or 1), 64 / (width // 2 * 2 or 1))
    assert abs(rows - scale * height) <= 2 and abs(columns - scale * width) <= 2


def test_a_picture_file_keeps_the_last_picture(tmp_path):
    path = tmp_path / "mirror.png"
    recorder = Recorder(path)
    recorder.put(flat(10), 0.0)
    recorder.put(flat(77), 1.0)
    assert recorder.close(60)
    assert np.array_equal(np.asarray(Image.open(path)), flat(77))
    assert [file.name for file in tmp_path.iterdir()] == ["mirror.png"]


def test_nothing_shown_means_nothing_written(tmp_path):
    recorder = Recorder(tmp_path / "mirror.png")
    assert not recorder.close(60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mirror.png", "film.mp4"])
def test_the_picture_of_a_minimised_window_is_ignored(tmp_path, name):
    kept = Kept()
    recorder = Recorder(tmp_path / name, kept)
    put_and_wait(recorder, kept, 7, now=0.0)
    recorder.put(np.empty((0, 0, 3), np.uint8), 1.0)
    assert recorder.close(60)
    assert recorder.failure == ""
    assert kept.values == [7]


def test_a_full_disk_ends_the_recording_only(tmp_path):
    class Full(Kept):
        def write(self, picture: np.ndarray) -> None:
            raise OSError(28, "No space left on device")

    recorder = Recorder(tmp_path / "film.mp4", Full())
    recorder.put(flat(1), 0.0)
    recorder._thread.join(60)
    assert "No space left" in recorder.failure
    assert "\n" not in recorder.failure
    assert not recorder.wants(10.0)
    assert not recorder.close(60)


@pytest.fixture
def small_disk():
    """No file grows beyond 20 kB: to whoever writes one, the disk is full."""
    resource = pytest.importorskip("resource")  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("pictures", [2, 40])
@pytest.mark.parametrize("suffix", FILMS)
def test_a_film_that_did_not_reach_the_disk_is_not_said_to_be_kept(tmp_path, small_disk, suffix, pictures):
    """OpenCV writes on in silence."""
    recorder = Recorder(tmp_path / f"film{suffix}")
    rng = np.random.default_rng(0)
    for number in range(pictures):
        recorder.put(rng.integers(0, 255, (240, 320, 3), np.uint8), number / 30)
        wait_for(lambda: recorder._pictures._item is None)
    assert not recorder.close(60)
    assert recorder.failure.endswith("(not all of its pictures reached the disk: is it full?)")


@pytest.mark.parametrize("suffix", FILMS)
def test_a_film_ends_whole_before_the_disk_is_full(tmp_path, monkeypatch, suffix):
    free = [record.ROOM, record.ROOM - 1]
    monkeypatch.setattr(record.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free.pop(0)))
    recorder = Recorder(tmp_path / f"film{suffix}")
    recorder.put(flat(10), 0.0)
    wait_for(lambda: recorder._written)
    recorder.put(flat(200), 1.0)  # 30 pictures: the second look
    recorder._thread.join(60)
    assert "all but full; what was recorded until then is kept" in recorder.failure
    assert not recorder.close(60)
    film = cv2.VideoCapture(str(recorder.path))
    assert [film.grab() for _ in range(31)] == [True] * 30 + [False]


def test_a_stuck_disk_does_not_hold_the_end_up(tmp_path):
    release = threading.Event()

    class Stuck(Kept):
        def write(self, picture: np.ndarray) -> None:
            release.wait(60)

    recorder = Recorder(tmp_path / "film.mp4", Stuck())
    recorder.put(flat(1), 0.0)
    assert not recorder.close(0.05)
    release.set()


def test_a_slow_encoder_keeps_up_with_new_pictures_and_the_film_ends_whole(tmp_path):
    """The film lacks some of the time then, but no picture stands for seconds, and at the end none is waited for."""

    class Slow(Kept):
        def write(self, picture: np.ndarray) -> None:
            time.sleep(0.07)
            super().write(picture)

    kept = Slow()
    recorder = Recorder(tmp_path / "film.mp4", kept)
    begun, before, gap = time.monotonic(), 0.0, 0.0
    while (now := time.monotonic() - begun) < 4:
        recorder.put(flat(int(now * 40)), now)
        before, gap = now, max(gap, now - before)
        time.sleep(0.01)
    assert recorder.close(5)
    assert kept.closed
    longest = max(len(list(same)) for _, same in itertools.groupby(kept.values))
    frozen = max(0.0, gap - 0.1)  # where this machine stood still there was a pause indeed
    assert longest <= 2 * MOST_LATE + frozen * FRAMES_PER_SECOND


def test_the_end_waits_as_long_as_more_is_written(tmp_path):
    class Slow(Kept):
        def write(self, picture: np.ndarray) -> None:
            time.sleep(0.01)
            super().write(picture)

    kept = Slow()
    recorder = Recorder(tmp_path / "film.mp4", kept)
    put_and_wait(recorder, kept, 1, now=0.0)
    recorder.put(flat(2), 5.0)  # 150 frames
    assert recorder.close(0.5)
    assert len(kept.values) == 151 and kept.values[-1] == 2


@pytest.mark.parametrize(("height", "width"), [(2160, 3840), (1440, 2560), (1080, 1920), (600, 6000)])
def test_large_windows_become_films_that_can_be_written_in_time(tmp_path, height, width):
    writer = FilmWriter(tmp_path / "film.mp4")
    writer.write(flat(200, height, width))
    writer.write(flat(200, height, width))
    writer.close()
    film = cv2.VideoCapture(str(tmp_path / "film.mp4"), cv2.CAP_FFMPEG)
    _, picture = film.read()
    film.release()
    assert picture.shape[0] * picture.shape[1] <= 1920 * 1080 and picture.min() > 180  # no black bars
    assert picture.shape[1] / picture.shape[0] == pytest.approx(width / height, rel=0.01)
    if height * width <= 1920 * 1080:
        assert picture.shape[:2] == (height, width)


@pytest.mark.parametrize("name", ["film.gif", "film", "nowhere/film.mp4", ""])
def test_impossible_files_are_refused_at_once(tmp_path, name):
    with pytest.raises(SettingsError, match="--record"):
        Recorder(tmp_path / name)


def test_a_file_that_was_there_is_not_touched_by_the_check(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    recorder = Recorder(path)
    recorder.close(60)
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("suffix", [".mp4", ".png"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_leads_to_where_the_recording_goes(tmp_path, there, suffix):
    target, link = tmp_path / "other" / f"real{suffix}", tmp_path / f"out{suffix}"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    recorder = Recorder(link)
    recorder.put(flat(1), 0.0)
    assert recorder.close() and link.is_symlink() and target.stat().st_size > 100
