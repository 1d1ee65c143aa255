"""Sets the palette of a code right: with it the painter shall use the painting's colours in the painting's contrast.

The style encoder's answer is linear, and errors of a sum are large beside small numbers: pale paintings came out paler
still, at half of their contrast. How strong a code is can be seen without VGG-19: by painting something with it.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import torch
from torch import Tensor

from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import Given, OwnStatistics

LEAVES = 4
SIDE = 64
DISCS = 300
SMALLEST = 4
"""Of the pictures that a code is tried on: how many, their side in pixels, discs in each, and their least radius."""

STEPS = 2
"""Of Gauss and Newton."""

SINGLE = 0.2
"""How far each number of a code may change by itself, over its size, when all together may become once as large."""

LEAST = 0.1
"""What the size of a number is taken for, at least."""

RIDGE = 1e-5
"""How exactly means and deviations (of colours in [0, 1]) must be met, as a variance."""

LEAST_DEVIATION = 0.03
"""A flat picture is a style, too, but the scene shall still be seen in it."""


def tuned(painter: FastNetwork, code: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """``code`` (2, C) with its part for the last norm changed, and nothing else.

    ``mean`` and ``deviation`` (3,) of red, green and blue in [0, 1]: what pictures painted with it shall have, on
    average over pictures with the statistics of natural scenes. Six wishes and 32 numbers: the least change that
    fulfils them (Gauss-Newton), where it costs least to change all numbers in proportion. That leaves strokes as they
    are; with the least change of each number by itself paintings were told apart less well than before.
    """
    with torch.inference_mode(False):  # where no gradient is to be had, whatever else is asked for
        return _tuned(painter, *(values.clone() for values in (code, mean, deviation)))


def _tuned(painter: FastNetwork, code: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    channels = painter.norm_decode2.channels
    wished = torch.cat((mean, deviation.clamp_min(LEAST_DEVIATION))).to(code)
    with torch.no_grad():
        x = painter.features(dead_leaves().to(code), OwnStatistics(code))
        variance, average = torch.var_mean(x.seen, dim=(2, 3), correction=0)  # (B, half)

    def palette(part: Tensor) -> Tensor:
        """(6,): means and deviations of what is painted."""
        y = painter.norm_decode2(x.seen, average, variance, Given(part[0], part[1], x.beyond))
        painted = painter.picture(y)
        spread, middle = torch.var_mean(painted, dim=(2, 3), correction=0)
        return torch.cat((middle.mean(dim=0), (spread + 1e-6).sqrt().mean(dim=0)))

    last = code[:, -channels:].detach()
    size = last.abs().clamp_min(LEAST)
    for _ in range(STEPS):
        with torch.enable_grad():
            last.requires_grad_(True)
            found = palette(last)
            rows = [torch.autograd.grad(value, [last], retain_graph=True)[0] for value in found]
        last, found = last.detach(), found.detach()
        jacobian = torch.stack(rows).flatten(1)  # (6, 2 * half)
        together = last.flatten()
        freedom = torch.outer(together, together) + torch.diag((SINGLE * size).flatten().square())
        gains = freedom @ jacobian.T
        step = gains @ torch.linalg.solve(jacobian @ gains + RIDGE * torch.eye(6).to(code), wished - found)
        last = last + step.view_as(last).clamp(-size, size)
    return torch.cat((code[:, :-channels], last), dim=1)


@functools.cache
def dead_leaves(side: int = SIDE, discs: int = DISCS) -> Tensor:
    """(LEAVES, 3, side, side), RGB in [0, 1]: discs of all sizes that hide each other, always the same.

    Their edges, shades and sizes have the statistics of natural scenes (Lee, Mumford & Huang 2001).
    """
    random = np.random.default_rng(0)
    pictures = np.zeros((LEAVES, side, side, 3), np.uint8)
    for picture in pictures:
        for _ in range(discs):
            # radii with a density of r^-3
            radius = (1 / SMALLEST**2 - random.random() * (1 / SMALLEST**2 - 1 / side**2)) ** -0.5
            colour = 255 * (0.75 * random.random() + 0.25 * random.random(3))
            x, y = random.random(2) * side
            cv2.circle(picture, (round(x), round(y)), round(radius), colour.tolist(), cv2.FILLED, cv2.LINE_AA)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
