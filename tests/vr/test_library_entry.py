"""The program in SteamVR's library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from artem_vr.errors import HeadsetError
from artem_vr.vr.openvr_library import APPLICATION_KEY, register, unregister
from tests.openvr_runtime import Runtime
from tests.openvr_runtime import driver as ovr


def test_registering_tells_steamvr_where_the_program_is(runtime: Runtime, tmp_path: Path) -> None:
    path = register(tmp_path / "data")
    assert runtime.application_manifest == str(path)
    assert (runtime.count.manifests_added, runtime.count.shutdowns) == (1, 1)
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["applications"]
    assert entry["app_key"] == APPLICATION_KEY
    assert entry["launch_type"] == "binary"
    assert Path(entry["binary_path_linux"]).is_file()
    assert Path(entry["action_manifest_path"]).is_file()
    assert entry["strings"]["en_us"]["name"] == "Art'Em VR"


def test_the_bindings_carry_the_same_key() -> None:
    from artem_vr.vr.openvr_actions import MANIFEST

    for path in MANIFEST.parent.glob("bindings_*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["app_key"] == APPLICATION_KEY


def test_unregistering_takes_it_out_again(runtime: Runtime, tmp_path: Path) -> None:
    path = register(tmp_path / "data")
    unregister(tmp_path / "data")
    assert runtime.count.manifests_removed == 1
    assert not path.exists()


def test_no_steamvr_to_register_with(runtime: Runtime, tmp_path: Path) -> None:
    runtime.fail_init(scene=ovr.HMD_NOT_FOUND)
    with pytest.raises(HeadsetError, match="HmdNotFound"):
        register(tmp_path / "data")


def test_a_steamvr_without_a_library(runtime: Runtime, tmp_path: Path) -> None:
    runtime.break_interface("IVRApplications")
    with pytest.raises(HeadsetError, match="InterfaceNotFound"):
        register(tmp_path / "data")
    assert runtime.count.shutdowns == 1
