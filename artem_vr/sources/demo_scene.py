"""The demo's scene: layers at their depths, a lake in perspective, turning balloons; two eyes, one moment.

Where a thing is seen depends on its depth alone. With ``near`` = (the eyes' distance x focal length / depth) in
pixels, an eye at ``e`` eye distances to the right of the middle sees it ``near * e`` further left; both eyes are
turned so that things with ``near`` = `Scene.plane` meet. The camera sways sideways by the same law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artem_vr.sources import demo_paint as paint
from artem_vr.sources import opencv
from artem_vr.sources.demo_paint import Bytes, Floats, Layer

_EYES = (-0.5, 0.5)
_SWAY = 1.2  # how far the camera moves to each side, in eye distances
_SUN = 0.43  # where the sun stands, as a part of the width
_TEXTURE = 256  # pixels; the water's waves repeat after so many


@dataclass(frozen=True, eq=False)
class _Placed:
    """A layer in the scene: its left upper corner in pixels when ``near`` is 0."""

    layer: Layer
    left: float
    top: float
    near: float


@dataclass(frozen=True, eq=False)
class _Balloon:
    """``radius`` px; centre ``x``, ``y`` px; ``phase`` of its bobbing, rad; ``stripes``: cover, (64, 256, 3) uint8."""

    radius: int
    x: float
    y: float
    near: float
    phase: float
    stripes: Bytes


class Scene:
    """The scene for pictures of ``width`` x ``height`` pixels an eye (at least 64 each). A seed is a scene."""

    def __init__(self, width: int, height: int, seed: int = 7) -> None:
        if width < 64 or height < 64:
            raise ValueError("the demo needs at least 64x64 pixels")
        self.width, self.height = width, height
        rng = np.random.default_rng(seed)
        self.plane = 0.012 * width  # `near` of what both eyes see at the same place
        self._farthest = math.ceil(0.5 * self.plane) + 1
        self._horizon = round(0.56 * height)
        self._back = self._paint_back(rng)
        self._clouds, self._cloud_period = self._paint_clouds(rng)
        self._ranges = self._paint_ranges(rng)
        self._lake = _Lake(self, rng)
        self._boat = self._paint_boat()
        self._balloons = self._paint_balloons()
        self._shapes = {b.radius: _Envelope(b.radius) for b in self._balloons}
        self._front = self._paint_front(rng)

    def render(self, time: float) -> npt.NDArray[np.uint8]:
        """Both eyes at ``time`` seconds: (2, height, width, 3) uint8 RGB, left eye first. Does not change the scene."""
        eyes = np.empty((2, self.height, self.width, 3), np.uint8)
        sky = self._sky(time)
        sway = _SWAY * math.sin(0.45 * time)
        for picture, eye in zip(eyes, _EYES, strict=True):
            left = self._farthest + round(-self.plane * eye)
            picture[: self._horizon] = sky[:, left : left + self.width]
            self._lake.draw(picture[self._horizon :], eye, sway, time)
            for placed in self._ranges:
                self._place(picture, placed, eye, sway)
            self._place(picture, self._boat_at(time), eye, sway)
            for balloon in self._balloons:
                self._draw_balloon(picture, balloon, eye, sway, time)
            for placed in self._front:
                self._place(picture, placed, eye, sway)
        return eyes

    def shift(self, near: float, eye: float, sway: float = 0.0) -> float:
        """By how many pixels to the right a thing is seen, against where it stands."""
        return self.plane * eye - near * (eye + sway)

    def _sky(self, time: float) -> Bytes:
        """The sky with its clouds, wider than an eye's picture by what far things are moved between the eyes."""
        sky = self._back.copy()
        drift = (time * 0.012 * self.height) % self._cloud_period
        _lay_shifted(sky, self._clouds, drift - self._cloud_period, 0)
        return sky

    def _place(self, picture: Bytes, placed: _Placed, eye: float, sway: float) -> None:
        """Draw a layer with its depth's shift."""
        x = placed.left + self.shift(placed.near, eye, sway)
        _lay_shifted(picture, placed.layer, x, placed.top)

    def _draw_balloon(self, picture: Bytes, balloon: _Balloon, eye: float, sway: float, time: float) -> None:
        shape = self._shapes[balloon.radius]
        x = balloon.x + 0.02 * self.width * math.sin(0.21 * time + 2 * balloon.phase)
        y = balloon.y + 0.018 * self.height * math.sin(0.5 * time + balloon.phase)
        # Each eye looks a little around it: the nearer, the more.
        turn = 0.22 * time + balloon.phase + balloon.near * (eye + sway) / self.width * 1.1
        drawn = shape.dressed(balloon.stripes, turn)
        wide = drawn.colour.shape[1]
        self._place(picture, _Placed(drawn, x - wide / 2, y - balloon.radius * 1.05, balloon.near), eye, sway)

    def _boat_at(self, time: float) -> _Placed:
        drift = 0.16 * self.width * math.sin(0.05 * time - 0.4)
        bob = 0.003 * self.height * math.sin(1.3 * time)
        return _Placed(
            self._boat, 0.50 * self.width + drift, self._horizon - 0.045 * self.height + bob, 0.62 * self.plane
        )

    def _paint_back(self, rng: np.random.Generator) -> Bytes:
        wide = self.width + 2 * self._farthest
        sun = (_SUN * self.width + self._farthest, 0.31 * self.height)
        return paint.to_bytes(paint.sky(rng, self._horizon, wide, self.height, sun))

    def _paint_clouds(self, rng: np.random.Generator) -> tuple[Layer, int]:
        """The band of clouds, with its beginning once more at its end, and after how many pixels it repeats."""
        band = paint.clouds(rng, round(0.4 * self.height), 2 * self.width, self.height)
        again = self._back.shape[1] + 2
        colour, through = (np.concatenate([part, part[:, :again]], axis=1) for part in (band.colour, band.through))
        return Layer(colour, through), 2 * self.width

    def _paint_ranges(self, rng: np.random.Generator) -> list[_Placed]:
        """Mountains at the lake's far shore, the farthest first."""
        placed = []
        for high, near, rough, top, foot, snow in (
            (0.31, 0.05, 0.52, (112.0, 112.0, 158.0), (214.0, 168.0, 160.0), 0.62),
            (0.17, 0.14, 0.36, (84.0, 84.0, 124.0), (150.0, 122.0, 132.0), 2.0),
            (0.085, 0.30, 0.22, (58.0, 72.0, 66.0), (104.0, 92.0, 84.0), 2.0),
        ):
            depth = near * self.plane
            margin = math.ceil(depth * (_SWAY + 0.5) + 0.5 * self.plane) + 2
            rows = round(high * self.height)
            painted = paint.mountains(rng, rows, self.width + 2 * margin, self.height, rough, top, foot, snow)
            placed.append(_Placed(painted, -margin, self._horizon - rows, depth))
        return placed

    def _paint_boat(self) -> Layer:
        return paint.boat(max(8, round(0.115 * self.height)), max(8, round(0.1 * self.height)))

    def _paint_balloons(self) -> list[_Balloon]:
        w, h, plane = self.width, self.height, self.plane
        return [
            _Balloon(
                max(4, round(0.040 * h)),
                0.535 * w,
                0.17 * h,
                0.45 * plane,
                1.0,
                _stripes(((246, 236, 210), (62, 104, 160)), 8),
            ),
            _Balloon(
                max(4, round(0.078 * h)),
                0.9 * w,
                0.2 * h,
                0.9 * plane,
                2.6,
                _stripes(((244, 188, 60), (190, 60, 44), (248, 232, 200)), 12),
            ),
            _Balloon(
                max(4, round(0.150 * h)),
                0.70 * w,
                0.32 * h,
                1.55 * plane,
                0.2,
                _stripes(((206, 56, 46), (250, 222, 160), (36, 92, 128), (250, 222, 160)), 16),
            ),
        ]

    def _paint_front(self, rng: np.random.Generator) -> list[_Placed]:
        """The near shore and its tree, the nearest last."""
        h = self.height
        placed = []
        for high, near, blade, dark in ((0.20, 1.7, 0.16, 0.95), (0.17, 2.5, 0.3, 0.62)):
            depth = near * self.plane
            margin = math.ceil(depth * (_SWAY + 0.5)) + 8
            rows = round(high * h)
            grass = paint.meadow(rng, rows, self.width + 2 * margin, blade, dark)
            placed.append(_Placed(grass, -margin, h - rows * (1.0 if near > 2 else 1.25), depth))
        trunk = paint.tree(rng, round(0.92 * h), round(0.9 * h))
        # So far left that no sway brings its cut edge into view.
        placed.insert(1, _Placed(trunk, -2.0 * self.plane * (_SWAY + 0.5), 0.0, 2.0 * self.plane))
        return placed


