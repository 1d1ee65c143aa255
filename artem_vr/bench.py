"""How fast the networks are on this machine, always beside the article's network in the same run.

Milliseconds of a shared or throttled machine mean little; ratios mean something if what is
compared ran in turns. So every network and engine of a size takes its turn, round after round,
and medians are compared. What is timed is what the stylizer does: bytes in, bytes out, live
statistics.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artem_vr import __version__
from artem_vr.errors import ArtemError, EngineError, WeightsError
from artem_vr.stylize.engines.quiet import import_openvino

if TYPE_CHECKING:
    from torch import nn

    from artem_vr.stylize.engines import Engine, Painter

SIZES = ((512, 512), (1080, 1200))
"""(width, height) of one eye."""
OURS = ("fast", "compact")
LEGEND = (
    "fast: a network of one painting; compact: the network for any painting; johnson: the article's generator, whose",
    "time in torch fp32 the last column compares with; steadying: what keeps strokes in place; ground: what they hang",
    "on where nothing is; both come on top. On a GPU fp32 is torch's choice there: tf32 within convolutions",
)
"""Under the table."""
PATIENCE = 120.0
"""Seconds after which a painting that does not come is given up."""
CALLS_A_TURN = 3
"""A fast network is called so often in its turn: the slow one before it emptied the caches."""


@dataclass
class Candidate:
    """One network in one engine at one size, and its times so far."""

    network: str
    engine: Engine
    variant: str
    painter: Painter
    prepare_seconds: float
    calls: int
    times: list[float]

    @property
    def milliseconds(self) -> float:
        return 1000 * statistics.median(self.times)


def run_bench(
    sizes: Sequence[tuple[int, int]] = SIZES,
    eyes: Sequence[int] = (1, 2),
    repeats: int = 7,
    progress: Callable[[str], None] = lambda line: None,
    networks: dict[str, nn.Module] | None = None,
    files: Sequence[Path] = (),
) -> dict[str, Any]:
    """Measure and return ``{"machine": {...}, "rows": [...], "steadying": [...], "start_up": {...}}``.

    ``sizes`` are (width, height). ``networks``: "fast", "compact" and "johnson" to measure, None for those
    that are shipped (random weights where none is: the speed is the same). Rows of "johnson" in
    torch fp32 are the baseline: both memory layouts are tried, and the faster counts. ``new_picture_ms`` of
    ``start_up`` is None where it could not be measured, which costs a line to ``progress``.
    """
    weights = dict.fromkeys(networks or {}, "given")
    if networks is None:
        networks, weights = shipped_networks(files)
    rows: list[dict[str, Any]] = []
    steadying: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for width, height in sizes:
            for count in eyes:
                progress(f"{count} x {width}x{height}: preparing")
                candidates = _candidates(networks, count, height, width, Path(cache))
                _take_turns(candidates, count, height, width, repeats, progress)
                rows += _rows(candidates, weights, count, height, width)
                times = steadying_ms(count, height, width, repeats)
                case = {"eyes": count, "width": width, "height": height}
                steadying.append(case | {"ms_median": times[0], "ground_ms_median": times[1]})
                for candidate in candidates:
                    candidate.painter.close()
        progress("start-up, and a new picture")
        start_up: dict[str, float | None] = {**_start_up(networks["fast"], Path(cache))}
        try:
            start_up["new_picture_ms"] = new_picture_ms(networks["compact"], Path(cache))
        except (ArtemError, OSError, RuntimeError, MemoryError) as error:  # it comes last: the rows are worth more
            progress(f"artem-vr: a new picture was not measured: {error}")
            start_up["new_picture_ms"] = None
    return {"machine": machine(), "rows": rows, "steadying": steadying, "start_up": start_up, "repeats": repeats}


def main(
    as_json: bool = False,
    sizes: Sequence[tuple[int, int]] | None = None,
    eyes: Sequence[int] | None = None,
    weights: Sequence[Path] = (),
) -> int:
    """``artem-vr bench``: print JSON, or the table. Returns the exit status.

    ``weights``: files to measure instead of shipped networks of their kind. Raises `WeightsError`.
    """
    result = run_bench(
        sizes or SIZES, eyes or (1, 2), progress=lambda line: print(line, file=sys.stderr, flush=True), files=weights
    )
    print(json.dumps(result, indent=2) if as_json else as_text(result))
    return 0


def shipped_networks(files: Sequence[Path] = ()) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The networks to measure, and where their weights are from: a file's or style's name, or "random"."""
    import torch

    from artem_vr.networks.checkpoint import ARCHITECTURES, load_network
    from artem_vr.styles.library import Library

    networks: dict[str, nn.Module] = {}
    weights: dict[str, str] = {}
    for path in files:
        network, metadata = load_network(path)
        kind = metadata["architecture"]
        if kind not in (*OURS, "johnson"):
            raise WeightsError(f"bench does not compare {path.name}", "For networks of bits: artem-vr bench xnor")
        if kind in networks:
            cause = f"{weights[kind]} and {path.stem} are {kind} networks both, and bench measures one of a kind"
            raise WeightsError(cause, "Give --weights once for each kind, and run bench again for the other")
        networks[kind], weights[kind] = network, path.stem
    library = Library()
    shipped = [(style.path, style.sha256, style.name) for style in library.styles() if style.form == "network"]
    if library.compact is not None:
        shipped.append((*library.compact, "compact"))
    for path, digest, name in shipped:
        try:
            network, metadata = load_network(path, digest)
        except ArtemError:
            continue
        kind = metadata["architecture"]
        if kind not in networks:
            networks[kind], weights[kind] = network, name
    for kind in (*OURS, "johnson"):
        if kind not in networks:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                networks[kind], weights[kind] = ARCHITECTURES[kind].build().eval(), "random"
    return networks, weights


