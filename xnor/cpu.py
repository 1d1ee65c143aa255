"""The CPU back end: Numba, in parallel over tiles of pixels and outputs.

A convolution goes in two steps. `pack_pixels` reads the float pictures once and writes each pixel's signs, along
the channels, into words. `convolve` then takes tiles of output pixels: it gathers the dense window of each pixel
(see bitpack.py) and multiplies the tile with all filters, block by block, in registers. A matrix product is the
same with a 1x1 kernel. What is multiplied are words, or, on processors that count bits by table anyway, nibbles
(see nibbles.py): tiles and filters are then unfolded to a byte a nibble first.

Kernels are compiled functions of a range of tasks; `threads.share_out` runs them. They write every element of their
results, and no two tasks write the same one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import memory
from .bitpack import PackedFilters, word_count
from .errors import XnorError
from .geometry import Geometry
from .microkernel import CACHE_LINE, LANES, LOOKUPS, NIBBLE_LANES, ROWS, pack_signs, sign_block, stream, stream_end
from .nibbles import multiply_nibbles, multiply_nibbles_out, unfold_columns, unfold_filters, unfold_rows
from .threads import share_out, thread_count

# Output pixels gathered at a time, and outputs multiplied with them before the sums are stored. The windows of a
# tile stay in the second cache, the sums in the first; a tile of planes is long because each plane's piece is
# stored apart.
PLANE_TILE, PLANE_BLOCK = 512, 16
PIXEL_TILE, PIXEL_BLOCK = 64, 64

STREAMED_BYTES = 16 << 20  # larger results are written around the caches

FEWEST_LANES = 48  # pixels (or outputs) below which blocks of nibbles, 64 wide, would work for nothing

NO_FLOATS = np.zeros(0, np.float32)
NO_INTS = np.zeros(0, np.int32)


class Split(NamedTuple):
    """How the work is cut into tasks: ``tiles`` of pixels times ``parts`` of ``outputs`` each (for every group)."""

    tiles: int
    parts: int
    outputs: int


@njit(cache=True, nogil=True)
def _pack_plane_line(planes: Any, thresholds: Any, groups: int, words: Any) -> bool:
    """Line ``planes`` (C, W), rows contiguous, into ``words`` (W, groups, words of a group). True if it holds a NaN."""
    channels, width = planes.shape
    per_group = channels // groups
    nans = np.uint64(0)
    row = np.empty(width, np.uint64)
    for group in range(groups):
        for word in range(words.shape[2]):
            row[:] = 0
            first = group * per_group + word * 64
            count = min(64, per_group - word * 64)
            done = 0
            while done < count:  # four channels for each pass over the words of the row
                four = min(4, count - done)
                a = planes[first + done]
                b = planes[first + done + min(1, four - 1)]
                c = planes[first + done + min(2, four - 1)]
                d = planes[first + done + four - 1]
                ta = thresholds[first + done]
                tb = thresholds[first + done + min(1, four - 1)]
                tc = thresholds[first + done + min(2, four - 1)]
                td = thresholds[first + done + four - 1]
                # Fewer than four: the last one is taken again, on the bit where it belongs.
                sa = np.uint64(done)
                sb = np.uint64(done + min(1, four - 1))
                sc = np.uint64(done + min(2, four - 1))
                sd = np.uint64(done + four - 1)
                for x in range(width):
                    row[x] |= (
                        (np.uint64(a[x] >= ta) << sa)
                        | (np.uint64(b[x] >= tb) << sb)
                        | (np.uint64(c[x] >= tc) << sc)
                        | (np.uint64(d[x] >= td) << sd)
                    )
                    nans |= np.uint64((a[x] != a[x]) | (b[x] != b[x]) | (c[x] != c[x]) | (d[x] != d[x]))
                done += four
            for x in range(width):
                words[x, group, word] = row[x]
    return nans != 0


@njit(cache=True, nogil=True)
def _pack_planes(begin: int, end: int, pictures: Any, thresholds: Any, groups: int, words: Any, bad: Any) -> None:
    """pictures (N, C, H, W), C-contiguous; words (N, H, W, groups, words of a group) written whole."""
    height = pictures.shape[2]
    for line in range(begin, end):
        n, y = line // height, line % height
        bad[line] = _pack_plane_line(pictures[n, :, y], thresholds, groups, words[n, y])


@njit(cache=True, nogil=True)
def _pack_pixel_line(values: Any, thresholds: Any, channels: int, groups: int, words: Any) -> bool:
    """Line ``values`` (W * C,), channels together, into ``words`` (W, groups, words of a group). True if it holds a
    NaN.
    """
    per_group = channels // groups
    nans = np.uint64(0)
    begin = 0
    if groups == 1 and channels <= 16:  # several pixels at a time: ``thresholds`` go on periodically
        pixels = 64 // channels
        mask = ~np.uint64(0) >> np.uint64(64 - channels)
        while begin + pixels <= words.shape[0] and begin * channels + 64 <= values.size:
            packed, wrong = pack_signs(values, begin * channels, thresholds, 0, 64)
            for x in range(begin, begin + pixels):
                words[x, 0, 0] = packed & mask
                nans |= wrong & mask
                packed >>= np.uint64(channels)
                wrong >>= np.uint64(channels)
            begin += pixels
    for x in range(begin, words.shape[0]):
        for group in range(groups):
            for word in range(words.shape[2]):
                first = group * per_group + word * 64
                count = min(64, per_group - word * 64)
                here = x * channels + first
                mask = ~np.uint64(0) >> np.uint64(64 - count)
                packed = np.uint64(0)
                wrong = np.uint64(0)
                if count > 16 and here + 64 <= values.size:
                    packed, wrong = pack_signs(values, here, thresholds, first, 64)
                elif 3 < count <= 16 and here + 16 <= values.size:
                    packed, wrong = pack_signs(values, here, thresholds, first, 16)
                else:
                    for bit in range(count):
                        value = values[here + bit]
                        packed |= np.uint64(value >= thresholds[first + bit]) << np.uint64(bit)
                        wrong |= np.uint64(value != value)
                words[x, group, word] = packed & mask
                nans |= wrong & mask
    return nans != 0


@njit(cache=True, nogil=True)
def _pack_pixels(
    begin: int, end: int, values: Any, thresholds: Any, channels: int, groups: int, words: Any, bad: Any
) -> None:
    """values (lines, W * C) C-contiguous; words (lines, W, groups, words of a group) written whole."""
    for line in range(begin, end):
        bad[line] = _pack_pixel_line(values[line], thresholds, channels, groups, words[line])


@njit(cache=True, nogil=True)
def _whole_windows(
    flat: Any, g: Geometry, start: int, stride: int, group_words: int, step_y: int, step_x: int,
    windows: Any, begin: int, end: int,
) -> None:  # fmt: skip
    """Windows inside the picture whose pixels fill whole words: copied. ``start``: the first word of the first."""
    together = g.kernel_width * group_words if step_x == group_words else 0  # pixels of a row that follow each other
    for p in range(begin, end):
        j = 0
        for ky in range(g.kernel_height):
            at = start + ky * step_y
            for word in range(together):
                windows[p, j + word] = flat[at + word]
            j += together
            for kx in range(0 if together else g.kernel_width):
                for word in range(group_words):
                    windows[p, j + word] = flat[at + kx * step_x + word]
                j += group_words
        start += stride


@njit(cache=True, nogil=True)
def _narrow_windows(
    flat: Any, g: Geometry, start: int, stride: int, channels: int, step_y: int, step_x: int,
    windows: Any, begin: int, end: int,
) -> None:  # fmt: skip
    """Windows inside the picture of fewer than 64 channels: a word a pixel, shifted together without gaps."""
    for p in range(begin, end):
        filling = np.uint64(0)
        used = 0
        j = 0
        for ky in range(g.kernel_height):
            at = start + ky * step_y
            for _ in range(g.kernel_width):
                filling, used, j = _append(flat[at], channels, filling, used, j, windows, p)
                at += step_x
        if used > 0:
            windows[p, j] = filling
        start += stride


@njit(cache=True, nogil=True)
def _append(value: Any, bits: int, filling: Any, used: int, j: int, windows: Any, p: int) -> Any:
    """The lowest ``bits`` of ``value`` behind the ``used`` ones of ``filling``, which goes to windows[p, j] when it is
    full. Returns the new ``filling``, ``used`` and ``j``.
    """
    filling |= value << np.uint64(used)
    used += bits
    if used >= 64:
        windows[p, j] = filling
        j += 1
        used -= 64
        # of ``value`` the highest ``used`` of its bits did not fit
        filling = value >> np.uint64(bits - used) if used > 0 else np.uint64(0)
    return filling, used, j


@njit(cache=True, nogil=True)
def _neighbouring_windows(
    flat: Any, g: Geometry, start: int, pixel_step: int, channels: int, step_y: int,
    windows: Any, begin: int, end: int,
) -> None:  # fmt: skip
    """`_narrow_windows`, each a pixel beside the one before: of its rows, a word each, all but a pixel are known."""
    width = channels * g.kernel_width
    rows = np.zeros(g.kernel_height, np.uint64)
    for ky in range(g.kernel_height):
        for kx in range(g.kernel_width - 1):  # shifted into its place before it is used
            rows[ky] |= flat[start + ky * step_y + kx * pixel_step] << np.uint64((kx + 1) * channels)
    at = start + (g.kernel_width - 1) * pixel_step
    for p in range(begin, end):
        filling = np.uint64(0)
        used = 0
        j = 0
        for ky in range(g.kernel_height):
            rows[ky] = (rows[ky] >> np.uint64(channels)) | (flat[at + ky * step_y] << np.uint64(width - channels))
            filling, used, j = _append(rows[ky], width, filling, used, j, windows, p)
        if used > 0:
            windows[p, j] = filling
        at += pixel_step


@njit(cache=True, nogil=True)
def _short_windows(flat: Any, g: Geometry, start: int, channels: int, step_y: int, windows: Any) -> None:
    """`_neighbouring_windows` that fit into a word each, ``windows`` (n,), of words a pixel apart: in vectors."""
    windows[:] = 0
    for ky in range(g.kernel_height):
        for kx in range(g.kernel_width):
            at = start + ky * step_y + kx
            taps = flat[at : at + windows.size]  # a slice, since an index that might be negative stops vectors
            shift = np.uint64((ky * g.kernel_width + kx) * channels)
            for p in range(windows.size):
                windows[p] |= taps[p] << shift


@njit(cache=True, nogil=True)
def _any_window(pixels: Any, g: Geometry, n: int, group: int, top: int, left: int, window: Any) -> None:
    """A window of any kind: it may reach outside the picture, and a pixel may end in the middle of a word."""
    group_words = pixels.shape[4]
    tail = g.channels // g.groups - (group_words - 1) * 64  # signs in the last word of a pixel
    tail_mask = ~np.uint64(0) >> np.uint64(64 - tail)
    outside = np.uint64(0)
    if g.padding_value == 1:
        outside = ~outside
    filling = np.uint64(0)
    used = 0
    j = 0
    for ky in range(g.kernel_height):
        y = top + ky * g.dilation_y
        for kx in range(g.kernel_width):
            x = left + kx * g.dilation_x
            inside = y >= 0 and y < g.height and x >= 0 and x < g.width
            for word in range(group_words):
                value = pixels[n, y, x, group, word] if inside else outside
                bits = 64
                if word == group_words - 1:
                    bits = tail
                    value &= tail_mask
                filling |= value << np.uint64(used)
                used += bits
                if used >= 64:
                    window[j] = filling
                    j += 1
                    used -= 64
                    filling = value >> np.uint64(bits - used) if used > 0 else np.uint64(0)
    if used > 0:
        window[j] = filling


@njit(cache=True, nogil=True)
def _gather(pixels: Any, g: Geometry, n: int, group: int, first: int, count: int, windows: Any, edges: Any) -> int:
    """Dense windows of ``count`` output pixels from ``first`` on into the rows of ``windows`` (tile, words).

    Lists in ``edges`` those of 0..count that reach outside the picture, and returns how many they are.
    """
    channels = g.channels // g.groups
    group_words = pixels.shape[4]
    whole = channels % 64 == 0 or g.kernel_height * g.kernel_width == 1
    neighbours = g.stride_x == 1 and g.dilation_x == 1 and channels * g.kernel_width <= 64
    flat = pixels.reshape(-1)
    pixel_step = g.groups * group_words
    step_y = g.dilation_y * g.width * pixel_step
    step_x = g.dilation_x * pixel_step
    stride = g.stride_x * pixel_step
    reach_y = (g.kernel_height - 1) * g.dilation_y
    reach_x = (g.kernel_width - 1) * g.dilation_x
    inner = (g.width - 1 - reach_x + g.padding_x) // g.stride_x + 1  # the first column that looks past the right border
    outside = 0
    row = first // g.out_width
    column = first % g.out_width
    p = 0
    while p < count:
        top = row * g.stride_y - g.padding_y
        left = column * g.stride_x - g.padding_x
        run = min(count - p, min(g.out_width, inner) - column)
        if top >= 0 and left >= 0 and top + reach_y < g.height and run > 0 and (whole or group_words == 1):
            start = ((n * g.height + top) * g.width + left) * pixel_step + group * group_words
            if whole:
                _whole_windows(flat, g, start, stride, group_words, step_y, step_x, windows, p, p + run)
            elif neighbours and pixel_step == 1 and channels * g.kernel_height * g.kernel_width <= 64:
                _short_windows(flat, g, start, channels, step_y, windows.reshape(-1)[p : p + run])
            elif neighbours:
                _neighbouring_windows(flat, g, start, pixel_step, channels, step_y, windows, p, p + run)
            else:
                _narrow_windows(flat, g, start, stride, channels, step_y, step_x, windows, p, p + run)
        else:
            if not (top >= 0 and left >= 0 and top + reach_y < g.height and run > 0):
                edges[outside] = p
                outside += 1
            run = 1
            _any_window(pixels, g, n, group, top, left, windows[p])
        p += run
        column += run
        if column == g.out_width:
            column = 0
            row += 1
    return outside


@njit(cache=True, nogil=True)
def _panels(rows: Any, first: int, last: int, panels: Any) -> None:
    """Turn rows[first:last] (n, words) into panels (ceil(n / LANES), words, LANES); rows that lack are 0."""
    for panel in range(panels.shape[0]):
        start = first + panel * LANES
        count = max(0, min(LANES, last - start))
        for j in range(panels.shape[1]):
            for lane in range(count):
                panels[panel, j, lane] = rows[start + lane, j]
            for lane in range(count, LANES):
                panels[panel, j, lane] = 0


@njit(cache=True, nogil=True)
def _zero_taps(g: Geometry, pixel: int, taps: Any) -> int:
    """List the taps of an output pixel that lie outside the picture; returns how many there are."""
    top = pixel // g.out_width * g.stride_y - g.padding_y
    left = pixel % g.out_width * g.stride_x - g.padding_x
    bottom = top + (g.kernel_height - 1) * g.dilation_y
    right = left + (g.kernel_width - 1) * g.dilation_x
    if top >= 0 and left >= 0 and bottom < g.height and right < g.width:
        return 0
    count = 0
    for ky in range(g.kernel_height):
        y = top + ky * g.dilation_y
        for kx in range(g.kernel_width):
            x = left + kx * g.dilation_x
            if y < 0 or y >= g.height or x < 0 or x >= g.width:
                taps[count] = ky * g.kernel_width + kx
                count += 1
    return count


@njit(cache=True, nogil=True)
def _copy(source: Any, source_first: int, target: Any, target_first: int, count: int, streaming: bool) -> None:
    if streaming:
        stream(source, source_first, target, target_first, count)
    else:
        for i in range(count):
            target[target_first + i] = source[source_first + i]


@njit(cache=True, nogil=True)
def _convolve_planes(
    begin: int, end: int, pixels: Any, filters: Any, nibbles: Any, tap_sums: Any, g: Geometry,
    split: Split, scale: Any, bias: Any, input_scale: Any, scaled: bool, streaming: bool, out: Any,
) -> None:  # fmt: skip
    """Result in planes, (N, O, pixels): blocks of filters times panels of pixels. For the arguments see `convolve`.

    ``nibbles``: the filters unfolded (O, nibbles), or (O, 0): then words are multiplied.
    """
    plane = g.out_height * g.out_width
    outputs = g.outputs // g.groups
    words = filters.shape[1]
    bits = np.int32(g.channels // g.groups * g.kernel_height * g.kernel_width)
    tile = min(PLANE_TILE, plane)
    lookups = nibbles.shape[1] > 0
    windows = np.empty((tile, words), np.uint64)
    panels = np.empty((0 if lookups else (tile + LANES - 1) // LANES, words, LANES), np.uint64)
    unfolded = np.empty(
        ((tile + NIBBLE_LANES - 1) // NIBBLE_LANES if lookups else 0, nibbles.shape[1], NIBBLE_LANES), np.uint8
    )
    sums = np.empty((PLANE_BLOCK, PLANE_TILE), np.int32)
    flat = sums.reshape(-1)
    finished = np.empty(PLANE_TILE, np.int32)
    real = finished.view(np.float32)
    taps = np.empty(g.kernel_height * g.kernel_width, np.int64)
    edges = np.empty(windows.shape[0], np.int64)
    for task in range(begin, end):
        part = task % split.parts
        first = task // split.parts % split.tiles * PLANE_TILE
        group = task // split.parts // split.tiles % g.groups
        n = task // split.parts // split.tiles // g.groups
        count = min(PLANE_TILE, plane - first)
        outside = _gather(pixels, g, n, group, first, count, windows, edges)
        _panels(windows, 0, count, panels)
        unfold_columns(windows, 0, count, unfolded)
        last = group * outputs + min(outputs, (part + 1) * split.outputs)
        for base in range(group * outputs + part * split.outputs, last, PLANE_BLOCK):
            rows = min(PLANE_BLOCK, last - base)
            for panel in range(panels.shape[0]):
                for row in range(0, rows, ROWS):
                    sign_block(filters, base + row, last - 1, panels[panel], sums, row, panel * LANES, bits)
            for panel in range(unfolded.shape[0]):
                multiply_nibbles(nibbles, base, rows, last - 1, unfolded[panel], sums, panel * NIBBLE_LANES, bits)
            if tap_sums.size > 0:
                for edge in range(outside):
                    p = edges[edge]
                    for t in range(_zero_taps(g, first + p, taps)):
                        for r in range(rows):
                            sums[r, p] += tap_sums[taps[t], base + r]
            for r in range(rows):
                to = (n * g.outputs + base + r) * plane + first
                if not scaled:
                    _copy(flat, r * PLANE_TILE, out, to, count, streaming)
                    continue
                factor = scale[base + r]
                shift = bias[base + r]
                if input_scale.size > 0:
                    factors = input_scale[n, group, first : first + count]
                    for p in range(count):
                        real[p] = np.float32(sums[r, p]) * (factor * factors[p]) + shift
                else:
                    for p in range(count):
                        real[p] = np.float32(sums[r, p]) * factor + shift
                _copy(finished, 0, out, to, count, streaming)
    stream_end()


class Block(NamedTuple):
    """Where sums of pixels belong: picture, group, the first pixel of the tile, the first output, how many outputs."""

    n: int
    group: int
    pixel: int
    output: int
    wide: int


@njit(cache=True, nogil=True)
def _finish_pixels(
    sums: Any, count: int, left: Any, where: Block, edges: Any, taps: Any, tap_sums: Any, g: Geometry,
    scale: Any, bias: Any, input_scale: Any, finished: Any, scaled: bool, streaming: bool, out: Any,
) -> None:  # fmt: skip
    """Write the ``sums`` of a tile's ``count`` pixels, corrected at the border and scaled.

    ``left`` (blocks of ROWS pixels,) of bool: the others are written already. ``edges``: pixels that look past the
    border. ``taps``, ``finished``: to work in.
    """
    plane = g.out_height * g.out_width
    here, wide = where.output, where.wide
    real = finished.view(np.float32)
    if tap_sums.size > 0:
        for p in edges:
            for t in range(_zero_taps(g, where.pixel + p, taps)):
                for o in range(wide):
                    sums[p, o] += tap_sums[taps[t], here + o]
    flat = sums.reshape(-1)
    for p in range(count):
        if not left[p // ROWS]:
            continue
        to = (where.n * plane + where.pixel + p) * g.outputs + here
        if not scaled:
            _copy(flat, p * PIXEL_BLOCK, out, to, wide, streaming)
            continue
        factor = input_scale[where.n, where.group, where.pixel + p] if input_scale.size > 0 else np.float32(1)
        factors = scale[here : here + wide]  # slices, since an index that might be negative stops vectors
        shifts = bias[here : here + wide]
        for o in range(wide):
            real[o] = np.float32(sums[p, o]) * (factors[o] * factor) + shifts[o]
        _copy(finished, 0, out, to, wide, streaming)


@njit(cache=True, nogil=True)
def _convolve_pixels(
    begin: int, end: int, pixels: Any, panels: Any, unfolded: Any, tap_sums: Any, g: Geometry,
    split: Split, scale: Any, bias: Any, input_scale: Any, scaled: bool, streaming: bool, out: Any,
) -> None:  # fmt: skip
    """Result pixel by pixel, (N, pixels, O): blocks of pixels times panels of filters. Arguments: see `convolve`.

    ``panels``: the filters in words, or none; then ``unfolded`` holds them in nibbles.
    """
    plane = g.out_height * g.out_width
    outputs = g.outputs // g.groups
    lookups = unfolded.shape[0] > 0
    group_panels = (unfolded.shape[0] if lookups else panels.shape[0]) // g.groups
    bits = np.int32(g.channels // g.groups * g.kernel_height * g.kernel_width)
    windows = np.empty((min(PIXEL_TILE, plane), panels.shape[1]), np.uint64)
    nibbles = np.empty((windows.shape[0] if lookups else 0, unfolded.shape[1]), np.uint8)
    sums = np.empty((PIXEL_TILE, PIXEL_BLOCK), np.int32)
    left = np.empty(PIXEL_TILE // ROWS, np.bool_)  # blocks that are not written from registers
    finished = np.empty(PIXEL_BLOCK, np.int32)
    taps = np.empty(g.kernel_height * g.kernel_width, np.int64)
    edges = np.empty(windows.shape[0], np.int64)
    direct = lookups and not scaled
    if streaming:
        direct = direct and out.ctypes.data % CACHE_LINE == 0 and outputs * 4 % CACHE_LINE == 0
    for task in range(begin, end):
        part = task % split.parts
        first = task // split.parts % split.tiles * PIXEL_TILE
        group = task // split.parts // split.tiles % g.groups
        n = task // split.parts // split.tiles // g.groups
        count = min(PIXEL_TILE, plane - first)
        outside = _gather(pixels, g, n, group, first, count, windows, edges)
        if lookups:
            unfold_rows(0, count, windows, nibbles)
        last = min(outputs, (part + 1) * split.outputs)
        for base in range(part * split.outputs, last, PIXEL_BLOCK):
            wide = min(PIXEL_BLOCK, last - base)
            where = Block(n, group, first, group * outputs + base, wide)
            left[:] = True
            if lookups:  # PIXEL_BLOCK is one panel
                if direct and wide == NIBBLE_LANES:
                    left[: count // ROWS] = False
                    if tap_sums.size > 0:
                        for edge in range(outside):
                            left[edges[edge] // ROWS] = True
                panel = unfolded[group * group_panels + base // NIBBLE_LANES]
                to = (n * plane + first) * g.outputs + where.output
                multiply_nibbles_out(nibbles, count, panel, sums, left, bits, out, to, g.outputs, streaming)
            else:
                for column in range(0, wide, LANES):
                    words = panels[group * group_panels + (base + column) // LANES]
                    for p in range(0, count, ROWS):
                        sign_block(windows, p, count - 1, words, sums, p, column, bits)
            if left[: -(-count // ROWS)].any():
                _finish_pixels(
                    sums, count, left, where, edges[:outside], taps, tap_sums, g, scale, bias, input_scale, finished,
                    scaled, streaming, out,
                )  # fmt: skip
    stream_end()


@njit(cache=True, nogil=True)
def _filter_panels(begin: int, end: int, filters: Any, outputs: int, panels: Any) -> None:
    """Panels of all filters, group by group (a group has ``outputs`` of them and begins with a panel of its own)."""
    group_panels = (outputs + LANES - 1) // LANES
    for panel in range(begin, end):
        start = panel // group_panels * outputs
        _panels(filters, start + panel % group_panels * LANES, start + outputs, panels[panel : panel + 1])


def pack_pixels(
    pictures: NDArray[np.float32], thresholds: NDArray[np.float32] | None = None, groups: int = 1
) -> NDArray[np.uint64]:
    """Bits of pictures (N, C, H, W) float32, any strides: uint64 (N, H, W, groups, words of a group's channels).

    A bit is set where the value is >= its channel's threshold (0 without ``thresholds`` (C,)). Raises XnorError for
    NaN.
    """
    batch, channels, height, width = pictures.shape
    limits = np.zeros(channels + 64, np.float32)  # read 64 at a time, the tail masked off
    if thresholds is not None:
        limits[:] = np.resize(thresholds, channels + 64)
    words = np.empty((batch, height, width, groups, word_count(channels // groups)), np.uint64)
    pixels = pictures.transpose(0, 2, 3, 1)
    bad = np.zeros(batch * height, np.bool_)
    if pixels.flags.c_contiguous and channels > 1:
        lines = pixels.reshape(batch * height, width * channels)
        line_words = words.reshape(batch * height, width, groups, -1)
        share_out(_pack_pixels, batch * height, lines, limits, channels, groups, line_words, bad)
    else:
        share_out(_pack_planes, batch * height, np.ascontiguousarray(pictures), limits, groups, words, bad)
    if bad.any():
        raise XnorError("the input holds NaN, which has no sign: clean it before it is binarised")
    return words


def convolve(
    pixels: NDArray[np.uint64],
    filters: PackedFilters,
    g: Geometry,
    *,
    channels_last: bool,
    scale: NDArray[np.float32] | None = None,
    bias: NDArray[np.float32] | None = None,
    input_scale: NDArray[np.float32] | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Convolve packed pixels (from `pack_pixels`) with packed filters.

    Result (N, O, OH, OW), or (N, OH, OW, O) with ``channels_last``: int32, or float32 if any of ``scale`` (O,),
    ``bias`` (O,), ``input_scale`` (N, groups, OH * OW) is given. ``out`` takes the result (C-contiguous, that shape
    and type).
    """
    scaled = scale is not None or bias is not None or input_scale is not None
    shape = (g.batch, g.outputs, g.out_height, g.out_width)
    if channels_last:
        shape = (g.batch, g.out_height, g.out_width, g.outputs)
    if out is None:
        out = memory.empty(shape, np.float32 if scaled else np.int32)
    zero_padded = g.padding_value == 0 and (g.padding_y > 0 or g.padding_x > 0)
    outputs = g.outputs // g.groups
    split = _split(g, channels_last)
    rows = filters.words
    depth = -(-g.channels // g.groups * g.kernel_height * g.kernel_width // 4) if _by_lookup(g, channels_last) else 0
    if channels_last:
        panels = np.empty((0 if depth else g.groups * -(-outputs // LANES), rows.shape[1], LANES), np.uint64)
        share_out(_filter_panels, panels.shape[0], rows, outputs, panels)
        nibbles = np.empty((g.groups * -(-outputs // NIBBLE_LANES) if depth else 0, depth, NIBBLE_LANES), np.uint8)
        share_out(unfold_filters, nibbles.shape[0], rows, outputs, nibbles)
        rows = panels
    else:
        nibbles = np.empty((g.outputs, depth), np.uint8)
        share_out(unfold_rows, g.outputs if depth else 0, rows, nibbles)
    share_out(
        _convolve_pixels if channels_last else _convolve_planes,
        g.batch * g.groups * split.tiles * split.parts,
        pixels,
        rows,
        nibbles,
        filters.tap_sums() if zero_padded else NO_INTS.reshape(0, 0),
        g,
        split,
        np.ones(g.outputs, np.float32) if scale is None else scale,
        np.zeros(g.outputs, np.float32) if bias is None else bias,
        NO_FLOATS.reshape(0, 0, 0) if input_scale is None else input_scale,
        scaled,
        out.nbytes >= STREAMED_BYTES,
        out.reshape(-1).view(np.int32),
    )
    return out


def _by_lookup(g: Geometry, channels_last: bool) -> bool:
    """Whether nibbles are multiplied: where that is quicker, and the blocks, 64 wide and 4 high, are mostly filled."""
    plane, outputs = g.out_height * g.out_width, g.outputs // g.groups
    lanes, rows = (outputs, plane) if channels_last else (plane, outputs)
    return LOOKUPS and lanes >= FEWEST_LANES and rows >= ROWS


def _split(g: Geometry, channels_last: bool) -> Split:
    """Enough tasks for all threads: where tiles are few (small pictures, one row of a matrix) outputs are shared
    out.
    """
    tile = PIXEL_TILE if channels_last else PLANE_TILE
    tiles = -(-g.out_height * g.out_width // tile)
    outputs = g.outputs // g.groups
    wanted = -(-8 * thread_count() // (tiles * g.batch * g.groups))
    per_task = -(-outputs // wanted // 64) * 64
    return Split(tiles, -(-outputs // per_task), per_task)
