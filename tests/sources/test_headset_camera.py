"""The headset's cameras, played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from artem_vr.errors import HeadsetError, SourceError
from artem_vr.sources.headset_camera import REST_SECONDS, HeadsetCameraSource
from artem_vr.sources.source import Rest, Shot


@dataclass(frozen=True, eq=False)
class Taken:
    pictures: Any
    sequence: int
    camera_poses: Any = None
    span: float = 0.0


class Camera:
    def __init__(self, *script):
        self.script = list(script)
        self.pause = ""

    def read(self):
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        return step


def pair(level, alpha=255):
    pictures = np.full((2, 3, 4, 4), level, np.uint8)
    pictures[..., 3] = alpha
    return pictures


def source_of(*script):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    return HeadsetCameraSource(Camera(*script), clock=lambda: now[0], sleep=sleep), now


def test_each_picture_once_with_its_pose():
    pose = np.eye(4, dtype=np.float32)
    source, _ = source_of(Taken(pair(10), 5, pose, 1.5), None, Taken(pair(10), 5), Taken(pair(20), 8))
    first, second = source.read(), source.read()
    assert isinstance(first, Shot) and isinstance(second, Shot)
    assert first.eyes.shape == (2, 3, 4, 3) and (first.eyes == 10).all() and first.camera_poses is pose
    assert (first.span, second.span) == (1.5, 0.0)
    assert (second.eyes == 20).all() and second.camera_poses is pose, "a room does not jump while tracking is lost"
    assert second.eyes.flags.c_contiguous
    assert source.name == "headset" and source.live
    source.skip()
    source.close()


def test_where_the_camera_saw_nothing_it_is_black():
    source, _ = source_of(Taken(pair(200, alpha=0), 1))
    shot = source.read()
    assert shot is not None and (shot.eyes == 0).all()


def test_silence_is_an_error():
    source, now = source_of()
    with pytest.raises(SourceError, match="sends no pictures"):
        source.read()
    assert 1.5 <= now[0] < 2


def test_the_silence_of_a_headset_that_sleeps_is_none():
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    camera = Camera()
    source = HeadsetCameraSource(camera, clock=lambda: now[0], sleep=sleep)
    camera.pause = "The headset sleeps, and its camera with it"
    for _ in range(100):
        before = now[0]
        rest = source.read()
        assert isinstance(rest, Rest) and "sleeps" in rest.reason
        assert now[0] - before < 2 * REST_SECONDS, "whoever waits for it could not be stopped"
    camera.pause, woken_at = "", now[0]
    camera.script = [None] * 500 + [Taken(pair(10), 1)]
    assert isinstance(source.read(), Shot), "it took a second to wake up"
    assert now[0] - woken_at == pytest.approx(1.0, abs=0.1)
    begun = now[0]
    with pytest.raises(SourceError, match="sends no pictures"):
        source.read()
    assert now[0] - begun >= 1.5


def test_a_camera_that_takes_pictures_asleep_is_seen():
    source, _ = source_of(Taken(pair(10), 1))
    source._camera.pause = "The headset sleeps, and its camera with it"
    assert isinstance(source.read(), Shot)


def test_a_headset_that_has_gone_is_told():
    source, _ = source_of(HeadsetError("SteamVR has gone", "Start it again"))
    with pytest.raises(HeadsetError, match="gone"):
        source.read()
