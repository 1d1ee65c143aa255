import math

import numpy as np
import pytest

from artem_vr.render import geometry, gl, target
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.geometry import Screen
from artem_vr.render.mesh import Mesh
from artem_vr.render.program import Program
from artem_vr.render.stage import Look, Stage
from artem_vr.render.target import EyeTarget
from tests.render.scenes import flat, noise, quarters

pytestmark = [pytest.mark.graphics, pytest.mark.display]

BACKGROUND = (0.0, 0.0, 0.0)
SIDES = {"left": -1.2, "right": 0.8, "top": 0.9, "bottom": -1.1}  # tangents, as lopsided as a headset's
WIDTH, HEIGHT = 200, 160
SCREEN = Screen(distance=2.0, width=2.0, curvature=0.0)  # and 1 m high: the picture is 2 : 1
APART = 0.2  # metres between the eyes, more than a head has: parallax in whole pixels


@pytest.fixture
def wide(context):
    wide = EyeTarget(WIDTH, HEIGHT)
    yield wide
    wide.release()


def seen_at(x: float, y: float, z: float) -> tuple[float, float]:
    """Column and row, from the top left, of a point in an eye's own coordinates: by tangents alone."""
    column = (x / -z - SIDES["left"]) / (SIDES["right"] - SIDES["left"]) * WIDTH
    row = (SIDES["top"] - y / -z) / (SIDES["top"] - SIDES["bottom"]) * HEIGHT
    return column, row


