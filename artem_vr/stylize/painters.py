"""Painters made ready before they are needed, and never more of them than memory allows."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from artem_vr.errors import ArtemError, is_lack_of_memory
from artem_vr.stylize.styled import StyledPainter

BYTES_PER_PIXEL = 56
"""A compiled network of ours, measured with OpenVINO: 28 MB for two eyes of 512x512, 280 MB at 1512x1680."""

MOST = 16
"""Painters at a time, for what they do not share is little, but not nothing."""


@dataclass(frozen=True)
class PainterKey:
    """What makes two painters differ."""

    style: str
    eyes: int
    height: int
    width: int
    network: str = ""
    """Name of what this painter's memory goes to; painters of one such name and one size share it. "": its own."""
    edition: int = 0
    """Of the style, by `Deck.edition`: a file that came again is read again, while its old painter goes on."""

    @property
    def place(self) -> tuple[str, int, int, int]:
        """Equal for painters that share their memory."""
        return self.network or f"style {self.style}", self.eyes, self.height, self.width

    @property
    def bytes(self) -> int:
        """Rough memory of such a painter."""
        return BYTES_PER_PIXEL * self.eyes * self.height * self.width


def how_many(key: PainterKey, wanted: int, budget: int, used: int = 1) -> int:
    """Places of that size to keep: up to ``wanted`` within ``budget`` bytes.

    But one more than are ``used`` at a time, else no switch is smooth.
    """
    return max(used + 1, min(wanted, budget // max(1, key.bytes)))


def called(style: str) -> str:
    """A style's name for a message: of a file, or of files in a blend, the names without their folders."""
    return re.sub(r"[^+*]*[/\\]", "", style)


def one_line(error: Exception) -> str:
    """For a message: errors of ours as they are, others with their type, never more than a line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ArtemError) else f"{type(error).__name__}: {text[:160]}"


class Painters:
    """Prepares painters one after the other in a thread, what the viewer waits for at normal priority.

    Keeps at most ``keep``, not counting those that share the memory of another, and MOST in all.

    The stylizer calls `want` with what it needs in order of need. When room is needed, what is
    not wanted goes first, never what is needed more; the painters named ``painting`` stay, so
    that a style that fails at its first frame leaves the old one there.
    """

    def __init__(
        self,
        prepare: Callable[[PainterKey], StyledPainter],
        keep: int = 3,
        budget: int = 600 * 2**20,
        ask: Callable[[], object] = lambda: None,
    ) -> None:
        """``prepare`` may raise anything; it runs in a thread of this object, once at a time. ``ask`` runs there, too,
        after a `wake`, and shall call `want`."""
        self._prepare, self._keep, self._budget, self._ask = prepare, keep, budget, ask
        self._condition = threading.Condition()
        self._ready: dict[PainterKey, StyledPainter] = {}
        self._failed: dict[PainterKey, str] = {}
        self._lacking: set[PainterKey] = set()
        """Those of them for which memory did not suffice."""
        self._wanted: tuple[PainterKey, ...] = ()
        self._painting: tuple[PainterKey, ...] = ()
        self._urgent: tuple[PainterKey, ...] = ()
        self._politely = False
        """How `_preparing` is prepared."""
        self._preparing: PainterKey | None = None
        self._stale = False
        """`_preparing` was begun before `begin_anew`."""
        self._stopping = self._woken = False
        self._thread = threading.Thread(target=self._run, name="prepare", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Ends the thread when it is not inside a preparation, and gives all painters back."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._condition:
            for painter in self._ready.values():
                painter.close()
            self._ready.clear()

    def want(
        self, keys: Sequence[PainterKey], painting: Sequence[PainterKey] = (), urgent: Sequence[PainterKey] = ()
    ) -> None:
        """What is needed, the most urgent first, and which painters are in use meanwhile.

        ``urgent``: those of them that the viewer waits for; the first one always is.
        """
        keys, painting = tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(painting))
        urgent = (*keys[:1], *urgent)
        if keys:
            room = self._room(keys[0], painting)
            places = list(dict.fromkeys(key.place for key in keys))[:room]
            keys = tuple(key for key in keys if key.place in places)
        with self._condition:
            if (keys, painting, urgent) != (self._wanted, self._painting, self._urgent):
                self._wanted, self._painting, self._urgent = keys, painting, urgent
                self._condition.notify_all()

    def wake(self) -> None:
        """Something else may be needed: ask, and do not wait for the `want` of the next frame. Returns at once."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def get(self, key: PainterKey) -> StyledPainter | None:
        """The painter if it is ready; never waits for a preparation."""
        with self._condition:
            return self._ready.get(key)

    def wait_for_code(self, key: PainterKey, seconds: float) -> bool:
        """Wait at most so long until ``key`` is ready or failed. False: there was nothing to wait for.

        Nothing is waited for while its network is not ready either: that takes longer.
        """

        def settled() -> bool:
            return self._stopping or key in self._ready or key in self._failed

        with self._condition:
            if settled() or not any(other.place == key.place for other in self._ready):
                return False
            self._condition.wait_for(settled, seconds)
            return True

    @property
    def held_up(self) -> bool:
        """Whether what the viewer waits for is, or waits behind, what is prepared politely: whoever paints beside it
        can shorten that, for no thread that was made polite may become less so."""
        with self._condition:
            waiting = any(key not in self._ready and key not in self._failed for key in self._urgent)
            return waiting and self._politely and self._preparing is not None

    def failure(self, key: PainterKey) -> str | None:
        """Why ``key`` could not be prepared or was dropped."""
        with self._condition:
            return self._failed.get(key)

    def lacks_memory(self, key: PainterKey) -> bool:
        """Whether that is why: a smaller one may do."""
        with self._condition:
            return key in self._failed and key in self._lacking

    def drop(self, key: PainterKey, reason: str, lacking: bool = False) -> None:
        """The painter does not work: away with it, and do not prepare it again until `forgive`.

        ``lacking``: memory, as `lacks_memory` says.
        """
        with self._condition:
            self._fail(key, reason, lacking)
            painter = self._ready.pop(key, None)
        if painter is not None:
            painter.close()

    def free_memory_for(self, key: PainterKey) -> bool:
        """``key``, which paints, did not get its memory: away with what only may be chosen next, until `forgive`; with
        one that is being made when that is done.

        False: nothing was in its way. (What is being made is until then; and what is ready and takes its place now.)
        """
        with self._condition:
            staying = {key, *self._painting, *self._urgent}
            making, idle = self._preparing, [other for other in self._ready if other not in staying]
            gone = [self._ready.pop(other) for other in idle]
            for other in [*idle, *([making] if making and making not in staying else [])]:
                self._fail(other, f"Memory does not suffice for {called(other.style)} as well", lacking=True)
            followed = key not in self._urgent and any(other in self._ready for other in self._urgent[:1])
        for painter in gone:
            painter.close()
        return bool(gone or making or followed)

    def begin_anew(self) -> None:
        """Away with all painters: what makes them is another thing from now on."""
        with self._condition:
            gone, self._failed = list(self._ready.values()), {}
            self._ready.clear()
            self._stale = True
            self._condition.notify_all()
        for painter in gone:
            with contextlib.suppress(Exception):  # their GPU is gone
                painter.close()

    def forgive(self) -> None:
        """Failed preparations may be tried again: somebody asked anew."""
        with self._condition:
            self._failed.clear()
            self._condition.notify_all()

    @property
    def alive(self) -> int:
        """How many painters exist, counting one that is being made."""
        with self._condition:
            return len(self._ready) + (self._preparing is not None)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stopping or self._woken or self._next() is not None)
                if self._stopping:
                    return
                asking, self._woken = self._woken, False
            if asking:
                with contextlib.suppress(Exception):  # the next frame will ask again, and say what is wrong
                    self._ask()
            with self._condition:
                key = self._next()
                if key is None:
                    continue
                in_the_way = self._make_room(key)
                self._preparing, self._stale = key, False
                self._politely = key not in self._urgent
            while in_the_way:  # not under the lock: large networks take a while to go, and `wake` returns at once
                in_the_way.pop().close()
            if not self._politely:
                self._make(key)
            else:  # must not disturb who paints; a thread that was made polite stays so, hence one of its own
                helper = threading.Thread(target=self._make, args=(key, True), name="prepare politely", daemon=True)
                helper.start()
                helper.join()

    def _make(self, key: PainterKey, politely: bool = False) -> None:
        if politely:
            _lower_priority()
        painter, reason, lacking = None, "", False
        try:
            painter = self._prepared(key)
        except ArtemError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 (whatever a network does, the program goes on)
            reason = f"{called(key.style)} cannot be prepared ({one_line(error)})"
            lacking = is_lack_of_memory(error)
        with self._condition:
            unwanted = self._stale or self._stopping or key in self._failed  # the last: `free_memory_for`
            if painter is None and not unwanted:
                self._fail(key, reason, lacking)
            elif painter is not None and not unwanted:
                self._ready[key] = painter
        if painter is not None and unwanted:
            with contextlib.suppress(Exception):  # its GPU may be gone
                painter.close()
        with self._condition:  # not before: until then it takes memory
            self._preparing = None
            self._condition.notify_all()

    def _fail(self, key: PainterKey, reason: str, lacking: bool) -> None:
        """Lock held."""
        self._failed[key] = reason
        (self._lacking.add if lacking else self._lacking.discard)(key)

    def _prepared(self, key: PainterKey) -> StyledPainter:
        """Where memory does not suffice, whatever is needed less and not painting goes, and it is tried once more.

        Only that: else two that may be chosen next would throw each other out for ever.
        """
        try:
            return self._prepare(key)
        except Exception as error:
            with self._condition:
                idle = self._dispensable(key) if is_lack_of_memory(error) else []
                gone = [self._ready.pop(other) for other in idle]
            if not gone:
                raise
        for painter in gone:
            painter.close()
        return self._prepare(key)

    def _next(self) -> PainterKey | None:
        """The most urgent key that is neither ready nor failed, if there is or can be room. Lock held."""
        for key in self._wanted:
            if key not in self._ready and key not in self._failed:
                staying = self._ready.keys() - set(self._dispensable(key))
                return key if self._fits(key, staying) else None  # `want` wakes us when that changes
        return None

    def _room(self, key: PainterKey, painting: Collection[PainterKey]) -> int:
        """How many places of that size there may be while these painters are in use."""
        used = max(1, len({k.place for k in painting}))
        return how_many(key, self._keep + used - 1, self._budget, used)

    def _fits(self, key: PainterKey, others: Collection[PainterKey]) -> bool:
        """Whether ``key`` may be ready beside the others. Lock held."""
        places = {other.place for other in others} | {key.place}
        return len(places) <= self._room(key, self._painting) and len(others) < MOST

    def _make_room(self, key: PainterKey) -> list[StyledPainter]:
        """Take painters away until one more fits; they are to be closed. Lock held."""
        gone = []
        for old in self._dispensable(key):
            if self._fits(key, self._ready.keys()):
                break
            gone.append(self._ready.pop(old))
        return gone

    def _dispensable(self, key: PainterKey) -> list[PainterKey]:
        """Ready painters that may go for ``key``: unwanted ones first, then less urgent ones. Lock held."""
        less_urgent = self._wanted[self._wanted.index(key) + 1 :] if key in self._wanted else ()
        order = [k for k in self._ready if k not in self._wanted] + list(reversed(less_urgent))
        return [k for k in order if k in self._ready and k not in self._painting]


POLITE = 10
"""Nice value of what is prepared beside painting."""


def _lower_priority() -> None:
    """Painting goes before preparing. Linux knows priorities of threads; elsewhere nothing happens."""
    if hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(POLITE, os.getpriority(os.PRIO_PROCESS, thread)))
