"""The whole chain on the test runtime: a `Rig` of real parts, with a painter that the tests command."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from torch import nn

from artem_vr.live.controls import View
from artem_vr.live.curator import Curator
from artem_vr.live.headset_seeker import HeadsetSeeker
from artem_vr.live.process import Stoppable, stop_all
from artem_vr.live.render_loop import RenderLoop
from artem_vr.live.run_report import PaintingLog, RunMeter
from artem_vr.live.scene import Scene
from artem_vr.mailbox import Mailbox
from artem_vr.render import gl
from artem_vr.render.context import Context, open_context
from artem_vr.render.geometry import HIGHEST, Screen
from artem_vr.sources.feed import FeedState
from artem_vr.sources.frame import StereoFrame
from artem_vr.styles.deck import Deck
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines.base import Engine
from artem_vr.stylize.loading import Load, LoadedStyle
from artem_vr.stylize.stylizer import Stylizer
from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import Runtime, build

Pictures = npt.NDArray[np.uint8]

STYLES = ("alpha", "beta", "gamma")
EYE_WIDTH, EYE_HEIGHT = 80, 64  # the least that networks work at
PATIENCE = 120.0
"""Seconds after which a test gives up: far more than a loaded machine needs."""


class TestEngine:
    """Paints what the test says; at first the pictures themselves."""

    __test__ = False
    name, precision, device = "test", "fp32", "cpu"
    pixels_per_second = 1e9

    def __init__(self) -> None:
        self.paint: Callable[[str, Pictures], Pictures] = lambda style, pictures: pictures.copy()
        self.fails: set[str] = set()
        """Styles whose weights are broken."""

    def prepare(self, style_key: str, network: Any, eyes: int, height: int, width: int) -> TestPainter:
        if style_key in self.fails:
            raise RuntimeError("no such tensor")
        return TestPainter(self, style_key, eyes, height, width)


class TestPainter:
    __test__ = False
    channels, coded = 1, False

    def __init__(self, engine: TestEngine, style: str, eyes: int, height: int, width: int) -> None:
        self.engine, self.style, self.eyes, self.height, self.width = engine, style, eyes, height, width

    def paint(self, pictures: Pictures, state: Any, rate: float, code: Any = None) -> tuple[Pictures, Any]:
        return self.engine.paint(self.style, pictures), state

    def close(self) -> None:
        pass


class Watched(PaintingLog):
    """Tells the test when a painting has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)
        self.source: StereoFrame | None = None
        """What the newest painting shows."""

    def put(self, item: Any) -> None:
        super().put(item)
        self.source = item.source
        self.arrived.release()


class TestFeed:
    """A feed that the test fills by hand."""

    __test__ = False

    def __init__(self) -> None:
        self.frames: Mailbox[StereoFrame] = Mailbox()
        self.latest: StereoFrame | None = None
        self.now = FeedState("live", "", 0.0, EYE_WIDTH, EYE_HEIGHT, 2, 30.0)

    def state(self) -> FeedState:
        return self.now

    def put(self, eyes: Pictures, captured_at: float) -> StereoFrame:
        sequence = 0 if self.latest is None else self.latest.sequence + 1
        self.latest = StereoFrame(eyes, captured_at, sequence)
        self.frames.put(self.latest)
        return self.latest


