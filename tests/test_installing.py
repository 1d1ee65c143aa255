"""Remedies name commands that work where they are read."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from artem_vr import cli, doctor
from artem_vr.installing import pip_install
from artem_vr.live.late_stylizer import LateStylizer

ROOT = Path(__file__).resolve().parent.parent
IN_THE_CHECKOUT = 'pip install -c constraints.txt -e ".[{}]" in ' + str(ROOT)


@pytest.fixture
def merely_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout that nobody installed."""

    def unknown(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", unknown)


def test_what_is_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", {"artem-vr": "found"}.__getitem__)
    assert pip_install("gpu") == 'pip install "artem-vr[gpu]"'


@pytest.mark.usefixtures("merely_run")
def test_in_a_checkout_the_folder_is() -> None:
    """No index has the program: pip would look for it in vain, or find somebody else's."""
    command, folder = pip_install("gpu").split(" in ")
    assert command == 'pip install -c constraints.txt -e ".[gpu]"'
    assert (Path(folder) / "constraints.txt").is_file() and (Path(folder) / "pyproject.toml").is_file()


@pytest.mark.usefixtures("merely_run")
def test_every_remedy_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'glfw'", name="glfw")

    monkeypatch.setattr(cli, "build_parser", missing)
    assert cli.main(["run"]) == 2
    late = LateStylizer(missing)  # type: ignore[arg-type]
    late.stop(30)
    with pytest.raises(Exception, match="glfw") as caught:
        late.check()
    openvino = doctor.openvino({"missing": "openvino"})
    for said in (capsys.readouterr().err, str(caught.value), openvino.remedy):
        assert IN_THE_CHECKOUT.format("openvino") in said and "\n" not in said.strip()
    assert IN_THE_CHECKOUT.format("gpu") in doctor.gpu({"gpus": [{"name": "a", "memory_gb": 8}]}).remedy


def test_no_remedy_names_the_index() -> None:
    texts = {path: path.read_text("utf-8") for path in (ROOT / "artem_vr").rglob("*.py")}
    named = [path.name for path, text in texts.items() if re.search(r"pip install \W?artem-vr", text)]
    assert named == ["installing.py"]
