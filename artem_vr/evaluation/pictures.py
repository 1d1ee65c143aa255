"""Pictures for evaluation: read, brought to size, chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional as F

from artem_vr.errors import PictureError
from artem_vr.evaluation.split import held_out

MOST_PROPORTION = 8
"""Of a picture that is to be brought to size: a strip of 1x4000 shall not fill the memory."""

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


def bytes_of(pictures: Tensor) -> npt.NDArray[np.uint8]:
    """(B, 3, H, W) in [0, 1], what is beyond cut off -> (B, H, W, 3) uint8."""
    return (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def of_bytes(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) fp32 in [0, 1]."""
    import torch

    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def without_ends(picture: Tensor) -> Tensor:
    """(..., H, W), and of what is longer than `MOST_PROPORTION` times its width the middle."""
    most = MOST_PROPORTION * min(picture.shape[-2:])
    top, left = (max(0, (side - most) // 2) for side in picture.shape[-2:])
    return picture[..., top : top + most, left : left + most]


def short_side(picture: Tensor, size: int) -> Tensor:
    """(1, 3, H, W) resized, antialiased, so that its shorter side is ``size``; of strips only the middle."""
    picture = without_ends(picture)
    height, width = picture.shape[-2:]
    scale = size / min(height, width)
    shape = (max(size, round(height * scale)), max(size, round(width * scale)))
    if shape == (height, width):
        return picture
    return F.interpolate(picture, size=shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def square(picture: Tensor, size: int) -> Tensor:
    """The middle of the picture, (1, 3, size, size)."""
    picture = short_side(picture, size)
    top, left = (picture.shape[-2] - size) // 2, (picture.shape[-1] - size) // 2
    return picture[..., top : top + size, left : left + size]


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
