"""Every engine paints what torch fp32 paints, over a sequence with a cut; and says what it runs."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from artem_vr import assets
from artem_vr.errors import EngineError
from artem_vr.hardware import cpu_has_bf16
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.networks.layers import InstanceNorm
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines import Engine, choose_engine, initial_state
from artem_vr.stylize.engines.graph import loaded
from artem_vr.stylize.engines.openvino_engine import read_container, write_container
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.loading import load_network_style
from artem_vr.stylize.statistics import smoothing_rate

PSNR = {"fp32": 45.0, "bf16": 30.0, "int8": 30.0}
"""Decibels against torch fp32. bf16 has 8 bits of mantissa: 0.4 % a value."""

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="OpenVINO is an extra")


def small() -> nn.Module:
    return FastNetwork(16, 16, 16, 1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of this file: each network is converted once."""
    return tmp_path_factory.mktemp("cache")


def network(seed: int = 0, kind: Callable[[], nn.Module] = small) -> nn.Module:
    """Random weights, norms that do something, colours that neither saturate nor fade."""
    torch.manual_seed(seed)
    net = kind().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, InstanceNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return net


def film(frames: int, eyes: int, height: int, width: int, cut: int) -> list[np.ndarray]:
    """Drifting blobs; at frame ``cut`` other, darker ones."""
    result = []
    for i in range(frames):
        rng = np.random.default_rng(1 if i < cut else 2)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
        pair = []
        for eye in range(eyes):
            picture = np.full((height, width, 3), 150.0 if i < cut else 60.0, np.float32)
            for _ in range(12):
                cy, cx = rng.uniform(0, 1, 2)
                blob = np.exp(-((y - cy - 0.004 * i) ** 2 + (x - cx + 0.01 * eye) ** 2) * 120)
                picture += blob[..., None] * rng.uniform(-150, 150, 3).astype(np.float32)
            rng = np.random.default_rng(1 if i < cut else 2)
            pair.append(np.clip(picture, 0, 255).astype(np.uint8))
        result.append(np.stack(pair))
    return result


def play(engine: Engine, net: nn.Module, pictures: list[np.ndarray], cut: int, key: str = "k") -> tuple[list, list]:
    painter = engine.prepare(key, net, *pictures[0].shape[:3])
    state = initial_state(painter.channels)
    painted, states = [], []
    for i, eyes in enumerate(pictures):
        rate = 1.0 if i in (0, cut) else smoothing_rate(1 / 30)
        result, state = painter.paint(eyes, state, rate)
        painted.append(result)
        states.append(state)
    painter.close()
    return painted, states


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def engines(cache: Path) -> list[Engine]:
    found: list[Engine] = [choose_engine("openvino", precision="fp32", cache=cache)]
    found.append(choose_engine("openvino", precision="int8", cache=cache))
    if cpu_has_bf16():
        found += [choose_engine("openvino", precision="bf16", cache=cache), TorchEngine("cpu", "bf16")]
    return found


@pytest.mark.parametrize("shape", [(2, 96, 128), (1, 67, 90), (2, 45, 131)])
def test_engines_agree_over_a_sequence_with_a_cut(cache: Path, shape: tuple[int, int, int]) -> None:
    net, cut = network(), 3
    pictures = film(6, *shape, cut)
    truth, true_states = play(TorchEngine("cpu", "fp32"), net, pictures, cut)
    for engine in engines(cache):
        painted, states = play(engine, net, pictures, cut)
        for i, (picture, wanted) in enumerate(zip(painted, truth, strict=True)):
            assert picture.shape == wanted.shape == (*shape, 3) and picture.dtype == np.uint8
            assert psnr(picture, wanted) >= PSNR[engine.precision], (engine.name, engine.precision, i)
        for state, wanted in zip(states, true_states, strict=True):
            deviation = np.sqrt(wanted[1] + 1e-4)
            assert np.abs(state[0] - wanted[0]).max() < (0.002 if engine.precision == "fp32" else 0.2) * deviation.max()


@pytest.mark.parametrize("kind", ["random", "shipped"])
def test_the_reference_is_the_network_itself(kind: str) -> None:
    """torch fp32, frame by frame with rate 1, is the bare network with the statistics of the batch.

    It is given its own deviations and means as a code is: of all but flat channels, which random networks have, that
    makes no difference.
    """
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.layers import SmoothedStatistics, own_code, statistics_channels

    shipped = kind == "shipped"
    net = load_network(assets.folder("weights") / "starry_night.safetensors")[0] if shipped else network()
    (eyes,) = film(1, 2, 50, 70, 9)
    (painted,), _ = play(TorchEngine("cpu", "fp32"), net, [eyes], 9)
    code = None if shipped else own_code(net)
    with torch.no_grad():
        x = torch.from_numpy(eyes).permute(0, 3, 1, 2).float() / 255
        y = net(x, SmoothedStatistics(torch.zeros(2, statistics_channels(net)), torch.ones(1), code))
    wanted = (y * 255 + 0.5).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    assert np.abs(painted.astype(int) - wanted).max() <= 1


