"""OpenVINO as the engine: the fastest on a CPU.

A network is converted once, traced at a small size, and kept in the user's cache folder as a
model without a size; after that neither torch nor the network is needed to start. What is compiled of it for a size
is kept there, too: taking that up again takes a third of the time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import math
import os
import platform
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from artem_vr import __version__
from artem_vr.atomic_file import write_atomically
from artem_vr.errors import EngineError
from artem_vr.installing import pip_install
from artem_vr.stylize.engines.base import (
    BLOCK,
    EIGHT_BITS,
    Code,
    NetworkOrLoader,
    Painter,
    Pictures,
    State,
    check_inputs,
    pack,
    pad_pictures,
    padded,
    unpack,
)
from artem_vr.stylize.engines.quiet import import_openvino

GRAPH_VERSION = 7
"""Raised when `convert` yields another graph for the same weights: old cache files are then ignored."""

_MAGIC = b"artem-vr openvino model\n"
_TRACE_SIZE = 64
_COMPILED, _MODEL = ".compiled", ".model"
MOST_COMPILED = MOST_MODELS = 48
"""Compiled and converted models that are kept, 1.5 to 3 MB each; of more, those that were not used for longest go."""
_DAY = 86400.0
UNUSED_SECONDS = 30 * _DAY
"""After so long without use a model goes, too: it may be of another version, which nobody starts any more."""
_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
"""In what OpenVINO computes what is not rounded to 8 bits: with int8 in fp32, since bf16 would be turned into that
anyway, layer by layer, for the statistics, which takes longer."""
_EIGHT_BITS = ("x86_64", "AMD64")
"""Processors on which 8 bits were seen to be faster than floats."""


def default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("artem-vr", appauthor=False)) / "openvino"


class OpenVinoPainter:
    """One compiled model and its one request."""

    def __init__(self, compiled: Any, eyes: int, height: int, width: int) -> None:
        self.eyes, self.height, self.width = eyes, height, width
        _, rows, columns, depth = compiled.input(0).shape
        self._packed = int(depth) != 3
        block = BLOCK if self._packed else 1
        self._padded = block * int(rows), block * int(columns)
        self.channels = int(compiled.input(1).shape[1])
        self.coded = len(compiled.inputs) == 4
        self._request: Any = compiled.create_infer_request()
        self._rate = np.ones(1, np.float32)

    def paint(self, pictures: Pictures, state: State, rate: float, code: Code | None = None) -> tuple[Pictures, State]:
        check_inputs(self, pictures, code)
        if self._request is None:
            raise ValueError("the painter was closed")
        self._rate[0] = rate
        # the request reads our arrays in place; its results are overwritten by the next call
        batch = pad_pictures(pictures, *self._padded)
        batch = pack(batch) if self._packed else batch
        inputs = [batch, np.ascontiguousarray(state, np.float32), self._rate]
        if code is not None:
            inputs.append(np.ascontiguousarray(code, np.float32))
        self._request.infer(inputs, share_inputs=True)
        result = self._request.get_output_tensor(0).data
        painted = unpack(result) if self._packed else result.copy()
        painted = np.ascontiguousarray(painted[:, : self.height, : self.width])
        return painted, self._request.get_output_tensor(1).data.copy()

    def close(self) -> None:
        self._request = None


_core_lock = threading.Lock()


def _core() -> Any:
    """OpenVINO's core, one for the whole process and never given up. Raises ImportError without OpenVINO.

    Each gives the thread that it is made in a stack for signals of its own, and takes that away when it goes. Of two
    that go in the order in which they came the thread is left with one that is no memory any more: the next signal,
    Ctrl-C among them, is then a crash.
    """
    with _core_lock:  # a cache alone might make two at a time
        return _one_core()


@functools.cache
def _one_core() -> Any:
    return import_openvino().Core()


class OpenVinoEngine:
    """``precision`` "auto" (the fastest: int8, else bf16 where the CPU has it, else fp32), "fp32", "bf16" or "int8".

    With int8 it takes networks with an 8-bit form only (`blocks.BlockForm.in_eight_bits`); `floats` takes all.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, precision: str = "auto", cache: Path | None = None, threads: int = 0) -> None:
        """``cache``: folder for converted models (None: the user's). ``threads``: 0 is OpenVINO's choice.

        Raises `EngineError` when OpenVINO is missing, damaged, or lacks the precision.
        """
        try:
            openvino: Any = import_openvino()
        except ImportError:
            remedy = f"Install it: {pip_install('openvino')}, or take --engine torch"
            raise EngineError("OpenVINO is not installed", remedy) from None
        self._openvino = openvino
        try:
            self._core = _core()
            able = {str(c).upper() for c in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")}
        except RuntimeError as error:  # its part for processors is missing or does not load
            *_, reason = ["no reason given", *str(error).strip().splitlines()]  # before it, places in its own source
            cause = f"OpenVINO does not start here ({reason})"
            remedy = "Reinstall it: pip install --force-reinstall openvino, or take --engine torch"
            raise EngineError(cause, remedy) from None
        self._lock = threading.Lock()
        self._cache = cache if cache is not None else default_cache()
        floats = "bf16" if "BF16" in able else "fp32"
        if precision == "auto":
            precision = "int8" if "INT8" in able and platform.machine() in _EIGHT_BITS else floats
        if precision not in _PRECISIONS or (precision != "fp32" and precision.upper() not in able):
            raise EngineError(f"OpenVINO on this CPU does not compute in {precision}", "Take --precision auto")
        self.precision = precision
        self.conversions = 0
        """How many networks had to be converted because the cache had no sound copy."""
        self.pixels_per_second = {"bf16": 60e6, "int8": 40e6}.get(precision, 20e6)
        self.floats = self if precision != "int8" else OpenVinoEngine(floats, cache, threads)
        """The fastest engine of this kind for networks without an 8-bit form."""
        self._config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }
        if threads:
            self._config["INFERENCE_NUM_THREADS"] = threads
        self._processor = str(self._core.get_property("CPU", "FULL_DEVICE_NAME")), sorted(able)

    def prepare(self, style_key: str, network: NetworkOrLoader, eyes: int, height: int, width: int) -> Painter:
        if self.precision == "int8" and getattr(network, "architecture", "") != EIGHT_BITS:
            raise ValueError("this network has no 8-bit form")
        with self._lock:  # conversion is not safe from several threads
            compiled = self._compiled(style_key, network, eyes, height, width)
        runs = precision_of(compiled)
        if self.precision != "int8" and runs != self.precision:
            self.precision = runs  # say what really runs
        painter = OpenVinoPainter(compiled, eyes, height, width)
        return painter

    def _compiled(self, style_key: str, network: NetworkOrLoader, eyes: int, height: int, width: int) -> Any:
        """The compiled model for a size: from the cache, else made and kept."""
        compiled_for = json.dumps([*self._processor, self._config])
        key = f"{self._key(style_key)}|{eyes}x{height}x{width}|{compiled_for}"
        path = self._cache / f"{_name(key)}{_COMPILED}"
        stored = read_container(path, key)
        if stored is not None:
            with contextlib.suppress(RuntimeError, ValueError, TypeError):  # of a build of another mind: compile again
                compiled = self._core.import_model(io.BytesIO(stored[2]), "CPU", self._config)
                _mark_used(path)
                _mark_used(self._model_path(style_key))
                return compiled
        model, multiple = self._model(style_key, network)
        depth = model.inputs[0].partial_shape[3].get_length()
        block = BLOCK if depth != 3 else 1
        rows, columns = padded(height, multiple) // block, padded(width, multiple) // block
        model.reshape({model.inputs[0]: [eyes, rows, columns, depth]})
        try:
            compiled = self._core.compile_model(model, "CPU", self._config)
        except RuntimeError:
            if self._config["INFERENCE_PRECISION_HINT"] != _PRECISIONS["bf16"]:
                raise
            # the processor has bf16, but a virtual machine, or ONEDNN_MAX_CPU_ISA, keeps a part of it from OpenVINO
            self._config["INFERENCE_PRECISION_HINT"] = _PRECISIONS["fp32"]
            return self._compiled(style_key, network, eyes, height, width)
        with contextlib.suppress(OSError, RuntimeError):  # as below
            write_container(path, key, {}, b"", compiled.export_model().getvalue())
            _tidy(self._cache)
        return compiled

    def _key(self, style_key: str) -> str:
        key = f"{style_key}|graph {GRAPH_VERSION}|artem-vr {__version__}|openvino {self._openvino.__version__}"
        return key + ("|8 bits" if self.precision == "int8" else "")

    def _model_path(self, style_key: str) -> Path:
        return self._cache / f"{_name(self._key(style_key))}{_MODEL}"

    def _model(self, style_key: str, network: NetworkOrLoader) -> tuple[Any, int]:
        """The model, of trace size, and its multiple: from the cache, else converted and kept."""
        key, path = self._key(style_key), self._model_path(style_key)
        stored = read_container(path, key)
        if stored is not None:
            header, xml, weights = stored
            _mark_used(path)
            try:
                return self._read(xml, weights), int(header["multiple"])
            except (RuntimeError, ValueError, KeyError, TypeError):
                pass  # written by a build of another mind: convert again
        xml, weights, multiple = self._convert(network)
        with contextlib.suppress(OSError):  # no cache costs time at the next start, nothing else
            write_container(path, key, {"multiple": multiple}, xml, weights)
        return self._read(xml, weights), multiple

    def _read(self, xml: bytes, weights: bytes) -> Any:
        return self._core.read_model(xml, self._openvino.Tensor(np.frombuffer(weights, np.uint8).copy()))

    def _convert(self, network: NetworkOrLoader) -> tuple[bytes, bytes, int]:
        """The model without a size, as OpenVINO writes it (xml, weights), and its multiple."""
        import torch

        from artem_vr.stylize.engines.blocks import BlockForm
        from artem_vr.stylize.engines.graph import best_for_openvino, loaded

        self.conversions += 1
        graph = best_for_openvino(loaded(network))
        if self.precision == "int8":
            assert isinstance(graph, BlockForm)
            graph = graph.in_eight_bits()
        size = padded(_TRACE_SIZE, graph.multiple)
        pictures = torch.zeros(1, size, size, 3, dtype=torch.uint8)
        if isinstance(graph, BlockForm):
            pictures = torch.from_numpy(pack(pictures.numpy()))
        example = [pictures, torch.ones(2, graph.channels), torch.ones(1)]
        shapes = [[-1, -1, -1, pictures.shape[3]], [2, graph.channels], [1]]
        if graph.coded:
            example.append(torch.ones(2, graph.channels))
            shapes.append([2, graph.channels])
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes that the trace fixes are whole multiples here
            traced = torch.jit.trace(graph, tuple(example), check_trace=False)
        xml, weights = self._translate(traced, tuple(example), shapes)
        return xml, weights, graph.multiple

    def _translate(self, traced: Any, example: Any, shapes: list[list[int]]) -> tuple[bytes, bytes]:
        """What ``openvino.convert_model`` does at heart; that itself reports each use over the network."""
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
        from openvino.passes import ConstantFolding, Manager

        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced, example_input=example)  # the model borrows its memory
        model = frontend.convert(frontend.load(decoder))
        model.reshape(dict(zip(model.inputs, shapes, strict=True)))
        manager = Manager()
        manager.register_pass(ConstantFolding())  # levels of 8 bits are found by their constants only
        manager.run_passes(model)
        with tempfile.TemporaryDirectory() as folder:
            xml = Path(folder) / "model.xml"
            self._openvino.save_model(model, xml, compress_to_fp16=False)
            return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()


