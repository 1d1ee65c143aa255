"""The CPU kernels give the integers of the specification, whatever the shape, the layout and the memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import xnor
from tests.xnor.cases import CHANNELS, SHAPES, Case, check_results_are_tensors
from xnor import cpu, reference
from xnor.geometry import geometry

CHOICE = cpu._way


@pytest.fixture(params=["words", "nibbles"], scope="module", autouse=True)
def multiplied(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways to multiply signs are tried on all shapes, also where the other would be quicker."""
    if request.param == "nibbles" and not cpu.LOOKUPS:
        pytest.skip("this processor has no AVX2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "_way", lambda *_: request.param)
        yield request.param


def test_blocks_that_would_be_mostly_empty_are_multiplied_in_words() -> None:
    def chosen(height: int, width: int, outputs: int, channels_last: bool) -> cpu.Way:
        g = geometry((1, 64, height, width), outputs, 64, (1, 1))
        return CHOICE(g, channels_last)

    best = "nibbles" if cpu.LOOKUPS and not cpu.COUNTS else "words"
    assert chosen(16, 16, 32, channels_last=False) == chosen(16, 16, 64, channels_last=True) == best
    assert chosen(16, 16, 8, channels_last=True) == "words"  # of a block's outputs 8 were there
    assert chosen(4, 4, 64, channels_last=False) == "words"
    assert chosen(1, 1, 4096, channels_last=True) == "words"  # one picture through a dense layer


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("padding_value", [-1, 0, 1])
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_shapes(case: Case, padding_value: int, layout: xnor.operations.Layout) -> None:
    case = case._replace(padding_value=padding_value)
    x, w = case.arrays()
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    result = xnor.conv2d(x, w, layout=layout, **case.options)
    assert result.dtype == np.int32
    assert ((result if layout == "NCHW" else result.transpose(0, 3, 1, 2)) == case.expected()).all()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("size", [(6, 17), (7, 9)])
def test_channel_counts_around_the_ends_of_words(channels: int, size: tuple[int, int], layout: str) -> None:
    case = Case(channels=channels, height=size[0], width=size[1], outputs=19, padding=(1, 1))
    x, w = (torch.from_numpy(a) for a in case.arrays(channels))
    if layout == "NHWC":
        x = x.to(memory_format=torch.channels_last)
    result = xnor.conv2d(x, w, **case.options)
    exact = torch.nn.functional.conv2d(torch.where(x >= 0, 1.0, -1.0), torch.where(w >= 0, 1.0, -1.0), padding=1)
    assert result.dtype == torch.int32 and torch.equal(result.float(), exact)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 70), st.integers(1, 12), st.integers(1, 12),
    st.integers(1, 40) | st.sampled_from([64, 80, 128]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)), st.sampled_from([-1, 0, 1]),
    st.tuples(st.integers(1, 2), st.integers(1, 2)), st.sampled_from([1, 1, 2, 3]), st.booleans(),
)  # fmt: skip
def test_any_geometry(
    batch: int, channels: int, height: int, width: int, outputs: int, kernel: tuple[int, int],
    stride: tuple[int, int], padding: tuple[int, int], padding_value: int, dilation: tuple[int, int],
    groups: int, last: bool,
) -> None:  # fmt: skip
    case = Case(
        batch, channels * groups, height, width, outputs * groups, kernel, stride, padding, padding_value, dilation,
        groups,
    )  # fmt: skip
    x, w = case.arrays()
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if reach[0] > height + 2 * padding[0] or reach[1] > width + 2 * padding[1]:
        with pytest.raises(xnor.XnorError, match="more than the padded picture"):
            xnor.conv2d(x, w, **case.options)
        return
    assert (xnor.conv2d(x, w, **case.options) == case.expected()).all()


@pytest.mark.parametrize("channels", [1, 4, 5, 248, 252, 253, 255, 256, 257, 260, 512, 513, 2048])
def test_counts_of_signs_that_all_agree_or_all_differ_do_not_overflow(channels: int) -> None:
    x = np.ones((1, channels, 8, 16), np.float32)
    x[..., ::2] = -1  # a pixel agrees with every second filter in all channels, and differs from the others in all
    w = np.ones((64, channels, 1, 1), np.float32)
    w[::2] = -1
    result = xnor.conv2d(x, w)
    signs = np.where(np.arange(64)[:, None] % 2 == np.arange(16) % 2, channels, -channels)
    assert (result == signs[None, :, None, :]).all()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("outputs", [107, 112, 128])  # rows of the result begin anywhere, on lines, in whole blocks
