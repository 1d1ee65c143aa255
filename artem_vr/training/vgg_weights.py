"""Weights of VGG-19 from a file or from PyTorch's site, converted to one convention at the door.

Three spellings are read:

* Caffe's, safetensors: ``conv1_1.weight`` ..., made for BGR in 0..255 minus a mean;
* torchvision's, safetensors: ``features.0.weight`` ..., made for RGB in [0, 1] minus a mean, over
  a deviation;
* torchvision's official file (``.pth``, a pickle): read with ``weights_only=True``, here and never at run
  time; one that is downloaded is checked by its sum, and kept as safetensors in the cache folder.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from artem_vr.atomic_file import part_of, replace
from artem_vr.errors import WeightsError
from artem_vr.networks.vgg import CONVOLUTIONS, VGG19

OFFICIAL_ADDRESS = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
TORCHVISION_MEAN = (0.485, 0.456, 0.406)
TORCHVISION_DEVIATION = (0.229, 0.224, 0.225)

_TORCHVISION_INDEX = dict(zip(CONVOLUTIONS, (0, 2, 5, 7, 10, 12, 14, 16, 19), strict=True))
_REMEDY = "Give --vgg FILE a local VGG-19 (.safetensors or PyTorch's .pth), or connect to the network and try again"


def load_vgg(
    path: Path | None,
    *,
    address: str = OFFICIAL_ADDRESS,
    cache: Path | None = None,
) -> VGG19:
    """VGG-19 from ``path``, or, where that is None, from ``address``, downloaded once into ``cache``, with a bar.

    The name of the address must carry the beginning of the file's sha256, as torch.hub has it
    ("vgg19-dcbb9e9d.pth"). Raises WeightsError.
    """
    if path is not None:
        return VGG19.from_state(to_inner(_read(path), path.name))
    kept = _cached(address, cache if cache is not None else default_cache())
    try:
        return VGG19.from_state(to_inner(_read(kept), kept.name))
    except WeightsError as error:  # a power cut, a disk that forgets
        raise WeightsError(error.cause, f"Delete {kept}: then it is downloaded again") from error


def default_cache() -> Path:
    """The user's cache folder for downloaded weights."""
    from platformdirs import user_cache_path

    return user_cache_path("artem-vr", appauthor=False) / "vgg"


def to_inner(state: Mapping[str, Tensor], name: str = "the file") -> dict[str, Tensor]:
    """A state of either spelling as `VGG19.from_state` wants it; layers after conv4_1 are left out.

    Raises WeightsError if a tensor is missing, of a wrong shape or not finite.
    """
    if "features.0.weight" in state:
        return from_torchvision(_select(state, {k: f"features.{i}" for k, i in _TORCHVISION_INDEX.items()}, name))
    return from_caffe(_select(state, {k: k for k in CONVOLUTIONS}, name))


def from_caffe(state: Mapping[str, Tensor], mean_bgr: tuple[float, float, float] = CAFFE_MEAN_BGR) -> dict[str, Tensor]:
    """``conv*`` for BGR in 0..255 minus ``mean_bgr`` -> ``conv*`` and ``mean`` for RGB in [0, 1]."""
    inner = dict(state)
    inner["conv1_1.weight"] = state["conv1_1.weight"].flip(1) * 255.0
    inner["mean"] = torch.tensor(mean_bgr).flip(0) / 255.0
    return inner


def from_torchvision(
    state: Mapping[str, Tensor],
    mean: tuple[float, float, float] = TORCHVISION_MEAN,
    deviation: tuple[float, float, float] = TORCHVISION_DEVIATION,
) -> dict[str, Tensor]:
    """``conv*`` for RGB in [0, 1] minus ``mean`` over ``deviation`` -> ``conv*`` and ``mean`` for RGB in [0, 1]."""
    inner = dict(state)
    inner["conv1_1.weight"] = state["conv1_1.weight"] / torch.tensor(deviation)[None, :, None, None]
    inner["mean"] = torch.tensor(mean)
    return inner


