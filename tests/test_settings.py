"""Settings: their layers, what is refused, and the file that holds them."""

from __future__ import annotations

import dataclasses
import string
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import tomli_w
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from artem_vr import settings
from artem_vr.errors import SettingsError, StyleError
from artem_vr.settings import NAMES, STORED, Settings, load, parsed, read_file

relaxed = hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def valid(name: str) -> st.SearchStrategy[Any]:
    """Values that setting ``name`` may have."""
    rule = settings.FIELDS[name].metadata
    if rule["kind"] == "choice":
        return st.sampled_from(rule["choices"])
    if rule["kind"] == "switch":
        return st.booleans()
    if rule["kind"] == "whole":
        return st.integers(rule["minimum"], rule["maximum"])
    if rule["kind"] == "number":
        numbers = st.floats(rule["minimum"], rule["maximum"])
        return numbers | st.just("auto") if rule["auto"] else numbers
    return st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30)


valid_settings = st.builds(Settings, **{name: valid(name) for name in NAMES})
texts = st.text(max_size=20)
containers = st.lists(st.integers(), max_size=2) | st.dictionaries(st.text(max_size=3), st.integers())
nonsense = st.one_of(st.none(), containers, st.floats(), st.integers(), texts)


@given(valid_settings)
@relaxed
def test_what_the_file_says_is_loaded(tmp_path_factory: pytest.TempPathFactory, chosen: Settings) -> None:
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.write_bytes(tomli_w.dumps({name: getattr(chosen, name) for name in STORED}).encode())
    loaded, notices = load(path=path, environment={})
    assert notices == []
    for name in NAMES:
        expected = getattr(chosen if name in STORED else Settings(), name)
        assert getattr(loaded, name) == expected, name


@given(st.sampled_from(NAMES), nonsense)
@relaxed
def test_a_value_is_taken_as_it_is_or_refused_in_one_line(name: str, value: object) -> None:
    try:
        made = dataclasses.replace(Settings(), **{name: value})  # type: ignore[arg-type]
    except SettingsError as error:
        assert name in str(error) and "\n" not in str(error)
    else:
        assert getattr(made, name) == value


@given(st.sampled_from(NAMES), texts)
@relaxed
def test_text_from_the_environment_is_understood_or_refused(name: str, text: str) -> None:
    variable = f"ARTEM_VR_{name.upper()}"
    try:
        loaded, _ = load(path=Path("/nonexistent/settings.toml"), environment={variable: text})
    except SettingsError as error:
        assert variable in str(error) and "\n" not in str(error)
    else:
        assert getattr(loaded, name) == parsed(name, text)


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
@relaxed
def test_any_file_lets_the_program_start(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.write_bytes(content)
    loaded, notices = load(path=path, environment={})
    assert isinstance(loaded, Settings)
    assert all("\n" not in notice for notice in notices)
    kept = [p.read_bytes() for p in path.parent.iterdir()]
    assert kept == [content], "nothing of the user's file is lost"


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(string.ascii_letters, min_size=1, max_size=9), nonsense))
@relaxed
def test_a_file_of_nonsense_values_costs_notices(tmp_path_factory: pytest.TempPathFactory, content: dict) -> None:
    path = tmp_path_factory.mktemp("settings") / "settings.toml"
    path.write_text(tomli_w.dumps({k: v for k, v in content.items() if v is not None and k != "version"}), "utf-8")
    written = tomllib.loads(path.read_text("utf-8"))
    values, notices = read_file(path)
    assert len(values) + len(notices) == len(written)
    assert Settings(**values) and path.exists()


def test_layers_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('version = 1\nstyle = "file"\nlayout = "tb"\nstrength = 1\nhud = false\n')
    environment = {"ARTEM_VR_STYLE": "environment", "ARTEM_VR_LAYOUT": "sbs", "OTHER": "x"}
    loaded, notices = load({"style": "option"}, path, environment)
    assert notices == []
    assert (loaded.style, loaded.layout, loaded.hud, loaded.device) == ("option", "sbs", False, "auto")
    assert loaded.strength == 1.0 and isinstance(loaded.strength, float), "a whole number is a number"


def test_no_file_means_the_defaults_without_a_notice(tmp_path: Path) -> None:
    assert load(path=tmp_path / "none.toml", environment={}) == (Settings(), [])


