"""Which styles there are: those shipped with the program and the user's own, any picture, and blends of them.

A style is a network of its own, or a code (`styles.codes`) for the compact network, which all codes share.
Listing never fails because of one bad file: what cannot be used is left out and named in
`Library.problems`. Nothing here reads a network; that is `networks.checkpoint`'s job.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from artem_vr import assets
from artem_vr.atomic_file import write_atomically
from artem_vr.errors import ArtemError, PictureError, StyleError, WeightsError
from artem_vr.networks.header import architecture_of
from artem_vr.same_file import content_of
from artem_vr.styles.blends import is_blend, read_blend, write_blend
from artem_vr.styles.codes import SUFFIX, StyleCode, clean_title, read_code, write_code
from artem_vr.typed_path import path_of

INDEX = "index.json"
INDEX_VERSION = 1
MAX_INDEX_BYTES = 1024 * 1024
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


NO_COMPACT = "the network that paints like any picture is not installed"
_REINSTALL = "Reinstall the program, or choose another style"
_UNSEEN = re.compile("[\u00ad\u034f\u180b-\u180f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]")
"""Joiners, marks of direction and selectors of variants: nobody sees whether they are there."""
_LONGEST_NAME = 60
_LONGEST_NAME_BYTES = 200
"""In UTF-8; most file systems allow 255, with the ending."""


@dataclass(frozen=True)
class Style:
    """A look that can be chosen."""

    name: str
    """Letters in lower case, digits, underscores, unique; of a picture or blend the words that find it again."""
    title: str
    kind: Literal["shipped", "own"]
    path: Path
    """The safetensors file, or the picture; of a blend that of its first part."""
    sha256: str | None = None
    """Hex digest that the file must have; None for the user's own."""
    artist: str = ""
    year: str = ""
    network: str = ""
    """Architecture named in the index or in the header of an own file, which decides; "code" for codes."""
    form: Literal["network", "code", "picture", "blend"] = "network"
    """What it is made of: a network of its own; for the compact network a code, a picture, or several of these."""
    parts: tuple[tuple[float, Style], ...] = ()
    """Of a blend: weights, whose sum is 1, and codes or pictures."""
    painting: str = ""
    """Of a shipped style: which painting, as its file is called; several styles can be of one."""
    in_deck: bool = True
    """False: there is a better style of the same painting; this one is found by name only."""

    @property
    def files(self) -> list[Path]:
        """What is read to paint so; of a blend the files of all its parts."""
        return [part.path for _, part in self.parts] or [self.path]

    @property
    def binarised(self) -> bool:
        return self.network == "binary"


def _unknown(name: str, names: list[str]) -> StyleError:
    """That no style is called so, and which of ``names`` may have been meant."""
    near = difflib.get_close_matches(normalize(name), names, n=3, cutoff=0.6)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "artem-vr styles names them all"
    return StyleError(f"There is no style {name[:60]!r}", remedy)


def own_folder() -> Path:
    """Where the user's own styles live."""
    import platformdirs

    return Path(platformdirs.user_data_dir("artem-vr", appauthor=False)) / "styles"


def normalize(name: str) -> str:
    """ "The Starry-Night " -> "the_starry_night", "北斎！" -> "北斎": how names are compared, in any script.

    Letters, digits and the marks that belong to letters stay, however they are encoded and whatever their case and
    width. Empty where there are none: such a name is no other's.
    """
    name = _UNSEEN.sub("", name)
    for _ in range(2):  # folding can bring up letters that have a normal form of their own
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    kept = " "
    for letter in name:
        kind = unicodedata.category(letter)[0]
        kept += letter if kind in "LN" or (kind == "M" and kept[-1] != " ") else " "
    return "_".join(kept.split())


def file_stem(name: str, number: int = 1) -> str:
    """`normalize`, fit for a file on every system: of limited length, and none of the names that Windows keeps.

    A ``number`` from 2 on is put behind it, however long it is.
    """
    ending = f"_{number}" if number > 1 else ""
    cut = normalize(name)[: _LONGEST_NAME - len(ending)].encode()[: _LONGEST_NAME_BYTES - len(ending)]
    stem = cut.decode(errors="ignore").strip("_")
    if stem and ending:
        return stem + ending
    return f"{stem}_style" if re.fullmatch("con|prn|aux|nul|com[0-9]|lpt[0-9]", stem) else stem


