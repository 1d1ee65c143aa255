"""Training of a binarised network with a teacher: the fast network that already paints the same style.

The teacher shows what to paint, picture by picture and feature by feature (Hinton et al. 2015; Romero et al. 2015).
That costs no VGG-19, so that many pictures fit into an iteration. VGG-19 looks at a few of them only and keeps the
strokes from being averaged away. Without a teacher `training.fast.FastObjective` trains the same network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from artem_vr.errors import WeightsError
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import Given, InstanceNorm, Normalizer, OwnStatistics
from artem_vr.training.fast import FastObjective, LossWeights


@dataclass(frozen=True)
class TaughtLossWeights(LossWeights):
    """Weights of the relative losses of `TaughtObjective`; without unit."""

    painting: float = 4.0
    """Squared distance from the teacher's painting over that painting's variance: 0 the same, 1 flat grey."""
    features: float = 2.0
    """The same of the normalised features at 1/4 and 1/2 size, where both networks have the same layers."""


class Tap:
    """A normalizer that also keeps what comes out of some norms."""

    def __init__(self, normalize: Normalizer, norms: Iterable[InstanceNorm]) -> None:
        self._normalize, self._wanted = normalize, tuple(norms)
        self.kept: list[Tensor] = []

    def code(self, norm: InstanceNorm) -> Given | None:
        return self._normalize.code(norm)

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        y = self._normalize(norm, x, given)
        if any(norm is wanted for wanted in self._wanted):
            self.kept.append(y)
        return y


def relative_error(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean squared difference over the variance of ``theirs`` (B, C, H, W), mean over the batch."""
    theirs = theirs.float()
    variance = theirs.var(dim=(2, 3), correction=0).mean(dim=1).clamp_min(1e-4)
    return ((ours.float() - theirs).square().mean(dim=(1, 2, 3)) / variance).mean()


def take_ends(network: BinaryNetwork, teacher: FastNetwork) -> None:
    """Copy the real layers that both networks share: the first, and the last two.

    Raises `WeightsError` where their widths differ.
    """
    for option in ("quarter", "half"):
        if network.options[option] != teacher.options[option]:
            widths = f"{option} {teacher.options[option]} and not {network.options[option]}"
            raise WeightsError(f"the teacher has {widths} channels", "Take a fast network of the default widths")
    for name in ("encode4", "norm_encode4", "decode2", "norm_decode2", "decode1"):
        network.get_submodule(name).load_state_dict(teacher.get_submodule(name).state_dict())


class TaughtObjective(FastObjective):
    """Paint as the teacher does, keep steady, and please VGG-19."""

    network: BinaryNetwork
    weights: TaughtLossWeights

    def __init__(self, *arguments: Any, teacher: FastNetwork, looked_at: int = 1, **options: Any) -> None:
        """As `FastObjective`; VGG-19 sees the first ``looked_at`` pictures of a batch. Raises `WeightsError`."""
        super().__init__(*arguments, **options)
        self._teacher = (teacher.eval().requires_grad_(False),)  # a tuple hides it from parameters() and state_dict()
        self._looked_at = looked_at
        take_ends(self.network, teacher)

    def forward(
        self,
        pictures: Tensor,
        scale: Tensor,
        grids: Tensor | None = None,
        noise: Tensor | None = None,
        ramps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        (teacher,) = self._teacher
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        theirs = Tap(OwnStatistics(), (teacher.norm_decode4, teacher.norm_decode2))
        with torch.no_grad():
            target = teacher(pictures, theirs)
        statistics = OwnStatistics()
        ours = Tap(statistics, (self.network.norm_decode4, self.network.norm_decode2))
        paintings = self.network(pictures, ours)
        seen = slice(0, self._looked_at)
        result = self.appearance(paintings[seen], pictures[seen], int(scale))
        result["painting"] = relative_error(paintings, target)
        pairs = zip(ours.kept, theirs.kept, strict=True)
        result["features"] = torch.stack([relative_error(our, their) for our, their in pairs]).mean()
        return self.weighed(result | self.conduct(paintings, pictures, statistics.recorded, grids, noise, ramps))
