"""The OpenGL 3.3 context: a GLFW window, or EGL off screen where there is no display."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from artem_vr.errors import GraphicsError
from artem_vr.render import gl
from artem_vr.render.egl import EglContext
from artem_vr.render.events import (
    CloseRequested,
    Event,
    FilesDropped,
    KeyPressed,
    MouseButton,
    MouseMoved,
    Resized,
    Uncovered,
)
from artem_vr.render.held_window import HeldWindow, start_timer
from artem_vr.render.target import EyeTarget, Target

_WORDS = """
space escape enter tab backspace insert delete right left down up page_up page_down home end kp_add kp_subtract
f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12
"""
KEY_NAMES = tuple(_WORDS.split())
"""The keys that `events.KeyPressed` names by a word; letters, digits and signs name themselves."""

_REMEDY = "Install the graphics driver, or Mesa (on Debian: libgl1 libgl1-mesa-dri)"


class Context(Protocol):
    """An OpenGL context and what is around it. Used by one thread: the one that opened it."""

    offscreen: bool
    """Nothing of this is seen; `poll` never returns an event."""
    renderer: str
    """The driver's name of the device, "llvmpipe (LLVM 15.0.6, 256 bits)" for example."""

    @property
    def framebuffer_size(self) -> tuple[int, int]:
        """Width and height to draw, in pixels; (0, 0) while the window is minimised."""

    @property
    def content_scale(self) -> float:
        """Pixels per unit of the desktop: 1, or 1.5 or 2 on a dense display."""

    @property
    def pixels_per_unit(self) -> float:
        """Pixels to draw per unit of the pointer's coordinates."""

    @property
    def screen(self) -> Target:
        """The window as a target; off screen, a picture of the same size."""

    def make_current(self) -> None: ...
    def poll(self) -> list[Event]:
        """What happened since the last call, oldest first. Never waits, but on Windows while the window is held."""

    def keep_turning(self, turn: Callable[[], None]) -> None:
        """Call ``turn``, from within `poll`, again and again while the window is held; `poll` gives nothing then."""

    def swap(self) -> None:
        """Show what was drawn. Waits for the display if the swap interval says so."""

    def set_swap_interval(self, interval: int) -> None:
        """Let `swap` wait for ``interval`` refreshes of the display; 0 (always, with a headset): none."""

    def set_title(self, title: str) -> None: ...
    def set_fullscreen(self, fullscreen: bool) -> None:
        """Fill the monitor on which most of the window is, or return to the window."""

    def close(self) -> None:
        """End the context; release what lies in it first. May be called again."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def open_context(
    offscreen: bool | None = None,
    title: str = "Art'Em VR",
    size: tuple[int, int] = (1280, 720),
    visible: bool = True,
    *,
    headset: bool = False,
    vsync: bool = True,
) -> Context:
    """Open an OpenGL 3.3 core context, current in this thread.

    ``offscreen`` None takes a window where there is a display, else draws off screen (Linux).
    ``size`` is the window's, in units of the desktop; off screen, in pixels. ``headset`` asks for X11
    and GLX on Linux (SteamVR's way) and a mirror that never waits, whatever ``vsync`` says.

    Raises:
        GraphicsError: there is no OpenGL 3.3, or no display for a window that was asked for.
    """
    may_hide = offscreen is None and sys.platform.startswith("linux")
    if offscreen or (may_hide and not _has_display()):
        return OffscreenContext(size)
    try:
        return WindowContext(title, size, visible, headset, vsync)
    except _NoDisplay:
        if not may_hide:
            raise
        return OffscreenContext(size)


class _NoDisplay(GraphicsError):
    """DISPLAY names a display that does not answer."""


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _renderer() -> str:
    name = gl.glGetString(gl.GL_RENDERER)
    return name.decode("utf-8", "replace") if name else "unknown"


class OffscreenContext:
    """OpenGL through EGL, with no window: `Context` for servers and tests. Linux only."""

    offscreen = True
    content_scale = 1.0
    pixels_per_unit = 1.0

    def __init__(self, size: tuple[int, int]) -> None:
        if not sys.platform.startswith("linux"):
            raise GraphicsError("drawing off screen works on Linux only", "Run with a display")
        self._egl = EglContext()
        try:
            gl.choose_platform("egl")
        except GraphicsError:
            self._egl.close()
            raise
        self.renderer = _renderer()
        self.framebuffer_size = size
        self._screen: EyeTarget | None = None

    @property
    def screen(self) -> Target:
        if self._screen is None:
            self._screen = EyeTarget(*self.framebuffer_size)
        return self._screen

    def make_current(self) -> None:
        self._egl.make_current()

    def poll(self) -> list[Event]:
        return []

    def keep_turning(self, turn: Callable[[], None]) -> None:
        pass

    def swap(self) -> None:
        gl.glFlush()

    def set_swap_interval(self, interval: int) -> None:
        pass

    def set_title(self, title: str) -> None:
        pass

    def set_fullscreen(self, fullscreen: bool) -> None:
        pass

    def close(self) -> None:
        if self._screen is not None:
            self._screen.release()
            self._screen = None
        self._egl.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Screen:
    framebuffer: int
    width: int
    height: int


class WindowContext:
    """A GLFW window with OpenGL 3.3 core."""

    offscreen = False
    _open_windows = 0  # GLFW is begun with the first window of the process and ended with the last

    def __init__(self, title: str, size: tuple[int, int], visible: bool, headset: bool, vsync: bool) -> None:
        try:
            import glfw
        except ImportError as error:
            raise GraphicsError(f"no window can be opened: {error}", "Install artem-vr again") from error
        self._glfw: Any = glfw
        self._window: Any = None
        self._events: deque[Event] = deque()
        self._pointer: tuple[float, float] | None = None
        self._windowed: tuple[int, int, int, int] | None = None
        self._held: HeldWindow | None = None
        self._timer: Any = None
        self._headset = headset
        self._begin()
        WindowContext._open_windows += 1
        try:
            self._window = self._create(title, size, visible)
            glfw.make_context_current(self._window)
            gl.choose_platform(self._platform())
        except BaseException:
            self.close()
            raise
        self.set_swap_interval(1 if vsync else 0)
        self._listen()
        self.renderer = _renderer()

    def _begin(self) -> None:
        glfw = self._glfw
        glfw.ERROR_REPORTING = "ignore"  # errors are asked for, below, and never printed or raised by a callback
        if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
            glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_X11)  # SteamVR wants GLX; under Wayland, XWayland gives it
        if not glfw.init():
            raise _NoDisplay(
                f"no window can be opened: {_glfw_error(glfw)}", "Run in a desktop session, or without a display at all"
            )

    def _create(self, title: str, size: tuple[int, int], visible: bool) -> Any:
        glfw = self._glfw
        glfw.default_window_hints()
        for hint, value in (
            (glfw.CONTEXT_VERSION_MAJOR, 3),
            (glfw.CONTEXT_VERSION_MINOR, 3),
            (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
            (glfw.OPENGL_FORWARD_COMPAT, True),
            (glfw.DEPTH_BITS, 0),
            (glfw.STENCIL_BITS, 0),
            (glfw.SRGB_CAPABLE, False),
            (glfw.VISIBLE, visible),
            (glfw.SCALE_TO_MONITOR, True),
            (glfw.AUTO_ICONIFY, False),
        ):
            glfw.window_hint(hint, value)
        window = glfw.create_window(*size, title, None, None)
        if not window:
            raise GraphicsError(f"no window with OpenGL 3.3 can be opened: {_glfw_error(glfw)}", _REMEDY)
        return window

    def _platform(self) -> str:
        if not sys.platform.startswith("linux"):
            return "native"
        return "glx" if self._glfw.get_platform() == self._glfw.PLATFORM_X11 else "egl"

    @property
    def framebuffer_size(self) -> tuple[int, int]:
        if self._glfw.get_window_attrib(self._window, self._glfw.ICONIFIED):
            return (0, 0)
        width, height = self._glfw.get_framebuffer_size(self._window)
        return (width, height)

    @property
    def content_scale(self) -> float:
        return float(self._glfw.get_window_content_scale(self._window)[0])

    @property
    def pixels_per_unit(self) -> float:
        return self.framebuffer_size[0] / max(1, self._glfw.get_window_size(self._window)[0])

    @property
    def screen(self) -> Target:
        return _Screen(0, *self.framebuffer_size)

    def make_current(self) -> None:
        self._glfw.make_context_current(self._window)

    def poll(self) -> list[Event]:
        if self._held is not None and self._held.turning:
            return []
        with self._held or nullcontext():
            self._glfw.poll_events()
        events = list(self._events)
        self._events.clear()
        return events

    def keep_turning(self, turn: Callable[[], None]) -> None:
        self._held = HeldWindow(turn)
        if sys.platform == "win32" and self._timer is None:
            self._timer = start_timer(self._glfw.get_win32_window(self._window), self._tick)

    def _tick(self) -> None:
        if self._held is not None:
            self._held.tick()

    def swap(self) -> None:
        self._glfw.swap_buffers(self._window)

    def set_swap_interval(self, interval: int) -> None:
        self._glfw.swap_interval(0 if self._headset else interval)

    def set_title(self, title: str) -> None:
        self._glfw.set_window_title(self._window, title)

    def set_fullscreen(self, fullscreen: bool) -> None:
        glfw, window = self._glfw, self._window
        if fullscreen and self._windowed is None:
            place = (*glfw.get_window_pos(window), *glfw.get_window_size(window))
            monitors = glfw.get_monitors()  # the primary one first
            if not monitors:
                return
            modes = [glfw.get_video_mode(one).size for one in monitors]
            places = [(*glfw.get_monitor_pos(one), *size) for one, size in zip(monitors, modes, strict=True)]
            monitor = max(zip(places, monitors, strict=True), key=lambda one: _shared_area(one[0], place))[1]
            mode = glfw.get_video_mode(monitor)
            self._windowed = place
            glfw.set_window_monitor(window, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate)
        elif not fullscreen and self._windowed is not None:
            glfw.set_window_monitor(window, None, *self._windowed, 0)
            self._windowed = None

    def close(self) -> None:
        if self._glfw is None:
            return
        if self._window:
            self._glfw.destroy_window(self._window)
            self._window = None
        WindowContext._open_windows -= 1
        if WindowContext._open_windows == 0:
            self._glfw.terminate()
        self._glfw = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        glfw, window, put = self._glfw, self._window, self._events.append
        names = {getattr(glfw, f"KEY_{name.upper()}"): name for name in KEY_NAMES} | {glfw.KEY_KP_ENTER: "enter"}

        def key_name(key: int, scancode: int) -> str:
            if key in names:
                return names[key]
            for first in (glfw.KEY_0, glfw.KEY_KP_0):
                if first <= key <= first + 9:
                    return str(key - first)
            # What the user's layout writes on the key; where that is not known, or the layout's letters are of another
            # alphabet (Cyrillic, Greek, Hebrew), what it is in the US.
            foreign = not (glfw.get_key_name(glfw.KEY_S, 0) or "").isascii()
            written = "" if foreign else glfw.get_key_name(key, scancode) or ""
            return (written or (chr(key) if 32 < key < 127 else "")).lower()

        def on_key(_window: Any, key: int, scancode: int, action: int, modifiers: int) -> None:
            name = key_name(key, scancode)
            if name:
                put(
                    KeyPressed(
                        name,
                        repeat=action == glfw.REPEAT,
                        released=action == glfw.RELEASE,
                        shift=bool(modifiers & glfw.MOD_SHIFT),
                        control=bool(modifiers & glfw.MOD_CONTROL),
                        alt=bool(modifiers & glfw.MOD_ALT),
                    )
                )

        def on_close(window: Any) -> None:
            glfw.set_window_should_close(window, False)
            put(CloseRequested())

        def on_move(_window: Any, x: float, y: float) -> None:
            before = self._pointer or (x, y)
            self._pointer = (x, y)
            put(MouseMoved(x, y, x - before[0], y - before[1]))

        def on_button(_window: Any, button: int, action: int, _modifiers: int) -> None:
            if button == glfw.MOUSE_BUTTON_LEFT:
                put(MouseButton("left", action == glfw.PRESS))
            elif button == glfw.MOUSE_BUTTON_RIGHT:
                put(MouseButton("right", action == glfw.PRESS))
            elif button == glfw.MOUSE_BUTTON_MIDDLE:
                put(MouseButton("middle", action == glfw.PRESS))

        glfw.set_key_callback(window, on_key)
        glfw.set_window_close_callback(window, on_close)
        glfw.set_framebuffer_size_callback(window, lambda _window, width, height: put(Resized(width, height)))
        glfw.set_window_refresh_callback(window, lambda _window: put(Uncovered()))
        self._drop_callback = _on_drop(glfw, window, lambda paths: put(FilesDropped(paths)))
        glfw.set_cursor_pos_callback(window, on_move)
        glfw.set_mouse_button_callback(window, on_button)


def _on_drop(glfw: Any, window: Any, dropped: Callable[[tuple[Path, ...]], object]) -> Any:
    """What `glfw.set_drop_callback` does, which fails at names that are not UTF-8, and loses what comes with them.

    The result has to be kept as long as the window.
    """

    def callback(_window: Any, count: int, names: Any) -> None:
        dropped(tuple(Path(os.fsdecode(names[number])) for number in range(count)))

    made = glfw._GLFWdropfun(callback)
    glfw._glfw.glfwSetDropCallback(window, made)
    return made


def _glfw_error(glfw: Any) -> str:
    """GLFW's own words for its last error."""
    _code, text = glfw.get_error()
    if not text:
        return "no reason given"
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _shared_area(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    """Of two places on the desktop (left, top, width, height)."""
    width, height = (min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    return max(0, width) * max(0, height)
