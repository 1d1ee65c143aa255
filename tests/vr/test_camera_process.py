"""The headset's cameras are read in a process of their own, and what happens there ends nothing here."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artem_vr.errors import HeadsetError
from artem_vr.sources.headset_camera import HeadsetCameraSource
from artem_vr.sources.source import Shot
from artem_vr.vr import camera_process
from artem_vr.vr.camera_process import CameraProcess, read_answer, write_answer
from artem_vr.vr.headset import CameraFrame
from artem_vr.vr.openvr_headset import OpenVRHeadset
from artem_vr.vr.poses import yaw_pitch
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr
from tests.vr.test_camera import camera_picture

PATIENCE = 60.0


@given(st.integers(1, 2), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**32 - 1), st.booleans())
def test_a_picture_arrives_as_it_was_taken(eyes: int, height: int, width: int, sequence: int, posed: bool) -> None:
    pictures = np.random.default_rng(sequence).integers(0, 256, (eyes, height, width, 4), np.uint8)
    poses = np.stack([yaw_pitch(0.3 * eye, 0.2, (1, 2, 3)) for eye in range(eyes)]) if posed else None
    stream = io.BytesIO()
    write_answer(stream, CameraFrame(pictures, sequence, poses, 1.25))
    write_answer(stream, None)
    write_answer(stream, HeadsetError("Kein Bild: Öl", "Wipe it"))
    stream.seek(0)
    got = read_answer(stream)
    assert isinstance(got, CameraFrame)
    np.testing.assert_array_equal(got.pictures, pictures)
    assert (got.sequence, got.span) == (sequence, 1.25)
    np.testing.assert_array_equal(np.asarray(got.camera_poses), np.asarray(poses))
    assert read_answer(stream) is None
    error = read_answer(stream)
    assert isinstance(error, HeadsetError) and str(error) == "Kein Bild: Öl. Wipe it."
    with pytest.raises(EOFError):
        read_answer(stream)


def test_half_an_answer_is_none() -> None:
    stream = io.BytesIO()
    write_answer(stream, CameraFrame(camera_picture()[None], 1, None))
    with pytest.raises(EOFError):
        read_answer(io.BytesIO(stream.getvalue()[:-1]))


@pytest.fixture
def camera(runtime: Runtime, headset: OpenVRHeadset) -> CameraProcess:
    runtime.set_camera()
    runtime.set_camera_frame(camera_picture(), 1)
    camera = headset.camera()
    assert isinstance(camera, CameraProcess) and headset.camera() is camera
    return camera


def until(what: Callable[[], Any]) -> Any:
    """What it gives as soon as it gives anything."""
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end:
        if got := what():
            return got
        time.sleep(0.002)
    raise AssertionError("it never came")


def trouble(camera: CameraProcess) -> str:
    """The next error; pictures are passed over."""

    def read() -> str:
        try:
            camera.read()
        except HeadsetError as error:
            return str(error)
        return ""

    said = until(read)
    assert "\n" not in said
    return str(said)


def test_pictures_come_from_another_process_with_their_poses_in_tracking_space(
    runtime: Runtime, headset: OpenVRHeadset, camera: CameraProcess
) -> None:
    runtime.set_pose(yaw_pitch(1.0, 0.0, (2.0, 1.5, 0.0)))
    headset.begin_frame()
    assert camera.pause == "The headset's camera is being opened"
    first = until(camera.read)
    np.testing.assert_array_equal(first.pictures, camera_picture()[None])
    assert first.sequence == 1 and first.camera_poses is None
    assert camera.pause == ""
    assert runtime.camera_process not in (0, os.getpid())
    runtime.set_camera_focal(6.0)
    runtime.set_camera_frame(camera_picture(1, 16, 24), 4, head=yaw_pitch(1.0, 0.25, (2.0, 1.5, 0.0)))
    second = until(camera.read)
    np.testing.assert_array_equal(second.pictures, camera_picture(1, 16, 24)[None])
    assert second.sequence == 4 and second.span == pytest.approx(4.0)
    there = headset.begin_frame().tracking_to_world @ second.camera_poses
    np.testing.assert_allclose(there, yaw_pitch(0, 0.25)[None], atol=1e-5)


def test_reading_never_waits(camera: CameraProcess) -> None:
    """The first thousand times not even for another Python to start."""
    calls = 0
    while camera.read() is None:
        calls += 1
        time.sleep(0.0005)
    assert calls > 50


def test_nothing_is_sent_that_nobody_asked_for(runtime: Runtime, camera: CameraProcess) -> None:
    until(camera.read)
    for sequence in range(2, 20):
        runtime.set_camera_frame(camera_picture(sequence), sequence)
        time.sleep(0.01)
    assert runtime.count.frame_reads == 1
    assert until(camera.read).sequence == 19, "the newest one"


def test_a_crash_costs_a_picture(runtime: Runtime, camera: CameraProcess) -> None:
    """SteamVR's library has crashed there."""
    until(camera.read)
    before = runtime.camera_process
    runtime.trouble_camera(crashes=True)
    runtime.set_camera_frame(camera_picture(2), 2)
    assert trouble(camera) == "The headset's camera has broken off. Switch it off and on in SteamVR's settings."
    assert until(camera.read).sequence == 2
    assert runtime.camera_process != before


