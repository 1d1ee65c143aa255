"""Shaders, weights and actions are found in a checkout, an editable install and a wheel.

The virtual environments are fresh, made without pip and without the network: a .pth file lends them the libraries of
the environment that runs the tests, and the build runs without isolation.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("artem_vr", "xnor")
PARTS = (*PACKAGES, "shaders", "weights", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")

TORCH = "2.13.0"
TORCH_ASKS = {
    "cuda-bindings": ">=13.0.3,<14",
    "cuda-toolkit": "==13.0.3",
    "nvidia-cublas": "==13.1.1.3.*",
    "nvidia-cuda-cupti": "==13.0.85.*",
    "nvidia-cuda-nvrtc": "==13.0.88.*",
    "nvidia-cuda-runtime": "==13.0.96.*",
    "nvidia-cudnn-cu13": "==9.20.0.48",
    "nvidia-cufft": "==12.0.0.61.*",
    "nvidia-cufile": "==1.15.1.6.*",
    "nvidia-curand": "==10.4.0.35.*",
    "nvidia-cusolver": "==12.0.4.66.*",
    "nvidia-cusparse": "==12.6.3.3.*",
    "nvidia-cusparselt-cu13": "==0.8.1",
    "nvidia-nccl-cu13": "==2.29.7",
    "nvidia-nvjitlink": ">=13.0.88,<14",
    "nvidia-nvshmem-cu13": "==3.4.5",
    "nvidia-nvtx": "==13.0.85.*",
    "triton": "==3.7.1",
}
"""What that torch's build for CUDA (the one that PyPI has for Linux) asks of NVIDIA's packages, by itself and through
cuda-toolkit. Of another torch: ``pip install --dry-run --ignore-installed --report FILE torch==...`` shows it."""

LOOK = """
import json
from pathlib import Path
import artem_vr, xnor
from artem_vr import assets
import artem_vr.vr
folders = {name: str(assets.folder(name)) for name in ("shaders", "weights")}
files = {name: sorted(p.name for p in Path(folder).iterdir() if p.is_file()) for name, folder in folders.items()}
files["actions"] = sorted(p.name for p in (Path(artem_vr.vr.__file__).parent / "actions").iterdir())
print(json.dumps({"folders": folders, "files": files, "package": artem_vr.__file__, "xnor": xnor.__file__}))
"""


def shipped(checkout: Path) -> dict[str, set[str]]:
    """The files that must be found, by folder."""
    return {
        "shaders": {p.name for p in (checkout / "shaders").iterdir() if p.suffix in (".vert", ".frag", ".glsl")},
        "weights": {p.name for p in (checkout / "weights").iterdir() if p.suffix in (".safetensors", ".json", ".md")},
        "actions": {p.name for p in (checkout / "artem_vr" / "vr" / "actions").iterdir() if p.is_file()},
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, so that building leaves nothing in the real one."""
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, copy / part)
    (copy / "weights" / "another.safetensors").write_bytes(b"whatever weights there will be")
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, checkout)
    (built,) = folder.glob("*.whl")
    return built


