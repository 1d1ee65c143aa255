"""Where things are: meshes and matrices, in NumPy alone.

Metres; x to the right, y up, -z forward. Matrices are (4, 4) float32 for column vectors:
``place_there = matrix @ place_here``, and a matrix called a_to_b takes a's coordinates to b's.
Mesh vertices are (N, 5) float32 rows ``x, y, z, u, v`` of one triangle strip; u = 0 is the left edge of
the picture and v = 0 the bottom edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Vertices = npt.NDArray[np.float32]

HIGHEST = 0.65
"""Of a screen's width: how high a picture is at most, so that an upright one is seen without raising one's head."""
FAR_AWAY = 30.0
"""Metres beyond which eyes look straight ahead, as far as anyone can tell."""
FILLING_DISTANCE = 2.0
"""Metres from a window's eyes to the screen that fills it."""
_COLUMNS = 64
_WIDEST_ARC = 1.5 * math.pi


@dataclass(frozen=True)
class Screen:
    """A virtual screen, upright in front of the viewer. Its height follows from the picture's aspect."""

    distance: float = 2.0
    """Metres from the viewer to the screen's middle, more than 0."""
    width: float = 2.8
    """Metres from edge to edge along the screen, more than 0."""
    curvature: float = 0.3
    """0: flat. 1: part of a cylinder around the viewer. Between: of a cylinder with the radius distance / curvature."""
    elevation: float = 0.0
    """Metres of the screen's middle above the viewer's eyes."""


def narrowed(screen: Screen, aspect: float) -> Screen:
    """``screen``, or as much of its width as leaves a picture of ``aspect`` no higher than `HIGHEST`."""
    return replace(screen, width=min(screen.width, HIGHEST * screen.width * aspect))


def filling(aspect: float, projection: Matrix, fill: float = 0.96) -> Screen:
    """A flat screen on which a picture of ``aspect`` fills that share of a symmetric view: that of a window.

    What settings say of the screen is for a headset. From here a curved one would not fit, and eyes, which lie apart in
    a window, too, would look past a small one.
    """
    across, up = 1 / float(projection[0, 0]), 1 / float(projection[1, 1])  # tangents of half the field
    return Screen(FILLING_DISTANCE, 2 * fill * FILLING_DISTANCE * min(across, aspect * up), curvature=0.0)


def screen_mesh(screen: Screen, aspect: float) -> Vertices:
    """The screen for a picture of ``aspect`` = width / height, seen from the origin along -z.

    A screen too wide for its curvature is bent less, at most to three quarters of a circle.
    """
    if screen.distance <= 0 or screen.width <= 0 or not 0 <= screen.curvature <= 1 or aspect <= 0:
        raise ValueError(f"not a screen: {screen}, aspect {aspect}")
    columns = _COLUMNS if screen.curvature else 1
    u = np.linspace(0.0, 1.0, columns + 1)
    along = (u - 0.5) * screen.width
    x, z = along, np.full_like(along, -screen.distance)
    if screen.curvature:
        radius = _radius(screen)
        angle = along / radius
        x = radius * np.sin(angle)
        z = -screen.distance + radius * (1.0 - np.cos(angle))  # the edges come towards the viewer
    half_height = screen.width / aspect / 2.0
    vertices = np.empty((2 * (columns + 1), 5), np.float32)
    for row, (v, side) in enumerate(((1.0, half_height), (0.0, -half_height))):
        vertices[row::2, 0] = x
        vertices[row::2, 1] = screen.elevation + side
        vertices[row::2, 2] = z
        vertices[row::2, 3] = u
        vertices[row::2, 4] = v
    return vertices


def _radius(screen: Screen) -> float:
    """Metres, of the cylinder that a screen with a curvature is part of."""
    return max(screen.distance / screen.curvature, screen.width / _WIDEST_ARC)


def pointed_at(
    screen: Screen, aspect: float, origin: npt.ArrayLike, direction: npt.ArrayLike
) -> tuple[float, float] | None:
    """Where a ray meets the screen of `screen_mesh`: 0..1 over the picture, (0, 0) its top left corner.

    Beyond the picture's edges the screen goes on: values outside 0..1 are places beside it. None for a ray
    that never meets it.
    """
    met = _meeting(screen, origin, direction)
    if met is None:
        return None
    t, along = met
    up = float(np.asarray(origin)[1]) + t * float(np.asarray(direction)[1])
    return along / screen.width + 0.5, 0.5 - (up - screen.elevation) / (screen.width / aspect)


def distance_ahead(screen: Screen, head: Matrix) -> float:
    """Metres from the ``head`` straight ahead to the screen, which goes on beyond its edges; inf where it is not."""
    met = _meeting(screen, head[:3, 3], -head[:3, 2])
    return math.inf if met is None else met[0]


