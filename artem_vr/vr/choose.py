"""Which headset: SteamVR's, or the desktop that stands in for one."""

from __future__ import annotations

from typing import Literal

from artem_vr.errors import HeadsetError
from artem_vr.vr.desktop_headset import DesktopHeadset
from artem_vr.vr.headset import Headset

Choice = Literal["auto", "openvr", "none"]


def open_headset(
    kind: Choice = "auto", desktop_eye_size: tuple[int, int] = (1080, 1080), desktop_hz: float = 60.0
) -> tuple[Headset, str | None]:
    """The headset of ``--headset``, and a line for the user where it is not the one hoped for.

    "auto" takes SteamVR if it is installed and running, else the desktop with the reason why not. "openvr" starts
    SteamVR if need be. "none" is the desktop.

    Raises:
        HeadsetError: "openvr" was asked for, and there is none.
    """
    if kind == "none":
        return DesktopHeadset(desktop_eye_size, desktop_hz), None
    try:
        return _open_openvr(only_if_running=kind == "auto"), None
    except HeadsetError as error:
        if kind == "openvr":
            raise
        return DesktopHeadset(desktop_eye_size, desktop_hz), f"{error} Going on without a headset."


def _open_openvr(only_if_running: bool) -> Headset:
    try:
        from artem_vr.vr import openvr_headset
    except (ImportError, OSError, ValueError) as error:  # no package, or no library in it for this machine
        name = type(error).__name__
        raise HeadsetError(f"The openvr package does not load ({name}: {error})", "pip install openvr", name) from error
    if only_if_running:
        openvr_headset.probe()
    return openvr_headset.OpenVRHeadset()
