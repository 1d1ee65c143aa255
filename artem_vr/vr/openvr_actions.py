"""The wearer's hands through OpenVR's action system: buttons and sticks in, ticks out.

What is bound to what is the runtime's business: actions/ has the manifest and the bindings we ship, and the wearer
may change them in SteamVR.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import openvr

from artem_vr.vr.commands import (
    BUTTONS,
    STRENGTH_BUTTONS,
    Buttons,
    Command,
    Hand,
    Kind,
    notice,
    stick_to_strength,
    strength,
)
from artem_vr.vr.openvr_errors import FAILURES, name_of
from artem_vr.vr.openvr_properties import rows_to_matrix
from artem_vr.vr.poses import Matrix, is_rigid

MANIFEST = Path(__file__).resolve().with_name("actions") / "actions.json"
ACTION_SET = "/actions/main"
ANY_DEVICE = openvr.k_ulInvalidInputValueHandle

TICK_SECONDS, TICK_HZ, TICK_STRENGTH = 0.03, 160.0, 0.6
"""Short and weak: to be felt, not heard."""

log = logging.getLogger(__name__)


class Actions:
    """Reads the action set. To be made before the first event is polled: the manifest must be set before.

    Raises:
        openvr.error_code.OpenVRError, and what else pyopenvr raises: the runtime refuses the manifest.
    """

    def __init__(self, manifest: Path = MANIFEST) -> None:
        self._input = openvr.VRInput()
        self._input.setActionManifestPath(str(manifest))
        self._sets = (openvr.VRActiveActionSet_t * 1)()
        self._sets[0].ulActionSet = self._input.getActionSetHandle(ACTION_SET)
        self._button_handles = {name: self._handle(f"in/{name}") for name in BUTTONS}
        self._strength = self._handle("in/strength")
        self._strength_buttons = {self._handle(f"in/{name}"): way for name, way in STRENGTH_BUTTONS.items()}
        self._hand_pose = self._handle("in/hand_pose")
        self._haptic = self._handle("out/haptic")
        hands: tuple[Hand, ...] = ("left", "right")
        self._hands = {hand: self._input.getInputSourceHandle(f"/user/hand/{hand}") for hand in hands}
        self._buttons = Buttons()
        self._failing = False

    def poll(self, seconds: float) -> list[Command]:
        """What the hands asked for since the last call, ``seconds`` ago."""
        try:
            self._input.updateActionState(self._sets)
            down = {name: self._pressed(handle) for name, handle in self._button_handles.items()}
            change = stick_to_strength(self._deflection(), seconds)
            commands = [replace(one, hand=self._hand_of(one.kind)) for one in self._buttons.update(down)]
        except FAILURES as error:
            told = [] if self._failing else [notice(f"SteamVR gives no controller input ({name_of(error)})")]
            self._failing = True
            return [*self._buttons.update({}), *told]
        self._failing = False
        return [*commands, strength(change)] if change else commands

    def _hand_of(self, kind: Kind) -> Hand:
        """Which hand holds the button for ``kind`` down; both where it is neither, or cannot be told."""
        handle = next(self._button_handles[name] for name, one in BUTTONS.items() if one is kind)
        hands = [hand for hand, source in self._hands.items() if self._pressed(handle, source)]
        return hands[0] if len(hands) == 1 else "both"

    def pulse(self, hand: Hand) -> None:
        """A tick in one hand or both; nothing where there is no controller."""
        for name, handle in self._hands.items():
            if hand in (name, "both"):
                try:
                    self._input.triggerHapticVibrationAction(
                        self._haptic, 0.0, TICK_SECONDS, TICK_HZ, TICK_STRENGTH, handle
                    )
                except FAILURES as error:
                    log.debug("no haptic pulse in the %s hand (%s)", name, name_of(error))

    def hand_poses(self) -> dict[str, Matrix]:
        """Hand-to-tracking-space of each hand that is tracked now, by "left" and "right"."""
        poses: dict[str, Matrix] = {}
        for name, handle in self._hands.items():
            try:
                data = self._input.getPoseActionDataForNextFrame(
                    self._hand_pose, openvr.TrackingUniverseStanding, handle
                )
            except FAILURES:
                continue
            if data.bActive and data.pose.bPoseIsValid:
                matrix = rows_to_matrix(data.pose.mDeviceToAbsoluteTracking)
                if is_rigid(matrix):
                    poses[name] = matrix
        return poses

    def _handle(self, name: str) -> int:
        return int(self._input.getActionHandle(f"{ACTION_SET}/{name}"))

    def _pressed(self, handle: int, source: int = ANY_DEVICE) -> bool:
        data = self._input.getDigitalActionData(handle, source)
        return bool(data.bActive and data.bState)

    def _deflection(self) -> float:
        """Up or down, -1..1, of a button that stands for a stick, else of the stick."""
        held = sum(way for handle, way in self._strength_buttons.items() if self._pressed(handle))
        return held or self._stick()

    def _stick(self) -> float:
        """Up or down, -1..1; 0 while it is pushed more to a side, where the next painting is."""
        data = self._input.getAnalogActionData(self._strength, ANY_DEVICE)
        upright = data.bActive and math.isfinite(data.y) and abs(data.y) > abs(data.x)
        return float(data.y) if upright else 0.0
