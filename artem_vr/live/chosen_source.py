"""Which source a run shows: the one that was named, or the best one that is there."""

from __future__ import annotations

from artem_vr.settings import Layout
from artem_vr.sources.headset_camera import HeadsetCamera
from artem_vr.sources.registry import default_source, open_source, parse_spec
from artem_vr.sources.source import Source


class ChosenSource:
    """Opens the source, again and again if need be, in the feed's thread.

    Raises `SourceError` for a name that means nothing.
    """

    def __init__(self, typed: str, layout: Layout) -> None:
        """``typed`` as on the command line; empty: `default_source` chooses."""
        kind = parse_spec(typed).kind if typed else None
        self.is_file = kind == "file"
        self.wants_camera = kind in (None, "headset")
        self.camera: HeadsetCamera | None = None
        self.name = ""
        """As the source calls itself (no password in it); empty until it was opened."""
        self._typed, self._layout = typed, layout

    def open(self) -> Source:
        """Open it. Raises `SourceError`."""
        if not self._typed:
            self._typed = default_source(self.camera)
        source = open_source(self._typed, self._layout, self.camera)
        self.name = source.name
        return source
