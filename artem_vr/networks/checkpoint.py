"""Weights on disk: safetensors with the recipe of the network in the header. Never pickle.

A file is read once, whole, and trusted in nothing: its size, sum, header, architecture, options,
keys, shapes, dtypes and values are checked before the network is handed out, and whatever is
wrong becomes one `WeightsError` line.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from artem_vr.atomic_file import write_atomically
from artem_vr.errors import WeightsError
from artem_vr.networks.adain import AdaINDecoder
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.header import DAMAGED, read_metadata, with_sorted_metadata
from artem_vr.networks.johnson import JohnsonNetwork

FORMAT_VERSION = 1
"""Raised when the meaning of the header changes; older readers then refuse politely."""

MAX_BYTES = 64 * 1024 * 1024
"""No network of ours comes near; checked before a byte is read."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32)


@dataclass(frozen=True)
class Architecture:
    """How to build one kind of network from the options in a file's header."""

    build: Callable[..., nn.Module]
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Every option that a file must name, with its least and greatest value."""
    defaults: Mapping[str, int] = field(default_factory=dict)
    """Of options that older files do not name."""
    whole: bool = True
    """Pictures in, painted pictures out. False: a part, which is of no use without another network."""


_FAST = {
    "quarter": (4, 128), "eighth": (4, 256), "half": (4, 64), "blocks": (1, 12), "late_blocks": (0, 4), "reach": (1, 3),
}  # fmt: skip
_FAST_BEFORE = {"late_blocks": 0, "reach": 1}

ARCHITECTURES: dict[str, Architecture] = {
    "fast": Architecture(FastNetwork, _FAST, _FAST_BEFORE),
    "compact": Architecture(CompactNetwork, _FAST, _FAST_BEFORE),
    "johnson": Architecture(JohnsonNetwork),
    "binary": Architecture(
        BinaryNetwork.from_bits, {"quarter": (4, 128), "half": (4, 64), "words": (1, 4), "layers": (1, 24)}
    ),
    "adain": Architecture(AdaINDecoder, {"depth": (3, 4)}, whole=False),
}
"""Name in the header -> how to build it. New kinds of networks are added here."""


def save_network(
    path: str | os.PathLike[str],
    network: nn.Module,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float16,
) -> str:
    """Write ``network`` to ``path`` in one step (a crash leaves the old file) and return its sha256.

    ``metadata`` (strings to strings: recipe, style, losses ...) goes into the header beside
    ``architecture``, ``options`` and ``format_version``, which it cannot override. Floating
    tensors are stored as ``dtype``, others as they are. Raises `WeightsError` when a value does
    not fit (a network that diverged) or the file cannot be written.
    """
    path = Path(path)
    architecture = getattr(network, "architecture", None)
    if architecture not in ARCHITECTURES:
        raise WeightsError(f"A network of unknown kind {architecture!r} cannot be saved", "Add it to ARCHITECTURES")
    tensors: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        value = value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous().clone()
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{name} holds values that are not finite", "Resume from an earlier checkpoint")
        tensors[name] = value
    # names of files need not be text
    header = {name: value.encode("utf-8", "replace").decode() for name, value in (metadata or {}).items()}
    header |= {
        "format_version": str(FORMAT_VERSION),
        "architecture": str(architecture),
        "options": json.dumps(getattr(network, "options", {}), sort_keys=True),
    }
    data = with_sorted_metadata(safetensors.torch.save(tensors, header))
    try:
        write_atomically(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path} cannot be written ({reason})", "Choose a folder you may write to") from None
    return hashlib.sha256(data).hexdigest()


def load_network(
    path: str | os.PathLike[str],
    sha256: str | None = None,
    device: str | torch.device = "cpu",
    *,
    parts: bool = False,
) -> tuple[nn.Module, dict[str, str]]:
    """The network in ``path``, fp32, in eval mode, without gradients, and the header's metadata.

    ``sha256`` (hex) is compared when it is given. ``parts``: also a network that does not paint by itself.
    Raises `WeightsError` for anything wrong.
    """
    path = Path(path)
    data = _read(path)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise WeightsError(f"The sha256 of {path.name} is not the recorded one", DAMAGED)
    metadata = read_metadata(path.name, data)
    network = _build(path, metadata, parts)
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:  # noqa: BLE001 (the parser's own error types differ between versions)
        raise WeightsError(f"{path.name} is not a sound safetensors file ({error})", DAMAGED) from None
    network.load_state_dict(_checked(path, network, tensors))
    network.requires_grad_(False)
    return network.eval().to(device), metadata


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            cause = "is not a file" if path.exists() else "does not exist"
            raise WeightsError(f"The weights file {path} {cause}", "Check the name, or reinstall the program")
        size = path.stat().st_size
        if size > MAX_BYTES:
            limit = MAX_BYTES // 2**20
            raise WeightsError(f"{path.name} is larger than {limit} MB: not one of our networks", DAMAGED)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"The weights file {path} cannot be read ({reason})", "Check its permissions") from None
    if not 10 <= len(data) <= MAX_BYTES:
        raise WeightsError(f"{path.name} is empty or cut short ({len(data)} bytes)", DAMAGED)
    return data


def _build(path: Path, metadata: Mapping[str, str], parts: bool) -> nn.Module:
    version = metadata.get("format_version")
    if version != str(FORMAT_VERSION):
        cause = (
            "has no format version: it is not a network of ours" if version is None else f"has format {version[:20]}"
        )
        raise WeightsError(f"{path.name} {cause}", f"This program reads format {FORMAT_VERSION}; update it or the file")
    name = metadata.get("architecture", "")
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        known = ", ".join(sorted(ARCHITECTURES))
        raise WeightsError(f"{path.name} holds a network of unknown kind {name[:40]!r}", f"Known are: {known}")
    if not (architecture.whole or parts):
        cause = f"{path.name} is a decoder ({name}), which paints nothing without VGG-19 and a painting"
        raise WeightsError(cause, "Choose a style network; artem-vr evaluate measures decoders")
    options = _options(path, metadata.get("options", "{}"), architecture)
    with torch.random.fork_rng(devices=[]):  # building draws random weights; leave the caller's luck alone
        return architecture.build(**options)


def _options(path: Path, text: str, architecture: Architecture) -> dict[str, int]:
    """The options of the header; every one an int in its range, none missing that has no default, none more."""
    try:
        options: Any = json.loads(text)
    except (ValueError, RecursionError):
        options = None
    if isinstance(options, dict):
        options = {**architecture.defaults, **options}
    if not isinstance(options, dict) or set(options) != set(architecture.ranges):
        raise WeightsError(f"{path.name} has no readable network options", DAMAGED)
    for name, value in options.items():
        low, high = architecture.ranges[name]
        if type(value) is not int or not low <= value <= high:
            cause = f"{path.name} asks for {name}={str(value)[:20]}, outside {low}..{high}"
            raise WeightsError(cause, DAMAGED)
    return options


def _checked(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` as fp32, if they are exactly the network's keys, shapes and kinds, and finite."""
    wanted = network.state_dict()
    missing, extra = sorted(set(wanted) - set(tensors)), sorted(set(tensors) - set(wanted))
    if missing or extra:
        which = f"lacks {missing[0]}" if missing else f"has an unknown tensor {extra[0][:60]}"
        raise WeightsError(f"{path.name} {which}", DAMAGED)
    result: dict[str, Tensor] = {}
    for name, value in tensors.items():
        target = wanted[name]
        if value.shape != target.shape:
            shapes = f"{tuple(value.shape)} and not {tuple(target.shape)}"
            raise WeightsError(f"{path.name}: {name} has shape {shapes}", DAMAGED)
        allowed = FLOATS if target.is_floating_point() else (target.dtype,)
        if value.dtype not in allowed:
            raise WeightsError(f"{path.name}: {name} has type {value.dtype}", DAMAGED)
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{path.name}: {name} holds values that are not finite", DAMAGED)
        result[name] = value.to(target.dtype)
    return result
