"""Paintings that stay on what they show: from frame to frame, and from eye to eye.

A network paints every frame anew, and each eye by itself: strokes tremble, and differ between the eyes, where the
source hardly does. Where `matching` has found that a pixel shows what another one showed a moment before, the painting
keeps much of what it was there (recursively, as temporal filters of video do); where the right eye sees what the left
one sees, it is given the left one's strokes. What only now comes into view, or only one eye sees, is painted as ever.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from artem_vr.stylize.matching import Matcher
from artem_vr.stylize.painters import one_line
from artem_vr.stylize.ties import NO_TIES, Bytes, Floats, Tie, Ties, places_of, read_at, scaled

if TYPE_CHECKING:
    from torch import Tensor

Steadying = Literal["auto", "always", "never"]
T = TypeVar("T")

STEADY_SECONDS = 0.07
"""After this long 63 % of what was painted before are replaced."""

JUDGE_AFTER = 15
"""Pairs after which `Budget` thinks again."""
PATIENCE, MOST_PATIENCE = 4, 64
"""Such judgements after which it tries again although it seemed too dear; twice as many after each try in vain."""


def kept(elapsed: float) -> float:
    """Share of the painting before that stays after ``elapsed`` seconds, in (0, 1]."""
    return math.exp(-max(0.0, elapsed) / STEADY_SECONDS)


class Budget:
    """Whether there is time to steady. Judged by what pairs took: a steady painting that hardly comes is none."""

    def __init__(self, limit: float, proven: bool = False) -> None:
        """``limit``: seconds that a pair may take with steadying."""
        self.allows = True
        self.proven = proven
        """Whether that held when it was judged last, and is no mere try."""
        self._limit = limit
        self._pairs: list[float] = []
        self._costs: list[float] = []
        self._share = 0.0
        """Seconds that steadying takes for each other second of a pair: of both there are more on a busy machine."""
        self._waited, self._patience = 0, PATIENCE
        """Judgements since it was last allowed, and how many are waited."""

    def other_size(self) -> None:
        """What was measured says nothing any more; what was judged holds until it is judged again."""
        self._pairs.clear()
        self._costs.clear()

    def took(self, pair: float, steadying: float, may_refuse: bool = True) -> None:
        """Seconds that the newest pair took, and those of them in which it was steadied.

        ``may_refuse`` False: a smaller size comes first where it was too long.
        """
        self._pairs.append(pair)
        self._costs.append(steadying)
        if len(self._pairs) < JUDGE_AFTER:
            return
        usual, cost = statistics.median(self._pairs), statistics.median(self._costs)
        self.other_size()
        if self.allows:
            self.proven = usual <= self._limit
            self.allows = self.proven or not may_refuse
            self._share = cost / max(usual - cost, 1e-9)
            if not self.allows:
                self._waited, self._patience = 0, min(2 * self._patience, MOST_PATIENCE)
            return
        self._waited += 1
        bare = usual - cost  # a ground that stands is laid nevertheless
        fits = bare * (1 + self._share) <= 0.8 * self._limit  # with some room, so that it does not come and go
        # in the first seconds of a run, when styles are made ready, it seemed dearer than it is
        self.allows = fits or (bare <= 0.5 * self._limit and self._waited >= self._patience)


class Steadier:
    """For the paintings of one series of frames, in one style. What it steadies it keeps until the next."""

    def __init__(self) -> None:
        self._number = 0
        """Of the frame that `_last` shows."""
        self._captured_at = 0.0
        self._shape: tuple[int, ...] = ()
        self._last: Sequence[Any] = ()
        """The eyes as they were shown, not yet rounded: bytes would stop short of where they are led."""

    def forget(self) -> None:
        """The next painting is the first one: another style."""
        self._shape = ()

    def steadied(self, pictures: Any, ties: Ties, captured_at: float) -> Any:
        """``pictures`` as `Painter.paint` gives them: (E, H, W, 3) or (E, H, W, 4) uint8, NumPy or torch on any device.

        ``ties`` are of the frame that they show, which was captured at ``captured_at`` seconds. The result is of the
        same kind, and complete; nothing else may write to it.
        """
        follows = self._shape == tuple(pictures.shape) and ties.number == self._number + 1
        before = ties.before if follows else ()
        exact, shown = pictures, pictures
        if before or ties.across is not None:
            share = kept(captured_at - self._captured_at)
            with _painting_stream(pictures):
                exact, shown = _steadied(pictures, self._last, before, ties.across, share)
        self._number, self._captured_at = ties.number, captured_at
        self._shape, self._last = tuple(pictures.shape), exact
        return shown


class SteadyHand:
    """Looks at sources and steadies their paintings, where there is time, and as long as it works.

    For every frame: `look`, then `steady` each of its paintings, then `took`.
    """

    def __init__(self, mode: Steadying, limit: float, clock: Callable[[], float]) -> None:
        """``limit``: seconds that a pair may take with steadying, for "auto"; ``clock`` tells seconds."""
        self._always = mode == "always"
        self.message = ""
        """One line for the user where it failed; it is not tried again then."""
        self._limit, self._clock = limit, clock
        self._matcher = Matcher() if mode != "never" else None
        self._budget = Budget(limit)
        self._work: object = None
        self._shape: tuple[int, ...] = ()
        """What `_budget` was judged by."""
        self._seconds = 0.0
        """That the frame was steadied until now."""

    def goes_on(self, now_or_never: bool) -> bool:
        """Whether frames as the last one are looked at for good, as far as can be told, unless something hurries."""
        return self._matcher is not None and (self._always or now_or_never or self._budget.proven)

    def look(self, eyes: Bytes, work: object, now_or_never: bool, hurries: bool) -> Ties:
        """What is found in ``eyes`` (E, H, W, 3) uint8 RGB; `NO_TIES` if they are not to be steadied.

        ``work``: what the time depends on beside their size; another one is judged anew. ``now_or_never``: this frame
        is all there is. ``hurries``: something else needs the time.
        """
        self._seconds = 0.0
        if work != self._work:
            self._work, self._budget = work, Budget(self._limit, self._budget.proven)
        if eyes.shape != self._shape:
            self._shape = eyes.shape
            self._budget.other_size()
        wanted = self._always or now_or_never or (self._budget.allows and not hurries)
        matcher = self._matcher
        if matcher is None or not wanted:
            return NO_TIES
        return self._tried(lambda: matcher.ties(eyes), NO_TIES)

    def steady(self, steadier: Steadier, pictures: Any, ties: Ties, captured_at: float) -> Any:
        """As `Steadier.steadied`; ``pictures`` as they are where that fails."""
        if ties is NO_TIES:
            return steadier.steadied(pictures, ties, captured_at)
        return self._tried(lambda: steadier.steadied(pictures, ties, captured_at), pictures)

    def timed(self, do: Callable[[], T]) -> T:
        """What ``do`` gives; its time is part of steadying's."""
        begun = self._clock()
        result = do()
        self._seconds += self._clock() - begun
        return result

    @property
    def seconds(self) -> float:
        """That were spent on the present frame until now, the ground's among them."""
        return self._seconds

    def took(self, pair: float, may_refuse: bool = True) -> None:
        """Seconds that the frame took in all; ``may_refuse`` as in `Budget.took`."""
        self._budget.took(pair, self._seconds, may_refuse)

    def _tried(self, do: Callable[[], Any], otherwise: Any) -> Any:
        def tried() -> Any:
            try:
                return do()
            except Exception as error:  # noqa: BLE001 (whatever it is, there is a painting)
                self._matcher = None
                self.message = f"Paintings are not steadied ({one_line(error)})"
                return otherwise

        return self.timed(tried)


