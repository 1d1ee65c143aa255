"""The desktop as a source, captured with mss."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.source import Shot


def refusal(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> SourceError | None:
    """Why the desktop cannot be captured here, as far as the environment tells; None where it can."""
    if not platform.startswith("linux"):
        return None
    session = environment.get("XDG_SESSION_TYPE", "")
    # Under Wayland DISPLAY leads to Xwayland, where a capture succeeds and is black.
    if session == "wayland" or (environment.get("WAYLAND_DISPLAY") and session != "x11"):
        return SourceError(
            "This desktop runs on Wayland, which does not let programs capture the screen",
            "Log in to an X11 (Xorg) session, or share the screen by OBS Studio's virtual camera (--source webcam)",
        )
    if not environment.get("DISPLAY"):
        return SourceError(
            "There is no screen here (DISPLAY is not set)", "Start the program on a desktop, or use another --source"
        )
    return None


def screens() -> list[str]:
    """A line for each screen, in the order of their numbers, e.g. ``1920x1080 at 0,0``. Raises `SourceError`."""
    capture = _open(cursor=False)
    try:
        return [f"{m['width']}x{m['height']} at {m['left']},{m['top']}" for m in _monitors(capture)]
    finally:
        capture.close()


FOLLOW_SECONDS = 2.0
"""How often it is looked whether the screen has another size or place: games and docking change that."""


class DesktopSource:
    """One screen. ``number`` counts from 0; None is the primary one. Each reading is the screen as it is now.

    To be made, read and closed by one thread (a rule of the window systems). Raises `SourceError`.
    """

    live = True

    def __init__(
        self, number: int | None = None, layout: Layout = "mono", cursor: bool = True, rate: float = 60.0
    ) -> None:
        self.name = "screen" if number is None else f"screen:{number}"
        self.rate: float | None = rate
        self._layout, self._number, self._cursor = layout, number, cursor
        self._capture = _open(cursor)
        self._followed_at = time.perf_counter()
        try:
            self._monitor = self._choose(self._capture)
            self.read()  # finds out now, not later, whether capturing works
        except SourceError:
            self.close()
            raise

    def read(self) -> Shot | None:
        captured_at = time.perf_counter()
        if captured_at - self._followed_at >= FOLLOW_SECONDS:
            self._followed_at = captured_at
            self._follow()
        try:
            shot = self._capture.grab(self._monitor)
        except Exception as error:  # noqa: BLE001  mss raises its own, and what ctypes or the X server brings up
            raise SourceError(
                f"The screen cannot be captured ({error})", "Check that it is on and that the desktop is not locked"
            ) from None
        bgra = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
        cv2 = opencv.load()
        return Shot(split(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB), self._layout), captured_at, stands=True)

    def skip(self) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(Exception):  # when the display went away before us, nothing is left to close
            self._capture.close()

    def _follow(self) -> None:
        """Take up the screen as it is set now; mss itself asks once. Raises `SourceError` if it has gone."""
        now = _open(self._cursor)
        try:
            monitor = self._choose(now)
            if monitor != self._monitor:
                self._capture, self._monitor, now = now, monitor, self._capture
        finally:
            with contextlib.suppress(Exception):
                now.close()

    def _choose(self, capture: Any) -> dict[str, int]:
        monitors, number = _monitors(capture), self._number
        if number is None:
            return next((m for m in monitors if m.get("is_primary")), monitors[0])
        if not 0 <= number < len(monitors):
            known = ", ".join(f"screen:{n} ({m['width']}x{m['height']})" for n, m in enumerate(monitors))
            raise SourceError(f"There is no screen:{number}", f"Known here: {known}")
        return monitors[number]


def _open(cursor: bool) -> Any:
    """An mss object for the calling thread."""
    refused = refusal()
    if refused:
        raise refused
    import mss

    try:
        # Only the Linux back end knows the option.
        return mss.MSS(with_cursor=cursor) if sys.platform.startswith("linux") else mss.MSS()
    except Exception as error:  # noqa: BLE001  as in `read`
        raise SourceError(f"The screen cannot be opened ({error})", "Check DISPLAY, or use another --source") from None


def _monitors(capture: Any) -> list[dict[str, int]]:
    try:
        monitors: list[dict[str, int]] = list(capture.monitors[1:])  # [0] is all of them together
    except Exception as error:  # noqa: BLE001  as in `read`
        raise SourceError(f"The screens cannot be listed ({error})", "Use another --source") from None
    if not monitors:
        raise SourceError("No screen is connected", "Connect one, or use another --source")
    return monitors
