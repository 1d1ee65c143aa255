"""Codes are kept exactly, read with distrust, and mixed and adjusted by formulas that end where they should."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from artem_vr.errors import WeightsError
from artem_vr.networks.header import smooth_entry, smooth_of
from artem_vr.styles.codes import (
    MAX_BYTES,
    MAX_VALUE,
    Part,
    StyleCode,
    adjusted,
    mixed,
    read_code,
    thumbnail,
    write_code,
)
from artem_vr.styles.library import Library
from artem_vr.stylize.loading import StyleLoader

NETWORK = "ab" * 32
numbers = st.floats(-MAX_VALUE, MAX_VALUE, width=32)


def codes(channels: int = 5) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, (2, channels), elements=numbers)


def code(**more: object) -> StyleCode:
    values = np.random.default_rng(0).normal(size=(2, 7)).astype(np.float32)
    return StyleCode(**{"values": values, "network": NETWORK, "title": "A title", "picture": b""} | more)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(values=st.integers(1, 40).flatmap(codes), title=st.text(max_size=150), picture=st.binary(max_size=100))
def test_what_is_kept_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, title: str, picture: bytes
) -> None:
    path = tmp_path_factory.mktemp("codes") / "x.code.safetensors"
    digest = write_code(path, StyleCode(values, NETWORK, title, picture, 0.125))
    back = read_code(path, digest)
    assert back.smooth == 0.125
    assert back.values.tobytes() == values.tobytes() and back.values.dtype == np.float32
    assert (back.network, back.picture) == (NETWORK, picture)
    assert back.title.isprintable() and "\n" not in back.title
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@settings(max_examples=30, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.floats(1e-6, 100), st.binary(min_size=1, max_size=20) | st.text(min_size=1, max_size=20)),
        min_size=2,
        max_size=4,
    )
)
def test_what_a_mixture_was_mixed_of_comes_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[float, bytes | str]]
) -> None:
    path = tmp_path_factory.mktemp("codes") / "x.code.safetensors"
    written = tuple(
        Part(weight, picture=one) if isinstance(one, bytes) else Part(weight, painting=one) for weight, one in parts
    )
    write_code(path, code(parts=written))
    back = read_code(path)
    assert back.parts == written and back.picture == b"" and back.can_be_made_anew
    assert not code().can_be_made_anew


@pytest.mark.parametrize("said", ["nan", "-0.1", "1.5", "much", "inf", ""])
def test_how_smooth_a_painting_is_may_be_nonsense(said: str) -> None:
    """A file is trusted in nothing: the ground is then laid as under a painting that is nowhere smooth."""
    assert smooth_of({"smooth": said}) == smooth_of({}) == 0
    assert smooth_of(smooth_entry(0.25)) == 0.25


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(codes(), min_size=2, max_size=4),
    weights=st.lists(st.floats(0, 100), min_size=4, max_size=4),
    chosen=st.integers(0, 3),
)
def test_a_mixture_lies_between_its_parts_and_one_part_alone_is_itself(
    values: list[np.ndarray], weights: list[float], chosen: int
) -> None:
    alone = [float(k == chosen % len(values)) for k in range(len(values))]
    assert mixed(values, alone).tobytes() == values[chosen % len(values)].tobytes()
    if sum(weights[: len(values)]) > 1e-6:
        mixture = mixed(values, weights[: len(values)])
        assert mixture.dtype == np.float32
        assert (mixture >= np.min(values, axis=0)).all() and (mixture <= np.max(values, axis=0)).all()
        double = mixed(values, [2 * weight for weight in weights[: len(values)]])
        np.testing.assert_allclose(double, mixture, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    ("count", "weights"),
    [(1, [1]), (5, [1] * 5), (2, [0, 0]), (2, [1]), (2, [-1, 2]), (2, [float("nan"), 1]), (2, [float("inf"), 1])],
)
def test_what_has_no_proportion_is_not_mixed(count: int, weights: list[float]) -> None:
    with pytest.raises(ValueError):
        mixed([np.zeros((2, 3), np.float32)] * count, weights)


@settings(max_examples=100, deadline=None)
@given(values=codes(), plain=codes(), strength=st.floats(0, 1))
def test_strength_leads_from_the_photograph_to_the_style(
    values: np.ndarray, plain: np.ndarray, strength: float
) -> None:
    assert np.array_equal(adjusted(values, plain), values)
    assert np.array_equal(adjusted(values, plain, 0), plain)
    between = adjusted(values, plain, strength)
    assert (between >= np.minimum(values, plain)).all() and (between <= np.maximum(values, plain)).all()


@settings(max_examples=50, deadline=None)
@given(values=codes(), plain=codes(), weight=st.floats(0, 2))
def test_mean_weight_moves_the_means_alone_and_contrast_the_deviations_alone(
    values: np.ndarray, plain: np.ndarray, weight: float
) -> None:
    way = plain + weight * (values.astype(np.float64) - plain)
    toned, contrasted = adjusted(values, plain, mean_weight=weight), adjusted(values, plain, contrast=weight)
    assert np.array_equal(toned[0], values[0]) and np.array_equal(contrasted[1], values[1])
    np.testing.assert_allclose(toned[1], way[1], rtol=1e-6, atol=1e-2)
    np.testing.assert_allclose(contrasted[0], way[0], rtol=1e-6, atol=1e-2)


def test_adjustments_must_be_numbers() -> None:
    with pytest.raises(ValueError):
        adjusted(code().values, code().values, float("nan"))


def damaged(path: Path, kind: str) -> None:
    """A file that is wrong in one way."""
    header = {"format_version": "1", "kind": "style code", "network": NETWORK, "title": "x"}
    tensors: dict[str, np.ndarray] = {"code": code().values}
    match kind:
        case "nan" | "inf":
            tensors["code"][1, 3] = float(kind)
        case "huge":
            tensors["code"][0, 0] = 2 * MAX_VALUE
        case "fp16":
            tensors["code"] = tensors["code"].astype(np.float16)
        case "shape":
            tensors["code"] = tensors["code"].T
        case "no channels":
            tensors["code"] = np.zeros((2, 0), np.float32)
        case "no code":
            tensors = {"picture": np.zeros(3, np.uint8)}
        case "more":
            tensors["more"] = np.zeros(3, np.uint8)
        case "picture":
            tensors["picture"] = np.zeros((2, 2), np.float32)
        case "version":
            header["format_version"] = "2"
        case "no network":
            header["network"] = "../../etc/passwd"
        case "kind":
            del header["kind"]
        case "parts are no list" | "parts without weights" | "parts are text" | "deep parts":
            without = '[{"painting": "a"}, {"painting": "b"}]'
            said = {"parts are no list": "7", "parts without weights": without, "deep parts": "[" * 20_000}
            header["parts"] = said.get(kind, "what?")
        case "one part" | "five parts":
            header["parts"] = json.dumps([{"weight": 1, "painting": "a"}] * (1 if kind == "one part" else 5))
        case "parts of nothing" | "negative parts" | "endless parts":
            weights = {"parts of nothing": (0, 0), "negative parts": (2, -1), "endless parts": (1, float("inf"))}[kind]
            header["parts"] = json.dumps([{"weight": weight, "painting": "a"} for weight in weights])
        case "parts beyond all numbers":
            header["parts"] = json.dumps([{"weight": 10**400, "painting": "a"}, {"weight": 1, "painting": "b"}])
        case "part without a picture":
            header["parts"] = json.dumps([{"weight": 1, "painting": "a"}, {"weight": 1}])
        case "part with a strange picture":
            header["parts"] = json.dumps([{"weight": 1, "painting": "a"}, {"weight": 1}])
            tensors["picture_1"] = np.zeros(3, np.float32)
        case "too large":
            tensors["picture"] = np.zeros(MAX_BYTES, np.uint8)
    data = safetensors.numpy.save(tensors, header)
    match kind:
        case "cut":
            data = data[:-3]
        case "cut header":
            data = data[:20]
        case "empty":
            data = b""
        case "text":
            data = b"this is no style code, but somebody's letter" * 3
        case "long header":
            data = (2**63).to_bytes(8, "little") + data[8:]
        case "deep header":
            deep = b"[" * 100_000
            data = len(deep).to_bytes(8, "little") + deep
        case "no metadata":
            data = safetensors.numpy.save(tensors)
        case "list for metadata":
            text = json.dumps({"__metadata__": [1]}).encode()
            data = len(text).to_bytes(8, "little") + text
    path.write_bytes(data)


@pytest.mark.parametrize(
    "kind",
    ["nan", "inf", "huge", "fp16", "shape", "no channels", "no code", "more", "picture", "version", "no network",
     "kind", "too large", "cut", "cut header", "empty", "text", "long header", "deep header", "no metadata",
     "list for metadata", "parts are no list", "parts without weights", "parts are text", "deep parts", "one part",
     "five parts", "parts of nothing", "negative parts", "endless parts", "part without a picture",
     "parts beyond all numbers", "part with a strange picture"],
)  # fmt: skip
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.code.safetensors"
    damaged(path, kind)
    with pytest.raises(WeightsError) as caught:
        read_code(path)
    assert "\n" not in str(caught.value) and "x.code" in str(caught.value)


def test_files_that_are_not_there_or_not_the_recorded_ones(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, Path("bad\0name")):
        with pytest.raises(WeightsError):
            read_code(path)
    write_code(tmp_path / "x", code())
    with pytest.raises(WeightsError, match="sha256"):
        read_code(tmp_path / "x", "0" * 64)


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.code.safetensors"
    write_code(path, code())
    before = path.read_bytes()
    for bad in (code(values=np.full((2, 3), np.nan, np.float32)), code(picture=bytes(MAX_BYTES))):
        with pytest.raises(WeightsError):
            write_code(path, bad)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WeightsError, match="No space"):
        write_code(path, code(title="another"))
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (300, 200), (1200, 900), (700, 30_000)])
def test_a_thumbnail_is_small_and_looks_like_the_picture(size: tuple[int, int]) -> None:
    height, width = size
    ramp = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    picture = np.stack([ramp, 255 - ramp, np.full_like(ramp, 90)], axis=-1)
    data = thumbnail(picture)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG" and min(image.size) <= 448 and max(image.size) <= 4000
        assert image.width / image.height == pytest.approx(width / height, rel=0.02) or min(image.size) < 50
        assert np.abs(np.asarray(image).mean((0, 1)) - picture.mean((0, 1))).max() < 4
    assert len(data) < MAX_BYTES / 4


def test_shipped_codes_are_far_from_the_limit_however_they_are_exaggerated() -> None:
    library = Library(own=Path("nowhere"))
    loader = StyleLoader(library)
    plain = loader.encoder().plain
    codes = [loader.read(style).values for style in library.styles() if style.form == "code"]
    assert codes
    for code in codes:
        assert np.abs(adjusted(code, plain, mean_weight=2.0, contrast=2.0)).max() < MAX_VALUE / 4


@pytest.mark.parametrize("channels", [1, 10])
def test_a_code_that_does_not_fit_its_network_is_one_line(tmp_path: Path, channels: int) -> None:
    """Of one channel it would be painted all the same, by broadcasting."""
    library = Library(own=tmp_path)
    loader = StyleLoader(library)
    wrong = StyleCode(np.ones((2, channels), np.float32), loader.encoder().key, "Wrong")
    write_code(tmp_path / "wrong.code.safetensors", wrong)
    with pytest.raises(WeightsError, match=f"wrong.code.safetensors is a code of {channels} channels") as caught:
        loader(library.find("wrong"))
    assert "\n" not in str(caught.value)
