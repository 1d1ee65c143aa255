"""What a user sees of a training that cannot be."""

from __future__ import annotations

import pytest


def assert_one_line(capsys: pytest.CaptureFixture[str], cause: str) -> None:
    """One line on standard error, with the cause and no traceback."""
    error = capsys.readouterr().err
    assert cause in error and "Traceback" not in error
    assert len([line for line in error.splitlines() if line.strip()]) == 1
