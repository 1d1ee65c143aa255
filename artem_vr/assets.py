"""Finds shaders/ and weights/ in a wheel, an editable install and a checkout.

The folders are mapped to the packages ``artem_vr.shaders`` and ``artem_vr.weights`` in a wheel
(setup.cfg). `importlib.resources` does not see that mapping in an editable install or a
checkout, where the folders lie beside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of shipped files called ``name``: "shaders" or "weights"."""
    for place in (_PACKAGE / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name}/ is missing from this installation of artem-vr; reinstall it")
