"""One typed `Settings`: defaults < settings.toml < environment < command line.

The file lies in the user's configuration folder (`settings_path`), the environment names a
setting as ``ARTEM_VR_<NAME>`` in capitals. A value without meaning in the environment or on the
command line is a `SettingsError`; in the file it costs a notice and the default is used, so
that an old or broken file never keeps the program from starting.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artem_vr.errors import ArtemError, SettingsError

FILE_VERSION = 1
"""What settings.toml may say as its ``version``; nothing of a file with a higher one is taken."""

ENVIRONMENT_PREFIX = "ARTEM_VR_"

Layout = Literal["mono", "sbs", "half-sbs", "tb", "half-tb"]
HeadsetKind = Literal["auto", "openvr", "none"]
View = Literal["screen"]
Device = Literal["auto", "cpu", "cuda"]
EngineKind = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "xnor"]
MirrorMode = Literal["left", "right", "both"]
Region = Literal["none", "left", "right", "top", "bottom", "gaze"]
Scale = float | Literal["auto"]
Steadying = Literal["auto", "always", "never"]
Ground = float | Literal["auto"]


def _choice(default: str, *choices: str, planned: tuple[str, ...] = ()) -> Any:
    """``planned``: what will be a choice one day, and is refused as such until then."""
    limits = {"kind": "choice", "choices": choices, "planned": planned}
    return dataclasses.field(default=default, metadata=limits)


def _number(default: float, minimum: float, maximum: float, auto: bool = False) -> Any:
    limits = {"kind": "number", "minimum": minimum, "maximum": maximum, "auto": auto}
    return dataclasses.field(default="auto" if auto else default, metadata=limits)


def _whole(default: int, minimum: int, maximum: int, stored: bool = True, written: int | None = None) -> Any:
    """``written``: the least that can be typed, where ``minimum`` stands for none."""
    least = minimum if written is None else written
    limits = {"kind": "whole", "minimum": minimum, "maximum": maximum, "stored": stored, "written": least}
    return dataclasses.field(default=default, metadata=limits)


def _text(default: str = "", stored: bool = True) -> Any:
    return dataclasses.field(default=default, metadata={"kind": "text", "stored": stored})


def _switch(default: bool) -> Any:
    return dataclasses.field(default=default, metadata={"kind": "switch"})


@dataclass(frozen=True)
class Settings:
    """Everything that can be chosen. Making one with a value out of range raises `SettingsError`."""

    source: str = _text()
    """As typed (``webcam:0``, ``screen``, a file ...); empty: the best source that is there."""
    layout: Layout = _choice("mono", "mono", "sbs", "half-sbs", "tb", "half-tb")
    swap_eyes: bool = _switch(False)
    """The eyes that the layout takes apart are exchanged: what it calls the left one is the right one's."""
    style: str = _text()
    """A style's name or a picture; empty: the first of the deck."""
    strength: float = _number(1.0, 0.0, 1.0)
    """0 is the source, 1 the painting."""
    stroke_size: int = _whole(448, 96, 1024)
    """Short side, in pixels, at which a picture that becomes a style is read; larger means larger strokes."""
    style_mean_weight: float = _number(1.0, 0.0, 2.0)
    """Of a style that is a code: how much of its means is taken; 0 leaves those of the photograph."""
    style_contrast: float = _number(1.0, 0.0, 2.0)
    """Of a style that is a code: factor of its deviations."""
    preserve_color: bool = _switch(False)
    """The painting gives the lightness, the source its colours."""
    region: Region = _choice("none", "none", "left", "right", "top", "bottom", "gaze")
    """Where the style is painted: everywhere, in half of the picture, or in a disc where the viewer points."""
    region_style: str = _text()
    """A style's name or a picture, for what is outside the region; empty: the source."""
    region_size: float = _number(0.25, 0.05, 1.0)
    """Radius of the disc, in heights of the picture."""
    region_softness: float = _number(0.1, 0.0, 1.0)
    """Width of the region's edge, in heights of the picture."""
    headset: HeadsetKind = _choice("auto", "auto", "openvr", "none")
    view: View = _choice("screen", "screen", planned=("passthrough", "dome"))
    screen_distance: float = _number(2.0, 0.3, 50.0)
    """Metres from the eyes to the middle of the virtual screen."""
    screen_width: float = _number(2.4, 0.1, 100.0)
    """Metres, along the surface. A picture that would be higher than 0.65 of this is narrower."""
    screen_curvature: float = _number(0.0, 0.0, 1.0)
    """0 is flat, 1 a cylinder around the viewer."""
    stereo_shift: float = _number(0.0, -0.1, 0.1)
    """Share of its width by which the pictures of a pair are moved, one towards the other: nearer. Below 0: further."""
    device: Device = _choice("auto", "auto", "cpu", "cuda")
    engine: EngineKind = _choice("auto", "auto", "torch", "openvino")
    precision: Precision = _choice("auto", "auto", "fp32", "xnor")
    scale: Scale = _number(1.0, 0.25, 1.0, auto=True)
    """Working size over the headset's recommended size, in the source's shape where that is another; "auto" follows
    the engine's speed."""
    mirror: MirrorMode = _choice("left", "left", "right", "both")
    """Which eyes the window shows."""
    hud: bool = _switch(True)
    window_width: int = _whole(1280, 160, 16384)
    """Pixels of the mirror window when it opens."""
    window_height: int = _whole(720, 120, 16384)
    fade_seconds: float = _number(0.3, 0.0, 5.0)
    """Cross-fade from the old style to the new one."""
    smoothing_seconds: float = _number(0.4, 0.0, 10.0)
    """Time constant with which the networks' statistics follow the source; 0 does not smooth."""
    steadying: Steadying = _choice("auto", "auto", "always", "never")
    """Whether strokes stay on what they show, from frame to frame and from eye to eye; "auto" where there is time."""
    ground: Ground = _number(0.5, 0.0, 1.0, auto=True)
    """Depth of a relief under what is smooth, for strokes to hang on; "auto": 0.5 where it can go with what is seen."""
    desktop_refresh_hz: float = _number(60.0, 10.0, 240.0)
    """Frame rate of the window when there is no headset."""
    frames: int = _whole(0, 0, 10**9, stored=False, written=1)
    """End after this many stylised frames and print one JSON line; 0: run until told to quit."""
    record: str = _text(stored=False)
    """File that keeps what the mirror showed; empty: none."""

    def __post_init__(self) -> None:
        for name in NAMES:
            object.__setattr__(self, name, checked(name, getattr(self, name)))


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
NAMES = tuple(FIELDS)
STORED = tuple(name for name, field in FIELDS.items() if field.metadata.get("stored", True))
"""The settings that settings.toml keeps; the others concern one run only."""


