"""The thread that paints: takes the newest frame, hands on the painted one.

    frames (mailbox) --> resize --> painter (both eyes in one batch) --> painted (mailbox)

It never ends because of a frame, a style or an engine: what goes wrong becomes a message, and
the style that worked before goes on. A style is switched to when its painter is ready; until
then the old one paints. Each painting is wholly of one style; where the deck names a style for
outside a region, the same frame is painted in that one as well.
"""

from __future__ import annotations

import math
import statistics as figures
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from artem_vr.errors import ArtemError, is_lack_of_memory
from artem_vr.hardware import gpu_is_lost
from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.styles.deck import Deck, Selection
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import Engine, State, engine_for
from artem_vr.stylize.ground import APPEAR_SECONDS, Depth, Ground
from artem_vr.stylize.loading import Load, StyleLoader
from artem_vr.stylize.painters import PainterKey, Painters, called, one_line
from artem_vr.stylize.resolution import (
    TARGET_SECONDS,
    Scale,
    Size,
    choose_step,
    first_step,
    resize,
    steps_for,
    working_size,
)
from artem_vr.stylize.statistics import TAU_SECONDS, RateKeeper
from artem_vr.stylize.steadying import Steadier, SteadyHand, Steadying
from artem_vr.stylize.styled import StyledPainter, Tuning, Workshop
from artem_vr.stylize.ties import NO_TIES, Ties

ANY = ""
"""In place of a style's name: the network of all styles that are codes, kept ready for a picture that may come."""

STEADY_WITHIN = 1 / 20
"""Seconds that a pair may take with steadying at a size that was asked for; at one that "auto" chose TARGET_SECONDS."""

STAND_BACK_SECONDS = 0.25
"""At most so long nothing is painted while the code of a picture just chosen is made: both need the processor."""

_POLL_SECONDS = 0.1
"""For which a new frame is waited for, before it is looked whether the last one has to be painted again."""

_JUDGE_AFTER = 15
"""Frames painted at its size after which "auto" thinks about that again."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame and its painting (or two); both eyes are of the same style and of the same moment."""

    source: StereoFrame
    pictures: Any
    """(E, H, W, 3) uint8 RGB in memory of its own, or (E, H, W, 4) RGBA on a CUDA device; H and W
    are the working size, not the source's."""
    style: str
    painted_at: float
    paint_seconds: float
    outside: str = ""
    """The deck's style for outside a region, when this was painted."""
    other: Any = None
    """The same frame in that style, as ``pictures``; None where there is none, or where it is not ready."""
    edition: int = 0
    """Of ``style``, as `Deck.edition` counts them."""

    @property
    def key(self) -> tuple[str, int]:
        """Another one where the painting is of another style, or of a file that has changed."""
        return self.style, self.edition


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
    steadied: float = 0.0
    """Share of them that were steadied (`steadying`)."""
    failed: int = -1
    """The deck's generation whose style cannot be painted; -1: none. ``message`` says why."""
    other_failed: bool = False
    """The style outside the region cannot be painted; ``message`` says why, where the other one is well."""


