"""A network that paints like any painting takes its style as an input, in every engine alike."""

from __future__ import annotations

import copy
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from artem_vr.hardware import cpu_has_bf16
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.layers import OwnStatistics, SmoothedStatistics
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import choose_engine, initial_state
from artem_vr.stylize.engines.base import Code, Engine
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.loading import StyleLoader

PSNR = {"fp32": 45.0, "bf16": 35.0}


@pytest.fixture(scope="module")
def network() -> CompactNetwork:
    torch.manual_seed(4)
    return CompactNetwork(16, 16, 16, 1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def codes(network: CompactNetwork) -> list[Code]:
    rng = np.random.default_rng(0)
    sizes = (2, network.channels)
    return [np.stack([rng.uniform(0.5, 1.5, sizes[1]), rng.normal(0, 0.5, sizes[1])]).astype(np.float32) for _ in "ab"]


def engines(tmp_path: Path, precision: str = "fp32") -> list[Engine]:
    """Torch computes in bf16 on every CPU, if slowly; OpenVINO only where the CPU has it."""
    found: list[Engine] = [TorchEngine("cpu", precision)]
    if importlib.util.find_spec("openvino") and (precision == "fp32" or cpu_has_bf16()):
        found.append(choose_engine("openvino", precision=precision, cache=tmp_path))
    return found


def pictures(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (2, 6, 9, 3)).astype(np.uint8)
    return coarse.repeat(9, axis=1).repeat(9, axis=2)[:, :51, :77].copy()


def test_one_prepared_painter_paints_in_every_code_as_the_network_itself(
    network: CompactNetwork, codes: list[Code], tmp_path: Path
) -> None:
    """Over a sequence whose style changes twice and whose statistics go on: one compiled network, many styles."""
    rates = (1.0, 0.2, 0.2, 1.0)
    order = (0, 1, 1, 0)
    for engine in engines(tmp_path):
        painter = engine.prepare("k", network, 2, 51, 77)
        assert painter.coded
        state, truth = initial_state(painter.channels), torch.from_numpy(initial_state(painter.channels))
        for k, (rate, which) in enumerate(zip(rates, order, strict=True)):
            painted, state = painter.paint(pictures(k), state, rate, codes[which])
            padded = np.pad(pictures(k), ((0, 0), (0, 5), (0, 3), (0, 0)), mode="edge")
            x = torch.from_numpy(padded).permute(0, 3, 1, 2).float() / 255
            statistics = SmoothedStatistics(truth, torch.tensor([rate]), torch.from_numpy(codes[which]))
            wanted = network(x, statistics)[..., :51, :77].permute(0, 2, 3, 1).numpy() * 255
            truth = statistics.new_state()
            error = np.mean((painted.astype(np.float64) - wanted) ** 2)
            assert 10 * np.log10(255**2 / error) >= PSNR["fp32"], (engine.name, k)
        painter.close()


def test_the_code_makes_the_picture(network: CompactNetwork, codes: list[Code], tmp_path: Path) -> None:
    for engine in engines(tmp_path):
        painter = engine.prepare("k", network, 2, 51, 77)
        one, two = (painter.paint(pictures(0), initial_state(painter.channels), 1.0, code)[0] for code in codes)
        again, _ = painter.paint(pictures(0), initial_state(painter.channels), 1.0, codes[0].copy())
        assert np.array_equal(one, again), engine.name
        assert np.abs(one.astype(int) - two).mean() > 5, engine.name


def test_a_missing_or_foreign_code_is_refused(network: CompactNetwork, codes: list[Code], tmp_path: Path) -> None:
    for engine in engines(tmp_path):
        painter = engine.prepare("k", network, 2, 51, 77)
        state = initial_state(painter.channels)
        for code in (None, codes[0][:, :-1], codes[0][0]):
            with pytest.raises(ValueError, match="code"):
                painter.paint(pictures(0), state, 1.0, code)
        plain = engine.prepare("p", network.painter, 2, 51, 77)
        with pytest.raises(ValueError, match="code"):
            plain.paint(pictures(0), state, 1.0, codes[0])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_shipped_network_for_any_painting(precision: str, tmp_path: Path) -> None:
    """Its codes have means and deviations of very different sizes, of which bf16 would keep next to nothing; and still
    every engine paints what torch in fp32 paints, from frame to frame.
    """
    library = Library()
    loader = StyleLoader(library)
    styles = [style for style in library.styles() if style.kind == "shipped" and style.form == "code"]
    assert len(styles) >= 12
    first = loader(styles[0])
    truth = TorchEngine("cpu", "fp32").prepare(first.key, first.network, 2, 51, 77)
    others = [engine.prepare(first.key, first.network, 2, 51, 77) for engine in engines(tmp_path, precision)]
    for style in styles if precision == "bf16" else styles[:4]:
        code = loader(style).code
        assert code is not None
        state = initial_state(truth.channels)
        for k, rate in enumerate((1.0, 0.2)):
            wanted, new_state = truth.paint(pictures(k), state, rate, code)
            for painter in others:
                painted, _ = painter.paint(pictures(k), state, rate, code)
                error = np.mean((painted.astype(np.float64) - wanted) ** 2)
                assert 10 * np.log10(255**2 / max(error, 1e-9)) >= PSNR[precision], style.name
            state = new_state


def test_the_layout_of_memory_makes_no_difference() -> None:
    """Evaluation and training paint channels last, where torch's norm of one picture is inexact far from zero."""
    library = Library()
    loader = StyleLoader(library)
    styles = [style for style in library.styles() if style.kind == "shipped" and style.form == "code"][:4]
    x = torch.from_numpy(pictures(3)).permute(0, 3, 1, 2).contiguous().float() / 255
    for style in styles:
        loaded = loader(style)
        network = loaded.network if isinstance(loaded.network, torch.nn.Module) else loaded.network()
        code = torch.from_numpy(loaded.code)
        with torch.no_grad():
            wanted = network(x, OwnStatistics(code))
            last = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            painted = last(x.contiguous(memory_format=torch.channels_last), OwnStatistics(code))
        assert (painted - wanted).abs().mean() < 0.002, style.name  # half a level


@pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
def test_where_openvino_is_kept_from_bf16_it_paints_in_fp32(tmp_path: Path) -> None:
    """As in some virtual machines: it says that the processor has bf16, and compiles nothing with that."""
    code = (
        "import sys; from tests.stylize.test_coded_engines import *;"
        "torch.manual_seed(4); network = CompactNetwork(8, 8, 8, 1).eval().requires_grad_(False);"
        "engine = choose_engine('openvino', cache=Path(sys.argv[1])).floats; code = network.plain.numpy();"
        "paint = lambda engine, size: engine.prepare('k', network, 2, *size).paint("
        "pictures(0)[:, :size[0], :size[1]], initial_state(network.channels), 1.0, code)[0];"
        "sizes = (51, 77), (51, 77), (32, 40); truth = TorchEngine('cpu', 'fp32');"
        "worst = max(np.abs(paint(engine, s).astype(int) - paint(truth, s)).max() for s in sizes);"
        "print(engine.precision, worst)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    precision, worst = done.stdout.split()
    assert precision == "fp32" and int(worst) <= 1
