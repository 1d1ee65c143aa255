"""The headset's own cameras through OpenVR: ``python -m artem_vr.vr.openvr_camera`` is the process that reads them.

A device has one camera or two, and gives both in one picture, side by side or one above the other.
`camera_process` says why that is a process of its own, and how it is spoken to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import openvr

from artem_vr.errors import HeadsetError
from artem_vr.vr.camera_process import write_answer
from artem_vr.vr.headset import CameraFrame
from artem_vr.vr.openvr_errors import FAILURES, explain, explain_init
from artem_vr.vr.openvr_properties import HMD, Properties, rows_to_matrix
from artem_vr.vr.poses import Matrix, inverse, is_rigid, product
from artem_vr.vr.quiet import quiet_library

STRAIGHTENED = openvr.VRTrackedCameraFrameType_Undistorted
"""The largest rectangle in which every pixel was seen, straightened; the maximal one has empty corners."""
AS_SEEN = openvr.VRTrackedCameraFrameType_Distorted
"""What comes through the lens. Of two pictures one above the other (Vive Pro) the runtime straightens the wrong parts
(openvr#815, #1805), and in these its alpha means nothing."""
SPANS = (0.2, 10.0)
"""Lenses of 11 and 157 degrees: others are a runtime's mistake."""
APART = 1e-3
"""Metres between two cameras below which their places say nothing about which is which."""

STEREO, VERTICAL, HORIZONTAL = 0x02, 0x10, 0x20  # of Prop_CameraFrameLayout_Int32


@dataclass(frozen=True)
class CameraLayout:
    """How a device lays its cameras out in one picture."""

    eyes: int
    vertical: bool = False
    right_first: bool = False
    """The first picture, the upper or the left one, is the right eye's."""

    def split(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 4) as the device gives it -> a copy (E, h, w, 4), left eye first, C-contiguous."""
        if self.eyes == 1:
            return picture[None].copy()
        height, width, _ = picture.shape
        if self.vertical:
            halves = [picture[: height // 2], picture[height // 2 : height // 2 * 2]]
        else:
            halves = [picture[:, : width // 2], picture[:, width // 2 : width // 2 * 2]]
        return np.stack(halves[::-1] if self.right_first else halves)

    def eye_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of one eye's picture."""
        if self.eyes == 1:
            return width, height
        return (width, height // 2) if self.vertical else (width // 2, height)


def layout_of(flags: int, to_head: list[Matrix]) -> CameraLayout:
    """The layout from the device's flags, with the eyes told apart by the cameras' places in the head.

    Where the places are unknown: known devices with one picture above the other have the right camera first.
    """
    if not flags & STEREO:
        return CameraLayout(1)
    vertical = bool(flags & VERTICAL)
    right_first = vertical
    if len(to_head) >= 2:
        first, second = float(to_head[0][0, 3]), float(to_head[1][0, 3])
        if abs(first - second) > APART:
            right_first = first > second
    return CameraLayout(2, vertical, right_first)


NEW_PICTURE_SECONDS = 0.1
"""How long one who asks waits for a picture that is not there yet."""


def has_camera() -> bool:
    """Whether the headset of this process's session has cameras; opens none."""
    try:
        return bool(_interface().hasCamera(HMD).value)
    except (HeadsetError, *FAILURES):
        return False


def to_first(to_head: list[Matrix]) -> list[Matrix]:
    """Of two cameras, each one's place as the first one sees it: what a frame's header calls the device's pose is, in
    spite of its name, the first camera's."""
    if len(to_head) < 2 or not all(is_rigid(place) for place in to_head[:2]):
        return [np.eye(4, dtype=np.float32)] * 2
    return [product(inverse(to_head[0]), place) for place in to_head[:2]]


class OpenVRCamera:
    """Reads the cameras. Poses are in the standing tracking space.

    Raises:
        HeadsetError: there is no camera, or it is switched off.
    """

    def __init__(self, properties: Properties) -> None:
        flags = properties.integer(HMD, openvr.Prop_CameraFrameLayout_Int32, 0)
        to_head = properties.matrices(HMD, openvr.Prop_CameraToHeadTransforms_Matrix34_Array)
        self._layout = layout_of(flags, to_head)
        self._to_first = to_first(to_head)
        self._type = AS_SEEN if self._layout.vertical else STRAIGHTENED
        self._handle: int | None = None
        try:
            self._camera = _interface()
            if not bool(self._camera.hasCamera(HMD).value):
                raise HeadsetError("This headset has no camera", "Choose another source")
            self._acquire()
        except FAILURES as error:
            raise explain("opening the headset's camera", error) from error

    def _acquire(self) -> None:
        """Ask for the stream, and forget what was known of an earlier one."""
        # Exposure poses are wanted in the space that waitGetPoses gives, not in the default one.
        self._camera.setCameraTrackingSpace(openvr.TrackingUniverseStanding)
        self._resized(*self._camera.getCameraFrameSize(HMD, self._type))
        self._sequence: int | None = None
        self._handle = self._camera.acquireVideoStreamingService(HMD)

    def close(self) -> None:
        """Tell the runtime that it is no longer needed; the next reading opens it anew."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(*FAILURES):  # it may have gone before us
                self._camera.releaseVideoStreamingService(handle)

    def _resized(self, width: int, height: int, most_bytes: int) -> None:
        self._width, self._height, self._bytes = width, height, most_bytes
        self._span = 0.0
        with contextlib.suppress(*FAILURES):  # it does not say: the picture gets the width of any other
            focal, _ = self._camera.getCameraIntrinsics(HMD, 0, self._type)
            across = float(focal.v[0])
            if across > 0 and SPANS[0] <= self.size[0] / across <= SPANS[1]:
                self._span = self.size[0] / across

    @property
    def eyes(self) -> int:
        return self._layout.eyes

    @property
    def size(self) -> tuple[int, int]:
        return self._layout.eye_size(self._width, self._height)

    def read(self) -> CameraFrame | None:
        """The newest picture, or None when there is none that was not read before.

        Raises:
            HeadsetError: the camera has gone.
        """
        try:
            if self._handle is None:
                self._acquire()
            return self._read()
        except openvr.error_code.TrackedCameraError_NoFrameAvailable:
            return None  # it is warming up, or asleep with the headset
        except FAILURES as error:
            self.close()  # a stream that has broken off does not come back
            raise explain("reading the headset's camera", error) from error

    def _read(self) -> CameraFrame | None:
        header = self._camera.getVideoStreamFrameBuffer(self._handle, self._type, None, 0)
        if header.nFrameSequence == self._sequence:
            return None
        size = max(self._bytes, int(header.nWidth) * int(header.nHeight) * 4)  # a device may change its mode
        buffer = (ctypes.c_uint8 * size)()
        header = self._camera.getVideoStreamFrameBuffer(self._handle, self._type, buffer, size)
        width, height = int(header.nWidth), int(header.nHeight)
        if header.nBytesPerPixel != 4 or not 0 < width * height * 4 <= size:
            return None  # it changed between the two calls: the next picture fits again
        self._sequence = int(header.nFrameSequence)
        if (width, height) != (self._width, self._height):
            self._resized(width, height, size)
        picture = np.frombuffer(memoryview(buffer), np.uint8, width * height * 4).reshape(height, width, 4)
        pictures = self._layout.split(picture)
        if self._type == AS_SEEN:
            pictures[..., 3] = 255
        return CameraFrame(pictures, self._sequence, self._poses(header), self._span)

    def _poses(self, header: Any) -> Matrix | None:
        pose = header.trackedDevicePose
        matrix = rows_to_matrix(pose.mDeviceToAbsoluteTracking)
        if not (pose.bPoseIsValid and is_rigid(matrix)):
            return None
        poses = [product(matrix, place) for place in self._to_first[: self.eyes]]
        return np.stack(poses[::-1] if self._layout.right_first else poses)


def _interface() -> Any:
    """IVRTrackedCamera. pyopenvr ends the whole session where it is missing: so ask first."""
    if not openvr.isInterfaceVersionValid(openvr.IVRTrackedCamera_Version):
        raise HeadsetError("This SteamVR gives no access to cameras", "Update SteamVR, or choose another source")
    return openvr.VRTrackedCamera()


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer each byte of ``asked`` with a picture, until there are no more."""
    camera: OpenVRCamera | None = None
    while asked.read(1):
        try:
            if camera is None:
                camera = OpenVRCamera(Properties(_session()))
            frame = _new(camera.read)
        except HeadsetError as error:
            write_answer(answers, error)
        else:
            write_answer(answers, frame)


def _new(read: Callable[[], CameraFrame | None]) -> CameraFrame | None:
    """What ``read`` gives as soon as it gives anything."""
    until = time.perf_counter() + NEW_PICTURE_SECONDS
    while (frame := read()) is None and time.perf_counter() < until:
        time.sleep(0.002)
    return frame


def _session() -> Any:
    """IVRSystem, as one of those that SteamVR neither shows nor waits for. Raises HeadsetError."""
    try:
        with quiet_library():
            return openvr.init(openvr.VRApplication_Background)
    except FAILURES as error:
        raise explain_init(error) from error


def main() -> int:
    """Standard input asks, standard output answers; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for who asks, and then nobody does
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        with contextlib.suppress(OSError):  # nobody reads any more
            serve(sys.stdin.buffer, answers)
        openvr.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
