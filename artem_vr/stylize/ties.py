"""What ties two pictures together: where each pixel of one lies in the other, and how surely; and tools to find that.

All of it looks at the source, never at a painting, and at small copies, so that it costs the same whatever the working
size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 256
"""Short side of the pictures that are compared from frame to frame, and twice that of `Tie.even`."""
UNLIKE = 10 / 255, 30 / 255
"""Difference of a colour up to which what was found is trusted, and from which on not."""
TOLD, NOISE = 400.0, 100.0
"""Squared slope of the grey (Sobel), at which a place says as much of where it lies as it must; and up to which it says
nothing: a camera's noise of 2 levels has 40, less in a picture that was reduced."""
AROUND, FAR_AROUND = 15, 63
"""What is around a place: side of a window, in pixels of `Tie.even`; and where that says nothing either. Where this is
as silent, a wide sky goes with the picture as a whole."""
LITTLE = 1e-3
"""What says less than so much is not listened to."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tie:
    """Where each pixel of a picture lies in another one of the same size, on the grid of a small copy of it."""

    shift: Floats
    """(h, w, 2): how far to the right and down of its own place, in pixels of this grid."""
    trust: Floats
    """(h, w), 0 (nowhere, or unknown) to 1."""
    seen: Bytes
    """(h, w, 3) RGB: the picture with a short side of SIDE at most; on half of that grid `even` is found."""
    discontinuous: bool = False
    """Whether ``shift`` leaps from one thing to what is behind it. Half way between the two there is neither."""

    @functools.cached_property
    def even(self) -> Floats:
        """(h/2, w/2, 2) of ``seen``, in pixels of that grid: ``shift``, but smooth.

        What says little of where it lies, or is not to be trusted, goes with what is around it.
        """
        return _evened(self.told, self.shift, self.trust)

    @functools.cached_property
    def led(self) -> Floats:
        """(h, w, 2), in pixels of this grid: ``shift`` where the picture says where it lies, and else `even`.

        A bare wall looks like itself wherever it is read, and with a camera's noise each frame finds another place.
        Strokes that lie on it would be led there.
        """
        import cv2

        height, width = self.trust.shape
        told: Any = cv2.resize(self.told, (width, height), interpolation=cv2.INTER_LINEAR)
        even: Any = cv2.resize(self.even, (width, height), interpolation=cv2.INTER_LINEAR)
        even = scaled(even, width / self.even.shape[1], height / self.even.shape[0])
        return np.asarray(cv2.blendLinear(self.shift, even, told, 1 - told))

    @functools.cached_property
    def told(self) -> Floats:
        """(h, w) of ``seen``, 0 to 1: how much the slope of its grey says of where a place lies."""
        import cv2

        grey = greys(self.seen)
        across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        slope: Any = cv2.blur(across * across + down * down, (7, 7))
        slope = np.maximum(slope - np.float32(NOISE), 0)
        return np.asarray(slope / (slope + np.float32(TOLD)))


@dataclass(frozen=True, eq=False)
class Ties:
    """What `matching.Matcher` found in a frame."""

    number: int
    """Of the frame, counted by the matcher."""
    before: tuple[Tie, ...]
    """Each eye in itself in frame ``number - 1``; empty for the first frame and at a cut."""
    across: Tie | None
    """The right eye in the left one of this frame; None without a second eye."""


NO_TIES = Ties(0, (), None)
"""Of a frame that was not looked at."""


def _evened(told: Floats, shift: Floats, trust: Floats) -> Floats:
    """`Tie.even`: means of ``shift`` around each place, weighted by ``trust`` and by what is ``told`` (`Tie.told`)."""
    import cv2

    height, width = told.shape
    if trust.shape != (height, width):
        x, y = width / trust.shape[1], height / trust.shape[0]
        trust = np.asarray(cv2.resize(trust, (width, height), interpolation=cv2.INTER_AREA))
        shift = scaled(np.asarray(cv2.resize(shift, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)), x, y)
    weight = trust * (told + np.float32(LITTLE / 10)) + np.float32(1e-7)
    size = (width + 1) // 2, (height + 1) // 2
    # plane by plane: NumPy takes several times as long over a short last axis
    weighted = cv2.merge([*(weight * plane for plane in cv2.split(shift)), weight])
    weighted = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)
    *sums, total = cv2.sumElems(weighted)[:3]
    guesses: list[Any] = [np.float32(one / total) for one in sums]
    little = np.float32(LITTLE)
    for side in (FAR_AROUND, AROUND):
        *said, weights = cv2.split(cv2.blur(weighted, (side, side)))
        guesses = [(one + little * guess) / (weights + little) for one, guess in zip(said, guesses, strict=True)]
    even: Any = cv2.blur(cv2.merge(guesses), (5, 5))
    return scaled(np.asarray(even), size[0] / width, size[1] / height)


def likeness(picture: Bytes, other: Bytes, shift: Floats, unlike: tuple[float, float] = UNLIKE) -> tuple[Bytes, Floats]:
    """``other`` read ``shift`` away, and how well that tells ``picture``: (h, w) 0..1, and 0 outside of ``other``.

    ``unlike``: see `UNLIKE`.
    """
    import cv2

    height, width = picture.shape[:2]
    places = places_of(height, width) + shift
    told = read_at(other, places, cv2.INTER_LINEAR)
    red, green, blue = cv2.split(cv2.absdiff(cv2.GaussianBlur(picture, (3, 3), 0), cv2.GaussianBlur(told, (3, 3), 0)))
    difference = cv2.blur(cv2.max(cv2.max(red, green), blue).astype(np.float32) / 255, (3, 3))
    inside = cv2.inRange(places, (-0.5, -0.5), (width - 0.5, height - 0.5))  # 255 where it is
    trusted, strange = unlike
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
    places = np.stack(columns_and_rows(height, width), axis=-1)
    places.flags.writeable = False
    return places


@functools.lru_cache(maxsize=4)
def columns_and_rows(height: int, width: int) -> tuple[Floats, Floats]:
    """`places_of`, plane by plane: (h, w) x, and (h, w) y. Not to be written to either."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x.flags.writeable = y.flags.writeable = False
    return x, y


def halved(picture: Bytes) -> Bytes:
    """(H, W, 3), halved while its shorter side is four of SIDE or more; other factors take several times as long.

    Copies of all sizes are made of that: a large picture is read once.
    """
    import cv2

    height, width = picture.shape[:2]
    while min(height, width) >= 4 * SIDE and height % 2 == width % 2 == 0:
        height, width = height // 2, width // 2
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    return picture


def reduced(picture: Bytes, side: int) -> Bytes:
    """(H, W, 3), antialiased, so that the shorter side is ``side`` at most; itself where it is."""
    import cv2

    height, width = picture.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return np.ascontiguousarray(picture)
    size = round(width * factor), round(height * factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def scaled(shift: Floats, x: float, y: float) -> Floats:
    """(h, w, 2) ``shift``, times ``x`` across and ``y`` down."""
    import cv2

    # NumPy takes several times as long over so short an axis
    return np.asarray(cv2.transform(shift, np.array([[x, 0], [0, y]], np.float32)))


def deviation(grey: Bytes, window: int) -> Floats:
    """(h, w), in levels: of ``grey`` (h, w) around each place, in windows of so many pixels."""
    import cv2

    mean: Any = cv2.boxFilter(grey, cv2.CV_32F, (window, window))
    square: Any = cv2.sqrBoxFilter(grey, cv2.CV_32F, (window, window))
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)))


def greys(picture: Bytes) -> Bytes:
    """(h, w) of (h, w, 3) RGB."""
    import cv2

    grey: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return grey
