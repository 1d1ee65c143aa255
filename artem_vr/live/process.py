"""What the process as a whole does at the start and the end of a run."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

SWITCH_INTERVAL = 0.0005
"""Seconds after which Python lets another thread run. At its own 5 ms half the vsyncs were late beside a
thread that computes in Python; at this, none."""

FULL_COLLECTION = 1000
"""Collections of the middle generation before one of everything. That one walks the objects of all libraries, some
300,000, and stops every thread for about 130 ms; at Python's own 10 each new painter brings one. Painters leave next
to nothing in cycles (fourteen of them some 1,500 objects), and this comes once in seven million new objects."""

ENDING_SECONDS = 1.5
"""What hangs in a driver, a network or a disk is left behind after this long."""


class Stoppable(Protocol):
    """Something with threads. ``stop`` asks them to end, waits at most ``timeout`` seconds, and may be called twice."""

    def stop(self, timeout: float) -> bool: ...


class Interpreter:
    """How long Python itself may keep the render loop waiting; put back at the end.

    Not quick from the start: while engines are imported and compiled, many threads run Python, and
    each turn that changes hands costs time, most of all on a busy machine.
    """

    def __init__(self) -> None:
        self._before = sys.getswitchinterval()
        self._collecting = gc.get_threshold()
        self._quick = False

    def quicken(self) -> None:
        """From now on the render loop must never wait long for the interpreter."""
        if self._quick:
            return
        self._quick = True
        sys.setswitchinterval(min(self._before, SWITCH_INTERVAL))
        gc.set_threshold(*self._collecting[:2], FULL_COLLECTION)

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(self, *_: object) -> None:
        sys.setswitchinterval(self._before)
        gc.set_threshold(*self._collecting)


def stop_all(parts: Sequence[Stoppable], seconds: float = ENDING_SECONDS) -> bool:
    """Ask all parts to end at once, then wait for them together; False if one hangs and is left behind."""
    for part in parts:
        part.stop(0.0)
    deadline = time.monotonic() + seconds
    ended = [part.stop(max(0.05, deadline - time.monotonic())) for part in parts]
    return all(ended)


def leave(status: int) -> None:
    """End the process now. Where a thread hangs in C++, Python's own way out would end in an abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def picture_path() -> Path:
    """Where a run that nobody can see leaves its picture: here, or else in the folder for temporary files.

    The first of artem-vr.png, artem-vr-2.png and so on that is not there yet.
    """
    folder = Path.cwd()
    if not os.access(folder, os.W_OK):
        folder = Path(tempfile.gettempdir())
    names = itertools.chain(["artem-vr.png"], (f"artem-vr-{number}.png" for number in itertools.count(2)))
    return next(folder / name for name in names if not os.path.lexists(folder / name))


def say(line: str | None) -> None:
    """One line on standard error, if there is one."""
    if line:
        print("artem-vr: " + " ".join(line.split()), file=sys.stderr, flush=True)
