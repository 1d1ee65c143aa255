"""Styles of bits run live: on torch and the xnor kernels, beside styles that another engine runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from artem_vr.errors import EngineError, StyleError
from artem_vr.mailbox import Mailbox
from artem_vr.networks.binary import BinaryNetwork
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import SmoothedStatistics, statistics_channels
from artem_vr.sources.frame import StereoFrame
from artem_vr.styles.deck import Deck
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import choose_engine, engine_for, initial_state
from artem_vr.stylize.engines.torch_engine import TorchEngine
from artem_vr.stylize.loading import load_network_style
from artem_vr.stylize.stylizer import Stylizer
from artem_vr.training.publish import publish


def bits(seed: int = 0) -> BinaryNetwork:
    torch.manual_seed(seed)
    return BinaryNetwork(quarter=8, half=8, words=1, layers=2).packed()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """``sunset`` in real numbers and in bits, ``dawn`` in real numbers alone, ``mine`` in bits and the user's own."""
    torch.manual_seed(0)
    own = tmp_path / "own"
    networks = {"sunset": FastNetwork(8, 8, 8, 1), "dawn": FastNetwork(8, 8, 8, 1), "sunset_xnor": bits()}
    for name, network in networks.items():
        save_network(tmp_path / "new.safetensors", network)
        publish(tmp_path / "new.safetensors", tmp_path / "shipped", name, name.title())
    save_network(own / "mine.safetensors", bits(1))
    return Library(tmp_path / "shipped", own)


class Other:
    """An engine as OpenVINO is one: it has no way to run bits."""

    name, precision, device, pixels_per_second = "other", "bf16", "cpu", 1e12

    def prepare(self, style_key: str, network: Any, eyes: int, height: int, width: int) -> Any:
        assert not isinstance(network(), BinaryNetwork)
        return TorchEngine("cpu", "fp32").prepare(style_key, network, eyes, height, width)


def test_the_engine_paints_what_the_network_paints_frame_after_frame() -> None:
    network = bits()
    engine = choose_engine(precision="xnor", device="cpu")
    assert (engine.name, engine.precision, engine.device) == ("torch", "xnor", "cpu")
    painter = engine.prepare("k", network, 2, 45, 61)
    state = initial_state(painter.channels)
    known = torch.zeros(2, statistics_channels(network))
    rng = np.random.default_rng(0)
    for rate in (1.0, 0.2, 0.2):
        eyes = rng.integers(0, 256, (2, 45, 61, 3), np.uint8)
        painted, state = painter.paint(eyes, state, rate)
        statistics = SmoothedStatistics(known, torch.tensor([rate]))
        with torch.no_grad():
            wanted = network(torch.from_numpy(eyes).permute(0, 3, 1, 2).float() / 255, statistics)
        known = statistics.new_state()
        assert painted.shape == eyes.shape and np.abs(painted - 255 * wanted.permute(0, 2, 3, 1).numpy()).mean() < 2


def test_other_networks_are_refused_in_one_line() -> None:
    with pytest.raises(EngineError, match="no bits"):
        TorchEngine("cpu", "xnor").prepare("k", FastNetwork(8, 8, 8, 1), 1, 64, 64)
    with pytest.raises(EngineError, match="--engine torch"):
        choose_engine("openvino", precision="xnor")


def test_only_bits_leave_the_chosen_engine(library: Library) -> None:
    chosen = Other()
    for name in ("sunset", "dawn"):
        assert engine_for(chosen, load_network_style(library.find(name)).network) is chosen
    for network in (load_network_style(library.find("mine")).network, bits()):  # a loader, and a network itself
        other = engine_for(chosen, network)
        assert (other.name, other.precision, other.device) == ("torch", "xnor", "cpu")
        assert engine_for(other, network) is other