class Library:
    """All styles. The folders are read again at each call: a style added by hand appears."""

    def __init__(self, shipped: Path | None = None, own: Path | None = None) -> None:
        """``shipped`` holds index.json and weights (None: the program's); ``own`` *.safetensors of both forms."""
        self._shipped, self._own = shipped, own
        self._looked_at: dict[tuple[object, ...], Style] = {}
        """What the user's own files were found to be. They keep pictures, and every switch asks: of a hundred of them
        14 MB would be read each time."""
        self.problems: list[str] = []
        """One line for each file that had to be left out, of the last `styles` call."""

    @property
    def own(self) -> Path:
        return self._own if self._own is not None else own_folder()

    @property
    def compact(self) -> tuple[Path, str] | None:
        """File and sha256 of the network that codes, pictures and blends are painted with; None without one."""
        return self._compact(self._index([]), [])

    @property
    def decoder(self) -> tuple[Path, str] | None:
        """File and sha256 of the decoder of the article's network for any painting; None without one."""
        try:
            path, sha256 = _file_of(self._folder(), self._index([])["decoder"], "decoder")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return (path, sha256) if path.is_file() else None

    def styles(self) -> list[Style]:
        """Shipped styles in the order of the index, then the user's own by name."""
        problems: list[str] = []
        index = self._index(problems)
        compact = self._compact(index, problems)
        shipped = list(self._listed(index, problems))
        own = list(self._kept(compact, problems))
        if compact is None:
            codes = sum(style.form == "code" for style in (*shipped, *own))
            if codes:
                problems.append(f"{codes} style{'s are' if codes > 1 else ' is'} left out: {NO_COMPACT}")
            shipped, own = ([s for s in styles if s.form == "network"] for styles in (shipped, own))
        networks = {style.painting for style in shipped if style.form == "network"}
        styles = [replace(s, in_deck=s.form == "network" or s.painting not in networks) for s in shipped]
        names = {style.name for style in styles}
        for style in own:
            name = style.name
            while name in names:
                name += "_own"
            names.add(name)
            styles.append(replace(style, name=name))
        self.problems = problems
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
        listed = _called(self.styles(), name) is not None  # what a file holds is that, whatever styles are called so
        for other in binarised:
            if listed and other.name == f"{style.name}_xnor":
                return other
        names = ", ".join(other.name.removesuffix("_xnor") for other in binarised)
        shown = style.name if listed else name[:60]
        raise StyleError(f"There is no binarised version of {shown}", f"Take --precision auto, or {names}")

    def find(self, name: str) -> Style:
        """The style called ``name`` or titled so; or the weights, code or picture in the file of that name; or a blend.

        Blends are typed as ``great_wave+the_scream`` or ``0.7*great_wave+0.3*picture.jpg``; a part that is a network
        of its own stands for the code of the same painting. Raises `StyleError`, with near matches, when there is
        none, `PictureError` for a file that is no picture, and `WeightsError` for one of the user's that is of no use.
        """
        styles = self.styles()
        known = _called(styles, name)
        if known is None and is_blend(name) and not _is_file(name):
            return self._blend(styles, name)
        return known or self._outside(styles, name)

    def add(self, path: Path, name: str | None = None) -> Style:
        """Copy a file of weights, or of a code, after checking all of it, into the user's own styles.

        Raises `StyleError` (name taken, folder without rights) or `WeightsError` (bad file, or of no use here).
        """
        if path.name.endswith(SUFFIX):
            code = read_code(path)
            compact = self.compact
            if compact is None:
                raise StyleError(f"{path.name} is a code, and {NO_COMPACT}", "Reinstall the program")
            _check_usable(path, code, compact)
            return self.keep(code, name or path.name.removesuffix(SUFFIX))
        from artem_vr.networks.checkpoint import load_network

        _, metadata = load_network(path)
        if metadata["architecture"] == "compact":
            raise StyleError(f"{path.name} paints like any picture: it is no single style", "Add a picture instead")
        target = self.own / f"{self.free_name(name or path.stem)}.safetensors"
        try:
            write_atomically(target, path.read_bytes())
        except OSError as error:
            raise StyleError(f"{target} cannot be written ({error.strerror})", "Check the folder's rights") from None
        return Style(target.stem, title_of(target.stem), "own", target)

    def keep(self, code: StyleCode, name: str) -> Style:
        """Put a code among the user's own styles, as ``name``. Raises `StyleError` (name taken) or `WeightsError`."""
        target = self.own / f"{self.free_name(name)}{SUFFIX}"
        write_code(target, code)
        return _own_code(target, code)

    def remove(self, name: str) -> Style:
        """Delete one of the user's own styles, or a file among them that is none. Raises `StyleError`.

        Shipped styles stay, also where a file of the user's that cannot be used is called like one: that goes.
        """
        styles = self.styles()
        left_out = self._left_out(styles)
        own = [style for style in (*styles, *left_out) if style.kind == "own"]
        style = next((style for style in own if style.path.name == name), None)
        style = style or _called([*styles, *left_out], name)
        if style is None or style.kind == "shipped":
            try:
                style = _called(left_out, name) or self.find(name)
            except StyleError:
                raise _unknown(name, [style.name for style in own]) from None
        if style.kind != "own" or style.form not in ("network", "code") or style.path.parent != self.own:
            raise StyleError(f"{style.name!r} is not one of your own styles", "Only styles you added can be removed")
        try:
            style.path.unlink()
        except OSError as error:
            cause = f"{style.path} cannot be removed ({error.strerror})"
            raise StyleError(cause, "Check the folder's rights") from None
        return style

    def code_of(self, painting: str) -> Style:
        """The shipped code of a painting, by its `Style.painting`. Raises `StyleError`."""
        for style in self.styles():
            if style.kind == "shipped" and style.form == "code" and style.painting == painting:
                return style
        raise StyleError(f"There is no code of {painting[:60]!r} any more", "Blend other paintings")

    def free_name(self, name: str, number: int = 1) -> str:
        """``name`` as a new style can have it, with a ``number`` from 2 on. Raises `StyleError` if it is taken.

        Taken is also what a file of the user's own is called that is left out: what is wrong with it may be mended.
        Where nothing of it can be in a name it is "own", "own_2" and so on.
        """
        name, styles = file_stem(name, number), self.styles()
        taken = {style.name for style in (*styles, *self._left_out(styles))}
        if not name:
            names = itertools.chain(["own"], (f"own_{number}" for number in itertools.count(2)))
            return next(free for free in names if free not in taken)
        if name in taken:
            raise StyleError(f"There is already a style {name!r}", "Choose another name, or remove that one")
        return name

    def _outside(self, styles: list[Style], name: str) -> Style:
        """The file of that name, as a style. Raises `ArtemError`; of one of the user's own that is left out, why."""
        path = path_of(name)
        suffix = path.suffix.lower()
        if suffix == ".safetensors":
            if not _is_file(name):
                raise StyleError(f"The weights file {name} does not exist", "Check the path")
            if path.name.endswith(SUFFIX):
                stem = path.name.removesuffix(SUFFIX)
                return Style(name, title_of(stem) or "A code", "own", path, network="code", form="code")
            return _own_network(path)
        if suffix in PICTURE_SUFFIXES or (_is_file(name) and _is_picture(path)):
            return self._picture(name, path)
        if left_out := _called(self._left_out(styles), name):
            _own_style(left_out.path, self.compact)  # raises why it is
            raise StyleError(f"{name[:60]!r} is a code, and {NO_COMPACT}", _REINSTALL)
        if not styles:
            reason = self.problems[0] if self.problems else "no style is installed"
            raise StyleError(f"There is no style {name[:60]!r}: {reason}", "Reinstall the program, or train a style")
        if _is_file(name):
            raise StyleError(f"{name} is no picture and no weights", "Name a picture (PNG, JPEG, ...) or a style")
        raise _unknown(name, [style.name for style in styles])

    def _picture(self, name: str, path: Path) -> Style:
        if self.compact is None:
            raise StyleError(f"{name} is a picture, and {NO_COMPACT}", _REINSTALL)
        from artem_vr.sources.pictures import check_file

        check_file(path)
        if not _is_picture(path):
            raise PictureError(f"{name} is not a picture, whatever its name says", "Save it as PNG or JPEG")
        return Style(name, title_of(path.stem) or "A picture", "own", path, form="picture")

    def _blend(self, styles: list[Style], text: str) -> Style:
        if self.compact is None:
            raise StyleError(f"{text[:60]!r} is a blend, and {NO_COMPACT}", _REINSTALL)
        parts = tuple(
            (weight, _coded(styles, _called(styles, word) or self._outside(styles, word)))
            for weight, word in read_blend(text)
        )
        name = write_blend([(weight, part.name) for weight, part in parts])
        title = ", ".join(f"{100 * weight:.0f} % {part.title}" for weight, part in parts)
        return Style(name, title, "own", parts[0][1].path, form="blend", parts=parts)

    def _folder(self) -> Path:
        return self._shipped if self._shipped is not None else assets.folder("weights")

    def _index(self, problems: list[str]) -> dict[str, Any]:
        """What index.json says; nothing at all, and a problem, if it cannot be read."""
        try:
            index = self._folder() / INDEX
            if index.stat().st_size > MAX_INDEX_BYTES:
                raise ValueError("too large")
            content = json.loads(index.read_bytes())
            if content["version"] != INDEX_VERSION:
                raise ValueError(f"version {content['version']!r}")
            return {"styles": list(content["styles"])} | {key: content.get(key) for key in ("compact", "decoder")}
        except OSError as error:
            problems.append(f"The list of shipped styles cannot be read ({error.strerror or error})")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problems.append(f"The list of shipped styles is damaged ({type(error).__name__}: {str(error)[:80]})")
        return {"styles": [], "compact": None, "decoder": None}

    def _compact(self, index: dict[str, Any], problems: list[str]) -> tuple[Path, str] | None:
        if index["compact"] is None:
            return None
        try:
            path, sha256 = _file_of(self._folder(), index["compact"], "compact")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"The network for pictures is listed wrongly ({str(error)[:80]})")
            return None
        if not path.is_file():
            problems.append("The weights of the network for pictures are missing")
            return None
        return path, sha256

    def _listed(self, index: dict[str, Any], problems: list[str]) -> Iterator[Style]:
        """The shipped styles."""
        seen: set[str] = set()
        for entry in index["styles"]:
            try:
                style = _shipped_style(self._folder(), entry)
                if style.name in seen:
                    raise ValueError(f"{style.name} is listed twice")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                problems.append(f"A shipped style is listed wrongly ({str(error)[:80]})")
                continue
            if not style.path.is_file():
                problems.append(f"The weights of {style.name} are missing")
                continue
            seen.add(style.name)
            yield style

    def _kept(self, compact: tuple[Path, str] | None, problems: list[str]) -> Iterator[Style]:
        """The user's own styles. Codes that are damaged, or for another network and without a picture, are left out."""
        try:
            paths = self._own_files()
        except OSError as error:
            problems.append(f"Your styles in {self.own} cannot be read ({error.strerror or error})")
            return
        before, self._looked_at = self._looked_at, {}
        for path in paths:
            key = content_of(path), compact
            try:
                style = before.get(key) or _own_style(path, compact)
            except ArtemError as error:
                problems.append(str(error).rstrip("."))
                continue
            self._looked_at[key] = style
            yield style

    def _own_files(self) -> list[Path]:
        """The files of the user's own styles, whatever is in them, by name. Raises OSError."""
        if not self.own.is_dir():
            return []
        return sorted(path for path in self.own.iterdir() if path.suffix == ".safetensors" and path.is_file())

    def _left_out(self, styles: list[Style]) -> list[Style]:
        """The files of the user's own that are not among ``styles``, as far as their names tell what they are."""
        listed = {style.path for style in styles}
        try:
            paths = [path for path in self._own_files() if path not in listed]
        except OSError:  # it is among the problems
            return []
        stems = [path.name.removesuffix(SUFFIX) for path in paths]
        return [
            Style(normalize(stem) or "own", title_of(stem), "own", path, network="code", form="code")
            for stem, path in zip(stems, paths, strict=True)
        ]


