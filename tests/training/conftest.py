"""Small pictures and random VGG weights for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artem_vr.sources.pictures import save_picture


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six small photographs and a painting, smooth and striped."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[0:96, 0:120]
    for k in range(6):
        channels = [127 + 120 * np.sin(x / (7 + k) + c) * np.cos(y / (9 + c)) for c in range(3)]
        save_picture(folder / f"photo{k}.png", np.stack(channels, axis=-1).astype(np.uint8))
    stripes = np.stack([127 + 127 * np.sign(np.sin((x + y) / 3)), 200 - x, y * 2], axis=-1)
    (folder / "style").mkdir()
    save_picture(folder / "style" / "stripes.png", stripes.astype(np.uint8))
    return folder
