"""The CUDA kernels, for Numba CUDA: a GPU, PTX for one that is not here, or Numba's simulator.

Everything works on 32-bit words (the same memory as the 64-bit words of bitpack.py). A block of THREADS x THREADS
threads makes TILE x TILE sums, SIDE x SIDE a thread, from windows and filters that the block has brought into shared
memory, STEP words at a time. Popcounts run at 16 a clock and multiprocessor on sm_75 to sm_90, a quarter of the
XORs and additions, and
a thread reads 8 words from shared memory for 16 popcounts: they are what limits these kernels.

Grids lie on x alone: there a GPU takes MAX_BLOCKS of them, on y and z only 65535. A block finds its place by division,
the direction in which blocks share most of what they read first, as blocks that follow each other run at the same time.
Places are numbers of 64 bits: Numba makes such of every sum and product of integers.
"""

from __future__ import annotations

from typing import Any

from numba import config, float32, int32, uint32
from numba import cuda as _cuda

from .geometry import Geometry

cuda: Any = _cuda  # its own types speak of the calling side, not of a kernel's inside

MAX_BLOCKS = 2**31 - 1

THREADS = 8 if getattr(config, "ENABLE_CUDASIM", 0) else 16  # each is a thread of Python in the simulator
SIDE = 4
TILE = THREADS * SIDE  # outputs and pixels of a block
STEP = THREADS  # words of depth brought into shared memory at a time
ROW = TILE + 1  # a row of shared memory; the odd length spreads a column over the banks

PACKERS = 64  # threads of a packing block, a word each
PACKER_ROW = 33  # floats of a word in shared memory; odd, as above
STAGE = PACKERS * PACKER_ROW

GENERAL_SIDE = 8
GENERAL_TILE = THREADS * GENERAL_SIDE
GENERAL_STEP = 8
GENERAL_ROW = GENERAL_TILE + 1


def pack_planes(pictures: Any, thresholds: Any, groups: int, words: Any, bad: Any) -> None:
    """pictures (N, C, H, W) float32; words (N, H, W, groups, words of a group) uint32.

    One thread a word; neighbours in a warp read neighbours in a row of the picture. bad[0] becomes 1 at a NaN. The
    grid: PACKERS pixels a block, for each word of a pixel.
    """
    width = pictures.shape[3]
    height = pictures.shape[2]
    pixels = pictures.shape[0] * height * width
    blocks = (pixels + PACKERS - 1) // PACKERS
    pixel = cuda.blockIdx.x % blocks * PACKERS + cuda.threadIdx.x
    if pixel >= pixels:
        return
    n = pixel // (height * width)
    y = pixel // width % height
    x = pixel % width
    group = cuda.blockIdx.x // blocks // words.shape[4]
    word = cuda.blockIdx.x // blocks % words.shape[4]
    channels = pictures.shape[1] // groups
    first = group * channels + word * 32
    packed = uint32(0)
    nan = False
    for bit in range(min(32, channels - word * 32)):
        value = pictures[n, first + bit, y, x]
        if value >= thresholds[first + bit]:
            packed |= uint32(1) << uint32(bit)
        nan = nan or value != value
    words[n, y, x, group, word] = packed
    if nan:
        bad[0] = 1


