"""The render loop: a turn a vsync, whatever source, style and network do.

A turn takes what is newest and never waits for it: hands, pictures, then the vsync and its poses, both
eyes, the headset, the mirror. All times come from one clock that is passed in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

from artem_vr.errors import ArtemError, HeadsetError, HeadsetGpuError
from artem_vr.live import hud_text
from artem_vr.live.controls import Controls, MirrorMode, View
from artem_vr.live.curator import Curator
from artem_vr.live.headset_seeker import HeadsetSeeker
from artem_vr.live.record import Recorder
from artem_vr.live.run_report import RunMeter
from artem_vr.live.scene import Scene, ShownFrame
from artem_vr.mailbox import Mailbox
from artem_vr.render import gl
from artem_vr.render.context import Context
from artem_vr.render.events import Event, MouseButton, MouseMoved, Resized, Uncovered
from artem_vr.render.hud import HudText
from artem_vr.render.region import Region
from artem_vr.render.stage import STALE_BRIGHTNESS, Look
from artem_vr.sources.feed import FeedState
from artem_vr.sources.frame import StereoFrame
from artem_vr.sources.registry import OWN_PAIR
from artem_vr.styles.deck import Deck, fade
from artem_vr.stylize.stylizer import PaintedFrame, StylizerState
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.headset import Focus, FramePoses, Headset

HUD_SECONDS = 0.5
"""How often the states of the parts are asked for the HUD and the title."""

BARE_SECONDS = 0.2
"""How often the unpainted source is shown, at most, until there is a painting: the engine needs the CPU."""

DIMMING_SECONDS = 0.5
"""From the picture's full brightness to that of a source that has stalled, and back."""

FINER = 1.5
"""Times as many pixels, each way, as the window has, in which a GPU draws what it shows."""
MOST_PIXELS = 4096
"""Each way, beyond which a window is drawn as it is."""

RESTING = "Nobody looks into the headset: film and painting rest"
"""Said to who looks at the window."""


class Feed(Protocol):
    """As much of `artem_vr.sources.feed.Feed` as the loop needs."""

    latest: StereoFrame | None

    def state(self) -> FeedState: ...


class Stylizing(Protocol):
    """As much of a stylizer as the loop needs."""

    @property
    def painted(self) -> Mailbox[PaintedFrame]: ...

    def state(self) -> StylizerState | None: ...


