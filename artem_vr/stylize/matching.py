"""Where things of one picture lie in another: in the frame before (optical flow), in the other eye (stereo).

It looks at the source, never at a painting, and at small copies, so that it costs the same whatever the working size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 256
"""Short side of the pictures that are compared."""
SMALLEST, LARGEST = 64, 32_000
"""Pictures of a shorter short side are not compared: there is hardly anything to find. Nor of a longer long side, which
OpenCV does not read at given places."""
LEAST, COUNT = -16, 64
"""Disparities that are looked for, in pixels of those pictures: from LEAST on so many, a multiple of 16. Films put
things behind the screen, too; a hand 20 cm before a headset's cameras is at some 40."""

UNLIKE = 10 / 255, 30 / 255
"""Difference of a colour up to which what was found is trusted, and from which on not."""
STEEPEST, LOST = 8.0, 0.02
"""Pixels by which one eye's things may be lower than the other's; mean trust that says nothing of that."""
SAME_SCENE = 0.5
"""Mean trust from one frame to the next below which they are taken for two scenes, whatever their colours (which
`statistics.is_cut` judges by). Films have 0.75 and more in quick motion, 0.1 to 0.3 at cuts."""
TORN = 0.75
"""Pixels between the ways of neighbours from which on trust falls; at twice that it is 0."""
JUMP = 1.0
"""Pixels of disparity (in small pictures) that make an edge of depth."""
TOLD, NOISE = 400.0, 100.0
"""Squared slope of the grey (Sobel), at which a place says as much of where it lies as it must; and up to which it says
nothing: a camera's noise of 2 levels has 40, less in a picture that was reduced."""
AROUND, FAR_AROUND = 15, 63
"""What is around a place: side of a window, in pixels of half of the small pictures; and where that says nothing
either. Where this is as silent, a wide sky goes with the picture as a whole."""
LITTLE = 1e-3
"""What says less than so much is not listened to."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tie:
    """Where each pixel of a picture lies in another one of the same size; both grids are that of the small copies."""

    shift: Floats
    """(h, w, 2): how far to the right and down of its own place, in pixels of this grid."""
    trust: Floats
    """(h, w), 0 (nowhere, or unknown) to 1."""
    seen: Bytes
    """(h, w, 3) RGB: the small copy of the picture."""

    @functools.cached_property
    def even(self) -> Floats:
        """(h/2, w/2, 2), in pixels of that grid: ``shift``, but smooth. What says little of where it lies, or is not to
        be trusted, goes with what is around it. Found when it is asked for: steadying can do without."""
        return _evened(self.seen, self.shift, self.trust)


@dataclass(frozen=True, eq=False)
class Ties:
    """What `Matcher` found in a frame."""

    number: int
    """Of the frame, counted by the matcher."""
    before: tuple[Tie, ...]
    """Each eye in itself in frame ``number - 1``; empty for the first frame and at a cut."""
    across: Tie | None
    """The right eye in the left one of this frame; None without a second eye."""


NO_TIES = Ties(0, (), None)
"""Of a frame that was not looked at."""


class Matcher:
    """Looks at the frames of one source, one after the other. Not for two threads at once."""

    def __init__(self) -> None:
        import cv2

        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._eyes = EyeMatcher()
        self._number = 0
        self._small: list[Bytes] = []
        """The eyes of the last frame; empty before the first one, and where there was nothing to compare."""

    def ties(self, eyes: Bytes) -> Ties:
        """Of the next frame: ``eyes`` (E, H, W, 3) uint8 RGB, left first, E 1 or 2."""
        self._number += 1
        before, self._small = self._small, []
        if min(eyes.shape[1:3]) < SMALLEST or max(eyes.shape[1:3]) > LARGEST:
            return Ties(self._number, (), None)
        self._small = [reduced(eye, SIDE) for eye in eyes]
        moved: tuple[Tie, ...] = ()
        if [eye.shape for eye in before] == [eye.shape for eye in self._small]:
            moved = tuple(self._moved(now, was) for now, was in zip(self._small, before, strict=True))
        if any(tie.trust.mean() < SAME_SCENE for tie in moved):
            moved = ()  # a cut: what fits, fits by chance
        across = self._eyes.across(*self._small) if len(eyes) == 2 else None
        return Ties(self._number, moved, across)

    def _moved(self, now: Bytes, before: Bytes) -> Tie:
        """DIS optical flow (Kroeger et al. 2016). Where neighbours went different ways the painting would be torn."""
        import cv2

        shift = flow_to(self._flow, _grey(now), _grey(before))
        around = np.ones((3, 3), np.uint8)
        x, y = (cv2.subtract(cv2.dilate(one, around), cv2.erode(one, around)) for one in cv2.split(shift))
        whole = np.clip(2 - cv2.max(x, y) / TORN, 0, 1)
        trust: Any = cv2.blur(whole * likeness(now, before, shift)[1], (3, 3))
        return Tie(shift, trust, now)


class EyeMatcher:
    """Finds the right eye's pixels in the left picture, by semi-global matching (Hirschmueller 2008).

    Cameras are never mounted exactly: how much lower things are in the left picture is followed from frame to frame,
    and both are brought to one level first. Where hardly anything is found, that level may be why: it is left again.
    """

    def __init__(self) -> None:
        self._down = 0.0

    def across(self, left: Bytes, right: Bytes) -> Tie:
        """Both are (h, w, 3) RGB.

        At an edge of depth what belongs to the nearer thing is trusted. Beside it is what one eye alone sees, and
        strokes that belong to the nearer thing: nothing is trusted there.
        """
        import cv2

        width = right.shape[1]
        found = self._match(left, right)
        known = found >= LEAST
        nearest = np.where(known, found, np.float32(-width))
        near, nearby = (cv2.dilate(nearest, np.ones((n, n), np.uint8)) for n in (3, 5))
        # beside a nearer thing, and where nothing is known, its disparity is taken: the edge itself is not torn then
        carried = (~known | (near - found > JUMP)) & (near > -width)
        disparity = np.where(carried, near, np.where(known, found, np.float32(0)))
        shift: Any = cv2.merge((disparity, np.full_like(disparity, self._down)))
        edge = np.clip(2 - (nearby - nearest) / JUMP, 0, 1)
        told, like = likeness(right, left, shift)
        trust: Any = cv2.blur(known * edge * like, (3, 3))
        level = self._down + _further_down(right, told, trust) if trust.mean() > LOST else self._down / 2
        self._down = min(STEEPEST, max(-STEEPEST, level))
        return Tie(shift, trust, right)

    def _match(self, left: Bytes, right: Bytes) -> Floats:
        """Disparities (h, w); where none was found they are less than LEAST."""
        import cv2

        height, width = right.shape[:2]
        move = np.array([[1, 0, 0], [0, 1, -self._down]], np.float32)
        level: Any = cv2.warpAffine(left, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        # OpenCV looks for what is further left in the second picture; mirrored, that is further right
        ends = LEAST + COUNT, -LEAST  # or the columns without a full range would find nothing
        mirrored = [
            cv2.copyMakeBorder(cv2.flip(_grey(p), 1), 0, 0, *ends, cv2.BORDER_REPLICATE) for p in (right, level)
        ]
        smooth = 8 * 3 * 3
        matcher = cv2.StereoSGBM.create(
            minDisparity=LEAST,
            numDisparities=COUNT,
            blockSize=3,
            P1=smooth,
            P2=4 * smooth,
            disp12MaxDiff=1,
            uniquenessRatio=5,  # strokes on a bare wall would seem to lie at any depth
            mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
        )
        found = matcher.compute(*mirrored)[:, ends[0] : ends[0] + width]
        return np.float32(1 / 16) * cv2.flip(found, 1)


def _further_down(picture: Bytes, told: Bytes, trust: Floats) -> float:
    """How much lower than ``told`` was read it should have been, in pixels: one step of least squares, 1 at most."""
    import cv2

    now, then = (_grey(p).astype(np.float32) for p in (picture, told))
    slope = cv2.Sobel(then, cv2.CV_32F, 0, 1, scale=1 / 8)
    weight = slope * trust
    step = float((weight * (now - then)).sum()) / (float((weight * slope).sum()) + 1.0)
    return min(1.0, max(-1.0, step))


def _evened(picture: Bytes, shift: Floats, trust: Floats) -> Floats:
    """`Tie.even`: means of ``shift`` around each place, weighted by ``trust`` and by the slope of the grey."""
    import cv2

    grey = _grey(picture)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    slope: Any = cv2.blur(across * across + down * down, (7, 7))
    slope = np.maximum(slope - np.float32(NOISE), 0)
    weight = trust * (slope / (slope + np.float32(TOLD)) + np.float32(LITTLE / 10)) + np.float32(1e-7)
    height, width = trust.shape
    size = (width + 1) // 2, (height + 1) // 2
    weighted, weight = (
        cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (shift * weight[..., None], weight)
    )

    def sums(side: int) -> tuple[Any, Any]:
        return cv2.blur(weighted, (side, side)), cv2.blur(weight, (side, side))[..., None]

    little = np.float32(LITTLE)
    guess: Any = weighted.sum((0, 1)) / weight.sum()
    for side in (FAR_AROUND, AROUND):
        said, told = sums(side)
        guess = (said + little * guess) / (told + little)
    even: Any = cv2.blur(guess, (5, 5))
    return np.asarray(even * np.array([size[0] / width, size[1] / height], np.float32))


def flow_to(flow: Any, grey: Bytes, other: Bytes) -> Floats:
    """(h, w, 2): where in ``other`` the pixels of ``grey`` are, relative to themselves; ``flow`` is OpenCV's DIS."""
    shift: Floats = flow.calc(grey, other, np.zeros((*grey.shape, 2), np.float32))
    return shift


