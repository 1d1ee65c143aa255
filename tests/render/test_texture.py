import numpy as np
import pytest

from artem_vr.render import gl, target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.region import Region
from artem_vr.render.stage import Look, Stage
from artem_vr.render.target import EyeTarget, read_back
from artem_vr.render.texture import StreamTexture
from tests.render.scenes import noise

pytestmark = [pytest.mark.graphics, pytest.mark.display]


def stored(texture: StreamTexture) -> np.ndarray:
    """The texture's own rows, in its own order."""
    pixels = np.empty((texture.height, texture.width, 4), np.uint8)
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture.id)
    gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
    gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, pixels)
    return pixels


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("buffers", [1, 2, 3])
def test_every_byte_arrives_top_row_first(context, channels, buffers):
    texture = StreamTexture(buffers)
    for seed in range(5):  # more pictures than buffers
        picture = noise(13, 7, channels, seed)
        texture.update(picture)
        assert np.array_equal(stored(texture)[..., :channels], picture)
        if channels == 3:
            assert (stored(texture)[..., 3] == 255).all()
    assert texture.path == "pbo"
    texture.release()


def test_the_array_may_be_reused_at_once(context):
    texture = StreamTexture()
    picture = noise(13, 7)
    expected = picture.copy()
    texture.update(picture)
    picture[:] = 0
    assert np.array_equal(stored(texture)[..., :3], expected)
    texture.release()


def test_a_view_into_a_larger_picture(context):
    texture = StreamTexture()
    whole = noise(20, 30)
    half = whole[3:, 15:]
    texture.update(half)
    assert np.array_equal(stored(texture)[..., :3], half)
    texture.release()


def test_another_size_keeps_the_id(context):
    texture = StreamTexture()
    number = texture.id
    for seed, (height, width) in enumerate([(4, 5), (31, 17), (31, 17), (2, 3), (1, 1), (17, 31)]):
        picture = noise(height, width, 3, seed)
        texture.update(picture)
        assert (texture.id, texture.height, texture.width) == (number, height, width)
        assert np.array_equal(stored(texture)[..., :3], picture)
    texture.release()


def test_format_and_filter(context):
    texture = StreamTexture()
    texture.update(noise(4, 4))
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture.id)
    assert gl.glGetTexLevelParameteriv(gl.GL_TEXTURE_2D, 0, gl.GL_TEXTURE_INTERNAL_FORMAT) == gl.GL_RGBA8
    assert gl.glGetTexLevelParameteriv(gl.GL_TEXTURE_2D, 1, gl.GL_TEXTURE_WIDTH) == 0
    assert gl.glGetTexParameteriv(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_MIN_FILTER) == gl.GL_LINEAR
    texture.release()


def test_a_picture_larger_than_the_largest_texture_loses_rows(context):
    texture = StreamTexture()
    texture._limit = 16
    picture = noise(40, 20)
    texture.update(picture)
    assert np.array_equal(stored(texture)[..., :3], picture[::3, ::3])
    texture.release()


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1")],
)
def test_what_is_no_picture_is_refused(context, picture):
    texture = StreamTexture()
    with pytest.raises(ValueError, match="expected uint8"):
        texture.update(picture)
    texture.release()


def test_mono_goes_to_both_eyes_and_stereo_to_each(context, eye):
    stage, frame = Stage(), FrameTextures()
    pictures = np.stack([noise(eye.height, eye.width, 3, seed) for seed in (1, 2)])
    for shown, expected in ((pictures, (0, 1)), (pictures[:1], (0, 0)), (pictures, (0, 1))):
        frame.update(shown, shown, key="a")
        for side, which in enumerate(expected):
            for strength in (0.0, 1.0):
                stage.draw_flat(eye, side, frame, Look(strength))
                assert np.array_equal(target.read_back(eye)[..., :3], pictures[which])
    stage.release()
    frame.release()


