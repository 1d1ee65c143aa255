"""PyOpenGL, loaded at the first use: ``from artem_vr.render import gl``, then ``gl.glClear(...)``.

PyOpenGL chooses GLX, EGL or WGL once a process, when it is first imported. `choose_platform` is the
one place that says which; a context calls it before anything else here is used.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from artem_vr.errors import GraphicsError

_VARIABLE = "PYOPENGL_PLATFORM"
_library: Any = None


def choose_platform(platform: str) -> None:
    """Load PyOpenGL for ``platform``: "egl", "glx" or, on Windows and macOS, "native".

    Raises:
        GraphicsError: PyOpenGL was already loaded for another platform in this process.
    """
    if _library is not None or "OpenGL" in sys.modules:
        loaded = os.environ.get(_VARIABLE, "native")
        if loaded != platform:
            raise GraphicsError(
                f"OpenGL was loaded for {loaded} in this process and cannot serve {platform}", "Start the program again"
            )
    elif platform != "native":
        os.environ[_VARIABLE] = platform
    _load()


def standing_errors() -> list[str]:
    """The names of the errors that stand; none stands afterwards.

    Called after foreign code has used our context: a headset's runtime leaves errors behind.
    """
    names = []
    for _ in range(16):  # without a current context glGetError never answers "none"
        code = int(_load().glGetError())
        if code == 0:
            break
        names.append(_ERROR_NAMES.get(code, hex(code)))
    return names


def is_software(renderer: str | None = None) -> bool:
    """Whether the processor draws: every texture look-up counts, and the network wants its time.

    ``renderer``: the driver's name of the device, where it need not be asked for (`Context.renderer`).
    """
    if renderer is None:
        renderer = (_load().glGetString(_load().GL_RENDERER) or b"").decode("utf-8", "replace")
    return any(word in renderer.lower() for word in ("llvmpipe", "softpipe", "swrast", "swiftshader"))


_ERROR_NAMES = {
    0x0500: "GL_INVALID_ENUM",
    0x0501: "GL_INVALID_VALUE",
    0x0502: "GL_INVALID_OPERATION",
    0x0503: "GL_STACK_OVERFLOW",
    0x0504: "GL_STACK_UNDERFLOW",
    0x0505: "GL_OUT_OF_MEMORY",
    0x0506: "GL_INVALID_FRAMEBUFFER_OPERATION",
}


def _load() -> Any:
    global _library
    if _library is None:
        import OpenGL

        # PyOpenGL's own check raises in whichever call comes next, also for an error that a headset's
        # runtime left behind, and doubles the number of calls. The tests look for standing errors instead.
        OpenGL.ERROR_CHECKING = False
        OpenGL.ERROR_LOGGING = False
        from OpenGL import GL

        _library = GL
    return _library


def __getattr__(name: str) -> Any:
    if not name.startswith(("gl", "GL")):
        raise AttributeError(name)
    value = getattr(_load(), name)
    globals()[name] = value  # the next use is a plain look-up
    return value
