"""Painting without a network: the picture itself is optimised (Gatys et al. 2016).

Slow, and what networks are measured against: the style and content losses are those they are trained on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from artem_vr.errors import SettingsError
from artem_vr.networks.vgg import VGG19
from artem_vr.training import losses

LEAST_SIDE = 16
"""Pixels that a picture needs in both directions to have two places after VGG-19's three poolings."""

Report = Callable[[int, float, Tensor], None]
"""Called after every iteration with how many are done, the total loss before it, and the picture it gave,
(1, 3, H, W), RGB, somewhat beyond [0, 1]."""


@dataclass(frozen=True)
class OptimizeOptions:
    """How a picture is optimised. Weights are those of the relative losses of `training.losses`, without unit."""

    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    iterations: int = 200
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 1.0
    learning_rate: float = 0.02
    """Of Adam, in units of the picture's range; L-BFGS searches along its line itself."""


class Optimization:
    """One photograph on its way to one painting's style."""

    def __init__(self, vgg: VGG19, photograph: Tensor, painting: Tensor, options: OptimizeOptions) -> None:
        """``photograph`` (1, 3, H, W) and ``painting`` (1, 3, h, w), RGB in [0, 1], as large as they shall count."""
        self._vgg, self._options = vgg, options
        with torch.no_grad():
            self._content = vgg(photograph, (losses.CONTENT_LAYER,))[losses.CONTENT_LAYER]
            features = vgg(painting, losses.STYLE_LAYERS)
        self._style = {layer: losses.TextureStatistics.of(x) for layer, x in features.items()}

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        """``content``, ``style`` (Gram matrices) and ``variation`` of (1, 3, H, W), and their weighted ``total``."""
        features = self._vgg(picture, losses.STYLE_LAYERS)
        style, _ = losses.style_loss(features, self._style)
        result = {
            "content": losses.content_loss(features[losses.CONTENT_LAYER], self._content),
            "style": style,
            "variation": losses.total_variation(picture),
        }
        weights = self._options.content_weight, self._options.style_weight, self._options.tv_weight
        total = sum((w * value for w, value in zip(weights, result.values(), strict=True)), torch.zeros(()))
        return result | {"total": total}

    def loss(self, picture: Tensor) -> float:
        """The total loss of (1, 3, H, W)."""
        with torch.no_grad():
            return float(self.losses(picture)["total"])

    def run(self, start: Tensor, report: Report | None = None) -> Tensor:
        """The optimised picture, (1, 3, H, W) in [0, 1].

        ``start`` (1, 3, H, W): the photograph, noise, or an earlier result. Raises `SettingsError` when the
        loss is no longer a number.
        """
        plain = torch.contiguous_format  # L-BFGS takes gradients of no other
        picture = start.detach().clone(memory_format=plain).requires_grad_(True)
        optimizer = self._optimizer(picture)
        known: tuple[Tensor, Tensor, float] | None = None  # the last picture evaluated, its gradient and its loss

        def evaluate() -> float:
            nonlocal known
            # L-BFGS begins every step where the last one has just been
            if known is None or not torch.equal(picture, known[0]):
                optimizer.zero_grad()
                loss = self.losses(picture)["total"]
                loss.backward()
                assert picture.grad is not None
                known = picture.detach().clone(), picture.grad, float(loss.detach())
            _, gradient, total = known
            picture.grad = gradient.clone(memory_format=plain)
            return total

        for done in range(1, self._options.iterations + 1):
            loss = float(optimizer.step(evaluate))
            if not math.isfinite(loss):
                raise SettingsError(f"the optimisation ran away in iteration {done}", "Give smaller weights")
            if report:
                report(done, loss, picture.detach())
        return picture.detach().clamp(0, 1)

    def _optimizer(self, picture: Tensor) -> torch.optim.Optimizer:
        if self._options.optimizer == "adam":
            return torch.optim.Adam([picture], lr=self._options.learning_rate)
        # a step a call, with as many evaluations as its line search likes; gradients of a mean over pixels are tiny
        return torch.optim.LBFGS(
            [picture],
            max_iter=1,
            max_eval=25,
            history_size=20,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
