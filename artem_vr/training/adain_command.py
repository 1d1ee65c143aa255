"""``artem-vr train adain``: its own arguments, and what the training is put together from."""

from __future__ import annotations

import argparse
from pathlib import Path

WINDOW = 288
"""Pixels of a painting that are looked at: at the sizes at which it is read, most of it."""
WEIGHTS = {"gram": 1, "texture": 2, "content": 1, "tv": 1, "palette": 5, "plain": 4, "consistency": 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Beside the common ones."""
    parser.add_argument(
        "--encoder",
        choices=("compact",),
        default="compact",
        help="what reads the paintings (default: compact, part of the network)",
    )
    parser.add_argument(
        "--style", type=Path, required=True, nargs="+", metavar="PICTURE|DIR", help="paintings, or folders of them"
    )
    parser.add_argument("--base", type=Path, metavar="WEIGHTS", help="start from a fast or compact network's weights")
    parser.add_argument("--blocks", type=int, default=7, help="residual blocks of the painter (default: 7)")
    for name, weight in WEIGHTS.items():
        parser.add_argument(f"--{name}-weight", type=float, default=float(weight), help=f"default: {weight}")


def run(arguments: argparse.Namespace) -> int:
    """Trains and writes. Raises `ArtemError` for bad input; the common arguments are checked already."""
    from artem_vr.errors import SettingsError

    if not 1 <= arguments.blocks <= 12:
        raise SettingsError(f"--blocks is {arguments.blocks}", "Give a number from 1 to 12")
    import torch

    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.compact import CompactNetwork
    from artem_vr.sources.pictures import load_picture
    from artem_vr.training import cli
    from artem_vr.training.compact import CompactLossWeights, CompactObjective, Paintings, start_from
    from artem_vr.training.data import Photographs, sheet_photographs
    from artem_vr.training.trainer import Process
    from artem_vr.training.vgg_weights import load_vgg

    process = Process.join()
    device = cli.chosen_device(arguments.device)
    torch.manual_seed(arguments.seed)
    vgg = load_vgg(arguments.vgg).to(device)
    if arguments.precision == "bf16":
        vgg = vgg.to(torch.bfloat16)
    network = CompactNetwork(blocks=arguments.blocks)
    if arguments.base:
        start_from(network, load_network(arguments.base)[0].requires_grad_(True))
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = CompactLossWeights(
        **cli.loss_weights(arguments), palette=arguments.palette_weight, plain=arguments.plain_weight
    )
    photographs = Photographs(arguments.content, arguments.crop, arguments.seed)
    paintings = Paintings(arguments.style, WINDOW, arguments.seed)
    paths = paintings.paths
    some = [load_picture(path) for path in paths[:: -max(1, len(paths) // 6)][:6]]
    sheet = sheet_photographs(arguments.content, 4), some
    objective = CompactObjective(network, vgg, paintings, photographs, weights, sheet, arguments.seed)
    counted = {"photographs": len(photographs.paths), "paintings": len(paths)}
    return cli.train(objective, arguments, process, device, lambda: network, counted)
