import numpy as np
import pytest

from artem_vr.render import target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.mirror import Mirror
from artem_vr.render.stage import Stage
from artem_vr.render.target import EyeTarget
from tests.render.scenes import flat, noise, quarters

pytestmark = [pytest.mark.graphics, pytest.mark.display]

LEFT, RIGHT = (200, 30, 40), (20, 60, 220)


@pytest.fixture
def mirror(context):
    mirror = Mirror(smooth=True)
    yield mirror
    mirror.release()


@pytest.fixture
def target_of(context):
    """Makes targets that hold a picture, or nothing."""
    made = []

    def make(width, height, picture=None):
        eye = EyeTarget(width, height)
        made.append(eye)
        target.clear(eye, (0.5, 0.5, 0.5))
        if picture is not None:
            stage, frame = Stage(), FrameTextures()
            frame.update(picture[None])
            stage.draw_flat(eye, 0, frame)
            stage.release()
            frame.release()
        return eye

    yield make
    for eye in made:
        eye.release()


@pytest.mark.parametrize("mode", ["left", "right"])
def test_one_eye_at_its_own_size_is_bit_for_bit(mirror, target_of, mode):
    pictures = {"left": noise(24, 33, 3, 1), "right": noise(24, 33, 3, 2)}
    window = target_of(33, 24)
    mirror.draw(window, target_of(33, 24, pictures["left"]), target_of(33, 24, pictures["right"]), mode)
    assert np.array_equal(target.read_back(window)[..., :3], pictures[mode])


def test_both_eyes_at_their_own_size_are_bit_for_bit(mirror, target_of):
    left, right = noise(24, 33, 3, 1), noise(24, 33, 3, 2)
    window = target_of(72, 24)  # bars of three pixels on both sides
    mirror.draw(window, target_of(33, 24, left), target_of(33, 24, right), "both")
    pixels = target.read_back(window)[..., :3]
    assert np.array_equal(pixels[:, 3:36], left) and np.array_equal(pixels[:, 36:69], right)
    assert not pixels[:, :3].any() and not pixels[:, 69:].any()


def test_both_eyes_meet_in_the_middle(mirror, target_of):
    window = target_of(120, 80)  # each eye is square: 60 x 60, bars above and below
    mirror.draw(window, target_of(20, 20, flat(20, 20, *LEFT)), target_of(20, 20, flat(20, 20, *RIGHT)), "both")
    pixels = target.read_back(window)[..., :3]
    assert (pixels[10:70, :60] == LEFT).all()
    assert (pixels[10:70, 60:] == RIGHT).all()
    assert not pixels[:10].any() and not pixels[70:].any()


def test_both_eyes_in_a_wide_window_have_their_bars_outside(mirror, target_of):
    window = target_of(120, 40)
    mirror.draw(window, target_of(20, 20, flat(20, 20, *LEFT)), target_of(20, 20, flat(20, 20, *RIGHT)), "both")
    pixels = target.read_back(window)[..., :3]
    assert (pixels[:, 20:60] == LEFT).all() and (pixels[:, 60:100] == RIGHT).all()
    assert not pixels[:, :20].any() and not pixels[:, 100:].any()


@pytest.mark.parametrize("size", [(90, 40), (40, 90), (41, 41)])
def test_the_aspect_is_kept_and_upright(mirror, target_of, size):
    window = target_of(*size)
    eye = target_of(30, 20, quarters(20, 30))
    mirror.draw(window, eye, eye, "left")
    pixels = target.read_back(window)[..., :3]
    rows, columns = np.nonzero(pixels.any(axis=-1))
    width, height = columns.max() - columns.min() + 1, rows.max() - rows.min() + 1
    assert abs(width / height - 1.5) < 0.1
    assert tuple(pixels[rows.min(), columns.min()]) == (255, 0, 0)
    assert tuple(pixels[rows.max(), columns.min()]) == (0, 0, 255)


@pytest.mark.parametrize("factor", [2, 3, 4, 7])
def test_a_reduced_picture_is_averaged_not_picked(mirror, target_of, factor):
    board = (np.indices((56 * factor, 56 * factor)).sum(axis=0) % 2 * 255).astype(np.uint8)
    eye = target_of(56 * factor, 56 * factor, np.repeat(board[..., None], 3, axis=2))
    window = target_of(56, 56)
    mirror.draw(window, eye, eye, "left")
    greys = target.read_back(window)[2:-2, 2:-2, 0].astype(int)
    assert np.abs(greys - 127.5).max() < 16


def test_a_minimised_window_is_left_alone(mirror, target_of):
    class Minimised:
        framebuffer = width = height = 0

    eye = target_of(8, 8)
    mirror.draw(Minimised(), eye, eye, "both")