class _Lake:
    """Water to the horizon: waves in perspective, exact for each eye, over the mirrored sky."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        cv2 = opencv.load()
        self._scene = scene
        rows, width = scene.height - scene._horizon, scene.width
        waves = paint.noise(rng, _TEXTURE, _TEXTURE, 40, 5, wrap=True)
        self._waves = paint.to_bytes(128 + 150 * waves)
        # The nearest row of water is as near as the near shore: `near` grows from 0 in proportion to the row.
        near = (np.arange(rows, dtype=np.float32) + 0.5) / rows * 1.9 * scene.plane
        self._near = near[:, None]
        place = np.arange(width, dtype=np.float32)[None, :] - width / 2
        self._across = {eye: ((place - scene.plane * eye) / self._near).astype(np.float32) for eye in _EYES}
        self._along = np.repeat(60.0 * scene.plane / self._near, width, axis=1).astype(np.float32)
        self._stretch = 60.0 * 1.9 * scene.plane / width  # texture pixels per (picture pixel / near)
        mirrored = scene._back[::-1][:rows].astype(np.float32)
        if len(mirrored) < rows:
            mirrored = np.concatenate([mirrored, mirrored[-1:].repeat(rows - len(mirrored), 0)])
        fall = (np.arange(rows, dtype=np.float32) / rows)[:, None, None]
        soft = cv2.GaussianBlur(mirrored, (0, 0), max(1.0, scene.height / 60))
        self._bright = paint.to_bytes(soft * (0.95 - 0.25 * fall))
        self._dark = paint.to_bytes(soft * (0.62 - 0.4 * fall) * np.array([0.5, 0.6, 0.92], np.float32))
        self._sun = self._paint_glitter(rows)
        # Far waves are smaller than a pixel: they fade into their mean instead of flickering.
        far = np.repeat(np.clip(1.4 * near / (0.5 * scene.plane), 0.25, 1)[:, None], width, 1).astype(np.float32)
        self._far = far
        self._lifted = paint.to_bytes(128 * (1 - far))
        steps = np.arange(256, dtype=np.float32)
        self._sparkle = paint.to_bytes(255 * np.clip((steps - 126) / 60, 0, 1))

    def draw(self, water: Bytes, eye: float, sway: float, time: float) -> None:
        """Fill ``water``, the rows below the horizon of one eye's picture."""
        cv2 = opencv.load()
        scene = self._scene
        across = (self._across[eye] + (eye + sway)) * self._stretch
        heights = cv2.remap(self._moved(time), across, self._along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        calm = cv2.multiply(heights, self._far, dtype=cv2.CV_8U)
        calm = cv2.add(calm, self._lifted)
        waves = cv2.merge([calm, calm, calm])
        left = scene._farthest + round(-scene.plane * eye)
        view = slice(left, left + scene.width)
        light = cv2.multiply(self._bright[:, view], waves, scale=1 / 255)
        dark = cv2.multiply(self._dark[:, view], cv2.bitwise_not(waves), scale=1 / 255)
        sparkle = cv2.LUT(waves, self._sparkle)
        cv2.add(cv2.add(light, dark), cv2.multiply(self._sun[:, view], sparkle, scale=1 / 255), dst=water)

    def _moved(self, time: float) -> Bytes:
        """The waves' pattern at a moment: one pattern, laid twice, running in two directions."""
        cv2 = opencv.load()
        both = []
        for slide, run in ((-5.0, -11.0), (6.0, -7.0)):
            x, y = slide * time % _TEXTURE, run * time % _TEXTURE
            matrix = np.array([[1, 0, x % 1], [0, 1, y % 1]], np.float32)
            rolled = np.roll(self._waves, (int(y), int(x)), axis=(0, 1))
            both.append(cv2.warpAffine(rolled, matrix, (_TEXTURE, _TEXTURE), borderMode=cv2.BORDER_WRAP))
        return cv2.addWeighted(both[0], 0.5, both[1], 0.5, 0.0)

    def _paint_glitter(self, rows: int) -> Bytes:
        """How strongly the sun glitters at each place of the water, as colour."""
        scene = self._scene
        wide = scene.width + 2 * scene._farthest
        x = np.arange(wide, dtype=np.float32)[None, :] - (_SUN * scene.width + scene._farthest)
        fall = (np.arange(rows, dtype=np.float32) / rows)[:, None]
        spread = scene.height * (0.05 + 0.16 * fall)
        strength: Floats = np.exp(-((x / spread) ** 2)) * (1 - 0.55 * fall) + 0.06
        return paint.to_bytes(strength[..., None] * np.array([255, 214, 140], np.float32))


class _Envelope:
    """A balloon's shape: where each of its pixels lies on the cover, how it is lit, and its basket."""

    def __init__(self, radius: int) -> None:
        cv2 = opencv.load()
        high, wide = round(radius * 3.1), 2 * radius + 4
        y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
        x = (x + 0.5 - wide / 2) / radius
        y = (y + 0.5) / radius - 1.05
        # A ball above; below its middle it narrows to the burner.
        half = np.where(y < 0, np.sqrt(np.clip(1 - y * y, 0, 1)), np.clip(1 - (np.clip(y, 0, 2) / 1.42) ** 1.9, 0, 1))
        half = np.where(y > 1.32, 0, np.maximum(half, np.where(y > 0, 0.12, 0)))
        self._opacity = np.clip((half - np.abs(x)) * radius + 0.5, 0, 1).astype(np.float32) * (half > 0)
        across = np.clip(x / np.maximum(half, 1e-3), -1, 1)
        self._turn = (np.arcsin(across) / (2 * math.pi) * 256).astype(np.float32)
        self._row = np.clip((y + 1) / 2.32 * 63, 0, 63).astype(np.float32)
        facing = np.sqrt(1 - across**2)
        light = 0.46 + 0.4 * facing + 0.42 * np.clip(0.75 * across - 0.35 * y, 0, 1)
        gores = 1 - 0.08 * np.abs(np.sin(np.arcsin(across) * 8))
        self._light = np.repeat((light * gores * self._opacity)[..., None], 3, 2).astype(np.float32)
        through = 255 * (1 - self._opacity)
        basket, thread = np.zeros((high, wide), np.uint8), max(1, radius // 40)
        left, right, rim = wide / 2 - 0.13 * radius, wide / 2 + 0.13 * radius, 2.62 * radius
        for side in (left, right):
            cv2.line(basket, (round(side), round(2.3 * radius)), (round(side), round(rim)), 150, thread, cv2.LINE_AA)
        cv2.rectangle(
            basket,
            (round(left - 0.04 * radius), round(rim)),
            (round(right + 0.04 * radius), round(2.9 * radius)),
            255,
            -1,
        )
        self._basket = paint.to_bytes(basket[..., None] / 255 * np.array([104, 66, 38], np.float32))
        self._through = paint.to_bytes(np.repeat(np.minimum(through, 255.0 - basket)[..., None], 3, 2))

    def dressed(self, stripes: Bytes, turn: float) -> Layer:
        """The balloon with a cover, turned by ``turn`` rad."""
        cv2 = opencv.load()
        around = self._turn + np.float32(turn / (2 * math.pi) * 256 % 256)
        cover = cv2.remap(stripes, around, self._row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        lit = cv2.multiply(cover, self._light, dtype=cv2.CV_8U)
        return Layer(cv2.add(lit, self._basket), self._through)


def _stripes(tints: tuple[tuple[int, int, int], ...], count: int) -> Bytes:
    """(64, 256, 3) uint8: a cover of ``count`` upright stripes, with a zigzag belt and a dark crown."""
    y, x = np.mgrid[0:64, 0:256].astype(np.float32)
    table = np.array(tints, np.float32)
    belt = (y > 27) & (y < 37)
    place = (x * count / 256).astype(int)
    zigzag = ((x * count / 128 % 2 - 1).__abs__() * 10 + 27 > y).astype(int)
    chosen = np.where(belt, zigzag, place) % len(table)
    picture = table[chosen]
    picture[(y < 4) | (y > 58)] *= 0.55
    return paint.to_bytes(picture)


def _lay_shifted(picture: Bytes, layer: Layer, left: float, top: float) -> None:
    """Lay ``layer`` over ``picture``, in place, its upper left corner at ``left``, ``top``; linear between pixels."""
    cv2 = opencv.load()
    high, wide = layer.colour.shape[:2]
    x, y = math.floor(left), math.floor(top)
    right_part, lower_part = left - x, top - y
    # One row and column less than the layer has: each pixel drawn lies between two of the layer's.
    first, last = max(0, x + 1), min(picture.shape[1], x + wide)
    upper, lower = max(0, y + 1 if lower_part else y), min(picture.shape[0], y + high)
    if first >= last or upper >= lower:
        return
    rows, columns = slice(upper - y, lower - y), slice(first - x, last - x)
    moved = []
    for part in (layer.colour, layer.through):
        if lower_part:
            above = part[rows.start - 1 : rows.stop - 1]
            part = cv2.addWeighted(part[rows], 1 - lower_part, above, lower_part, 0)
        else:
            part = part[rows]
        before = part[:, columns.start - 1 : columns.stop - 1]
        moved.append(cv2.addWeighted(part[:, columns], 1 - right_part, before, right_part, 0))
    behind = picture[upper:lower, first:last]
    cv2.add(cv2.multiply(behind, moved[1], scale=1 / 255), moved[0], dst=behind)
