"""What libraries say, understood."""

from __future__ import annotations

import cv2
import pytest

from artem_vr.errors import is_lack_of_memory


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 3.94 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("CUDA error: unspecified launch failure"), False),
        (cv2.error("(-4:Insufficient memory) Failed to allocate 671072256 bytes in function 'OutOfMemoryError'"), True),
        (cv2.error("(-215:Assertion failed) !ssize.empty() in function 'resize'"), False),
        (AttributeError("'Painter' object has no attribute 'allocate'"), False),
    ],
)
def test_lack_of_memory_is_told_from_a_gpu_that_has_failed(error: Exception, lacks: bool) -> None:
    """After the one something is freed and tried again; after the other nothing is computed on that GPU any more."""
    assert is_lack_of_memory(error) == lacks
