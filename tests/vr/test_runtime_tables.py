"""The test runtime's tables of functions have OpenVR's order, and its structures OpenVR's sizes."""

from __future__ import annotations

import ctypes

import openvr
import pytest

from tests.openvr_runtime import Runtime

TABLES = ["IVRSystem", "IVRCompositor", "IVRInput", "IVRTrackedCamera", "IVRApplications"]


@pytest.mark.parametrize("table", TABLES)
def test_slots_are_in_the_order_of_the_installed_package(runtime: Runtime, table: str) -> None:
    fields = [field[0] for field in getattr(openvr, f"{table}_FnTable")._fields_]
    assert runtime.slots(table) == fields


def test_an_event_is_packed(runtime: Runtime) -> None:
    assert ctypes.sizeof(openvr.VREvent_t) == 60


def test_an_unused_slot_names_itself(library: object, runtime: Runtime) -> None:
    """Called in a process of its own, since it ends it."""
    import os
    import subprocess
    import sys

    code = (
        "import openvr; system = openvr.init(openvr.VRApplication_Scene); "
        "system.getSeatedZeroPoseToStandingAbsoluteTrackingPose()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "IVRSystem.getSeatedZeroPoseToStandingAbsoluteTrackingPose was called" in done.stderr