def _meeting(screen: Screen, origin: npt.ArrayLike, direction: npt.ArrayLike) -> tuple[float, float] | None:
    """Where a ray meets the screen: in lengths of ``direction``, and in metres along the screen from its middle."""
    (x, _, z), (dx, _, dz) = np.asarray(origin, np.float64), np.asarray(direction, np.float64)
    if screen.curvature:
        radius = _radius(screen)
        depth = z - (radius - screen.distance)  # from the cylinder's axis
        a, b, c = dx * dx + dz * dz, x * dx + depth * dz, x * x + depth * depth - radius * radius
        if a < 1e-12 or b * b < a * c:
            return None
        t = (math.sqrt(b * b - a * c) - b) / a  # the further of the two walls: viewers are inside
        along = radius * math.atan2(x + t * dx, -(depth + t * dz))
    elif abs(dz) < 1e-9:
        return None
    else:
        t = (-screen.distance - z) / dz
        along = x + t * dx
    return (float(t), float(along)) if t > 0 else None


def seen_as(pose: Matrix, screen_to_world: Matrix | None) -> Matrix:
    """A ``pose`` in the world as `pointed_at` wants it: in the coordinates of a screen that was placed there."""
    if screen_to_world is None:
        return pose
    return np.asarray(np.linalg.inv(screen_to_world.astype(np.float64)) @ pose, np.float32)


def rectangle(left: float, bottom: float, right: float, top: float, z: float = 0.0) -> Vertices:
    """A flat upright rectangle at depth ``z``."""
    corners = [(left, top, 0, 1), (left, bottom, 0, 0), (right, top, 1, 1), (right, bottom, 1, 0)]
    return np.array([(x, y, z, u, v) for x, y, u, v in corners], np.float32)


def projection(left: float, right: float, top: float, bottom: float, near: float = 0.05, far: float = 100.0) -> Matrix:
    """What an eye sees, as an OpenGL projection; ``near`` and ``far`` in metres.

    The sides are the tangents of the angles from straight ahead: left < 0 < right, bottom < 0 < top.
    (OpenVR's raw projection counts downwards: negate its top and bottom.)
    """
    width, height, depth = right - left, top - bottom, far - near
    return np.array(
        [
            [2 / width, 0, (right + left) / width, 0],
            [0, 2 / height, (top + bottom) / height, 0],
            [0, 0, -(far + near) / depth, -2 * far * near / depth],
            [0, 0, -1, 0],
        ],
        np.float32,
    )


def through(eye_projection: Matrix, x: float, y: float) -> tuple[float, float]:
    """Tangents (across, up) of the direction that an eye sees at (x, y) of its target, -1..1 each."""
    p = eye_projection.astype(np.float64)
    return float((x + p[0, 2]) / p[0, 0]), float((y + p[1, 2]) / p[1, 1])


def perspective(vertical_degrees: float, aspect: float, near: float = 0.05, far: float = 100.0) -> Matrix:
    """The symmetric projection of a desktop window of ``aspect`` = width / height."""
    top = math.tan(math.radians(vertical_degrees) / 2)
    return projection(-top * aspect, top * aspect, top, -top, near, far)


def translation(x: float, y: float, z: float) -> Matrix:
    """Moves by (x, y, z) metres."""
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, 3] = (x, y, z)
    return matrix


def view_projection(
    eye_projection: Matrix, head_to_world: Matrix, eye_to_head: Matrix, screen_to_world: Matrix | None = None
) -> Matrix:
    """From the screen's coordinates to an eye's clip coordinates.

    Everything is taken whole, rotations of ``eye_to_head`` (canted displays) included.
    ``screen_to_world`` says where the viewer's head was when the screen was placed; None: at the world's origin.
    """
    eye_to_world = head_to_world.astype(np.float64) @ eye_to_head
    seen = eye_projection @ np.linalg.inv(eye_to_world)
    return np.asarray(seen if screen_to_world is None else seen @ screen_to_world, np.float32)


def letterbox(width: int, height: int, aspect: float) -> tuple[int, int, int, int]:
    """The largest rectangle of ``aspect`` in the middle of ``width`` x ``height`` pixels: x, y, width, height."""
    if width <= 0 or height <= 0:
        return (0, 0, 0, 0)
    inner_width, inner_height = width, height
    if width > height * aspect:
        inner_width = max(1, round(height * aspect))
    else:
        inner_height = max(1, round(width / aspect))
    return ((width - inner_width) // 2, (height - inner_height) // 2, inner_width, inner_height)
