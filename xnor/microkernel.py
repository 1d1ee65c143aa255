"""The innermost loops, written in LLVM's vector language through Numba intrinsics.

Numba cannot be relied on to keep a block of sums in registers, and it knows no popcount (`np.bitwise_count`
does not compile in `njit`). So the blocks below and the packing of 64 signs are emitted by hand. Most
speak of vectors only, not of a processor: LLVM makes `vpopcntq` or `vfmadd` of them where the CPU has those. Where
there is AVX2 alone, a popcount of words becomes a table of nibbles (`vpshufb`, `vpsadbw`), nine instructions for four
words. `nibble_block` is for such processors: of four signs of a row it makes the table of what they differ by
from any four signs, so that 32 columns cost two instructions (a lookup, an addition). Tables in the place of
products are what T-MAC (Wei et al. 2024) multiplies few-bit weights with.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic

intrinsic: Any = _intrinsic  # its own type speaks of the function below it, not of the call in a kernel

ROWS = 4  #: rows (filters) of one block
LANES = 16  #: columns (pixels) of one block of `sign_block`: a cache line of sums
NIBBLE_LANES = 64  #: columns of one block of `nibble_block`
NIBBLES = 64  #: four-bit steps that one call of `nibble_block` takes at most: 63 of them are counted in bytes
FLOAT_LANES = 32  #: columns of one block of `float_block`
CACHE_LINE = 64  #: bytes

_I8 = ir.IntType(8)
_I16 = ir.IntType(16)
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_FLOAT = ir.FloatType()


LOOKUPS = bool(llvm.get_host_cpu_features().get("avx2"))  #: `nibble_block` compiles on this processor
COUNTS = bool(llvm.get_host_cpu_features().get("avx512vpopcntdq"))  #: `sign_block` is the quicker one

#: Row ``16 * a``: of the four bits a, how many differ from those of 0 to 15.
DIFFERING = np.array([[(a ^ b).bit_count() for b in range(16)] for a in range(16)], np.uint8).reshape(-1)


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Address of the first element of a contiguous array."""
    return context.make_array(array_type)(context, builder, array).data


def _element(builder: Any, base: Any, index: Any, element: Any) -> Any:
    """Address of element ``index`` of the ``element``s that start at ``base``."""
    return builder.gep(builder.bitcast(base, element.as_pointer()), [index])


def _load(builder: Any, address: Any, vector: Any, align: int) -> Any:
    value = builder.load(builder.bitcast(address, vector.as_pointer()))
    value.align = align
    return value


def _store(builder: Any, value: Any, address: Any, align: int) -> None:
    builder.store(value, builder.bitcast(address, value.type.as_pointer())).align = align


def _store_line(builder: Any, value: Any, address: Any) -> None:
    """Past the caches; ``address`` is that of a cache line."""
    store = builder.store(value, builder.bitcast(address, value.type.as_pointer()))
    store.align = CACHE_LINE
    store.set_metadata("nontemporal", builder.module.add_metadata([_I32(1)]))


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def _rows(context: Any, builder: Any, array_type: Any, array: Any, row: Any, last_row: Any, element: Any) -> Any:
    """Addresses of ROWS rows of a matrix from ``row`` on, and its width.

    Past ``last_row`` that one is taken again: its sums are thrown away by the caller.
    """
    found = context.make_array(array_type)(context, builder, array)
    width = builder.extract_value(found.shape, 1)
    firsts = []
    for offset in range(ROWS):
        wanted = builder.add(row, _I64(offset))
        chosen = builder.select(builder.icmp_signed("<", wanted, last_row), wanted, last_row)
        firsts.append(_element(builder, found.data, builder.mul(chosen, width), element))
    return firsts, width


def _sums(builder: Any, first: Any, last: Any, vector: Any, vectors: int, step: Any) -> list[list[Any]]:
    """Emit ``for k in first..last: sums = step(k, sums)`` and return the sums, ROWS times ``vectors``, 0 at first."""
    before = builder.block
    loop = builder.append_basic_block("depth")
    after = builder.append_basic_block("sums")
    builder.cbranch(builder.icmp_signed("<", first, last), loop, after)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    k.add_incoming(first, before)
    sums = [[builder.phi(vector) for _ in range(vectors)] for _ in range(ROWS)]
    results: list[list[Any]] = step(k, sums)
    following = builder.add(k, _I64(1))
    k.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, last), loop, after)
    builder.position_at_end(after)
    totals = [[builder.phi(vector) for _ in range(vectors)] for _ in range(ROWS)]
    for r in range(ROWS):
        for v in range(vectors):
            for phi in (sums[r][v], totals[r][v]):
                phi.add_incoming(ir.Constant(vector, None), before)
                phi.add_incoming(results[r][v], loop)
    return totals