def pack_pixels(values: Any, thresholds: Any, groups: int, words: Any, bad: Any) -> None:
    """values (pixels, C) float32, C-contiguous; words (pixels * groups * words of a group,) uint32.

    A block brings the channels of PACKERS words into shared memory, in the order in which they lie, then each
    thread makes one word of them.
    """
    stage = cuda.shared.array(STAGE, float32)
    channels = values.shape[1]
    group_channels = channels // groups
    group_words = (group_channels + 31) // 32
    pixel_words = groups * group_words
    me = cuda.threadIdx.x
    first_word = cuda.blockIdx.x * PACKERS
    for turn in range(32):
        place = turn * PACKERS + me
        slot = place // 32
        bit = place % 32
        word = first_word + slot
        channel = word % group_words * 32 + bit
        if word < words.shape[0] and channel < group_channels:
            position = word % pixel_words // group_words * group_channels + channel
            stage[slot * PACKER_ROW + bit] = values[word // pixel_words, position]
    cuda.syncthreads()
    word = first_word + me
    if word < words.shape[0]:
        packed = uint32(0)
        nan = False
        channel = word % group_words * 32
        first = word % pixel_words // group_words * group_channels + channel
        for bit in range(min(32, group_channels - channel)):
            value = stage[me * PACKER_ROW + bit]
            if value >= thresholds[first + bit]:
                packed |= uint32(1) << uint32(bit)
            nan = nan or value != value
        words[word] = packed
        if nan:
            bad[0] = 1


def multiply(
    left: Any, right: Any, bits: int, scale: Any, bias: Any, row_scale: Any, scaled: bool, ints: Any, floats: Any
) -> None:
    """left (M, words) and right (N, words) uint32 -> (M, N): int32 or, where ``scaled``, float32.

    Only the one of ``ints`` and ``floats`` that is wanted is written; the other may be a dummy of shape (1, 1). The
    grid: tiles of columns, for each tile of rows.
    """
    rows = cuda.shared.array((STEP, ROW), uint32)
    columns = cuda.shared.array((STEP, ROW), uint32)
    sums = cuda.local.array((SIDE, SIDE), int32)
    x = cuda.threadIdx.x
    y = cuda.threadIdx.y
    me = y * THREADS + x
    column_tiles = (right.shape[0] + TILE - 1) // TILE
    first_row = cuda.blockIdx.x // column_tiles * TILE
    first_column = cuda.blockIdx.x % column_tiles * TILE
    words = (bits + 31) // 32
    for i in range(SIDE):
        for j in range(SIDE):
            sums[i, j] = 0
    for base in range(0, words, STEP):
        for turn in range(SIDE):
            place = turn * THREADS * THREADS + me
            line = place // STEP
            k = place % STEP
            value = uint32(0)
            other = uint32(0)
            if base + k < words:
                if first_row + line < left.shape[0]:
                    value = left[first_row + line, base + k]
                if first_column + line < right.shape[0]:
                    other = right[first_column + line, base + k]
            rows[k, line] = value
            columns[k, line] = other
        cuda.syncthreads()
        for k in range(min(STEP, words - base)):
            for i in range(SIDE):
                for j in range(SIDE):
                    sums[i, j] += cuda.popc(uint32(rows[k, y + i * THREADS] ^ columns[k, x + j * THREADS]))
        cuda.syncthreads()
    for i in range(SIDE):
        row = first_row + y + i * THREADS
        for j in range(SIDE):
            column = first_column + x + j * THREADS
            if row < left.shape[0] and column < right.shape[0]:
                total = int32(bits - 2 * sums[i, j])
                if scaled:
                    floats[row, column] = float32(total) * (scale[column] * row_scale[row]) + bias[column]
                else:
                    ints[row, column] = total


def convolve(
    pixels: Any,
    filters: Any,
    tap_sums: Any,
    taps: Any,
    starts: Any,
    g: Geometry,
    scale: Any,
    bias: Any,
    input_scale: Any,
    scaled: bool,
    channels_last: bool,
    ints: Any,
    floats: Any,
) -> None:
    """Direct convolution of packed pixels. The grid: tiles of pixels, for each tile of a group's outputs, for each
    group of each picture.

    pixels, flat, of (N, H, W, groups, words of a group), and filters (O, words at least), both uint32. taps (KH *
    KW, 2) int32: offset of each tap in pixels, the farthest last. starts (words, 2) int32: the tap and channel of a
    word's first sign. tap_sums (KH * KW, O) int32 for zero padding, else (0, 0). input_scale (N, groups, pixels) or
    (0, 0, 0). The result is flat, in ``ints``, or in ``floats`` where ``scaled``, in the order (N, O, pixels) or,
    with ``channels_last``, (N, pixels, O).
    """
    windows = cuda.shared.array((STEP, ROW), uint32)
    weights = cuda.shared.array((STEP, ROW), uint32)
    sums = cuda.local.array((SIDE, SIDE), int32)
    # Neighbours in a warp store side by side: pixels where the result is in planes, outputs where it is not.
    x = cuda.threadIdx.y if channels_last else cuda.threadIdx.x
    y = cuda.threadIdx.x if channels_last else cuda.threadIdx.y
    me = cuda.threadIdx.y * THREADS + cuda.threadIdx.x
    plane = g.out_height * g.out_width
    outputs = g.outputs // g.groups
    channels = g.channels // g.groups
    pixel_tiles = (plane + TILE - 1) // TILE
    output_tiles = (outputs + TILE - 1) // TILE
    first_pixel = cuda.blockIdx.x % pixel_tiles * TILE
    first_output = cuda.blockIdx.x // pixel_tiles % output_tiles * TILE
    group = cuda.blockIdx.x // pixel_tiles // output_tiles % g.groups
    n = cuda.blockIdx.x // pixel_tiles // output_tiles // g.groups
    bits = channels * g.kernel_height * g.kernel_width
    words = (bits + 31) // 32
    group_words = (channels + 31) // 32
    outside = uint32(0xFFFFFFFF) if g.padding_value == 1 else uint32(0)
    # The pixel whose window this thread gathers, the same one in every step.
    mine = me % TILE
    top = (first_pixel + mine) // g.out_width * g.stride_y - g.padding_y
    left = (first_pixel + mine) % g.out_width * g.stride_x - g.padding_x
    exists = first_pixel + mine < plane
    pixel_words = g.groups * group_words
    corner = ((n * g.height + top) * g.width + left) * pixel_words + group * group_words
    for i in range(SIDE):
        for j in range(SIDE):
            sums[i, j] = 0
    for base in range(0, words, STEP):
        for turn in range(SIDE):
            place = turn * THREADS * THREADS + me
            line = place // STEP
            k = place % STEP
            value = uint32(0)
            if base + k < words and first_output + line < outputs:
                value = filters[group * outputs + first_output + line, base + k]
            weights[k, line] = value
            k = place // TILE
            window = uint32(0)
            if exists and base + k < words:
                tap = starts[base + k, 0]
                channel = starts[base + k, 1]
                filled = 0
                while filled < 32 and tap < taps.shape[0]:
                    v = top + taps[tap, 0]
                    u = left + taps[tap, 1]
                    some = outside
                    if v >= 0 and v < g.height and u >= 0 and u < g.width:
                        word = channel // 32
                        shift = channel % 32
                        at = corner + (taps[tap, 0] * g.width + taps[tap, 1]) * pixel_words + word
                        some = pixels[at] >> uint32(shift)
                        if shift > 0 and word + 1 < group_words:
                            some |= pixels[at + 1] << uint32(32 - shift)
                    count = min(32 - filled, channels - channel)
                    if count < 32:
                        some &= (uint32(1) << uint32(count)) - uint32(1)
                    window |= uint32(some) << uint32(filled)
                    filled += count
                    channel += count
                    if channel == channels:
                        channel = 0
                        tap += 1
            windows[k, mine] = window
        cuda.syncthreads()
        for k in range(min(STEP, words - base)):
            for i in range(SIDE):
                for j in range(SIDE):
                    sums[i, j] += cuda.popc(uint32(weights[k, y + i * THREADS] ^ windows[k, x + j * THREADS]))
        cuda.syncthreads()
    for i in range(SIDE):
        for j in range(SIDE):
            sums[i, j] = bits - 2 * sums[i, j]
    if tap_sums.shape[0] > 0:
        # Clear bits of zero padding were read as -1: give back what those taps took away. Most windows lie inside. The
        # loops over the sums stay innermost and of fixed length, else the compiler moves the sums from registers to
        # memory.
        last = taps.shape[0] - 1
        outer = 0
        for j in range(SIDE):
            pixel = first_pixel + x + j * THREADS
            v = pixel // g.out_width * g.stride_y - g.padding_y
            u = pixel % g.out_width * g.stride_x - g.padding_x
            if v < 0 or v + taps[last, 0] >= g.height or u < 0 or u + taps[last, 1] >= g.width:
                outer = taps.shape[0]
        for tap in range(outer):
            for j in range(SIDE):
                pixel = first_pixel + x + j * THREADS
                v = pixel // g.out_width * g.stride_y - g.padding_y + taps[tap, 0]
                u = pixel % g.out_width * g.stride_x - g.padding_x + taps[tap, 1]
                if v < 0 or v >= g.height or u < 0 or u >= g.width:
                    for i in range(SIDE):
                        sums[i, j] += tap_sums[tap, group * outputs + min(first_output + y + i * THREADS, outputs - 1)]
    for i in range(SIDE):
        local = first_output + y + i * THREADS
        output = group * outputs + local
        for j in range(SIDE):
            pixel = first_pixel + x + j * THREADS
            if local < outputs and pixel < plane:
                at = (n * g.outputs + output) * plane + pixel
                if channels_last:
                    at = (n * plane + pixel) * g.outputs + output
                if scaled:
                    factor = scale[output]
                    if input_scale.shape[0] > 0:
                        factor *= input_scale[n, group, pixel]
                    floats[at] = float32(sums[i, j]) * factor + bias[output]
                else:
                    ints[at] = sums[i, j]


def general(pictures: Any, filters: Any, depths: Any, g: Geometry, out: Any) -> None:
    """The same convolution without bits, the opponent in the measurements: float32 and fused multiply-adds.

    pictures (N, C, H, W) and filters (O, KH * KW * C / groups) float32 in the order (ky, kx, channel); depths (KH *
    KW * C / groups, 3) int32: row, column and channel of each; zero padding; out flat (N, O, pixels). The grid as
    that of `convolve`.
    """
    windows = cuda.shared.array((GENERAL_STEP, GENERAL_ROW), float32)
    weights = cuda.shared.array((GENERAL_STEP, GENERAL_ROW), float32)
    sums = cuda.local.array((GENERAL_SIDE, GENERAL_SIDE), float32)
    left_side = cuda.local.array(GENERAL_SIDE, float32)
    right_side = cuda.local.array(GENERAL_SIDE, float32)
    x = cuda.threadIdx.x
    y = cuda.threadIdx.y
    me = y * THREADS + x
    plane = g.out_height * g.out_width
    outputs = g.outputs // g.groups
    channels = g.channels // g.groups
    pixel_tiles = (plane + GENERAL_TILE - 1) // GENERAL_TILE
    output_tiles = (outputs + GENERAL_TILE - 1) // GENERAL_TILE
    first_pixel = cuda.blockIdx.x % pixel_tiles * GENERAL_TILE
    first_output = cuda.blockIdx.x // pixel_tiles % output_tiles * GENERAL_TILE
    group = cuda.blockIdx.x // pixel_tiles // output_tiles % g.groups
    n = cuda.blockIdx.x // pixel_tiles // output_tiles // g.groups
    depth = channels * g.kernel_height * g.kernel_width
    mine = me % GENERAL_TILE
    top = (first_pixel + mine) // g.out_width * g.stride_y - g.padding_y
    left = (first_pixel + mine) % g.out_width * g.stride_x - g.padding_x
    exists = first_pixel + mine < plane
    for i in range(GENERAL_SIDE):
        for j in range(GENERAL_SIDE):
            sums[i, j] = 0.0
    for base in range(0, depth, GENERAL_STEP):
        for turn in range(GENERAL_STEP * GENERAL_TILE // (THREADS * THREADS)):
            place = turn * THREADS * THREADS + me
            line = place // GENERAL_STEP
            k = place % GENERAL_STEP
            value = float32(0)
            if base + k < depth and first_output + line < outputs:
                value = filters[group * outputs + first_output + line, base + k]
            weights[k, line] = value
            k = place // GENERAL_TILE
            value = float32(0)
            if exists and base + k < depth:
                v = top + depths[base + k, 0]
                u = left + depths[base + k, 1]
                if v >= 0 and v < g.height and u >= 0 and u < g.width:
                    value = pictures[n, group * channels + depths[base + k, 2], v, u]
            windows[k, mine] = value
        cuda.syncthreads()
        for k in range(GENERAL_STEP):
            for i in range(GENERAL_SIDE):
                left_side[i] = weights[k, y + i * THREADS]
                right_side[i] = windows[k, x + i * THREADS]
            for i in range(GENERAL_SIDE):
                for j in range(GENERAL_SIDE):
                    sums[i, j] += left_side[i] * right_side[j]
        cuda.syncthreads()
    for i in range(GENERAL_SIDE):
        local = first_output + y + i * THREADS
        for j in range(GENERAL_SIDE):
            pixel = first_pixel + x + j * THREADS
            if local < outputs and pixel < plane:
                out[(n * g.outputs + group * outputs + local) * plane + pixel] = sums[i, j]


def signatures() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Each kernel with the types it is launched with, to compile it to PTX where there is no GPU."""
    from numba import types

    def array(kind: Any, axes: int) -> Any:
        return types.Array(kind, axes, "C")

    integer, real, word, flag = types.int32, types.float32, types.uint32, types.boolean
    g = types.NamedUniTuple(types.int64, len(Geometry._fields), Geometry)
    line = array(real, 1)
    return {
        "pack_planes": (
            pack_planes,
            (array(real, 4), line, types.int64, array(word, 5), array(integer, 1)),
        ),
        "pack_pixels": (pack_pixels, (array(real, 2), line, types.int64, array(word, 1), array(integer, 1))),
        "multiply": (
            multiply,
            (array(word, 2), array(word, 2), types.int64, line, line, line, flag, array(integer, 2), array(real, 2)),
        ),
        "convolve": (
            convolve,
            (
                array(word, 1),
                array(word, 2),
                array(integer, 2),
                array(integer, 2),
                array(integer, 2),
                g,
                line,
                line,
                array(real, 3),
                flag,
                flag,
                array(integer, 1),
                line,
            ),
        ),
        "general": (general, (array(real, 4), array(real, 2), array(integer, 2), g, line)),
    }


def ptx(name: str, capability: tuple[int, int]) -> str:
    """PTX of one kernel for a compute capability such as (8, 6). Needs NVVM, no GPU."""
    kernel, types_of = signatures()[name]
    text, _ = cuda.compile_ptx(kernel, types_of, cc=capability)
    return str(text)
