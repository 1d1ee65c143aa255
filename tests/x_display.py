"""An X server of the tests' own, and a picture on its root window, drawn with Xlib through ctypes."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt


@contextmanager
def x_server(width: int, height: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start Xvfb on a display number that it picks itself; gives (display, process) once it can be connected to."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}", server
    finally:
        server.terminate()
        server.wait()


def draw_on_root(display: str, picture: npt.NDArray[np.uint8]) -> None:
    """Put (H, W, 3) uint8 RGB on the root window of ``display``, at its upper left corner."""
    x11 = ctypes.CDLL("libX11.so.6")
    pointer, number, unsigned = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint
    for name, result, arguments in (
        ("XOpenDisplay", pointer, [ctypes.c_char_p]),
        ("XDefaultRootWindow", ctypes.c_ulong, [pointer]),
        ("XDefaultGC", pointer, [pointer, number]),
        ("XDefaultVisual", pointer, [pointer, number]),
        ("XDefaultDepth", number, [pointer, number]),
        ("XCreateImage", pointer, [pointer, pointer, unsigned, *[number] * 2, pointer, *[unsigned] * 2, *[number] * 2]),
        ("XPutImage", number, [pointer, ctypes.c_ulong, pointer, pointer, *[number] * 4, *[unsigned] * 2]),
        ("XSync", number, [pointer, number]),
        ("XCloseDisplay", number, [pointer]),
    ):  # fmt: skip
        function = getattr(x11, name)
        function.restype, function.argtypes = result, arguments
    height, width = picture.shape[:2]
    data = np.zeros((height, width, 4), np.uint8)
    data[..., :3] = picture[..., ::-1]  # the server's pixels are 0x00RRGGBB, lowest byte first
    connection = x11.XOpenDisplay(display.encode())
    assert connection, f"no connection to {display}"
    z_pixmap = 2
    image = x11.XCreateImage(
        connection, x11.XDefaultVisual(connection, 0), x11.XDefaultDepth(connection, 0), z_pixmap, 0,
        data.ctypes.data, width, height, 32, width * 4,
    )  # fmt: skip
    x11.XPutImage(
        connection, x11.XDefaultRootWindow(connection), x11.XDefaultGC(connection, 0), image, 0, 0, 0, 0, width, height
    )
    x11.XSync(connection, 0)
    x11.XCloseDisplay(connection)
