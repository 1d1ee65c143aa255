"""Ranges of tasks are shared out among threads, each once, and nothing is kept of the call."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

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


@pytest.mark.usefixtures("two_threads")
def test_where_no_thread_can_be_started_the_calling_one_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool may run what it refused yet, when another thread of it is free; that is waited for, too."""
    met = threading.Event()
    done: list[int] = []
    threads_of_it: list[threading.Thread] = []

    class Pool:
        def shutdown(self, wait: bool) -> None:
            given_up.append(wait)

        def submit(self, work: Callable[[], None]) -> None:
            threads_of_it.append(threading.Thread(target=work))
            threads_of_it[-1].start()
            raise RuntimeError("can't start new thread")

    def kernel(begin: int, end: int) -> None:
        if threading.current_thread() is threads_of_it[0]:
            met.set()
            time.sleep(0.2)  # the other is done long before
        else:
            assert met.wait(60)
        done.extend(range(begin, end))

    given_up: list[bool] = []
    monkeypatch.setattr(threads, "_pool", Pool())
    threads.share_out(kernel, 100)
    assert sorted(done) == list(range(100))
    assert given_up == [False] and threads._pool is None, "it would keep what it was given for ever"


def test_after_the_end_of_the_main_thread_the_kernels_run(tmp_path: Path) -> None:
    """Then nothing can be handed to a pool, nor one be made."""
    program = (
        "import threading, torch\n"
        "from xnor.layers import XnorConv2d\n"
        "layer, x = XnorConv2d(64, 64, 3).pack(), torch.randn(1, 64, 64, 64)\n"
        "before = {before}\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    print(layer(x).shape == (1, 64, 62, 62) and (before is None or torch.equal(layer(x), before)))\n"
        "threading.Thread(target=late).start()\n"
    )
    for before in ("layer(x)", "None"):
        late = tmp_path / "run.py"
        late.write_text(program.format(before=before))
        environment = os.environ | {"XNOR_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run([sys.executable, late], env=environment, capture_output=True, text=True, timeout=300)
        assert (ran.stdout, ran.stderr) == ("True\n", "")
