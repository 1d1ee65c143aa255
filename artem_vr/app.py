"""``artem-vr run``: a source, painted for both eyes, in the headset and in the mirror window.

    source --> feed --> stylizer --> scene --> headset
                            ^          |
        controls --> deck --+          +--> mirror window

Three loops, joined by one-place mailboxes: the feed reads, the stylizer paints, and this thread
draws. Engine, headset, window and source open side by side, so that the first painting comes soon.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from artem_vr.errors import ArtemError
from artem_vr.live.blending import parts_of
from artem_vr.live.chosen_source import ChosenSource
from artem_vr.live.controls import View
from artem_vr.live.curator import Curator, entry
from artem_vr.live.headset_seeker import HeadsetSeeker
from artem_vr.live.late_stylizer import HeldFrames, LateStylizer, WatchedFrames
from artem_vr.live.outlook import Outlook
from artem_vr.live.process import Interpreter, Stoppable, leave, picture_path, say, stop_all
from artem_vr.live.record import Recorder, check_record
from artem_vr.live.render_loop import RenderLoop, desktop_eye_size
from artem_vr.live.run_report import PaintingLog, RunMeter, one_line
from artem_vr.live.scene import Scene
from artem_vr.render import gl, interop
from artem_vr.render.context import Context, open_context
from artem_vr.render.geometry import Screen
from artem_vr.render.interop import CudaPictures
from artem_vr.settings import Settings
from artem_vr.sources.feed import Feed
from artem_vr.stop_requests import ends_on_request
from artem_vr.styles.deck import Deck
from artem_vr.styles.library import Library
from artem_vr.stylize.engines import Engine, choose_engine
from artem_vr.stylize.loading import StyleLoader
from artem_vr.stylize.styled import Tuning
from artem_vr.stylize.stylizer import Stylizer
from artem_vr.vr.choose import open_headset
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.headset import Headset

OFFSCREEN_FRAMES = 30
"""Paintings after which a run that nobody can see ends and leaves a picture."""

SOFTWARE_HZ = 30.0
"""At most so many pictures a second in the window where OpenGL draws with the CPU, which the network needs."""


def engine_for_textures(settings: Settings, pictures: CudaPictures) -> Engine:
    """The engine of ``settings``. Paintings stay on a GPU that can put them into OpenGL's textures; elsewhere, and once
    that has failed, the painting thread brings them into the host's memory, so that drawing never waits for that."""
    pictures.failure = interop.unavailable() or ""
    return choose_engine(settings.engine, settings.device, settings.precision, on_device=pictures.wanted)


@dataclass(frozen=True)
class Parts:
    """How to make what a run consists of; tests put others in."""

    library: Callable[[], Library] = Library
    engine: Callable[[Settings, CudaPictures], Engine] = engine_for_textures
    stylizer: Callable[..., Stylizer] = Stylizer
    headset: Callable[[Settings], tuple[Headset, str | None]] = lambda settings: open_headset(settings.headset)
    context: Callable[..., Context] = open_context
    leave: Callable[[int], None] = leave


def run(settings: Settings, parts: Parts = Parts()) -> int:
    """Run until told to quit; the exit status, 2 where a recording came to nothing. Raises `ArtemError` for what the
    user can mend."""
    threads: list[Stoppable] = []
    status, error = 2, None
    with Interpreter() as interpreter, ends_on_request() as asked_to_end:
        try:
            status = show(settings, parts, threads, interpreter, asked_to_end)
        except ArtemError as caught:
            error = caught
        finally:
            ended = stop_all(threads)
    if not ended:
        say(str(error) if error is not None else None)
        parts.leave(status)
    if error is not None:
        raise error
    return status