def _block(
    context: Any, builder: Any, signature: Any, args: Any, element: Any, lanes: int, vectors: int, step: Any
) -> list[list[Any]]:
    """Emit ``for k: sums[r][v] = step(sums[r][v], rows[r, k], panel[k, v])`` and return the sums."""
    rows_type, _, _, panel_type = signature.args[:4]
    rows, row, last_row, panel = args[:4]
    vector = ir.VectorType(element, lanes)
    firsts, depth = _rows(context, builder, rows_type, rows, row, last_row, element)
    panel_data = _data(context, builder, panel_type, panel)

    def at(k: Any, sums: Any) -> list[list[Any]]:
        start = _element(builder, panel_data, builder.mul(k, _I64(lanes * vectors)), element)
        columns = [
            _load(builder, builder.gep(start, [_I64(v * lanes)]), vector, align=8 if element is _I64 else 4)
            for v in range(vectors)
        ]
        results = []
        for r in range(ROWS):
            value = _splat(builder, builder.load(builder.gep(firsts[r], [k])), lanes)
            results.append([step(builder, sums[r][v], value, columns[v]) for v in range(vectors)])
        return results

    return _sums(builder, _I64(0), depth, vector, vectors, at)


def _sign_block(streaming: bool) -> Any:
    @intrinsic
    def block(
        typingctx: Any,
        rows: Any,
        row: Any,
        last_row: Any,
        panel: Any,
        bits: Any,
        target: Any,
        place: Any,
        stride: Any,
    ) -> Any:
        """ROWS x LANES dot products of signs: ``target[place + r * stride + l] = bits - 2 * popcount(...)``.

        rows (n, words) uint64, panel (words, LANES) uint64, target flat int32, all C-contiguous; rows past ``last_row``
        repeat it, and all ROWS are written.
        """
        signature = types.void(rows, types.intp, types.intp, panel, types.int32, target, types.intp, types.intp)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(_I64, 8)
            count = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector]), "llvm.ctpop.v8i64"
            )

            def step(builder: Any, total: Any, left: Any, right: Any) -> Any:
                return builder.add(total, builder.call(count, [builder.xor(left, right)]))

            totals = _block(context, builder, signature, args, _I64, 8, LANES // 8, step)
            to = _element(builder, _data(context, builder, signature.args[5], args[5]), args[6], _I32)
            narrow = ir.VectorType(_I32, 8)
            line = ir.Constant(ir.VectorType(_I32, LANES), list(range(LANES)))
            all_bits = _splat(builder, args[4], LANES)
            for r in range(ROWS):
                halves = [builder.trunc(total, narrow) for total in totals[r]]
                differing = builder.shuffle_vector(*halves, line)
                value = builder.sub(all_bits, builder.add(differing, differing))
                here = builder.gep(to, [builder.mul(args[7], _I64(r))])
                _store_line(builder, value, here) if streaming else _store(builder, value, here, 4)
            return context.get_dummy_value()

        return signature, generate

    return block


sign_block = _sign_block(streaming=False)
#: Past the caches: rows of the target begin on cache lines, and `stream_end` has to follow.
sign_block_stream = _sign_block(streaming=True)


def _nibble_sums(context: Any, builder: Any, types: Any, args: Any, store: Any) -> None:
    """Emit the sums of `nibble_block`; ``store(r, v, value)`` emits the end: row, which 32 columns, and their sums,
    a vector of int32. It is called once for each type in which sums may have room.
    """
    vectors = NIBBLE_LANES // 32
    half, vector, wide = ir.VectorType(_I8, 16), ir.VectorType(_I8, 32), ir.VectorType(_I32, 32)
    short = ir.VectorType(_I16, 32)
    lookup = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector, vector]), "llvm.x86.avx2.pshuf.b"
    )
    firsts, _ = _rows(context, builder, types[0], args[0], args[1], args[2], _I8)
    panel_data = _data(context, builder, types[3], args[3])
    tables_data = _data(context, builder, types[6], args[6])
    twice = ir.Constant(ir.VectorType(_I32, 32), [*range(16), *range(16)])

    def differing(k: Any) -> list[list[Any]]:
        here = _element(builder, panel_data, builder.mul(k, _I64(NIBBLE_LANES)), _I8)
        columns = [_load(builder, builder.gep(here, [_I64(32 * v)]), vector, 1) for v in range(vectors)]
        found = []
        for r in range(ROWS):
            place = builder.zext(builder.load(builder.gep(firsts[r], [k])), _I64)
            table = _load(builder, builder.gep(tables_data, [place]), half, 1)
            table = builder.shuffle_vector(table, ir.Constant(half, ir.Undefined), twice)
            found.append([builder.call(lookup, [table, columns[v]]) for v in range(vectors)])
        return found

    def at(k: Any, counts: Any) -> list[list[Any]]:
        found = differing(k)
        return [[builder.add(counts[r][v], found[r][v]) for v in range(vectors)] for r in range(ROWS)]

    # The last nibble is added where there is room: the other 63 of 64 fit a byte, and 256 signs are done in one step.
    final = builder.sub(args[5], _I64(1))
    counted, rest = _sums(builder, args[4], final, vector, vectors, at), differing(final)
    start = args[10]

    def count(r: int, v: int, room: Any) -> Any:
        if room == vector:
            return builder.add(counted[r][v], rest[r][v])
        return builder.add(builder.zext(counted[r][v], room), builder.zext(rest[r][v], room))

    def from_start(count: Any) -> Any:
        """start - 2 * count, in the type of ``count``, made wide."""
        begin = _splat(builder, builder.trunc(start, count.type.element), 32)
        return builder.sext(builder.sub(begin, builder.add(count, count)), wide)

    def from_sums(r: int, v: int) -> Any:
        found = count(r, v, short)
        before = _load(builder, _sum_address(context, builder, types[7], args, r, v), wide, 4)
        before = builder.select(builder.icmp_signed(">=", start, _I32(0)), _splat(builder, start, 32), before)
        return builder.sub(before, builder.zext(builder.add(found, found), wide))

    # No more signs than ``start`` differ, so it says in what type counts and results have room. (-1 is the largest.)
    ends: list[tuple[int, Callable[[int, int], Any]]] = [
        (127, lambda r, v: from_start(count(r, v, vector))),
        (4 * (NIBBLES - 1), lambda r, v: from_start(builder.zext(count(r, v, vector), short))),
        (4 * NIBBLES, lambda r, v: from_start(count(r, v, short))),
    ]
    with ExitStack() as otherwise:
        for most, value in ends:
            fits, more = otherwise.enter_context(builder.if_else(builder.icmp_unsigned("<=", start, _I32(most))))
            with fits:
                _store_block(vectors, value, store)
            otherwise.enter_context(more)
        _store_block(vectors, from_sums, store)