def test_both_eyes_are_equal_for_equal_inputs(cache: Path) -> None:
    net = network()
    (mono,) = film(1, 1, 64, 72, 9)
    eyes = np.concatenate([mono, mono])
    for engine in [TorchEngine("cpu", "fp32"), *engines(cache)]:
        (painted,), (state,) = play(engine, net, [eyes], 9)
        assert np.array_equal(painted[0], painted[1]), (engine.name, engine.precision)
        (alone,), (state_alone,) = play(engine, net, [mono], 9)
        assert psnr(alone[0], painted[0]) > 40  # a mono frame looks as if both eyes saw it
        assert np.allclose(state, state_alone, atol=0.02 * np.abs(state_alone).max())


def test_a_rate_of_zero_freezes_the_state(cache: Path) -> None:
    net = network()
    first, second = film(2, 2, 64, 64, 1)
    for engine in [TorchEngine("cpu", "fp32"), *engines(cache)]:
        painter = engine.prepare("k", net, 2, 64, 64)
        _, state = painter.paint(first, initial_state(painter.channels), 1.0)
        kept = state.copy()
        _, after = painter.paint(second, state, 0.0)
        assert np.allclose(after, kept, atol=1e-6) and np.array_equal(state, kept)


def test_results_are_memory_of_their_own(cache: Path) -> None:
    first, second = film(2, 2, 64, 64, 1)
    for engine in [TorchEngine("cpu", "fp32"), *engines(cache)]:
        painter = engine.prepare("k", network(), 2, 64, 64)
        painted, state = painter.paint(first, initial_state(painter.channels), 1.0)
        kept, kept_state = painted.copy(), state.copy()
        painter.paint(second, state, 1.0)
        assert np.array_equal(painted, kept) and np.array_equal(state, kept_state)


def test_johnson_in_openvino(tmp_path: Path) -> None:
    net = network(1, JohnsonNetwork)
    net.blocks = net.blocks[:1]  # type: ignore[index]  # converts faster
    pictures = film(2, 1, 40, 52, 1)
    truth, _ = play(TorchEngine("cpu", "fp32"), net, pictures, 1)
    painted, _ = play(choose_engine("openvino", precision="fp32", cache=tmp_path), net, pictures, 1)
    assert min(map(psnr, painted, truth)) >= PSNR["fp32"]


@pytest.mark.parametrize(
    "style",
    [s for s in Library().styles() if s.kind == "shipped" and s.form == "network" and not s.binarised],
    ids=lambda s: s.name,
)
def test_shipped_weights(style: Style, converted: Path) -> None:
    network = loaded(load_network_style(style).network)
    pictures = film(4, 2, 128, 160, 2)
    truth, _ = play(TorchEngine("cpu", "fp32"), network, pictures, 2)
    for engine in engines(converted):
        painted, _ = play(engine, network, pictures, 2, style.name)
        assert min(map(psnr, painted, truth)) >= PSNR[engine.precision] - 2, engine.precision


def test_wrong_pictures_and_closed_painters(cache: Path) -> None:
    for engine in [TorchEngine("cpu", "fp32"), *engines(cache)]:
        painter = engine.prepare("k", network(), 2, 64, 64)
        state = initial_state(painter.channels)
        for wrong in (np.zeros((1, 64, 64, 3), np.uint8), np.zeros((2, 64, 64, 3), np.float32)):
            with pytest.raises(ValueError, match="pictures are"):
                painter.paint(wrong, state, 1.0)  # type: ignore[arg-type]
        painter.close()
        painter.close()
        with pytest.raises(ValueError, match="closed"):
            painter.paint(np.zeros((2, 64, 64, 3), np.uint8), state, 1.0)


def never() -> nn.Module:
    raise AssertionError("the network was loaded")


