"""What does not fit is refused in one line, before any number comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import xnor
from xnor import XnorError, reference

X = np.ones((1, 3, 8, 8), np.float32)
W = np.ones((4, 3, 3, 3), np.float32)
HOLED = X.copy()
HOLED[0, 1, 2, 3] = np.nan
NESTED = torch.nested.nested_tensor([torch.ones(3, 8, 8)], layout=torch.jagged)

CONVOLUTIONS: list[tuple[str, Any, Any, dict[str, Any], str]] = [
    ("0 channels", X[:, :0], W[:, :0], {}, "0 channels"),
    ("no picture", X[:0], W, {}, "empty"),
    ("no pixels", X[..., :0], W, {}, "empty"),
    ("no filters", X, W[:0], {}, "0 filters"),
    ("empty kernel", X, W[..., :0], {}, "kernel is empty"),
    ("large kernel", X, np.ones((4, 3, 9, 9), np.float32), {}, "more than the padded picture's 8x8"),
    ("dilated kernel", X, W, {"dilation": 4}, "9x9"),
    ("other channels", X[:, :2], W, {}, "2 channels do not fit filters of 3"),
    ("groups", X, W, {"groups": 2}, "3 channels do not fit"),
    ("groups of outputs", np.ones((1, 6, 8, 8), np.float32), W[:3], {"groups": 2}, "shared out among 2"),
    ("no groups", X, W, {"groups": 0}, "groups must be a positive"),
    ("float64", X.astype(np.float64), W, {}, "float64"),
    ("float64 filters", X, W.astype(np.float64), {}, "float64"),
    ("float64 tensor", torch.ones(1, 3, 8, 8, dtype=torch.float64), W, {}, "float64"),
    ("unsigned", X.astype(np.uint8), W, {}, "no negative numbers"),
    ("truth values", X > 0, W, {}, "no negative numbers"),
    ("complex", X.astype(np.complex64), W, {}, "complex64"),
    ("NaN", HOLED, W, {}, "NaN"),
    ("NaN, channels last", np.ascontiguousarray(HOLED.transpose(0, 2, 3, 1)), W, {"layout": "NHWC"}, "NaN"),
    ("NaN in filters", X, W * np.nan, {}, "NaN"),
    ("3 axes", X[0], W, {}, "4 axes"),
    ("3 axes of filters", X, W[0], {}, "4 axes"),
    ("a list", [1.0], W, {}, "NumPy array or a torch tensor"),
    ("stride 0", X, W, {"stride": 0}, "stride must be at least 1"),
    ("stride of 3", X, W, {"stride": (1, 1, 1)}, "pair of integers"),
    ("a stride without end", X, W, {"stride": 2**70}, "stride must be at most 2147483647"),
    ("padding without end", X, W, {"padding": (1, 2**31)}, "padding must be at most 2147483647"),
    ("dilation without end", X, W, {"dilation": (10**5000, 1)}, "dilation must be at most 2147483647"),
    ("a kernel that dilation spreads too far", X, W, {"dilation": 2**30, "padding": 2**31 - 1}, "on a side"),
    ("a result that no memory holds", X, W, {"padding": 2**29}, "would hold more than"),
    ("negative padding", X, W, {"padding": -1}, "padding must be at least 0"),
    ("padding 2", X, W, {"padding": 1, "padding_value": 2}, "padding_value is -1, 0 or"),
    ("padding of an array", X, W, {"padding_value": np.zeros(2)}, "padding_value is -1, 0 or"),
    ("layout", X, W, {"layout": "CHWN"}, "layout is NCHW or NHWC"),
    ("back end", X, W, {"backend": "tpu"}, "backend is"),
    ("scale", X, W, {"scale": np.ones(3, np.float32)}, "scale must hold 4"),
    ("NaN in scale", X, W, {"scale": np.full(4, np.nan, np.float32)}, "scale holds NaN"),
    ("thresholds", X, W, {"thresholds": np.ones(4, np.float32)}, "thresholds must hold 3"),
    ("input scale", X, W, {"input_scale": np.ones((1, 1, 8, 8), np.float32)}, "input_scale must have shape"),
    ("NaN in input scale", X, W, {"input_scale": np.full((1, 1, 6, 6), np.nan, np.float32)}, "input_scale holds NaN"),
    ("a sparse tensor", torch.ones(1, 3, 8, 8).to_sparse(), W, {}, "pictures must be a dense tensor, got sparse_coo"),
    ("sparse filters", X, torch.ones(4, 3, 3, 3).to_sparse(), {}, "filters must be a dense tensor, got sparse_coo"),
    ("sparse scale", X, W, {"scale": torch.ones(4).to_sparse()}, "scale must be a dense tensor, got sparse_coo"),
    ("nested tensors", NESTED, W, {}, "a dense tensor, got a nested one"),
    ("float of 8 bits", torch.ones(1, 3, 8, 8).to(torch.float8_e5m2), W, {}, "float8_e5m2"),
    ("meta tensor", torch.ones(1, 3, 8, 8, device="meta"), W, {}, "CPU or a CUDA GPU, got meta"),
]  # fmt: skip


@pytest.mark.parametrize(("pictures", "filters", "options", "says"), [c[1:] for c in CONVOLUTIONS], ids=[
    c[0] for c in CONVOLUTIONS
])  # fmt: skip
def test_convolutions(pictures: Any, filters: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(XnorError, match=says) as caught:
        xnor.conv2d(pictures, filters, **options)
    assert "\n" not in str(caught.value) and isinstance(caught.value, ValueError)


A, B = np.ones((4, 70), np.float32), np.ones((70, 5), np.float32)


@pytest.mark.parametrize(
    ("left", "right", "options", "says"),
    [
        (A, B[:69], {}, "left sums over 70 and right over 69"),
        (A[:, :0], B[:0], {}, "no signs to sum"),
        (A[:0], B, {}, "the product is empty"),
        (A, B[:, :0], {}, "the product is empty"),
        (A.astype(np.float64), B, {}, "float64"),
        (A, B.astype(np.float64), {}, "float64"),
        (A * np.nan, B, {}, "NaN"),
        (A, B * np.nan, {}, "right holds NaN"),
        (A[0], B, {}, "2 axes"),
        (A, xnor.pack_matrix(B), {}, "left sums over 70 and right over 5"),
        (A, B, {"scale": np.ones(4, np.float32)}, "scale must hold 5"),
        (A, B, {"row_scale": np.ones(5, np.float32)}, "row_scale must hold 4"),
        (
            np.lib.stride_tricks.as_strided(np.ones(1, np.float32), (1, 2**30 + 1), (0, 0)),
            np.lib.stride_tricks.as_strided(np.ones(1, np.float32), (2**30 + 1, 1), (0, 0)),
            {}, "accumulator is safe only up to 1073741824",
        ),
    ],
)  # fmt: skip
def test_products(left: Any, right: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(XnorError, match=says):
        xnor.gemm(left, right, **options)


def test_an_array_on_a_gpu_beside_one_that_is_not() -> None:
    class OnGpu:
        __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012
        dtype, shape = np.dtype(np.float32), (4, 3, 3, 3)

    with pytest.raises(XnorError, match="different devices"):
        xnor.conv2d(X, OnGpu())
    with pytest.raises(XnorError, match="lies on the GPU"):
        xnor.conv2d(OnGpu(), W, backend="cpu")


def test_cuda_without_a_gpu_says_so() -> None:
    from xnor import cuda

    if cuda.available():
        pytest.skip("a GPU is there")
    with pytest.raises(XnorError, match="needs an NVIDIA GPU"):
        xnor.conv2d(X, W, backend="cuda")
    with pytest.raises(XnorError, match="needs an NVIDIA GPU"):
        xnor.gemm(A, B, backend="cuda")


ONE_WORD = np.zeros((2, 1), np.uint64)


@pytest.mark.parametrize(
    ("channels", "kernel", "says"),
    [
        (3, (2,), "kernel of packed filters is one integer or a pair of integers"),
        (3, (2, 2, 1), "kernel of packed filters is one integer or a pair of integers"),
        (3, (2.0, 2), "kernel of packed filters is one integer or a pair of integers"),
        (3, (0, 2), "no signs to sum"),
        (3, (2**40, 2), "kernel of packed filters must be at most"),
        (3.0, (2, 2), "channels of packed filters are a positive integer, got 3.0"),
        (True, (2, 2), "channels of packed filters are a positive integer, got True"),
        (-1, (-2, 1), "channels of packed filters are a positive integer, got -1"),
        (1, (-2, -1), "kernel of packed filters must be at least 0"),
        (0, (2, 2), "no signs to sum"),
    ],
)
def test_sizes_of_packed_filters(channels: Any, kernel: Any, says: str) -> None:
    with pytest.raises(XnorError, match=says):
        xnor.PackedFilters(ONE_WORD, channels, kernel)


@pytest.mark.parametrize("bits", [3.0, True, None, -1])
def test_sizes_of_packed_matrices(bits: Any) -> None:
    with pytest.raises(XnorError, match=r"whole numbers|no signs to sum"):
        xnor.PackedMatrix(ONE_WORD, bits)


def test_no_filters_to_pack() -> None:
    for none in (np.zeros((0, 3, 3, 3), np.float32), torch.zeros(0, 3, 3, 3)):
        with pytest.raises(XnorError, match="0 filters to pack"):
            xnor.pack_weights(none)


def test_the_longest_strides_are_taken() -> None:
    longest = 2**31 - 1
    for stride in (longest, (1, longest), (longest, 2)):
        both = stride if isinstance(stride, tuple) else (stride, stride)
        expected = reference.conv2d(X, W, stride=both, padding=(1, 1))
        assert (xnor.conv2d(X, W, stride=stride, padding=1) == expected).all()


def test_arrays_in_any_place_and_order_are_taken() -> None:
    """Read-only ones, ones that begin between two words, that run backwards, and tensors whose sign is only noted."""
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 7), dtype=np.float32)
    w = np.random.default_rng(1).standard_normal((4, 3, 3, 3), dtype=np.float32)
    fixed = x.copy()
    fixed.flags.writeable = False
    between = np.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    between[:] = x
    imaginary = torch.complex(torch.from_numpy(x), torch.from_numpy(-x)).conj().imag
    assert imaginary.is_neg()
    with torch.inference_mode():
        inferred = torch.from_numpy(x) * 1
    for given in (
        fixed, between, x[:, ::-1].copy()[:, ::-1], x[..., ::-1].copy()[..., ::-1], np.repeat(x, 2, axis=3)[..., ::2],
        imaginary, inferred, torch.from_numpy(x.copy()).requires_grad_(),
    ):  # fmt: skip
        assert (np.asarray(xnor.conv2d(given, w)) == reference.conv2d(x, w)).all()


def test_infinities_have_a_sign() -> None:
    x = X.copy()
    x[0, 0, 0, 0], x[0, 1, 0, 0] = np.inf, -np.inf
    assert (xnor.conv2d(x, W) == reference.conv2d(x, W)).all()
