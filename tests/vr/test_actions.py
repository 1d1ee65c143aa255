"""The action manifest, the shipped bindings, and that every action works with every one of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import openvr
import pytest

from artem_vr.vr.commands import BUTTONS, STRENGTH_BUTTONS, Command, Kind, compare
from artem_vr.vr.openvr_actions import MANIFEST
from artem_vr.vr.openvr_headset import OpenVRHeadset
from tests.openvr_runtime import CONTROLLERS, Runtime

CONTENT: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
ACTIONS: dict[str, str] = {action["name"]: action["type"] for action in CONTENT["actions"]}
BOOLEANS = [name for name, kind in ACTIONS.items() if kind == "boolean"]

PARTS: dict[str, dict[str, set[str]]] = {
    "knuckles": {"both": {"a", "b", "trigger", "grip", "thumbstick", "trackpad"}},
    "vive_controller": {"both": {"application_menu", "trigger", "grip", "trackpad"}},
    "oculus_touch": {"both": {"joystick", "trigger", "grip"}, "left": {"x", "y"}, "right": {"a", "b"}},
    "holographic_controller": {"both": {"application_menu", "trigger", "grip", "trackpad", "joystick"}},
    "hpmotioncontroller": {"both": {"joystick", "trigger", "grip"}, "left": {"x", "y"}, "right": {"a", "b"}},
    "vive_cosmos_controller": {
        "both": {"joystick", "trigger", "grip", "bumper"},
        "left": {"x", "y"},
        "right": {"a", "b"},
    },
    "pico_controller": {"both": {"joystick", "trigger", "grip"}, "left": {"x", "y"}, "right": {"a", "b"}},
    "generic": {"both": {"application_menu", "trigger", "grip", "trackpad"}},
}
"""What each controller has, by hand."""

MODES = {
    "button": {"click", "long"},
    "dpad": {"north", "south", "east", "west", "center"},
    "joystick": {"position", "click"},
    "trackpad": {"position", "click", "touch"},
}


def binding(kind: str) -> dict[str, Any]:
    url = {entry["controller_type"]: entry["binding_url"] for entry in CONTENT["default_bindings"]}[kind]
    content: dict[str, Any] = json.loads((MANIFEST.parent / url).read_text(encoding="utf-8"))
    return content


def frame(headset: OpenVRHeadset) -> list[Any]:
    """One frame of the render loop; its commands."""
    poses = headset.begin_frame()
    headset.submit(1, 2, poses.head_to_world)
    headset.end_frame()
    return list(headset.poll_commands())


def test_the_manifest_has_a_binding_for_each_controller() -> None:
    assert tuple(entry["controller_type"] for entry in CONTENT["default_bindings"]) == CONTROLLERS


def test_names_are_lower_case_and_types_known() -> None:
    for name, kind in ACTIONS.items():
        assert re.fullmatch(r"/actions/main/(in|out)/[a-z_]+", name)
        assert kind in {"boolean", "vector2", "pose", "vibration"}
        assert ("/out/" in name) == (kind == "vibration")


def test_code_and_manifest_speak_of_the_same_buttons() -> None:
    assert {f"/actions/main/in/{name}" for name in (*BUTTONS, *STRENGTH_BUTTONS)} == set(BOOLEANS)


@pytest.mark.parametrize("language", [entry["language_tag"] for entry in CONTENT["localization"]])
def test_every_action_has_a_name_that_people_read(language: str) -> None:
    (words,) = [entry for entry in CONTENT["localization"] if entry["language_tag"] == language]
    assert set(words) == {"language_tag", "/actions/main", *ACTIONS}
    assert all(words.values())


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_binding_names_what_the_controller_and_the_manifest_have(kind: str) -> None:
    content = binding(kind)
    assert content["controller_type"] == kind
    group = content["bindings"]["/actions/main"]
    for source in group["sources"]:
        _, _, _, hand, _, part = source["path"].split("/")
        assert part in PARTS[kind]["both"] | PARTS[kind].get(hand, set()), source["path"]
        for component, bound in source["inputs"].items():
            assert component in MODES[source["mode"]], (source["path"], component)
            expected = "vector2" if component == "position" else "boolean"
            assert ACTIONS[bound["output"]] == expected
    for section, expected, end in (("poses", "pose", "/pose/tip"), ("haptics", "vibration", "/output/haptic")):
        assert {one["path"] for one in group[section]} == {f"/user/hand/{hand}{end}" for hand in ("left", "right")}
        assert all(ACTIONS[one["output"]] == expected for one in group[section])


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_no_input_does_two_things(kind: str) -> None:
    sources = binding(kind)["bindings"]["/actions/main"]["sources"]
    inputs = [(source["path"], component) for source in sources for component in source["inputs"]]
    assert len(inputs) == len(set(inputs))


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_sticks_are_flicked_and_pads_are_clicked(kind: str) -> None:
    """By default SteamVR takes a finger that rests on a pad for a press."""
    for source in binding(kind)["bindings"]["/actions/main"]["sources"]:
        part, way = source["path"].rsplit("/", 1)[1], source.get("parameters", {}).get("sub_mode")
        if source["mode"] == "dpad":
            assert way == ("click" if part == "trackpad" else "touch"), source["path"]
        assert "position" not in source["inputs"] or part in ("joystick", "thumbstick"), "a thumb rests on a pad"
        assert part != "grip" or set(source["inputs"]) == {"long"}, "whoever holds a controller squeezes it"


@pytest.mark.parametrize("kind", CONTROLLERS)
@pytest.mark.parametrize("hand", ["left", "right"])
@pytest.mark.parametrize("name", BUTTONS)
def test_every_button_works_with_either_hand_alone(
    headset: OpenVRHeadset, runtime: Runtime, kind: str, hand: str, name: str
) -> None:
    runtime.connect_controllers(kind, (hand,))
    frame(headset)
    meant, action = BUTTONS[name], f"/actions/main/in/{name}"
    inputs = [one for one in runtime.physical_inputs(kind, action) if one[0] == hand]
    assert inputs, f"the {hand} {kind} has no input for {action}"
    for _, part, component in inputs:
        assert runtime.press(hand, part, component) == [action]
        commands = frame(headset)
        assert [command.kind for command in commands] == [meant], (hand, part)
        assert frame(headset) == [], "held is not pressed again"
        runtime.release(hand, part, component)
        released = frame(headset)
        assert released == ([compare(False)] if meant is Kind.COMPARE else [])


@pytest.mark.parametrize("kind", CONTROLLERS)
@pytest.mark.parametrize("hand", ["left", "right"])
def test_strength_changes_with_either_hand_alone(
    headset: OpenVRHeadset, runtime: Runtime, kind: str, hand: str
) -> None:
    runtime.connect_controllers(kind, (hand,))
    frame(headset)
    sticks = [one for one in runtime.physical_inputs(kind, "/actions/main/in/strength") if one[0] == hand]
    pads = {
        name: [one for one in runtime.physical_inputs(kind, f"/actions/main/in/{name}") if one[0] == hand]
        for name in STRENGTH_BUTTONS
    }
    assert sticks or all(pads.values()), f"nothing of the {hand} {kind} changes strength"
    for _, part, component in sticks:
        assert component == "position"
        for y, sign in ((0.9, 1), (-0.9, -1)):
            runtime.push_stick(hand, part, 0.3, y)
            check_strength(frame(headset), sign)
        for y in (0.1, 0.6, -0.6):
            runtime.push_stick(hand, part, 0.8, y)
            assert frame(headset) == [], "sideways is the next painting, and nothing else"
        runtime.push_stick(hand, part, 0.0, 0.0)
        assert frame(headset) == []
    for name, inputs in pads.items():
        for _, part, component in inputs:
            runtime.press(hand, part, component)
            for _ in range(3):  # as long as it is held
                check_strength(frame(headset), STRENGTH_BUTTONS[name])
            runtime.release(hand, part, component)
            assert frame(headset) == []


def check_strength(commands: list[Command], sign: float) -> None:
    """It is changed this way, by a little."""
    (command,) = commands
    assert command.kind is Kind.STRENGTH
    assert 0 < command.value * sign < 0.2


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_hands_are_felt_and_seen_with_every_binding(headset: OpenVRHeadset, runtime: Runtime, kind: str) -> None:
    runtime.connect_controllers(kind)
    frame(headset)
    assert set(headset.hand_poses()) == {"left", "right"}
    headset.pulse("left")
    assert (runtime.count.pulses, runtime.last_pulse) == (1, "/user/hand/left")
    headset.pulse("both")
    assert (runtime.count.pulses, runtime.last_pulse) == (3, "/user/hand/right")


def test_controllers_asleep_at_first_wake_up(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.connect_controllers("knuckles", asleep=3)
    runtime.press("right", "a")
    assert [frame(headset) for _ in range(3)] == [[], [], []]
    assert [command.kind for command in frame(headset)] == [Kind.NEXT_STYLE]


def test_a_controller_that_goes_lets_go_of_its_buttons(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.connect_controllers("oculus_touch")
    runtime.press("right", "trigger")
    assert frame(headset) == [replace(compare(True), hand="right")]
    runtime.disconnect("right")
    assert frame(headset) == [compare(False)]
    assert set(headset.hand_poses()) == {"left"}
    assert len(headset.controllers) == 1


def test_no_controllers_at_all(headset: OpenVRHeadset, runtime: Runtime) -> None:
    assert [frame(headset) for _ in range(3)] == [[], [], []]
    assert headset.controllers == []
    assert headset.hand_poses() == {}
    headset.pulse()


def test_the_manifest_is_set_before_anything_else(headset: OpenVRHeadset, runtime: Runtime) -> None:
    frame(headset)
    assert runtime.manifest_path == MANIFEST  # which also looks at the order
    assert runtime.manifest_path.is_absolute()


@pytest.mark.parametrize("trouble", ["lack", "break_interface"])
def test_without_an_action_system_the_headset_still_shows_and_says_so(runtime: Runtime, trouble: str) -> None:
    getattr(runtime, trouble)("IVRInput")
    with OpenVRHeadset() as headset:
        (told,) = frame(headset)
        assert told.kind is Kind.NOTICE and "controllers do nothing" in told.text
        assert frame(headset) == []
        headset.pulse()
        assert runtime.count.submits == 4


def test_a_binding_that_cannot_be_loaded_is_told(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.push_event(openvr.VREvent_Input_BindingLoadFailed)
    (told,) = frame(headset)
    assert told.kind is Kind.NOTICE and "SteamVR could not load a binding" in told.text


def test_whose_button_it_is(headset: OpenVRHeadset, runtime: Runtime) -> None:
    runtime.connect_controllers("knuckles")
    frame(headset)
    for hands in (("right",), ("left",), ("left", "right")):
        for hand in hands:
            runtime.press(hand, "a")
        (command,) = frame(headset)
        assert command.kind is Kind.NEXT_STYLE
        assert command.hand == (hands[0] if len(hands) == 1 else "both")
        for hand in hands:
            runtime.release(hand, "a")
        assert frame(headset) == []