@pytest.mark.parametrize(
    "content", [b"strength = ", b"\xff\xfe\0", b"a = 1\na = 2", b"[[[" * 500, b"version = 2\nhud = true"]
)
def test_of_a_broken_file_nothing_is_taken_and_it_stays(tmp_path: Path, content: bytes) -> None:
    """Whoever has just made a slip in it wants to mend it where it lies."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    loaded, (notice,) = load(path=path, environment={})
    assert loaded == Settings() and str(path) in notice and "using the defaults" in notice
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_settings_of_one_run_are_not_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("frames = 5\n")
    loaded, (notice,) = load(path=path, environment={})
    assert loaded.frames == 0 and "frames" in notice


@pytest.mark.parametrize("written", ["nan", "inf", "-inf", "1.0000001", "-0.1", "true", '"1"', "[1]", "1979-05-27"])
def test_strength_takes_numbers_from_0_to_1_only(tmp_path: Path, written: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"strength = {written}\n")
    loaded, (notice,) = load(path=path, environment={})
    assert loaded.strength == 1.0 and "strength" in notice and "from 0 to 1" in notice


HUGE = ("1" + "0" * 400, "-1" + "0" * 400, "0x" + "f" * 5000)


@pytest.mark.parametrize("name", ["stroke_size", "strength"])
@pytest.mark.parametrize("written", HUGE)
def test_huge_whole_numbers_cost_a_notice(tmp_path: Path, name: str, written: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f"{name} = {written}\n")
    loaded, (notice,) = load(path=path, environment={})
    assert loaded == Settings() and name in notice and len(notice) < 300 + len(str(path)) and path.exists()


@pytest.mark.parametrize("text", [*HUGE, "1" + "0" * 5000])
def test_huge_whole_numbers_are_refused(text: str) -> None:
    for name in ("frames", "strength"):
        with pytest.raises(SettingsError, match=name) as caught:
            load(path=Path("/nonexistent"), environment={f"ARTEM_VR_{name.upper()}": text})
        assert len(str(caught.value)) < 300
    with pytest.raises(SettingsError, match="thousands of digits"):
        Settings(frames=10**5000)


@pytest.mark.parametrize("text", ["0", "-3", "2000000000", "1.5", "many"])
def test_what_frames_can_be_is_said_in_one_true_line(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed("frames", text)
    assert caught.value.remedy == "It must be a whole number from 1 to 1000000000"
    assert (parsed("frames", "1"), parsed("frames", "1000000000")) == (1, 1000000000)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("ON", True), ("0", False), ("false", False)])
def test_switches_in_the_environment(text: str, value: bool) -> None:
    loaded, _ = load(path=Path("/nonexistent"), environment={"ARTEM_VR_HUD": text})
    assert loaded.hud is value


def test_a_folder_of_its_name_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    loaded, (notice,) = load(path=tmp_path / "settings.toml", environment={})
    assert loaded == Settings() and "cannot be read" in notice


def test_the_file_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTEM_VR_SETTINGS", str(tmp_path / "mine.toml"))
    assert settings.settings_path() == tmp_path / "mine.toml"
    monkeypatch.delenv("ARTEM_VR_SETTINGS")
    assert settings.settings_path().name == "settings.toml"


def test_layouts_are_those_of_the_sources() -> None:
    from artem_vr.sources import layout

    assert get_args(settings.Layout) == get_args(layout.Layout)


def test_the_mark_that_editors_of_windows_write_first_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b'\xef\xbb\xbfstyle = "the_scream"\r\n')
    assert read_file(path) == ({"style": "the_scream"}, [])
    assert path.exists()


def test_a_variable_that_is_no_setting_is_said(tmp_path: Path) -> None:
    environment = {
        "ARTEM_VR_STYL": "the_scream",
        "ARTEM_VR_SETTINGS": "elsewhere",
        "ARTEM_VR_HUD": "false",
        "HOME": "x",
    }
    loaded, notices = load(path=tmp_path / "none.toml", environment=environment)
    assert notices == ["there is no setting for ARTEM_VR_STYL; it is ignored. Unset it."]
    assert loaded == Settings(hud=False)


def test_a_name_in_the_file_that_leads_nowhere_costs_a_notice(tmp_path: Path) -> None:
    """A style that was removed, a film that was moved: the program starts nevertheless. What is typed must be there."""
    path = tmp_path / "settings.toml"
    path.write_text('style = "gone"\nsource = "there"\nregion_style = "gone too"\n')

    def find(name: str, value: str) -> None:
        if value.startswith("gone"):
            raise StyleError(f"There is no style {value!r}", "Choose another")

    loaded, notices = load(path=path, environment={}, find=find)
    assert (loaded.style, loaded.source, loaded.region_style) == ("", "there", "")
    assert notices == [
        f"{path}: {setting}: There is no style {name!r}. Choose another. The default is used."
        for setting, name in (("style", "gone"), ("region_style", "gone too"))
    ]
    assert load({"style": "gone"}, path, {"ARTEM_VR_REGION_STYLE": "gone"}, find=find)[1] == []


def test_a_table_is_no_place_for_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("strength = 0.5\n[run]\nhud = false\n[style]\n")
    values, notices = read_file(path)
    assert values == {"strength": 0.5}
    assert notices == [
        f"{path}: [{name!r}] begins a table; settings stand without one. It is ignored." for name in ("run", "style")
    ]


def test_a_name_that_is_no_setting_is_told_from_one_of_a_single_run(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("frames = 5\nstrenght = 0.5\nxyz = 1\n")
    assert load(path=path, environment={}) == (
        Settings(),
        [
            f"{path}: frames concerns one run, and is no setting to keep; it is ignored.",
            f"{path}: there is no setting 'strenght' (did you mean strength?); it is ignored.",
            f"{path}: there is no setting 'xyz'; it is ignored.",
        ],
    )
