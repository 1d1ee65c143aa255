"""A style and an engine together, ready to paint pictures of any size, one after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch import nn

from artem_vr.errors import EngineError, StyleError, is_lack_of_memory
from artem_vr.hardware import gpu_is_lost
from artem_vr.settings import Settings
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import Engine, Pictures, State, choose_engine, engine_for
from artem_vr.stylize.ground import Ground
from artem_vr.stylize.loading import LoadedStyle, StyleLoader
from artem_vr.stylize.matching import Matcher
from artem_vr.stylize.painters import one_line
from artem_vr.stylize.statistics import RateKeeper
from artem_vr.stylize.steadying import Steadier
from artem_vr.stylize.styled import StyledPainter, Tuning, Workshop
from artem_vr.stylize.ties import NO_TIES

KEPT_PAINTERS = 2
"""Sizes that stay prepared; a folder of photographs mostly has two, upright and across."""


@dataclass(frozen=True, eq=False)
class NamedStyle:
    """A checked style and what it is called."""

    name: str
    loaded: LoadedStyle


def load_style(library: Library, name: str, settings: Settings) -> NamedStyle:
    """The style called ``name`` (empty: the first of the library), with precision "xnor" its binarised version.

    Raises `ArtemError`.
    """
    if name:
        style = library.find_for(settings.precision, name)
    elif styles := library.styles_for(settings.precision):
        style = styles[0]
    else:
        reason = library.problems[0] if library.problems else "No style is installed"
        raise StyleError(reason, "Install artem-vr again, or name a weights file with --style")
    loaded = StyleLoader(library, settings.stroke_size)(style)
    network = loaded.network
    if not isinstance(network, nn.Module):  # checked now: a damaged file is said before anything is painted
        loaded = replace(loaded, network=network())
    return NamedStyle(style.name, loaded)


class Brush:
    """Paints with one style. Pictures are (E, H, W, 3) uint8 RGB; both eyes share their statistics and strokes.

    Where the GPU fails for good, the processor paints that picture, and all others.
    """

    def __init__(
        self, style: NamedStyle, settings: Settings, still: bool, lost: Callable[[str], None] = lambda line: None
    ) -> None:
        """``still``: for single pictures, where "auto" means the most exact arithmetic (torch, fp32) and not the
        fastest. ``lost`` is given a line when the GPU has failed. Raises `EngineError`."""
        self._settings, self._still, self._lost = settings, still, lost
        self._style = style.loaded
        self.engine = self._chosen(settings.device)
        self.coded = style.loaded.code is not None
        self._tuning = Tuning(settings.strength, settings.style_mean_weight, settings.style_contrast)
        self._painters: OrderedDict[tuple[int, ...], StyledPainter] = OrderedDict()
        self._rates = RateKeeper(settings.smoothing_seconds)
        self._steadies, self._depth = settings.steadying != "never", settings.ground
        self._begin()
        self._time = 0.0
        self._state: State | None = None

    def _chosen(self, device: str) -> Engine:
        engine, precision = self._settings.engine, self._settings.precision
        if self._still:
            engine = "torch" if engine == "auto" else engine
            precision = "fp32" if precision == "auto" else precision
        return engine_for(choose_engine(engine, device, precision), self._style.network)

    def _begin(self) -> None:
        """Another film, or another picture."""
        self._matcher, self._steadier, self._ground = Matcher(), Steadier(), Ground(self._depth)

    @property
    def facts(self) -> dict[str, str]:
        """What really paints."""
        return {"engine": self.engine.name, "precision": self.engine.precision, "device": self.engine.device}

    def __call__(self, eyes: Pictures, elapsed: float | None) -> Pictures:
        """``eyes``, painted. ``elapsed``: seconds since the last frame of the same film, None if there was none."""
        try:
            if elapsed is None:
                self._rates.reset()
                self._begin()
            self._time += elapsed or 0.0
            rate = self._rates.rate(eyes, self._time)
            ties = self._matcher.ties(eyes) if self._steadies else NO_TIES
            self._ground.follow(len(eyes), ties, self._time, stands=self._still, follows=self._steadies)
            canvas = self._ground.laid(eyes, self._style.smooth)
            painted, self._state = self._painted(canvas, rate)
            painted = self._steadier.steadied(painted, ties, self._time)
        except (RuntimeError, MemoryError, cv2.error) as error:  # torch's and OpenVINO's, NumPy's, OpenCV's
            if not is_lack_of_memory(error):
                raise
            cause = f"memory does not suffice to paint {eyes.shape[2]}x{eyes.shape[1]} pixels"
            raise EngineError(cause, "Paint it smaller with --size") from None
        return np.asarray(painted)

    def leave_gpu(self) -> None:
        """The processor paints from now on. Statistics and strokes, which are kept in the host's memory, go on."""
        if self.engine.device == "cuda":
            self.engine = self._chosen("cpu")
            with suppress(Exception):  # their GPU is gone
                self.close()
            self._painters.clear()

    def close(self) -> None:
        for painter in self._painters.values():
            painter.close()
        self._painters.clear()

    def _painted(self, canvas: Pictures, rate: float) -> tuple[Pictures, State]:
        """``canvas``, painted, and the new state."""
        try:
            return self._painter(canvas.shape).paint(canvas, self._state, rate, self._tuning)
        except Exception as error:
            if not gpu_is_lost(self.engine.device, error):
                raise
            self.leave_gpu()
            self._lost(f"the GPU has failed, the processor paints on ({one_line(error)}).")
        return self._painter(canvas.shape).paint(canvas, self._state, rate, self._tuning)

    def _painter(self, shape: tuple[int, ...]) -> StyledPainter:
        key = shape[:3]
        if key not in self._painters:
            while len(self._painters) >= KEPT_PAINTERS:
                self._painters.popitem(last=False)[1].close()
            count, height, width = key
            self._painters[key] = Workshop().make(self.engine, self._style, count, height, width)
        self._painters.move_to_end(key)
        return self._painters[key]
