"""Ranges of tasks are shared out among threads, each once, and nothing is kept of the call."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from xnor import threads


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XNOR_NUM_THREADS", "2")
    monkeypatch.setattr(threads, "_pool", None)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("least", [1, 50])
@pytest.mark.parametrize("tasks", [0, 1, 2, 3, 100])
def test_every_task_is_done_once(tasks: int, least: int) -> None:
    done: list[int] = []
    threads.share_out(lambda begin, end: done.extend(range(begin, end)), tasks, least=least)
    assert sorted(done) == list(range(tasks))


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_the_kernel_is_raised() -> None:
    def kernel(begin: int, end: int) -> None:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        threads.share_out(kernel, 10)


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_another_thread_is_raised_here() -> None:
    here, met = threading.get_ident(), threading.Event()

    def kernel(begin: int, end: int) -> None:
        if threading.get_ident() != here:
            met.set()
            raise ArithmeticError
        assert met.wait(60), "the other thread never came"

    with pytest.raises(ArithmeticError):
        threads.share_out(kernel, 10)


@pytest.mark.usefixtures("two_threads")
def test_arrays_are_let_go_though_the_other_thread_never_had_time() -> None:
    """It stays busy, so that the call ends without it, and what was handed to it waits in its queue."""
    busy = threading.Event()
    other = threads._helpers().submit(busy.wait, 60)
    try:
        array = np.zeros(100)
        threads.share_out(lambda begin, end, numbers: None, 10, array)
        watched = weakref.ref(array)
        del array
        gc.collect()
        assert watched() is None
    finally:
        busy.set()
        other.result()
