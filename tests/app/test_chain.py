"""What was captured arrives in each eye, in the right style, whatever happens on the way."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvr
import pytest
from PIL import Image

from artem_vr.errors import HeadsetError
from artem_vr.live.controls import MirrorMode
from artem_vr.live.late_stylizer import WatchedFrames
from artem_vr.live.record import Recorder
from artem_vr.mailbox import Mailbox
from artem_vr.render import gl, interop, target
from artem_vr.render.context import WindowContext
from artem_vr.render.events import CloseRequested, Event, FilesDropped, KeyPressed, MouseButton, MouseMoved, Uncovered
from artem_vr.render.hud import FADE_SECONDS, SHOWN_SECONDS
from artem_vr.render.target import EyeTarget
from artem_vr.render.texture import StreamTexture
from artem_vr.sources.feed import FeedState
from artem_vr.sources.frame import StereoFrame
from artem_vr.stylize.steadying import SteadyHand
from artem_vr.stylize.stylizer import PaintedFrame
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.headset import Headset
from artem_vr.vr.openvr_headset import OpenVRHeadset
from artem_vr.vr.poses import translation, yaw_pitch
from tests.app.conftest import EYE_HEIGHT, EYE_WIDTH, PATIENCE, Rig, flat, noise
from tests.openvr_runtime import driver as ovr
from tests.render.device import Device, OnDevice

pytestmark = [pytest.mark.display, pytest.mark.graphics]

INSIDE = (slice(1, -1), slice(1, -1))


def tinted(style: str, pictures: np.ndarray) -> np.ndarray:
    """Each style paints all in one value, and keeps the green channel."""
    painted = np.full_like(pictures, {"alpha": 50, "beta": 150, "gamma": 250}[style])
    painted[..., 1] = pictures[..., 1]
    return painted


def test_every_pixel_arrives_in_its_eye(rig: Rig) -> None:
    eyes = noise(1)
    rig.paint(eyes)
    rig.turn(2)
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    assert np.array_equal(rig.seen("right"), eyes[1][INSIDE])


def test_strokes_that_tremble_and_differ_between_the_eyes_arrive_steady_and_alike(rig: Rig) -> None:
    """Of a scene in which nothing moves, and which both eyes see from one place."""
    moment = 0

    def paint(style: str, pictures: np.ndarray) -> np.ndarray:
        painted = np.full_like(pictures, 100 * (moment % 2))
        painted[1] = 200
        return painted

    rig.engine.paint = paint
    rig.stylizer._hand = SteadyHand("always", 1.0, rig.clock)
    spots = cv2.GaussianBlur(noise(4)[0].astype(float), (0, 0), 2)
    scene = np.stack([np.clip(127 + 4 * (spots - 127), 0, 255).astype(np.uint8)] * 2)
    seen = []
    for moment in range(12):  # noqa: B007 (`paint` looks at it)
        rig.paint(scene)
        rig.turn(2)
        middle = slice(20, -20)
        left, right = (rig.seen(eye)[:, middle].astype(int) for eye in ("left", "right"))
        assert np.abs(left - right).mean() < 30  # of 100 to 200; the right one is smoothed once more
        seen.append(left.mean())
    assert min(seen[4:]) > 10 and max(seen[4:]) < 90


def test_the_picture_is_upright_and_in_its_colours(rig: Rig) -> None:
    eyes = flat((0, 0, 0), (0, 0, 0))
    eyes[0, : EYE_HEIGHT // 2] = (255, 0, 0)
    eyes[1, :, : EYE_WIDTH // 2] = (0, 0, 255)
    rig.paint(eyes)
    rig.turn(2)
    left, right = rig.seen("left"), rig.seen("right")
    assert tuple(left[2, 20]) == (255, 0, 0)
    assert tuple(left[-3, 20]) == (0, 0, 0)
    assert tuple(right[20, 2]) == (0, 0, 255)
    assert tuple(right[20, -3]) == (0, 0, 0)


def test_a_mono_frame_is_painted_once_and_seen_by_both_eyes(rig: Rig) -> None:
    batches = []

    def paint(style: str, pictures: np.ndarray) -> np.ndarray:
        batches.append(len(pictures))
        return pictures.copy()

    rig.engine.paint = paint
    eyes = noise(2)[:1]
    rig.paint(eyes)
    rig.turn(2)
    assert set(batches) == {1}
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    assert np.array_equal(rig.seen("right"), eyes[0][INSIDE])


def test_before_there_is_a_painting_the_source_is_seen(rig: Rig) -> None:
    rig.engine.fails = {"alpha"}
    eyes = noise(3)
    rig.put(eyes)
    rig.turn(2)
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])


def test_strength_nought_and_compare_show_the_source_bit_for_bit(rig: Rig) -> None:
    rig.engine.paint = tinted
    eyes = noise(4)
    rig.paint(eyes)
    rig.turn()
    assert not np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    rig.deck.strength = 0.0
    rig.turn()
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    rig.deck.strength = 1.0
    rig.deck.compare = True
    rig.turn()
    assert np.array_equal(rig.seen("right"), eyes[1][INSIDE])


def test_both_eyes_are_always_of_the_same_frame_and_style(rig: Rig) -> None:
    """The green channel carries the frame's number, the others the style; a switch comes in between."""
    rig.engine.paint = tinted
    for number in range(1, 40):
        if number % 10 == 5:
            rig.deck.next()
        rig.paint(flat((0, number, 0), (0, number, 0)))
        for _ in range(2):
            rig.turn()
            left, right = rig.seen("left"), rig.seen("right")
            assert np.array_equal(left, right)
            assert np.ptp(left.reshape(-1, 3), axis=0).max() == 0


