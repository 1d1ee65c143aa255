"""``artem-vr stylize --method adain``: the article's network for any painting (Huang & Belongie 2017), into files.

VGG-19 sees every picture that it paints: some fifty times the arithmetic of the program's own networks, so it is for
files. Both eyes share their statistics, which follow a film over time, as everywhere (`networks.layers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from artem_vr.errors import EngineError, SettingsError, WeightsError, is_lack_of_memory
from artem_vr.hardware import gpu_is_lost
from artem_vr.networks.adain import AdaINDecoder, AdaINNetwork
from artem_vr.networks.checkpoint import load_network
from artem_vr.networks.layers import SmoothedStatistics
from artem_vr.offline.files import Job, Look, Outcome, overwrites, paint_all
from artem_vr.sources.frame import Picture
from artem_vr.sources.pictures import load_picture
from artem_vr.styles.library import Library
from artem_vr.stylize.painters import one_line
from artem_vr.stylize.statistics import RateKeeper
from artem_vr.tensors import short_side
from artem_vr.training.cli import chosen_device
from artem_vr.training.data import to_tensor
from artem_vr.training.vgg_weights import load_vgg

ALL_PAINTED = 0.4
"""From this strength on the source is covered wholly, and what is weaker is the trade-off's; below, the decoder's blur
would be seen instead."""

PAINTING_SIDE = 512
"""Short side in pixels at which the painting is read, as in `evaluate`."""


@dataclass(frozen=True)
class Order:
    """What all files of one command share."""

    painting: Path
    look: Look
    vgg: Path | None = None
    decoder: Path | None = None
    """None: the one that is shipped."""
    device: str = "auto"
    smoothing_seconds: float = 0.4


def stylize(jobs: Sequence[Job], order: Order, report: Callable[[str], None]) -> tuple[Outcome, dict[str, Any]]:
    """Paint every job like the painting; what came of it, and what it was done with.

    ``look.strength`` is also the paper's content-style trade-off. Raises `ArtemError` where nothing can be painted:
    no decoder, no such painting, no VGG-19 or another one than the decoder was trained with.
    """
    if not order.painting.is_file():
        cause = f"{order.painting} is no picture file, and styles of the program have no painting in the package"
        raise SettingsError(cause, "Give --style a PICTURE with --method adain")
    for job in jobs:
        if overwrites(job, order.painting):
            raise SettingsError(f"{order.painting} is the style and would be overwritten", "Name another OUTPUT")
    painting = load_picture(order.painting)
    brush = _Brush(lambda device: _ready(order, painting, device), order, report)
    look = replace(order.look, strength=min(1.0, order.look.strength / ALL_PAINTED))
    outcome = paint_all(jobs, look, lambda kind: brush, report, lambda kind: brush.facts)
    strength = {"strength": order.look.strength, "layout": order.look.layout}
    return outcome, {"style": order.painting.stem, **strength, "method": "adain"}


def _ready(order: Order, painting: Picture, name: str) -> tuple[AdaINNetwork, torch.Tensor]:
    """The network on the device of that name, and the painting's code (2, C). Raises `ArtemError`."""
    decoder = _decoder(order.decoder)
    device = torch.device(chosen_device(name))
    try:
        network = AdaINNetwork(load_vgg(order.vgg), decoder, order.look.strength).to(device)
    except ValueError as error:
        cause = f"{order.vgg or 'VGG-19'} does not fit: {error}"
        remedy = "Give --vgg the weights that weights/README.md names, or --decoder one that was trained with these"
        raise WeightsError(cause, remedy) from None
    return network, network.encode(short_side(to_tensor(painting), PAINTING_SIDE).to(device))[0]


def _decoder(file: Path | None) -> AdaINDecoder:
    """Raises WeightsError."""
    found = (file, None) if file is not None else Library().decoder
    if found is None:
        remedy = "Train one with artem-vr train adain --encoder vgg19 and name it with --decoder"
        raise WeightsError("The package has no decoder for --method adain", remedy)
    decoder, _ = load_network(*found, parts=True)
    if not isinstance(decoder, AdaINDecoder):
        raise WeightsError(f"{found[0].name} is no decoder", "Name one of artem-vr train adain --encoder vgg19")
    return decoder


class _Brush:
    """Paints (E, H, W, 3) uint8 RGB; a `files.PaintEyes`. Where the GPU fails for good, the processor paints on."""

    def __init__(
        self,
        ready: Callable[[str], tuple[AdaINNetwork, torch.Tensor]],
        order: Order,
        report: Callable[[str], None],
    ) -> None:
        """``ready`` makes network and code on a device."""
        self._ready, self._report = ready, report
        self._network, self._code = ready(order.device)
        self._rates = RateKeeper(order.smoothing_seconds)
        self._time = 0.0
        self._state = torch.zeros(2, self._network.decoder.channels)  # in the host's memory

    @property
    def facts(self) -> dict[str, str]:
        """What really paints."""
        return {"engine": "torch", "precision": "fp32", "device": self._code.device.type}

    @torch.no_grad()
    def __call__(self, eyes: npt.NDArray[np.uint8], elapsed: float | None) -> npt.NDArray[np.uint8]:
        if elapsed is None:
            self._rates.reset()
        self._time += elapsed or 0.0
        rate = self._rates.rate(eyes, self._time)
        try:
            painted, self._state = self._painted(eyes, rate)
        except (RuntimeError, MemoryError) as error:
            if not is_lack_of_memory(error):
                raise
            cause = f"memory does not suffice to paint {eyes.shape[2]}x{eyes.shape[1]} pixels"
            raise EngineError(cause, "Paint it smaller with --size") from None
        return painted

    def _painted(self, eyes: npt.NDArray[np.uint8], rate: float) -> tuple[npt.NDArray[np.uint8], torch.Tensor]:
        """``eyes``, painted, and the new state."""
        try:
            return self._pass(eyes, rate)
        except Exception as error:
            if not gpu_is_lost(self._code.device.type, error):
                raise
            self._report(f"the GPU has failed, the processor paints on ({one_line(error)}).")
        self._network, self._code = self._ready("cpu")
        return self._pass(eyes, rate)

    def _pass(self, eyes: npt.NDArray[np.uint8], rate: float) -> tuple[npt.NDArray[np.uint8], torch.Tensor]:
        device = self._code.device
        statistics = SmoothedStatistics(self._state.to(device), self._code.new_full((1,), rate), self._code)
        pictures = torch.from_numpy(eyes).to(device).permute(0, 3, 1, 2) / 255
        painted = (self._network(pictures, statistics) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return np.asarray(painted.cpu().numpy()), statistics.new_state().cpu()