def _select(state: Mapping[str, Tensor], spelling: Mapping[str, str], name: str) -> dict[str, Tensor]:
    """The tensors of our nine convolutions, fp32, under our names, checked."""
    selected: dict[str, Tensor] = {}
    remedy = "Give the file of VGG-19 weights that docs/training.md describes"
    for ours, theirs in spelling.items():
        inputs, outputs = CONVOLUTIONS[ours]
        for kind, shape in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
            tensor = state.get(f"{theirs}.{kind}")
            if tensor is None:
                raise WeightsError(f"{name} holds no {theirs}.{kind}: it is not a VGG-19", remedy)
            if tuple(tensor.shape) != shape:
                raise WeightsError(f"{name}: {theirs}.{kind} is {tuple(tensor.shape)} instead of {shape}", remedy)
            tensor = tensor.float()
            if not bool(torch.isfinite(tensor).all()):
                raise WeightsError(f"{name}: {theirs}.{kind} holds values that are not finite", remedy)
            selected[f"{ours}.{kind}"] = tensor
    return selected


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".pth" and path.is_file():
        return _unpickle(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"VGG-19 weights cannot be read from {path}: {error}", _REMEDY) from error


def _cached(address: str, cache: Path) -> Path:
    """The safetensors file in ``cache`` that belongs to ``address``; made first where it is missing."""
    file = address.rsplit("/", 1)[-1]
    match = re.search(r"-([0-9a-f]{8,64})\.", file)
    if match is None:
        raise WeightsError(f"The address {address} does not carry its sum", "Use PyTorch's official address")
    kept = cache / f"{Path(file).stem}.safetensors"
    if kept.is_file():
        return kept
    try:
        # on the same disk as its goal, so that the last step is a rename: a file under its final name is whole
        with _folder_beside(kept) as folder:
            downloaded, converted = folder / file, folder / kept.name
            digest = _download(address, downloaded)
            if not digest.startswith(match[1]):
                raise WeightsError(
                    f"VGG-19 downloaded from {address} has the sha256 {digest[:16]}..., which should begin {match[1]}",
                    _REMEDY,
                )
            state = _select(_unpickle(downloaded), {k: f"features.{i}" for k, i in _TORCHVISION_INDEX.items()}, file)
            spelled = {
                f"features.{_TORCHVISION_INDEX[name]}.{kind}": state[f"{name}.{kind}"].contiguous()
                for name in CONVOLUTIONS
                for kind in ("weight", "bias")
            }
            save_file(spelled, converted, metadata={"source": address, "sha256": digest})
            replace(converted, kept)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"VGG-19 cannot be kept in {cache}: {error}", _REMEDY) from error
    return kept


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder of one's own beside ``path``, gone in the end. Raises OSError."""
    folder = part_of(path)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(address: str, path: Path, timeout: float = 30.0) -> str:
    """Fetches ``address`` into ``path``; the sha256 of what came, in hexadecimal."""
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(address, timeout=timeout) as answer, path.open("wb") as file:
            length = answer.headers.get("Content-Length")
            total = int(length) if length is not None and length.isdigit() else None
            with tqdm(total=total, desc="VGG-19, once", unit="B", unit_scale=True, leave=False) as bar:
                while block := answer.read(1 << 20):
                    file.write(block)
                    digest.update(block)
                    done += len(block)
                    bar.update(len(block))
    except (OSError, HTTPException, ValueError) as error:  # URLError is an OSError
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise WeightsError(f"VGG-19 cannot be downloaded from {address} ({reason})", _REMEDY) from error
    if total is not None and done != total:
        raise WeightsError(f"The download of {address} broke off after {done} of {total} bytes", _REMEDY)
    return digest.hexdigest()


def _unpickle(path: Path) -> dict[str, Tensor]:
    """torchvision's own file; ``weights_only`` allows tensors and nothing that runs."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds, with pages of text
        raise WeightsError(f"{path.name} is not a file of torch weights ({type(error).__name__})", _REMEDY) from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{path.name} does not hold a state of weights", _REMEDY)
    return state
