"""The CUDA back end against the specification. Run under Numba's simulator and on a real GPU; not collected by itself.

Arrays come as NumPy arrays, which the back end copies to the GPU (or what the simulator takes for one) and back.
"""

from __future__ import annotations

from typing import Any

import numba.cuda
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import xnor
from tests.xnor.cases import CHANNELS, Case, check_results_are_tensors
from xnor import XnorError, cuda, reference
from xnor.cuda_kernels import TILE
from xnor.geometry import geometry

BACKENDS: tuple[xnor.operations.Backend, ...] = ("cuda", "cpu", "reference")

#: Small: under the simulator every thread of every block is a thread of Python.
CASES = (
    Case(height=3, width=4, kernel=(1, 1), outputs=2),
    Case(height=4, width=5, padding=(1, 1)),
    Case(height=4, width=5, padding=(2, 1), padding_value=1, dilation=(2, 1)),
    Case(height=5, width=4, padding=(1, 1), padding_value=-1, stride=(2, 1), kernel=(2, 3)),
    Case(height=4, width=7, padding=(1, 2), stride=(1, 2), dilation=(1, 2), kernel=(2, 3)),
    Case(height=6, width=5, padding=(0, 1), stride=(2, 1), dilation=(2, 1), kernel=(3, 2), padding_value=-1),
    Case(batch=2, channels=66, outputs=4, height=3, width=4, groups=2, padding=(1, 1), kernel=(3, 2)),
    Case(channels=4, outputs=4, groups=4, height=4, width=4, kernel=(2, 2)),
    Case(channels=2, height=5, width=5, outputs=TILE + 2, kernel=(2, 2)),  # two tiles of outputs
    Case(channels=1, height=TILE // 8 + 1, width=10, outputs=2, kernel=(2, 2), padding=(1, 1)),  # two tiles of pixels
    Case(
        batch=2, channels=4, height=TILE // 8, width=8, outputs=2 * TILE + 2, kernel=(2, 2), padding=(1, 1), groups=2
    ),  # tiles of all
    Case(channels=70, height=4, width=4, outputs=2, kernel=(3, 3)),  # more words than a step
    # words of one tap each
    Case(batch=2, channels=64, outputs=4, height=3, width=4, groups=2, padding=(1, 1), padding_value=1, kernel=(3, 2)),
    Case(channels=96, outputs=2, height=5, width=4, padding=(2, 1), stride=(1, 2), dilation=(2, 1), kernel=(2, 3)),
)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution(case: Case, layout: xnor.operations.Layout) -> None:
    x, w = case.arrays()
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    result = xnor.conv2d(x, w, layout=layout, backend="cuda", **case.options)
    assert result.dtype == np.int32
    assert ((result if layout == "NCHW" else result.transpose(0, 3, 1, 2)) == case.expected()).all()


@pytest.mark.parametrize("channels", CHANNELS)
def test_channel_counts(channels: int) -> None:
    case = Case(channels=channels, height=2, width=3, outputs=3, kernel=(2, 2), padding=(1, 0))
    x, w = case.arrays()
    for last in (False, True):
        given = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if last else x
        assert (xnor.conv2d(given, w, backend="cuda", **case.options) == case.expected()).all()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_scaled(layout: xnor.operations.Layout) -> None:
    case = Case(batch=2, channels=6, outputs=4, height=4, width=3, groups=2, padding=(1, 1))
    x, w = case.arrays()
    random = np.random.default_rng(1)
    scale, bias, thresholds = (random.standard_normal(n, dtype=np.float32) for n in (4, 4, 6))
    spread = random.standard_normal((2, 2, 4, 3), dtype=np.float32)
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    choices: tuple[dict[str, Any], ...] = (
        {"scale": scale, "bias": bias, "thresholds": thresholds, "input_scale": spread},
        {"scale": scale},
        {"bias": bias, "thresholds": thresholds},
    )
    for options in choices:
        expected = xnor.conv2d(x, w, layout=layout, backend="reference", **case.options, **options)
        result = xnor.conv2d(x, w, layout=layout, backend="cuda", **case.options, **options)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 65, 5), (5, 33, 66), (66, 130, 2), (2, 600, 3)])
