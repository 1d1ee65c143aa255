"""The ground: a faint relief that is laid under the smooth parts of a picture before it is painted.

A network that was trained to paint steadily has nothing to hang a stroke on where its picture is smooth: a clear sky,
a wall, the empty parts of a desktop became flat colour. A painter's ground is not smooth either. Of the waves of this
one (`relief`) networks make strokes of their own painting.

Where the picture as a whole stands in its place (a photograph, a desktop), it stands, too, like canvas. Under a moving
camera's pictures it would lie like a dirty pane: there it goes with what is seen, by the ties that steadying finds
(`ties`), as textures are advected in animated watercolour (Bousseau et al. 2007). Smooth parts themselves say
little of where they go, so they go with what is around them. Both eyes have the same relief, at the depth of the scene.

Some painters leave much smooth themselves (Hokusai's sky is bare paper). In such styles less of it is laid.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from artem_vr.stylize.relief import SIDE, relief, repeated
from artem_vr.stylize.ties import NO_TIES, Bytes, Floats, Ties, deviation, greys, places_of, read_at, scaled

DEPTH = 0.5
"""What "auto" lays."""
LEVELS = 16.0
"""Deviation of the relief, in levels of 255, at depth 1."""
SMOOTH, ROUGH = 3.0, 9.0
"""Deviation of a picture's grey, in levels, up to which it gets the whole relief, and from which on nothing of it: that
has enough of its own."""
WINDOW = 9
"""Side, in pixels of the halved picture, of the windows in which that is looked at."""
BARE = 0.5
"""Share of a painting that is smooth (`smooth_share`) from which on "auto" lays nothing in its style."""

CREASED = 0.5
"""Pixels by which neighbours' ways may differ; more is smoothed out."""
BENT = 0.3
"""... and in a tenth of the picture before another relief takes the place of this one, which is stretched by then."""
HANDOVER_SECONDS = 1.0
APPEAR_SECONDS = 1.0
"""In which it would come from depth 0 to 1, and go, when steadying does."""

Depth = float | Literal["auto"]


def depth_for(wanted: Depth, stands: bool, eyes: int, follows: bool = False) -> float:
    """What is ``wanted``, 0 to 1; of "auto" DEPTH where the ground can be right, else 0.

    That is where it ``follows`` what is seen, and in single pictures that stand in their place: for two eyes it would
    hang at the distance of the screen, whatever is seen there.
    """
    if wanted == "auto":
        return DEPTH if follows or (stands and eyes == 1) else 0.0
    return wanted


def share_for(smooth: float) -> float:
    """How much of DEPTH "auto" lays, 0 to 1, like a painting of which the share ``smooth`` is so (`smooth_share`)."""
    return max(0.0, 1 - smooth / BARE)


def smooth_share(painting: Bytes) -> float:
    """Of (H, W, 3) uint8 RGB, as the network that paints like any painting reads it: 0 to 1, mean of `smoothness`."""
    return float(smoothness(painting).mean())


@dataclass
class _Layer:
    """One laying of the relief."""

    ways: list[Floats]
    """Of each eye, (h, w, 2): from a place to where in the relief it is, in pixels of `Tie.even`."""
    offset: Floats
    """(2,): what to add further, in pixels of the relief."""
    share: float
    """0..1: less than 1 while it takes the place of another one."""


