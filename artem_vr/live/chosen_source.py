"""Which source a run shows: the one that was named, or the best one that gives pictures."""

from __future__ import annotations

from collections.abc import Callable

from artem_vr.errors import SourceError
from artem_vr.live.process import say
from artem_vr.settings import Layout
from artem_vr.sources.feed import Feed
from artem_vr.sources.files import problem_of
from artem_vr.sources.headset_camera import HeadsetCamera
from artem_vr.sources.registry import default_sources, open_source, parse_spec
from artem_vr.sources.source import FinalSourceError, Source
from artem_vr.typed_path import path_of


class ChosenSource:
    """Opens the source, again and again if need be, in the feed's thread.

    Where none was named, those of `default_sources` are tried one after the other, and what is passed over is said.
    The first one that gives a picture is kept for the run.

    Raises `SourceError` for a name that means nothing, and for a file that is not there.
    """

    def __init__(self, typed: str, layout: Layout, swapped: Callable[[], bool] | None = None) -> None:
        """``typed`` as on the command line; empty: none was named. ``swapped``: see `open_source`."""
        spec = parse_spec(typed) if typed else None
        kind = spec.kind if spec else None
        self.is_file = kind == "file"
        if spec and self.is_file and (problem := problem_of(path_of(spec.argument))):
            raise FinalSourceError(*problem)  # before anything is opened
        self.camera: HeadsetCamera | None = None
        self.feed: Feed | None = None
        """What reads this source: it knows whether a picture has come."""
        self.name = ""
        """As the source calls itself (no password in it); empty until it was opened."""
        self._typed, self._layout, self._swapped = typed, layout, swapped
        self._named = bool(typed)
        self._untried: list[str] | None = None  # the one that is tried, and those after it; None before the first
        self._opening: object = None  # the call of `open` that counts: one that hung in a driver may still come back

    @property
    def wants_camera(self) -> bool:
        """Whether it shows the headset's camera, or may yet."""
        return not self._decided() or parse_spec(self._typed).kind == "headset"

    @property
    def searching(self) -> bool:
        """Whether another source will be tried if this one gives no picture."""
        return not (self._decided() or self._untried == [])

    def open(self) -> Source:
        """Open it; or, where none was named and none has given a picture yet, the next one. Raises `SourceError`."""
        this = self._opening = object()
        if self._decided():
            return self._open(this)
        if self._untried is None:
            self._untried = default_sources(self.camera)
        elif self._untried:  # it opened, or hung, and gave no picture
            self._pass_over(self.feed.state().message if self.feed is not None else "")
        while self._untried:
            self._typed = self._untried[0]
            try:
                return self._open(this)
            except SourceError as error:
                if self._opening is not this:
                    raise
                self._pass_over(str(error))
        raise SourceError("No source gives a picture", "Name one with --source")

    def _decided(self) -> bool:
        return self._named or (self.feed is not None and self.feed.state().kind != "opening")

    def _open(self, this: object) -> Source:
        source = open_source(self._typed, self._layout, self.camera, swapped=self._swapped)
        if self._opening is this:
            self.name = source.name
        return source

    def _pass_over(self, reason: str) -> None:
        """Away with the one that is tried."""
        assert self._untried
        name = self._untried.pop(0)
        say(f"the source {name} is passed over ({reason.rstrip('.') or 'it gives no picture'})")
