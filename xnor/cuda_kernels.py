"""The CUDA kernels, for Numba CUDA: a GPU, PTX for one that is not here, or Numba's simulator.

Everything works on 32-bit words (the same memory as the 64-bit words of bitpack.py). A block of THREADS x THREADS
threads makes TILE x TILE sums, SIDE x SIDE a thread, from windows and filters that the block has brought into shared
memory, STEP words at a time. Popcounts run at 16 a clock and multiprocessor on sm_75 to sm_90, a quarter of the
XORs and additions, and
a thread reads 8 words from shared memory for 16 popcounts: they are what limits these kernels.

Grids lie on x alone: there a GPU takes MAX_BLOCKS of them, on y and z only 65535. A block finds its place by division,
the direction in which blocks share most of what they read first, as blocks that follow each other run at the same time.

Numba makes numbers of 64 bits of every sum and product of integers, for which a GPU has no instructions: a division of
such takes a hundred of its own. So whatever is within one picture is brought back to 32 bits at once (the caller sees
to it that it fits), and the compiler then never leaves them. Places without a sign need no look from the end.

Two kernels find their place in the same words: a function that they called would have to be compiled for a GPU that is
here, and they could not be compiled to PTX without one.
"""

from __future__ import annotations

from typing import Any

from numba import config, float32, int32, int64, uint32, uint64
from numba import cuda as _cuda

from .geometry import Geometry

cuda: Any = _cuda  # its own types speak of the calling side, not of a kernel's inside

MAX_BLOCKS = 2**31 - 1

THREADS = 8 if getattr(config, "ENABLE_CUDASIM", 0) else 16  # each is a thread of Python in the simulator
SIDE = 4
TILE = THREADS * SIDE  # outputs and pixels of a block
STEP = THREADS  # words of depth brought into shared memory at a time
LINES = THREADS * THREADS // STEP  # rows of STEP words that a block brings in a turn, of SIDE turns
DEPTHS = THREADS * THREADS // TILE  # words of TILE windows, likewise
ROW = TILE + 1  # a row of shared memory; the odd length spreads a column over the banks

PACKERS = 64  # threads of a packing block, a word each
PACKER_ROW = 33  # floats of a word in shared memory; odd, as above
STAGE = PACKERS * PACKER_ROW

GENERAL_SIDE = 8
GENERAL_TILE = THREADS * GENERAL_SIDE
GENERAL_STEP = 8
GENERAL_TURNS = GENERAL_STEP * GENERAL_TILE // (THREADS * THREADS)
GENERAL_LINES = THREADS * THREADS // GENERAL_STEP
GENERAL_DEPTHS = THREADS * THREADS // GENERAL_TILE
GENERAL_ROW = GENERAL_TILE + 1


def write_one(out: Any) -> None:
    """The least of kernels: whether any can be run."""
    out[0] = 1


