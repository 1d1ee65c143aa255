"""Whether what a setting names is there: a source, a style."""

from __future__ import annotations


def find(name: str, value: str) -> None:
    """Raises `ArtemError` where the setting ``name``, one of `settings.NAMED`, says something that is not there."""
    if name == "source":
        from artem_vr.live.chosen_source import ChosenSource

        ChosenSource(value, "mono")
    else:
        from artem_vr.styles.library import Library

        Library().find(value)
