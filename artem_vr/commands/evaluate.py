"""``artem-vr evaluate``."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from artem_vr.evaluation import cli

    cli.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from artem_vr.evaluation import cli

    return cli.run(arguments)