def pack_planes(pictures: Any, thresholds: Any, groups: int, words: Any, bad: Any) -> None:
    """pictures (N, C, H, W) float32; words (N, H, W, groups, words of a group) uint32.

    One thread a word; neighbours in a warp read neighbours in a row of the picture. bad[0] becomes 1 at a NaN. The
    grid: PACKERS pixels a block, for each word of a pixel.
    """
    height = uint32(pictures.shape[2])
    width = uint32(pictures.shape[3])
    pixels = uint32(pictures.shape[0] * pictures.shape[2] * pictures.shape[3])
    group_words = uint32(words.shape[4])
    blocks = uint32((pixels + PACKERS - 1) // PACKERS)
    block = uint32(cuda.blockIdx.x)
    pixel_word = uint32(block // blocks)
    pixel = uint32((block - pixel_word * blocks) * PACKERS + uint32(cuda.threadIdx.x))
    if pixel >= pixels:
        return
    line = uint32(pixel // width)
    x = uint32(pixel - line * width)
    n = uint32(line // height)
    y = uint32(line - n * height)
    group = uint32(pixel_word // group_words)
    word = uint32(pixel_word - group * group_words)
    channels = uint32(uint32(pictures.shape[1]) // uint32(groups))
    first = uint32(group * channels + word * 32)
    packed = uint32(0)
    nan = False
    for bit in range(min(uint32(32), uint32(channels - word * 32))):
        value = pictures[n, uint32(first + bit), y, x]
        if value >= thresholds[uint32(first + bit)]:
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
    channels = uint32(uint32(values.shape[1]) // uint32(groups))
    group_words = uint32((channels + 31) // 32)
    pixel_words = uint32(uint32(groups) * group_words)
    count = uint32(words.shape[0])
    me = uint32(cuda.threadIdx.x)
    first_word = uint32(uint32(cuda.blockIdx.x) * PACKERS)
    slot = uint32(me // 32)
    bit = uint32(me % 32)
    for _ in range(32):
        word = uint32(first_word + slot)
        pixel = uint32(word // pixel_words)
        of_pixel = uint32(word - pixel * pixel_words)
        group = uint32(of_pixel // group_words)
        channel = uint32((of_pixel - group * group_words) * 32 + bit)
        if word < count and channel < channels:
            stage[uint32(slot * PACKER_ROW + bit)] = values[pixel, uint32(group * channels + channel)]
        slot = uint32(slot + PACKERS // 32)
    cuda.syncthreads()
    word = uint32(first_word + me)
    if word < count:
        packed = uint32(0)
        nan = False
        pixel = uint32(word // pixel_words)
        of_pixel = uint32(word - pixel * pixel_words)
        group = uint32(of_pixel // group_words)
        channel = uint32((of_pixel - group * group_words) * 32)
        first = uint32(group * channels + channel)
        for bit in range(min(uint32(32), uint32(channels - channel))):
            value = stage[uint32(me * PACKER_ROW + bit)]
            if value >= thresholds[uint32(first + bit)]:
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
    x = uint32(cuda.threadIdx.x)
    y = uint32(cuda.threadIdx.y)
    me = uint32(y * THREADS + x)
    height = uint32(left.shape[0])
    width = uint32(right.shape[0])
    block = uint32(cuda.blockIdx.x)
    column_tiles = uint32((width + TILE - 1) // TILE)
    first_row = uint32(block // column_tiles * TILE)
    first_column = uint32(block % column_tiles * TILE)
    words: Any = uint32((bits + 31) // 32)
    line = uint32(me // STEP)
    depth = uint32(me % STEP)
    for i in range(SIDE):
        for j in range(SIDE):
            sums[i, j] = 0
    for base in range(0, words, STEP):
        k = uint32(base + depth)
        for turn in range(SIDE):
            place = uint32(line + turn * LINES)
            row = uint32(first_row + place)
            column = uint32(first_column + place)
            value = uint32(0)
            other = uint32(0)
            if k < words:
                if row < height:
                    value = left[row, k]
                if column < width:
                    other = right[column, k]
            rows[depth, place] = value
            columns[depth, place] = other
        cuda.syncthreads()
        for d in range(min(STEP, words - base)):
            for i in range(SIDE):
                for j in range(SIDE):
                    sums[i, j] += cuda.popc(
                        uint32(rows[d, uint32(y + i * THREADS)] ^ columns[d, uint32(x + j * THREADS)])
                    )
        cuda.syncthreads()
    for i in range(SIDE):
        row = uint32(first_row + y + i * THREADS)
        for j in range(SIDE):
            column = uint32(first_column + x + j * THREADS)
            if row < height and column < width:
                total = int32(bits - 2 * sums[i, j])
                if scaled:
                    floats[row, column] = float32(total) * (scale[column] * row_scale[row]) + bias[column]
                else:
                    ints[row, column] = total


def _convolution(whole_words: bool) -> Any:
    """The kernel `convolve`, or, for groups whose channels are a multiple of 32, `convolve_whole`: there a word is of
    one tap, and is read as it is.
    """

    def convolution(
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
        KW, 2) int32: offset of each tap in pixels, the farthest last. starts (words, 4) int32: of a word's first sign
        the tap and the channel, and the tap's offset. tap_sums (KH * KW, O) int32 for zero padding, else (0, 0).
        input_scale (N, groups, pixels) or (0, 0, 0). The result is flat, in ``ints``, or in ``floats`` where
        ``scaled``, in the order (N, O, pixels) or, with ``channels_last``, (N, pixels, O).
        """
        windows = cuda.shared.array((STEP, ROW), uint32)
        weights = cuda.shared.array((STEP, ROW), uint32)
        on_edge = cuda.shared.array(TILE, uint32)
        sums = cuda.local.array((SIDE, SIDE), int32)
        tops = cuda.local.array(SIDE, int32)
        lefts = cuda.local.array(SIDE, int32)
        # Neighbours in a warp store side by side: pixels where the result is in planes, outputs where it is not.
        x = uint32(cuda.threadIdx.y if channels_last else cuda.threadIdx.x)
        y = uint32(cuda.threadIdx.x if channels_last else cuda.threadIdx.y)
        me = uint32(cuda.threadIdx.y * THREADS + cuda.threadIdx.x)
        height = int32(g.height)
        width = int32(g.width)
        out_width = uint32(g.out_width)
        plane = uint32(g.out_height * g.out_width)
        groups = uint32(g.groups)
        outputs = uint32(uint32(g.outputs) // groups)
        channels = uint32(uint32(g.channels) // groups)
        group_words = uint32((channels + 31) // 32)
        pixel_words = int32(groups * group_words)
        bits = int32(channels * uint32(g.kernel_height * g.kernel_width))
        words: Any = uint32((bits + 31) // 32)
        outside = uint32(0xFFFFFFFF) if g.padding_value == 1 else uint32(0)

        pixel_tiles = uint32((plane + TILE - 1) // TILE)
        output_tiles = uint32((outputs + TILE - 1) // TILE)
        block = uint32(cuda.blockIdx.x)
        rest = uint32(block // pixel_tiles)
        first_pixel = uint32((block - rest * pixel_tiles) * TILE)
        picture_group = uint32(rest // output_tiles)
        first_output = uint32((rest - picture_group * output_tiles) * TILE)
        n = uint32(picture_group // groups)
        group = uint32(picture_group - n * groups)

        # The pixel whose window this thread gathers, the same one in every step, and the filters that it brings.
        mine = uint32(me % TILE)
        first_depth = uint32(me // TILE)
        line = uint32(me // STEP)
        depth = uint32(me % STEP)
        pixel = uint32(first_pixel + mine)
        exists = pixel < plane
        row = uint32(pixel // out_width)
        top = int32(int32(row) * int32(g.stride_y) - int32(g.padding_y))
        left = int32(int32(pixel - row * out_width) * int32(g.stride_x) - int32(g.padding_x))
        last = uint32(taps.shape[0] - 1)
        if me < TILE:
            within = top >= 0 and left >= 0 and int32(top + taps[last, 0]) < height
            within = within and int32(left + taps[last, 1]) < width
            on_edge[mine] = uint32(0) if within else uint32(1)
        picture = int64(n) * (int64(g.height) * int64(g.width) * int64(pixel_words)) + int64(group * group_words)
        for i in range(SIDE):
            for j in range(SIDE):
                sums[i, j] = 0
        for base in range(0, words, STEP):
            k = uint32(base + depth)
            for turn in range(SIDE):
                place = uint32(line + turn * LINES)
                output = uint32(first_output + place)
                value = uint32(0)
                if k < words and output < outputs:
                    value = filters[uint32(group * outputs + output), k]
                weights[depth, place] = value
            for turn in range(SIDE):
                place = uint32(first_depth + turn * DEPTHS)
                k = uint32(base + place)
                window = uint32(0)
                if exists and k < words:
                    tap = uint32(starts[k, 0])
                    channel = uint32(starts[k, 1])
                    if whole_words:
                        v = int32(top + starts[k, 2])
                        u = int32(left + starts[k, 3])
                        window = outside
                        if v >= 0 and v < height and u >= 0 and u < width:
                            at = int32(int32(v * width + u) * pixel_words + int32(channel // 32))
                            window = pixels[uint64(picture + int64(at))]
                    else:
                        filled = uint32(0)
                        while filled < 32 and tap <= last:
                            v = int32(top + taps[tap, 0])
                            u = int32(left + taps[tap, 1])
                            some = outside
                            if v >= 0 and v < height and u >= 0 and u < width:
                                word = uint32(channel // 32)
                                shift = uint32(channel % 32)
                                at = int32(int32(v * width + u) * pixel_words + int32(word))
                                some = pixels[uint64(picture + int64(at))] >> shift
                                if shift > 0 and uint32(word + 1) < group_words:
                                    some |= pixels[uint64(picture + int64(at) + 1)] << uint32(32 - shift)
                            count = min(uint32(32 - filled), uint32(channels - channel))
                            if count < 32:
                                some &= uint32(uint32(1) << count) - uint32(1)
                            window |= uint32(some) << filled
                            filled = uint32(filled + count)
                            channel = uint32(channel + count)
                            if channel == channels:
                                channel = uint32(0)
                                tap = uint32(tap + 1)
                windows[place, mine] = window
            cuda.syncthreads()
            for d in range(min(STEP, words - base)):
                for i in range(SIDE):
                    for j in range(SIDE):
                        sums[i, j] += cuda.popc(
                            uint32(weights[d, uint32(y + i * THREADS)] ^ windows[d, uint32(x + j * THREADS)])
                        )
            cuda.syncthreads()
        for i in range(SIDE):
            for j in range(SIDE):
                sums[i, j] = int32(bits - 2 * sums[i, j])
        if tap_sums.shape[0] > 0:
            # Clear bits of zero padding were read as -1: give back what those taps took away. Most windows lie inside.
            # The loops over the sums stay innermost and of fixed length, else the compiler moves the sums from
            # registers to memory.
            outer = 0
            for j in range(SIDE):
                if on_edge[uint32(x + j * THREADS)] != 0:
                    outer = taps.shape[0]
            if outer > 0:
                for j in range(SIDE):
                    pixel = uint32(first_pixel + x + j * THREADS)
                    row = uint32(pixel // out_width)
                    tops[j] = int32(int32(row) * int32(g.stride_y) - int32(g.padding_y))
                    lefts[j] = int32(int32(pixel - row * out_width) * int32(g.stride_x) - int32(g.padding_x))
            for tap in range(outer):
                for j in range(SIDE):
                    v = int32(tops[j] + taps[uint32(tap), 0])
                    u = int32(lefts[j] + taps[uint32(tap), 1])
                    if v < 0 or v >= height or u < 0 or u >= width:
                        for i in range(SIDE):
                            output = min(uint32(first_output + y + i * THREADS), uint32(outputs - 1))
                            sums[i, j] += tap_sums[uint32(tap), uint32(group * outputs + output)]
        output_step = uint32(1) if channels_last else plane
        pixel_step = uint32(g.outputs) if channels_last else uint32(1)
        result = uint64(n) * (uint64(plane) * uint64(g.outputs))
        for i in range(SIDE):
            local = uint32(first_output + y + i * THREADS)
            output = uint32(group * outputs + local)
            for j in range(SIDE):
                pixel = uint32(first_pixel + x + j * THREADS)
                if local < outputs and pixel < plane:
                    at = result + uint64(output) * uint64(output_step) + uint64(pixel) * uint64(pixel_step)
                    if scaled:
                        factor = scale[output]
                        if input_scale.shape[0] > 0:
                            factor *= input_scale[n, group, pixel]
                        floats[at] = float32(sums[i, j]) * factor + bias[output]
                    else:
                        ints[at] = sums[i, j]

    return convolution


convolve, convolve_whole = _convolution(whole_words=False), _convolution(whole_words=True)


def general(pictures: Any, filters: Any, depths: Any, g: Geometry, out: Any) -> None:
    """The same convolution without bits, the opponent in the measurements: float32 and fused multiply-adds.

    pictures, flat, of (N, C, H, W), and filters (O, KH * KW * C / groups) float32 in the order (ky, kx, channel);
    depths (KH * KW * C / groups, 3) int32: row, column and channel of each; zero padding; out flat (N, O, pixels). The
    grid as that of `convolve`.
    """
    windows = cuda.shared.array((GENERAL_STEP, GENERAL_ROW), float32)
    weights = cuda.shared.array((GENERAL_STEP, GENERAL_ROW), float32)
    sums = cuda.local.array((GENERAL_SIDE, GENERAL_SIDE), float32)
    left_side = cuda.local.array(GENERAL_SIDE, float32)
    right_side = cuda.local.array(GENERAL_SIDE, float32)
    x = uint32(cuda.threadIdx.x)
    y = uint32(cuda.threadIdx.y)
    me = uint32(y * THREADS + x)
    height = int32(g.height)
    width = int32(g.width)
    out_width = uint32(g.out_width)
    plane = uint32(g.out_height * g.out_width)
    groups = uint32(g.groups)
    outputs = uint32(uint32(g.outputs) // groups)
    channels = uint32(uint32(g.channels) // groups)
    words = uint32(channels * uint32(g.kernel_height * g.kernel_width))

    pixel_tiles = uint32((plane + GENERAL_TILE - 1) // GENERAL_TILE)
    output_tiles = uint32((outputs + GENERAL_TILE - 1) // GENERAL_TILE)
    block = uint32(cuda.blockIdx.x)
    rest = uint32(block // pixel_tiles)
    first_pixel = uint32((block - rest * pixel_tiles) * GENERAL_TILE)
    picture_group = uint32(rest // output_tiles)
    first_output = uint32((rest - picture_group * output_tiles) * GENERAL_TILE)
    n = uint32(picture_group // groups)
    group = uint32(picture_group - n * groups)

    mine = uint32(me % GENERAL_TILE)
    first_depth = uint32(me // GENERAL_TILE)
    line = uint32(me // GENERAL_STEP)
    depth = uint32(me % GENERAL_STEP)
    pixel = uint32(first_pixel + mine)
    exists = pixel < plane
    row = uint32(pixel // out_width)
    top = int32(int32(row) * int32(g.stride_y) - int32(g.padding_y))
    left = int32(int32(pixel - row * out_width) * int32(g.stride_x) - int32(g.padding_x))
    channel_step = uint32(g.height * g.width)
    picture = uint64(uint32(n * uint32(g.channels) + group * channels)) * uint64(channel_step)
    for i in range(GENERAL_SIDE):
        for j in range(GENERAL_SIDE):
            sums[i, j] = 0.0
    for base in range(0, words, GENERAL_STEP):
        k = uint32(base + depth)
        for turn in range(GENERAL_TURNS):
            place = uint32(line + turn * GENERAL_LINES)
            output = uint32(first_output + place)
            value = float32(0)
            if k < words and output < outputs:
                value = filters[uint32(group * outputs + output), k]
            weights[depth, place] = value
        for turn in range(GENERAL_TURNS):
            place = uint32(first_depth + turn * GENERAL_DEPTHS)
            k = uint32(base + place)
            value = float32(0)
            if exists and k < words:
                v = int32(top + depths[k, 0])
                u = int32(left + depths[k, 1])
                if v >= 0 and v < height and u >= 0 and u < width:
                    at = picture + uint64(uint32(depths[k, 2])) * uint64(channel_step)
                    value = pictures[at + uint64(uint32(int32(v * width + u)))]
            windows[place, mine] = value
        cuda.syncthreads()
        for d in range(GENERAL_STEP):
            for i in range(GENERAL_SIDE):
                left_side[i] = weights[d, uint32(y + i * THREADS)]
                right_side[i] = windows[d, uint32(x + i * THREADS)]
            for i in range(GENERAL_SIDE):
                for j in range(GENERAL_SIDE):
                    sums[i, j] += left_side[i] * right_side[j]
        cuda.syncthreads()
    for i in range(GENERAL_SIDE):
        local = uint32(first_output + y + i * THREADS)
        output = uint32(group * outputs + local)
        for j in range(GENERAL_SIDE):
            pixel = uint32(first_pixel + x + j * THREADS)
            if local < outputs and pixel < plane:
                at = uint64(uint32(n * uint32(g.outputs) + output)) * uint64(plane) + uint64(pixel)
                out[at] = sums[i, j]


def signatures() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Each kernel with the types it is launched with, to compile it to PTX where there is no GPU."""
    from numba import types

    def array(kind: Any, axes: int) -> Any:
        return types.Array(kind, axes, "C")

    integer, real, word, flag = types.int32, types.float32, types.uint32, types.boolean
    g = types.NamedUniTuple(types.int64, len(Geometry._fields), Geometry)
    line = array(real, 1)
    words, table = array(word, 2), array(integer, 2)
    convolution = (
        *(array(word, 1), words, table, table, table, g),
        *(line, line, array(real, 3), flag, flag, array(integer, 1), line),
    )
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
        "convolve": (convolve, convolution),
        "convolve_whole": (convolve_whole, convolution),
        "general": (general, (line, array(real, 2), array(integer, 2), g, line)),
    }


def ptx(name: str, capability: tuple[int, int]) -> str:
    """PTX of one kernel for a compute capability such as (8, 6). Needs NVVM, no GPU."""
    kernel, types_of = signatures()[name]
    text, _ = cuda.compile_ptx(kernel, types_of, cc=capability)
    return str(text)
