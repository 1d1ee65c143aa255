"""``artem-vr train adain``: its own arguments, and what the training is put together from."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from artem_vr.typed_path import named

if TYPE_CHECKING:
    from artem_vr.training.trainer import Process

WINDOW = 288
"""Pixels of a painting that the compact network is shown: at the sizes at which it is read, most of it."""

OPTIONS: dict[str, dict[str, Any]] = {
    "compact": {
        "base": None,
        "blocks": None,
        "late_blocks": None,
        "reach": None,
        "gram_weight": 1.0,
        "texture_weight": 2.0,
        "content_weight": 1.0,
        "tv_weight": 1.0,
        "palette_weight": 5.0,
        "plain_weight": 4.0,
        "distinction_weight": 0.3,
        "lattice_weight": 0.3,
        "weave_weight": 0.0,
        "edge_weight": 0.0,
        "consistency_weight": 1.0,
        "crops": 600,
        "answer_rounds": 3,
        "learning_rate": 2e-4,
    },
    "vgg19": {
        "base": None,
        "depth": "relu4_1",
        "content_weight": 1.0,
        "style_weight": 10.0,
        "weave_weight": 0.0,
        "learning_rate": 1e-4,
    },
}
"""What can be told with each ``--encoder``, and what holds when it is not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Beside the common ones."""
    parser.set_defaults(learning_rate=None)
    parser.add_argument(
        "--encoder",
        choices=("compact", "vgg19"),
        default="compact",
        help="what reads the paintings: a part of the network itself, or VGG-19, of which only the decoder is trained "
        "(default: compact)",
    )
    parser.add_argument(
        "--style", type=named, required=True, nargs="+", metavar="PICTURE|DIR", help="paintings, or folders of them"
    )
    parser.add_argument(
        "--base",
        type=named,
        metavar="WEIGHTS",
        help="start from the weights of another: of a fast or a compact network, or of a decoder",
    )
    parser.add_argument(
        "--blocks",
        type=int,
        help="residual blocks of the compact network's painter at 1/8 size (default: 5, or those of a compact --base)",
    )
    parser.add_argument("--late-blocks", type=int, help="and behind them at 1/4 size (default: 1, or those of --base)")
    parser.add_argument(
        "--reach", type=int, help="how far, at 1/4 size, the step to 1/8 sees (default: 2, or that of --base)"
    )
    parser.add_argument(
        "--crops",
        type=int,
        help="different crops that photographs are cut to; VGG-19 looks at each once. 0: ever new ones (default: 600)",
    )
    parser.add_argument(
        "--answer-rounds",
        type=int,
        metavar="N",
        help="after the iterations: rounds in which the encoder alone is improved (default: 3)",
    )
    parser.add_argument("--depth", choices=("relu4_1", "relu3_1"), help="how far VGG-19 encodes (default: relu4_1)")
    for name in sorted({name for defaults in OPTIONS.values() for name in defaults if "weight" in name}):
        known = "; ".join(f"{kind}: {own[name]:g}" for kind, own in OPTIONS.items() if name in own)
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"defaults: {known}")


def settle(arguments: argparse.Namespace) -> None:
    """Fills in what was not said, and takes away what the other ``--encoder`` would be told. Raises `SettingsError`."""
    from artem_vr.errors import SettingsError

    own = OPTIONS[arguments.encoder]
    for name in sorted({name for options in OPTIONS.values() for name in options}):
        value = getattr(arguments, name)
        if name in own:
            setattr(arguments, name, own[name] if value is None else value)
            continue
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} means nothing with --encoder {arguments.encoder}", f"Leave {option} out")
        delattr(arguments, name)


def run(arguments: argparse.Namespace) -> int:
    """Trains and writes. Raises `ArtemError` for bad input; the common arguments are checked already."""
    settle(arguments)

    from artem_vr.training import cli

    process, device, vgg = cli.begin(arguments)
    make = {"compact": _compact, "vgg19": _vgg19}[arguments.encoder]
    objective, finished, counted = make(arguments, vgg, process, device)
    return cli.train(objective, arguments, process, device, finished, counted)


def _compact(arguments: argparse.Namespace, vgg: Any, process: Process, device: Any) -> tuple[Any, Any, dict[str, int]]:
    """The objective, what makes the network of it in the end, and what the recipe counts."""
    import torch

    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.compact import CompactNetwork
    from artem_vr.training import cli
    from artem_vr.training.answering import teach_to_answer
    from artem_vr.training.compact import CompactLossWeights, CompactObjective, Paintings, start_from
    from artem_vr.training.data import Photographs, load_some, sheet_photographs
    from artem_vr.training.trainer import CHECKPOINT

    base = load_network(arguments.base)[0].requires_grad_(True) if arguments.base else None
    options = base.options if isinstance(base, CompactNetwork) else {}
    network = CompactNetwork(**options | cli.shape_said(arguments))
    cli.say_shape(arguments, network.options)
    start_from(network, network.painter if base is None else base)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = CompactLossWeights(
        **cli.loss_weights(arguments),
        palette=arguments.palette_weight,
        plain=arguments.plain_weight,
        distinction=arguments.distinction_weight,
    )
    photographs = Photographs(arguments.content, arguments.crop, arguments.seed, crops=arguments.crops)
    paintings = Paintings(arguments.style, WINDOW, arguments.seed)
    paths = paintings.paths
    sheet = sheet_photographs(arguments.content, 4), load_some(paths[::-1], 6)
    objective = CompactObjective(network, vgg, paintings, photographs, weights, sheet, arguments.seed)
    resumed = process.from_first((cli.run_folder(arguments) / CHECKPOINT).exists)
    going_on = resumed or isinstance(base, CompactNetwork)
    if not going_on:  # else the encoder can read, or the checkpoint brings one that can
        objective.teach_to_read()

    counted = {"photographs": len(photographs.paths), "paintings": len(paths)}

    def finish() -> CompactNetwork:
        made_of = cli.recipe_of(arguments) | counted, cli.sums_of_inputs(arguments)
        training = json.dumps(made_of, sort_keys=True, default=str)
        teach_to_answer(objective, arguments.answer_rounds, cli.run_folder(arguments) / "answers.pt", training)
        return objective.fit_plain()

    return objective, finish, counted


def _vgg19(arguments: argparse.Namespace, vgg: Any, process: Process, device: Any) -> tuple[Any, Any, dict[str, int]]:
    """The objective, what makes the network of it in the end, and what the recipe counts."""
    import torch

    from artem_vr.errors import WeightsError
    from artem_vr.networks.adain import AdaINDecoder
    from artem_vr.training import cli
    from artem_vr.training.adain import VIEWS, AdaINLossWeights, AdaINObjective, sheet_paintings
    from artem_vr.training.compact import Paintings
    from artem_vr.training.data import Photographs, sheet_photographs

    decoder = AdaINDecoder(int(arguments.depth[4]))
    if arguments.base:
        cli.take_over(decoder, arguments.base, "--depth")
    decoder = decoder.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    photographs = Photographs(arguments.content, arguments.crop, arguments.seed)
    paintings = Paintings(arguments.style, window=arguments.crop, seed=arguments.seed, views=VIEWS)
    sheet = sheet_photographs(arguments.content, 4), sheet_paintings(arguments.style, 6)
    weights = AdaINLossWeights(arguments.content_weight, arguments.style_weight, arguments.weave_weight)
    try:
        objective = AdaINObjective(decoder, vgg, paintings, photographs, weights, sheet)
    except ValueError as error:  # the base's
        raise WeightsError(str(error), "Give --vgg the file of then, or leave --base out") from None
    counted = {"photographs": len(photographs.paths), "paintings": len(paintings.paths)}
    return objective, lambda: objective.network, counted
