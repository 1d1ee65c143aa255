"""Films, made here with OpenCV."""

from __future__ import annotations

import math
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.offline.video_files import VideoReader
from artem_vr.sources import film as film_module
from artem_vr.sources import opencv, video
from artem_vr.sources.film import SquarePixels, film_rate, is_rate
from artem_vr.sources.video import VideoSource

cv2 = opencv.load()

LEVELS = [20, 60, 100, 140, 180, 220]


def write_film(path, levels=LEVELS, size=(64, 32), rate=12.0, code="MJPG"):
    """A film whose frame n is red, of brightness ``levels[n]`` in its left half and half of that in its right one."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, size)
    assert writer.isOpened()
    for level in levels:
        frame = np.zeros((size[1], size[0], 3), np.uint8)
        frame[:, : size[0] // 2, 2] = level
        frame[:, size[0] // 2 :, 2] = level // 2
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "film.avi")


def level(source):
    shot = source.read()
    return None if shot is None else min(LEVELS, key=lambda x: abs(x - float(shot.eyes[0, :, :8, 0].mean())))


def test_every_frame_in_order_then_the_end(film):
    source = VideoSource(film, loop=False)
    assert [level(source) for _ in range(8)] == [*LEVELS, None, None]
    assert (source.rate, source.frames, source.width, source.height) == (12.0, 6, 64, 32)
    assert not source.live
    source.close()
    source.close()


def test_a_film_begins_again(film):
    source = VideoSource(film)
    assert [level(source) for _ in range(15)] == (LEVELS * 3)[:15]
    source.close()


def test_frames_are_skipped(film):
    source = VideoSource(film)
    source.skip()
    source.skip()
    assert level(source) == 100
    source.close()


def test_frames_are_skipped_over_the_end(film):
    """Else a short film would show its first frame alone to a painter that takes longer than it plays."""
    source = VideoSource(film)
    seen = []
    for _ in range(6):
        seen.append(level(source))
        for _ in range(len(LEVELS)):
            source.skip()
    assert seen == LEVELS
    source.close()


def test_pictures_are_rgb_and_taken_apart(film):
    source = VideoSource(film, "sbs", name="film.avi")
    shot = source.read()
    assert shot is not None and shot.eyes.shape == (2, 32, 32, 3) and source.name == "film.avi"
    left, right = (eye[8:24, 8:24].reshape(-1, 3).mean(0) for eye in shot.eyes)
    assert abs(left[0] - 20) < 8 and abs(right[0] - 10) < 8 and left[2] < 8
    source.close()


def test_mp4_plays(tmp_path):
    source = VideoSource(write_film(tmp_path / "film.mp4", code="mp4v"), loop=False)
    assert [level(source) for _ in range(7)] == [*LEVELS, None]
    source.close()


def squeezed(film, across, up):
    """Make the pixels of an MP4 film of OpenCV's that much wider than high: a box "pasp" in its sample description."""
    data, at, boxes = bytearray(film.read_bytes()), 0, []
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4v"):
        at = data.index(name, at)
        boxes.append(at - 4)
    end = boxes[-1] + int.from_bytes(data[boxes[-1] : boxes[-1] + 4], "big")
    data[end:end] = struct.pack(">I4sII", 16, b"pasp", across, up)
    for start in boxes:  # each has grown
        data[start : start + 4] = (int.from_bytes(data[start : start + 4], "big") + 16).to_bytes(4, "big")
    film.write_bytes(data)
    return film