def _check_usable(path: Path, code: StyleCode, compact: tuple[Path, str]) -> None:
    """Raises `WeightsError` for a code that the compact network can neither paint with nor make anew."""
    if code.network != compact[1] and not code.can_be_made_anew:
        cause = f"{path.name} is for another network and keeps no picture to be read again"
        raise WeightsError(cause, "Add its picture again: artem-vr styles add PICTURE")


def _own_style(path: Path, compact: tuple[Path, str] | None) -> Style:
    """Raises `WeightsError` for a code that is of no use."""
    if not path.name.endswith(SUFFIX):
        return _own_network(path)
    code = read_code(path)
    if compact is not None:
        _check_usable(path, code, compact)
    return _own_code(path, code)


def _own_network(path: Path) -> Style:
    name, title = normalize(path.stem) or "own", title_of(path.stem) or "A network"
    return Style(name, title, "own", path, network=architecture_of(path))


def _own_code(path: Path, code: StyleCode) -> Style:
    stem = path.name.removesuffix(SUFFIX)
    title = code.title or title_of(stem) or "A code"
    return Style(normalize(stem) or "own", title, "own", path, network="code", form="code")


def _called(styles: list[Style], name: str) -> Style | None:
    """The style whose name, or else whose title that is: as it is written, or (where it can be no blend) much like it.

    A name without any letter or digit is like no other.
    """
    written, alike = name.strip().casefold(), "" if is_blend(name) else normalize(name)
    wanted: list[tuple[str, Callable[[Style], str]]] = [
        (written, lambda style: style.name),
        (written, lambda style: style.title.casefold()),
        (alike, lambda style: style.name),
        (alike, lambda style: normalize(style.title)),
    ]
    return next((style for text, of in wanted if text for style in styles if of(style) == text), None)


