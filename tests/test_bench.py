"""The bench at tiny sizes: rows, fields, the baseline; never how fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import nn

from artem_vr import assets, bench
from artem_vr.bench import Candidate, _combinations, _rows, as_text, run_bench, shipped_networks
from artem_vr.cli import main
from artem_vr.errors import EngineError, WeightsError
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.stylize.engines.torch_engine import TorchEngine

FIELDS = {"network", "engine", "precision", "device", "eyes", "width", "height", "ms_median", "ratio_to_johnson_fp32"}


def tiny_networks() -> dict[str, nn.Module]:
    johnson = JohnsonNetwork()
    johnson.blocks = johnson.blocks[:1]
    compact = CompactNetwork(16, 16, 16, 1)
    return {"fast": FastNetwork(16, 16, 16, 1).eval(), "compact": compact.eval(), "johnson": johnson.eval()}


def test_rows_of_a_tiny_run() -> None:
    lines: list[str] = []
    result = run_bench(((48, 40),), (1, 2), 1, lines.append, tiny_networks())
    assert json.loads(json.dumps(result)) == result
    assert {"cpu", "cores", "gpu", "versions"} <= set(result["machine"])
    for eyes in (1, 2):
        rows = [row for row in result["rows"] if row["eyes"] == eyes]
        assert all(set(row) >= FIELDS and (row["width"], row["height"]) == (48, 40) for row in rows)
        (baseline,) = [r for r in rows if (r["network"], r["engine"], r["precision"]) == ("johnson", "torch", "fp32")]
        assert baseline["ratio_to_johnson_fp32"] == 1.0
        measured = {(r["network"], r["engine"], r["precision"]) for r in rows}
        assert {("fast", "torch", "fp32"), ("compact", "torch", "fp32")} <= measured
        for row in rows:
            ratio = baseline["ms_median"] / row["ms_median"]
            assert row["ratio_to_johnson_fp32"] == pytest.approx(ratio, rel=0.02, abs=0.02)
    assert lines
    table = as_text(result)
    assert "johnson" in table and "48x40" in table
    assert result["start_up"]["new_picture_ms"] > 0
    assert "A new picture" in table
    assert [(one["eyes"], one["width"], one["height"]) for one in result["steadying"]] == [(1, 48, 40), (2, 48, 40)]
    assert all(one["ms_median"] > 0 and one["ground_ms_median"] > 0 for one in result["steadying"])
    assert table.count("\nsteadying  ") == table.count("\nground  ") == 2


def test_rows_are_kept_where_a_new_picture_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> float:
        raise EngineError("A new picture was not painted", "Run artem-vr doctor")

    monkeypatch.setattr(bench, "new_picture_ms", fails)
    monkeypatch.setattr(bench, "_start_up", lambda *_: {})
    monkeypatch.setattr(bench, "_combinations", lambda _: bench._baselines("cpu"))
    lines: list[str] = []
    result = run_bench(((48, 40),), (1,), 1, lines.append, tiny_networks())
    assert result["rows"] and result["start_up"]["new_picture_ms"] is None
    assert lines[-1] == "artem-vr: a new picture was not measured: A new picture was not painted. Run artem-vr doctor."
    table = as_text(json.loads(json.dumps(result)))
    assert "48x40" in table and "A new picture" not in table


def test_the_faster_layout_is_the_baseline() -> None:
    class Fake:
        name, precision, device = "torch", "fp32", "cpu"

    engine = Fake()
    slow = Candidate("johnson", engine, "contiguous", None, 0.0, 1, [0.4, 0.5, 9.0])  # type: ignore[arg-type]
    quick = Candidate("johnson", engine, "channels_last", None, 0.0, 1, [0.2, 0.3, 0.4])  # type: ignore[arg-type]
    fast = Candidate("fast", engine, "", None, 0.0, 3, [0.01, 0.01, 0.02])  # type: ignore[arg-type]
    rows = _rows([slow, quick, fast], {}, 1, 8, 8)
    assert [(row["network"], row["layout"], row["ratio_to_johnson_fp32"]) for row in rows] == [
        ("johnson", "channels_last", 1.0), ("fast", "", 30.0),
    ]  # fmt: skip


def test_the_baseline_is_tried_in_both_layouts_on_every_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artem_vr.stylize.engines.torch_engine.cuda_trouble", lambda: "")  # nothing is painted here
    tried = [
        (engine.device, variant, engine._channels_last)
        for network, engine, variant in _combinations(tmp_path)
        if isinstance(engine, TorchEngine) and (network, engine.precision) == ("johnson", "fp32")
    ]
    layouts = ("contiguous", False), ("channels_last", True)
    assert tried == [(device, *layout) for device in ("cpu", "cuda") for layout in layouts]


def test_weights_that_are_not_compared_are_refused() -> None:
    with pytest.raises(WeightsError, match="bench xnor"):
        shipped_networks([assets.folder("weights") / "starry_night_xnor.safetensors"])


def test_two_networks_of_one_kind_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, network in (("a", FastNetwork(16, 16, 16, 1)), ("b", FastNetwork(16, 16, 16, 1)),
                          ("any", CompactNetwork(16, 16, 16, 1))):  # fmt: skip
        save_network(tmp_path / f"{name}.safetensors", network)
    words = [word for name in ("a", "any", "b") for word in ("--weights", str(tmp_path / f"{name}.safetensors"))]
    assert main(["bench", *words]) == 2
    error = capsys.readouterr().err
    assert "a and b are fast networks both" in error and error.count("\n") == 1
    _, weights = shipped_networks([tmp_path / "a.safetensors", tmp_path / "any.safetensors"])
    assert (weights["fast"], weights["compact"]) == ("a", "any")
