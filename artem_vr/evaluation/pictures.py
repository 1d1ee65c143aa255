"""Pictures for evaluation: found, read, chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from artem_vr.errors import PictureError
from artem_vr.evaluation.split import held_out
from artem_vr.tensors import of_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def read_picture(path: Path) -> Tensor:
    """(1, 3, H, W) fp32, RGB in [0, 1]. Raises PictureError."""
    from artem_vr.sources.pictures import load_picture

    return of_bytes(load_picture(path)[None])


class PictureFiles(Mapping[str, Tensor]):
    """Pictures by name, (1, 3, H, W) each, read whenever one is asked for: many large ones would fill the memory."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        """Raises PictureError if one of them cannot be read."""
        self._paths = dict(paths)
        for path in self._paths.values():
            read_picture(path)

    def __getitem__(self, name: str) -> Tensor:
        return read_picture(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def files(folder: Path, option: str) -> list[Path]:
    """The picture files below ``folder``, in the order of their names, hidden ones left out.

    Raises PictureError, naming ``option``.
    """
    try:
        found = sorted(
            p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file() and _seen(p, folder)
        )
    except OSError as error:
        raise PictureError(f"{folder} cannot be read ({error.strerror})", f"Give {option} another folder") from error
    if not found:
        cause = "holds no pictures" if folder.is_dir() else "is not a folder"
        raise PictureError(f"{folder} {cause}", f"Give {option} a folder of JPEG, PNG or WEBP pictures")
    return found


def _seen(path: Path, folder: Path) -> bool:
    """Nothing on the way is hidden, as thumbnails are, and what macOS writes beside files ("._photo.jpg")."""
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def by_stem(paths: list[Path], option: str) -> dict[str, Path]:
    """``paths`` by their names without ending. Raises PictureError, naming ``option``, where two have the same."""
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(path.stem, path)
        if other is not path:
            raise PictureError(f"{other} and {path} have one name", f"Rename one of these in the folder of {option}")
    return named


def choose_photographs(folder: Path, count: int, seed: int, all_of_them: bool = False) -> list[Path]:
    """``count`` of the folder's photographs that training leaves out, or fewer; drawn by ``seed``.

    ``all_of_them``: also those that training uses, for folders that training never saw. Raises PictureError
    where there are fewer than two: content is measured against another photograph's.
    """
    found = files(folder, "--content")
    chosen = found if all_of_them else [p for p in found if held_out(p)]
    if len(chosen) < 2:
        raise PictureError(
            f"{folder} has {len(chosen)} photographs that training leaves out, and at least 2 are needed",
            "Give --content a larger folder, or --unseen if no network was trained on it",
        )
    random.Random(seed).shuffle(chosen)
    return chosen[:count]
