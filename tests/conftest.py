"""What all tests share: a display; signals that mean the same to each."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from artem_vr.stop_requests import REQUESTS
from tests.x_display import x_server

# An example that a busy machine holds up is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def requests_as_before() -> Iterator[None]:
    """What a request to end does when a test has heard one: after one they are ignored until the process has ended."""
    names = ("SIGINT", *REQUESTS)
    before = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None))}
    if before[signal.SIGINT] == signal.SIG_IGN:  # a shell's background work
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """An X display's name, also in DISPLAY: an Xvfb of our own; the one that is there where Xvfb is not.

    Its own for each process that runs tests: windows of several would take the keyboard from each other.
    GLFW is kept from Wayland, so that windows are the same everywhere.
    """
    if not sys.platform.startswith("linux"):
        yield ""  # there is a desktop
    elif shutil.which("Xvfb"):
        with pytest.MonkeyPatch.context() as patch, x_server(1280, 1024) as (name, _):
            patch.setenv("DISPLAY", name)
            yield name
    elif name := os.environ.get("DISPLAY", ""):
        yield name
    else:
        _without_display("there is no DISPLAY and no Xvfb")


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
