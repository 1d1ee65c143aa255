"""The measurements: their keys and their plots, on convolutions so small that their times mean nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from xnor import XnorError, bench, plots


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(bench, "CONVOLUTIONS", ((12, 3, 4, 8), (8, 64, 3, 8)))
    monkeypatch.setattr(bench, "PRODUCTS", (16, 65))
    return bench.run_bench("cpu", quick=True)


def test_rows_and_plots(results: dict[str, object], tmp_path: Path) -> None:
    again = json.loads(json.dumps(results))
    assert again["machine"]["cores"] >= 1 and "load" in again["machine"]
    assert [(row["kind"], row["input"]) for row in again["rows"]] == [
        ("conv", "12x12x3"), ("conv", "8x8x64"), ("gemm", "16x16"), ("gemm", "65x65"),
    ]  # fmt: skip
    for row in again["rows"]:
        assert row["backend"] == "cpu"
        assert all(row[f"{name}_ms"] > 0 for name in ("xnor", "pack", "product", "fp32", "bf16", "general"))
        assert row["ratio_fp32"] == pytest.approx(row["fp32_ms"] / row["xnor_ms"], abs=0.01)
        assert {"ratio_bf16", "ratio_general", "kernel", "memory"} <= row.keys()
    assert again["rows"][1]["memory"] == {
        "weights_bits": 8 * 9 * 8, "weights_fp32": 8 * 576 * 4,
        "activations_bits": 64 * 8, "activations_fp32": 64 * 64 * 4,
    }  # fmt: skip
    weights = again["vgg19"]
    assert weights["fp32_bytes"] == 143_667_240 * 4
    assert 17e6 < weights["packed_bytes"] < weights["resident_bytes"] < 20e6
    assert len(weights["layers"]) == 19
    for whole, part in (("fp32_bytes", "float_bytes"), ("resident_bytes", "bytes")):
        assert weights[whole] == sum(layer[part] for layer in weights["layers"])
    made = plots.plot(again, tmp_path)
    assert [path.name for path in made] == ["xnor_conv.png", "xnor_gemm.png"]
    for path in made:
        with Image.open(path) as picture:
            assert picture.format == "PNG" and picture.width > 400


@pytest.mark.parametrize(("bf16_ms", "bars"), [(5_000.0, 2), (20.0, 4)], ids=["emulated", "native"])
def test_an_emulated_contender_does_not_dwarf_the_others(
    bf16_ms: float, bars: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [
        {"kind": "gemm", "input": size, "xnor_ms": 10.0, "fp32_ms": 40.0, "ratio_fp32": 4.0, "bf16_ms": bf16_ms,
         "ratio_bf16": bf16_ms / 10}
        for size in ("64x64", "128x128")
    ]  # fmt: skip
    drawn: list[Any] = []
    figure = plots._figure

    def kept(*widths: float) -> tuple[Any, Any]:
        drawn.append(figure(*widths))
        return drawn[-1]

    monkeypatch.setattr(plots, "_figure", kept)
    plots.plot({"rows": rows, "machine": {"gpu": None, "cpu": "a processor", "cores": 2}}, tmp_path)
    axes = drawn[0][1]
    assert axes.get_ylim()[1] < 10 and sum(len(group) for group in axes.containers) == bars
    assert ("emulates (500, 500 times)" in axes.get_xlabel()) == (bars == 2)
    assert "4.0" in {text.get_text() for text in axes.texts}


def test_devices_that_are_not_there() -> None:
    import torch

    with pytest.raises(XnorError, match="auto, cpu or cuda"):
        bench.run_bench("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(XnorError, match="no CUDA GPU"):
            bench.run_bench("cuda")


def test_slow_contenders_are_called_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], dict.fromkeys(("quick", "slow", "very slow"), 0)
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def contender(name: str, seconds: float) -> None:
        calls[name] += 1
        clock[0] += seconds / calls[name]  # the first call is the slowest

    waits = {"quick": 1.0, "slow": 4.0, "very slow": 60.0}
    times = bench._times({name: partial(contender, name, wait) for name, wait in waits.items()}, 4, "cpu")
    assert calls == {"quick": 5, "slow": 2, "very slow": 1}
    assert times == pytest.approx({"quick": 200.0, "slow": 2000.0, "very slow": 60000.0})


def test_a_product_that_would_take_minutes_in_bf16_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CONVOLUTIONS", ())
    monkeypatch.setattr(bench, "PRODUCTS", (8, 16))
    monkeypatch.setattr(bench, "SLOW_MS", 0.0)
    first, second = bench.run_bench("cpu", quick=True)["rows"]
    assert first["bf16_ms"] > 0 and second["bf16_ms"] is None and second["ratio_bf16"] is None


@pytest.mark.parametrize("allowed", [False, True])
def test_float32_is_not_computed_in_tf32_unless_it_says_so(allowed: bool) -> None:
    import torch

    before = torch.backends.cudnn.allow_tf32
    assert bench._with_tf32(allowed, lambda: torch.backends.cudnn.allow_tf32) is allowed
    assert torch.backends.cudnn.allow_tf32 is before
