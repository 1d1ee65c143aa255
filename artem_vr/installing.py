"""How this program's libraries are installed here: what remedies tell the user to type."""

from __future__ import annotations

from pathlib import Path


def pip_install(extra: str = "openvino") -> str:
    """The command that installs what is missing, with those of ``extra``.

    pip finds the program by its name only where it is installed: no package index has it. In a checkout that is merely
    run it is installed from its folder.
    """
    from importlib import metadata

    try:
        metadata.distribution("artem-vr")
    except metadata.PackageNotFoundError:
        folder = Path(__file__).resolve().parent.parent
        return f'pip install -c constraints.txt -e ".[{extra}]" in {folder}'
    return f'pip install "artem-vr[{extra}]"'
