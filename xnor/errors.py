"""The one error of this package: what is wrong with the input and what to do, in one line."""

from __future__ import annotations


class XnorError(ValueError):
    """An argument, a file or a machine that the kernels cannot work with. ``str()`` is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
