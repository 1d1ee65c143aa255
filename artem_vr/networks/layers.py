"""Building blocks that every style network here shares.

All tensors are NCHW. A network's pictures are RGB in [0, 1]; features have no fixed range.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-2
"""Added to variances before the square root.

Large on purpose: it bounds what a norm amplifies (10 times), so that a flat picture, whose features
differ by rounding alone, stays flat, and a dark room's sensor noise does not become strokes.
"""


ROUNDING = 1e-5
"""Variance over squared mean that bf16's rounding makes of a flat channel: 2^-9, squared, and some more."""


class Given(NamedTuple):
    """What a norm gives in the place of its learned weights: its part of a style code, (C,) or (B, C) each."""

    deviation: Tensor
    mean: Tensor
    beyond: Tensor | None = None
    """How far the mean of the feature that is normalised lies beyond what is seen of it (see `Feature`)."""


class InstanceNorm(nn.Module):
    """Scale and shift of a normalised feature; *which* statistics normalise it is the caller's.

    Holds the learned affine part only (Ulyanov et al. 2017). The networks never call it directly
    but through a `Normalizer`, so that one network serves training (each picture its own
    statistics), the stylizer (both eyes share them, smoothed over time) and consistency
    losses (a moved picture reuses those of the unmoved one).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, mean: Tensor, variance: Tensor, given: Given | None = None) -> Tensor:
        """``x`` (B, C, H, W); ``mean`` and ``variance`` (C,) for the batch or (B, C) a picture."""
        weight, bias = self.affine(given, mean, variance)
        if mean.dim() == weight.dim() == 1 and not torch.is_grad_enabled():  # the fast kernel of every back end
            return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, EPSILON)
        scale = weight * torch.rsqrt(variance + EPSILON)
        shift = bias - mean * scale
        if scale.dim() == 1:
            scale, shift = scale[None], shift[None]
        scale, shift = scale[:, :, None, None], shift[:, :, None, None]
        return torch.addcmul(shift, x.to(shift.dtype), scale).to(x.dtype)  # in bf16 the mean would not be taken away

    def affine(self, given: Given | None, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Deviations and means to give features with these statistics: a code's, or the learned ones."""
        if given is None:
            return self.weight, self.bias
        if given.beyond is not None:
            mean = mean + given.beyond
        return given.deviation * liveliness(mean, variance), given.mean


def liveliness(mean: Tensor, variance: Tensor) -> Tensor:
    """0 for a channel that is flat but for rounding, 1 for one that shows something; (C,) or (B, C).

    Codes have large deviations: each norm takes back what the one before magnified, so that training lets them
    grow. EPSILON then bounds nothing, and the rounding errors of a flat picture (black film, an empty desktop),
    magnified norm after norm, would become a pattern.
    """
    variance = variance.clamp_min(0)
    return variance / torch.addcmul(variance + ROUNDING, mean, mean, value=ROUNDING)


class Affine:
    """Hands each norm of one pass, in order, its part of a style code; None where there is no code.

    A code holds what adaptive instance normalisation (Huang & Belongie 2017) applies, for all norms:
    (2, C), deviations then means, or (B, 2, C), one for each picture; C is `statistics_channels`.
    """

    def __init__(self, code: Tensor | None = None) -> None:
        self._code, self._position = code, 0

    def __call__(self, norm: InstanceNorm) -> Given | None:
        if self._code is None:
            return None
        here = self._code[..., self._position : self._position + norm.channels]
        self._position += norm.channels
        return Given(here[..., 0, :], here[..., 1, :])


class Normalizer(Protocol):
    """Chooses the statistics of each norm of one pass through a network, in order."""

    def code(self, norm: InstanceNorm) -> Given | None:
        """The next norm's part of the style code; None where there is no code."""
        ...

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        """``x`` normalised; ``given``, made of what `code` said, in the place of that."""
        ...


