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
from artem_vr.networks.adain import AdaINDecoder, AdaINNetwork
from artem_vr.networks.checkpoint import load_network
from artem_vr.networks.layers import SmoothedStatistics
from artem_vr.offline.files import Job, Look, Outcome, overwrites, paint_all
from artem_vr.sources.pictures import load_picture
from artem_vr.styles.library import Library
from artem_vr.stylize.statistics import RateKeeper
from artem_vr.stylize.styled import cover
from artem_vr.training.cli import chosen_device
from artem_vr.training.data import resize_short_side, to_tensor
from artem_vr.training.vgg_weights import load_vgg

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
    decoder = _decoder(order.decoder)
    device = torch.device(chosen_device(order.device))
    try:
        network = AdaINNetwork(load_vgg(order.vgg), decoder, order.look.strength).to(device)
    except ValueError as error:
        cause = f"{order.vgg or 'VGG-19'} does not fit: {error}"
        remedy = "Give --vgg the weights that weights/README.md names, or --decoder one that was trained with these"
        raise WeightsError(cause, remedy) from None
    code = network.encode(resize_short_side(to_tensor(painting), PAINTING_SIDE).to(device))[0]
    brush = _Brush(network, code, order.smoothing_seconds)
    look = replace(order.look, strength=cover(order.look.strength, coded=True))
    outcome = paint_all(jobs, look, lambda kind: brush, report)
    for done in outcome.outputs:
        done |= {"engine": "torch", "precision": "fp32", "device": device.type}
    strength = {"strength": order.look.strength, "layout": order.look.layout}
    return outcome, {"style": order.painting.stem, **strength, "method": "adain"}


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
    """Paints (E, H, W, 3) uint8 RGB; a `files.PaintEyes`."""

    def __init__(self, network: AdaINNetwork, code: torch.Tensor, smoothing_seconds: float) -> None:
        self._network, self._code = network, code
        self._rates = RateKeeper(smoothing_seconds)
        self._time = 0.0
        self._state = code.new_zeros(2, network.decoder.channels)

    @torch.no_grad()
    def __call__(self, eyes: npt.NDArray[np.uint8], elapsed: float | None) -> npt.NDArray[np.uint8]:
        if elapsed is None:
            self._rates.reset()
        self._time += elapsed or 0.0
        rate = self._state.new_full((1,), self._rates.rate(eyes, self._time))
        statistics = SmoothedStatistics(self._state, rate, self._code)
        pictures = torch.from_numpy(eyes).to(self._code.device).permute(0, 3, 1, 2) / 255
        try:
            painted = self._network(pictures, statistics)
        except (RuntimeError, MemoryError) as error:
            if not is_lack_of_memory(error):
                raise
            cause = f"memory does not suffice to paint {eyes.shape[2]}x{eyes.shape[1]} pixels"
            raise EngineError(cause, "Paint it smaller with --size") from None
        self._state = statistics.new_state()
        return np.asarray((painted * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
