"""How a convolution is cut into tasks for the threads: tiles of output pixels times parts of the outputs."""

from __future__ import annotations

from typing import NamedTuple

from .compiled import compiled
from .geometry import Geometry
from .threads import thread_count


class Split(NamedTuple):
    """``tiles`` of ``pixels`` output pixels, times ``parts`` of ``outputs`` each, for every picture and group."""

    tiles: int
    pixels: int
    parts: int
    outputs: int


class Block(NamedTuple):
    """Sums of one picture and group: ``pixels`` output pixels from ``pixel`` on, ``outputs`` outputs from ``output`` on
    (counted over all groups).
    """

    n: int
    group: int
    pixel: int
    pixels: int
    output: int
    outputs: int


def split(g: Geometry, pixels: int) -> Split:
    """Enough tasks for all threads: where tiles are few (small pictures, a row of a matrix), outputs are shared out."""
    tiles = -(-g.out_height * g.out_width // pixels)
    outputs = g.outputs // g.groups
    wanted = -(-8 * thread_count() // (tiles * g.batch * g.groups))
    per_task = -(-outputs // wanted // 64) * 64
    return Split(tiles, pixels, -(-outputs // per_task), per_task)


def task_count(g: Geometry, cut: Split) -> int:
    return g.batch * g.groups * cut.tiles * cut.parts


@compiled
def block_of(task: int, cut: Split, g: Geometry) -> Block:
    """The block that is task number ``task``."""
    outputs = g.outputs // g.groups
    part = task % cut.parts
    tile = task // cut.parts % cut.tiles
    group = task // cut.parts // cut.tiles % g.groups
    n = task // cut.parts // cut.tiles // g.groups
    pixel, output = tile * cut.pixels, part * cut.outputs
    return Block(
        n, group, pixel, min(cut.pixels, g.out_height * g.out_width - pixel), group * outputs + output,
        min(cut.outputs, outputs - output),
    )  # fmt: skip


@compiled
def some_outputs(block: Block, first: int, most: int) -> Block:
    """The block's pixels with at most ``most`` of its outputs, from the ``first`` one on."""
    return Block(
        block.n, block.group, block.pixel, block.pixels, block.output + first, min(most, block.outputs - first)
    )
