"""The CPU back end: Numba, in parallel over tiles of pixels and outputs.

A convolution goes in two steps. `pack_pixels` reads the float pictures once and writes each pixel's signs, along
the channels, into words. `convolve` then takes tiles of output pixels: it gathers the dense window of each pixel
(see bitpack.py) and multiplies the tile with all filters, block by block, in registers. A matrix product is the
same with a 1x1 kernel. How signs are multiplied depends on the processor: in words, by counting bits, or in nibbles,
where bits are counted by table anyway (nibbles.py: tiles and filters are then unfolded to a byte a nibble first).

Kernels are compiled functions of a range of tasks; `threads.share_out` runs them. They write every element of their
results, and no two tasks write the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import memory
from .bitpack import PackedFilters
from .compiled import compiled
from .finish import Ending, finish_pixels, finish_planes
from .geometry import Geometry
from .microkernel import (
    CACHE_LINE,
    COUNTS,
    LANES,
    LOOKUPS,
    NIBBLE_LANES,
    ROWS,
    sign_block,
    sign_block_stream,
    stream_end,
)
from .nibbles import multiply_nibbles, multiply_nibbles_out, unfold_columns, unfold_filters, unfold_rows
from .tasks import Split, block_of, some_outputs, split, task_count
from .threads import share_out
from .windows import gather, pack_pixels

__all__ = ["convolve", "pack_pixels"]

Way = Literal["words", "nibbles"]

# Output pixels gathered at a time, and outputs multiplied with them before the sums are stored. The windows of a
# tile stay in the second cache, the sums in the first; a tile of planes is long because each plane's piece is
# stored apart.
PLANE_TILE, PLANE_BLOCK = 512, 16
PIXEL_TILE, PIXEL_BLOCK = 64, 64

STREAMED_BYTES = 16 << 20  # larger results are written around the caches

FEWEST_LANES = 48  # pixels (or outputs) below which blocks of nibbles, 64 wide, would work for nothing

FEW_WORDS = 1024  # of a row: so many panels of filters of a word are made before a second thread would have begun

NO_FLOATS = np.zeros(0, np.float32)
NO_INTS = np.zeros(0, np.int32)


@compiled
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


@compiled
def _convolve_planes(
    begin: int, end: int, pixels: Any, filters: Any, nibbles: Any, g: Geometry, cut: Split, ending: Ending, out: Any
) -> None:
    """Result in planes, (N, O, pixels): blocks of filters times panels of pixels. For the arguments see `convolve`.

    ``nibbles``: the filters unfolded (O, nibbles), or (O, 0): then words are multiplied.
    """
    words = filters.shape[1]
    bits = np.int32(g.channels // g.groups * g.kernel_height * g.kernel_width)
    tile = min(PLANE_TILE, g.out_height * g.out_width)
    lookups = nibbles.shape[1] > 0
    windows = np.empty((tile, words), np.uint64)
    panels = np.empty((0 if lookups else (tile + LANES - 1) // LANES, words, LANES), np.uint64)
    unfolded = np.empty(
        ((tile + NIBBLE_LANES - 1) // NIBBLE_LANES if lookups else 0, nibbles.shape[1], NIBBLE_LANES), np.uint8
    )
    sums = np.empty((PLANE_BLOCK, PLANE_TILE), np.int32)
    flat = sums.reshape(-1)
    finished = np.empty(PLANE_TILE, np.int32)
    edges = np.empty(tile, np.int64)
    for task in range(begin, end):
        block = block_of(task, cut, g)
        outside = gather(pixels, g, block.n, block.group, block.pixel, block.pixels, windows, edges)
        _panels(windows, 0, block.pixels, panels)
        unfold_columns(windows, 0, block.pixels, unfolded)
        last_row = block.output + block.outputs - 1
        for first in range(0, block.outputs, PLANE_BLOCK):
            where = some_outputs(block, first, PLANE_BLOCK)
            here, rows = where.output, where.outputs
            for panel in range(panels.shape[0]):
                for row in range(0, rows, ROWS):
                    to = row * PLANE_TILE + panel * LANES
                    sign_block(filters, here + row, last_row, panels[panel], bits, flat, to, PLANE_TILE)
            for panel in range(unfolded.shape[0]):
                multiply_nibbles(nibbles, here, rows, last_row, unfolded[panel], sums, panel * NIBBLE_LANES, bits)
            finish_planes(sums, where, edges[:outside], g, ending, finished, out)
    stream_end()


@compiled
def _convolve_pixels(
    begin: int, end: int, pixels: Any, panels: Any, unfolded: Any, g: Geometry, cut: Split, ending: Ending, out: Any
) -> None:
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
    flat = sums.reshape(-1)
    left = np.empty(PIXEL_TILE // ROWS, np.bool_)  # blocks that are not written from registers
    finished = np.empty(PIXEL_BLOCK, np.int32)
    edges = np.empty(windows.shape[0], np.int64)
    direct = not ending.scaled
    if ending.streaming:
        direct = direct and out.ctypes.data % CACHE_LINE == 0 and outputs * 4 % CACHE_LINE == 0
    for task in range(begin, end):
        block = block_of(task, cut, g)
        count = block.pixels
        outside = gather(pixels, g, block.n, block.group, block.pixel, count, windows, edges)
        if lookups:
            unfold_rows(0, count, windows, nibbles)
        for first in range(0, block.outputs, PIXEL_BLOCK):
            where = some_outputs(block, first, PIXEL_BLOCK)
            column = where.output - block.group * outputs  # among the group's
            place = (block.n * plane + block.pixel) * g.outputs + where.output
            left[:] = True
            if direct and where.outputs == PIXEL_BLOCK:
                left[: count // ROWS] = False
                if ending.tap_sums.size > 0:
                    for edge in range(outside):
                        left[edges[edge] // ROWS] = True
            if lookups:  # PIXEL_BLOCK is one panel
                panel = unfolded[block.group * group_panels + column // NIBBLE_LANES]
                multiply_nibbles_out(nibbles, count, panel, sums, left, bits, out, place, g.outputs, ending.streaming)
            else:
                for p in range(0, count, ROWS):  # rows outside: pieces of them that lie together are written together
                    for across in range(0, where.outputs, LANES):
                        words = panels[block.group * group_panels + (column + across) // LANES]
                        to = place + p * g.outputs + across
                        if left[p // ROWS]:
                            sign_block(windows, p, count - 1, words, bits, flat, p * PIXEL_BLOCK + across, PIXEL_BLOCK)
                        elif ending.streaming:
                            sign_block_stream(windows, p, count - 1, words, bits, out, to, g.outputs)
                        else:
                            sign_block(windows, p, count - 1, words, bits, out, to, g.outputs)
            if left[: -(-count // ROWS)].any():
                finish_pixels(sums, left, where, edges[:outside], g, ending, finished, out)
    stream_end()


@compiled
def _filter_panels(begin: int, end: int, filters: Any, outputs: int, panels: Any) -> None:
    """Panels of all filters, group by group (a group has ``outputs`` of them and begins with a panel of its own)."""
    group_panels = (outputs + LANES - 1) // LANES
    for panel in range(begin, end):
        start = panel // group_panels * outputs
        _panels(filters, start + panel % group_panels * LANES, start + outputs, panels[panel : panel + 1])


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
    ending = Ending(
        filters.tap_sums() if zero_padded else NO_INTS.reshape(0, 0),
        np.ones(g.outputs, np.float32) if scale is None else scale,
        np.zeros(g.outputs, np.float32) if bias is None else bias,
        NO_FLOATS.reshape(0, 0, 0) if input_scale is None else input_scale,
        scaled,
        out.nbytes >= STREAMED_BYTES,
    )
    kernel, sides, tile = _prepared(_way(g, channels_last), filters.words, g, channels_last)
    cut = split(g, tile)
    share_out(kernel, task_count(g, cut), pixels, *sides, g, cut, ending, out.reshape(-1).view(np.int32))
    return out


def _prepared(
    way: Way, filters: NDArray[np.uint64], g: Geometry, channels_last: bool
) -> tuple[Callable[..., None], tuple[NDArray[Any], ...], int]:
    """The kernel, the filters in the form or forms it takes, and how many pixels are a tile of it."""
    outputs = g.outputs // g.groups
    words = filters.shape[1]
    few = -(-FEW_WORDS // words)
    depth = -(-g.channels // g.groups * g.kernel_height * g.kernel_width // 4) if way == "nibbles" else 0
    if not channels_last:
        nibbles = np.empty((g.outputs, depth), np.uint8)
        share_out(unfold_rows, g.outputs if depth else 0, filters, nibbles)
        return _convolve_planes, (filters, nibbles), PLANE_TILE
    panels = np.empty((0 if depth else g.groups * -(-outputs // LANES), words, LANES), np.uint64)
    share_out(_filter_panels, panels.shape[0], filters, outputs, panels, least=few)
    nibbles = np.empty((g.groups * -(-outputs // NIBBLE_LANES) if depth else 0, depth, NIBBLE_LANES), np.uint8)
    share_out(unfold_filters, nibbles.shape[0], filters, outputs, nibbles)
    return _convolve_pixels, (panels, nibbles), PIXEL_TILE


def _way(g: Geometry, channels_last: bool) -> Way:
    """How signs are multiplied quickest; in words where blocks of nibbles would not be mostly filled."""
    plane, outputs = g.out_height * g.out_width, g.outputs // g.groups
    lanes, rows = (outputs, plane) if channels_last else (plane, outputs)
    if LOOKUPS and not COUNTS and lanes >= FEWEST_LANES and rows >= ROWS:
        return "nibbles"
    return "words"
