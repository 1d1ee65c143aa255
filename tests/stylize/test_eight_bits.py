"""Pictures painted in 8 bits: as good as in floats, without a lattice, and really computed in integers."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from artem_vr.evaluation.lattice import VISIBLE, probes, worst_lattice
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import UpsampleConv
from artem_vr.sources.demo import DemoSource
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines import choose_engine, engine_for, initial_state
from artem_vr.stylize.engines.base import Painter, pack, unpack
from artem_vr.stylize.engines.blocks import BlockForm
from artem_vr.stylize.engines.eight_bits import LEVELS, WEIGHT_LEVELS, EightBits, rounded_together
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.loading import load_network_style

STYLES = [s for s in Library().styles() if s.kind == "shipped" and s.form == "network" and not s.binarised]
by_name = pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
needs_openvino = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="OpenVINO is an extra")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def network(style: Style) -> FastNetwork:
    found = load_network_style(style).network
    found = found if isinstance(found, nn.Module) else found()
    assert isinstance(found, FastNetwork)
    return found


def settled(convolution: nn.Conv2d, pictures: Tensor, inputs_alike: int = 1, alike: Tensor | None = None) -> EightBits:
    result = EightBits(convolution, inputs_alike, alike)
    with torch.no_grad():
        result(pictures)
    result.settle()
    return result


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(1, 4))
def test_weights_are_rounded_and_so_are_their_sums(seed: int, channels: int, groups: int, n: int, phases: int) -> None:
    random = np.random.default_rng(seed)
    x = torch.from_numpy(random.normal(0, 20, (channels, phases, groups, n)).astype(np.float32))
    x[..., -1] += x[:, :1].sum(3) - x.sum(3)  # phases of a channel have one sum
    alike = torch.arange(channels).repeat_interleave(phases)
    rounded = rounded_together(x.flatten(0, 1), alike)
    assert torch.equal(rounded, rounded.round()) and (rounded - x.flatten(0, 1)).abs().max() <= 1
    sums = rounded.sum(2).reshape(channels, phases, groups)
    assert torch.equal(sums, sums[:, :1].expand_as(sums))
    assert (sums - x.sum(3)).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_in_eight_bits_is_nearly_itself(stride: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(24, 16, 3, stride, padding=1, padding_mode="replicate")
    x = torch.randn(2, 24, 20, 28) * torch.logspace(-1, 1, 24)[:, None, None] + torch.linspace(-3, 3, 24)[:, None, None]
    with torch.no_grad():
        wanted = convolution(x)
        rounded = settled(convolution, x)
        found = rounded(x)
        assert 20 * torch.log10(wanted.std() / (found - wanted).square().mean().sqrt()) > 30
        lowest = rounded.lowest[:, None, None]  # what no picture had is clipped, and does not wrap around
        clipped = torch.clamp(10 * x, lowest, lowest + LEVELS * rounded.step[:, None, None])
        assert torch.allclose(rounded(10 * x), rounded(clipped), atol=1e-4) and not torch.equal(clipped, 10 * x)
    assert (rounded.weight / rounded.weight_step[:, None, None, None]).abs().max() <= WEIGHT_LEVELS + 1e-3
    assert 2 * LEVELS * WEIGHT_LEVELS < 2**15  # what a processor without VNNI adds in 16 bits


def test_phases_of_a_constant_are_equal() -> None:
    """Of an upsampling folded into a convolution: else the rounding of weights would be seen as a lattice."""
    torch.manual_seed(1)
    up = UpsampleConv(12, 5, 3)
    folded = nn.Conv2d(12, 20, 3, padding=1, padding_mode="replicate")
    with torch.no_grad():
        folded.weight.copy_(up.folded_weight())
        folded.bias.zero_()  # type: ignore[union-attr]
        x = torch.randn(1, 12, 8, 8) * 4
        rounded = settled(folded, x, alike=torch.arange(20) // 4)
        phases = rounded(torch.randn(12)[None, :, None, None].expand(1, 12, 8, 8)).reshape(5, 4, 64)
    assert np.ptp(phases.numpy(), axis=(1, 2)).max() < 1e-4 < phases.std(dim=0).mean()


@by_name
def test_shipped_styles_have_no_lattice_in_eight_bits(style: Style) -> None:
    """Ramps are bytes here, and a tinted one in bytes has steps that repeat: floats may show those, too."""
    floats = BlockForm(network(style))
    rounded = floats.in_eight_bits()
    state = torch.from_numpy(initial_state(floats.channels))

    def lattice(form: BlockForm, picture: Tensor) -> float:
        whole = (picture * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
        with torch.no_grad():
            blocks, _ = form(torch.from_numpy(pack(whole)), state, torch.ones(1))
        return float(worst_lattice(torch.from_numpy(unpack(blocks.numpy())).permute(0, 3, 1, 2) / 255))

    for name, picture in probes(256, 256).items():
        assert lattice(rounded, picture) < max(VISIBLE, 1.2 * lattice(floats, picture)), name


def painted_in_floats_and_eight_bits(net: FastNetwork, cache: Path, key: str = "k") -> tuple[float, float]:
    """Decibels of OpenVINO's 8 bits against torch fp32, over three frames of the demo; and against the definition."""
    shots = iter(DemoSource(width=320, height=256, rate=30).read, None)
    truth = TorchEngine("cpu", "fp32").prepare("k", net, 2, 256, 320)
    found = choose_engine("openvino", "cpu", "int8", cache=cache).prepare(key, net, 2, 256, 320)
    true_state = state = initial_state(truth.channels)
    worst, form = 99.0, BlockForm(net).in_eight_bits()
    for number, shot in enumerate(itertools.islice(shots, 3)):
        eyes, rate = np.stack(list(shot.eyes)), 0.2 if number else 1.0
        defined, _ = form(torch.from_numpy(pack(eyes)), torch.from_numpy(state), torch.tensor([rate]))
        wanted, true_state = truth.paint(eyes, true_state, rate)
        painted, state = found.paint(eyes, state, rate)
        worst = min(worst, psnr(painted, wanted))
    return worst, psnr(painted, unpack(defined.numpy()))


