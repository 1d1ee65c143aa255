"""What is drawn with OpenGL arrives in each eye, byte by byte; and a headset with a defect is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def outcomes(openvr_library: Path, display: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Of draw_and_submit.py: case to what its check said, None for nothing."""
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, "-m", "tests.vr.draw_and_submit", str(openvr_library), str(folder)]
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"draw_and_submit.py ended with {done.returncode}:\n{done.stderr}"
    result: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.graphics
@pytest.mark.parametrize("case", ["sound", "bindings survive", "wrong format is refused"])
def test_passes(outcomes: dict[str, str | None], case: str) -> None:
    assert outcomes[case] is None


@pytest.mark.graphics
@pytest.mark.parametrize("case", ["eyes swapped", "picture flipped", "stale pose", "old picture"])
def test_the_check_finds_the_defect(outcomes: dict[str, str | None], case: str) -> None:
    assert outcomes[case] is not None, f"nothing noticed: {case}"
