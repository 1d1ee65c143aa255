"""The textures of the frame that is shown: its source, its paintings, and the painting before a switch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from artem_vr.render.interop import CudaPictures
from artem_vr.render.texture import StreamTexture


class FrameTextures:
    """The newest frame of both eyes. Texture ids are kept for the whole run.

    Paintings are put into textures that nobody sees, and seen once all of them are there: a frame that cannot be
    uploaded leaves the one before. When the painting's ``key`` changes (another style), the last painting of the old
    one is kept to fade from. The source is uploaded only where it is asked for, by `upload_source` or else when it is
    bound: at full strength nobody sees it. The same array again is the same picture.
    """

    def __init__(self, cuda: CudaPictures | None = None) -> None:
        """``cuda``: where whoever paints on a GPU has those paintings back."""
        self._cuda = cuda or CudaPictures()
        self._source = [StreamTexture(2), StreamTexture(2)]
        self._painted, self._before, self._other = self._pair(), self._pair(), self._pair()
        self._spare, self._other_spare = self._pair(), self._pair()  # for the next painting
        self._pending: npt.NDArray[np.uint8] | None = None  # the source, until it is uploaded
        self._uploaded: npt.NDArray[np.uint8] | None = None  # the source that its textures hold
        self._source_eyes = self._painted_eyes = self._before_eyes = self._other_eyes = 0
        self._key: object = None
        self.aspect = 16 / 9
        """Width / height of one eye's picture."""
        self.changed_at = float("-inf")
        """The ``now`` at which the first painting with the present key came: where its cross-fade begins."""

    def _pair(self) -> list[StreamTexture]:
        """Textures for a painting. One buffer each: they take turns, so that none was used just before."""
        return [StreamTexture(1, self._cuda), StreamTexture(1, self._cuda)]

    @property
    def ready(self) -> bool:
        """Whether there is anything to show."""
        return self._source_eyes > 0

    @property
    def painted(self) -> bool:
        """Whether there is a painting, not the source alone."""
        return self._painted_eyes > 0

    @property
    def fading(self) -> bool:
        """Whether there is a painting of an earlier style to fade from."""
        return self._before_eyes > 0

    @property
    def other(self) -> bool:
        """Whether there is a second painting, in another style."""
        return self._other_eyes > 0

    @property
    def path(self) -> str:
        """How paintings get here: "pbo", or "cuda" without a way through the host's memory."""
        return self._painted[0].path

    @property
    def interop_failure(self) -> str:
        """Why CUDA paintings go through the host's memory, or empty."""
        return self._cuda.failure

    def update(
        self,
        source: npt.NDArray[np.uint8],
        painted: Any = None,
        key: object = None,
        now: float = 0.0,
        other: Any = None,
    ) -> bool:
        """Show another frame; both eyes and all of its pictures change together.

        ``source`` is (E, H, W, 3) uint8 and left alone afterwards; E is 2 (left, right), or 1 for both
        eyes. ``painted`` is (E, H, W, 3) uint8, or a CUDA array (E, H, W, 4) that is finished; None
        leaves the painting away. ``key`` names its style. ``other`` is the same frame painted in another
        style, as ``painted`` is, or None. Returns whether the key is a new one. Where it raises, the frame before
        goes on. CUDA arrays are kept as `keep` does.
        """
        try:
            painted_eyes, other_eyes = _upload(painted, self._spare), _upload(other, self._other_spare)
        finally:
            self.keep(painted, other)
        self._pending = None if source is self._uploaded else source  # of a photograph it is the same for ever
        self._source_eyes = source.shape[0]
        self.aspect = source.shape[2] / source.shape[1]
        if painted is None:
            self._painted_eyes = self._before_eyes = self._other_eyes = 0
            self._key = None
            return False
        changed = key != self._key
        if changed:
            self._before, self._painted = self._painted, self._before
            self._before_eyes = self._painted_eyes
            self._key, self.changed_at = key, now
        self._painted, self._spare = self._spare, self._painted
        self._other, self._other_spare = self._other_spare, self._other
        self._painted_eyes, self._other_eyes = painted_eyes, other_eyes
        return changed

    def keep(self, *pictures: object) -> None:
        """Leave it to the thread that paints to free these, as far as they are CUDA arrays: see `CudaPictures`.

        Of what was given to `update` nobody else in this thread may keep a reference until the next call.
        """
        self._cuda.keep(*pictures)

    def bind_source(self, eye: int, unit: int) -> None:
        """Bind the source of ``eye`` (0 left, 1 right) to a texture unit."""
        self.upload_source()
        self._source[min(eye, self._source_eyes - 1)].bind(unit)

    def upload_source(self) -> None:
        """Have the newest frame's source in its textures, before the time comes to draw it."""
        if self._pending is not None:
            self._uploaded = None
            for texture, picture in zip(self._source, self._pending, strict=False):
                texture.update(picture)
            self._uploaded, self._pending = self._pending, None

    def bind_painted(self, eye: int, unit: int) -> None:
        """Bind the painting of ``eye`` to a texture unit."""
        self._painted[min(eye, self._painted_eyes - 1)].bind(unit)

    def bind_before(self, eye: int, unit: int) -> None:
        """Bind the earlier style's last painting for ``eye`` to a texture unit."""
        self._before[min(eye, self._before_eyes - 1)].bind(unit)

    def bind_other(self, eye: int, unit: int) -> None:
        """Bind the painting of ``eye`` in the other style to a texture unit."""
        self._other[min(eye, self._other_eyes - 1)].bind(unit)

    def release(self) -> None:
        """Delete all textures. May be called again."""
        paintings = (self._painted, self._before, self._spare, self._other, self._other_spare)
        for texture in itertools.chain(self._source, *paintings):
            texture.release()
        self._cuda.release()
        self._source_eyes = self._painted_eyes = self._before_eyes = self._other_eyes = 0
        self._pending = self._uploaded = None


def _upload(pictures: Any, textures: Sequence[StreamTexture]) -> int:
    """Put a picture into a texture each; how many there were. ``pictures`` None: none."""
    eyes = 0 if pictures is None else int(pictures.shape[0])
    for eye in range(eyes):
        textures[eye].update(pictures[eye])
    return eyes
