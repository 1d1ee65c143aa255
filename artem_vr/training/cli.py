"""``artem-vr train``: the arguments, and what each kind of training is put together from."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artem_vr.training import adain_command, binary_command
from artem_vr.typed_path import named

if TYPE_CHECKING:
    import torch

    from artem_vr.networks.vgg import VGG19
    from artem_vr.training.trainer import Objective, Process

RANGES: dict[str, tuple[float, float]] = {
    "iterations": (0, 9_000_000),  # the batches from ten million on are `training.answering`'s
    "batch_size": (1, 4096),
    "learning_rate": (1e-9, 1.0),
    "sample_every": (1, 9_000_000),
    "seed": (0, 2**32 - 1),  # products with it are seeds again, which end at 2^64
    "style_sizes": (32, 4096),
    "blocks": (1, 12),
    "late_blocks": (0, 4),
    "reach": (1, 3),
    "crops": (0, 1_000_000),
    "answer_rounds": (0, 100),
    "words": (1, 4),
    "layers": (1, 24),
}
"""Least and greatest of what is asked for as a number, by the argument's name."""

SHAPE = ("blocks", "late_blocks", "reach")
"""Arguments that are options of `FastNetwork`."""

OWN_FILES = ("checkpoint.pt", "losses.csv", "losses.png")
"""What a training writes into its folder, beside its sheets."""

WEIGHTS_RANGE = (0, 1_000_000)
"""Of every weight of a loss."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``fast`` and its siblings with their arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    fast = kinds.add_parser("fast", help="a network that paints one style, for the headset")
    add_common_arguments(fast)
    add_style_arguments(fast)
    fast.set_defaults(optimizer="muon")
    fast.add_argument("--network", choices=("fast", "johnson"), default="fast", help="which generator (default: fast)")
    fast.add_argument("--base", type=named, metavar="WEIGHTS", help="start from the weights of another style")
    fast.add_argument("--blocks", type=int, help="residual blocks of the fast network at 1/8 size (default: 3)")
    fast.add_argument("--late-blocks", type=int, help="and behind them at 1/4 size (default: 1)")
    fast.add_argument("--reach", type=int, help="how far, at 1/4 size, the step to 1/8 sees (default: 2)")
    binary = kinds.add_parser("binary", help="the same from bits: weights of -1 and +1")
    add_common_arguments(binary)
    add_style_arguments(binary)
    binary_command.add_arguments(binary)

    adain = kinds.add_parser("adain", help="a network that paints like any painting")
    add_common_arguments(adain)
    adain_command.add_arguments(adain)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every kind of training asks for."""
    parser.add_argument("--content", type=named, required=True, metavar="DIR", help="folder of photographs")
    parser.add_argument("-o", "--output", type=named, required=True, metavar="FILE", help="where the weights go")
    parser.add_argument("--vgg", type=named, metavar="FILE", help="VGG-19 weights (default: downloaded once, checked)")
    parser.add_argument("--run", type=named, metavar="DIR", help="checkpoints, curve, sheets (default: runs/NAME)")
    parser.add_argument("--iterations", type=int, default=4000, help="length of the training (default: 4000)")
    parser.add_argument("--batch-size", type=int, default=2, help="pictures an iteration and process (default: 2)")
    parser.add_argument(
        "--crop", type=int, default=256, metavar="PIXELS", help="size of a training picture (default: 256)"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=1e-3, help="length of a step (default: 1e-3; adain: 2e-4, vgg19 1e-4)"
    )
    parser.add_argument(
        "--optimizer",
        choices=("muon", "adam"),
        default="adam",
        help="muon learns what convolutions weigh faster (default: muon for fast, else adam)",
    )
    parser.add_argument(
        "--sample-every", type=int, default=250, metavar="N", help="sheet and curve every N iterations (default: 250)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="what computes (default: auto)"
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "bf16", "fp32"),
        default="auto",
        help="of the arithmetic (default: auto, which is bf16 where the GPU or the processor multiplies it, else fp32)",
    )


