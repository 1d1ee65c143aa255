"""What torch can use of this machine. Imports torch when it is asked."""

from __future__ import annotations

from functools import cache

from artem_vr.errors import is_lack_of_memory


@cache
def cuda_trouble() -> str:
    """Why torch cannot compute on a CUDA GPU here, in one line; empty where it can.

    One small kernel is run: of a card for which the installed torch has no code, `torch.cuda.is_available` says yes.
    """
    import torch

    if not torch.cuda.is_available():
        return "torch sees no CUDA GPU"
    return cuda_failure()


def cuda_failure() -> str:
    """Why torch does not compute on the CUDA GPU now, in one line; after some errors it never does again."""
    import torch

    try:
        torch.ones(2, device="cuda").sum().item()
    except RuntimeError as error:
        return next(iter(str(error).splitlines()), type(error).__name__)
    return ""


def gpu_is_lost(device: str, error: Exception) -> bool:
    """Whether ``error``, of what was computed on ``device``, means that nothing is computed on the GPU any more, as
    after a reset of the driver."""
    return device == "cuda" and not is_lack_of_memory(error) and bool(cuda_failure())


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware; emulated it is slower than fp32."""
    import torch

    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return supported is not None and bool(supported())
