"""The specification: binarised products in plain NumPy, exact in integers, slow and readable.

Every other implementation in this package must give the same integers. The sign of a number is
+1 where it is >= 0 (so also for 0 and -0) and -1 below; there is no third value. The one place
where a zero exists is zero padding: a padded tap then adds nothing to the sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def signs(values: ArrayLike) -> NDArray[np.int32]:
    """Signs of ``values`` (any shape, real numbers, no NaN) as int32 of -1 and +1; sign(0) = +1."""
    return np.where(np.asarray(values) >= 0, 1, -1).astype(np.int32)


def gemm(left: ArrayLike, right: ArrayLike) -> NDArray[np.int32]:
    """sign(left) @ sign(right): (M, K) and (K, N) -> int32 (M, N), each in [-K, K]."""
    return signs(left) @ signs(right)


def conv2d(
    pictures: ArrayLike,
    filters: ArrayLike,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    padding_value: int = 0,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> NDArray[np.int32]:
    """Cross-correlation of signs: (N, C, H, W) and (O, C / groups, KH, KW) -> int32 (N, O, OH, OW).

    ``padding_value`` is what stands outside the picture: -1, +1, or 0 (such a tap adds nothing).
    """
    inside = signs(pictures)
    weights = signs(filters)
    batch, channels, height, width = inside.shape
    outputs, group_channels, kernel_height, kernel_width = weights.shape
    padded = np.full((batch, channels, height + 2 * padding[0], width + 2 * padding[1]), padding_value, dtype=np.int32)
    padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width] = inside
    out_height = (padded.shape[2] - dilation[0] * (kernel_height - 1) - 1) // stride[0] + 1
    out_width = (padded.shape[3] - dilation[1] * (kernel_width - 1) - 1) // stride[1] + 1
    total = np.zeros((batch, outputs, out_height, out_width), dtype=np.int32)
    group_outputs = outputs // groups
    for group in range(groups):
        taken = slice(group * group_channels, (group + 1) * group_channels)
        made = slice(group * group_outputs, (group + 1) * group_outputs)
        for row in range(kernel_height):
            for column in range(kernel_width):
                top, left = row * dilation[0], column * dilation[1]
                seen = padded[
                    :,
                    taken,
                    top : top + (out_height - 1) * stride[0] + 1 : stride[0],
                    left : left + (out_width - 1) * stride[1] + 1 : stride[1],
                ]  # (N, C / groups, OH, OW)
                total[:, made] += np.einsum("ochw,kc->okhw", seen, weights[made, :, row, column])
    return total
