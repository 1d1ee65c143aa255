"""Training of the article's network for any painting: the decoder of AdaIN (Huang & Belongie 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from artem_vr.evaluation.lattice import weave
from artem_vr.evaluation.pictures import files
from artem_vr.networks.adain import AdaINDecoder, AdaINNetwork, adain, feature_scale, moments, vgg_sum
from artem_vr.networks.vgg import VGG19
from artem_vr.tensors import short_side
from artem_vr.training import losses
from artem_vr.training.compact import Paintings
from artem_vr.training.data import Photographs, load_left_out, reduced, to_tensor
from artem_vr.training.sheets import blank, painted_bytes, rows_of
from artem_vr.training.trainer import TOTAL, TrainedAlike

VIEWS = 100
"""Windows of every painting: unlike the compact network's, their statistics cost no more than a pass of VGG-19."""

SHEET_SIDE = 256
"""Short side, in pixels, to which photographs and paintings are reduced for a sample sheet: VGG-19 is slow."""


@dataclass(frozen=True)
class AdaINLossWeights:
    """Weights of the two losses of the paper, made relative, and of `evaluation.lattice.weave`; without unit."""

    content: float = 1.0
    style: float = 10.0
    weave: float = 0.0


class AdaINObjective(TrainedAlike):
    """||f(g(t)) - t|| and the distances of means and deviations over four layers (equations 12 and 13).

    f is VGG-19, g the decoder, t what AdaIN makes of the photograph's features. Only g learns.
    """

    network: AdaINDecoder

    def __init__(
        self,
        decoder: AdaINDecoder,
        vgg: VGG19,
        paintings: Paintings,
        photographs: Photographs,
        weights: AdaINLossWeights,
        sheet: tuple[list[np.ndarray], list[np.ndarray]],
    ) -> None:
        """``sheet``: photographs and paintings, (H, W, 3) uint8 RGB each, none of them trained on.

        Raises ValueError if ``decoder`` was trained before, with another VGG-19.
        """
        super().__init__()
        self.network = decoder
        self.paintings, self.photographs, self.weights = paintings, photographs, weights
        self._sheet = sheet
        device = next(decoder.parameters()).device
        whole = AdaINNetwork(vgg, decoder)
        if not int(decoder.encoder):  # else it goes on with the scale that it knows
            decoder.scale.copy_(feature_scale(whole.vgg, decoder.layer, photographs.batch(0, 8).to(device)))
            decoder.encoder.fill_(vgg_sum(whole.vgg))
        self._fixed = (vgg, whole)  # a tuple hides them from parameters() and state_dict()

    def batch(self, iteration: int, batch_size: int, first: int) -> dict[str, Tensor]:
        views = [self.paintings.view(iteration, place) for place in range(first, first + batch_size)]
        return {
            "pictures": self.photographs.batch(iteration, batch_size, first),
            "paintings": torch.cat([self.paintings.picture(view) for view in views]),
        }

    def forward(self, pictures: Tensor, paintings: Tensor) -> dict[str, Tensor]:
        vgg, whole = self._fixed
        with torch.no_grad():
            styles = vgg(paintings, losses.STYLE_LAYERS)
            wanted = adain(whole.features(pictures), *moments(whole.scaled(styles[self.network.layer])))  # t
            targets = {layer: moments(x) for layer, x in styles.items()}
        painted = self.network(wanted)
        features = vgg(painted, losses.STYLE_LAYERS)
        reached = whole.scaled(features[self.network.layer])  # f(g(t))
        style = sum((losses.moments_distance(moments(features[k]), targets[k]) for k in targets), torch.zeros(()))
        result = {"content": losses.feature_distance(reached, wanted).mean(), "style": style.mean()}
        if self.weights.weave:
            result["weave"] = weave(painted.float()).mean()
        result[TOTAL] = sum((getattr(self.weights, name) * loss for name, loss in result.items()), torch.zeros(()))
        return result

    @torch.no_grad()
    def sample_sheet(self) -> np.ndarray:
        """Photographs along the top, paintings down the left, and what the network makes of each pair."""
        _, whole = self._fixed
        photographs, paintings = ([reduced(picture, SHEET_SIDE) for picture in row] for row in self._sheet)
        rows = [[blank(), *photographs]]
        for painting in paintings:
            code = whole.encode(short_side(to_tensor(painting), SHEET_SIDE).to(next(whole.parameters()).device))[0]
            rows.append([painting, *(painted_bytes(whole, photograph, code) for photograph in photographs)])
        return rows_of(rows, height=SHEET_SIDE)


def sheet_paintings(sources: Sequence[Path], count: int) -> list[np.ndarray]:
    """Some of the paintings that training leaves out, else some of all: for sample sheets. Raises `PictureError`."""
    found = [p for s in sources for p in ([s] if s.is_file() else files(s, "--style"))]
    return load_left_out(found, count)
