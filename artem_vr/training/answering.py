"""Teaches the style encoder to answer: what its codes change in the painted pictures is measured, and then solved for.

Trained together with the painter, an encoder leaves all codes near their mean: the gradient of one painting and one
photograph says little about the next ones. But what is painted differs from what is wanted by *traits* (see
`training.reading`); their mean over photographs is right however small these are, and how traits follow codes is
alike for most codes. So the encoder is improved as Gauss and Newton improve a fit:

    t(p) - t(painted after p)     is told from what the encoder reads in the painting p, by ridge regression: r(p)
    J = d traits / d code         of some paintings and photographs, in rows by backpropagation
    code(p) += (E[J^T J] + ridge)^-1 E[J]^T r(p)

all of which is linear in what the encoder reads, and so becomes part of its last layer. Which ridge serves best is
tried out with the losses of the training.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from artem_vr.networks.compact import TRAITS
from artem_vr.networks.layers import OwnStatistics
from artem_vr.training.losses import STYLE_LAYERS
from artem_vr.training.reading import Traits, statistics_of
from artem_vr.training.trainer import load_state, save_state

if TYPE_CHECKING:
    from artem_vr.training.compact import CompactObjective

SAMPLES = 24
"""Jacobians measured in a round; those of earlier rounds are kept."""

RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the step, times the mean of the diagonal of E[J^T J]."""

STEPS = (0.5, 1.0)
"""How far the step is gone."""

TRIALS = 16
"""Pairs of pictures on which a step is tried out."""

PALETTE_WEIGHT = 4.0
"""Of means and deviations of red, green and blue beside traits."""

AFTER_ALL_ITERATIONS = 10_000_000
"""Number of the first batch: none that the training has seen."""


@dataclass(frozen=True)
class Regression:
    """What a matrix of inputs tells of one of outputs."""

    weight: Tensor
    """(inputs, outputs)"""
    bias: Tensor
    """(outputs,)"""
    told: float
    """Share of the outputs' variance that is told of rows that are left out, one at a time."""


def regress(inputs: Tensor, outputs: Tensor) -> Regression:
    """Ridge regression of (N, outputs) on (N, inputs), with the ridge, a power of ten, that leave-one-out prefers.

    Errors of rows left out follow from the hat matrix (Golub, Heath & Wahba 1979), without as many regressions.
    """
    inputs, outputs = inputs.double(), outputs.double()
    centre, mean = inputs.mean(dim=0), outputs.mean(dim=0)
    y = outputs - mean
    u, s, vt = torch.linalg.svd(inputs - centre, full_matrices=False)
    projected = u.T @ y
    found: list[tuple[float, float]] = []
    for ridge in (10.0**power for power in range(-3, 6)):
        share = s.square() / (s.square() + ridge)
        leverage = (u.square() @ share + 1 / len(y)).clamp_max(1 - 1e-6)
        error = ((y - u @ (share[:, None] * projected)) / (1 - leverage)[:, None]).square().sum()
        found.append((float(error), ridge))
    error, ridge = min(found)
    weight = vt.T @ ((s / (s.square() + ridge))[:, None] * projected)
    told = 1 - error / max(1e-30, float(y.square().sum()))
    return Regression(weight.float(), (mean - centre @ weight).float(), told)


