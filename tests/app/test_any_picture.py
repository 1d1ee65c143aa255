"""Any picture as a style, live: dropped, blended, stronger and weaker, in a region, through the whole chain."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from artem_vr.live.hands import IN_USE_SECONDS
from artem_vr.offline.files import with_colors_of
from artem_vr.render.context import Context
from artem_vr.render.events import Event, FilesDropped, KeyPressed, MouseMoved
from artem_vr.render.geometry import translation
from artem_vr.sources.pictures import save_picture
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.loading import LoadedStyle, StyleLoader
from artem_vr.vr.desktop_headset import DesktopHeadset
from tests.app.conftest import EYE_HEIGHT, EYE_WIDTH, PATIENCE, Pictures, Rig, noise, painting
from tests.openvr_runtime import Runtime

pytestmark = [pytest.mark.display, pytest.mark.graphics]

INSIDE = (slice(1, -1), slice(1, -1))
LEFT, RIGHT = slice(0, EYE_WIDTH // 2 - 6), slice(EYE_WIDTH // 2 + 6, None)


class GatedLoader(StyleLoader):
    """A disk and an encoder that take as long as the test says."""

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        self.gate, self.asked = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, style: Style) -> LoadedStyle:
        if style.form == "picture":
            self.asked.set()
            assert self.gate.wait(PATIENCE)
        return super().__call__(style)


@pytest.fixture
def loader(coded_library: Library) -> GatedLoader:
    return GatedLoader(coded_library)


@pytest.fixture
def coded(
    vrclient: Path, window: Context, coded_library: Library, loader: GatedLoader, tmp_path: Path
) -> Iterator[Rig]:
    """Real networks, tiny; the deck has two codes of them."""
    window.make_current()
    with Runtime(vrclient, tmp_path / "steamvr", read_back=True) as runtime:
        one = Rig(runtime, window, coded_library, ("red", "blue"), TorchEngine("cpu", "fp32"), loader)
        try:
            yield one
        finally:
            loader.gate.set()
            one.close()


@pytest.fixture
def hands(coded: Rig, monkeypatch: pytest.MonkeyPatch) -> Callable[[Event], None]:
    """Lets the window report an event."""
    events: list[Event] = []
    monkeypatch.setattr(coded.context, "poll", lambda: [events.pop(0)] if events else [])

    def do(event: Event) -> None:
        events.append(event)
        coded.turn()

    return do


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    save_picture(tmp_path / "my_holiday.png", painting(5))
    return tmp_path / "my_holiday.png"


def until(rig: Rig, condition: Callable[[], bool], eyes: Pictures) -> None:
    """Turns, with a new frame in each, until it is so."""
    for _ in range(5000):
        rig.feed.put(eyes, rig.clock())
        rig.log.arrived.acquire(timeout=0.02)
        rig.turn()
        if condition():
            return
    raise AssertionError(f"it never happened: {rig.stylizer.state().message} {rig.view.notice}")


def settled(rig: Rig, style: str, eyes: Pictures) -> Pictures:
    """What the left eye sees once ``eyes`` is painted in ``style`` and nothing fades or follows any more."""
    rig.until_painted_in(style, eyes)
    rig.runtime.advance(30.0)  # statistics arrive
    rig.paint(eyes)
    rig.turn(40)
    return rig.seen("left")


def equal(painted: Pictures, before: Pictures) -> bool:
    """The same painting, but for the last bit of statistics that go on."""
    return int(np.abs(painted.astype(int) - before).max()) <= 2


def test_a_dropped_picture_becomes_the_style_and_is_kept_by_a_key(
    coded: Rig, hands: Callable[[Event], None], picture: Path, coded_library: Library
) -> None:
    eyes = noise(1)
    before = settled(coded, "red", eyes)
    hands(FilesDropped((picture,)))
    until(coded, lambda: coded.deck.current.style == str(picture), eyes)
    after = settled(coded, str(picture), eyes)
    assert np.abs(after.astype(int) - before).mean() > 1
    assert coded.loop.hud.style == "My holiday"
    hands(KeyPressed("k"))
    until(coded, lambda: "Kept as my_holiday" in coded.view.notice, eyes)
    assert coded_library.find("my_holiday").form == "code"


def test_a_picture_that_was_changed_and_dropped_again_is_painted_anew(
    coded: Rig, hands: Callable[[Event], None], loader: GatedLoader, picture: Path
) -> None:
    eyes = noise(1)
    hands(FilesDropped((picture,)))
    until(coded, lambda: coded.deck.current.style == str(picture), eyes)
    before = settled(coded, str(picture), eyes)
    save_picture(picture, painting(6)[::-1])
    os.utime(picture, (2e9, 2e9))  # whatever the clock of the disk
    changed_at = coded.scene.frame.changed_at
    loader.asked.clear()
    loader.gate.clear()
    hands(FilesDropped((picture,)))
    until(coded, loader.asked.is_set, eyes)
    assert equal(settled(coded, str(picture), eyes), before)  # the old painting goes on while the file is read
    loader.gate.set()
    until(coded, lambda: not coded.stylizer.state().message, eyes)
    assert np.abs(settled(coded, str(picture), eyes).astype(int) - before).mean() > 1
    assert coded.scene.frame.changed_at > changed_at, "the scene fades to it, as to any other style"


def test_a_torn_picture_is_one_line_and_the_old_style_stays(
    coded: Rig, hands: Callable[[Event], None], picture: Path
) -> None:
    eyes = noise(1)
    before = settled(coded, coded.deck.select("blue").style, eyes)
    picture.write_bytes(picture.read_bytes()[:-60])
    hands(FilesDropped((picture,)))
    until(coded, lambda: str(picture) in coded.deck.names, eyes)
    until(coded, lambda: str(picture) not in coded.deck.names, eyes)
    assert coded.deck.current.style == "blue" and coded.deck.names == ("red", "blue")
    assert "my_holiday.png is damaged" in coded.view.message(coded.clock())
    assert equal(settled(coded, "blue", eyes), before)


def test_while_a_picture_is_read_every_vsync_gets_a_pair_of_the_old_style(
    coded: Rig, hands: Callable[[Event], None], loader: GatedLoader, picture: Path
) -> None:
    eyes = noise(1)
    before = settled(coded, "red", eyes)
    loader.gate.clear()
    hands(FilesDropped((picture,)))
    until(coded, lambda: coded.deck.current.style == str(picture), eyes)
    coded.put(eyes)
    assert loader.asked.wait(PATIENCE)

    def counts() -> tuple[int, int, int]:
        count = coded.runtime.count
        return count.vsyncs_without_submit, count.vsyncs_missed, count.submits

    before_reading, painted = counts(), coded.stylizer.state().frames
    for _ in range(90):
        coded.put(eyes)
        coded.turn()
    empty, missed, submits = (now - then for now, then in zip(counts(), before_reading, strict=True))
    assert (empty, missed, submits) == (0, 0, 180)
    coded.paint(eyes)
    coded.turn()
    assert equal(coded.seen("left"), before)
    assert coded.stylizer.state().frames > painted  # the stylizer did not wait either
    until(coded, lambda: "Preparing my_holiday.png" in coded.stylizer.state().message, eyes)
    loader.gate.set()
    coded.until_painted_in(str(picture), eyes)


def test_two_styles_are_blended_by_a_key_and_shares_change_the_painting(
    coded: Rig, hands: Callable[[Event], None]
) -> None:
    eyes = noise(1)
    red = settled(coded, "red", eyes).astype(int)
    hands(KeyPressed("b"))
    until(coded, lambda: coded.deck.current.style == "0.5*red+0.5*blue", eyes)
    half = settled(coded, "0.5*red+0.5*blue", eyes).astype(int)
    assert coded.loop.hud.style == "50 % Red, 50 % Blue"
    hands(KeyPressed("]"))
    more = settled(coded, "0.4*red+0.6*blue", eyes).astype(int)
    blue = settled(coded, coded.deck.select("blue").style, eyes).astype(int)
    assert 0 < np.abs(half - red).mean() < np.abs(more - red).mean() < np.abs(blue - red).mean()


def test_strength_changes_what_is_painted_and_nought_is_the_source_bit_for_bit(
    coded: Rig, hands: Callable[[Event], None]
) -> None:
    """By key and by controller; the code of the frame changes, not only how much of it covers the source."""
    eyes = noise(1)
    full = settled(coded, "red", eyes)
    for _ in range(7):
        hands(KeyPressed("down"))
    weaker = settled(coded, "red", eyes)
    assert coded.deck.strength == pytest.approx(0.3)
    mixed = eyes[0][INSIDE] + 0.3 * (full - eyes[0][INSIDE].astype(float))
    assert np.abs(weaker - mixed).mean() > 1
    coded.runtime.connect_controllers("knuckles")
    coded.turn(3)
    hand, part, _ = coded.runtime.physical_inputs("knuckles", "/actions/main/in/strength")[0]
    coded.runtime.push_stick(hand, part, 0.0, -1.0)
    for _ in range(200):
        coded.turn()
    assert coded.deck.strength == 0.0
    coded.runtime.push_stick(hand, part, 0.0, 0.0)
    coded.paint(eyes)
    coded.turn(2)
    assert np.array_equal(coded.seen("left"), eyes[0][INSIDE])
    assert np.array_equal(coded.seen("right"), eyes[1][INSIDE])
    for _ in range(10):
        hands(KeyPressed("up"))
    assert equal(settled(coded, "red", eyes), full)


def test_preserved_colours_are_the_sources_at_once(coded: Rig, hands: Callable[[Event], None]) -> None:
    eyes = noise(1)
    painted = settled(coded, "red", eyes)
    frames = coded.stylizer.state().frames
    hands(KeyPressed("l"))
    wanted = with_colors_of(eyes[0][INSIDE], painted)
    assert np.abs(coded.seen("left").astype(int) - wanted).max() <= 1
    assert coded.stylizer.state().frames == frames  # no network was asked
    hands(KeyPressed("l"))
    assert np.array_equal(coded.seen("left"), painted)


def test_a_region_has_its_style_inside_and_another_outside_of_the_same_frame(
    coded: Rig, hands: Callable[[Event], None]
) -> None:
    eyes = noise(1)
    red = settled(coded, "red", eyes)
    blue = settled(coded, coded.deck.select("blue").style, eyes)
    hands(KeyPressed("g"))
    coded.turn()
    assert np.array_equal(coded.seen("left")[:, LEFT], blue[:, LEFT])
    assert np.array_equal(coded.seen("left")[:, RIGHT], eyes[0][INSIDE][:, RIGHT])  # no style: the source
    coded.view.region_style = "red"
    for _ in range(6):
        hands(KeyPressed("g"))
    until(coded, lambda: coded.scene.frame.other, eyes)
    coded.turn(2)
    assert equal(coded.seen("left")[:, LEFT], blue[:, LEFT])
    assert equal(coded.seen("left")[:, RIGHT], red[:, RIGHT])


def test_both_eyes_and_both_styles_are_always_of_one_frame(rig: Rig) -> None:
    """The green channel carries the frame's number, red the style; the style inside changes meanwhile.

    Without a cross-fade, in which the last painting before the change stays for a moment, as it does without regions.
    """
    rig.loop._fade_seconds = 0.0
    values = {"alpha": 50, "beta": 150, "gamma": 250}

    def paint(style: str, pictures: Pictures) -> Pictures:
        painted = pictures.copy()
        painted[..., 0] = values[style]
        return painted

    rig.engine.paint = paint
    rig.view.region, rig.deck.outside = "left", "gamma"
    sides = set()
    for number in range(60):
        if number == 30:
            rig.deck.select("beta")
        rig.paint(np.full((2, EYE_HEIGHT, EYE_WIDTH, 3), (0, number, 0), np.uint8))
        rig.turn()
        left, right = rig.seen("left"), rig.seen("right")
        assert np.array_equal(left, right)
        assert (left[..., 1] == left[0, 0, 1]).all()
        sides.add((int(left[0, 0, 0]), int(left[0, -1, 0])))
    assert {outside for _, outside in sides} <= {50, 250}  # alone until the style outside is there, then never again
    assert (50, 250) in sides and (150, 250) in sides


def bright(rig: Rig, eye: str) -> tuple[float, float]:
    """Middle of what is bright, (x, y) 0..1."""
    rows, columns = np.nonzero(rig.seen(eye)[..., 0] > 128)
    return (columns.mean() + 1.5) / EYE_WIDTH, (rows.mean() + 1.5) / EYE_HEIGHT


@pytest.fixture
def spot(rig: Rig) -> Rig:
    """A white painting of a black source, in a disc that follows where the viewer points."""
    rig.engine.paint = lambda style, pictures: np.full_like(pictures, 255)
    rig.view.region, rig.view.region_size, rig.view.region_softness = "gaze", 0.2, 0.0
    rig.paint(np.zeros((2, EYE_HEIGHT, EYE_WIDTH, 3), np.uint8))
    rig.turn(3)
    return rig


def test_the_disc_follows_the_head_at_every_vsync_whatever_the_network_does(spot: Rig) -> None:
    blocked, free = threading.Event(), threading.Event()

    def block(style: str, pictures: Pictures) -> Pictures:
        blocked.set()
        free.wait(PATIENCE)
        return pictures

    spot.engine.paint = block
    spot.put(noise(1))
    assert blocked.wait(PATIENCE)
    try:
        for eye in ("left", "right"):
            assert bright(spot, eye) == pytest.approx((0.5, 0.5), abs=0.03)
        for x, y in ((0.4, 0.0), (-0.3, 0.2)):  # metres: the head moves, and looks straight ahead
            spot.runtime.set_pose(spot.runtime.pose @ translation(x, y, 0))
            spot.turn(2)
            assert bright(spot, "left") == pytest.approx((0.5, 0.5), abs=0.03)  # it moved with the head
        place = spot.scene.pointed_at(spot.headset, spot.headset.begin_frame())
        assert place is not None and place[0] == pytest.approx(0.5 + 0.1 / 4, abs=1e-3)  # the screen did not
    finally:
        free.set()


def test_a_hand_that_points_at_the_screen_is_followed_rather_than_the_head(spot: Rig) -> None:
    spot.runtime.connect_controllers("knuckles")
    spot.turn(3)
    hand = spot.runtime.pose @ translation(1.0, 0.4, 0.0)
    spot.runtime.set_device(2, 2, True, hand)
    spot.turn(2)
    x, y = bright(spot, "left")
    assert (x, y) == pytest.approx((0.5 + 1 / 4, 0.5 - 0.4 / 3.2), abs=0.03)
    spot.runtime.set_device(2, 2, True, spot.runtime.pose @ translation(9.0, 0.0, 0.0))
    spot.runtime.set_device(1, 2, True, spot.runtime.pose @ translation(9.0, 0.0, 0.0))
    spot.turn(2)
    assert bright(spot, "left") == pytest.approx((0.5, 0.5), abs=0.03)  # beside the screen: the head again


def test_recentring_takes_up_no_controller_that_lies(spot: Rig) -> None:
    spot.runtime.connect_controllers("knuckles")
    spot.turn(3)
    spot.runtime.set_device(2, 2, True, spot.runtime.pose @ translation(1.0, 0.4, 0.0))
    spot.turn(2)
    spot.runtime.advance(IN_USE_SECONDS)
    spot.runtime.set_pose(spot.runtime.pose @ translation(-0.2, 0.0, 0.1))
    spot.turn(2)
    spot.headset.recenter()
    spot.turn(3)
    assert bright(spot, "left") == pytest.approx((0.5, 0.5), abs=0.03)  # the world moved, not the controller


def test_a_controller_that_was_put_down_lets_go_of_the_disc(spot: Rig) -> None:
    spot.runtime.connect_controllers("knuckles")
    spot.turn(3)
    assert bright(spot, "left") == pytest.approx((0.5, 0.5), abs=0.03)  # it lies there, and was never taken up
    spot.runtime.set_device(2, 2, True, spot.runtime.pose @ translation(1.0, 0.4, 0.0))
    spot.turn(2)
    assert bright(spot, "left")[0] > 0.7
    spot.runtime.advance(IN_USE_SECONDS)
    spot.turn(2)
    assert bright(spot, "left") == pytest.approx((0.5, 0.5), abs=0.03)  # on the sofa, as it happens towards the screen
    spot.runtime.set_device(2, 2, True, spot.runtime.pose @ translation(1.0, 0.3, 0.0))
    spot.turn(2)
    assert bright(spot, "left")[0] > 0.7


def test_on_the_desktop_the_disc_follows_the_mouse(spot: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    spot.loop.headset = DesktopHeadset(spot.headset.eye_size, clock=spot.clock, sleep=spot.runtime.advance)
    events: list[Event] = []
    monkeypatch.setattr(spot.context, "poll", lambda: [events.pop(0)] if events else [])
    window = spot.context.screen
    for x, y in ((0.5, 0.5), (0.3, 0.4), (0.65, 0.6)):
        events.append(MouseMoved(x * window.width, y * window.height, 0, 0))
        spot.turn()
        monkeypatch.setattr(spot.context, "swap", lambda: None)
        spot.scene.draw_mirror("left", spot.clock())
        rows, columns = np.nonzero(spot.scene.mirror_picture()[..., 0] > 128)
        assert (columns.mean() + 0.5) / window.width == pytest.approx(x, abs=0.02)
        assert (rows.mean() + 0.5) / window.height == pytest.approx(y, abs=0.02)
