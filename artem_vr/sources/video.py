"""A video file as a source."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.files import problem_of
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.pictures import MAX_MEGAPIXELS
from artem_vr.sources.source import Shot

MEASURED_FRAMES = 120
"""From which a rate is taken that the film does not say."""
MOST_SQUEEZED = 4.0
"""Proportion of a film's pixels that is still believed."""

_REMEDY = "Use an MP4, MKV, WEBM or AVI file, or a PNG or JPEG picture"


class VideoSource:
    """The frames of a film, in order; again from the first one at its end where ``loop`` is True.

    ``rate`` is the film's own frame rate (of one that changes, the mean), ``frames`` how many its header promises (0:
    not said), ``width`` and ``height`` the size of a whole picture, both eyes together, its pixels square whatever the
    film's are. Raises `SourceError`.
    """

    live = False

    def __init__(self, path: Path, layout: Layout = "mono", loop: bool = True, name: str | None = None) -> None:
        self.name = name or str(path)
        self._path, self._layout, self._loop = path, layout, loop
        problem = problem_of(path)
        if problem:
            raise SourceError(*problem)
        self._read_any = False
        self._capture = self._open()
        cv2 = opencv.load()
        self.rate: float | None = film_rate(self._capture, path)
        self.frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._square = SquarePixels(self._capture, layout)
        self.width, self.height = self._size()

    def read(self) -> Shot | None:
        cv2 = opencv.load()
        good, bgr = self._capture.read()
        if not good and self._loop and self._read_any:
            self._capture.release()
            self._capture = self._open()  # seeking back is not exact in every format; opening again is
            good, bgr = self._capture.read()
        if not good or bgr is None:
            if not self._read_any or self._loop:
                raise SourceError(f"{self._path} has no picture that can be decoded", _REMEDY)
            return None
        self._read_any = True
        return Shot(split(cv2.cvtColor(self._square(bgr), cv2.COLOR_BGR2RGB), self._layout))

    def skip(self) -> None:
        self._capture.grab()

    def close(self) -> None:
        self._capture.release()

    def _open(self) -> Any:
        cv2 = opencv.load()
        capture = cv2.VideoCapture(str(self._path.resolve()), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(f"{self._path} is not a film that can be read, or is damaged", _REMEDY)
        return capture

    def _size(self) -> tuple[int, int]:
        width, height = self._square.size
        if width * height > MAX_MEGAPIXELS * 1e6:
            self.close()
            raise SourceError(
                f"{self._path} has frames of {width}x{height} pixels, more than {MAX_MEGAPIXELS:g} megapixels",
                "Convert it to a smaller size",
            )
        return width, height


class SquarePixels:
    """Makes the pixels of an open film's pictures square: what is stored squeezed becomes longer."""

    def __init__(self, capture: Any, layout: Layout = "mono") -> None:
        cv2 = opencv.load()
        across, up = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        aspect = across / up if across > 0 and up > 0 else 1.0  # of one pixel
        if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180:  # pictures come turned, and this does not
            aspect = 1 / aspect
        # In Matroska a film that says how its eyes lie is made as much longer as they are many; our layouts know that.
        self._side_by_side, self._stereo = layout in ("sbs", "half-sbs"), layout != "mono"
        if self._side_by_side and aspect > 1.9:
            aspect /= 2
        elif self._stereo and not self._side_by_side and aspect < 0.53:
            aspect *= 2
        squeezed = abs(aspect - 1) > 0.01 and 1 / MOST_SQUEEZED <= aspect <= MOST_SQUEEZED  # beyond that it is nonsense
        self._aspect = aspect if squeezed else 1.0
        width, height = (int(capture.get(name)) for name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = self._size_of(width, height)
        """Width and height of a whole picture, both eyes together."""

    def _size_of(self, width: int, height: int) -> tuple[int, int]:
        if self._aspect == 1.0:
            return width, height
        across, down = (2, 1) if self._side_by_side else (1, 2 if self._stereo else 1)
        width, height = width // across, height // down
        return across * round(width * max(1.0, self._aspect)), down * round(height * max(1.0, 1 / self._aspect))

    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 to the same in `size`, each eye by itself: at the seam none shows anything of the other."""
        if self._aspect == 1.0:
            return picture
        width, height = self._size_of(picture.shape[1], picture.shape[0])
        if not self._stereo:
            return _resized(picture, width, height)
        if self._side_by_side:
            half = picture.shape[1] // 2
            eyes = (picture[:, :half], picture[:, half : 2 * half])
            return np.concatenate([_resized(eye, width // 2, height) for eye in eyes], axis=1)
        half = picture.shape[0] // 2
        eyes = (picture[:half], picture[half : 2 * half])
        return np.concatenate([_resized(eye, width, height // 2) for eye in eyes], axis=0)


def _resized(picture: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.asarray(opencv.load().resize(picture, (width, height)), np.uint8)


def film_rate(capture: Any, path: Path) -> float:
    """The frame rate in 1/s to play an open film at: what it says, else the mean of what it begins with, else 30.

    Files of some tools say 0 or 90000; what browsers record, which has no fixed rate, says 1000.
    """
    cv2 = opencv.load()
    said = float(capture.get(cv2.CAP_PROP_FPS))
    if is_rate(said):
        return said
    other = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    times: list[float] = []
    while len(times) < MEASURED_FRAMES and other.grab():
        times.append(float(other.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
    other.release()
    span = times[-1] - times[0] if times else 0.0
    mean = (len(times) - 1) / span if span > 0 else 0.0
    return mean if is_rate(mean) else 30.0


def is_rate(said: float) -> bool:
    """Whether a film can have so many frames a second."""
    return math.isfinite(said) and 0.1 <= said <= 240
