"""A stylizer whose engine is still being got ready.

Importing torch or OpenVINO takes a second or two: a thread does it while the window, the headset
and the source are opened. Until then there are simply no paintings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from artem_vr.errors import ArtemError, EngineError
from artem_vr.installing import pip_install
from artem_vr.live.run_report import PaintingLog
from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.stylize.engines.base import Engine
from artem_vr.stylize.resolution import Size
from artem_vr.stylize.stylizer import PaintedFrame, Stylizer, StylizerState

RETRY_SECONDS = 0.02
"""How often the first frame is offered to a painter that is not ready."""


class HeldFrames(Mailbox[StereoFrame]):
    """Frames of a film that shall all be painted: the first one is kept until the painter is ready for it.

    Without this the film would run on, frame after frame thrown away, and take the CPU that the
    preparation needs.
    """

    def __init__(self, frames: Mailbox[StereoFrame], log: PaintingLog) -> None:
        super().__init__()
        self._frames, self._log = frames, log
        self._first: StereoFrame | None = None

    def take(self, timeout: float = 0.0) -> StereoFrame | None:
        """The first frame again and again, unhurriedly, until one is painted; then the newest."""
        if self._first is not None and not self._log.distinct:
            time.sleep(min(timeout, RETRY_SECONDS))
            return self._first
        frame = self._frames.take(timeout)
        if self._first is None:
            self._first = frame
        return frame


class WatchedFrames(Mailbox[StereoFrame]):
    """Frames that are there only while somebody looks: else the stylizer rests, and its GPU is another's.

    But for those before the first painting: whoever puts on a headset that lay there finds a painter that is ready.
    """

    def __init__(self, frames: Mailbox[StereoFrame], watched: threading.Event, log: PaintingLog) -> None:
        super().__init__()
        self._frames, self._watched, self._log = frames, watched, log

    def take(self, timeout: float = 0.0) -> StereoFrame | None:
        """The newest frame; after a rest the newest of then."""
        if not self._log.distinct or self._watched.wait(timeout):
            return self._frames.take(timeout)
        return None


class LateStylizer:
    """`painted` and `state` as a `Stylizer` has them, from the first moment on."""

    def __init__(self, make_engine: Callable[[], Engine], painted: Mailbox[PaintedFrame] | None = None) -> None:
        """``make_engine`` begins at once, in a thread of this object. ``painted``: where paintings shall go."""
        self.painted: Mailbox[PaintedFrame] = painted or Mailbox()
        """The newest painting; empty until the engine is there."""
        self._make_engine = make_engine
        self._make_stylizer: Callable[[Engine], Stylizer] | None = None
        self._stylizer: Stylizer | None = None
        self._failure: ArtemError | None = None
        self._eye_size: Size | None = None  # that came before the stylizer
        self._go = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._prepare, name="engine", daemon=True)
        self._thread.start()

    def start(self, make_stylizer: Callable[[Engine], Stylizer]) -> None:
        """Begin to paint, with ``make_stylizer(engine)``, as soon as the engine is there."""
        self._make_stylizer = make_stylizer
        self._go.set()

    def state(self) -> StylizerState | None:
        """The stylizer's state; None until the engine is there."""
        return None if self._stylizer is None else self._stylizer.state()

    def recommend(self, eye_size: Size) -> None:
        """As `Stylizer.recommend`."""
        self._eye_size = eye_size
        if self._stylizer is not None:
            self._stylizer.recommend(eye_size)

    def check(self) -> None:
        """Raises the `ArtemError` for which there is no engine, if so."""
        if self._failure is not None:
            raise self._failure

    def stop(self, timeout: float = 2.0) -> bool:
        """End it. False when something hangs: its daemon threads are then left behind."""
        self._stopping = True
        self._go.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        return self._stylizer is None or self._stylizer.stop(timeout)

    def _prepare(self) -> None:
        try:
            engine = self._make_engine()
            self._go.wait()
            if self._stopping or self._make_stylizer is None:
                return
            stylizer = self._make_stylizer(engine)
            stylizer.painted = self.painted
            stylizer.start()
            self._stylizer = stylizer
            if self._eye_size is not None:
                stylizer.recommend(self._eye_size)
        except ArtemError as error:
            self._failure = error
        except ModuleNotFoundError as error:
            self._failure = EngineError(f"The library {error.name} is missing", f"Install it: {pip_install()}")
        except ImportError as error:
            self._failure = EngineError(f"A library does not start ({error})", "artem-vr doctor says what is missing")
        except Exception as error:  # noqa: BLE001 (a broken installation must not leave a window that waits for ever)
            self._failure = EngineError(f"No engine starts ({type(error).__name__}: {error})", "Try --engine torch")