@pytest.mark.parametrize(
    ("across", "up", "size"),
    [(1, 1, (64, 32)), (2, 1, (128, 32)), (64, 45, (91, 32)), (1, 2, (64, 64)), (1000, 1, (64, 32)), (0, 1, (64, 32))],
)
def test_pixels_that_are_not_square_are_made_so(tmp_path, across, up, size):
    film = squeezed(write_film(tmp_path / "film.mp4", code="mp4v"), across, up)
    source = VideoSource(film, loop=False)
    assert (source.width, source.height) == size
    shot = source.read()
    assert shot is not None and shot.eyes.shape == (1, size[1], size[0], 3)
    assert abs(float(shot.eyes[0, :, : size[0] // 4, 0].mean()) - 20) < 8
    source.close()
    with VideoReader(film) as video:
        assert (video.width, video.height) == size
        assert {picture.shape for picture in video} == {(size[1], size[0], 3)}


class Said:
    """An open film that says of itself what the test says, 0 else."""

    def __init__(self, **values):
        self.values = {getattr(cv2, f"CAP_PROP_{name.upper()}"): value for name, value in values.items()}

    def get(self, name):
        return float(self.values.get(name, 0))


@pytest.mark.parametrize("layout", ["sbs", "half-sbs", "tb", "half-tb"])
def test_a_film_that_says_how_its_eyes_lie_is_not_stretched_for_it(layout):
    """FFmpeg makes Matroska's display size as many times longer: pixels of 2:1 side by side, 1:2 above each other."""
    across, up = (2, 1) if "sbs" in layout else (1, 2)
    film = {"frame_width": 64, "frame_height": 32}
    assert SquarePixels(Said(**film, sar_num=across, sar_den=up), layout).size == (64, 32)
    besides = (3, 2) if "sbs" in layout else (8, 9)
    squeezed = SquarePixels(Said(**film, sar_num=besides[0] * across, sar_den=besides[1] * up), layout).size
    assert squeezed == ((96, 32) if "sbs" in layout else (64, 36)), "what is squeezed besides is made square"


def test_a_film_that_is_turned_is_made_longer_the_other_way():
    film = {"frame_width": 32, "frame_height": 64, "sar_num": 2, "sar_den": 1}
    assert SquarePixels(Said(**film)).size == (64, 64)
    assert SquarePixels(Said(**film, orientation_meta=180)).size == (64, 64)
    for turn in (90, 270):
        assert SquarePixels(Said(**film, orientation_meta=turn)).size == (32, 128)


@pytest.mark.parametrize("layout", ["sbs", "tb"])
def test_what_is_made_square_shows_nothing_of_the_other_eye(layout):
    picture = np.zeros((48, 72, 3), np.uint8)
    other = (slice(None), slice(36, None)) if layout == "sbs" else (slice(24, None), slice(None))
    picture[other] = 255
    square = SquarePixels(Said(frame_width=72, frame_height=48, sar_num=32, sar_den=27), layout)
    made = square(picture)
    assert made.shape[1::-1] == square.size == (86 if layout == "sbs" else 85, 48)
    assert set(np.unique(made)) == {0, 255}
    assert made.mean() == 127.5


def test_a_rate_that_cannot_be_is_measured(tmp_path):
    film = write_film(tmp_path / "film.mp4", code="mp4v", rate=12.5)
    assert film_rate(Said(fps=12.0), film) == 12.0
    for said in (0, 1000, math.nan):
        assert film_rate(Said(fps=said), film) == pytest.approx(12.5, rel=0.01)
    (tmp_path / "none.mp4").write_bytes(b"no film")
    assert film_rate(Said(), tmp_path / "none.mp4") == 30.0


def element(name: str, content: bytes) -> bytes:
    """Of EBML, which Matroska and WebM are written in."""
    return bytes.fromhex(name) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def write_matroska(path: Path, milliseconds: list[int]) -> Path:
    """A film that says when each picture is shown, and no rate, as screens and browsers are recorded."""
    head = element("1A45DFA3", element("4282", b"matroska"))
    track = element("D7", b"\1") + element("73C5", b"\1") + element("83", b"\1") + element("86", b"V_MJPEG")
    track += element("E0", element("B0", (64).to_bytes(2, "big")) + element("BA", (48).to_bytes(2, "big")))
    content = element("1549A966", element("2AD7B1", (1_000_000).to_bytes(4, "big")))
    content += element("1654AE6B", element("AE", track))
    for number, time in enumerate(milliseconds):
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), number % 250, np.uint8))[1].tobytes()
        content += element("1F43B675", element("E7", time.to_bytes(4, "big")) + element("A3", b"\x81\0\0\x80" + jpeg))
    path.write_bytes(head + element("18538067", content))
    return path


def steps_of(*parts: tuple[int, int]) -> list[int]:
    """Times in ms, of so many pictures at such a distance, one part after the other."""
    return np.cumsum([0, *(step for count, step in parts for _ in range(count))]).tolist()


