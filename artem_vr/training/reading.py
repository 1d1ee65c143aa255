"""Teaches the style encoder to read: to tell a painting's texture, before anything is painted with it.

What VGG-19 sees in the paintings of a training (channel correlations, means and deviations) varies in far fewer ways
than it has numbers. Its principal components are the *traits*. The encoder has no VGG-19 at run time, but
what its random convolutions see, pooled, suffices to tell them by ridge regression: of 25 paintings that it was not
taught, each is nearest to itself. Trained through the painter alone, the encoder told palettes
apart after thousands of iterations, and strokes not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from artem_vr.errors import SettingsError
from artem_vr.networks.compact import TRAITS, StyleEncoder
from artem_vr.training.losses import STYLE_LAYERS, TextureStatistics

Statistics = Mapping[str, Tensor]
"""Of one picture: ``relu1_1_mean`` (1, C), ``relu1_1_deviation`` (1, C), ``relu1_1_correlation`` (1, C, C), ..."""

MOMENTS = 0.5
"""Weight of means and deviations beside correlations, each layer's of which weighs 1."""


RIDGE = 100.0
"""Of the regression, whose inputs are of deviation 1: chosen among powers of ten on paintings that were left out."""

LEAST_SPREAD = 1e-3
"""Deviation of a pooled number below which it is not magnified; it is kept in fp16."""


LEAST_VARIANCE = 1e-6
"""Of the first trait, summed over the paintings, before it is made 1: of blank ones rounding leaves 1e-11, of two
different ones there is about 1."""


@dataclass(frozen=True)
class Traits:
    """Principal components of paintings' statistics: of mean 0, the first of deviation 1 over the paintings."""

    centre: Tensor
    """(D,)"""
    components: Tensor
    """(TRAITS, D) fp16: a trait is the product with a row."""

    @staticmethod
    def of(paintings: Sequence[Statistics]) -> Traits:
        """Raises `SettingsError` for fewer than two paintings, and for such as are all alike."""
        if len(paintings) < 2:
            raise SettingsError("one painting has no traits of its own", "Give --style two or more paintings")
        rows = torch.stack([_vector(one) for one in paintings])
        centre = rows.mean(dim=0)
        rows -= centre
        values, vectors = torch.linalg.eigh((rows @ rows.T).double())  # N x N: D is in the hundred thousands
        values, vectors = values.flip(0)[:TRAITS], vectors.flip(1)[:, :TRAITS]
        if values[0] < LEAST_VARIANCE:
            raise SettingsError("the paintings cannot be told apart: all are blank or alike", "Give --style others")
        kept = values > 1e-6 * values[0].clamp_min(1e-12)
        # eigenvectors times the roots of the values are the products of unit components with the rows. Not whitened:
        # what hardly differs between paintings would disturb a training as much as what tells them apart
        scale = torch.where(kept, (len(paintings) / values[0] / values.clamp_min(1e-12)).sqrt(), 0.0)
        components = (rows.T @ vectors.float()).T * scale[:, None].float()
        missing = TRAITS - len(components)  # fewer paintings than traits: the others are always 0
        return Traits(centre, F.pad(components, (0, 0, 0, missing)).half())

    def __call__(self, painting: Statistics) -> Tensor:
        """(TRAITS,)"""
        return self.components.float() @ (_vector(painting) - self.centre)


def statistics_of(features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`Statistics` of VGG-19's features of one picture."""
    parts = {}
    for layer, value in features.items():
        statistics = TextureStatistics.of(value)
        parts[f"{layer}_mean"] = statistics.mean
        parts[f"{layer}_deviation"] = statistics.deviation
        parts[f"{layer}_correlation"] = statistics.correlation
    return parts


def _vector(statistics: Statistics) -> Tensor:
    """(D,): such that Euclidean distance is about texture distance, and some for palette and contrast."""
    parts = []
    for layer in STYLE_LAYERS:
        correlation = statistics[f"{layer}_correlation"][0].float()
        row, column = torch.triu_indices(len(correlation), len(correlation), offset=1)
        parts.append(correlation[row, column] * 2**0.5 / correlation.norm())
        mean, deviation = (statistics[f"{layer}_{kind}"][0].float() for kind in ("mean", "deviation"))
        parts += [MOMENTS * mean / mean.norm(), MOMENTS * deviation / deviation.norm()]
    return torch.cat(parts)


@torch.no_grad()
def teach(encoder: StyleEncoder, pictures: Iterable[Tensor], true: Tensor) -> float:
    """Sets what ``encoder`` reads by: ``pictures``, (1, 3, H, W) each, have the traits ``true`` (N, TRAITS).

    Returns the share of the traits' variance that it can tell of these pictures, 0 to 1.
    """
    seen = torch.cat([encoder.pooled(picture.to(true.device)).float() for picture in pictures])
    centre, spread = seen.mean(dim=0), seen.std(dim=0, correction=0).clamp_min(LEAST_SPREAD)
    seen = ((seen - centre) / spread).double()
    ridge = RIDGE * torch.eye(seen.shape[1], dtype=seen.dtype, device=seen.device)
    weight = torch.linalg.solve(seen.T @ seen + ridge, seen.T @ true.double())  # (pooled, TRAITS)
    encoder.centre.copy_(centre)
    encoder.spread.copy_(spread)
    encoder.read.weight.copy_(weight.T)
    return float(1 - (seen @ weight - true).square().sum() / true.square().sum())
