"""Draws the still pieces of the demo's scene, once: noise, sky, mountains, balloon, tree, meadow.

A piece is a `Layer`: colour already multiplied by its opacity, and how much of what lies behind shows through.
Sizes are fractions of the picture's height, so that every size of picture shows the same scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.sources import opencv

Floats = npt.NDArray[np.floating[Any]]
Bytes = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Layer:
    """``colour`` (H, W, 3) uint8 RGB, premultiplied; ``through`` (H, W, 3) uint8: 255 where nothing of it is."""

    colour: Bytes
    through: Bytes


def layer(colour: Floats, opacity: Floats) -> Layer:
    """From (H, W, 3) colours 0..255 and (H, W) opacities 0..1."""
    return Layer(to_bytes(colour * opacity[..., None]), to_bytes(np.repeat(255 - 255 * opacity[..., None], 3, axis=2)))


def to_bytes(values: Floats) -> Bytes:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def noise(
    rng: np.random.Generator, height: int, width: int, first: float, octaves: int = 5, wrap: bool = False
) -> Floats:
    """(height, width) fractal noise, mean 0, about -1..1; ``first``: the size of the coarsest spots in pixels.

    With ``wrap`` the right edge continues at the left one, and the lower at the upper one.
    """
    cv2 = opencv.load()
    total = np.zeros((height, width), np.float32)
    weight, size = 1.0, first
    for _ in range(octaves):
        rows, columns = max(2, round(height / size)), max(2, round(width / size))
        grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        if wrap:
            grid = np.pad(grid, 2, mode="wrap")
            wide = cv2.resize(
                grid,
                (width * (columns + 4) // columns + 1, height * (rows + 4) // rows + 1),
                interpolation=cv2.INTER_CUBIC,
            )
            top, left = 2 * height // rows, 2 * width // columns
            total += weight * wide[top : top + height, left : left + width]
        else:
            total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weight, size = weight * 0.55, size / 2
        if size < 1.5:
            break
    return total


def blend(stops: list[tuple[float, Colour]], places: Floats) -> Floats:
    """The colour at each of ``places`` of a gradient through ``stops`` (place, colour); (..., 3) float32."""
    at = [stop[0] for stop in stops]
    channels = [np.interp(places, at, [stop[1][c] for stop in stops]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def sky(rng: np.random.Generator, height: int, width: int, unit: int, sun: tuple[float, float]) -> Floats:
    """(height, width, 3) the evening sky without clouds; ``sun``: column and row of its centre."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    stops: list[tuple[float, Colour]] = [
        (0.0, (38, 70, 140)),
        (0.45, (104, 140, 190)),
        (0.75, (240, 186, 138)),
        (1.0, (255, 206, 122)),
    ]
    picture = blend(stops, y[:, 0] / height)[:, None, :].repeat(width, 1)
    distance = np.hypot(x - sun[0], y - sun[1]) / unit
    glow = np.exp(-distance / 0.16)[..., None]
    picture += glow * np.array([150, 96, 10], np.float32)
    disc = np.clip((0.052 - distance) * unit / 1.5 + 0.5, 0, 1)[..., None]
    picture = picture * (1 - disc) + disc * np.array([255, 244, 205], np.float32)
    return picture + noise(rng, height, width, unit / 8)[..., None] * 2.5