def _candidates(networks: dict[str, nn.Module], eyes: int, height: int, width: int, cache: Path) -> list[Candidate]:
    """Everything that can be measured at this size, on each device the baseline's two layouts first."""
    found, measured = [], set()
    for network, engine, variant in _combinations(cache):
        begun = time.perf_counter()
        painter = engine.prepare(f"bench {network}", networks[network], eyes, height, width)
        prepare_seconds = time.perf_counter() - begun
        if (network, engine.name, engine.precision, variant) in measured:  # bf16 that turned out to be fp32
            painter.close()
            continue
        measured.add((network, engine.name, engine.precision, variant))
        calls = 1 if network == "johnson" else CALLS_A_TURN
        found.append(Candidate(network, engine, variant, painter, prepare_seconds, calls, []))
    return found


def _combinations(cache: Path) -> Iterable[tuple[str, Engine, str]]:
    """(network, engine, variant): what this machine has."""
    from artem_vr.stylize.engines import choose_engine
    from artem_vr.stylize.engines.torch_engine import TorchEngine

    yield from _baselines("cpu")
    engines: list[Engine] = [TorchEngine("cpu", "fp32")]
    if (best := TorchEngine("cpu")).precision != "fp32":
        engines.append(best)
    yield from ((network, engine, "") for engine in engines for network in OURS)
    for precision in ("fp32", "bf16", "int8"):
        try:
            engine = choose_engine("openvino", "cpu", precision, cache=cache)
        except ArtemError:
            continue
        yield from ((network, engine, "") for network in (("fast",) if precision == "int8" else (*OURS, "johnson")))
    try:
        cuda = choose_engine("torch", "cuda")
    except ArtemError:
        return
    yield from _baselines("cuda")
    yield from ((network, cuda, "") for network in ("johnson", *OURS))


def _baselines(device: str) -> Iterable[tuple[str, Engine, str]]:
    """The article's network in torch fp32, in both memory layouts: which is the faster depends on the device."""
    from artem_vr.stylize.engines.torch_engine import TorchEngine

    yield "johnson", TorchEngine(device, "fp32", channels_last=False), "contiguous"
    yield "johnson", TorchEngine(device, "fp32", channels_last=True), "channels_last"


def _take_turns(
    candidates: Sequence[Candidate], eyes: int, height: int, width: int, repeats: int, progress: Callable[[str], None]
) -> None:
    """Fill in the times: one turn each, ``repeats`` rounds, after a round that does not count."""
    from artem_vr.stylize.engines import initial_state

    pictures = np.random.default_rng(0).integers(0, 256, (eyes, height, width, 3), dtype=np.uint8)
    states = [initial_state(candidate.painter.channels) for candidate in candidates]
    for turn in range(repeats + 1):
        progress(f"{eyes} x {width}x{height}: round {turn} of {repeats}")
        for i, candidate in enumerate(candidates):
            for _ in range(candidate.calls):
                painter = candidate.painter
                code = initial_state(painter.channels) if painter.coded else None  # any code takes the same time
                begun = time.perf_counter()
                _, states[i] = painter.paint(pictures, states[i], 0.1 if turn else 1.0, code)
                if turn:
                    candidate.times.append(time.perf_counter() - begun)