class OwnStatistics:
    """Every picture is normalised by its own mean and variance.

    They are kept in ``recorded``, without gradients: (B, C) fp32 each, one pair a norm.
    ``code``: see `Affine`.
    """

    def __init__(self, code: Tensor | None = None) -> None:
        self.recorded: list[tuple[Tensor, Tensor]] = []
        self.code = Affine(code)

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        batch, channels, height, width = x.shape
        given = given or self.code(norm)
        wide = _at_least_fp32(x)
        if given is None:
            weight, bias = norm.weight.to(wide), norm.bias.to(wide)
        else:
            weight, bias = x.new_ones(channels, dtype=wide), x.new_zeros(channels, dtype=wide)
        # A group a channel: one fused kernel, whose statistics have the type of the weights. On a GPU it takes one
        # type and planes only, and cuDNN may give it NHWC.
        y, mean, deviation = torch.native_group_norm(
            x.to(wide).contiguous() if x.is_cuda else x,
            weight, bias, batch, channels, height * width, channels, EPSILON,
        )  # fmt: skip
        y = y.to(x.dtype)
        mean, deviation = mean.detach(), deviation.detach()  # (B, C), (B, C) reciprocal
        self.recorded.append((mean, deviation.pow(-2) - EPSILON))
        if given is None:
            return y
        scale, shift = (v.expand(batch, channels) for v in norm.affine(given, *self.recorded[-1]))
        return torch.addcmul(shift.to(x.dtype)[:, :, None, None], y, scale.to(x.dtype)[:, :, None, None])


class GivenStatistics:
    """Replays recorded statistics: the network becomes a plain local one. ``code``: see `Affine`."""

    def __init__(self, recorded: Iterable[tuple[Tensor, Tensor]], code: Tensor | None = None) -> None:
        self._next = iter(recorded)
        self.code = Affine(code)

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        return norm(x, *next(self._next), given or self.code(norm))


class SmoothedStatistics:
    """One set of statistics for the whole batch (both eyes), smoothed from frame to frame.

    ``state`` is (2, channels of all norms) fp32: running means, running variances. ``rate`` is a
    tensor of one element in [0, 1]: how far the state moves towards this frame's statistics
    (1 resets it, as at a cut). Only tensor operations: the same graph runs in every engine.
    After the pass `new_state` is the state for the next frame. ``code``: see `Affine`.
    """

    def __init__(self, state: Tensor, rate: Tensor, code: Tensor | None = None) -> None:
        self._state, self._rate = state, rate
        self.code = Affine(code)
        self._position = 0
        self._updated: list[Tensor] = []

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        old = self._state[:, self._position : self._position + norm.channels]
        self._position += norm.channels
        now = torch.stack(batch_statistics(x))
        blended = (1 - self._rate) * old + self._rate * now  # exact at rates 0 and 1
        self._updated.append(blended)
        return norm(x, blended[0], blended[1], given or self.code(norm))

    def new_state(self) -> Tensor:
        return torch.cat(self._updated, dim=1)


class Feature(NamedTuple):
    """A feature that is kept near zero: it stands for ``seen + beyond``.

    Codes give means a hundred times their deviations; of such numbers bf16, which has eight bits, keeps
    next to nothing. But a constant passes a convolution with a replicated border as a constant, and the norm behind it
    takes it away. So what is the same everywhere is left out, and carried beside: in fp32 nothing changes.
    """

    seen: Tensor
    """(B, C, H, W)."""
    beyond: Tensor | None = None
    """(C,) or (B, C) fp32; None: nothing is left out."""


def convolved(convolution: nn.Module, x: Feature) -> Feature:
    """``x`` through a convolution, with replicated borders or upsampled, of one of the kinds of `constant_gain`."""
    return Feature(convolution(x.seen), through(convolution, x.beyond))


