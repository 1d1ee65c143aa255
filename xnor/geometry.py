"""The shape of a convolution, checked once; a tuple of integers that Numba kernels take as it is."""

from __future__ import annotations

from math import prod
from numbers import Real
from typing import NamedTuple

from .arguments import MAX_SIZE, Pair, is_whole, pair
from .bitpack import check_bits
from .errors import XnorError

#: Numbers in one array: all bytes of them can still be counted in 63 bits, 8 for each number.
MAX_NUMBERS = 2**59


class Geometry(NamedTuple):
    """All sizes of one convolution. ``channels`` and ``outputs`` count all groups together."""

    batch: int
    channels: int
    height: int
    width: int
    outputs: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int
    padding_y: int
    padding_x: int
    padding_value: int
    dilation_y: int
    dilation_x: int
    groups: int
    out_height: int
    out_width: int


def check_padding_value(value: object) -> int:
    """``value`` as an integer. Raises XnorError unless it is -1, 0 or +1."""
    if isinstance(value, bool) or not isinstance(value, Real) or value not in (-1, 0, 1):
        raise XnorError(f"padding_value is -1, 0 or +1, got {value!r}")
    return int(float(value))


def geometry(
    pictures: tuple[int, int, int, int],
    outputs: int,
    group_channels: int,
    kernel: tuple[int, int],
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    padding_value: int = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Geometry:
    """The geometry of pictures of shape (N, C, H, W) under ``outputs`` filters of (group_channels, *kernel).

    Raises XnorError for what does not fit: channels against groups, a kernel larger than the padded picture, ...
    """
    batch, channels, height, width = pictures
    stride_y, stride_x = pair(stride, "stride", 1)
    padding_y, padding_x = pair(padding, "padding", 0)
    dilation_y, dilation_x = pair(dilation, "dilation", 1)
    if not is_whole(groups) or groups < 1:
        raise XnorError(f"groups must be a positive integer, got {groups!r}")
    outside = check_padding_value(padding_value)
    if channels == 0 or group_channels == 0:
        raise XnorError("the pictures or the filters have 0 channels: a binarised sum needs at least one")
    if channels != group_channels * groups:
        raise XnorError(
            f"pictures of {channels} channels do not fit filters of {group_channels} channels in {groups} group(s)"
        )
    if outputs == 0 or outputs % groups:
        raise XnorError(f"{outputs} filters cannot be shared out among {groups} group(s)")
    if batch == 0 or height == 0 or width == 0:
        raise XnorError(f"the pictures are empty: shape {pictures} in the order (N, C, H, W)")
    if kernel[0] < 1 or kernel[1] < 1:
        raise XnorError(f"the kernel is empty: {kernel[0]}x{kernel[1]}")
    check_bits(group_channels * kernel[0] * kernel[1], "a filter")
    reach_y = dilation_y * (kernel[0] - 1) + 1
    reach_x = dilation_x * (kernel[1] - 1) + 1
    padded_y, padded_x = height + 2 * padding_y, width + 2 * padding_x
    if reach_y > padded_y or reach_x > padded_x:
        raise XnorError(
            f"the kernel covers {reach_y}x{reach_x} pixels, more than the padded picture's {padded_y}x{padded_x}: "
            "take larger pictures, more padding or less dilation"
        )
    if max(reach_y, reach_x) > MAX_SIZE:
        raise XnorError(f"the kernel covers {reach_y}x{reach_x} pixels, more than {MAX_SIZE} on a side")
    out_height, out_width = (padded_y - reach_y) // stride_y + 1, (padded_x - reach_x) // stride_x + 1
    check_numbers("pictures", batch, channels, height, width)
    check_numbers("a result", batch, outputs, out_height, out_width)
    return Geometry(
        batch=batch, channels=channels, height=height, width=width, outputs=outputs,
        kernel_height=kernel[0], kernel_width=kernel[1], stride_y=stride_y, stride_x=stride_x,
        padding_y=padding_y, padding_x=padding_x, padding_value=outside,
        dilation_y=dilation_y, dilation_x=dilation_x, groups=groups, out_height=out_height, out_width=out_width,
    )  # fmt: skip


def check_numbers(what: str, *shape: int) -> None:
    """Raises XnorError where the bytes of an array of ``shape`` could not even be counted."""
    if prod(shape) > MAX_NUMBERS:
        raise XnorError(f"{what} of shape {shape} would hold more than {MAX_NUMBERS} numbers")
