"""The article's network for any painting: VGG-19, adaptive instance normalisation, a mirror decoder.

    photograph --VGG-19--> relu4_1 (or relu3_1) --AdaIN with a painting's code--> decoder --> painted

Huang & Belongie 2017 ("Arbitrary style transfer in real-time with adaptive instance normalization").
VGG-19 is needed at run time too, once a picture; a file of ours holds the decoder only.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from artem_vr.networks.layers import Given, InstanceNorm, Normalizer, pad_to_multiple
from artem_vr.networks.vgg import CONVOLUTIONS, VGG19

FEATURE_SCALE = 100.0
"""Root mean square that features of photographs are brought to, whichever VGG-19 they are from.

So large that the EPSILON of `networks.layers` vanishes beside the variances, and still so small that a flat
picture's rounding errors do not become strokes.
"""

MARGIN = 4
"""Features beyond the border that are seen with it: as far as one of them sees."""

LEAST_SIDE = 16
"""Pixels: the decoder mirrors two features at a border, which smaller pictures do not have."""


def moments(x: Tensor, epsilon: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Means and deviations of features, (B, C, H, W) to (B, C) each, at least fp32.

    ``epsilon`` is added to variances: a constant channel has a deviation that can be divided by and derived.
    """
    x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    variance, mean = torch.var_mean(x, dim=(2, 3), correction=0)
    return mean, (variance + epsilon).sqrt()


def adain(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """AdaIN(x, y) = sigma(y) (x - mu(x)) / sigma(x) + mu(y) (Huang & Belongie 2017, equation 8).

    ``x`` (B, C, H, W); ``mean`` and ``deviation`` of y, (C,) or (B, C). A constant channel becomes its mean.
    The definition: `AdaINNetwork` does the same through a `Normalizer`, and a test holds both equal.
    """
    own_mean, own_deviation = (m[:, :, None, None] for m in moments(x))
    mean, deviation = (m.expand(x.shape[:2])[:, :, None, None] for m in (mean, deviation))
    return (x - own_mean) / own_deviation * deviation + mean


class AdaIN(InstanceNorm):
    """The place of AdaIN in a network: deviations and means come with the code, there are none to learn.

    Statistics are a `Normalizer`'s: each picture's own, or both eyes' together, smoothed over time.
    """

    def __init__(self, channels: int) -> None:
        nn.Module.__init__(self)  # without the learned weights of an InstanceNorm
        self.channels = channels

    def affine(self, given: Given | None, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """The code as it is: one norm magnifies no rounding errors worth the name. Raises ValueError without one."""
        if given is None:
            raise ValueError("AdaIN needs a code")
        return given.deviation, given.mean


class AdaINDecoder(nn.Module):
    """Features (B, C, h, w) of a root mean square of about `FEATURE_SCALE` to RGB, not bounded.

    VGG-19 up to relu4_1 or relu3_1, mirrored: pooling becomes nearest-neighbour upsampling, borders
    are reflected, and nothing is normalised, since that would undo AdaIN. 3.51 or 0.56 million parameters.
    """

    architecture = "adain"

    scale: Tensor
    encoder: Tensor

    def __init__(self, depth: int = 4) -> None:
        """``depth``: 4 for relu4_1, 3 for relu3_1."""
        super().__init__()
        self.options = {"depth": depth}
        self.layer = f"relu{depth}_1"
        self.multiple = 2 ** (depth - 1)
        self.register_buffer("scale", torch.full((1,), FEATURE_SCALE))  # of the encoder's own features
        self.register_buffer("encoder", torch.zeros(1, dtype=torch.int64))  # `vgg_sum` of the encoder; 0: any
        names = list(CONVOLUTIONS)
        self._names = names[: names.index(f"conv{depth}_1") + 1][::-1]
        self.channels = CONVOLUTIONS[self._names[0]][1]
        for name in self._names:
            outputs, inputs = CONVOLUTIONS[name]
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            self.add_module(name, convolution)
        nn.init.normal_(convolution.weight, std=0.01)  # begins with grey
        nn.init.constant_(convolution.bias, 0.5)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = x / FEATURE_SCALE
        for name in self._names[:-1]:
            x = F.relu(self.get_submodule(name)(x))
            if name.endswith("_1"):  # where VGG-19 has a max-pool
                x = F.interpolate(x, scale_factor=2.0)  # nearest
        return self.get_submodule("conv1_1")(x)  # (B, 3, H, W)


class AdaINNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), to the same, painted as the `Normalizer`'s code says. Any size."""

    def __init__(self, vgg: VGG19, decoder: AdaINDecoder, alpha: float = 1.0) -> None:
        """``alpha`` in [0, 1]: the content-style trade-off; 0 decodes the photograph's own features.

        Raises ValueError if ``decoder`` was trained with another VGG-19.
        """
        super().__init__()
        self.vgg, self.decoder, self.alpha = vgg.up_to(decoder.layer), decoder, alpha
        if int(decoder.encoder) not in (0, vgg_sum(self.vgg)):
            raise ValueError("the decoder was trained with other weights of VGG-19")
        self.multiple = decoder.multiple
        self.norm = AdaIN(decoder.channels)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, h, w) fp32, of a root mean square of about `FEATURE_SCALE`."""
        return self.scaled(self.vgg(pictures, (self.decoder.layer,))[self.decoder.layer])

    def unframed(self, pictures: Tensor) -> Tensor:
        """`features` of pictures that go on beyond their borders, mirrored.

        VGG-19 alone takes what is there for the mean colour, and a decoder would paint a frame of that.
        """
        margin = MARGIN * self.multiple
        how = "reflect" if min(pictures.shape[-2:]) > margin else "replicate"
        wide = self.features(F.pad(pictures, (margin,) * 4, mode=how))
        return wide[..., MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()

    def scaled(self, features: Tensor) -> Tensor:
        """VGG-19's own features, of its own dtype, as `features` gives them."""
        return features.float() * (FEATURE_SCALE / self.decoder.scale)

    def encode(self, paintings: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] to codes (B, 2, C), deviations and means (see `layers.Affine`)."""
        mean, deviation = moments(self.features(paintings))
        return torch.stack((deviation, mean), dim=1)

    def forward(self, x: Tensor, normalize: Normalizer) -> Tensor:
        height, width = x.shape[-2:]
        least = LEAST_SIDE if min(height, width) < LEAST_SIDE else self.multiple
        features = self.unframed(pad_to_multiple(x, least))
        mixed = torch.lerp(features, normalize(self.norm, features), self.alpha)
        return self.decoder(mixed)[..., :height, :width].clamp(0, 1)


def feature_scale(vgg: VGG19, layer: str, photographs: Tensor) -> Tensor:
    """(1,): root mean square of ``vgg``'s features of ``photographs`` after ``layer``; for `AdaINDecoder.scale`."""
    return vgg(photographs, (layer,))[layer].float().square().mean().sqrt()[None]


def vgg_sum(vgg: VGG19) -> int:
    """64 bits that tell apart the weights of encoders, whether they are kept in fp32 or in bf16."""
    digest = hashlib.sha256()
    for _, tensor in sorted(vgg.state_dict().items()):
        digest.update(tensor.to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return int.from_bytes(digest.digest()[:8], "little", signed=True)
