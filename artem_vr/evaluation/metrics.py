"""Measures of a painted picture: style, content, edges, steadiness. Pure functions of tensors.

Pictures are (B, 3, H, W) fp32, RGB in [0, 1]; features (B, C, h, w) are those of
`artem_vr.networks.vgg.VGG19`. Every measure of a batch is (B,) fp32, a number a picture. No measure stands
alone: a flat grey picture is perfectly steady, the unchanged photograph keeps all content,
a blend of photograph and painting fools both retrievals. Means over pictures are geometric
(`geometric_mean`): one bright photograph rules a plain mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of R, G, B in luma (ITU-R BT.601)."""

EDGE_BLUR = 1.5
"""Deviation, in pixels, of the blur before edges are taken: brush strokes are finer than things."""

_NORMALISING = 1e-5
"""Added to variances, in units of their mean over the channels: a channel that never fires stays 0."""


# --- style: Gram matrices ---------------------------------------------------------------------


@dataclass(frozen=True)
class StyleStatistics:
    """What `style_distance` and `tex_distance` compare of one layer.

    ``gram`` (B, C, C): F F^T / pixels (Gatys et al. 2016). ``correlation`` (B, C, C): the same of features
    whose channels are first made zero-mean and unit-deviation.
    """

    gram: Tensor
    correlation: Tensor


def style_statistics(features: Mapping[str, Tensor]) -> dict[str, StyleStatistics]:
    """Gram matrix and channel correlations of each layer; fp32 whatever the features are."""
    return {name: _statistics(feature) for name, feature in features.items()}


def _statistics(feature: Tensor) -> StyleStatistics:
    batch, channels, height, width = feature.shape
    flat = feature.permute(0, 2, 3, 1).reshape(batch, height * width, channels).float()
    mean = flat.mean(dim=1)  # (B, C)
    gram = flat.transpose(1, 2) @ flat / (height * width)
    covariance = gram - mean[:, :, None] * mean[:, None, :]
    variance = covariance.diagonal(dim1=1, dim2=2).clamp_min(0)  # (B, C)
    scale = torch.rsqrt(variance + _floor(variance.mean(dim=1, keepdim=True)))
    return StyleStatistics(gram, covariance * scale[:, :, None] * scale[:, None, :])


def gram(feature: Tensor) -> Tensor:
    """(B, C, C): F F^T / pixels."""
    return _statistics(feature).gram


def style_distance(output: Mapping[str, StyleStatistics], style: Mapping[str, StyleStatistics]) -> Tensor:
    """Sum over the layers of |G(out) - G(style)|^2 / |G(style)|^2. 0: the same strokes and palette."""
    return _sum(_relative(output[name].gram, style[name].gram) for name in style)


def tex_distance(output: Mapping[str, StyleStatistics], style: Mapping[str, StyleStatistics]) -> Tensor:
    """`style_distance` of channel correlations: blind to palette and contrast, sees strokes."""
    return _sum(_relative(output[name].correlation, style[name].correlation) for name in style)


def gram_trace(statistics: Mapping[str, StyleStatistics]) -> Tensor:
    """Mean over the layers of the trace of the Gram matrix over channels.

    The smaller it is, the less steady networks of this style tend to be (Gupta et al. 2017).
    Depends on the scale of the weights: compare only under one file of VGG-19 weights.
    """
    traces = [s.gram.diagonal(dim1=1, dim2=2).mean(dim=1) for s in statistics.values()]
    return torch.stack(traces).mean(dim=0)


def nearest(distances: Tensor) -> Tensor:
    """(B, candidates) distances -> (B,) index of the nearest: what the retrievals compare with the truth."""
    return distances.argmin(dim=1)


def _relative(output: Tensor, style: Tensor) -> Tensor:
    return (output - style).square().sum(dim=(1, 2)) / style.square().sum(dim=(1, 2)).clamp_min(1e-30)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum(dim=0)


def _floor(mean_variance: Tensor) -> Tensor:
    return _NORMALISING * mean_variance + 1e-12


# --- content -------------------------------------------------------------------------------------


def instance_normalized(feature: Tensor) -> Tensor:
    """(B, C, h, w) fp32 with each channel of each picture zero-mean and unit-deviation."""
    feature = feature.float()
    variance, mean = torch.var_mean(feature, dim=(2, 3), keepdim=True, correction=0)
    return (feature - mean) * torch.rsqrt(variance + _floor(variance.mean(dim=1, keepdim=True)))


def content_distance(output: Tensor, photograph: Tensor, other: Tensor) -> Tensor:
    """Squared distance of the output's features to the photograph's, over that of another photograph's to them.

    All three are relu4_1 after `instance_normalized`, of one size. 0: the same, 1: unrelated.
    """
    distance = (output - photograph).square().sum(dim=(1, 2, 3))
    unrelated = (other - photograph).square().sum(dim=(1, 2, 3))
    return distance / unrelated.clamp_min(1e-30)


def content_distances(outputs: Tensor, photographs: Tensor) -> Tensor:
    """(B, D) and (N, D) flattened features after `instance_normalized` -> (B, N) squared distances."""
    squares = photographs.square().sum(dim=1)[None] + outputs.square().sum(dim=1)[:, None]
    return squares - 2 * outputs @ photographs.T


# --- edges ---------------------------------------------------------------------------------------