def _rows(
    candidates: Sequence[Candidate], weights: dict[str, str], eyes: int, height: int, width: int
) -> list[dict[str, Any]]:
    """A row each; of the baseline's layouts only the faster. Ratios are to the baseline of the same device."""
    rows = []
    for device in dict.fromkeys(candidate.engine.device for candidate in candidates):
        here = [candidate for candidate in candidates if candidate.engine.device == device]
        baselines = [
            c for c in here if c.network == "johnson" and (c.engine.name, c.engine.precision) == ("torch", "fp32")
        ]
        baseline = min(baselines, key=lambda c: c.milliseconds)
        for candidate in here:
            if candidate in baselines and candidate is not baseline:
                continue
            rows.append(
                {
                    "network": candidate.network,
                    "engine": candidate.engine.name,
                    "precision": candidate.engine.precision,
                    "device": device,
                    "eyes": eyes,
                    "width": width,
                    "height": height,
                    "ms_median": round(candidate.milliseconds, 3),
                    "ms_min": round(1000 * min(candidate.times), 3),
                    "ratio_to_johnson_fp32": round(baseline.milliseconds / candidate.milliseconds, 2),
                    "weights": weights.get(candidate.network, ""),
                    "layout": candidate.variant,
                    "prepare_s": round(candidate.prepare_seconds, 3),
                }
            )
    return rows


def steadying_ms(eyes: int, height: int, width: int, repeats: int) -> tuple[float, float]:
    """Median milliseconds in which a painting on the CPU is steadied, looking at its source included; and those in
    which its ground goes along and is laid."""
    from artem_vr.sources.demo import DemoSource
    from artem_vr.stylize.ground import Ground
    from artem_vr.stylize.matching import Matcher
    from artem_vr.stylize.steadying import Steadier

    matcher, steadier, ground = Matcher(), Steadier(), Ground("auto")
    demo = DemoSource(max(64, width), max(64, height))  # no less is drawn
    steadying, laying = [], []
    for number in range(repeats * CALLS_A_TURN + 1):
        shot = demo.read()
        assert shot is not None  # it has no end
        pictures = shot.eyes[:eyes, :height, :width]
        begun = time.perf_counter()
        ties = matcher.ties(pictures)
        steadier.steadied(pictures, ties, number / 30)
        steadied = time.perf_counter()
        ground.follow(eyes, ties, number / 30, follows=True)
        ground.laid(pictures)
        steadying.append(steadied - begun)
        laying.append(time.perf_counter() - steadied)
    first = slice(1, None)  # the first one has no frame before
    return round(1000 * statistics.median(steadying[first]), 3), round(1000 * statistics.median(laying[first]), 3)


def _start_up(network: nn.Module, cache: Path) -> dict[str, float]:
    """Seconds until a painter of two eyes of 512x512 is ready: without a cached conversion, and with one."""
    from artem_vr.stylize.engines import choose_engine

    result: dict[str, float] = {}
    for name in ("cold_s", "cached_s"):
        try:
            engine = choose_engine("openvino", "cpu", cache=cache)
        except ArtemError:
            return {}
        begun = time.perf_counter()
        engine.prepare("start-up", network, 2, 512, 512).close()
        result[name] = round(time.perf_counter() - begun, 3)
    return result


