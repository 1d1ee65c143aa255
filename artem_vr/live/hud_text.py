"""What the HUD and the window's title say, from the states of the parts: pure text."""

from __future__ import annotations

from artem_vr.render.hud import LONGEST, HudText, cut
from artem_vr.sources.feed import FeedState
from artem_vr.stylize.stylizer import StylizerState

SOURCE_WORDS = {
    "opening": "opening",
    "live": "",
    "stale": "no new picture",
    "ended": "ended",
    "failed": "failed",
}


def compose(
    title: str,
    strength: float,
    compare: bool,
    source: str,
    feed: FeedState,
    stylizer: StylizerState | None,
    latency: float | None = None,
    notice: str = "",
) -> HudText:
    """The HUD's text. ``stylizer`` None: the engine is still being prepared. ``latency`` in seconds."""
    state = ""
    if compare:
        state = " (the source, to compare)"
    elif strength < 1.0:
        state = f", {100 * strength:.0f} %"
    style = cut(title, LONGEST - len(state)) + state  # blends have long titles
    detail = ""
    if stylizer is not None and stylizer.fps > 0:
        plural = "" if f"{stylizer.fps:.0f}" == "1" else "s"
        behind = "" if latency is None else f", {1000 * latency:.0f} ms behind"
        detail = f"{stylizer.fps:.0f} painting{plural}/s{behind}"
    problems = [notice, feed.message, "" if stylizer is None else stylizer.message]
    return HudText(
        style=style,
        detail=detail,
        engine="preparing the engine" if stylizer is None else engine_words(stylizer),
        source=source_words(source, feed),
        message="\n".join(dict.fromkeys(text.rstrip(".") for text in problems if text)),
    )


def engine_words(state: StylizerState) -> str:
    """Engine, precision and device that really run: "openvino, bf16, cpu"; no precision, which is the style's,
    before anything is painted.
    """
    precision = state.precision if state.style else ""
    return ", ".join(word for word in (state.engine, precision, state.device) if word)


def source_words(source: str, feed: FeedState) -> str:
    """The source and how it is doing: "film.mp4, 2 x 512 x 512, 30/s"."""
    words = [source] if source else []
    if feed.width:
        words.append(f"{'2 x ' if feed.eyes == 2 else ''}{feed.width} x {feed.height}")
    state = SOURCE_WORDS.get(feed.kind, feed.kind)
    if state:
        words.append(state)
    return ", ".join(words)


def window_title(title: str, stylizer: StylizerState | None) -> str:
    """The title of the mirror window. Of a file's name that is not UTF-8, what cannot be shown is a "?"."""
    title = title.encode("utf-8", "replace").decode("utf-8")
    speed = f" · {stylizer.fps:.0f}/s" if stylizer is not None and stylizer.fps > 0 else ""
    return f"Art'Em VR · {title}{speed}"