def test_product(size: tuple[int, int, int]) -> None:
    m, k, n = size
    random = np.random.default_rng(k)
    a, b = random.standard_normal((m, k), dtype=np.float32), random.standard_normal((k, n), dtype=np.float32)
    expected = reference.gemm(a, b)
    assert (xnor.gemm(a, b, backend="cuda") == expected).all()
    if m * n < 50:
        assert (xnor.gemm(np.asfortranarray(a), np.asfortranarray(b), backend="cuda") == expected).all()
        assert (xnor.gemm(xnor.pack_matrix(a), xnor.pack_matrix(b.T), backend="cuda") == expected).all()
        scale, rows = np.full(n, 0.5, np.float32), np.arange(m, dtype=np.float32)
        scaled = xnor.gemm(torch.from_numpy(a), b, scale=scale, row_scale=rows, backend="cuda")
        np.testing.assert_allclose(scaled.numpy(), expected * 0.5 * rows[:, None], rtol=1e-6)


def test_the_kernel_without_bits() -> None:
    random = np.random.default_rng(0)
    x, w = (
        random.standard_normal((2, 4, 5, 4), dtype=np.float32),
        random.standard_normal((6, 2, 3, 3), dtype=np.float32),
    )
    g = geometry((2, 4, 5, 4), 6, 2, (3, 3), padding=1, stride=(1, 2), groups=2)
    expected = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w), None, (1, 2), 1, 1, 2)
    np.testing.assert_allclose(cuda.general_conv2d(x, w, g), expected.numpy(), rtol=1e-4, atol=1e-4)


