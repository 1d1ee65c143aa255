"""What the package as a whole promises: it stands alone, imports lightly, hands memory back and takes threads."""

from __future__ import annotations

import doctest
import gc
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import xnor
from xnor import memory, threads

ROOT = Path(xnor.__file__).parent


def test_importing_it_imports_numpy_alone() -> None:
    code = (
        "import sys, xnor; heavy = {'torch', 'numba', 'llvmlite', 'matplotlib', 'safetensors', 'artem_vr'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_never_speaks_of_the_program() -> None:
    assert not [path.name for path in ROOT.glob("*.py") if "artem_vr" in path.read_text(encoding="utf-8")]


def test_the_example_of_the_documentation() -> None:
    assert doctest.testmod(xnor).failed == 0


def test_large_memory_is_recycled_when_nobody_looks_at_it() -> None:
    memory.clear()
    first = memory.empty((600, 1000), np.float32)
    assert first.ctypes.data % 64 == 0
    address = first.ctypes.data
    view = first[3:5].T
    del first
    gc.collect()
    second = memory.empty((600, 1000), np.int32)
    assert second.ctypes.data != address  # the view is still alive
    del view
    gc.collect()
    third = memory.empty((1000, 600), np.int32)
    assert third.ctypes.data == address
    memory.clear()


def test_what_comes_back_while_the_shelf_is_searched_does_not_exchange_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection may end leases at any moment, in the thread that searches: what lay there longest goes then."""
    small, wanted, large = (np.empty(memory.LEAST_BYTES * n + memory._ALIGNMENT, np.uint8) for n in (1, 2, 3))
    lease: Any = SimpleNamespace(block=large)

    class Searched(np.ndarray):
        @property
        def nbytes(self) -> int:
            if len(memory._shelf) == 3:
                memory._Lease.__del__(lease)
            return super().nbytes

    monkeypatch.setattr(memory, "_shelf", [small, small.copy(), wanted.view(Searched)])
    monkeypatch.setattr(memory, "SHELF_BYTES", small.nbytes + wanted.nbytes + large.nbytes)
    block = memory.empty((memory.LEAST_BYTES * 2,), np.uint8)
    base: Any = block
    while isinstance(base, np.ndarray):
        base = base.base
    assert base.block.size == wanted.size


def test_the_shelf_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.clear()
    monkeypatch.setattr(memory, "SHELF_BYTES", 3 << 20)
    arrays = [memory.empty((2 << 20,), np.uint8) for _ in range(3)]
    del arrays
    gc.collect()
    assert len(memory._shelf) == 1
    memory.clear()


def test_sizes_that_are_not_asked_for_any_more_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.clear()
    monkeypatch.setattr(memory, "SHELF_BYTES", 3 << 20)
    old = [memory.empty((1 << 20,), np.uint8) for _ in range(2)]
    del old
    gc.collect()
    address = memory.empty((2 << 20,), np.uint8).ctypes.data
    gc.collect()
    assert memory.empty((2 << 20,), np.uint8).ctypes.data == address
    memory.clear()


@pytest.mark.parametrize("count", ["1", "2", "5"])
@pytest.mark.parametrize("tasks", [1, 3, 100])
def test_ranges_cover_every_task_once(monkeypatch: pytest.MonkeyPatch, count: str, tasks: int) -> None:
    monkeypatch.setenv("XNOR_NUM_THREADS", count)
    done: list[int] = []
    threads.share_out(lambda first, last, *_: done.extend(range(first, last)), tasks, "argument")
    assert sorted(done) == list(range(tasks))


def test_a_kernel_that_fails_is_heard() -> None:
    def kernel(first: int, last: int) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        threads.share_out(kernel, 100)