def rectified(normalize: Normalizer, norm: InstanceNorm, x: Feature, shortcut: Feature | None = None) -> Feature:
    """The positive part of ``x`` normalised, plus a ``shortcut``. Positive means of the code are left out."""
    given = normalize.code(norm)
    if given is None:
        y = normalize(norm, x.seen)
        return Feature(F.relu(y if shortcut is None else y + shortcut.seen))
    mean = given.mean
    if shortcut is not None and shortcut.beyond is not None:
        mean = mean + shortcut.beyond
    left_out = mean.clamp_min(0)
    y = normalize(norm, x.seen, Given(given.deviation, mean - left_out, x.beyond))
    y = y if shortcut is None else y + shortcut.seen
    return Feature(torch.maximum(y, _over_pixels(-left_out, y)), left_out)


def with_residual(normalize: Normalizer, norm: InstanceNorm, x: Feature, residual: Feature) -> Feature:
    """``x`` plus ``residual`` normalised. Means of the code are left out."""
    given = normalize.code(norm)
    if given is None:
        return Feature(x.seen + normalize(norm, residual.seen))
    nothing = torch.zeros_like(given.mean)
    y = normalize(norm, residual.seen, Given(given.deviation, nothing, residual.beyond))
    return Feature(x.seen + y, given.mean if x.beyond is None else x.beyond + given.mean)


def normalized(normalize: Normalizer, norm: InstanceNorm, x: Feature) -> Tensor:
    """``x`` normalised, and nothing left out: before what is not a convolution and a norm."""
    given = normalize.code(norm)
    return normalize(norm, x.seen, None if given is None else given._replace(beyond=x.beyond))


def _over_pixels(values: Tensor, like: Tensor) -> Tensor:
    """(C,) or (B, C) as the dtype of ``like``, (B, C, H, W), and so that it can be added to that."""
    values = values[None] if values.dim() == 1 else values  # of as many dimensions: else OpenVINO changes the layout
    return values.to(like.dtype)[:, :, None, None]


def through(convolution: nn.Module, constant: Tensor | None) -> Tensor | None:
    """What a convolution makes of a picture that is ``constant``, (C,) or (B, C), everywhere, without its bias."""
    if constant is None:
        return None
    gain = constant_gain(convolution)
    if not torch.is_autocast_enabled(constant.device.type):
        return _product(constant.to(gain.dtype), gain)
    with torch.autocast(constant.device.type, enabled=False):
        return _product(constant.to(gain.dtype), gain)


def _product(constant: Tensor, gain: Tensor) -> Tensor:
    """``constant`` (C,) or (B, C) times ``gain`` (outputs, C), transposed.

    Not by a product of matrices: CUDA's library would give that a memory which captured graphs share, and one that ends
    frees it under the others (pytorch#193402).
    """
    return (constant[..., None, :] * gain).sum(-1)


def constant_gain(convolution: nn.Module) -> Tensor:
    """(outputs, inputs), fp32 or more: the sum of each kernel. `keep_gain` has it computed once."""
    kept: Tensor | None = getattr(convolution, "kept_gain", None)
    if kept is not None:
        return kept
    weight: Tensor = convolution.weight  # type: ignore[assignment]
    return weight.to(_at_least_fp32(weight)).sum((2, 3))