@pytest.mark.parametrize(
    ("times", "large"),
    [
        (steps_of(*([(1, 16), (1, 17), (1, 50), (1, 33), (1, 34)] * 40)), False),  # a screen of 60 Hz, as it changes
        (steps_of(*([(1, 16), (1, 17), (1, 50), (1, 33), (1, 34)] * 40)), True),
        (steps_of((150, 16), (150, 100)), False),
        (steps_of((100, 100), (300, 16)), False),
    ],
)
def test_a_film_whose_rate_changes_takes_its_time(times, large, tmp_path, monkeypatch):
    if large:
        monkeypatch.setattr(film_module, "QUICKLY_READ", 0)
    source = VideoSource(write_matroska(tmp_path / "film.mkv", times), loop=False)
    assert source.rate is not None
    assert (len(times) - 1) / source.rate == pytest.approx(times[-1] / 1000, rel=0.01)
    count = 0
    while source.read() is not None:
        count += 1
    assert count == len(times)
    source.close()


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4"])
@pytest.mark.parametrize("rate", [24000 / 1001, 25.0, 59.94])
def test_a_rate_that_is_even_is_taken_as_it_is_said(suffix, rate, tmp_path, monkeypatch):
    path = write_film(tmp_path / f"film{suffix}", LEVELS * 30, code="MJPG" if suffix == ".avi" else "mp4v", rate=rate)
    for quickly_read in (film_module.QUICKLY_READ, 0):
        monkeypatch.setattr(film_module, "QUICKLY_READ", quickly_read)
        source = VideoSource(path)
        assert source.rate == pytest.approx(rate, rel=1e-3)
        source.close()


def test_a_cut_film_plays_as_far_as_it_goes(film):
    data = write_film(film, LEVELS * 10).read_bytes()
    film.write_bytes(data[: len(data) * 2 // 3])
    source = VideoSource(film, loop=False)
    seen = []
    while (shown := level(source)) is not None:
        seen.append(shown)
    assert 10 <= len(seen) < 60 and seen == (LEVELS * 10)[: len(seen)]
    source.close()


@pytest.mark.parametrize(
    "data", [b"Dear Sir or Madam,\n" * 50, b"\0" * 5000, b"RIFF\xff\0\0\0AVI LIST", b"\x1aE\xdf\xa3" * 30]
)
def test_what_is_no_film(tmp_path, data, capfd):
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"not a film that can be read|no picture that can be decoded") as caught:
        VideoSource(path).read()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # nothing but our line is said


def test_no_file_an_empty_one_and_a_folder(tmp_path):
    (tmp_path / "empty.mp4").touch()
    for name, match in (("none.mp4", "There is no file"), ("empty.mp4", "empty"), (".", "is a folder")):
        with pytest.raises(SourceError, match=match):
            VideoSource(tmp_path / name)


def test_frames_of_a_gigantic_size_are_refused(film, monkeypatch):
    monkeypatch.setattr(video, "MAX_MEGAPIXELS", 64 * 31 / 1e6)
    with pytest.raises(SourceError, match=r"frames of 64x32 pixels, more than 0\.001984 megapixels"):
        VideoSource(film)


@pytest.mark.parametrize("said", [0.0, -1.0, math.nan, math.inf, 90000.0])
def test_a_nonsensical_rate_is_not_believed(said):
    assert not is_rate(said) and is_rate(59.94)


@pytest.mark.parametrize("name", [b"take:1.avi", b"12:30.avi", b"100%.avi", b"a %03d b.avi", b"caf\xe9.avi"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_film_may_be_called_anything(name, tmp_path, monkeypatch):
    """FFmpeg takes what stands before a colon for a protocol, OpenCV ends the process at a name that is no text."""
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "film.avi").rename(os.fsdecode(name))
    source = VideoSource(Path(os.fsdecode(name)), loop=False)
    assert [level(source) for _ in range(7)] == [*LEVELS, None]
    source.close()


@pytest.mark.parametrize("rate", [480.0, 0.05])
def test_slow_motion_and_a_picture_a_minute_keep_their_time(rate, tmp_path):
    film = write_film(tmp_path / "film.mp4", code="mp4v", rate=rate)
    source = VideoSource(film)
    assert source.rate == pytest.approx(rate, rel=0.01)
    source.close()
