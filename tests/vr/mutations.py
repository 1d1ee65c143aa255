"""Headsets with one defect each, to show that checks.py finds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from artem_vr.vr.headset import FramePoses, Matrix
from artem_vr.vr.openvr_headset import OpenVRHeadset


class Wrapped:
    """Passes everything on to a headset."""

    def __init__(self, headset: OpenVRHeadset) -> None:
        self.headset = headset

    def __getattr__(self, name: str) -> Any:
        return getattr(self.headset, name)


class EyesSwapped(Wrapped):
    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        return self.headset.submit(right_texture, left_texture, head_pose)


class PictureFlipped(Wrapped):
    """``flip`` turns a texture upside down in place."""

    def __init__(self, headset: OpenVRHeadset, flip: Callable[[int], None]) -> None:
        super().__init__(headset)
        self._flip = flip

    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        for texture in (left_texture, right_texture):
            self._flip(texture)
        return self.headset.submit(left_texture, right_texture, head_pose)


class StalePose(Wrapped):
    """Gives each frame the pose of the frame before."""

    before: Matrix | None = None

    def begin_frame(self) -> FramePoses:
        poses = self.headset.begin_frame()
        stale = poses.head_to_world if self.before is None else self.before
        self.before = poses.head_to_world
        return dataclasses.replace(poses, head_to_world=stale)


class OldPicture(Wrapped):
    """Submits the pictures of the frame before."""

    before: tuple[int, int] | None = None

    def submit(self, left_texture: int, right_texture: int, head_pose: Matrix) -> bool:
        left, right = self.before or (left_texture, right_texture)
        self.before = (left_texture, right_texture)
        return self.headset.submit(left, right, head_pose)


class QuitUnacknowledged(Wrapped):
    """Hears the quit and does not tell the runtime."""

    def __init__(self, headset: OpenVRHeadset) -> None:
        super().__init__(headset)
        system = headset._system

        class Silent:
            def __getattr__(self, name: str) -> Any:
                return getattr(system, name)

            def acknowledgeQuit_Exiting(self) -> None:
                pass

        headset._system = Silent()
