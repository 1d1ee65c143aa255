"""Where the right eye sees what the left one sees.

Strokes hang on outlines, and outlines are where one thing ends before another: where eyes disagree most if disparities
are coarse, and where they are hardest to find. So they are looked for in larger copies than motion is, and every pixel
beside an edge of depth is then asked by itself which of the things there it belongs to.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from artem_vr.stylize.ties import Bytes, Floats, Tie, columns_and_rows, deviation, greys, likeness

EYES_SIDE = 384
"""Short side of the pictures that are compared: with 256 eyes differ by a tenth more."""
LEAST, COUNT = -24, 96
"""Disparities that are looked for at most, in pixels of those pictures: from LEAST on so many, a multiple of 16. Films
put things behind the screen, too; a hand 20 cm before a headset's cameras is at some 60."""
COARSE = 4
"""Pixels that are one of the copy in which it is found which of these disparities there are."""
SPECKLE, FEW, RARE = 8, 32, 500
"""Pixels of that copy: a patch of fewer says nothing of that, nor do fewer in all; one in so many may be beyond."""
UNLIKE = 15 / 255, 45 / 255
"""As `ties.UNLIKE`. No two cameras see quite the same colours."""
UNEVEN, ODD = 0.02, 0.1
"""Difference in brightness between the eyes, as a share of it, from which on it is made up for, since what they see
differs by less; and how much of it is: strokes that were much brighter in the left eye would stand out in the right."""
STEEPEST, LOST = 12, 0.1
"""Pixels by which one eye's things may be lower than the other's; trust in what was found that may be chance."""
AROUND, PLAIN = 31, 0.3
"""Rows around one that are taken from it when a level is looked for; how far off the best one must be, over none."""
JUMP = 1.0
"""Pixels of disparity that make an edge of depth."""
BESIDE = 7
"""Side of the windows in which a pixel's neighbours are asked for what else it may belong to."""
GAP = 5
"""Side of the windows in which something must have been found. What was found nowhere near has no trust."""
HALO = 4
"""Pixels by which a thing's outline is painted beyond it."""
THIN = 5
"""Side of a window that a thing fills which has one."""
SMOOTH, ROUGH, WINDOW = 6.0, 12.0, 7
"""Deviation of the grey, in levels, up to which a place is smooth, and from which on not at all; side of the window."""


class EyeMatcher:
    """Finds the right eye's pixels in the left picture, by semi-global matching (Hirschmueller 2008).

    Cameras are never mounted exactly: how much lower things are in the left picture is looked for once and then
    followed from frame to frame, and both are brought to one level first. Where hardly anything is found, that level
    may be why: it is looked for again.
    """

    def __init__(self) -> None:
        self._down: float | None = None

    def across(self, left: Bytes, right: Bytes, seen: Bytes) -> Tie:
        """``left`` and ``right`` are (h, w, 3) RGB; ``seen`` is `Tie.seen`.

        On an edge of depth, a pixel wide, nothing is trusted, nor where one eye alone sees what is there, nor where the
        left eye has the outline of something else (`_haloed`).
        """
        import cv2

        height, width = right.shape[:2]
        left = level = _as_bright(left, right)
        down = _level(left, right) if self._down is None else self._down
        if down:
            move = np.array([[1, 0, 0], [0, 1, -down]], np.float32)
            level = np.asarray(cv2.warpAffine(left, move, (width, height), borderMode=cv2.BORDER_REPLICATE))
        found, known = _found(right, level)
        disparity = _refined(right, level, _filled(found, known))
        shift: Any = cv2.merge((disparity, np.full_like(disparity, down)))
        told, like = likeness(right, left, shift, UNLIKE)
        near_known = cv2.dilate(known.astype(np.uint8), np.ones((GAP, GAP), np.uint8))
        pair = np.ones((2, 2), np.uint8)
        whole = np.clip(2 - (cv2.dilate(disparity, pair) - cv2.erode(disparity, pair)) / JUMP, 0, 1)
        trust: Any = cv2.blur(near_known * whole * like * (1 - _haloed(disparity, right)), (3, 3))
        lost = trust.mean() < LOST * known.mean()
        down = min(STEEPEST, max(-STEEPEST, down + _further_down(right, told, trust)))
        self._down = None if lost else down
        return Tie(np.asarray(shift, np.float32), np.asarray(trust, np.float32), seen, discontinuous=True)


