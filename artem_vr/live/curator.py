"""Looks for the styles that hands ask for, and keeps them: in a thread of its own, for both read and write files.

    controls --wish--> curator --arrival--> controls

A picture is only looked at here, not read: that is the painters' work, once the deck has it.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from artem_vr.errors import ArtemError, PictureError, StyleError
from artem_vr.live.blending import Parts, grown
from artem_vr.same_file import content_of
from artem_vr.styles.library import PICTURE_SUFFIXES, Library, Style
from artem_vr.stylize.encoder import STROKE_SIZE
from artem_vr.stylize.loading import StyleLoader

MOST_NAMESAKES = 99


@dataclass(frozen=True)
class Arrival:
    """What came of a wish."""

    styles: tuple[tuple[str, str], ...] = ()
    """(name, title) of what the deck shall have; the first is to be chosen."""
    instead_of: str = ""
    """The style whose place in the deck the first one takes; empty: none."""
    notice: str = ""
    """One line for the viewer."""
    of_blend: bool = False
    """Whether that was a wish for a blend."""


class Curator:
    """Wishes never wait; what came of them is in `arrivals`, in order."""

    def __init__(self, library: Library, stroke_size: int = STROKE_SIZE) -> None:
        """``stroke_size``: short side, in pixels, at which pictures that are kept are read."""
        self._library, self._stroke_size = library, stroke_size
        self._loader = StyleLoader(library, stroke_size)  # of its own: a loader serves one thread
        self._kept: set[tuple[object, ...]] = set()
        """`_identity` of what the library has by now."""
        self._wishes: queue.SimpleQueue[tuple[Callable[[], Arrival], bool] | None] = queue.SimpleQueue()
        """Each with `Arrival.of_blend`."""
        self._arrivals: deque[Arrival] = deque()
        self._thread = threading.Thread(target=self._run, name="curator", daemon=True)
        self._thread.start()

    def bring(self, paths: Sequence[Path]) -> None:
        """Files shall be styles: pictures, weights, codes."""
        self._wishes.put((lambda: self._bring(paths), False))

    def blend(self, parts: Parts, others: Iterable[str], instead_of: str = "") -> None:
        """``parts`` shall be blended with the first of ``others`` that can be; it takes ``instead_of``'s place."""
        self._wishes.put((lambda: self._blend(parts, list(others), instead_of), True))

    def keep(self, style: str) -> None:
        """``style`` shall be in the library: a blend itself, and what comes from files of the viewer's."""
        self._wishes.put((lambda: self._keep(style), False))

    def arrivals(self) -> list[Arrival]:
        """What came of wishes since the last call; never waits."""
        return [self._arrivals.popleft() for _ in range(len(self._arrivals))]

    def stop(self, timeout: float = 2.0) -> bool:
        """End after the wish that is worked on. False when a disk hangs: the thread is left behind."""
        self._wishes.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (wish := self._wishes.get()) is not None:
            work, of_blend = wish
            try:
                arrival = work()
            except ArtemError as error:
                arrival = Arrival(notice=str(error))
            except Exception as error:  # noqa: BLE001 (whatever a file does, the program goes on)
                arrival = Arrival(notice=f"That did not work ({type(error).__name__}: {error})")
            self._arrivals.append(replace(arrival, of_blend=of_blend))

    def _bring(self, paths: Sequence[Path]) -> Arrival:
        styles, problems = [], []
        for path in paths:
            try:
                styles.append(brought(self._library, path))
            except ArtemError as error:
                problems.append(str(error).replace(str(path), path.name))
        notice = problems[0] if problems else ""
        if len(problems) > 1:
            notice = f"{len(problems)} of {len(paths)} files are no styles. {notice}"
        if styles and not problems:
            notice = f"Painting like {styles[0][1]}; K keeps it among your styles"
        return Arrival(tuple(styles), notice=notice)

    def _blend(self, parts: Parts, others: Sequence[str], instead_of: str) -> Arrival:
        problem: ArtemError = StyleError("There is no other painting to blend with", "Drop a picture on the window")
        for number, other in enumerate(others):
            try:
                name = grown(parts, other)
                return Arrival(((name, self._library.find(name).title),), instead_of)
            except ArtemError as error:
                problem = problem if number else error
        raise problem

    def _keep(self, name: str) -> Arrival:
        style = self._library.find(name)
        foreign = [part for part in (style, *(part for _, part in style.parts)) if self._is_foreign(part)]
        new_blend = style.form == "blend" and _identity(style) not in self._kept
        if not foreign and not new_blend:
            return Arrival(notice=f"{style.title} is among your styles already")
        kept = [self._keep_blend(style).name] if new_blend else []
        kept += [self._keep_one(part).name for part in foreign]
        return Arrival(notice=f"Kept as {', '.join(kept)}: it is there the next time")

    def _is_foreign(self, style: Style) -> bool:
        """Whether it is a file of the viewer's that the library does not have."""
        inside = style.kind == "shipped" or style.path.parent == self._library.own
        return style.form != "blend" and not inside and _identity(style) not in self._kept

    def _keep_blend(self, style: Style) -> Style:
        """The mixed code, and what it was mixed of: another network would mix it anew."""
        names = (part.name if part.kind == "shipped" else part.path.name.partition(".")[0] for _, part in style.parts)
        identity = _identity(style)  # of before it was read: a file that changes meanwhile is another one
        kept = self._library.keep(self._loader.kept_blend(style), self._free_name("_and_".join(names)))
        self._kept.add(identity)
        return kept

    def _keep_one(self, style: Style) -> Style:
        name = self._free_name(style.path.name.partition(".")[0] if style.form == "code" else style.path.stem)
        identity = _identity(style)  # as in `_keep_blend`
        if style.form == "picture":
            from artem_vr.sources.pictures import load_picture

            code = self._loader.encoder().code(load_picture(style.path), style.title, self._stroke_size)
            kept = self._library.keep(code, name)
        else:
            kept = self._library.add(style.path, name)
        self._kept.add(identity)
        return kept

    def _free_name(self, name: str) -> str:
        """``name``, or with a number where it is taken."""
        for number in range(1, MOST_NAMESAKES):
            with contextlib.suppress(StyleError):
                return self._library.free_name(name, number)
        return self._library.free_name(name)


def _identity(style: Style) -> tuple[object, ...]:
    """Other for another blend, another file, and another content of the same file."""
    parts = [part for _, part in style.parts] or [style]
    return (style.name if style.form == "blend" else "", *(content_of(part.path) for part in parts))


def brought(library: Library, path: Path) -> tuple[str, str]:
    """Name and title of the style in a file. Raises `ArtemError`."""
    from artem_vr.sources.pictures import is_picture

    if path.suffix.lower() not in (*PICTURE_SUFFIXES, ".safetensors") and not is_picture(path):
        what = "a folder" if path.is_dir() else "no picture"
        raise PictureError(f"{path} is {what}", "Drop pictures (PNG, JPEG, WEBP, BMP, GIF) or a trained style")
    return entry(library, str(path))


def entry(library: Library, typed: str, precision: str = "auto") -> tuple[str, str]:
    """Name in the deck, and title, of the style that was named so. Raises `ArtemError`.

    What is not in the library (a file, a picture, a blend) is found again only as it was typed.
    """
    found = library.find_for(precision, typed)
    return (found.name if found in library.styles() else typed), found.title
