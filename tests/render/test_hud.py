import math
from dataclasses import replace

import numpy as np
import pytest

from artem_vr.render import geometry, target
from artem_vr.render.hud import FADE_SECONDS, LONGEST, REFRESH_SECONDS, SHOWN_SECONDS, Hud, HudText, _wrap, rasterise
from artem_vr.render.target import EyeTarget

TEXT = HudText(style="The Starry Night", detail="90 fps", engine="torch bf16, CPU", source="demo, live")


def ink(panel: np.ndarray) -> np.ndarray:
    """Where letters are."""
    return panel[..., :3].max(axis=-1) > 120


def lines(panel: np.ndarray) -> int:
    """How many lines of letters there are."""
    rows = ink(panel).any(axis=1)
    return int((np.diff(rows.astype(int)) == 1).sum())


def test_lines_are_broken_and_no_more_than_six():
    assert _wrap("one\ntwo") == ["one", "two"]
    words = " ".join(["strokes"] * 20)
    assert all(len(line) <= LONGEST for line in _wrap(words)) and " ".join(_wrap(words)) == words
    assert _wrap("\n".join("abcdefgh")) == ["a", "b", "c", "d", "e", "f …"]


def test_a_panel_has_a_line_for_each_text():
    assert lines(rasterise(TEXT)) == 4
    assert lines(rasterise(HudText(style="Senecio"))) == 1
    assert lines(rasterise(HudText(style="Senecio", message="word " * 30))) >= 3


