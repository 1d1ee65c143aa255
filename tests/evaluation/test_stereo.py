from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from artem_vr.errors import PictureError
from artem_vr.evaluation import metrics, stereo
from artem_vr.evaluation.motion import inside


def speckled(height: int, width: int, seed: int = 0) -> Tensor:
    """(1, 3, H, W) with texture that a matcher can hold on to."""
    coarse = torch.rand(1, 3, height // 3, width // 3, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)


def pair_of(seed: int = 0) -> stereo.StereoPair:
    return stereo.synthetic_pair(speckled(144, 144), 96, torch.Generator().manual_seed(seed), furthest=8.0)


def test_the_known_disparity_leads_from_eye_to_eye() -> None:
    pair = pair_of()
    assert pair.eyes.shape == (2, 3, 96, 96) and pair.disparity.shape == pair.mask.shape == (1, 96, 96)
    assert float(pair.disparity.min()) >= 0 and float(pair.disparity.max()) <= 8 and float(pair.disparity.std()) > 0.5
    mask = pair.mask[:, None]
    error = metrics.change(pair.eyes[:1], pair.expected_left(pair.eyes), mask)
    swapped = metrics.change(pair.eyes[1:], pair.expected_left(pair.eyes.flip(0)), mask)
    assert float(error) < 0.02 and float(swapped) > 5 * float(error)


def test_equal_eyes_without_disparity_have_no_error() -> None:
    eye = speckled(48, 48)
    disparity = torch.zeros(1, 48, 48)
    mask = inside(stereo.positions_in_right(disparity), 48, 48)[:, 0]
    pair = stereo.StereoPair(torch.cat((eye, eye)), disparity, mask)
    torch.testing.assert_close(pair.expected_left(pair.eyes), eye)


def test_the_matcher_finds_the_known_disparity() -> None:
    pytest.importorskip("cv2")
    pair = pair_of(1)
    found = stereo.match(pair.eyes, 8.0)
    assert float(metrics.bad1(found, pair.disparity, pair.mask)) < 0.1
    assert float(metrics.disparity_drift(found, pair.disparity, pair.mask)) < 0.4
    unrelated = torch.cat((pair.eyes[:1], speckled(96, 96, seed=9)))
    assert float(metrics.bad1(stereo.match(unrelated, 8.0), pair.disparity, pair.mask)) > 0.5


def test_a_near_thing_hides_what_is_behind() -> None:
    disparity = torch.full((1, 3, 40), 2.0)
    disparity[:, :, 20:30] = 10.0  # in the right eye it stands at 10..19, and covers what stood there: 12..21
    expected = torch.zeros(40, dtype=torch.bool)
    expected[12:20] = True
    assert torch.equal(stereo.hidden(disparity)[0, 1], expected)


def write_pair(folder: Path, size: tuple[int, int] = (60, 80)) -> None:
    from PIL import Image

    height, width = size
    scene = (speckled(height, width + 12)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    Image.fromarray(scene[:, :width]).save(folder / "wallL.png")
    Image.fromarray(scene[:, 6 : width + 6]).save(folder / "wallR.png")
    truth = np.full((height, width), 6, np.uint8)
    truth[:10] = 0  # unknown
    Image.fromarray(truth).save(folder / "wallGT.png")


def test_pairs_of_others_are_read_and_reduced(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (pair,) = stereo.read_pairs(tmp_path, 60)
    assert pair.eyes.shape == (2, 3, 60, 80) and not bool(pair.mask[:, :10].any())
    torch.testing.assert_close(pair.disparity[:, 10:], torch.full((1, 50, 80), 6.0))
    assert float(metrics.change(pair.eyes[:1], pair.expected_left(pair.eyes), pair.mask[:, None])) < 1e-3
    (half,) = stereo.read_pairs(tmp_path, 30)
    assert half.eyes.shape == (2, 3, 30, 40) and float(half.disparity.max()) == pytest.approx(3)


def test_names_are_no_patterns(tmp_path: Path) -> None:
    write_pair(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("wall", "wall[1]")))
    assert len(stereo.read_pairs(tmp_path, 60)) == 1


def test_a_disparity_of_16_bits_is_not_scaled(tmp_path: Path) -> None:
    from PIL import Image

    write_pair(tmp_path)
    (pair,) = stereo.read_pairs(tmp_path, 60)
    truth = np.asarray(Image.open(tmp_path / "wallGT.png")).astype(np.uint16)
    Image.fromarray(truth).save(tmp_path / "wallGT.png")
    (deep,) = stereo.read_pairs(tmp_path, 60)
    assert torch.equal(deep.disparity, pair.disparity) and torch.equal(deep.mask, pair.mask)


@pytest.mark.parametrize("level", [0, 200])
def test_disparities_of_which_none_is_valid_are_one_line(level: int, tmp_path: Path) -> None:
    """Nothing measured is no perfect score."""
    from PIL import Image

    write_pair(tmp_path)
    Image.new("L", (80, 60), level).save(tmp_path / "wallGT.png")
    with pytest.raises(PictureError, match=r"wallGT\.png .* disparit"):
        stereo.read_pairs(tmp_path, 60)


def test_folders_without_pairs_and_unequal_sizes_are_one_line(tmp_path: Path) -> None:
    from PIL import Image

    with pytest.raises(PictureError, match="--stereo"):
        stereo.read_pairs(tmp_path, 64)
    with pytest.raises(PictureError, match="--stereo"):
        stereo.read_pairs(tmp_path / "missing", 64)
    write_pair(tmp_path)
    Image.new("L", (5, 5)).save(tmp_path / "wallGT.png")
    with pytest.raises(PictureError, match="size"):
        stereo.read_pairs(tmp_path, 64)