def precision_of(compiled: Any) -> str:
    """What a compiled model really computes in."""
    name = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return {"f32": "fp32", "f16": "fp16"}.get(name, str(name))


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _mark_used(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process was quicker
        return math.inf


def _tidy(folder: Path) -> None:
    """Delete models that are too many, or were not used for long, and what interrupted writing left behind.

    Writing takes no day, so what another process writes just now stays; and so does what cannot be deleted.
    """
    now = time.time()
    for suffix, most, seconds in (
        (_COMPILED, MOST_COMPILED, UNUSED_SECONDS),
        (_MODEL, MOST_MODELS, UNUSED_SECONDS),
        (".part", sys.maxsize, _DAY),
    ):
        last_first = sorted(((_last_used(path), path) for path in folder.glob(f"*{suffix}")), reverse=True)
        for number, (used, path) in enumerate(last_first):
            if number >= most or now - used > seconds:
                with contextlib.suppress(OSError):
                    path.unlink()


def write_container(path: Path, key: str, header: dict[str, Any], xml: bytes, weights: bytes) -> None:
    """One file, in one step: magic, header line (json, with the `_sum` of all of it), the two parts."""
    body = xml + weights
    header = header | {"key": key, "xml": len(xml), "size": len(body)}
    write_atomically(path, _MAGIC + json.dumps(header | {"sha256": _sum(header, body)}).encode() + b"\n" + body)


def _sum(header: dict[str, Any], body: bytes) -> str:
    """sha256 of what ``header`` says, but for the sum itself, and of ``body``."""
    said = {name: value for name, value in header.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode() + b"\n" + body).hexdigest()


def read_container(path: Path, key: str) -> tuple[dict[str, Any], bytes, bytes] | None:
    """What `write_container` wrote, or None for anything missing, foreign or damaged.

    Checked by sum before OpenVINO sees it: its parser is not made for hostile bytes.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            header = json.loads(file.readline(4096))
            body = file.read(int(header["size"]) + 1)
        sound = header["key"] == key and _sum(header, body) == header["sha256"]
        return (header, body[: header["xml"]], body[header["xml"] :]) if sound else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, MemoryError):
        return None
