"""An OpenGL context without a display: EGL's surfaceless platform, through the system's libEGL.

Declared here by hand: PyOpenGL 3.1.10's EGL module cannot be imported with error checking off.
Linux only.
"""

from __future__ import annotations

import ctypes
from typing import Any

from artem_vr.errors import GraphicsError

_PLATFORM_SURFACELESS = 0x31DD
_PLATFORM_DEVICE = 0x313F
_OPENGL_API = 0x30A2
_NONE = 0x3038
_CONFIG = (0x3033, 0, 0x3040, 0x0008, _NONE)  # any surface type, renderable with OpenGL
_CONTEXT_33_CORE = (0x3098, 3, 0x30FB, 3, 0x30FD, 1, _NONE)  # major, minor, core profile

_REMEDY = "Install the graphics driver, or Mesa (on Debian: libegl1 libegl-mesa0 libgl1-mesa-dri)"


def _library() -> Any:
    try:
        egl = ctypes.CDLL("libEGL.so.1")
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        egl.eglGetDisplay.restype = ctypes.c_void_p
        egl.eglGetDisplay.argtypes = [ctypes.c_void_p]
        egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        egl.eglTerminate.argtypes = [ctypes.c_void_p]
        egl.eglChooseConfig.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int, ctypes.c_void_p]
        egl.eglCreateContext.restype = ctypes.c_void_p
        egl.eglCreateContext.argtypes = [ctypes.c_void_p] * 4
        egl.eglMakeCurrent.argtypes = [ctypes.c_void_p] * 4
        egl.eglDestroyContext.argtypes = [ctypes.c_void_p] * 2
    except (OSError, AttributeError) as error:
        raise GraphicsError("OpenGL cannot draw off screen: libEGL.so.1 is missing", _REMEDY) from error
    return egl


class EglContext:
    """An OpenGL 3.3 core context with no surface, current in the thread that made it.

    Raises:
        GraphicsError: no EGL display gives such a context.
    """

    def __init__(self) -> None:
        self._egl = _library()
        self._display: int | None = None
        self._context: int | None = None
        for display in self._displays():
            if not display or not self._egl.eglInitialize(display, None, None):
                continue
            context = self._create(display)
            if context:
                self._display, self._context = display, context
                return
            self._egl.eglTerminate(display)
        raise GraphicsError("OpenGL 3.3 is not available off screen", _REMEDY)

    def _displays(self) -> list[int | None]:
        """Mesa and new drivers know the surfaceless platform, older ones only that of devices."""
        address = self._egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
        if not address:
            return [self._egl.eglGetDisplay(None)]
        prototype = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        get = prototype(address)
        displays: list[int | None] = [get(_PLATFORM_SURFACELESS, None, None)]
        displays += [get(_PLATFORM_DEVICE, device, None) for device in self._devices()]
        return displays

    def _devices(self) -> list[int]:
        address = self._egl.eglGetProcAddress(b"eglQueryDevicesEXT")
        if not address:
            return []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        found = (ctypes.c_void_p * 16)()
        count = ctypes.c_int()
        if not prototype(address)(16, found, ctypes.byref(count)):
            return []
        return [device for device in found[: count.value] if device]

    def _create(self, display: int) -> int | None:
        egl = self._egl
        if not egl.eglBindAPI(_OPENGL_API):
            return None
        config, count = ctypes.c_void_p(), ctypes.c_int()
        wanted = (ctypes.c_int * len(_CONFIG))(*_CONFIG)
        if not egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) or not count.value:
            return None
        attributes = (ctypes.c_int * len(_CONTEXT_33_CORE))(*_CONTEXT_33_CORE)
        context = egl.eglCreateContext(display, config, None, attributes)
        if context and not egl.eglMakeCurrent(display, None, None, context):
            egl.eglDestroyContext(display, context)
            return None
        return context

    def make_current(self) -> None:
        """Make the context current in the calling thread."""
        self._egl.eglBindAPI(_OPENGL_API)  # the bound interface is a thread's own
        self._egl.eglMakeCurrent(self._display, None, None, self._context)

    def close(self) -> None:
        """Destroy the context. The display stays: others in the process may share it."""
        if self._context:
            self._egl.eglMakeCurrent(self._display, None, None, None)
            self._egl.eglDestroyContext(self._display, self._context)
            self._context = None