@pytest.mark.parametrize("channels", [5, 80])  # nibbles of one step and of several
def test_large_results_are_streamed_past_the_caches_whole(channels: int, outputs: int, last: bool) -> None:
    case = Case(height=203, width=211, channels=channels, outputs=outputs, kernel=(2, 2), padding=(1, 1))
    x, w = case.arrays()
    exact = torch.nn.functional.conv2d(
        torch.from_numpy(np.where(x >= 0, np.float32(1), np.float32(-1))),
        torch.from_numpy(np.where(w >= 0, np.float32(1), np.float32(-1))), padding=1,
    ).numpy()  # fmt: skip
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    result = xnor.conv2d(x, w, **case.options)
    assert result.nbytes > xnor.cpu.STREAMED_BYTES
    assert (result == exact).all()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding_value", [-1, 0, 1])
@pytest.mark.parametrize("outputs", [256, 290])
def test_sums_and_results_larger_than_any_block(outputs: int, padding_value: int, last: bool) -> None:
    case = Case(2, 300, 19, 17, outputs, (3, 3), (1, 1), (1, 1), padding_value)  # 2700 signs a sum, 323 pixels
    x, w = (torch.from_numpy(a) for a in case.arrays())
    signs, filters = (torch.where(a >= 0, 1.0, -1.0) for a in (x, w))
    padded = torch.nn.functional.pad(signs, (1, 1, 1, 1), value=padding_value)
    exact = torch.nn.functional.conv2d(padded, filters)
    if last:
        x = x.to(memory_format=torch.channels_last)
    assert torch.equal(xnor.conv2d(x, w, **case.options).float(), exact)
    scale = torch.linspace(0.5, 2, outputs)
    scaled = xnor.conv2d(x, w, scale=scale, bias=-scale, **case.options)
    torch.testing.assert_close(scaled, exact * scale[:, None, None] - scale[:, None, None])


@pytest.mark.parametrize("offset", [0, 4])
def test_a_result_may_lie_anywhere_in_memory(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "STREAMED_BYTES", 0)
    case = Case(height=9, width=30, channels=16, outputs=64, padding=(1, 1))
    x, w = case.arrays()
    memory = np.zeros(9 * 30 * 64 * 4 + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    out = memory[start : start + 9 * 30 * 64 * 4].view(np.int32).reshape(1, 9, 30, 64)
    g = geometry(x.shape, 64, 16, (3, 3), padding=1)
    cpu.convolve(cpu.pack_pixels(x), xnor.pack_weights(w), g, channels_last=True, out=out)
    assert (out.transpose(0, 3, 1, 2) == case.expected()).all()
    assert not memory[:start].any() and not memory[start + out.nbytes :].any()


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 15, 16, 17])
@pytest.mark.parametrize("last", [False, True])
def test_narrow_pixels_are_packed_each_channel_by_its_own_threshold(channels: int, last: bool) -> None:
    random = np.random.default_rng(channels)
    x = random.standard_normal((2, channels, 5, 71), dtype=np.float32)
    thresholds = random.standard_normal(channels, dtype=np.float32)
    set_bits = (x >= thresholds[:, None, None]).astype(np.uint64)
    expected = (set_bits << np.arange(channels, dtype=np.uint64)[:, None, None]).sum(axis=1)
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert (cpu.pack_pixels(x, thresholds)[..., 0, 0] == expected).all()
    for column in (0, 20, 70):
        bad = x.copy()
        bad[1, channels - 1, 4, column] = np.nan
        with pytest.raises(xnor.XnorError, match="NaN"):
            cpu.pack_pixels(bad, thresholds)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("mapped", [False, True])
def test_scaled_results(layout: xnor.operations.Layout, mapped: bool) -> None:
    case = Case(batch=2, channels=66, outputs=34, padding=(1, 1), groups=2, height=11, width=19)
    x, w = case.arrays()
    random = np.random.default_rng(1)
    scale, bias, thresholds = (random.standard_normal(n, dtype=np.float32) for n in (34, 34, 66))
    spread = random.standard_normal((2, 2, 11, 19), dtype=np.float32) if mapped else None
    sums = reference.conv2d(x - thresholds[:, None, None], w, **case.options)
    factor = scale[:, None, None] * (1 if spread is None else np.repeat(spread, 17, axis=1))
    expected = sums * factor + bias[:, None, None]
    if layout == "NHWC":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for backend in ("cpu", "reference"):
        result = xnor.conv2d(
            x, w, layout=layout, scale=scale, bias=bias, thresholds=thresholds, input_scale=spread,
            backend=backend, **case.options,
        )  # fmt: skip
        assert result.dtype == np.float32
        shown = result if layout == "NCHW" else result.transpose(0, 3, 1, 2)
        np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1, 1), (5, 64, 9), (3, 65, 70), (66, 130, 17), (1, 700, 300), (300, 31, 1)])
