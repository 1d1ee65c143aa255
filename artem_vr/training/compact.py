"""Training of the compact network: any photograph in the manner of any painting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from artem_vr.errors import WeightsError
from artem_vr.evaluation.split import held_out
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import GivenStatistics, OwnStatistics, own_code
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import load_picture
from artem_vr.training import losses, warps
from artem_vr.training.data import Photographs, picture_files, resize_short_side, to_tensor
from artem_vr.training.fast import LossWeights
from artem_vr.training.sheets import blank, painted_bytes, rows_of
from artem_vr.training.trainer import TOTAL

PLAIN_SHARE = 0.25
"""Share of the pictures that are painted at a strength drawn between 0 and 1; the others at 1."""


@dataclass(frozen=True)
class CompactLossWeights(LossWeights):
    """... and of those that only a network for any painting has; without unit."""

    texture: float = 2.0
    consistency: float = 1.0
    palette: float = 5.0
    plain: float = 4.0


@dataclass(frozen=True)
class View:
    """One way to look at a painting: at which size, which part, with which colour channels as red, green, blue."""

    path: Path
    short_side: int
    place: tuple[float, float]
    """Of the window, 0 to 1, over what is left of height and width."""
    channels: tuple[int, int, int] = (0, 1, 2)


class Paintings:
    """Windows of the paintings of several folders, drawn deterministically from (seed, iteration, place).

    A folder is drawn from in proportion to the root of its number of paintings, so that a handful of
    important ones is seen often. Of every painting there are ``views`` views, no more: the
    statistics of each are computed once. Every second has its colours exchanged (more palettes
    than painters had). Paintings that `held_out` names are left for evaluation.
    """

    def __init__(
        self, sources: Sequence[Path], window: int, seed: int, views: int = 2, short_sides: tuple[int, int] = (320, 560)
    ) -> None:
        """``sources``: folders, or single pictures, which are never left out. Raises `PictureError` if one is empty."""
        self.window, self.seed, self.views, self.short_sides = window, seed, views, short_sides
        self._groups = [self._files(source) for source in sources]
        roots = [math.sqrt(len(group)) for group in self._groups]
        self._odds = [root / sum(roots) for root in roots]

    @staticmethod
    def _files(source: Path) -> list[Path]:
        if source.is_file():
            return [source]
        paths = picture_files(source, "--style", "paintings")
        return [p for p in paths if not held_out(p)] or paths

    @property
    def paths(self) -> list[Path]:
        return [path for group in self._groups for path in group]

    def view(self, iteration: int, place: int) -> View:
        """The view that picture ``place`` of this iteration is painted after."""
        rng = np.random.default_rng((self.seed, 11, iteration, place))
        group = self._groups[rng.choice(len(self._groups), p=self._odds)]
        path, number = group[rng.integers(len(group))], int(rng.integers(self.views))
        own = np.random.default_rng((self.seed, number, *path.name.encode("utf-8", "surrogatepass")))
        low, high = (math.log(side) for side in self.short_sides)
        side = round(math.exp(own.uniform(low, high)))
        channels = tuple(own.permutation(3).tolist()) if number % 2 else (0, 1, 2)
        return View(path, side, (own.random(), own.random()), channels)

    def picture(self, view: View) -> Tensor:
        """(1, 3, window, window) RGB in [0, 1]."""
        whole = resize_short_side(to_tensor(load_picture(view.path)), max(view.short_side, self.window))
        top, left = (round(p * (n - self.window)) for p, n in zip(view.place, whole.shape[2:], strict=True))
        return whole[:, list(view.channels), top : top + self.window, left : left + self.window]


class CompactObjective(nn.Module):
    """Style, content, palette, consistency and, where no style is asked for, likeness to the photograph.

    Consistency as in `training.fast`: the painting of a moved, noisy photograph must be the moved painting.
    """

    def __init__(
        self,
        network: CompactNetwork,
        vgg: VGG19,
        paintings: Paintings,
        photographs: Photographs,
        weights: CompactLossWeights,
        sheet: tuple[list[np.ndarray], list[np.ndarray]],
        seed: int = 0,
    ) -> None:
        """``sheet``: photographs and paintings, (H, W, 3) uint8 each, of the sample sheet."""
        super().__init__()
        self.network = network
        self.weights, self.photographs, self.paintings, self.seed = weights, photographs, paintings, seed
        self._fixed = (vgg,)  # a tuple hides it from parameters() and state_dict()
        self._targets: dict[View, dict[str, Tensor]] = {}
        """Per view, `TextureStatistics.of_parts` of every layer; correlations in fp16: there are many."""
        self._sheet = sheet

    def batch(self, iteration: int, batch_size: int, first: int) -> dict[str, Tensor]:
        pictures = self.photographs.batch(iteration, batch_size, first)
        height, width = pictures.shape[-2:]
        motions, strengths, views = [], [], []
        for place in range(first, first + batch_size):
            random = torch.Generator().manual_seed(self.seed * 7_919 + iteration * 1_009 + place)
            motions.append(warps.draw_motion(height, width, random, other_eye=(iteration + place) % 2 == 1))
            draw = torch.rand((), generator=random)  # below PLAIN_SHARE: a strength from 0 to 1, 0 twice as often
            strengths.append((draw / PLAIN_SHARE * 1.5 - 0.5).clamp(0, 1) if draw < PLAIN_SHARE else torch.ones(()))
            views.append(self.paintings.view(iteration, place))
        self._learn(views)
        known = [self._targets[view] for view in views]
        targets = {name: torch.cat([parts[name] for parts in known]).float() for name in known[0]}
        return {
            "pictures": pictures,
            "paintings": torch.cat([self.paintings.picture(view) for view in views]),
            "strengths": torch.stack(strengths),
            "grids": torch.cat([grid for grid, _ in motions]),
            "noise": torch.cat([noise for _, noise in motions]),
            **targets,
        }

    def _learn(self, views: list[View]) -> None:
        """The statistics of views that were never seen before."""
        (vgg,) = self._fixed
        for view in views:
            if view in self._targets:
                continue
            with torch.no_grad():
                features = vgg(self.paintings.picture(view).to(vgg.mean.device), losses.STYLE_LAYERS)
            parts = self._targets[view] = {}
            for layer, value in features.items():
                statistics = losses.TextureStatistics.of(value)
                parts[f"{layer}_mean"] = statistics.mean.cpu()
                parts[f"{layer}_deviation"] = statistics.deviation.cpu()
                parts[f"{layer}_correlation"] = statistics.correlation.half().cpu()

    def forward(
        self, pictures: Tensor, paintings: Tensor, strengths: Tensor, grids: Tensor, noise: Tensor, **targets: Tensor
    ) -> dict[str, Tensor]:
        (vgg,) = self._fixed
        plain = self.network.plain[None]
        amount = strengths[:, None, None]
        code = plain + amount * (self.network.encode(paintings).float() - plain)
        statistics = OwnStatistics(code)
        painted = self.network(pictures.contiguous(memory_format=torch.channels_last), statistics)
        features = vgg(painted, losses.STYLE_LAYERS)
        with torch.no_grad():
            content = vgg(pictures, (losses.CONTENT_LAYER,))[losses.CONTENT_LAYER]
        gram, texture = torch.zeros(()), torch.zeros(())
        for layer in losses.STYLE_LAYERS:
            kinds = ("mean", "deviation", "correlation")
            target = losses.TextureStatistics.of_parts(*(targets[f"{layer}_{kind}"] for kind in kinds))
            ours = losses.TextureStatistics.of(features[layer])
            # a painting that is all but black makes this ratio huge: its logarithm keeps the step in bounds
            gram = gram + (strengths * torch.log1p(losses.relative_distance(ours.gram, target.gram))).mean()
            distance = losses.relative_distance(ours.correlation, target.correlation)
            texture = texture + (strengths * distance).mean()
        painted = painted.float()
        result = {
            "gram": gram,
            "texture": texture,
            "content": losses.content_loss(features[losses.CONTENT_LAYER], content),
            "variation": losses.total_variation(painted),
            "palette": (strengths * losses.palette_distance(painted, paintings)).mean(),
            "plain": ((1 - strengths) * losses.reconstruction_distance(painted, pictures)).mean(),
        }
        moved = (warps.sample(pictures, grids) + noise).clamp(0, 1)
        again = self.network(
            moved.contiguous(memory_format=torch.channels_last), GivenStatistics(statistics.recorded, code)
        )
        mask = warps.valid_mask(grids, *pictures.shape[-2:])
        result["consistency"] = losses.consistency_loss(warps.sample(painted, grids), again.float(), mask)
        weights = vars(self.weights)
        result[TOTAL] = sum((weights[name] * value for name, value in result.items()), torch.zeros(()))
        return result

    @torch.no_grad()
    def sample_sheet(self) -> np.ndarray:
        """Photographs along the top, paintings down the left, and what the network makes of each pair."""
        photographs, paintings = self._sheet
        rows = [[blank(), *photographs]]
        for painting in paintings:
            code = self.network.encode(resize_short_side(to_tensor(painting), 448).to(self._device))[0]
            rows.append([painting, *(painted_bytes(self.network, p, code) for p in photographs)])
        return rows_of(rows, height=256)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device


def start_from(network: CompactNetwork, base: nn.Module) -> None:
    """Begin with the weights of a fast network (its style becomes every painting's first answer) or a compact one.

    Blocks that ``base`` does not have begin as identities. Raises `WeightsError` if it is another kind or size.
    """
    if isinstance(base, CompactNetwork) and base.options == network.options:
        network.load_state_dict(base.state_dict())
        return
    sizes = network.options | {"blocks": 0}
    if (
        not isinstance(base, FastNetwork)
        or base.options | {"blocks": 0} != sizes
        or len(base.blocks) > len(network.painter.blocks)
    ):
        cause = f"The base ({getattr(base, 'architecture', '?')}, {getattr(base, 'options', {})}) does not fit"
        raise WeightsError(cause, f"Give a fast or compact network of {network.options}, or another --blocks")
    for extra in list(network.painter.blocks)[len(base.blocks) :]:
        nn.init.zeros_(extra.norm2.weight)  # type: ignore[union-attr, arg-type]
    network.painter.load_state_dict(base.state_dict(), strict=False)
    begin_with_code(network)


def begin_with_code(network: CompactNetwork) -> None:
    """The encoder's first answer, whatever the painting, is the painter's own code."""
    with torch.no_grad():
        network.encoder.answer.bias.copy_(own_code(network.painter).flatten())
