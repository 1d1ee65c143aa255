"""The CUDA back end: where arrays lie, what is launched on which stream.

Arrays that lie on a GPU (torch tensors, anything with `__cuda_array_interface__`) are used in place; work for torch
tensors goes on torch's current stream, so it is ordered with torch's own work and can be captured in a CUDA graph:
after a call of the same kind, which compiles the kernels and uploads the filters' tables, and with ``check_nan=False``,
since asking for the NaN flag waits for the GPU. NumPy arrays and CPU tensors are copied there and back.

Arrays of other libraries must lie on the current device. Their libraries know nothing of the stream that works here:
the stream that such an array names is waited for before, and the work on it is done when a call returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numba import config, cuda
from numpy.typing import NDArray

from . import cuda_kernels as kernels
from .arguments import check_axes, check_type, host_floats, host_map, host_vector, is_tensor, on_gpu, torch_module
from .bitpack import WORD_BITS, PackedFilters, PackedMatrix, word_count
from .errors import XnorError
from .geometry import Geometry

MOST_PLACES = 2**31 - 2**16
"""In 32 bits with a sign, and a tile beyond the last one."""


def available() -> bool:
    """Whether a real GPU can be used (Numba's simulator is not one)."""
    return not _simulated() and not _trouble()


def _simulated() -> bool:
    return bool(getattr(config, "ENABLE_CUDASIM", 0))


@cache
def _trouble() -> str:
    """Why kernels cannot be run, in one line; empty where they can.

    The least of kernels is run: a driver that is older than the compiler refuses what that writes.
    """
    if not cuda.is_available():
        return "not all of these were found: pip install numba-cuda nvidia-nvvm nvidia-cuda-nvrtc"
    try:
        number = cuda.to_device(np.zeros(1, np.int32))
        _kernel("write_one")[1, 1](number)
        return "" if number.copy_to_host()[0] == 1 else "kernels do nothing"
    except Exception as error:  # noqa: BLE001 - the driver's, the linker's, the compiler's
        return f"kernels do not run ({' '.join(str(error).split())[:160]}): update the driver"


def _usable() -> None:
    if not _simulated() and (trouble := _trouble()):
        needed = "the cuda back end needs an NVIDIA GPU, its driver and a compiler for kernels"
        raise XnorError(f"{needed}, and {trouble}, or compute on the CPU")


@cache
def _kernel(name: str) -> Any:
    vars(config)["CUDA_LOW_OCCUPANCY_WARNINGS"] = 0  # of each launch that is small because there is little to do
    return cuda.jit(getattr(kernels, name))


def blocks(*directions: int) -> int:
    """The length of a grid of so many blocks in each direction, laid out on x. Raises XnorError if that is too long."""
    count = math.prod(directions)
    if count > kernels.MAX_BLOCKS:
        raise XnorError(
            f"{count} blocks of threads are needed, a GPU takes {kernels.MAX_BLOCKS} at a time: share out the work"
        )
    return count


def _convolution_blocks(g: Geometry, tile: int) -> int:
    """The grid of a convolution whose blocks make ``tile`` pixels of ``tile`` outputs each. Raises XnorError."""
    sides = g.height + 2 * g.padding_y, g.width + 2 * g.padding_x
    _counted(*sides, g.height * g.width, g.out_height * g.out_width, g.outputs)
    return blocks(-(-g.out_height * g.out_width // tile), -(-(g.outputs // g.groups) // tile), g.batch * g.groups)


def _counted(*places: int) -> None:
    """Raises XnorError for more places in one direction than the kernels, which count in 32 bits, can tell apart."""
    if max(places) > MOST_PLACES:
        raise XnorError(
            f"{max(places)} places are more than the {MOST_PLACES} that a kernel counts: share out the work"
        )


def _product_blocks(rows: int, columns: int) -> int:
    _counted(rows, columns)
    return blocks(-(-columns // kernels.TILE), -(-rows // kernels.TILE))


class _Place:
    """Memory and stream of one call: torch's where the input is a tensor on a GPU, else Numba's own."""

    def __init__(self, example: Any) -> None:
        _usable()
        self.torch = torch_module() if is_tensor(example) and example.is_cuda else None
        self.device: Any = example.device if self.torch is not None else None
        self.stream: Any = 0  # torch's current one from `__enter__` on
        self._borrowed = False  # a kernel reads what is written and freed in the order of another stream

    def __enter__(self) -> _Place:
        self._context: AbstractContextManager[Any] = nullcontext()
        if self.torch is not None:
            self._context = cuda.gpus[self.device.index or 0]
        self._context.__enter__()
        if self.torch is not None:  # within, else Numba would make itself a context on the first GPU
            self.stream = cuda.external_stream(self.torch.cuda.current_stream(self.device).cuda_stream)
        return self

    def __exit__(self, *failure: Any) -> None:
        try:
            if self._borrowed:
                (self.stream or cuda.default_stream()).synchronize()
        finally:
            self._context.__exit__(*failure)

    def array(self, value: Any) -> Any:
        """A kernel's view of a tensor or array on this GPU. What is not of this call's stream is waited for."""
        if not is_tensor(value):
            self._borrowed = True
            return _view_of(value)
        if self.torch is None:
            self._borrowed = True
            torch_module().cuda.current_stream(value.device).synchronize()
        # uint32 words travel as int32 tensors: torch has few operations on unsigned numbers.
        return cuda.as_cuda_array(value.detach(), sync=False)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """(owner, kernel's view) of new memory."""
        if self.torch is None:
            made = cuda.device_array(shape, dtype)
            return made, made
        names = {"uint32": self.torch.int32, "int32": self.torch.int32, "float32": self.torch.float32}
        owner = self.torch.empty(shape, dtype=names[np.dtype(dtype).name], device=self.device)
        view = self.array(owner)
        return owner, view.view(np.uint32) if np.dtype(dtype) == np.uint32 else view

    def upload(self, values: NDArray[Any]) -> Any:
        """A kernel's view of a copy of ``values``."""
        if self.torch is None:
            return cuda.to_device(np.ascontiguousarray(values), stream=self.stream)
        signed = np.ascontiguousarray(values).view(np.int32) if values.dtype == np.uint32 else values
        view = self.array(self.torch.from_numpy(np.ascontiguousarray(signed)).to(self.device))
        return view.view(np.uint32) if values.dtype == np.uint32 else view

    def filled(self, shape: tuple[int, ...], value: float, dtype: Any) -> Any:
        """As `empty`, the memory full of ``value``; for torch no copy from the CPU, so it may be captured."""
        if self.torch is None:
            made = self.upload(np.full(shape, value, dtype))
            return made, made
        owner, view = self.empty(shape, dtype)
        owner.fill_(value)
        return owner, view

    def read(self, owner: Any) -> NDArray[Any]:
        """A NumPy copy of memory from `empty` or `filled`, after all that was launched before."""
        if self.torch is not None:
            return np.asarray(owner.cpu().numpy())  # on torch's current stream, and waited for
        return np.asarray(owner.copy_to_host())

    def nothing(self, axes: int, dtype: Any) -> Any:
        """An array of length 0: kernels see its shape and read nothing."""
        return self.empty((1,) * axes, dtype)[1][:0]

    def vector(self, value: Any, what: str, shape: tuple[int, ...], default: float) -> Any:
        """Scale, bias and the like, float32 of ``shape``: from this GPU or from the CPU; None becomes ``default``."""
        if value is None:
            return self.filled(shape, default, np.float32)[1]
        if not on_gpu(value):
            host = host_vector(value, what, shape[0]) if len(shape) == 1 else host_map(value, what, shape)
            assert host is not None  # as value is not
            return self.upload(host)
        check_axes(value, what, len(shape))
        if tuple(value.shape) != shape:
            raise XnorError(f"{what} must have shape {shape}, got {tuple(value.shape)}")
        if not is_tensor(value):
            return _contiguous_floats(self, value, what)
        check_type(value, what)
        _same_device(self, value, what)
        return self.array(_tensor_floats(value).contiguous())


def _view_of(value: Any) -> Any:
    """Numba's view of an array of another library, after the work of the stream that it names. Raises XnorError."""
    if not hasattr(cuda, "as_cuda_array"):
        return value  # the simulator: there are no arrays but its own, and no streams
    try:
        return cuda.as_cuda_array(value, sync=True)
    except NotImplementedError as error:  # masked
        raise XnorError(f"an array on the GPU cannot be taken: {error}") from error


def to_host(value: Any) -> NDArray[Any]:
    """A NumPy copy of an array on the GPU that is no torch tensor. Raises XnorError where Numba cannot copy it."""
    with _Place(value) as place:
        view = place.array(value).bind()  # to no stream: on one the copy might not be complete when the call returns
        try:
            return np.asarray(view.copy_to_host())
        except NotImplementedError as error:  # strides below 0
            raise XnorError(f"an array on the GPU cannot be copied: {error}") from error


def _tensor_floats(value: Any) -> Any:
    """A tensor as float32 whose memory holds its numbers: of some real views torch only notes that they are negated."""
    return value.detach().float().resolve_neg()


def _contiguous_floats(place: _Place, value: Any, what: str) -> Any:
    """A kernel's view of an array on the GPU that is no torch tensor: nothing here can convert it. Raises XnorError."""
    view = place.array(value)
    if view.dtype != np.float32 or not view.is_c_contiguous():
        raise XnorError(f"{what} on the GPU must be a torch tensor or contiguous float32, got {view.dtype}")
    return view


def _same_device(place: _Place, value: Any, what: str) -> None:
    if place.torch is not None and is_tensor(value) and value.device != place.device:
        raise XnorError(f"{what} lies on {value.device}, the others on {place.device}: move all to one device")


@dataclass(eq=False)
class DeviceFilters:
    """Packed filters on one GPU, with the small tables that the kernel reads; made once, used for many calls."""

    words: Any  # kernel's view, uint32 (O, 2 * words)
    channels: int
    kernel: tuple[int, int]
    tap_sums: Callable[[], NDArray[np.int32]]  # those of `PackedFilters`, counted once zero padding asks for them
    owner: Any = None  # keeps the memory alive
    _tables: dict[Any, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        return int(self.words.shape[0])

    def tables(self, place: _Place, g: Geometry) -> tuple[Any, Any, Any]:
        """(taps, starts, tap_sums) for `cuda_kernels.convolve`."""
        zero = g.padding_value == 0 and (g.padding_y > 0 or g.padding_x > 0)
        key = (g.dilation_y, g.dilation_x, zero)
        if key not in self._tables:
            self._tables[key] = (
                place.upload(_tap_table(g)),
                place.upload(_start_table(g)),
                place.upload(self.tap_sums()) if zero else place.nothing(2, np.int32),
            )
        made: tuple[Any, Any, Any] = self._tables[key]
        return made


def _tap_table(g: Geometry) -> NDArray[np.int32]:
    rows, columns = np.mgrid[0 : g.kernel_height, 0 : g.kernel_width]
    return np.stack([rows.ravel() * g.dilation_y, columns.ravel() * g.dilation_x], axis=1).astype(np.int32)


def _start_table(g: Geometry) -> NDArray[np.int32]:
    channels = g.channels // g.groups
    first = np.arange(0, channels * g.kernel_height * g.kernel_width, 32)
    return np.column_stack([first // channels, first % channels, _tap_table(g)[first // channels]]).astype(np.int32)


def _depth_table(g: Geometry) -> NDArray[np.int32]:
    channels = g.channels // g.groups
    taps = _tap_table(g)
    return np.column_stack([taps.repeat(channels, axis=0), np.tile(np.arange(channels, dtype=np.int32), len(taps))])


def filters_to(place_of: Any, packed: PackedFilters) -> DeviceFilters:
    """``packed`` on the GPU where ``place_of`` lies."""
    with _Place(place_of) as place:
        return _filters_to(place, packed)


def _filters_to(place: _Place, packed: PackedFilters) -> DeviceFilters:
    return DeviceFilters(place.upload(packed.words.view(np.uint32)), packed.channels, packed.kernel, packed.tap_sums)


def filters_from_tensor(words: Any, channels: int, kernel: tuple[int, int]) -> DeviceFilters:
    """Filters whose words already are a CUDA tensor, int64 (O, words): used in place where they are in C order."""
    words = words.contiguous()
    with _Place(words) as place:
        view = place.array(words.view(torch_module().int32)).view(np.uint32)

    def tap_sums() -> NDArray[np.int32]:
        host = words.cpu().numpy().view(np.uint64)  # by torch: in the order of the stream that wrote them
        return PackedFilters(host, channels, kernel).tap_sums()

    return DeviceFilters(view, channels, kernel, tap_sums, owner=words)


def tensor_words(rows: Any) -> Any:
    """Bits of a tensor (rows, K) along K as `bitpack.pack_rows` makes them: an int64 tensor, where ``rows`` lies."""
    torch = torch_module()
    count = word_count(rows.shape[1])
    signs = torch.nn.functional.pad(rows >= 0, (0, WORD_BITS * count - rows.shape[1]))
    places = torch.arange(WORD_BITS, device=rows.device)
    return (signs.view(-1, count, WORD_BITS).long() << places).sum(dim=2)  # distinct bits: the sum is their union


def pack_filters(filters: Any) -> DeviceFilters:
    """Filters (O, C, KH, KW), a CUDA tensor, packed on its GPU. Raises XnorError for NaN; asking waits for the GPU."""
    if bool(filters.isnan().any()):
        raise XnorError("filters holds NaN")
    outputs, channels, height, width = (int(size) for size in filters.shape)
    rows = filters.detach().permute(0, 2, 3, 1).reshape(outputs, -1)
    return filters_from_tensor(tensor_words(rows), channels, (height, width))


def _natural(place: _Place, value: Any, what: str, channel_axis: int) -> tuple[Any, bool, Any]:
    """(kernel's view, last, owner): ``value`` as float32 on the GPU, C-contiguous in the order in which it lies.

    ``last`` says that the axis of the sum, ``channel_axis`` in ``value``, is the last one of the view. Arrays in
    neither order are copied once; of those that neither torch nor NumPy can copy, an XnorError says so.
    """
    check_type(value, what) if is_tensor(value) or not on_gpu(value) else None
    axes = len(value.shape)
    moved = tuple(axis for axis in range(axes) if axis != channel_axis % axes) + (channel_axis % axes,)
    already_last = moved == tuple(range(axes))
    if on_gpu(value) and is_tensor(value):
        _same_device(place, value, what)
        owner = _tensor_floats(value)
        if owner.permute(moved).is_contiguous() and not (owner.is_contiguous() and not already_last):
            return place.array(owner.permute(moved)), True, owner
        owner = owner.contiguous()
        return place.array(owner), already_last, owner
    if on_gpu(value):
        return _contiguous_floats(place, value, what), already_last, value
    host = host_floats(value, what, axes)
    if host.transpose(moved).flags.c_contiguous and not (host.flags.c_contiguous and not already_last):
        return place.upload(host.transpose(moved)), True, host
    return place.upload(host), already_last, host


def _pack(
    place: _Place, view: Any, last: bool, shape: tuple[int, ...], limits: Any, groups: int, check_nan: bool
) -> Any:
    """(words, owner): words (N, H, W, groups, words of a group) of a natural view of pictures of (N, C, H, W)
    ``shape``.
    """
    batch, channels, height, width = shape
    group_words = (channels // groups + 31) // 32
    _counted(batch * height * width * groups * group_words)
    owner, words = place.empty((batch, height, width, groups, group_words), np.uint32)
    flag, bad = place.filled((1,), 0, np.int32)
    pixels = batch * height * width
    if last:
        flat = words.reshape(pixels * groups * group_words)
        grid = blocks(-(-flat.shape[0] // kernels.PACKERS))
        values = view.reshape(pixels, channels)
        _kernel("pack_pixels")[grid, kernels.PACKERS, place.stream](values, limits, groups, flat, bad)
    else:
        grid = blocks(-(-pixels // kernels.PACKERS), groups * group_words)
        planes = view.reshape(batch, channels, height, width)
        _kernel("pack_planes")[grid, kernels.PACKERS, place.stream](planes, limits, groups, words, bad)
    if check_nan and place.read(flag)[0]:
        raise XnorError("the input holds NaN, which has no sign: clean it before it is binarised")
    return words, owner


def conv2d(
    pictures: Any,
    filters: PackedFilters | DeviceFilters,
    g: Geometry,
    *,
    layout: str = "NCHW",
    scale: Any = None,
    bias: Any = None,
    thresholds: Any = None,
    input_scale: Any = None,
    check_nan: bool = True,
) -> Any:
    """As `xnor.conv2d`, the geometry already checked. Raises XnorError where there is no GPU or devices are mixed."""
    with _Place(pictures) as place:
        ready = filters if isinstance(filters, DeviceFilters) else _filters_to(place, filters)
        view, last, owner = _natural(place, pictures, "pictures", 1 if layout == "NCHW" else 3)
        limits = place.vector(thresholds, "thresholds", (g.channels,), 0.0)
        shape = (g.batch, g.channels, g.height, g.width)
        words, words_owner = _pack(place, view, last, shape, limits, g.groups, check_nan)
        scaled = scale is not None or bias is not None or input_scale is not None
        plane = g.out_height * g.out_width
        kinds = (np.float32, np.int32) if scaled else (np.int32, np.float32)
        result, made = place.empty((g.batch * g.outputs * plane,), kinds[0])
        unused = place.empty((1,), kinds[1])[1]
        taps, starts, tap_sums = ready.tables(place, g)
        spread = place.nothing(3, np.float32)
        if input_scale is not None:
            wanted = (g.batch, g.groups, g.out_height, g.out_width)
            spread = place.vector(input_scale, "input_scale", wanted, 1.0).reshape(g.batch, g.groups, plane)
        grid = _convolution_blocks(g, kernels.TILE)
        _convolve_kernel(g)[grid, (kernels.THREADS, kernels.THREADS), place.stream](
            words.reshape(words.size), ready.words, tap_sums, taps, starts, g,
            place.vector(scale, "scale", (g.outputs,), 1.0), place.vector(bias, "bias", (g.outputs,), 0.0), spread,
            scaled, last, unused if scaled else made, made if scaled else unused,
        )  # fmt: skip
        del owner, words_owner
        if not last:
            return _hand_back(place, pictures, result, (g.batch, g.outputs, g.out_height, g.out_width), None)
        swap = (0, 3, 1, 2) if layout == "NCHW" else None
        return _hand_back(place, pictures, result, (g.batch, g.out_height, g.out_width, g.outputs), swap)


def _convolve_kernel(g: Geometry) -> Any:
    return _kernel("convolve" if g.channels // g.groups % 32 else "convolve_whole")


def _hand_back(place: _Place, example: Any, result: Any, shape: tuple[int, ...], swap: tuple[int, ...] | None) -> Any:
    """The result in ``shape``, its axes then seen in the order ``swap``, where and as what the input came."""
    if place.torch is not None:
        tensor = result.view(shape)
        return tensor if swap is None else tensor.permute(swap)
    if on_gpu(example):
        return result.reshape(shape)
    host = place.read(result).reshape(shape)
    host = host if swap is None else host.transpose(swap)
    return torch_module().from_numpy(host) if is_tensor(example) else host


def _matrix(place: _Place, value: Any, what: str, sum_axis: int, check_nan: bool) -> tuple[Any, Any]:
    """(words (rows, words), owner): ``value`` packed along ``sum_axis``."""
    if isinstance(value, PackedMatrix):
        return place.upload(value.words.view(np.uint32)), value
    view, last, owner = _natural(place, value, what, sum_axis)
    depth, rows = int(value.shape[sum_axis]), int(value.shape[1 - sum_axis])
    limits = place.filled((depth,), 0.0, np.float32)[1]
    # A row of the packed matrix is a pixel, the sum runs over its channels.
    words, words_owner = _pack(place, view, last, (1, depth, 1, rows), limits, 1, check_nan)
    return words.reshape(rows, words.shape[4]), (owner, words_owner)


def gemm(
    left: Any, right: Any, *, scale: Any = None, bias: Any = None, row_scale: Any = None, check_nan: bool = True
) -> Any:
    """As `xnor.gemm`, shapes already checked. Raises XnorError where there is no GPU or devices are mixed."""
    example = left if not isinstance(left, PackedMatrix) else right
    for value, what in ((left, "left"), (right, "right")):
        if not isinstance(value, PackedMatrix) and on_gpu(value) != on_gpu(example):
            raise XnorError(f"{what} does not lie on the device of the other factor: move both to one")
    with _Place(example) as place:
        rows_words, keep_left = _matrix(place, left, "left", 1, check_nan)
        columns_words, keep_right = _matrix(place, right, "right", 0, check_nan)
        bits = left.bits if isinstance(left, PackedMatrix) else int(left.shape[1])
        rows, columns = rows_words.shape[0], columns_words.shape[0]
        scaled = scale is not None or bias is not None or row_scale is not None
        kinds = (np.float32, np.int32) if scaled else (np.int32, np.float32)
        result, made = place.empty((rows, columns), kinds[0])
        unused = place.empty((1, 1), kinds[1])[1]
        grid = _product_blocks(rows, columns)
        _kernel("multiply")[grid, (kernels.THREADS, kernels.THREADS), place.stream](
            rows_words, columns_words, bits, place.vector(scale, "scale", (columns,), 1.0),
            place.vector(bias, "bias", (columns,), 0.0), place.vector(row_scale, "row_scale", (rows,), 1.0),
            scaled, unused if scaled else made, made if scaled else unused,
        )  # fmt: skip
        del keep_left, keep_right
        return _hand_back(place, example, result, (rows, columns), None)


@dataclass(frozen=True, eq=False)
class GeneralFilters:
    """Filters of `general_conv2d` on one GPU, in the order in which the kernel reads them."""

    rows: Any  # kernel's view, float32 (O, KH * KW * C / groups), in the order (ky, kx, channel)
    depths: Any  # kernel's view, int32 (KH * KW * C / groups, 3): row, column and channel of each
    owner: Any = None  # keeps the memory alive


def general_filters(place_of: Any, filters: Any, g: Geometry) -> GeneralFilters:
    """Filters (O, C / groups, KH, KW) float32 on the GPU where ``place_of`` lies."""
    with _Place(place_of) as place:
        depths = place.upload(_depth_table(g))
        if place.torch is not None:
            rows = _tensor_floats(filters).permute(0, 2, 3, 1).reshape(g.outputs, -1).contiguous()
            return GeneralFilters(place.array(rows), depths, rows)
        host = np.ascontiguousarray(np.transpose(np.asarray(filters, np.float32), (0, 2, 3, 1)))
        return GeneralFilters(place.upload(host.reshape(g.outputs, -1)), depths)


def general_conv2d(pictures: Any, filters: Any, g: Geometry) -> Any:
    """The convolution without bits (zero padding): pictures (N, C, H, W) float32, filters as of `general_filters` or
    made by it.
    """
    ready = filters if isinstance(filters, GeneralFilters) else general_filters(pictures, filters, g)
    with _Place(pictures) as place:
        if is_tensor(pictures):
            pictures = pictures.contiguous()
        view, _, owner = _natural(place, pictures, "pictures", 1)
        result, made = place.empty((g.batch * g.outputs * g.out_height * g.out_width,), np.float32)
        grid = _convolution_blocks(g, kernels.GENERAL_TILE)
        _kernel("general")[grid, (kernels.THREADS, kernels.THREADS), place.stream](
            view.reshape(view.size), ready.rows, ready.depths, g, made
        )
        del owner
        return _hand_back(place, pictures, result, (g.batch, g.outputs, g.out_height, g.out_width), None)


# Parts of the above alone, on torch tensors on a GPU: for the measurements.


def pack_pixels(pictures: Any, groups: int = 1) -> Any:
    """Bits of pictures (N, C, H, W) on the GPU as an int32 tensor (N, H, W, groups, words of a group)."""
    with _Place(pictures) as place:
        view, last, owner = _natural(place, pictures, "pictures", 1)
        limits = place.filled((int(pictures.shape[1]),), 0.0, np.float32)[1]
        words = _pack(place, view, last, tuple(pictures.shape), limits, groups, False)[1]
        del owner
        return words


def convolve_packed(words: Any, filters: DeviceFilters, g: Geometry, *, channels_last: bool) -> Any:
    """Convolve what `pack_pixels` made: int32, flat."""
    with _Place(words) as place:
        result, made = place.empty((g.batch * g.outputs * g.out_height * g.out_width,), np.int32)
        taps, starts, tap_sums = filters.tables(place, g)
        ones = place.filled((g.outputs,), 1.0, np.float32)[1]
        grid = _convolution_blocks(g, kernels.TILE)
        _convolve_kernel(g)[grid, (kernels.THREADS, kernels.THREADS), place.stream](
            place.array(words.view(-1)).view(np.uint32), filters.words, tap_sums, taps, starts, g, ones, ones,
            place.nothing(3, np.float32), False, channels_last, made, ones,
        )  # fmt: skip
        return result


def pack_rows(matrix: Any) -> Any:
    """Bits of a matrix (rows, K) on the GPU along K: int32 tensor (rows, 32-bit words)."""
    with _Place(matrix) as place:
        words, (_, owner) = _matrix(place, matrix, "matrix", 1, False)
        return owner.view(words.shape[0], words.shape[1])


def gemm_packed(rows: Any, columns: Any, bits: int) -> Any:
    """Product of what `pack_rows` made of the left factor and of the right one's columns: int32 (M, N)."""
    with _Place(rows) as place:
        m, n = int(rows.shape[0]), int(columns.shape[0])
        result, made = place.empty((m, n), np.int32)
        ones = place.filled((1,), 1.0, np.float32)[1]
        grid = _product_blocks(m, n)
        _kernel("multiply")[grid, (kernels.THREADS, kernels.THREADS), place.stream](
            place.array(rows).view(np.uint32), place.array(columns).view(np.uint32), bits, ones, ones, ones,
            False, made, place.empty((1, 1), np.float32)[1],
        )  # fmt: skip
        return result
