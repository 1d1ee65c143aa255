"""Whether a run can still come to something, asked at every turn."""

from __future__ import annotations

import time
from collections.abc import Callable

from artem_vr.errors import ArtemError
from artem_vr.live.chosen_source import ChosenSource
from artem_vr.live.late_stylizer import LateStylizer
from artem_vr.live.run_report import PaintingLog
from artem_vr.sources.feed import Feed
from artem_vr.styles.deck import Deck

PATIENCE = 120.0
"""Seconds without a new painting after which a run that is to end by itself gives up."""


class Outlook:
    """Knows when to give up. A run in a window goes on unpainted, and the HUD says why, as long as there is a source;
    one that is to end by itself, after ``log.limit`` paintings, must not wait for what will never come."""

    def __init__(
        self,
        source: ChosenSource,
        feed: Feed,
        stylizer: LateStylizer,
        deck: Deck,
        log: PaintingLog,
        *,
        first_is_held: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``first_is_held``: the first frame waits for its painter (`HeldFrames`), and is not dropped meanwhile."""
        self._source, self._feed, self._stylizer, self._deck, self._log = source, feed, stylizer, deck, log
        self._first_is_held, self._clock = first_is_held, clock
        self._count, self._count_since = 0, clock()

    def check(self) -> None:
        """Raises the `ArtemError` for which the run comes to nothing."""
        self._stylizer.check()
        if self._feed.latest is None and not self._source.searching:
            self._feed.wait_first(0.0)  # raises why the source does not open
        if self._log.limit:
            self._check_style()
            self._check_source()
            self._check_time()

    def _check_style(self) -> None:
        """Before the first painting there is no style that could go on in place of a damaged one; nor, where two are
        wanted, outside the region."""
        state = self._stylizer.state()
        if self._log.distinct or state is None:
            return
        if state.failed == self._deck.current.generation:
            raise ArtemError(f"Nothing can be painted ({state.message.rstrip('.')})", "Try another --style")
        if state.other_failed:
            cause = f"Nothing can be painted outside the region ({state.message.rstrip('.')})"
            raise ArtemError(cause, "Try another --region-style")

    def _check_source(self) -> None:
        """A source that is over and whose last frame is painted, or dropped, brings nothing more."""
        state, newest = self._feed.state(), self._feed.latest
        if state.kind not in ("ended", "failed") or newest is None:
            return
        painted = self._log.newest == newest.sequence
        dropped = not self._log.distinct and not self._first_is_held
        if (painted or dropped) and not self._log.full:
            reason = state.message.rstrip(".") or "it has ended"
            cause = f"The source is over after {self._log.distinct} of {self._log.limit} paintings ({reason})"
            raise ArtemError(cause, "Try --source demo")

    def _check_time(self) -> None:
        now = self._clock()
        if self._log.distinct != self._count:
            self._count, self._count_since = self._log.distinct, now
        elif now - self._count_since > PATIENCE:
            state = self._stylizer.state()
            reason = self._feed.state().message or (state.message if state else "") or "no reason is known"
            raise ArtemError(f"Nothing was painted for {PATIENCE:.0f} s ({reason.rstrip('.')})", "Try --source demo")