def _steadied(
    pictures: Any, last: Sequence[Any], before: tuple[Tie, ...], across: Tie | None, share: float
) -> tuple[list[Any], Any]:
    """The eyes in floats, and the pictures in bytes.

    First the right eye is given what the left one was painted like, then each keeps of what it was: so both lag behind
    alike, and what is surer between them at one moment than at the next does not tremble.
    """
    place: Any = _Host if isinstance(pictures, np.ndarray) else _Device
    painted = [place.exact(picture) for picture in pictures]
    eyes = painted.copy()
    if across is not None:
        eyes[1] = place.laid_over(eyes[1], painted[0], across, 1.0)
    if before:
        eyes = [
            place.laid_over(eye, place.exact(old), tie, share) for eye, old, tie in zip(eyes, last, before, strict=True)
        ]
    return eyes, place.shown(eyes)


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


def _shift_for(tie: Tie, picture: Any) -> Floats:
    """(h, w, 2) on the tie's grid: where it leads to, in pixels of ``picture``."""
    # from eye to eye a wall's place is known: what is beside it, and the other rows, tell it
    shift = tie.shift if tie.discontinuous else tie.led
    return scaled(shift, picture.shape[1] / tie.trust.shape[1], picture.shape[0] / tie.trust.shape[0])


class _Host:
    """Eyes as NumPy arrays (H, W, C) fp32, 0..255, with OpenCV: which reads floats faster than bytes."""

    @staticmethod
    def exact(picture: Any) -> Floats:
        return np.asarray(picture, np.float32)

    @staticmethod
    def laid_over(picture: Floats, other: Floats, tie: Tie, share: float) -> Floats:
        """``picture``, over which ``other`` is laid by ``tie``: ``share`` of it, where that is to be trusted."""
        import cv2

        height, width = picture.shape[:2]
        between = cv2.INTER_NEAREST_EXACT if tie.discontinuous else cv2.INTER_LINEAR
        shift = cv2.resize(_shift_for(tie, picture), (width, height), interpolation=between)
        places: Any = cv2.add(shift, places_of(height, width))
        moved = read_at(other, places, cv2.INTER_CUBIC)
        weight: Any = cv2.resize(tie.trust * np.float32(share), (width, height), interpolation=cv2.INTER_LINEAR)
        mixed: Any = cv2.blendLinear(picture, moved, 1 - weight, weight)
        return np.clip(mixed, 0, 255, out=mixed)  # cubic interpolation overshoots at edges

    @staticmethod
    def shown(eyes: list[Floats]) -> Bytes:
        import cv2

        return np.stack([cv2.convertScaleAbs(eye) for eye in eyes])


