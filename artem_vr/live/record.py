"""``--record FILE``: what the mirror showed, kept as a film or as one picture.

The writing happens on a thread of its own; the render loop only hands pictures over, and the
newest wins. A full disk ends the recording and not the run.
"""

from __future__ import annotations

import errno
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SettingsError
from artem_vr.mailbox import Mailbox
from artem_vr.render.geometry import letterbox
from artem_vr.same_file import same_file
from artem_vr.settings import Settings
from artem_vr.sources import opencv
from artem_vr.sources.pictures import save_picture
from artem_vr.sources.registry import parse_spec
from artem_vr.styles.library import Library
from artem_vr.typed_path import named, path_of

Picture = npt.NDArray[np.uint8]  # (H, W, 3) uint8 RGB, top row first

FILMS = {".mp4": "mp4v", ".mkv": "mp4v", ".mov": "mp4v", ".avi": "MJPG"}
"""Suffix of a film and the four letters of its codec; all are part of OpenCV's own build."""

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""Suffixes that keep one picture: the last one that was shown."""

FRAMES_PER_SECOND = 30

ROOM = 64 * 2**20
"""Bytes that a film leaves free on its disk: where its end has no room, an MP4 is no film at all."""

LARGEST = 1920 * 1080
"""Pixels of a film's picture; larger windows are reduced: to encode four times as many takes longer than a frame."""

MAX_REPEATS = 10 * FRAMES_PER_SECOND
"""The longest pause, in frames, that a film shows as a still picture; a longer one is cut to this."""

MOST_LATE = 8
"""Frames that are made up for at once where writing them is what takes so long: with more each time takes longer than
the last. The film then lacks that time."""


def frames_due(elapsed: float, written: int, fps: float = FRAMES_PER_SECOND) -> int:
    """How many frames a film must still receive so that ``elapsed`` seconds have gone by in it."""
    return min(max(int(elapsed * fps) + 1 - written, 0), MAX_REPEATS)


class Writer(Protocol):
    """Puts pictures into a file."""

    def write(self, picture: Picture) -> None: ...
    def close(self) -> None: ...


class FilmWriter:
    """A film through OpenCV. All pictures get the size of the first one, or of `LARGEST` pixels; those of another shape
    lie between black bars. Raises OSError.

    OpenCV does not say that a disk is full: room is looked for once a second of film, and at the end the last picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._video: Any = None
        self._shape: tuple[int, ...] = ()
        """Of the first picture."""
        self._size = (0, 0)
        self._written = 0

    def write(self, picture: Picture) -> None:
        cv2 = opencv.load()
        width, height = (max(pixels // 2 * 2, 2) for pixels in picture.shape[1::-1])  # codecs want even sizes
        picture = picture[:height, :width]
        if self._video is None:
            scale = min(1.0, (LARGEST / (width * height)) ** 0.5)
            self._shape = picture.shape
            self._size = max(int(width * scale) // 2 * 2, 2), max(int(height * scale) // 2 * 2, 2)
            code = cv2.VideoWriter.fourcc(*FILMS[self._path.suffix.lower()])
            self._video = cv2.VideoWriter(opencv.name_of(self._path), code, float(FRAMES_PER_SECOND), self._size)
            if not self._video.isOpened():
                raise OSError("OpenCV cannot write such a film here")
        if picture.shape != self._shape:
            picture = _fitted(picture, *self._size)
        elif picture.shape[1::-1] != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        if self._written % FRAMES_PER_SECOND == 0:
            self._check_room()
        self._video.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._written += 1

    def close(self) -> None:
        if self._video is None:
            return
        self._video.release()
        if self._written and not _ends_with(self._path, self._written):
            raise OSError("not all of its pictures reached the disk: is it full?")

    def _check_room(self) -> None:
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError:  # nobody knows
            return
        if free < ROOM:
            raise OSError(errno.ENOSPC, "the disk is all but full; what was recorded until then is kept")


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    """``picture`` as large as it fits into ``width`` x ``height`` pixels, in its own shape."""
    left, top, across, down = letterbox(width, height, picture.shape[1] / picture.shape[0])
    whole = np.zeros((height, width, 3), np.uint8)
    cv2 = opencv.load()
    resized = cv2.resize(picture, (across, down), interpolation=cv2.INTER_AREA)
    whole[top : top + down, left : left + across] = resized
    return whole


def _ends_with(path: Path, number: int) -> bool:
    """Whether a film has that many pictures, and the last one can be read. Looks at the film's ends only."""
    cv2 = opencv.load()
    film = cv2.VideoCapture(opencv.name_of(path), cv2.CAP_FFMPEG)
    film.set(cv2.CAP_PROP_POS_FRAMES, number - 1)
    whole = film.grab() and abs(film.get(cv2.CAP_PROP_FRAME_COUNT) - number) <= 1
    film.release()
    return bool(whole)


