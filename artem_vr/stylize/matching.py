"""Where things of a frame lie in the frame before (optical flow), and in the other eye (`eye_matching`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from artem_vr.stylize.eye_matching import EYES_SIDE, EyeMatcher
from artem_vr.stylize.ties import SIDE, Bytes, Floats, Tie, Ties, greys, halved, likeness, reduced

SMALLEST, LARGEST = 64, 32_000
"""Pictures of a shorter short side are not compared: there is hardly anything to find. Nor of a longer long side, which
OpenCV does not read at given places."""
SAME_SCENE = 0.5
"""Mean trust from one frame to the next below which they are taken for two scenes, whatever their colours (which
`statistics.is_cut` judges by). Films have 0.75 and more in quick motion, 0.1 to 0.3 at cuts."""
TORN = 0.75
"""Pixels between the ways of neighbours from which on trust falls; at twice that it is 0."""


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
        halves = [halved(eye) for eye in eyes]
        self._small = [reduced(half, SIDE) for half in halves]
        moved: tuple[Tie, ...] = ()
        if [eye.shape for eye in before] == [eye.shape for eye in self._small]:
            moved = tuple(self._moved(now, was) for now, was in zip(self._small, before, strict=True))
        if any(tie.trust.mean() < SAME_SCENE for tie in moved):
            moved = ()  # a cut: what fits, fits by chance
        across = None
        if len(eyes) == 2:
            left, right = (reduced(half, EYES_SIDE) for half in halves)
            across = self._eyes.across(left, right, self._small[1])
        return Ties(self._number, moved, across)

    def _moved(self, now: Bytes, before: Bytes) -> Tie:
        """DIS optical flow (Kroeger et al. 2016). Where neighbours went different ways the painting would be torn."""
        import cv2

        shift = flow_to(self._flow, greys(now), greys(before))
        around = np.ones((3, 3), np.uint8)
        x, y = (cv2.subtract(cv2.dilate(one, around), cv2.erode(one, around)) for one in cv2.split(shift))
        whole = np.clip(2 - cv2.max(x, y) / TORN, 0, 1)
        trust: Any = cv2.blur(whole * likeness(now, before, shift)[1], (3, 3))
        return Tie(shift, trust, now)


def flow_to(flow: Any, grey: Bytes, other: Bytes) -> Floats:
    """(h, w, 2): where in ``other`` the pixels of ``grey`` are, relative to themselves; ``flow`` is OpenCV's DIS."""
    shift: Floats = flow.calc(grey, other, np.zeros((*grey.shape, 2), np.float32))
    return shift
