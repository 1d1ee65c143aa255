"""What the information line says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from artem_vr.live.hud_text import compose
from artem_vr.render.hud import LONGEST, HudText
from artem_vr.sources.feed import FeedState
from artem_vr.stylize.stylizer import StylizerState

FEED = FeedState("live", "", 0.0, 64, 48, 1, 30.0)
PAINTING = StylizerState("a", "torch", "fp32", "cpu", 12.4, "")
LONG = "50 % The Great Wave off Kanagawa (code), 50 % Composition VIII (code)"


def said(title: str = "A", strength: float = 1.0, compare: bool = False, notice: str = "", **state: object) -> HudText:
    painting = replace(PAINTING, **state)  # type: ignore[arg-type]
    return compose(title, strength, compare, "demo", FEED, painting, 0.1234, notice)


@pytest.mark.parametrize(
    ("strength", "compare", "end"),
    [(0.5, False, ", 50 %"), (1.0, True, " (the source, to compare)"), (1.0, False, "…")],
)
def test_however_long_a_title_is_what_hands_changed_is_seen(strength: float, compare: bool, end: str) -> None:
    line = said(LONG, strength, compare).style
    assert line.startswith("50 % The Great Wave") and line.endswith(end) and len(line) == LONGEST
    assert said("A", strength, compare).style == "A" + ("" if end == "…" else end)


def test_each_message_is_a_line() -> None:
    text = said(notice="Colours of the source", message="Preparing b")
    assert text.message == "Colours of the source\nPreparing b"
    assert said(notice="The same.", message="The same").message == "The same"


def test_figures() -> None:
    assert said().detail == "12 paintings/s, 123 ms behind"
    assert said(fps=1.2).detail == "1 painting/s, 123 ms behind"
    assert said(fps=0.0).detail == ""


def test_the_precision_is_that_of_what_is_painted() -> None:
    assert said().engine == "torch, fp32, cpu"
    assert said(style="").engine == "torch, cpu", "a style that is being prepared may have another"