class Rig:
    """Feed, stylizer (its own thread), render loop and headset, on the virtual clock of the runtime.

    The screen exactly fills the eyes, so that a picture of an eye's size arrives pixel by pixel; the
    outermost pixels are smoothed and not compared.
    """

    def __init__(
        self,
        runtime: Runtime,
        context: Context,
        library: Library,
        names: Sequence[str] = STYLES,
        engine: Engine | None = None,
        load: Load | None = None,
    ) -> None:
        """``engine`` and ``load`` None: the test's own, see `TestEngine`."""
        runtime.set_eye_size(EYE_WIDTH, EYE_HEIGHT)
        for eye in ("left", "right"):
            runtime.set_eye(eye, (-1.0, 1.0, -0.8, 0.8), np.eye(4, dtype=np.float32))
        runtime.set_rest(0.0005)
        self.runtime, self.context = runtime, context
        self.clock = lambda: runtime.now
        self.headset = OpenVRHeadset(clock=self.clock, sleep=runtime.advance)
        as_high_as_seen = 2 * 0.8 * 2.0  # metres
        self.scene = Scene(context, self.headset.eye_size, Screen(2.0, as_high_as_seen / HIGHEST, 0.0))
        self.scene.hud.opacity = lambda now: 0.0  # type: ignore[method-assign]  # no panel over the pixels
        self.feed, self.log, self.engine = TestFeed(), Watched(), TestEngine()
        self.deck, self.view = Deck(names, clock=self.clock), View(hud=False)
        self.meter = RunMeter(0.0, self.log)
        self.stylizer = Stylizer(
            self.feed.frames,
            self.deck,
            library,
            engine or self.engine,
            scale=1.0,
            load=load or Keys(),
            clock=self.clock,
            steadying="never",  # so that each painting arrives as it was painted
        )
        self.stylizer.painted = self.log
        self.curator = Curator(library)
        self.seeker = HeadsetSeeker(lambda: OpenVRHeadset(clock=self.clock, sleep=runtime.advance))
        self.titles: dict[str, str] = {}
        self.pace = 0.0
        """Virtual seconds that pass for each real one while the render loop works (not while the test does)."""
        self.loop = RenderLoop(
            context=context,
            headset=self.headset,
            scene=self.scene,
            feed=self.feed,
            stylizer=self.stylizer,
            deck=self.deck,
            view=self.view,
            curator=self.curator,
            meter=self.meter,
            seeker=self.seeker,
            source_name=lambda: "test",
            titles=self.titles,
            desktop_hz=50.0,
            eyes_changed=lambda headset: self.stylizer.recommend(headset.eye_size[::-1]),
            clock=self.clock,
        )
        self.stylizer.start()

    def put(self, eyes: Pictures) -> StereoFrame:
        """A frame is captured now."""
        return self.feed.put(eyes, self.clock())

    def paint(self, eyes: Pictures) -> None:
        """A frame is captured, and its painting is in the mailbox. Put again while painters are made ready."""
        captured = []
        while self.log.arrived.acquire(blocking=False):  # of frames before: this one would be put twice
            pass
        for _ in range(int(PATIENCE / 0.1)):
            captured.append(self.put(eyes))
            if self.log.arrived.acquire(timeout=0.1) and any(frame is self.log.source for frame in captured):
                return
        raise AssertionError(f"nothing was painted: {self.stylizer.state().message}")

    def until_painted_in(self, style: str, eyes: Pictures) -> None:
        """Frames are captured until one was painted in ``style``."""
        for _ in range(int(PATIENCE / 0.1)):
            self.paint(eyes)
            if self.stylizer.state().style == style:
                return
        raise AssertionError(f"{style} never came: {self.stylizer.state().message}")

    def until_painted_at(self, eyes: Pictures) -> None:
        """These are captured until they were painted at their own size."""
        for _ in range(int(PATIENCE / 0.1)):
            self.paint(eyes)
            state = self.stylizer.state()
            if (state.height, state.width) == eyes.shape[1:3]:
                self.paint(eyes)
                return
        raise AssertionError(f"the size never came: {state}")

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            self.runtime.set_pace(self.pace)
            self.loop.turn()
            self.runtime.set_pace(0.0)

    def seen(self, eye: str) -> Pictures:
        """What the headset shows ``eye``: (H, W, 3), without the outermost pixels."""
        picture = self.runtime.last(eye).picture
        assert picture is not None
        return np.asarray(picture[1:-1, 1:-1, :3])

    def close(self) -> None:
        self.engine.paint = lambda style, pictures: pictures
        self.curator.stop(PATIENCE)
        self.seeker.stop(PATIENCE)
        self.stylizer.stop(PATIENCE)
        self.loop.headset.close()
        self.scene.release()
        gl.standing_errors()