def _as_bright(left: Bytes, right: Bytes) -> Bytes:
    """``left``, each of its colours as bright on the whole as in ``right``: cameras are exposed each for itself."""
    import cv2

    means = zip(cv2.mean(left)[:3], cv2.mean(right)[:3], strict=True)
    factors = [min(1 + ODD, max(1 - ODD, (1 + b) / (1 + a))) for a, b in means]
    if max(abs(factor - 1) for factor in factors) < UNEVEN:
        return left
    scaled: Any = cv2.transform(left, np.diag(factors).astype(np.float32))
    return np.asarray(scaled)


def _level(left: Bytes, right: Bytes) -> float:
    """By how many whole pixels things are lower in ``left``, at most STEEPEST: where the means of its rows fit those of
    ``right``, which disparities hardly change. 0 where nothing fits much better than that."""
    import cv2

    rows: list[Any] = [cv2.reduce(greys(eye), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for eye in (left, right)]
    left_rows, right_rows = ((row - cv2.blur(row, (1, AROUND))).ravel() for row in rows)
    middle = right_rows[STEEPEST:-STEEPEST]
    offsets = np.lib.stride_tricks.sliding_window_view(left_rows, len(middle))  # from -STEEPEST on
    unlike = np.square(offsets - middle).mean(axis=1)
    return float(unlike.argmin() - STEEPEST) if unlike.min() < PLAIN * unlike[STEEPEST] else 0.0


def _found(right: Bytes, left: Bytes) -> tuple[Floats, Any]:
    """Disparities (h, w) of ``right`` in ``left``, which hang level; and where there are any."""
    least, count = _range(right, left)
    found = _match(right, left, least, count)
    return found, found >= least


def _range(right: Bytes, left: Bytes) -> tuple[int, int]:
    """Least disparity and their number: what a look at small copies does not rule out. Time goes by that number."""
    import cv2

    height, width = right.shape[:2]
    if min(height, width) < EYES_SIDE // 2:
        return LEAST, COUNT
    size = width // COARSE, height // COARSE
    small: Any = [cv2.resize(eye, size, interpolation=cv2.INTER_AREA) for eye in (right, left)]
    least, count = LEAST // COARSE, -(-COUNT // COARSE // 16) * 16
    found = np.round(16 * _match(small[0], small[1], least, count)).astype(np.int16)
    sixteenths: Any = cv2.filterSpeckles(found, 16 * (least - 1), SPECKLE, 16)[0]
    sixteenths = sixteenths[:, : -size[0] // 8]  # what is further right lies beyond the left eye's border
    values: Any = np.sort(sixteenths[sixteenths >= 16 * least]) / 16
    if len(values) < FEW:
        return LEAST, COUNT
    rare = len(values) // RARE
    furthest = max(LEAST, math.floor(COARSE * (values[rare] - 1.5)))
    nearest = min(LEAST + COUNT, math.ceil(COARSE * (values[-1 - rare] + 1.5)))
    return furthest, min(COUNT, max(16, -(-(nearest - furthest) // 16) * 16))


def _match(right: Bytes, left: Bytes, least: int, count: int) -> Floats:
    """Disparities (h, w); where none was found they are less than ``least``."""
    import cv2

    width = right.shape[1]
    # OpenCV looks for what is further left in the second picture; mirrored, that is further right
    ends = max(0, least + count), max(0, -least)  # or the columns without a full range would find nothing
    mirrored = [cv2.copyMakeBorder(cv2.flip(greys(p), 1), 0, 0, *ends, cv2.BORDER_REPLICATE) for p in (right, left)]
    smooth = 8 * 3 * 3
    matcher = cv2.StereoSGBM.create(
        minDisparity=least,
        numDisparities=count,
        blockSize=3,
        P1=smooth,
        P2=4 * smooth,
        disp12MaxDiff=1,
        uniquenessRatio=5,  # strokes on a bare wall would seem to lie at any depth
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    found = matcher.compute(*mirrored)[:, ends[0] : ends[0] + width]
    return np.asarray(np.float32(1 / 16) * cv2.flip(found, 1))


def _filled(found: Floats, known: Any) -> Floats:
    """``found``; where it is not ``known``, what is furthest away of what is known near by in its row.

    What one eye alone sees is behind what hides it from the other. What is further off than that has no trust (`GAP`).
    """
    import cv2

    beyond = np.float32(COUNT + 1)
    furthest = cv2.erode(np.where(known, found, beyond), np.ones((1, 2 * BESIDE + 1), np.uint8))
    return np.asarray(np.where(known, found, np.where(furthest < beyond, furthest, np.float32(0))), np.float32)


def _refined(right: Bytes, left: Bytes, disparity: Floats) -> Floats:
    """``disparity``, but beside edges of depth each pixel has its own, that of the nearer thing or of the further one:
    that by which it is most like what the left eye sees there."""
    import cv2

    around = np.ones((BESIDE, BESIDE), np.uint8)
    near: Any = cv2.dilate(disparity, around)
    far: Any = cv2.erode(disparity, around)
    columns, rows = columns_and_rows(*disparity.shape)

    def unlike(choice: Any) -> Any:
        told = cv2.remap(left, cv2.add(columns, choice), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return greys(np.asarray(cv2.absdiff(right, told)))

    edge: Any = np.uint8(255) * (near - far > JUMP)
    chosen, least = disparity.copy(), unlike(disparity)
    for choice in (near, far):
        this = unlike(choice)
        cv2.copyTo(choice, cv2.bitwise_and(cv2.compare(this, least, cv2.CMP_LT), edge), chosen)
        least = cv2.min(least, this)
    return np.asarray(cv2.medianBlur(chosen, 5))  # single pixels are like anything


def _haloed(disparity: Floats, right: Bytes) -> Any:
    """(h, w), 0 to 1: how much that is the outline of a nearer thing, on smooth ground, in the left eye which is beside
    nothing in the right one. It would hang in the air there. Amid texture strokes belong to what they lie on."""
    import cv2

    smooth = np.clip((ROUGH - deviation(greys(right), WINDOW)) / (ROUGH - SMOOTH), 0, 1)
    columns, _ = columns_and_rows(*disparity.shape)
    things = cv2.morphologyEx(disparity, cv2.MORPH_OPEN, np.ones((THIN, THIN), np.uint8))
    reach = np.maximum.accumulate(columns + things, axis=1)  # how far right in the left eye what is left of here comes
    clear = np.ones_like(disparity)
    gap = columns[:, HALO + 1 :] + disparity[:, HALO + 1 :] - reach[:, : -HALO - 1]
    clear[:, HALO + 1 :] = np.clip((gap + 1) / HALO, 0, 1)
    return smooth * (1 - clear)


def _further_down(picture: Bytes, told: Bytes, trust: Floats) -> float:
    """How much lower than ``told`` was read it should have been, in pixels: one step of least squares, 1 at most."""
    import cv2

    now, then = (greys(p).astype(np.float32) for p in (picture, told))
    slope = cv2.Sobel(then, cv2.CV_32F, 0, 1, scale=1 / 8)
    weight = slope * trust
    step = float((weight * (now - then)).sum()) / (float((weight * slope).sum()) + 1.0)
    return min(1.0, max(-1.0, step))
