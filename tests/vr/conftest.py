"""What the headset's tests share: a fresh SteamVR for each, and an X server for those that draw."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.openvr_runtime.fixtures import headset, openvr_library, runtime  # noqa: F401


@pytest.fixture(scope="session")
def x_display() -> Iterator[str]:
    """The name of an X display: the one there is, else an Xvfb of our own."""
    if display := os.environ.get("DISPLAY"):
        yield display
        return
    program = shutil.which("Xvfb")
    if program is None:
        pytest.fail("the OpenVR tests draw with OpenGL and need an X server: install Xvfb (package xvfb)")
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()  # written when the server is ready; empty when it has ended
    if not number:
        pytest.fail("Xvfb does not start")
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