def test_one_that_does_not_answer_is_begun_anew(
    runtime: Runtime, camera: CameraProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(camera.read)
    monkeypatch.setattr(camera_process, "PATIENCE_SECONDS", 0.5)
    runtime.trouble_camera(hangs=True)
    runtime.set_camera_frame(camera_picture(2), 2)
    assert "has broken off" in trouble(camera)
    runtime.trouble_camera()
    monkeypatch.setattr(camera_process, "PATIENCE_SECONDS", PATIENCE)
    assert until(camera.read).sequence == 2


def test_a_stream_that_breaks_off_is_said_and_opened_anew(runtime: Runtime, camera: CameraProcess) -> None:
    until(camera.read)
    process = runtime.camera_process
    runtime.end_camera_stream()
    assert "TrackedCameraError_InvalidHandle" in trouble(camera)
    assert until(camera.read).sequence == 1
    assert runtime.camera_process == process


def test_it_ends_with_the_headset(runtime: Runtime, headset: OpenVRHeadset, camera: CameraProcess) -> None:
    until(camera.read)
    process = runtime.camera_process
    headset.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(HeadsetError, match="has gone"):
        camera.read()


def test_the_headset_closes_while_another_thread_reads(headset: OpenVRHeadset, camera: CameraProcess) -> None:
    reading, said = threading.Event(), []

    def read() -> None:
        try:
            while True:
                camera.read()
                reading.set()
        except HeadsetError as error:
            said.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert reading.wait(PATIENCE)
    headset.close()
    reader.join(PATIENCE)
    assert len(said) == 1 and "has gone" in said[0]


def test_it_says_that_the_headset_sleeps(runtime: Runtime, headset: OpenVRHeadset, camera: CameraProcess) -> None:
    until(camera.read)
    told = []
    for event in (ovr.ENTER_STANDBY, ovr.LEAVE_STANDBY):
        runtime.push_event(event)
        headset.begin_frame()
        headset.poll_commands()
        told.append(camera.pause)
    assert told == ["The headset sleeps, and its camera with it", ""]


def test_a_python_that_takes_long_to_start_is_no_silent_camera(camera: CameraProcess) -> None:
    source = HeadsetCameraSource(camera, silence=0.25)
    assert isinstance(until(lambda: shot if isinstance(shot := source.read(), Shot) else None), Shot)


@pytest.fixture
def played() -> Iterator[Callable[[str], CameraProcess]]:
    """Instead of SteamVR's, a process that does what the code says."""
    begun = []

    def play(code: str) -> CameraProcess:
        begun.append(CameraProcess(lambda: False, (sys.executable, "-c", code)))
        return begun[-1]

    yield play
    for camera in begun:
        camera.close()


@pytest.mark.parametrize("code", ["", "raise SystemExit(3)", "print('no answer at all' * 20)"])
def test_a_process_that_is_none_of_ours(played: Callable[[str], CameraProcess], code: str) -> None:
    camera = played(code)
    assert "has broken off" in trouble(camera)
    assert "has broken off" in trouble(camera), "and again, when it was begun anew"


def test_without_steamvr_it_says_why(played: Callable[[str], CameraProcess], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VR_PATHREG_OVERRIDE", "/nowhere")
    camera = played("import artem_vr.vr.openvr_camera as camera; camera.main()")
    assert "SteamVR" in trouble(camera)


def test_where_no_process_can_be_started_the_headset_goes_on_and_says_so(
    runtime: Runtime, headset: OpenVRHeadset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    runtime.set_camera()
    monkeypatch.setattr("subprocess.Popen", refuse)
    assert headset.camera() is None
    (told,) = headset.poll_commands()
    assert told.text == "The headset's camera cannot be opened (Cannot allocate memory). Restart this program"
