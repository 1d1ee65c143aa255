"""Styles that are codes share one compiled network, are painted as strongly as asked, and cost no preparation."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artem_vr.errors import EngineError
from artem_vr.mailbox import Mailbox
from artem_vr.sources.frame import StereoFrame
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.styles.codes import StyleCode, adjusted, thumbnail, write_code
from artem_vr.styles.deck import Deck
from artem_vr.styles.library import Library, Style
from artem_vr.stylize.engines.base import Code
from artem_vr.stylize.loading import LoadedStyle, StyleLoader
from artem_vr.stylize.styled import Tuning, Workshop
from artem_vr.stylize.stylizer import Stylizer

PATIENCE = 30.0
PLAIN = np.array([[1, 1], [0, 0]], np.float32)
CODES = {name: np.array([[2, 3], [k, -k]], np.float32) for k, name in enumerate(("a", "b", "c"), 1)}


class Painter:
    channels, coded = 2, True

    def __init__(self, eyes: int, height: int, width: int) -> None:
        self.eyes, self.height, self.width = eyes, height, width
        self.codes: list[Code] = []
        self.rates: list[float] = []
        self.overflows: set[float] = set()
        """At what rates."""
        self.closed = 0

    def paint(self, pictures: np.ndarray, state: np.ndarray, rate: float, code: Code | None = None) -> Any:
        assert code is not None and not self.closed
        self.codes.append(code)
        self.rates.append(rate)
        if rate in self.overflows:
            return pictures, np.full_like(state, np.nan)
        return pictures, (1 - rate) * state + rate  # as the norms do: at rate 1 NaN would stay

    def close(self) -> None:
        self.closed += 1


class Engine:
    name, precision, device, pixels_per_second = "fake", "fp32", "cpu", 1e12

    def __init__(self) -> None:
        self.made: list[Painter] = []

    def prepare(self, style_key: str, network: Any, eyes: int, height: int, width: int) -> Painter:
        self.made.append(Painter(eyes, height, width))
        return self.made[-1]


def style(name: str) -> LoadedStyle:
    return LoadedStyle("network", lambda: None, CODES[name], PLAIN)  # type: ignore[arg-type, return-value]


def test_codes_of_one_network_share_what_is_compiled_and_the_last_one_closes_it() -> None:
    engine = Engine()
    shop = Workshop()
    one, two = shop.make(engine, style("a"), 2, 8, 8), shop.make(engine, style("b"), 2, 8, 8)
    shop.make(engine, style("b"), 2, 16, 8).close()
    assert [p.closed for p in engine.made] == [0, 1]
    one.close()
    one.close()  # twice counts once
    assert engine.made[0].closed == 0
    two.close()
    assert engine.made[0].closed == 1
    shop.make(engine, style("a"), 2, 8, 8)
    assert len(engine.made) == 3  # what was closed is not used again


def test_tuning_reaches_the_code_bit_for_bit() -> None:
    engine = Engine()
    painter = Workshop().make(engine, style("a"), 1, 8, 8)
    pictures, state = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((2, 2), np.float32)
    for tuning in (Tuning(), Tuning(0.0), Tuning(0.5, 0.7, 1.4)):
        painter.paint(pictures, state, 1.0, tuning)
        wanted = adjusted(CODES["a"], PLAIN, tuning.strength, tuning.mean_weight, tuning.contrast)
        assert np.array_equal(engine.made[0].codes[-1], wanted)
    assert np.array_equal(engine.made[0].codes[0], CODES["a"])
    assert np.array_equal(engine.made[0].codes[1], PLAIN)


def test_what_overflows_is_painted_again_without_the_past_and_leaves_nothing_behind() -> None:
    engine = Engine()
    painter = Workshop().make(engine, style("a"), 1, 8, 8)
    fake, pictures = engine.made[0], np.zeros((1, 8, 8, 3), np.uint8)
    state = painter.paint(pictures, None, 0.1, Tuning())[1]
    fake.overflows = {0.1}
    state = painter.paint(pictures, state, 0.1, Tuning())[1]
    assert fake.rates == [1.0, 0.1, 1.0] and (state == 1).all()
    fake.overflows = {0.1, 1.0}
    with pytest.raises(EngineError, match="overflow"):
        painter.paint(pictures, state, 0.1, Tuning())
    fake.overflows = set()
    state = painter.paint(pictures, np.full_like(state, np.nan), 1.0, Tuning())[1]
    assert (state == 1).all()  # a cut forgets whatever was


class Loader:
    """Loads the codes above; counts, and can be made slow."""

    reads_pictures = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, wanted: Style) -> LoadedStyle:
        assert self.gate.wait(PATIENCE)
        return style(wanted.name)

    def shared(self) -> LoadedStyle:
        return LoadedStyle("network", lambda: None)  # type: ignore[arg-type, return-value]


class Names:
    def find(self, name: str) -> Style:
        return Style(name, name, "own", Path(name))


def wait_for(condition: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.002)
    raise AssertionError("it did not happen")


def test_a_picture_is_read_again_only_when_its_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blend's shares are changed without reading its pictures anew; so it is with what was kept for another network:
    after an update, all that a viewer kept."""
    import torch

    from artem_vr.networks.checkpoint import save_network
    from artem_vr.networks.compact import CompactNetwork
    from artem_vr.stylize.encoder import Encoder, Reading

    torch.manual_seed(0)
    digest = save_network(tmp_path / "compact.safetensors", CompactNetwork(8, 8, 8, 1))
    index = {"version": 1, "styles": [], "compact": {"file": "compact.safetensors", "sha256": digest}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    library = Library(tmp_path, tmp_path / "own")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for seed, path in enumerate(paths):
        save_picture(path, np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8))
    read = []
    read_one = Encoder.read

    def counted(self: Encoder, picture: np.ndarray, stroke_size: int) -> Reading:
        read.append(picture)
        return read_one(self, picture, stroke_size)

    monkeypatch.setattr(Encoder, "read", counted)
    loader = StyleLoader(library)
    half, less, least = (
        loader.read(library.find(f"{share}*{paths[0]}+{1 - share}*{paths[1]}")).values for share in (0.5, 0.4, 0.3)
    )
    assert len(read) == 2
    assert np.allclose(less, (half + least) / 2, atol=1e-6)
    save_picture(paths[0], np.full((41, 41, 3), 9, np.uint8))
    other = loader.read(library.find(f"0.25*{paths[0]}+0.75*{paths[1]}"))
    assert not np.array_equal(other.values, least) and other.smooth == pytest.approx(0.25, abs=0.01)  # a bare picture
    assert len(read) == 3
    kept = StyleCode(half, "0" * 64, "Kept", thumbnail(load_picture(paths[1])))
    write_code(tmp_path / "own" / "kept.code.safetensors", kept)
    first, again = (loader.read(library.find("kept")).values for _ in range(2))
    assert np.array_equal(first, again) and not np.array_equal(first, half)
    assert len(read) == 4


