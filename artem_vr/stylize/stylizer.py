"""The thread that paints: takes the newest frame, hands on the painted one.

    frames (mailbox) --> resize --> painter (both eyes in one batch) --> painted (mailbox)

It never ends because of a frame, a style or an engine: what goes wrong becomes a message, and
the style that worked before goes on. A style is switched to when its painter is ready; until
then the old one paints. Each painted frame is wholly of one style.
"""

from __future__ import annotations

import statistics as figures
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.styles.deck import Deck, Selection
from artem_vr.styles.library import Library
from artem_vr.stylize.engines.base import Engine, State, initial_state
from artem_vr.stylize.loading import Load, StyleLoader
from artem_vr.stylize.painters import PainterKey, Painters, one_line
from artem_vr.stylize.resolution import Scale, Size, choose_step, first_step, resize, steps_for, working_size
from artem_vr.stylize.statistics import TAU_SECONDS, RateKeeper
from artem_vr.stylize.styled import StyledPainter, Tuning, Workshop

ANY = ""
"""In place of a style's name: the network of all styles that are codes, kept ready for a picture that may come."""

_JUDGE_AFTER = 15
"""Painted frames after which "auto" thinks about its size again."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame and its painting; both eyes are of the same style and of the same moment."""

    source: StereoFrame
    pictures: Any
    """(E, H, W, 3) uint8 RGB in memory of its own, or (E, H, W, 4) RGBA on a CUDA device; H and W
    are the working size, not the source's."""
    style: str
    generation: int
    """The deck's generation that asked for this style: a change means a new style arrived."""
    painted_at: float
    paint_seconds: float
    coded: bool = False
    """The strength is in the painting already (`StyledPainter.coded`)."""


@dataclass(frozen=True)
class StylizerState:
    """For the HUD, the doctor and the JSON line."""

    style: str
    """What is really painted now; empty before the first painting."""
    engine: str
    precision: str
    device: str
    fps: float
    message: str
    """One line for the user, empty when all is well."""
    height: int = 0
    width: int = 0
    paint_ms: float = 0.0
    """Median of the last second."""
    frames: int = 0
    """Painted since the start."""


