"""A one-place mailbox: what joins the loops of the program."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds the newest item only. Putting never waits; an item that was not taken is replaced.

    Safe for any number of threads. Each item is taken at most once, so a reader never works
    twice on the same frame, and after a stall it meets the newest one.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._replaced = 0

    def put(self, item: T) -> None:
        """Place ``item``, replacing one that is still there."""
        with self._condition:
            self._replaced += self._item is not None
            self._item = item
            self._condition.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """The newest item, removed; waits up to ``timeout`` seconds; None when there is none."""
        with self._condition:
            if self._item is None and timeout > 0:
                self._condition.wait_for(lambda: self._item is not None, timeout)
            item, self._item = self._item, None
            return item

    @property
    def replaced(self) -> int:
        """How many items were replaced before anybody took them."""
        return self._replaced
