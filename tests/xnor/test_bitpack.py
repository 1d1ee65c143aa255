"""The packed format: every sign comes back, tails are clear, the dot product is K - 2 popcount."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xnor import (
    MAX_BITS,
    PackedFilters,
    PackedMatrix,
    XnorError,
    conv2d,
    gemm,
    pack_filters,
    pack_matrix,
    pack_weights,
    reference,
)
from xnor.bitpack import pack_rows, unpack_rows, word_count
from xnor.operations import Backend

WIDTHS = [1, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129]
values = st.floats(width=32, allow_nan=False)  # infinities, zeros of both signs and subnormal numbers among them


@settings(deadline=None)
@given(st.data(), st.sampled_from(WIDTHS), st.integers(1, 4))
def test_every_sign_comes_back(data: st.DataObject, width: int, rows: int) -> None:
    array = data.draw(hnp.arrays(np.float32, (rows, width), elements=values))
    words = pack_rows(array)
    assert words.shape == (rows, word_count(width)) and words.dtype == np.uint64
    assert (unpack_rows(words, width) == np.where(array >= 0, 1, -1)).all()


@settings(deadline=None)
@given(st.sampled_from(WIDTHS), st.integers(0, 2**32))
def test_tail_bits_are_clear_and_dot_products_need_no_mask(width: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, width))
    left, right = pack_rows(a), pack_rows(b)
    if width % 64:
        assert not (left[-1] >> np.uint64(width % 64))
    differing = int(np.bitwise_count(left ^ right).sum())
    assert width - 2 * differing == int(np.where(a >= 0, 1, -1) @ np.where(b >= 0, 1, -1))


def test_zeros_are_positive() -> None:
    assert pack_rows(np.array([0.0, -0.0, -1e-45, 1e-45], np.float32))[0] == 0b1011


def test_bit_order_is_that_of_the_documentation() -> None:
    row = -np.ones(70)
    row[[0, 5, 64]] = 1
    assert pack_rows(row).tolist() == [1 + 32, 1]
    assert pack_rows(row).view("<u4").tolist()[:3] == [33, 0, 1]  # what the CUDA kernels read


@pytest.mark.parametrize("channels", [1, 3, 33, 64])
def test_filters_are_dense_in_the_order_row_column_channel(channels: int) -> None:
    weights = np.random.default_rng(channels).standard_normal((5, channels, 2, 3), dtype=np.float32)
    packed = pack_filters(weights)
    assert packed.words.shape == (5, word_count(6 * channels))
    assert (packed.signs() == np.where(weights >= 0, 1, -1)).all()
    flat = unpack_rows(packed.words, packed.bits)
    assert flat[2, (1 * 3 + 2) * channels] == (1 if weights[2, 0, 1, 2] >= 0 else -1)
    sums = packed.signs().astype(int).sum(axis=1).reshape(5, -1).T
    assert (packed.tap_sums() == sums).all()


def test_48_channels_waste_nothing() -> None:
    assert pack_filters(np.ones((64, 48, 3, 3), np.float32)).nbytes == 64 * 7 * 8  # 432 bits in 7 words, not 9


def test_wrong_words_are_refused() -> None:
    with pytest.raises(XnorError, match="needs 2 words a row, got 1"):
        PackedMatrix(np.zeros((3, 1), np.uint64), 65)
    with pytest.raises(XnorError, match="NumPy array, got list"):
        PackedMatrix([[1]], 64)  # type: ignore[arg-type]
    with pytest.raises(XnorError, match="uint64"):
        PackedMatrix(np.zeros((3, 1), np.int64), 64)
    with pytest.raises(XnorError, match="behind the last sign"):
        PackedMatrix(np.full((1, 1), 8, np.uint64), 3)
    with pytest.raises(XnorError, match="behind the last sign"):
        PackedFilters(np.full((1, 1), 1 << 12, np.uint64), 3, (2, 2))


def test_the_accumulator_has_a_stated_bound() -> None:
    too_many = MAX_BITS + 64
    one = np.zeros(1, np.uint64)
    words = np.lib.stride_tricks.as_strided(one, (1, word_count(too_many)), (0, 0))  # no memory
    with pytest.raises(XnorError, match=r"accumulator is safe only up to 1073741824"):
        PackedMatrix(words, too_many)
    with pytest.raises(XnorError, match="accumulator"):
        pack_matrix(np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, too_many), (0, 0)))
    assert 2 * MAX_BITS <= 2**31


def test_empty_sums_are_refused() -> None:
    with pytest.raises(XnorError, match="no signs to sum"):
        pack_matrix(np.zeros((3, 0), np.float32))
    with pytest.raises(XnorError, match="no signs to sum"):
        pack_filters(np.zeros((3, 0, 2, 2), np.float32))


def test_what_has_no_sign_is_refused_by_both_ways_of_packing() -> None:
    ones = np.ones((2, 3, 1, 1), np.float32)
    for kind in (pack_filters, pack_weights, lambda array: pack_matrix(array[:, :, 0, 0])):
        kind(ones)
        kind(torch.from_numpy(ones).bfloat16().requires_grad_())
        for array, says in (
            (ones * np.nan, "NaN"), (torch.from_numpy(ones * np.nan), "NaN"), (ones.astype(np.float64), "float64"),
            (ones.astype(np.uint8), "no negative numbers"), (ones > 0, "no negative numbers"), (ones[None], "axes"),
        ):  # fmt: skip
            with pytest.raises(XnorError, match=says):
                kind(array)
    with pytest.raises(XnorError, match="NumPy array or a torch tensor"):
        pack_matrix([[1, -1]])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_words_may_lie_in_any_order(backend: Backend) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 130, 5, 4), dtype=np.float32)
    w = random.standard_normal((6, 130, 2, 2), dtype=np.float32)
    packed = pack_filters(w)
    twice = np.repeat(packed.words, 2, axis=0)
    for words in (np.asfortranarray(packed.words), twice[::2], packed.words[::-1].copy()[::-1]):
        assert not words.flags.c_contiguous
        assert (conv2d(x, PackedFilters(words, 130, (2, 2)), backend=backend) == reference.conv2d(x, w)).all()
    a, b = x[0, :, 0].T, x[1, :, 0]
    left, right = (PackedMatrix(np.asfortranarray(pack_matrix(m).words), 130) for m in (a, b.T))
    assert (gemm(left, right, backend=backend) == reference.gemm(a, b)).all()