def clouds(rng: np.random.Generator, height: int, width: int, unit: int) -> Layer:
    """A band of clouds that continues at its edges, lit from below."""
    cv2 = opencv.load()
    third = noise(rng, height, width // 3, unit / 9, 5, wrap=True)
    # Three times wider than high; the wrapped columns keep the seam between the edges invisible.
    wide = cv2.resize(np.pad(third, ((0, 0), (4, 4)), mode="wrap"), (width + 24, height), interpolation=cv2.INTER_CUBIC)
    body = wide[:, 12 : 12 + width]
    place = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    body = body + 0.25 - 1.3 * np.abs(place - 0.45) ** 1.5
    opacity = np.clip(body * 1.5, 0, 0.92).astype(np.float32)
    lit = np.clip(0.55 + (body - np.roll(body, -max(1, unit // 45), axis=0)) * 1.9 + place * 0.35, 0, 1)
    colour = blend([(0.0, (120, 112, 150)), (0.5, (226, 160, 148)), (1.0, (255, 232, 190))], lit)
    return layer(colour, opacity)


def mountains(
    rng: np.random.Generator, height: int, width: int, unit: int, rough: float, top: Colour, foot: Colour, snow: float
) -> Layer:
    """A range that fills the layer's lower part; ``snow``: from which height (0..1, above 1: none) it is white."""
    cv2 = opencv.load()
    ridge = noise(rng, 2, width, unit * rough, 7)[0]
    ridge = 1 - np.abs(ridge) * 1.1  # sharp crests where the noise crosses zero
    ridge = cv2.GaussianBlur(ridge[None, :], (0, 0), max(0.6, unit / 400))[0]
    crest = (1 - np.clip(ridge * 0.8 + 0.1, 0.06, 0.97)) * height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rise = np.clip((height - y) / height, 0, 1)
    opacity = np.clip(y - crest[None, :] + 0.5, 0, 1).astype(np.float32)
    # Folds run down from the crest: noise along lines that lean to both sides.
    folds = noise(rng, height, width, unit / 9, 5)
    sampled = cv2.remap(
        folds, x + 0.6 * (y - crest[None, :]), y * 0.45, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    slope = cv2.Sobel(sampled, cv2.CV_32F, 1, 0, ksize=3)
    light = np.clip(0.5 + slope * unit / 260 + 0.15 * folds, 0, 1)
    colour = blend([(0.0, foot), (1.0, top)], rise) * (0.62 + 0.62 * light[..., None])
    white = np.clip((rise + 0.12 * folds - snow) * 9, 0, 1)[..., None]
    colour = colour * (1 - white) + white * blend([(0.0, (116, 124, 168)), (1.0, (255, 228, 204))], light)
    return layer(colour, opacity)


def tree(rng: np.random.Generator, height: int, width: int) -> Layer:
    """An autumn tree whose trunk stands at the layer's lower left."""
    cv2 = opencv.load()
    scale = 2
    colour = np.full((height * scale, width * scale, 3), (70, 44, 34), np.uint8)
    opacity = np.zeros((height * scale, width * scale), np.uint8)
    tips: list[tuple[float, float]] = []

    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        x2, y2 = x + np.cos(angle) * length, y - np.sin(angle) * length
        ends = (round(x), round(y)), (round(x2), round(y2))
        shade = rng.uniform(0.7, 1.25)
        cv2.line(colour, *ends, (int(74 * shade), int(47 * shade), int(36 * shade)), max(1, round(thick)), cv2.LINE_AA)
        cv2.line(opacity, *ends, 255, max(1, round(thick)), cv2.LINE_AA)
        if length < height * scale * 0.045:
            tips.append((x2, y2))
            return
        if length < height * scale * 0.14:
            tips.append((x2, y2))
        for turn in (rng.uniform(0.2, 0.6), -rng.uniform(0.2, 0.6)):
            grow(x2, y2, angle + turn, length * rng.uniform(0.68, 0.84), thick * 0.66)

    grow(width * scale * 0.2, height * scale * 1.02, 1.52, height * scale * 0.24, height * scale * 0.05)
    palette = [(196, 74, 28), (226, 122, 34), (240, 168, 54), (150, 52, 34), (118, 112, 40), (250, 200, 92)]
    spread = height * scale * 0.032
    # Leaves in the shade first, lit ones (to the right and above: the sun's side) over them.
    for darkness, count, large in ((0.5, 4, 1.7), (0.8, 4, 1.3), (1.0, 4, 1.0), (1.15, 3, 0.8)):
        total = count * len(tips)
        lift = (darkness - 0.8) * spread
        at = np.repeat(np.array(tips), count, axis=0) + rng.normal(0, spread, (total, 2)) + (lift, -lift)
        axes = np.maximum(1, spread * large * rng.uniform((0.16, 0.09), (0.34, 0.2), (total, 2)))
        tints = np.minimum(255, np.array(palette)[rng.integers(len(palette), size=total)] * darkness)
        turns = rng.uniform(0, 180, total)
        for place, axis, tint, turn in zip(at.round().astype(int).tolist(), axes.round().astype(int).tolist(),
                                           tints.tolist(), turns.tolist(), strict=True):  # fmt: skip
            cv2.ellipse(colour, place, axis, turn, 0, 360, tint, -1)
            cv2.ellipse(opacity, place, axis, turn, 0, 360, 255, -1)
    return _shrunk(colour, opacity, height, width)


def meadow(rng: np.random.Generator, height: int, width: int, blade: float, dark: float) -> Layer:
    """A bank of grass and flowers; ``blade``: the length of a blade as a part of the layer's height."""
    cv2 = opencv.load()
    scale = 2
    colour = np.full((height * scale, width * scale, 3), (70 * dark, 86 * dark, 40 * dark), np.uint8)
    opacity = np.zeros((height * scale, width * scale), np.uint8)
    bank = noise(rng, 2, width * scale, width * 0.8, 3)[0] * 0.12 * height * scale + height * scale * 0.45
    columns = np.arange(width * scale)
    ground = np.stack([columns, bank], 1).round().astype(np.int32)
    outline = np.concatenate([ground, [[width * scale, height * scale], [0, height * scale]]]).astype(np.int32)
    cv2.fillPoly(opacity, [outline], 255, cv2.LINE_AA)
    count = int(width * 2.0)
    petals = [(244, 240, 226), (246, 196, 60), (214, 70, 74), (150, 108, 196), (240, 140, 170)]
    for i in range(count):
        depth = i / count  # from the far edge of the bank to the near one
        x = rng.uniform(0, width * scale)
        y = bank[min(int(x), width * scale - 1)] + depth * 0.62 * height * scale
        length = height * scale * blade * rng.uniform(0.5, 1.1) * (0.7 + 0.5 * depth)
        lean = rng.normal(0.1, 0.3)
        tip = (round(x + length * lean), round(y - length))
        shade = rng.uniform(0.6, 1.2) * dark
        tint = (
            (int(112 * shade), int(132 * shade), int(52 * shade))
            if rng.random() < 0.7
            else (int(176 * shade), int(150 * shade), int(70 * shade))
        )
        bend = np.array([[x, y], [x + length * lean * 0.3, y - length * 0.55], tip]).round().astype(np.int32)
        thick = max(1, round(height * scale / 130))
        cv2.polylines(colour, [bend], False, tint, thick, cv2.LINE_AA)
        cv2.polylines(opacity, [bend], False, 255, thick, cv2.LINE_AA)
        if rng.random() < 0.16:
            size = max(1, round(height * scale * 0.017 * rng.uniform(0.7, 1.3)))
            petal = petals[int(rng.integers(len(petals)))]
            for turn in range(5):
                angle = turn * 1.2566 + lean
                at = (round(tip[0] + size * np.cos(angle)), round(tip[1] + size * np.sin(angle)))
                cv2.circle(colour, at, size, tuple(int(c * min(1.0, dark + 0.2)) for c in petal), -1, cv2.LINE_AA)
                cv2.circle(opacity, at, size, 255, -1, cv2.LINE_AA)
            cv2.circle(colour, tip, max(1, size * 2 // 3), (196, 128, 30), -1, cv2.LINE_AA)
    return _shrunk(colour, opacity, height, width)


def boat(height: int, width: int) -> Layer:
    """A small sailing boat seen from the side, its mirror image below the water line at 2/3 of the height."""
    cv2 = opencv.load()
    scale = 4
    high, wide = height * scale, width * scale
    colour = np.full((high, wide, 3), (60, 40, 36), np.uint8)
    opacity = np.zeros((high, wide), np.uint8)

    def shape(points: list[tuple[float, float]], tint: tuple[int, int, int], shown: int = 255) -> None:
        corners = np.array([(x * wide, y * high) for x, y in points]).round().astype(np.int32)
        cv2.fillPoly(colour, [corners], tint, cv2.LINE_AA)
        cv2.fillPoly(opacity, [corners], shown, cv2.LINE_AA)

    line = 0.66
    shape([(0.22, line), (0.8, line), (0.62, 0.98), (0.5, 0.86), (0.4, 0.95)], (150, 120, 110), 110)
    shape([(0.5, 0.05), (0.53, 0.05), (0.53, line), (0.5, line)], (70, 48, 36))
    shape([(0.55, 0.07), (0.92, 0.52), (0.55, 0.54)], (250, 238, 214))
    shape([(0.48, 0.12), (0.48, 0.54), (0.2, 0.54)], (222, 96, 58))
    shape([(0.14, 0.57), (0.9, 0.57), (0.78, line), (0.26, line)], (122, 52, 38))
    return _shrunk(colour, opacity, height, width)


def _shrunk(colour: Any, opacity: Any, height: int, width: int) -> Layer:
    """A larger drawing as a layer of the size wanted, with smooth edges."""
    cv2 = opencv.load()
    part = opacity.astype(np.float32) / 255
    premultiplied = cv2.resize(colour * part[..., None], (width, height), interpolation=cv2.INTER_AREA)
    through = 255 - 255 * cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return Layer(to_bytes(premultiplied), to_bytes(np.repeat(through[..., None], 3, axis=2)))
