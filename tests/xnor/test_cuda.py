"""The CUDA kernels: under Numba's simulator everywhere, as PTX where NVVM is, on a GPU where one is."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

import xnor
from tests.xnor.cases import SHAPES, Case
from xnor import reference

CHECKS = Path(__file__).with_name("cuda_checks.py")


def run_checks(**environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)],
        env={**os.environ, **environment}, cwd=CHECKS.parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_under_the_simulator() -> None:
    run_checks(NUMBA_ENABLE_CUDASIM="1")


def write_one(out: Any) -> None:
    """The least of kernels: what cannot be compiled where this cannot is not to blame."""
    out[0] = 1


def compiler_is_missing() -> str:
    """Why no kernel at all can be made into PTX here, or nothing."""
    if not importlib.util.find_spec("numba_cuda"):
        return "numba-cuda is not installed (extra gpu)"
    from numba import cuda, types

    try:
        cuda.compile_ptx(write_one, (types.Array(types.int32, 1, "C"),), cc=(7, 5))
    except Exception as error:  # noqa: BLE001 - whatever the toolkit's loader says is the reason
        return f"NVVM cannot be used here: {' '.join(str(error).split())[:200]}"
    return ""


def without_compiler(reason: str) -> NoReturn:
    """On a desk a skip; in CI a failure: there the kernels must be compiled."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def compiler() -> None:
    if reason := compiler_is_missing():
        without_compiler(reason)


def test_a_missing_compiler_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no NVVM"):
        without_compiler("no NVVM")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no NVVM"):
        without_compiler("no NVVM")


def test_a_small_launch_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line on standard error each, with a path into a library."""
    import numba.cuda.dispatcher
    from numba import config

    from xnor import cuda

    monkeypatch.setattr(config, "CUDA_LOW_OCCUPANCY_WARNINGS", 1)
    monkeypatch.setattr(numba.cuda.dispatcher.driver, "_to_core_stream", lambda stream: stream)  # needs no driver
    with pytest.warns(Warning, match="Grid size 1"):
        numba.cuda.jit(lambda x: None)[1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cuda._kernel.__wrapped__("write_one")[1, 1]


def test_a_driver_that_refuses_kernels_is_no_gpu_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that is older than the compiler: it is found, and so is the compiler."""
    from xnor import cuda

    class Refused:
        def __getitem__(self, configuration: object) -> NoReturn:
            raise RuntimeError(
                "LinkerError: [222] Call to cuLinkAddData results in\nCUDA_ERROR_UNSUPPORTED_PTX_VERSION"
            )

    monkeypatch.setattr(cuda.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda.cuda, "to_device", lambda values: values)
    monkeypatch.setattr(cuda, "_kernel", lambda name: Refused())
    monkeypatch.setattr(cuda, "_trouble", cuda._trouble.__wrapped__)
    assert cuda.available() is False
    with pytest.raises(xnor.XnorError, match=r"kernels do not run \(.*UNSUPPORTED_PTX_VERSION\): update the driver"):
        cuda._usable()


@pytest.mark.usefixtures("compiler")
def test_a_kernel_that_does_not_compile_is_no_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    from xnor import cuda_kernels

    monkeypatch.setattr(cuda_kernels, "pack_pixels", lambda *arguments: arguments.nothing)
    assert compiler_is_missing() == ""


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (9, 0)], ids=str)
@pytest.mark.parametrize("name", ["pack_planes", "pack_pixels", "multiply", "convolve", "convolve_whole", "general"])
def test_ptx(name: str, capability: tuple[int, int]) -> None:
    from xnor import cuda_kernels

    text = cuda_kernels.ptx(name, capability)
    assert f".target sm_{capability[0]}{capability[1]}" in text
    # a GPU has no instructions for that: a hundred of its own each, which once took half of the kernels' time
    assert not re.findall(r"\b(?:div|rem)\.[us]64", text)
    if name in ("multiply", "convolve", "convolve_whole"):
        assert "popc.b32" in text and ".shared" in text
        assert "__local_depot" not in text  # the sums are in registers
    if name == "general":
        assert "fma.rn.f32" in text and "__local_depot" not in text