def checked(name: str, value: object) -> Any:
    """``value`` in the type of setting ``name``. Raises `SettingsError` if it has no meaning there."""
    rule = FIELDS[name].metadata
    kind = rule["kind"]
    if kind == "choice" and value in rule["choices"]:
        return value
    if kind == "text" and isinstance(value, str) and not set(value) & {"\0", "\n", "\r"}:
        return value
    if kind == "switch" and isinstance(value, bool):
        return value
    if kind == "number":
        if rule["auto"] and value == "auto":
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and _within(value, rule):
            return float(value)
    if kind == "whole" and isinstance(value, int) and not isinstance(value, bool) and _within(value, rule):
        return value
    if kind == "choice" and value in rule["planned"]:
        raise SettingsError(f"The {name} {value} is not there yet", f"Take {' or '.join(rule['choices'])}")
    raise _meaningless(name, value)


def _meaningless(name: str, value: object) -> SettingsError:
    return SettingsError(f"{name} cannot be {_shown(value)}", f"It must be {_expectation(name)}")


def parsed(name: str, text: str) -> Any:
    """The value of setting ``name`` written as ``text`` in the environment or on the command line."""
    kind = FIELDS[name].metadata["kind"]
    value: object = text
    if kind == "switch":
        value = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False,
                 "off": False}.get(text.strip().lower(), text)  # fmt: skip
    elif kind in ("number", "whole") and text != "auto":
        try:
            value = int(text) if kind == "whole" else float(text)
        except ValueError:
            value = text
    if kind == "whole" and isinstance(value, int) and value < FIELDS[name].metadata["written"]:
        raise _meaningless(name, value)
    return checked(name, value)


def _within(value: float, rule: Mapping[str, Any]) -> bool:
    """Also of whole numbers that are too large for a float; "nan" is within nothing."""
    return rule["minimum"] <= value <= rule["maximum"]


