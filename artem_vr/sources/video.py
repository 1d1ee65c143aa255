"""A video file as a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.files import problem_of
from artem_vr.sources.film import SquarePixels, film_rate
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.pictures import MAX_MEGAPIXELS
from artem_vr.sources.source import Shot

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
        if not good and self._begins_again():
            good, bgr = self._capture.read()
        if not good or bgr is None:
            if not self._read_any or self._loop:
                raise SourceError(f"{self._path} has no picture that can be decoded", _REMEDY)
            return None
        self._read_any = True
        return Shot(split(cv2.cvtColor(self._square(bgr), cv2.COLOR_BGR2RGB), self._layout))

    def skip(self) -> None:
        if not self._capture.grab() and self._begins_again():  # else the film would stand at its end meanwhile
            self._capture.grab()

    def close(self) -> None:
        self._capture.release()

    def _begins_again(self) -> bool:
        """At the film's end: go back to its first frame, if that is wished. Raises `SourceError`."""
        if not (self._loop and self._read_any):
            return False
        self._capture.release()
        self._capture = self._open()  # seeking back is not exact in every format; opening again is
        return True

    def _open(self) -> Any:
        cv2 = opencv.load()
        capture = cv2.VideoCapture(opencv.name_of(self._path), cv2.CAP_FFMPEG)
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