class Keys:
    """Instead of `StyleLoader`: the style's name is its key."""

    reads_pictures = False

    def __call__(self, style: Style) -> LoadedStyle:
        return LoadedStyle(style.name, nn.Identity)

    def shared(self) -> LoadedStyle:
        raise AssertionError("nobody reads pictures here")


def noise(seed: int, height: int = EYE_HEIGHT, width: int = EYE_WIDTH) -> Pictures:
    """(2, height, width, 3): every byte random, the eyes different."""
    return np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), np.uint8)


def flat(left: tuple[int, int, int], right: tuple[int, int, int]) -> Pictures:
    """(2, H, W, 3): a colour an eye."""
    eyes = np.empty((2, EYE_HEIGHT, EYE_WIDTH, 3), np.uint8)
    eyes[0], eyes[1] = left, right
    return eyes


@pytest.fixture(autouse=True)
def busy_is_not_hung(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in this process is given time to end, however busy the machine is: where something hangs it ends the
    process, and that is the one of the tests. What the program does about it is tried in processes of its own."""

    def patient(parts: Sequence[Stoppable], seconds: float = PATIENCE) -> bool:
        return stop_all(parts, seconds)

    monkeypatch.setattr("artem_vr.app.stop_all", patient)


@pytest.fixture(scope="session")
def vrclient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test runtime, compiled."""
    return build(tmp_path_factory.mktemp("vrclient"))


@pytest.fixture(scope="session")
def window(display: str) -> Iterator[Context]:
    with open_context(offscreen=False, title="tests", size=(160, 120), visible=False, headset=True) as context:
        yield context


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A library of `STYLES` whose files are never read."""
    own = tmp_path / "styles"
    own.mkdir()
    for name in STYLES:
        (own / f"{name}.safetensors").touch()
    return Library(shipped=tmp_path / "none", own=own)


@pytest.fixture
def rig(vrclient: Path, window: Context, library: Library, tmp_path: Path) -> Iterator[Rig]:
    window.make_current()
    with Runtime(vrclient, tmp_path / "steamvr", read_back=True) as runtime:
        one = Rig(runtime, window, library)
        try:
            yield one
        finally:
            one.close()


def painting(seed: int, height: int = 60, width: int = 50) -> Pictures:
    """Large blots of colour, other ones for each ``seed``: (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    return np.ascontiguousarray(coarse.repeat(height // 6, axis=0).repeat(width // 5, axis=1))


@pytest.fixture
def coded_library(tmp_path: Path) -> Library:
    """Two codes, ``red`` and ``blue``, for a tiny network that paints like any picture, and a network of its own."""
    import torch

    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.compact import CompactNetwork
    from artem_vr.networks.fast import FastNetwork

    shipped = tmp_path / "weights"
    shipped.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CompactNetwork(8, 8, 8, 1)
        with torch.no_grad():  # codes about the photograph's own, far from each other, as training would have them
            network.encoder.answer.bias.copy_(network.plain.flatten())
            network.encoder.answer.weight.mul_(20)
        compact = save_network(shipped / "compact.safetensors", network)
        alone = save_network(shipped / "alone.safetensors", FastNetwork(8, 8, 8, 1))
    entry = {"name": "alone", "file": "alone.safetensors", "sha256": alone, "title": "Alone"}
    write_codes(shipped, compact, [entry])
    return Library(shipped=shipped, own=tmp_path / "own")


def write_codes(folder: Path, compact: str, others: Sequence[dict[str, str]] = ()) -> None:
    """Beside the network in ``folder`` with the sum ``compact``: the codes ``red`` and ``blue``, and an index."""
    from artem_vr.styles.codes import write_code
    from artem_vr.stylize.encoder import Encoder

    encoder, styles = Encoder(folder / "compact.safetensors", compact), list(others)
    for seed, name in enumerate(("red", "blue")):
        file = f"{name}.code.safetensors"
        digest = write_code(folder / file, encoder.code(painting(seed), name.capitalize()))
        styles.append({"name": name, "file": file, "sha256": digest, "title": name.capitalize(), "network": "code"})
    index = {"version": 1, "styles": styles, "compact": {"file": "compact.safetensors", "sha256": compact}}
    (folder / "index.json").write_text(json.dumps(index))
