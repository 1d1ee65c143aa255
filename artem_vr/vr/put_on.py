"""When a headset is put on: decided from where it is and whether it is used, alone.

Nothing here asks a runtime or reads a clock: poses are in tracking space, times are in seconds and passed in.
"""

from __future__ import annotations

import numpy as np

from artem_vr.vr.poses import Matrix

SETTLING = 3.0
"""Seconds during which the screen follows the head: a headset wakes when it is picked up, and is put on a little
later."""
WATCHED = 3.0
"""Seconds after waking within which a headset that is picked up has moved."""
PICKED_UP = 0.25
"""Metres from where it slept: a head that lies still moves less when it turns, a headset that is taken up more."""


class PutOn:
    """Tells a headset that is put on from one that wakes on a wearer's head.

    A headset that wakes and goes away from where it slept is being put on: the screen is to follow it for `SETTLING`
    seconds. One that stays there was worn all along, by somebody who lay still: the screen stays as well. A headset
    that nobody uses at the start sleeps where it is then, however often it is nudged, until it is put on.
    """

    def __init__(self) -> None:
        self._seen = False  # any pose
        self._used: bool | None = None
        self._sleeping = self._unworn = False
        self._slept_at: Matrix | None = None
        self._woken = False  # since the last pose
        self._watched_until: float | None = None
        self._follows_until = float("-inf")

    def use(self, used: bool | None) -> None:
        """Whether somebody uses the headset now (None: that is unknown); to be told a few times a second."""
        if used and self._used is False:
            self.wake()
        self._used = used

    def sleep(self, head: Matrix | None) -> None:
        """The headset falls asleep at ``head``, its last pose; None: it never had one."""
        self._sleeping, self._slept_at = True, head
        self._woken, self._watched_until = False, None

    def wake(self) -> None:
        """The headset wakes up; of one that is awake it means nothing."""
        self._woken = self._sleeping

    def follows(self, head: Matrix, now: float) -> bool:
        """Whether the screen is to be put before ``head`` now. To be told of every pose that is tracked."""
        if not self._seen and not self._used:
            self._sleeping, self._slept_at, self._unworn = True, head, True
        self._seen = True
        if self._woken:  # only now: it may have woken long before it is tracked
            self._woken, self._watched_until = False, now + WATCHED
        if self._watched_until is not None:
            self._watch(head, now, self._watched_until)
        return now < self._follows_until

    def _watch(self, head: Matrix, now: float, until: float) -> None:
        """Decide, of a headset that has woken, what has become of it."""
        if self._slept_at is None or _distance(head, self._slept_at) > PICKED_UP:
            self._follows_until = now + SETTLING
            self._sleeping = self._unworn = False
            self._watched_until = None
        elif now >= until:
            self._sleeping = self._unworn
            self._watched_until = None


def _distance(one: Matrix, other: Matrix) -> float:
    return float(np.linalg.norm(one[:3, 3] - other[:3, 3]))