def show(
    settings: Settings,
    parts: Parts,
    threads: list[Stoppable],
    interpreter: Interpreter,
    asked_to_end: Callable[[], bool],
) -> int:
    """Everything between start and end. What it starts is in ``threads``; the caller stops it."""
    started = time.perf_counter()
    library = parts.library()
    deck, titles = filled_deck(library, settings)
    log = PaintingLog(settings.frames, in_two=lambda: bool(deck.outside))
    meter = RunMeter(started, log)
    named = settings.style and library.find_for(settings.precision, settings.style)
    whole = [deck.current.style] if named and named.form != "blend" else []
    outside = entry(library, settings.region_style, settings.precision)[0] if settings.region_style else ""
    deck.ground = settings.ground
    deck.outside = outside if settings.region != "none" else ""
    view = View(
        mirror=settings.mirror,
        hud=settings.hud,
        preserve_color=settings.preserve_color,
        ground=settings.ground or "auto",
        region=settings.region,
        region_style=outside,
        region_size=settings.region_size,
        region_softness=settings.region_softness,
        swap_eyes=settings.swap_eyes,
    )
    source = ChosenSource(settings.source, settings.layout, lambda: view.swap_eyes)
    if settings.record:
        check_record(library, settings)
    recorder = Recorder(settings.record) if settings.record else None

    with ExitStack() as stack:
        pictures = CudaPictures()
        stylizer = LateStylizer(lambda: parts.engine(settings, pictures), log)  # begins at once: it takes longest
        threads.append(stylizer)
        headset, why_not = parts.headset(settings)
        stack.callback(headset.close)
        say(why_not)
        desktop = isinstance(headset, DesktopHeadset)
        source.camera = headset.camera() if source.wants_camera else None
        every_frame = bool(settings.frames) and source.is_file
        watched = threading.Event()  # cleared while nobody looks into the headset
        watched.set()
        source.feed = feed = Feed(source.open, paced=not every_frame, watched=watched)
        threads.append(feed)
        feed.start()
        eye_size = None if desktop else headset.eye_size[::-1]  # (height, width)
        frames = HeldFrames(feed.frames, log) if every_frame else WatchedFrames(feed.frames, watched, log)
        options = {
            "scale": settings.scale,
            "eye_size": eye_size,
            "tau": settings.smoothing_seconds,
            "steadying": settings.steadying,
            "load": StyleLoader(library, settings.stroke_size),
            "tuning": Tuning(mean_weight=settings.style_mean_weight, contrast=settings.style_contrast),
            "spare": lambda: choose_engine("auto", "cpu", settings.precision),
        }
        stylizer.start(lambda engine: parts.stylizer(frames, deck, library, engine, **options))

        size = (settings.window_width, settings.window_height)
        context = stack.enter_context(parts.context(size=size, headset=not desktop, vsync=False))
        if context.offscreen:
            say(f"there is no display: drawing off screen ({context.renderer})")
            if not settings.frames:
                log.limit = OFFSCREEN_FRAMES
                recorder = recorder or Recorder(picture_path())
        hz = min(settings.desktop_refresh_hz, SOFTWARE_HZ) if gl.is_software() else settings.desktop_refresh_hz
        if desktop:
            headset = DesktopHeadset(desktop_eye_size(context, view.mirror) or size, hz)
        screen = Screen(settings.screen_distance, settings.screen_width, settings.screen_curvature)
        scene = Scene(context, headset.eye_size, screen, settings.stereo_shift, pictures)
        stack.callback(scene.release)

        def open_again() -> Headset:
            found, _ = parts.headset(replace(settings, headset="openvr"))
            if source.wants_camera:
                source.camera = found.camera() or source.camera  # one that has gone may come back, none is final
            return found

        def fit_eyes(headset: Headset) -> None:
            if not isinstance(headset, DesktopHeadset):  # where it was lost its size stays
                stylizer.recommend(headset.eye_size[::-1])

        curator, seeker = Curator(library, settings.stroke_size), HeadsetSeeker(open_again)
        threads += [curator, seeker]
        loop = RenderLoop(
            context=context,
            headset=headset,
            scene=scene,
            feed=feed,
            stylizer=stylizer,
            deck=deck,
            view=view,
            curator=curator,
            meter=meter,
            seeker=seeker,
            source_name=lambda: source.name,
            titles=titles,
            fade_seconds=settings.fade_seconds,
            desktop_hz=hz,
            recorder=recorder,
            watched=None if log.limit or recorder is not None else watched,
            whole=whole,
            eyes_changed=fit_eyes,
        )
        ended = False
        try:
            context.keep_turning(loop.turn)
            outlook = Outlook(source, feed, stylizer, deck, log, first_is_held=every_frame)
            go_on(loop, view, outlook, log, interpreter, asked_to_end)
            state = stylizer.state()  # while it paints: what follows may take its time
            ended = True
        finally:
            loop.headset.close()  # first of all: SteamVR kills who dawdles
            stop_all(threads, 0.0)  # only asks; `run` waits for them
            kept = recorder.close() if recorder is not None else False
            if recorder is not None and not ended:  # by Ctrl-C, as most recordings, or by an error
                with suppress(OSError):  # nobody reads it where the terminal was closed
                    say(what_became_of(recorder, kept))

        report = meter.report(
            missed_vsyncs=loop.missed_vsyncs,
            device=state.device if state else "",
            engine=state.engine if state else "",
            precision=state.precision if state else "",
            style=state.style if state else "",
            width=state.width if state else 0,
            height=state.height if state else 0,
            paint_ms=round(state.paint_ms, 2) if state else None,
            steadied=round(state.steadied, 3) if state else None,
            source=source.name,
            headset=loop.headset.name,
            renderer=context.renderer,
        )
    if recorder is not None:
        if context.offscreen and not settings.frames and kept:  # its answer, and so on standard output
            print(recorder.path.resolve(), flush=True)
        else:
            say(what_became_of(recorder, kept))
    if settings.frames:
        print(one_line(report), flush=True)
    return 0 if kept or recorder is None else 2


def go_on(
    loop: RenderLoop,
    view: View,
    outlook: Outlook,
    log: PaintingLog,
    interpreter: Interpreter,
    asked_to_end: Callable[[], bool],
) -> None:
    """Turn after turn until the viewer leaves or ``log`` is full. Raises `ArtemError` if it comes to nothing."""
    while not (view.leave or log.full):
        loop.turn()
        if asked_to_end():  # what is raised in a callback of the window's is lost
            raise KeyboardInterrupt
        if log.distinct or not isinstance(loop.headset, DesktopHeadset):
            interpreter.quicken()
        outlook.check()
    loop.last_turn()


def what_became_of(recorder: Recorder, kept: bool) -> str:
    """A line about a recording that is closed."""
    return f"kept in {recorder.path}" if kept else recorder.failure or "nothing was recorded"


def filled_deck(library: Library, settings: Settings) -> tuple[Deck, dict[str, str]]:
    """The deck of all styles (with ``--precision xnor`` of the binarised ones), the wanted one chosen, and each
    style's title. Raises `StyleError`.

    A code of a painting that has a network of its own is only there when it is asked for.
    """
    styles = library.styles_for(settings.precision)
    for problem in library.problems:
        say(problem)
    titles = {style.name: style.title for style in styles if style.in_deck}
    current = None
    if settings.style:
        current, title = entry(library, settings.style, settings.precision)
        titles.setdefault(current, title)
    deck = Deck(list(titles), current, settings.strength)
    for _, part in parts_of(deck.current.style):  # of a blend: keys that change its shares call it by them
        with suppress(ArtemError):  # a file that is called like one
            titles.setdefault(part, library.find(part).title)
    return deck, titles
