"""A window on a real X server for the tests of the renderer, and no OpenGL error left standing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from artem_vr.render import gl
from artem_vr.render.context import Context, open_context
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.stage import Stage
from artem_vr.render.target import EyeTarget


@pytest.fixture(scope="session")
def window(display: str) -> Iterator[Context]:
    with open_context(offscreen=False, title="tests", size=(320, 240), visible=False, vsync=False) as context:
        yield context


@pytest.fixture
def context(window: Context) -> Iterator[Context]:
    """The window, current. A test fails if an error of OpenGL stands before or after it."""
    window.make_current()
    assert gl.standing_errors() == []
    yield window
    window.make_current()
    assert gl.standing_errors() == []


@pytest.fixture
def eye(context: Context) -> Iterator[EyeTarget]:
    """A small target with an odd width: its rows are no multiple of four bytes long in RGB."""
    target = EyeTarget(37, 22)
    yield target
    target.release()


@pytest.fixture(params=[False, True], ids=["software", "smooth"])
def stage(context, request):
    stage = Stage(smooth=request.param)
    yield stage
    stage.release()


@pytest.fixture
def frame(context):
    frame = FrameTextures()
    yield frame
    frame.release()