def test_a_pair_is_brought_nearer_or_further_away(rig: Rig) -> None:
    """Its far parts must not pull the eyes apart: that depends on the screen, and not on the film alone."""
    eyes = noise(9)
    rig.scene._stereo_shift = 0.1  # 4 of the 80 pixels for each eye
    rig.paint(eyes)
    rig.turn(2)
    rows = slice(1, -1)
    assert np.array_equal(rig.seen("left")[:, 5:], eyes[0][rows, 2:-5])
    assert np.array_equal(rig.seen("right")[:, :-5], eyes[1][rows, 5:-2])
    rig.paint(eyes[:1])
    rig.turn(2)
    for eye in ("left", "right"):
        assert np.array_equal(rig.seen(eye), eyes[0][INSIDE]), "one picture for both eyes stays on the screen"


def test_an_upright_picture_is_no_higher_than_a_wide_one(rig: Rig) -> None:
    rig.paint(np.full((1, 2 * EYE_WIDTH, EYE_WIDTH, 3), 255, np.uint8))
    rig.turn()
    seen = rig.seen("left")[..., 0] > 128
    assert seen[:, seen.shape[1] // 2].all()  # as high as the eye sees
    assert seen.any(axis=0).sum() == pytest.approx(EYE_HEIGHT / 2, abs=2)  # the edges are smoothed


def test_a_switch_cross_fades_and_ends_in_the_new_style(rig: Rig) -> None:
    rig.engine.paint = tinted
    grey = flat((9, 9, 9), (9, 9, 9))
    rig.paint(grey)
    rig.turn()
    assert rig.seen("left")[0, 0, 0] == 50
    rig.deck.next()
    rig.until_painted_in("beta", grey)
    values = []
    for _ in range(60):
        rig.turn()
        values.append(int(rig.seen("left")[0, 0, 0]))
    assert values == sorted(values)
    assert values[-1] == 150
    assert len(set(values)) > 10  # about 300 ms at 90 Hz


def jumps(values: list[int]) -> int:
    """The greatest difference of a value and the next."""
    return int(np.abs(np.diff(values)).max())


def test_a_switch_during_a_fade_waits_for_its_end(rig: Rig) -> None:
    rig.engine.paint = tinted
    grey = flat((9, 9, 9), (9, 9, 9))
    rig.paint(grey)
    rig.turn()
    values = [50]
    for style in ("beta", "gamma", "alpha", "beta", "gamma"):
        rig.deck.next()
        rig.until_painted_in(style, grey)
        for _ in range(10):  # a third of a fade
            rig.turn()
            values.append(int(rig.seen("left")[0, 0, 0]))
    for _ in range(60):
        rig.turn()
        values.append(int(rig.seen("left")[0, 0, 0]))
    assert values[-1] == 250, "the newest is shown in the end"
    assert jumps(values) < 20


def test_back_to_the_style_that_fades_in_nothing_waits(rig: Rig) -> None:
    rig.engine.paint = tinted
    grey = flat((9, 9, 9), (9, 9, 9))
    rig.paint(grey)
    rig.turn()
    for step, style in ((rig.deck.next, "beta"), (rig.deck.next, "gamma"), (rig.deck.previous, "beta")):
        step()
        rig.until_painted_in(style, grey)
        rig.turn()
    rig.turn(60)
    assert rig.seen("left")[0, 0, 0] == 150


def test_a_painting_that_cannot_be_uploaded_leaves_the_one_before_and_its_figures(rig: Rig) -> None:
    source = StereoFrame(flat((0, 0, 0), (0, 0, 0)), 0.0, 0)

    def show(painting: object, style: str) -> list[int]:
        Mailbox.put(rig.log, PaintedFrame(source, painting, style, 0.0, 0.0))
        values = []
        for _ in range(40):
            rig.turn()
            values.append(int(rig.seen("left")[0, 0, 0]))
        return values

    rig.deck.strength = 0.5
    light = flat((200, 200, 200), (200, 200, 200))
    assert show(light, "alpha")[-1] == 100
    shown = rig.meter.shown
    assert shown == 1
    for style in ("beta", "alpha"):
        assert set(show(light.astype(float), style)) == {100}
        assert "expected uint8" in rig.view.message(rig.clock())
    assert rig.meter.shown == shown, "it was never seen, and so it has no latency"
    values = show(light // 2, "beta")
    assert jumps([100, *values]) < 10 and values[-1] == 50, "the next one is faded in from what is seen"
    assert rig.meter.shown == shown + 1


def test_the_loop_frees_no_painting_that_lies_on_a_gpu(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is shown, gives way to a newer one while a fade goes on, or cannot be uploaded. The thread that paints
    lets go of what was handed on before the loop does anything else."""
    keep = interop.CudaPictures.keep

    def keep_and_paint(cuda: interop.CudaPictures, *pictures: object) -> None:
        keep(cuda, *pictures)
        painter = threading.Thread(target=cuda.wanted, name="painter")
        painter.start()
        painter.join()

    monkeypatch.setattr(interop, "_runtime", Device)
    monkeypatch.setattr(interop.CudaPictures, "keep", keep_and_paint)
    source = StereoFrame(noise(1), 0.0, 0)
    freed_by: list[str] = []

    def put(style: str, dtype: type = np.uint8) -> None:
        paintings = [OnDevice(np.zeros((2, EYE_HEIGHT, EYE_WIDTH, 4), dtype)) for _ in range(2)]
        for painting in paintings:
            weakref.finalize(painting, lambda: freed_by.append(threading.current_thread().name))
        pictures, other = paintings
        Mailbox.put(rig.log, PaintedFrame(source, pictures, style, 0.0, 0.0, outside="beta", other=other))

    for style in ("alpha", "alpha", "beta", "gamma", "alpha", "gamma"):
        put(style)
        rig.turn()
    rig.turn(60)
    put("gamma", np.float32)
    rig.turn()
    put("gamma")
    rig.turn(2)
    assert rig.scene.frame.path == "cuda"
    assert freed_by == ["painter"] * 2 * 7  # all but the newest


def test_a_button_changes_the_deck_within_two_vsyncs(rig: Rig) -> None:
    rig.turn(2)
    rig.runtime.connect_controllers("knuckles")
    rig.turn(3)
    hand, part, component = rig.runtime.physical_inputs("knuckles", "/actions/main/in/next_style")[0]
    waits = rig.runtime.count.waits
    rig.runtime.press(hand, part, component)
    while rig.deck.current.style == "alpha":
        rig.turn()
        assert rig.runtime.count.waits - waits <= 2
    assert rig.deck.current.style == "beta"
    assert (rig.runtime.count.pulses, rig.runtime.last_pulse) == (1, f"/user/hand/{hand}"), "the hand that pressed"


def test_what_the_headset_has_to_say_is_read(rig: Rig) -> None:
    rig.turn()
    rig.runtime.push_event(openvr.VREvent_Input_BindingLoadFailed)
    rig.turn(2)
    assert "could not load a binding" in rig.view.message(rig.clock())


def test_a_broken_style_leaves_the_old_one_and_says_so(rig: Rig) -> None:
    rig.engine.paint = tinted
    rig.engine.fails = {"beta"}
    grey = flat((9, 9, 9), (9, 9, 9))
    rig.paint(grey)
    rig.turn()
    rig.deck.next()
    for _ in range(5):
        rig.paint(grey)
        rig.turn(50)
    assert rig.stylizer.state().style == "alpha"
    assert "beta" in rig.loop.hud.message
    assert rig.runtime.count.vsyncs_without_submit == 0


def test_a_style_that_fails_while_painting_does_not_end_the_run(rig: Rig) -> None:
    def paint(style: str, pictures: np.ndarray) -> np.ndarray:
        if style == "beta":
            raise RuntimeError("the device has gone")
        return pictures.copy()

    rig.engine.paint = paint
    rig.paint(noise(5))
    rig.turn()
    rig.deck.next()
    for seed in range(6, 16):
        rig.paint(noise(seed))
        rig.turn(2)
    rig.deck.next()
    rig.until_painted_in("gamma", noise(20))


def brightness_of_turns(rig: Rig, turns: int) -> list[int]:
    """The brightest value that the left eye sees in each turn."""
    values = []
    for _ in range(turns):
        rig.turn()
        values.append(int(rig.seen("left").max()))
    return values


def test_a_source_that_dies_is_dimmed_and_named_and_comes_back(rig: Rig) -> None:
    white = flat((255, 255, 255), (255, 255, 255))
    rig.paint(white)
    rig.turn(2)
    live = rig.feed.now
    rig.feed.now = FeedState("stale", "The phone does not answer. Check the network.", 0.0, 64, 48, 2, 0.0)
    dimming = brightness_of_turns(rig, 100)
    assert "does not answer" in rig.loop.hud.message
    assert dimming[-1] == round(0.4 * 255)
    rig.feed.now = live
    rig.paint(white)
    coming_back = brightness_of_turns(rig, 100)
    assert rig.loop.hud.message == ""
    assert coming_back[-1] == 255
    assert jumps(dimming) < 10 and jumps(coming_back) < 10, "no flash"


def test_quit_from_steamvr_is_acknowledged_and_ends_the_run(rig: Rig) -> None:
    rig.turn(2)
    rig.runtime.push_event(ovr.QUIT)
    rig.turn()
    assert rig.view.leave
    assert rig.runtime.count.quits_acknowledged == 1


def test_in_standby_nothing_is_submitted_and_afterwards_it_is_again(rig: Rig) -> None:
    rig.paint(noise(6))
    rig.turn(3)
    rig.runtime.push_event(ovr.ENTER_STANDBY)
    rig.turn(2)
    submits = rig.runtime.count.submits
    rig.turn(20)
    assert rig.runtime.count.submits == submits
    rig.runtime.push_event(ovr.LEAVE_STANDBY)
    rig.turn(3)
    assert rig.runtime.count.submits > submits


def tell_calls(monkeypatch: pytest.MonkeyPatch, calls: list[str], owner: object, name: str) -> None:
    """From now on calls of ``owner``'s function put its name into ``calls``."""
    action = getattr(owner, name)

    def call(*arguments: object) -> object:
        calls.append(name)
        return action(*arguments)

    monkeypatch.setattr(owner, name, call)


def test_a_submitted_pair_is_on_its_way_before_the_mirror_is_drawn(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Poses, eyes, submit, glFlush, mirror, hand-over: else the compositor waits for the window."""
    rig.paint(noise(17))
    rig.turn(2)
    calls: list[str] = []
    for owner, names in (
        (rig.headset, ("begin_frame", "submit", "end_frame")),
        (rig.scene, ("draw_eyes", "draw_mirror")),
        (gl, ("glFlush",)),
        (rig.context, ("swap",)),
    ):
        for name in names:
            tell_calls(monkeypatch, calls, owner, name)
    rig.turn(2)
    assert calls == ["begin_frame", "draw_eyes", "submit", "glFlush", "draw_mirror", "swap", "end_frame"] * 2


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_nothing_is_uploaded_between_the_poses_and_the_pair(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    """What SteamVR gives between them is the time to draw."""
    calls: list[str] = []
    for owner, name in ((rig.headset, "begin_frame"), (rig.headset, "submit"), (StreamTexture, "update")):
        tell_calls(monkeypatch, calls, owner, name)
    rig.deck.strength = strength
    for seed in range(3):
        rig.paint(noise(seed))
        rig.turn()
        if not seed:
            calls.clear()  # whether the source is seen is known from the first picture on
    uploads = ["update"] * (2 if strength == 1 else 4)
    assert calls == [*uploads, "begin_frame", "submit"] * 2


def compare(rig: Rig) -> None:
    rig.deck.compare = True


def weaken(rig: Rig) -> None:
    rig.deck.strength = 0.7


def take_colours_of_the_source(rig: Rig) -> None:
    rig.view.preserve_color = True


def paint_the_left_half(rig: Rig) -> None:
    rig.view.region = "left"


@pytest.mark.parametrize("deed", [compare, weaken, take_colours_of_the_source, paint_the_left_half])
def test_what_a_hand_asks_for_is_uploaded_before_the_poses(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, deed: Callable[[Rig], None]
) -> None:
    rig.paint(noise(1))
    rig.turn(3)
    calls: list[str] = []
    for owner, name in ((rig.headset, "begin_frame"), (rig.headset, "submit"), (StreamTexture, "update")):
        tell_calls(monkeypatch, calls, owner, name)
    deed(rig)
    rig.turn(2)
    assert calls == ["update", "update", "begin_frame", "submit", "begin_frame", "submit"]


def test_the_first_frame_and_the_information_line_are_uploaded_before_the_poses(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    del rig.scene.hud.opacity  # back to the real one
    rig.view.hud = True
    calls: list[str] = []
    for owner, name in ((rig.headset, "begin_frame"), (rig.headset, "submit"), (StreamTexture, "update")):
        tell_calls(monkeypatch, calls, owner, name)
    rig.put(noise(1))
    rig.turn()
    assert rig.scene.hud._picture is not None
    rig.scene.hud._picture.result(PATIENCE)
    rig.turn()
    assert rig.scene.hud.rasterised == 1
    uploaded = [number for number, name in enumerate(calls) if name == "update"]
    assert len(uploaded) >= 3
    assert all(calls[number + 1] in ("update", "begin_frame") for number in uploaded)


def test_asleep_from_the_start_the_window_shows_the_source(rig: Rig) -> None:
    rig.loop._watched = watched = threading.Event()
    rig.runtime.push_event(ovr.ENTER_STANDBY)
    rig.turn(2)
    assert not watched.is_set()
    rig.put(flat((200, 10, 10), (200, 10, 10)))
    rig.runtime.advance(1.0)
    submits = rig.runtime.count.submits
    rig.turn(2)
    assert rig.runtime.count.submits == submits
    seen = rig.scene.mirror_picture()
    assert tuple(seen[seen.shape[0] // 2, seen.shape[1] // 2]) == (200, 10, 10)


def test_another_program_has_the_headset_for_a_while(rig: Rig) -> None:
    rig.paint(noise(7))
    rig.turn(2)
    rig.runtime.set_focus(False)
    rig.turn(5)
    rig.runtime.set_focus(True)
    eyes = noise(8)
    rig.paint(eyes)
    rig.turn(3)
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])


@pytest.mark.parametrize("desktop", [False, True], ids=["headset", "window"])
def test_h_shows_the_information_line_once_it_has_faded_and_then_hides_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, desktop: bool
) -> None:
    del rig.scene.hud.opacity  # back to the real one
    if desktop:
        rig.loop.headset.close()
        rig.loop.headset = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    rig.view.hud = True

    def seen() -> bool:
        """Whether there is a line in the window after some turns."""
        rig.turn(2)
        if rig.scene.hud._picture is not None:
            rig.scene.hud._picture.result(PATIENCE)
        rig.turn(2)
        return bool(
            rig.scene.hud.opacity(rig.clock()) == 1.0 and rig.scene.hud.rasterised and rig.scene.hud._picture is None
        )

    assert seen()
    for _ in range(2):
        rig.runtime.advance(SHOWN_SECONDS + FADE_SECONDS)
        assert not seen()
        events.append(KeyPressed("h"))
        assert seen(), "it had faded"
        rig.runtime.advance(SHOWN_SECONDS - 1.0)
        assert seen(), "for its usual time"
        events.append(KeyPressed("h"))
        assert not seen(), "it was there"
        events.append(KeyPressed("h"))
        assert seen(), "it was off"


def test_r_brings_the_screen_in_front_of_the_viewer_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    rig.turn(2)
    turned = yaw_pitch(0.5, 0.2, (1.0, 1.7, 0.0))
    rig.runtime.set_pose(turned)
    rig.turn(2)
    assert not np.allclose(rig.headset.begin_frame().head_to_world, yaw_pitch(0, 0.2), atol=1e-4)
    events.append(KeyPressed("r"))
    rig.turn(2)
    np.testing.assert_allclose(rig.headset.begin_frame().head_to_world, yaw_pitch(0, 0.2), atol=1e-4)
    rig.runtime.set_pose(yaw_pitch(0.9, 0.2, (1.0, 1.7, 0.0)))
    rig.turn(2)
    np.testing.assert_allclose(rig.headset.begin_frame().head_to_world, yaw_pitch(0.4, 0.2), atol=1e-4)


def test_f_fills_the_screen_and_gives_it_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    asked: list[bool] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    monkeypatch.setattr(rig.context, "set_fullscreen", asked.append)
    for _ in range(2):
        events.append(KeyPressed("f"))
        rig.turn(3)
    assert asked == [True, False]


def test_while_the_headset_sleeps_a_window_that_was_covered_is_drawn_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    shown: list[None] = []
    rig.paint(noise(9))
    rig.turn(2)
    rig.runtime.push_event(ovr.ENTER_STANDBY)
    rig.turn(3)
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    monkeypatch.setattr(rig.context, "swap", lambda: shown.append(None))
    rig.turn(3)
    assert not shown, "there is nothing new to see"
    events.append(Uncovered())
    rig.turn(3)
    assert len(shown) == 1


def test_in_the_window_dragging_with_the_left_button_turns_the_head(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.loop.headset.close()
    desktop = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    rig.loop.headset = desktop
    looked: list[tuple[float, float]] = []
    monkeypatch.setattr(desktop, "look", lambda right, down: looked.append((right, down)))
    events: list[Event] = [
        MouseMoved(10, 10, 9, 9),
        MouseButton("right", True),
        MouseMoved(11, 12, 1, 2),
        MouseButton("right", False),
        MouseButton("left", True),
        MouseMoved(16, 9, 5, -3),
        MouseButton("left", False),
        MouseMoved(20, 20, 4, 11),
    ]
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop(0)] if events else [])
    rig.turn(10)
    assert looked == [(5, -3)]


def test_the_eyes_of_one_picture_are_not_exchanged(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    for eyes, says, swapped in ((noise(1)[:1], "one picture for both eyes", False), (noise(2), "exchanged", True)):
        rig.put(eyes)
        events.append(KeyPressed("x"))
        rig.turn()
        assert says in rig.loop.hud.message
        assert rig.view.swap_eyes is swapped


@pytest.mark.parametrize("why", ["standby", "another program"])
def test_while_nobody_looks_nothing_is_painted(rig: Rig, why: str) -> None:
    watched = threading.Event()
    frames = WatchedFrames(rig.feed.frames, watched, rig.log)
    rig.loop._watched, rig.stylizer._frames = watched, frames
    rig.turn()
    rig.paint(noise(1))
    rig.turn(2)
    if why == "standby":
        rig.runtime.push_event(ovr.ENTER_STANDBY)
    else:
        rig.runtime.set_focus(False)
    rig.turn(3)
    assert not watched.is_set()
    time.sleep(0.3)  # a take of the stylizer that began before
    while rig.log.arrived.acquire(blocking=False):
        pass
    eyes = noise(2)
    rig.put(eyes)
    assert not rig.log.arrived.acquire(timeout=0.3)
    rig.runtime.advance(1.0)
    rig.turn()
    assert "Nobody looks" in rig.loop.hud.message
    rig.runtime.push_event(ovr.LEAVE_STANDBY)
    rig.runtime.set_focus(True)
    rig.turn(2)
    assert rig.log.arrived.acquire(timeout=PATIENCE), "the newest frame waited"
    rig.turn()
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    assert rig.loop.hud.message == ""


def test_before_the_first_painting_there_is_no_rest(rig: Rig) -> None:
    """Whoever puts on a headset that lay asleep finds a painter that is ready."""
    watched = threading.Event()
    rig.loop._watched, rig.stylizer._frames = watched, WatchedFrames(rig.feed.frames, watched, rig.log)
    rig.runtime.push_event(ovr.ENTER_STANDBY)
    rig.turn(2)
    assert not watched.is_set()
    rig.paint(noise(1))
    rig.runtime.advance(1.0)
    rig.turn(2)
    assert rig.stylizer.state().style == "alpha"


def test_a_recording_goes_on_while_less_work_is_asked_for(rig: Rig, tmp_path: Path) -> None:
    rig.loop._recorder = Recorder(tmp_path / "film.png")
    rig.runtime.set_wishes(reduce_work=True)
    rig.paint(noise(1))
    rig.turn(3)
    rig.loop.last_turn()
    assert rig.loop._recorder.close()
    assert (tmp_path / "film.png").exists()


def test_behind_the_menu_and_in_a_window_we_are_seen(rig: Rig) -> None:
    rig.loop._watched = watched = threading.Event()
    rig.turn()
    rig.runtime.push_event(ovr.DASHBOARD_OPENED)
    rig.turn(3)
    assert watched.is_set()
    rig.runtime.set_focus(False)
    rig.turn()
    assert not watched.is_set()
    rig.loop.headset.close()
    rig.loop.headset = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    rig.turn()
    assert watched.is_set()


def test_when_steamvr_refuses_our_pictures_the_window_goes_on(rig: Rig) -> None:
    rig.paint(noise(9))
    rig.turn(2)
    rig.runtime.fail_next_submit(105)  # TextureUsesUnsupportedFormat
    rig.turn()
    assert isinstance(rig.loop.headset, DesktopHeadset)
    rig.turn()
    assert "Restart SteamVR. The window goes on" in rig.view.message(rig.clock())


def until(rig: Rig, wanted: Callable[[], bool]) -> None:
    """Turns, in real time, until it is so."""
    for _ in range(int(PATIENCE / 0.01)):
        rig.turn()
        if wanted():
            return
        time.sleep(0.01)
    raise AssertionError(rig.view.message(rig.clock()))


def test_a_headset_that_was_lost_is_found_again_at_the_press_of_a_key(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    rig.turn(2)
    rig.runtime.fail_next_submit(105)
    rig.turn(2)
    assert isinstance(rig.loop.headset, DesktopHeadset)
    assert "V looks for the headset again" in rig.view.message(rig.clock())
    assert rig.loop.headset.refresh_hz == 50.0, "as the window's is to be"
    assert rig.loop.headset.eye_size == rig.context.framebuffer_size
    rig.turn()
    assert [(eye.width, eye.height) for eye in rig.scene.eyes] == [rig.context.framebuffer_size] * 2

    rig.runtime.fail_init(scene=ovr.HMD_NOT_FOUND)
    events.append(KeyPressed("v"))
    until(rig, lambda: "HmdNotFound" in rig.view.message(rig.clock()))
    assert isinstance(rig.loop.headset, DesktopHeadset), "the window goes on"

    rig.runtime.fail_init(scene=0)
    events.append(KeyPressed("v"))
    until(rig, lambda: not isinstance(rig.loop.headset, DesktopHeadset))
    eyes = noise(12)
    rig.paint(eyes)
    rig.turn(2)
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    assert np.array_equal(rig.seen("right"), eyes[1][INSIDE])

    opened = rig.runtime.count.inits
    events.append(KeyPressed("v"))
    rig.turn(5)
    assert "connected already" in rig.view.message(rig.clock())
    assert rig.runtime.count.inits == opened


def test_the_first_picture_after_a_loss_has_the_shape_of_the_window(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.paint(noise(15))
    rig.turn(2)
    drawn: list[tuple[str, tuple[int, int]]] = []
    draw = rig.scene.draw_eyes

    def noted(headset: Headset, *arguments: Any) -> None:
        drawn.append((headset.name, (rig.scene.eyes[0].width, rig.scene.eyes[0].height)))
        draw(headset, *arguments)

    def gone() -> Any:
        raise HeadsetError("The headset has gone", "Start SteamVR again")

    monkeypatch.setattr(rig.scene, "draw_eyes", noted)
    monkeypatch.setattr(rig.headset, "begin_frame", gone)
    rig.turn()
    assert drawn == [("Desktop", rig.context.framebuffer_size)]


@pytest.mark.parametrize("size", [(160, 120), (120, 300), (301, 101)], ids=["as it began", "upright", "wide"])
@pytest.mark.parametrize("mirror", ["left", "both"])
def test_a_picture_of_the_windows_shape_fills_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], mirror: MirrorMode
) -> None:
    """Whatever shape the window has by now, and whatever of it an eye gets."""
    rig.runtime.fail_next_submit(105)
    rig.view.mirror = mirror
    shape = (size[0] // 2 if mirror == "both" else size[0], size[1])
    rig.paint(np.full((2, shape[1], shape[0], 3), 200, np.uint8))
    rig.turn(2)
    before = {eye.texture_id for eye in rig.scene.eyes}
    window = EyeTarget(*size)
    try:
        monkeypatch.setattr(WindowContext, "framebuffer_size", size)
        monkeypatch.setattr(WindowContext, "screen", window)
        rig.turn(2)
        assert isinstance(rig.loop.headset, DesktopHeadset)
        rig.scene.hud.enabled = False
        rig.scene.draw_mirror(mirror, rig.clock())
        lit = target.read_back(window)[..., :3].min(axis=2) > 100
    finally:
        window.release()
    filled = float(lit.mean())
    assert filled > 0.88, f"the edge is 2 % of the window each side; {filled:.0%} of it are the picture's"
    assert len(before) == 2 and len(rig.scene._other_eyes) == 1, "what SteamVR knows stays, a window's goes"


def test_a_window_of_changing_size_keeps_one_pair_of_textures(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.runtime.fail_next_submit(105)
    rig.turn(2)
    for width in (100, 110, 120, 0, 130):
        monkeypatch.setattr(WindowContext, "framebuffer_size", (width, min(width, 90)))
        rig.turn()
        if width:
            assert rig.scene.eyes[0].width == width
    assert len(rig.scene._other_eyes) == 1 and rig.loop.headset.eye_size == (130, 90)


def test_missed_vsyncs_of_a_lost_headset_count(rig: Rig) -> None:
    rig.headset._vsyncs = replace(rig.headset._vsyncs, missed=7)
    rig.runtime.fail_next_submit(105)
    rig.turn(2)
    assert isinstance(rig.loop.headset, DesktopHeadset)
    assert rig.loop.missed_vsyncs == 7 + rig.loop.headset.missed_vsyncs


def test_only_what_was_waiting_for_paint_is_late(rig: Rig) -> None:
    """No frame that is painted anew, long after it came, and none that lay there while nobody looked."""
    rig.paint(noise(16))
    rig.turn(2)
    assert rig.loop._latency is not None
    counted, shown = len(rig.meter._latency), rig.meter.shown
    rig.runtime.advance(60.0)
    rig.deck.next()
    for _ in range(int(PATIENCE / 0.01)):
        rig.turn()
        if rig.loop._shown is not None and rig.loop._shown.style == rig.deck.current.style:
            break
        time.sleep(0.01)
    rig.turn(2)
    assert rig.loop._latency is None and len(rig.meter._latency) == counted and rig.meter.shown == shown + 1

    rig.loop._watched = threading.Event()
    rig.loop._watched.set()
    rig.runtime.push_event(ovr.ENTER_STANDBY)
    rig.turn(3)
    assert not rig.loop._watched.is_set()
    rig.paint(noise(17))
    rig.runtime.advance(60.0)
    rig.runtime.push_event(ovr.LEAVE_STANDBY)
    rig.turn(4)
    assert rig.meter.shown == shown + 2 and rig.loop._latency is None
    rig.paint(noise(18))
    rig.turn(2)
    assert rig.loop._latency is not None and rig.loop._latency < 1.0


def test_a_headset_that_was_found_is_asked_for_poses_before_it_is_drawn_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.loop.headset.close()
    rig.loop.headset = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    calls: list[str] = []

    def note(name: str) -> None:
        of = getattr(OpenVRHeadset, name)

        def noted(headset: OpenVRHeadset, *arguments: Any) -> Any:
            calls.append(name)
            return of(headset, *arguments)

        monkeypatch.setattr(OpenVRHeadset, name, noted)

    note("begin_frame")
    note("submit")
    rig.paint(noise(14))
    rig.seeker.seek()
    until(rig, lambda: not isinstance(rig.loop.headset, DesktopHeadset))
    assert calls[:2] == ["begin_frame", "submit"]


def test_vsyncs_go_on_while_the_headset_is_looked_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    rig.loop.headset.close()
    rig.loop.headset = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    may_open, open_it = threading.Event(), rig.seeker._open

    def slowly() -> Headset:
        assert may_open.wait(PATIENCE)
        return open_it()

    rig.seeker._open = slowly
    events.append(KeyPressed("v"))
    rig.turn(30)
    assert "Looking for the headset" in rig.view.message(rig.clock())
    events.append(KeyPressed("v"))  # impatience starts no second one
    rig.turn(2)
    may_open.set()
    until(rig, lambda: not isinstance(rig.loop.headset, DesktopHeadset))
    assert rig.runtime.count.inits == 2


def test_impatience_when_it_is_just_found_starts_no_second_search(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that found would take the first one's session away."""
    events: list[Event] = []
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop()] if events else [])
    rig.loop.headset.close()
    rig.loop.headset = DesktopHeadset(rig.headset.eye_size, clock=rig.clock, sleep=rig.runtime.advance)
    rig.seeker.seek()
    assert rig.seeker._thread is not None
    rig.seeker._thread.join(PATIENCE)
    rig.seeker.seek()
    events.append(KeyPressed("v"))
    rig.turn(3)
    assert not isinstance(rig.loop.headset, DesktopHeadset)
    assert rig.runtime.count.inits == 2 and rig.runtime.count.shutdowns == 1


def test_a_trigger_that_was_held_when_the_headset_was_lost_is_let_go(rig: Rig) -> None:
    rig.runtime.connect_controllers("knuckles")
    rig.turn(3)
    rig.runtime.press("right", "trigger")
    rig.turn(2)
    assert rig.deck.compare
    rig.runtime.fail_next_submit(105)
    rig.turn(2)
    assert not rig.deck.compare


def test_no_size_is_no_other_size(rig: Rig) -> None:
    rig.runtime.set_eye_size(0, 0)
    for _ in range(4):
        rig.runtime.advance(1.1)
        rig.turn(2)
    assert rig.loop.headset.eye_size == (EYE_WIDTH, EYE_HEIGHT)


def test_a_headset_that_is_found_when_the_program_ends_is_given_back(rig: Rig) -> None:
    rig.loop.headset.close()
    rig.seeker.seek()
    assert rig.seeker.stop(PATIENCE)
    assert rig.runtime.count.inits == rig.runtime.count.shutdowns == 2
    assert rig.seeker.found() is None


def test_another_render_resolution_is_followed_by_eyes_and_painting(rig: Rig) -> None:
    """As the slider in SteamVR's settings changes it; a size that only passes by is not."""
    eyes = noise(13)
    rig.paint(eyes)
    rig.turn(2)
    height, width = 2 * EYE_HEIGHT, 2 * EYE_WIDTH
    for recommended in ((width + 8, height + 8), (width, height), (width, height)):
        rig.runtime.set_eye_size(*recommended)
        rig.runtime.advance(1.1)
        rig.turn(2)
        if recommended != (width, height):
            assert rig.loop.headset.eye_size == (EYE_WIDTH, EYE_HEIGHT)
    assert rig.loop.headset.eye_size == (width, height)
    large = noise(14, height, width)
    rig.until_painted_at(large)
    rig.turn(2)
    assert np.array_equal(rig.seen("left"), large[0][INSIDE])
    assert np.array_equal(rig.seen("right"), large[1][INSIDE])


def test_no_texture_is_submitted_at_two_sizes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drivers give the name of a deleted texture to the next one, and SteamVR remembers the size with the name."""
    free: list[int] = []
    generate = gl.glGenTextures
    monkeypatch.setattr(gl, "glGenTextures", lambda count: free.pop(0) if free else generate(count))
    monkeypatch.setattr(gl, "glDeleteTextures", free.extend)
    rig.paint(noise(13))
    sizes: dict[int, set[tuple[int, ...]]] = {}
    for size in ((EYE_WIDTH, EYE_HEIGHT), (160, 128), (120, 96), (EYE_WIDTH, EYE_HEIGHT)):
        rig.runtime.set_eye_size(*size)
        for _ in range(3):
            rig.runtime.advance(1.1)
            rig.turn(2)
        assert rig.loop.headset.eye_size == size
        for eye in ("left", "right"):
            submission = rig.runtime.last(eye)
            assert submission.picture is not None and submission.picture.shape[1::-1] == size
            sizes.setdefault(submission.texture, set()).add(size)
    assert len(sizes) == 6 and all(len(seen) == 1 for seen in sizes.values())


def test_the_lenses_distance_is_followed_without_an_event(rig: Rig) -> None:
    rig.turn(2)
    for eye, side in (("left", -1), ("right", 1)):
        rig.runtime.set_eye(eye, (-1.1, 1.1, -0.8, 0.8), translation(0.036 * side, 0, 0))
    rig.runtime.advance(1.1)
    rig.turn(2)
    assert rig.loop.headset.eye_to_head[:, 0, 3] == pytest.approx([-0.036, 0.036])
    assert rig.loop.headset.projections[0][0, 0] == pytest.approx(1 / 1.1)


def test_while_windows_holds_the_window_the_headset_gets_its_pictures(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polling does not return as long as somebody drags the window; only its timer runs."""
    context = rig.context
    assert isinstance(context, WindowContext)
    rig.paint(noise(1))
    rig.turn(2)
    missed, submits = rig.runtime.count.vsyncs_missed, rig.runtime.count.submits

    def held() -> None:
        monkeypatch.setattr(context._glfw, "poll_events", poll)
        for _ in range(40):
            rig.runtime.push_event(ovr.QUIT) if rig.runtime.count.submits == submits + 20 else None
            context._tick()

    poll = context._glfw.poll_events
    monkeypatch.setattr(context._glfw, "poll_events", held)
    monkeypatch.setattr("artem_vr.render.held_window.PATIENCE", 0.0)
    context.keep_turning(rig.loop.turn)
    try:
        rig.turn()
    finally:
        context.keep_turning(lambda: None)
    assert rig.runtime.count.vsyncs_missed == missed
    assert rig.runtime.count.submits >= submits + 20
    assert rig.runtime.count.quits_acknowledged == 1 and rig.view.leave
    assert isinstance(rig.loop.headset, DesktopHeadset), "given back at once, whoever holds the window"
    assert rig.runtime.count.shutdowns == 1
    assert max(rig.meter._render) < 0.1, "holding is no rendering"


def test_a_size_that_opengl_refuses_leaves_the_eyes_as_they_are(rig: Rig) -> None:
    eyes = noise(15)
    rig.paint(eyes)
    rig.runtime.set_eye_size(200_000, 200_000)
    for _ in range(3):
        rig.runtime.advance(1.1)
        rig.turn(2)
    assert np.array_equal(rig.seen("left"), eyes[0][INSIDE])
    assert "OpenGL cannot draw into a picture of 200000 x 200000" in rig.view.message(rig.clock())
    rig.paint(eyes)
    assert rig.stylizer.state().height == EYE_HEIGHT  # and that size is not painted at, either


def test_the_last_picture_says_how_things_are_then(rig: Rig) -> None:
    del rig.scene.hud.opacity  # back to the real one
    rig.view.hud = True
    rig.paint(noise(16))
    rig.turn(2)
    rig.view.note("The end", rig.clock())
    rig.deck.strength = 0.5
    rig.loop.last_turn()
    assert rig.loop.hud.message == "The end" and "50 %" in rig.loop.hud.style
    assert rig.scene.hud._asked == rig.loop.hud and rig.scene.hud._picture is None


def test_opengl_on_the_gpu_without_the_headset_is_named_with_its_remedy(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the program to which Windows must give the other GPU is the Python behind a virtual environment's."""
    monkeypatch.setattr(sys, "_base_executable", r"C:\Python\python.exe", raising=False)
    rig.turn(2)
    rig.runtime.fail_next_submit(104)  # TextureIsOnWrongDevice
    rig.turn()
    message = rig.view.message(rig.clock())
    assert f"OpenGL runs on {rig.context.renderer}." in message
    assert "(CompositorError_TextureIsOnWrongDevice)" in message
    assert r"Give C:\Python\python.exe the headset's GPU" in message and "Restart" not in message


def test_pictures_that_are_none_become_a_notice(rig: Rig) -> None:
    good = noise(10)
    rig.paint(good)
    rig.turn()
    rig.engine.paint = lambda style, pictures: np.zeros((2, 4, 4), np.float32)
    rig.paint(noise(11))
    rig.turn(2)
    assert rig.view.message(rig.clock()) != ""
    rig.engine.paint = lambda style, pictures: pictures.copy()
    rig.paint(good)
    rig.turn()
    assert rig.runtime.count.vsyncs_without_submit == 0


def test_a_name_that_is_not_utf_8_is_shown_and_ends_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.titles["beta"] = "caf\udce9"  # as Python reads a file's name in Latin-1
    shown: list[str] = []
    set_title = rig.context.set_title

    def show(title: str) -> None:
        set_title(title)
        shown.append(title)

    monkeypatch.setattr(rig.context, "set_title", show)
    rig.deck.next()
    rig.turn()
    assert "caf?" in shown[-1]


def test_the_window_is_obeyed_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[object] = [KeyPressed("right"), FilesDropped(()), KeyPressed("9"), CloseRequested()]
    monkeypatch.setattr(rig.context, "poll", lambda: [events.pop(0)] if events else [])
    rig.turn()
    assert rig.deck.current.style == "beta"
    rig.turn(2)
    assert "no painting 9" in rig.view.message(rig.clock())
    rig.turn()
    assert rig.view.leave


def test_a_minimised_window_neither_ends_nor_spoils_a_recording(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / "mirror.png")
    rig.loop._recorder = recorder
    rig.paint(flat((255, 0, 0), (255, 0, 0)))
    rig.turn(2)
    handed: list[tuple[int, ...]] = []
    put = recorder.put

    def watched(picture: np.ndarray, now: float) -> None:
        handed.append(picture.shape)
        put(picture, now)

    monkeypatch.setattr(recorder, "put", watched)
    monkeypatch.setattr(WindowContext, "framebuffer_size", (0, 0))
    rig.turn(10)
    rig.loop.last_turn()
    assert handed == [(120, 160, 3)], "what it held before"
    assert recorder.close(60) and recorder.failure == ""
    kept = np.asarray(Image.open(recorder.path))
    assert tuple(kept[kept.shape[0] // 2, kept.shape[1] // 2]) == (255, 0, 0)