def add_style_arguments(parser: argparse.ArgumentParser) -> None:
    """The painting and the weights of its losses, for networks of one style."""
    parser.add_argument("--style", type=named, required=True, metavar="PICTURE", help="the painting")
    parser.add_argument(
        "--style-sizes",
        type=int,
        nargs="+",
        default=[512, 640, 768],
        metavar="PIXELS",
        help="short sides at which the painting's strokes are read, in turn (default: 512 640 768)",
    )
    parser.add_argument(
        "--texture-weight", type=float, default=1.0, help="strokes, whatever their colour (default: %(default)s)"
    )
    parser.add_argument("--gram-weight", type=float, default=1.0, help="strokes and palette (default: %(default)s)")
    parser.add_argument(
        "--content-weight", type=float, default=1.0, help="likeness to the photograph (default: %(default)s)"
    )
    parser.add_argument("--tv-weight", type=float, default=1.0, help="smoothness (total variation)")
    parser.add_argument(
        "--consistency-weight",
        type=float,
        default=2.0,
        help="steadiness in motion and between the eyes; 0 is off (default: %(default)s)",
    )
    parser.add_argument(
        "--lattice-weight",
        type=float,
        default=0.3,
        help="no pattern of the network's own; 0 is off (default: %(default)s)",
    )
    parser.add_argument(
        "--weave-weight",
        type=float,
        default=20.0,
        help="fine strokes that do not follow the network's grid; 0 is off (default: %(default)s)",
    )
    parser.add_argument(
        "--edge-weight",
        type=float,
        default=0.0,
        help="strokes along the photograph's outlines; 0 is off (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, and writes the weights with their recipe. Raises `ArtemError` for bad input."""
    check(arguments)
    if arguments.kind == "binary":
        return binary_command.run(arguments)
    if arguments.kind == "adain":
        return adain_command.run(arguments)
    import torch

    from artem_vr.training.data import Photographs, sheet_photographs
    from artem_vr.training.fast import FastObjective, LossWeights, StylePicture

    check_shape(arguments)
    process, device, vgg = begin(arguments)
    network = generator(arguments)
    if arguments.base:
        take_over(network, arguments.base)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = LossWeights(**loss_weights(arguments))
    photographs = Photographs(arguments.content, arguments.crop, arguments.seed)
    style = StylePicture(arguments.style, tuple(arguments.style_sizes))
    sheet = sheet_photographs(arguments.content)
    objective = FastObjective(network, vgg, style, photographs, weights, sheet, arguments.seed)
    return train(objective, arguments, process, device, lambda: network, {"photographs": len(photographs.paths)})


def check_shape(arguments: argparse.Namespace) -> None:
    """Raises `SettingsError` where a network that has but one shape is given another; before VGG-19 is downloaded."""
    from artem_vr.errors import SettingsError

    if arguments.network == "fast":
        return
    for name in SHAPE:
        if getattr(arguments, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} means nothing with --network {arguments.network}", f"Leave {option} out")
        delattr(arguments, name)


def generator(arguments: argparse.Namespace) -> torch.nn.Module:
    """The network to be trained, with random weights; its whole shape stands in ``arguments`` then."""
    from artem_vr.networks.fast import FastNetwork
    from artem_vr.networks.johnson import JohnsonNetwork

    if arguments.network == "johnson":
        return JohnsonNetwork()
    network = FastNetwork(**shape_said(arguments))
    say_shape(arguments, network.options)
    return network


def shape_said(arguments: argparse.Namespace) -> dict[str, int]:
    """The options of `FastNetwork` that the command names."""
    said = {name: getattr(arguments, name) for name in SHAPE}
    return {name: value for name, value in said.items() if value is not None}


def say_shape(arguments: argparse.Namespace, options: dict[str, int]) -> None:
    """For the recipe: what the command left open is what it became."""
    for name in SHAPE:
        setattr(arguments, name, options[name])


def begin(arguments: argparse.Namespace) -> tuple[Process, torch.device, VGG19]:
    """What every training begins with: its process, its device, VGG-19 there, and all that is random set.

    The precision "auto" becomes what it stands for, in ``arguments``. Raises `ArtemError`.
    """
    import torch

    from artem_vr.hardware import cpu_has_bf16
    from artem_vr.training.vgg_weights import load_vgg

    process, device = join(arguments.device)
    if arguments.precision == "auto":
        arguments.precision = "bf16" if device.type == "cuda" or cpu_has_bf16() else "fp32"
    torch.manual_seed(arguments.seed)
    vgg = load_vgg(arguments.vgg).to(device)
    return process, device, vgg.to(torch.bfloat16) if arguments.precision == "bf16" else vgg


def take_over(network: torch.nn.Module, path: Path, option: str = "") -> None:
    """Begin with the weights in ``path``. Raises `WeightsError` if they are of another kind or size of network.

    Of fast networks the numbers of blocks may differ (`beginning.begin_as`). ``option`` is the one that says of which
    size ``network`` is, if there is one.
    """
    from artem_vr.errors import WeightsError
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.fast import FastNetwork
    from artem_vr.training.beginning import begin_as

    base, metadata = load_network(path, parts=True)
    if isinstance(network, FastNetwork) and isinstance(base, FastNetwork):
        begin_as(network, base)
        return
    kind, options = getattr(network, "architecture", ""), getattr(network, "options", {})
    if type(base) is not type(network) or getattr(base, "options", {}) != options:
        sizes = f" of {metadata['options']}" if type(base) is type(network) else ""
        cause = f"{path.name} is a {metadata['architecture']} network{sizes}, and a {kind} one is to be trained"
        other = f", or another {option}" if sizes and option else ""
        raise WeightsError(cause, f"Give --base a {kind} network{f' of {options}' if sizes else ''}{other}")
    network.load_state_dict(base.state_dict())


def loss_weights(arguments: argparse.Namespace) -> dict[str, float]:
    """By the names of `training.fast.LossWeights`."""
    return {
        "gram": arguments.gram_weight,
        "texture": arguments.texture_weight,
        "content": arguments.content_weight,
        "variation": arguments.tv_weight,
        "consistency": arguments.consistency_weight,
        "lattice": arguments.lattice_weight,
        "weave": arguments.weave_weight,
        "edge": arguments.edge_weight,
    }


def train(
    objective: Objective,
    arguments: argparse.Namespace,
    process: Process,
    device: torch.device,
    finished: Callable[[], torch.nn.Module],
    counted: dict[str, int],
) -> int:
    """Runs the trainer and writes what ``finished`` then makes of the network, with its recipe. 0.

    ``counted``: how many photographs and paintings there were, for the recipe.
    """
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.training.trainer import Schedule, Trainer

    recipe = recipe_of(arguments) | {"processes": process.count} | counted
    painting = _painting(arguments.style) if isinstance(arguments.style, Path) else {"style": ""}
    schedule = Schedule(
        iterations=arguments.iterations, learning_rate=arguments.learning_rate, sample_every=arguments.sample_every
    )
    trainer = Trainer(
        objective,
        schedule,
        run_folder(arguments),
        batch_size=arguments.batch_size,
        optimizer=arguments.optimizer,
        device=device,
        mixed_precision=arguments.precision == "bf16",
        process=process,
        recipe=recipe,
        inputs=sums_of_inputs(arguments),
    )
    with trainer.folder_held():
        trainer.run()
        if not process.first:
            return 0
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        metadata = painting | {
            "recipe": json.dumps(recipe, sort_keys=True),
            "losses": json.dumps({name: round(value, 4) for name, value in trainer.losses.items()}),
        }
        digest = save_network(arguments.output, finished(), metadata)
        print(json.dumps({"output": str(arguments.output), "sha256": digest, "losses": trainer.losses}))
    return 0


def _painting(path: Path) -> dict[str, str]:
    """What the weights' header says of the painting. Raises `PictureError`."""
    from artem_vr.networks.header import smooth_entry
    from artem_vr.sources.pictures import load_picture
    from artem_vr.stylize.encoder import smooth_share_of

    return {"style": path.stem} | smooth_entry(smooth_share_of(load_picture(path)))


def run_folder(arguments: argparse.Namespace) -> Path:
    """Where checkpoints, curve and sheets go."""
    return arguments.run or Path("runs") / arguments.output.stem


def recipe_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What decides the result, without the machine's own paths: folders and files by name only."""
    left_out = {"command", "handler", "run", "output", "device", "json", "sample_every"}
    recipe: dict[str, Any] = {}
    for name, value in vars(arguments).items():
        if name in left_out or callable(value):
            continue
        recipe[name] = _without_folder(value)
    return recipe


def sums_of_inputs(arguments: argparse.Namespace) -> dict[str, str]:
    """What a training is made of, beside its photographs, told apart from other files of the same names.

    By option: the beginning of a file's sha256; of a folder's, that of the names and sizes of the pictures in it.
    """
    sums: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for option, path in named_files(arguments):
        sums[f"{option} {numbers[option]}"] = _sum_of(path)
        numbers[option] += 1
    return sums


def _sum_of(path: Path) -> str:
    from artem_vr.evaluation.pictures import files

    digest = hashlib.sha256()
    if path.is_dir():
        for file in files(path, "--style"):
            digest.update(
                f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode("utf-8", "surrogatepass")
            )
    else:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
    return digest.hexdigest()[:16]


def _without_folder(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_folder(one) for one in value]
    return value.name if isinstance(value, Path) else value


def check(arguments: argparse.Namespace) -> None:
    """What can be known before anything is read or downloaded. Raises `SettingsError`, `PictureError` or
    `WeightsError`.
    """
    from artem_vr.errors import PictureError, SettingsError, WeightsError

    for name, value in vars(arguments).items():
        check_range(name, value)
    if not 64 <= arguments.crop <= 4096 or arguments.crop % 8:
        raise SettingsError(f"--crop is {_shown(arguments.crop)}", "Give a multiple of 8 from 64 to 4096")
    if not arguments.content.is_dir():
        raise PictureError(f"no folder {arguments.content}", "Give --content a folder of photographs")
    for option, path in named_files(arguments):
        if not path.exists():
            kind = PictureError if option == "style" else WeightsError
            raise kind(f"there is no {path}, which --{option} names", "Check the name")
    check_run_folder(arguments)
    check_output(arguments)


def named_files(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """What a training reads beside its photographs: option and file (or folder of paintings) of all that are given."""
    for option in ("style", "base", "teacher", "vgg"):
        given = getattr(arguments, option, None) or []
        for path in given if isinstance(given, list) else [given]:
            yield option, path


def first_process() -> bool:
    """Whether this is the first of a ``torchrun``, which alone writes, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def check_run_folder(arguments: argparse.Namespace) -> None:
    """Raises `SettingsError` where the training's sheets would be among the pictures that it reads when it goes on, or
    could not be written."""
    from artem_vr.errors import SettingsError
    from artem_vr.writable import check_writable

    style, run = arguments.style, run_folder(arguments)
    if os.path.lexists(run) and not run.is_dir():
        raise SettingsError(f"{run}, where the training keeps its sheets, is no folder", "Give --run another one")
    if first_process():
        check_writable(run / OWN_FILES[0])
    for folder in [arguments.content, *(style if isinstance(style, list) else [style])]:
        if folder.is_dir() and run.resolve().is_relative_to(folder.resolve()):
            cause = f"{run}, where the training keeps its sheets, lies in {folder}, whose pictures it reads"
            raise SettingsError(cause, "Give --run a folder somewhere else")
    for name, path in named_files(arguments):
        own = path.name in OWN_FILES or (path.name.startswith("sheet-") and path.suffix == ".png")
        if own and path.is_file() and path.resolve().parent == run.resolve():
            cause = f"{path} of --{name} is called as what the training writes there, and would be overwritten"
            raise SettingsError(cause, "Give --run another folder")


def check_output(arguments: argparse.Namespace) -> None:
    """Raises `SettingsError` where the weights could not be written or used, or would replace what training reads."""
    from artem_vr.errors import SettingsError
    from artem_vr.styles.codes import SUFFIX
    from artem_vr.writable import check_writable

    output: Path = arguments.output
    if output.suffix.lower() != ".safetensors" or output.is_dir():
        raise SettingsError(f"-o {output} is no name of weights", "Give it a name that ends in .safetensors")
    if output.name.lower().endswith(SUFFIX):
        raise SettingsError(f"-o {output} is the name of a code, not of a network", f"Give it one without {SUFFIX}")
    if first_process():
        check_writable(output)
    if not output.exists():
        return
    from artem_vr.evaluation.pictures import SUFFIXES
    from artem_vr.same_file import same_file

    for name, path in [*named_files(arguments), ("content", arguments.content)]:
        if same_file(output, path):
            raise SettingsError(f"{output} is what --{name} names and would be overwritten", "Give -o another FILE")
        pictures = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else ()
        if any(same_file(output, picture) for picture in pictures):
            raise SettingsError(
                f"{output} is a picture in {path} of --{name} and would be overwritten", "Give -o another FILE"
            )


def check_range(name: str, value: Any) -> None:
    """Raises `SettingsError` where the argument ``name``, or one of several, is no number that it can be.

    None (nothing was said) and arguments that have no range may be anything.
    """
    from artem_vr.errors import SettingsError

    limits = WEIGHTS_RANGE if name.endswith("_weight") else RANGES.get(name)
    if limits is None or value is None:
        return
    low, high = limits
    for one in value if isinstance(value, list) else [value]:
        if not low <= one <= high:  # nor is it if this is no number at all
            raise SettingsError(f"--{name.replace('_', '-')} is {_shown(one)}", f"Give a number from {low} to {high}")


def _shown(number: float) -> str:
    text = str(number)
    return text if len(text) <= 40 else text[:37] + "..."


def join(name: str) -> tuple[Process, torch.device]:
    """This process among those of a ``torchrun``, and its device, called auto, cpu or cuda. Raises `EngineError`."""
    from artem_vr.training.trainer import Process

    process = Process.join(on_gpu=chosen_device(name).type == "cuda")
    return process, chosen_device(name)


def chosen_device(name: str) -> torch.device:
    """The torch device called auto, cpu or cuda; of several GPUs the current one. Raises `EngineError` without one."""
    import torch

    from artem_vr.errors import EngineError
    from artem_vr.hardware import cuda_trouble

    if name == "cpu":
        return torch.device("cpu")
    trouble = cuda_trouble()
    if trouble and name == "cuda":
        raise EngineError(f"no CUDA device can be used ({trouble})", "Leave --device out to use the processor")
    if trouble:
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())
