"""Sample sheets: rows of pictures to look at while a training runs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from artem_vr.networks.layers import OwnStatistics
from artem_vr.tensors import without_ends
from artem_vr.training.data import to_tensor


def blank() -> np.ndarray:
    """An empty place in a row."""
    return np.full((16, 16, 3), 255, np.uint8)


@torch.no_grad()
def painted_bytes(network: nn.Module, photograph: np.ndarray, code: Tensor | None = None) -> np.ndarray:
    """``photograph`` (H, W, 3) uint8 RGB as ``network`` paints it, with a style ``code`` if it takes one."""
    device = next(network.parameters()).device
    painted = network(to_tensor(photograph).to(device), OwnStatistics(code)).float().cpu()
    return (painted.clamp(0, 1)[0].permute(1, 2, 0) * 255).round().byte().numpy()


def rows_of(rows: Sequence[Sequence[np.ndarray]], height: int) -> np.ndarray:
    """(H, W, 3) uint8: ``rows`` of ``height`` pixels each; a column is as wide as its last picture. Of strips the
    middle: losses see no more of them either."""
    rows = [[_middle(picture) for picture in row] for row in rows]
    widths = [max(8, round(height * p.shape[1] / p.shape[0])) for p in rows[-1]]
    widths[0] = max(widths[0], max(round(height * row[0].shape[1] / row[0].shape[0]) for row in rows))
    return np.concatenate([np.concatenate([_fitted(*x, height) for x in zip(r, widths, strict=True)], 1) for r in rows])


def _middle(picture: np.ndarray) -> np.ndarray:
    """Of (H, W, 3) what `without_ends` leaves."""
    return without_ends(torch.from_numpy(picture).permute(2, 0, 1)).permute(1, 2, 0).numpy()


def _fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scaled to fit and centred on white."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    result = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    result[top : top + size[1], left : left + size[0]] = scaled
    return result
