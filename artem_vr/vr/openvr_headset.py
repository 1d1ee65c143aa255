"""A headset through SteamVR.

pyopenvr and its structures stay in the modules whose names begin with ``openvr_``. They use only what the packages
openvr 2.5.102 (for older SteamVR) and 2.12 both have, and take every call as one that may fail: real runtimes do not
know all properties, let controllers and focus come and go, and pyopenvr raises for each of these.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import TracebackType
from typing import Any

import numpy as np
import openvr

from artem_vr.errors import HeadsetError
from artem_vr.vr.camera_process import CameraProcess
from artem_vr.vr.commands import QUIT, Command, Hand, notice
from artem_vr.vr.headset import Focus, FramePoses, HeadsetCamera, Matrix
from artem_vr.vr.openvr_actions import Actions
from artem_vr.vr.openvr_camera import has_camera
from artem_vr.vr.openvr_errors import FAILURES, explain, explain_init, name_of
from artem_vr.vr.openvr_library import introduce
from artem_vr.vr.openvr_properties import HMD, Properties, rows_to_matrix
from artem_vr.vr.pacing import VsyncCount, displayed_after
from artem_vr.vr.poses import inverse, is_rigid, levelled, product, projection, translation
from artem_vr.vr.put_on import PutOn
from artem_vr.vr.quiet import quiet_library

DEFAULT_EYE_SIZE = (1512, 1680)
"""A Vive's: where the runtime recommends nothing that makes sense."""
DEFAULT_TANGENTS = (-1.0, 1.0, -1.0, 1.0)
"""90 degrees each way: likewise."""
DEFAULT_EYES = [translation(-0.032, 0, 0), translation(0.032, 0, 0)]
"""Likewise."""
MOST_FAILURES = 100
"""Frames in a row without poses, before we believe that the runtime has gone."""
ACTIVITY_SECONDS = 0.25
"""How often the runtime is asked whether the headset is used."""
DISPLAY_SECONDS = 1.0
"""... and how the displays are set: no event tells of the slider that changes their size, and not every driver tells
when the lenses were moved (openvr#287). A size that holds so long is believed, as each is another compiled network."""
MOST_EVENTS = 64
"""Taken a frame, so that a flood of events delays no frame."""

DISCONTINUITY = 0x20
"""Submit_FrameDiscontinuity; openvr 2.5 spells the name another way."""
REFUSALS = (
    openvr.error_code.CompositorError_InvalidTexture,
    openvr.error_code.CompositorError_IsNotSceneApplication,
    openvr.error_code.CompositorError_TextureIsOnWrongDevice,
    openvr.error_code.CompositorError_TextureUsesUnsupportedFormat,
    openvr.error_code.CompositorError_SharedTexturesNotSupported,
)
"""Errors of submit that will come again with the next frame; all others pass."""

log = logging.getLogger(__name__)