def test_the_cache_saves_the_conversion_and_survives_damage(tmp_path: Path) -> None:
    net = network()
    pictures = film(1, 1, 64, 64, 9)

    engine = choose_engine("openvino", precision="fp32", cache=tmp_path)
    truth, _ = play(engine, net, pictures, 9)
    play(engine, net, film(1, 2, 96, 80, 9), 9)
    assert engine.conversions == 1  # type: ignore[attr-defined]
    (file,) = tmp_path.glob("*.model")
    good = file.read_bytes()

    def forget_what_was_compiled() -> None:
        for compiled in tmp_path.glob("*.compiled"):
            compiled.unlink()

    forget_what_was_compiled()
    again = choose_engine("openvino", precision="fp32", cache=tmp_path)
    (painted,), _ = play(again, never, pictures, 9)  # type: ignore[arg-type]
    assert psnr(painted, truth[0]) > 50
    damaged = bytearray(good)
    damaged[-20] ^= 255
    for content in (b"", good[: len(good) // 2], bytes(damaged)):
        forget_what_was_compiled()
        file.write_bytes(content)
        other = choose_engine("openvino", precision="fp32", cache=tmp_path)
        (painted,), _ = play(other, net, pictures, 9)
        assert other.conversions == 1, len(content)  # type: ignore[attr-defined]
        assert psnr(painted, truth[0]) > 50
        assert len(file.read_bytes()) > 1000 and file.read_bytes()[-100:] != damaged[-100:]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no stacks for signals")
def test_signals_are_heard_after_engines_have_gone(tmp_path: Path) -> None:
    """OpenVINO's cores take a stack for signals with them: Ctrl-C after a picture was painted was a crash."""
    code = (
        "import gc, signal, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from artem_vr.networks.fast import FastNetwork\n"
        "from artem_vr.stylize.engines import choose_engine, initial_state\n"
        "engines = [choose_engine('openvino', precision='fp32', cache=Path(sys.argv[1])) for _ in range(3)]\n"
        "for engine in engines:\n"
        "    painter = engine.prepare('x', FastNetwork(8, 8, 8, 1).eval(), 1, 64, 64)\n"
        "    painter.paint(np.zeros((1, 64, 64, 3), np.uint8), initial_state(painter.channels), 1.0)\n"
        "    painter.close()\n"
        "while engines:\n"
        "    del engines[0], engine, painter\n"
        "    engine = painter = None\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_what_was_compiled_is_taken_up_again_and_damage_is_noticed(tmp_path: Path) -> None:
    pictures, compilations = film(3, 2, 72, 64, 9), []

    def watched(precision: str = "fp32") -> Engine:
        engine = choose_engine("openvino", precision=precision, cache=tmp_path)
        compile_model = engine._core.compile_model  # type: ignore[attr-defined]

        class Core:
            import_model, read_model = engine._core.import_model, engine._core.read_model  # type: ignore[attr-defined]

            def compile_model(self, *arguments: Any) -> Any:
                compilations.append(arguments)
                return compile_model(*arguments)

        engine._core = Core()  # type: ignore[attr-defined]
        return engine

    truth, truth_state = play(watched(), network(), pictures, 9)
    assert len(compilations) == 1
    painted, state = play(watched(), never, pictures, 9)  # type: ignore[arg-type]
    assert len(compilations) == 1 and all(map(np.array_equal, painted, truth)) and np.array_equal(state, truth_state)
    play(watched(), network(), film(1, 1, 72, 64, 9), 9)  # another size
    assert len(compilations) == 2
    for file in tmp_path.glob("*.compiled"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    painted, _ = play(watched(), network(), pictures, 9)
    assert len(compilations) == 3 and all(map(np.array_equal, painted, truth))


def test_no_more_than_so_many_compiled_models_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artem_vr.stylize.engines.openvino_engine.MOST_COMPILED", 2)
    engine = choose_engine("openvino", precision="fp32", cache=tmp_path)
    first, *others = (film(1, 1, size, 64, 9) for size in (64, 72, 80))
    play(engine, network(), first, 9)
    (used,) = tmp_path.glob("*.compiled")
    for pictures in others:
        os.utime(used, (0, 0))
        play(engine, network(), first, 9)  # of the others it is the one used last
        play(engine, network(), pictures, 9)
    assert used.exists() and len(list(tmp_path.glob("*.compiled"))) == 2


def test_what_nobody_uses_any_more_leaves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of other versions, and what an interrupted writing left; nothing that somebody may just be writing."""
    monkeypatch.setattr("artem_vr.stylize.engines.openvino_engine.MOST_MODELS", 3)
    days = {
        "old.model": 31, "old.compiled": 31, ".old.model.1.ab.part": 1.1, "most.model": 4, "note.txt": 999,
        "third.model": 3, "second.model": 2, "new.compiled": 29, ".new.model.2.ab.part": 0.5,
    }  # fmt: skip
    for name, age in days.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age * 86400,) * 2)
    (tmp_path / "folder.part").mkdir()
    os.utime(tmp_path / "folder.part", (0, 0))
    play(choose_engine("openvino", precision="fp32", cache=tmp_path), network(), film(1, 1, 64, 64, 9), 9)
    assert {name for name in days if not (tmp_path / name).exists()} == set(list(days)[:4])
    assert (tmp_path / "folder.part").exists() and len(list(tmp_path.glob("*.model"))) == 3


def test_what_is_used_stays_in_the_cache(tmp_path: Path) -> None:
    """Also a converted model of which only what was compiled is taken up."""
    for size in (64, 64, 72):
        play(choose_engine("openvino", precision="fp32", cache=tmp_path), network(), film(1, 1, size, 64, 9), 9)
        (model,) = tmp_path.glob("*.model")
        assert time.time() - model.stat().st_mtime < 3600
        os.utime(model, (0, 0))


def test_the_container_refuses_everything_but_itself(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.model"
    write_container(path, "key", {"multiple": 8}, b"<xml/>", bytes(range(200)))
    found = read_container(path, "key")
    assert found is not None and found[1:] == (b"<xml/>", bytes(range(200))) and found[0]["multiple"] == 8
    assert read_container(path, "other key") is None and read_container(tmp_path / "none", "key") is None
    good = path.read_bytes()
    for position in range(0, len(good), 7):
        path.write_bytes(good[:position])
        assert read_container(path, "key") is None
    for position in range(len(good) - 206, len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        assert read_container(path, "key") is None
    path.write_bytes(good + b"x")
    assert read_container(path, "key") is None


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"multiple": 8', b'"multiple": 4'),
        (b'"xml": 6', b'"xml": 5'),
        (b'"size": 206', b'"size": 1e99'),
        (b'"size": 206', b'"size": Infinity'),
        (b'"multiple": 8', b'"multiple": ' + 1500 * b"[" + 1500 * b"]"),
    ],
)
def test_a_header_that_says_something_else_is_refused(tmp_path: Path, said: bytes, instead: bytes) -> None:
    path = tmp_path / "x.model"
    write_container(path, "key", {"multiple": 8}, b"<xml/>", bytes(range(200)))
    good = path.read_bytes()
    assert good.count(said) == 1
    path.write_bytes(good.replace(said, instead))
    assert read_container(path, "key") is None


def test_openvino_does_not_report_home() -> None:
    code = (
        "import sys; from artem_vr.stylize.engines import choose_engine; choose_engine('openvino');"
        "assert not [m for m in sys.modules if 'openvino_telemetry' in m];"
        "from openvino.tools.ovc import telemetry; assert 'stub' in type(telemetry).__module__"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    engine = choose_engine("openvino", precision="fp32", cache=tmp_path)
    pictures = film(1, 1, 64, 64, 9)
    (one,), _ = play(engine, network(0), pictures, 9, "a")
    (two,), _ = play(engine, network(7), pictures, 9, "b")
    assert not np.array_equal(one, two) and len(list(tmp_path.glob("*.model"))) == 2


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = choose_engine("openvino", precision="fp32", cache=tmp_path / "file" / "cache")
    play(engine, network(), film(1, 1, 64, 64, 9), 9)


def test_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        assert choose_engine(cache=tmp_path).name == "openvino"
        if platform.machine() in ("x86_64", "AMD64"):
            assert choose_engine(cache=tmp_path).precision == "int8"
        with pytest.raises(EngineError, match="CUDA"):
            choose_engine(device="cuda")
    assert choose_engine("torch", "cpu", "fp32").precision == "fp32"
    for wrong in (("tensorflow",), ("auto", "tpu"), ("auto", "auto", "fp8"), ("openvino", "cuda")):
        with pytest.raises(EngineError):
            choose_engine(*wrong)
    assert choose_engine(precision="xnor", cache=tmp_path).name == "torch"  # wherever OpenVINO runs the others
    with pytest.raises(EngineError):
        choose_engine("torch", "cpu", "fp16")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match="not installed"):
        choose_engine("openvino")
    assert choose_engine("auto", "cpu").name == "torch"


def test_an_openvino_that_is_not_whole_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        def get_property(self, *_: str) -> None:
            raise RuntimeError('Exception from core.cpp:268:\nDevice with "CPU" name is not registered\n\n')

    monkeypatch.setattr("artem_vr.stylize.engines.openvino_engine._core", Core)
    assert choose_engine("auto", "cpu").name == "torch"
    with pytest.raises(EngineError, match=r'does not start here \(Device with "CPU" name is not registered\)'):
        choose_engine("openvino")
