"""What OpenVR's errors mean to a person.

The texts of pyopenvr's exceptions are empty: their class names say what happened.
"""

from __future__ import annotations

import sys

from openvr.error_code import OpenVRError

from artem_vr.errors import HeadsetError, HeadsetGpuError

FAILURES = (OpenVRError, KeyError, ValueError)
"""What a call of pyopenvr can raise: its own errors, KeyError for a number it has no class for, and ValueError for a
table of functions that is not there."""

INSTALL = "Install SteamVR from Steam and start it once"
REPAIR = "Let Steam check SteamVR's files (SteamVR, Properties, Installed files), or install it again"
CONNECT = "Connect the headset, switch it on, and look in SteamVR's window for what it misses"
RESTART = "Restart SteamVR"

_INIT = {
    "Init_PathRegistryNotFound": ("SteamVR is not installed", INSTALL),
    "Init_InstallationNotFound": ("SteamVR is not where its registry says", REPAIR),
    "Init_InstallationCorrupt": ("SteamVR's installation is damaged", REPAIR),
    "Init_VRClientDLLNotFound": ("SteamVR's client library is missing", REPAIR),
    "Init_HmdNotFound": ("No headset is connected", CONNECT),
    "Init_HmdNotFoundPresenceFailed": ("No headset is connected", CONNECT),
    "Init_NoServerForBackgroundApp": ("SteamVR is not running", "Start SteamVR first, or choose --headset openvr"),
    "Init_InitCanceledByUser": ("SteamVR's start was cancelled", RESTART),
    "Init_AnotherAppLaunching": ("SteamVR is starting another program", "Try again when that program runs"),
    "Init_ShuttingDown": ("SteamVR is shutting down", RESTART),
    "Init_Retry": ("SteamVR is busy", "Try again"),
    "Init_InterfaceNotFound": ("SteamVR is older than this program's openvr package", "Update SteamVR"),
    "Driver_WirelessHmdNotConnected": ("The wireless headset is not connected", CONNECT),
    "Driver_HmdInUse": ("Another program uses the headset", "Close it"),
    "Compositor_Failed": ("SteamVR's compositor does not start", RESTART),
}

_OF_THE_GPU = {
    "CompositorError_InvalidTexture",
    "CompositorError_TextureIsOnWrongDevice",
    "CompositorError_SharedTexturesNotSupported",
}
"""What submit says where a laptop's OpenGL runs on the GPU that has no headset."""


def _other_gpu() -> str:
    """What to do then. Windows asks for a program, and the python.exe of a virtual environment only starts another."""
    python = getattr(sys, "_base_executable", sys.executable)
    return f"Give {python} the headset's GPU (Windows: Settings, System, Display, Graphics, High performance)"


def name_of(error: BaseException) -> str:
    """The runtime's own name of an error: ``InitError_Init_HmdNotFound``."""
    if isinstance(error, KeyError) and error.args:
        return f"error number {error.args[0]}"
    return type(error).__name__


def explain_init(error: BaseException) -> HeadsetError:
    """A `HeadsetError` for an error of init: one line with the cause, the runtime's name for it, and the remedy."""
    name = name_of(error)
    if name == "OpenVRError" and "API version" in str(error):
        name = "InitError_Init_InterfaceNotFound"
    cause, remedy = _INIT.get(name.removeprefix("InitError_"), ("SteamVR does not start", RESTART))
    return HeadsetError(f"{cause} ({name})", remedy, name)


def explain(doing: str, error: BaseException) -> HeadsetError:
    """A `HeadsetError` for an error while the headset was in use."""
    name = name_of(error)
    if name in _OF_THE_GPU:
        return HeadsetGpuError(f"SteamVR cannot take its pictures ({name})", _other_gpu(), name)
    return HeadsetError(f"SteamVR failed while {doing} ({name})", RESTART, name)