def likeness(picture: Bytes, other: Bytes, shift: Floats) -> tuple[Bytes, Floats]:
    """``other`` read ``shift`` away, and how well that tells ``picture``: (h, w) 0..1, and 0 outside of ``other``."""
    import cv2

    height, width = picture.shape[:2]
    places = places_of(height, width) + shift
    told = read_at(other, places, cv2.INTER_LINEAR)
    red, green, blue = cv2.split(cv2.absdiff(cv2.GaussianBlur(picture, (3, 3), 0), cv2.GaussianBlur(told, (3, 3), 0)))
    difference = cv2.blur(cv2.max(cv2.max(red, green), blue).astype(np.float32) / 255, (3, 3))
    inside = cv2.inRange(places, (-0.5, -0.5), (width - 0.5, height - 0.5))  # 255 where it is
    trusted, strange = UNLIKE
    return told, np.clip((strange - difference) / (strange - trusted), 0, 1) * (inside > 0)


def read_at(picture: Any, places: Floats, interpolation: int) -> Any:
    """(h, w, C): ``picture`` at ``places`` (h, w, 2), x and y; beyond its border that is repeated."""
    import cv2

    second: Any = None  # a map for y, where x stands alone
    read: Any = cv2.remap(picture, places, second, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return read


@functools.lru_cache(maxsize=4)
def places_of(height: int, width: int) -> Floats:
    """(h, w, 2): x, y of each pixel's centre; the first one's is (0, 0). Kept, and so not to be written to."""
    places = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=-1)
    places.flags.writeable = False
    return places


def reduced(picture: Bytes, side: int) -> Bytes:
    """(H, W, 3), antialiased, so that the shorter side is ``side`` at most."""
    import cv2

    height, width = picture.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return np.ascontiguousarray(picture)
    size = round(width * factor), round(height * factor)
    small: Any = picture
    while min(height, width) >= 4 * side and height % 2 == width % 2 == 0:  # other factors take several times as long
        height, width = height // 2, width // 2
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA))


def _grey(picture: Bytes) -> Bytes:
    import cv2

    grey: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return grey