def test_grids_lie_on_x(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU takes 65535 blocks on y and on z; the simulator takes any number."""
    launches = recorded_launches(monkeypatch)
    case = Case(batch=2, channels=66, outputs=2, height=2, width=2, groups=2, kernel=(1, 1))
    x, w = case.arrays()
    xnor.conv2d(x, w, groups=2, backend="cuda")
    xnor.conv2d(x.transpose(0, 2, 3, 1).copy(), w, groups=2, layout="NHWC", backend="cuda")
    xnor.gemm(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32), backend="cuda")
    cuda.general_conv2d(x, w, geometry(x.shape, 2, 33, (1, 1), groups=2))
    grids = [grid for grid, _, _ in launches]
    assert grids == [4, 4, 1, 4, 1, 1, 1, 4]  # pack_planes, convolve; pack_pixels, convolve; both, multiply; general


def test_the_least_of_kernels_runs() -> None:
    number = numba.cuda.to_device(np.zeros(1, np.int32))
    cuda._kernel("write_one")[1, 1](number)
    assert number.copy_to_host().tolist() == [1]


def test_more_blocks_than_a_gpu_takes() -> None:
    assert cuda.blocks(65536, 4, 8191) == 65536 * 4 * 8191
    assert cuda.blocks(2**31 - 1) == 2**31 - 1
    with pytest.raises(XnorError, match="2147483648 blocks of threads are needed"):
        cuda.blocks(65536, 32768)


def test_more_places_than_a_kernel_counts() -> None:
    beyond = geometry((1, 1, 50_000, 50_000), 1, 1, (1, 1))
    with pytest.raises(XnorError, match="2500000000 places are more than the 2147418112"):
        cuda._convolution_blocks(beyond, TILE)


def test_bad_input() -> None:
    x, w = Case(height=4, width=4).arrays()
    x[0, 1, 2, 3] = np.nan
    for given in (x, np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)):
        with pytest.raises(XnorError, match="NaN"):
            xnor.conv2d(given, w, backend="cuda")
    with pytest.raises(XnorError, match="NaN"):
        xnor.gemm(x[0, 1], x[0, 0], backend="cuda")
    with pytest.raises(XnorError, match="float64"):
        xnor.conv2d(x.astype(np.float64), w, backend="cuda")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": np.ones(4, np.float32)}, "scale must hold 5"),
        ({"scale": np.full(5, np.nan, np.float32)}, "scale holds NaN"),
        ({"scale": [1.0] * 5}, "scale must be a NumPy array or a torch tensor, got list"),
        ({"bias": np.full(5, np.inf, np.float32)}, "bias holds NaN or infinity"),
        ({"bias": np.ones(5)}, "bias has type float64"),
        ({"thresholds": np.full(3, np.nan, np.float32)}, "thresholds holds NaN"),
        ({"input_scale": np.full((1, 1, 2, 2), np.nan, np.float32)}, "input_scale holds NaN"),
        ({"input_scale": np.ones((1, 1, 4, 4), np.float32)}, "input_scale must have shape"),
    ],
)  # fmt: skip
def test_what_stands_beside_the_signs_is_checked_as_on_the_cpu(options: dict[str, Any], says: str) -> None:
    x, w = Case(height=4, width=4).arrays()
    for backend in BACKENDS:
        with pytest.raises(XnorError, match=says):
            xnor.conv2d(x, w, backend=backend, **options)


def test_a_product_checks_what_stands_beside_the_signs() -> None:
    a, b = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    for name, size in (("scale", 4), ("bias", 4), ("row_scale", 2)):
        for given, says in ((np.full(size, np.nan, np.float32), "holds NaN"), ([1.0] * size, "got list")):
            for backend in BACKENDS:
                with pytest.raises(XnorError, match=f"{name} .*{says}"):
                    xnor.gemm(a, b, backend=backend, **{name: given})


def test_a_tensor_among_the_operands_makes_the_result_one() -> None:
    """The CPU's back end is asked in test_cpu.py: its kernels would be compiled once more here."""
    for backend in ("cuda", "reference"):
        check_results_are_tensors(backend)


def test_arrays_of_another_library_on_the_gpu() -> None:
    """Anything with `__cuda_array_interface__`; in the simulator its own arrays stand in, with that name on them."""
    case = Case(height=3, width=4, kernel=(2, 2), outputs=2, padding=(1, 1))
    x, w = case.arrays()
    scale = np.array([0.5, -2.0], np.float32)
    there = on_gpu(x)
    for filters in (on_gpu(w), xnor.pack_weights(on_gpu(w)), xnor.pack_weights(w)):
        result = xnor.conv2d(there, filters, padding=1)
        assert (result.copy_to_host() == case.expected()).all()
    scaled = xnor.conv2d(there, on_gpu(w), padding=1, scale=on_gpu(scale))
    np.testing.assert_allclose(scaled.copy_to_host(), case.expected() * scale[:, None, None])
    with pytest.raises(XnorError, match="pictures and filters lie on different devices"):
        xnor.conv2d(there, w)
    with pytest.raises(XnorError, match="filters holds NaN"):
        xnor.conv2d(there, on_gpu(w * np.nan))
    with pytest.raises(XnorError, match="contiguous float32, got float64"):
        xnor.conv2d(there, on_gpu(w), scale=on_gpu(scale.astype(np.float64)))


def test_arrays_of_another_library_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What their stream has to do on them comes first, and ours is done with them when a call returns."""
    happened = []
    view_of = getattr(numba.cuda, "as_cuda_array", lambda value, sync: value)
    default_stream = numba.cuda.default_stream

    def watched_view(value: Any, sync: bool = True) -> Any:
        happened.append("theirs" if sync else "nothing")
        return view_of(value, sync)

    class WatchedStream:
        def synchronize(self) -> None:
            happened.append("ours")
            default_stream().synchronize()

    monkeypatch.setattr(numba.cuda, "as_cuda_array", watched_view, raising=False)
    monkeypatch.setattr(numba.cuda, "default_stream", WatchedStream)
    x, w = Case(height=2, width=2, kernel=(1, 1), outputs=2).arrays()
    packed = xnor.pack_weights(w)
    xnor.conv2d(on_gpu(x), packed)
    assert happened == ["theirs", "ours"]
    happened.clear()
    xnor.conv2d(on_gpu(x), packed, scale=on_gpu(np.ones(2, np.float32)))
    assert happened == ["theirs", "theirs", "ours"]
    happened.clear()
    xnor.pack_weights(on_gpu(w))
    assert happened == ["theirs", "ours"]
    happened.clear()
    xnor.conv2d(x, packed, backend="cuda")
    assert happened == []


def test_arrays_that_numba_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards:
        def bind(self) -> Any:
            return self

        def copy_to_host(self) -> Any:
            raise NotImplementedError("not implemented for negative strides")

    def refuse(value: Any, sync: bool) -> Any:
        raise NotImplementedError("masked arrays are not supported")

    x, w = Case(height=2, width=2, kernel=(1, 1), outputs=2).arrays()
    monkeypatch.setattr(numba.cuda, "as_cuda_array", refuse, raising=False)
    with pytest.raises(XnorError, match="masked"):
        xnor.conv2d(on_gpu(x), xnor.pack_weights(w))
    monkeypatch.setattr(numba.cuda, "as_cuda_array", lambda value, sync: Backwards(), raising=False)
    with pytest.raises(XnorError, match="negative strides"):
        xnor.pack_weights(on_gpu(w))


@pytest.fixture
def posing(monkeypatch: pytest.MonkeyPatch) -> object:
    """In the simulator: tensors on the CPU pass for tensors on a GPU. Gives what stands for torch's current stream.

    Numba must not copy their memory to the host: it would not do so in the order of that stream.
    """
    if not getattr(numba.config, "ENABLE_CUDASIM", 0):
        pytest.skip("test_cuda.py has tensors that are on the GPU")
    array_type = type(numba.cuda.to_device(np.zeros(1)))

    class Stream:
        cuda_stream = 7

    stream = Stream()

    def view_of(tensor: torch.Tensor, sync: bool) -> Any:
        assert not tensor.requires_grad and tensor.is_contiguous() and not tensor.is_neg() and not sync
        return array_type(tensor.numpy())

    def copied(*_: Any, **__: Any) -> None:
        raise AssertionError("copied by Numba")

    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: True))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(numba.cuda, "external_stream", lambda pointer: stream if pointer == 7 else None)
    monkeypatch.setattr(numba.cuda, "as_cuda_array", view_of, raising=False)
    monkeypatch.setattr(array_type, "copy_to_host", copied)
    return stream


def test_what_is_done_to_tensors_is_done_on_torchs_stream(posing: object, monkeypatch: pytest.MonkeyPatch) -> None:
    launches = recorded_launches(monkeypatch)
    case = Case(height=3, width=4, channels=33, kernel=(2, 2), padding=(1, 0), outputs=2)
    x, w = (torch.from_numpy(array) for array in case.arrays())
    packed = xnor.pack_filters(w.numpy())
    for given in (x, x.to(memory_format=torch.channels_last), x.bfloat16().requires_grad_()):
        for filters in (w, packed):
            result = xnor.conv2d(given, filters, padding=(1, 0))
            assert isinstance(result, torch.Tensor) and (result.numpy() == case.expected()).all()
    left, right = torch.randn(3, 40), torch.randn(40, 2)
    for a in (left, left.t().contiguous().t(), xnor.pack_matrix(left.numpy().copy())):
        assert (xnor.gemm(a, right).numpy() == reference.gemm(left, right)).all()
    assert launches and all(stream is posing for _, _, stream in launches)


@pytest.mark.usefixtures("posing")
def test_tensors_whose_sign_is_only_noted() -> None:
    x, w = Case(height=3, width=3, outputs=2).arrays()
    scale = np.array([0.5, 2], np.float32)

    def noted(values: NDArray[np.float32]) -> torch.Tensor:
        real = torch.from_numpy(values)
        view = torch.complex(real, -real).conj().imag
        assert view.is_neg()
        return view

    result = xnor.conv2d(noted(x), noted(w), scale=noted(scale))
    np.testing.assert_allclose(result.numpy(), reference.conv2d(x, w) * scale[:, None, None])


@pytest.mark.usefixtures("posing")
def test_what_stands_beside_the_signs_of_tensors_is_checked() -> None:
    x, w = (torch.from_numpy(array) for array in Case(height=3, width=3, outputs=2).arrays())
    with pytest.raises(XnorError, match="scale has type float64"):
        xnor.conv2d(x, w, scale=torch.ones(2, dtype=torch.float64))
    with pytest.raises(XnorError, match="bias has type bool"):
        xnor.conv2d(x, w, bias=torch.ones(2, dtype=torch.bool))
    with pytest.raises(XnorError, match="thresholds must be a dense tensor"):
        xnor.conv2d(x, w, thresholds=torch.ones(3).to_sparse())
    with pytest.raises(XnorError, match="the input holds NaN"):
        xnor.conv2d(x * torch.nan, w)


def recorded_launches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """(grid, block, stream) of all kernels that are launched from now on."""
    launches: list[Any] = []
    kernel_of = cuda._kernel

    class Recorded:
        def __init__(self, name: str) -> None:
            self.kernel = kernel_of(name)

        def __getitem__(self, configuration: Any) -> Any:
            launches.append(configuration)
            return self.kernel[configuration]

    monkeypatch.setattr(cuda, "_kernel", Recorded)
    return launches


def on_gpu(values: NDArray[Any]) -> Any:
    there = numba.cuda.to_device(values)
    if not hasattr(there, "__cuda_array_interface__"):
        kind = type(there)
        there.__class__ = type("OnGpu", (kind,), {"__cuda_array_interface__": {}})
    return there
