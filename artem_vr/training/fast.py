"""Training of one network for one painting (Johnson et al. 2016), made steady in stereo and motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from artem_vr.evaluation.lattice import weave
from artem_vr.networks.layers import GivenStatistics, OwnStatistics
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import load_picture
from artem_vr.tensors import short_side
from artem_vr.training import losses, warps
from artem_vr.training.data import Photographs, draw_ramp, to_tensor
from artem_vr.training.sheets import blank, painted_bytes, rows_of
from artem_vr.training.trainer import TOTAL, TrainedAlike


@dataclass(frozen=True)
class LossWeights:
    """Weights of the relative losses of `training.losses`; without unit."""

    gram: float = 1.0
    texture: float = 1.0
    content: float = 1.0
    variation: float = 1.0
    consistency: float = 2.0
    lattice: float = 0.3
    weave: float = 20.0
    edge: float = 0.0


@dataclass(frozen=True)
class StylePicture:
    """A painting and the short sides, in pixels, at which its texture is read (with odds)."""

    path: Path
    short_sides: tuple[int, ...] = (512, 640, 768)

    def targets(self, vgg: VGG19) -> list[dict[str, losses.TextureStatistics]]:
        picture = to_tensor(load_picture(self.path)).to(vgg.mean.device)
        result = []
        for side in self.short_sides:
            with torch.no_grad():
                features = vgg(short_side(picture, side), losses.STYLE_LAYERS)
            result.append({name: losses.TextureStatistics.of(value) for name, value in features.items()})
        return result


def lattice_of(network: nn.Module, ramps: Tensor, statistics: OwnStatistics | None = None) -> Tensor:
    """`losses.lattice_loss` of what the network paints on (B, 3, S, S), mean over the batch.

    In single precision whatever the training's: bf16 leaves steps on a ramp, which are no lattice.
    """
    with torch.autocast(ramps.device.type, enabled=False):
        ramps = ramps.contiguous(memory_format=torch.channels_last)
        return losses.lattice_loss(network(ramps, statistics or OwnStatistics())).mean()


class FastObjective(TrainedAlike):
    """Gram, texture, content, total variation, consistency, lattice, weave and edge losses of a network.

    Consistency on still photographs: the painting of a moved, noisy photograph must be the moved
    painting. The second pass reuses the statistics of the first, as the stylizer does from
    frame to frame and from eye to eye. (After Wang et al. 2020, Hayes et al. 2021.)
    """

    def __init__(
        self,
        network: nn.Module,
        vgg: VGG19,
        style: StylePicture,
        photographs: Photographs,
        weights: LossWeights,
        sheet_photographs: list[np.ndarray],
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = network
        self.weights, self.photographs, self.seed = weights, photographs, seed
        self._fixed = (vgg,)  # a tuple hides it from parameters() and state_dict()
        self._targets = style.targets(vgg)
        self._style, self._sheet = style, sheet_photographs

    def batch(self, iteration: int, batch_size: int, first: int) -> dict[str, Tensor]:
        pictures = self.photographs.batch(iteration, batch_size, first)
        result = {"pictures": pictures, "scale": torch.tensor(iteration % len(self._targets))}
        height, width = pictures.shape[-2:]
        motions, ramps = [], []
        for place in range(first, first + batch_size):
            random = torch.Generator().manual_seed(self.seed * 7_919 + iteration * 1_009 + place)
            motions.append(warps.draw_motion(height, width, random, other_eye=(iteration + place) % 2 == 1))
            ramps.append(draw_ramp(width, random))
        if self.weights.consistency:
            grids, noise = (torch.cat(parts) for parts in zip(*motions, strict=True))
            result |= {"grids": grids, "noise": noise}
        if self.weights.lattice:
            result["ramps"] = torch.stack(ramps)
        return result

    def forward(
        self,
        pictures: Tensor,
        scale: Tensor,
        grids: Tensor | None = None,
        noise: Tensor | None = None,
        ramps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        statistics = OwnStatistics()
        paintings = self.network(pictures.contiguous(memory_format=torch.channels_last), statistics)
        result = self.appearance(paintings, pictures, int(scale))
        return self.weighed(result | self.conduct(paintings, pictures, statistics.recorded, grids, noise, ramps))

    def appearance(self, paintings: Tensor, pictures: Tensor, scale: int) -> dict[str, Tensor]:
        """What VGG-19 says of ``paintings`` of ``pictures``, (B, 3, H, W) each; strokes as at short side ``scale``."""
        (vgg,) = self._fixed
        features = vgg(paintings, losses.STYLE_LAYERS)
        with torch.no_grad():
            content = vgg(pictures, (losses.CONTENT_LAYER,))[losses.CONTENT_LAYER]
        gram, texture = losses.style_loss(features, self._targets[scale])
        return {
            "gram": gram,
            "texture": texture,
            "content": losses.content_loss(features[losses.CONTENT_LAYER], content),
            "variation": losses.total_variation(paintings.float()),
        }

    def conduct(
        self,
        paintings: Tensor,
        pictures: Tensor,
        recorded: list[tuple[Tensor, Tensor]],
        grids: Tensor | None,
        noise: Tensor | None,
        ramps: Tensor | None,
    ) -> dict[str, Tensor]:
        """Consistency, lattice, weave and edges, as far as they are asked for; of the ``paintings`` of ``pictures``."""
        result = {}
        if grids is not None and noise is not None:
            result["consistency"] = self.consistency(paintings, pictures, recorded, grids, noise)
        if ramps is not None:
            result["lattice"] = lattice_of(self.network, ramps)
        if self.weights.weave:
            result["weave"] = weave(paintings.float()).mean()
        if self.weights.edge:
            result["edge"] = losses.edge_loss(paintings.float(), pictures).mean()
        return result

    def consistency(
        self,
        paintings: Tensor,
        pictures: Tensor,
        recorded: list[tuple[Tensor, Tensor]],
        grids: Tensor,
        noise: Tensor,
    ) -> Tensor:
        """How far the painting of the moved, noisy pictures is from the moved ``paintings``."""
        moved = (warps.sample(pictures, grids) + noise).clamp(0, 1)
        again = self.network(moved.contiguous(memory_format=torch.channels_last), GivenStatistics(recorded))
        mask = warps.valid_mask(grids, *pictures.shape[-2:])
        return losses.consistency_loss(warps.sample(paintings.float(), grids), again.float(), mask)

    def weighed(self, result: dict[str, Tensor]) -> dict[str, Tensor]:
        """``result`` and its weighted sum."""
        weights = vars(self.weights)
        result[TOTAL] = sum((weights[name] * value for name, value in result.items()), torch.zeros(()))
        return result

    @torch.no_grad()
    def sample_sheet(self) -> np.ndarray:
        """The painting, then photographs above what the network makes of them."""
        painted = [painted_bytes(self.network, photograph) for photograph in self._sheet]
        return rows_of([[load_picture(self._style.path), *self._sheet], [blank(), *painted]], height=384)
