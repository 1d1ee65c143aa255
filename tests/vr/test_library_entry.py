"""SteamVR knows which program has the headset."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from artem_vr.vr.openvr_headset import OpenVRHeadset
from artem_vr.vr.openvr_library import APPLICATION_KEY, manifest_path
from tests.openvr_runtime import Runtime


def test_steamvr_is_told_who_we_are_before_it_reads_our_actions(headset: OpenVRHeadset, runtime: Runtime) -> None:
    assert runtime.identified == (os.getpid(), APPLICATION_KEY)
    assert runtime.application_manifest == str(manifest_path())


def test_steamvr_is_told_where_the_manifest_really_lies(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it must be where Windows shows a program another folder of that name."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real, target_is_directory=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(link))
    with OpenVRHeadset():
        assert runtime.application_manifest == str(real / manifest_path().relative_to(link))


def test_the_manifest_says_where_the_program_is(headset: OpenVRHeadset) -> None:
    (entry,) = json.loads(manifest_path().read_text(encoding="utf-8"))["applications"]
    assert entry["app_key"] == APPLICATION_KEY
    assert entry["launch_type"] == "binary"
    assert Path(entry["binary_path_linux"]).is_file()
    assert Path(entry["action_manifest_path"]).is_file()
    assert entry["strings"]["en_us"]["name"] == "Art'Em VR"


def test_the_bindings_carry_the_same_key() -> None:
    from artem_vr.vr.openvr_actions import MANIFEST

    for path in MANIFEST.parent.glob("bindings_*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["app_key"] == APPLICATION_KEY


def shows_pictures(runtime: Runtime) -> bool:
    with OpenVRHeadset() as headset:
        taken = headset.submit(1, 2, headset.begin_frame().head_to_world)
        runtime.connect_controllers("vive_controller")
        runtime.press("right", "trackpad", "east")
        return taken and runtime.identified == (0, "")


def test_a_steamvr_without_a_library_shows_pictures(runtime: Runtime) -> None:
    runtime.break_interface("IVRApplications")
    assert shows_pictures(runtime)


def test_a_steamvr_that_does_not_take_us_shows_pictures(runtime: Runtime) -> None:
    manifest_path().mkdir(parents=True)  # nothing can be written there
    assert shows_pictures(runtime)
