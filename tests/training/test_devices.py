"""Training computes where it is told to: paintings and photographs are read on the CPU and taken there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from artem_vr.cli import main
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.vgg import VGG19
from artem_vr.training import answering, compact
from artem_vr.training.fast import StylePicture


def test_a_painting_is_looked_at_where_the_eye_is(pictures: Path) -> None:
    """The device "meta" stands in for a GPU: it has shapes without values, and takes no tensor of the CPU's."""
    (targets,) = StylePicture(pictures / "style" / "stripes.png", (64,)).targets(VGG19().to("meta"))
    assert {target.correlation.device.type for target in targets.values()} == {"meta"}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the iterations is soon done."""
    monkeypatch.setattr(compact, "PLAIN_ITERATIONS", 2)
    monkeypatch.setattr(answering, "SAMPLES", 1)
    monkeypatch.setattr(answering, "TRIALS", 1)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "kind",
    ["fast", "fast --network johnson", "binary", "binary --teacher {teacher}", "adain --blocks 1 --answer-rounds 1",
     "adain --encoder vgg19 --depth relu3_1"],
)  # fmt: skip
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_one_iteration_of_every_training_on_a_gpu(
    pictures: Path, vgg_file: Path, tmp_path: Path, short: None, kind: str, precision: str
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    save_network(tmp_path / "teacher.safetensors", FastNetwork(32, 16, 16, 1))
    words = kind.format(teacher=tmp_path / "teacher.safetensors").split()
    if words[0] == "adain":
        words += ["--style", str(pictures / "style"), str(pictures)]
    else:
        words += ["--style", str(pictures / "style" / "stripes.png"), "--style-sizes", "64"]
    output = tmp_path / "trained.safetensors"
    words += ["--content", str(pictures), "--vgg", str(vgg_file), "-o", str(output), "--run", str(tmp_path / "run")]
    words += ["--iterations", "1", "--batch-size", "2", "--crop", "64", "--device", "cuda", "--precision", precision]
    assert main(["train", *words]) == 0
    load_network(output, parts=True)
    assert (tmp_path / "run" / "sheet-000001.png").is_file()
