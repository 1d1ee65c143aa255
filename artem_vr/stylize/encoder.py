"""Reads paintings: the network that makes a style code of a picture, loaded when it is first needed."""

from __future__ import annotations

import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from artem_vr.errors import WeightsError
from artem_vr.styles.codes import StyleCode, Values, thumbnail
from artem_vr.stylize.ground import smooth_share

if TYPE_CHECKING:
    from artem_vr.networks.compact import CompactNetwork

STROKE_SIZE = 448
"""Short side, in pixels, at which a painting is read: training showed it 320 to 560."""
LEAST_SIDE = 32
"""What the encoder's strides need."""
MOST_MAGNIFICATION = 4.0
"""A picture smaller than a quarter of the stroke size has nothing more to tell when it is blown up further."""
MOST_PROPORTION = 4
"""The longer side that is read, at most, over the stroke size: a strip of 1x4000 shall not take a minute."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of a painting, or what mixes several."""

    values: Values
    """The code, (2, C) fp32."""
    smooth: float
    """Share of it that its painter left smooth, 0 to 1 (`stylize.ground.smooth_share`)."""


class Encoder:
    """A compact network that is loaded once, when somebody asks; every method may be called from any thread."""

    def __init__(self, weights: Path, sha256: str | None = None) -> None:
        """``sha256`` (hex) that the file must have; None for a file that is the user's own."""
        self._weights, self._sha256 = weights, sha256
        self._lock = threading.RLock()
        self._network: CompactNetwork | None = None

    @functools.cached_property
    def key(self) -> str:
        """sha256 of the file: the codes made here are for a network of this file. Raises `WeightsError`."""
        if self._sha256 is not None:
            return self._sha256.lower()
        try:
            with self._weights.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            cause = f"The weights file {self._weights} cannot be read ({error.strerror or error})"
            raise WeightsError(cause, "Check the name, or reinstall the program") from None

    def network(self) -> CompactNetwork:
        """fp32, in eval mode, without gradients. Raises `WeightsError`."""
        from artem_vr.networks.checkpoint import load_network
        from artem_vr.networks.compact import CompactNetwork

        with self._lock:
            if self._network is None:
                network, _ = load_network(self._weights, self.key)
                if not isinstance(network, CompactNetwork):
                    cause = f"{self._weights.name} is no network that paints like any picture"
                    raise WeightsError(cause, "Train one with artem-vr train adain")
                self._network = network
            return self._network

    @functools.cached_property
    def plain(self) -> Values:
        """(2, C) fp32: the code that shows the photograph. Raises `WeightsError`."""
        return np.array(self.network().plain.numpy(), np.float32)

    def encode(self, picture: npt.NDArray[np.uint8], stroke_size: int = STROKE_SIZE) -> Values:
        """The code alone of what `read` reads."""
        return self.read(picture, stroke_size).values

    def read(self, picture: npt.NDArray[np.uint8], stroke_size: int = STROKE_SIZE) -> Reading:
        """What there is to know of ``picture``, (H, W, 3) uint8 RGB of any size from 1x1 up, to paint like it.

        ``stroke_size``: the short side, in pixels, at which it is read; larger means larger strokes.
        Raises `WeightsError`.
        """
        import torch

        network = self.network()
        seen = readable(picture, stroke_size)
        batch = torch.tensor(seen).permute(2, 0, 1)[None].contiguous().float() / 255
        with torch.no_grad():
            values = np.array(network.encode(batch)[0].float().numpy(), np.float32)
        return Reading(values, smooth_share(seen))

    def code(self, picture: npt.NDArray[np.uint8], title: str = "", stroke_size: int = STROKE_SIZE) -> StyleCode:
        """`read`, with a small copy of the picture, as it is kept in a file. Raises `WeightsError`."""
        reading = self.read(picture, stroke_size)
        return StyleCode(reading.values, self.key, title, thumbnail(picture), reading.smooth)


def smooth_share_of(painting: npt.NDArray[np.uint8]) -> float:
    """`smooth_share`, 0 to 1, of (H, W, 3) uint8 RGB of any size, for styles that no encoder reads."""
    return smooth_share(readable(painting))


def readable(picture: npt.NDArray[np.uint8], stroke_size: int = STROKE_SIZE) -> npt.NDArray[np.uint8]:
    """``picture``, (H, W, 3) uint8, resized (bicubic, antialiased) as the encoder reads it.

    Its proportions stay, and its short side becomes ``stroke_size``, but it is not magnified more than
    `MOST_MAGNIFICATION` times, nor is its longer side more than `MOST_PROPORTION` stroke sizes. What then has a
    side below `LEAST_SIDE` is continued by repeating its border.
    """
    height, width = picture.shape[:2]
    scale = min(
        stroke_size / min(height, width), MOST_MAGNIFICATION, MOST_PROPORTION * stroke_size / max(height, width)
    )
    size = max(1, round(height * scale)), max(1, round(width * scale))
    result = np.ascontiguousarray(picture)
    if size != (height, width):
        from PIL import Image

        image = Image.fromarray(result)
        # the gap: large photographs are first reduced by whole factors, ten times as fast and hardly different
        result = np.array(image.resize(size[::-1], Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)
    missing = [(0, max(0, LEAST_SIDE - side)) for side in size]
    return np.pad(result, (*missing, (0, 0)), mode="edge") if any(m[1] for m in missing) else result