class OpenVRHeadset:
    """A `Headset` on SteamVR.

    Starts SteamVR if it is installed and not running. From construction to `close` this process is a scene
    application: the one that has the headset.

    The world's origin is recentred at the first pose, and anew each time the headset is put on (`PutOn`), until the
    wearer has said by a recentring where it is to be.

    Args:
        clock, sleep: seconds; replaced in tests.

    Raises:
        HeadsetError: no SteamVR, no headset, or one that does not start.
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._system, self._compositor = _start()
        self._open = True
        introduce()
        self._actions, trouble = _actions()
        self._untold = [notice(trouble)] if trouble else []
        self._properties = Properties(self._system)
        self._camera: CameraProcess | None = None

        self._poses = (openvr.TrackedDevicePose_t * openvr.k_unMaxTrackedDeviceCount)()
        self._frame = 0
        self._failures = 0
        self._head: Matrix | None = None  # the last pose that was tracked, in tracking space
        self._given: Matrix = np.eye(4, dtype=np.float32)  # head-to-world of the last frame
        self._tracked = False
        self._origin: Matrix = np.eye(4, dtype=np.float32)  # world to tracking space
        self._from_tracking = self._origin  # and back
        self._recenter = True  # at the first pose: the screen is to be in front of the wearer, wherever that is
        self._put_on = PutOn()
        self._activity_at = float("-inf")  # when the runtime was last asked for it
        self._level: int | None = None  # of activity, the last one that was known
        self._chosen = False  # the wearer has recentred
        self._jumped = False

        self._hidden = self._standby = self._dashboard = self._submitted = self._quitting = False
        self._vsyncs = VsyncCount()
        self._polled_at = clock()
        self._ask_activity(self._polled_at)  # before the first pose: is it a wearer's?
        self._standby = self._level == ASLEEP  # it fell asleep before we could be told
        if self._standby:
            self._put_on.sleep(None)

        self.eye_size = self._size_asked = self._recommended_size()
        self._display_at = clock()
        self.name = self._full_name()
        self._read_optics()

    # ---- what the headset is ----------------------------------------------------------------------------------

    def _recommended_size(self) -> tuple[int, int]:
        width, height = self._system.getRecommendedRenderTargetSize()
        return (int(width), int(height)) if width and height else DEFAULT_EYE_SIZE

    def _full_name(self) -> str:
        maker = self._properties.text(HMD, openvr.Prop_ManufacturerName_String)
        model = self._properties.text(HMD, openvr.Prop_ModelNumber_String)
        return " ".join(part for part in (maker, model) if part) or "Headset"

    def _read_optics(self) -> None:
        """What changes with the lenses' distance, with the refresh rate, or with the driver."""
        eyes = (openvr.Eye_Left, openvr.Eye_Right)
        left, right = (_projection(self._system.getProjectionRaw(eye)) for eye in eyes)
        self.projections: tuple[Matrix, Matrix] = (left, right)
        places = [rows_to_matrix(self._system.getEyeToHeadTransform(eye)) for eye in eyes]
        sound = all(is_rigid(place) for place in places)
        self.eye_to_head: Matrix = np.stack(places if sound else DEFAULT_EYES)
        number = self._properties.number
        self.refresh_hz = number(HMD, openvr.Prop_DisplayFrequency_Float, 90.0, 20.0, 500.0)
        self._to_photons = number(HMD, openvr.Prop_SecondsFromVsyncToPhotons_Float, 0.0, 0.0, 0.1)

    @property
    def missed_vsyncs(self) -> int:
        return self._vsyncs.missed

    @property
    def controllers(self) -> list[str]:
        """The controllers that are connected now, by model."""
        found = []
        for device in range(1, openvr.k_unMaxTrackedDeviceCount):
            if self._system.getTrackedDeviceClass(device) != openvr.TrackedDeviceClass_Controller:
                continue
            if self._system.isTrackedDeviceConnected(device):
                model = self._properties.text(device, openvr.Prop_ModelNumber_String)
                found.append(model or self._properties.text(device, openvr.Prop_ControllerType_String, "controller"))
        return found

    # ---- a frame ----------------------------------------------------------------------------------------------

    def begin_frame(self) -> FramePoses:
        self._wait()
        self._frame += 1
        self._take_pose()
        focus = self._focus()
        return FramePoses(
            frame=self._frame,
            head_to_world=self._given,
            displayed_at=self._clock() + self._seconds_until_displayed(),
            tracked=self._tracked,
            focus=focus,
            should_render=focus in (Focus.FOCUSED, Focus.VISIBLE) and not self._quitting,
            reduce_work=bool(self._system.shouldApplicationReduceRenderingWork()),
            tracking_to_world=self._from_tracking,
        )

    def _wait(self) -> None:
        try:
            self._compositor.waitGetPoses(self._poses, None)
        except openvr.error_code.CompositorError_DoNotHaveFocus:
            self._hidden = True  # and the runtime has let us wait a tenth of a second
            self._failures = 0
        except FAILURES as error:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise explain("waiting for the next frame", error) from error
            self._hidden = True
            self._sleep(1 / self.refresh_hz)
        else:
            self._hidden = False
            self._failures = 0

    def _take_pose(self) -> None:
        """The newest pose of the head; the last good one while there is none."""
        pose = self._poses[HMD]
        matrix = rows_to_matrix(pose.mDeviceToAbsoluteTracking)
        self._tracked = bool(pose.bPoseIsValid) and not self._hidden and is_rigid(matrix)
        if not self._tracked:
            return
        self._head = matrix
        put_on = self._put_on.follows(matrix, self._clock())
        if self._recenter or (put_on and not self._chosen):  # where the headset lay is not where the wearer is
            self._origin = levelled(matrix)
            self._from_tracking = inverse(self._origin)
            self._recenter, self._jumped = False, True
        self._given = self._to_world(matrix)

    def _to_world(self, head: Matrix) -> Matrix:
        return product(self._from_tracking, head)

    def _seconds_until_displayed(self) -> float:
        try:
            known, since_vsync, _ = self._system.getTimeSinceLastVsync()
        except FAILURES:
            known = False
        return displayed_after(self._to_photons, since_vsync if known else 0.0, 1 / self.refresh_hz)

    def _focus(self) -> Focus:
        if self._hidden:
            return Focus.HIDDEN
        if self._standby:
            return Focus.STANDBY
        # Before the first picture every runtime asks for a pause: waiting for it to end would be waiting for ever.
        pause = self._submitted and self._system.shouldApplicationPause()
        return Focus.VISIBLE if self._dashboard or pause else Focus.FOCUSED

    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        if self._hidden:
            return False
        # The runtime takes the pose it gave last for the one we drew with; if that is another, it must be told. While
        # tracking is lost it is: what the runtime gave then is no pose.
        late = not self._tracked or not np.array_equal(head_pose, self._given)
        flags = openvr.Submit_TextureWithPose if late else openvr.Submit_Default
        flags |= DISCONTINUITY if self._jumped else 0
        try:
            for eye, texture in ((openvr.Eye_Left, left_texture), (openvr.Eye_Right, right_texture)):
                self._compositor.submit(eye, self._texture(texture, head_pose if late else None), None, flags)
        except REFUSALS as error:
            raise explain("taking the pictures", error) from error
        except openvr.error_code.CompositorError_DoNotHaveFocus:
            return False
        except FAILURES as error:
            log.debug("frame %d was not taken (%s)", self._frame, name_of(error))
            return False
        self._submitted, self._jumped = True, False
        return True

    def _texture(self, texture: int, head_pose: Matrix | None) -> Any:
        kind = openvr.Texture_t if head_pose is None else openvr.VRTextureWithPose_t
        result = kind()
        result.handle = int(texture)
        result.eType = openvr.TextureType_OpenGL
        result.eColorSpace = openvr.ColorSpace_Gamma
        if head_pose is not None:
            tracking = product(self._origin, head_pose)
            for row in range(3):
                for column in range(4):
                    result.mDeviceToAbsoluteTracking.m[row][column] = float(tracking[row, column])
        return result

    def end_frame(self) -> None:
        try:
            self._compositor.postPresentHandoff()
            known, timing = self._compositor.getFrameTiming(0)
        except FAILURES:
            return
        if known and not self._hidden:
            self._vsyncs = self._vsyncs.updated(int(timing.m_nFrameIndex), int(timing.m_nNumDroppedFrames))

    # ---- the wearer and the runtime -----------------------------------------------------------------------------

    def poll_commands(self) -> list[Command]:
        commands = [*self._untold, *self._events()]
        self._untold.clear()
        now = self._clock()
        seconds, self._polled_at = now - self._polled_at, now
        self._ask_activity(now)
        self._ask_display(now)
        if self._actions is not None:
            commands += self._actions.poll(seconds)
        return commands

    def _events(self) -> Iterator[Command]:
        event = openvr.VREvent_t()
        for _ in range(MOST_EVENTS):
            if not self._system.pollNextEvent(event):
                return
            kind, device = int(event.eventType), int(event.trackedDeviceIndex)
            if kind == openvr.VREvent_Quit:
                if not self._quitting:
                    self._system.acknowledgeQuit_Exiting()  # at once: SteamVR kills who is silent for 5 s
                    self._quitting = True
                    yield QUIT
            elif kind == openvr.VREvent_EnterStandbyMode and device == HMD:
                self._standby = True
                self._put_on.sleep(self._head)
            elif kind == openvr.VREvent_LeaveStandbyMode and device == HMD:
                self._standby = False
                self._put_on.wake()
            elif kind == openvr.VREvent_DashboardActivated:
                self._dashboard = True
            elif kind == openvr.VREvent_DashboardDeactivated:
                self._dashboard = False
            elif kind in _RECENTRED_IN_THE_MENU:
                self.recenter()
            elif kind == openvr.VREvent_ChaperoneUniverseHasChanged:
                self._recenter, self._chosen = True, False  # what was chosen is nowhere in the new space
            elif kind in _OPTICS_CHANGED:
                self._read_optics()
            elif kind in _DEVICES:
                log.info("%s: device %d (%s)", _DEVICES[kind], device, self._device_name(device))
            elif kind in _INPUT_TROUBLE:
                yield notice(f"{_INPUT_TROUBLE[kind]}: look at the bindings of Art'Em VR in SteamVR's settings")

    def _device_name(self, device: int) -> str:
        return self._properties.text(device, openvr.Prop_ModelNumber_String, "unknown")

    def pulse(self, hand: Hand = "both") -> None:
        if self._actions is not None:
            self._actions.pulse(hand)

    def hand_poses(self) -> dict[str, Matrix]:
        """Hand-to-world of each hand that is tracked now, by "left" and "right"."""
        found = self._actions.hand_poses() if self._actions is not None else {}
        return {hand: self._to_world(pose) for hand, pose in found.items()}

    def recenter(self) -> None:
        self._recenter, self._chosen = True, not self._standby  # from a desk nobody chooses

    def _ask_activity(self, now: float) -> None:
        """Learn now and then whether somebody uses the headset: not every putting on comes with the end of standby."""
        if now - self._activity_at < ACTIVITY_SECONDS:
            return
        self._activity_at = now
        try:
            level = int(self._system.getTrackedDeviceActivityLevel(HMD))
        except FAILURES:
            level = None
        used = _USED.get(level)
        self._put_on.use(used)
        if used is None:
            return
        if self._level == ASLEEP and level != ASLEEP:  # not every waking comes with an event
            self._standby = False
        self._level = level

    def _ask_display(self, now: float) -> None:
        """Follow what a person can change at any time: render resolution, refresh rate, the lenses' distance."""
        if now - self._display_at < DISPLAY_SECONDS:
            return
        self._display_at = now
        try:
            width, height = self._system.getRecommendedRenderTargetSize()
            self._read_optics()
        except FAILURES:
            return
        size = int(width), int(height)
        if size == self._size_asked and 0 not in size:
            self.eye_size = size
        self._size_asked = size

    def camera(self) -> HeadsetCamera | None:
        if self._camera is None and has_camera():
            try:
                self._camera = CameraProcess(lambda: self._standby)
            except HeadsetError as error:
                self._untold.append(notice(str(error).rstrip(".")))
        return self._camera

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._camera is not None:
            self._camera.close()
        openvr.shutdown()

    def __enter__(self) -> OpenVRHeadset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_RECENTRED_IN_THE_MENU = (openvr.VREvent_StandingZeroPoseReset, openvr.VREvent_SeatedZeroPoseReset)
