"""``run`` itself, with a display and without one, each in a process of its own; and what it refuses at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artem_vr import app
from artem_vr.errors import EngineError, GraphicsError, SettingsError, SourceError, StyleError
from artem_vr.live.record import Recorder
from artem_vr.live.scene import Scene
from artem_vr.offline.video_files import VideoReader
from artem_vr.render.context import Context, open_context
from artem_vr.render.geometry import Screen
from artem_vr.render.interop import CudaPictures
from artem_vr.settings import Settings
from artem_vr.styles.library import Library
from artem_vr.stylize.styled import Tuning
from artem_vr.stylize.stylizer import Stylizer
from artem_vr.vr.desktop_headset import DesktopHeadset
from tests.app.conftest import Keys, TestEngine

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; from tests.app.fake_run import main; main(sys.argv[1:])"
KEYS = {
    "frames", "stylized_fps", "render_ms_p50", "render_ms_p95", "render_ms_p99", "missed_vsyncs", "latency_ms_p50",
    "peak_memory_mb", "device", "engine", "style", "startup_s",
}  # fmt: skip


def program(folder: Path, display: str | None, *options: str) -> dict[str, Any]:
    """What to start, and where."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTEM_VR_")}
    environment |= {"PYTHONPATH": str(ROOT), "ARTEM_VR_SETTINGS": str(folder / "none.toml")}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    if display is not None:
        environment["DISPLAY"] = display
    command = [sys.executable, "-c", PROGRAM, "--headset", "none", *options]
    return {"args": command, "cwd": folder, "env": environment, "text": True}


