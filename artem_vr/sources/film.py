"""What a film says of its pictures and its time, and what is to be believed of it: for the source and for `offline`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.sources import opencv
from artem_vr.sources.layout import Layout, split

SAY_THE_MEAN = (".mp4", ".m4v", ".mov", ".3gp")
"""Suffixes of films whose rate is their number of pictures over their length."""
QUICKLY_READ = 200 * 2**20
"""Bytes of another film that is read whole, for its mean. Of larger ones the beginning is looked at."""
LOOKED_AT = 120
"""Pictures that must come evenly there at the rate that it says."""
EXACT = 0.01
"""How far, over it, what is said may be from the mean."""
MILLISECOND = 0.0015
"""Matroska's times are rounded to it, and some more."""
MOST_SQUEEZED = 4.0
"""Proportion of a film's pixels that is still believed."""


class SquarePixels:
    """Makes the pixels of an open film's pictures square: what is stored squeezed becomes longer."""

    def __init__(self, capture: Any, layout: Layout = "mono") -> None:
        """``capture`` is OpenCV's; ``layout`` says how both eyes lie in a picture."""
        cv2 = opencv.load()
        across, up = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        aspect = across / up if across > 0 and up > 0 else 1.0  # of one pixel
        if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180:  # pictures come turned, and this does not
            aspect = 1 / aspect
        self._parts: Layout = "sbs" if layout in ("sbs", "half-sbs") else "mono" if layout == "mono" else "tb"
        # In Matroska a film that says how its eyes lie is made as much longer as they are many; our layouts know that.
        if self._parts == "sbs" and aspect > 1.9:
            aspect /= 2
        elif self._parts == "tb" and aspect < 0.53:
            aspect *= 2
        squeezed = abs(aspect - 1) > 0.01 and 1 / MOST_SQUEEZED <= aspect <= MOST_SQUEEZED  # beyond that it is nonsense
        self._aspect = aspect if squeezed else 1.0
        width, height = (int(capture.get(name)) for name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if squeezed:
            across, down = (2 if self._parts == "sbs" else 1), (2 if self._parts == "tb" else 1)
            part = self._square(width // across, height // down)
            width, height = across * part[0], down * part[1]
        self.size = width, height
        """Width and height of a whole picture, both eyes together."""

    def _square(self, width: int, height: int) -> tuple[int, int]:
        """The size of one eye's picture in square pixels."""
        return round(width * max(1.0, self._aspect)), round(height * max(1.0, 1 / self._aspect))

    def __call__(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 to the same in `size`, each eye by itself: at the seam none shows anything of the other."""
        if self._aspect == 1.0:
            return picture
        cv2 = opencv.load()
        eyes = [cv2.resize(eye, self._square(*eye.shape[1::-1])) for eye in split(picture, self._parts)]
        return np.concatenate(eyes, axis=0 if self._parts == "tb" else 1)


def film_rate(capture: Any, path: Path) -> float:
    """The frame rate in 1/s to play an open film at: what it says, if that is to be believed, else its mean, else 30.

    Files of some tools say 0 or 90000, and what browsers record, which has no fixed rate, 1000. MP4 says the mean; of
    others that say nothing FFmpeg makes up a rate from the first pictures.
    """
    said = float(capture.get(opencv.load().CAP_PROP_FPS))
    known = path.suffix.lower() in SAY_THE_MEAN or (_size(path) > QUICKLY_READ and _is_even(path, said))
    if is_rate(said) and known:
        return said
    count, first, last = 0, math.inf, -math.inf
    for time in _times(path):
        count, first, last = count + 1, min(first, time), max(last, time)
    mean = (count - 1) / (last - first) if last > first else 0.0
    if is_rate(mean):
        near = EXACT + MILLISECOND / (last - first)
        return said if abs(said / mean - 1) < near else mean  # 24000 / 1001, if that is what was meant
    agreed = math.isfinite(said) and 0.9 * mean < said < 1.1 * mean  # slow motion, a picture a minute: it is meant so
    return said if agreed or is_rate(said) else 30.0


def _is_even(path: Path, rate: float) -> bool:
    """Whether a film begins with pictures that come at this rate, one like the other; True where it has no times."""
    if rate <= 0:
        return False
    times = sorted(itertools.islice(_times(path), LOOKED_AT))[: -LOOKED_AT // 8]  # they come as they are stored
    steps = np.diff(times)
    return bool((np.abs(steps - 1 / rate) < MILLISECOND + 0.02 / rate).all())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _times(path: Path) -> Iterator[float]:
    """When each picture of a film is shown, in seconds, in the order in which they are stored. Nothing is decoded."""
    cv2 = opencv.load()
    film = cv2.VideoCapture(opencv.name_of(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    try:
        while film.grab():
            yield float(film.get(cv2.CAP_PROP_POS_MSEC)) / 1000
    finally:
        film.release()


def is_rate(said: float) -> bool:
    """Whether a film can have so many frames a second."""
    return math.isfinite(said) and 0.1 <= said <= 240
