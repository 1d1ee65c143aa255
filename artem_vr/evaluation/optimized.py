"""The slow yardstick of evaluation: every picture optimised by itself (Gatys et al. 2016).

It minimises, through the same VGG-19, what ``style loss`` measures: how good a network could be, not how good one is.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from artem_vr.evaluation.subjects import Sequence
from artem_vr.training.optimize import Optimization, OptimizeOptions

if TYPE_CHECKING:
    from artem_vr.networks.vgg import VGG19


class Optimized:
    """Paints like one painting, slowly; frames of a sequence know nothing of each other."""

    name = "optimize"

    def __init__(self, vgg: VGG19, painting: Tensor, iterations: int) -> None:
        """``painting`` (1, 3, H, W), RGB in [0, 1], of the size at which its strokes shall count."""
        self._vgg, self._painting = vgg, painting
        self._options = OptimizeOptions(iterations=iterations)
        self._seconds: list[float] = []

    def still(self, pictures: Tensor) -> Tensor:
        return torch.cat([self._one(picture) for picture in pictures.split(1)])

    def sequence(self) -> Sequence:
        return self.still

    @property
    def ms(self) -> float:
        """Median time of the pictures so far."""
        return 1000 * statistics.median(self._seconds)

    def _one(self, picture: Tensor) -> Tensor:
        begun = time.perf_counter()
        result = Optimization(self._vgg, picture, self._painting, self._options).run(picture)
        self._seconds.append(time.perf_counter() - begun)
        return result
