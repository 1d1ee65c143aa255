"""The thread that reads a source: newest frame in a mailbox, reopening, and a watch over readings that hang."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from artem_vr.errors import ArtemError, SourceError
from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.sources.pacing import is_of_use, next_turn, pause
from artem_vr.sources.source import FinalSourceError, Rest, Shot, Source

Kind = Literal["opening", "live", "stale", "ended", "failed"]
_MOST_ABANDONED = 4  # threads that hang in a driver and cannot be ended; more are not risked
# how often a reader that waits for eyes, and on Windows one that sleeps, looks whether it is to end
_HELD_SECONDS, _SLEPT_SECONDS = 0.1, 0.05


@dataclass(frozen=True)
class FeedState:
    """How the source is doing.

    ``opening``: no frame yet. ``live``: frames come. ``stale``: they came, but not now; the last one is old.
    ``ended``: the file is over. ``failed``: it will not come back. ``message``: why, in one line, or empty.
    ``since``: the clock's time (s) when this began; for ``stale`` that of the last frame. ``width``, ``height``: of
    one eye, in pixels; ``eyes``: 1 or 2; all 0 before the first frame. ``fps``: measured over the last frames, 0
    where unknown.
    """

    kind: Kind
    message: str
    since: float
    width: int
    height: int
    eyes: int
    fps: float


class _HandedOver(Mailbox[StereoFrame]):
    """A mailbox that tells when it was emptied, and when its taker will come again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.taken = threading.Event()
        self._clock = clock
        self._asked_at: float | None = None  # since when the taker waits
        self._taken_at = 0.0
        self._working: deque[float] = deque(maxlen=3)
        """For how many seconds the taker was busy with the last frames, before it asked for another."""

    def take(self, timeout: float = 0.0) -> StereoFrame | None:
        asked_at = self._clock() if self._asked_at is None else self._asked_at
        self._asked_at = asked_at
        item = super().take(timeout)
        if item is not None:
            if self._taken_at:
                self._working.append(asked_at - self._taken_at)
            self._taken_at, self._asked_at = self._clock(), None
            self.taken.set()
        return item

    @property
    def expected_at(self) -> float | None:
        """When the taker will ask again, at the earliest; None while it waits, and where it never took two."""
        working = min(self._working, default=0.0)
        return self._taken_at + working if working and self._asked_at is None else None

    @property
    def waits(self) -> bool:
        """Whether there is an item."""
        return self._item is not None


