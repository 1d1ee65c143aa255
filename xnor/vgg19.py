"""VGG-19 whole, with its fully connected layers: the network whose weights the article weighed."""

from __future__ import annotations

from torch import nn

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
