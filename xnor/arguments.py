"""What callers hand over: NumPy arrays and torch tensors, looked at without importing torch."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .errors import XnorError

#: The most for a stride, a padding, a dilation, a side of a kernel: the tables of the CUDA kernels are int32.
MAX_SIZE = 2**31 - 1

Pair = int | tuple[int, int]

_NUMPY_TYPES = frozenset({"float16", "float32", "int8", "int16", "int32", "int64"})
_TORCH_TYPES = frozenset({"float16", "bfloat16", "float32", "int8", "int16", "int32", "int64"})


def torch_module() -> Any:
    """torch if the program has imported it (only then can a tensor come in), else None."""
    return sys.modules.get("torch")


def is_tensor(value: object) -> bool:
    torch = torch_module()
    return torch is not None and isinstance(value, torch.Tensor)


def on_gpu(value: Any) -> bool:
    """Whether ``value`` lies in CUDA memory: a torch tensor there, or anything with `__cuda_array_interface__`."""
    if is_tensor(value):
        return bool(value.is_cuda)
    return not isinstance(value, np.ndarray) and hasattr(value, "__cuda_array_interface__")


def is_whole(value: object) -> TypeGuard[int]:
    """Whether ``value`` is an integer of Python, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def pair(value: object, name: str, least: int) -> tuple[int, int]:
    """(vertical, horizontal) from one integer or two. Raises XnorError for anything else, below ``least``, and above
    `MAX_SIZE`.
    """
    both = (value, value) if isinstance(value, int) else value
    if isinstance(both, list):
        both = tuple(both)
    if not isinstance(both, tuple) or len(both) != 2 or not all(isinstance(v, int) for v in both):
        raise XnorError(f"{name} is one integer or a pair of integers, got {value!r}")
    if any(v > MAX_SIZE for v in both):
        raise XnorError(f"{name} must be at most {MAX_SIZE}")
    if any(isinstance(v, bool) or v < least for v in both):
        raise XnorError(f"{name} must be at least {least}, got {value!r}")
    return both


def check_type(value: Any, what: str) -> None:
    """Raises XnorError unless ``value`` is an array or tensor of a type whose signs make sense here.

    float64 is refused because it is nearly always an accident that doubles the memory read; bool and unsigned
    numbers because they have no negative sign.
    """
    name = str(value.dtype).removeprefix("torch.")
    if name not in (_TORCH_TYPES if is_tensor(value) else _NUMPY_TYPES):
        remedy = "convert it to float32 first"
        if name in ("bool", "uint8", "uint16", "uint32", "uint64"):
            remedy = "it has no negative numbers: convert it to float32 signs first"
        raise XnorError(f"{what} has type {name}, which is not taken: {remedy}")


def check_dense(tensor: Any, what: str) -> None:
    """Raises XnorError for sparse tensors, nested ones, and those in a layout of a library behind torch."""
    if tensor.is_nested or tensor.layout != torch_module().strided:
        kind = "a nested one" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        raise XnorError(f"{what} must be a dense tensor, got {kind}")


def check_axes(value: Any, what: str, axes: int) -> None:
    """Raises XnorError unless ``value`` looks like an array, a dense one, and has ``axes`` axes."""
    if is_tensor(value):
        check_dense(value, what)
    elif not hasattr(value, "dtype") or not hasattr(value, "shape"):
        raise XnorError(f"{what} must be a NumPy array or a torch tensor, got {type(value).__name__}")
    if len(value.shape) != axes:
        raise XnorError(f"{what} must have {axes} axes, got shape {tuple(value.shape)}")


def host_floats(value: Any, what: str, axes: int) -> NDArray[np.float32]:
    """``value`` as float32 NumPy with the strides it has (copied only for another type). Raises XnorError."""
    check_axes(value, what, axes)
    if on_gpu(value):
        raise XnorError(f"{what} lies on the GPU but the others do not: move all of them to one device")
    check_type(value, what)
    if is_tensor(value):
        torch = torch_module()
        if value.device.type != "cpu":
            raise XnorError(f"{what} must be a tensor on the CPU or a CUDA GPU, got {value.device.type}")
        array: NDArray[Any] = value.detach().to(torch.float32).resolve_neg().numpy()
    else:
        array = value
    return np.asarray(array).astype(np.float32, copy=False)


def host_vector(value: Any, what: str, size: int) -> NDArray[np.float32] | None:
    """A vector of ``size`` finite numbers as contiguous float32; None stays None. Raises XnorError."""
    if value is None:
        return None
    vector = np.ascontiguousarray(host_floats(value, what, 1))
    if vector.shape != (size,):
        raise XnorError(f"{what} must hold {size} numbers, got {vector.shape[0]}")
    if not np.isfinite(vector).all():
        raise XnorError(f"{what} holds NaN or infinity")
    return vector


def host_map(value: Any, what: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array of ``shape`` without NaN as contiguous float32 (infinities are the caller's). Raises XnorError."""
    array = host_floats(value, what, len(shape))
    if array.shape != shape:
        raise XnorError(f"{what} must have shape {shape}, got {array.shape}")
    if np.isnan(array).any():
        raise XnorError(f"{what} holds NaN")
    return np.ascontiguousarray(array)


def check_no_nan(values: NDArray[np.float32], what: str) -> None:
    """Raises XnorError where ``values`` hold NaN."""
    if np.isnan(values).any():
        raise XnorError(f"{what} holds NaN, which has no sign: clean it before it is binarised")