class _Device:
    """Eyes as torch tensors (H, W, C) fp32, 0..255, wherever they are; the same as `_Host` does."""

    @staticmethod
    def exact(picture: Tensor) -> Tensor:
        return picture.float()

    @staticmethod
    def laid_over(picture: Tensor, other: Tensor, tie: Tie, share: float) -> Tensor:
        import torch
        from torch.nn import functional as F

        height, width = picture.shape[:2]
        device = picture.device

        def spread(values: Floats, nearest: bool = False) -> Tensor:
            """(h, w, C) to (1, C, H, W)."""
            small = torch.from_numpy(np.ascontiguousarray(values)).to(device).permute(2, 0, 1)[None]
            if nearest:
                return F.interpolate(small, size=(height, width), mode="nearest-exact")
            return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)

        shift = spread(_shift_for(tie, picture), tie.discontinuous)
        x = (2 * (shift[:, 0] + torch.arange(width, device=device)) + 1) / width - 1
        y = (2 * (shift[:, 1] + torch.arange(height, device=device)[:, None]) + 1) / height - 1
        now, then = (p.permute(2, 0, 1)[None] for p in (picture, other))
        grid = torch.stack((x, y), dim=-1)
        moved = F.grid_sample(then, grid, mode="bicubic", padding_mode="border", align_corners=False)
        mixed = torch.lerp(now, moved, spread(tie.trust[..., None] * np.float32(share)))
        return mixed.clamp(0, 255)[0].permute(1, 2, 0)

    @staticmethod
    def shown(eyes: list[Tensor]) -> Tensor:
        import torch

        return torch.stack(eyes).round().to(torch.uint8)