ASLEEP = openvr.k_EDeviceActivityLevel_Standby
_USED: dict[int | None, bool] = {
    openvr.k_EDeviceActivityLevel_UserInteraction: True,
    openvr.k_EDeviceActivityLevel_UserInteraction_Timeout: False,
    openvr.k_EDeviceActivityLevel_Idle: False,
    openvr.k_EDeviceActivityLevel_Idle_Timeout: False,
    ASLEEP: False,
}
"""Whether somebody uses the headset; what is not here, nobody knows."""
_OPTICS_CHANGED = (openvr.VREvent_IpdChanged, openvr.VREvent_LensDistortionChanged, openvr.VREvent_PropertyChanged)
_DEVICES = {
    openvr.VREvent_TrackedDeviceActivated: "connected",
    openvr.VREvent_TrackedDeviceDeactivated: "disconnected",
}
_INPUT_TROUBLE = {
    openvr.VREvent_Input_BindingLoadFailed: "SteamVR could not load a binding",
    openvr.VREvent_Input_ActionManifestLoadFailed: "SteamVR could not load the action manifest",
}


def probe() -> None:
    """Whether SteamVR runs, without starting it.

    Raises:
        HeadsetError: it does not run or is not installed.
    """
    try:
        with quiet_library():
            openvr.init(openvr.VRApplication_Background)
    except FAILURES as error:
        raise explain_init(error) from error
    openvr.shutdown()


