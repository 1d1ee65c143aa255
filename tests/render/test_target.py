import numpy as np
import pytest

from artem_vr.errors import GraphicsError
from artem_vr.render import gl, target
from artem_vr.render.target import EyeTarget

pytestmark = [pytest.mark.graphics, pytest.mark.display]


def test_what_the_headset_is_given(eye):
    gl.glBindTexture(gl.GL_TEXTURE_2D, eye.texture_id)
    for name, value in (
        (gl.GL_TEXTURE_INTERNAL_FORMAT, gl.GL_RGBA8),
        (gl.GL_TEXTURE_WIDTH, eye.width),
        (gl.GL_TEXTURE_HEIGHT, eye.height),
    ):
        assert gl.glGetTexLevelParameteriv(gl.GL_TEXTURE_2D, 0, name) == value
    assert gl.glGetTexLevelParameteriv(gl.GL_TEXTURE_2D, 1, gl.GL_TEXTURE_WIDTH) == 0  # no mipmaps
    assert gl.glGetTexParameteriv(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_MAX_LEVEL) == 0
    gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, eye.framebuffer)
    assert gl.glGetIntegerv(gl.GL_SAMPLES) == 0
    assert not gl.glIsEnabled(gl.GL_FRAMEBUFFER_SRGB)


def test_clear_covers_all_of_the_target(eye):
    target.clear(eye, (1.0, 0.0, 0.2))
    assert (target.read_back(eye) == (255, 0, 51, 255)).all()


def whiten_the_start(eye):
    """Five white pixels at the left of the top row; all else is black."""
    target.clear(eye)
    gl.glEnable(gl.GL_SCISSOR_TEST)
    gl.glScissor(0, eye.height - 1, 5, 1)  # OpenGL counts from the bottom
    gl.glClearColor(1, 1, 1, 1)
    gl.glClear(gl.GL_COLOR_BUFFER_BIT)
    gl.glDisable(gl.GL_SCISSOR_TEST)


def test_reading_back_gives_the_top_row_first(eye):
    whiten_the_start(eye)
    white = target.read_back(eye)[..., 0] == 255
    assert white[0, :5].all() and white.sum() == 5


def test_the_texture_is_bottom_row_first(eye):
    target.clear(eye)
    gl.glEnable(gl.GL_SCISSOR_TEST)
    gl.glScissor(0, 0, eye.width, 1)
    gl.glClearColor(1, 1, 1, 1)
    gl.glClear(gl.GL_COLOR_BUFFER_BIT)
    gl.glDisable(gl.GL_SCISSOR_TEST)
    pixels = np.empty((eye.height, eye.width, 4), np.uint8)
    gl.glBindTexture(gl.GL_TEXTURE_2D, eye.texture_id)
    gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels)
    assert (pixels[0, :, 0] == 255).all() and (pixels[1:, :, 0] == 0).all()


def test_a_target_that_is_too_large(context):
    with pytest.raises(GraphicsError, match="cannot draw into a picture of 100000 x 100000"):
        EyeTarget(100_000, 100_000)


def test_late_reading_gives_what_was_asked_for_before(eye):
    reader = target.LateReader()
    small = EyeTarget(8, 4)
    try:
        target.clear(eye, (1.0, 0.0, 0.2))
        assert reader.read(eye) is None
        wanted = target.read_back(eye)
        target.clear(eye)
        target.clear(small, (0.0, 1.0, 0.0))
        np.testing.assert_array_equal(np.asarray(reader.read(small)), wanted)
        np.testing.assert_array_equal(np.asarray(reader.read(None)), target.read_back(small))
        assert reader.read(None) is None
    finally:
        small.release()
        reader.release()


def test_late_reading_is_upright(eye):
    reader = target.LateReader()
    whiten_the_start(eye)
    reader.read(eye)
    np.testing.assert_array_equal(np.asarray(reader.read(None)), target.read_back(eye))
    reader.release()
