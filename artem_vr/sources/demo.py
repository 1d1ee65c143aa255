"""The demo: a small world that the program makes itself, in true stereo, for whoever has no other source."""

from __future__ import annotations

from artem_vr.sources.source import Shot


class DemoSource:
    """A lake in the evening, with balloons. The same frame number gives the same picture, bit for bit, always.

    ``width``, ``height``: of one eye in pixels, at least 64 each; ``rate``: frames a second of its own time.
    """

    name = "demo"
    live = False

    def __init__(self, width: int = 768, height: int = 512, rate: float = 30.0) -> None:
        from artem_vr.sources.demo_scene import Scene

        self.rate: float | None = rate
        self._period = 1.0 / rate
        self._scene = Scene(width, height)
        self._frame = 0

    def read(self) -> Shot | None:
        eyes = self._scene.render(self._frame * self._period)
        self._frame += 1
        return Shot(eyes)

    def skip(self) -> None:
        self._frame += 1

    def close(self) -> None:
        pass