class PictureWriter:
    """Keeps the newest picture and writes it at the end, at once or not at all. Raises `PictureError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: Picture | None = None

    def write(self, picture: Picture) -> None:
        self._newest = picture

    def close(self) -> None:
        if self._newest is not None:
            save_picture(self._path, self._newest)


def check_record(library: Library, settings: Settings) -> None:
    """Raises `SettingsError` where the recording would be written over its source or one of its styles."""
    read: dict[str, list[Path]] = {}
    if settings.source and (spec := parse_spec(settings.source)).kind == "file":
        read["source"] = [path_of(spec.argument)]
    for name in ("style", "region_style"):
        if typed := getattr(settings, name):
            read[name.replace("_", "-")] = library.find_for(settings.precision, typed).files
    for option, paths in read.items():
        if any(same_file(named(settings.record), path) for path in paths):
            cause = f"{settings.record} is what --{option} names and would be overwritten"
            raise SettingsError(cause, "Give --record another FILE")


class Recorder:
    """Writes the pictures it is given to ``path``, at the times that they carry.

    Raises `SettingsError` at once if the file cannot be such a recording. Later failures only
    end the recording: `failure` then says why, in one line.
    """

    def __init__(self, path: str | Path, writer: Writer | None = None) -> None:
        self.path = named(path) if isinstance(path, str) else path
        self.failure = ""
        self.still = self.path.suffix.lower() in PICTURES
        self._writer = writer or _writer(self.path)
        self._pictures: Mailbox[tuple[Picture, float]] = Mailbox()
        self._ending = threading.Event()
        self._started_at: float | None = None
        self._written = 0
        self._next_at = float("-inf")
        self._last: Picture | None = None
        self._last_at = 0.0
        self._busy_seconds = 0.0
        """That writing the last picture took, and those in whose place the one before stood."""
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()

    def wants(self, now: float) -> bool:
        """Whether a picture shown at ``now`` (seconds of the caller's clock) should be handed over."""
        return not self.failure and now >= self._next_at

    def expect(self, now: float) -> None:
        """A picture that is shown at ``now`` will be handed over, perhaps later: until the next one is due none is
        wanted."""
        self._next_at = now + 1 / FRAMES_PER_SECOND - 0.002  # a little early: shows come in vsyncs

    def put(self, picture: Picture, now: float) -> None:
        """Hand over a picture that nobody changes any more, shown at ``now``. Never waits; an empty one is ignored.

        It may be a view: to put its pixels in order is this thread's work, not the caller's.
        """
        if picture.size:
            self._pictures.put((picture, now))

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left; whether the file is complete. Waits while more is written every ``timeout`` seconds."""
        self._ending.set()
        before = -1
        while self._thread.is_alive() and before != self._written:
            before = self._written
            self._thread.join(timeout)
        if self._thread.is_alive() and not self.failure:
            self.failure = f"Recording to {self.path.name} does not end: its disk does not answer"
        return not self.failure and self._written > 0

    def _work(self) -> None:
        try:
            try:
                while not self._ending.is_set():
                    self._take(timeout=0.1)
                self._take(timeout=0.0)
            finally:
                self._writer.close()
        except Exception as error:  # noqa: BLE001 (whatever a codec raises must not end the run)
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self.failure = f"Recording to {self.path.name} has ended ({' '.join(str(reason).split())[:120]})"

    def _take(self, timeout: float) -> None:
        item = self._pictures.take(timeout)
        if item is None:
            return
        picture, now = np.ascontiguousarray(item[0]), item[1]
        if self._started_at is None:
            self._started_at = now
        if self.still:
            self._writer.write(picture)
            self._written += 1
            return
        due = frames_due(now - self._started_at, self._written)
        paused = now - self._last_at > 2 * self._busy_seconds
        most = MAX_REPEATS if paused else MOST_LATE
        begun = time.perf_counter()
        for number in range(min(due, most)):  # the time until now belongs to the picture before
            last = number == min(due, most) - 1
            self._writer.write(picture if last or self._last is None else self._last)
            self._written += 1
        if due >= most:  # the pause was cut short, or the film lags: go on from here
            self._started_at = now - (self._written - 1) / FRAMES_PER_SECOND
        self._last, self._last_at, self._busy_seconds = picture, now, time.perf_counter() - begun


def _writer(path: Path) -> Writer:
    """The writer for ``path``. Raises `SettingsError`."""
    suffix = path.suffix.lower()
    known = ", ".join((*FILMS, *PICTURES))
    if suffix not in (*FILMS, *PICTURES):
        raise SettingsError(f"--record cannot write {path.name or 'that'}", f"Let the name end in one of {known}")
    if path.is_dir() or not path.parent.is_dir():
        raise SettingsError(f"--record cannot write {path}", "Name a file in a folder that exists")
    file = path.resolve()  # a link stays, whether or not there is something at its other end
    existed = file.exists()
    try:
        with file.open("ab"):
            pass
        if not existed:
            file.unlink()
    except OSError as error:
        cause = f"--record cannot write {path} ({error.strerror})"
        raise SettingsError(cause, "Choose a folder you may write to") from None
    return PictureWriter(file) if suffix in PICTURES else FilmWriter(path)
