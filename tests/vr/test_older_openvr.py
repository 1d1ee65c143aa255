"""The headset runs on the openvr package 2.5.102 too, which older SteamVR needs.

That package is not installed here; the installed one is made to look like it: the older interface versions, the
tables without the functions that came later, and none of the methods and names that came later.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import openvr
import pytest

from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import Runtime
from tests.vr.checks import check_poses_given_are_poses_used, check_quit_is_acknowledged

LATER = {
    "IVRSystem": ("IVRSystem_022", "pollNextEventWithPoseAndOverlays"),
    "IVRCompositor": ("IVRCompositor_028", "getSubmitTexture"),
}


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    for interface, (version, method) in LATER.items():
        table = getattr(openvr, f"{interface}_FnTable")
        fields = [field for field in table._fields_ if field[0] != method]
        assert len(fields) == len(table._fields_) - 1
        shorter = type(f"{interface}_FnTable", (ctypes.Structure,), {"_fields_": fields})
        monkeypatch.setattr(openvr, f"{interface}_FnTable", shorter)
        monkeypatch.setattr(openvr, f"{interface}_Version", version)
        monkeypatch.delattr(getattr(openvr, interface), method)
    monkeypatch.delattr(openvr, "Submit_FrameDiscontinuity")


def test_the_whole_frame_works(older: None, runtime: Runtime) -> None:
    with OpenVRHeadset() as headset:
        check_poses_given_are_poses_used(headset, runtime)
        check_quit_is_acknowledged(headset, runtime)
        runtime.connect_controllers("vive_controller")
        headset.poll_commands()
        runtime.press("right", "trackpad", "east")
        assert len(headset.poll_commands()) == 1


def test_nothing_at_import_needs_the_later_names(tmp_path: Path) -> None:
    code = (
        "import openvr; del openvr.Submit_FrameDiscontinuity; "
        "import artem_vr.vr.openvr_headset, artem_vr.vr.openvr_library"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_modules_named_for_it_know_openvr() -> None:
    room = Path(__file__).resolve().parents[2] / "artem_vr" / "vr"
    for path in room.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "import openvr\n" in text or "from openvr" in text or "import ctypes" in text:
            assert path.name.startswith("openvr_"), path