def _store_block(vectors: int, value: Callable[[int, int], Any], store: Callable[[int, int, Any], None]) -> None:
    for r in range(ROWS):
        for v in range(vectors):
            store(r, v, value(r, v))


def _sum_address(context: Any, builder: Any, array_type: Any, args: Any, r: int, v: int) -> Any:
    sums = context.make_array(array_type)(context, builder, args[7])
    line = builder.mul(builder.add(args[8], _I64(r)), builder.extract_value(sums.shape, 1))
    return _element(builder, sums.data, builder.add(builder.add(line, args[9]), _I64(v * 32)), _I32)


def _nibble_block(streaming: bool) -> Any:
    @intrinsic
    def block(
        typingctx: Any,
        rows: Any,
        row: Any,
        last_row: Any,
        panel: Any,
        first: Any,
        last: Any,
        tables: Any,
        sums: Any,
        sums_row: Any,
        sums_column: Any,
        start: Any,
        target: Any,
        place: Any,
        stride: Any,
    ) -> Any:
        """ROWS x NIBBLE_LANES dot products of signs, over the nibbles ``first`` to ``last`` (at most NIBBLES of them).

        ``target[place + r * stride + l] = start - 2 * differing bits``, or, where ``start`` is negative,
        ``sums[sums_row + r, sums_column + l] - 2 * differing bits``. Where it is not, no more than ``start`` bits may
        differ. rows (n, nibbles) uint8, each nibble times 16;
        panel (nibbles, NIBBLE_LANES) uint8, nibbles; tables: `DIFFERING`; sums int32; target flat int32, which may be
        the memory of sums; all C-contiguous. Rows past ``last_row`` repeat it, and all ROWS are written. AVX2 only.
        """
        signature = types.void(
            rows, types.intp, types.intp, panel, types.intp, types.intp, tables, sums, types.intp, types.intp,
            types.int32, target, types.intp, types.intp,
        )  # fmt: skip

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = _element(builder, _data(context, builder, signature.args[11], args[11]), args[12], _I32)

            def store(r: int, v: int, value: Any) -> None:
                here = builder.gep(to, [builder.add(builder.mul(args[13], _I64(r)), _I64(32 * v))])
                _store_line(builder, value, here) if streaming else _store(builder, value, here, 4)

            _nibble_sums(context, builder, signature.args, args, store)
            return context.get_dummy_value()

        return signature, generate

    return block