def _start() -> tuple[Any, Any]:
    """IVRSystem and IVRCompositor of a new session."""
    # Beside a window that runs, in another thread, what others say on standard error must not be lost while SteamVR
    # starts; where it is not installed, that is known at once.
    with quiet_library():
        quick = threading.current_thread() is threading.main_thread() or not openvr.isRuntimeInstalled()
    try:
        with quiet_library() if quick else nullcontext():
            system = openvr.init(openvr.VRApplication_Scene)
        compositor = openvr.VRCompositor()
        compositor.setTrackingSpace(openvr.TrackingUniverseStanding)
    except FAILURES as error:
        openvr.shutdown()
        raise explain_init(error) from error
    return system, compositor


def _actions() -> tuple[Actions | None, str]:
    """The action system; where it fails None and why: a headset without buttons is still a headset."""
    if not openvr.isInterfaceVersionValid(openvr.IVRInput_Version):
        return None, "The controllers do nothing: this SteamVR has no action system. Update it"
    try:
        return Actions(), ""
    except FAILURES as error:
        return None, f"The controllers do nothing: SteamVR does not take our actions ({name_of(error)}). Restart it"


def _projection(raw: tuple[float, float, float, float]) -> Matrix:
    """From OpenVR's left, right, top and bottom tangents, of which "top" is the one below, whatever its name."""
    left, right, top, bottom = raw
    if not (np.isfinite(raw).all() and left < right and top != bottom):
        left, right, top, bottom = DEFAULT_TANGENTS
    return projection(left, right, min(top, bottom), max(top, bottom))
