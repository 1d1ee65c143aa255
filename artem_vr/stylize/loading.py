"""From a style of the library to what an engine can prepare: a network, and a code where the network takes one."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from artem_vr.errors import StyleError, WeightsError
from artem_vr.networks.header import read_metadata, smooth_of
from artem_vr.same_file import content_of
from artem_vr.styles.codes import MOST_PARTS, PICTURE_SIDE, Part, StyleCode, mixed, read_code, thumbnail
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.encoder import STROKE_SIZE, Encoder, Reading
from artem_vr.stylize.engines.base import Code, NetworkOrLoader

if TYPE_CHECKING:
    from torch import nn

MAX_WEIGHTS_BYTES = 64 * 2**20
MOST_REMEMBERED = 32
"""Codes of pictures that are kept in memory, some kB each."""


@dataclass(frozen=True, eq=False)
class LoadedStyle:
    """A checked style. Styles of one ``key`` can share one prepared painter."""

    key: str
    """sha256 of the network's file."""
    network: NetworkOrLoader
    code: Code | None = None
    """What the network shall paint, if it takes codes."""
    plain: Code | None = None
    """The code with which that network shows the photograph."""
    smooth: float = 0.0
    """Share of the painting that its painter left smooth, 0 to 1 (`stylize.ground`)."""


@dataclass(frozen=True)
class WeightsLoader:
    """Loads the network of a file that was seen whole, with this sum and this kind in its header."""

    path: Path
    sha256: str
    architecture: str

    def __call__(self) -> nn.Module:
        from artem_vr.networks.checkpoint import load_network

        return load_network(self.path, self.sha256)[0]


class Load(Protocol):
    """What the stylizer asks; `StyleLoader`, or what tests put in its place."""

    @property
    def reads_pictures(self) -> bool: ...
    def __call__(self, style: Style) -> LoadedStyle: ...
    def shared(self) -> LoadedStyle: ...


