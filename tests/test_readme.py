"""What the README says is so."""

from __future__ import annotations

import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import pytest

from artem_vr.cli import COMMANDS, build_parser
from artem_vr.live.controls import keyboard_table
from artem_vr.settings import NAMES, STORED, Settings

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_every_key_is_in_the_table() -> None:
    for keys, does in keyboard_table():
        assert re.search(rf"^\| {re.escape(keys)} +\| {re.escape(does)} +\|$", README, re.MULTILINE), keys


def test_the_settings_it_shows_are_the_defaults() -> None:
    (block,) = re.findall(r"only what you want to change:\n\n((?:    .*\n)+)", README)
    shown = tomllib.loads(textwrap.dedent(block))
    defaults = Settings()
    assert len(shown) > 20
    assert shown == {name: getattr(defaults, name) for name in shown}
    assert [type(value) for value in shown.values()] == [type(getattr(defaults, name)) for name in shown]


def test_the_pytorch_it_names_is_the_one_that_is_pinned() -> None:
    pinned = re.search(
        r"^torch==(\S+)", (Path(__file__).parents[1] / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
    assert pinned is not None
    assert set(re.findall(r"torch==([\d.]+)", README)) == {pinned[1]}


def test_the_settings_that_the_file_cannot_hold_are_named() -> None:
    for name in (name for name in NAMES if name not in STORED):
        assert re.search(rf"`{name}`[^.]* concern one run", README), name


def test_every_file_it_names_is_there() -> None:
    root = Path(__file__).parents[1]
    for name in re.findall(r"\b(?:docs|weights|artem_vr)/[\w./-]+\.(?:md|py|png|jpg)", README):
        assert (root / name).is_file(), name


def test_what_windows_is_given_can_be_typed_there() -> None:
    """In the command prompt, too, which knows no comments; and without activating, which PowerShell may forbid."""
    (block,) = re.findall(r"on Windows, in PowerShell.*:\n\n((?:    .*\n)+)", README)
    lines = textwrap.dedent(block).splitlines()
    assert lines[0] == "python -m venv .venv" and "artem-vr doctor" in lines[-1]
    others = re.findall(r"^    (.*Scripts.*)$", README, re.MULTILINE)
    assert len(others) > len(lines[1:]) and set(lines[1:]) <= set(others)
    for line in others:
        assert re.match(r"\.venv\\Scripts\\(python -m pip install|artem-vr) ", line) and "#" not in line, line


def test_the_extras_it_names_are_there() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r'"(?:\.|artem-vr)\[([\w,]+)\]"', README)
    assert len(named) > 2
    assert {extra for extras in named for extra in extras.split(",")} <= set(project["optional-dependencies"])


@pytest.mark.parametrize("line", re.findall(r"^    (artem-vr.*)$", README, re.MULTILINE))
def test_every_command_line_is_understood(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    if not words or words[0] not in COMMANDS:
        words = ["run", *words]
    build_parser(words[0]).parse_args(words)
