"""What all tests share: a display."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# An example that a busy machine holds up is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X display's name, also in DISPLAY: the one that is there, or an Xvfb of our own.

    GLFW is kept from Wayland, so that windows are the same everywhere.
    """
    if not sys.platform.startswith("linux"):
        yield ""  # there is a desktop
        return
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if not shutil.which("Xvfb"):
        _without_display("there is no DISPLAY and no Xvfb")
    reader, writer = os.pipe()
    # The server picks a free number and writes it once it can be connected to: no race, no waiting loop.
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        server.wait()
        _without_display("Xvfb does not start here")
    os.environ["DISPLAY"] = name = f":{number}"
    yield name
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait()


def _without_display(reason: str) -> NoReturn:
    """On a desk a skip; in CI a failure: there the tests of OpenGL must run."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the names of the Caffe convention: shapes and plumbing, not features."""
    import torch
    from safetensors.torch import save_file

    from artem_vr.networks.vgg import CONVOLUTIONS

    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    state = {}
    random = torch.Generator().manual_seed(0)
    for name, (inputs, outputs) in CONVOLUTIONS.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=random) * (2 / (9 * inputs)) ** 0.5
        state[f"{name}.bias"] = torch.zeros(outputs)
    save_file(state, path)
    return path
