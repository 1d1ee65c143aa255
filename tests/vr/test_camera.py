"""The headset's own cameras: layouts, header first, poses of exposure, coming and going."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from artem_vr.errors import HeadsetError
from artem_vr.vr.openvr_camera import CameraLayout, OpenVRCamera, layout_of
from artem_vr.vr.openvr_headset import OpenVRHeadset
from artem_vr.vr.poses import product, translation, yaw_pitch
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr

LEFT, RIGHT = translation(-0.05, 0, 0), translation(0.05, 0, 0)


def camera_picture(seed: int = 0, height: int = 8, width: int = 12) -> npt.NDArray[np.uint8]:
    """(height, width, 4), every pixel its own."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


def opened(headset: OpenVRHeadset) -> OpenVRCamera:
    """In the session of ``headset``; the program opens it in a process of its own (test_camera_process.py)."""
    return OpenVRCamera(headset._properties)


@pytest.fixture
def with_camera(runtime: Runtime) -> Runtime:
    runtime.set_camera()
    runtime.set_camera_frame(camera_picture(), 1)
    return runtime


def test_a_headset_without_cameras(headset: OpenVRHeadset) -> None:
    assert headset.camera() is None
    with pytest.raises(HeadsetError, match="This headset has no camera"):
        opened(headset)


@pytest.mark.parametrize("trouble", ["lack", "break_interface"])
def test_a_runtime_without_the_camera_interface_goes_on(runtime: Runtime, trouble: str) -> None:
    getattr(runtime, trouble)("IVRTrackedCamera")
    with OpenVRHeadset() as headset:
        assert headset.camera() is None
        assert headset.submit(1, 2, headset.begin_frame().head_to_world), "asking for it ended the session"