class Ground:
    """Of the frames of one source, one after the other; for each `follow`, then `laid`."""

    def __init__(self, wanted: Depth) -> None:
        """``wanted``: see `depth_for`."""
        self.wanted = wanted
        self._depth: float | None = None
        """Of the last frame."""
        self.settled = True
        """It is as deep as it shall be. Else it comes or goes with frames, or at once with the same one again."""
        self._at = 0.0
        self._layers: list[_Layer] = []
        """The one that goes, if there is one, before the one that stays; empty: the relief stands."""
        self._under: tuple[Bytes, list[Floats]] | None = None
        """Eyes of the frame and `_under_smooth` of them: where two styles share a picture both are laid on it."""

    def get_ready(self) -> None:
        """Make what takes time, if it may be needed."""
        if self.wanted:
            relief()

    def follow(self, eyes: int, ties: Ties, at: float, *, stands: bool = False, follows: bool = False) -> None:
        """The next frame, of so many ``eyes``, captured ``at`` so many seconds; `laid` is for that then.

        ``ties`` are its own; `NO_TIES` where there was no time to look. ``stands``: nothing moves as a whole
        (`StereoFrame.stands`). ``follows``: ties are looked for in frame after frame.
        """
        elapsed, self._at = max(0.0, at - self._at), at
        self._under = None
        self._deepen(depth_for(self.wanted, stands, eyes, follows), elapsed)
        if not self._depth or (stands and eyes == 1):
            self._layers.clear()
        elif ties is not NO_TIES:
            self._carry(ties, elapsed)
        if self._layers and len(self._layers[0].ways) != eyes:
            self._layers.clear()

    def laid(self, eyes: Bytes, smooth: float = 0.0) -> Bytes:
        """The frame's ``eyes``, (E, H, W, 3) uint8 RGB of any size, with the relief; themselves where there is none.

        ``smooth``: share that the painter left so (`smooth_share`), for "auto".
        """
        depth = (self._depth or 0.0) * (share_for(smooth) if self.wanted == "auto" else 1.0)
        if not depth:
            return eyes
        if self._under is None or self._under[0] is not eyes:
            half = _half(eyes)
            waves = [self._waves(n, *half) if self._layers else _standing(*half) for n in range(len(eyes))]
            self._under = eyes, _under_smooth(eyes, waves)
        return _raised(eyes, self._under[1], depth)

    def _deepen(self, wanted: float, elapsed: float) -> None:
        """From what it was towards what is wanted; at once for the first frame, and for the same one again."""
        step = elapsed / APPEAR_SECONDS
        self.settled = self._depth is None or not elapsed or abs(wanted - self._depth) <= step
        if self._depth is None or self.settled:
            self._depth = wanted
        else:
            self._depth += math.copysign(step, wanted - self._depth)

    def _carry(self, ties: Ties, elapsed: float) -> None:
        """The layers along, to where things are now."""
        looked_at = ties.before or ((ties.across, ties.across) if ties.across else ())
        if not looked_at or not ties.before:
            self._layers.clear()  # a cut: there is nothing to go on from
        if not looked_at:
            return
        grids = [tie.even.shape[:2] for tie in looked_at]
        if [way.shape[:2] for layer in self._layers[:1] for way in layer.ways] != grids:
            self._layers = [_layer(grids, share=1.0)]  # where the relief would stand
        for layer in self._layers if ties.before else ():
            layer.ways = [_uncreased(_carried(way, tie.even)) for way, tie in zip(layer.ways, ties.before, strict=True)]
        self._hand_over(grids, elapsed)
        if ties.across is not None:
            for layer in self._layers:
                layer.ways[1] = _carried(layer.ways[0], ties.across.even)

    def _hand_over(self, grids: list[tuple[int, ...]], elapsed: float) -> None:
        """A relief that was stretched, by a zoom or a turn, fades into a fresh one."""
        newest = self._layers[-1]
        newest.share = min(1.0, newest.share + elapsed / HANDOVER_SECONDS)
        if newest.share == 1.0:
            self._layers = [newest]
            if _bent(newest.ways[0]) > BENT:
                offset = newest.offset + np.array([185, 293], np.float32)  # another part of it
                self._layers.append(_layer(grids, 0.0, offset % SIDE))

    def _waves(self, number: int, height: int, width: int) -> Floats:
        """(height, width): the relief for the eye of that ``number``, of deviation near 1."""
        import cv2

        shares = [1 - self._layers[-1].share, self._layers[-1].share][-len(self._layers) :]
        total: Any = 0.0
        for layer, share in zip(self._layers, shares, strict=True):
            way = layer.ways[number]
            way = scaled(way, width / way.shape[1], height / way.shape[0])
            offset: Any = cv2.resize(way + layer.offset, (width, height), interpolation=cv2.INTER_LINEAR)
            total = total + share * repeated(relief(), offset + places_of(height, width))
        result: Floats = total / math.hypot(*shares)  # waves of two reliefs partly cancel
        return result