class Answering:
    """The encoder of an objective, improved round by round; painter and reading stay as they are."""

    def __init__(self, objective: CompactObjective, progress: bool = True) -> None:
        """Looks at all paintings. Raises `SettingsError` where there is a single view of a painting."""
        self.objective, self.network, self.encoder = objective, objective.network, objective.network.encoder
        self._progress = progress
        self.views = objective.paintings.all_views()
        seen = objective.statistics(tqdm(self.views, desc="paintings", disable=not progress, mininterval=2.0))
        traits = Traits.of(seen)
        self.traits = Traits(traits.centre.to(objective.device), traits.components.float().to(objective.device))
        palettes = [_palette(objective.paintings.picture(view)) for view in self.views]
        self.wanted = torch.stack([torch.cat((traits(one), p)) for one, p in zip(seen, palettes, strict=True)])
        """(views, traits): of the paintings."""
        self.read = torch.cat([objective.traits_of(view) for view in self.views]).to(objective.device)
        self.jacobians: list[Tensor] = []
        """(traits, outputs) each."""

    def improve(self, number: int) -> tuple[float, float]:
        """Round ``number``. Returns the losses before and after it; where nothing improves them, nothing is changed."""
        begin = AFTER_ALL_ITERATIONS + number * 10_000
        missing = regress(self.read, self._missing(begin))
        views = torch.randperm(len(self.read), generator=torch.Generator().manual_seed(begin)).tolist()
        for sample in tqdm(range(SAMPLES), desc="jacobians", disable=not self._progress, mininterval=2.0):
            self.jacobians.append(self._jacobian(views[sample % len(views)], begin + sample))
        mean = torch.stack(self.jacobians).mean(dim=0)
        square = torch.stack([j.T @ j for j in self.jacobians]).mean(dim=0)
        before = best = self._tried()
        weight, bias = self.encoder.answer.weight.detach().clone(), self.encoder.answer.bias.detach().clone()
        kept = weight, bias
        for ridge in RIDGES:
            scale = ridge * square.diagonal().mean()
            step = torch.linalg.solve(square + scale * torch.eye(len(square), device=square.device), mean.T)
            for length in STEPS:
                tried = weight + length * step @ missing.weight.T, bias + length * step @ missing.bias
                self._set(*tried)
                losses = self._tried()
                if losses < best:
                    best, kept = losses, tried
        self._set(*kept)
        tqdm.write(
            f"round {number + 1}: {missing.told:.2f} of what is missing is told; losses {before:.3f} to {best:.3f}"
        )
        return before, best

    @torch.no_grad()
    def _set(self, weight: Tensor, bias: Tensor) -> None:
        self.encoder.answer.weight.copy_(weight)
        self.encoder.answer.bias.copy_(bias)

    def _painted(self, answer: Tensor, number: int) -> Tensor:
        """(traits,) of a photograph painted with ``answer`` (1, outputs)."""
        photograph = self.objective.photographs.batch(number, 1).to(answer.device)
        code = (answer * self.encoder.gain).unflatten(1, self.network.plain.shape)
        painted = self.network(photograph.contiguous(memory_format=torch.channels_last), OwnStatistics(code)).float()
        features = self.objective.vgg(painted, STYLE_LAYERS)
        return torch.cat((self.traits(statistics_of(features)), _palette(painted)))

    @torch.no_grad()
    def _missing(self, begin: int) -> Tensor:
        """(views, traits): what the paintings have and the pictures painted after them have not."""
        bar = tqdm(range(len(self.views)), desc="missing", disable=not self._progress, mininterval=2.0)
        shown = [self._painted(self.encoder.answer(self.read[i : i + 1]), begin + i) for i in bar]
        return self.wanted.to(shown[0].device) - torch.stack(shown)

    def _jacobian(self, view: int, number: int) -> Tensor:
        """(traits, outputs): of what is painted after a view, by the encoder's answer."""
        read = self.read[view][None]
        answer = self.encoder.answer(read).detach().requires_grad_(True)
        shown = self._painted(answer, number)
        jacobian = answer.new_zeros(len(shown), answer.shape[1])
        for row in self.traits.components.any(dim=1).nonzero()[:, 0].tolist() + list(range(TRAITS, len(shown))):
            (jacobian[row : row + 1],) = torch.autograd.grad(shown[row], [answer], retain_graph=True)
        return jacobian  # where paintings are fewer than traits the others are always 0

    @torch.no_grad()
    def _tried(self) -> float:
        """Mean of the training's losses over the trials, at full strength."""
        total = 0.0
        for trial in range(TRIALS):
            batch = self.objective.batch(AFTER_ALL_ITERATIONS - 1_000 + trial, 2, 0)
            batch = {name: value.to(self.objective.device) for name, value in batch.items()}
            batch["strengths"] = torch.ones_like(batch["strengths"])
            total += float(self.objective(**batch)["total"])
        return total / TRIALS


def teach_to_answer(
    objective: CompactObjective, rounds: int, file: Path, training: str = "", progress: bool = True
) -> None:
    """So many rounds; ``file`` keeps the answers after each, and is gone on from.

    ``training``: what the training is made of (its recipe and inputs). Answers count only for the one that made them:
    where ``file`` is of another, or of another network before the rounds, these begin anew.
    Raises `SettingsError`, or `WeightsError` for a damaged ``file``.
    """
    made_by = _sum_of(objective.network, training)
    saved = _saved(file, made_by, objective.device)
    answer = objective.network.encoder.answer
    trained = [p for p in objective.network.parameters() if p.requires_grad]
    if saved["rounds"]:
        answer.load_state_dict(saved["answer"])
    if saved["rounds"] >= rounds:
        return
    for parameter in trained:
        parameter.requires_grad_(False)
    answering = Answering(objective, progress)
    answering.jacobians = list(saved.get("jacobians", []))
    for number in range(saved["rounds"], rounds):
        answering.improve(number)
        state = {"rounds": number + 1, "answer": answer.state_dict(), "jacobians": answering.jacobians}
        save_state(state | {"made_by": made_by}, file)
    for parameter in trained:
        parameter.requires_grad_(True)


def _saved(file: Path, made_by: str, device: torch.device) -> dict[str, Any]:
    """What ``file`` keeps of this training; no rounds where it is not there, or is another's. Raises `WeightsError`."""
    if not file.exists():
        return {"rounds": 0}
    saved = load_state(file, device)
    if isinstance(saved, dict) and saved.get("made_by") == made_by:
        return saved
    tqdm.write(f"artem-vr: {file} is of another training; the rounds of answers begin anew", file=sys.stderr)
    return {"rounds": 0}


def _sum_of(network: nn.Module, training: str) -> str:
    digest = hashlib.sha256(training.encode("utf-8", "surrogatepass"))
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _palette(picture: Tensor) -> Tensor:
    """(6,): weighted means and deviations of red, green and blue of (1, 3, H, W) in [0, 1]."""
    variance, mean = torch.var_mean(picture[0], dim=(1, 2), correction=0)
    return PALETTE_WEIGHT * torch.cat((mean, (variance + 1e-4).sqrt()))
