"""When somebody asks the process to end: Ctrl-C, ``kill``, a terminal that was closed.

Not a closed console of Windows: it ends the process as soon as the C library has noted its signal.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REQUESTS = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that ask a process to end, beside Ctrl-C: kill, a terminal that was closed, and Windows' Ctrl-Break."""


@contextmanager
def ends_on_request() -> Iterator[Callable[[], bool]]:
    """Turn the first request to end into `KeyboardInterrupt`, as Ctrl-C is one: a recording is then closed.

    Further ones are let pass, then and until the process has ended: where a terminal is closed, the system and the
    shell both ask, and the second must not break into the closing. What is ignored (SIGHUP under nohup) stays so.

    What is given tells whether a request or Ctrl-C has come, for who calls libraries that call back: what is raised in
    a callback of ctypes is printed and lost.
    """
    asked = False

    def end(number: int, _: object) -> None:
        nonlocal asked
        if not asked or number == signal.SIGINT:
            asked = True
            raise KeyboardInterrupt

    with _heard(("SIGINT", *REQUESTS), end, lambda: asked):
        yield lambda: asked


@contextmanager
def noted_requests() -> Iterator[Callable[[], bool]]:
    """What tells whether a request to end, or Ctrl-C, has come: for work that ends well only between its steps.

    A second Ctrl-C raises `KeyboardInterrupt` at once; further requests are let pass, as those of `ends_on_request`.
    """
    asked = False

    def note(number: int, _: object) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    with _heard(("SIGINT", *REQUESTS), note, lambda: asked):
        yield lambda: asked


@contextmanager
def _heard(names: tuple[str, ...], handler: Callable[[int, object], None], asked: Callable[[], bool]) -> Iterator[None]:
    """Signals that are there, and not ignored, go to ``handler``; outside of the main thread they are left alone.

    Afterwards all is as before; where what was asked for ends it, those of `REQUESTS` are ignored instead: the process
    is ending, and a late second one would kill it before it could say how it ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    heard = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, handler)
    ending = False
    try:
        yield
    except BaseException:
        ending = asked()
        raise
    finally:
        for number, old in heard.items():
            signal.signal(number, signal.SIG_IGN if ending and number != signal.SIGINT else old)