def test_the_source_is_uploaded_only_when_seen(context, eye):
    stage, frame = Stage(), FrameTextures()
    source, painted = noise(8, 8, 3, 1)[None], noise(8, 8, 3, 2)[None]
    frame.update(source, painted, key="a")
    stage.draw_flat(eye, 0, frame, Look(1.0))
    assert frame._source[0].width == 1
    stage.draw_flat(eye, 0, frame, Look(0.5))
    assert frame._source[0].width == 8
    stage.release()
    frame.release()


def test_key_changes_are_told(context):
    frame = FrameTextures()
    picture = noise(4, 4)[None]
    assert not frame.ready
    assert frame.update(picture, None, now=1.0) is False
    assert (frame.ready, frame.painted, frame.fading) == (True, False, False)
    assert frame.update(picture, picture, "a", now=2.0) is True
    assert (frame.painted, frame.fading, frame.changed_at) == (True, False, 2.0)
    assert frame.update(picture, picture, "a", now=3.0) is False
    assert (frame.fading, frame.changed_at) == (False, 2.0)
    assert frame.update(picture, picture, "b", now=4.0) is True
    assert (frame.fading, frame.changed_at) == (True, 4.0)
    frame.release()


def test_a_photograph_is_uploaded_once(context, monkeypatch):
    """It comes with every painting of it, ten a second, and has as many pixels as the camera had."""
    stage, frame = Stage(), FrameTextures()
    uploads = []
    for texture in frame._source:
        monkeypatch.setattr(texture, "update", lambda picture, update=texture.update: uploads.append(update(picture)))
    photograph, other, painting = (noise(4, 4, 3, seed)[None] for seed in range(3))
    for source, count in ((photograph, 1), (photograph, 1), (other, 2), (photograph, 3)):
        frame.update(source, painting, "a")
        frame.upload_source()
        assert len(uploads) == count
    frame.update(other, painting, "a")
    frame.update(photograph, painting, "a")  # what was not asked for is not there
    whole = EyeTarget(4, 4)
    stage.draw_flat(whole, 0, frame, Look(strength=0.0))
    assert np.array_equal(read_back(whole)[..., :3], photograph[0]) and len(uploads) == 3
    for part in (whole, stage, frame):
        part.release()


class LostOnTheWay:
    """A pair of which only the left picture can be had, as where a GPU begins to fail."""

    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures, self.shape = pictures, pictures.shape

    def __getitem__(self, eye):
        if eye == 1:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return self._pictures[eye]


@pytest.mark.parametrize("part", ["painted", "other"])
@pytest.mark.parametrize("key", ["a", "b"])
def test_a_frame_that_cannot_be_uploaded_leaves_the_one_before(context, eye, key, part):
    """Both eyes of it, its second painting, its source and its fade, whatever style and size would have come."""
    stage, frame = Stage(), FrameTextures()
    source, before, painted, other = (
        np.stack([noise(eye.height, eye.width, 3, 9 * n + e) for e in (0, 1)]) for n in range(4)
    )
    region = Region("left", softness=0.0)
    looks = [Look(0.0), Look(), Look(fade=0.5), Look(region=region)]

    def seen():
        for side in (0, 1):
            for look in looks:
                stage.draw_flat(eye, side, frame, look)
                yield target.read_back(eye)

    frame.update(source, before, "before", now=1.0)
    frame.update(source, painted, "a", now=2.0, other=other)
    wanted = list(seen())
    fresh = np.stack([noise(2 * eye.height, 9, 3, seed) for seed in (50, 51)])
    pictures = {"painted": fresh, "other": fresh} | {part: LostOnTheWay(fresh)}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="CUDA error"):
            frame.update(fresh, key=key, now=3.0, **pictures)
        assert all(np.array_equal(now, then) for now, then in zip(seen(), wanted, strict=True))
        assert (frame.changed_at, frame.aspect) == (2.0, eye.width / eye.height)
    assert frame.update(fresh, fresh, "b", now=4.0) is True
    assert (frame.changed_at, frame.other) == (4.0, False)
    for side in (0, 1):
        stage.draw_flat(eye, side, frame, Look(fade=0.0))
        assert np.array_equal(target.read_back(eye)[..., :3], painted[side])
    stage.release()
    frame.release()
