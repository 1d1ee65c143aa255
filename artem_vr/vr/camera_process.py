"""The headset's cameras, read in a process of their own.

SteamVR's library crashes or hangs when it is asked for camera pictures in a process that draws with OpenGL or Vulkan
(openvr#1717). In the other process (`openvr_camera`) nothing draws; what happens there costs a picture, not the run.

A byte on that process's standard input asks for one picture; on its standard output comes one answer to each. So none
is sent that nobody wants.
"""

from __future__ import annotations

import contextlib
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from artem_vr.errors import HeadsetError
from artem_vr.vr.headset import CameraFrame

Answer = CameraFrame | HeadsetError | None
"""None: there is no new picture."""

# -P: a numpy.py in the working folder is somebody's own, and not to be run
COMMAND = (sys.executable, "-P", "-m", "artem_vr.vr.openvr_camera")
START_SECONDS = 20.0
"""The first answer may take so long: another Python starts."""
PATIENCE_SECONDS = 3.0
"""Later ones: much longer than the process waits for a picture."""

ENDING_SECONDS = 1.0

_HEADER = struct.Struct("<cIIIId?32f")  # kind; eyes, height, width, sequence or the text's length; span; poses or none
_FRAME, _ERROR, _NOTHING = b"f", b"e", b"n"
_NO_POSES = (0.0,) * 32
_MOST_BYTES = 1 << 28
_ENDED = HeadsetError("The headset's camera has broken off", "Switch it off and on in SteamVR's settings")


def write_answer(stream: BinaryIO, answer: Answer) -> None:
    """Raises OSError where nobody reads any more."""
    if answer is None:
        stream.write(_HEADER.pack(_NOTHING, 0, 0, 0, 0, 0.0, False, *_NO_POSES))
    elif isinstance(answer, HeadsetError):
        text = "\0".join((answer.cause, answer.remedy)).encode("utf-8", "replace")
        stream.write(_HEADER.pack(_ERROR, 0, 0, 0, len(text), 0.0, False, *_NO_POSES) + text)
    else:
        size, poses = answer.pictures.shape[:3], answer.camera_poses
        numbers = () if poses is None else tuple(map(float, poses.ravel()))
        numbers += _NO_POSES[len(numbers) :]
        stream.write(_HEADER.pack(_FRAME, *size, answer.sequence, answer.span, poses is not None, *numbers))
        stream.write(answer.pictures.data)
    stream.flush()


def read_answer(stream: BinaryIO) -> Answer:
    """Raises EOFError where the other side has ended, and ValueError for what is no answer."""
    kind, eyes, height, width, number, span, posed, *numbers = _HEADER.unpack(_exactly(stream, _HEADER.size))
    if kind == _NOTHING:
        return None
    if kind == _ERROR:
        cause, _, remedy = _exactly(stream, number).decode().partition("\0")
        return HeadsetError(cause, remedy)
    size = eyes * height * width * 4
    if kind != _FRAME or eyes not in (1, 2) or size > _MOST_BYTES:
        raise ValueError("no answer")
    pixels = np.frombuffer(_exactly(stream, size), np.uint8).reshape(eyes, height, width, 4)
    poses = np.array(numbers[: 16 * eyes], np.float32).reshape(eyes, 4, 4) if posed else None
    return CameraFrame(pixels, number, poses, span)


def _exactly(stream: BinaryIO, count: int) -> bytearray:
    whole = bytearray(count)
    view, done = memoryview(whole), 0
    while done < count:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got
    return whole


class CameraProcess:
    """A `HeadsetCamera`. One thread reads; any other may close.

    The process begins at once. One that has ended, or does not answer, costs an error; the next reading begins another.

    Args:
        asleep: whether the headset sleeps now; asked by the thread that reads.
    """

    def __init__(
        self,
        asleep: Callable[[], bool],
        command: Sequence[str] = COMMAND,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._asleep, self._command, self._clock = asleep, command, clock
        self._lock = threading.Lock()  # not held while anything is waited for
        self._closed = False
        self._child: _Child | None = _Child(command, clock)

    @property
    def pause(self) -> str:
        if self._asleep():
            return "The headset sleeps, and its camera with it"
        child = self._child
        return "The headset's camera is being opened" if child is not None and not child.answered else ""

    def read(self) -> CameraFrame | None:
        with self._lock:
            if self._closed:
                raise HeadsetError("The headset has gone, and its camera with it", "Press V when SteamVR runs again")
            if self._child is None:
                self._child = _Child(self._command, self._clock)
            try:
                return self._child.newest()
            except HeadsetError:
                if self._child.ended:
                    self._child = None
                raise

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.end()


class _Child:
    """One run of the other process. One thread asks, and no answer is waited for."""

    def __init__(self, command: Sequence[str], clock: Callable[[], float]) -> None:
        """Raises HeadsetError where no process can be started."""
        self._clock = clock
        self.answered = self.ended = False
        self._asked_at: float | None = None
        root = str(Path(__file__).resolve().parents[2])  # a checkout is found from any working folder
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows alone has it
        try:
            self._process = subprocess.Popen(
                command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=hidden,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        except OSError as error:
            cause = f"The headset's camera cannot be opened ({error.strerror})"
            raise HeadsetError(cause, "Restart this program") from None
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="headset camera", daemon=True).start()

    def newest(self) -> CameraFrame | None:
        """A picture that has come since it was asked for; None while there is none.

        Raises:
            HeadsetError: the camera is in trouble; `ended` where the process is over.
        """
        now = self._clock()
        asked_at = now if self._asked_at is None else self._asked_at
        try:
            if self._asked_at is None:
                self._asked_at = now
                self._process.stdin.write(b"?")  # type: ignore[union-attr]
            answer = self._answers.get_nowait()
        except OSError:
            answer = _ENDED
        except queue.Empty:
            if now - asked_at < (PATIENCE_SECONDS if self.answered else START_SECONDS):
                return None
            answer = _ENDED
        self._asked_at = None
        if answer is _ENDED:
            self.end()
        self.answered = True
        if isinstance(answer, HeadsetError):
            raise answer
        return answer

    def _listen(self) -> None:
        try:
            while True:
                self._answers.put(read_answer(self._process.stdout))  # type: ignore[arg-type]
        except (OSError, EOFError, ValueError):
            self._answers.put(_ENDED)

    def end(self) -> None:
        self.ended = True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # what hangs in a driver must not hold up the render loop
            self._process.wait(ENDING_SECONDS)