@needs_openvino
@by_name
def test_shipped_styles_in_eight_bits_are_those_in_fp32(style: Style, converted: Path) -> None:
    against_fp32, against_definition = painted_in_floats_and_eight_bits(network(style), converted, style.name)
    assert against_fp32 > 38 and against_definition > 45


@needs_openvino
@pytest.mark.parametrize("most", ["", "AVX2"])
def test_older_processors_paint_the_same(most: str, tmp_path: Path) -> None:
    """Without products of 8 bits (VNNI) OpenVINO adds pairs of them in 16 bits; there both are the same test."""
    code = (
        "import sys; from pathlib import Path; from tests.stylize.test_eight_bits import *;"
        "print(*painted_in_floats_and_eight_bits(network(STYLES[0]), Path(sys.argv[1])))"
    )
    allowed = {"ONEDNN_MAX_CPU_ISA": most} if most else {}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | allowed,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    against_fp32, against_definition = map(float, done.stdout.split())
    assert against_fp32 > 38 and against_definition > 45


@needs_openvino
def test_openvino_computes_in_integers_and_floats_are_for_the_others(tmp_path: Path) -> None:
    net = network(STYLES[0])
    chosen = choose_engine("openvino", "cpu", "int8", cache=tmp_path)
    painter = chosen.prepare("k", net, 1, 64, 64)
    kinds = kinds_of_convolutions(painter)
    every = sum(isinstance(module, EightBits) for module in BlockForm(net).in_eight_bits().modules())
    assert every == 2 * 4 + 5  # of four blocks, and the others
    assert len(kinds) == every and all("I8" in kind.upper() for kind in kinds), kinds
    assert engine_for(chosen, net) is chosen
    compact = CompactNetwork()
    floats = engine_for(chosen, compact)
    assert floats.name == "openvino" and floats.precision in ("fp32", "bf16")
    assert engine_for(chosen, compact) is floats and engine_for(floats, compact) is floats
    with pytest.raises(ValueError, match="no 8-bit form"):
        chosen.prepare("k", compact, 1, 64, 64)
    with pytest.raises(ValueError, match="no 8-bit form"):
        BlockForm(compact.painter, coded=True).in_eight_bits()


def kinds_of_convolutions(painter: Painter) -> list[str]:
    """What executes each convolution of a network, but those of 1x1, which copy edges (`blocks.edge_phases`)."""
    model = painter._request.get_compiled_model().get_runtime_model()  # type: ignore[attr-defined]
    found = [(i["layerType"].value, i["primitiveType"].value) for i in (op.get_rt_info() for op in model.get_ops())]
    return [primitive for kind, primitive in found if kind == "Convolution" and "1x1" not in primitive]
