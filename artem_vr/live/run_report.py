"""What a run did, in figures: gathered while it runs, printed as one JSON line by ``run --frames N``."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from artem_vr.mailbox import Mailbox

KEPT = 100_000
"""Samples of each kind that are kept: eighteen minutes at 90 Hz; of a longer run, the latest."""


class Numbered(Protocol):
    """What carries the number of its source frame."""

    @property
    def sequence(self) -> int: ...


class Painting(Protocol):
    """As much of `artem_vr.stylize.stylizer.PaintedFrame` as is counted."""

    @property
    def source(self) -> Numbered: ...
    @property
    def painted_at(self) -> float: ...
    @property
    def other(self) -> object: ...


class PaintingLog(Mailbox[Any]):
    """The stylizer's mailbox, counting the *distinct* source frames that were painted, shown or not.

    Counts up to ``limit`` (0: no limit), so that a run of N frames is measured over N frames; a frame that shall also
    be painted in another style (``in_two`` says so now) once it is.
    """

    def __init__(self, limit: int = 0, in_two: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self.limit, self._in_two = limit, in_two
        self.newest: int | None = None
        """Number of the source frame that was painted last."""
        self.distinct = 0
        self.first_at = self.last_at = 0.0

    def put(self, item: Painting) -> None:
        """Called by the painting thread only."""
        whole = not (self.limit and self._in_two()) or item.other is not None
        if whole and item.source.sequence != self.newest and not self.full:
            self.last_at = item.painted_at
            if not self.distinct:
                self.first_at = item.painted_at
            self.distinct += 1
            self.newest = item.source.sequence  # last: who sees it sees it counted
        super().put(item)

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return 0 < self.limit <= self.distinct

    def per_second(self) -> float:
        """Distinct source frames painted a second, from the first one on (so without start-up)."""
        seconds = self.last_at - self.first_at
        return (self.distinct - 1) / seconds if seconds > 0 else 0.0


class RunMeter:
    """Gathers the figures of one run. Times are seconds of one clock; only the render thread calls."""

    def __init__(self, started_at: float, log: PaintingLog | None = None) -> None:
        self.log = log or PaintingLog()
        self._started_at = started_at
        self._render: deque[float] = deque(maxlen=KEPT)
        self._latency: deque[float] = deque(maxlen=KEPT)
        self._first_shown_at: float | None = None
        self._first_late: float | None = None
        """Of the first painting, which waited for the engine: of use only where there is no other."""
        self.shown = 0

    def rendered(self, seconds: float) -> None:
        """One turn of the render loop took ``seconds`` of work, waiting for the vsync left out."""
        self._render.append(seconds)

    def displayed(self, shown_at: float, late: float | None) -> None:
        """A painting was first handed to the display, ``late`` seconds after its frame was captured; None: that is of
        no meaning."""
        if self._first_shown_at is None:
            self._first_shown_at, self._first_late = shown_at, late
        elif late is not None:
            self._latency.append(late)
        self.shown += 1

    def report(self, missed_vsyncs: int = 0, **facts: Any) -> dict[str, Any]:
        """The figures, and ``facts`` (device, engine, style ...) beside them, ready for JSON.

        Milliseconds and megabytes (10^6 bytes) are rounded; a figure without samples is None.
        """
        latency = self._latency or [late for late in (self._first_late,) if late is not None]
        startup = None if self._first_shown_at is None else self._first_shown_at - self._started_at
        figures = {
            "frames": self.log.distinct,
            "shown": self.shown,
            "stylized_fps": round(self.log.per_second(), 2),
            "render_ms_p50": _milliseconds(self._render, 50),
            "render_ms_p95": _milliseconds(self._render, 95),
            "render_ms_p99": _milliseconds(self._render, 99),
            "renders": len(self._render),
            "missed_vsyncs": missed_vsyncs,
            "latency_ms_p50": _milliseconds(latency, 50),
            "latency_ms_p95": _milliseconds(latency, 95),
            "startup_s": None if startup is None else round(startup, 2),
            "peak_memory_mb": peak_memory_mb(),
        }
        return figures | facts


def one_line(report: dict[str, Any]) -> str:
    """The report as one line of JSON."""
    return json.dumps(report, ensure_ascii=True, default=str)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that ``percent`` per cent of the samples do not exceed. Needs one sample."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)  # ceiling
    return ordered[min(max(int(rank), 1), len(ordered)) - 1]


def _milliseconds(samples: Sequence[float], percent: float) -> float | None:
    return round(1000 * percentile(samples, percent), 2) if samples else None


def peak_memory_mb() -> float | None:
    """The most resident memory that this process ever had, in 10^6 bytes; None where it is not told.

    Linux's own ``VmHWM`` and not ``getrusage``: the latter's peak is inherited from the parent.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        pass
    if sys.platform == "win32":
        return _windows_peak_memory_mb()
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def _windows_peak_memory_mb() -> float | None:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [
            ("cb", wintypes.DWORD),
            ("page_fault_count", wintypes.DWORD),
            ("peak_working_set_size", ctypes.c_size_t),
            *((f"unused{n}", ctypes.c_size_t) for n in range(7)),
        ]

    counters = Counters(cb=ctypes.sizeof(Counters))
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    ask = kernel.K32GetProcessMemoryInfo
    ask.argtypes = [wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD]
    if not ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
        return None
    return round(counters.peak_working_set_size / 1e6, 1)
