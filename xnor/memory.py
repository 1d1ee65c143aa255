"""Large results on recycled memory.

A fresh block of tens of megabytes costs more than the kernel that fills it: the system hands it over page by page and
clears each one. So the memory of a large result goes back on a shelf when the last array or tensor on it is gone,
and the next result of that size takes it from there. The shelf holds at most SHELF_BYTES: what has lain there longest
goes first, so that sizes which are not asked for any more do not keep out others. `clear` empties it.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LEAST_BYTES = 1 << 17
SHELF_BYTES = 256 << 20
_ALIGNMENT = 64

_shelf: list[NDArray[np.uint8]] = []
_lock = threading.RLock()  # reentrant: a collection inside `empty` may end a lease in the same thread


class _Lease:
    """Owns a block as long as an array looks at it (the array's base is the lease)."""

    def __init__(self, block: NDArray[np.uint8], nbytes: int) -> None:
        self.block = block
        address = block.ctypes.data
        self.__array_interface__ = {
            "data": (address + -address % _ALIGNMENT, False),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        try:
            with _lock:
                if self.block.nbytes <= SHELF_BYTES:
                    _shelf.append(self.block)
                while sum(block.nbytes for block in _shelf) > SHELF_BYTES:
                    _shelf.pop(0)
        except TypeError:  # the interpreter is ending and this module is already taken apart
            pass


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Like `np.empty`, C order, with the start on a cache line where it is large."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if nbytes < LEAST_BYTES:
        return np.empty(shape, dtype)
    size = nbytes + _ALIGNMENT
    with _lock:
        block = next((one for one in _shelf if one.nbytes == size), None)
        # not by its place, which is another one when a lease ended meanwhile in this thread
        _shelf[:] = [one for one in _shelf if one is not block]
    if block is None:
        block = np.empty(size, np.uint8)
    return np.asarray(_Lease(block, nbytes)).view(dtype).reshape(shape)


def clear() -> None:
    """Give the memory on the shelf back to the system."""
    with _lock:
        _shelf.clear()
