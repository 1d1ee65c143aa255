"""Training of the compact network: any photograph in the manner of any painting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from artem_vr.errors import PictureError, WeightsError
from artem_vr.evaluation.lattice import weave
from artem_vr.evaluation.pictures import files
from artem_vr.evaluation.split import held_out
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import GivenStatistics, InstanceNorm, OwnStatistics, own_code
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import load_picture
from artem_vr.tensors import short_side
from artem_vr.training import losses, warps
from artem_vr.training.beginning import begin_as
from artem_vr.training.data import Photographs, draw_ramp, load_or_say, to_tensor
from artem_vr.training.fast import LossWeights, lattice_of
from artem_vr.training.reading import Traits, statistics_of, teach
from artem_vr.training.sheets import blank, painted_bytes, rows_of
from artem_vr.training.trainer import TOTAL

PLAIN_SHARE = 0.25
"""Share of the pictures that are painted at a strength drawn between 0 and 1; the others at 1."""

PLAIN_RATE = 10.0
"""How much faster than the painter's weights the code of no painting is learned: it has to follow them."""

PLAIN_ITERATIONS = 700
"""For which the code of no painting is fitted in the end; VGG-19 does not run, so they are quick."""

PLAIN_LEARNING_RATE = 6e-2
"""At their beginning; it falls to 0."""

GAIN = 3.0
"""How much faster codes are learned than the painter's weights: a rate that is gentle to these left all codes alike."""

LEAST = 0.3
"""Numbers of a code are learned in steps in proportion to their size, of at least this."""

RIVALS = 24
"""Paintings that a painted picture is told from."""

RIVAL_SPREAD = 0.1
"""Texture distance that makes one painting e times as likely as another: that between kindred paintings is about 1."""


@dataclass(frozen=True)
class CompactLossWeights(LossWeights):
    """... and of those that only a network for any painting has; without unit."""

    texture: float = 2.0
    consistency: float = 1.0
    weave: float = 0.0
    palette: float = 5.0
    plain: float = 4.0
    distinction: float = 0.3


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
        """Those of the source that are trained on and can be read: no training shall end at one of the others."""
        if source.is_file():
            load_picture(source, enough=1)  # what is named itself is meant: better to end now
            return [source]
        paths = files(source, "--style")
        readable = [p for p in paths if not held_out(p)] or paths
        readable = [p for p in readable if load_or_say(p, enough=1) is not None]
        if not readable:
            raise PictureError(f"no painting in {source} can be read", "Give --style a folder of sound pictures")
        return readable

    @property
    def paths(self) -> list[Path]:
        return [path for group in self._groups for path in group]

    def view(self, iteration: int, place: int) -> View:
        """The view that picture ``place`` of this iteration is painted after."""
        rng = np.random.default_rng((self.seed, 11, iteration, place))
        group = self._groups[rng.choice(len(self._groups), p=self._odds)]
        return self._view(group[rng.integers(len(group))], int(rng.integers(self.views)))

    def all_views(self) -> list[View]:
        """Every view that is ever drawn."""
        return list(dict.fromkeys(self._view(path, number) for path in self.paths for number in range(self.views)))

    def _view(self, path: Path, number: int) -> View:
        own = np.random.default_rng((self.seed, number, *path.name.encode("utf-8", "surrogatepass")))
        low, high = (math.log(side) for side in self.short_sides)
        side = round(math.exp(own.uniform(low, high)))
        channels = tuple(own.permutation(3).tolist()) if number % 2 else (0, 1, 2)
        return View(path, side, (own.random(), own.random()), channels)

    def picture(self, view: View) -> Tensor:
        """(1, 3, window, window) RGB in [0, 1]."""
        side = max(view.short_side, self.window)
        whole = short_side(to_tensor(load_picture(view.path, enough=side)), side)
        top, left = (round(p * (n - self.window)) for p, n in zip(view.place, whole.shape[2:], strict=True))
        return whole[:, list(view.channels), top : top + self.window, left : left + self.window]


ALPHA_EASING = 1.5
"""Exponent of the way from no style to a code, in training. What is shown goes another way, since the source is mixed
in there (`styles.codes.adjusted`)."""


def _amount(alpha: Tensor) -> Tensor:
    """How far on the way from no style to a code lies what shall be ``alpha`` (0..1) like the painting, 0..1."""
    return 1 - (1 - alpha) ** ALPHA_EASING


