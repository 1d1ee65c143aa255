"""``artem-vr train``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from artem_vr.training import cli

    cli.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from artem_vr.training import cli

    return cli.run(arguments)
