"""`gemm` and `conv2d`: arguments checked once, then handed to the back end that fits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import arguments
from .arguments import Pair, check_axes, check_no_nan, host_floats, host_map, host_vector, is_tensor, on_gpu
from .bitpack import PackedFilters, PackedMatrix, check_bits, pack_filters, pack_matrix, word_count
from .errors import XnorError
from .geometry import Geometry, geometry

Backend = Literal["auto", "cpu", "cuda", "reference"]
Layout = Literal["NCHW", "NHWC"]


def _backend(asked: str, *values: Any) -> str:
    if asked not in ("auto", "cpu", "cuda", "reference"):
        raise XnorError(f"backend is auto, cpu, cuda or reference, got {asked!r}")
    if asked == "auto":
        return "cuda" if any(on_gpu(value) for value in values) else "cpu"
    if asked != "cuda" and any(on_gpu(value) for value in values):
        raise XnorError(f"the {asked} back end was asked for, but an array lies on the GPU: move it to the CPU first")
    return asked


def _like(result: Any, *examples: Any) -> Any:
    """A torch tensor on the same memory where ``result`` is NumPy and an input was a tensor; else ``result`` itself."""
    if isinstance(result, np.ndarray) and any(is_tensor(example) for example in examples):
        return arguments.torch_module().from_numpy(result)
    return result


def pack_weights(weights: Any) -> PackedFilters:
    """Filters (O, C / groups, KH, KW), array or tensor, packed once for many calls.

    Packing is done by the CPU: filters that lie on a GPU are copied from there, which waits for it.
    Raises XnorError as `pack_filters`.
    """
    if on_gpu(weights):
        weights = weights.detach().cpu() if is_tensor(weights) else _from_gpu(weights)
    return pack_filters(weights)


def _from_gpu(value: Any) -> NDArray[Any]:
    from .cuda import to_host

    return to_host(value)


def _filters_for_gpu(filters: Any, pictures: Any) -> Any:
    """Torch tensors on one GPU: the filters are packed there; else by the CPU. Raises XnorError for two GPUs."""
    if isinstance(filters, PackedFilters):
        return filters
    if not (is_tensor(filters) and is_tensor(pictures) and on_gpu(filters) and on_gpu(pictures)):
        return pack_weights(filters)
    if filters.device != pictures.device:
        raise XnorError(f"filters lie on {filters.device}, pictures on {pictures.device}: move both to one device")
    from .cuda import pack_filters as pack_there

    arguments.check_type(filters, "filters")
    return pack_there(filters)


def _pack_side(value: Any, what: str) -> PackedMatrix:
    return value if isinstance(value, PackedMatrix) else pack_matrix(value, what)


def _pack_left(value: Any) -> PackedMatrix:
    """The rows of an activation matrix, packed by the fast kernel."""
    from . import cpu

    if isinstance(value, PackedMatrix):
        return value
    array = host_floats(value, "left", 2)
    check_bits(array.shape[1], "the product")
    words = cpu.pack_pixels(array.T[None, :, None, :])  # a row is a pixel, K its channels
    return PackedMatrix(words.reshape(array.shape[0], word_count(array.shape[1])), array.shape[1])


def gemm(
    left: Any,
    right: Any,
    *,
    scale: Any = None,
    bias: Any = None,
    row_scale: Any = None,
    backend: Backend = "auto",
) -> Any:
    """sign(left) @ sign(right), exactly: (M, K) and (K, N) -> (M, N).

    Args:
        left: (M, K) array or tensor (float16/32, bfloat16, signed integers), any strides; or `PackedMatrix` of M rows.
        right: (K, N) likewise; or a `PackedMatrix` whose rows are the N COLUMNS of ``right``, for example
            `pack_matrix(right.T)`.
        scale, bias: (N,) each; ``row_scale``: (M,). The result is then float32 ``sum * scale * row_scale + bias``.
            What of these lies on a GPU is not searched for NaN, since asking would wait for the GPU.
        backend: "auto" takes the GPU where an operand lies there.

    Returns:
        int32, each in [-K, K] (or float32, see above); a tensor if any operand was one, where the first operand lies.

    Raises:
        XnorError: shapes that do not fit, K = 0 or K > 2**30, float64, NaN, operands on different devices.
    """
    chosen = _backend(backend, left, right)
    for value, what in ((left, "left"), (right, "right")):
        if not isinstance(value, PackedMatrix):
            check_axes(value, what, 2)
            arguments.check_type(value, what)
    depth = left.bits if isinstance(left, PackedMatrix) else int(left.shape[1])
    other = right.bits if isinstance(right, PackedMatrix) else int(right.shape[0])
    if depth != other:
        raise XnorError(f"left sums over {depth} and right over {other}: they must be the same")
    check_bits(depth, "the product")
    rows = left.rows if isinstance(left, PackedMatrix) else int(left.shape[0])
    columns = right.rows if isinstance(right, PackedMatrix) else int(right.shape[1])
    if rows == 0 or columns == 0:
        raise XnorError(f"the product is empty: {rows} rows and {columns} columns")
    if chosen == "cuda":
        from .cuda import gemm as cuda_gemm

        return _like(cuda_gemm(left, right, scale=scale, bias=bias, row_scale=row_scale), left, right)
    packed_right = _pack_side(right if isinstance(right, PackedMatrix) else right.T, "right")
    factor, shift = host_vector(scale, "scale", columns), host_vector(bias, "bias", columns)
    row_factor = host_vector(row_scale, "row_scale", rows)
    if chosen == "reference":
        packed_left = _pack_side(left, "left")
        sums = packed_left.signs().astype(np.int32) @ packed_right.signs().astype(np.int32).T
        return _like(_scaled(sums, factor, shift, None if row_factor is None else row_factor[:, None]), left, right)
    from . import cpu

    packed_left = _pack_left(left)
    shape = geometry((1, depth, 1, rows), columns, depth, (1, 1))
    result = cpu.convolve(
        packed_left.words.reshape(1, 1, rows, 1, -1),
        PackedFilters(packed_right.words, depth, (1, 1)),
        shape,
        channels_last=True,
        scale=factor,
        bias=shift,
        input_scale=None if row_factor is None else row_factor.reshape(1, 1, rows),
    )
    return _like(result.reshape(rows, columns), left, right)


def _scaled(
    sums: NDArray[np.int32],
    scale: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    input_scale: NDArray[np.float32] | None,
) -> NDArray[Any]:
    """sums (..., O) times scale (O,) and input_scale (broadcast), plus bias; the integers themselves without any."""
    if scale is None and bias is None and input_scale is None:
        return sums
    factor = np.float32(1) if scale is None else scale
    if input_scale is not None:
        factor = factor * input_scale
    result: NDArray[Any] = sums.astype(np.float32) * factor + (np.float32(0) if bias is None else bias)
    return result


def conv2d(
    pictures: Any,
    filters: Any,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    padding_value: int = 0,
    dilation: Pair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    scale: Any = None,
    bias: Any = None,
    thresholds: Any = None,
    input_scale: Any = None,
    backend: Backend = "auto",
) -> Any:
    """Convolution (cross-correlation, as torch's) of signs, exactly.

    Args:
        pictures: (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``; array or tensor of float16/32, bfloat16 or
            signed integers, any strides (float32 in one of the two contiguous orders is taken without a copy).
        filters: (O, C / groups, KH, KW) in either layout, or `PackedFilters` from `pack_weights`. What is used more
            than once should be packed once: else every call packs it anew (torch tensors on a GPU there, the rest on
            the CPU).
        stride, padding, dilation: one integer or (vertical, horizontal).
        padding_value: what stands outside the picture: -1, +1 or 0 (a padded tap adds nothing).
        thresholds: (C,); the sign is then +1 where the value is >= its channel's threshold (default 0).
        scale, bias: (O,) each. input_scale: (N, groups, OH, OW). Any of them makes the result float32:
            ``sum * (scale * input_scale) + bias``; without them it is int32, each in [-K, K], K = C / groups * KH * KW.
            What of these lies on a GPU is not searched for NaN, since asking would wait for the GPU.
        backend: "auto" takes the GPU where the pictures lie there.

    Returns:
        (N, O, OH, OW) or (N, OH, OW, O) as the layout says; a tensor if pictures or filters were one, where the
        pictures lie. A tensor (N, C, H, W) in torch's channels_last memory format gives a result in that format.

    Raises:
        XnorError: what does not fit or has no sign: 0 channels, a kernel larger than the padded picture, K > 2**30,
            float64, NaN, arrays on different devices.
    """
    chosen = _backend(backend, pictures)
    check_axes(pictures, "pictures", 4)
    arguments.check_type(pictures, "pictures")
    if layout not in ("NCHW", "NHWC"):
        raise XnorError(f"layout is NCHW or NHWC, got {layout!r}")
    n, a, b, c = (int(size) for size in pictures.shape)
    shape = (n, a, b, c) if layout == "NCHW" else (n, c, a, b)
    if isinstance(filters, PackedFilters):
        outputs, channels, kernel = filters.outputs, filters.channels, filters.kernel
    else:
        check_axes(filters, "filters", 4)
        if (chosen != "cuda" and on_gpu(filters)) or (chosen == "cuda" and on_gpu(pictures) and not on_gpu(filters)):
            raise XnorError("pictures and filters lie on different devices: move both to one")
        outputs, channels = int(filters.shape[0]), int(filters.shape[1])
        kernel = (int(filters.shape[2]), int(filters.shape[3]))
    g = geometry(
        shape, outputs, channels, kernel, stride=stride, padding=padding, padding_value=padding_value,
        dilation=dilation, groups=groups,
    )  # fmt: skip
    if chosen == "cuda":
        from .cuda import conv2d as cuda_conv2d

        there = _filters_for_gpu(filters, pictures)
        result = cuda_conv2d(
            pictures, there, g, layout=layout, scale=scale, bias=bias, thresholds=thresholds, input_scale=input_scale
        )
        return _like(result, pictures, filters)
    packed = filters if isinstance(filters, PackedFilters) else pack_weights(filters)
    planes = host_floats(pictures, "pictures", 4)
    if layout == "NHWC":
        planes = planes.transpose(0, 3, 1, 2)
    limits = host_vector(thresholds, "thresholds", g.channels)
    factor, shift = host_vector(scale, "scale", outputs), host_vector(bias, "bias", outputs)
    if chosen == "reference":
        check_no_nan(planes, "the input")
        input_map = _input_map(input_scale, g)
        return _like(_reference(planes, packed, g, layout, factor, shift, limits, input_map), pictures, filters)
    from . import cpu

    item = planes.itemsize
    channels_last = layout == "NHWC" or (g.channels > 1 and planes.strides[1] == item and planes.strides[3] != item)
    bits = cpu.pack_pixels(planes, limits, g.groups)
    input_map = _input_map(input_scale, g)  # after the pictures: where it is made of them, a NaN in it is theirs
    result = cpu.convolve(bits, packed, g, channels_last=channels_last, scale=factor, bias=shift, input_scale=input_map)
    if channels_last and layout == "NCHW":
        result = result.transpose(0, 3, 1, 2)
    return _like(result, pictures, filters)


def _input_map(value: Any, g: Geometry) -> NDArray[np.float32] | None:
    if value is None:
        return None
    array = host_map(value, "input_scale", (g.batch, g.groups, g.out_height, g.out_width))
    return array.reshape(g.batch, g.groups, -1)


def _reference(
    planes: NDArray[np.float32],
    packed: PackedFilters,
    g: Geometry,
    layout: Layout,
    scale: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    thresholds: NDArray[np.float32] | None,
    input_map: NDArray[np.float32] | None,
) -> NDArray[Any]:
    from . import reference

    if thresholds is not None:
        planes = np.where(planes >= thresholds[:, None, None], np.float32(1), np.float32(-1))
    sums = reference.conv2d(
        planes, packed.signs(), stride=(g.stride_y, g.stride_x), padding=(g.padding_y, g.padding_x),
        padding_value=g.padding_value, dilation=(g.dilation_y, g.dilation_x), groups=g.groups,
    ).transpose(0, 2, 3, 1)  # fmt: skip
    by_output = None
    if input_map is not None:
        spread = np.repeat(input_map, g.outputs // g.groups, axis=1)  # (N, O, pixels)
        by_output = spread.reshape(g.batch, g.outputs, g.out_height, g.out_width).transpose(0, 2, 3, 1)
    result = _scaled(sums, scale, bias, by_output)
    return np.ascontiguousarray(result if layout == "NHWC" else result.transpose(0, 3, 1, 2))
