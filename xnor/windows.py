"""Pictures as bits for the CPU kernels: their pixels packed, and the dense windows of output pixels gathered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import memory
from .bitpack import word_count
from .compiled import compiled
from .errors import XnorError
from .geometry import Geometry
from .microkernel import pack_signs
from .threads import share_out


@compiled
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


@compiled
def _pack_planes(begin: int, end: int, pictures: Any, thresholds: Any, groups: int, words: Any, bad: Any) -> None:
    """pictures (N, C, H, W), C-contiguous; words (N, H, W, groups, words of a group) written whole."""
    height = pictures.shape[2]
    for line in range(begin, end):
        n, y = line // height, line % height
        bad[line] = _pack_plane_line(pictures[n, :, y], thresholds, groups, words[n, y])


@compiled
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


@compiled
def _pack_pixels(
    begin: int, end: int, values: Any, thresholds: Any, channels: int, groups: int, words: Any, bad: Any
) -> None:
    """values (lines, W * C) C-contiguous; words (lines, W, groups, words of a group) written whole."""
    for line in range(begin, end):
        bad[line] = _pack_pixel_line(values[line], thresholds, channels, groups, words[line])


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
def _even_windows(flat: Any, g: Geometry, start: int, channels: int, step_y: int, windows: Any) -> None:
    """`_neighbouring_windows` of words a pixel apart, all in ``windows`` (n, words), where no pixel lies across two
    words: in vectors.
    """
    words, taps = windows.shape[1], g.kernel_height * g.kernel_width
    together = taps if words == 1 else 64 // channels
    column = np.empty(windows.shape[0], np.uint64)
    for word in range(words):
        column[:] = 0
        for tap in range(word * together, min(taps, (word + 1) * together)):
            at = start + tap // g.kernel_width * step_y + tap % g.kernel_width
            pixels = flat[at : at + column.size]  # a slice, since an index that might be negative stops vectors
            shift = np.uint64((tap - word * together) * channels)
            for p in range(column.size):
                column[p] |= pixels[p] << shift
        for p in range(column.size):
            windows[p, word] = column[p]


@compiled
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


@compiled
def gather(pixels: Any, g: Geometry, n: int, group: int, first: int, count: int, windows: Any, edges: Any) -> int:
    """Dense windows of ``count`` output pixels from ``first`` on into the rows of ``windows`` (tile, words).

    Lists in ``edges`` those of 0..count that reach outside the picture, and returns how many they are.
    """
    channels = g.channels // g.groups
    group_words = pixels.shape[4]
    whole = channels % 64 == 0 or g.kernel_height * g.kernel_width == 1
    following = g.stride_x == 1 and g.dilation_x == 1
    neighbours = following and channels * g.kernel_width <= 64
    even = following and (64 % channels == 0 or channels * g.kernel_height * g.kernel_width <= 64)
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
            elif even and pixel_step == 1:
                _even_windows(flat, g, start, channels, step_y, windows[p : p + run])
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
    words = memory.empty((batch, height, width, groups, word_count(channels // groups)), np.uint64)
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
