"""The demo: always the same, always moving, and truly stereo."""

from __future__ import annotations

import numpy as np
import pytest

from artem_vr.sources.demo import DemoSource
from artem_vr.sources.demo_scene import Scene

WIDTH, HEIGHT = 320, 256


@pytest.fixture(scope="module")
def scene():
    return Scene(WIDTH, HEIGHT)


def disparity(eyes, rows, columns, reach=14):
    """By how many pixels the block lies further right in the right eye's picture than in the left one's."""
    left, right = eyes.astype(int)
    block = left[rows, columns]
    shifts = range(-reach, reach + 1)
    costs = [np.abs(block - right[rows, slice(columns.start + s, columns.stop + s)]).mean() for s in shifts]
    return shifts[int(np.argmin(costs))]


def test_a_pair_of_pictures(scene):
    eyes = scene.render(0.0)
    assert eyes.shape == (2, HEIGHT, WIDTH, 3) and eyes.dtype == np.uint8 and eyes.flags.c_contiguous


def test_the_same_moment_is_the_same_picture(scene):
    first = scene.render(3.7)
    scene.render(99.0)
    assert np.array_equal(scene.render(3.7), first)


def test_the_same_seed_is_the_same_scene():
    assert np.array_equal(Scene(96, 80).render(3.7), Scene(96, 80).render(3.7))
    assert not np.array_equal(Scene(96, 80, seed=8).render(3.7), Scene(96, 80).render(3.7))


def test_it_moves_all_over_and_smoothly(scene):
    first, next_, later = (scene.render(t)[0].astype(int) for t in (5.0, 5.0 + 1 / 30, 7.0))
    blocks = np.abs(later - first).mean(2).reshape(8, HEIGHT // 8, 8, WIDTH // 8).mean((1, 3))
    assert (blocks > 0.5).mean() > 0.9
    assert 0 < np.abs(next_ - first).mean() < np.abs(later - first).mean()


def test_it_is_textured_and_colourful(scene):
    picture = scene.render(0.0)[0].astype(float)
    assert picture.std((0, 1)).min() > 25
    detail = np.abs(np.diff(picture.mean(2), axis=1)).reshape(HEIGHT // 32, 32, WIDTH - 1).mean((1, 2))
    assert detail.min() > 0.4


def test_near_things_are_seen_crossed_and_far_ones_uncrossed(scene):
    eyes = scene.render(0.0)
    far = disparity(eyes, slice(0, 38), slice(215, 265))  # clouds
    mountains = disparity(eyes, slice(116, 142), slice(268, 300))
    bank = disparity(eyes, slice(236, 254), slice(60, 260))
    expected = {"far": scene.plane, "near": scene.plane * (1 - 2.5)}
    assert abs(far - expected["far"]) <= 1
    assert abs(mountains - scene.plane) <= 1
    assert abs(bank - expected["near"]) <= 1
    assert bank < mountains


def test_the_water_comes_nearer_row_by_row(scene):
    eyes = scene.render(2.0)
    steps = [disparity(eyes, slice(row, row + 8), slice(150, 290)) for row in (148, 170, 190)]
    assert steps == sorted(steps, reverse=True) and steps[0] > steps[-1]


def test_both_eyes_see_the_same_but_for_the_shift(scene):
    left, right = scene.render(1.0).astype(int)
    assert np.abs(left.mean((0, 1)) - right.mean((0, 1))).max() < 3
    assert np.abs(left - right).mean() > 1


@pytest.mark.parametrize("size", [(64, 64), (233, 90), (70, 160)])
def test_any_size(size):
    assert Scene(*size).render(12.0).shape == (2, size[1], size[0], 3)


def test_too_small_a_size_is_refused():
    with pytest.raises(ValueError, match="64x64"):
        Scene(63, 100)


def test_the_source_counts_its_own_time(scene):
    source = DemoSource(WIDTH, HEIGHT, rate=20.0)
    shots = [source.read(), source.read()]
    source.skip()
    shots.append(source.read())
    for shot, frame in zip(shots, (0, 1, 3), strict=True):
        assert shot is not None and np.array_equal(shot.eyes, scene.render(frame / 20.0))
    assert (source.name, source.live, source.rate) == ("demo", False, 20.0)
    source.close()
