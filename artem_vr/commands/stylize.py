"""``artem-vr stylize``: files in, painted files out."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from artem_vr.commands.options import add_setting, load_settings
from artem_vr.errors import SettingsError
from artem_vr.typed_path import named, path_of, paths_of

if TYPE_CHECKING:
    from artem_vr.offline.files import Job, Look, Outcome
    from artem_vr.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{parser.description} A video becomes a video (without sound), or numbered PNG pictures where OUTPUT is a "
        "folder. Strength, layout and colours are 1, mono and the painting's unless they are given, whatever "
        "settings.toml and the environment say."
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, a video, or a folder of them")
    parser.add_argument("-o", "--output", required=True, metavar="OUTPUT", help="a file, or a folder")
    add_setting(parser, "style", "strength", "layout", "device", "engine", "precision", "steadying", "ground")
    parser.add_argument("--preserve-color", action="store_true", help="keep the source's colours, paint its lightness")
    parser.add_argument(
        "--size", type=_size, metavar="PIXELS",
        help="longer side of the result (default: as it is; 512 with --method optimize)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object about what was done")
    parser.add_argument(
        "--method", choices=("network", "adain", "optimize"), default="network",
        help="like the PICTURE given with --style, as VGG-19 sees it. adain: by the article's network for any painting "
        "(Huang & Belongie 2017); optimize: by changing a picture's own pixels (Gatys et al. 2016), minutes a picture "
        "(default: network)",
    )  # fmt: skip
    parser.add_argument(
        "--vgg", type=named, metavar="FILE", default=argparse.SUPPRESS,
        help="with --method adain and optimize: VGG-19's weights (default: downloaded once, checked)",
    )  # fmt: skip
    parser.add_argument(
        "--decoder", type=named, metavar="FILE", default=argparse.SUPPRESS,
        help="with --method adain: what artem-vr train adain --encoder vgg19 has trained (default: the shipped one)",
    )  # fmt: skip
    _add_optimize_arguments(parser)


def _add_optimize_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of ``--method optimize``; each stays out of the namespace unless it is given."""
    group = parser.add_argument_group("with --method optimize", argument_default=argparse.SUPPRESS)
    group.add_argument("--optimizer", choices=("lbfgs", "adam"), help="default: lbfgs")
    group.add_argument("--iterations", type=_count, metavar="N", help="default: 200")
    group.add_argument("--snapshot-every", type=_count, metavar="N", help="keep OUTPUT-000100.PNG and so on as well")
    group.add_argument(
        "--resume", nargs="?", const="", metavar="PICTURE",
        help="go on from an earlier result (default: the newest of OUTPUT and its snapshots, if there is one)",
    )  # fmt: skip
    group.add_argument("--start", choices=("photograph", "noise"), help="what to begin with (default: photograph)")
    group.add_argument("--seed", type=_seed, metavar="N", help="of the noise (default: 0)")
    for name, what in (("content", "likeness to the photograph"), ("style", "strokes and palette"),
                       ("tv", "smoothness (total variation)")):  # fmt: skip
        group.add_argument(f"--{name}-weight", type=_weight, metavar="W", help=f"{what} (default: 1)")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("it must be a whole number from 1 to 1000000")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError("it must be a whole number from 0 up")
    return int(text)


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError("it must be a number from 0 to 1000000")
    return value


