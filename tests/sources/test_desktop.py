"""The desktop: a known picture on a real X server's root window, read back pixel by pixel."""

from __future__ import annotations

import ctypes.util
import shutil
import sys
import types

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.sources import desktop
from artem_vr.sources.desktop import DesktopSource, refusal, screens
from tests.x_display import draw_on_root, x_server

WIDTH, HEIGHT = 320, 200

needs_x = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not shutil.which("Xvfb") or not ctypes.util.find_library("X11"),
    reason="needs Xvfb and libX11",
)


def known_picture():
    """No two places alike, all values of each colour."""
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


@pytest.fixture
def server(monkeypatch):
    """A display with the known picture, named in the environment."""
    with x_server(WIDTH, HEIGHT) as (display, process):
        draw_on_root(display, known_picture())
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
        yield display, process


@needs_x
def test_the_screen_is_captured_pixel_by_pixel(server):
    for number in (None, 0):
        source = DesktopSource(number, cursor=False)
        shot = source.read()
        assert shot is not None and shot.captured_at is not None
        assert np.array_equal(shot.eyes, known_picture()[None])
        assert shot.eyes.flags.c_contiguous and source.live and shot.stands
        assert source.name == ("screen" if number is None else "screen:0")
        source.skip()
        source.close()
        source.close()


@needs_x
def test_each_reading_shows_the_screen_as_it_is_now(server):
    source = DesktopSource(cursor=False)
    draw_on_root(server[0], 255 - known_picture())
    shot = source.read()
    assert shot is not None and np.array_equal(shot.eyes[0], 255 - known_picture())
    source.close()


@needs_x
def test_the_screen_can_hold_two_eyes(server):
    source = DesktopSource(layout="sbs", cursor=False)
    shot = source.read()
    assert shot is not None and np.array_equal(shot.eyes[1], known_picture()[:, WIDTH // 2 :])
    source.close()


@needs_x
def test_the_pointer_changes_only_what_is_around_it(server):
    source = DesktopSource()
    shot = source.read()
    assert shot is not None
    changed = np.argwhere((shot.eyes[0] != known_picture()).any(-1))
    assert len(changed) and (np.ptp(changed, axis=0) < 64).all()
    source.close()


@needs_x
def test_an_unknown_screen_is_refused_with_the_known_ones(server):
    with pytest.raises(SourceError, match=r"There is no screen:3. Known here: screen:0 \(320x200\)"):
        DesktopSource(3)
    assert screens() == ["320x200 at 0,0"]


@needs_x
def test_a_display_that_goes_away_is_an_error_and_not_the_end(server):
    source = DesktopSource(cursor=False)
    server[1].kill()
    server[1].wait()
    with pytest.raises(SourceError) as caught:
        source.read()
    assert "\n" not in str(caught.value)
    source.close()
    with pytest.raises(SourceError, match="cannot be opened"):
        DesktopSource()


def test_what_the_environment_says():
    wayland = refusal({"XDG_SESSION_TYPE": "wayland", "DISPLAY": ":0"}, "linux")
    assert wayland is not None and "Wayland" in str(wayland) and "X11" in wayland.remedy and "webcam" in wayland.remedy
    assert refusal({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux") is not None
    nothing = refusal({}, "linux")
    assert nothing is not None and "DISPLAY" in str(nothing)
    assert refusal({"DISPLAY": ":0", "XDG_SESSION_TYPE": "x11", "WAYLAND_DISPLAY": "x"}, "linux") is None
    assert refusal({"DISPLAY": ":0"}, "linux") is None
    assert refusal({}, "win32") is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="DISPLAY is a thing of X")
def test_without_a_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    with pytest.raises(SourceError, match="There is no screen here"):
        DesktopSource()
    with pytest.raises(SourceError, match="There is no screen here"):
        screens()


def test_a_screen_that_changes_its_size_is_followed(monkeypatch):
    """A game takes another mode, a notebook is docked: mss itself asks once how large screens are."""
    size = [(64, 48)]
    opened, closed = [], []

    class Capture:
        def __init__(self, cursor):
            opened.append(self)
            width, height = size[0]
            self.monitors = [{}, {"left": 0, "top": 0, "width": width, "height": height, "is_primary": True}]

        def grab(self, monitor):
            shot = types.SimpleNamespace(width=monitor["width"], height=monitor["height"])
            shot.raw = bytes(4 * shot.width * shot.height)
            return shot

        def close(self):
            closed.append(self)

    monkeypatch.setattr(desktop, "_open", Capture)
    monkeypatch.setattr(desktop, "FOLLOW_SECONDS", 0.0)
    source = DesktopSource()
    for width, height in ((64, 48), (128, 96), (64, 48)):
        size[0] = (width, height)
        shot = source.read()
        assert shot is not None and shot.eyes.shape == (1, height, width, 3)
    source.close()
    assert len(closed) == len(opened)
