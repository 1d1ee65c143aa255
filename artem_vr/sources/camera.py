"""A webcam as a source, through OpenCV; named by number or by (a part of) its name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.source import Shot

_SYSFS = Path("/sys/class/video4linux")
_CONNECT = "Connect a camera, or use another --source, e.g. screen or demo"


@dataclass(frozen=True)
class Camera:
    """A camera that the system knows: OpenCV's number and the name that its maker gave it."""

    number: int
    name: str


def cameras(sysfs: Path = _SYSFS) -> list[Camera]:
    """The cameras of this machine, without opening any. Empty where the system does not tell."""
    if sys.platform == "win32":
        from artem_vr.sources import directshow

        return [Camera(number, name) for number, name in enumerate(directshow.camera_names())]
    found = []
    for folder in sysfs.glob("video*"):
        try:
            # A camera has further nodes (index 1, ...) for its metadata, which give no pictures.
            if (folder / "index").read_text().strip() == "0":
                found.append(Camera(int(folder.name.removeprefix("video")), (folder / "name").read_text().strip()))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda camera: camera.number)


def find_camera(wanted: str, known: list[Camera]) -> int:
    """The number of the camera ``wanted``: a number (taken as it is), a name, or a part of one, in any case.

    An empty ``wanted`` is the first camera. Raises `SourceError` when no, or more than one, name fits.
    """
    wanted = wanted.strip()
    if not wanted:
        return known[0].number if known else 0
    if wanted.isdecimal():
        return int(wanted[:6])
    fits = [c for c in known if c.name.casefold() == wanted.casefold()]
    fits = fits or [c for c in known if wanted.casefold() in c.name.casefold()]
    if len(fits) == 1:
        return fits[0].number
    if not known:
        raise SourceError(f"No camera named {wanted!r} is connected, nor any other", _CONNECT)
    if fits:
        raise SourceError(f"{len(fits)} cameras fit the name {wanted!r}", f"Choose by number: {_listed(fits)}")
    raise SourceError(f"No camera is named {wanted!r}", f"Known here: {_listed(known)}")


class CameraSource:
    """A webcam. ``wanted`` is a number, a name, or empty for the first one. Raises `SourceError`.

    ``open_with`` opens a camera by its number (tests give their own).
    """

    live = True
    rate: float | None = None  # the camera sets the pace

    def __init__(
        self,
        wanted: str = "",
        layout: Layout = "mono",
        open_with: Callable[[int], Any] | None = None,
        known: list[Camera] | None = None,
    ) -> None:
        self.name = f"webcam:{wanted}" if wanted else "webcam"
        self._layout = layout
        known = cameras() if known is None else known
        self._number = find_camera(wanted, known)
        self._capture = open_with(self._number) if open_with else open_capture(self._number, layout)
        if not self._capture.isOpened():
            self.close()
            raise self._refusal(known)
        self._failures = 0

    def read(self) -> Shot | None:
        for _ in range(3):  # a camera that wakes up, or a bad cable, loses a picture now and then
            if not self._capture.grab():
                continue
            captured_at = time.perf_counter()
            good, bgr = self._capture.retrieve()
            if sys.platform == "win32":  # there grab answers at once, and this waits for the picture
                captured_at = time.perf_counter()
            if good and bgr is not None and bgr.size:
                cv2 = opencv.load()
                convert = cv2.COLOR_GRAY2RGB if bgr.ndim == 2 else cv2.COLOR_BGR2RGB
                return Shot(split(cv2.cvtColor(bgr, convert), self._layout), captured_at)
        raise SourceError(f"Camera {self._number} gives no pictures any more", "Check its cable")

    def skip(self) -> None:
        pass

    def close(self) -> None:
        self._capture.release()

    def _refusal(self, known: list[Camera]) -> SourceError:
        device = Path(f"/dev/video{self._number}")
        if device.exists() and not os.access(device, os.R_OK | os.W_OK):
            return SourceError(f"{device} must not be used by you", "Add your user to the group video, log in again")
        if any(camera.number == self._number for camera in known) or device.exists():
            return SourceError(f"Camera {self._number} cannot be opened", "Close the program that uses it")
        if known:
            return SourceError(f"There is no camera {self._number}", f"Known here: {_listed(known)}")
        return SourceError(f"There is no camera {self._number}", _CONNECT)


def open_capture(number: int, layout: Layout = "mono") -> Any:
    """OpenCV's capture of the camera ``number``, asked for Motion JPEG of 1280x720 an eye; it may not be open."""
    cv2 = opencv.load()
    # DirectShow opens at once where Media Foundation takes many seconds, and numbers as `directshow.camera_names` does.
    backend = {"win32": cv2.CAP_DSHOW, "linux": cv2.CAP_V4L2}.get(sys.platform, cv2.CAP_ANY)
    capture = cv2.VideoCapture(number, backend)
    if capture.isOpened():
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = 1280 * (2 if layout == "sbs" else 1), 720 * (2 if layout == "tb" else 1)
        if sys.platform == "win32" and size == (width, height):  # DirectShow takes up the format with another size only
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
        # Raw pictures of this size do not fit through USB 2 at full rate; Motion JPEG does.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _listed(known: list[Camera]) -> str:
    return ", ".join(f"webcam:{camera.number} ({camera.name})" for camera in known)
