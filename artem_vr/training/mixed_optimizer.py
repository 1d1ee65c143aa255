"""What turns gradients into steps: Adam, or Muon for what convolutions weigh and Adam for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

OptimizerName = Literal["muon", "adam"]

LEAST_SIDE = 8
"""A matrix that is narrower has next to no directions to be balanced."""


class MixedOptimizer:
    """Muon (Jordan et al. 2024) for the weights of convolutions, Adam (Kingma & Ba 2015) for the rest, or for all.

    A kernel (O, I, K, K) is a matrix (O, I K K) to Muon, which makes all singular values of a step alike: directions
    that gradients rarely name are learned as fast as the others. Steps are as large as Adam's (Liu et al. 2025,
    arXiv:2502.16982, section 2.2), so that one learning rate serves both.
    """

    def __init__(self, rates: Mapping[float, Sequence[nn.Parameter]], name: OptimizerName) -> None:
        """``rates``: see `trainer.Objective.rates`."""
        matrices = {id(p): _matrix_of(p) for ps in rates.values() for p in ps if name == "muon" and _is_matrix(p)}
        self._shared = [(p, matrices[id(p)]) for ps in rates.values() for p in ps if id(p) in matrices]
        rest = {factor: [p for p in ps if id(p) not in matrices] for factor, ps in rates.items()}
        main = {factor: [matrices[id(p)] for p in ps if id(p) in matrices] for factor, ps in rates.items()}
        self._parts: dict[str, torch.optim.Optimizer] = {}
        if any(rest.values()):
            self._parts["adam"] = torch.optim.Adam(_groups(rest), betas=(0.9, 0.99))
        if any(main.values()):
            self._parts["muon"] = torch.optim.Muon(_groups(main), weight_decay=0.0, adjust_lr_fn="match_rms_adamw")

    def set_rate(self, rate: float) -> None:
        """The learning rate, without unit, from the next step on."""
        for part in self._parts.values():
            for group in part.param_groups:
                group["lr"] = group["factor"] * rate

    def zero_grad(self) -> None:
        for part in self._parts.values():
            part.zero_grad(set_to_none=True)
        for parameter, _ in self._shared:
            parameter.grad = None

    def step(self) -> None:
        for parameter, matrix in self._shared:
            matrix.grad = None if parameter.grad is None else _flat(parameter.grad, parameter)
        for part in self._parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises KeyError, ValueError or TypeError if it is of other parameters."""
        if state.keys() != self._parts.keys():
            raise KeyError("another optimiser")
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def _groups(rates: Mapping[float, Sequence[nn.Parameter]]) -> list[dict[str, Any]]:
    return [{"params": list(parameters), "factor": factor} for factor, parameters in rates.items() if parameters]


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.dim() == 4 and min(parameter.shape[0], parameter[0].numel()) >= LEAST_SIDE


def _matrix_of(parameter: Tensor) -> nn.Parameter:
    """The same memory, (O, I, K, K) as a matrix: what is written into one is in the other."""
    matrix = _flat(parameter.detach(), parameter)
    assert matrix.data_ptr() == parameter.data_ptr()
    return nn.Parameter(matrix)


def _flat(values: Tensor, like: Tensor) -> Tensor:
    """(O, I, K, K) to (O, I K K) or, as ``like`` lies in memory, (O, K K I)."""
    channels_last = not like.is_contiguous()
    return (values.permute(0, 2, 3, 1) if channels_last else values).reshape(values.shape[0], -1)
