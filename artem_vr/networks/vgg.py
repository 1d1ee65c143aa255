"""VGG-19 up to relu4_1: the eye through which training and evaluation look at pictures.

Simonyan & Zisserman 2015 ("Very deep convolutional networks for large-scale image recognition").
Files of weights come in two conventions of input; both are converted to ours before they get
here (`artem_vr.training.vgg_weights`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONVOLUTIONS: dict[str, tuple[int, int]] = {
    "conv1_1": (3, 64),
    "conv1_2": (64, 64),
    "conv2_1": (64, 128),
    "conv2_2": (128, 128),
    "conv3_1": (128, 256),
    "conv3_2": (256, 256),
    "conv3_3": (256, 256),
    "conv3_4": (256, 256),
    "conv4_1": (256, 512),
}
"""(inputs, outputs) of each 3x3 convolution, in order; a 2x2 max-pool stands before every ``*_1`` but the first."""

LAYERS = tuple(name.replace("conv", "relu") for name in CONVOLUTIONS)
"""The features that can be asked for."""

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class VGG19(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), to features. Frozen: no parameter takes a gradient, pictures do.

    ``mean`` (3,) is subtracted *before* the zero padding, so that the border is what the
    weights were trained with; every scale of the input is part of conv1_1's weights.
    """

    mean: Tensor
    conv1_1: nn.Conv2d

    def __init__(self, last: str = LAYERS[-1]) -> None:
        """``last``: the deepest layer that is wanted; what follows is left out."""
        super().__init__()
        self.layers = LAYERS[: LAYERS.index(last) + 1]
        self.register_buffer("mean", torch.zeros(3))
        for name, (inputs, outputs) in list(CONVOLUTIONS.items())[: len(self.layers)]:
            self.add_module(name, nn.Conv2d(inputs, outputs, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> VGG19:
        """``state``: ``mean`` and ``conv1_1.weight`` ... ``conv4_1.bias``, for pictures RGB in [0, 1]."""
        vgg = cls()
        vgg.load_state_dict(dict(state), strict=True)
        return vgg

    def up_to(self, last: str) -> VGG19:
        """This network without what follows the layer ``last``; both share their weights."""
        with torch.device("meta"):  # no weights, and no luck drawn for them
            part = VGG19(last)
        own = self.state_dict()
        part.load_state_dict({name: own[name] for name in part.state_dict()}, assign=True)
        return part

    def forward(self, x: Tensor, layers: Sequence[str] = STYLE_LAYERS) -> dict[str, Tensor]:
        """Features after the named rectifiers, (B, C, h, w), in the order of the network.

        Stops after the deepest layer asked for. The size is halved, rounded down, before each of
        relu2_1, relu3_1 and relu4_1. The features have the dtype of the weights (``vgg.to(torch.bfloat16)`` saves
        time), or that of ``torch.autocast``.
        Raises ValueError for a layer this network does not have.
        """
        unknown = set(layers) - set(self.layers)
        if unknown:
            raise ValueError(f"VGG19 has no {', '.join(sorted(unknown))}; it has {', '.join(self.layers)}")
        features: dict[str, Tensor] = {}
        x = (x.float() - self.mean[:, None, None]).to(self.conv1_1.weight.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        for name in CONVOLUTIONS:
            if len(features) == len(set(layers)):
                break
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(self.get_submodule(name)(x), inplace=True)
            layer = name.replace("conv", "relu")
            if layer in layers:
                features[layer] = x
        return features