def test_letters_are_legible_light_on_dark():
    panel = rasterise(HudText(style="Senecio"))
    assert 0.02 < ink(panel).mean() < 0.3
    assert panel[panel.shape[0] // 2, 4, 3] == 190 and panel[0, 0, 3] == 0  # a dark plate with round corners
    assert (panel[..., :3] <= panel[..., 3:]).all()  # premultiplied


def test_texts_differ_and_scale_enlarges():
    assert not np.array_equal(rasterise(HudText("abc")), rasterise(HudText("abd")))
    assert rasterise(TEXT, 2.0).shape[1] > 1.9 * rasterise(TEXT).shape[1]


@pytest.mark.parametrize(
    ("written", "shown"),
    [("Café", "Cafe"), ("Cafe\u0301", "Cafe"), ("Łódź", "Lodz"), ("a–b", "a-b"), ("神奈川", "???")],
)
def test_letters_that_the_font_lacks(written, shown):
    assert np.array_equal(rasterise(HudText(written)), rasterise(HudText(shown)))


def test_a_long_line_is_cut_and_nothing_at_all_is_possible():
    assert rasterise(HudText("x" * 500)).shape[1] < 1200
    assert rasterise(HudText(message="x" * 5000)).shape[0] < 400
    rasterise(HudText())


@pytest.mark.graphics
@pytest.mark.display
class TestHud:
    @pytest.fixture
    def hud(self, context):
        hud = Hud()
        yield hud
        hud.release()

    @pytest.fixture
    def pane(self, context):
        pane = EyeTarget(400, 300)
        target.clear(pane, (0.0, 0.5, 0.0))
        yield pane
        pane.release()

    def test_it_fades_out(self, hud):
        assert hud.opacity(0.0) == 0.0
        hud.update(TEXT, 10.0)
        assert hud.opacity(10.0) == 1.0 == hud.opacity(10.0 + SHOWN_SECONDS)
        assert math.isclose(hud.opacity(10.0 + SHOWN_SECONDS + FADE_SECONDS / 2), 0.5)
        assert hud.opacity(10.0 + SHOWN_SECONDS + FADE_SECONDS) == 0.0

    def test_figures_do_not_wake_it_but_a_style_does(self, hud):
        hud.update(TEXT, 0.0)
        hud.update(HudText(TEXT.style, "89 fps", TEXT.engine, TEXT.source), 100.0)
        assert hud.opacity(100.0) == 0.0
        hud.update(HudText("Senecio", "89 fps", TEXT.engine, TEXT.source), 101.0)
        assert hud.opacity(101.0) == 1.0

    def test_a_message_stays_and_so_does_a_pinned_panel(self, hud):
        hud.update(HudText("Senecio", message="the source is silent"), 0.0)
        assert hud.opacity(1000.0) == 1.0
        hud.enabled = False
        assert hud.opacity(1000.0) == 1.0
        hud.update(HudText("Senecio"), 1000.0)
        assert hud.opacity(1000.0) == 0.0
        hud.enabled = hud.pinned = True
        assert hud.opacity(9999.0) == 1.0

    def test_of_a_hidden_panel_only_the_message_is_left(self, hud, pane):
        hud.update(HudText("Senecio", "90 fps", message="the source is silent"), 0.0)
        hud.settle(0.0)
        whole = hud.size[1]
        hud.enabled = False
        hud.settle(1.0)
        assert hud.size == rasterise(HudText(message="the source is silent")).shape[1::-1] and hud.size[1] < whole

    def test_it_is_written_only_when_the_text_changes(self, hud, pane):
        for frame in range(100):
            hud.update(TEXT, frame * 0.01)
            hud.settle(frame * 0.01)
        assert hud.rasterised == 1

    def test_figures_are_written_a_few_times_a_second(self, hud, pane):
        hud.pinned = True
        for frame in range(100):
            hud.update(HudText("a", f"{frame} fps"), frame * REFRESH_SECONDS / 10)
            hud.prepare(frame * REFRESH_SECONDS / 10)
            if hud._picture is not None:
                hud._picture.result()
        assert 9 <= hud.rasterised <= 11

    def test_both_eyes_of_a_frame_see_the_same_panel(self, hud, pane):
        see, here = geometry.projection(-1, 1, 0.75, -0.75), geometry.translation(0, 0, 0)
        hud.update(HudText("Senecio"), 0.0)
        hud.settle(0.0)
        hud.update(HudText("The Kiss"), 1.0)
        assert hud.prepare(1.0) is False
        hud.draw_in_eye(pane, see, here, 1.0)
        left = target.read_back(pane)
        assert hud._picture is not None
        hud._picture.result()  # it is ready between the eyes
        target.clear(pane, (0.0, 0.5, 0.0))
        hud.draw_in_eye(pane, see, here, 1.0)
        assert np.array_equal(target.read_back(pane), left)
        assert hud.prepare(1.01) is True
        target.clear(pane, (0.0, 0.5, 0.0))
        hud.draw_in_eye(pane, see, here, 1.01)
        assert not np.array_equal(target.read_back(pane), left)

    def test_when_it_comes_back_it_says_nothing_old(self, hud, pane):
        hud.update(HudText("Senecio"), 0.0)
        hud.settle(0.0)
        late = SHOWN_SECONDS + FADE_SECONDS + 1
        before = target.read_back(pane)
        hud.update(HudText("The Kiss"), late)
        assert hud.prepare(late) is False and hud._picture is not None
        hud.draw_in_corner(pane, late)
        assert np.array_equal(target.read_back(pane), before)
        hud._picture.result()
        assert hud.prepare(late + 0.01) is True
        hud.draw_in_corner(pane, late + 0.01)
        assert not np.array_equal(target.read_back(pane), before)

    def test_shown_whole_again_it_says_nothing_old(self, hud, pane):
        late = SHOWN_SECONDS + FADE_SECONDS + 1
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        hud.enabled = False
        hud.update(replace(TEXT, message="Colours of the source"), late)
        hud.settle(late)
        hud.update(TEXT, 2 * late)
        before = target.read_back(pane)
        hud.enabled = True
        hud.wake(3 * late)
        hud.draw_in_corner(pane, 3 * late)
        assert np.array_equal(target.read_back(pane), before), "the message has gone"
        hud.settle(3 * late)
        hud.draw_in_corner(pane, 3 * late)
        assert not np.array_equal(target.read_back(pane), before)

    def test_it_stays_while_its_text_changes_faster_than_it_is_drawn(self, hud, pane):
        """A strength that is turned: the loop says what is to be seen in every turn."""
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        before = target.read_back(pane)
        for turn in range(1, 4):
            hud.enabled = True
            hud.update(replace(TEXT, style=f"The Starry Night, {90 - turn} %"), 0.01 * turn)
            hud.prepare(0.01 * turn)
            hud.draw_in_corner(pane, 0.01 * turn)
            assert not np.array_equal(target.read_back(pane), before), "as it was, until it is drawn anew"
            target.clear(pane, (0.0, 0.5, 0.0))

    def test_hidden_and_shown_at_once_it_is_there(self, hud, pane):
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        before = target.read_back(pane)
        hud.enabled = False
        hud.enabled = True
        hud.draw_in_corner(pane, 0.1)
        assert not np.array_equal(target.read_back(pane), before)

    def test_it_lies_in_the_top_left_corner_of_the_window(self, hud, pane):
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        hud.draw_in_corner(pane, 0.0)
        pixels = target.read_back(pane)
        width, height = hud.size
        panel = rasterise(TEXT)
        assert panel.shape[:2] == (height, width)
        covered = panel[..., :3] + np.round((0, 128, 0) * (1 - panel[..., 3:] / 255.0))
        assert np.abs(pixels[:height, :width, :3] - covered).max() <= 1
        assert (pixels[height:, :, :3] == (0, 128, 0)).all() and (pixels[:, width:, :3] == (0, 128, 0)).all()
        assert (pixels[..., 3] == 255).all()

    def test_half_faded_it_is_half_there(self, hud, pane):
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        hud.draw_in_corner(pane, SHOWN_SECONDS + FADE_SECONDS / 2)
        row, column = hud.size[1] // 2, 4
        alpha, green = 190 / 255 / 2, target.read_back(pane)[row, column, 1]
        assert abs(green - (128 * (1 - alpha) + 12 * alpha)) <= 2

    def test_a_window_smaller_than_the_panel(self, hud, context):
        small = EyeTarget(60, 60)
        target.clear(small)
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        hud.draw_in_corner(small, 0.0)
        assert target.read_back(small)[..., :3].any()
        small.release()

    @pytest.mark.parametrize("distance", [1.2, 0.6])
    def test_before_the_eyes_it_has_depth_and_one_size(self, hud, pane, distance):
        hud.update(TEXT, 0.0)
        hud.settle(0.0)
        see, left_edges, heights = geometry.projection(-1, 1, 0.75, -0.75), [], []
        for offset in (-0.05, 0.05):  # left, right
            target.clear(pane)
            hud.draw_in_eye(pane, see, geometry.translation(offset, 0, 0), 0.0, distance)
            rows, columns = np.nonzero(target.read_back(pane)[..., :3].any(axis=-1))
            left_edges.append(columns.min())
            heights.append(np.ptp(rows))
            assert rows.min() > 150  # below the middle
        parallax = 0.1 / distance / 2 * 400  # in a field of two tangents over 400 pixels
        assert abs(left_edges[0] - left_edges[1] - parallax) <= 2
        assert abs(heights[0] - hud.size[1] * 0.0015 / 2 * 400) <= 2
