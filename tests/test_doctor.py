"""doctor: what it finds, what it advises, and that no probe can hurt it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from importlib.machinery import PathFinder
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from artem_vr import doctor, probes
from artem_vr.installing import pip_install
from artem_vr.sources import desktop
from tests.openvr_runtime import Runtime
from tests.openvr_runtime.fixtures import openvr_library, runtime  # noqa: F401

WELL: dict[str, dict[str, Any]] = {
    "torch": {
        "version": "2.13.0",
        "threads": 8,
        "gpus": [{"name": "Big GPU", "memory_gb": 24.0}],
        "cuda": "13.0",
        "trouble": "",
        "kernels": True,
    },
    "openvino": {"version": "2026.4", "devices": ["CPU"], "cpu": ["FP32", "BF16"]},
    "engine": {"engine": "torch", "precision": "fp16", "device": "cuda", "asked": []},
    "graphics": {"renderer": "Big GPU", "offscreen": False},
    "steamvr": {"installed": True, "running": True, "headset": True},
    "camera": {"found": True, "size": [1280, 720], "devices": None},
    "screen": {"monitors": [[2560, 1440], [1920, 1080]]},
}
ILL: dict[str, dict[str, Any]] = {
    "torch": {"error": "crashed with status -11"},
    "openvino": {"error": "the library openvino is not installed", "missing": "openvino"},
    "engine": {"error": "RuntimeError"},
    "graphics": {"error": "GraphicsError: no OpenGL"},
    "steamvr": {"installed": True, "running": False, "reason": "InitError_Init_NoServerForBackgroundApp"},
    "camera": {"found": False, "devices": ["/dev/video0"]},
    "screen": {"error": "no display"},
}


@pytest.fixture(autouse=True)
def sound_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with one style, and no settings of whoever runs the tests."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    index = {"version": 1, "styles": [{"name": "a", "file": "a.safetensors", "sha256": digest}]}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(doctor.assets, "folder", lambda _: folder)
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "settings.toml"))
    return folder


def test_a_well_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(as_json=True, ask=WELL.__getitem__) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["can_run"] is True
    assert {check["name"]: check["status"] for check in report["checks"]} == dict.fromkeys(
        ["Python", "Libraries", "PyTorch", "GPU", "OpenVINO", "Engine", "OpenGL", "SteamVR", "Camera", "Screen",
         "Weights", "Settings"], "ok",
    )  # fmt: skip
    assert doctor.run(ask=WELL.__getitem__) == 0
    text = capsys.readouterr().out
    assert "Big GPU (24.0 GB)" in text and "2560x1440, 1920x1080" in text and "torch fp16 on cuda" in text


def test_a_card_that_pytorch_cannot_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    ill = WELL | {"torch": WELL["torch"] | {"trouble": "no kernel image is available for execution on the device"}}
    assert doctor.run(ask=ill.__getitem__) == 0
    said = capsys.readouterr().out
    assert "Big GPU (24.0 GB), but PyTorch cannot use it: no kernel image" in said and "built for this card" in said


def test_a_card_without_a_compiler_for_the_kernels_of_bits_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    ill = WELL | {"torch": WELL["torch"] | {"kernels": False}}
    assert doctor.run(ask=ill.__getitem__) == 0
    assert pip_install("gpu") in capsys.readouterr().out


def test_a_gpu_is_found_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="Big GPU", total_memory=24e9)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: card)
    monkeypatch.setattr("artem_vr.hardware.cuda_trouble", lambda: "")
    monkeypatch.setitem(sys.modules, "xnor.cuda", None)
    answer = probes.torch()
    assert answer["gpus"] == [{"name": "Big GPU", "memory_gb": 24.0}] and answer["kernels"] is False


def test_an_ill_machine_learns_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(as_json=True, ask=ILL.__getitem__) == 1
    report = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in report["checks"]}
    assert report["can_run"] is False
    assert {name for name, check in checks.items() if check["status"] == "bad"} == {"PyTorch", "Engine", "OpenGL"}
    for name, check in checks.items():
        assert check["status"] == "ok" or check["remedy"], name
    assert "NoServerForBackgroundApp" in checks["SteamVR"]["detail"]
    assert doctor.run(ask=ILL.__getitem__) == 1
    assert "cannot run here yet" in capsys.readouterr().out


def test_an_openvino_that_computes_on_no_processor_is_not_ok() -> None:
    found = doctor.openvino({"version": "2026.4", "devices": ["GPU"], "cpu": []})
    assert found.status == "absent" and "force-reinstall" in found.remedy


def test_it_runs_without_what_is_only_useful(capsys: pytest.CaptureFixture[str]) -> None:
    bare = ILL | {name: WELL[name] for name in ("engine", "graphics")}
    bare["torch"] = {"version": "2.13.0+cpu", "threads": 2, "gpus": [], "cuda": None}
    assert doctor.run(ask=bare.__getitem__) == 0
    assert "can run here." in capsys.readouterr().out


def test_old_python_and_missing_libraries() -> None:
    assert doctor.python((3, 10, 1)).status == "bad"

    finding = doctor.libraries(lambda module: None if module in ("glfw", "cv2") else module)
    assert finding.status == "bad" and finding.essential and finding.remedy == "pip install glfw opencv-python"


def test_a_library_that_some_commands_need_is_said_with_these(capsys: pytest.CaptureFixture[str]) -> None:
    finding = doctor.libraries(lambda module: None if module in ("numba", "tqdm") else module)
    assert finding.status == "absent" and finding.remedy == "pip install numba tqdm" and doctor.can_run([finding])
    assert "without numba: no styles of bits" in finding.detail and "without tqdm: no train" in finding.detail
    assert "matplotlib" not in finding.detail


def test_every_library_of_the_package_is_looked_for() -> None:
    package = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", name)[0] for name in package["dependencies"]}
    assert names == doctor.REQUIRED.keys() | doctor.USEFUL.keys()


def test_a_library_is_there_whatever_package_brought_it(tmp_path: Path) -> None:
    """OpenCV comes as opencv-python, as opencv-python-headless, from a distribution: as one module."""
    for module in (*doctor.REQUIRED.values(), *doctor.USEFUL):
        (tmp_path / f"{module}.py").touch()
    assert doctor.libraries(lambda module: PathFinder.find_spec(module, [str(tmp_path)])).status == "ok"


def test_damaged_weights_are_named(sound_weights: Path) -> None:
    assert doctor.weights().detail == "1 styles, all sums right"
    (sound_weights / "a.safetensors").write_bytes(b"weightz")
    finding = doctor.weights()
    assert finding.status == "bad" and finding.essential and "a" in finding.detail
    (sound_weights / "a.safetensors").unlink()
    assert doctor.weights().status == "bad"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"styles": [3]}',
        '{"styles": []}',
        '{"styles": [{"name": "a"}]}',
        pytest.param(100_000 * "[", id="nested"),
    ],
)
def test_an_index_of_nonsense_is_bad(sound_weights: Path, content: str) -> None:
    (sound_weights / "index.json").write_text(content)
    finding = doctor.weights()
    assert finding.status == "bad" and finding.essential and "\n" not in finding.detail


@pytest.fixture
def coded_weights(sound_weights: Path) -> Path:
    """A code beside the network, and what paints codes."""
    index = json.loads((sound_weights / "index.json").read_text())
    files = {"b.code.safetensors": b"code", "compact.safetensors": b"painter"}
    for name, content in files.items():
        (sound_weights / name).write_bytes(content)
    code, painter = ({"file": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items())
    index["styles"].append({"name": "b", "network": "code", **code})
    (sound_weights / "index.json").write_text(json.dumps(index | {"compact": painter}))
    return sound_weights


@pytest.mark.parametrize("harm", ["damaged", "missing", "not listed"])
def test_without_what_paints_codes_the_styles_that_are_codes_do_not_count(coded_weights: Path, harm: str) -> None:
    assert doctor.weights().detail == "2 styles, all sums right"
    if harm == "damaged":
        (coded_weights / "compact.safetensors").write_bytes(b"pointer")
    elif harm == "missing":
        (coded_weights / "compact.safetensors").unlink()
    else:
        index = json.loads((coded_weights / "index.json").read_text())
        del index["compact"]
        (coded_weights / "index.json").write_text(json.dumps(index))
    finding = doctor.weights()
    assert finding.status == "bad" and not finding.essential and finding.remedy
    assert finding.detail.startswith("1 of 2 styles can be used") and "paints codes and pictures" in finding.detail
    (coded_weights / "a.safetensors").unlink()
    assert doctor.weights().essential  # nothing is left to paint with


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Wayland")
def test_a_screen_that_run_would_refuse_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under Wayland with Xwayland a capture succeeds, and is black."""
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "mss", None)  # it must not come to that
    finding = doctor.screen(probes.screen())
    refused = desktop.refusal()
    assert refused is not None and (finding.detail, finding.remedy) == (refused.cause, refused.remedy)
    assert finding.status == "absent" and "Wayland" in finding.detail


