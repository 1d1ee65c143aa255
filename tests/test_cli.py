"""The command line: what is promised in --help, and one line for what goes wrong."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from artem_vr import cli, settings
from artem_vr.errors import SourceError

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("cv2", "glfw", "openvr", "torch", "OpenGL", "numba", "matplotlib", "PIL", "numpy", "mss", "openvino", "tqdm")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(settings.ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(path))
    return path


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> list[settings.Settings]:
    """Stands in for the program; keeps the settings that it was started with."""
    started: list[settings.Settings] = []

    def run(chosen: settings.Settings) -> int:
        started.append(chosen)
        return 0

    stand_in(monkeypatch, run)
    return started


def stand_in(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    module: Any = ModuleType("artem_vr.app")
    module.run = run
    monkeypatch.setitem(sys.modules, "artem_vr.app", module)
    monkeypatch.setattr("artem_vr.app", module, raising=False)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and captured.err.endswith("\n")
    return captured.err


@pytest.mark.parametrize("command", [None, *cli.COMMANDS])
def test_the_parser_imports_nothing_heavy(command: str | None) -> None:
    code = (
        "import sys\nfrom artem_vr import cli\n"
        f"cli.build_parser({command!r}).format_help()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("run", "stylize", "styles", "train", "evaluate", "bench", "doctor"):
        assert f"\n    {command} " in text


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", "--source --layout --style --strength --headset --view --device --engine --precision --scale --frames "
         "--record --preserve-color --region --region-style --swap-eyes"),
        ("stylize", "INPUT -o --style --strength --layout --preserve-color --json"),
        ("styles", "list add remove sheet --json"),
        ("bench", "xnor --json"),
        ("doctor", "--json"),
    ],
)  # fmt: skip
def test_help_of_a_command_names_its_options(command: str, options: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert [option for option in options.split() if option not in text] == []


def test_the_command_is_run_when_none_is_named(app: list[settings.Settings]) -> None:
    assert cli.main([]) == 0
    assert cli.main(["--source", "demo", "--scale", "0.5"]) == 0
    assert cli.main(["run", "--source", "demo", "--scale", "0.5"]) == 0
    assert app == [settings.Settings()] + 2 * [settings.Settings(source="demo", scale=0.5)]


def test_every_option_of_run_becomes_a_setting(app: list[settings.Settings]) -> None:
    words = (
        "--source film.mp4 --layout half-sbs --style great_wave --strength 0.25 --headset none --view screen "
        "--device cpu --engine torch --precision xnor --scale auto --frames 9 --record out.mp4 --mirror left "
        "--no-hud --preserve-color --swap-eyes --region gaze --region-style starry_night"
    )
    assert cli.main(words.split()) == 0
    assert app == [
        settings.Settings(
            source="film.mp4", layout="half-sbs", style="great_wave", strength=0.25, headset="none", view="screen",
            device="cpu", engine="torch", precision="xnor", scale="auto", frames=9, record="out.mp4", mirror="left",
            hud=False, preserve_color=True, swap_eyes=True, region="gaze", region_style="starry_night",
        )
    ]  # fmt: skip


def test_the_file_and_the_environment_count(
    app: list[settings.Settings],
    own_settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_settings.write_text('style = "the_scream"\nlayout = "tb"\nstrength = 7\n')
    monkeypatch.setenv("ARTEM_VR_LAYOUT", "sbs")
    assert cli.main([]) == 0
    assert (app[0].style, app[0].layout, app[0].strength) == ("the_scream", "sbs", 1.0)
    assert "strength" in one_line(capsys)


def test_bits_that_the_file_wants_give_way_to_a_style_without_them(
    app: list[settings.Settings],
    own_settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_settings.write_text('precision = "xnor"\n')
    for words in ([], ["--style", "starry_night"], ["--style", "great_wave", "--region-style", "starry_night"]):
        assert cli.main(words) == 0 and app.pop().precision == "xnor"
        assert capsys.readouterr().err == ""
    for words in (["--style", "the_scream"], ["--region-style", "the_scream"]):
        assert cli.main(words) == 0 and app.pop().precision == "auto"
        line = one_line(capsys)
        assert str(own_settings) in line and "no binarised version of the_scream" in line and "default is used" in line
    assert cli.main(["--style", "not_there"]) == 2 and not app and "no style 'not_there'" in one_line(capsys)
    own_settings.write_text('precision = "xnor"\nstyle = "the_scream"\n')
    assert cli.main([]) == 0 and (app[0].style, app.pop().precision) == ("the_scream", "auto")
    one_line(capsys)
    for asked in (["--precision", "xnor"], []):  # whoever asks for them now is told that there are none
        assert cli.main(asked) == 2 and not app
        assert "no binarised version of the_scream" in one_line(capsys)
        monkeypatch.setenv("ARTEM_VR_PRECISION", "xnor")


@pytest.mark.parametrize(
    "line",
    [
        "frobnicate", "runn", "--nonsense", "run --layout 3d", "--strength 1.5", "--strength nan", "--strength",
        f"--frames 1{400 * '0'}",
        "--frames 0", "--frames -3", "--frames 1.5", "--scale 0.1", "--scale big", "--device tpu", "run extra",
        "--lay sbs", "stylize", "stylize a.png", "stylize a.png -o b.png --size 3", "stylize a.png -o b.png --method x",
        "styles frobnicate", "styles sheet", "train", "train nothing", "bench nothing", "doctor --yaml", "--source",
    ],
)  # fmt: skip
def test_bad_arguments_cost_one_line(
    line: str, app: list[settings.Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    assert one_line(capsys).startswith("artem-vr")
    assert app == []


@pytest.mark.parametrize("view", ["passthrough", "dome"])
def test_a_view_that_is_not_there_yet_is_said(
    view: str,
    app: list[settings.Settings],
    own_settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = f"the view {view} is not there yet"
    assert cli.main(["--view", view]) == 2
    assert said in one_line(capsys).lower() and app == []
    own_settings.write_text(f'view = "{view}"\n')
    assert cli.main([]) == 0
    assert said in one_line(capsys).lower() and app[0].view == "screen"
    own_settings.unlink()
    monkeypatch.setenv("ARTEM_VR_VIEW", view)
    assert cli.main([]) == 2
    assert said in one_line(capsys).lower() and len(app) == 1


def test_a_misspelt_command_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["stilize"])
    assert 'did you mean "stylize"?' in one_line(capsys)


@pytest.mark.parametrize(
    ("words", "meant"),
    [("train fst", "fast"), ("run --mirror rigth", "right"), ("stylize a -o b --method optimise", "optimize")],
)
def test_what_was_meant_is_said_inside_of_commands_too(
    words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    assert meant in one_line(capsys)


def test_a_file_behind_run_is_told_as_a_file_alone_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").touch()
    assert cli.main(["run", "photo.jpg"]) == 2
    assert "To paint a file: artem-vr stylize photo.jpg -o OUTPUT; to watch it: " in one_line(capsys)
    assert cli.main(["run", "absent.jpg"]) == 2
    assert "run --help shows the options" in one_line(capsys)


@pytest.mark.parametrize("name", ["photo.jpg", "my film.mp4"])
def test_a_file_for_a_command_is_told_what_can_be_done_with_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert cli.main([name]) == 2
    said, painting, watching = one_line(capsys).strip().split(": artem-vr ")
    assert f'no command "{name}"' in said
    painting = painting.removesuffix("; to watch it")
    if os.name != "nt":
        assert shlex.split(painting) == ["stylize", name, "-o", "OUTPUT"]
        assert shlex.split(watching) == ["--source", name]
    assert cli.main(["absent.jpg"]) == 2
    assert "there are run, stylize" in one_line(capsys)


class NoLibrary(OSError):
    """What Windows says where a library that torch needs is missing."""

    winerror = 126


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (SourceError("there is no\ncamera 3", "choose another"), 2, "there is no camera 3. choose another."),
        (OSError(28, "No space left on device", "out.mp4"), 2, "out.mp4: No space left on device"),
        (MemoryError(), 2, "memory does not suffice"),
        (ModuleNotFoundError("No module named 'glfw'", name="glfw"), 2, "the library glfw is missing"),
        (ModuleNotFoundError("...", name="artem_vr.app"), 2, "Install artem-vr again"),
        (ImportError("libGL.so.1: cannot open shared object file"), 2, "libGL.so.1: cannot open shared object file"),
        (NoLibrary("c10.dll"), 2, "a library does not start here"),
    ],
)
def test_what_a_user_can_mend_costs_one_line(
    error: Exception, status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: settings.Settings) -> int:
        raise error

    stand_in(monkeypatch, run)
    assert cli.main(["run"]) == status
    assert says in one_line(capsys)


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(_: settings.Settings) -> int:
        raise KeyboardInterrupt

    stand_in(monkeypatch, run)
    assert cli.main(["run"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: settings.Settings) -> int:
        raise AssertionError("defect")

    stand_in(monkeypatch, run)
    with pytest.raises(AssertionError):
        cli.main(["run"])


def test_the_exit_status_is_the_commands_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, lambda _: 3)
    assert cli.main(["run"]) == 3


@pytest.mark.parametrize("start", [["-m", "artem_vr"], ["-m", "artem_vr.cli"]])
def test_starts_as_a_module(start: list[str]) -> None:
    done = subprocess.run([sys.executable, *start, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("artem-vr ")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise on Windows")
def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "artem_vr", "styles", "--json"]
        done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 0 and "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_a_thread_that_was_given_up_does_not_hold_the_process() -> None:
    code = (
        "import sys, threading, types\n"
        "from artem_vr import cli\n"
        "def run(arguments):\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        "    print('done', end='')\n"
        "    return 7\n"
        "sys.modules['artem_vr.commands.doctor'] = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)\n"
        "sys.argv = ['artem-vr', 'doctor']\n"
        "cli.entry()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "done", "")


@pytest.mark.skipif(sys.platform == "win32", reason="the shell that closes them")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_error(closed: str, tmp_path: Path) -> None:
    """As under pythonw. And no file that is opened later takes their place, into which libraries write."""
    code = (
        "import os, sys, types\n"
        "from artem_vr import cli\n"
        "def run(arguments):\n"
        "    with open('work', 'w') as file:\n"
        "        for stream in (sys.stdout, sys.stderr):\n"
        "            stream.write('said')\n"
        "            stream.flush()\n"
        "        file.write('well' if file.fileno() > 2 else 'in their place')\n"
        "    return 7\n"
        "sys.modules['artem_vr.commands.doctor'] = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)\n"
        "sys.argv = ['artem-vr', 'doctor']\n"
        "cli.entry()\n"
    )
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, timeout=120, check=False)
    assert (done.returncode, (tmp_path / "work").read_text()) == (7, "well")


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode on Windows")
def test_a_name_that_is_no_text_is_written_with_backslashes() -> None:
    """The work is done by then: it must not end with a traceback."""
    code = (
        "import sys, types\n"
        "from artem_vr import cli\n"
        "def run(arguments):\n"
        "    for stream in (sys.stdout, sys.stderr):\n"
        "        print('caf\\udce9', file=stream)\n"
        "    return 0\n"
        "sys.modules['artem_vr.commands.doctor'] = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)\n"
        "sys.argv = ['artem-vr', 'doctor']\n"
        "cli.entry()\n"
    )
    for encoding in ("utf-8:strict", "ascii:strict"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\udce9\n", "caf\\udce9\n")


def test_bench_hands_its_option_on(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    bench: Any = ModuleType("artem_vr.bench")

    def measure(as_json: bool, *options: Any) -> int:
        called.append(as_json)
        return 0

    bench.main = measure
    monkeypatch.setitem(sys.modules, "artem_vr.bench", bench)
    monkeypatch.setattr("artem_vr.bench", bench, raising=False)
    assert cli.main(["bench"]) == cli.main(["bench", "--json"]) == 0
    assert called == [False, True]


def test_bench_xnor_prints_a_table_or_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    memory = {"weights_bits": 1500, "weights_fp32": 48_000, "activations_bits": 512, "activations_fp32": 768}
    row = {
        "kind": "conv", "input": "8x8x3", "kernel": "3x3->4", "backend": "cpu", "xnor_ms": 1.5, "pack_ms": 0.25,
        "product_ms": 1.0, "fp32_ms": 3.75, "ratio_fp32": 2.5, "memory": memory,
    }  # fmt: skip
    other = {"kind": "gemm", "input": "8x8", "kernel": "8x8", "backend": "cpu", "xnor_ms": 1.0, "ratio_bf16": 0.5}
    weighed = {"fp32_bytes": 574_700_000, "packed_bytes": 18_100_000, "resident_bytes": 18_280_000}
    results = {"machine": {}, "rows": [row, other], "vgg19": weighed}
    monkeypatch.setattr("xnor.bench.run_bench", lambda **options: results)
    assert cli.main(["bench", "xnor"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    shown = [dict(zip(title.split(), line.split(), strict=True)) for line in lines[:2]]
    assert shown[0] == {
        "kind": "conv", "input": "8x8x3", "kernel": "3x3->4", "backend": "cpu", "xnor_ms": "1.5", "pack_ms": "0.25",
        "product_ms": "1.0", "fp32_ms": "3.75", "ratio_fp32": "2.5", "ratio_bf16": "-", "weights_kb": "1.5",
        "weights_fp32_kb": "48.0", "activations_kb": "0.5", "activations_fp32_kb": "0.8",
    }  # fmt: skip
    assert shown[1]["ratio_bf16"] == "0.5" and shown[1]["pack_ms"] == "-"
    assert all(f"{size} MB" in lines[2] for size in ("574.7", "18.10", "18.28"))
    assert cli.main(["bench", "xnor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == results
    assert cli.main(["bench", "--quick"]) == 2


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        cv2.error("(-4:Insufficient memory) Failed to allocate 671072256 bytes in function 'OutOfMemoryError'"),
    ],
)
def test_memory_that_a_library_does_not_get_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: settings.Settings) -> int:
        raise error

    stand_in(monkeypatch, run)
    assert cli.main(["run"]) == 2
    assert "memory does not suffice" in one_line(capsys)


def test_other_errors_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: settings.Settings) -> int:
        raise RuntimeError("a bug")

    stand_in(monkeypatch, run)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["run"])


def test_what_settings_ask_of_the_engine_is_said_where_it_is_not_there(
    own_settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has typed it: where it stands is what helps."""
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    words = ["stylize", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--style", "the_scream"]
    own_settings.write_text('engine = "openvino"\ndevice = "cuda"')
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"Or take engine out of {own_settings}. Or take device out of {own_settings}.\n")
    monkeypatch.setenv("ARTEM_VR_ENGINE", "openvino")
    assert cli.main([*words, "--device", "cuda"]) == 2
    assert capsys.readouterr().err.endswith("Or unset ARTEM_VR_ENGINE.\n")
    monkeypatch.setenv("ARTEM_VR_PRECISION", "fp32")  # has nothing to do with it
    assert cli.main([*words, "--device", "cuda", "--engine", "openvino"]) == 2
    assert "Or " not in capsys.readouterr().err