def test_a_single_camera(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    camera = opened(headset)
    assert (camera.eyes, camera.size) == (1, (12, 8))
    frame = camera.read()
    assert frame is not None
    assert frame.sequence == 1
    np.testing.assert_array_equal(frame.pictures, camera_picture()[None])
    assert frame.pictures.flags.c_contiguous


def test_the_same_picture_is_not_read_twice(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    camera = opened(headset)
    assert camera.read() is not None
    assert [camera.read() for _ in range(5)] == [None] * 5
    assert with_camera.count.frame_reads == 1, "the header alone says that nothing is new"
    with_camera.set_camera_frame(camera_picture(1), 4)
    frame = camera.read()
    assert frame is not None and frame.sequence == 4


def test_a_camera_that_warms_up(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    with_camera.set_camera(empty_reads=3)
    camera = opened(headset)
    assert [camera.read() for _ in range(3)] == [None] * 3
    assert camera.read() is not None


def halves(flags: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """First and second camera's part of `camera_picture`."""
    picture = camera_picture()
    return (picture[:4], picture[4:]) if flags & ovr.VERTICAL else (picture[:, :6], picture[:, 6:])


@pytest.mark.parametrize("flags", [ovr.STEREO | ovr.VERTICAL, ovr.STEREO | ovr.HORIZONTAL])
@pytest.mark.parametrize("places", [(LEFT, RIGHT), (RIGHT, LEFT), None])
def test_two_cameras_are_told_apart_by_their_places(
    with_camera: Runtime,
    headset: OpenVRHeadset,
    flags: int,
    places: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None,
) -> None:
    with_camera.set_property(0, ovr.CAMERA_LAYOUT, flags)
    if places is not None:
        with_camera.set_property(0, ovr.CAMERAS_TO_HEAD, np.stack(places))
    first, second = halves(flags)
    right_first = bool(flags & ovr.VERTICAL) if places is None else places[0] is RIGHT
    expected = (second, first) if right_first else (first, second)
    camera = opened(headset)
    frame = camera.read()
    assert frame is not None
    assert camera.eyes == 2
    np.testing.assert_array_equal(frame.pictures[..., :3], np.stack(expected)[..., :3])
    assert camera.size == (expected[0].shape[1], expected[0].shape[0])


def test_cameras_at_one_place_say_nothing() -> None:
    assert layout_of(ovr.STEREO | ovr.VERTICAL, [LEFT, LEFT]) == CameraLayout(2, vertical=True, right_first=True)
    assert layout_of(ovr.STEREO | ovr.HORIZONTAL, [LEFT]) == CameraLayout(2)
    assert layout_of(ovr.MONO, [LEFT, RIGHT]) == CameraLayout(1)
    assert layout_of(0, []) == CameraLayout(1)


def test_an_odd_line_belongs_to_nobody() -> None:
    picture = camera_picture(height=9, width=7)
    assert CameraLayout(2, vertical=True).split(picture).shape == (2, 4, 7, 4)
    assert CameraLayout(2).split(picture).shape == (2, 9, 3, 4)


def test_the_pose_of_exposure(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    there = yaw_pitch(1.0, 0.25, (2.0, 1.5, 0.0))
    with_camera.set_camera_frame(camera_picture(), 2, head=there)
    frame = opened(headset).read()
    assert frame is not None and frame.camera_poses is not None
    np.testing.assert_allclose(frame.camera_poses, there[None], atol=1e-6)


@pytest.mark.parametrize("flags", [ovr.STEREO | ovr.VERTICAL, ovr.STEREO | ovr.HORIZONTAL])
@pytest.mark.parametrize("known", [True, False])
def test_the_second_camera_looks_from_its_own_place(
    with_camera: Runtime, headset: OpenVRHeadset, flags: int, known: bool
) -> None:
    """Frames come with the pose of the first camera."""
    places = [yaw_pitch(0.1, -0.05, (-0.06, 0.0, -0.1)), yaw_pitch(-0.1, -0.05, (0.06, 0.0, -0.1))]
    if flags & ovr.VERTICAL:
        places.reverse()
    with_camera.set_property(0, ovr.CAMERA_LAYOUT, flags)
    if known:
        with_camera.set_property(0, ovr.CAMERAS_TO_HEAD, np.stack(places))
    head = yaw_pitch(1.0, 0.25, (2.0, 1.5, 0.0))
    first, second = (product(head, place) for place in places)
    with_camera.set_camera_frame(camera_picture(), 2, head=first)
    frame = opened(headset).read()
    assert frame is not None and frame.camera_poses is not None
    expected = [first, second if known else first]
    if flags & ovr.VERTICAL:
        expected.reverse()  # the left eye comes first
    np.testing.assert_allclose(frame.camera_poses, np.stack(expected), atol=1e-5)


def test_a_camera_without_poses(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    frame = opened(headset).read()
    assert frame is not None and frame.camera_poses is None


def test_the_camera_is_given_back_once(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    camera = opened(headset)
    camera.close()
    camera.close()
    assert (with_camera.count.camera_opened, with_camera.count.camera_closed) == (1, 1)


def test_a_stream_that_has_broken_off_is_opened_anew(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    camera = opened(headset)
    with_camera.end_camera_stream()
    with pytest.raises(HeadsetError, match="TrackedCameraError_InvalidHandle") as caught:
        camera.read()
    assert "\n" not in str(caught.value)
    frame = camera.read()
    assert frame is not None and frame.sequence == 1
    assert with_camera.count.camera_opened == 2


@pytest.mark.parametrize("flags", [ovr.MONO, ovr.STEREO | ovr.HORIZONTAL, ovr.STEREO | ovr.VERTICAL])
def test_pictures_one_above_the_other_are_taken_as_the_lens_sees_them(with_camera: Runtime, flags: int) -> None:
    """What SteamVR straightens of them is wrong, and what their alpha says means nothing."""
    with_camera.set_property(0, ovr.CAMERA_LAYOUT, flags)
    picture = camera_picture()
    picture[..., 3] = 0
    with_camera.set_camera_frame(picture, 1)
    with OpenVRHeadset() as headset:
        frame = opened(headset).read()
        assert frame is not None
    as_seen = bool(flags & ovr.VERTICAL)
    assert with_camera.camera_type == (0 if as_seen else 1)
    assert (frame.pictures[..., 3] == (255 if as_seen else 0)).all()


@pytest.mark.parametrize(("focal", "span"), [(6.0, 2.0), (0.0, 0.0), (0.1, 0.0), (float("nan"), 0.0), (-6.0, 0.0)])
def test_how_wide_a_camera_sees(with_camera: Runtime, headset: OpenVRHeadset, focal: float, span: float) -> None:
    """Of what makes no sense nothing is believed."""
    with_camera.set_camera_focal(focal)
    frame = opened(headset).read()
    assert frame is not None and frame.span == pytest.approx(span)


def test_of_two_cameras_the_picture_of_one_counts(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    with_camera.set_property(0, ovr.CAMERA_LAYOUT, ovr.STEREO | ovr.HORIZONTAL)
    with_camera.set_camera_focal(6.0)
    frame = opened(headset).read()
    assert frame is not None and frame.span == pytest.approx(1.0)
    with_camera.set_camera_frame(camera_picture(height=16, width=24), 2)
    frame = opened(headset).read()
    assert frame is not None and frame.span == pytest.approx(2.0)


def test_a_camera_that_changes_its_mode(with_camera: Runtime, headset: OpenVRHeadset) -> None:
    camera = opened(headset)
    for sequence, (height, width) in enumerate([(16, 24), (4, 6)], start=2):
        picture = camera_picture(sequence, height, width)
        with_camera.set_camera_frame(picture, sequence)
        frame = camera.read()
        assert frame is not None
        np.testing.assert_array_equal(frame.pictures[0], picture)
        assert camera.size == (width, height)
