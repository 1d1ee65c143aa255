"""The opponent: the CPU convolution of this package without bits, in float32.

The same tiles, the same gathering, the same blocks in registers as cpu.py, with fused multiply-adds in the place of
XOR and popcount. It exists for the measurements alone: it shows what the bits give, all else being equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import memory
from .compiled import compiled
from .geometry import Geometry
from .microkernel import FLOAT_LANES, ROWS, float_block
from .threads import share_out

TILE = 64
BLOCK = 64


@compiled
def _convolve(begin: int, end: int, pictures: Any, filters: Any, g: Geometry, out: Any) -> None:
    plane = g.out_height * g.out_width
    tiles = (plane + TILE - 1) // TILE
    channels = g.channels // g.groups
    outputs = g.outputs // g.groups
    depth = filters.shape[1]
    panels = np.empty((TILE // FLOAT_LANES, depth, FLOAT_LANES), np.float32)
    sums = np.empty((BLOCK, TILE), np.float32)
    tops = np.empty(TILE, np.int64)
    lefts = np.empty(TILE, np.int64)
    for task in range(begin, end):
        first = task % tiles * TILE
        group = task // tiles % g.groups
        n = task // tiles // g.groups
        count = min(TILE, plane - first)
        for lane in range(TILE):
            pixel = min(first + lane, plane - 1)
            tops[lane] = pixel // g.out_width * g.stride_y - g.padding_y
            lefts[lane] = pixel % g.out_width * g.stride_x - g.padding_x
        for panel_number in range(TILE // FLOAT_LANES):
            panel = panels[panel_number]
            corner = panel_number * FLOAT_LANES
            k = 0
            for c in range(group * channels, (group + 1) * channels):
                picture = pictures[n, c]
                for ky in range(g.kernel_height):
                    for kx in range(g.kernel_width):
                        row = panel[k]
                        for lane in range(FLOAT_LANES):  # neighbours in the panel are neighbours in the picture
                            y = tops[corner + lane] + ky * g.dilation_y
                            x = lefts[corner + lane] + kx * g.dilation_x
                            inside = y >= 0 and y < g.height and x >= 0 and x < g.width
                            row[lane] = picture[y, x] if inside else np.float32(0)
                        k += 1
        last = (group + 1) * outputs
        for base in range(group * outputs, last, BLOCK):
            rows = min(BLOCK, last - base)
            for panel_number in range((count + FLOAT_LANES - 1) // FLOAT_LANES):
                for row in range(0, rows, ROWS):
                    float_block(
                        filters, base + row, last - 1, panels[panel_number], sums, row, panel_number * FLOAT_LANES
                    )
            for r in range(rows):
                start = (n * g.outputs + base + r) * plane + first
                for p in range(count):
                    out[start + p] = sums[r, p]


def conv2d(pictures: NDArray[np.float32], filters: NDArray[np.float32], g: Geometry) -> NDArray[np.float32]:
    """pictures (N, C, H, W) and filters (O, C / groups, KH, KW), both float32 and C-contiguous -> (N, O, OH, OW).
    Zero padding.
    """
    out = memory.empty((g.batch, g.outputs, g.out_height, g.out_width), np.float32)
    tasks = g.batch * g.groups * -(-g.out_height * g.out_width // TILE)
    share_out(_convolve, tasks, pictures, filters.reshape(g.outputs, -1), g, out.reshape(-1))
    return out
