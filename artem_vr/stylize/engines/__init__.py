"""What executes a network: OpenVINO, or torch on the CPU or a CUDA GPU, behind one protocol."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from artem_vr.errors import EngineError
from artem_vr.stylize.engines.base import (
    BINARY,
    EIGHT_BITS,
    Engine,
    NetworkOrLoader,
    Painter,
    Pictures,
    State,
    initial_state,
)

__all__ = [
    "BINARY",
    "Engine",
    "NetworkOrLoader",
    "Painter",
    "Pictures",
    "State",
    "choose_engine",
    "engine_for",
    "initial_state",
]

ENGINES = ("auto", "torch", "openvino")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8", "xnor")


def choose_engine(
    name: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    *,
    on_device: Callable[[], bool] = lambda: False,
    cache: Path | None = None,
) -> Engine:
    """The engine asked for; "auto" takes the fastest that is there: CUDA, OpenVINO, torch.

    ``on_device``: whether a CUDA engine leaves painted pictures on the GPU, as (E, H, W, 4) RGBA; it asks before each.
    Raises `EngineError` when what was asked for is not there; "auto" always finds one.
    """
    for value, known in ((name, ENGINES), (device, DEVICES), (precision, PRECISIONS)):
        if value not in known:
            raise EngineError(f"{value!r} is not known here", f"Choose from {', '.join(known)}")
    if name == "openvino" and precision == "xnor":
        raise EngineError("OpenVINO has no binarised convolutions", "Take --engine torch or --precision auto")
    if name == "openvino" and device == "cuda":
        raise EngineError("OpenVINO paints on the CPU only here", "Take --engine torch or --device cpu")
    has_openvino = importlib.util.find_spec("openvino") is not None
    if device == "cuda" or (device == "auto" and name != "openvino" and precision != "bf16" and _cuda_is_likely()):
        from artem_vr.stylize.engines.torch_engine import TorchEngine

        try:
            return TorchEngine("cuda", precision, on_device)
        except EngineError:
            if device == "cuda":
                raise
    if name == "openvino" or (name == "auto" and has_openvino and precision != "xnor"):
        from artem_vr.stylize.engines.openvino_engine import OpenVinoEngine

        try:
            return OpenVinoEngine(precision, cache)
        except EngineError:
            if name == "openvino":
                raise
    from artem_vr.stylize.engines.torch_engine import TorchEngine

    return TorchEngine("cpu", precision)


def engine_for(chosen: Engine, network: NetworkOrLoader) -> Engine:
    """What executes ``network``: the ``chosen`` engine, but torch and `xnor` on its device where it is binarised, and
    floats where 8 bits were chosen and it has no such form."""
    kind = getattr(network, "architecture", "")
    if kind == BINARY and chosen.precision != "xnor":
        from artem_vr.stylize.engines.torch_engine import TorchEngine

        device = chosen.device
        if device == "cuda":
            from xnor.cuda import available

            device = "cuda" if available() else "cpu"  # without the extra "gpu" there is no compiler for its kernels
        return TorchEngine(device, "xnor", on_device=getattr(chosen, "on_device", lambda: False))
    floats: Engine | None = getattr(chosen, "floats", None)
    return floats if floats is not None and kind != EIGHT_BITS else chosen


def _cuda_is_likely() -> bool:
    """Cheap look before torch is imported: a start without a GPU shall not pay for it."""
    import os

    if os.name == "nt":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").is_file()
    return Path("/proc/driver/nvidia").exists() or Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
