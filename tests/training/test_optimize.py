"""A picture is optimised towards a painting, by either optimiser, and comes out the same each time."""

from __future__ import annotations

import itertools

import pytest
import torch

from artem_vr.errors import SettingsError
from artem_vr.networks.vgg import VGG19
from artem_vr.training.optimize import Optimization, OptimizeOptions


def optimization(device: str = "cpu", **options: object) -> tuple[Optimization, torch.Tensor]:
    """With a random VGG-19: what is tested is the descent, not the eye."""
    torch.manual_seed(0)
    vgg = VGG19().to(device)
    photograph = torch.rand(1, 3, 24, 32).to(device)
    painting = (torch.rand(1, 3, 32, 32) * torch.tensor([1.0, 0.4, 0.1])[None, :, None, None]).to(device)
    return Optimization(vgg, photograph, painting, OptimizeOptions(**options)), photograph  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_loss_falls_and_every_iteration_is_reported(optimizer: str) -> None:
    task, photograph = optimization(optimizer=optimizer, iterations=6)
    seen: list[tuple[int, float]] = []
    result = task.run(photograph, lambda done, loss, picture: seen.append((done, loss)))
    assert [done for done, _ in seen] == list(range(1, 7))
    assert seen[0][1] == pytest.approx(task.loss(photograph), rel=1e-4)
    assert task.loss(result) < 0.8 * seen[0][1] and seen[-1][1] < seen[0][1]
    assert result.shape == photograph.shape and result.min() >= 0 and result.max() <= 1


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_everything_stays_on_the_gpu(optimizer: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    task, photograph = optimization("cuda", optimizer=optimizer, iterations=1)
    result = task.run(photograph)
    assert result.is_cuda and task.loss(result) < task.loss(photograph)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_nothing_is_compared_with_a_tensor_elsewhere(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors on different devices cannot be compared. Where there is one device only: with the picture's shape."""
    task, photograph = optimization(optimizer=optimizer, iterations=2)
    equal = torch.equal
    compared: list[torch.Size] = []

    def note(a: torch.Tensor, b: torch.Tensor) -> bool:
        compared.append(b.shape)
        return equal(a, b)

    monkeypatch.setattr(torch, "equal", note)
    task.run(photograph)
    assert compared and set(compared) == {photograph.shape}


def test_two_runs_give_the_same_picture() -> None:
    first, second = (task.run(photograph) for task, photograph in (optimization(iterations=4) for _ in range(2)))
    assert torch.equal(first, second)


def test_a_step_of_lbfgs_evaluates_no_picture_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    task, photograph = optimization(iterations=6)
    pictures: list[torch.Tensor] = []
    plain = task.losses

    def losses(x: torch.Tensor) -> dict[str, torch.Tensor]:
        pictures.append(x.detach().clone())
        return plain(x)

    monkeypatch.setattr(task, "losses", losses)
    task.run(photograph)
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(pictures))


def test_the_weights_weigh() -> None:
    task, photograph = optimization(content_weight=2.0, style_weight=0.5, tv_weight=3.0)
    parts = {name: float(value) for name, value in task.losses(photograph).items()}
    assert parts["content"] == 0 and parts["style"] > 0 and parts["variation"] > 0
    assert parts["total"] == pytest.approx(0.5 * parts["style"] + 3 * parts["variation"], rel=1e-5)
    same, _ = optimization(content_weight=1.0, style_weight=0.0, tv_weight=0.0, iterations=2)
    torch.testing.assert_close(same.run(photograph), photograph)  # nothing but content: nothing to do


def test_a_loss_that_is_no_number_is_one_line() -> None:
    task, photograph = optimization(style_weight=1e38, iterations=3, optimizer="adam")
    with pytest.raises(SettingsError, match="ran away") as caught:
        task.run(photograph * float("inf"))
    assert "\n" not in str(caught.value)