@pytest.mark.parametrize("bits", [1, 3, 63, 64, 65, 128, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int32])
def test_tensors_are_packed_by_torch_as_arrays_are(bits: int, dtype: torch.dtype) -> None:
    from xnor.bitpack import pack_rows
    from xnor.cuda import tensor_words

    rows = torch.randint(-2, 3, (5, bits), generator=torch.Generator().manual_seed(bits)).to(dtype)
    words = tensor_words(rows)
    assert words.dtype == torch.int64
    assert np.array_equal(words.numpy().view(np.uint64), pack_rows(rows.float().numpy()))


def gpu() -> torch.device:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    return torch.device("cuda")


@pytest.mark.gpu
def test_the_same_checks_on_a_gpu() -> None:
    gpu()
    run_checks()


@pytest.mark.gpu
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_tensors_on_a_gpu(case: Case) -> None:
    device = gpu()
    x, w = (torch.from_numpy(a).to(device) for a in case.arrays())
    for given in (x, x.to(memory_format=torch.channels_last)):
        result = xnor.conv2d(given, w, **case.options)
        assert result.is_cuda and (result.cpu().numpy() == case.expected()).all()


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(512, 1024, 300), (65, 4100, 129)])
def test_products_on_a_gpu(size: tuple[int, int, int]) -> None:
    device = gpu()
    a, b = torch.randn(size[:2], device=device), torch.randn(size[1:], device=device)
    expected = reference.gemm(a.cpu(), b.cpu())
    assert (xnor.gemm(a, b).cpu().numpy() == expected).all()
    assert (xnor.gemm(a.t().contiguous().t(), b.t().contiguous().t()).cpu().numpy() == expected).all()


@pytest.mark.gpu
@pytest.mark.parametrize(("pictures", "channels"), [(64, 1024), (1, 65536)])
def test_more_pictures_times_groups_than_a_grid_has_on_z(pictures: int, channels: int) -> None:
    device = gpu()
    x = torch.randn(pictures, channels, 2, 2, device=device)
    w = torch.randn(channels, 1, 1, 1, device=device)
    expected = ((x >= 0) == (w >= 0).view(1, -1, 1, 1)).int() * 2 - 1
    for given in (x, x.to(memory_format=torch.channels_last)):
        assert bool((xnor.conv2d(given, w, groups=channels) == expected).all())


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(4_194_305, 1, 1), (1, 1, 4_194_305), (1, 2_097_185, 2)])
def test_longer_products_than_a_grid_has_on_y(size: tuple[int, int, int]) -> None:
    device = gpu()
    m, k, n = size
    a, b = torch.randn(m, k, device=device), torch.randn(k, n, device=device)
    signs = [(factor >= 0).double() * 2 - 1 for factor in (a, b)]
    assert bool((xnor.gemm(a, b) == (signs[0] @ signs[1]).int()).all())


@pytest.mark.gpu
def test_an_array_of_another_library_is_read_when_its_stream_has_written_it() -> None:
    device = gpu()
    x, w = (torch.from_numpy(a).to(device) for a in Case(height=40, width=40).arrays())
    expected = reference.conv2d(x.cpu(), w.cpu())
    theirs = torch.cuda.Stream()
    given = torch.zeros_like(x)
    torch.cuda.synchronize()
    with torch.cuda.stream(theirs):  # type: ignore[no-untyped-call, unused-ignore]
        torch.cuda._sleep(500_000_000)  # clocks: some tenths of a second
        given.copy_(x)

    class Foreign:
        dtype, shape = np.dtype(np.float32), tuple(given.shape)
        __cuda_array_interface__: dict[str, Any] = {  # noqa: RUF012
            **given.__cuda_array_interface__, "version": 3, "stream": theirs.cuda_stream,
        }  # fmt: skip

    result = xnor.conv2d(Foreign(), xnor.pack_weights(w))
    assert (result.copy_to_host() == expected).all()


