"""Products of signs by AMX, the matrix unit of recent Intel processors, in LLVM's language.

Its `tdpbssd` multiplies 16 rows of 64 bytes with 64 x 16 of them into 16 x 16 sums of int32 in 16 clocks: 1024
products of signs a clock, where words and `vpopcntq` make about 340. So bits, which stay bits in memory, are spread
to bytes of -1 and +1 a cache-sized piece at a time (`spread`), and multiplied there (`tile_block`).

The system lends the unit's registers, 8 KiB a thread, to a process that asks for them once (Linux 5.16;
Documentation/arch/x86/xstate.rst of the kernel). Where it does not, or there is no such unit, AMX is False and none of
these compiles.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from .microkernel import _I8, _I32, _I64, _data, _element, _load, _store, intrinsic

SIDE = 16  #: rows (and columns) of the sums of a tile
PAIR = 2 * SIDE  #: rows (and columns) of one block of `tile_block`
TILE_BYTES = 1024  #: 16 rows of 64 signs

_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA = 158, 0x1023, 18


def _permitted() -> bool:
    """Whether the processor has AMX for bytes, and the system lends this process (all its threads) the registers."""
    features = llvm.get_host_cpu_features()
    wanted = ("amx-tile", "amx-int8", "avx512f", "avx512bw")
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or not all(map(features.get, wanted)):
        return False
    try:
        return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XFEATURE_XTILEDATA) == 0
    except (OSError, AttributeError):
        return False


AMX = _permitted()


def _configuration() -> Any:
    """The 64 bytes that `ldtilecfg` takes: palette 1, eight tiles of 16 rows of 64 bytes."""
    shapes = np.zeros(64, np.uint8)
    shapes[0] = 1
    shapes[16:32].view("<u2")[:] = 64
    shapes[48:56] = SIDE
    return shapes


TILES = _configuration()  # read by `open_tiles`


def _call(builder: Any, name: str, *arguments: Any) -> None:
    """Call one of LLVM's intrinsics for x86 that return nothing."""
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


@intrinsic
def open_tiles(typingctx: Any, configuration: Any) -> Any:
    """Set up this thread's tiles as `TILES` says. `close_tiles` has to follow."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "ldtilecfg", _data(context, builder, signature.args[0], args[0]))
        return context.get_dummy_value()

    return types.void(configuration), generate


@intrinsic
def close_tiles(typingctx: Any) -> Any:
    """Give the tiles back: a thread that holds none is switched faster."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def cross_nibbles(typingctx: Any, words: Any, first: Any) -> Any:
    """Transpose the nibbles of words[first:first + 16], flat uint64, in place: nibble n of word r becomes nibble r of
    word n. It is its own inverse.

    What `spread` makes of the crossed words of 16 columns lies as `tdpbssd` wants its right side: of each column four
    signs, and then of the next column.
    """
    signature = types.void(words, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_I64, SIDE)
        rotate = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fshl.v{SIDE}i64"
        )
        place = _element(builder, _data(context, builder, signature.args[0], args[0]), args[1], _I64)
        value = _load(builder, place, vector, 8)
        # Squares of distance x distance nibbles right of and below the diagonal change places (Warren 2012, 7-3).
        for distance in (8, 4, 2, 1):
            order = ir.Constant(ir.VectorType(_I32, SIDE), [lane ^ distance for lane in range(SIDE)])
            upper = sum(0xF << 4 * n for n in range(16) if not n & distance)
            lower = ~upper & (1 << 64) - 1
            stays = [lower if lane & distance else upper for lane in range(SIDE)]
            turns = [64 - 4 * distance if lane & distance else 4 * distance for lane in range(SIDE)]
            other = builder.shuffle_vector(value, value, order)
            other = builder.call(rotate, [other, other, ir.Constant(vector, turns)])
            comes = ir.Constant(vector, [~mask & (1 << 64) - 1 for mask in stays])
            value = builder.or_(builder.and_(value, ir.Constant(vector, stays)), builder.and_(other, comes))
        _store(builder, value, place, 8)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def spread(typingctx: Any, words: Any, index: Any, kept: Any, target: Any, place: Any) -> Any:
    """target[place:place + 64], flat int8, of the signs of words[index], flat uint64: +1 for a set bit, -1 for a clear
    one, 0 where ``kept``, uint64, has none.
    """
    signature = types.void(words, types.intp, types.uint64, target, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        octets = ir.VectorType(_I8, 64)
        word = builder.load(_element(builder, _data(context, builder, signature.args[0], args[0]), args[1], _I64))
        bits = ir.VectorType(ir.IntType(1), 64)
        signs = builder.select(
            builder.bitcast(word, bits), ir.Constant(octets, [1] * 64), ir.Constant(octets, [-1] * 64)
        )
        signs = builder.select(builder.bitcast(args[2], bits), signs, ir.Constant(octets, None))
        to = _element(builder, _data(context, builder, signature.args[3], args[3]), args[4], _I8)
        _store(builder, signs, to, 1)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def tile_block(
    typingctx: Any,
    rows: Any,
    row: Any,
    columns: Any,
    column: Any,
    words: Any,
    goes_on: Any,
    target: Any,
    place: Any,
    stride: Any,
) -> Any:
    """PAIR x PAIR sums: ``target[place + r * stride + c] = sum over k of rows[r, k] * columns[k, c]``, or, where it
    ``goes_on``, ``+=``.

    rows: int8, flat, from ``row`` on two times ``words`` tiles of 16 rows x 64 signs. columns: likewise from ``column``
    on, 64 signs x 16 columns as `cross_nibbles` says. target: int32, flat. Between `open_tiles` and `close_tiles` only.
    """
    signature = types.void(
        rows, types.intp, columns, types.intp, types.intp, types.boolean, target, types.intp, types.intp
    )

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, row, _, column, words, goes_on, _, place, stride = args
        left = _element(builder, _data(context, builder, signature.args[0], args[0]), row, _I8)
        right = _element(builder, _data(context, builder, signature.args[2], args[2]), column, _I8)
        target = _data(context, builder, signature.args[6], args[6])
        length = builder.mul(words, _I64(TILE_BYTES))
        line, packed = builder.mul(stride, _I64(4)), _I64(64)

        def octet(address: Any) -> Any:
            return builder.bitcast(address, _I8.as_pointer())

        sums = []  # the four tiles 0 to 3: their places in the target
        for tile in range(4):
            down, across = divmod(tile, 2)
            offset = builder.add(builder.mul(stride, _I64(SIDE * down)), _I64(SIDE * across))
            sums.append(octet(_element(builder, target, builder.add(place, offset), _I32)))
        with builder.if_else(goes_on) as (on, anew):
            with on:
                for tile in range(4):
                    _call(builder, "tileloadd64", _I8(tile), sums[tile], line)
            with anew:
                for tile in range(4):
                    _call(builder, "tilezero", _I8(tile))
        with cgutils.for_range(builder, words) as loop:
            here = builder.mul(loop.index, _I64(TILE_BYTES))
            for side, base in ((4, left), (6, right)):
                for second in range(2):
                    tile_at = builder.add(here, length) if second else here
                    _call(builder, "tileloadd64", _I8(side + second), octet(builder.gep(base, [tile_at])), packed)
            for tile in range(4):
                down, across = divmod(tile, 2)
                _call(builder, "tdpbssd", _I8(tile), _I8(4 + down), _I8(6 + across))
        for tile in range(4):
            _call(builder, "tilestored64", _I8(tile), sums[tile], line)
        return context.get_dummy_value()

    return signature, generate
