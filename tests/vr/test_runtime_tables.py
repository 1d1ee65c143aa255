"""The test runtime's tables of functions have OpenVR's order, and its structures OpenVR's sizes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import openvr
import pytest

from tests.openvr_runtime import Runtime

TABLES = ["IVRSystem", "IVRCompositor", "IVRInput", "IVRTrackedCamera", "IVRApplications"]


@pytest.mark.parametrize("table", TABLES)
def test_slots_are_in_the_order_of_the_installed_package(runtime: Runtime, table: str) -> None:
    fields = [field[0] for field in getattr(openvr, f"{table}_FnTable")._fields_]
    assert runtime.slots(table) == fields


STRUCTURES = """
    VREvent_t TrackedDevicePose_t VRTextureWithPose_t Compositor_FrameTiming InputDigitalActionData_t
    InputAnalogActionData_t InputPoseActionData_t VRActiveActionSet_t CameraVideoStreamFrameHeader_t HmdMatrix34_t
    HmdMatrix44_t VRTextureBounds_t
""".split()  # noqa: SIM905


@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures_have_the_sizes_of_the_installed_package(runtime: Runtime, structure: str) -> None:
    assert runtime.size_of(structure) == ctypes.sizeof(getattr(openvr, structure))


def test_an_unused_slot_names_itself(runtime: Runtime) -> None:
    """Called in a process of its own, since it ends it."""
    code = (
        "import openvr; system = openvr.init(openvr.VRApplication_Scene); "
        "system.getSeatedZeroPoseToStandingAbsoluteTrackingPose()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "IVRSystem.getSeatedZeroPoseToStandingAbsoluteTrackingPose was called" in done.stderr