def new_picture_ms(network: nn.Module, folder: Path, pictures: int = 5) -> float:
    """Milliseconds from handing a picture file over to the first painting in its style; median of some pictures.

    Two eyes of 512x512 through the real stylizer, which has frames without a pause, so that it paints whenever a
    picture comes: of ``pictures`` one comes as a painting begins, the next when part of it is done, the last when it
    nearly is. The network is prepared, as it is in a run that has painted for a while. ``network`` is a compact one;
    ``folder`` may be written to.
    """
    from artem_vr.mailbox import Mailbox
    from artem_vr.networks.checkpoint import save_network
    from artem_vr.sources.frame import StereoFrame
    from artem_vr.sources.pictures import save_picture
    from artem_vr.styles.deck import Deck
    from artem_vr.styles.library import Library
    from artem_vr.stylize.engines import choose_engine
    from artem_vr.stylize.stylizer import Stylizer

    digest = save_network(folder / "compact.safetensors", network)
    index = {"version": 1, "styles": [], "compact": {"file": "compact.safetensors", "sha256": digest}}
    (folder / "index.json").write_text(json.dumps(index))
    random = np.random.default_rng(0)
    names = []
    for number in range(pictures + 1):
        coarse = random.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        save_picture(folder / f"{number}.jpg", coarse.repeat(100, axis=0).repeat(100, axis=1))
        names.append(str(folder / f"{number}.jpg"))
    eyes = random.integers(0, 256, (2, 512, 512, 3), np.uint8)
    frames: Mailbox[StereoFrame] = Mailbox()
    deck = Deck(names[:1])
    stylizer = Stylizer(frames, deck, Library(folder, folder / "own"), choose_engine(cache=folder), scale=1.0)

    def seconds_until(style: str) -> float:
        begun = time.perf_counter()
        while (now := time.perf_counter()) - begun < PATIENCE:
            frames.put(StereoFrame(eyes, now, 0))
            painted = stylizer.painted.take(timeout=0.002)
            if painted is not None and painted.style == style:
                return time.perf_counter() - begun
        raise EngineError(f"A new picture was not painted ({stylizer.state().message})", "Run artem-vr doctor")

    stylizer.start()
    try:
        times = []
        for number, (before, name) in enumerate(itertools.pairwise(names)):
            usual = seconds_until(before)
            seconds_until(before)
            time.sleep(usual * number / pictures)
            deck.add([name])
            times.append(seconds_until(name))
    finally:
        stylizer.stop()
    return round(1000 * statistics.median(times), 1)


def machine() -> dict[str, Any]:
    """Processor, GPU and versions: what a figure means nothing without."""
    import torch

    versions = {"artem_vr": __version__, "python": platform.python_version(), "torch": torch.__version__}
    with contextlib.suppress(ImportError):
        versions["openvino"] = import_openvino().__version__
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "versions": versions,
    }


def processor() -> str:
    """The processor's name, as well as this system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def as_text(result: dict[str, Any]) -> str:
    """The table for people; the fastest at the bottom of each size."""
    about = result["machine"]
    lines = [f"{about['cpu']}, {about['cores']} cores, GPU: {about['gpu'] or 'none'}", ""]
    lines.append(
        f"{'network':<9}{'engine':<10}{'precision':<11}{'device':<8}{'picture':<14}{'ms':>9}{'x johnson fp32':>16}"
    )
    groups: dict[tuple[int, int, int], list[dict[str, Any]]] = {}
    for row in result["rows"]:
        groups.setdefault((row["width"], row["height"], row["eyes"]), []).append(row)
    for (width, height, eyes), rows in groups.items():
        for row in sorted(rows, key=lambda row: -row["ms_median"]):
            lines.append(
                f"{row['network']:<9}{row['engine']:<10}{row['precision']:<11}{row['device']:<8}"
                f"{f'{eyes} x {width}x{height}':<14}{row['ms_median']:>9.2f}{row['ratio_to_johnson_fp32']:>16.1f}"
            )
        lines += [
            f"{what:<39}{f'{eyes} x {width}x{height}':<14}{one[key]:>9.2f}"
            for what, key in (("steadying", "ms_median"), ("ground", "ground_ms_median"))
            for one in result["steadying"]
            if (one["width"], one["height"], one["eyes"]) == (width, height, eyes)
        ]
        lines.append("")
    start_up = result["start_up"]
    if "cold_s" in start_up:
        cold, cached = start_up["cold_s"], start_up["cached_s"]
        lines.append(f"OpenVINO ready after {cold:.1f} s, with a cached conversion after {cached:.1f} s")
    if start_up["new_picture_ms"] is not None:
        lines.append(f"A new picture is first painted like after {start_up['new_picture_ms']:.0f} ms")
    lines += ["", *LEGEND]
    return "\n".join(lines)