def _at_least_fp32(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def keep_gain(convolution: nn.Module, gain: Tensor | None = None) -> None:
    """For inference: `constant_gain` (or ``gain``) is computed now and kept, in fp32 whatever the weights are."""
    gain = constant_gain(convolution) if gain is None else gain
    convolution.register_buffer("kept_gain", gain.detach().float(), persistent=False)


def batch_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the whole batch: (C,) and (C,), fp32."""
    if x.device.type == "cpu" and not torch.jit.is_tracing():
        # 20 times faster than var_mean on channels-last bf16; traced graphs need plain operators. In the type of the
        # running statistics that it is given: without any, in that of x, and bf16's eight bits are too few.
        like = torch.zeros(2, x.shape[1], device=x.device)
        mean, variance = torch.batch_norm_update_stats(x, like[0], like[1], 0.0)
        return mean, variance
    variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
    return mean, variance


def statistics_channels(network: nn.Module) -> int:
    """Total channels of a network's norms: the width of its smoothed state."""
    return sum(m.channels for m in network.modules() if isinstance(m, InstanceNorm))


def own_code(network: nn.Module) -> Tensor:
    """(2, C): the deviations and means that the norms of ``network`` have learned, as a style code."""
    norms = [m for m in network.modules() if isinstance(m, InstanceNorm)]
    return torch.stack((torch.cat([n.weight for n in norms]), torch.cat([n.bias for n in norms])))


def bilinear_fold(kernel_size: int) -> Tensor:
    """The linear map that folds "bilinear x2, then a KxK convolution" into one convolution.

    Returns ``(2, taps, K)``: for each of the two output phases, how much each tap of the
    low-resolution kernel receives from each tap of the full-resolution one. ``taps`` is
    ``2 * fold_radius(K) + 1``. Derivation: the full-resolution sample at 2i + p + d lies at
    low-resolution coordinate (2i + p + d + 0.5) / 2 - 0.5 and is a blend of its two neighbours.
    """
    radius = fold_radius(kernel_size)
    fold = torch.zeros(2, 2 * radius + 1, kernel_size)
    for phase in range(2):
        for tap in range(kernel_size):
            offset = phase + tap - kernel_size // 2  # position at full resolution
            low = (offset + 0.5) / 2 - 0.5
            left = int(low // 1)
            fraction = low - left
            fold[phase, left + radius, tap] += 1 - fraction
            fold[phase, left + 1 + radius, tap] += fraction
    return fold


def fold_radius(kernel_size: int) -> int:
    """Reach, in low-resolution pixels, of a folded KxK kernel."""
    return (kernel_size // 2 + 2) // 2


class UpsampleConv(nn.Module):
    """Bilinear upsampling by 2 followed by a KxK convolution, run at the lower resolution.

    The two linear steps are folded into one convolution that yields the 2x2 output phases as
    channels, followed by a pixel shuffle. Because all phases come from one smooth kernel, flat
    and ramp inputs stay flat and ramps: no lattice, unlike a free shuffle head. ``unfolded``
    is the same map written plainly; a test holds both equal, borders included.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int) -> None:
        super().__init__()
        self.outputs, self.kernel_size = outputs, kernel_size
        self.radius = fold_radius(kernel_size)
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.register_buffer("fold", bilinear_fold(kernel_size), persistent=False)

    def folded_weight(self) -> Tensor:
        """(4 * outputs, inputs, taps, taps), phases ordered as ``pixel_shuffle`` wants them."""
        fold: Tensor = self.fold  # type: ignore[assignment]
        w = torch.einsum("pyk,qxl,oikl->opqiyx", fold, fold, self.weight)
        return w.reshape(4 * self.outputs, w.shape[3], w.shape[4], w.shape[5])

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
        x = F.pad(x, (self.radius,) * 4, mode="replicate")
        bias = self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, self.folded_weight(), bias), 2)

    def unfolded(self, x: Tensor) -> Tensor:
        """The definition that ``forward`` must equal."""
        x = F.pad(x, (self.radius,) * 4, mode="replicate")
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        crop = 2 * self.radius - self.kernel_size // 2
        x = x[:, :, crop:-crop, crop:-crop] if crop else x
        return F.conv2d(x, self.weight, self.bias)


def conv(inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (over the stride) and invents nothing at the border."""
    padding = kernel_size // 2
    return nn.Conv2d(inputs, outputs, kernel_size, stride, padding, padding_mode="replicate")


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """(B, C, H, W) grown at the right and bottom edge, by repetition, to whole multiples."""
    height, width = x.shape[-2:]
    right, bottom = -width % multiple, -height % multiple
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x
