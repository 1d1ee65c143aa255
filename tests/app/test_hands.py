"""Which hands count, by their movement alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from artem_vr.live.hands import IN_USE_SECONDS, HandsInUse
from artem_vr.render.geometry import translation
from artem_vr.vr.poses import yaw_pitch

Matrix = npt.NDArray[np.float32]
HERE = translation(0.2, 1.1, -0.3)


def used(hands: HandsInUse, now: float, **poses: Matrix) -> set[str]:
    return set(hands.of(poses, now))


def test_a_hand_counts_from_its_first_movement_on() -> None:
    hands = HandsInUse()
    assert used(hands, 0.0, left=HERE, right=HERE) == set()
    assert used(hands, 0.1, left=HERE, right=HERE @ translation(0.05, 0, 0)) == {"right"}


@pytest.mark.parametrize("motion", [translation(0.02, 0, 0), yaw_pitch(math.radians(1), 0.0)])
def test_hands_that_tremble_are_in_use_however_long(motion: Matrix) -> None:
    hands = HandsInUse()
    hands.of({"left": HERE}, 0.0)
    for second in range(1, 60):
        assert used(hands, second, left=HERE @ motion if second % 2 else HERE) == {"left"}


def test_what_lies_does_not_count_whatever_the_noise_of_tracking() -> None:
    hands, noise = HandsInUse(), np.random.default_rng(0)
    hands.of({"left": HERE @ translation(1, 0, 0)}, 0.0)  # it was carried, and is put down
    seen = [used(hands, now, left=HERE @ translation(*noise.uniform(-0.002, 0.002, 3))) for now in range(60)]
    assert [bool(one) for one in seen] == [now < IN_USE_SECONDS for now in range(60)]


def test_a_hand_that_was_lost_from_sight_begins_anew() -> None:
    hands = HandsInUse()
    hands.of({"left": HERE}, 0.0)
    assert used(hands, 1.0, left=translation(1, 1, 1)) == {"left"}
    assert used(hands, 1.1) == set()
    assert used(hands, 1.2, left=translation(1, 1, 1)) == set()
