"""CUDA graphs live beside each other, and are captured while other threads use the same device."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork
from artem_vr.stylize.engines import initial_state
from artem_vr.stylize.engines.graph import PictureGraph
from artem_vr.stylize.engines.torch_engine import TorchCudaPainter, TorchEngine

MEGABYTE = 2**20


class Watching(TorchDispatchMode):
    """Notes what is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("network", [FastNetwork(8, 8, 8, 1), CompactNetwork(8, 8, 8, 1), JohnsonNetwork()])
def test_nothing_that_is_captured_is_a_product_of_matrices(network: Any) -> None:
    """CUDA's library gives them a memory that is another graph's, too, and gone when one of both is."""
    graph = PictureGraph(network.eval().requires_grad_(False))
    code = torch.zeros(2, graph.channels) if graph.coded else None
    with torch.inference_mode(), Watching() as watching:
        graph(torch.zeros(2, 64, 64, 3, dtype=torch.uint8), torch.zeros(2, graph.channels), torch.ones(1), code)
    assert watching.seen & {"conv2d", "convolution"}
    assert not watching.seen & {"mm", "addmm", "bmm", "baddbmm", "matmul", "linear", "mv", "dot"}


@pytest.mark.gpu
def test_a_painter_goes_on_when_another_one_is_closed() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    engine, eyes = TorchEngine("cuda"), np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), np.uint8)
    networks = [FastNetwork(8, 8, 8, 1).eval().requires_grad_(False) for _ in range(3)]
    first, second = (engine.prepare(str(k), networks[k], 2, 64, 80) for k in range(2))
    state = initial_state(first.channels)
    wanted = first.paint(eyes, state, 1.0)[0].copy()
    second.paint(eyes, state, 1.0)
    second.close()
    third = engine.prepare("2", networks[2], 2, 64, 80)  # which empties torch's cache
    third.paint(eyes, state, 1.0)
    assert np.array_equal(first.paint(eyes, state, 1.0)[0], wanted)


def test_before_each_painting_it_is_asked_whether_that_shall_stay_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the textures of OpenGL turn out to be elsewhere, the next painting comes in the host's memory.

    CUDA is played: what a painter has there lies in the host's memory.
    """
    monkeypatch.setattr(torch.cuda, "stream", contextlib.nullcontext)
    answers = [True, True, False, False]
    painter: Any = object.__new__(TorchCudaPainter)
    painter.eyes, painter.height, painter.width, painter.channels, painter.coded = 2, 6, 8, 3, False
    painter._on_device, painter._padded, painter._code = lambda: answers.pop(0), (8, 8), None
    painter._stream = SimpleNamespace(synchronize=lambda: None)
    painter._staging, painter._pictures = (torch.zeros(2, 8, 8, 3, dtype=torch.uint8) for _ in range(2))
    painter._state, painter._rate = torch.zeros(2, 3), torch.ones(1)
    painter._painted, painter._new_state = painter._pictures, painter._state
    painter._graph = SimpleNamespace(replay=lambda: None)
    eyes = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    painted = [painter.paint(eyes, initial_state(3), 1.0)[0] for _ in range(4)]
    assert [type(pictures) for pictures in painted] == [torch.Tensor] * 2 + [np.ndarray] * 2
    for pictures in painted:
        assert np.array_equal(np.asarray(pictures)[..., :3], eyes)


@pytest.mark.gpu
def test_a_painter_is_made_while_another_thread_paints_and_takes_memory() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FastNetwork(8, 8, 8, 1).eval().requires_grad_(False)
    engine = TorchEngine("cuda", on_device=lambda: True)

    def painting(painter: Any) -> torch.Tensor:
        eyes = np.random.default_rng(0).integers(0, 256, (2, painter.height, painter.width, 3), np.uint8)
        painted, _ = painter.paint(eyes, initial_state(painter.channels), 1.0)
        return painted.cpu().int()

    old = engine.prepare("old", network, 2, 64, 80)
    wanted = painting(old)
    stop, busy = threading.Event(), threading.Semaphore(0)
    failures: list[BaseException] = []

    def work() -> None:
        """Each round asks for more memory than the one before: the driver's, not what torch still holds."""
        size = 0
        try:
            while not stop.is_set():
                size = size % 256 + 1
                torch.empty(size * MEGABYTE, dtype=torch.uint8, device="cuda")
                assert (painting(old) - wanted).abs().max() == 0
                busy.release()
        except BaseException as error:  # noqa: BLE001 (it is the main thread that fails the test)
            failures.append(error)
            busy.release()

    worker = threading.Thread(target=work)
    worker.start()
    made = []
    try:
        for height in range(64, 128, 4):
            assert busy.acquire(timeout=60)
            made.append(painting(engine.prepare("new", network, 2, height, 80)))
    finally:
        stop.set()
        worker.join(60)
    assert failures == []
    for height, painted in zip(range(64, 128, 4), made, strict=True):
        alone = painting(engine.prepare("new", network, 2, height, 80))
        assert (painted - alone).abs().max() <= 2  # another kernel may have been chosen
