"""The encoder's answers: solved for, told of paintings left out, and never made worse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from artem_vr.training import answering
from artem_vr.training.answering import Answering, regress, teach_to_answer
from artem_vr.training.compact import CompactObjective
from tests.training.test_compact import make_objective


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SAMPLES", 2)
    monkeypatch.setattr(answering, "TRIALS", 2)
    monkeypatch.setattr(answering, "RIDGES", (0.1, 1.0))
    monkeypatch.setattr(answering, "STEPS", (0.5,))


def answers(objective: CompactObjective) -> tuple[torch.Tensor, torch.Tensor]:
    answer = objective.network.encoder.answer
    return answer.weight.detach().clone(), answer.bias.detach().clone()


def test_a_linear_relation_is_found_and_noise_is_not_taken_for_one() -> None:
    torch.manual_seed(0)
    inputs, weight, bias = torch.randn(60, 5), torch.randn(5, 3), torch.randn(3)
    found = regress(inputs, inputs @ weight + bias)
    torch.testing.assert_close(found.weight, weight, atol=1e-2, rtol=0)
    torch.testing.assert_close(found.bias, bias, atol=1e-2, rtol=0)
    assert found.told > 0.999
    unrelated = regress(torch.randn(60, 40), torch.randn(60, 3))
    assert unrelated.told < 0.1 and unrelated.weight.norm() < 0.1


def test_what_is_told_is_told_of_rows_that_were_left_out() -> None:
    torch.manual_seed(1)
    inputs = torch.randn(20, 4)
    outputs = inputs @ torch.randn(4, 2) + 0.5 * torch.randn(20, 2)

    def left_out(row: int, ridge: float) -> torch.Tensor:
        rest = [k for k in range(20) if k != row]
        x, y = inputs[rest].double(), outputs[rest].double()
        centre, mean = x.mean(0), y.mean(0)
        weight = torch.linalg.solve((x - centre).T @ (x - centre) + ridge * torch.eye(4), (x - centre).T @ (y - mean))
        return outputs[row] - (mean + (inputs[row] - centre) @ weight)

    errors = [sum(float(left_out(k, 10.0**p).square().sum()) for k in range(20)) for p in range(-3, 6)]
    variance = float((outputs - outputs.mean(0)).square().sum())
    assert regress(inputs, outputs).told == pytest.approx(1 - min(errors) / variance, abs=0.01)


def test_jacobians_are_derivatives(pictures: Path) -> None:
    taught = Answering(make_objective(pictures), progress=False)
    jacobian = taught._jacobian(0, 5)
    trait, output = divmod(int(jacobian.abs().argmax()), jacobian.shape[1])
    answer = taught.encoder.answer(taught.read[:1]).detach()
    step = torch.zeros_like(answer)
    step[0, output] = 1e-3
    with torch.no_grad():
        difference = (taught._painted(answer + step, 5) - taught._painted(answer - step, 5))[trait] / 2e-3
    assert float(difference) == pytest.approx(float(jacobian[trait, output]), rel=0.05)


def test_a_round_brings_the_answers_nearer_and_leaves_all_else_alone(pictures: Path) -> None:
    objective = make_objective(pictures)
    before = {name: value.clone() for name, value in objective.network.state_dict().items()}
    losses, better = Answering(objective, progress=False).improve(0)
    assert better < losses
    changed = {name for name, value in objective.network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"encoder.answer.weight", "encoder.answer.bias"}


def test_a_round_is_of_as_many_views_as_can_be(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught, seen = Answering(make_objective(pictures), progress=False), []
    monkeypatch.setattr(answering, "SAMPLES", 41)  # were views 41 apart, 41 paintings would give two
    taught.read = torch.randn(82, taught.read.shape[1])
    monkeypatch.setattr(taught, "_missing", lambda begin: torch.randn(82, 3))

    def noted(view: int, number: int) -> None:
        seen.append(view)
        if len(seen) == answering.SAMPLES:
            raise KeyboardInterrupt

    monkeypatch.setattr(taught, "_jacobian", noted)
    with pytest.raises(KeyboardInterrupt):
        taught.improve(0)
    assert len(set(seen)) == 41


def test_where_no_step_helps_the_answers_stay(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, tried = make_objective(pictures), iter(range(100))
    weight, bias = answers(objective)
    monkeypatch.setattr(Answering, "_tried", lambda _: float(next(tried)))
    assert Answering(objective, progress=False).improve(0) == (0, 0)
    assert all(map(torch.equal, answers(objective), (weight, bias)))


def test_rounds_are_gone_on_from(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SAMPLES", 1)
    whole, halves, again = (make_objective(pictures) for _ in range(3))
    teach_to_answer(whole, 2, tmp_path / "whole.pt", progress=False)
    teach_to_answer(halves, 1, tmp_path / "half.pt", progress=False)
    assert not all(map(torch.equal, answers(halves), answers(whole)))
    teach_to_answer(again, 2, tmp_path / "half.pt", progress=False)
    for one, other in zip(answers(again), answers(whole), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    done = make_objective(pictures)
    teach_to_answer(done, 2, tmp_path / "half.pt", progress=False)  # nothing is left to do
    assert all(map(torch.equal, answers(done), answers(again)))
    assert all(p.requires_grad for p in again.network.painter.parameters())


class Quick:
    """Rounds without any work: each adds 1 to the answers' bias."""

    jacobians: list[torch.Tensor]

    def __init__(self, objective: CompactObjective, progress: bool) -> None:
        self._answer = objective.network.encoder.answer

    @torch.no_grad()
    def improve(self, number: int) -> None:
        self._answer.bias.add_(1)


def test_answers_count_for_the_training_that_made_them_only(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(answering, "Answering", Quick)
    file = tmp_path / "answers.pt"

    def rounds_done(training: str, rounds: int, change: float = 0.0) -> tuple[float, bool]:
        """By how much the bias moved, and whether the file was said to be another training's."""
        objective = make_objective(pictures)
        with torch.no_grad():
            objective.network.encoder.answer.bias.zero_()
            next(objective.network.painter.parameters()).add_(change)
        teach_to_answer(objective, rounds, file, training, progress=False)
        moved = float(objective.network.encoder.answer.bias.detach().mean())
        return moved, "answers.pt is of another training" in capsys.readouterr().err

    assert rounds_done("seed 0", 2) == (2, False)
    state = torch.load(file, weights_only=True)
    torch.save(state | {"answer": state["answer"] | {"bias": state["answer"]["bias"] + 40}}, file)  # told from new ones
    assert rounds_done("seed 0", 2) == (42, False)
    assert rounds_done("seed 0", 3) == (43, False)
    assert rounds_done("seed 1", 1) == (1, True)
    assert rounds_done("seed 1", 2, change=0.5) == (2, True)  # the same settings, but another network
    torch.save({name: value for name, value in state.items() if name != "made_by"}, file)  # nobody knows whose
    assert rounds_done("seed 0", 1) == (1, True)