nibble_block = _nibble_block(streaming=False)
#: Past the caches, between lookups. Rows of the target begin on cache lines, and `stream_end` has to follow.
nibble_block_stream = _nibble_block(streaming=True)


@intrinsic
def float_block(
    typingctx: Any, rows: Any, row: Any, last_row: Any, panel: Any, sums: Any, sums_row: Any, sums_column: Any
) -> Any:
    """The same block for float32 numbers and fused multiply-adds: what a kernel without bits has to do."""
    signature = types.void(rows, types.intp, types.intp, panel, sums, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(_FLOAT, 16)
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), "llvm.fmuladd.v16f32"
        )

        def step(builder: Any, total: Any, left: Any, right: Any) -> Any:
            return builder.call(fused, [left, right, total])

        totals = _block(context, builder, signature, args, _FLOAT, 16, FLOAT_LANES // 16, step)
        sums_array = context.make_array(signature.args[4])(context, builder, args[4])
        stride = builder.extract_value(sums_array.shape, 1)
        for r in range(ROWS):
            line = builder.mul(builder.add(args[5], _I64(r)), stride)
            for v in range(FLOAT_LANES // 16):
                place = builder.add(builder.add(line, args[6]), _I64(v * 16))
                _store(builder, totals[r][v], _element(builder, sums_array.data, place, _FLOAT), 4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def pack_signs(typingctx: Any, values: Any, first: Any, thresholds: Any, first_threshold: Any, lanes: Any) -> Any:
    """(word, bad): bit i of ``word`` is values[first + i] >= thresholds[first_threshold + i]; ``bad`` marks the NaNs.

    Both arrays are float32, one-dimensional, C-contiguous, and hold ``lanes`` (a literal, 16 or 64) numbers from
    there on.
    """
    count = lanes.literal_value
    signature = types.UniTuple(types.uint64, 2)(values, types.intp, thresholds, types.intp, lanes)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector, mask = ir.VectorType(_FLOAT, count), ir.IntType(count)
        values_data = _data(context, builder, signature.args[0], args[0])
        thresholds_data = _data(context, builder, signature.args[2], args[2])
        value = _load(builder, _element(builder, values_data, args[1], _FLOAT), vector, 4)
        threshold = _load(builder, _element(builder, thresholds_data, args[3], _FLOAT), vector, 4)
        word = builder.bitcast(builder.fcmp_ordered(">=", value, threshold), mask)
        bad = builder.bitcast(builder.fcmp_unordered("uno", value, value), mask)
        if count < 64:
            word, bad = builder.zext(word, _I64), builder.zext(bad, _I64)
        return context.make_tuple(builder, signature.return_type, [word, bad])

    return signature, generate


@intrinsic
def stream(typingctx: Any, source: Any, source_first: Any, target: Any, target_first: Any, count: Any) -> Any:
    """Copy ``count`` int32 past the caches: a large result then costs one trip to memory instead of two.

    Both arrays are flat and C-contiguous. Whole cache lines of the target go around the cache, its ends do not.
    `stream_end` has to follow before another thread reads the target.
    """
    signature = types.void(source, types.intp, target, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        read = _element(builder, _data(context, builder, signature.args[0], args[0]), args[1], _I32)
        write = _element(builder, _data(context, builder, signature.args[2], args[2]), args[3], _I32)
        total = args[4]
        line = ir.VectorType(_I32, 16)
        address = builder.ptrtoint(write, _I64)
        misplaced = builder.lshr(builder.and_(builder.neg(address), _I64(63)), _I64(2))
        short = builder.icmp_signed("<", total, misplaced)
        head = builder.select(short, total, misplaced)
        lines = builder.lshr(builder.sub(total, head), _I64(4))
        body_end = builder.add(head, builder.shl(lines, _I64(4)))

        with cgutils.for_range(builder, head) as loop:
            builder.store(builder.load(builder.gep(read, [loop.index])), builder.gep(write, [loop.index]))
        with cgutils.for_range(builder, lines) as loop:
            place = builder.add(head, builder.shl(loop.index, _I64(4)))
            value = _load(builder, builder.gep(read, [place]), line, 4)
            _store_line(builder, value, builder.gep(write, [place]))
        with cgutils.for_range(builder, builder.sub(total, body_end)) as loop:
            place = builder.add(body_end, loop.index)
            builder.store(builder.load(builder.gep(read, [place])), builder.gep(write, [place]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def stream_end(typingctx: Any) -> Any:
    """Make what `stream` wrote visible to the other threads."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate
