"""Drives the test runtime (the C files here) from Python: what the headset does, and what the program did to it.

    library = build(tmp_path_factory.mktemp("vrclient"))     # once: compiles with the system's cc
    with Runtime(library, tmp_path) as runtime:              # a fresh SteamVR; libopenvr_api finds it
        with OpenVRHeadset() as headset:
            runtime.connect_controllers("knuckles")
            runtime.press("right", "a")
            ...

`fixtures` has these as pytest fixtures. Each `Runtime` copies the library, so that each has a state of its own.
Time is virtual: see `Runtime.advance`, `Runtime.sleep` and `Runtime.set_pace`.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

SOURCES = sorted(Path(__file__).parent.glob("*.c"))
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra"]

CONTROLLERS = (
    "knuckles",
    "vive_controller",
    "oculus_touch",
    "holographic_controller",
    "hpmotioncontroller",
    "vive_cosmos_controller",
    "pico_controller",
    "generic",
)
HANDS = {"left": 1, "right": 2}
"""The number of each hand's controller: as an input source and as a tracked device."""

# Numbers of OpenVR's that tests speak of, by their own names.
QUIT, ENTER_STANDBY, LEAVE_STANDBY, DASHBOARD_OPENED, DASHBOARD_CLOSED = 700, 106, 107, 502, 503
DEVICE_CAME, DEVICE_WENT, IPD_CHANGED, ZERO_POSE_RESET = 100, 101, 105, 808
HMD, CONTROLLER = 1, 2
NO_SERVER, HMD_NOT_FOUND = 121, 108
UNKNOWN_ACTIVITY, IDLE, USED, USED_JUST_NOW, ASLEEP = -1, 0, 1, 2, 3
UNKNOWN_PROPERTY, INVALID_DEVICE = 4, 5
MAKER, MODEL, REFRESH_HZ, CONTROLLER_TYPE, CAMERA_LAYOUT, CAMERAS_TO_HEAD = 1005, 1001, 2002, 7000, 1040, 2055
MONO, STEREO, VERTICAL, HORIZONTAL = 1, 2, 0x10, 0x20

IDENTITY: npt.NDArray[np.float32] = np.eye(4, dtype=np.float32)


def build(folder: Path) -> Path:
    """Compile the runtime into ``folder``. Raises RuntimeError with the compiler's words: never a reason to skip."""
    target = folder / "vrclient.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, *FLAGS, "-o", str(target), *map(str, SOURCES), "-ldl", "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeError(f"the OpenVR tests need a C compiler, and there is no {compiler!r} on the PATH") from None
    if done.returncode:
        raise RuntimeError(f"the test runtime does not compile:\n{done.stderr}")
    return target


COUNTERS = """
    inits shutdowns waits submits handoffs quits_acknowledged action_updates pulses header_reads frame_reads
    camera_opened camera_closed frames_late vsyncs_missed vsyncs_without_submit events_polled
"""
SUBMISSION = "eye texture width height flags color_space format error"


class _Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in COUNTERS.split()]


class _Submission(ctypes.Structure):
    _fields_ = [
        ("frame", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in SUBMISSION.split()),
        ("pose", ctypes.c_float * 12),
        ("pixels", ctypes.POINTER(ctypes.c_uint8)),
    ]


@dataclass(frozen=True, eq=False)
class Submission:
    """One call of Submit.

    ``frame`` counts WaitGetPoses from 1; ``eye`` is "left" or "right"; ``pose`` (4, 4) is the one that the
    compositor works with, in tracking space; ``picture`` is (H, W, 4) uint8, top row first as the wearer sees it,
    or None where textures are not read back; ``error`` is OpenVR's number, 0 for none.
    """

    frame: int
    eye: str
    texture: int
    flags: int
    color_space: int
    error: int
    pose: npt.NDArray[np.float32]
    picture: npt.NDArray[np.uint8] | None


