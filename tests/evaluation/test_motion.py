import numpy as np
import pytest
import torch
from torch import Tensor

from artem_vr.evaluation import metrics, motion


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(height: int, width: int) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    waves = [torch.sin(x / 11 + k) * torch.cos(y / 13 - k) for k in range(3)]
    return (0.5 + 0.4 * torch.stack(waves))[None]


def test_every_pixel_at_its_own_place_is_the_picture() -> None:
    picture = torch.rand(2, 3, 7, 9)
    torch.testing.assert_close(motion.sample(picture, motion.pixel_positions(7, 9)), picture)


def test_whole_pixel_shifts_are_exact() -> None:
    picture = torch.rand(1, 3, 8, 10)
    positions = motion.pixel_positions(8, 10) + torch.tensor([2.0, 1.0])
    mask = motion.inside(positions, 8, 10, margin=0)
    moved = motion.sample(picture, positions)
    torch.testing.assert_close(moved[..., :7, :8], picture[..., 1:, 2:])
    assert mask[0, 0].sum() == 7 * 8 and bool(mask[0, 0, :7, :8].all())


def test_sampling_is_differentiable_in_both() -> None:
    picture = smooth(12, 12).requires_grad_()
    positions = (motion.pixel_positions(12, 12) + 0.3).requires_grad_()
    motion.sample(picture, positions).square().mean().backward()
    assert picture.grad is not None and positions.grad is not None
    assert bool(picture.grad.abs().sum() > 0) and bool(positions.grad.abs().sum() > 0)


def test_homographies_compose() -> None:
    one, two = motion.head_motion(generator(1), 40, 50), motion.head_motion(generator(2), 40, 50)
    by_two_steps = motion.sample(motion.along(one, 40, 50).permute(0, 3, 1, 2), motion.along(two, 40, 50))
    at_once = motion.along(one @ two, 40, 50)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    torch.testing.assert_close(by_two_steps.permute(0, 2, 3, 1)[inner], at_once[inner], rtol=0, atol=0.02)


def test_head_motion_is_small_and_repeatable() -> None:
    reach = 4.0
    for seed in range(20):
        matrix = motion.head_motion(generator(seed), 128, 128, pixels=reach)
        moved = (motion.along(matrix, 128, 128) - motion.pixel_positions(128, 128)).norm(dim=-1)
        assert 0.05 < float(moved.max()) < 4 * reach
        assert torch.equal(matrix, motion.head_motion(generator(seed), 128, 128, pixels=reach))


def test_subpixel_shift_is_below_a_pixel() -> None:
    moved = motion.along(motion.subpixel_shift(generator()), 9, 9) - motion.pixel_positions(9, 9)
    assert float(moved.abs().max()) <= 1 and float(moved.std(dim=(1, 2)).max()) < 1e-5


def test_camera_pictures_agree_along_the_known_motion() -> None:
    camera = motion.Camera(smooth(96, 110), 64)
    before, now = torch.eye(3, dtype=torch.float64), motion.head_motion(generator(3), 64, 64, pixels=3)
    where = motion.displacement(now, before, 64)
    mask = motion.inside(where, 64, 64)
    one, two = camera.picture(before), camera.picture(now)
    along = metrics.change(two, motion.sample(one, where), mask)
    assert float(along) < 0.004
    assert float(metrics.change(two, one, mask)) > 5 * float(along)


def test_camera_sees_a_flat_scene_flat() -> None:
    picture = motion.Camera(torch.full((1, 3, 50, 50), 0.3), 32).picture(motion.head_motion(generator(), 32, 32))
    torch.testing.assert_close(picture, torch.full_like(picture, 0.3))


def test_film_motion_finds_a_shift_and_distrusts_what_was_hidden() -> None:
    pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((1, 3, 24, 32), dtype=np.float32))
    scene = torch.nn.functional.interpolate(coarse, scale_factor=6, mode="bicubic").clamp(0, 1)[0]
    film = (scene.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    before, now = film[:, :-3], film[:, 3:]  # the camera turns right by 3 pixels
    positions, mask = motion.film_motion(now, before)
    moved = (positions - motion.pixel_positions(*now.shape[:2]))[0]
    trusted = mask[0, 0]
    assert float(trusted.float().mean()) > 0.8
    assert float(moved[..., 0][trusted].median()) == pytest.approx(3, abs=0.2)
    assert float(moved[..., 1][trusted].median()) == pytest.approx(0, abs=0.2)
    stranger = np.ascontiguousarray(film[::-1, ::-1][:, 3:])
    assert float(motion.film_motion(stranger, before)[1].float().mean()) < 0.5
