"""Painters that know their style: prepared networks, shared by all the styles that are only codes for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from artem_vr.errors import EngineError
from artem_vr.styles.codes import adjusted
from artem_vr.stylize.engines.base import Code, Engine, Painter, Pictures, State, initial_state
from artem_vr.stylize.loading import LoadedStyle


@dataclass(frozen=True)
class Tuning:
    """How a code is applied (`styles.codes.adjusted`); networks of one style know nothing of it."""

    strength: float = 1.0
    """Content-style trade-off alpha (Huang & Belongie 2017), 0..1."""
    mean_weight: float = 1.0
    contrast: float = 1.0


class StyledPainter:
    """A painter of an engine together with a style's code, if its network takes one."""

    def __init__(self, painter: Painter, style: LoadedStyle, release: Callable[[], None]) -> None:
        self.channels, self.coded, self.smooth = painter.channels, style.code is not None, style.smooth
        self._painter, self._style, self._release = painter, style, release
        self._tuned: tuple[Tuning, Code] | None = None
        self.closed = False
        self._in_use = threading.Lock()

    def paint(self, pictures: Pictures, state: State | None, rate: float, tuning: Tuning) -> tuple[Any, State]:
        """As `Painter.paint`, and the new state is finite. ``state``: None before the first frame.

        Where the numbers overflow, the frame is painted again with statistics of its own. Raises `EngineError` where
        these overflow, too, and ValueError after `close`.
        """
        with self._in_use:
            if self.closed:
                raise ValueError("the painter was closed")
            return self._painted(pictures, state, rate, self._code(tuning))

    def _painted(self, pictures: Pictures, state: State | None, rate: float, code: Code | None) -> tuple[Any, State]:
        if state is not None and rate < 1:
            painted, new_state = self._pass(pictures, state, rate, code)
            if np.isfinite(new_state).all():
                return painted, new_state
        painted, new_state = self._pass(pictures, initial_state(self.channels), 1.0, code)
        if not np.isfinite(new_state).all():
            raise EngineError("This style's numbers overflow here", "Paint with --precision fp32, or less strongly")
        return painted, new_state

    def _code(self, tuning: Tuning) -> Code | None:
        """None for a network of one style."""
        code, plain = self._style.code, self._style.plain
        if code is None or plain is None:
            return None
        if self._tuned is None or self._tuned[0] != tuning:
            self._tuned = tuning, adjusted(code, plain, tuning.strength, tuning.mean_weight, tuning.contrast)
        return self._tuned[1]

    def _pass(self, pictures: Pictures, state: State, rate: float, code: Code | None) -> tuple[Any, State]:
        if code is None:
            return self._painter.paint(pictures, state, rate)
        return self._painter.paint(pictures, state, rate, code)

    def close(self) -> None:
        """Waits for a `paint` that is under way in another thread. May be called twice."""
        with self._in_use:
            if not self.closed:
                self.closed = True
                self._release()


class Workshop:
    """Makes `StyledPainter`s. Styles of one network, at one size, share its compiled form."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[tuple[object, ...], tuple[Painter, int]] = {}
        """Painter and how many styles use it."""

    def make(self, engine: Engine, style: LoadedStyle, eyes: int, height: int, width: int) -> StyledPainter:
        """Called from one thread at a time; what it makes may be closed from any."""
        place = (style.key, eyes, height, width)
        with self._lock:
            painter, users = self._shared.get(place, (None, 0))
            if painter is not None:
                self._shared[place] = painter, users + 1
        if painter is None:
            painter = engine.prepare(style.key, style.network, eyes, height, width)
            with self._lock:
                self._shared[place] = painter, 1
        return StyledPainter(painter, style, lambda: self._release(place))

    def _release(self, place: tuple[object, ...]) -> None:
        with self._lock:
            painter, users = self._shared[place]
            if users > 1:
                self._shared[place] = painter, users - 1
                return
            del self._shared[place]
        painter.close()
