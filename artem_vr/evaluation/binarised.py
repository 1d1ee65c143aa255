"""What becomes of a trained network whose numbers are turned into signs, beside one that was trained so.

    python -m artem_vr.evaluation.binarised PHOTO FAST BINARISED [FAST BINARISED ...] -o FILE

draws the photograph and, for each style, the painting of the fast network, of its binarised version, and of the fast
network whose convolutions between the first and the last were turned into signs without any training: the article
reports a "great loss of image semantics" of that.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from artem_vr.errors import ArtemError, SettingsError, WeightsError
from artem_vr.same_file import same_file
from artem_vr.typed_path import named

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from artem_vr.networks.fast import FastNetwork
    from artem_vr.networks.layers import UpsampleConv

NAIVE = "fast, naive signs"


def naive_signs(network: FastNetwork) -> nn.Module:
    """A copy in which all convolutions but the first and the last are binarised without any training.

    Weights and inputs become signs, with both scales of XNOR-Net (Rastegari et al. 2016): mean |w| of each output, and
    the map K of local mean |input|. Without K hardly anything would pass: rectified inputs are all +1.
    """
    from xnor.convert import binarise

    copied = copy.deepcopy(network)
    copied.decode4, copied.decode2 = plain(copied.decode4), plain(copied.decode2)  # type: ignore[assignment]
    return binarise(copied, keep_last=False, input_scale=True).eval()  # decode1, the last, is no plain convolution


def plain(layer: UpsampleConv) -> nn.Sequential:
    """The same map, not folded: its convolution has the weights that were learned, at the full size."""
    from torch import nn

    from artem_vr.networks.layers import conv

    convolution = conv(layer.weight.shape[1], layer.outputs, layer.kernel_size)
    convolution.weight, convolution.bias = layer.weight, layer.bias
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), convolution)


def parameter_count(network: nn.Module) -> int:
    """Numbers that were learned: real ones, and signs."""
    from xnor.convert import packed_layers

    layers = packed_layers(network).values()
    signs = sum(layer.words.shape[0] * layer.signs_per_output for layer in layers)
    beside = sum(b.numel() for layer in layers for name, b in layer.named_buffers() if name != "words")
    return signs + beside + sum(p.numel() for p in network.parameters())


def cells(photo: Path, pairs: list[tuple[Path, Path]], size: int) -> list[tuple[str, np.ndarray]]:
    """Titles and pictures (H, W, 3) uint8, four a pair. Raises `PictureError`, `WeightsError`."""
    import numpy as np
    import torch

    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.fast import FastNetwork
    from artem_vr.offline.files import resized
    from artem_vr.sources.pictures import load_picture

    picture = resized(load_picture(photo), size)
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255

    def paint(network: nn.Module) -> np.ndarray:
        with torch.no_grad():
            painted = network(batch)[0].permute(1, 2, 0)
        return np.ascontiguousarray((painted * 255).round().byte().numpy())

    result = []
    for fast, binarised in pairs:
        network, metadata = load_network(fast)
        if not isinstance(network, FastNetwork):
            raise WeightsError(f"{fast.name} is a {metadata['architecture']} network", "Name a fast network first")
        bits, kind = load_network(binarised)
        if kind["architecture"] != "binary":
            raise WeightsError(f"{binarised.name} is a {kind['architecture']} network", "Name its binarised version")
        result += [
            ("the photograph", picture),
            (f"fast network, {fast.stat().st_size / 1000:.0f} kB", paint(network)),
            (f"trained in bits, {binarised.stat().st_size / 1000:.0f} kB", paint(bits)),
            ("fast network, naive signs", paint(naive_signs(network))),
        ]
    return result


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="artem_vr.evaluation.binarised", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", type=named, metavar="PHOTO")
    parser.add_argument("weights", type=named, nargs="+", metavar="FAST BINARISED")
    parser.add_argument("-o", "--output", type=named, required=True, metavar="FILE", help="a picture file")
    parser.add_argument("--size", type=int, default=480, metavar="PIXELS", help="longer side of each picture")
    arguments = parser.parse_args(words)
    try:
        if len(arguments.weights) % 2:
            raise SettingsError("the weights do not come in pairs", "Name a fast network and its binarised version")
        if any(same_file(arguments.output, read) for read in (arguments.photo, *arguments.weights)):
            raise SettingsError(f"{arguments.output} is read, and would be overwritten", "Name another FILE")
        if not 32 <= arguments.size <= 4096:
            raise SettingsError(f"--size is {arguments.size}", "Give a number from 32 to 4096")
        from artem_vr.offline.style_sheet import sheet
        from artem_vr.sources.pictures import save_picture

        pairs = list(zip(arguments.weights[::2], arguments.weights[1::2], strict=True))
        save_picture(arguments.output, sheet(cells(arguments.photo, pairs, arguments.size), columns=4))
    except ArtemError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