def test_gemm(size: tuple[int, int, int]) -> None:
    m, k, n = size
    random = np.random.default_rng(k)
    a, b = random.standard_normal((m, k), dtype=np.float32), random.standard_normal((k, n), dtype=np.float32)
    expected = reference.gemm(a, b)
    assert (xnor.gemm(a, b) == expected).all()
    assert (xnor.gemm(torch.from_numpy(a), torch.from_numpy(b)).numpy() == expected).all()
    assert (xnor.gemm(xnor.pack_matrix(a), xnor.pack_matrix(b.T)) == expected).all()
    assert (xnor.gemm(np.asfortranarray(a), np.asfortranarray(b)) == expected).all()
    assert (xnor.gemm(a, b, backend="reference") == expected).all()
    scale, bias, rows = np.full(n, 0.5, np.float32), np.arange(n, dtype=np.float32), np.arange(m, dtype=np.float32)
    scaled = xnor.gemm(a, b, scale=scale, bias=bias, row_scale=rows)
    np.testing.assert_allclose(scaled, expected * 0.5 * rows[:, None] + bias, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.float16, np.int8, np.int16, np.int32, np.int64])
def test_other_number_types(kind: Any) -> None:
    x: Any = (np.random.default_rng(0).integers(-3, 4, (1, 3, 6, 5))).astype(kind)
    w = np.random.default_rng(1).standard_normal((4, 3, 3, 3), dtype=np.float32)
    assert (xnor.conv2d(x, w) == reference.conv2d(x, w)).all()


def test_bfloat16_tensors_and_gradients_in_the_way() -> None:
    x = torch.randn(1, 3, 6, 5, requires_grad=True)
    w = torch.nn.Parameter(torch.randn(4, 3, 3, 3).bfloat16())
    expected = reference.conv2d(x.detach(), w.detach().float())
    assert (xnor.conv2d(x, w).numpy() == expected).all()


def test_strides_of_any_kind_give_the_right_numbers() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 10, 14, 12), dtype=np.float32)
    w = random.standard_normal((6, 5, 3, 3), dtype=np.float32)
    for view in (x[:, ::2], x[:, 5:, ::2, ::-1], x.transpose(0, 1, 3, 2)[:, :5], x[:, :5].transpose(0, 3, 2, 1)[:, :5]):
        assert (xnor.conv2d(view, w) == reference.conv2d(view, w)).all()
    turned = w.transpose(0, 1, 3, 2)[::-1]
    assert (xnor.conv2d(x[:, :5], turned) == reference.conv2d(x[:, :5], turned)).all()
    tensor = torch.from_numpy(x)[:, :5].permute(0, 1, 3, 2)
    assert (xnor.conv2d(tensor, torch.from_numpy(w)).numpy() == reference.conv2d(tensor, w)).all()


def test_a_tensor_among_the_operands_makes_the_result_one() -> None:
    check_results_are_tensors("cpu")


def test_inputs_are_left_as_they_are() -> None:
    x, w = Case().arrays()
    before = x.copy(), w.copy()
    xnor.conv2d(x, w)
    assert np.array_equal(x, before[0]) and np.array_equal(w, before[1])


def test_channels_last_tensors_stay_so() -> None:
    x = torch.randn(2, 8, 9, 7).to(memory_format=torch.channels_last)
    assert xnor.conv2d(x, torch.randn(4, 8, 3, 3)).is_contiguous(memory_format=torch.channels_last)


def test_many_python_threads_at_once() -> None:
    case = Case(channels=40, outputs=33, height=30, width=31, padding=(1, 1))
    x, w = case.arrays()
    expected = case.expected()

    def all_right() -> bool:
        return all((xnor.conv2d(x, w, **case.options) == expected).all() for _ in range(5))

    with ThreadPoolExecutor(6) as pool:
        assert all(future.result() for future in [pool.submit(all_right) for _ in range(6)])


def test_the_kernel_without_bits_is_a_convolution() -> None:
    from xnor import general
    from xnor.geometry import geometry

    case = Case(batch=2, channels=6, outputs=10, groups=2, stride=(2, 1), padding=(1, 2), dilation=(1, 2))
    x, w = case.arrays()
    g = geometry(
        (2, 6, 7, 9), 10, 3, (3, 3), stride=case.stride, padding=case.padding, dilation=case.dilation, groups=2
    )
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(w), None, case.stride, case.padding, case.dilation, 2
    )
    np.testing.assert_allclose(general.conv2d(x, w, g), expected.numpy(), rtol=1e-4, atol=1e-4)