class Feed:
    """Reads the source that ``source_factory`` opens, in a thread of its own.

    ``frames`` has the newest frame, ``latest`` keeps it also after it was taken. A live source that fails is opened
    again with growing pauses (0.5, 1, 2, 4, 8 s), one that rests is read on; a reading that hangs is abandoned and
    the source opened by a new thread. An error of a file, and a `FinalSourceError`, end it. With ``paced`` False
    every frame of a file is delivered, each as soon as the one before was taken; else those of a source with a rate
    that nobody will come for in time are not read: reading takes what painting needs. While ``watched`` is not set
    nobody looks: after its first frame a file waits; a live source goes on, as life does. ``clock`` gives seconds;
    ``sleep`` waits so long, and returns early and True when the feed is to stop.
    """

    def __init__(
        self,
        source_factory: Callable[[], Source],
        clock: Callable[[], float] = time.perf_counter,
        *,
        paced: bool = True,
        watched: threading.Event | None = None,
        sleep: Callable[[float], bool] | None = None,
        stale_after: float = 1.0,
        read_patience: float = 6.0,
        open_patience: float = 30.0,
        watch_every: float | None = 0.25,
    ) -> None:
        self.frames: Mailbox[StereoFrame] = _HandedOver(clock)
        self.latest: StereoFrame | None = None
        self._factory, self._clock, self._paced = source_factory, clock, paced
        self._stale_after, self._read_patience, self._open_patience = stale_after, read_patience, open_patience
        self._watch_every = watch_every
        self._watched = watched or _always()
        self._stop = threading.Event()
        exact = sys.platform == "win32"
        self._sleep = sleep or (partial(_sleep_exactly, self._stop) if exact else self._stop.wait)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._reader: _Reader | None = None
        self._abandoned: list[_Reader] = []
        self._begun = clock()
        self._sequence = 0
        self._times: deque[float] = deque(maxlen=31)
        self._first_at = 0.0  # when the present run of frames began
        self._last_at: float | None = None
        self._failures = 0
        self._error: ArtemError | None = None
        self._rest = ""  # why no picture is due
        self._over: Literal["ended", "failed"] | None = None
        self._over_at = 0.0

    def start(self) -> None:
        """Begin to read. A feed runs once."""
        self._begun = self._clock()
        with self._lock:
            self._start_reader()
        if self._watch_every is not None:
            threading.Thread(target=self._watch, name="feed watch", daemon=True).start()

    def stop(self, timeout: float = 2.0) -> bool:
        """End the reading. True when the thread ended within ``timeout`` seconds; else it is left behind."""
        self._stop.set()
        self._handed_over().taken.set()
        with self._lock:
            self._changed.notify_all()
            reader = self._reader
        if reader is None:
            return True
        reader.thread.join(timeout)
        return not reader.thread.is_alive()

    def wait_first(self, timeout: float) -> bool:
        """Wait until the first frame is there (True) or ``timeout`` seconds are over (False).

        Raises the source's error when its first opening or reading failed, so that a command can end with it.
        """
        with self._lock:
            self._changed.wait_for(self._first_known, timeout)
            if self.latest is None and self._error is not None:
                raise self._error
            return self.latest is not None

    def _first_known(self) -> bool:
        return self.latest is not None or self._error is not None or self._over is not None or self._stop.is_set()

    def state(self) -> FeedState:
        """How things are now; quick, for any thread."""
        with self._lock:
            now = self._clock()
            kind, message, since = self._kind(now)
            shape = self.latest.eyes.shape if self.latest else (0, 0, 0, 0)
            span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
            fps = (len(self._times) - 1) / span if span > 0 and kind == "live" else 0.0
        return FeedState(kind, message, since, shape[2], shape[1], shape[0], fps)

    def check(self) -> None:
        """Abandon a reading that hangs, and begin anew (the watching thread calls this)."""
        with self._lock:
            reader, now = self._reader, self._clock()
            if reader is None or reader.busy_since is None or self._over or self._stop.is_set():
                return
            if reader.source is not None and not reader.source.live:
                return  # a slow disk is waited for
            patience = self._open_patience if reader.source is None else self._read_patience
            self._abandoned = [old for old in self._abandoned if old.thread.is_alive()]
            if now - reader.busy_since <= patience or len(self._abandoned) >= _MOST_ABANDONED:
                return
            self._abandoned.append(reader)
            self._note(SourceError("The source does not answer", "Check its cable or network"))
            self._start_reader()

    def _watch(self) -> None:
        assert self._watch_every is not None
        while not self._stop.wait(self._watch_every):
            self.check()

    def _start_reader(self) -> None:
        self._reader = _Reader(self)
        self._reader.thread.start()

    def _handed_over(self) -> _HandedOver:
        assert isinstance(self.frames, _HandedOver)
        return self.frames

    def _kind(self, now: float) -> tuple[Kind, str, float]:
        message = str(self._error) if self._error else self._rest
        if self._over:
            return self._over, message, self._over_at
        if self._last_at is None:
            return "opening", message, self._begun
        # Not since the last frame: for as long as nobody came for another, or looked, none was read.
        busy_since = self._reader.busy_since if self._reader is not None else None
        silence = 0.0 if busy_since is None else now - busy_since
        if message or silence > self._stale_after:
            return "stale", message or f"No picture for {silence:.0f} s", self._last_at
        return "live", "", self._first_at

    def _note(self, error: ArtemError) -> None:
        """Remember why the source failed; the lock is held."""
        self._error, self._rest = error, ""
        self._failures += 1
        self._times.clear()
        self._changed.notify_all()

    def _finish(self, how: Literal["ended", "failed"]) -> None:
        self._over, self._over_at = how, self._clock()
        self._changed.notify_all()

    def _deliver(self, shot: Shot, now: float) -> None:
        """Put a frame into the mailbox; the lock is held."""
        at = now if shot.captured_at is None else shot.captured_at
        eyes = np.ascontiguousarray(shot.eyes)
        frame = StereoFrame(eyes, at, self._sequence, shot.camera_poses, shot.still, shot.stands, shot.span)
        self._sequence += 1
        if self._last_at is None or self._error is not None:
            self._first_at = now
        self._times.append(now)
        self._last_at, self._failures, self._error, self._rest = now, 0, None, ""
        self.latest = frame
        self._handed_over().taken.clear()
        self.frames.put(frame)
        self._changed.notify_all()


