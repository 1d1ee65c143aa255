"""The test runtime as pytest fixtures: import what you need into a conftest.py.

from tests.openvr_runtime.fixtures import headset, openvr_library, runtime  # noqa: F401
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime.driver import Runtime, build


@pytest.fixture(scope="session")
def openvr_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test runtime, compiled."""
    return build(tmp_path_factory.mktemp("vrclient"))


@pytest.fixture
def runtime(openvr_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A SteamVR that runs, with a headset and no controllers; the textures it is given are not looked at."""
    with Runtime(openvr_library, tmp_path_factory.mktemp("steamvr")) as one:
        yield one


@pytest.fixture
def headset(runtime: Runtime) -> Iterator[OpenVRHeadset]:
    """Our headset on that runtime."""
    with OpenVRHeadset(sleep=lambda seconds: None) as one:
        yield one
