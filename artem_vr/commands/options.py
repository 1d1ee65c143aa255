"""Options that are settings: one place for their names, types and help."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from artem_vr import settings
from artem_vr.errors import ArtemError, SettingsError, StyleError
from artem_vr.named_settings import find

HELP = {
    "source": "webcam[:N], screen[:N], phone:http://HOST:PORT/video, headset, a video or picture file, or demo "
    "(default: the headset's camera, else a webcam, else the screen, else demo)",
    "layout": "how the pictures of both eyes lie in the source's picture (default: mono)",
    "style": "a style's name, or a picture",
    "strength": "0 shows the source, 1 the painting (default: 1)",
    "region": "where that style is painted; gaze is a disc that follows where you look (default: none, everywhere)",
    "region_style": "the style outside the region (default: the source)",
    "headset": "auto uses SteamVR where it runs (default: auto)",
    "view": "how the headset shows it; there is no other view yet (default: screen)",
    "device": "what computes (default: auto)",
    "engine": "what executes the network (default: auto, the fastest that is there; for single pictures torch)",
    "precision": "arithmetic of the network: auto is the fastest (for single pictures fp32), fp32 the most exact, xnor "
    "takes the style's binarised version (default: auto)",
    "scale": "working size over the headset's own size per eye, or as many pixels in the source's shape where that is "
    "quite another: auto, or 0.25 to 1 (default: auto)",
    "steadying": "whether strokes stay on what they show, over time and between the eyes; auto: in a run if there is "
    "time, in files always (default: auto)",
    "ground": "strokes on what is smooth, as walls and skies are: 0 (none) to 1; auto is 0.5, less where the style's "
    "painting is smooth itself, as far as they can stay on it (desktops, photographs, what is steadied), else 0 "
    "(default: auto)",
    "mirror": "which eyes the window shows (default: left)",
    "frames": "end after N stylised frames and print one line of JSON with what was measured",
    "record": "keep what the window shows in FILE: a film (.mp4, .mkv, .mov, .avi), or the last picture "
    "(.png, .jpg, .webp)",
}

METAVARS = {
    "source": "SOURCE", "style": "NAME|PICTURE", "region_style": "NAME|PICTURE", "frames": "N", "record": "FILE"
}  # fmt: skip


def add_setting(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add an option for each setting (``--region-style`` for region_style).

    It stays out of the namespace unless it is given.
    """
    for name in names:
        rule = settings.FIELDS[name].metadata
        metavar = METAVARS.get(name)
        if rule["kind"] == "choice":
            metavar = "|".join(rule["choices"])
        elif rule["kind"] == "number":
            metavar = f"{'auto|' if rule['auto'] else ''}{rule['minimum']:g}..{rule['maximum']:g}"
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_reader(name),
            metavar=metavar,
            help=HELP[name],
            default=argparse.SUPPRESS,
        )


def _reader(name: str) -> Callable[[str], Any]:
    """Turns an option's text into the setting's value, for argparse."""

    def read(text: str) -> Any:
        try:
            return settings.parsed(name, text)
        except SettingsError as error:
            raise argparse.ArgumentTypeError(f"{error.cause}; {error.remedy[0].lower()}{error.remedy[1:]}") from None

    return read


def load_settings(arguments: argparse.Namespace, *used: str, all_styles: bool = False) -> settings.Settings:
    """The settings in force, with the options given; says on standard error what is wrong in the file.

    Of the names in the file only those ``used`` by the command must lead somewhere. Where the file alone says that bits
    shall paint, and a style that is used has none, that costs a notice, too; with ``all_styles`` that is of no account.
    Notes in ``arguments.not_typed`` what is asked of the engine elsewhere than in the options.
    """
    given = {name: getattr(arguments, name) for name in settings.NAMES if hasattr(arguments, name)}
    loaded, notices = settings.load(given, find=lambda name, value: find(name, value) if name in used else None)
    from_file = "precision" not in given and f"{settings.ENVIRONMENT_PREFIX}PRECISION" not in os.environ
    if loaded.precision == "xnor" and from_file and all_styles:
        loaded = replace(loaded, precision="auto")
    if loaded.precision == "xnor" and from_file and "style" in used:
        styles = [getattr(loaded, name) for name in ("style", "region_style") if name in used]
        if lack := _lack_of_bits([style for style in styles if style]):
            notices.append(f'{settings.settings_path()}: precision = "xnor": {lack} The default is used.')
            loaded = replace(loaded, precision="auto")
    for notice in notices:
        print(f"artem-vr: {notice}", file=sys.stderr)
    asked = (name for name in ("engine", "device", "precision") if getattr(loaded, name) != "auto")
    arguments.not_typed = [name for name in asked if name not in given]
    return loaded


def _lack_of_bits(styles: Sequence[str]) -> StyleError | None:
    """Why these styles, or where none are named any, are not painted with bits. None also where one is not there at
    all: that is said when it is used."""
    from artem_vr.styles.library import Library

    library = Library()
    try:
        for style in styles:
            library.find(style)
    except ArtemError:
        return None
    try:
        library.styles_for("xnor")
        for style in styles:
            library.find_for("xnor", style)
    except StyleError as error:
        return error
    return None
