"""Where on a picture a style is painted: a soft mask that lies on the screen, the same for both eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["left", "right", "top", "bottom", "gaze"]

_EVERYWHERE = 1e3
"""Picture heights: further than any picture reaches."""


@dataclass(frozen=True)
class Region:
    """Half of the picture, or ("gaze") a disc at ``place``. Lengths are in heights of the picture."""

    kind: Kind
    softness: float = 0.1
    """Width of the edge, over which the mask goes from 0 to 1."""
    size: float = 0.25
    """Radius of the disc."""
    place: tuple[float, float] | None = None
    """Of the disc: 0..1 over the picture, (0, 0) its top left corner. None: the viewer points elsewhere, and
    nothing is inside."""

    def uniforms(self, aspect: float) -> dict[str, float | tuple[float, float, float]]:
        """What shaders/stage.frag needs to know, for a picture of ``aspect`` = width / height.

        Inside is what is on the right side of a line and in a disc; the one that does not matter is everywhere.
        """
        line, disc = (0.0, 0.0, _EVERYWHERE), (0.0, 0.0, _EVERYWHERE)
        match self.kind:
            case "left":
                line = (-1.0, 0.0, aspect / 2)
            case "right":
                line = (1.0, 0.0, -aspect / 2)
            case "top":
                line = (0.0, -1.0, 0.5)
            case "bottom":
                line = (0.0, 1.0, -0.5)
            case "gaze":
                x, y = self.place or (0.0, 0.0)
                disc = (x * aspect, y, self.size if self.place else -_EVERYWHERE)
        return {"aspect": aspect, "region_line": line, "region_disc": disc, "region_softness": max(self.softness, 1e-4)}
