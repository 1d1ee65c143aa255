import ctypes
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from artem_vr.errors import GraphicsError
from artem_vr.render import events, gl, target
from artem_vr.render.context import KEY_NAMES, open_context
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.mirror import Mirror
from artem_vr.render.stage import Stage
from artem_vr.render.target import EyeTarget
from tests.render.scenes import noise

pytestmark = [pytest.mark.graphics, pytest.mark.display]


@pytest.fixture
def fresh(context):
    context.poll()  # drop what opening the window reported
    return context


def hear(context, kind, *arguments):
    """Call the window's own callback as GLFW does, and return what the next poll reports."""
    import glfw

    change = getattr(glfw, f"set_{kind}_callback")
    callback = change(context._window, None)
    change(context._window, callback)
    callback(context._window, *arguments)
    return context.poll()


def test_it_is_core_and_new_enough(context):
    assert int(gl.glGetIntegerv(gl.GL_MAJOR_VERSION)) * 10 + int(gl.glGetIntegerv(gl.GL_MINOR_VERSION)) >= 33
    assert gl.glGetIntegerv(gl.GL_CONTEXT_PROFILE_MASK) == gl.GL_CONTEXT_CORE_PROFILE_BIT
    assert context.renderer not in ("", "unknown")
    assert not context.offscreen
    if sys.platform.startswith("linux"):
        assert os.environ["PYOPENGL_PLATFORM"] == "glx"  # what SteamVR wants


def test_keys(fresh):
    import glfw

    assert hear(fresh, "key", glfw.KEY_SPACE, 0, glfw.PRESS, 0) == [events.KeyPressed("space")]
    assert hear(fresh, "key", glfw.KEY_SPACE, 0, glfw.REPEAT, 0) == [events.KeyPressed("space", repeat=True)]
    assert hear(fresh, "key", glfw.KEY_TAB, 0, glfw.RELEASE, glfw.MOD_SHIFT) == [
        events.KeyPressed("tab", released=True, shift=True)
    ]
    assert hear(fresh, "key", glfw.KEY_KP_7, 0, glfw.PRESS, glfw.MOD_CONTROL) == [events.KeyPressed("7", control=True)]
    assert hear(fresh, "key", glfw.KEY_Q, 0, glfw.PRESS, glfw.MOD_ALT) == [events.KeyPressed("q", alt=True)]
    assert hear(fresh, "key", glfw.KEY_UNKNOWN, 0, glfw.PRESS, 0) == []
    named = {hear(fresh, "key", getattr(glfw, f"KEY_{name.upper()}"), 0, glfw.PRESS, 0)[0].key for name in KEY_NAMES}
    assert named == set(KEY_NAMES)


@pytest.mark.parametrize(
    ("written", "named"),
    [("c", "c"), ("с", "c"), ("ψ", "c"), ("ב", "c"), (None, "c"), ("J", "j")],
    ids=["latin", "cyrillic", "greek", "hebrew", "unknown", "dvorak"],
)
def test_letters_are_the_layouts_and_where_it_has_others_those_of_the_us(fresh, monkeypatch, written, named):
    import glfw

    monkeypatch.setattr(glfw, "get_key_name", lambda key, scancode: written)
    assert hear(fresh, "key", glfw.KEY_C, 0, glfw.PRESS, 0) == [events.KeyPressed(named)]


def test_signs_on_the_letter_keys_of_another_alphabet_are_no_letters(fresh, monkeypatch):
    """Greek writes ; on Q's key, Hebrew / there and . on that of the slash."""
    import glfw

    hebrew = {glfw.KEY_S: "ד", glfw.KEY_Q: "/", glfw.KEY_SLASH: "."}
    monkeypatch.setattr(glfw, "get_key_name", lambda key, scancode: hebrew.get(key))
    assert hear(fresh, "key", glfw.KEY_Q, 0, glfw.PRESS, 0) == [events.KeyPressed("q")]
    assert hear(fresh, "key", glfw.KEY_SLASH, 0, glfw.PRESS, 0) == [events.KeyPressed("/")]


Size = namedtuple("Size", "width height")


