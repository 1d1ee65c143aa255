"""From what the user types to an open source. Imports a source's module only when it is chosen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from artem_vr.errors import PictureError, SourceError
from artem_vr.typed_path import path_of

if TYPE_CHECKING:
    from artem_vr.sources.headset_camera import HeadsetCamera
    from artem_vr.sources.layout import Layout
    from artem_vr.sources.source import Source

Kind = Literal["webcam", "screen", "phone", "headset", "demo", "file"]
_KNOWN = "webcam[:N|NAME], screen[:N], phone:URL, headset, demo, or the name of a video or picture file"
HEADSET_PATIENCE = 4.0
"""Seconds that a headset's camera may take for a picture; it needs some to wake up."""
OWN_PAIR = ("demo", "headset")
"""Sources that know which eye is which, whatever a layout says; their names are these words."""
_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_FILMS_OF_JPEGS = (".mjpeg", ".mjpg")
"""Nothing but one after the other: they begin as a picture does."""


@dataclass(frozen=True)
class Spec:
    """A source as typed, taken apart. ``argument`` is what stands behind the colon, for a file its path."""

    kind: Kind
    argument: str = ""


def parse_spec(text: str) -> Spec:
    """Take ``webcam[:N|NAME]``, ``screen[:N]``, ``phone:URL``, ``headset``, ``demo`` or a file's path apart.

    Touches no device and no file. Raises `SourceError` when the text means nothing.
    """
    from artem_vr.sources.source import FinalSourceError

    text = text.strip()
    word, colon, argument = text.partition(":")
    kind = word.lower()
    if kind not in get_args(Kind) or kind == "file":
        if not text or "\0" in text:
            raise FinalSourceError("No source is named", f"Name one: {_KNOWN}")
        if kind == "file" and argument.startswith("//"):
            raise FinalSourceError(f"{text!r} is an address", "Write the file's path by itself")
        if "://" in text and len(kind) > 1:  # one letter is a drive of Windows
            raise FinalSourceError(f"{kind}:// is not a source by itself", "Write phone: in front of the address")
        return Spec("file", text)
    argument = argument.strip()
    if colon and not argument:
        raise FinalSourceError(f"Nothing stands behind the colon of {text!r}", f"Known are {_KNOWN}")
    if kind in ("headset", "demo") and argument:
        raise FinalSourceError(f"The source {kind} takes nothing behind a colon", f"Write just {kind}")
    if kind == "screen" and argument and not (argument.isascii() and argument.isdecimal() and len(argument) < 5):
        raise FinalSourceError(f"{argument!r} is not the number of a screen", "Screens count from 0, e.g. screen:0")
    if kind == "phone" and not argument:
        raise FinalSourceError(
            "The phone's address is missing", "Write phone:http://HOST:PORT/video, as the app shows it"
        )
    return Spec(kind, argument)  # type: ignore[arg-type]  # checked above to be one of Kind


def open_source(
    text: str,
    layout: Layout = "mono",
    camera: HeadsetCamera | None = None,
    loop: bool = True,
    swapped: Callable[[], bool] | None = None,
) -> Source:
    """Open the source that ``text`` names (see `parse_spec`).

    ``layout`` says how both eyes lie in its pictures (demo and headset give their own pair), and ``swapped``, asked
    at every picture, whether those eyes are exchanged. ``camera`` is the headset's, needed for ``headset`` only.
    ``loop``: a film begins again at its end. To be called by the thread that will read the source.

    Raises `SourceError`; a `FinalSourceError` where trying again is of no use.
    """
    from artem_vr.sources.source import FinalSourceError

    spec = parse_spec(text)
    if spec.kind == "headset":
        from artem_vr.sources.headset_camera import HeadsetCameraSource

        if camera is None:
            raise FinalSourceError(
                "No headset with a camera is running", "Start SteamVR and switch its camera on, or use another --source"
            )
        return HeadsetCameraSource(camera, silence=HEADSET_PATIENCE)
    if spec.kind == "demo":
        from artem_vr.sources.demo import DemoSource

        return DemoSource()
    source = _open_split(spec, layout, loop, text)
    if swapped is None or layout == "mono":
        return source
    from artem_vr.sources.swapped_eyes import SwappedEyes

    return SwappedEyes(source, swapped)


def _open_split(spec: Spec, layout: Layout, loop: bool, name: str) -> Source:
    """A source whose pictures are taken apart as ``layout`` says."""
    from artem_vr.sources.source import FinalSourceError

    if spec.kind == "webcam":
        from artem_vr.sources.camera import CameraSource

        return CameraSource(spec.argument, layout)
    if spec.kind == "screen":
        from artem_vr.sources.desktop import DesktopSource

        return DesktopSource(int(spec.argument) if spec.argument else None, layout)
    if spec.kind == "phone":
        from artem_vr.sources.phone import open_phone

        return open_phone(spec.argument, layout)
    try:
        return _open_file(path_of(spec.argument), layout, loop, name)
    except (SourceError, PictureError) as error:
        raise FinalSourceError(error.cause, error.remedy) from None


def default_sources(camera: HeadsetCamera | None = None) -> list[str]:
    """What to show when nobody chose, the best first: the headset's camera, a webcam, the screen, the demo.

    Only what may be there; opens nothing, so that each may still fail.
    """
    from artem_vr.sources.camera import cameras

    found = ["headset"] if camera is not None else []
    if sys.platform == "win32" or cameras():  # Windows does not always tell
        found.append("webcam")
    return [*found, "screen", "demo"]


def _open_file(path: Path, layout: Layout, loop: bool, name: str) -> Source:
    """A picture or a film: the first bytes decide, not the name; the name decides which error is told."""
    from artem_vr.sources.files import problem_of
    from artem_vr.sources.pictures import StillPicture, is_picture

    problem = problem_of(path)
    if problem:
        raise SourceError(*problem)
    ending = path.suffix.lower()
    if ending in _PICTURE_ENDINGS or (ending not in _FILMS_OF_JPEGS and is_picture(path)):
        return StillPicture(path, layout, name)
    from artem_vr.sources.video import VideoSource

    return VideoSource(path, layout, loop, name)