def luminance(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W), BT.601 luma of the coded values."""
    weights = pictures.new_tensor(LUMINANCE)[None, :, None, None]
    return (pictures * weights).sum(dim=1, keepdim=True)


def gaussian_blur(pictures: Tensor, deviation: float) -> Tensor:
    """(B, C, H, W) blurred; the border is repeated outwards."""
    radius = max(1, round(3 * deviation))
    offsets = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-offsets.square() / (2 * deviation * deviation))
    kernel = kernel / kernel.sum()
    batch, channels, height, width = pictures.shape
    x = F.pad(pictures.reshape(batch * channels, 1, height, width), (radius,) * 4, mode="replicate")
    x = F.conv2d(F.conv2d(x, kernel[None, None, None, :]), kernel[None, None, :, None])
    return x.reshape(batch, channels, height, width)


def gradients(pictures: Tensor, blur: float = EDGE_BLUR) -> Tensor:
    """(B, 2, H, W): Sobel gradient of blurred luminance, per pixel of distance, along x and along y."""
    x = F.pad(gaussian_blur(luminance(pictures), blur), (1,) * 4, mode="replicate")
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=x.device) / 8
    return F.conv2d(x, torch.stack((sobel, sobel.T))[:, None])


def edges(pictures: Tensor, blur: float = EDGE_BLUR) -> Tensor:
    """(B, 1, H, W): magnitude of `gradients`."""
    return gradients(pictures, blur).square().sum(dim=1, keepdim=True).sqrt()


def edge_correlation(output_edges: Tensor, photograph_edges: Tensor) -> Tensor:
    """Pearson's correlation of two pictures of `edges`; 0 where one of them has none."""
    a, b = (e.flatten(1) - e.flatten(1).mean(dim=1, keepdim=True) for e in (output_edges, photograph_edges))
    return (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1)).clamp_min(1e-12)


def edge_ssim(output_edges: Tensor, photograph_edges: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004) of two pictures of `edges`, each over its own root mean square.

    The scaling makes it blind to contrast, which a painter may choose. Window: Gaussian, deviation 1.5;
    the range of values is taken as 4, which few edges exceed.
    """
    a, b = (e / e.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6) for e in
            (output_edges, photograph_edges))  # fmt: skip
    return ssim(a, b, value_range=4.0)


def ssim(a: Tensor, b: Tensor, value_range: float = 1.0) -> Tensor:
    """Mean structural similarity (Wang et al. 2004) of (B, C, H, W) pictures: 1 for equal ones."""
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    mean_a, mean_b = gaussian_blur(a, 1.5), gaussian_blur(b, 1.5)
    variance_a = gaussian_blur(a * a, 1.5) - mean_a * mean_a
    variance_b = gaussian_blur(b * b, 1.5) - mean_b * mean_b
    covariance = gaussian_blur(a * b, 1.5) - mean_a * mean_b
    value = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a.square() + mean_b.square() + c1) * (variance_a + variance_b + c2)
    )
    return value.mean(dim=(1, 2, 3))


# --- steadiness ----------------------------------------------------------------------------------


def contrast(pictures: Tensor) -> Tensor:
    """Deviation of luminance over the picture."""
    return luminance(pictures).flatten(1).std(dim=1, correction=0)


def change(now: Tensor, expected: Tensor, mask: Tensor | None = None) -> Tensor:
    """Root mean square difference over colours and the pixels where ``mask`` (B, 1, H, W) is not 0.

    e_stab where ``expected`` is the previous picture warped by the known motion (Lai et al. 2018), the
    stereo error where it is the other eye's warped by the true disparity, noise where it is the
    same still scene a moment before. NaN where no pixel is valid.
    """
    square = (now - expected).square().mean(dim=1, keepdim=True)
    if mask is None:
        return square.mean(dim=(1, 2, 3)).sqrt()
    weight = mask.to(square.dtype)
    return ((square * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))).sqrt()


def gain(output_change: Tensor, output_contrast: Tensor, input_change: Tensor, input_contrast: Tensor) -> Tensor:
    """Change over contrast of the output, over the same of the input: 1 is as steady as the input.

    An output without contrast has nothing to flicker and nothing to see: 0. NaN where the input has no contrast, or
    does not change: any number of times nothing is no measure.
    """
    output = output_change / output_contrast.clamp_min(1e-3)
    own = input_change / input_contrast.clamp_min(1e-3)
    return torch.where((input_contrast < 1e-3) | (own < 1e-6), torch.nan, output / own)


# --- stereo, as a matcher sees it ----------------------------------------------------------------------


def bad1(found: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Share of the pixels of ``mask`` where ``found`` disparity is off by more than a pixel, or missing.

    (B, H, W) each, in pixels; missing matches are NaN or negative. NaN where the mask is empty.
    """
    wrong = ~((found - true).abs() <= 1.0) | (found < 0)
    return (wrong & mask).flatten(1).sum(dim=1) / mask.flatten(1).sum(dim=1)


def disparity_drift(found: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Median distance in pixels between ``found`` and ``true`` disparity, over the matched pixels of ``mask``.

    How far things move in depth when painted. (B, H, W) each; NaN for a picture without a match.
    """
    matched = mask & torch.isfinite(found) & (found >= 0)
    drifts = [(f - t).abs()[m] for f, t, m in zip(found, true, matched, strict=True)]
    return torch.stack([d.median() if len(d) else d.new_tensor(float("nan")) for d in drifts])


# --- means ---------------------------------------------------------------------------------------


def geometric_mean(values: Tensor) -> float:
    """Of values that are not negative; 0 if one of them is, NaN where there are none (NaN are left out)."""
    values = values.double()[torch.isfinite(values)]
    return float(values.log().mean().exp()) if len(values) else float("nan")


def plain_mean(values: Tensor) -> float:
    """Plain mean, for shares and correlations, which can be 0 or negative; NaN are left out."""
    values = values.double()[torch.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")