class Monitors:
    """Two monitors side by side, the primary one on the left, and a window that the test puts somewhere."""

    def __init__(self, monkeypatch):
        import glfw

        self.places = {"left": (0, 0, 1920, 1080), "right": (1920, -200, 2560, 1440)}
        self.window, self.filled = (0, 0, 800, 600), []  # type: tuple[int, ...], list[tuple[object, ...]]
        answers = {
            "get_monitors": lambda: list(self.places),
            "get_monitor_pos": lambda monitor: self.places[monitor][:2],
            "get_video_mode": lambda monitor: SimpleNamespace(size=Size(*self.places[monitor][2:]), refresh_rate=60),
            "get_window_pos": lambda window: self.window[:2],
            "get_window_size": lambda window: self.window[2:],
            "set_window_monitor": lambda window, *rest: self.filled.append(rest),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(glfw, name, answer)


@pytest.mark.parametrize(
    ("place", "monitor"),
    [
        ((100, 100, 800, 600), "left"),
        ((2000, 100, 800, 600), "right"),
        ((1400, 100, 800, 600), "left"),
        ((1700, 100, 800, 600), "right"),
        ((9000, 9000, 800, 600), "left"),
    ],
)
def test_the_monitor_that_has_most_of_the_window_is_filled(fresh, monkeypatch, place, monitor):
    desktop = Monitors(monkeypatch)
    desktop.window = place
    fresh.set_fullscreen(True)
    fresh.set_fullscreen(False)
    assert desktop.filled == [(monitor, 0, 0, *desktop.places[monitor][2:], 60), (None, *place, 0)]


def test_without_a_monitor_the_window_stays(fresh, monkeypatch):
    desktop = Monitors(monkeypatch)
    desktop.places = {}
    fresh.set_fullscreen(True)
    assert desktop.filled == []


def test_mouse_files_and_close(fresh):
    import glfw

    assert hear(fresh, "cursor_pos", 10.0, 20.0) == [events.MouseMoved(10.0, 20.0, 0.0, 0.0)]
    assert hear(fresh, "cursor_pos", 13.0, 18.0) == [events.MouseMoved(13.0, 18.0, 3.0, -2.0)]
    assert hear(fresh, "mouse_button", glfw.MOUSE_BUTTON_RIGHT, glfw.PRESS, 0) == [events.MouseButton("right", True)]
    assert hear(fresh, "mouse_button", glfw.MOUSE_BUTTON_LEFT, glfw.RELEASE, 0) == [events.MouseButton("left", False)]
    assert hear(fresh, "window_refresh") == [events.Uncovered()]
    assert hear(fresh, "window_close") == [events.CloseRequested()]
    assert not glfw.window_should_close(fresh._window)


def test_dropped_files_may_be_called_anything(fresh):
    """Names from an old disk, in Latin-1, among others: none is lost."""
    names = "/a b/ü.png".encode(), b"c", b"/a/gr\xfcn.png"
    fresh._drop_callback(fresh._window, len(names), (ctypes.c_char_p * len(names))(*names))
    assert fresh.poll() == [events.FilesDropped(tuple(Path(os.fsdecode(name)) for name in names))]


def test_what_is_drawn_reaches_the_window(context):
    picture = noise(240, 320)[None]
    eye, stage, frame, mirror = EyeTarget(320, 240), Stage(), FrameTextures(), Mirror()
    frame.update(picture)
    stage.draw_flat(eye, 0, frame)
    mirror.draw(context.screen, eye, eye, "left")
    assert np.array_equal(target.read_back(context.screen)[..., :3], picture[0])
    for thing in (eye, stage, frame, mirror):
        thing.release()


def test_a_second_window_resizes_and_closes_alone(context):
    import glfw

    with open_context(offscreen=False, size=(64, 48), visible=True, vsync=False, headset=True) as other:
        assert other.framebuffer_size == (64, 48)
        other.set_title("Café – 90 fps")
        glfw.set_window_size(glfw.get_current_context(), 96, 80)
        heard = []
        while events.Resized(96, 80) not in heard:
            glfw.wait_events_timeout(5.0)
            heard += other.poll()
        assert (other.screen.width, other.screen.height) == (96, 80)
        other.swap()  # the driver's own buffers follow at the next swap
        target.clear(other.screen, (1.0, 0.0, 0.0))
        assert (target.read_back(other.screen)[..., :3] == (255, 0, 0)).all()
        other.swap()
        assert gl.standing_errors() == []
    other.close()  # a second time
    context.make_current()
    target.clear(context.screen, (0.0, 1.0, 0.0))
    assert (target.read_back(context.screen)[..., :3] == (0, 255, 0)).all()


def test_one_process_has_one_platform(context):
    with pytest.raises(GraphicsError, match="OpenGL was loaded for"):
        gl.choose_platform("somewhere else")


def test_standing_errors_are_named_and_cleared(context):
    gl.glEnable(0xFFFF)
    assert gl.standing_errors() == ["GL_INVALID_ENUM"]
    assert gl.standing_errors() == []


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    kept.pop("PYOPENGL_PLATFORM", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, timeout=300, check=False
    )


OPEN = """
from artem_vr.errors import GraphicsError
from artem_vr.render.context import open_context
try:
    context = open_context(offscreen={offscreen})
except GraphicsError as error:
    print(error)
else:
    print("off screen" if context.offscreen else "window")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 is Linux's")
@pytest.mark.parametrize(
    ("offscreen", "environment", "expected"),
    [
        (None, {}, "off screen"),
        (None, {"DISPLAY": ":4242"}, "off screen"),
        (True, {}, "off screen"),
        (False, {"DISPLAY": ":4242"}, "no window can be opened: X11: Failed to open display :4242. Run in a desktop"),
        (True, {"__EGL_VENDOR_LIBRARY_DIRS": "/nowhere"}, "OpenGL 3.3 is not available off screen. Install the"),
    ],
)
def test_displays_that_are_not_there(offscreen, environment, expected):
    answer = python(OPEN.format(offscreen=offscreen), **environment)
    assert answer.stdout.startswith(expected), answer
    assert answer.stdout.count("\n") == 1 and answer.stderr == ""


def test_importing_the_renderer_loads_nothing_heavy():
    modules = "context events texture program target geometry mesh frame_textures stage hud mirror interop gl egl"
    code = f"""
import importlib, sys
for name in {modules.split()}:
    importlib.import_module("artem_vr.render." + name)
print([name for name in ("OpenGL", "glfw", "torch", "cv2", "cuda", "PIL") if name in sys.modules])
"""
    assert python(code).stdout.strip() == "[]"