def _expectation(name: str) -> str:
    """What setting ``name`` may be, in words."""
    rule = FIELDS[name].metadata
    if rule["kind"] == "choice":
        return f"one of {', '.join(rule['choices'])}"
    if rule["kind"] == "text":
        return "one line of text"
    if rule["kind"] == "switch":
        return "true or false"
    if rule["kind"] == "whole":
        return f"a whole number from {rule['written']} to {rule['maximum']}"
    return f"{'auto or ' if rule['auto'] else ''}a number from {rule['minimum']:g} to {rule['maximum']:g}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of thousands of digits; a file can have one, in hexadecimal
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


NAMED = ("source", "style", "region_style")
"""Settings that name something that may go: a file, a style of the user's."""


def settings_path() -> Path:
    """Where settings.toml lies; ``ARTEM_VR_SETTINGS`` names another file."""
    named = os.environ.get(ENVIRONMENT_PREFIX + "SETTINGS")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir("artem-vr", appauthor=False)) / "settings.toml"


def load(
    options: Mapping[str, object] | None = None,
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    find: Callable[[str, str], object] | None = None,
) -> tuple[Settings, list[str]]:
    """The settings in force, and the notices (one line each) about what was wrong in the file.

    ``options`` are those given on the command line: a value by setting's name. ``find``
    is given setting and value of each name (`NAMED`) that the file alone says, and raises `ArtemError` where there is
    no such thing any more: that, too, costs a notice.
    Raises `SettingsError` for a value without meaning in the environment or among the options.
    """
    path = settings_path() if path is None else path
    values, notices = read_file(path)
    environment = os.environ if environment is None else environment
    said = {name for name in NAMES if ENVIRONMENT_PREFIX + name.upper() in environment} | set(options or {})
    for name in NAMED:
        try:
            if find is not None and values.get(name) and name not in said:
                find(name, values[name])
        except ArtemError as error:
            notices.append(f"{path}: {name}: {error} The default is used.")
            del values[name]
    for name in NAMES:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if variable in environment:
            try:
                values[name] = parsed(name, environment[variable])
            except SettingsError as error:
                remedy = f"{error.remedy}; mend or unset the variable"
                raise SettingsError(f"{variable}: {error.cause}", remedy) from None
    known = {ENVIRONMENT_PREFIX + "SETTINGS", *(ENVIRONMENT_PREFIX + name.upper() for name in NAMES)}
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            notices.append(f"there is no setting for {variable}; it is ignored. Unset it.")
    for name, value in (options or {}).items():
        values[name] = checked(name, value)
    return Settings(**values), notices


def how_to_unsay(name: str) -> str:
    """What to do about a setting that was not typed, for a message's remedy."""
    variable = ENVIRONMENT_PREFIX + name.upper()
    return f"unset {variable}" if variable in os.environ else f"take {name} out of {settings_path()}"


def unsaid_for(names: Sequence[str], remedy: str) -> list[str]:
    """Of ``names``, settings that were not typed: `how_to_unsay` those that a refusal's ``remedy`` names as options."""
    return [how_to_unsay(name) for name in names if f"--{name}" in remedy]


def read_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The valid values that ``path`` holds, by name, and a notice for each thing that is wrong.

    Nothing of a file that cannot be understood at all is taken; of others, single values without meaning are left out.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # Windows' editors write a mark before it
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [f"{path} cannot be read ({error.strerror}); using the defaults."]
    except (ValueError, RecursionError) as error:  # tomllib's and the decoder's errors are ValueErrors
        return {}, [f"{path} is damaged ({' '.join(str(error).split())}); using the defaults. Mend it."]
    version = content.pop("version", FILE_VERSION)
    if type(version) is not int or version > FILE_VERSION:
        return {}, [f"{path} is for another version of the program; using the defaults. Say version = {FILE_VERSION}."]
    values: dict[str, Any] = {}
    notices: list[str] = []
    for name, value in content.items():
        if isinstance(value, dict):
            notices.append(f"{path}: [{_shown(name)}] begins a table; settings stand without one. It is ignored.")
            continue
        if name not in STORED:
            notices.append(f"{path}: {_no_setting(name)}; it is ignored.")
            continue
        try:
            values[name] = checked(name, value)
        except SettingsError as error:
            notices.append(f"{path}: {error} The default is used.")
    return values, notices


def _no_setting(name: str) -> str:
    if name in NAMES:
        return f"{name} concerns one run, and is no setting to keep"
    near = difflib.get_close_matches(name, STORED, n=1)
    return f"there is no setting {_shown(name)}" + (f" (did you mean {near[0]}?)" if near else "")