def box(pixels: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what has this colour (ends exclusive)."""
    rows, columns = np.nonzero((np.abs(pixels[..., :3].astype(int) - colour) < 100).all(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def eye_offset(eye: int, yaw: float = 0.0) -> np.ndarray:
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 3] = (-APART / 2, APART / 2)[eye]
    matrix[0, 0] = matrix[2, 2] = math.cos(yaw)
    matrix[0, 2], matrix[2, 0] = math.sin(yaw), -math.sin(yaw)
    return matrix


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_flat_is_the_picture_bit_for_bit(eye, stage, frame, strength):
    source = np.stack([noise(eye.height, eye.width, 3, seed) for seed in (1, 2)])
    painted = np.stack([noise(eye.height, eye.width, 3, seed) for seed in (3, 4)])
    frame.update(source, painted, "a")
    for side in (0, 1):
        stage.draw_flat(eye, side, frame, Look(strength))
        pixels = target.read_back(eye)
        assert np.array_equal(pixels[..., :3], (painted if strength else source)[side])
        assert (pixels[..., 3] == 255).all()


def test_flat_at_a_headsets_size_is_bit_for_bit(context, stage, frame):
    whole = EyeTarget(756, 840)
    picture = noise(840, 756)[None]
    frame.update(picture, picture[:, ::-1].copy(), "a")
    stage.draw_flat(whole, 0, frame, Look(0.0))
    assert np.array_equal(target.read_back(whole)[..., :3], picture[0])
    whole.release()


def test_all_greys_come_out_as_they_went_in(context, stage, frame):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = np.stack([ramp, ramp[::-1], ramp.T], axis=-1)[None].copy()
    whole = EyeTarget(16, 16)
    frame.update(picture)
    gl.glEnable(gl.GL_DITHER)
    stage.draw_flat(whole, 0, frame)
    assert np.array_equal(target.read_back(whole)[..., :3], picture[0])
    whole.release()


def test_without_a_painting_the_source_is_shown(eye, stage, frame):
    source = noise(eye.height, eye.width)[None]
    frame.update(source)
    stage.draw_flat(eye, 0, frame, Look(strength=1.0))
    assert np.array_equal(target.read_back(eye)[..., :3], source[0])


def test_nothing_to_show_is_background(eye, stage, frame):
    stage.draw_flat(eye, 0, frame, background=(1.0, 0.0, 0.0))
    assert (target.read_back(eye) == (255, 0, 0, 255)).all()


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Look(1.0, 1.0), 100),
        (Look(1.0, 0.0), 200),
        (Look(1.0, 0.25), 175),
        (Look(0.5, 0.25), (175 + 10) / 2),
        (Look(0.0, 0.25), 10),
        (Look(1.0, 1.0, 0.4), 40),
    ],
)
def test_strength_fade_and_brightness(eye, stage, frame, look, expected):
    frame.update(flat(4, 4, 10)[None], flat(4, 4, 200)[None], "before")
    frame.update(flat(4, 4, 10)[None], flat(4, 4, 100)[None], "now")
    stage.draw_flat(eye, 0, frame, look)
    assert np.abs(target.read_back(eye)[..., :3].astype(float) - expected).max() <= 1


def test_the_first_painting_fades_from_nothing_else(eye, stage, frame):
    frame.update(flat(4, 4, 10)[None], flat(4, 4, 100)[None], "first")
    stage.draw_flat(eye, 0, frame, Look(1.0, fade=0.0))
    assert (target.read_back(eye)[..., :3] == 100).all()


def test_source_and_painting_may_differ_in_size(context, stage, frame):
    frame.update(quarters(64, 64)[None], quarters(16, 16)[None], "a")
    whole = EyeTarget(32, 32)
    for strength in (0.0, 0.5, 1.0):
        stage.draw_flat(whole, 0, frame, Look(strength))
        pixels = target.read_back(whole)
        assert tuple(pixels[4, 4, :3]) == (255, 0, 0)
        assert tuple(pixels[4, 27, :3]) == (0, 255, 0)
        assert tuple(pixels[27, 4, :3]) == (0, 0, 255)
    whole.release()


@pytest.mark.parametrize("yaw", [0.0, 0.15])  # parallel and canted displays
@pytest.mark.parametrize("eye", [0, 1])
def test_corners_of_the_screen_lie_where_tangents_say(wide, stage, frame, eye, yaw):
    frame.update(quarters(20, 40)[None])
    yaw = yaw if eye == 0 else -yaw
    see = geometry.view_projection(geometry.projection(**SIDES), np.eye(4, dtype=np.float32), eye_offset(eye, yaw))
    stage.draw_eye(wide, eye, frame, see, SCREEN, background=BACKGROUND)
    pixels = target.read_back(wide)

    def predicted(x: float, y: float) -> tuple[float, float]:
        x -= (-APART / 2, APART / 2)[eye]  # then turn by the opposite of the eye's yaw
        return seen_at(x * math.cos(yaw) - -2.0 * math.sin(yaw), y, x * math.sin(yaw) + -2.0 * math.cos(yaw))

    left, top, *_ = box(pixels, (255, 0, 0))
    column, row = predicted(-1.0, 0.5)
    assert abs(left - column) <= 1.5
    if yaw == 0:
        assert abs(top - row) <= 1.5
    _, _, right, bottom = box(pixels, (255, 255, 255))
    column, row = predicted(1.0, -0.5)
    assert abs(right - column) <= 1.5
    if yaw == 0:
        assert abs(bottom - row) <= 1.5
    middle_column, middle_row = predicted(0.0, 0.0)
    assert abs(box(pixels, (0, 255, 0))[0] - middle_column) <= 1.5
    assert abs(box(pixels, (255, 0, 0))[3] - middle_row) <= 1.5


def test_the_left_eye_sees_the_screen_further_right(wide, stage, frame):
    frame.update(quarters(20, 40)[None])
    lefts = []
    for eye in (0, 1):
        see = geometry.view_projection(geometry.projection(**SIDES), np.eye(4, dtype=np.float32), eye_offset(eye))
        stage.draw_eye(wide, eye, frame, see, SCREEN)
        lefts.append(box(target.read_back(wide), (255, 0, 0))[0])
    parallax = APART / SCREEN.distance / (SIDES["right"] - SIDES["left"]) * WIDTH  # 10 pixels
    assert abs((lefts[0] - lefts[1]) - parallax) <= 1.5


def test_the_screen_stays_in_the_world_when_the_head_moves(wide, stage, frame):
    frame.update(quarters(20, 40)[None])
    head = geometry.translation(0.3, -0.1, 0.5)  # right, down and back: the screen is seen left, up and smaller
    see = geometry.view_projection(geometry.projection(**SIDES), head, np.eye(4, dtype=np.float32))
    stage.draw_eye(wide, 0, frame, see, SCREEN)
    left, top, *_ = box(target.read_back(wide), (255, 0, 0))
    column, row = seen_at(-1.0 - 0.3, 0.5 + 0.1, -2.0 - 0.5)
    assert abs(left - column) <= 1.5 and abs(top - row) <= 1.5


def test_a_screen_that_was_placed_by_this_head_is_straight_ahead(wide, stage, frame):
    frame.update(quarters(20, 40)[None])
    head = geometry.translation(5, 1.7, -3)
    head[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]  # looks to the left, along -x
    see = geometry.view_projection(geometry.projection(**SIDES), head, np.eye(4, dtype=np.float32), head)
    stage.draw_eye(wide, 0, frame, see, SCREEN)
    left, top, *_ = box(target.read_back(wide), (255, 0, 0))
    column, row = seen_at(-1.0, 0.5, -2.0)
    assert abs(left - column) <= 1.5 and abs(top - row) <= 1.5


def test_each_eye_gets_its_own_picture(wide, stage, frame):
    frame.update(np.stack([flat(10, 20, 255, 0, 0), flat(10, 20, 0, 0, 255)]))
    for eye, colour in ((0, (255, 0, 0)), (1, (0, 0, 255))):
        see = geometry.view_projection(geometry.projection(**SIDES), np.eye(4, dtype=np.float32), eye_offset(eye))
        stage.draw_eye(wide, eye, frame, see, SCREEN)
        pixels = target.read_back(wide)
        assert box(pixels, colour)[2] - box(pixels, colour)[0] > 80
        assert (pixels[..., 3] == 255).all()


def test_a_reduced_picture_is_averaged_not_picked(context):
    stage, frame, whole = Stage(smooth=True), FrameTextures(), EyeTarget(40, 40)
    board = (np.indices((160, 160)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frame.update(np.repeat(board[None, ..., None], 3, axis=3))
    stage.draw_flat(whole, 0, frame)
    assert np.abs(target.read_back(whole)[2:-2, 2:-2, 0].astype(int) - 127.5).max() < 16
    for thing in (stage, frame, whole):
        thing.release()


def test_every_mix_is_ready_before_it_is_needed(context, monkeypatch):
    used, drawn = [], []
    use, draw = Program.use, Mesh.draw

    def note_use(program):
        used.append(program)
        use(program)

    def note_draw(mesh):
        drawn.append(used[-1])
        draw(mesh)

    monkeypatch.setattr(Program, "use", note_use)
    monkeypatch.setattr(Mesh, "draw", note_draw)
    for software in (False, True):
        drawn.clear()
        monkeypatch.setattr(gl, "is_software", lambda software=software: software)
        stage = Stage()
        assert set(drawn) == (set() if software else set(stage._programs.values()))
        stage.release()


def test_the_edges_of_the_screen_are_smooth(wide, stage, frame):
    frame.update(flat(10, 20, 255)[None])
    see = geometry.view_projection(geometry.projection(**SIDES), geometry.translation(0, 0, 0), np.eye(4, dtype="f4"))
    roll = np.eye(4, dtype=np.float32)
    roll[:2, :2] = [[math.cos(0.1), -math.sin(0.1)], [math.sin(0.1), math.cos(0.1)]]
    stage.draw_eye(wide, 0, frame, see @ roll, SCREEN)
    greys = target.read_back(wide)[..., 0]
    assert ((greys > 20) & (greys < 235)).sum() > 60


def test_a_curved_screen_is_drawn(wide, stage, frame):
    frame.update(quarters(20, 40)[None])
    see = geometry.view_projection(geometry.projection(**SIDES), np.eye(4, dtype="f4"), np.eye(4, dtype="f4"))
    stage.draw_eye(wide, 0, frame, see, Screen(distance=2.0, width=2.0, curvature=1.0))
    left, *_ = box(target.read_back(wide), (255, 0, 0))
    column, _ = seen_at(-2.0 * math.sin(0.5), 0.5, -2.0 * math.cos(0.5))  # half of 2 m on a circle of 2 m: 0.5 rad
    assert abs(left - column) <= 1.5
