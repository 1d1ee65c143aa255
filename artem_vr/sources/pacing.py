"""When to read the next frame, and when to try again: decisions without a clock or a thread of their own."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_SKIPPED = 8  # frames passed over at once; beyond it the film waits for us, else a slow decoder would only skip


@dataclass(frozen=True)
class Turn:
    """What to do now: wait ``wait`` seconds, pass over ``skip`` frames, read one that was due at ``due`` (s)."""

    wait: float
    skip: int
    due: float


def next_turn(due: float | None, now: float, rate: float, may_skip: bool) -> Turn:
    """The turn after a frame that was due at ``due`` (None: there was none yet), at ``rate`` frames a second.

    A frame that is late by whole frame times is passed over (``may_skip``), so that a film keeps its tempo. Where
    that is not enough, or not allowed, the tempo starts anew from ``now``.
    """
    if due is None:
        return Turn(0.0, 0, now)
    period = 1.0 / rate
    coming = due + period
    if now <= coming:
        return Turn(coming - now, 0, coming)
    late = int((now - coming) / period)
    if late == 0:
        return Turn(0.0, 0, coming)
    if may_skip and late <= _MOST_SKIPPED:
        return Turn(0.0, late, coming + late * period)
    return Turn(0.0, 0, now)


def is_of_use(due: float, rate: float, reading: float, asked_at: float | None, another_waits: bool) -> bool:
    """Whether the frame due at ``due`` (s), of a source of ``rate`` a second, shall be read, which takes ``reading`` s.

    ``asked_at``: when somebody will ask for a frame, at the earliest; None: they wait, or nobody knows. A frame is of
    no use where the next one is there by then, too; nor where it comes just too late, and ``another_waits``.
    """
    if asked_at is None:
        return True
    there_at, just_missed = due + reading, due <= asked_at < due + reading
    return not (there_at + 1.0 / rate <= asked_at or (just_missed and another_waits))


def pause(failures: int) -> float:
    """Seconds to wait before another attempt, after ``failures`` (>= 1) in a row: 0.5, 1, 2, 4, then 8."""
    return min(0.5 * 2.0 ** min(max(failures, 1) - 1, 10), 8.0)
