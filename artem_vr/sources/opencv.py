"""OpenCV, loaded when it is first needed, and kept quiet: our own errors say what is wrong, once."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def load() -> Any:
    """The module ``cv2`` (untyped). Its warnings, and those of FFmpeg in it, are switched off."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    with contextlib.suppress(AttributeError):  # builds of OpenCV without its logging module
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def name_of(path: Path) -> bytes:
    """What to call a film. Absolute, since FFmpeg takes what stands before a colon for a protocol; and in bytes, since
    a name that is no text would end the process."""
    return os.fsencode(path.absolute())
