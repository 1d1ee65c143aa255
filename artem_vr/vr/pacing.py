"""Decisions about frames in time: pure functions, with every time passed in, in seconds.

Nothing here reads a clock or waits, so that tests can drive it through any stall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LATE = 1e-3
"""Fraction of a period within which a frame still counts as on time: clocks have a grain."""


@dataclass(frozen=True)
class Slot:
    """A frame's turn: when it begins, and how many turns before it passed unused."""

    begins: float
    missed: int


def next_slot(previous: float | None, now: float, period: float) -> Slot:
    """The turn after the one that began at ``previous``, on a grid of ``period``.

    On time, it begins one period after the previous one. After a stall, the turns that passed are missed
    and not made up for: the next one begins at the first point of the grid that is not past, so that there
    is never a burst of frames. ``previous`` None means the first frame: now. A clock that went backwards
    begins anew too.
    """
    if previous is None or now < previous - period:
        return Slot(now, 0)
    turns = max(1, math.ceil((now - previous) / period - LATE))
    return Slot(previous + turns * period, turns - 1)


@dataclass(frozen=True)
class VsyncCount:
    """How many vsyncs were missed, counted from the runtime's report on its newest frame.

    A report is the number of the frame and how often the frame before it was shown again. The report on one
    frame is read several times, and grows, until the next frame's begins.
    """

    frame: int | None = None
    missed: int = 0
    of_this_frame: int = 0

    def updated(self, frame: int, dropped: int) -> VsyncCount:
        """The count after a report. The first report only marks the start; frame numbers wrap at 32 bits."""
        if self.frame is None:
            return VsyncCount(frame, 0, dropped)
        if frame == self.frame:
            more = max(0, dropped - self.of_this_frame)
            return VsyncCount(frame, self.missed + more, max(dropped, self.of_this_frame))
        if (frame - self.frame) % 2**32 >= 2**31:
            return self  # an older frame than one already counted
        return VsyncCount(frame, self.missed + max(0, dropped), dropped)


def displayed_after(vsync_to_photons: float, since_vsync: float, period: float) -> float:
    """Seconds from now until the frame being drawn is seen.

    The next vsync, ``period - since_vsync`` from now, begins to scan the picture out; ``vsync_to_photons``
    later it shines.
    """
    return max(0.0, period - min(max(since_vsync, 0.0), period)) + max(0.0, vsync_to_photons)
