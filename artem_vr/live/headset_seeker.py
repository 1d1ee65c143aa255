"""Looks for the headset while the window goes on: SteamVR was started later, or has come back.

Starting it takes seconds, in which a frame must not wait: a thread of its own does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from artem_vr.errors import ArtemError, HeadsetError
from artem_vr.vr.headset import Headset


class HeadsetSeeker:
    """One search at a time. All but the opening itself is the render thread's, and never waits."""

    def __init__(self, open_headset: Callable[[], Headset]) -> None:
        """``open_headset`` raises `ArtemError` where there is none."""
        self._open = open_headset
        self._thread: threading.Thread | None = None
        self._found: Headset | ArtemError | None = None
        self._stopping = False
        self._lock = threading.Lock()

    def seek(self) -> None:
        """Begin to look, unless that is being done, or was and nobody has asked yet what came of it."""
        if self._found is None and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="headset", daemon=True)
            self._thread.start()

    def found(self) -> Headset | ArtemError | None:
        """What came of it, once: the headset, which is the caller's now, or why there is none. Else None."""
        with self._lock:
            found, self._found = self._found, None
        return found

    def stop(self, timeout: float = 2.0) -> bool:
        """End it; a headset that nobody took is given back. False where SteamVR hangs: the thread is left behind."""
        with self._lock:
            self._stopping = True
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        unwanted = self.found()
        if unwanted is not None and not isinstance(unwanted, ArtemError):
            unwanted.close()
        return True

    def _run(self) -> None:
        found: Headset | ArtemError
        try:
            found = self._open()
        except ArtemError as error:
            found = error
        except Exception as error:  # noqa: BLE001 (whatever a runtime does, the window goes on)
            found = HeadsetError(f"SteamVR does not start ({type(error).__name__}: {error})", "Restart SteamVR")
        with self._lock:
            if not self._stopping:
                self._found = found
                return
        if not isinstance(found, ArtemError):
            found.close()
