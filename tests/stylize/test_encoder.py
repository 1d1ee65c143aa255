"""Any picture becomes a code: whatever its shape, once per file of weights, from any thread."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from artem_vr.errors import WeightsError
from artem_vr.networks import checkpoint
from artem_vr.networks.checkpoint import save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import OwnStatistics
from artem_vr.sources.pictures import decode_picture
from artem_vr.styles.library import Library
from artem_vr.stylize.encoder import LEAST_SIDE, MOST_PROPORTION, STROKE_SIZE, Encoder, readable


def painting(height: int = 90, width: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("weights") / "compact.safetensors"
    torch.manual_seed(0)
    return path, save_network(path, CompactNetwork(16, 16, 16, 1, late_blocks=0, reach=1))  # of the shipped one's shape


@pytest.mark.parametrize(("size", "share"), [((900, 1200), 0.5), ((400, 4000), 1.0)])
def test_a_new_picture_costs_less_than_to_paint_once(size: tuple[int, int], share: float) -> None:
    """What the first painting in a new style waits for, in multiplications, beside one painting of two eyes.

    Of what is shipped, at its own sizes: reading the picture and tuning its code. Seconds are `bench`'s to measure.
    """
    compact = Library(own=Path("nowhere")).compact
    assert compact is not None
    encoder = Encoder(*compact)
    network = encoder.network()
    with FlopCounterMode(display=False) as painting_once, torch.no_grad():
        network(torch.zeros(2, 3, 512, 512), OwnStatistics(torch.from_numpy(encoder.plain)))
    with FlopCounterMode(display=False) as reading:
        encoder.encode(painting(*size))
    assert 0 < reading.get_total_flops() < share * painting_once.get_total_flops()


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 700), stroke_size=st.integers(32, 640))
def test_what_is_read_has_a_size_that_can_be_read(height: int, width: int, stroke_size: int) -> None:
    read = readable(np.zeros((height, width, 3), np.uint8), stroke_size)
    assert read.dtype == np.uint8 and min(read.shape[:2]) >= LEAST_SIDE
    assert max(read.shape[:2]) <= max(LEAST_SIDE, MOST_PROPORTION * stroke_size + 1)
    if max(height, width) < 3 * min(height, width) and min(height, width) >= stroke_size / 4:
        assert min(read.shape[:2]) == stroke_size
        assert read.shape[1] / read.shape[0] == pytest.approx(width / height, rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (31, 33), (5000, 7000)])
def test_every_size_gives_a_finite_code(weights: tuple[Path, str], size: tuple[int, int]) -> None:
    encoder = Encoder(*weights)
    code = encoder.encode(np.full((*size, 3), 77, np.uint8))
    assert code.shape == encoder.plain.shape and code.dtype == np.float32 and np.isfinite(code).all()


def test_a_picture_at_its_own_size_is_not_touched() -> None:
    picture = painting(STROKE_SIZE, STROKE_SIZE + 9)
    assert np.array_equal(readable(picture), picture)


def test_reading_is_antialiased() -> None:
    checks = np.zeros((1344, 1344, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    assert np.abs(readable(checks).astype(int) - 127).max() < 12  # grey, and no moire


def test_codes_are_the_networks_own_and_repeatable(weights: tuple[Path, str]) -> None:
    path, digest = weights
    encoder, network = Encoder(path), checkpoint.load_network(path)[0]
    assert isinstance(network, CompactNetwork)
    picture = painting(64, 96)
    expected = network.encode(torch.tensor(readable(picture, 96)).permute(2, 0, 1)[None] / 255)[0]
    np.testing.assert_allclose(encoder.encode(picture, 96), expected.numpy(), atol=1e-5)
    assert np.array_equal(encoder.encode(picture, 96), encoder.encode(picture, 96))
    assert not np.array_equal(encoder.encode(picture, 96), encoder.encode(picture, 64))  # larger strokes
    assert encoder.key == digest and np.array_equal(encoder.plain, network.plain.numpy())


def test_a_kept_code_has_a_picture_that_gives_nearly_the_same_code(weights: tuple[Path, str]) -> None:
    encoder = Encoder(*weights)
    picture = np.kron(painting(12, 16), np.ones((50, 50, 1), np.uint8))
    kept, other = encoder.code(picture, "Squares"), encoder.code(255 - picture)
    assert kept.network == encoder.key and kept.title == "Squares"
    assert np.array_equal(kept.values, encoder.encode(picture))
    again = encoder.encode(decode_picture(kept.picture))
    assert np.abs(again - kept.values).mean() < 0.1 * np.abs(other.values - kept.values).mean()


def test_many_threads_load_it_once(weights: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    load = checkpoint.load_network

    def counted(*words: object) -> object:
        loads.append(1)
        return load(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "load_network", counted)
    encoder, found = Encoder(*weights), []
    threads = [threading.Thread(target=lambda: found.append(encoder.network())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1 and len(found) == 6 and len(set(map(id, found))) == 1


def test_weights_that_cannot_be_used(weights: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="sha256"):
        Encoder(weights[0], "0" * 64).encode(painting())
    with pytest.raises(WeightsError):
        _ = Encoder(tmp_path / "none").key
    save_network(tmp_path / "fast.safetensors", FastNetwork(8, 8, 8, 1))
    with pytest.raises(WeightsError, match="train adain"):
        Encoder(tmp_path / "fast.safetensors").network()
