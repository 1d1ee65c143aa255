"""``make`` in a checkout: it goes on working where things around it change, and takes nothing that is not its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="there is no make here")

STAMPS = (".venv-made", ".torch-installed", ".run-installed", ".test-installed")
SAYS = "import sys; print(__spec__.name, *sys.argv[1:])"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout, installed as make leaves it, of a program and tools that only say how they were called."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for name in ("Makefile", "pyproject.toml", "setup.cfg", "constraints.txt"):
        shutil.copy2(ROOT / name, folder / name)
    (folder / "artem_vr").mkdir()
    (folder / "artem_vr" / "__main__.py").write_text(SAYS)
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    for module in ("pip", "ruff", "mypy"):
        (site(folder) / f"{module}.py").write_text(SAYS)
    for command in ("artem-vr", "ruff", "mypy"):  # as after a move: they name the Python of the old place
        (folder / ".venv" / "bin" / command).write_text("#!/nowhere/.venv/bin/python\n")
        (folder / ".venv" / "bin" / command).chmod(0o755)
    for stamp in STAMPS:
        (folder / ".venv" / stamp).touch()
    return folder


def site(checkout: Path) -> Path:
    (folder,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    return folder


def make(checkout: Path, *words: str, **environment: str) -> str:
    """What make says that it does, and what that says."""
    command = ["make", f"PYTHON={sys.executable}", *words]
    known = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "VENV"))}
    done = subprocess.run(
        command, cwd=checkout, env={**known, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_checkout_that_was_moved_goes_on_working(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    assert "artem_vr.__main__ run --source demo\n" in make(moved, "run", "ARGS=--source demo")
    said = make(moved, "lint")
    assert "ruff check .\n" in said and "mypy\n" in said
    assert "venv" not in said.replace(".venv/bin/python", ""), "nothing is made anew"


def gone(checkout: Path) -> None:
    for python in (checkout / ".venv" / "bin").glob("python*"):
        python.unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")


def upgraded(checkout: Path) -> None:
    folder = site(checkout).parent
    folder.rename(folder.with_name("python3.0"))


@pytest.mark.parametrize("change", [gone, upgraded])
def test_an_environment_whose_python_is_another_is_made_anew(checkout: Path, change: Callable[[Path], None]) -> None:
    change(checkout)
    (checkout / ".venv" / "old").touch()
    make(checkout, ".venv/.venv-made")
    assert not (checkout / ".venv" / "old").exists()
    assert not (checkout / ".venv" / ".torch-installed").exists(), "what is to be installed is installed again"
    subprocess.run([checkout / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True, capture_output=True)
    assert "venv" not in make(checkout, ".venv/.venv-made").replace("'.venv/.venv-made'", ""), "once"


def test_clean_takes_what_make_made(checkout: Path) -> None:
    make(checkout, "clean")
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("made", [True, False])
def test_an_environment_of_the_shell_is_left_alone(checkout: Path, tmp_path: Path, made: bool) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    if made:
        (mine / ".venv-made").touch()
    assert ".venv/bin/python -m artem_vr" in make(checkout, "run", VENV=str(mine))
    make(checkout, "clean", VENV=str(mine))
    assert mine.is_dir() and not (checkout / ".venv").exists()


@pytest.mark.parametrize("made", [True, False])
def test_clean_takes_an_environment_that_was_named_only_if_make_made_it(
    checkout: Path, tmp_path: Path, made: bool
) -> None:
    named = tmp_path / "named"
    named.mkdir()
    if made:
        (named / ".venv-made").touch()
    make(checkout, "clean", f"VENV={named}")
    assert named.is_dir() is not made and (checkout / ".venv").is_dir()


def test_what_was_made_by_others_is_not_cleared(checkout: Path) -> None:
    """A folder that is named, and is no environment of make's, keeps what is in it."""
    (checkout / ".venv" / ".venv-made").unlink()
    gone(checkout)
    said = make(checkout, "--dry-run", ".venv/.venv-made")
    assert "-m venv" in said and "--clear" not in said
