"""What every source looks like to the feed that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from artem_vr.errors import SourceError


class FinalSourceError(SourceError):
    """Trying again is of no use: a file that is not there, a name that means nothing."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One reading of a source.

    ``eyes`` is (E, H, W, 3) uint8 RGB, top row first, C-contiguous; E is 1 (mono) or 2 (left, right).
    ``captured_at`` is ``time.perf_counter()`` when the picture was taken, in seconds; None: the feed stamps it
    when ``read`` returns. ``camera_poses``, (E, 4, 4) float32, and ``span`` are of pictures that
    the headset took (see `StereoFrame`).
    ``still``: nothing will ever move in what this source shows. ``stands``: it stands in its place as a whole, as a
    desktop does.
    """

    eyes: npt.NDArray[np.uint8]
    captured_at: float | None = None
    camera_poses: npt.NDArray[np.float32] | None = None
    still: bool = False
    stands: bool = False
    span: float = 0.0


@dataclass(frozen=True)
class Rest:
    """A reading of a source that sleeps and is not gone: no picture is due, and it is to be read on. ``reason`` is one
    line."""

    reason: str


class Source(Protocol):
    """A place where pictures come from. Making one opens it; it is read and closed by one thread.

    ``name`` is what the user typed, without a password. ``live``: the world goes on without us (a camera): it may
    fall silent and is reopened; else (a file) an error is final. ``rate`` is how many frames a second are to be read;
    None where ``read`` itself waits for the next one.
    """

    name: str
    live: bool
    rate: float | None

    def read(self) -> Shot | Rest | None:
        """The next frame; None when there is none any more; a `Rest`, after a short while, where none is due.

        Raises `SourceError` when the source is gone.
        """
        ...

    def skip(self) -> None:
        """Pass over one frame as cheaply as possible (called only where ``live`` is False and ``rate`` is set)."""
        ...

    def close(self) -> None:
        """Let go of the device or file. Never raises; may be called twice."""
        ...
