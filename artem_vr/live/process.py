"""What the process as a whole does at the start and the end of a run."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

REQUESTS = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that ask a process to end: kill, a terminal that was closed, and Windows' Ctrl-Break."""


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


@contextmanager
def ends_on_request() -> Iterator[None]:
    """Turn the first request to end into `KeyboardInterrupt`, as Ctrl-C is one: a recording is then closed.

    Further ones are let pass: where a terminal is closed, the system and the shell both ask, and the second must not
    break into the closing. What is ignored (SIGHUP under nohup) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def end(*_: object) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heard = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


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
