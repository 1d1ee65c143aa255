"""EGL, in a process of its own: PyOpenGL chooses its platform once."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.graphics,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drawing off screen is for Linux"),
]

PROGRAM = """
import json
import numpy as np
from artem_vr.render import geometry, gl, target
from artem_vr.render.context import open_context
from artem_vr.render.frame_textures import FrameTextures
from artem_vr.render.geometry import Screen
from artem_vr.render.hud import Hud, HudText
from artem_vr.render.mirror import Mirror
from artem_vr.render.stage import Look, Stage
from artem_vr.render.target import EyeTarget
from tests.render.scenes import noise, objects, quarters

said = {}
with open_context(size=(46, 31)) as context:
    said["offscreen"], said["size"] = context.offscreen, context.framebuffer_size
    source = np.stack([noise(31, 23, 3, 1), noise(31, 23, 3, 2)])
    painted = np.stack([noise(31, 23, 3, 3), noise(31, 23, 3, 4)])
    stage, frame, mirror, hud = Stage(), FrameTextures(), Mirror(), Hud()
    eyes = [EyeTarget(23, 31), EyeTarget(23, 31)]
    frame.update(source, painted, "a")
    for strength, expected in ((0.0, source), (1.0, painted)):
        for eye in (0, 1):
            stage.draw_flat(eyes[eye], eye, frame, Look(strength))
        mirror.draw(context.screen, *eyes, "both")
        pixels = target.read_back(context.screen)
        said[f"exact at {strength:g}"] = bool(np.array_equal(pixels[..., :3], np.concatenate(list(expected), axis=1)))
    frame.update(quarters(20, 40)[None])
    see = geometry.view_projection(geometry.perspective(90, 23 / 31), np.eye(4, dtype="f4"), np.eye(4, dtype="f4"))
    stage.draw_eye(eyes[0], 0, frame, see, Screen(distance=2.0, width=2.0, curvature=0.2))
    pixels = target.read_back(eyes[0])
    said["quarters"] = [pixels[row, column, :3].tolist() for row in (13, 17) for column in (7, 16)]
    hud.update(HudText("Senecio"), 0.0)
    hud.settle(0.0)
    hud.draw_in_corner(context.screen, 0.0)
    context.swap()
    said["events"] = context.poll()
    for thing in (stage, frame, mirror, hud, *eyes):
        thing.release()
    context._screen.release()
    said["left"] = sum(objects().values())
    said["errors"] = gl.standing_errors()
print(json.dumps(said))
"""


def test_the_whole_chain_off_screen():
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment.pop("PYOPENGL_PLATFORM", None)
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "offscreen": True,
        "size": [46, 31],
        "exact at 0": True,
        "exact at 1": True,
        "quarters": [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]],
        "events": [],
        "left": 0,
        "errors": [],
    }
