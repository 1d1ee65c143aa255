"""Webcams: found by number and name, read, and missed in clear words. The camera itself is played."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.sources import camera, directshow, opencv
from artem_vr.sources.camera import Camera, CameraSource, cameras, find_camera

KNOWN = [Camera(0, "Integrated Webcam"), Camera(2, "ZED Stereo"), Camera(4, "ZED Mini")]


class Played:
    """What OpenCV gives for a camera; the pictures are BGR; None is a lost one."""

    def __init__(self, *pictures, opened=True):
        self.pictures, self.opened, self.released = list(pictures), opened, 0

    def isOpened(self):
        return self.opened

    def grab(self):
        self.now = self.pictures.pop(0) if self.pictures else None
        return self.now is not None

    def retrieve(self):
        return True, self.now

    def release(self):
        self.released += 1


def blue(width=4):
    return np.full((3, width, 3), (250, 20, 10), np.uint8)


@pytest.mark.parametrize(
    ("wanted", "number"), [("", 0), ("7", 7), (" 2 ", 2), ("integrated webcam", 0), ("mini", 4), ("ZED Stereo", 2)]
)
def test_a_camera_is_found(wanted, number):
    assert find_camera(wanted, KNOWN) == number


@pytest.mark.parametrize(
    ("wanted", "known", "match"),
    [
        ("zed", KNOWN, "2 cameras fit.*webcam:2 .ZED Stereo., webcam:4"),
        ("logitech", KNOWN, "No camera is named 'logitech'. Known here: webcam:0"),
        ("logitech", [], "nor any other. Connect a camera"),
    ],
)
def test_a_camera_is_not_found(wanted, known, match):
    with pytest.raises(SourceError, match=match):
        find_camera(wanted, known)


def test_pictures_are_rgb_and_taken_apart():
    played = Played(blue(), blue())
    source = CameraSource("mini", "sbs", lambda number: played if number == 4 else None, KNOWN)
    shot = source.read()
    assert shot is not None and shot.eyes.shape == (2, 3, 2, 3) and shot.eyes[0, 0, 0].tolist() == [10, 20, 250]
    assert shot.captured_at is not None
    assert source.name == "webcam:mini" and source.live and source.rate is None
    source.skip()
    source.close()
    assert played.released == 1


@pytest.mark.parametrize(("platform", "at"), [("linux", 0.1), ("win32", 0.2)])
def test_a_picture_is_of_the_moment_when_the_camera_gave_it(platform, at, monkeypatch):
    """Video4Linux waits for it in grab, DirectShow in retrieve."""
    clock = [0.0]

    class Slow(Played):
        def grab(self):
            clock[0] += 0.1
            return super().grab()

        def retrieve(self):
            clock[0] += 0.1
            return super().retrieve()

    monkeypatch.setattr(camera, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(sys, "platform", platform)
    shot = CameraSource("0", "mono", lambda _: Slow(blue()), KNOWN).read()
    assert shot is not None and shot.captured_at == pytest.approx(at)


class DirectShow:
    """How OpenCV sets a camera of DirectShow up: with a format only where the size is another than before."""

    def __init__(self, size):
        self.size, self.format, self.wanted = size, "raw", {}

    def isOpened(self):
        return True

    def get(self, what):
        return float({"width": self.size[0], "height": self.size[1]}[what])

    def set(self, what, value):
        self.wanted[what] = value
        if {"width", "height"} <= self.wanted.keys():
            size = self.wanted["width"], self.wanted["height"]
            if size != self.size:
                self.size, self.format = size, self.wanted.get("format", "raw")
            self.wanted = {}


@pytest.mark.parametrize(
    ("layout", "asked_for"),
    [("mono", (1280, 720)), ("half-sbs", (1280, 720)), ("sbs", (2560, 720)), ("tb", (1280, 1440))],
)
@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (1920, 1080), (2560, 720)])
def test_on_windows_motion_jpeg_is_set_whatever_the_camera_begins_with(size, layout, asked_for, monkeypatch):
    played = DirectShow(size)
    cv2 = SimpleNamespace(
        CAP_DSHOW="DirectShow",
        CAP_V4L2="Video4Linux",
        CAP_ANY="any",
        CAP_PROP_FRAME_WIDTH="width",
        CAP_PROP_FRAME_HEIGHT="height",
        CAP_PROP_FOURCC="format",
        CAP_PROP_BUFFERSIZE="buffers",
        VideoWriter=SimpleNamespace(fourcc=lambda *letters: "".join(letters)),
        VideoCapture=lambda number, backend: played if backend == "DirectShow" else None,
    )
    monkeypatch.setattr(opencv, "load", lambda: cv2)
    monkeypatch.setattr(sys, "platform", "win32")
    camera.CameraSource("0", layout, known=KNOWN)
    assert (played.size, played.format) == (asked_for, "MJPG")  # of each eye as much as of a camera with one


def test_a_lost_picture_is_passed_over_and_silence_is_an_error():
    source = CameraSource("", "mono", lambda _: Played(None, None, blue()), KNOWN)
    assert source.read() is not None
    with pytest.raises(SourceError, match="no pictures any more"):
        source.read()


def test_a_grey_camera_gives_rgb():
    source = CameraSource("0", "mono", lambda _: Played(np.full((2, 2), 9, np.uint8)), KNOWN)
    shot = source.read()
    assert shot is not None and shot.eyes.shape == (1, 2, 2, 3)


@pytest.mark.parametrize(
    ("wanted", "known", "match"),
    [
        ("2", KNOWN, "cannot be opened. Close the program that uses it"),
        ("77", KNOWN, "There is no camera 77. Known here: webcam:0"),
        ("77", [], "There is no camera 77. Connect a camera"),
    ],
)
def test_a_camera_that_does_not_open(wanted, known, match):
    played = Played(opened=False)
    with pytest.raises(SourceError, match=match):
        CameraSource(wanted, "mono", lambda _: played, known)
    assert played.released == 1


def test_this_machine_without_such_a_camera(capfd):
    with pytest.raises(SourceError, match="There is no camera 63"):
        CameraSource("63")
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of cameras is Linux's")
def test_the_kernels_list_of_cameras(tmp_path):
    for node, index, name in (
        ("video10", 0, "Second"),
        ("video2", 0, "First\n"),
        ("video3", 1, "First"),
        ("videoX", 0, "?"),
    ):
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
        (tmp_path / node / "name").write_text(name)
    (tmp_path / "video9").mkdir()
    assert cameras(tmp_path) == [Camera(2, "First"), Camera(10, "Second")]
    assert cameras(tmp_path / "none") == []


@pytest.mark.skipif(sys.platform == "win32", reason="elsewhere than on Windows")
def test_directshow_is_windows_own():
    assert directshow.camera_names() == []


@pytest.mark.skipif(sys.platform != "win32", reason="DirectShow is Windows' own")
def test_directshow_gives_names():
    assert all(isinstance(name, str) for name in directshow.camera_names())