def test_the_deck_goes_from_real_numbers_to_bits_and_back(library: Library) -> None:
    frames: Mailbox[StereoFrame] = Mailbox()
    deck = Deck([style.name for style in library.styles()], "sunset")
    stylizer = Stylizer(frames, deck, library, Other(), scale=1.0)
    stylizer.start()
    try:
        eyes, seen = np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), np.uint8), {}
        for count, style in enumerate(("sunset", "sunset_xnor", "mine", "dawn")):
            deck.select(style)
            end = time.monotonic() + 120
            while style not in seen and time.monotonic() < end:
                frames.put(StereoFrame(eyes, time.perf_counter(), count))
                painted = stylizer.painted.take(timeout=1.0)
                if painted is not None and painted.style == style:
                    state = stylizer.state()
                    seen[style] = (state.engine, state.precision, painted.pictures.shape)
            assert style in seen, stylizer.state().message
    finally:
        stylizer.stop()
    assert seen["sunset"] == seen["dawn"] == ("other", "bf16", (2, 64, 80, 3))
    assert seen["sunset_xnor"] == seen["mine"] == ("torch", "xnor", (2, 64, 80, 3))


def test_precision_xnor_finds_the_binarised_version(library: Library, tmp_path: Path) -> None:
    assert [s.name for s in library.styles_for("auto")] == ["sunset", "dawn", "sunset_xnor", "mine"]
    assert [s.name for s in library.styles_for("xnor")] == ["sunset_xnor", "mine"]
    for name in ("sunset", "Sunset", "sunset_xnor"):
        assert library.find_for("xnor", name).name == "sunset_xnor"
    assert library.find_for("xnor", "mine").name == "mine"
    assert library.find_for("auto", "sunset").name == "sunset"
    with pytest.raises(StyleError, match=r"no binarised version of dawn.*sunset"):
        library.find_for("xnor", "dawn")
    for name, known in (("starry.safetensors", False), ("mine.safetensors", True)):  # a file is what is in it
        kept = next(s.path for s in library.styles() if s.name == ("mine" if known else "sunset"))
        outside = tmp_path / name.replace("starry", "sunset").replace("mine", "other")
        outside.write_bytes(kept.read_bytes())
        if known:
            assert library.find_for("xnor", str(outside)).path == outside
        else:
            with pytest.raises(StyleError, match="no binarised version of"):
                library.find_for("xnor", str(outside))
    nothing = library.own / "none"
    with pytest.raises(StyleError, match="no binarised style"):
        Library(nothing, nothing).styles_for("xnor")


@pytest.mark.parametrize(
    "style", [s for s in Library().styles() if s.kind == "shipped" and s.binarised], ids=lambda s: s.name
)
def test_shipped_styles_of_bits(style: Any) -> None:
    """The engine paints what the network paints, and both eyes alike."""
    load = load_network_style(style).network
    network = load()
    y, x = np.mgrid[0:96, 0:112].astype(np.float32)
    waves = [127 + 100 * np.sin(x / (9 + c) + c) * np.cos(y / 13) for c in range(3)]
    eyes = np.stack([np.stack(waves, axis=-1)] * 2).astype(np.uint8)
    painter = TorchEngine("cpu", "xnor").prepare("k", network, *eyes.shape[:3])
    painted, _ = painter.paint(eyes, initial_state(painter.channels), 1.0)
    statistics = SmoothedStatistics(torch.zeros(2, statistics_channels(network)), torch.ones(1))
    with torch.no_grad():
        wanted = network(torch.from_numpy(eyes).permute(0, 3, 1, 2).float() / 255, statistics)
    difference = np.abs(painted - 255 * wanted.permute(0, 2, 3, 1).numpy())
    assert difference.mean() < 2 and painted.std() > 20
    assert np.array_equal(painted[0], painted[1])


@pytest.mark.gpu
def test_on_a_gpu_the_replayed_graph_paints_the_same() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    network = bits()
    eyes = np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), np.uint8)
    painted = []
    for device in ("cpu", "cuda"):
        painter = TorchEngine(device, "xnor").prepare("k", network, 2, 64, 80)
        for rate in (1.0, 0.2):  # the second time with the same graph
            result, _ = painter.paint(eyes, initial_state(painter.channels), rate)
        painted.append(result.astype(np.float32))
    assert np.abs(painted[0] - painted[1]).mean() < 8  # fp16 turns some signs
