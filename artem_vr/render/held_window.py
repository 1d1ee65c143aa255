"""Windows holds the thread that polls events as long as somebody drags the window, sizes it or has its menu open.

A timer of the window's is the one thing that still runs there, in that thread: it lets the program draw on, without
which a headset would show a frozen picture and SteamVR would end a program that does not answer it.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

PATIENCE = 0.02
"""Seconds that events may take; longer, and the window is being held."""
TIMER_MILLISECONDS = 10
"""The shortest that Windows has."""


class HeldWindow:
    """Put around the polling of events: ``turn`` is called again and again while that does not return.

    What ``turn`` raises is raised when polling ends; until then it is not called any more.
    """

    def __init__(self, turn: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> None:
        self._turn, self._clock = turn, clock
        self._since: float | None = None
        self._turning = False
        self._error: BaseException | None = None

    @property
    def turning(self) -> bool:
        """Whether a ``turn`` is under way: it must not poll events itself."""
        return self._turning

    def __enter__(self) -> None:
        self._since = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._since = None
        failure, self._error = self._error, None
        if failure is not None:
            raise failure

    def tick(self) -> None:
        """The timer: at any time in the thread that polls."""
        if self._since is None or self._turning or self._error or self._clock() - self._since < PATIENCE:
            return
        self._turning = True
        try:
            self._turn()
        except BaseException as error:  # noqa: BLE001 - in a callback of the system's Ctrl-C, too, would be lost
            self._error = error
        finally:
            self._turning = False


def start_timer(window: int, tick: Callable[[], None], user32: Any = None, callback_type: Any = None) -> Any:
    """Let Windows call ``tick`` a hundred times a second for the window with this handle, until that is closed.

    What is returned has to be kept as long. ``user32`` and ``callback_type`` are Windows' own; None elsewhere, and
    nothing is started.
    """
    if sys.platform == "win32" and user32 is None:
        user32, callback_type = ctypes.WinDLL("user32"), ctypes.WINFUNCTYPE
    if user32 is None:
        return None
    number = ctypes.c_size_t  # UINT_PTR
    procedure = callback_type(None, ctypes.c_void_p, ctypes.c_uint, number, ctypes.c_uint32)(lambda *_: tick())
    user32.SetTimer.argtypes = [ctypes.c_void_p, number, ctypes.c_uint, type(procedure)]
    user32.SetTimer.restype = number
    user32.SetTimer(window, 1, TIMER_MILLISECONDS, procedure)
    return procedure
