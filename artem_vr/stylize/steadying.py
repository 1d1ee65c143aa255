"""Paintings that stay on what they show: from frame to frame, and from eye to eye.

A network paints every frame anew, and each eye by itself: strokes tremble, and differ between the eyes, where the
source hardly does. Where `matching` knows that a pixel shows what another one showed a moment before, the painting
keeps much of what it was there (recursively, as temporal filters of video do); where the right eye sees what the left
one sees, it is given the left one's strokes. What only now comes into view, or only one eye sees, is painted as ever.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from artem_vr.stylize.matching import Bytes, Floats, Tie, Ties, places_of, read_at

if TYPE_CHECKING:
    from torch import Tensor

Steadying = Literal["auto", "always", "never"]

STEADY_SECONDS = 0.1
"""After this long 63 % of what was painted before are replaced."""


JUDGE_AFTER = 15
"""Pairs after which `Budget` thinks again."""


def kept(elapsed: float) -> float:
    """Share of the painting before that stays after ``elapsed`` seconds, in (0, 1]."""
    return math.exp(-max(0.0, elapsed) / STEADY_SECONDS)


class Budget:
    """Whether there is time to steady. Judged by what pairs took: a steady painting that hardly comes is none."""

    def __init__(self, limit: float | None) -> None:
        """``limit``: seconds that a pair may take with steadying; None: there is always time."""
        self.allows = True
        self._limit = limit
        self._pairs: list[float] = []
        self._with = math.nan
        """Seconds that a pair took with steadying, when there was no longer time for it."""
        self._cost = math.nan
        """Seconds that it took less from then on."""

    def took(self, pair: float) -> None:
        """Seconds that the newest pair took, with steadying if that was allowed."""
        if self._limit is None:
            return
        self._pairs.append(pair)
        if len(self._pairs) < JUDGE_AFTER:
            return
        usual = statistics.median(self._pairs)
        self._pairs.clear()
        if self.allows:
            self.allows = usual <= self._limit
            self._with, self._cost = usual, math.nan
        elif math.isnan(self._cost):
            self._cost = max(0.0, self._with - usual)
        else:  # with some room, so that it does not come and go
            self.allows = usual + self._cost <= 0.8 * self._limit


class Steadier:
    """For the paintings of one series of frames, in one style. What it steadies it keeps until the next."""

    def __init__(self) -> None:
        self._number = 0
        """Of the frame that `_last` shows."""
        self._captured_at = 0.0
        self._last: Any = None

    def forget(self) -> None:
        """The next painting is the first one: another style."""
        self._last = None

    def steadied(self, pictures: Any, ties: Ties, captured_at: float) -> Any:
        """``pictures`` as `Painter.paint` gives them: (E, H, W, 3) or (E, H, W, 4) uint8, NumPy or torch on any device.

        ``ties`` are of the frame that they show, which was captured at ``captured_at`` seconds. The result is of the
        same kind, and complete; nothing else may write to it.
        """
        last, share = self._last, kept(captured_at - self._captured_at)
        follows = last is not None and last.shape == pictures.shape and ties.number == self._number + 1
        before = ties.before if follows else ()
        shown = pictures
        if before or ties.across is not None:
            with _painting_stream(pictures):
                shown = _steadied(pictures, last, before, ties.across, share)
        self._number, self._captured_at, self._last = ties.number, captured_at, shown
        return shown


def _steadied(pictures: Any, last: Any, before: tuple[Tie, ...], across: Tie | None, share: float) -> Any:
    """The left eye keeps of what it was; the right one is given what the left one shows, then keeps of what it was: in
    this order also what is surer at one moment than at the next does not tremble."""
    on_device = not isinstance(pictures, np.ndarray)
    lay = _laid_over_on_device if on_device else _laid_over
    shown: list[Any] = []
    for eye, picture in enumerate(pictures):
        if shown and across is not None:
            picture = lay(picture, shown[0], across, 1.0)
        if before:
            picture = lay(picture, last[eye], before[eye], share)
        shown.append(picture)
    if not on_device:
        return np.stack(shown)
    import torch

    return torch.stack(shown)


@contextlib.contextmanager
def _painting_stream(pictures: Any) -> Iterator[None]:
    """Inside, what is done with CUDA pictures goes where painting goes, at its low priority; afterwards it is done."""
    if isinstance(pictures, np.ndarray):
        yield
        return
    import torch

    with torch.inference_mode():  # painters' pictures were made in it
        if pictures.device.type != "cuda":
            yield
            return
        from artem_vr.stylize.engines.torch_engine import painting_stream

        stream = painting_stream()
        with torch.cuda.stream(stream):
            yield
        stream.synchronize()


def _laid_over(picture: Bytes, other: Bytes, tie: Tie, share: float) -> Bytes:
    """``picture`` (H, W, 3), over which ``other`` is laid by ``tie``: ``share`` of it, where that is to be trusted."""
    import cv2

    height, width = picture.shape[:2]
    shift = cv2.resize(tie.shift * _scale(tie, picture), (width, height), interpolation=cv2.INTER_LINEAR)
    places: Any = cv2.add(shift, places_of(height, width))
    moved = read_at(other, places, cv2.INTER_CUBIC)
    weight: Any = cv2.resize(tie.trust * np.float32(share), (width, height), interpolation=cv2.INTER_LINEAR)
    mixed: Any = cv2.blendLinear(picture, moved, 1 - weight, weight)
    return mixed


def _scale(tie: Tie, picture: Any) -> Floats:
    """(2,): pixels of ``picture`` in one of the tie's grid, across and down."""
    return np.array([picture.shape[1] / tie.trust.shape[1], picture.shape[0] / tie.trust.shape[0]], np.float32)


def _laid_over_on_device(picture: Tensor, other: Tensor, tie: Tie, share: float) -> Tensor:
    """The same where the pictures are: linear for ties, cubic for pictures, as above."""
    import torch
    from torch.nn import functional as F

    height, width = picture.shape[:2]

    def spread(values: Floats) -> Tensor:
        """(h, w, C) to (1, C, H, W)."""
        small = torch.tensor(values, device=picture.device).permute(2, 0, 1)[None]
        return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)

    shift = spread(tie.shift * _scale(tie, picture)).permute(0, 2, 3, 1)
    places = shift + torch.tensor(places_of(height, width), device=picture.device)
    grid = (2 * places + 1) / torch.tensor([width, height], device=picture.device) - 1
    now, then = (p.permute(2, 0, 1)[None].float() for p in (picture, other))
    moved = F.grid_sample(then, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(0, 255)
    mixed = torch.lerp(now, moved, spread(tie.trust[..., None] * np.float32(share)))
    return mixed.round().to(torch.uint8)[0].permute(1, 2, 0)
