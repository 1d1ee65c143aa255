"""Poses and projections as matrices: pure numpy, 4x4 for column vectors, metres, +y up, -z forward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]

NEAR, FAR = 0.05, 100.0
"""Metres: nearer than a screen anyone can bear, farther than any we place."""


def from_rows(rows: npt.ArrayLike) -> Matrix:
    """(3, 4) rows, as runtimes give them, to (4, 4) float32."""
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3] = np.asarray(rows, np.float32).reshape(3, 4)
    return matrix


def is_rigid(matrix: Matrix, tolerance: float = 1e-2) -> bool:
    """Whether ``matrix`` is a finite rotation and shift: what a pose must be before it is used."""
    if not np.isfinite(matrix).all():
        return False
    turn = matrix[:3, :3].astype(np.float64)
    return bool(np.abs(turn @ turn.T - np.eye(3)).max() < tolerance and np.linalg.det(turn) > 0)


def inverse(pose: Matrix) -> Matrix:
    """The inverse of a rotation and shift."""
    turn = pose[:3, :3].astype(np.float64).T
    result = np.eye(4)
    result[:3, :3] = turn
    result[:3, 3] = -turn @ pose[:3, 3].astype(np.float64)
    return result.astype(np.float32)


def product(first: Matrix, second: Matrix) -> Matrix:
    """``first @ second`` in double precision, so that chains of poses do not drift."""
    return (first.astype(np.float64) @ second.astype(np.float64)).astype(np.float32)


def levelled(pose: Matrix) -> Matrix:
    """The pose at the same place, turned the same way about the vertical, but level.

    Looking straight up or down, the way is that of the top of the head instead.
    """
    forward = -pose[:3, 2].astype(np.float64)
    if math.hypot(forward[0], forward[2]) < 1e-3:
        forward = pose[:3, 1].astype(np.float64) * (1.0 if forward[1] < 0 else -1.0)
    return yaw_pitch(math.atan2(-forward[0], -forward[2]), 0.0, tuple(pose[:3, 3]))


def yaw_pitch(yaw: float, pitch: float, position: Sequence[float] = (0.0, 0.0, 0.0)) -> Matrix:
    """A head at ``position``, turned ``yaw`` radians to the left and ``pitch`` radians up."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = [[cy, sy * sp, sy * cp], [0.0, cp, -sp], [-sy, cy * sp, cy * cp]]
    matrix[:3, 3] = position
    return matrix


def translation(x: float, y: float, z: float) -> Matrix:
    """A shift, in metres."""
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, 3] = (x, y, z)
    return matrix


def projection(left: float, right: float, bottom: float, top: float, near: float = NEAR, far: float = FAR) -> Matrix:
    """Eye space to OpenGL's clip space (depth -1..1).

    ``left`` to ``top`` are the tangents of the angles from straight ahead: left and bottom usually negative.
    """
    width, height = right - left, top - bottom
    return np.array(
        [
            [2 / width, 0.0, (right + left) / width, 0.0],
            [0.0, 2 / height, (top + bottom) / height, 0.0],
            [0.0, 0.0, -(far + near) / (far - near), -2 * far * near / (far - near)],
            [0.0, 0.0, -1.0, 0.0],
        ],
        np.float32,
    )
