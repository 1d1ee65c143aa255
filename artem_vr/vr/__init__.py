"""Headsets: the protocol, OpenVR, and the desktop that stands in for one."""

from artem_vr.vr.choose import Choice, open_headset

__all__ = ["Choice", "open_headset"]