def test_a_broken_settings_file_stays_for_the_one_who_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    for content in ("strength = ", "version = 99"):
        path.write_text(content)
        finding = doctor.settings_file()
        assert finding.status == "bad" and "using the defaults" in finding.detail
        assert path.read_text() == content
        assert list(tmp_path.glob("*.toml")) == [path]


def test_settings_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.toml"
    assert doctor.settings_file().status == "ok"
    for content in ("strength = 9", 'style = "gone.jpg"', 'source = "gone.mp4"', 'region_style = "nope"'):
        path.write_text(content)
        finding = doctor.settings_file()
        assert finding.status == "bad" and not finding.essential and str(path) in (finding.remedy or ""), content
    path.unlink()
    monkeypatch.setenv("ARTEM_VR_STILE", "x")
    finding = doctor.settings_file()
    assert finding.status == "bad" and "variable" in (finding.remedy or "") and "delete" not in (finding.remedy or "")
    monkeypatch.delenv("ARTEM_VR_STILE")
    monkeypatch.setenv("ARTEM_VR_STRENGTH", "9")
    assert doctor.settings_file().essential


def test_without_the_library_that_knows_where_settings_lie_there_is_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ARTEM_VR_SETTINGS")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert doctor.run(as_json=True, ask=WELL.__getitem__) == 1
    report = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["Libraries"]["detail"] == "missing: platformdirs"
    assert checks["Settings"]["status"] == "bad" and "platformdirs is missing" in checks["Settings"]["detail"]
    assert checks["Libraries"]["remedy"] == checks["Settings"]["remedy"] == "pip install platformdirs"


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ('engine = "openvino"\nprecision = "xnor"', "Engine", "binarised"),
        ('headset = "openvr"', "SteamVR", "installed"),
    ],
)
def test_with_settings_of_which_no_run_can_be_made_it_cannot_run(
    setting: str, name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where they stand is said: in the file, or in the environment."""
    path = tmp_path / "settings.toml"
    path.write_text(setting)
    answers = WELL | {"engine": probes.ask("engine"), "steamvr": {"installed": False, "running": False}}

    def finding() -> Any:
        return next(finding for finding in doctor.examine(answers.__getitem__) if finding.name == name)

    assert finding().status == "bad" and finding().essential
    assert value in finding().detail and finding().remedy.endswith(f" out of {path}")
    for line in setting.splitlines():
        key, _, said = line.partition(" = ")
        monkeypatch.setenv(f"ARTEM_VR_{key.upper()}", said.strip('"'))
        assert f"unset ARTEM_VR_{key.upper()}" in finding().remedy


def test_what_settings_ask_for_is_the_engine(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "settings.toml").write_text('engine = "torch"\ndevice = "cpu"')
    finding = doctor.engine(probes.ask("engine"))
    assert finding.status == "ok" and finding.detail.startswith("as chosen (engine, device), torch ")
    (tmp_path / "settings.toml").write_text("strength = ")
    assert "auto takes" in doctor.engine(probes.ask("engine")).detail


def test_an_unknown_probe_is_an_answer() -> None:
    assert "nonsense" in probes.ask("nonsense")["error"]


def test_a_probe_runs_nothing_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "openvr", "json"):
        (tmp_path / f"{name}.py").write_text("from pathlib import Path; Path('ran').touch(); raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert "installed" in probes.ask("steamvr")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os; os.abort()", "crashed with status"),
        ("import sys; sys.exit('bad driver')", "bad driver"),
        ("print('no answer')", "crashed with status 0"),
        ("import time; time.sleep(3600)", "no answer within"),
    ],
)
def test_a_probe_that_crashes_or_hangs_is_a_finding(
    code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe's process is replaced by one that misbehaves."""
    script = tmp_path / "bad.py"
    script.write_text(code)
    real = probes.subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        return real([command[0], str(script)], **options)

    monkeypatch.setattr(probes.subprocess, "run", run)
    assert says in probes.ask("torch", timeout=0.5 if "sleep" in code else 60)["error"]


@pytest.mark.parametrize("name", ["torch", "engine"])
def test_real_probes_answer_what_doctor_reads(name: str) -> None:
    pytest.importorskip("torch")
    answer = probes.ask(name)
    assert answer.keys() == WELL[name].keys(), answer


def test_the_probe_of_openvino_answers_what_doctor_reads() -> None:
    pytest.importorskip("openvino")
    answer = probes.ask("openvino")
    assert answer.keys() == WELL["openvino"].keys() and "CPU" in answer["devices"], answer


@pytest.mark.graphics
@pytest.mark.display
def test_the_probe_of_graphics_opens_a_window(display: str) -> None:
    answer = probes.ask("graphics")
    assert answer["renderer"] and answer["offscreen"] is False, answer


def test_the_probe_of_steamvr_asks_the_runtime(runtime: Runtime) -> None:  # noqa: F811
    assert probes.ask("steamvr") == {"installed": True, "running": True, "headset": True}


def test_without_steamvr_its_probe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("VR_OVERRIDE", "VR_PATHREG_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    assert probes.ask("steamvr") == {"installed": False, "running": False}
