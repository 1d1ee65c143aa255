"""Video files, read and written picture by picture. All of OpenCV's ways with videos for `offline` are here."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from artem_vr.atomic_file import replace
from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.film import SquarePixels, film_rate
from artem_vr.sources.frame import Picture
from artem_vr.sources.layout import Layout

SUFFIXES = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "XVID"}
"""Videos that can be written: the file's ending and the codec for it (MPEG-4 in all of them)."""

MAX_MEGAPIXELS = 40.0
LONGEST = 8191
"""Pixels in a row or column of MPEG-4, as FFmpeg writes it."""


def is_video(path: Path) -> bool:
    """Whether there is a picture in it that OpenCV can read as that of a film."""
    if _is_text(path):
        return False
    cv2 = opencv.load()

    capture = cv2.VideoCapture(opencv.name_of(path), cv2.CAP_FFMPEG)
    try:
        return bool(capture.grab())
    finally:
        capture.release()


def _is_text(path: Path) -> bool:
    """FFmpeg would draw it, letter by letter, or look for the films that it lists."""
    with path.open("rb") as file:
        return b"\0" not in file.read(4096)


def check_size(path: Path, height: int, width: int) -> None:
    """Raises `SourceError` where no film ``path`` can be of that size."""
    if min(width, height) < 2:
        raise SourceError(f"{path} would be smaller than 2x2 pixels", "Make pictures instead")
    if max(width, height) // 2 * 2 > LONGEST:
        cause = f"{path} would be {width}x{height} pixels, and films hold no more than {LONGEST} in a row"
        remedy = f"Paint it smaller with --size {LONGEST // 2 * 2}, or name a folder to get numbered pictures"
        raise SourceError(cause, remedy)


class VideoReader:
    """The pictures of a video file, each once, in order. Raises `SourceError` if it is no such file."""

    def __init__(self, path: Path, layout: Layout = "mono") -> None:
        """``layout``: how both eyes lie in a picture, so that none is mixed with the other's at their seam."""
        cv2 = opencv.load()

        self.path = path
        self._capture: Any = cv2.VideoCapture(opencv.name_of(path), cv2.CAP_FFMPEG)
        try:
            if not self._capture.isOpened() or _is_text(path):
                raise SourceError(f"{path} is not a video that can be read", "Convert it to MP4 with another program")
            self._square = SquarePixels(self._capture, layout)
            self.width, self.height = self._square.size
            """Of each picture in square pixels, whatever the file's are."""
            if self.width * self.height > MAX_MEGAPIXELS * 1e6:
                cause = f"{path} has pictures of {self.width}x{self.height} pixels"
                raise SourceError(cause, f"Bring it below {MAX_MEGAPIXELS:g} megapixels with another program")
        except SourceError:
            self.close()
            raise
        self.rate = film_rate(self._capture, path)
        """Frames a second; of a film whose rate changes, the mean."""
        count = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = int(count) if math.isfinite(count) and 0 < count < 1e9 else None
        """How many pictures the file says that it has; None if it does not say."""

    def __iter__(self) -> Iterator[Picture]:
        """(H, W, 3) uint8 RGB, top row first. Raises `SourceError` if there is not a single one."""
        cv2 = opencv.load()

        seen = 0
        while True:
            there, bgr = self._capture.read()
            if not there or bgr is None:
                break
            if bgr.ndim == 2:
                bgr = cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR)
            seen += 1
            yield np.ascontiguousarray(self._square(bgr)[:, :, 2::-1])
        if not seen:
            raise SourceError(f"{self.path} holds no picture that can be read", "Copy or convert it again")

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VideoWriter:
    """Writes a video whole or not at all: the file appears when the ``with`` block ends well, with all pictures in it.

    Pictures are (H, W, 3) uint8 RGB, all of one size. The codec stores colour at half the size, so an odd last
    row or column is left out. There is no sound. Raises `SourceError` where the file cannot be written.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self.rate = path, rate
        self._part = path.with_name(f".{path.stem[:40]}.{os.getpid()}.part{path.suffix}")
        self.size = (0, 0)
        """Width and height of the film: of the first picture, without an odd last column or row."""
        self._writer: Any = None
        self._written = 0

    def write(self, picture: Picture) -> None:
        height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        if self._writer is None:
            self._writer, self.size = self._open(width, height), (width, height)
        self._writer.write(np.ascontiguousarray(picture[:height, :width, ::-1]))
        self._written += 1

    def _open(self, width: int, height: int) -> Any:
        cv2 = opencv.load()

        codec = SUFFIXES.get(self.path.suffix.lower())
        if codec is None:
            known = ", ".join(SUFFIXES)
            raise SourceError(f"{self.path.name} does not say which kind of video it is", f"End it in {known}")
        check_size(self.path, height, width)
        try:
            self._part.touch()  # tells a reason, which OpenCV does not
        except OSError as error:
            remedy = "Check that the folder exists, its rights and the space left"
            raise SourceError(f"{self.path} cannot be written ({error.strerror})", remedy) from None
        fourcc = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(
            opencv.name_of(self._part), cv2.CAP_FFMPEG, fourcc, writable_rate(self.rate), (width, height)
        )
        if not writer.isOpened():
            remedy = "Name another kind of video, or a folder to get numbered pictures"
            raise SourceError(f"OpenCV cannot write {self.path.suffix} videos of {width}x{height} pixels here", remedy)
        return writer

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.release()
        try:
            if kind is None and self._writer is not None:
                self._check_part()
                self._put_in_place()
        except OSError as problem:
            cause = f"{self.path} cannot be written ({problem.strerror})"
            raise SourceError(cause, "Close programs that use it, check the rights") from None
        finally:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _put_in_place(self) -> None:
        """The finished film gets its name. Where it cannot (Windows: a player has the old one open) it gets another:
        hours of painting are not thrown away. Raises `SourceError` then, which names it."""
        with suppress(PermissionError):
            return replace(self._part, self.path)
        names = (self.path.with_stem(f"{self.path.stem}-{number}") for number in itertools.count(2))
        kept = next(path for path in names if not os.path.lexists(path))
        replace(self._part, kept)
        raise SourceError(
            f"{self.path} cannot be replaced, so the film is in {kept}", "Close programs that use the old one"
        )

    def _check_part(self) -> None:
        """Raises `SourceError` if pictures are missing: OpenCV does not say that a disk is full."""
        if _pictures_in(self._part) != self._written:
            cause = f"{self.path} cannot be written: not all of its pictures reached the disk"
            raise SourceError(cause, "Check the space left")


def writable_rate(rate: float) -> float:
    """``rate``, rounded as far as MPEG-4 needs it: it counts time in at most 65535 parts of a second."""
    digits = 3
    while digits and round(rate * 10**digits) > 65535:
        digits -= 1
    return round(rate, digits)


def _pictures_in(path: Path) -> int:
    """How many pictures of a video can really be read; what the file says of that is an estimate."""
    cv2 = opencv.load()

    capture = cv2.VideoCapture(opencv.name_of(path), cv2.CAP_FFMPEG)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count
