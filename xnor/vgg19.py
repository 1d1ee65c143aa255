"""VGG-19 whole, with its fully connected layers: the network whose weights the article weighed."""

from __future__ import annotations

import torch
from torch import nn

from .convert import binarise
from .layers import PackedConv2d, PackedLinear, XnorConv2d, XnorLinear

_WIDTHS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and convolutions of each block


def vgg19(classes: int = 1000) -> nn.Sequential:
    """(N, 3, 224, 224) -> (N, classes); 143.7 million parameters, 575 MB in float32. Random weights."""
    layers: list[nn.Module] = []
    channels = 3
    for width, count in _WIDTHS:
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True)]
    layers += [nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, classes)]
    return nn.Sequential(*layers)


def packed_vgg19() -> nn.Sequential:
    """The same, all but the first convolution from random bits: what it weighs packed, without ever making 143 million
    real weights.
    """
    with torch.device("meta"):
        model = vgg19()
        binarise(model, keep_last=False, linear=True)
    model[0] = nn.Conv2d(3, _WIDTHS[0][0], 3, padding=1)
    for place, layer in enumerate(model):
        if isinstance(layer, XnorConv2d | XnorLinear):
            made = PackedConv2d(**layer.config()) if isinstance(layer, XnorConv2d) else PackedLinear(**layer.config())
            made.words.copy_(torch.randint(-(2**63), 2**63 - 1, made.words.shape))  # whole words: there is no tail
            made.output_scale.fill_(0.02)
            model[place] = made
    return model.eval()