class CompactObjective(nn.Module):
    """Style, content, palette, consistency and, where no style is asked for, likeness to the photograph.

    Distinction: the picture must be nearer to its own painting than to others (`losses.distinction`; they are the
    next iterations' paintings), else all are painted with the texture that is least wrong on average.
    Consistency as in `training.fast`: the painting of a moved, noisy photograph must be the moved painting.
    Lattice: what is painted on ramps must not show the periods of the network's own steps (`losses.lattice_loss`).
    Weave: nor must strokes follow them (`evaluation.lattice.weave`).
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
        self._traits: dict[View, Tensor] = {}
        self._contents: dict[tuple[int, ...], Tensor] = {}
        """Per crop of the photographs, where their number is bounded: features for the content loss in fp16."""

    @torch.no_grad()
    def teach_to_read(self, progress: bool = True) -> float:
        """Before a training: finds the traits of all paintings and teaches the style encoder to tell them.

        Returns the share of their variance that it tells. Raises `SettingsError` where there is a single view.
        """
        views = self.paintings.all_views()
        seen = self.statistics(tqdm(views, desc="paintings", disable=not progress, mininterval=2.0, dynamic_ncols=True))
        traits = Traits.of(seen)
        true = torch.stack([traits(one) for one in seen]).to(self.device)
        self._traits.clear()
        return teach(self.network.encoder, (self.paintings.picture(view) for view in views), true)

    def statistics(self, views: Iterable[View]) -> list[dict[str, Tensor]]:
        """`training.reading.Statistics` of every view."""
        views = self._learn(views)
        return [self._targets[view] for view in views]

    @torch.no_grad()
    def traits_of(self, view: View) -> Tensor:
        """(1, traits), as the encoder, which does not change any more, tells them."""
        if view not in self._traits:
            picture = self.paintings.picture(view).to(self.device)
            self._traits[view] = self.network.encoder.traits(picture).float().cpu()
        return self._traits[view]

    @torch.no_grad()
    def _content_of(self, pictures: Tensor, keys: Sequence[tuple[int, ...]]) -> Tensor:
        """(B, C, h, w): a third of what VGG-19 has to do, were it not done once for every crop."""
        vgg = self.vgg
        for key, picture in zip(keys, pictures, strict=True):
            if key not in self._contents:
                features = vgg(picture[None].to(vgg.mean.device), (losses.CONTENT_LAYER,))
                self._contents[key] = features[losses.CONTENT_LAYER].half().cpu()
        return torch.cat([self._contents[key] for key in keys])

    def rates(self) -> dict[float, list[nn.Parameter]]:
        """The code of no painting, which few of the pictures are painted with, is learned faster than the rest."""
        plain = {p for m in self.network.painter.modules() if isinstance(m, InstanceNorm) for p in m.parameters()}
        trained = [p for p in self.network.parameters() if p.requires_grad]
        return {1.0: [p for p in trained if p not in plain], PLAIN_RATE: [p for p in trained if p in plain]}

    def batch(self, iteration: int, batch_size: int, first: int) -> dict[str, Tensor]:
        pictures = self.photographs.batch(iteration, batch_size, first)
        height, width = pictures.shape[-2:]
        motions, strengths, ramps = [], [], []
        views = [self.paintings.view(iteration, place) for place in range(first, first + batch_size)]
        for place in range(first, first + batch_size):
            random = torch.Generator().manual_seed(self.seed * 7_919 + iteration * 1_009 + place)
            motions.append(warps.draw_motion(height, width, random, other_eye=(iteration + place) % 2 == 1))
            draw = torch.rand((), generator=random)  # below PLAIN_SHARE: a strength from 0 to 1, 0 twice as often
            strengths.append((draw / PLAIN_SHARE * 1.5 - 0.5).clamp(0, 1) if draw < PLAIN_SHARE else torch.ones(()))
            ramps.append(draw_ramp(width, random))
        rivals = [self.paintings.view(iteration + 1 + k, 0) for k in range(RIVALS if self.weights.distinction else 0)]
        self._learn([*views, *rivals])
        known = [self._targets[view] for view in views]
        targets = {name: torch.cat([parts[name] for parts in known]).float() for name in known[0]}
        if self.photographs.crops:
            keys = [self.photographs.key(iteration, place) for place in range(first, first + batch_size)]
            targets["content"] = self._content_of(pictures, keys)
        if rivals:
            targets["same"] = torch.tensor([[mine.path == rival.path for rival in rivals] for mine in views])
            for layer in losses.STYLE_LAYERS:
                parts = [self._targets[rival][f"{layer}_correlation"] for rival in rivals]
                targets[f"{layer}_rivals"] = torch.cat(parts).float()
        return {
            "pictures": pictures,
            "traits": torch.cat([self.traits_of(view) for view in views]),
            "paintings": torch.cat([self.paintings.picture(view) for view in views]),
            "strengths": torch.stack(strengths),
            "grids": torch.cat([grid for grid, _ in motions]),
            "noise": torch.cat([noise for _, noise in motions]),
            "ramps": torch.stack(ramps),
            **targets,
        }

    def _learn(self, views: Iterable[View]) -> list[View]:
        """Finds the statistics of views that were never seen before. Returns all of them."""
        vgg = self.vgg
        looked_at = []
        for view in views:
            looked_at.append(view)
            if view in self._targets:
                continue
            with torch.no_grad():
                features = vgg(self.paintings.picture(view).to(vgg.mean.device), losses.STYLE_LAYERS)
            self._targets[view] = {
                name: (value.half() if name.endswith("correlation") else value).cpu()
                for name, value in statistics_of(features).items()
            }
        return looked_at

    def forward(
        self,
        pictures: Tensor,
        traits: Tensor,
        paintings: Tensor,
        strengths: Tensor,
        grids: Tensor,
        noise: Tensor,
        ramps: Tensor,
        content: Tensor | None = None,
        **targets: Tensor,
    ) -> dict[str, Tensor]:
        vgg = self.vgg
        plain = self.network.plain[None]
        amount = _amount(strengths[:, None, None])
        code = plain + amount * (self.network.encoder.code(traits).float().unflatten(1, plain.shape[1:]) - plain)
        statistics = OwnStatistics(code)
        painted = self.network(pictures.contiguous(memory_format=torch.channels_last), statistics)
        features = vgg(painted, losses.STYLE_LAYERS)
        if content is None:
            with torch.no_grad():
                content = vgg(pictures, (losses.CONTENT_LAYER,))[losses.CONTENT_LAYER]
        gram, texture, rivals = torch.zeros(()), torch.zeros(()), torch.zeros(())
        for layer in losses.STYLE_LAYERS:
            kinds = ("mean", "deviation", "correlation")
            target = losses.TextureStatistics.of_parts(*(targets[f"{layer}_{kind}"] for kind in kinds))
            ours = losses.TextureStatistics.of(features[layer])
            # a painting that is all but black makes this ratio huge, as a photograph that is all but flat makes that of
            # `plain`: logarithms keep the steps in bounds
            gram = gram + (strengths * torch.log1p(losses.relative_distance(ours.gram, target.gram))).mean()
            distance = losses.relative_distance(ours.correlation, target.correlation)
            texture = texture + distance
            if self.weights.distinction:
                rivals = rivals + losses.relative_distances(ours.correlation, targets[f"{layer}_rivals"])
        painted = painted.float()
        result = {
            "gram": gram,
            "texture": (strengths * texture).mean(),
            "content": losses.content_loss(features[losses.CONTENT_LAYER], content),
            "variation": losses.total_variation(painted),
            "palette": (strengths * losses.palette_distance(painted, paintings)).mean(),
            "plain": ((1 - strengths) * torch.log1p(losses.reconstruction_distance(painted, pictures))).mean(),
        }
        if self.weights.distinction:
            told = losses.distinction(texture, rivals, targets["same"], RIVAL_SPREAD)
            result["distinction"] = (strengths * told).mean()
        if self.weights.consistency:
            moved = (warps.sample(pictures, grids) + noise).clamp(0, 1)
            again = self.network(
                moved.contiguous(memory_format=torch.channels_last), GivenStatistics(statistics.recorded, code)
            )
            mask = warps.valid_mask(grids, *pictures.shape[-2:])
            result["consistency"] = losses.consistency_loss(warps.sample(painted, grids), again.float(), mask)
        if self.weights.lattice:
            result["lattice"] = lattice_of(self.network, ramps, OwnStatistics(code))
        if self.weights.weave:
            result["weave"] = weave(painted).mean()
        if self.weights.edge:
            result["edge"] = losses.edge_loss(painted, pictures).mean()
        weights = vars(self.weights)
        result[TOTAL] = sum((weights[name] * value for name, value in result.items()), torch.zeros(()))
        return result

    def fit_plain(self, iterations: int | None = None) -> CompactNetwork:
        """After a training: fits the code of no painting, and nothing else. Returns the network.

        With it the painter shall show the photograph; with a code between it and a painting's, what lies as far
        between photograph and painted picture: strengths then lead evenly from one to the other, which
        the training, whose painter changes all the time, does not reach.
        """
        iterations = PLAIN_ITERATIONS if iterations is None else iterations
        network, norms = self.network, [m for m in self.network.painter.modules() if isinstance(m, InstanceNorm)]
        plain = network.plain.detach().clone().requires_grad_(True)
        optimizer = torch.optim.Adam([plain], lr=PLAIN_LEARNING_RATE)
        for iteration in tqdm(range(iterations), desc="strength", mininterval=2.0, dynamic_ncols=True):
            for group in optimizer.param_groups:
                group["lr"] = PLAIN_LEARNING_RATE * min(1.0, (iteration + 1) / 30) * (1 - iteration / iterations)
            pictures = self.photographs.batch(iteration, 2, 0).to(self.device)
            pictures = pictures.contiguous(memory_format=torch.channels_last)
            traits = torch.cat([self.traits_of(self.paintings.view(iteration, place)) for place in range(2)])
            random = torch.Generator().manual_seed(self.seed * 7_919 + iteration)
            alpha = torch.rand(2, generator=random) if iteration % 2 else torch.zeros(2)
            alpha = alpha.to(self.device)[:, None, None]
            with torch.no_grad():
                code = network.encoder.code(traits.to(self.device)).unflatten(1, plain.shape)
                painted = network(pictures, OwnStatistics(code))
            between = network(pictures, OwnStatistics(plain + _amount(alpha) * (code - plain)))
            loss = (between - torch.lerp(pictures, painted, alpha[..., None])).abs().mean()
            (plain.grad,) = torch.autograd.grad(loss, [plain])
            optimizer.step()
        sizes = [norm.channels for norm in norms]
        with torch.no_grad():
            for norm, weight, bias in zip(norms, plain[0].split(sizes), plain[1].split(sizes), strict=True):
                norm.weight.copy_(weight)
                norm.bias.copy_(bias)
        return network

    @torch.no_grad()
    def sample_sheet(self) -> np.ndarray:
        """Photographs along the top, paintings down the left, and what the network makes of each pair."""
        photographs, paintings = self._sheet
        rows = [[blank(), *photographs]]
        for painting in paintings:
            code = self.network.encode(short_side(to_tensor(painting), 448).to(self.device))[0]
            rows.append([painting, *(painted_bytes(self.network, p, code) for p in photographs)])
        return rows_of(rows, height=256)

    @property
    def vgg(self) -> VGG19:
        return self._fixed[0]

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


def start_from(network: CompactNetwork, base: nn.Module) -> None:
    """Begin with the weights of a fast network (its style becomes every painting's first answer) or a compact one.

    Of either the painter may have another depth or reach, as `begin_as` has it. Raises `WeightsError` if it is another
    kind or size.
    """
    painter = base.painter if isinstance(base, CompactNetwork) else base
    if not isinstance(painter, FastNetwork):
        cause = f"The base ({getattr(base, 'architecture', '?')}, {getattr(base, 'options', {})}) does not fit"
        raise WeightsError(cause, f"Give a fast or compact network of {network.options}")
    begin_as(network.painter, painter)
    begin_with_code(network)
    if isinstance(base, CompactNetwork):
        _answer_as(network, base)


def _answer_as(network: CompactNetwork, base: CompactNetwork) -> None:
    """The encoder reads as that of ``base`` does, and answers alike for every norm that both painters have."""
    ours, theirs = network.encoder, base.encoder
    shared = {name: value for name, value in theirs.state_dict().items() if not name.startswith(("answer", "gain"))}
    ours.load_state_dict(shared, strict=False)
    places = _places(base.painter)
    with torch.no_grad():
        for name, here in _places(network.painter).items():
            if name not in places:
                continue
            for own, other in ((ours.answer.weight, theirs.answer.weight), (ours.answer.bias, theirs.answer.bias)):
                own.unflatten(0, (2, -1))[:, here] = other.unflatten(0, (2, -1))[:, places[name]]
            ours.gain.view(2, -1)[:, here] = theirs.gain.view(2, -1)[:, places[name]]


def _places(painter: FastNetwork) -> dict[str, slice]:
    """Where in a code each norm's numbers are, by the norm's name."""
    places, begin = {}, 0
    for name, norm in painter.named_modules():
        if isinstance(norm, InstanceNorm):
            places[name] = slice(begin, begin + norm.channels)
            begin += norm.channels
    return places


def begin_with_code(network: CompactNetwork) -> None:
    """The encoder's first answer, whatever the painting, is the painter's own code."""
    own, gain = own_code(network.painter), []
    for name, norm in network.painter.named_modules():
        if isinstance(norm, InstanceNorm):
            # a constant added to the residual stream is taken away by every norm that reads it: left free, it
            # would only drift, until bf16 drowns the picture in it
            gain.append(torch.full((norm.channels,), 0.0 if name.endswith("norm2") else 1.0))
    steps = torch.stack((torch.ones_like(own[0]), torch.cat(gain)))
    scale = (GAIN * own.abs().clamp_min(LEAST) * steps).flatten()
    with torch.no_grad():
        network.encoder.gain.copy_(scale)
        network.encoder.answer.weight.zero_()
        network.encoder.answer.bias.copy_(own.flatten() / scale.clamp_min(1e-12) * (scale > 0))
