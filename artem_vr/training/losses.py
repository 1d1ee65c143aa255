"""Losses of style training. All are relative, so that weights mean the same for every painting.

Every loss is computed for each picture alone and then averaged over the batch: the gradient of a
batch is the mean of its pictures' gradients, on one process or on many.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from artem_vr.evaluation import metrics
from artem_vr.evaluation.lattice import VISIBLE, spectral_peaks

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_LAYER = "relu4_1"


@dataclass(frozen=True)
class TextureStatistics:
    """Second-order statistics of one feature map: what "style" means here.

    ``gram`` is (B, C, C): F F^T / pixels (Gatys et al. 2016). ``correlation`` is the Gram matrix of the
    features made zero-mean and unit-deviation: blind to palette and contrast, it sees strokes.
    """

    gram: Tensor
    correlation: Tensor
    mean: Tensor
    """(B, C), of every channel."""
    deviation: Tensor
    """(B, C)."""

    @staticmethod
    def of(features: Tensor) -> TextureStatistics:
        b, c, h, w = features.shape
        flat = features.permute(0, 2, 3, 1).reshape(b, h * w, c)  # (B, HW, C), bf16 in mixed precision
        mean = (flat.new_ones(b, 1, h * w) @ flat).float()[:, 0] / (h * w)  # as a product: a cheap gradient
        # Centred before it is squared: in mixed precision the difference of two large squares would be noise. What is
        # taken away needs no gradient, since the centred features sum up to nothing.
        centred = flat - flat.detach().mean(dim=1, keepdim=True, dtype=torch.float32).to(flat.dtype)
        covariance = (centred.transpose(1, 2) @ centred).float() / (h * w)
        gram = covariance + _outer(mean)
        deviation = covariance.diagonal(dim1=1, dim2=2).clamp_min(1e-6).sqrt()
        return TextureStatistics(gram, covariance / _outer(deviation), mean, deviation)

    @staticmethod
    def of_parts(mean: Tensor, deviation: Tensor, correlation: Tensor) -> TextureStatistics:
        """From what has to be kept of a painting; the Gram matrix follows from it."""
        return TextureStatistics(correlation * _outer(deviation) + _outer(mean), correlation, mean, deviation)


def _outer(vectors: Tensor) -> Tensor:
    """(B, C) to (B, C, C)."""
    return vectors[:, :, None] * vectors[:, None, :]


def relative_distance(ours: Tensor, target: Tensor) -> Tensor:
    """(B,): squared difference of matrices over the squared target. (B, C, C) each."""
    return (ours - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))


def relative_distances(ours: Tensor, targets: Tensor) -> Tensor:
    """`relative_distance` of each to every target: (B, C, C) and (R, C, C) to (B, R)."""
    with torch.autocast(ours.device.type, enabled=False):  # differences of large sums: bf16 would drown them
        ours, targets = ours.flatten(1), targets.flatten(1)
        sizes = targets.square().sum(dim=1)  # (R,)
        return (ours.square().sum(dim=1)[:, None] + sizes - 2 * ours @ targets.T) / sizes


def distinction(own: Tensor, rivals: Tensor, same: Tensor, spread: float) -> Tensor:
    """(B,): how unlikely a picture's painting is among rivals, 0 where no rival comes near.

    Cross entropy of a softmax over minus the distances, as InfoNCE (van den Oord et al. 2018) has it.
    ``own`` (B,): distance to its painting; ``rivals`` (B, R): to others, without those that are the ``same`` (B, R).
    ``spread``: distance that makes one e times as likely as another.
    """
    distances = torch.cat((own[:, None], rivals.masked_fill(same, torch.inf)), dim=1)
    return -F.log_softmax(-distances / spread, dim=1)[:, 0]


def style_loss(ours: dict[str, Tensor], targets: dict[str, TextureStatistics]) -> tuple[Tensor, Tensor]:
    """Gram distance and texture distance, each summed over the layers, mean over the batch."""
    gram = texture = torch.zeros(())
    for layer in STYLE_LAYERS:
        statistics = TextureStatistics.of(ours[layer])
        gram = gram + relative_distance(statistics.gram, targets[layer].gram).mean()
        texture = texture + relative_distance(statistics.correlation, targets[layer].correlation).mean()
    return gram, texture


def moments_distance(ours: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
    """(B,): squared differences of means and deviations, (B, C) each, over the target's squares.

    The style loss of AdaIN (Huang & Belongie 2017, equation 13), made relative.
    """
    difference = sum(((a - b).square().sum(dim=1) for a, b in zip(ours, target, strict=True)), torch.zeros(()))
    return difference / sum((b.square().sum(dim=1) for b in target), torch.zeros(()))


def feature_distance(ours: Tensor, target: Tensor) -> Tensor:
    """(B,): squared difference of features, (B, C, h, w) each, over the target's squares."""
    return (ours - target).square().sum(dim=(1, 2, 3)) / target.square().sum(dim=(1, 2, 3))


