"""The threads that run the CPU kernels.

Numba's own parallel loops are not used: its `workqueue` layer ends the process when two Python threads start parallel
work at once, the other layers need libraries, and all of them hand out fixed shares, so one busy core holds up the
rest. Here a kernel is a compiled function of a range of tasks that releases the GIL; the calling thread and a
shared pool take ranges until none is left. Any number of Python threads may call at once. Where no thread can be had,
as after the end of the main thread, the calling one does all.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

RANGES_PER_THREAD = 4

_pool: ThreadPoolExecutor | None = None
_making = threading.Lock()


def thread_count() -> int:
    """Threads that work on one call: XNOR_NUM_THREADS, else the cores this process may run on."""
    wanted = os.environ.get("XNOR_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _helpers() -> ThreadPoolExecutor:
    """Raises RuntimeError after the end of the main thread."""
    global _pool
    from concurrent.futures import ThreadPoolExecutor  # which that, too, may refuse

    with _making:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, thread_count() - 1), thread_name_prefix="xnor")
        return _pool


def _give_up_pool() -> None:
    """With what it could not start a thread for, which it would keep for ever. The next call makes another."""
    global _pool
    with _making:
        old, _pool = _pool, None
    if old is not None:
        old.shutdown(wait=False)


def _forget_pool() -> None:
    global _pool, _making
    _pool, _making = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def share_out(kernel: Callable[..., None], tasks: int, *arguments: object, least: int = 1) -> None:
    """Call ``kernel(first, last, *arguments)`` on ranges that cover 0..tasks, from several threads; wait for all.

    ``least``: tasks for which it pays to wake a thread, which takes 30 to 90 microseconds. An exception of the kernel
    is raised here.
    """
    threads = min(thread_count(), max(1, tasks // least))
    if threads == 1:
        kernel(0, tasks, *arguments)
        return
    ranges = min(tasks, threads * RANGES_PER_THREAD)
    order = itertools.count()
    held = list(arguments)
    done = threading.Condition()
    helping, closed = 0, False
    errors: list[BaseException] = []

    def work() -> None:
        while (number := next(order)) < ranges:
            kernel(tasks * number // ranges, tasks * (number + 1) // ranges, *held)

    def help_out() -> None:
        nonlocal helping
        with done:
            if closed:
                return
            helping += 1
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (raised by the caller)
            errors.append(error)
        finally:
            with done:
                helping -= 1
                done.notify()

    # Who helps is counted here: the pool keeps, and may yet run, what it was given and could not start a thread for.
    try:
        helpers = _helpers()
        for _ in range(threads - 1):
            helpers.submit(help_out)
    except RuntimeError:
        _give_up_pool()
    try:
        work()
    finally:
        with done:
            closed = True  # one that has not begun has nothing left to do
            done.wait_for(lambda: not helping)
        held.clear()  # the pool may know that one, and with it the arrays, for a while
    if errors:
        raise errors[0]
