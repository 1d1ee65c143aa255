"""Simple things that are not painting: what any measure must tell from a painting.

The unchanged photograph keeps all content; colour transfer has the palette and nothing else; blends
of photograph and painting fool both retrievals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from artem_vr.evaluation.subjects import Sequence
from artem_vr.tensors import square


class _Stateless(ABC):
    """Paints every picture on its own, in a sequence too."""

    name: str

    @abstractmethod
    def still(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1], to the same."""

    def sequence(self) -> Sequence:
        return self.still


class Unchanged(_Stateless):
    """The photograph itself."""

    name = "photograph"

    def still(self, pictures: Tensor) -> Tensor:
        return pictures


class ColourTransfer(_Stateless):
    """The photograph with the painting's mean and deviation in each of R, G and B (after Reinhard et al. 2001)."""

    name = "colour transfer"

    def __init__(self, painting: Tensor) -> None:
        """``painting`` (1, 3, H, W)."""
        self._deviation, self._mean = torch.std_mean(painting, dim=(2, 3), keepdim=True, correction=0)

    def still(self, pictures: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(pictures, dim=(2, 3), keepdim=True, correction=0)
        return ((pictures - mean) / deviation.clamp_min(1e-3) * self._deviation + self._mean).clamp(0, 1)


class Blend(_Stateless):
    """``share`` of the photograph and the rest of the painting, whose middle is cut to the picture's shape."""

    def __init__(self, painting: Tensor, share: float) -> None:
        """``painting`` (1, 3, H, W); ``share`` in [0, 1]."""
        self.name = f"blend {round(100 * share)}/{round(100 * (1 - share))}"
        self._painting, self._share = painting, share

    def still(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        painting = square(self._painting, max(height, width))
        top, left = (painting.shape[-2] - height) // 2, (painting.shape[-1] - width) // 2
        painting = painting[..., top : top + height, left : left + width]
        return self._share * pictures + (1 - self._share) * painting


def baselines(painting: Tensor) -> list[Unchanged | ColourTransfer | Blend]:
    """The four that stand in every table."""
    return [Unchanged(), ColourTransfer(painting), Blend(painting, 0.3), Blend(painting, 0.7)]