class Stylizer:
    """``start`` it once; read ``painted`` and ``state()`` from any thread."""

    def __init__(
        self,
        frames: Mailbox[StereoFrame],
        deck: Deck,
        library: Library,
        engine: Engine,
        *,
        scale: Scale = "auto",
        eye_size: Size | None = None,
        keep: int = 3,
        budget: int = 600 * 2**20,
        tau: float = TAU_SECONDS,
        load: Load | None = None,
        tuning: Tuning | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``eye_size`` (height, width) is what the headset recommends, None without one.

        ``keep`` styles stay ready (the current one and its neighbours), and the network for any picture; fewer if they
        would take more than ``budget`` bytes. ``tau``: seconds over which statistics are smoothed. ``tuning``: of
        styles that are codes; its strength is the deck's.
        """
        self.painted: Mailbox[PaintedFrame] = Mailbox()
        self._frames, self._deck, self._library, self._engine = frames, deck, library, engine
        self._scale, self._eye_size, self._clock = scale, eye_size, clock
        self._load = load if load is not None else StyleLoader(library)
        self._any = (ANY,) if self._load.reads_pictures else ()
        self._tuning = tuning or Tuning()
        self._workshop = Workshop(engine.prepare)
        self.painters = Painters(self._prepare, keep + len(self._any), budget)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stylize", daemon=True)
        self._step: dict[tuple[int, Size], float] = {}
        self._rates = RateKeeper(tau)
        self._using: PainterKey | None = None
        self._generation = deck.current.generation
        self._asked = deck.current.generation
        self._statistics: State | None = None
        self._seconds: deque[tuple[float, float]] = deque(maxlen=240)
        self._since_step = 0
        self._count = 0
        self._message = ""

    def start(self) -> None:
        self.painters.start()
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Ask both threads to end. False if a painter is stuck: its thread is left behind, it keeps nothing up."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self.painters.stop(timeout)
        return True

    def state(self) -> StylizerState:
        """Never waits for the painter."""
        now = self._clock()
        recent = [seconds for at, seconds in list(self._seconds) if now - at <= 1.0]
        using, engine = self._using, self._engine
        return StylizerState(
            style=using.style if using else "",
            engine=engine.name,
            precision=engine.precision,
            device=engine.device,
            fps=float(len(recent)),
            message=self._message,
            height=using.height if using else 0,
            width=using.width if using else 0,
            paint_ms=1000 * figures.median(recent) if recent else 0.0,
            frames=self._count,
        )

    def _prepare(self, key: PainterKey) -> StyledPainter:
        """Runs in the thread of the painters."""
        style = self._load.shared() if key.style == ANY else self._load(self._library.find(key.style))
        return self._workshop.make(style, key.eyes, key.height, key.width)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._frames.take(timeout=0.1)
                if frame is not None:
                    self._step_one(frame)
            except Exception as error:  # noqa: BLE001 (rule 1: nothing ends this thread)
                self._message = f"Painting failed ({one_line(error)})"

    def _step_one(self, frame: StereoFrame) -> None:
        selection = self._deck.current
        if selection.generation != self._asked:  # a new choice: what failed before gets another chance
            self._asked = selection.generation
            self.painters.forgive()
        wanted = self._key(frame, selection.style)
        near = [replace(wanted, style=name) for name in (*self._deck.neighbours(), *self._any)]
        self.painters.want([wanted, *near], self._using)  # first, so that what is chosen next stays
        key, painter = self._choose(frame, wanted, selection)
        if key is None or painter is None:
            return
        if key != self._using:
            self._statistics = None
            self._rates.reset()
        self._paint(frame, key, painter)

    def _choose(
        self, frame: StereoFrame, wanted: PainterKey, selection: Selection
    ) -> tuple[PainterKey | None, StyledPainter | None]:
        """The wanted painter if it is ready, else the one that worked before, else none."""
        painter = self.painters.get(wanted)
        if painter is not None:
            self._generation, self._message = selection.generation, ""
            return wanted, painter
        using = self._using
        resized = using is not None and using.style == wanted.style  # no news for the viewer: only the size changes
        self._message = self.painters.failure(wanted) or ("" if resized else f"Preparing {selection.style}")
        if using is not None and using != wanted and using.eyes == len(frame.eyes):
            return using, self.painters.get(using)
        return None, None

    def _paint(self, frame: StereoFrame, key: PainterKey, painter: StyledPainter) -> None:
        begun = self._clock()
        eyes = resize(frame.eyes, (key.height, key.width))
        rate = self._rates.rate(eyes, frame.captured_at)
        statistics = self._statistics if self._statistics is not None else initial_state(painter.channels)
        try:
            tuning = replace(self._tuning, strength=self._deck.current.strength)
            pictures, statistics = painter.paint(eyes, statistics, rate, tuning)
        except Exception as error:  # noqa: BLE001 (rule 1)
            self.painters.drop(key, f"{key.style} failed while painting ({one_line(error)})")
            self._message = self.painters.failure(key) or ""
            self._fall_back(key, len(frame.eyes))
            return
        self._using, self._statistics = key, statistics
        now = self._clock()
        self._count += 1
        self._seconds.append((now, now - begun))
        painted = PaintedFrame(frame, pictures, key.style, self._generation, now, now - begun, painter.coded)
        self.painted.put(painted)
        self._judge_size(frame)

    def _fall_back(self, failed: PainterKey, eyes: int) -> None:
        """The style before, or a neighbour, if it is ready, takes over from the next frame on."""
        if self._using is not None and self._using != failed:
            return
        self._using, self._statistics = None, None
        for name in self._deck.neighbours():
            key = PainterKey(name, eyes, failed.height, failed.width)
            if self.painters.get(key) is not None:
                self._using = key
                return

    def _key(self, frame: StereoFrame, style: str) -> PainterKey:
        eyes, height, width, _ = frame.eyes.shape
        step = self._step.get((eyes, (height, width)))
        if step is None:
            step = 1.0
            if self._scale == "auto":
                step = first_step((height, width), self._eye_size, eyes, self._engine.pixels_per_second)
            self._step = {(eyes, (height, width)): step}
            self._since_step = 0
        return PainterKey(style, eyes, *working_size((height, width), self._eye_size, self._scale, step))

    def _judge_size(self, frame: StereoFrame) -> None:
        """With "auto": another size if the painter is too slow, or has much time left."""
        self._since_step += 1
        if self._scale != "auto" or self._since_step < _JUDGE_AFTER:
            return
        eyes, height, width, _ = frame.eyes.shape
        step = self._step[eyes, (height, width)]
        recent = [seconds for _, seconds in list(self._seconds)[-_JUDGE_AFTER:]]
        self._since_step = 0
        steps = steps_for((height, width), self._eye_size)
        self._step[eyes, (height, width)] = choose_step(step, figures.median(recent), steps=steps)