class Runtime:
    """A SteamVR with one headset, which the real libopenvr_api finds while this is entered.

    Args:
        library: what `build` made.
        folder: an empty folder for the runtime's files.
        read_back: copy every submitted texture (needs an OpenGL context); else texture numbers are not looked at.
        running: False plays a SteamVR that is installed but not started.
    """

    def __init__(self, library: Path, folder: Path, *, read_back: bool = False, running: bool = True) -> None:
        self.folder = folder
        self.registry = folder / "openvrpaths.vrpath"
        place = folder / "runtime" / "bin" / "linux64"
        place.mkdir(parents=True)
        for name in ("config", "log"):
            (folder / name).mkdir()
        copy = place / "vrclient.so"
        shutil.copy(library, copy)
        self.write_registry(folder / "runtime")
        self._library = ctypes.CDLL(str(copy))
        self._prepare_functions()
        self._call("rt_set_read_back", read_back)
        self._controllers: str | None = None
        self._environment: dict[str, str | None] = {}
        if not running:
            self.fail_init(background=NO_SERVER)
        self.set_property(0, MAKER, "Art'Em")
        self.set_property(0, MODEL, "Test headset")
        self.set_property(0, REFRESH_HZ, 90.0)

    # ---- life -------------------------------------------------------------------------------------------------

    def write_registry(self, runtime: Path) -> None:
        """Write the file that tells libopenvr_api where SteamVR is."""
        entries = {"runtime": runtime, "config": self.folder / "config", "log": self.folder / "log"}
        content = {name: [str(path)] for name, path in entries.items()}
        self.registry.write_text(json.dumps({"version": 1, "jsonid": "vrpathreg", **content}), encoding="utf-8")

    def __enter__(self) -> Runtime:
        folders = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(self.folder))
        wanted = {"VR_PATHREG_OVERRIDE": str(self.registry), **folders}
        self._environment = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def fail_init(self, scene: int = 0, background: int = 0) -> None:
        """Answer Init with OpenVR's error numbers: to programs with a scene, and to those in the background."""
        self._call("rt_set_init_errors", scene, background)

    def lack(self, interface: str) -> None:
        """Deny ``interface`` (part of its name) when asked whether it is there."""
        self._call("rt_set_interfaces", interface.encode(), b"")

    def break_interface(self, interface: str) -> None:
        """Say that ``interface`` is there, and then fail to give it, as some runtimes do."""
        self._call("rt_set_interfaces", b"", interface.encode())

    @property
    def count(self) -> Any:
        """Counters of what the program called: see Counters in runtime.h. A live view."""
        return self._library.rt_counters().contents

    # ---- the head, the eyes, the devices ----------------------------------------------------------------------

    def set_eye_size(self, width: int, height: int) -> None:
        """What the runtime recommends for one eye."""
        self._call("rt_set_eye_size", width, height)

    def set_eye(self, eye: str, tangents: tuple[float, float, float, float], to_head: npt.NDArray[np.float32]) -> None:
        """``tangents``: left, right, top, bottom as OpenVR says them (top is the smaller)."""
        self._call("rt_set_eye", int(eye == "right"), (ctypes.c_float * 4)(*tangents), _rows(to_head))

    def script_pose(self, frame: int, head: npt.NDArray[np.float32]) -> None:
        """The head's pose, in tracking space, that the ``frame``-th WaitGetPoses (from 1) gives, and later ones."""
        self._call("rt_script_pose", frame, _rows(head))

    def set_pose(self, head: npt.NDArray[np.float32]) -> None:
        """The pose from the next WaitGetPoses on."""
        self.script_pose(int(self.count.waits) + 1, head)

    @property
    def pose(self) -> npt.NDArray[np.float32]:
        """(4, 4): the head's pose in tracking space, as the last WaitGetPoses gave it."""
        rows = (ctypes.c_float * 12)()
        self._call("rt_get_pose", rows)
        return _matrix(rows)

    def set_tracked(self, tracked: bool) -> None:
        """Whether the tracking system sees the headset."""
        self._call("rt_set_tracked", tracked)

    def set_activity(self, level: int) -> None:
        """How much the headset is used, by OpenVR's number (`USED` at first)."""
        self._call("rt_set_activity", level)

    def set_device(self, device: int, kind: int, connected: bool, pose: npt.NDArray[np.float32] = IDENTITY) -> None:
        """Make tracked device number ``device`` come or go."""
        self._call("rt_set_device", device, kind, connected, _rows(pose))

    def set_property(self, device: int, which: int, value: bool | int | float | str | npt.NDArray[np.float32]) -> None:
        """Give a device a property; properties never given answer UnknownProperty."""
        data = _property_bytes(value)
        self._call("rt_set_property", device, which, 0, data, len(data))

    def fail_property(self, device: int, which: int, error: int = UNKNOWN_PROPERTY) -> None:
        """Let a property answer with OpenVR's error number."""
        self._call("rt_set_property", device, which, error, b"", 0)

    def push_event(self, kind: int, device: int = 0, data: bytes = b"") -> None:
        """Queue an event."""
        self._call("rt_push_event", kind, device, data, len(data))

    # ---- time and the compositor --------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds. WaitGetPoses moves on to the next vsync; `advance` plays the program's own work, and with
        `set_pace` its real work counts."""
        return float(self._library.rt_now())

    def advance(self, seconds: float) -> None:
        """Let virtual time pass: more than a period within one frame makes the program miss vsyncs."""
        self._call("rt_advance", ctypes.c_double(seconds))

    def set_pace(self, pace: float) -> None:
        """Let the time that the program really takes between two WaitGetPoses pass too, ``pace`` virtual seconds for
        each real one: 1 is real time, less is slow motion, 0 (at first) lets the program work in no time."""
        self._call("rt_set_pace", ctypes.c_double(pace))

    def sleep(self, seconds: float, patience: float = 5.0) -> None:
        """Wait ``seconds`` of virtual time, in another thread than the render loop's: work of that length.

        Vsyncs make the time pass. If none comes for ``patience`` real seconds, the loop is taken to wait for us: then
        the rest passes at once, within its frame, and it has missed the vsyncs in between.
        """
        until, waits, since = self.now + seconds, int(self.count.waits), time.monotonic()
        while self.now < until:
            time.sleep(0.0005)
            if int(self.count.waits) != waits:
                waits, since = int(self.count.waits), time.monotonic()
            elif time.monotonic() - since > patience:
                self.advance(max(0.0, until - self.now))

    def set_refresh(self, hz: float) -> None:
        """Vsyncs a virtual second (90 at first)."""
        self._call("rt_set_refresh", ctypes.c_double(hz))

    def set_rest(self, seconds: float) -> None:
        """Real seconds that each WaitGetPoses sleeps (0 at first), so that other threads get their turn."""
        self._call("rt_set_rest", ctypes.c_double(seconds))

    def set_focus(self, focus: bool) -> None:
        """Give the headset to our program, or to another."""
        self._call("rt_set_focus", focus)

    def set_wishes(self, pause: bool = False, reduce_work: bool = False) -> None:
        """What the runtime asks of the program. It asks for a pause before the first submit in any case."""
        self._call("rt_set_wishes", pause, reduce_work)

    def fail_next_submit(self, error: int) -> None:
        """Answer the next Submit with OpenVR's error number."""
        self._call("rt_fail_next_submit", error)

    @property
    def submissions(self) -> list[Submission]:
        """All calls of Submit, oldest first (the last 4096)."""
        count = int(self._library.rt_submission_count())
        return [self._submission(index) for index in range(max(0, count - 4096), count)]

    def last(self, eye: str) -> Submission:
        """The last accepted submission of "left" or "right"."""
        for index in range(int(self._library.rt_submission_count()) - 1, -1, -1):
            submission = self._submission(index)
            if submission.eye == eye and not submission.error:
                return submission
        raise AssertionError(f"nothing was submitted for the {eye} eye")

    # ---- controllers ------------------------------------------------------------------------------------------

    def connect_controllers(self, kind: str, hands: tuple[str, ...] = ("left", "right"), asleep: int = 0) -> None:
        """Connect controllers of ``kind``; the program must have set its manifest before buttons can be pressed.

        ``asleep``: how many UpdateActionState find them inactive first, as real ones are.
        """
        self._controllers = kind
        for hand in hands:
            self.set_property(HANDS[hand], CONTROLLER_TYPE, kind)
            self.set_device(HANDS[hand], CONTROLLER, True)
            self.push_event(DEVICE_CAME, HANDS[hand])
            for action in self._bound_actions(hand):
                self._set_input(action, hand)
        self._call("rt_set_inactive_updates", asleep)

    def disconnect(self, hand: str) -> None:
        """Let a controller's battery run empty, with its buttons as they are."""
        self.set_device(HANDS[hand], CONTROLLER, False)
        self.push_event(DEVICE_WENT, HANDS[hand])
        for action in self._bound_actions(hand):
            self._set_input(action, hand, active=False)

    def press(self, hand: str, part: str, component: str = "click") -> list[str]:
        """Press a physical input ("right", "a") until `release`; the actions that the shipped binding gives it."""
        return self._actuate(hand, part, component, state=True)

    def release(self, hand: str, part: str, component: str = "click") -> list[str]:
        """Let go of what `press` pressed."""
        return self._actuate(hand, part, component, state=False)

    def push_stick(self, hand: str, part: str, x: float, y: float) -> list[str]:
        """Push a stick, or touch a pad, at (x, y)."""
        return self._actuate(hand, part, "position", x=x, y=y)

    def physical_inputs(self, kind: str, action: str) -> list[tuple[str, str, str]]:
        """All (hand, part, component) of controllers ``kind`` that the shipped binding gives to ``action``."""
        return [
            (hand, part, component)
            for hand, part, component, bound in _bound_inputs(self._binding(kind))
            if bound == action
        ]

    def set_action(self, action: str, hand: str, state: bool = False, x: float = 0.0, y: float = 0.0) -> None:
        """Set an action's state itself, whatever is bound to it."""
        self._set_input(action, hand, state=state, x=x, y=y)

    @property
    def manifest(self) -> dict[str, Any]:
        """The action manifest that the program set."""
        return _json(self.manifest_path)

    @property
    def manifest_path(self) -> Path:
        """Where the program says that its action manifest is."""
        path = self._library.rt_manifest().decode()
        assert path, "the program has not set an action manifest"
        assert not self._library.rt_manifest_too_late(), "the manifest was set after the first event or action update"
        return Path(path)

    @property
    def last_pulse(self) -> str:
        """The input source of the last haptic pulse: "/user/hand/left"."""
        return str(self._library.rt_last_pulse().decode())

    @property
    def application_manifest(self) -> str:
        """The application manifest that was added last: for the session alone."""
        path = str(self._library.rt_app_manifest().decode())
        assert self._library.rt_app_manifest_temporary() or not path, "SteamVR would keep the manifest"
        return path

    @property
    def identified(self) -> tuple[int, str]:
        """The process that said who it is, and its key; (0, "") where none did."""
        assert not self._library.rt_identified_too_late(), "the program said who it is after it set its actions"
        return int(self._library.rt_app_process()), str(self._library.rt_app_key().decode())

    # ---- the headset's cameras --------------------------------------------------------------------------------

    def set_camera(self, there: bool = True, empty_reads: int = 0) -> None:
        """A headset with cameras, whose first ``empty_reads`` reads find no frame."""
        self._call("rt_set_camera", there, empty_reads)

    def set_camera_focal(self, pixels: float) -> None:
        """The cameras' focal length; 0: the runtime does not tell it."""
        self._call("rt_set_camera_focal", pixels)

    def trouble_camera(self, *, crashes: bool = False, hangs: bool = False) -> None:
        """Let the next read of a frame end its process, or all of them never return."""
        self._call("rt_set_camera_trouble", crashes, hangs)

    def end_camera_stream(self) -> None:
        """As when the camera was unplugged for a moment: the stream that is open is none any more."""
        self._call("rt_end_camera_stream")

    @property
    def camera_process(self) -> int:
        """The process that read the camera last; 0: none did."""
        return int(self._library.rt_camera_process())

    @property
    def camera_type(self) -> int:
        """The type of frame that was asked for last: 0 as the lens sees, 1 straightened."""
        return int(self._library.rt_camera_type())

    def set_camera_frame(
        self, picture: npt.NDArray[np.uint8], sequence: int, head: npt.NDArray[np.float32] | None = None
    ) -> None:
        """The camera's newest frame: (H, W, 4) as the device lays it out, exposed at pose ``head``."""
        height, width, _ = picture.shape
        data = np.ascontiguousarray(picture).tobytes()
        pose = _rows(IDENTITY if head is None else head)
        self._call("rt_set_camera_frame", data, width, height, sequence, pose, head is not None)

    # ---- inside -----------------------------------------------------------------------------------------------

    def slots(self, table: str) -> list[str]:
        """The names of a table's functions, in the runtime's order."""
        names: list[str] = []
        while (name := self._library.rt_slot(table.encode(), len(names))) is not None:
            names.append(name.decode())
        return names

    def size_of(self, structure: str) -> int:
        """Bytes of a structure in the runtime, by OpenVR's name for it; 0 for one it does not know."""
        return int(self._library.rt_size(structure.encode()))

    def _prepare_functions(self) -> None:
        library = self._library
        library.rt_counters.restype = ctypes.POINTER(_Counters)
        library.rt_submission.restype = ctypes.POINTER(_Submission)
        library.rt_submission.argtypes = [ctypes.c_uint64]
        library.rt_submission_count.restype = ctypes.c_uint64
        library.rt_script_pose.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
        library.rt_now.restype = ctypes.c_double
        library.rt_set_camera_focal.argtypes = [ctypes.c_float]
        library.rt_camera_type.restype = library.rt_camera_process.restype = ctypes.c_uint32
        for name in ("rt_manifest_too_late", "rt_app_manifest_temporary", "rt_identified_too_late"):
            getattr(library, name).restype = ctypes.c_bool
        library.rt_set_input.argtypes = [
            ctypes.c_char_p, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_float, ctypes.c_float,
        ]  # fmt: skip
        for name in ("rt_manifest", "rt_app_manifest", "rt_app_key", "rt_last_pulse", "rt_slot"):
            getattr(library, name).restype = ctypes.c_char_p

    def _call(self, name: str, *arguments: object) -> None:
        function = getattr(self._library, name)
        function(*(ctypes.c_bool(one) if isinstance(one, bool) else one for one in arguments))

    def _submission(self, index: int) -> Submission:
        pointer = self._library.rt_submission(index)
        assert pointer, f"submission {index} is not kept"
        raw = pointer.contents
        picture = None
        if raw.pixels:
            size = raw.width * raw.height * 4
            pixels = np.frombuffer(ctypes.string_at(raw.pixels, size), np.uint8)
            picture = pixels.reshape(raw.height, raw.width, 4)[::-1]
        eye = "right" if raw.eye else "left"
        return Submission(
            raw.frame, eye, raw.texture, raw.flags, raw.color_space, raw.error, _matrix(raw.pose), picture
        )

    def _binding(self, kind: str) -> dict[str, Any]:
        for entry in self.manifest["default_bindings"]:
            if entry["controller_type"] == kind:
                return _json(self.manifest_path.parent / entry["binding_url"])
        raise AssertionError(f"the manifest has no binding for {kind}")

    def _bound_actions(self, hand: str) -> list[str]:
        assert self._controllers is not None, "connect controllers first"
        binding = self._binding(self._controllers)
        poses = [
            pose["output"]
            for group in binding["bindings"].values()
            for pose in group["poses"]
            if pose["path"].startswith(f"/user/hand/{hand}/")
        ]
        return [bound for side, _, _, bound in _bound_inputs(binding) if side == hand] + poses

    def _actuate(self, hand: str, part: str, component: str, **state: Any) -> list[str]:
        assert self._controllers is not None, "connect controllers first"
        actions = [
            bound
            for side, name, piece, bound in _bound_inputs(self._binding(self._controllers))
            if (side, name, piece) == (hand, part, component)
        ]
        for action in actions:
            self._set_input(action, hand, **state)
        return actions

    def _set_input(
        self, action: str, hand: str, *, active: bool = True, state: bool = False, x: float = 0.0, y: float = 0.0
    ) -> None:
        self._library.rt_set_input(action.encode(), HANDS[hand], active, state, x, y)


