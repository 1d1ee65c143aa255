"""Which hands hold a controller: one that was put down goes on being tracked, but points at nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from artem_vr.vr.headset import Matrix

IN_USE_SECONDS = 5.0
"""A hand that kept still so long holds nothing."""
STILL = 0.01
"""Metres: how far a point a metre ahead of a controller may stray while it lies; in a hand it never keeps so still."""


class HandsInUse:
    """Watches the hands, and tells which of them moved in the last `IN_USE_SECONDS`."""

    def __init__(self) -> None:
        self._rests: dict[str, tuple[Matrix, float]] = {}
        """By hand: where it pointed when it was last seen to move, and when that was."""

    def of(self, poses: Mapping[str, Matrix], now: float) -> dict[str, Matrix]:
        """Those of ``poses`` (hand-to-tracking, by hand) that count at ``now`` (seconds); to be asked at every vsync.

        A hand that was not tracked before counts from its first movement on.
        """
        rests = {}
        for hand, pose in poses.items():
            ahead = pose[:3, 3] - pose[:3, 2]
            place, moved_at = self._rests.get(hand, (ahead, float("-inf")))
            moved = bool(np.linalg.norm(ahead - place) > STILL)
            rests[hand] = (ahead, now) if moved else (place, moved_at)
        self._rests = rests
        return {hand: pose for hand, pose in poses.items() if now - rests[hand][1] < IN_USE_SECONDS}
