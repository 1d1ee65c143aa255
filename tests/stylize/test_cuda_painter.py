"""CUDA graphs are captured while other threads use the same device."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from artem_vr.networks.fast import FastNetwork
from artem_vr.stylize.engines import initial_state
from artem_vr.stylize.engines.torch_engine import TorchEngine

MEGABYTE = 2**20


@pytest.mark.gpu
def test_a_painter_is_made_while_another_thread_paints_and_takes_memory() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FastNetwork(8, 8, 8, 1).eval().requires_grad_(False)
    engine = TorchEngine("cuda", on_device=True)

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