@pytest.mark.gpu
def test_packed_layers_on_a_gpu_and_in_a_cuda_graph() -> None:
    from xnor.layers import XnorConv2d

    device = gpu()
    layer = XnorConv2d(48, 70, 3, padding=1)
    x = torch.randn(2, 48, 33, 31)
    expected = layer(x).detach()
    packed: Any = layer.pack().to(device)
    static = x.to(device)
    torch.testing.assert_close(packed(static).cpu(), expected, rtol=1e-5, atol=1e-4)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):  # type: ignore[no-untyped-call, unused-ignore]
        packed(static)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = packed(static)
    other = torch.randn_like(x)
    static.copy_(other)
    graph.replay()  # type: ignore[no-untyped-call, unused-ignore]
    torch.testing.assert_close(out.cpu(), layer(other).detach(), rtol=1e-5, atol=1e-4)


@pytest.mark.gpu
def test_the_sums_for_zero_padding_are_read_on_the_stream_that_wrote_the_bits() -> None:
    from xnor import cuda
    from xnor.geometry import geometry

    device = gpu()
    case = Case(channels=6, padding=(1, 1))
    x, w = case.arrays()
    packed = xnor.pack_weights(w)
    given = torch.from_numpy(x).to(device)
    bits = torch.from_numpy(packed.words.view(np.int64)).to(device)
    words = torch.zeros_like(bits)
    g = geometry((1, 6, 7, 9), packed.outputs, 6, (3, 3), padding=1)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):  # type: ignore[no-untyped-call, unused-ignore]
        torch.cuda._sleep(500_000_000)  # clocks: some tenths of a second
        words.copy_(bits)
        result = cuda.conv2d(given, cuda.filters_from_tensor(words, 6, (3, 3)), g, check_nan=False)
        assert (result.cpu().numpy() == case.expected()).all()


@pytest.mark.gpu
def test_tensors_whose_sign_is_only_noted_on_a_gpu() -> None:
    device = gpu()
    case = Case(padding=(1, 1))
    x, w = case.arrays()

    def noted(values: Any) -> torch.Tensor:
        real = torch.from_numpy(values).to(device)
        view = torch.complex(real, -real).conj().imag
        assert view.is_neg()
        return view

    expected = reference.conv2d(x, w, padding=(1, 1))
    assert (xnor.conv2d(noted(x), noted(w), padding=1).cpu().numpy() == expected).all()
    scale = np.arange(1, 6, dtype=np.float32)
    scaled = xnor.conv2d(noted(x), noted(w), padding=1, scale=noted(scale))
    np.testing.assert_allclose(scaled.cpu().numpy(), expected * scale[:, None, None])


@pytest.mark.gpu
def test_tensors_on_a_second_gpu() -> None:
    gpu()
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA GPU here")
    case = Case(padding=(1, 1))
    x, w = (torch.from_numpy(a).to("cuda:1") for a in case.arrays())
    result = xnor.conv2d(x, w, **case.options)
    assert result.device == x.device and (result.cpu().numpy() == case.expected()).all()


@pytest.mark.gpu
def test_mixed_devices_are_refused() -> None:
    from xnor.layers import XnorConv2d

    device = gpu()
    x = torch.randn(1, 3, 8, 8)
    w = torch.randn(4, 3, 3, 3)
    with pytest.raises(xnor.XnorError, match="different devices"):
        xnor.conv2d(x.to(device), w)
    with pytest.raises(xnor.XnorError, match="different devices"):
        xnor.conv2d(x, w.to(device))
    layer = XnorConv2d(3, 4, 3).pack()
    with pytest.raises(xnor.XnorError, match="the input lies on cuda"):
        layer(x.to(device))
    with pytest.raises(xnor.XnorError, match="the input lies on cpu"):
        layer.to(device)(x)
    with pytest.raises(xnor.XnorError, match="device"):
        xnor.gemm(x[0, 0].to(device), np.ones((8, 2), np.float32))
