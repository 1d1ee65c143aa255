"""``python -m artem_vr``."""

from artem_vr.cli import entry

entry()
