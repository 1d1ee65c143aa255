"""OpenCV, loaded when it is first needed, and kept quiet: our own errors say what is wrong, once."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def load() -> Any:
    """The module ``cv2`` (untyped). Its warnings, and those of FFmpeg in it, are switched off."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    import cv2

    try:
        cv2.setLogLevel(0)
    except AttributeError:  # builds of OpenCV without its logging module
        pass
    return cv2
