"""Products of signs by lookup: words unfolded to a byte for every four signs (a nibble), and multiplied so.

For processors that would count bits by a table of nibbles anyway; `microkernel.nibble_block` says how and why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled
from .microkernel import (
    DIFFERING,
    LOOKUPS,
    NIBBLE_LANES,
    NIBBLES,
    ROWS,
    nibble_block,
    nibble_block_stream,
)


@compiled
def unfold_columns(rows: Any, first: int, last: int, panels: Any) -> None:
    """Unfold rows[first:last] (n, words) into panels (ceil(n / NIBBLE_LANES), nibbles, NIBBLE_LANES) of uint8."""
    nibbles = panels.shape[1]
    column = np.empty(NIBBLE_LANES, np.uint64)
    two = np.empty(NIBBLE_LANES, np.uint8)
    for panel in range(panels.shape[0]):
        start = first + panel * NIBBLE_LANES
        count = max(0, min(NIBBLE_LANES, last - start))
        column[:] = 0
        for done in range(0, nibbles, 16):
            for lane in range(count):
                column[lane] = rows[start + lane, done // 16]
            for k in range(done, min(done + 16, nibbles), 2):
                shift = np.uint64(4 * (k - done))
                for lane in range(NIBBLE_LANES):
                    two[lane] = np.uint8(column[lane] >> shift)
                for lane in range(NIBBLE_LANES):
                    panels[panel, k, lane] = two[lane] & np.uint8(15)
                if k + 1 < nibbles:
                    for lane in range(NIBBLE_LANES):
                        panels[panel, k + 1, lane] = two[lane] >> np.uint8(4)


@compiled
def unfold_rows(begin: int, end: int, rows: Any, unfolded: Any) -> None:
    """Unfold rows[begin:end] (n, words) into ``unfolded`` (n, nibbles) of uint8, each nibble times 16."""
    octets = rows.view(np.uint8)  # a processor with AVX2 has the lowest bits first
    nibbles = unfolded.shape[1]
    for row in range(begin, end):
        source, target = octets[row], unfolded[row]
        for k in range(nibbles // 2):
            target[2 * k] = source[k] << np.uint8(4)
            target[2 * k + 1] = source[k] & np.uint8(0xF0)
        if nibbles % 2:
            target[nibbles - 1] = source[nibbles // 2] << np.uint8(4)


@compiled
def multiply_nibbles(
    rows: Any, first: int, count: int, last_row: int, panel: Any, sums: Any, column: int, bits: Any
) -> None:
    """``count`` rows from ``first`` on times one panel, to sums[0:count, column:column + NIBBLE_LANES]."""
    if LOOKUPS:  # else `nibble_block` does not compile
        nibbles = panel.shape[0]
        step = -(-nibbles // -(-nibbles // NIBBLES))
        flat, width = sums.reshape(-1), sums.shape[1]
        for done in range(0, nibbles, step):
            end = min(nibbles, done + step)
            start = bits if done == 0 else np.int32(-1)
            for row in range(0, count, ROWS):
                to = row * width + column
                nibble_block(
                    rows, first + row, last_row, panel, done, end, DIFFERING, sums, row, column, start, flat, to, width
                )


@compiled
def multiply_nibbles_out(
    rows: Any, count: int, panel: Any, sums: Any, to_sums: Any, bits: Any, target: Any, place: int, stride: int,
    streaming: bool,
) -> None:  # fmt: skip
    """``count`` rows times one panel, in blocks of ROWS, to ``target``, flat int32: row r at ``place + r * stride``.

    Blocks of which ``to_sums`` (blocks,) of bool says so go to their rows of ``sums`` (rows, NIBBLE_LANES) instead; the
    last one must, where it is not full. ``streaming``: see `nibble_block_stream`.
    """
    if LOOKUPS:
        nibbles = panel.shape[0]
        step = -(-nibbles // -(-nibbles // NIBBLES))
        final = (nibbles - 1) // step * step
        flat, width, last_row = sums.reshape(-1), sums.shape[1], count - 1
        for done in range(0, final, step):  # so much of the panel stays in the first cache while rows pass by
            start, end = bits if done == 0 else np.int32(-1), done + step
            for row in range(0, count, ROWS):
                to = row * width
                nibble_block(rows, row, last_row, panel, done, end, DIFFERING, sums, row, 0, start, flat, to, width)
        start, end = bits if final == 0 else np.int32(-1), nibbles
        for row in range(0, count, ROWS):
            to = place + row * stride
            if to_sums[row // ROWS]:
                to = row * width
                nibble_block(rows, row, last_row, panel, final, end, DIFFERING, sums, row, 0, start, flat, to, width)
            elif streaming:
                nibble_block_stream(
                    rows, row, last_row, panel, final, end, DIFFERING, sums, row, 0, start, target, to, stride
                )
            else:
                nibble_block(rows, row, last_row, panel, final, end, DIFFERING, sums, row, 0, start, target, to, stride)


@compiled
def unfold_filters(begin: int, end: int, filters: Any, outputs: int, panels: Any) -> None:
    """`unfold_columns` of all filters, group by group: a group has ``outputs`` of them and begins with a new panel."""
    group_panels = (outputs + NIBBLE_LANES - 1) // NIBBLE_LANES
    for panel in range(begin, end):
        start = panel // group_panels * outputs
        first = start + panel % group_panels * NIBBLE_LANES
        unfold_columns(filters, first, start + outputs, panels[panel : panel + 1])
