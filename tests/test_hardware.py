"""What torch can use of a machine, tried, not only asked for."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from artem_vr import hardware  # noqa: E402
from artem_vr.errors import EngineError  # noqa: E402
from artem_vr.stylize.engines import choose_engine  # noqa: E402
from artem_vr.training.cli import chosen_device  # noqa: E402

NO_CODE = "CUDA error: no kernel image is available for execution on the device\nCompile with TORCH_USE_CUDA_DSA"


@pytest.fixture
def old_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU that torch sees, and for which this build of it has no code."""

    def ones(*sizes: int, device: str = "cpu") -> Any:
        raise RuntimeError(NO_CODE)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr("artem_vr.stylize.engines._cuda_is_likely", lambda: True)
    hardware.cuda_trouble.cache_clear()
    yield
    hardware.cuda_trouble.cache_clear()


def test_a_card_for_which_torch_has_no_code_is_not_taken(old_card: None) -> None:
    assert hardware.cuda_trouble() == NO_CODE.splitlines()[0]
    assert choose_engine().device == "cpu"
    with pytest.raises(EngineError, match=r"no kernel image.*built for CUDA and this card"):
        choose_engine(device="cuda")
    assert chosen_device("auto").type == "cpu"
    with pytest.raises(EngineError, match="no kernel image"):
        chosen_device("cuda")


def test_without_a_card_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    hardware.cuda_trouble.cache_clear()
    assert "no CUDA GPU" in hardware.cuda_trouble()
    hardware.cuda_trouble.cache_clear()


@pytest.mark.parametrize(("compiler", "device"), [(True, "cuda"), (False, "cpu")])
def test_bits_are_painted_on_the_processor_where_their_kernels_cannot_be_compiled(
    monkeypatch: pytest.MonkeyPatch, compiler: bool, device: str
) -> None:
    from artem_vr.stylize.engines import BINARY, engine_for
    from artem_vr.stylize.engines.torch_engine import TorchEngine

    monkeypatch.setattr("artem_vr.stylize.engines.torch_engine.cuda_trouble", lambda: "")
    monkeypatch.setattr("xnor.cuda.available", lambda: compiler)
    network: Any = SimpleNamespace(architecture=BINARY)
    engine = engine_for(TorchEngine("cuda"), network)
    assert (engine.device, engine.precision) == (device, "xnor")


@pytest.mark.parametrize(("compiler", "device"), [(True, "cuda"), (False, "cpu")])
def test_precision_xnor_takes_the_gpu_only_where_the_kernels_of_bits_can_be_compiled(
    monkeypatch: pytest.MonkeyPatch, compiler: bool, device: str
) -> None:
    monkeypatch.setattr("artem_vr.stylize.engines._cuda_is_likely", lambda: True)
    monkeypatch.setattr("artem_vr.stylize.engines.torch_engine.cuda_trouble", lambda: "")
    monkeypatch.setattr("xnor.cuda.available", lambda: compiler)
    engine = choose_engine(precision="xnor")
    assert (engine.name, engine.device, engine.precision) == ("torch", device, "xnor")
    if not compiler:
        with pytest.raises(EngineError, match=r"networks of bits do not run on the GPU.*--device cpu"):
            choose_engine(device="cuda", precision="xnor")
