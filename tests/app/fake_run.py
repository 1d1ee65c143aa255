"""Run by test_run.py as a program of its own: `app.run` with a painter that returns what it gets.

python -c "..." [--stuck source|painter] [--broken STYLE] RUN-OPTIONS
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artem_vr import app, cli
from artem_vr.live import chosen_source, outlook
from artem_vr.sources import registry
from artem_vr.styles.library import Library
from artem_vr.stylize.stylizer import Stylizer
from tests.app.conftest import STYLES, Keys, TestEngine


def main(arguments: list[str]) -> None:
    # No test switches on the camera of whoever runs it.
    chosen_source.default_sources = lambda camera=None: [*(["headset"] if camera else []), "screen", "demo"]
    stuck, broken = taken(arguments, "--stuck"), taken(arguments, "--broken")
    with tempfile.TemporaryDirectory() as folder:
        for name in STYLES:
            (Path(folder) / f"{name}.safetensors").touch()
        engine = TestEngine()
        parts = app.Parts(
            library=lambda: Library(shipped=Path(folder) / "none", own=Path(folder)),
            engine=lambda *_: engine,
            stylizer=lambda *positional, **named: Stylizer(*positional, **{**named, "load": Keys()}),
        )
        if broken:
            engine.fails = {broken}
            outlook.PATIENCE = float("inf")
        if stuck == "painter":
            engine.paint = hangs_after(2, engine.paint)
        if stuck == "source":
            open_source = registry.open_source

            def open_stuck(*positional: Any, **named: Any) -> Any:
                source: Any = open_source(*positional, **named)
                source.read = hangs_after(3, source.read)
                return source

            app.ChosenSource.open.__globals__["open_source"] = open_stuck
        run = app.run
        app.run = lambda settings: run(settings, parts)  # type: ignore[assignment,misc]
        status = cli.main(["run", *arguments])
    sys.exit(status)


def taken(arguments: list[str], option: str) -> str:
    """The value of ``option``, which is taken out; empty where it is not there."""
    if option not in arguments:
        return ""
    place = arguments.index(option)
    value = arguments[place + 1]
    del arguments[place : place + 2]
    return value


def hangs_after(count: int, action: Callable[..., Any]) -> Callable[..., Any]:
    """``action``, which hangs for good after ``count`` calls."""
    calls = 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > count:
            threading.Event().wait()
        return action(*arguments)

    return call
