"""Headsets: the protocol, OpenVR, and the desktop that stands in for one."""