def _size(text: str) -> int:
    if not text.isdecimal() or not 16 <= int(text) <= 16384:
        raise argparse.ArgumentTypeError("it must be a whole number from 16 to 16384")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments, *(["style"] if arguments.method == "network" else []))
    given = vars(arguments)
    settings = dataclasses.replace(settings, strength=given.get("strength", 1.0), layout=given.get("layout", "mono"))
    optimizing = arguments.method == "optimize"
    _check_method(arguments)
    from artem_vr.offline import files
    from artem_vr.stop_requests import ends_on_request

    look = files.Look(settings.layout, settings.strength, arguments.preserve_color, arguments.size)
    inputs = [path for text in arguments.inputs for path in paths_of(text)]
    if "" in (arguments.output, *arguments.inputs):
        raise SettingsError("an INPUT or the OUTPUT is empty", "Name a file or a folder")
    film = next((path for path in inputs if path.suffix.lower() in files.VIDEO_SUFFIXES), None)
    if optimizing and film is not None:
        raise SettingsError(f"{film} is a video, and --method optimize paints pictures", "Leave --method out")

    def report(line: str) -> None:
        print(f"artem-vr: {line}", file=sys.stderr)

    jobs, errors = files.plan(inputs, named(arguments.output), files.typed_as_folder(arguments.output), report)
    outcome, facts = files.Outcome(), dict[str, Any]()
    with ends_on_request():  # begun files go, an optimised picture is kept as far as it is
        if jobs and optimizing:
            outcome, facts = _optimize(arguments, jobs, settings.device, report)
        elif jobs and arguments.method == "adain":
            outcome, facts = _adain(arguments, jobs, look, settings, report)
        elif jobs:
            outcome, facts = files.stylize(jobs, look, settings, report)
    outcome.errors[:0] = [{"input": str(path), "error": line} for path, line in errors]
    if arguments.json:
        print(json.dumps({**facts, "outputs": outcome.outputs, "errors": outcome.errors}))
    else:
        for done in outcome.outputs:
            print(done["output"])
    return 2 if outcome.errors else 0


_OF_OPTIMIZE = (
    "optimizer", "iterations", "snapshot_every", "resume", "start", "seed", "content_weight", "style_weight",
    "tv_weight",
)  # fmt: skip
_OF_NETWORK = ("engine", "precision", "steadying", "ground")
_MEANINGLESS = {
    "network": (*_OF_OPTIMIZE, "vgg", "decoder"),
    "adain": (*_OF_OPTIMIZE, *_OF_NETWORK),
    "optimize": (*_OF_NETWORK, "strength", "layout", "decoder"),
}
"""With each method: the options of others."""


def _check_method(arguments: argparse.Namespace) -> None:
    """Raises `SettingsError` for options that belong to the other method, and for what the method lacks."""
    given = vars(arguments)
    optimizing = arguments.method == "optimize"
    strange = [name for name in _MEANINGLESS[arguments.method] if name in given]
    if optimizing and arguments.preserve_color:
        strange.append("preserve_color")
    if strange:
        option = f"--{strange[0].replace('_', '-')}"
        raise SettingsError(f"{option} means nothing with --method {arguments.method}", f"Leave {option} out")
    if arguments.method != "network" and not given.get("style"):
        raise SettingsError(f"--method {arguments.method} has no painting", "Give --style a PICTURE")
    if "seed" in given and given.get("start") != "noise":
        raise SettingsError("--seed means nothing without --start noise", "Leave --seed out, or say --start noise")


def _adain(
    arguments: argparse.Namespace, jobs: Sequence[Job], look: Look, settings: Settings, report: Callable[[str], None]
) -> tuple[Outcome, dict[str, Any]]:
    from artem_vr.offline.adain import Order, stylize

    files = {name: vars(arguments).get(name) for name in ("vgg", "decoder")}
    device, seconds = settings.device, settings.smoothing_seconds
    order = Order(path_of(arguments.style), look, device=device, smoothing_seconds=seconds, **files)
    return stylize(jobs, order, report)


def _optimize(
    arguments: argparse.Namespace, jobs: Sequence[Job], device: str, report: Callable[[str], None]
) -> tuple[Outcome, dict[str, Any]]:
    from artem_vr.offline.optimize import SIZE, Order, optimize
    from artem_vr.training.optimize import OptimizeOptions

    given = vars(arguments)
    names = ("optimizer", "iterations", "content_weight", "style_weight", "tv_weight")
    options = OptimizeOptions(**{name: given[name] for name in names if name in given})
    others = {name: given[name] for name in ("vgg", "snapshot_every", "start", "seed") if name in given}
    resume = given.get("resume")
    order = Order(
        path_of(arguments.style),
        options,
        size=arguments.size or SIZE,
        resume="newest" if resume == "" else resume and named(resume),
        device=device,
        **others,
    )
    return optimize(jobs, order, report)
