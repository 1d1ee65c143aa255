"""Puts the program into SteamVR's library, so that it can be started with the headset on.

SteamVR wants to know where the program is; that differs from machine to machine, so the manifest is written when
asked for, into the user's data folder, not shipped.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import openvr

from artem_vr.vr.openvr_actions import MANIFEST
from artem_vr.vr.openvr_errors import FAILURES, explain, explain_init

APPLICATION_KEY = "artem.vr"
NAME = "Art'Em VR"
DESCRIPTION = "Your room, your screen or a film as a painting"


def manifest() -> dict[str, Any]:
    """What a .vrmanifest says about this installation."""
    program, arguments = _program()
    return {
        "source": "builtin",
        "applications": [
            {
                "app_key": APPLICATION_KEY,
                "launch_type": "binary",
                f"binary_path_{_platform()}": str(program),
                "arguments": arguments,
                "action_manifest_path": str(MANIFEST),
                "is_dashboard_overlay": False,
                "strings": {"en_us": {"name": NAME, "description": DESCRIPTION}},
            }
        ],
    }


def register(folder: Path) -> Path:
    """Write the manifest into ``folder`` and tell SteamVR. Not while a headset is open in this process.

    Raises:
        HeadsetError: SteamVR is not there, or does not take it.
        OSError: the folder cannot be written.
    """
    path = (folder / "artem-vr.vrmanifest").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(manifest(), indent=2), encoding="utf-8")
    os.replace(draft, path)
    _tell("addApplicationManifest", path)
    return path


def unregister(folder: Path) -> None:
    """Take the program out of SteamVR's library again.

    Raises:
        HeadsetError: SteamVR is not there, or does not know the manifest.
    """
    path = (folder / "artem-vr.vrmanifest").resolve()
    _tell("removeApplicationManifest", path)
    path.unlink(missing_ok=True)


def _tell(call: str, path: Path) -> None:
    try:
        openvr.init(openvr.VRApplication_Utility)  # needs no headset, and takes the scene from nobody
    except FAILURES as error:
        raise explain_init(error) from error
    try:
        getattr(openvr.VRApplications(), call)(str(path))
    except FAILURES as error:
        raise explain("changing its library", error) from error
    finally:
        openvr.shutdown()


def _program() -> tuple[Path, str]:
    """The program's executable and arguments: the installed command, else this Python."""
    command = Path(sys.executable).with_name("artem-vr.exe" if sys.platform == "win32" else "artem-vr")
    if command.is_file():
        return command, "run --headset openvr"
    return Path(sys.executable), "-m artem_vr run --headset openvr"


def _platform() -> str:
    return {"win32": "windows", "darwin": "osx"}.get(sys.platform, "linux")
