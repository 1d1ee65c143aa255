"""``artem-vr train binary``: its own arguments, and what the training is put together from."""

from __future__ import annotations

import argparse

from artem_vr.typed_path import named

OF_TEACHER = {"painting_weight": 4.0, "features_weight": 2.0, "looked_at": 1}
"""Options that mean something with a teacher only, and their defaults."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Beside the common ones and those of a style."""
    parser.add_argument(
        "--teacher", type=named, metavar="WEIGHTS", help="fast network of the same style to learn from (default: none)"
    )
    parser.add_argument("--words", type=int, default=2, metavar="N", help="width of the body, in 64 channels")
    parser.add_argument("--layers", type=int, default=10, metavar="N", help="binarised convolutions")
    parser.add_argument(
        "--painting-weight",
        type=float,
        help=f"likeness to the teacher's painting (default: {OF_TEACHER['painting_weight']:g})",
    )
    parser.add_argument(
        "--features-weight",
        type=float,
        help=f"likeness to the teacher's features (default: {OF_TEACHER['features_weight']:g})",
    )
    parser.add_argument(
        "--looked-at", type=int, metavar="N", help="with a teacher: pictures of a batch that VGG-19 sees (default: 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, packs and writes. Raises `ArtemError` for bad input; the common arguments are checked already."""
    from artem_vr.errors import SettingsError

    for name, default in OF_TEACHER.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif arguments.teacher is None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} means nothing without --teacher", f"Leave {option} out, or give --teacher")
    if not 1 <= arguments.looked_at <= arguments.batch_size:
        cause = f"--looked-at is {arguments.looked_at}"
        raise SettingsError(cause, f"Give a number from 1 to {arguments.batch_size}, the --batch-size")
    import torch

    from artem_vr.errors import WeightsError
    from artem_vr.networks.binary import BinaryNetwork
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.fast import FastNetwork
    from artem_vr.training import cli
    from artem_vr.training.binary import TaughtLossWeights, TaughtObjective
    from artem_vr.training.data import Photographs, sheet_photographs
    from artem_vr.training.fast import FastObjective, LossWeights, StylePicture

    process, device, vgg = cli.begin(arguments)
    torch.manual_seed(arguments.seed)  # VGG-19 took random numbers for weights that it then was given
    network = BinaryNetwork(words=arguments.words, layers=arguments.layers).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    photographs = Photographs(arguments.content, arguments.crop, arguments.seed)
    style = StylePicture(arguments.style, tuple(arguments.style_sizes))
    sheet, weights = sheet_photographs(arguments.content), cli.loss_weights(arguments)
    objective: FastObjective
    if arguments.teacher is None:
        objective = FastObjective(network, vgg, style, photographs, LossWeights(**weights), sheet, arguments.seed)
    else:
        teacher, metadata = load_network(arguments.teacher)
        if not isinstance(teacher, FastNetwork):
            kind = metadata["architecture"]
            raise WeightsError(f"{arguments.teacher.name} is a {kind} network", "Give --teacher a fast network")
        objective = TaughtObjective(
            network,
            vgg,
            style,
            photographs,
            TaughtLossWeights(**weights, painting=arguments.painting_weight, features=arguments.features_weight),
            sheet,
            arguments.seed,
            teacher=teacher.to(device),
            looked_at=arguments.looked_at,
        )
    counted = {"photographs": len(photographs.paths)}
    return cli.train(objective, arguments, process, device, lambda: network.packed().cpu(), counted)
