"""Binarised matrix products and convolutions: signs as bits, products as XNOR and popcount.

    >>> import numpy as np, xnor
    >>> xnor.gemm(np.float32([[1, -2, 0]]), np.float32([[3], [-1], [5]]))
    array([[3]], dtype=int32)

Importing this package imports NumPy alone; Numba, torch and CUDA come with the first call that needs them. The pages:
`reference` is the specification, `bitpack` the format, `cpu` and `cuda` the kernels, `layers` trainable torch modules,
`convert` the way from a model to a packed file, `bench` and `plots` the measurements.
"""

from __future__ import annotations

from .bitpack import MAX_BITS, PackedFilters, PackedMatrix, pack_filters, pack_matrix
from .errors import XnorError
from .operations import conv2d, gemm, pack_weights

__all__ = [
    "MAX_BITS",
    "PackedFilters",
    "PackedMatrix",
    "XnorError",
    "conv2d",
    "gemm",
    "pack_filters",
    "pack_matrix",
    "pack_weights",
]