def _coded(styles: list[Style], style: Style) -> Style:
    """A style as a part of a blend: a network gives way to the code of its painting. Raises `StyleError`."""
    if style.form != "network":
        return style
    for other in styles:
        if other.form == "code" and other.kind == style.kind == "shipped" and other.painting == style.painting:
            return other
    cause = f"{style.name} is a network of its own, and there is no code of its painting to blend"
    raise StyleError(cause, "Blend pictures, or styles that artem-vr styles list calls codes")


def _is_file(name: str) -> bool:
    try:
        return path_of(name).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a null character
        return False


def _is_picture(path: Path) -> bool:
    from artem_vr.sources.pictures import is_picture

    return is_picture(path)


def _file_of(folder: Path, entry: Any, name: str) -> tuple[Path, str]:
    """Path and sha256 of an entry of the index. Raises ValueError, KeyError or TypeError when it makes no sense."""
    file, sha256 = entry["file"], entry["sha256"].lower()
    if file in (".", "..") or Path(file).name != file or "\\" in file or ":" in file:
        raise ValueError(f"{name}: {file[:40]!r} is not a plain file name")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{name}: bad sha256")
    return folder / file, sha256


def _shipped_style(folder: Path, entry: Any) -> Style:
    """One entry of the index. Raises ValueError, KeyError or TypeError when it makes no sense."""
    texts = {key: entry[key] for key in ("name", "file", "sha256", "title")}
    texts |= {key: entry.get(key, "") for key in ("artist", "year", "network", "painting")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(f"{key} is not text")
    name, network = texts["name"], texts["network"]
    if not name or name != normalize(name):
        raise ValueError(f"bad name {name[:40]!r}")
    path, sha256 = _file_of(folder, texts, name)
    if (network == "code") != path.name.endswith(SUFFIX):
        raise ValueError(f"{name}: {path.name[:40]!r} and network {network[:20]!r} do not agree")
    return Style(
        name,
        texts["title"] or title_of(name),
        "shipped",
        path,
        sha256,
        texts["artist"],
        texts["year"],
        network,
        "code" if network == "code" else "network",
        painting=texts["painting"] or name,
    )


def title_of(name: str) -> str:
    """A title for what is called ``name``: my_holiday, My holiday."""
    return clean_title(name.replace("_", " ")).capitalize()