class StyleLoader:
    """Loads styles of every form; the network that reads paintings is loaded once, and only if it is needed.

    Called from one thread at a time.
    """

    def __init__(self, library: Library, stroke_size: int = STROKE_SIZE) -> None:
        """``stroke_size``: short side, in pixels, at which pictures are read; larger means larger strokes."""
        self._library, self._stroke_size = library, stroke_size
        self._encoder: Encoder | None = None
        self._read_already: dict[tuple[Path, int, int], Reading] = {}
        """By file, time of its last change, and size: a blend's pictures are not read again for each share, nor kept
        ones at each switch, where the network is another one by now."""

    def __call__(self, style: Style) -> LoadedStyle:
        """Raises `StyleError`, `WeightsError` or `PictureError`."""
        if style.form == "network":
            return load_network_style(style)
        encoder, reading = self.encoder(), self.read(style)
        return LoadedStyle(encoder.key, encoder.network, reading.values, encoder.plain, reading.smooth)

    @property
    def reads_pictures(self) -> bool:
        """Whether the network that reads paintings is installed."""
        return self._library.compact is not None

    def shared(self) -> LoadedStyle:
        """The network of all styles that are codes, without a code. Raises `StyleError`, `WeightsError`."""
        encoder = self.encoder()
        _ = encoder.plain  # loads it now, so that the next picture need not wait for that
        return LoadedStyle(encoder.key, encoder.network)

    def encoder(self) -> Encoder:
        """Raises `StyleError` where the network that reads paintings is not installed."""
        if self._encoder is None:
            compact = self._library.compact
            if compact is None:
                raise StyleError("The network that paints like any picture is missing", "Reinstall the program")
            self._encoder = Encoder(*compact)
        return self._encoder

    def read(self, style: Style) -> Reading:
        """What is known of a style that is a code, a picture or a blend of such."""
        if style.form == "blend":
            return _mixed((weight, self.read(part)) for weight, part in style.parts)
        if style.form == "picture":
            return self._remembered(style.path, lambda: self._of_picture(style.path))
        code = read_code(style.path, style.sha256)
        if code.network == self.encoder().key:
            if code.values.shape != self.encoder().plain.shape:
                channels, wanted = code.values.shape[1], self.encoder().plain.shape[1]
                cause = f"{style.path.name} is a code of {channels} channels, and its network has {wanted}"
                raise WeightsError(cause, "Add its picture again: artem-vr styles add PICTURE")
            return Reading(code.values, code.smooth)
        if not code.can_be_made_anew:
            cause = f"{style.name} was made for another version of the network that reads paintings"
            raise StyleError(cause, "Add its picture again: artem-vr styles add PICTURE")
        return self._remembered(style.path, lambda: self._anew(code))

    def kept_blend(self, style: Style) -> StyleCode:
        """The code of a blend as it is kept, with all that it can be mixed of again for another network."""
        reading = self.read(style)
        parts = [part for weight, one in style.parts for part in self._parts_of(one, weight)]
        whole = len(parts) <= MOST_PARTS and all(part.picture or part.painting for part in parts)
        return StyleCode(
            reading.values, self.encoder().key, style.title, smooth=reading.smooth, parts=tuple(parts) if whole else ()
        )

    def _parts_of(self, style: Style, weight: float) -> list[Part]:
        """A part of a blend, or those that it was mixed of itself; one with nothing in it where none are known."""
        if style.form == "picture":
            from artem_vr.sources.pictures import load_picture

            return [Part(weight, picture=thumbnail(load_picture(style.path, enough=PICTURE_SIDE)))]
        if style.kind == "shipped":
            return [Part(weight, painting=style.painting)]
        code = read_code(style.path)
        if code.parts:
            total = sum(part.weight for part in code.parts)
            return [dataclasses.replace(part, weight=weight * part.weight / total) for part in code.parts]
        return [Part(weight, picture=code.picture)]

    def _remembered(self, path: Path, read: Callable[[], Reading]) -> Reading:
        """What ``read`` makes of the picture in a file, or made of it before, where the file has not changed."""
        content = content_of(path)
        reading = self._read_already.pop(content, None) or read()
        self._read_already[content] = reading
        while len(self._read_already) > MOST_REMEMBERED:
            del self._read_already[next(iter(self._read_already))]  # the one that was not wanted for longest
        return reading

    def _of_picture(self, path: Path) -> Reading:
        from artem_vr.sources.pictures import load_picture

        return self.encoder().read(load_picture(path, enough=self._stroke_size), self._stroke_size)

    def _anew(self, code: StyleCode) -> Reading:
        """What the present network reads in what is kept with a code."""
        if not code.parts:
            return self._of_bytes(code.picture)
        return _mixed(
            (
                part.weight,
                self._of_bytes(part.picture) if part.picture else self.read(self._library.code_of(part.painting)),
            )
            for part in code.parts
        )

    def _of_bytes(self, picture: bytes) -> Reading:
        from artem_vr.sources.pictures import decode_picture

        return self.encoder().read(decode_picture(picture), self._stroke_size)


def _mixed(parts: Iterable[tuple[float, Reading]]) -> Reading:
    """By weights."""
    weights, readings = zip(*parts, strict=True)
    smooth = float(np.average([reading.smooth for reading in readings], weights=weights))
    return Reading(mixed([reading.values for reading in readings], weights), smooth)


def load_network_style(style: Style) -> LoadedStyle:
    """A style that is a network of its own. Raises `WeightsError`, or `StyleError` for one that is no single style.

    The sum is checked here, so a network that an engine has in its cache is used for a file of
    exactly these bytes only.
    """
    try:
        if style.path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise WeightsError(f"{style.path.name} is too large for a network of ours", "Choose another style")
        data = style.path.read_bytes()
    except OSError as error:
        cause = f"The weights of {style.name} cannot be read ({error.strerror or error})"
        raise WeightsError(cause, "Reinstall the program, or choose another style") from None
    digest = hashlib.sha256(data).hexdigest()
    if style.sha256 is not None and digest != style.sha256:
        raise WeightsError(f"The weights of {style.name} are damaged", "Reinstall the program, or choose another style")
    metadata = read_metadata(style.path.name, data)
    architecture = metadata.get("architecture", "")
    if architecture == "compact":
        raise StyleError(f"{style.path.name} paints like any picture: it is no style by itself", "Name a picture")
    return LoadedStyle(digest, WeightsLoader(style.path, digest, architecture), smooth=smooth_of(metadata))