def _bound_inputs(binding: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """(hand, part, component, action) of every input in a binding file."""
    found = []
    for group in binding["bindings"].values():
        for source in group["sources"]:
            _, user, holder, hand, kind, part = source["path"].split("/")
            assert (user, holder, kind) == ("user", "hand", "input"), source["path"]
            found += [(hand, part, component, bound["output"]) for component, bound in source["inputs"].items()]
    return found


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _property_bytes(value: bool | int | float | str | npt.NDArray[np.float32]) -> bytes:
    if isinstance(value, bool):
        return bytes(ctypes.c_bool(value))
    if isinstance(value, int):
        return bytes(ctypes.c_int32(value))
    if isinstance(value, float):
        return bytes(ctypes.c_float(value))
    if isinstance(value, str):
        return value.encode()
    return np.ascontiguousarray(value[..., :3, :], np.float32).tobytes()


def _rows(matrix: npt.NDArray[np.float32]) -> ctypes.Array[ctypes.c_float]:
    return (ctypes.c_float * 12)(*np.asarray(matrix, np.float32)[:3].ravel())


def _matrix(rows: ctypes.Array[ctypes.c_float]) -> npt.NDArray[np.float32]:
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3] = np.array(rows, np.float32).reshape(3, 4)
    return matrix
