"""Tells SteamVR who we are.

To a SteamVR that does not know it, every program run by Python is the same: whatever the wearer binds in one of them
counts in all. The manifest that SteamVR reads says where the program is; that differs from machine to machine, so it
is written at each start, into the user's data folder, not shipped.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import openvr

from artem_vr.atomic_file import write_atomically
from artem_vr.vr.openvr_actions import MANIFEST
from artem_vr.vr.openvr_errors import FAILURES, name_of

APPLICATION_KEY = "artem.vr"
NAME = "Art'Em VR"
DESCRIPTION = "Your room, your screen or a film as a painting"

log = logging.getLogger(__name__)


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


def manifest_path() -> Path:
    """Where the manifest lies."""
    import platformdirs

    return Path(platformdirs.user_data_dir("artem-vr", appauthor=False)) / "artem-vr.vrmanifest"


def introduce() -> None:
    """Tell SteamVR, which runs, that this process is the program of that key, for this session of SteamVR.

    To be called before the actions are set. A SteamVR that does not want to know, or a folder that cannot be written,
    costs nothing but this.
    """
    path = manifest_path()
    try:
        write_atomically(path, json.dumps(manifest(), indent=2).encode())
        applications = openvr.VRApplications()
        # where it really lies: Python from Microsoft's Store is shown another AppData than SteamVR is
        applications.addApplicationManifest(str(path.resolve()), True)
        applications.identifyApplication(os.getpid(), APPLICATION_KEY)
    except (*FAILURES, OSError) as error:
        log.debug("SteamVR does not know the program (%s)", name_of(error))


def _program() -> tuple[Path, str]:
    """The program's executable and arguments: the installed command, else this Python."""
    command = Path(sys.executable).with_name("artem-vr.exe" if sys.platform == "win32" else "artem-vr")
    if command.is_file():
        return command, "run --headset openvr"
    return Path(sys.executable), "-m artem_vr run --headset openvr"


def _platform() -> str:
    return {"win32": "windows", "darwin": "osx"}.get(sys.platform, "linux")
