from typing import Any

import numpy as np
import pytest

from artem_vr.render import geometry
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.geometry import Screen
from artem_vr.render.hud import Hud, HudText
from artem_vr.render.mesh import Mesh
from artem_vr.render.mirror import Mirror
from artem_vr.render.program import Program
from artem_vr.render.stage import Look, Stage
from artem_vr.render.target import EyeTarget
from artem_vr.render.texture import StreamTexture
from tests.render.scenes import noise, objects

pytestmark = [pytest.mark.graphics, pytest.mark.display]

MAKERS = [
    StreamTexture,
    FrameTextures,
    Stage,
    lambda: Stage(smooth=True),
    Mirror,
    Hud,
    lambda: EyeTarget(8, 8),
    lambda: Mesh(geometry.rectangle(0, 0, 1, 1)),
    lambda: Program("picture.vert", "stage.frag"),
]


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_made_can_be_released_twice(context, make):
    before = objects()
    thing = make()
    assert objects() != before
    thing.release()
    thing.release()
    assert objects() == before


def test_a_hundred_frames_make_no_objects(context):
    stage, mirror, hud, frame = Stage(), Mirror(), Hud(), FrameTextures()
    eyes = (EyeTarget(32, 24), EyeTarget(32, 24))
    see = geometry.view_projection(geometry.perspective(90, 4 / 3), np.eye(4, dtype="f4"), np.eye(4, dtype="f4"))
    everything = None
    for number in range(100):
        size = 8 + number // 30  # the source changes its size, too
        pictures = noise(size, size, 3, number)[None].repeat(2 if number % 40 < 20 else 1, axis=0)
        frame.update(pictures, pictures, key=number // 10, now=float(number))
        hud.update(HudText(f"style {number // 10}", f"{number} fps"), float(number))
        hud.prepare(float(number))
        for eye in (0, 1):
            stage.draw_eye(eyes[eye], eye, frame, see, Screen(curvature=0.1 * (number % 3)), Look(0.5, 0.5))
            hud.draw_in_eye(eyes[eye], geometry.perspective(90, 4 / 3), np.eye(4, dtype="f4"), float(number))
        mirror.draw(context.screen, *eyes, "both")
        hud.draw_in_corner(context.screen, float(number))
        context.poll()
        context.swap()
        # The driver gives a name its object at the first binding.
        if number == 25:
            everything = objects()
    assert objects() == everything
    things: list[Any] = [stage, mirror, hud, frame, *eyes]
    for thing in things:
        thing.release()
