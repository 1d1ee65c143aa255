"""Photographs and paintings for training, cut deterministically from (seed, iteration, place)."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from artem_vr.errors import PictureError
from artem_vr.evaluation.pictures import files
from artem_vr.evaluation.split import held_out
from artem_vr.sources.pictures import load_picture
from artem_vr.tensors import of_bytes, short_side

SHEET_SIDE = 384
"""Short side, in pixels, to which a sheet's photographs are reduced: strokes are then seen as large as they are."""

HAZED = 0.15
"""Share of the photographs that are shown at low contrast."""


def to_tensor(picture: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) fp32 in [0, 1]."""
    return of_bytes(picture[np.newaxis])


def load_or_say(path: Path, enough: int | None = None) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB; of a picture that cannot be read None, and a line on standard error. For ``enough`` see
    `load_picture`.
    """
    try:
        return load_picture(path, enough=enough)
    except PictureError as error:
        tqdm.write(f"artem-vr: {path} is passed over ({error.cause})", file=sys.stderr)
        return None


def load_some(paths: list[Path], count: int) -> list[np.ndarray]:
    """About ``count`` of the pictures, evenly spread; for one that cannot be read the next. Raises `PictureError`."""
    step = max(1, len(paths) // count)
    found: list[np.ndarray] = []
    for first in range(0, len(paths), step):
        following = (load_or_say(path) for path in paths[first : first + step])
        picture = next((picture for picture in following if picture is not None), None)
        if picture is not None:
            found.append(picture)
        if len(found) == count:
            break
    if not found:
        raise PictureError(f"none of {len(paths)} pictures can be read", "Give a folder of sound pictures")
    return found


def load_left_out(paths: list[Path], count: int) -> list[np.ndarray]:
    """`load_some` of those that training leaves out; where none of them can be read, of all. Raises `PictureError`."""
    try:
        return load_some([path for path in paths if held_out(path)], count)
    except PictureError:
        return load_some(paths, count)


class Photographs:
    """Random crops of the photographs of a folder, at random scales.

    ``scales`` bounds the short side a photograph is resized to before the crop, in units of the
    crop: values above 1 show magnified, soft content, as a headset's many pixels do. Photographs
    that `evaluation.split.held_out` names are left for evaluation, and those that cannot be read are
    passed over. ``crops``: how many different ones there are (0: never the same one twice); what is
    known of each can then be kept.
    """

    def __init__(
        self, folder: Path, crop: int, seed: int, scales: tuple[float, float] = (1.0, 3.0), crops: int = 0
    ) -> None:
        paths = files(folder, "--content")
        self.paths = [p for p in paths if not held_out(p)] or paths
        self.crop, self.seed, self.scales, self.crops = crop, seed, scales, crops
        self._unreadable: set[Path] = set()

    def key(self, iteration: int, place: int) -> tuple[int, ...]:
        """Which crop is shown at this place: equal keys, equal crops."""
        if not self.crops:
            return iteration, place
        return (int(np.random.default_rng((self.seed, 13, iteration, place)).integers(self.crops)),)

    def batch(self, iteration: int, batch_size: int, first: int = 0) -> Tensor:
        """(B, 3, crop, crop) in [0, 1]: pictures ``first`` to ``first + B`` of this iteration."""
        return torch.cat([self._one(iteration, first + k) for k in range(batch_size)])

    def _one(self, iteration: int, place: int) -> Tensor:
        rng = np.random.default_rng((self.seed, *self.key(iteration, place)))
        picture = self._readable(int(rng.integers(len(self.paths))))
        low, high = (math.log(s) for s in self.scales)
        window = max(1, round(min(picture.shape[:2]) / math.exp(rng.uniform(low, high))))  # cut, then resize
        top = rng.integers(picture.shape[0] - window + 1)
        left = rng.integers(picture.shape[1] - window + 1)
        picture = picture[top : top + window, left : left + window]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        method = cv2.INTER_AREA if window > self.crop else cv2.INTER_CUBIC
        resized = to_tensor(cv2.resize(np.ascontiguousarray(picture), (self.crop, self.crop), interpolation=method))
        return self._hazed(resized, rng) if rng.random() < HAZED else resized

    def _readable(self, place: int) -> np.ndarray:
        """The photograph at ``place``, or the next that can be read; each that cannot is said once.

        No larger than the smallest windows need: whole photographs of a camera take as long to decode as an iteration.
        Raises `PictureError` where there is none: a night's training must not end at one bad file.
        """
        for step in range(len(self.paths)):
            path = self.paths[(place + step) % len(self.paths)]
            if path not in self._unreadable:
                picture = load_or_say(path, enough=math.ceil(self.crop * self.scales[1]))
                if picture is not None:
                    return picture
                self._unreadable.add(path)
        raise PictureError("no photograph of --content can be read", "Give --content a folder of sound photographs")

    def _hazed(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """The photograph behind a colour ramp: the low contrast of fog, dark rooms and fades."""
        corners = torch.from_numpy(rng.uniform(0, 1, (1, 3, 2, 2)).astype(np.float32))
        ramp = nn.functional.interpolate(corners, size=picture.shape[2:], mode="bilinear", align_corners=True)
        visible = math.exp(rng.uniform(math.log(0.02), 0))
        return visible * picture + (1 - visible) * ramp


def sheet_photographs(folder: Path, count: int = 3) -> list[np.ndarray]:
    """Some photographs of ``folder``, reduced to `SHEET_SIDE`: for sample sheets, if possible never trained on."""
    return [reduced(picture, SHEET_SIDE) for picture in load_left_out(files(folder, "--content"), count)]


def reduced(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB with a shorter side of ``side`` pixels at most."""
    if min(picture.shape[:2]) <= side:
        return picture
    small = short_side(to_tensor(picture), side)[0]
    return (small.permute(1, 2, 0) * 255).round().byte().numpy()


def draw_ramp(crop: int, random: torch.Generator) -> Tensor:
    """(3, S, S): from one colour to another, RGB in [0, 1], in any direction; a third are flat.

    S is about ``crop``, and such that `evaluation.lattice.spectral_peaks` takes it.
    """
    size = max(136, crop // 8 * 8)
    angle, kind = torch.rand(2, generator=random).tolist()
    tints = torch.rand(2, 1, generator=random) + 0.3 * (torch.rand(2, 3, generator=random) - 0.5)
    first, last = tints.clamp(0, 1)[:, :, None, None]
    line = torch.linspace(-1, 1, size)
    way = math.cos(2 * math.pi * angle) * line[None] + math.sin(2 * math.pi * angle) * line[:, None]
    share = (way / way.abs().max() + 1) / 2 if kind > 1 / 3 else torch.zeros(size, size)
    return torch.lerp(first.expand(-1, size, size), last.expand(-1, size, size), share)
