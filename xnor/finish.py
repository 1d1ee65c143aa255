"""What becomes of the sums of a block: corrected where the picture is padded with zeros, scaled, put in their place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled
from .geometry import Geometry
from .microkernel import ROWS, stream
from .tasks import Block


class Ending(NamedTuple):
    """What every sum goes through.

    ``tap_sums`` (taps, O) int32, or (0, 0) where no zeros are padded; ``scale`` (O,), ``bias`` (O,), ``input_scale``
    (N, groups, pixels) or (0, 0, 0), float32, used where ``scaled``; ``streaming``: write around the caches.
    """

    tap_sums: Any
    scale: Any
    bias: Any
    input_scale: Any
    scaled: bool
    streaming: bool


@compiled
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


@compiled
def _correct(sums: Any, by_pixel: bool, where: Block, edges: Any, g: Geometry, tap_sums: Any) -> None:
    """Take out of the sums, (pixels, outputs) or (outputs, pixels), what padded zeros were taken for.

    ``edges``: pixels of the block that look past the border.
    """
    if tap_sums.size == 0 or edges.size == 0:
        return
    taps = np.empty(g.kernel_height * g.kernel_width, np.int64)
    for p in edges:
        for t in range(_zero_taps(g, where.pixel + p, taps)):
            missing = tap_sums[taps[t], where.output : where.output + where.outputs]
            if by_pixel:
                sums[p, : where.outputs] += missing  # in vectors
            else:
                sums[: where.outputs, p] += missing


@compiled
def _copy(source: Any, source_first: int, target: Any, target_first: int, count: int, streaming: bool) -> None:
    if streaming:
        stream(source, source_first, target, target_first, count)
    else:
        for i in range(count):
            target[target_first + i] = source[source_first + i]


@compiled
def finish_pixels(
    sums: Any, left: Any, where: Block, edges: Any, g: Geometry, ending: Ending, finished: Any, out: Any
) -> None:
    """Write the ``sums`` (pixels, outputs) of a block to ``out``, flat, pixel by pixel.

    ``left`` (blocks of ROWS pixels,) of bool: the others are written already. ``finished`` (outputs,) int32: to work
    in.
    """
    plane = g.out_height * g.out_width
    here, wide = where.output, where.outputs
    real = finished.view(np.float32)
    flat, width = sums.reshape(-1), sums.shape[1]
    _correct(sums, True, where, edges, g, ending.tap_sums)
    for p in range(where.pixels):
        if not left[p // ROWS]:
            continue
        to = (where.n * plane + where.pixel + p) * g.outputs + here
        if not ending.scaled:
            _copy(flat, p * width, out, to, wide, ending.streaming)
            continue
        factor = np.float32(1)
        if ending.input_scale.size > 0:
            factor = ending.input_scale[where.n, where.group, where.pixel + p]
        factors = ending.scale[here : here + wide]  # slices, since an index that might be negative stops vectors
        shifts = ending.bias[here : here + wide]
        for o in range(wide):
            real[o] = np.float32(sums[p, o]) * (factors[o] * factor) + shifts[o]
        _copy(finished, 0, out, to, wide, ending.streaming)


@compiled
def finish_planes(sums: Any, where: Block, edges: Any, g: Geometry, ending: Ending, finished: Any, out: Any) -> None:
    """Write the ``sums`` (outputs, pixels) of a block to ``out``, flat, plane by plane.

    ``finished`` (pixels,) int32: to work in.
    """
    plane = g.out_height * g.out_width
    count = where.pixels
    real = finished.view(np.float32)
    flat, width = sums.reshape(-1), sums.shape[1]
    _correct(sums, False, where, edges, g, ending.tap_sums)
    for r in range(where.outputs):
        to = (where.n * g.outputs + where.output + r) * plane + where.pixel
        if not ending.scaled:
            _copy(flat, r * width, out, to, count, ending.streaming)
            continue
        factor = ending.scale[where.output + r]
        shift = ending.bias[where.output + r]
        if ending.input_scale.size > 0:
            factors = ending.input_scale[where.n, where.group, where.pixel : where.pixel + count]
            for p in range(count):
                real[p] = np.float32(sums[r, p]) * (factor * factors[p]) + shift
        else:
            for p in range(count):
                real[p] = np.float32(sums[r, p]) * factor + shift
        _copy(finished, 0, out, to, count, ending.streaming)