class RenderLoop:
    """Owns nothing; ties what `app.run` opened together, a turn at a time."""

    def __init__(
        self,
        *,
        context: Context,
        headset: Headset,
        scene: Scene,
        feed: Feed,
        stylizer: Stylizing,
        deck: Deck,
        view: View,
        curator: Curator,
        meter: RunMeter,
        seeker: HeadsetSeeker,
        source_name: Callable[[], str],
        titles: dict[str, str],
        fade_seconds: float = 0.3,
        desktop_hz: float = 60.0,
        recorder: Recorder | None = None,
        watched: threading.Event | None = None,
        whole: Iterable[str] = (),
        eyes_changed: Callable[[Headset], None] = lambda headset: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``titles``: a style's name to the painting's title; those of styles that come are added.
        ``desktop_hz``: pictures a second in the window once a headset was lost. ``watched``: kept set while somebody
        looks into the headset, or there is none; None: nobody wants to know. ``whole``: names of styles that are no
        blends, whatever they look like. ``eyes_changed``: is told of another headset, or of one that wants pictures of
        another size."""
        self.headset = headset
        self._context, self._scene, self._feed, self._stylizer = context, scene, feed, stylizer
        self._deck, self._view, self._meter, self._recorder = deck, view, meter, recorder
        self._curator, self._watched = curator, watched
        self._seeker, self._eyes_changed = seeker, eyes_changed
        self._desktop_hz = desktop_hz
        self._fitted = headset.eye_size  # what the scene was asked for last
        self._controls = Controls(deck, view, curator, titles, whole)
        self._source_name, self._titles, self._fade_seconds = source_name, titles, fade_seconds
        self._clock = clock
        self._feed_state = feed.state()
        self._told: object = None
        self._told_at = float("-inf")
        self.hud = HudText()
        self._failure_told = False
        self._latency: float | None = None
        self._displayed: int | None = None
        """Number of the source frame whose painting was displayed last."""
        self._seen_from = float("-inf")
        """Since when somebody has been looking, without a rest."""
        self._missed_before = 0
        """Vsyncs that headsets missed which are no longer there."""
        self._waiting: PaintedFrame | None = None  # uploaded, but not yet drawn
        self._bare: StereoFrame | None = None  # the unpainted frame on the stage, while there is no painting
        self._bare_at = float("-inf")
        self._shown: PaintedFrame | None = None  # the painting on the stage, without its pictures
        self._next: PaintedFrame | None = None  # in another style, while the present one is still being faded in
        self._fullscreen = False
        self._brightness, self._dimmed_at = 1.0, clock()
        self._dragging = False
        self._drawn: object = None
        self._redraw = True
        self._last = False

    def turn(self) -> None:
        """One vsync, with a pair submitted. Raises only what ends the run: `GraphicsError`."""
        if self._view.leave and not self._last and not isinstance(self.headset, DesktopHeadset):
            # The window is held, so that the loop cannot end yet: SteamVR kills who dawdles once it was answered.
            self._replace_headset(self._desktop())
        if isinstance(self.headset, DesktopHeadset):  # a window has time, and shows what came meanwhile
            poses = self._begin()
            prepared = self._prepare()
            if not isinstance(self.headset, DesktopHeadset):  # it was just found: these poses are not its own
                poses = self._begin()
        else:  # what is given with the poses is the time to draw: uploading must not delay the pair
            prepared = self._prepare()
            poses = self._begin()
        self._note_watching(poses)
        began = self._clock()
        drawn = self._draw(poses, began)
        try:
            self.headset.end_frame()
        except HeadsetError as error:
            self._lose_headset(error)
        if drawn:
            self._meter.rendered(prepared + self._clock() - began)

    def _note_watching(self, poses: FramePoses) -> None:
        """Say whether somebody sees us. Behind the runtime's menu we are seen."""
        if self._watched is None:
            return
        if poses.focus in (Focus.HIDDEN, Focus.STANDBY):
            self._watched.clear()
        elif not self._watched.is_set():
            self._seen_from = self._clock()
            self._watched.set()

    def _prepare(self) -> float:
        """All of a turn that needs no poses; the seconds it took."""
        events = self._context.poll()  # on Windows that lasts as long as the window is held, and turns go on within it
        began = self._clock()
        self._obey(events, began)
        self._receive(began)
        self._tell(began)
        if self._source_counts():
            self._scene.frame.upload_source()
        if self._last:
            self._scene.hud.settle(began)
        self._redraw |= self._scene.hud.prepare(began)
        return self._clock() - began

    def last_turn(self) -> None:
        """A turn that draws and records, whatever was drawn before: the newest painting is not lost."""
        self._redraw = self._last = True
        self._told = None  # nor is what the line says of it
        self.turn()

    @property
    def missed_vsyncs(self) -> int:
        """Of all headsets of this run."""
        return self._missed_before + self.headset.missed_vsyncs

    def _begin(self) -> FramePoses:
        """Wait for the next vsync; a headset that has gone is replaced by the desktop."""
        try:
            return self.headset.begin_frame()
        except HeadsetError as error:
            self._lose_headset(error)
            self._fit(self._clock())  # what is drawn now is for the window already
            return self.headset.begin_frame()

    def _replace_headset(self, headset: Headset) -> None:
        self._missed_before += self.headset.missed_vsyncs
        self.headset.close()
        self.headset = headset

    def _lose_headset(self, error: HeadsetError) -> None:
        if isinstance(self.headset, DesktopHeadset):
            raise error
        if isinstance(error, HeadsetGpuError):
            error = error.with_renderer(self._context.renderer)
        self._controls.compare(False, by="hand")  # whoever held the trigger can never let it go
        self._replace_headset(self._desktop())
        self._view.note(f"{error} The window goes on; V looks for the headset again", self._clock(), seconds=30.0)

    def _desktop(self) -> DesktopHeadset:
        size = desktop_eye_size(self._context, self._view.mirror) or self.headset.eye_size
        return DesktopHeadset(size, self._desktop_hz, self._clock)

    def _seek_headset(self, now: float) -> None:
        """Take the headset that was found, and look for one where the viewer wishes it."""
        found = self._seeker.found()
        if isinstance(found, ArtemError):
            self._view.note(str(found), now)
        elif found is not None:
            self._replace_headset(found)
            self._view.note(f"{found.name} is connected", now)
            self._fit(now)
        wished, self._view.seek_headset = self._view.seek_headset, False
        if wished and not isinstance(self.headset, DesktopHeadset):
            self._view.note(f"{self.headset.name} is connected already", now)
        elif wished:
            self._seeker.seek()
            self._view.note("Looking for the headset", now, seconds=60.0)

    def _fit(self, now: float) -> None:
        """Draw and paint for the eyes that there are now; where that size cannot be drawn, at the one before."""
        self._fitted = self.headset.eye_size

        def fit() -> None:
            self._scene.fit(self._fitted)
            self._eyes_changed(self.headset)

        self._guard(now, fit)
        self._redraw = True

    def _obey(self, events: Iterable[Event], now: float) -> None:
        """Do what hands, window and runtime asked for since the last turn."""
        self._view.hud_seen = self._scene.hud.opacity(now) == 1.0
        newest = self._feed.latest
        self._view.mono = newest is not None and len(newest.eyes) == 1
        self._view.own_pair = self._source_name() in OWN_PAIR
        for event in events:
            if isinstance(event, (Resized, Uncovered)):
                self._redraw = True
            elif isinstance(event, MouseButton) and event.button == "left":
                self._dragging = event.pressed
            elif isinstance(event, MouseMoved):
                unit = self._context.pixels_per_unit
                self._view.pointer = (event.x * unit, event.y * unit)
                if self._dragging and isinstance(self.headset, DesktopHeadset):
                    self.headset.look(event.dx, event.dy)
            else:
                self._guard(now, self._controls.handle, event, now)
        for arrival in self._curator.arrivals():
            self._guard(now, self._controls.receive, arrival, now)
        try:
            for command in self.headset.poll_commands():
                if self._guard(now, self._controls.obey, command, now):
                    self.headset.pulse(command.hand)
            if self._view.recenter:
                self._view.recenter = False
                self.headset.recenter()
        except HeadsetError as error:
            self._lose_headset(error)
        self._seek_headset(now)
        if self._view.fullscreen != self._fullscreen:
            self._fullscreen = self._view.fullscreen
            self._context.set_fullscreen(self._fullscreen)
            self._redraw = True
        if isinstance(self.headset, DesktopHeadset) and (size := desktop_eye_size(self._context, self._view.mirror)):
            self.headset.fit(size)
        if self.headset.eye_size != self._fitted:
            self._fit(now)
        if self._view.wake_hud:
            self._view.wake_hud = False
            self._scene.hud.wake(now)

    def _receive(self, now: float) -> None:
        """Take the newest painting; before there is any, the newest frame of the source."""
        newest = self._stylizer.painted.take()
        if newest is not None:
            self._pass_over_next()
        painted = newest or self._next
        self._next = None
        if painted is not None and self._must_wait(painted, now):
            self._next = painted
        elif painted is not None:
            self._guard(now, self._show, painted, now)
        elif self._shown is None:
            bare = self._feed.latest
            if bare is not None and bare is not self._bare and now - self._bare_at >= BARE_SECONDS:
                self._bare, self._bare_at, self._redraw = bare, now, True
                shown = ShownFrame(bare.eyes, camera_poses=bare.camera_poses, span=bare.span)
                self._guard(now, self._scene.show, shown, now)

    def _show(self, painted: PaintedFrame, now: float) -> None:
        """Put a painting on the stage; where it raises, the one before stays, and what is known of it."""
        source = painted.source
        self._scene.show(
            ShownFrame(source.eyes, painted.pictures, painted.key, painted.other, source.camera_poses, source.span),
            now,
        )
        shown = replace(painted, pictures=None, other=None)  # those are not this thread's to keep
        self._waiting, self._shown, self._redraw = shown, shown, True

    def _pass_over_next(self) -> None:
        """There is a newer painting than the one that waits."""
        if self._next is not None:
            self._scene.frame.keep(self._next.pictures, self._next.other)
            self._next = None

    def _must_wait(self, painted: PaintedFrame, now: float) -> bool:
        """Whether it would break off a fade: only two styles are ever mixed, and half of what is seen would vanish."""
        frame = self._scene.frame
        fades = frame.fading and now < frame.changed_at + self._fade_seconds
        return fades and self._shown is not None and painted.key != self._shown.key

    def _tell(self, now: float) -> None:
        """Let HUD and title say how things are: at once what hands changed, the rest now and then."""
        if self._recorder is not None and self._recorder.failure and not self._failure_told:
            self._failure_told = True
            self._view.note(self._recorder.failure, now)
        selection, notice = self._deck.current, self._view.message(now)
        if not notice and self._watched is not None and not self._watched.is_set():
            notice = RESTING
        occasion = (selection, notice, self._view.hud)
        if occasion == self._told and now - self._told_at < HUD_SECONDS:
            return
        self._told, self._told_at = occasion, now
        self._feed_state, stylizer = self._feed.state(), self._stylizer.state()
        if stylizer is not None and stylizer.failed == selection.generation:
            self._controls.failed(stylizer.message, now, stylizer.style)
        title = self._titles.get(selection.style, selection.style)
        self.hud = hud_text.compose(
            title,
            selection.strength,
            selection.compare,
            self._source_name(),
            self._feed_state,
            stylizer,
            self._latency,
            notice,
        )
        self._scene.hud.enabled = self._view.hud
        self._scene.hud.update(self.hud, now)
        self._context.set_title(hud_text.window_title(title, stylizer))

    def _source_counts(self) -> bool:
        """Whether anything of the source may be seen in this turn."""
        view, strength = self._view, self._deck.current.shown_strength
        return self._shown is None or strength < 1.0 or view.preserve_color or view.region != "none"

    def _look(self, poses: FramePoses, now: float) -> Look:
        frame = self._scene.frame
        return Look(
            strength=self._deck.current.shown_strength,
            fade=fade(now, frame.changed_at, self._fade_seconds) if frame.fading else 1.0,
            brightness=self._dimmed(now),
            preserve_color=self._view.preserve_color,
            region=self._region(poses),
        )

    def _dimmed(self, now: float) -> float:
        """The brightness: on its way to what the state of the source asks for, so that a stall is no flash."""
        step = (now - self._dimmed_at) * (1.0 - STALE_BRIGHTNESS) / DIMMING_SECONDS
        self._dimmed_at = now
        if self._feed_state.kind in ("stale", "failed"):
            self._brightness = max(STALE_BRIGHTNESS, self._brightness - step)
        else:
            self._brightness = min(1.0, self._brightness + step)
        return self._brightness

    def _region(self, poses: FramePoses) -> Region | None:
        """The mask at this vsync; none while the painting that belongs outside of it is not there."""
        view, shown = self._view, self._shown
        if view.region == "none" or shown is None or (self._deck.current.outside and not self._scene.frame.other):
            return None
        place = None
        if view.region == "gaze":
            desktop = view.mirror if isinstance(self.headset, DesktopHeadset) else None
            place = self._scene.pointed_at(self.headset, poses, desktop, view.pointer)
        return Region(view.region, view.region_softness, view.region_size, place)

    def _draw(self, poses: FramePoses, now: float) -> bool:
        """Draw and show, if there is anything new to see; a headset gets a pair in every turn it asks for one."""
        desktop = isinstance(self.headset, DesktopHeadset)
        look = self._look(poses, now)
        opacity = self._scene.hud.opacity(now)
        panel = (opacity, self._scene.hud.enabled, self.hud) if opacity else None
        state = (look, panel, self._view.mirror, poses.head_to_world.tobytes())
        changed = self._redraw or state != self._drawn
        submits = poses.should_render and not desktop
        if not submits and not changed:
            return False
        self._scene.draw_eyes(self.headset, poses, look, now, self._view.mirror if desktop else None)
        if submits:
            try:
                left, right = self._scene.eyes
                self.headset.submit(left.texture_id, right.texture_id, poses.head_to_world)
            except HeadsetError as error:
                self._lose_headset(error)
            self._scene.after_submit()
        recording = self._recorder is not None and (self._last or self._recorder.wants(now))
        if recording or not poses.reduce_work:
            self._mirror(now)
        self._drawn, self._redraw = state, False
        if self._waiting is not None:
            self._note_displayed(self._waiting.source, max(self._clock(), poses.displayed_at))
            self._waiting = None
        return True

    def _note_displayed(self, source: StereoFrame, shown_at: float) -> None:
        """A painting of ``source`` was handed to the display: note how late, if that tells how long painting takes.

        It does not where the frame was displayed before and is painted anew, nor where it waited for someone to look.
        """
        late: float | None = shown_at - source.captured_at
        if source.sequence == self._displayed or source.captured_at < self._seen_from:
            late = None
        self._displayed = source.sequence
        self._meter.displayed(shown_at, late)
        self._latency = None if source.still else late  # what is at rest cannot be late

    def _mirror(self, now: float) -> None:
        self._scene.draw_mirror(self._view.mirror, now)
        self._record(now)
        self._context.swap()

    def _record(self, now: float) -> None:
        """Hand the recorder what the window held when it last was due, and ask for what it holds now.

        Nobody waits for that, but at the end. A minimised window has no picture.
        """
        recorder = self._recorder
        if recorder is None or self._shown is None:
            return
        seen = 0 not in self._context.framebuffer_size
        if self._last or (seen and recorder.wants(now)):
            recorder.expect(now)
            before = self._scene.late_mirror_picture(now if seen and not self._last else None)
            if before is not None:
                recorder.put(*before)
        if self._last and seen:
            recorder.put(self._scene.mirror_picture(), now)

    def _guard(self, now: float, action: Callable[..., Any], *arguments: Any) -> Any:
        """What goes wrong with a picture, a style or a key becomes a notice; the loop goes on."""
        try:
            return action(*arguments)
        except ArtemError as error:
            self._view.note(str(error), now)
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, OSError, MemoryError) as error:
            self._view.note(f"{type(error).__name__}: {error}", now)
        return None


def desktop_eye_size(context: Context, mirror: MirrorMode) -> tuple[int, int] | None:
    """Width and height of each eye's picture where there is no headset: what is shown fills the window, sharply.

    None while the window is minimised. OpenGL of a GPU draws more pixels than are seen, and averages.
    """
    width, height = context.framebuffer_size
    width = width // 2 if mirror == "both" else width
    if not width or not height:
        return None
    finer = 1.0 if gl.is_software(context.renderer) else max(1.0, min(FINER, MOST_PIXELS / max(width, height)))
    return round(width * finer), round(height * finer)
