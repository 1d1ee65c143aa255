"""Convolutions by AMX (amx.py): tiles of pixels and outputs, whose bits are spread to bytes in the second cache.

The side whose rows are the rows of the result is spread as it is (`_spread_rows`); the other one lies in panels of 16
columns with crossed nibbles (`cross_panels`). What is spread of bits behind the last sign of a column is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .amx import AMX, PAIR, SIDE, TILE_BYTES, TILES, close_tiles, cross_nibbles, open_tiles, spread, tile_block
from .finish import Ending, finish_pixels, finish_planes
from .geometry import Geometry
from .microkernel import CACHE_LINE, ROWS, stream_end, stream_lines
from .tasks import Split, block_of, some_outputs, some_pixels
from .windows import gather, inside

#: Output pixels and outputs multiplied at a time, and the words of each that are spread at a time: 512 KiB a side.
PIXELS, OUTPUTS, DEPTH = 256, 256, 8
WIDTH = OUTPUTS + SIDE  #: of a row of sums: with a power of two, all rows would fall on the same lines of the cache

ALL, EACH_NIBBLE = ~np.uint64(0), np.uint64(0x1111_1111_1111_1111)


@njit(cache=True, nogil=True)
def cross_panels(rows: Any, first: int, last: int, panels: Any) -> None:
    """Turn rows[first:last] (n, words) into panels (ceil(n / SIDE), words, SIDE), their nibbles crossed; rows that
    lack are 0.
    """
    flat = panels.reshape(-1)
    for panel in range(panels.shape[0]):
        start = first + panel * SIDE
        count = max(0, min(SIDE, last - start))
        for j in range(panels.shape[1]):
            for lane in range(count):
                panels[panel, j, lane] = rows[start + lane, j]
            for lane in range(count, SIDE):
                panels[panel, j, lane] = 0
            if AMX:
                cross_nibbles(flat, (panel * panels.shape[1] + j) * SIDE)


@njit(cache=True, nogil=True)
def cross_filters(begin: int, end: int, filters: Any, outputs: int, panels: Any) -> None:
    """`cross_panels` of all filters, group by group: a group has ``outputs`` of them and begins with a new panel."""
    group_panels = (outputs + SIDE - 1) // SIDE
    for panel in range(begin, end):
        start = panel // group_panels * outputs
        first = start + panel % group_panels * SIDE
        cross_panels(filters, first, start + outputs, panels[panel : panel + 1])


@njit(cache=True, nogil=True)
def _buffer(octets: int) -> Any:
    """(octets,) int8 from a cache line on: a row of a tile that lay across two would be read twice."""
    memory = np.empty(octets + CACHE_LINE, np.int8)
    first = -memory.ctypes.data % CACHE_LINE
    return memory[first : first + octets]


@njit(cache=True, nogil=True)
def _sums(rows: int) -> Any:
    return _buffer(rows * WIDTH * 4).view(np.int32).reshape(rows, WIDTH)


@njit(cache=True, nogil=True)
def _spread_rows(rows: Any, first: int, count: int, word: int, deep: int, signs: Any) -> None:
    """``deep`` words from ``word`` on of ``count`` rows to tiles of SIDE rows: ``signs`` is (tiles, deep, SIDE, 64)."""
    if AMX:
        flat, words = rows.reshape(-1), rows.shape[1]
        for r in range(count):
            to = (r // SIDE * deep * SIDE + r % SIDE) * 64
            for j in range(deep):
                spread(flat, (first + r) * words + word + j, ALL, signs, to + j * TILE_BYTES)


@njit(cache=True, nogil=True)
def _spread_masked(rows: Any, first: int, which: Any, masks: Any, word: int, deep: int, signs: Any) -> None:
    """`_spread_rows` of PAIR rows once more, of those among ``which`` (k,): zeros where masks (k, words) has none."""
    if AMX:
        flat, words, kept = rows.reshape(-1), rows.shape[1], masks.reshape(-1)
        for k in range(which.size):
            r = which[k] - first
            if 0 <= r < PAIR:
                to = (r // SIDE * deep * SIDE + r % SIDE) * 64
                for j in range(deep):
                    at = (first + r) * words + word + j
                    spread(flat, at, kept[k * words + word + j], signs, to + j * TILE_BYTES)


@njit(cache=True, nogil=True)
def _spread_panels(panels: Any, first: int, count: int, word: int, deep: int, bits: int, signs: Any) -> None:
    """The same of ``count`` panels, whose columns have ``bits`` signs: ``signs`` is (count, deep, SIDE, 64)."""
    if AMX:
        flat, words = panels.reshape(-1), panels.shape[1]
        for panel in range(count):
            at = ((first + panel) * words + word) * SIDE
            for j in range(deep * SIDE):
                here = min(4, max(0, bits - word * 64 - j * 4))  # of four signs of each column
                kept = (np.uint64(1) << np.uint64(here)) - np.uint64(1)
                spread(flat, at + j, kept * EACH_NIBBLE, signs, (panel * deep * SIDE + j) * 64)


@njit(cache=True, nogil=True)
def _multiply(
    left: Any, right: Any, panels: int, deep: int, goes_on: bool, target: Any, place: int, stride: int
) -> None:
    """PAIR rows of what was spread times all ``panels``: to, or on, target[place + r * stride + c]."""
    if AMX:
        for panel in range(0, panels, 2):
            at, to = panel * deep * TILE_BYTES, place + panel * SIDE
            tile_block(left, 0, right, at, deep, goes_on, target, to, stride)


@njit(cache=True, nogil=True)
def convolve_pixels(
    begin: int, end: int, pixels: Any, panels: Any, g: Geometry, cut: Split, ending: Ending, out: Any
) -> None:
    """Result pixel by pixel, (N, pixels, O): pixels times ``panels``, the filters of `cross_filters`.

    Padded zeros are zeros among the bytes: nothing has to be corrected.
    """
    if AMX:
        words = panels.shape[1]
        plane, outputs = g.out_height * g.out_width, g.outputs // g.groups
        bits = g.channels // g.groups * g.kernel_height * g.kernel_width
        windows, masks = np.empty((PIXELS, words), np.uint64), np.empty((PIXELS, words), np.uint64)
        left, right = _buffer(PAIR * min(DEPTH, words) * 64), _buffer(OUTPUTS * min(DEPTH, words) * 64)
        sums = _sums(PIXELS if words > DEPTH else PAIR)
        flat = sums.reshape(-1)
        finished = np.empty(OUTPUTS, np.int32)
        edges = np.empty(PIXELS, np.int64)
        unwritten = np.ones(PIXELS // ROWS, np.bool_)
        on_lines = out.ctypes.data % CACHE_LINE == 0 and g.outputs % SIDE == 0
        held = -1
        open_tiles(TILES)
        for task in range(begin, end):
            block = block_of(task, cut, g)
            outside = gather(pixels, g, block.n, block.group, block.pixel, block.pixels, windows, edges)
            zeros = edges[: outside if g.padding_value == 0 else 0]
            inside(g, pixels.shape[4], block.pixel, zeros, masks)
            for first in range(0, block.outputs, OUTPUTS):
                where = some_outputs(block, first, OUTPUTS)
                panel = block.group * (panels.shape[0] // g.groups) + (where.output - block.group * outputs) // SIDE
                columns = -(-where.outputs // SIDE)
                whole = not ending.scaled and on_lines and where.outputs % SIDE == 0
                in_place = whole and not ending.streaming and where.outputs % PAIR == 0
                for word in range(0, words, DEPTH):
                    deep = min(DEPTH, words - word)
                    if held != panel * words + word:  # else they are those of the task before
                        _spread_panels(panels, panel, columns, word, deep, bits, right)
                        held = panel * words + word
                    for row in range(0, where.pixels, PAIR):
                        some = some_pixels(where, row, PAIR)
                        _spread_rows(windows, row, some.pixels, word, deep, left)
                        _spread_masked(windows, row, zeros, masks, word, deep, left)
                        to = (some.n * plane + some.pixel) * g.outputs + some.output
                        if in_place and some.pixels == PAIR:
                            _multiply(left, right, columns, deep, word > 0, out, to, g.outputs)
                            continue
                        place = row if words > DEPTH else 0  # where one pass is enough, sums stay in the first cache
                        _multiply(left, right, columns, deep, word > 0, flat, place * WIDTH, WIDTH)
                        if word + deep < words:
                            continue
                        if whole and ending.streaming:
                            for p in range(some.pixels):
                                stream_lines(flat, (place + p) * WIDTH, out, to + p * g.outputs, some.outputs // SIDE)
                        else:
                            here = sums[place : place + PAIR]
                            finish_pixels(here, unwritten, some, edges[:0], g, ending, finished, out)
        close_tiles()
        stream_end()


@njit(cache=True, nogil=True)
def convolve_planes(
    begin: int, end: int, pixels: Any, filters: Any, g: Geometry, cut: Split, ending: Ending, out: Any
) -> None:
    """Result in planes, (N, O, pixels): filters times panels of pixels."""
    if AMX:
        words = filters.shape[1]
        bits = g.channels // g.groups * g.kernel_height * g.kernel_width
        windows = np.empty((PIXELS, words), np.uint64)
        panels = np.empty((PIXELS // SIDE, words, SIDE), np.uint64)
        left, right = _buffer(PAIR * min(DEPTH, words) * 64), _buffer(PIXELS * min(DEPTH, words) * 64)
        sums = _sums(OUTPUTS if words > DEPTH else PAIR)
        flat = sums.reshape(-1)
        finished = np.empty(PIXELS, np.int32)
        edges = np.empty(PIXELS, np.int64)
        open_tiles(TILES)
        for task in range(begin, end):
            block = block_of(task, cut, g)
            outside = gather(pixels, g, block.n, block.group, block.pixel, block.pixels, windows, edges)
            columns = -(-block.pixels // SIDE)
            cross_panels(windows, 0, block.pixels, panels[:columns])
            for first in range(0, block.outputs, OUTPUTS):
                where = some_outputs(block, first, OUTPUTS)
                for word in range(0, words, DEPTH):
                    deep = min(DEPTH, words - word)
                    _spread_panels(panels, 0, columns, word, deep, bits, right)
                    for row in range(0, where.outputs, PAIR):
                        place = row if words > DEPTH else 0
                        some = some_outputs(where, row, PAIR)
                        _spread_rows(filters, some.output, some.outputs, word, deep, left)
                        _multiply(left, right, columns, deep, word > 0, flat, place * WIDTH, WIDTH)
                        if word + deep == words:
                            finish_planes(sums[place : place + PAIR], some, edges[:outside], g, ending, finished, out)
        close_tiles()
        stream_end()