def instance_normalized(features: Tensor) -> Tensor:
    """(B, C, H, W) with zero mean and unit deviation for every picture and channel."""
    features = features.float()
    variance, mean = torch.var_mean(features, dim=(2, 3), keepdim=True, correction=0)
    return (features - mean) * torch.rsqrt(variance + 1e-3)


def content_loss(ours: Tensor, photograph: Tensor) -> Tensor:
    """Half the mean squared difference of instance-normalised features: 0 the same, 1 unrelated."""
    return (instance_normalized(ours) - instance_normalized(photograph)).square().mean() / 2


def edge_loss(ours: Tensor, photograph: Tensor) -> Tensor:
    """(B,): one less `evaluation.metrics.edge_ssim`; 0 where outlines are the photograph's.

    (B, 3, H, W) in [0, 1] each.

    VGG-19's relu4_1, of which the content loss is made, sees in steps of 8 pixels: whether a stroke lies along an
    outline or over it, it does not know.
    """
    with torch.autocast(ours.device.type, enabled=False):  # in bf16 a hazy photograph has the rounding's outlines
        ours, photograph = (
            # a little more than nothing: at nothing the slope of a root is infinite
            (metrics.gradients(pictures.float()).square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
            for pictures in (ours, photograph)
        )
        return 1 - metrics.edge_ssim(ours, photograph)


def palette_distance(ours: Tensor, painting: Tensor) -> Tensor:
    """(B,): squared differences of the means and deviations of red, green and blue. (B, 3, H, W) in [0, 1] each."""
    one, mean_one = torch.var_mean(ours, dim=(2, 3), correction=0)
    two, mean_two = torch.var_mean(painting, dim=(2, 3), correction=0)
    deviations = (one + 1e-4).sqrt() - (two + 1e-4).sqrt()
    return (mean_one - mean_two).square().sum(dim=1) + deviations.square().sum(dim=1)


def reconstruction_distance(ours: Tensor, photograph: Tensor) -> Tensor:
    """(B,): mean squared error over the photograph's variance. (B, 3, H, W) in [0, 1] each."""
    variance = photograph.var(dim=(2, 3), correction=0).mean(dim=1).clamp_min(1e-3)
    return (ours - photograph).square().mean(dim=(1, 2, 3)) / variance


def total_variation(pictures: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels; RGB in [0, 1]."""
    dx = pictures[..., :, 1:] - pictures[..., :, :-1]
    dy = pictures[..., 1:, :] - pictures[..., :-1, :]
    return dx.square().mean() + dy.square().mean()


def consistency_loss(moved_painting: Tensor, painting_of_moved: Tensor, mask: Tensor) -> Tensor:
    """Squared difference over the painting's own variance, where ``mask`` (B, 1, H, W) is 1.

    Relative to contrast, so that a network cannot win by painting flat grey.
    """
    difference = ((moved_painting - painting_of_moved).square() * mask).sum(dim=(1, 2, 3))
    pixels = (mask.sum(dim=(1, 2, 3)) * moved_painting.shape[1]).clamp_min(1.0)
    variance = moved_painting.detach().var(dim=(2, 3), correction=0).mean(dim=1).clamp_min(1e-4)
    return (difference / pixels / variance).mean()


def lattice_loss(painted_ramps: Tensor) -> Tensor:
    """(B,): power of the waves of the networks' own period that stand out, in units of a barely visible one's.

    ``painted_ramps`` (B, 3, S, S) as `evaluation.lattice.spectral_peaks` wants them: what a network made of
    flat pictures and ramps, in which nothing repeats. Strokes, which have power at all periods, are free.
    """
    peaks, around = spectral_peaks(painted_ramps)
    return ((peaks - 3 * around.detach()).clamp_min(0) / VISIBLE).square().sum(dim=1)