def test_a_picture_that_comes_finds_its_network_compiled_and_the_old_style_goes_on_meanwhile() -> None:
    """Three codes and the network that waits for a fourth: one preparation; strength is in the painting."""
    frames: Mailbox[StereoFrame] = Mailbox()
    deck, engine, loader = Deck(["a"], strength=0.5), Engine(), Loader()
    stylizer = Stylizer(frames, deck, Names(), engine, scale=1.0, load=loader)  # type: ignore[arg-type]
    stylizer.start()
    count = 0

    def painted(name: str) -> Any:
        nonlocal count
        count += 1
        frames.put(StereoFrame(np.full((2, 64, 64, 3), 90, np.uint8), count / 30, count))
        result = stylizer.painted.take(0.05)
        return result if result is not None and result.style == name else None

    wait_for(lambda: painted("a"))
    assert np.array_equal(engine.made[0].codes[-1], adjusted(CODES["a"], PLAIN, 0.5))
    loader.gate.clear()
    deck.add("b")
    deck.select("b")
    assert wait_for(lambda: painted("a"))  # goes on while b is being read
    loader.gate.set()
    wait_for(lambda: painted("b"))
    assert len(engine.made) == 1
    assert stylizer.stop(PATIENCE)
    assert engine.made[0].closed == 1


def test_statistics_start_anew_with_another_strength_of_a_code() -> None:
    """The old ones belong to the features of the old code."""
    frames: Mailbox[StereoFrame] = Mailbox()
    deck, engine = Deck(["a"]), Engine()
    stylizer = Stylizer(frames, deck, Names(), engine, scale=1.0, load=Loader())  # type: ignore[arg-type]
    stylizer.start()
    shown = np.full((2, 64, 64, 3), 90, np.uint8)
    for sequence, strength in enumerate((1.0, 1.0, 0.5, 0.5, 0.5, 0.4)):
        deck.strength = strength

        def painted(sequence: int = sequence) -> Any:
            frames.put(StereoFrame(shown, sequence / 30, sequence))
            result = stylizer.painted.take(0.05)
            return result if result is not None and result.source.sequence == sequence else None

        wait_for(painted)
    assert stylizer.stop(PATIENCE)
    painter = engine.made[0]
    changes = [True, *(not np.array_equal(before, code) for before, code in itertools.pairwise(painter.codes))]
    assert changes.count(True) == 3
    assert [rate == 1.0 for rate in painter.rates] == changes
