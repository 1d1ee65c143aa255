"""A headset's life: starting or not, standby, menus, other programs, devices, and the end."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import openvr
import pytest

from artem_vr.errors import HeadsetError
from artem_vr.vr import open_headset
from artem_vr.vr.commands import QUIT
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.headset import Focus
from artem_vr.vr.openvr_headset import DEFAULT_EYE_SIZE, MOST_FAILURES, OpenVRHeadset
from artem_vr.vr.poses import Matrix, yaw_pitch
from artem_vr.vr.put_on import SETTLING
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr

Breakage = Callable[[Runtime], None]


def no_registry(runtime: Runtime) -> None:
    runtime.registry.unlink()


def no_folder(runtime: Runtime) -> None:
    runtime.write_registry(runtime.folder / "gone")


def no_platform_folder(runtime: Runtime) -> None:
    empty = runtime.folder / "empty"
    empty.mkdir()
    runtime.write_registry(empty)


def no_client(runtime: Runtime) -> None:
    other_runtime(runtime)


def other_runtime(runtime: Runtime) -> Path:
    """Point to a runtime without a client library; where that would be.

    Another folder: the loader would find the library by its old name in the process even after its file has gone.
    """
    place = runtime.folder / "other" / "bin" / "linux64"
    place.mkdir(parents=True)
    runtime.write_registry(runtime.folder / "other")
    return place / "vrclient.so"


def no_hmd(runtime: Runtime) -> None:
    runtime.fail_init(scene=ovr.HMD_NOT_FOUND)


INIT_ERRORS: dict[str, Breakage] = {
    "InitError_Init_PathRegistryNotFound": no_registry,
    "InitError_Init_InstallationNotFound": no_folder,
    "InitError_Init_InstallationCorrupt": no_platform_folder,
    "InitError_Init_VRClientDLLNotFound": no_client,
    "InitError_Init_HmdNotFound": no_hmd,
}


def assert_one_good_line(text: str, name: str) -> None:
    assert "\n" not in text
    assert name in text
    assert text.endswith(".")
    assert len(text) < 200


@pytest.mark.parametrize("name", INIT_ERRORS)
def test_init_errors_are_one_line_each(runtime: Runtime, name: str) -> None:
    INIT_ERRORS[name](runtime)
    with pytest.raises(HeadsetError) as caught:
        open_headset("openvr")
    assert caught.value.name == name
    assert caught.value.remedy
    assert_one_good_line(str(caught.value), name)


@pytest.mark.parametrize("name", INIT_ERRORS)
def test_with_auto_the_desktop_goes_on_and_says_why(runtime: Runtime, name: str) -> None:
    INIT_ERRORS[name](runtime)
    headset, reason = open_headset("auto")
    assert isinstance(headset, DesktopHeadset)
    assert reason is not None
    assert_one_good_line(reason, name)
    assert reason.endswith("Going on without a headset.")
    assert headset.begin_frame().should_render


def test_the_five_lines_differ(runtime: Runtime) -> None:
    from artem_vr.vr.openvr_errors import explain_init

    lines = {str(explain_init(getattr(openvr.error_code, name)(0))) for name in INIT_ERRORS}
    assert len(lines) == len(INIT_ERRORS)


def test_auto_takes_a_steamvr_that_runs(runtime: Runtime) -> None:
    headset, reason = open_headset("auto")
    with headset:
        assert isinstance(headset, OpenVRHeadset)
        assert reason is None
        assert headset.name == "Art'Em Test headset"


def test_auto_does_not_start_a_steamvr_that_does_not_run(openvr_library: Path, tmp_path: Path) -> None:
    with Runtime(openvr_library, tmp_path, running=False) as runtime:
        headset, reason = open_headset("auto")
        assert isinstance(headset, DesktopHeadset)
        assert reason is not None and "not running" in reason
        assert runtime.count.inits == 0


def test_openvr_starts_a_steamvr_that_does_not_run(openvr_library: Path, tmp_path: Path) -> None:
    with Runtime(openvr_library, tmp_path, running=False):
        headset, _ = open_headset("openvr")
        headset.close()


def test_none_is_the_desktop_and_asks_nobody(runtime: Runtime) -> None:
    headset, reason = open_headset("none", desktop_eye_size=(320, 240), desktop_hz=30.0)
    assert isinstance(headset, DesktopHeadset)
    assert (headset.eye_size, headset.refresh_hz, reason) == ((320, 240), 30.0, None)
    assert runtime.count.inits == 0


@pytest.mark.parametrize("number", [1, 100, 121, 136, 301, 457, 999_999])
def test_any_other_init_error_is_a_line_too(runtime: Runtime, number: int) -> None:
    runtime.fail_init(scene=number)
    with pytest.raises(HeadsetError) as caught:
        OpenVRHeadset()
    assert_one_good_line(str(caught.value), "rror")


@pytest.mark.parametrize("interface", ["IVRSystem", "IVRCompositor"])
@pytest.mark.parametrize("trouble", ["lack", "break_interface"])
def test_a_steamvr_too_old_or_odd_is_a_line_too(runtime: Runtime, interface: str, trouble: str) -> None:
    getattr(runtime, trouble)(interface)
    with pytest.raises(HeadsetError) as caught:
        OpenVRHeadset()
    assert_one_good_line(str(caught.value), "InterfaceNotFound")
    runtime.lack("none at all")
    with OpenVRHeadset() as headset:
        assert headset.begin_frame().should_render, "the failed attempt left something behind"


def test_a_library_that_does_not_load(runtime: Runtime) -> None:
    other_runtime(runtime).write_bytes(b"not a library")
    with pytest.raises(HeadsetError) as caught:
        OpenVRHeadset()
    assert_one_good_line(str(caught.value), "rror")


def test_init_shutdown_init(runtime: Runtime) -> None:
    for turn in range(1, 4):
        with OpenVRHeadset() as headset:
            poses = headset.begin_frame()
            assert headset.submit(1, 2, poses.head_to_world)
        headset.close()
        assert runtime.count.inits == turn
        assert runtime.count.shutdowns == turn


def test_unknown_properties_have_defaults(runtime: Runtime) -> None:
    for which in (ovr.MAKER, ovr.MODEL, ovr.REFRESH_HZ):
        runtime.fail_property(0, which)
    runtime.set_eye_size(0, 0)
    with OpenVRHeadset() as headset:
        assert headset.name == "Headset"
        assert headset.refresh_hz == 90.0
        assert headset.eye_size == DEFAULT_EYE_SIZE


@pytest.mark.parametrize("error", range(1, 16))
def test_a_property_may_fail_in_any_way(runtime: Runtime, error: int) -> None:
    runtime.fail_property(0, ovr.MODEL, error)
    runtime.fail_property(0, ovr.REFRESH_HZ, error)
    with OpenVRHeadset() as headset:
        assert headset.name == "Art'Em"
        assert headset.refresh_hz == 90.0


@pytest.mark.parametrize("hz", [float("nan"), 0.0, -90.0, 1e9])
def test_a_refresh_rate_without_sense_is_not_believed(runtime: Runtime, hz: float) -> None:
    runtime.set_property(0, ovr.REFRESH_HZ, hz)
    with OpenVRHeadset() as headset:
        assert headset.refresh_hz == 90.0


def test_a_name_in_no_encoding(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ovr, "_property_bytes", lambda value: b"\xff\xfe\x80")
    runtime.set_property(0, ovr.MODEL, "")
    with OpenVRHeadset() as headset:
        assert headset.name == "Art'Em"


def frame(headset: OpenVRHeadset) -> Focus:
    """One frame as the render loop makes it; its focus."""
    poses = headset.begin_frame()
    if poses.should_render:
        headset.submit(1, 2, poses.head_to_world)
    headset.end_frame()
    headset.poll_commands()
    return poses.focus


def test_a_pause_asked_for_before_the_first_picture_is_no_pause(headset: OpenVRHeadset, runtime: Runtime) -> None:
    poses = headset.begin_frame()
    assert poses.should_render
    assert poses.focus is Focus.FOCUSED


def test_a_pause_later_means_another_thing_is_looked_at(headset: OpenVRHeadset, runtime: Runtime) -> None:
    assert frame(headset) is Focus.FOCUSED
    runtime.set_wishes(pause=True)
    assert frame(headset) is Focus.VISIBLE
    assert headset.begin_frame().should_render, "the picture behind the menu must not freeze"
    runtime.set_wishes()
    assert frame(headset) is Focus.FOCUSED


def test_less_work(headset: OpenVRHeadset, runtime: Runtime) -> None:
    assert not headset.begin_frame().reduce_work
    runtime.set_wishes(reduce_work=True)
    assert headset.begin_frame().reduce_work


def test_standby_and_back(headset: OpenVRHeadset, runtime: Runtime) -> None:
    frame(headset)
    runtime.push_event(ovr.ENTER_STANDBY)
    frame(headset)
    before = runtime.count.submits
    assert frame(headset) is Focus.STANDBY
    assert runtime.count.submits == before
    runtime.push_event(ovr.LEAVE_STANDBY)
    frame(headset)
    assert frame(headset) is Focus.FOCUSED
    assert runtime.count.submits == before + 2


@pytest.mark.parametrize("told_by", ["an event", "its activity"])
def test_a_headset_that_sleeps_already_when_the_program_starts(runtime: Runtime, told_by: str) -> None:
    runtime.set_activity(ovr.ASLEEP)
    with OpenVRHeadset(clock=lambda: runtime.now) as headset:
        for _ in range(90):
            assert frame(headset) is Focus.STANDBY
        assert runtime.count.submits == 0
        if told_by == "an event":
            runtime.push_event(ovr.LEAVE_STANDBY)
        else:
            runtime.set_activity(ovr.USED)
        for _ in range(45):
            frame(headset)
        assert frame(headset) is Focus.FOCUSED
        assert runtime.count.submits > 0


@pytest.mark.parametrize("told_by", ["an event", "its activity"])
def test_asleep_and_out_of_sight_at_the_start_the_screen_is_where_it_is_worn(runtime: Runtime, told_by: str) -> None:
    runtime.set_activity(ovr.ASLEEP)
    runtime.set_tracked(False)
    with OpenVRHeadset(clock=lambda: runtime.now) as headset:
        seconds_pass(headset, runtime, 1.0, ON_THE_DESK)
        runtime.set_activity(ovr.USED)
        if told_by == "an event":
            runtime.push_event(ovr.LEAVE_STANDBY)
        seconds_pass(headset, runtime, 0.5, IN_THE_HANDS)
        runtime.set_tracked(True)
        seconds_pass(headset, runtime, 1.0, IN_THE_HANDS)
        seconds_pass(headset, runtime, SETTLING + 1.0, WORN)
        np.testing.assert_allclose(headset.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)


@pytest.mark.parametrize("level", [ovr.UNKNOWN_ACTIVITY, ovr.IDLE, 77])
def test_where_it_is_not_known_to_sleep_a_headset_gets_its_pictures(runtime: Runtime, level: int) -> None:
    runtime.set_activity(level)
    with OpenVRHeadset(clock=lambda: runtime.now) as headset:
        assert frame(headset) is Focus.FOCUSED
        assert runtime.count.submits == 2


def test_what_its_activity_is_not_known_to_be_wakes_no_headset(runtime: Runtime) -> None:
    runtime.set_activity(ovr.ASLEEP)
    with OpenVRHeadset(clock=lambda: runtime.now) as headset:
        runtime.set_activity(ovr.UNKNOWN_ACTIVITY)
        for _ in range(45):
            assert frame(headset) is Focus.STANDBY


ON_THE_DESK = yaw_pitch(2.0, -0.4, (1.0, 0.7, -2.0))
IN_THE_HANDS = yaw_pitch(-1.0, 0.8, (0.5, 1.1, -0.5))
WORN = yaw_pitch(0.3, 0.1, (0.0, 1.7, 0.0))
CHOSEN = yaw_pitch(-0.5, 0.1, (0.0, 1.7, 0.0))


@pytest.fixture
def timed(runtime: Runtime) -> Iterator[OpenVRHeadset]:
    """A headset on the virtual clock."""
    with OpenVRHeadset(clock=lambda: runtime.now) as one:
        yield one


def take_off(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.set_pose(ON_THE_DESK)
    runtime.push_event(ovr.ENTER_STANDBY)
    for _ in range(2):
        frame(headset)


def put_on(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.push_event(ovr.LEAVE_STANDBY)
    for pose in (IN_THE_HANDS, IN_THE_HANDS, WORN):
        runtime.set_pose(pose)
        frame(headset)
    runtime.advance(SETTLING)
    frame(headset)


def test_the_screen_is_where_the_headset_is_worn_and_not_where_it_lay(timed: OpenVRHeadset, runtime: Runtime) -> None:
    for _ in range(2):
        take_off(timed, runtime)
        put_on(timed, runtime)
        np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)
        runtime.set_pose(yaw_pitch(0.7, 0.1, (0.0, 1.7, 0.0)))  # and there it stays
        np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0.4, 0.1), atol=1e-5)


def test_a_headset_that_is_found_late_is_recentred_then(timed: OpenVRHeadset, runtime: Runtime) -> None:
    take_off(timed, runtime)
    runtime.set_tracked(False)
    put_on(timed, runtime)
    runtime.set_tracked(True)
    np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)


@pytest.mark.parametrize("how", ["with our button", "in the menu", "while it is being put on"])
def test_what_the_wearer_chose_outlasts_standby(timed: OpenVRHeadset, runtime: Runtime, how: str) -> None:
    runtime.set_pose(CHOSEN)
    frame(timed)
    if how == "while it is being put on":
        take_off(timed, runtime)
        runtime.push_event(ovr.LEAVE_STANDBY)
        runtime.set_pose(CHOSEN)
        frame(timed)
    if how == "in the menu":
        runtime.push_event(ovr.ZERO_POSE_RESET)
    else:
        timed.recenter()
    for _ in range(2):
        frame(timed)
    take_off(timed, runtime)
    put_on(timed, runtime)
    np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0.8, 0.1), atol=1e-5)


@pytest.mark.parametrize("how", ["another tracking space", "our button"])
def test_what_came_while_the_headset_lay_is_no_choice_of_the_wearer(
    timed: OpenVRHeadset, runtime: Runtime, how: str
) -> None:
    runtime.set_pose(CHOSEN)
    frame(timed)
    if how == "another tracking space":
        timed.recenter()  # what was chosen before is void then
    frame(timed)
    take_off(timed, runtime)
    if how == "our button":
        timed.recenter()  # at the keyboard
    else:
        runtime.push_event(openvr.VREvent_ChaperoneUniverseHasChanged)
    for _ in range(2):
        frame(timed)
    put_on(timed, runtime)
    np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)


def seconds_pass(headset: OpenVRHeadset, runtime: Runtime, seconds: float, pose: Matrix) -> None:
    """Frames in which the head is at ``pose``."""
    until = runtime.now + seconds
    while runtime.now < until:
        runtime.set_pose(pose)
        frame(headset)


@pytest.fixture
def laid_down(runtime: Runtime) -> Iterator[OpenVRHeadset]:
    """A headset that is awake, on the desk, when the program starts."""
    runtime.set_activity(ovr.IDLE)
    runtime.set_pose(ON_THE_DESK)
    with OpenVRHeadset(clock=lambda: runtime.now) as one:
        seconds_pass(one, runtime, 1.0, ON_THE_DESK)
        yield one


@pytest.mark.parametrize("felt", ["when it is worn", "when it is picked up", "when it is nudged, and picked up"])
def test_put_on_before_it_ever_slept_the_screen_is_before_the_wearer(
    laid_down: OpenVRHeadset, runtime: Runtime, felt: str
) -> None:
    """By a sensor between the lenses, or by movement alone."""
    if "nudged" in felt:
        runtime.set_activity(ovr.USED)
        seconds_pass(laid_down, runtime, 6.0, ON_THE_DESK)
        runtime.set_activity(ovr.USED_JUST_NOW)
        seconds_pass(laid_down, runtime, 0.5, ON_THE_DESK)
    if "picked up" in felt:
        runtime.set_activity(ovr.USED)
        seconds_pass(laid_down, runtime, 0.5, ON_THE_DESK)
    seconds_pass(laid_down, runtime, 1.0, IN_THE_HANDS)
    runtime.set_activity(ovr.USED)
    seconds_pass(laid_down, runtime, SETTLING + 1.0, WORN)
    np.testing.assert_allclose(laid_down.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)
    seconds_pass(laid_down, runtime, 1.0, CHOSEN)  # and there it stays
    np.testing.assert_allclose(laid_down.begin_frame().head_to_world, yaw_pitch(-0.8, 0.1), atol=1e-5)


LYING = yaw_pitch(0.3, 1.2, (0.0, 0.6, 0.0))
TURNED = yaw_pitch(0.8, 1.0, (0.1, 0.65, 0.1))
SITTING_UP = yaw_pitch(0.8, 0.0, (0.0, 1.1, 0.4))


def test_who_lies_still_until_it_sleeps_keeps_his_screen(timed: OpenVRHeadset, runtime: Runtime) -> None:
    seconds_pass(timed, runtime, 0.5, LYING)
    for level, event, pose, seconds in (
        (ovr.ASLEEP, ovr.ENTER_STANDBY, LYING, 5.0),
        (ovr.USED, ovr.LEAVE_STANDBY, TURNED, 5.0),
        (ovr.USED_JUST_NOW, None, TURNED, 1.0),
        (ovr.USED, None, SITTING_UP, 5.0),
    ):
        runtime.set_activity(level)
        if event is not None:
            runtime.push_event(event)
        seconds_pass(timed, runtime, seconds, pose)
    assert timed.begin_frame().head_to_world[2, 3] != pytest.approx(0, abs=0.1)
    seconds_pass(timed, runtime, 0.1, LYING)
    np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0, 1.2), atol=1e-5)


@pytest.mark.parametrize("level", [ovr.UNKNOWN_ACTIVITY, 77])
def test_a_runtime_that_does_not_know_whether_it_is_used_tells_by_standby(
    timed: OpenVRHeadset, runtime: Runtime, level: int
) -> None:
    runtime.set_activity(level)
    take_off(timed, runtime)
    put_on(timed, runtime)
    np.testing.assert_allclose(timed.begin_frame().head_to_world, yaw_pitch(0, 0.1), atol=1e-5)


def test_a_controller_in_standby_is_not_the_headset(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.push_event(ovr.ENTER_STANDBY, device=1)
    frame(headset)
    assert frame(headset) is Focus.FOCUSED


def test_the_menu_open_and_closed(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.push_event(ovr.DASHBOARD_OPENED)
    frame(headset)
    assert frame(headset) is Focus.VISIBLE
    runtime.push_event(ovr.DASHBOARD_CLOSED)
    frame(headset)
    assert frame(headset) is Focus.FOCUSED


def test_another_program_has_the_headset_for_a_while(headset: OpenVRHeadset, runtime: Runtime) -> None:
    frame(headset)
    runtime.set_focus(False)
    before = runtime.now
    poses = headset.begin_frame()
    assert (poses.focus, poses.should_render) == (Focus.HIDDEN, False)
    assert not headset.submit(1, 2, poses.head_to_world), "not an error"
    headset.end_frame()
    headset.begin_frame()
    assert runtime.now - before > 0.1, "the runtime lets us wait"
    runtime.set_focus(True)
    assert frame(headset) is Focus.FOCUSED
    assert headset.missed_vsyncs == 0, "these were not ours to miss"


def test_focus_lost_between_poses_and_submit(headset: OpenVRHeadset, runtime: Runtime) -> None:
    poses = headset.begin_frame()
    runtime.set_focus(False)
    assert not headset.submit(1, 2, poses.head_to_world)
    runtime.set_focus(True)
    assert frame(headset) is Focus.FOCUSED


def test_a_runtime_that_fails_for_good_ends_in_one_line(headset: OpenVRHeadset, runtime: Runtime) -> None:
    def failing(*_: object) -> None:
        raise openvr.error_code.CompositorError_RequestFailed(1)

    headset._compositor.waitGetPoses = failing
    for _ in range(MOST_FAILURES - 1):
        assert headset.begin_frame().focus is Focus.HIDDEN
    with pytest.raises(HeadsetError) as caught:
        headset.begin_frame()
    assert_one_good_line(str(caught.value), "CompositorError_RequestFailed")


def test_devices_come_and_go(headset: OpenVRHeadset, runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert headset.controllers == []
    runtime.set_device(5, ovr.CONTROLLER, True)
    runtime.set_property(5, ovr.MODEL, "Wand")
    runtime.push_event(ovr.DEVICE_CAME, 5)
    frame(headset)
    assert headset.controllers == ["Wand"]
    runtime.set_device(5, ovr.CONTROLLER, False)
    runtime.fail_property(5, ovr.MODEL, ovr.INVALID_DEVICE)
    runtime.push_event(ovr.DEVICE_WENT, 5)
    frame(headset)
    assert headset.controllers == []
    assert "connected: device 5 (Wand)" in caplog.text
    assert "disconnected: device 5 (unknown)" in caplog.text


def test_a_flood_of_events_delays_no_frame_and_loses_nothing(headset: OpenVRHeadset, runtime: Runtime) -> None:
    for _ in range(200):
        runtime.push_event(ovr.IPD_CHANGED)
    runtime.push_event(ovr.QUIT)
    polls = [headset.poll_commands() for _ in range(4)]
    assert polls == [[], [], [], [QUIT]]


def test_events_nobody_knows_are_ignored(headset: OpenVRHeadset, runtime: Runtime) -> None:
    for kind in (0, 1, 301, 9999, 2**31):
        runtime.push_event(kind, device=2**32 - 1)
    assert frame(headset) is Focus.FOCUSED


def test_after_a_quit_nothing_more_is_drawn(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.push_event(ovr.QUIT)
    runtime.push_event(ovr.QUIT)
    assert headset.poll_commands() == [QUIT]
    assert not headset.begin_frame().should_render
    headset.close()
    assert (runtime.count.quits_acknowledged, runtime.count.shutdowns) == (1, 1)


def test_the_package_without_its_library(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import sys

    real = builtins.__import__

    def without_openvr(name: str, *arguments: object, **options: object) -> object:
        if name == "openvr":
            raise OSError("no library for this machine")
        return real(name, *arguments, **options)  # type: ignore[arg-type]

    for name in [name for name in sys.modules if name.startswith("artem_vr.vr.openvr_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_openvr)
    monkeypatch.delattr("artem_vr.vr.openvr_headset", raising=False)
    headset, reason = open_headset("auto")
    assert isinstance(headset, DesktopHeadset)
    assert reason is not None and "no library for this machine" in reason


def test_the_compiler_is_there() -> None:
    assert shutil.which("cc"), "the OpenVR tests need a C compiler"
