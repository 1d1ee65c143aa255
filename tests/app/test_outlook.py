"""When a run gives up: at once where it is known to come to nothing, else after a while; in a window, never."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from artem_vr.errors import ArtemError, EngineError, SourceError
from artem_vr.live.outlook import PATIENCE, Outlook
from artem_vr.live.run_report import PaintingLog

BROKEN = "alpha cannot be prepared (RuntimeError: no such tensor)."
GONE = SourceError("film.mp4 is damaged", "Copy it again")
GENERATION = 3


class TestFeed:
    """A feed that has given frame 0 and lives; its first error is ``error``."""

    __test__ = False

    def __init__(self) -> None:
        self.latest: Any = SimpleNamespace(sequence=0)
        self.kind = "live"
        self.error: ArtemError | None = None

    def state(self) -> Any:
        return SimpleNamespace(kind=self.kind, message=str(self.error or ""))

    def wait_first(self, timeout: float) -> bool:
        assert timeout == 0.0, "the render loop waits"
        if self.error is not None:
            raise self.error
        return self.latest is not None

    def fail(self) -> None:
        self.kind, self.error = "failed", GONE


class TestStylizer:
    __test__ = False

    def __init__(self) -> None:
        self.failed, self.other_failed, self.message = -1, False, ""
        self.error: ArtemError | None = None

    def state(self) -> Any:
        return SimpleNamespace(failed=self.failed, other_failed=self.other_failed, message=self.message)

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def fail(self, generation: int = GENERATION) -> None:
        self.failed, self.message = generation, BROKEN


class Run:
    """A run of ``limit`` paintings as `Outlook` sees it."""

    def __init__(self, limit: int, held: bool = False) -> None:
        self.now = 0.0
        self.log, self.feed, self.stylizer = PaintingLog(limit), TestFeed(), TestStylizer()
        self.source = SimpleNamespace(searching=False)
        source: Any = self.source
        feed: Any = self.feed
        stylizer: Any = self.stylizer
        deck: Any = SimpleNamespace(current=SimpleNamespace(generation=GENERATION))
        self.outlook = Outlook(source, feed, stylizer, deck, self.log, first_is_held=held, clock=lambda: self.now)

    def paint(self, sequence: int = 0) -> None:
        self.log.put(SimpleNamespace(source=SimpleNamespace(sequence=sequence), painted_at=self.now))

    def goes_on(self) -> bool:
        self.outlook.check()
        return True


def test_a_first_style_that_is_damaged_ends_a_run_at_once() -> None:
    run = Run(limit=5)
    assert run.goes_on()
    run.stylizer.fail()
    with pytest.raises(
        ArtemError, match=r"Nothing can be painted \(alpha cannot be prepared .*no such tensor\)\)\. Try"
    ):
        run.outlook.check()


def test_so_does_a_damaged_one_outside_the_region() -> None:
    """Only what is painted in both styles is counted: that would never be."""
    run = Run(limit=5)
    run.stylizer.other_failed, run.stylizer.message = True, BROKEN
    with pytest.raises(ArtemError, match=r"outside the region \(alpha cannot be prepared .*Try another --region-style"):
        run.outlook.check()
    run.paint()
    assert run.goes_on()


def test_a_damaged_style_ends_nothing_where_another_goes_on() -> None:
    painted = Run(limit=5)
    painted.paint()
    painted.stylizer.fail()
    assert painted.goes_on()
    chosen_before = Run(limit=5)
    chosen_before.stylizer.fail(GENERATION - 1)
    assert chosen_before.goes_on()


def test_a_source_that_is_over_ends_a_run_at_once() -> None:
    run = Run(limit=5)
    run.feed.fail()
    with pytest.raises(ArtemError, match=r"over after 0 of 5 paintings \(film.mp4 is damaged. Copy it again\)"):
        run.outlook.check()


def test_the_last_frame_of_a_source_is_waited_for() -> None:
    run = Run(limit=5, held=True)
    run.feed.fail()
    assert run.goes_on()  # it is held until it is painted
    run.feed.latest.sequence = 1
    run.paint(0)
    assert run.goes_on()  # frame 1 is being painted
    run.paint(1)
    with pytest.raises(ArtemError, match="over after 2 of 5"):
        run.outlook.check()


def test_a_source_that_ends_with_the_last_painting_is_no_failure() -> None:
    run = Run(limit=1, held=True)
    run.feed.fail()
    run.paint(0)
    assert run.log.full and run.goes_on()


def test_a_run_that_paints_nothing_for_long_gives_up() -> None:
    run = Run(limit=5)
    run.now = PATIENCE
    run.paint()
    assert run.goes_on()
    run.now += PATIENCE
    assert run.goes_on()
    run.stylizer.message = "Preparing alpha"
    run.now += 1.0
    with pytest.raises(ArtemError, match=r"Nothing was painted for 120 s \(Preparing alpha\)"):
        run.outlook.check()


def test_in_a_window_a_run_goes_on_unpainted() -> None:
    run = Run(limit=0)
    run.stylizer.fail()
    run.feed.fail()
    run.now = 10 * PATIENCE
    assert run.goes_on()


@pytest.mark.parametrize("limit", [0, 5])
def test_without_engine_or_source_there_is_no_run(limit: int) -> None:
    run = Run(limit)
    run.feed.latest, run.feed.error = None, GONE
    with pytest.raises(SourceError):
        run.outlook.check()
    run.source.searching = True  # another source may give a picture
    assert run.goes_on()
    run.stylizer.error = EngineError("No engine starts", "")
    with pytest.raises(EngineError):
        run.outlook.check()