class _Reader:
    """One thread's reading of one feed. Once the feed has begun another, whatever this one still brings is dropped."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.source: Source | None = None
        self.busy_since: float | None = None  # when the opening or reading under way began
        self._reading = 0.0  # seconds that the last reading took
        self.thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def _wanted(self) -> bool:
        return self._feed._reader is self and not self._feed._stop.is_set()

    def _run(self) -> None:
        feed = self._feed
        while self._wanted():
            if feed._failures and feed._sleep(pause(feed._failures)):
                return
            if not self._wanted():
                return
            try:
                self._read_all()
            except ArtemError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001  a driver's surprise must not end the thread silently
                self._failed(SourceError(f"The source failed unexpectedly ({type(error).__name__}: {error})", ""))
            finally:
                self._close()
            if feed._over:
                return

    def _read_all(self) -> None:
        """Open the source and read it until it ends, fails, or is not wanted any more."""
        feed = self._feed
        self.busy_since = feed._clock()
        source = self.source = feed._factory()
        due: float | None = None
        while self._wanted():
            if self._held(source):
                due = None  # the tempo starts anew
                continue
            if source.rate and (feed._paced or source.live):
                self.busy_since = None
                turn = next_turn(due, feed._clock(), source.rate, may_skip=not source.live)
                if turn.wait > 0 and feed._sleep(turn.wait):
                    return
                due = turn.due
                self.busy_since = feed._clock()
                for _ in range(turn.skip):
                    source.skip()
                frames = feed._handed_over()
                if not is_of_use(due, source.rate, self._reading, frames.expected_at, frames.waits):
                    if not source.live:
                        source.skip()
                    continue
            elif not feed._paced and not source.live and feed.latest is not None:
                self.busy_since = None
                while self._wanted() and not feed._handed_over().taken.wait(1.0):
                    pass
            begun = self.busy_since = feed._clock()
            shot = source.read()
            self._reading = feed._clock() - begun
            if not self._accept(shot):
                return

    def _held(self, source: Source) -> bool:
        """Wait with a file until somebody looks; False where there was nothing to wait for."""
        feed = self._feed
        if source.live or feed.latest is None or feed._watched.is_set():
            return False
        self.busy_since = None
        while self._wanted() and not feed._watched.wait(_HELD_SECONDS):
            pass
        return True

    def _accept(self, shot: Shot | Rest | None) -> bool:
        feed = self._feed
        with feed._lock:
            if not self._wanted():
                return False
            if shot is None and not (self.source and self.source.live):
                feed._finish("ended")
                return False
            if shot is None:
                raise SourceError("The source has ended", "Check that it still runs")
            if isinstance(shot, Rest):
                feed._rest, feed._error, feed._failures = shot.reason, None, 0
                return True
            feed._deliver(shot, feed._clock())
            return True

    def _failed(self, error: ArtemError) -> None:
        feed = self._feed
        self.busy_since = None
        with feed._lock:
            if not self._wanted():
                return
            feed._note(error)
            if isinstance(error, FinalSourceError) or (self.source is not None and not self.source.live):
                feed._finish("failed")

    def _close(self) -> None:
        source, self.busy_since = self.source, None
        self.source = None
        if source is not None:
            with contextlib.suppress(Exception):  # closing is a courtesy: nothing depends on it
                source.close()


def _sleep_exactly(stop: threading.Event, seconds: float) -> bool:
    """Wait so long, or until ``stop`` is set, with a look at it now and then; whether it is.

    Windows lets its own wait end at a tick of 15.6 ms, which is most of a frame; it wakes a sleeper by a finer clock.
    """
    until = time.perf_counter() + seconds
    while not stop.is_set() and (left := until - time.perf_counter()) > 0:
        time.sleep(min(left, _SLEPT_SECONDS))
    return stop.is_set()


def _always() -> threading.Event:
    """Somebody looks all the time."""
    event = threading.Event()
    event.set()
    return event
