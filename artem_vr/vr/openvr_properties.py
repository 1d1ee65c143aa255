"""Properties of tracked devices, with an answer also where the runtime has none.

Runtimes differ in what they know of a device, and pyopenvr raises for everything unknown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvr

from artem_vr.vr.openvr_errors import FAILURES
from artem_vr.vr.poses import Matrix, from_rows

HMD = openvr.k_unTrackedDeviceIndex_Hmd


class Properties:
    """Asks one `IVRSystem`."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def text(self, device: int, which: int, default: str = "") -> str:
        try:
            return str(self._system.getStringTrackedDeviceProperty(device, which)).strip() or default
        except FAILURES:  # UnicodeDecodeError is a ValueError
            return default

    def number(self, device: int, which: int, default: float, lowest: float, highest: float) -> float:
        """A float property; ``default`` where it is unknown or beyond what makes sense."""
        try:
            value = float(self._system.getFloatTrackedDeviceProperty(device, which))
        except FAILURES:
            return default
        return value if lowest <= value <= highest else default  # also for NaN

    def integer(self, device: int, which: int, default: int) -> int:
        try:
            return int(self._system.getInt32TrackedDeviceProperty(device, which))
        except FAILURES:
            return default

    def matrices(self, device: int, which: int, most: int = 8) -> list[Matrix]:
        """A property that is an array of poses; empty where it is unknown."""
        rows = (openvr.HmdMatrix34_t * most)()
        tag = openvr.k_unHmdMatrix34PropertyTag
        try:
            size = self._system.getArrayTrackedDeviceProperty(device, which, tag, rows, _size(rows))
        except FAILURES:
            return []
        return [rows_to_matrix(rows[i]) for i in range(min(most, size // _size(rows[0])))]


def rows_to_matrix(rows: Any) -> Matrix:
    """``HmdMatrix34_t`` -> (4, 4) float32."""
    return from_rows(np.array(rows.m, np.float32))


def _size(structure: Any) -> int:
    return memoryview(structure).nbytes
