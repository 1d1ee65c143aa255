"""What is evaluated: networks as the program runs them, and baselines to put them into proportion."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from artem_vr.networks.layers import OwnStatistics, SmoothedStatistics, statistics_channels
from artem_vr.tensors import bytes_of, of_bytes

Sequence = Callable[[Tensor], Tensor]
"""Paints the frames of one scene one after the other; (E, 3, H, W), RGB in [0, 1], E eyes."""

FRAME_SECONDS = 1 / 30
RATE = 0.06
"""How far statistics move towards each frame's: so many frames a second and a time constant of half a second, a
little more than the program's own 0.4 s."""


class Subject(Protocol):
    """Paints photographs in one style."""

    name: str

    def still(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W), each picture on its own."""
        ...

    def sequence(self) -> Sequence:
        """A painter for a new scene: eyes share their statistics, and frames smooth them."""
        ...


class NetworkSubject:
    """A style network: stills with each picture's own statistics, sequences with smoothed ones."""

    def __init__(self, name: str, network: nn.Module, code: Tensor | None = None) -> None:
        """``code`` (2, C): what a network that paints like any painting shall paint."""
        self.name = name
        self.steadied = False
        """Whether sequences are as the program shows them, and not as the network paints them."""
        self.ground = 0.0
        """Depth of the ground (`stylize.ground`), under pictures at rest and what is steadied."""
        self.network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._code = code

    def still(self, pictures: Tensor) -> Tensor:
        if self.ground:
            from artem_vr.stylize.ground import with_ground

            pictures = of_bytes(with_ground(bytes_of(pictures), self.ground))
        with torch.no_grad():
            return self.network(pictures.contiguous(memory_format=torch.channels_last), OwnStatistics(self._code))

    def sequence(self) -> Sequence:
        state = torch.zeros(2, statistics_channels(self.network))
        rate = torch.ones(1)  # the first frame sets the state

        def paint(eyes: Tensor) -> Tensor:
            nonlocal state, rate
            statistics = SmoothedStatistics(state, rate, self._code)
            with torch.no_grad():
                painted = self.network(eyes.contiguous(memory_format=torch.channels_last), statistics)
            state, rate = statistics.new_state(), torch.tensor([RATE])
            return painted

        return _steadied(paint, self.ground) if self.steadied else paint


def _steadied(paint: Sequence, depth: float) -> Sequence:
    """What ``paint`` makes of a scene's frames, in 8 bits and steadied, as the program shows it.

    ``depth``: of the ground.
    """
    from artem_vr.stylize.ground import Ground
    from artem_vr.stylize.matching import Matcher
    from artem_vr.stylize.steadying import Steadier

    matcher, steadier, ground = Matcher(), Steadier(), Ground(depth)
    times = itertools.count()

    def paint_steadily(eyes: Tensor) -> Tensor:
        pictures, at = bytes_of(eyes), next(times) * FRAME_SECONDS
        ties = matcher.ties(pictures)
        ground.follow(len(pictures), ties, at)
        painted = paint(of_bytes(ground.laid(pictures)) if depth else eyes)
        shown = steadier.steadied(bytes_of(painted), ties, at)
        return of_bytes(shown)

    return paint_steadily