def run(folder: Path, display: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(**program(folder, display, *options), capture_output=True, timeout=300, check=False)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture file: both eyes side by side, red and blue."""
    path = tmp_path / "pair.png"
    pair = np.zeros((96, 192, 3), np.uint8)
    pair[:, :96, 0] = 255
    pair[:, 96:, 2] = 255
    Image.fromarray(pair).save(path)
    return path


@pytest.mark.graphics
@pytest.mark.parametrize("swap", [False, True])
def test_without_a_display_it_ends_by_itself_and_says_where_the_picture_is(
    tmp_path: Path, picture: Path, swap: bool
) -> None:
    for name in ("artem-vr.png", "artem-vr-2.png"):
        (tmp_path / name).write_bytes(b"an older one")
    options = ("--layout", "sbs", "--no-hud", "--mirror", "both", "--ground", "0", *(["--swap-eyes"] if swap else []))
    done = run(tmp_path, None, "--source", str(picture), *options)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path == tmp_path / "artem-vr-3.png"
    assert (tmp_path / "artem-vr.png").read_bytes() == (tmp_path / "artem-vr-2.png").read_bytes() == b"an older one"
    assert "no display" in done.stderr
    assert (done.stdout + done.stderr).count("artem-vr-3.png") == 1
    seen = np.asarray(Image.open(path))
    height, width = seen.shape[:2]
    eyes = [(255, 0, 0), (0, 0, 255)]
    assert [tuple(seen[height // 2, place * width // 4]) for place in (1, 3)] == (eyes[::-1] if swap else eyes)


@pytest.mark.graphics
@pytest.mark.display
def test_frames_prints_one_line_of_json(tmp_path: Path, picture: Path, display: str) -> None:
    done = run(tmp_path, display, "--source", str(picture), "--frames", "5", "--record", "film.mp4")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    report = json.loads(done.stdout)
    assert report.keys() >= KEYS
    assert report["frames"] == 5
    assert (report["engine"], report["device"], report["style"]) == ("test", "cpu", "alpha")
    assert (tmp_path / "film.mp4").stat().st_size > 0


@pytest.mark.graphics
def test_a_recording_that_came_to_nothing_is_status_2(tmp_path: Path, picture: Path) -> None:
    resource = pytest.importorskip("resource")  # Windows has no such limit
    started = program(tmp_path, None, "--source", str(picture), "--frames", "3", "--record", "film.mp4")
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # noqa: E731
    done = subprocess.run(**started, capture_output=True, timeout=300, check=False, preexec_fn=full)
    assert done.returncode == 2, done.stderr
    assert "Recording to film.mp4 has ended (not all of its pictures" in done.stderr.splitlines()[-1]
    assert json.loads(done.stdout)["frames"] == 3, "what was measured is there"


@pytest.mark.graphics
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no Ctrl-C to one process")
@pytest.mark.parametrize("room", [None, 100])
def test_a_recording_that_ctrl_c_ends_is_said(tmp_path: Path, room: int | None) -> None:
    import resource

    def limited() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
        if room:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    film = tmp_path / "film.mp4"
    options = ("--source", "demo", "--frames", "1000000", "--record", film.name)
    started = program(tmp_path, None, *options)
    with subprocess.Popen(**started, stderr=subprocess.PIPE, preexec_fn=limited) as running:
        try:
            waited = time.monotonic() + 100
            while not film.exists() and not list(tmp_path.glob(".film*")) and time.monotonic() < waited:
                time.sleep(0.1)
            time.sleep(1)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=100)
        finally:
            running.kill()  # does nothing where it has ended
    assert running.returncode == 130, said
    assert ("Recording to film.mp4 has ended" if room else "kept in film.mp4") in said


@pytest.mark.graphics
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source", "nowhere.mp4"], "nowhere.mp4"),
        (["--source", "broken.png"], "broken.png"),
        (["--source", "phone:http://127.0.0.1:9/video"], "127.0.0.1"),
    ],
)
def test_a_source_that_does_not_open_is_one_line_and_status_2(tmp_path: Path, options: list[str], words: str) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    done = run(tmp_path, None, *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.graphics
def test_a_damaged_style_is_not_waited_for(tmp_path: Path, picture: Path) -> None:
    done = run(tmp_path, None, "--source", str(picture), "--frames", "3", "--broken", "alpha")
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "alpha cannot be prepared" in last and "no such tensor" in last
    assert done.stdout == ""


@pytest.mark.graphics
def test_without_a_source_the_best_one_that_gives_pictures_is_shown(tmp_path: Path) -> None:
    done = run(tmp_path, None, "--frames", "2")
    assert done.returncode == 0, done.stderr
    assert "screen is passed over" in done.stderr  # there is no display
    assert json.loads(done.stdout)["source"] == "demo"


def closed_terminal(running: subprocess.Popen[str], film: Path) -> str:
    """What is said where the terminal is closed once something of the film is there."""
    until = time.monotonic() + 120
    while not (film.exists() and film.stat().st_size) and running.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.5)
    for _ in range(2):  # the system asks, and so does the shell
        running.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    return running.communicate(timeout=60)[1]


@pytest.mark.graphics
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_a_recording_is_whole_where_the_terminal_was_closed(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    options = ("--source", "demo", "--frames", "1000000", "--record", film.name)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
    with subprocess.Popen(**program(tmp_path, None, *options), stderr=subprocess.PIPE) as running:
        try:
            said = closed_terminal(running, film)
        finally:
            running.kill()  # does nothing where it has ended
    assert running.returncode == 130, said
    with VideoReader(film) as video:
        assert len(list(video)) > 1


@pytest.mark.graphics
@pytest.mark.parametrize("stuck", ["source", "painter"])
def test_what_hangs_is_left_behind_at_the_end(tmp_path: Path, picture: Path, stuck: str) -> None:
    done = run(tmp_path, None, "--source", str(picture), "--frames", "2", "--stuck", stuck)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 2


def settings(**values: object) -> Settings:
    return Settings(**{"headset": "none", "source": "demo", **values})  # type: ignore[arg-type]


def test_unknown_styles_sources_and_recordings_are_refused_before_anything_opens(
    tmp_path: Path, library: Library
) -> None:
    opened: list[str] = []
    parts = app.Parts(
        library=lambda: library,
        engine=lambda *_: opened.append("engine"),  # type: ignore[arg-type]
        headset=lambda _: opened.append("headset"),  # type: ignore[arg-type,return-value]
    )
    with pytest.raises(StyleError, match="alpah"):
        app.run(settings(style="alpah"), parts)
    with pytest.raises(StyleError, match="gama"):
        app.run(settings(region="left", region_style="gama"), parts)
    with pytest.raises(SourceError):
        app.run(settings(source="http://example.org/x"), parts)
    with pytest.raises(SettingsError, match="record"):
        app.run(settings(record=str(tmp_path / "x.gif")), parts)
    assert opened == []


@pytest.mark.parametrize(
    ("option", "typed", "record"),
    [
        ("source", "film.mp4", "film.mp4"),
        ("source", "photo.png", "link.png"),
        ("source", "link.png", "./photo.png"),
        ("style", "photo.png", "photo.png"),
        ("region_style", "0.5*photo.png+0.5*other.png", "photo.png"),
    ],
)
def test_a_recording_never_goes_onto_what_it_shows(
    option: str, typed: str, record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "link.png" in (typed, record):
        if os.name == "nt":
            pytest.skip("links need rights on Windows")
        (tmp_path / "link.png").symlink_to("photo.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(b"a film")
    for name in ("photo.png", "other.png"):
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    parts = app.Parts(engine=lambda *_: pytest.fail("something was opened"))
    with pytest.raises(SettingsError, match="would be overwritten"):
        app.run(settings(**{option: typed}, record=record), parts)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("trouble", "on_device"), [(None, True), ("unavailable: no cuda-bindings", False)])
def test_paintings_stay_on_the_gpu_only_where_they_can_be_drawn_from_there(
    monkeypatch: pytest.MonkeyPatch, trouble: str | None, on_device: bool
) -> None:
    """Else each would be brought into the host's memory by the thread that draws."""
    asked: list[dict[str, Callable[[], bool]]] = []
    monkeypatch.setattr("artem_vr.render.interop.unavailable", lambda: trouble)
    monkeypatch.setattr(app, "choose_engine", lambda *names, **options: asked.append(options))
    app.Parts().engine(settings(), CudaPictures())
    assert [options["on_device"]() for options in asked] == [on_device]


@pytest.mark.graphics
@pytest.mark.display
def test_what_was_drawn_from_the_gpu_comes_back_to_the_engine(
    display: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def engine(_: Settings, pictures: CudaPictures) -> TestEngine:
        given.append(pictures)
        return TestEngine()

    def loop(scene: Scene, **_: object) -> None:
        given.append(scene.frame._cuda)
        raise GraphicsError("no further", "")

    monkeypatch.setattr(app, "RenderLoop", loop)
    parts = app.Parts(
        library=lambda: library,
        engine=engine,
        context=lambda **wishes: open_context(**{**wishes, "offscreen": False, "visible": False, "headset": True}),
    )
    with pytest.raises(GraphicsError, match="no further"):
        app.run(settings(), parts)
    assert len(given) == 2 and given[0] is given[1]


@pytest.mark.graphics
@pytest.mark.display
@pytest.mark.parametrize(("options", "rests"), [({}, True), ({"frames": 3}, False), ({"record": "film.mp4"}, False)])
def test_a_run_that_is_counted_or_recorded_never_rests(
    display: str,
    tmp_path: Path,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    rests: bool,
) -> None:
    told: list[object] = []

    def loop(**parts: object) -> None:
        told.append(parts["watched"])
        raise GraphicsError("no further", "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "RenderLoop", loop)
    parts = app.Parts(
        library=lambda: library,
        engine=lambda *_: TestEngine(),
        context=lambda **wishes: open_context(**{**wishes, "offscreen": False, "visible": False, "headset": True}),
    )
    with pytest.raises(GraphicsError, match="no further"):
        app.run(settings(**options), parts)
    assert [watched is not None for watched in told] == [rests]


@pytest.mark.graphics
@pytest.mark.display
def test_a_recording_that_takes_its_time_to_end_changes_no_figure(
    display: str, tmp_path: Path, picture: Path, library: Library, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    engine, close = TestEngine(), Recorder.close

    def slowly(style: str, pictures: Any) -> Any:
        time.sleep(0.02)
        return pictures

    def late(recorder: Recorder, *arguments: Any) -> bool:
        time.sleep(1.2)  # what is said of painting is of its last second
        return close(recorder, *arguments)

    engine.paint = slowly
    monkeypatch.setattr(Recorder, "close", late)
    parts = app.Parts(
        library=lambda: library,
        engine=lambda *_: engine,
        stylizer=lambda *of, **options: Stylizer(*of, **{**options, "load": Keys()}),
        context=lambda **wishes: open_context(**{**wishes, "offscreen": False, "visible": False}),
    )
    wanted = settings(headset="none", source=str(picture), frames=1, record=str(tmp_path / "kept.png"))
    assert app.run(wanted, parts) == 0
    assert json.loads(capsys.readouterr().out)["paint_ms"] >= 20


def test_an_empty_library_is_one_line(tmp_path: Path) -> None:
    parts = app.Parts(library=lambda: Library(shipped=tmp_path / "none", own=tmp_path / "none"))
    with pytest.raises(StyleError, match="no style"):
        app.run(settings(), parts)


def test_with_xnor_the_deck_holds_the_binarised_styles(tmp_path: Path) -> None:
    entries = []
    for name, network in (("alpha", "fast"), ("beta", "fast"), ("beta_xnor", "binary"), ("gamma_xnor", "binary")):
        (tmp_path / f"{name}.safetensors").touch()
        entries.append(
            {"name": name, "file": f"{name}.safetensors", "sha256": "0" * 64, "title": name, "network": network}
        )
    (tmp_path / "index.json").write_text(json.dumps({"version": 1, "styles": entries}))
    library = Library(shipped=tmp_path, own=tmp_path / "none")
    deck, _ = app.filled_deck(library, settings(style="beta", precision="xnor"))
    assert deck.names == ("beta_xnor", "gamma_xnor") and deck.current.style == "beta_xnor"
    deck, _ = app.filled_deck(library, settings(precision="xnor"))
    assert deck.current.style == "beta_xnor"
    assert len(app.filled_deck(library, settings())[0].names) == 4  # among the others without the option
    with pytest.raises(StyleError, match=r"no binarised version of alpha.*beta, gamma"):
        app.filled_deck(library, settings(style="alpha", precision="xnor"))


def test_a_file_of_weights_can_be_a_style(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "mine.safetensors"
    path.touch()
    deck, titles = app.filled_deck(library, settings(style=str(path)))
    assert deck.current.style == str(path)
    assert library.find(deck.current.style).path == path
    assert titles[str(path)] == "Mine"
    deck, _ = app.filled_deck(library, settings(style="Beta", strength=0.5))
    assert (deck.current.style, deck.current.strength) == ("beta", 0.5)


def test_parts_of_a_typed_blend_have_their_titles() -> None:
    """For the keys that change its shares; in the deck is the blend alone."""
    library, blend = Library(), "0.5*the_scream+0.5*great_wave_any"
    deck, titles = app.filled_deck(library, settings(style=blend))
    assert titles["great_wave_any"] == library.find("great_wave_any").title
    assert "great_wave_any" not in deck.names and deck.current.style == blend


def test_a_style_may_be_typed_in_any_way(library: Library) -> None:
    deck, _ = app.filled_deck(library, settings(style="Beta", strength=0.5))
    assert (deck.current.style, deck.current.strength) == ("beta", 0.5)


OTHERS = {
    "smoothing_seconds": 0.7,
    "style_mean_weight": 0.6,
    "style_contrast": 1.3,
    "stroke_size": 300,
    "screen_distance": 3.5,
    "screen_width": 1.8,
    "screen_curvature": 0.4,
    "stereo_shift": 0.02,
    "window_width": 400,
    "window_height": 260,
    "desktop_refresh_hz": 24.0,
    "region": "gaze",
    "region_style": "beta",
    "region_size": 0.4,
    "region_softness": 0.05,
    "fade_seconds": 0.9,
    "scale": 0.5,
    "mirror": "both",
    "hud": False,
    "swap_eyes": True,
    "preserve_color": True,
    "strength": 0.8,
    "style": "gamma",
}
"""Of each setting another value than the default's."""


@pytest.mark.graphics
@pytest.mark.display
def test_a_run_uses_every_setting(
    display: str, library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def loop(**parts: Any) -> None:
        seen.update(parts)
        raise GraphicsError("no further", "")

    def stylizer(*_: object, **options: Any) -> Stylizer:
        seen["stylizer options"] = options
        made.set()
        raise EngineError("no painter", "")

    def context(**wishes: Any) -> Context:
        seen["window"] = wishes["size"]
        assert made.wait(60)
        return open_context(**{**wishes, "offscreen": False, "visible": False, "headset": True})

    made = threading.Event()
    monkeypatch.setattr(app, "RenderLoop", loop)
    parts = app.Parts(
        library=lambda: library,
        engine=lambda *_: TestEngine(),
        stylizer=stylizer,
        headset=lambda _: (DesktopHeadset(), "SteamVR is not here"),
        context=context,
    )
    wanted = settings(**OTHERS)
    default = Settings()
    assert all(value != getattr(default, name) for name, value in OTHERS.items())
    with pytest.raises(GraphicsError, match="no further"):
        app.run(wanted, parts)
    assert "SteamVR is not here" in capsys.readouterr().err
    assert seen["window"] == (400, 260)
    options, view = seen["stylizer options"], seen["view"]
    assert (options["tau"], options["scale"], options["load"]._stroke_size) == (0.7, 0.5, 300)
    assert options["tuning"] == Tuning(mean_weight=0.6, contrast=1.3)
    assert seen["scene"]._screen == Screen(3.5, 1.8, 0.4)
    assert seen["scene"]._stereo_shift == 0.02
    assert seen["headset"].refresh_hz == seen["desktop_hz"] == 24.0
    assert seen["fade_seconds"] == 0.9
    assert (seen["deck"].current.style, seen["deck"].strength, seen["deck"].outside) == ("gamma", 0.8, "beta")
    for name in ("mirror", "hud", "preserve_color", "region", "region_style", "region_size", "region_softness"):
        assert getattr(view, name) == OTHERS[name], name
    assert view.swap_eyes is True


@pytest.mark.graphics
@pytest.mark.display
def test_a_headset_that_comes_later_is_opened_and_painted_for(
    display: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was asked for at the start: who presses V wants SteamVR started."""
    asked: list[str] = []
    recommended: list[tuple[int, int]] = []
    found: list[object] = []
    made = threading.Event()

    class Late:
        eye_size = (300, 200)
        lens = object()

        def camera(self) -> object:
            return self.lens

    class Painting(Stylizer):
        def start(self) -> None:
            super().start()
            made.set()

        def recommend(self, eye_size: tuple[int, int]) -> None:
            recommended.append(eye_size)

    def headset(wanted: Settings) -> tuple[Any, None]:
        asked.append(wanted.headset)
        return (Late() if wanted.headset == "openvr" else DesktopHeadset()), None

    def loop(seeker: Any, eyes_changed: Any, **_: object) -> None:
        seeker.seek()
        assert made.wait(60)
        seeker._thread.join(60)
        found.append(seeker.found())
        eyes_changed(found[0])
        raise GraphicsError("no further", "")

    monkeypatch.setattr(app, "RenderLoop", loop)
    parts = app.Parts(
        library=lambda: library,
        engine=lambda *_: TestEngine(),
        stylizer=Painting,
        headset=headset,
        context=lambda **wishes: open_context(**{**wishes, "offscreen": False, "visible": False}),
    )
    cameras: list[object] = []
    settable = property(lambda self: None, lambda self, camera: cameras.append(camera))
    monkeypatch.setattr(app.ChosenSource, "camera", settable, raising=False)
    with pytest.raises(GraphicsError, match="no further"):
        app.run(settings(source="headset", headset="none"), parts)
    assert asked == ["none", "openvr"]
    assert isinstance(found[0], Late)
    assert set(recommended) == {(200, 300)}
    assert cameras[-1] is Late.lens
