"""Which styles there are: those shipped with the program and the user's own.

Listing never fails because of one bad file: what cannot be used is left out and named in
`Library.problems`. Nothing here reads a network; that is `networks.checkpoint`'s job.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artem_vr import assets
from artem_vr.errors import StyleError
from artem_vr.networks.header import architecture_of

INDEX = "index.json"
INDEX_VERSION = 1
MAX_INDEX_BYTES = 1024 * 1024
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class Style:
    """A look that can be chosen by ``name`` (lower case, digits, underscores, unique)."""

    name: str
    title: str
    kind: Literal["shipped", "own"]
    path: Path
    """The safetensors file."""
    sha256: str | None = None
    """Hex digest that the file must have; None for the user's own."""
    artist: str = ""
    year: str = ""
    network: str = ""
    """Architecture named in the index or in the header of an own file; the file's own header decides."""

    @property
    def binarised(self) -> bool:
        return self.network == "binary"


def own_folder() -> Path:
    """Where the user's own styles live."""
    import platformdirs

    return Path(platformdirs.user_data_dir("artem-vr", appauthor=False)) / "styles"


def normalize(name: str) -> str:
    """ "The Starry-Night " -> "the_starry_night": how names are compared."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


class Library:
    """All styles. The folders are read again at each call: a style added by hand appears."""

    def __init__(self, shipped: Path | None = None, own: Path | None = None) -> None:
        """``shipped`` holds index.json and weights (None: the program's); ``own`` *.safetensors."""
        self._shipped, self._own = shipped, own
        self.problems: list[str] = []
        """One line for each file that had to be left out, of the last `styles` call."""

    @property
    def own(self) -> Path:
        return self._own if self._own is not None else own_folder()

    def styles(self) -> list[Style]:
        """Shipped styles in the order of the index, then the user's own by name."""
        self.problems = []
        styles = list(self._read_index())
        names = {style.name for style in styles}
        for style in self._read_own():
            name = style.name
            while name in names:
                name += "_own"
            names.add(name)
            styles.append(Style(name, style.title, "own", style.path, network=style.network))
        return styles

    def styles_for(self, precision: str) -> list[Style]:
        """The styles that can be painted so: all, with "xnor" the binarised ones. Raises `StyleError` if none can."""
        styles = self.styles()
        if precision != "xnor":
            return styles
        binarised = [style for style in styles if style.binarised]
        if not binarised:
            remedy = "Take --precision auto, or train one: artem-vr train binary"
            raise StyleError("There is no binarised style", remedy)
        return binarised

    def find_for(self, precision: str, name: str) -> Style:
        """`find`, and with precision "xnor" the binarised version of that style: it has its name and ``_xnor``.

        Raises `StyleError` also where there is none.
        """
        style = self.find(name)
        if precision != "xnor" or style.binarised:
            return style
        binarised = self.styles_for(precision)
        for other in binarised:
            if other.name == f"{style.name}_xnor":
                return other
        names = ", ".join(other.name.removesuffix("_xnor") for other in binarised)
        raise StyleError(f"There is no binarised version of {style.name}", f"Take --precision auto, or {names}")

    def find(self, name: str) -> Style:
        """The style called ``name`` (or titled so), or the weights file at that path.

        Raises `StyleError`, with near matches, when there is none.
        """
        styles = self.styles()
        wanted = normalize(name)
        for style in styles:
            if wanted in (style.name, normalize(style.title)):
                return style
        path = Path(name).expanduser()
        if path.suffix.lower() == ".safetensors":
            if path.is_file():
                return Style(normalize(path.stem) or "own", path.stem, "own", path, network=architecture_of(path))
            raise StyleError(f"The weights file {name} does not exist", "Check the path")
        if path.suffix.lower() in PICTURE_SUFFIXES:
            remedy = "Choose one of the trained styles: artem-vr styles list"
            raise StyleError(f"{name} is a picture, and styles straight from pictures are not built in yet", remedy)
        if not styles:
            reason = self.problems[0] if self.problems else "no style is installed"
            raise StyleError(f"There is no style {name!r}: {reason}", "Reinstall the program, or train a style")
        near = difflib.get_close_matches(wanted, [s.name for s in styles], n=3, cutoff=0.5)
        remedy = f"Did you mean {' or '.join(near)}?" if near else "artem-vr styles list names them all"
        raise StyleError(f"There is no style {name[:60]!r}", remedy.rstrip("?"))

    def add(self, path: Path, name: str | None = None) -> Style:
        """Copy a weights file, after checking all of it, into the user's own styles.

        Raises `StyleError` (name taken, folder without rights) or `WeightsError` (bad file).
        """
        from artem_vr.networks.checkpoint import load_network

        load_network(path)
        name = normalize(name or path.stem) or "own"
        if any(name == style.name for style in self.styles()):
            raise StyleError(f"There is already a style {name!r}", "Choose another name, or remove that one")
        target = self.own / f"{name}.safetensors"
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".part")
            shutil.copyfile(path, temporary)
            os.replace(temporary, target)
        except OSError as error:
            raise StyleError(f"{target} cannot be written ({error.strerror})", "Check the folder's rights") from None
        return Style(name, _title(name), "own", target)

    def remove(self, name: str) -> Style:
        """Delete one of the user's own styles. Raises `StyleError`; shipped styles stay."""
        style = self.find(name)
        if style.kind != "own" or style.path.parent != self.own:
            raise StyleError(f"{style.name!r} is not one of your own styles", "Only styles you added can be removed")
        try:
            style.path.unlink()
        except OSError as error:
            cause = f"{style.path} cannot be removed ({error.strerror})"
            raise StyleError(cause, "Check the folder's rights") from None
        return style

    def _read_index(self) -> Iterator[Style]:
        try:
            folder = self._shipped if self._shipped is not None else assets.folder("weights")
            index = folder / INDEX
            if index.stat().st_size > MAX_INDEX_BYTES:
                raise ValueError("too large")
            content = json.loads(index.read_bytes())
            if content["version"] != INDEX_VERSION:
                raise ValueError(f"version {content['version']!r}")
            entries = list(content["styles"])
        except OSError as error:
            self.problems.append(f"The list of shipped styles cannot be read ({error.strerror or error})")
            return
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.problems.append(f"The list of shipped styles is damaged ({type(error).__name__}: {str(error)[:80]})")
            return
        seen: set[str] = set()
        for entry in entries:
            try:
                style = _shipped_style(folder, entry)
                if style.name in seen:
                    raise ValueError(f"{style.name} is listed twice")
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append(f"A shipped style is listed wrongly ({str(error)[:80]})")
                continue
            if not style.path.is_file():
                self.problems.append(f"The weights of {style.name} are missing")
                continue
            seen.add(style.name)
            yield style

    def _read_own(self) -> list[Style]:
        try:
            if not self.own.is_dir():
                return []
            paths = sorted(p for p in self.own.iterdir() if p.suffix == ".safetensors" and p.is_file())
        except OSError as error:
            self.problems.append(f"Your styles in {self.own} cannot be read ({error.strerror or error})")
            return []
        return [
            Style(normalize(p.stem), _title(p.stem), "own", p, network=architecture_of(p))
            for p in paths
            if normalize(p.stem)
        ]


def _shipped_style(folder: Path, entry: Any) -> Style:
    """One entry of the index. Raises ValueError, KeyError or TypeError when it makes no sense."""
    texts = {key: entry[key] for key in ("name", "file", "sha256", "title")}
    texts |= {key: entry.get(key, "") for key in ("artist", "year", "network")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(f"{key} is not text")
    name, file, sha256 = texts["name"], texts["file"], texts["sha256"].lower()
    if not name or name != normalize(name):
        raise ValueError(f"bad name {name[:40]!r}")
    if file in (".", "..") or Path(file).name != file or "\\" in file or ":" in file:
        raise ValueError(f"{name}: {file[:40]!r} is not a plain file name")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{name}: bad sha256")
    title, artist = texts["title"] or _title(name), texts["artist"]
    return Style(name, title, "shipped", folder / file, sha256, artist, texts["year"], texts["network"])


def _title(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()