class _Series:
    """Frames painted in one style: statistics and strokes go on from frame to frame, and begin anew with the painter.

    So they do with another code: the inner norms of the old one see other features.
    """

    def __init__(self, tau: float) -> None:
        self.key: PainterKey | None = None
        """The painter of the last frame."""
        self._tuning: Tuning | None = None
        """Of its code."""
        self._rates = RateKeeper(tau)
        self.steadier = Steadier()
        self._state: State | None = None

    def forget(self) -> None:
        """The next frame is the first."""
        self.key = None
        self._begin()

    def _begin(self) -> None:
        self._state = None
        self._rates.reset()
        self.steadier.forget()

    def paint(self, eyes: Any, captured_at: float, key: PainterKey, painter: StyledPainter, tuning: Tuning) -> Any:
        """``eyes`` of the painter's size, painted."""
        if key != self.key or (painter.coded and tuning != self._tuning):
            self._begin()
        rate = self._rates.rate(eyes, captured_at)
        try:
            pictures, self._state = painter.paint(eyes, self._state, rate, tuning)
        except Exception:
            self._begin()  # whatever paints next begins with a frame of its own
            raise
        self.key, self._tuning = key, tuning
        return pictures


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
        steadying: Steadying = "auto",
        load: Load | None = None,
        tuning: Tuning | None = None,
        spare: Callable[[], Engine] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``eye_size`` (height, width) is what the headset recommends, None without one.

        ``keep`` styles stay ready (the current one and its neighbours), and the network for any picture; fewer if they
        would take more than ``budget`` bytes. ``tau``: seconds over which statistics are smoothed. ``steadying``:
        whether strokes stay on what they show; "auto" where there is time. ``tuning``: of
        styles that are codes; its strength is the deck's. ``spare`` makes the engine that goes on where ``engine``'s
        GPU fails for good.
        """
        self.painted: Mailbox[PaintedFrame] = Mailbox()
        self._frames, self._deck, self._library, self._engine = frames, deck, library, engine
        self._scale, self._clock = scale, clock
        self._eye_size = self._recommended = eye_size
        """What is painted for, and what `recommend` said last; "auto" begins anew with another."""
        self._load = load if load is not None else StyleLoader(library)
        self._any = (ANY,) if self._load.reads_pictures else ()
        self._tuning, self._spare = tuning or Tuning(), spare
        self._workshop = Workshop()
        self.painters = Painters(self._prepare, keep + len(self._any), budget, self._foresee)
        deck.wake_at_choices(self.painters.wake)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stylize", daemon=True)
        self._step: dict[tuple[int, Size], float] = {}
        """By eyes and size of what is painted now: the step of its size."""
        self._too_large: dict[tuple[int, Size], tuple[float, str]] = {}
        """Likewise, of whatever was painted: the step for which memory did not suffice, and what is to be said."""
        self._series, self._other_series = _Series(tau), _Series(tau)
        within = TARGET_SECONDS if scale == "auto" else STEADY_WITHIN
        self._new_hand = lambda: SteadyHand(steadying, within, clock)
        self._hand = self._new_hand()
        self._ground = Ground(deck.ground)
        self._steadied = 0
        self._engines: dict[PainterKey, Engine] = {}
        self._networks: dict[str, str] = {}
        self._last: StereoFrame | None = None
        self._wanted: PainterKey | None = None
        """For the last frame."""
        self._shown: object = None
        """What the newest painting is of a selection, as `_of` tells it."""
        self._settled = True
        """... and of the ground, which comes and goes with frames, all."""
        self._polls = 0
        """How often in a row there was no new frame."""
        self._awaited: PainterKey | None = None
        """Waited for by `_stood_back`."""
        self._asked = deck.current.generation, deck.current.outside
        self._failed = -1
        self._seconds: deque[tuple[float, float]] = deque(maxlen=240)
        self._at_step: list[float] = []
        """Seconds of the frames painted at the size that "auto" chose, since it thought about it."""
        self._count = 0
        self._message = self._other_message = self._ground_message = self._size_message = self._lost = ""
        self._other_failed = False

    def recommend(self, eye_size: Size) -> None:
        """Another ``eye_size`` from the next frame on: another headset, or one that was set otherwise."""
        self._recommended = eye_size

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
        using = self._series.key
        engine = self._engines.get(using, self._engine) if using else self._engine
        return StylizerState(
            style=using.style if using else "",
            engine=engine.name,
            precision=engine.precision,
            device=engine.device,
            fps=float(len(recent)),
            message=self._message
            or self._other_message
            or self._lost
            or self._size_message
            or self._hand.message
            or self._ground_message,
            height=using.height if using else 0,
            width=using.width if using else 0,
            paint_ms=1000 * figures.median(recent) if recent else 0.0,
            frames=self._count,
            steadied=self._steadied / max(1, self._count),
            failed=self._failed,
            other_failed=self._other_failed,
        )

    def _prepare(self, key: PainterKey) -> StyledPainter:
        """Runs in the thread of the painters."""
        style = self._load.shared() if key.style == ANY else self._load(self._library.find(key.style))
        engine = self._engines[key] = engine_for(self._engine, style.network)
        return self._workshop.make(engine, style, key.eyes, key.height, key.width)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._frames.take(timeout=_POLL_SECONDS)
                self._polls = 0 if frame is not None else self._polls + 1
                if frame is None and self._choice_waits():
                    frame = self._last
                    self._let_go()  # no time passes in it, so that all of the old painting would be kept
                while frame is not None and not self._step_one(frame):
                    frame = self._frames.take() or frame
                self._make_way()
            except Exception as error:  # noqa: BLE001 (rule 1: nothing ends this thread)
                self._message = f"Painting failed ({one_line(error)})"

    def _step_one(self, frame: StereoFrame) -> bool:
        """Paint the frame, if anything can. False: time has passed instead, and there may be a newer one."""
        if self._stood_back():
            return False
        self._last = frame
        selection = self._selected()
        wanted = self._wanted = self._key(frame, selection.style)
        if not selection.outside:
            self._other_series.forget()
            self._other_message, self._other_failed = "", False
        self._want(wanted, selection)  # first, so that what is chosen next stays
        key, painter = self._choose(frame, wanted, selection)
        if key is None or painter is None:
            self._ground.get_ready()  # now there is time for that
            return True
        return self._paint(frame, key, painter, self._like(wanted, selection.outside), selection.style)

    def _selected(self) -> Selection:
        """What is chosen; with a new choice what failed before gets another chance."""
        selection = self._deck.current
        if (selection.generation, selection.outside) != self._asked:
            self._asked = selection.generation, selection.outside
            self.painters.forgive()
        return selection

    def _want(self, wanted: PainterKey, selection: Selection) -> None:
        """Let painters be prepared: ``wanted``, and then what may be chosen next."""
        outside = (selection.outside,) if selection.outside else ()
        near = [self._like(wanted, name) for name in (*outside, *self._deck.neighbours(), *self._any)]
        using = [key for key in (self._series.key, self._other_series.key) if key is not None]
        self.painters.want([wanted, *near], using, urgent=near[: len(outside)])

    def _foresee(self) -> None:
        """Another style was chosen: prepare it while the present frame is still being painted.

        Runs in the thread of the painters. Should the stylizer just want the choice before, its next frame mends that.
        """
        if self._wanted is not None:
            selection = self._deck.current
            self._want(self._like(self._wanted, selection.style), selection)

    def _choice_waits(self) -> bool:
        """Whether what is chosen is ready and not painted yet; where the source has stalled the last frame will do.

        What is not ready is wanted, and what keeps it from being painted is said.
        """
        if self._last is None:
            return False
        selection = self._selected()
        key = self._wanted = self._key(self._last, selection.style)
        outside = self._like(key, selection.outside)
        self._want(key, selection)
        painter, other = self._told(self._last, key, selection), self.painters.get(outside)
        if painter is None or (outside.style and other is None and self.painters.failure(outside) is None):
            return False
        coded = painter.coded or (other is not None and other.coded)
        if not self._settled and self._polls * _POLL_SECONDS > APPEAR_SECONDS:  # no source is so slow
            return True
        return self._shown != self._of(key, outside, selection.ground, selection.strength, coded)

    def _let_go(self) -> None:
        """The next paintings are not led on from those before."""
        for series in (self._series, self._other_series):
            series.steadier.forget()

    @staticmethod
    def _of(key: PainterKey, outside: PainterKey, ground: Depth, strength: float, coded: bool) -> object:
        """What makes two paintings of one frame differ; ``strength`` is the renderer's where nothing is ``coded``."""
        return key, outside, ground, strength if coded else None

    def _make_way(self) -> None:
        """Rest as long as a frame takes while the viewer waits for what is prepared politely beside the painting."""
        if self._engine.device == "cpu" and self._seconds and self.painters.held_up:
            self._stop.wait(min(self._seconds[-1][1], STAND_BACK_SECONDS))

    def _stood_back(self) -> bool:
        """Leave the processor to the reading of a picture that was chosen; once, and not for long.

        What is shown rests meanwhile, while heads move on. Returns whether there was something to wait for.
        """
        if self._wanted is None or self._engine.device != "cpu":
            return False
        wanted = self._like(self._wanted, self._deck.current.style)
        if not wanted.network or wanted == self._awaited:
            return False
        self._awaited = wanted
        return self.painters.wait_for_code(wanted, STAND_BACK_SECONDS)

    def _choose(
        self, frame: StereoFrame, wanted: PainterKey, selection: Selection
    ) -> tuple[PainterKey | None, StyledPainter | None]:
        """The wanted painter if it is ready, else the one that worked before, else none."""
        painter, using = self._told(frame, wanted, selection), self._series.key
        if painter is not None:
            return wanted, painter
        if using is not None and using != wanted and using.eyes == len(frame.eyes):
            return using, self.painters.get(using)
        return None, None

    def _told(self, frame: StereoFrame, wanted: PainterKey, selection: Selection) -> StyledPainter | None:
        """The wanted painter if it is ready; the state then says why it is not, or that there is nothing to say."""
        painter, using = self.painters.get(wanted), self._series.key
        failure = self._failure(frame, wanted) if painter is None else None
        # no news for the viewer where only the size changes; what worked at another one goes on, and stays in the deck
        resized = using is not None and (using.style, using.edition) == (wanted.style, wanted.edition)
        quiet = resized or painter is not None
        self._message = failure or ("" if quiet else f"Preparing {called(selection.style)}")
        self._failed = selection.generation if failure and not resized else -1
        return painter

    def _failure(self, frame: StereoFrame, wanted: PainterKey) -> str | None:
        """Why ``wanted`` could not be prepared; None where that can be mended: the next key is of a smaller size."""
        failure = self.painters.failure(wanted)
        return None if failure and self.painters.lacks_memory(wanted) and self._shrink(frame, wanted) else failure

    def _paint(
        self, frame: StereoFrame, key: PainterKey, painter: StyledPainter, outside: PainterKey, chosen: str
    ) -> bool:
        """Paint the frame, and again in the style ``outside`` if that names one. False as in `_step_one`.

        With steadying "auto" nothing is steadied while the style ``chosen`` is made ready, and not its first painting:
        it shall be seen soon. Of pictures at rest there is time for each.
        """
        begun = self._clock()
        eyes = resize(frame.eyes, (key.height, key.width))
        hurries = self._failed < 0 and not key.style == chosen == (self._series.key or key).style
        ties = self._hand.look(eyes, (frame.eyes.shape, outside.style), frame.still, hurries)
        follows = self._hand.goes_on(frame.still) and (frame.still or not hurries)
        canvas = self._hand.timed(lambda: self._with_ground(eyes, painter.smooth, frame, ties, follows))
        if self._stood_back():
            self._let_go()  # the next ties begin at this frame, which is in no painting
            return False
        tuning = replace(self._tuning, strength=self._deck.current.strength)
        try:
            pictures = self._series.paint(canvas, frame.captured_at, key, painter, tuning)
        except Exception as error:  # noqa: BLE001 (rule 1)
            if painter.closed:  # before its first frame something else was chosen, which needed its room
                return True
            if self._went_on_without_gpu(error):
                return True
            if self._goes_on(frame, key, error):
                if key == self._series.key and self.painters.get(key) is None:
                    self._series.forget()
                return True
            self._message = self.painters.failure(key) or ""
            self._fall_back(key)
            return True
        pictures = self._hand.steady(self._series.steadier, pictures, ties, frame.captured_at)
        other, other_coded = pictures, painter.coded
        if outside.style and outside.style != key.style:
            other, other_coded = self._paint_other(frame, eyes, ties, outside, tuning)
        else:
            self._other_message, self._other_failed = "", False
        now = self._clock()
        self._count += 1
        self._steadied += bool(ties.before) or ties.across is not None
        self._seconds.append((now, now - begun))
        painted = PaintedFrame(frame, pictures, key.style, now, now - begun, edition=key.edition)
        if outside.style:
            painted = replace(painted, outside=outside.style, other=other)
        self.painted.put(painted)
        self._shown = self._of(key, outside, self._ground.wanted, tuning.strength, painter.coded or other_coded)
        self._settled = self._ground.settled
        if other is None and not self._other_failed:
            self._shown = None  # there is more to come, though no frame may
        apart = self._engine.device != "cpu"  # a GPU's speed says nothing of what the processor does beside it
        if not (frame.still or hurries):
            self._hand.took(now - begun, may_refuse=apart or not self._can_shrink(frame))
        self._judge_size(frame, (key.height, key.width), now - begun - (self._hand.seconds if apart else 0.0))
        return True

    def _goes_on(self, frame: StereoFrame, key: PainterKey, error: Exception) -> bool:
        """Whether the painter's ``error`` was a lack of memory that is mended for the next frame; else it is dropped.

        What only may be chosen next goes first, and only then is everything painted smaller.
        """
        lacking = is_lack_of_memory(error)
        if lacking and self.painters.free_memory_for(key):
            return True
        self.painters.drop(key, f"{called(key.style)} failed while painting ({one_line(error)})", lacking)
        return lacking and self._shrink(frame, key)

    def _went_on_without_gpu(self, error: Exception) -> bool:
        """After a reset of the driver, for instance, nothing is computed on the GPU any more: the spare engine takes
        over. False: it was something else."""
        if self._spare is None or not gpu_is_lost(self._engine.device, error):
            return False
        spare, self._spare = self._spare, None
        self._engine = spare()
        self._lost = f"The GPU has failed, the processor paints on: start the program again ({one_line(error)})"
        self._workshop, self._hand = Workshop(), self._new_hand()  # the old one may have failed by the GPU, too
        self.painters.begin_anew()
        for series in (self._series, self._other_series):
            series.forget()
        self._step.clear()
        self._too_large.clear()
        return True

    def _paint_other(
        self, frame: StereoFrame, eyes: Any, ties: Ties, wanted: PainterKey, tuning: Tuning
    ) -> tuple[Any, bool]:
        """The frame in the style ``wanted``, and whether that is coded; None while it is not ready or fails.

        ``eyes``: the frame's, at the size in which the style inside is painted.
        """
        before, key = self._other_series.key, wanted
        painter = self.painters.get(key)
        failure = self._failure(frame, key)
        self._other_message = failure or ("" if painter else f"Preparing {called(key.style)}")
        self._other_failed = failure is not None
        if painter is None and before is not None and (before.style, before.eyes) == (key.style, key.eyes):
            key, painter, self._other_message = before, self.painters.get(before), ""  # only the size changes
        if painter is None:
            self._other_series.forget()
            return None, False
        if eyes.shape[1:3] != (key.height, key.width):
            eyes = resize(frame.eyes, (key.height, key.width))
        canvas = self._hand.timed(lambda: self._with_ground(eyes, painter.smooth))
        try:
            pictures = self._other_series.paint(canvas, frame.captured_at, key, painter, tuning)
        except Exception as error:  # noqa: BLE001 (rule 1)
            self._other_series.forget()
            if painter.closed:  # as in `_paint`
                return None, False
            if self._goes_on(frame, key, error):
                return None, False
            self._other_message, self._other_failed = self.painters.failure(key) or "", True
            return None, False
        return self._hand.steady(self._other_series.steadier, pictures, ties, frame.captured_at), painter.coded

    def _with_ground(
        self, eyes: Any, smooth: float, frame: StereoFrame | None = None, ties: Ties = NO_TIES, follows: bool = False
    ) -> Any:
        """``eyes`` with the ground, for a painting as ``smooth`` as that (`Ground.laid`); first it goes on to the
        ``frame`` of these ``ties`` (`Ground.follow`)."""
        try:
            if frame is not None:
                self._ground.wanted = self._deck.ground
                self._ground.follow(len(eyes), ties, frame.captured_at, stands=frame.stands, follows=follows)
            laid = self._ground.laid(eyes, smooth)
        except Exception as error:  # noqa: BLE001 (rule 1)
            self._ground_message = f"What is smooth is painted smooth ({one_line(error)})"
            return eyes
        if frame is not None:  # not before: who asks for the state meanwhile would see the line come and go
            self._ground_message = ""
        return laid

    def _can_shrink(self, frame: StereoFrame) -> bool:
        """Whether "auto" has smaller sizes left: these come first where there is little time."""
        if self._scale != "auto":
            return False
        return self._step[_place(frame)] > self._steps(frame)[-1]

    def _steps(self, frame: StereoFrame) -> Sequence[float]:
        """Those at which such a frame can be painted, falling; at least one."""
        _, size = place = _place(frame)
        too_large, _ = self._too_large.get(place, (math.inf, ""))
        return [step for step in steps_for(size, self._eye_size, self._scale) if step < too_large]

    def _shrink(self, frame: StereoFrame, key: PainterKey) -> bool:
        """Memory does not suffice for ``key``: such frames are painted smaller from now on. False: none is smaller."""
        if (key.height, key.width) != self._size(frame):
            return key.height * key.width > math.prod(self._size(frame))
        place = _place(frame)
        smaller = [step for step in self._steps(frame) if step < self._step[place]]
        if smaller:
            said = f"Memory does not suffice for {key.width}x{key.height}: painted smaller"
            self._too_large[place] = self._step[place], said
            self._step[place] = smaller[0]
            self._at_step.clear()
        return bool(smaller)

    def _fall_back(self, failed: PainterKey) -> None:
        """The style before, or a neighbour, if it is ready, takes over from the next frame on."""
        using = self._series.key
        if using is not None and using != failed:
            return
        self._series.forget()
        for name in self._deck.neighbours():
            key = self._like(failed, name)
            if self.painters.get(key) is not None:
                self._series.key = key
                return

    def _key(self, frame: StereoFrame, style: str) -> PainterKey:
        eyes, size = place = _place(frame)
        if self._recommended != self._eye_size:
            self._eye_size = self._recommended
            self._step.clear()
            self._too_large.clear()
        if place not in self._step:
            step = 1.0
            if self._scale == "auto":
                step = first_step(size, self._eye_size, eyes, self._engine.pixels_per_second, frame.still)
            self._step = {place: min(step, self._steps(frame)[0])}
            self._at_step.clear()
        _, self._size_message = self._too_large.get(place, (0.0, ""))
        return PainterKey(style, eyes, *self._size(frame), self._network(style), self._deck.edition(style))

    def _size(self, frame: StereoFrame) -> Size:
        """At which such a frame is painted now."""
        _, size = place = _place(frame)
        return working_size(size, self._eye_size, self._scale, self._step[place])

    def _like(self, key: PainterKey, style: str) -> PainterKey:
        """The painter of another style, for the same frames."""
        return replace(key, style=style, network=self._network(style), edition=self._deck.edition(style))

    def _network(self, style: str) -> str:
        """`PainterKey.network`: all styles that are codes share the network for any picture."""
        if style not in self._networks:
            try:
                coded = style == ANY or self._library.find(style).form != "network"
            except ArtemError:  # it will be said when the painter is prepared
                return ""
            self._networks[style] = "any picture" if coded else ""
        return self._networks[style]

    def _judge_size(self, frame: StereoFrame, size: Size, seconds: float) -> None:
        """With "auto": another size if painting is too slow, or has much time left. A pair took ``seconds``: on a
        processor with all that is done beside it, since that, too, is less with fewer pixels."""
        if self._scale != "auto" or frame.still:
            return
        if size != self._size(frame):
            return  # the painter of the size before goes on until that of this one is ready: its times say nothing
        self._at_step.append(seconds)
        if len(self._at_step) < _JUDGE_AFTER:
            return
        place, seconds = _place(frame), figures.median(self._at_step)
        self._step[place] = choose_step(self._step[place], seconds, steps=self._steps(frame))
        self._at_step.clear()


def _place(frame: StereoFrame) -> tuple[int, Size]:
    """How many eyes, and their (height, width)."""
    eyes, height, width, _ = frame.eyes.shape
    return eyes, (height, width)
