"""From words to sources."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.live.chosen_source import ChosenSource
from artem_vr.offline.files import plan
from artem_vr.sources import opencv, registry
from artem_vr.sources.demo import DemoSource
from artem_vr.sources.headset_camera import HeadsetCameraSource
from artem_vr.sources.pictures import StillPicture
from artem_vr.sources.registry import Spec, default_sources, open_source, parse_spec
from artem_vr.sources.source import FinalSourceError, Shot
from artem_vr.sources.video import VideoSource
from tests.sources.samples import encoded, gradient, grey_jpeg

cv2 = opencv.load()


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("webcam", Spec("webcam")),
        (" WebCam:3 ", Spec("webcam", "3")),
        ("webcam:HD Pro: C920", Spec("webcam", "HD Pro: C920")),
        ("screen", Spec("screen")),
        ("screen:1", Spec("screen", "1")),
        ("phone:http://me:x@10.0.0.2:8080/video", Spec("phone", "http://me:x@10.0.0.2:8080/video")),
        ("headset", Spec("headset")),
        ("demo", Spec("demo")),
        ("./demo", Spec("file", "./demo")),
        ("film.mp4", Spec("file", "film.mp4")),
        ("C:\\films\\a.mp4", Spec("file", "C:\\films\\a.mp4")),
        ("c://films/a.mp4", Spec("file", "c://films/a.mp4")),
        ("file:x", Spec("file", "file:x")),
    ],
)
def test_what_is_typed_is_understood(text, spec):
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "a\0b", "http://10.0.0.2/video", "phone", "phone:", "demo:2", "headset:1", "webcam:"),
        *("screen:", "screen:x", "screen:-1", "screen:99999", "screen:²"),
    ],
)
def test_what_means_nothing_is_refused(text):
    with pytest.raises(FinalSourceError) as caught:
        parse_spec(text)
    assert "\n" not in str(caught.value) and caught.value.remedy


def test_the_demo_and_the_headset():
    assert isinstance(open_source("demo"), DemoSource)
    with pytest.raises(FinalSourceError, match="No headset with a camera"):
        open_source("headset")

    class Camera:
        pause = ""

        def read(self):
            return None

    assert isinstance(open_source("headset", camera=Camera()), HeadsetCameraSource)


def test_files_are_known_by_what_is_in_them(tmp_path):
    picture = tmp_path / "film.mp4"
    picture.write_bytes(encoded(gradient(), "PNG"))
    assert isinstance(open_source(str(picture)), StillPicture)
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.release()
    renamed = film.rename(tmp_path / "film.data")
    source = open_source(str(renamed), "sbs", loop=False)
    assert isinstance(source, VideoSource)
    shot = source.read()
    assert shot is not None and shot.eyes.shape == (2, 32, 16, 3) and source.read() is None
    assert source.name == str(renamed)
    source.close()


@pytest.mark.parametrize("ending", ["mjpeg", "MJPG"])
def test_a_film_of_jpegs_is_no_picture(ending, tmp_path):
    film = tmp_path / f"film.{ending}"
    film.write_bytes(b"".join(grey_jpeg(level) for level in (50, 150)))
    source = open_source(str(film))
    assert [round(eyes_of(source).mean()) for _ in range(3)] == [50, 150, 50]
    source.close()
    jobs, _ = plan([film], tmp_path / "painted.mp4")
    assert jobs[0].kind == "video"


def eyes_of(source):
    """The next picture's."""
    shot = source.read()
    assert shot is not None
    return shot.eyes


def test_eyes_are_exchanged_from_the_next_picture_on(tmp_path):
    path = tmp_path / "pair.png"
    pair = gradient(8, 4)
    path.write_bytes(encoded(pair, "PNG"))
    wanted = False
    source = open_source(str(path), "sbs", swapped=lambda: wanted)
    assert (source.name, source.live, source.rate) == (str(path), False, 10.0)
    left_first = eyes_of(source)
    wanted = True
    right_first = eyes_of(source)
    assert not np.array_equal(left_first[0], left_first[1])
    assert np.array_equal(right_first, left_first[::-1]) and right_first.flags.c_contiguous
    assert eyes_of(source) is right_first, "a photograph stays the same picture: it need not be uploaded again"
    source.skip()
    source.close()
    mono = open_source(str(path), "mono", swapped=lambda: True)
    assert np.array_equal(eyes_of(mono), eyes_of(open_source(str(path))))


def test_a_source_that_gives_its_own_pair_keeps_it():
    assert np.array_equal(eyes_of(open_source("demo", "sbs", swapped=lambda: True)), eyes_of(open_source("demo")))


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("none.mp4", None, "There is no file"),
        ("empty.png", b"", "empty"),
        ("letter.jpg", b"Dear Sir", "not a picture"),
        ("letter.txt", b"Dear Sir", "not a film"),
        ("slim.png", encoded(gradient(9, 1), "PNG"), "too small for the layout sbs"),
        (".", None, "is a folder"),
    ],
)
def test_a_bad_file_is_final(tmp_path, name, data, match):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(FinalSourceError, match=match):
        open_source(str(path), "sbs")


def test_a_name_too_long_for_the_system_is_one_line():
    with pytest.raises(FinalSourceError) as caught:
        open_source("x" * 5000)
    assert len(str(caught.value)) < 400


def test_a_camera_that_is_not_there_may_come(monkeypatch):
    with pytest.raises(SourceError, match="There is no camera 61") as caught:
        open_source("webcam:61")
    assert not isinstance(caught.value, FinalSourceError)


def test_what_may_be_shown_when_nobody_chose(monkeypatch):
    monkeypatch.setattr("artem_vr.sources.camera.cameras", list)
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_sources() == ["screen", "demo"]
    assert default_sources(object()) == ["headset", "screen", "demo"]  # type: ignore[arg-type]
    monkeypatch.setattr("artem_vr.sources.camera.cameras", lambda: ["one"])
    assert default_sources() == ["webcam", "screen", "demo"]


def test_nothing_heavy_is_imported_before_a_source_is_chosen():
    code = (
        "import sys; from artem_vr.sources.registry import parse_spec; parse_spec('webcam:1');"
        "print([m for m in ('cv2', 'mss', 'PIL', 'torch') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
    assert registry.__doc__


def test_a_file_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~picture.png").write_bytes(encoded(gradient(8, 8), "PNG"))
    shot = open_source("~picture.png").read()
    assert isinstance(shot, Shot) and shot.eyes.shape == (1, 8, 8, 3)
    assert ChosenSource("~picture.png", "mono").is_file


def test_a_file_is_no_address():
    with pytest.raises(FinalSourceError, match="by itself"):
        parse_spec("file:///home/me/film.mp4")
