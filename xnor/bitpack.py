"""Signs as bits: the packed formats, and packing and unpacking in NumPy.

One rule for every format. A row of K signs becomes ``word_count(K)`` words of 64 bits; sign i is bit
``i % 64`` of word ``i // 64``; a set bit means +1, a clear bit -1. **Tail bits** (from K to the
end of the last word) are always 0, so the XOR of two rows has no tail and a dot product is
``K - 2 * popcount(a ^ b)``. Words are little-endian: the same memory read as 32-bit words (as the
CUDA kernels do) holds sign i in bit ``i % 32`` of word ``i // 32``.

A filter of a convolution is one row of KH * KW * C signs in the order (ky, kx, channel). Rows are dense:
taps follow each other without a gap, so 48 channels waste nothing and 3 channels with a 4x4 kernel fill
48 bits of a single word. Pixels are packed along their channels, each pixel (and group) on a word of its own.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import check_no_nan, host_floats, is_whole, pair
from .errors import XnorError

WORD_BITS = 64

#: A dot product of K signs lies in [-K, K] and its popcount in [0, K]; 2 * popcount must fit in int32.
MAX_BITS = 2**30

Words = NDArray[np.uint64]


def word_count(bits: int) -> int:
    """64-bit words that hold ``bits`` signs."""
    return (bits + WORD_BITS - 1) // WORD_BITS


def check_bits(bits: int, what: str) -> int:
    """``bits`` itself. Raises XnorError where that is no whole number, or a sum of so many signs is empty or overflows
    the accumulator.
    """
    if not is_whole(bits):
        raise XnorError(f"{what} counts its signs in whole numbers, got {bits!r}")
    if bits < 1:
        raise XnorError(f"{what} has no signs to sum (0 channels or an empty kernel): give it at least one")
    if bits > MAX_BITS:
        raise XnorError(
            f"{what} sums {bits} signs, but the int32 accumulator is safe only up to {MAX_BITS}: split the sum"
        )
    return bits


def pack_rows(values: ArrayLike) -> Words:
    """Signs of ``values`` (..., K), real and without NaN, packed along the last axis: uint64 (..., word_count(K))."""
    positive = np.asarray(values) >= 0
    packed = np.packbits(positive, axis=-1, bitorder="little")
    missing = word_count(positive.shape[-1]) * 8 - packed.shape[-1]
    if missing:
        packed = np.concatenate([packed, np.zeros((*packed.shape[:-1], missing), np.uint8)], axis=-1)
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64, copy=False)


def unpack_rows(words: NDArray[np.uint64], bits: int) -> NDArray[np.int8]:
    """The signs of packed rows (..., word_count(bits)) as int8 (..., bits) of -1 and +1."""
    octets = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    positive = np.unpackbits(octets, axis=-1, count=bits, bitorder="little")
    return (positive.astype(np.int8) << 1) - 1


def _checked_words(words: Words, bits: int, what: str) -> Words:
    """``words`` in C order, as all kernels read them; copied where they lie otherwise. Raises XnorError."""
    if not isinstance(words, np.ndarray):
        raise XnorError(f"{what} needs its words as a NumPy array, got {type(words).__name__}")
    if words.dtype != np.uint64 or words.ndim != 2:
        raise XnorError(f"{what} needs its words as uint64 (rows, words), got {words.dtype} {words.shape}")
    if words.shape[1] != word_count(bits):
        raise XnorError(
            f"{what} of {bits} signs a row needs {word_count(bits)} words a row, got {words.shape[1]}: "
            "the packed data belong to another shape or are damaged"
        )
    tail = bits % WORD_BITS
    if tail and words.shape[0] and bool((words[:, -1] >> np.uint64(tail)).any()):
        raise XnorError(f"{what} has bits set behind the last sign of a row: the packed data are damaged")
    return np.require(words, requirements=("C", "ALIGNED"))


@dataclass(frozen=True, eq=False)
class PackedMatrix:
    """Rows of signs. As the right factor of a product its rows are the COLUMNS of that factor.

    ``words`` is uint64 (rows, word_count(bits)), copied if it is not in C order. Raises XnorError for a wrong word
    count, dtype or tail.
    """

    words: Words
    bits: int

    def __post_init__(self) -> None:
        check_bits(self.bits, "a packed matrix")
        object.__setattr__(self, "words", _checked_words(self.words, self.bits, "a packed matrix"))

    @property
    def rows(self) -> int:
        return int(self.words.shape[0])

    @property
    def nbytes(self) -> int:
        return int(self.words.nbytes)

    def signs(self) -> NDArray[np.int8]:
        """int8 (rows, bits) of -1 and +1."""
        return unpack_rows(self.words, self.bits)


@dataclass(frozen=True, eq=False)
class PackedFilters:
    """Filters of a convolution: uint64 ``words`` (O, word_count(KH * KW * C)), where C is channels per group.

    Words that are not in C order are copied. Raises XnorError for a wrong word count, dtype or tail, and for channels
    and kernel that are no positive integers.
    """

    words: Words
    channels: int
    kernel: tuple[int, int]
    _tap_sums: dict[int, NDArray[np.int32]] = field(default_factory=dict, repr=False, compare=False)
    """By the CRC-32 of the words that they are of."""

    def __post_init__(self) -> None:
        if not is_whole(self.channels) or self.channels < 0:
            raise XnorError(f"channels of packed filters are a positive integer, got {self.channels!r}")
        object.__setattr__(self, "kernel", pair(self.kernel, "the kernel of packed filters", 0))
        check_bits(self.bits, "a packed filter")
        object.__setattr__(self, "words", _checked_words(self.words, self.bits, "packed filters"))

    @property
    def bits(self) -> int:
        """Signs in one filter."""
        return self.channels * self.kernel[0] * self.kernel[1]

    @property
    def outputs(self) -> int:
        return int(self.words.shape[0])

    @property
    def nbytes(self) -> int:
        return int(self.words.nbytes)

    def signs(self) -> NDArray[np.int8]:
        """int8 (O, C, KH, KW) of -1 and +1."""
        rows = unpack_rows(self.words, self.bits)
        return np.ascontiguousarray(rows.reshape(self.outputs, *self.kernel, self.channels).transpose(0, 3, 1, 2))

    def tap_sums(self) -> NDArray[np.int32]:
        """Sum of signs over the channels at each tap, int32 (KH * KW, O).

        Padding bits are 0, which reads as -1, so a tap that lies in zero padding has taken this sum away
        from the result; the kernels give it back. Kept (4 * KH * KW * O bytes) until other words lie there.
        """
        content = zlib.crc32(self.words.data)
        sums = self._tap_sums.get(content)
        if sums is None:
            sums = np.empty((self.kernel[0] * self.kernel[1], self.outputs), np.int32)
            step = max(1, 2**24 // self.bits)  # unpacked signs take 64 times the room: a few rows at a time
            for first in range(0, self.outputs, step):
                rows = unpack_rows(self.words[first : first + step], self.bits)
                by_tap = rows.reshape(rows.shape[0], -1, self.channels)
                sums[:, first : first + step] = by_tap.sum(axis=2, dtype=np.int32).T
            self._tap_sums.clear()  # other threads have what they were given
            self._tap_sums[content] = sums
        return sums


def pack_matrix(values: Any, what: str = "a matrix to pack") -> PackedMatrix:
    """A matrix (rows, K) as bits along K: array or CPU tensor of the types that `xnor.gemm` takes.

    ``what`` is its name in errors. Raises XnorError for other types (float64 among them), NaN and K = 0.
    """
    array = host_floats(values, what, 2)
    check_bits(array.shape[1], what)
    check_no_nan(array, what)
    return PackedMatrix(pack_rows(array), int(array.shape[1]))


def pack_filters(weights: Any) -> PackedFilters:
    """Filters (O, C, KH, KW) as bits in the order (ky, kx, channel): array or CPU tensor as `pack_matrix` takes.

    Raises XnorError for other types (float64 among them), NaN, no filters and filters without a sign.
    """
    array = host_floats(weights, "filters", 4)
    outputs, channels, height, width = array.shape
    if outputs == 0:
        raise XnorError(f"there are 0 filters to pack: shape {array.shape}")
    check_bits(channels * height * width, "a filter")
    check_no_nan(array, "filters")
    rows = array.transpose(0, 2, 3, 1).reshape(outputs, -1)
    return PackedFilters(pack_rows(rows), int(channels), (int(height), int(width)))