def _layer(grids: list[tuple[int, ...]], share: float, offset: Floats | float = 0.0) -> _Layer:
    ways = [np.zeros((*grid, 2), np.float32) for grid in grids]
    return _Layer(ways, np.float32(offset) + np.zeros(2, np.float32), share)


def with_ground(pictures: Bytes, depth: float) -> Bytes:
    """``pictures``, (E, H, W, 3) uint8 RGB, with a relief that stands; themselves where there is none (``depth`` 0)."""
    if depth <= 0:
        return pictures
    return _raised(pictures, _under_smooth(pictures, [_standing(*_half(pictures))] * len(pictures)), depth)


def smoothness(picture: Bytes) -> Floats:
    """(H/2, W/2), 0 to 1, of (H, W, 3) uint8 RGB: 1 where nothing is to be seen, 0 among lines and texture."""
    import cv2

    height, width = _half(picture[None])
    grey: Any = cv2.resize(greys(picture), (width, height), interpolation=cv2.INTER_AREA)
    return np.clip((ROUGH - deviation(grey, WINDOW)) / (ROUGH - SMOOTH), 0, 1)


def _half(pictures: Bytes) -> tuple[int, int]:
    """Height and width at which the relief is reckoned: its waves are wide enough for that."""
    return (pictures.shape[1] + 1) // 2, (pictures.shape[2] + 1) // 2


def _under_smooth(pictures: Bytes, waves: list[Floats]) -> list[Floats]:
    """``waves``, (H/2, W/2) for each picture, where it is smooth; 0 elsewhere."""
    return [wave * smoothness(picture) for picture, wave in zip(pictures, waves, strict=True)]


def _raised(pictures: Bytes, under: list[Floats], depth: float) -> Bytes:
    """``pictures`` with what is ``under`` each of them, (H/2, W/2) of deviation near 1, in this ``depth``."""
    import cv2

    size = pictures.shape[2], pictures.shape[1]
    result = np.empty(pictures.shape, np.uint8)
    for picture, waves, other in zip(pictures, under, result, strict=True):
        added = cv2.resize(np.float32(depth * LEVELS) * waves, size, interpolation=cv2.INTER_LINEAR)
        cv2.add(picture, cv2.merge((added, added, added)), dst=other, dtype=cv2.CV_8U)
    return result


@functools.lru_cache(maxsize=4)
def _standing(height: int, width: int) -> Floats:
    """(height, width): the relief, repeated as far as needed."""
    times = -(-height // SIDE), -(-width // SIDE)
    return np.ascontiguousarray(np.tile(relief(), times)[:height, :width])


def _carried(way: Floats, shift: Floats) -> Floats:
    """``way``, (h, w, 2), of the places that are ``shift`` away, and that on top."""
    import cv2

    carried: Floats = read_at(way, places_of(*way.shape[:2]) + shift, cv2.INTER_LINEAR) + shift
    return carried


def _uncreased(way: Floats) -> Floats:
    """``way``, smoothed where neighbours go quite different ways: there the relief would be torn in time."""
    import cv2

    around = np.ones((3, 3), np.uint8)
    x, y = (cv2.subtract(cv2.dilate(one, around), cv2.erode(one, around)) for one in cv2.split(way))
    share: Any = np.clip(cv2.max(x, y) / (2 * CREASED) - 1, 0, 1)[..., None]
    if not share.any():
        return way
    return np.asarray(way + share * (cv2.blur(way, (9, 9)) - way), np.float32)


def _bent(way: Floats) -> float:
    """By how many pixels a pixel the ways of neighbours differ where they do most, in a tenth of the picture."""
    coarse = way[::4, ::4] / 4
    down, across = np.diff(coarse, axis=0)[:, 1:], np.diff(coarse, axis=1)[1:]
    differences = np.maximum(np.linalg.norm(down, axis=-1), np.linalg.norm(across, axis=-1))
    return float(np.quantile(differences, 0.9)) if differences.size else 0.0
