"""What the headset's own cameras took is seen in the direction in which they took it, as wide as they saw."""

from __future__ import annotations

import itertools
import json
import math
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from artem_vr.live.scene import ShownFrame
from artem_vr.sources.frame import StereoFrame
from artem_vr.vr.poses import yaw_pitch
from tests.app.conftest import EYE_HEIGHT, EYE_WIDTH, PATIENCE, Pictures, Rig, noise
from tests.app.test_run import run
from tests.openvr_runtime import Runtime

pytestmark = [pytest.mark.display, pytest.mark.graphics]

INSIDE = (slice(1, -1), slice(1, -1))
SPAN = 2.0
"""As wide as the eyes of the `Rig` see: a picture of their size fills them to the pixel."""
THERE = yaw_pitch(math.radians(40), math.radians(-10), (0.4, 0.1, -0.2))


def painted(rig: Rig, eyes: Pictures, span: float = SPAN) -> None:
    """A frame that was taken with all cameras at `THERE` is painted."""
    poses = np.stack([THERE] * len(eyes))
    for sequence in range(int(PATIENCE / 0.1)):
        rig.feed.latest = StereoFrame(eyes, rig.clock(), sequence, poses, span=span)
        rig.feed.frames.put(rig.feed.latest)
        if rig.log.arrived.acquire(timeout=0.1):
            return
    raise AssertionError("nothing was painted")


@pytest.fixture(params=[1, 2], ids=["one camera", "two cameras"])
def eyes(request: pytest.FixtureRequest) -> Pictures:
    return noise(5)[: request.param]


def test_it_stays_where_it_was_taken(rig: Rig, eyes: Pictures) -> None:
    rig.turn()  # the first pose is the world's origin
    rig.runtime.set_pose(THERE)
    painted(rig, eyes)
    rig.turn(2)
    for eye, name in enumerate(("left", "right")):
        assert np.abs(rig.seen(name).astype(int) - eyes[eye % len(eyes)][INSIDE]).max() <= 3  # turned and back
    rig.runtime.set_pose(yaw_pitch(math.radians(40 + 100), 0))
    rig.turn(2)
    assert rig.seen("left").max() == 0, "the head has turned away from what was taken"


def test_it_stays_there_when_the_wearer_recentres(rig: Rig, eyes: Pictures) -> None:
    """The room does not turn with the world's origin, not even until the next painting."""
    rig.turn()
    rig.runtime.set_pose(THERE)
    painted(rig, eyes)
    rig.turn(2)
    rig.headset.recenter()
    rig.turn(2)
    assert not np.allclose(rig.headset.begin_frame().head_to_world, THERE, atol=0.1)
    for eye, name in enumerate(("left", "right")):
        assert np.abs(rig.seen(name).astype(int) - eyes[eye % len(eyes)][INSIDE]).max() <= 3


def test_each_eye_sees_what_its_own_camera_took_from_where_that_looked(rig: Rig) -> None:
    turned = np.stack([yaw_pitch(math.radians(100), 0), yaw_pitch(0, 0)])
    rig.turn()
    rig.scene.show(ShownFrame(noise(8), camera_poses=turned, span=SPAN), rig.clock())
    rig.turn()
    assert rig.seen("left").max() == 0, "its camera looked away"
    assert np.abs(rig.seen("right").astype(int) - noise(8)[1][INSIDE]).max() <= 3


def test_before_it_is_painted_too(rig: Rig) -> None:
    rig.turn()
    rig.runtime.set_pose(THERE)
    rig.scene.show(ShownFrame(noise(6), camera_poses=np.stack([THERE, THERE]), span=SPAN), rig.clock())
    rig.turn()
    assert np.abs(rig.seen("right").astype(int) - noise(6)[1][INSIDE]).max() <= 3


def test_whoever_looks_straight_ahead_then_points_at_its_middle(rig: Rig, eyes: Pictures) -> None:
    rig.turn()
    rig.runtime.set_pose(THERE)
    painted(rig, eyes)
    rig.turn(2)
    poses = rig.headset.begin_frame()
    assert rig.scene.pointed_at(rig.headset, poses) == pytest.approx((0.5, 0.5), abs=1e-3)


def test_a_camera_that_does_not_say_how_wide_it_sees_fills_the_screen(rig: Rig) -> None:
    eyes = noise(7)
    rig.turn()
    rig.runtime.set_pose(THERE)
    painted(rig, eyes, span=0.0)
    rig.turn(2)
    assert rig.seen("left").shape == (EYE_HEIGHT - 2, EYE_WIDTH - 2, 3)
    assert np.abs(rig.seen("left").astype(int) - eyes[0][INSIDE]).max() <= 3


def test_who_names_no_source_sees_through_the_headset(display: str, vrclient: Path, tmp_path: Path) -> None:
    """The whole program, its camera process, and SteamVR's part in both of them."""
    with Runtime(vrclient, tmp_path / "steamvr") as runtime:
        runtime.set_camera()
        ended = threading.Event()

        def take() -> None:
            for sequence in itertools.count(1):
                if ended.wait(0.02):
                    return
                rgba = np.full((48, 64, 4), sequence % 200, np.uint8)
                runtime.set_camera_frame(rgba, sequence, head=yaw_pitch(0, 0))

        camera = threading.Thread(target=take)
        camera.start()
        try:
            done = run(tmp_path, display, "--headset", "openvr", "--frames", "5")
        finally:
            ended.set()
            camera.join(PATIENCE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["source"], report["headset"]) == ("headset", "Headset") and report["frames"] == 5
    with pytest.raises(ProcessLookupError):
        os.kill(runtime.camera_process, 0)