def pip(*words: object, python: Path | None = None) -> None:
    target = ["--python", str(python)] if python else []
    command = [sys.executable, "-m", "pip", *target, *map(str, words), "--no-index", "--quiet"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def fresh_environment(folder: Path) -> Path:
    """A new virtual environment; the path of its Python."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    names = {"base": str(folder), "platbase": str(folder), "installed_base": sys.base_prefix}
    site = Path(sysconfig.get_path("purelib", "venv", vars=names))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Path(sysconfig.get_path("scripts", "venv", vars=names)) / ("python.exe" if os.name == "nt" else "python")


def look(python: Path, working_folder: Path) -> dict:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-c", LOOK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=working_folder, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_found(seen: dict, checkout: Path) -> None:
    for name, files in shipped(checkout).items():
        assert files <= set(seen["files"][name]), name


def test_a_checkout_finds_its_files(checkout: Path) -> None:
    seen = look(Path(sys.executable), checkout)
    assert Path(seen["package"]).is_relative_to(checkout)
    assert Path(seen["folders"]["shaders"]) == checkout / "shaders"
    assert_found(seen, checkout)


def test_a_wheel_finds_its_files(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    python = fresh_environment(tmp_path / "env")
    pip("install", "--no-deps", wheel, python=python)
    seen = look(python, tmp_path)
    for place in (seen["package"], seen["xnor"], *seen["folders"].values()):
        assert Path(place).is_relative_to(tmp_path / "env"), place
    assert_found(seen, checkout)
    script = python.with_name("artem-vr.exe" if os.name == "nt" else "artem-vr")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "stylize" in done.stdout


def test_an_editable_install_finds_its_files(checkout: Path, tmp_path: Path) -> None:
    python = fresh_environment(tmp_path / "env")
    pip("install", "--no-build-isolation", "--no-deps", "--editable", checkout, python=python)
    seen = look(python, tmp_path)
    assert Path(seen["package"]).is_relative_to(checkout)
    assert Path(seen["folders"]["weights"]) == checkout / "weights"
    assert_found(seen, checkout)


def test_the_wheel_holds_all_modules_and_no_more(wheel: Path, checkout: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {p.relative_to(checkout).as_posix() for part in PACKAGES for p in (checkout / part).rglob("*.py")}
    assert modules <= names
    strangers = {n for n in names if n.split("/")[0] not in PACKAGES and ".dist-info/" not in n}
    assert strangers == set()


def test_every_package_is_listed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(setup["options"]["packages"].split())
    folders = [p.parent for part in PACKAGES for p in (ROOT / part).rglob("__init__.py")]
    there = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert listed == there | {"artem_vr.shaders", "artem_vr.weights"}


def pins() -> dict[str, str]:
    """The versions in constraints.txt, by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = sum(project["optional-dependencies"].values(), project["dependencies"])
    for requirement in map(Requirement, wanted):
        assert pins()[requirement.name.lower().replace("_", "-")] in requirement.specifier, requirement


def test_the_pins_leave_torch_for_cuda_what_it_asks_for() -> None:
    """Else pip finds no solution on an ordinary Linux machine, whatever a build for the processor alone asks for."""
    assert pins()["torch"] == TORCH, "TORCH_ASKS is of another torch: look up what the new one asks for"
    held = {name: version for name, version in pins().items() if name in TORCH_ASKS}
    assert "nvidia-cuda-nvrtc" in held
    assert [name for name, version in held.items() if version not in SpecifierSet(TORCH_ASKS[name])] == []


def test_kernels_are_compiled_for_the_drivers_that_torch_runs_on() -> None:
    """A newer compiler writes a newer PTX, which a driver of torch's CUDA refuses."""
    assert pins()["nvidia-nvvm"] == pins()["nvidia-cuda-nvrtc"]


def test_ci_runs_make_test_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', 'export CI="${CI:-1}"', "exec make test"]
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the packages are Linux's")
def test_a_lean_system_is_told_what_capturing_the_screen_needs(tmp_path: Path) -> None:
    """mss loads X11's libraries by their names: no package of Python says so."""
    from mss.linux import xcbhelpers

    wanted = set(re.findall(r'find_library\("(xcb-\w+)"\)', Path(xcbhelpers.__file__).read_text("utf-8")))
    assert len(wanted) > 3
    for command, does in {"ldconfig": "true", "id": "echo 1000", "sudo": "false"}.items():  # nothing there, no rights
        (tmp_path / command).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / command).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    script = [str(ROOT / ".ci" / "system-packages"), "run"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    named = done.stderr.partition("please install")[2].split()
    assert {f"lib{name}0" for name in wanted} <= set(named), done.stderr


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="this is no clone")
def test_what_linux_runs_and_what_is_no_text_is_checked_out_as_it_is() -> None:
    """A clone made on Windows and used under Linux (WSL, a shared folder) could not run make otherwise."""
    mine = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(ROOT)}
    command, environment = ["git", "ls-files", "--eol"], os.environ | mine  # also where another user owns it
    listed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    kinds = {name: kind.split() for kind, _, name in (line.partition("\t") for line in listed.splitlines())}
    for name, (index, _, *attribute) in kinds.items():
        if name == "Makefile" or name.startswith(".ci/"):
            assert attribute == ["attr/text", "eol=lf"], name
        if name.endswith((".safetensors", ".jpg", ".png")):
            assert attribute == ["attr/-text"], name
        assert index in ("i/lf", "i/-text"), f"{name} would be changed by git"
