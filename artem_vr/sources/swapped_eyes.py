"""A source whose eyes lie the other way round: films and pictures made for crossed eyes, or made wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from artem_vr.sources.source import Rest, Shot, Source


class SwappedEyes:
    """``source``, its eyes exchanged in each picture that is read while ``wanted`` says so; one alone stays."""

    def __init__(self, source: Source, wanted: Callable[[], bool]) -> None:
        self.name, self.live, self.rate = source.name, source.live, source.rate
        self._source, self._wanted = source, wanted
        self._last: tuple[Shot, Shot] | None = None
        """The last one that was exchanged, as it was and as it is: a photograph stays the same picture."""

    def read(self) -> Shot | Rest | None:
        shot = self._source.read()
        if not isinstance(shot, Shot) or not self._wanted():
            return shot
        if self._last is None or self._last[0] is not shot:
            self._last = shot, replace(shot, eyes=np.ascontiguousarray(shot.eyes[::-1]))
        return self._last[1]

    def skip(self) -> None:
        self._source.skip()

    def close(self) -> None:
        self._source.close()
