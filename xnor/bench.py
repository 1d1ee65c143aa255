"""`bench xnor`: the article's tables measured on this machine, won or lost.

A row times one convolution or product four ways: these bits (packing of the activations included, weights packed
before, as in use), the same kernel without bits (`general`), torch in float32 and torch in bfloat16 (CPU) or float16
(GPU). torch runs in both memory layouts and the faster one counts; so do ours. Every contender allocates its own
result, as it does in use: ours lies on recycled memory (memory.py), torch's on what the allocator gives, mostly fresh.
On a GPU each is replayed from a CUDA graph, whose memory is kept. The contenders take turns, and the fastest of the
rounds counts, for all of them alike: on a machine that does other work at the same time it is the least disturbed
figure. A ratio is the other's time over ours: above 1 we win.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .bitpack import word_count
from .errors import XnorError
from .geometry import Geometry, geometry
from .operations import pack_weights

#: (side, input channels, kernel side, outputs); the first five rows are the article's.
CONVOLUTIONS = (
    (256, 3, 4, 256),
    (256, 8, 4, 256),
    (256, 16, 4, 256),
    (256, 32, 4, 256),
    (256, 64, 4, 256),
    (128, 128, 3, 128),
    (56, 256, 3, 256),
)
PRODUCTS = (1024, 2048, 4096, 8192)

#: The article's figures for the first five rows: milliseconds of its bitwise and of its general kernel.
ARTICLE = {3: (6.25, 14.5), 8: (12.865, 33.324), 16: (31.587, 65.961), 32: (64.14, 109.52), 64: (120.4, 203.32)}
#: The article's products: "up to 6 times faster than cuBLAS".
ARTICLE_PRODUCT_RATIO = 6.0

SLOW_MS = 2000.0
"""A contender that takes longer has only one timed call, and one that takes five times this none but the first: bf16 on
a processor without it is emulated, in minutes a call."""

REPLAYS = 10  # of a graph, timed together
POPCOUNTS_PER_CLOCK = 16  # a multiprocessor of sm_75 to sm_90, 32 bits each

Contenders = dict[str, Callable[[], Any]]


def run_bench(
    device: str = "auto", quick: bool = False, rounds: int = 7, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Measure all rows on ``device`` (auto, cpu, cuda); ``quick`` leaves out the products above 2048 and takes 3
    rounds.

    Returns {"machine": {...}, "rows": [...], "vgg19": {...}}, ready for JSON; see `_row` for the keys of a row.

    Raises XnorError where cuda is asked for and there is none.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise XnorError(f"device is auto, cpu or cuda, got {device!r}")
    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        raise XnorError("torch sees no CUDA GPU on this machine: take device='cpu'")
    if device == "auto" and found:
        from .cuda import available

        found = available()  # else the kernels of bits could not be compiled
    chosen = "cuda" if found and device != "cpu" else "cpu"
    rounds = min(rounds, 3) if quick else rounds
    rows = []
    with torch.inference_mode():
        for side, channels, kernel, outputs in CONVOLUTIONS:
            if progress:
                progress(f"convolution {side}x{side}x{channels}, {kernel}x{kernel} -> {outputs}")
            rows.append(_convolution(chosen, side, channels, kernel, outputs, rounds))
        with_low = True
        for size in PRODUCTS:
            if quick and size > 2048:
                continue
            if progress:
                progress(f"product {size}")
            product = _product(chosen, size, rounds if size <= 2048 else min(rounds, 2), with_low)
            rows.append(product)
            low = product["bf16_ms" if chosen == "cpu" else "fp16_ms"]
            with_low = low is not None and 8 * low < 10 * SLOW_MS  # the next is twice as large in three dimensions
    return {"machine": machine(chosen), "rows": rows, "vgg19": vgg19_weights()}


def machine(device: str) -> dict[str, Any]:
    """What the figures were made on."""
    import numba
    import torch

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    from .threads import thread_count

    facts: dict[str, Any] = {
        "cpu": name,
        "cores": thread_count(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "numba": numba.__version__,
            "numpy": np.__version__,
        },
    }  # fmt: skip
    if device == "cuda":
        facts["popcounts_per_second"] = popcount_rate()
    return facts


def popcount_rate() -> float:
    """The GPU's bound: 16 popcounts a clock and multiprocessor, of 32 bits each, at its highest clock."""
    import torch
    from numba import cuda

    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    clock = float(cuda.get_current_device().CLOCK_RATE) * 1000  # kHz
    return properties.multi_processor_count * POPCOUNTS_PER_CLOCK * clock


def _times(contenders: Contenders, rounds: int, device: str) -> dict[str, float]:
    """Best milliseconds of each contender, called in turns; one call before to warm up (compilers, caches)."""
    if device == "cuda":
        return _device_times(contenders, rounds)
    best = dict.fromkeys(contenders, float("inf"))
    first: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            warm = first.get(name, 0.0)
            if (turn > 1 and warm > SLOW_MS) or warm > 5 * SLOW_MS:
                continue
            start = time.perf_counter()
            result = call()
            passed = (time.perf_counter() - start) * 1e3
            del result
            first.setdefault(name, passed)
            if turn or passed > 5 * SLOW_MS:
                best[name] = min(best[name], passed)
    return best


def _device_times(contenders: Contenders, rounds: int) -> dict[str, float]:
    """As `_times`, on a GPU: each contender is captured in a CUDA graph, as a style network is in use, and REPLAYS of
    it in a row are timed by the GPU's own events. What Python takes to launch kernels is not in these times.
    """
    import torch

    graphs = {}
    for name, call in contenders.items():
        call()  # compilers and tables
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # type: ignore[no-untyped-call, unused-ignore]
            call()  # the libraries' workspaces of this stream
            stream.synchronize()
            graphs[name] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[name], stream=stream):
                call()
    best = dict.fromkeys(contenders, float("inf"))
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for turn in range(rounds + 1):
        for name, graph in graphs.items():
            graph.replay()
            begun.record()
            for _ in range(REPLAYS):
                graph.replay()
            ended.record()
            torch.cuda.synchronize()
            if turn:
                best[name] = min(best[name], begun.elapsed_time(ended) / REPLAYS)
    return best


def _row(
    kind: str, shape: str, kernel: str, device: str, times: dict[str, float], bits_done: float, memory: dict[str, int]
) -> dict[str, Any]:
    """A row: times in ms of the best layout, ratios to ours, parts of ours, memory in bytes."""
    low = "bf16" if device == "cpu" else "fp16"

    def best(prefix: str) -> float | None:
        found = [value for name, value in times.items() if name.split(":")[0] == prefix]
        return round(min(found), 4) if found else None

    ours = best("xnor")
    assert ours is not None

    def ratio(other: float | None) -> float | None:
        return None if other is None else round(other / ours, 2)

    row: dict[str, Any] = {"kind": kind, "input": shape, "kernel": kernel, "backend": device, "xnor_ms": ours}
    for name in ("fp32", low, "tf32", "general"):
        other = best(name)
        if other is not None or name != "tf32":
            row[f"{name}_ms"], row[f"ratio_{name}"] = other, ratio(other)
    row["pack_ms"], row["product_ms"] = best("pack"), best("product")
    row["memory"] = memory
    if device == "cuda":
        product = row["product_ms"] or ours
        row["popcount_bound_ms"] = round(bits_done / 32 / popcount_rate() * 1e3, 4)
        row["fraction_of_bound"] = round(row["popcount_bound_ms"] / product, 3)
    return row


def _convolution(device: str, side: int, channels: int, kernel: int, outputs: int, rounds: int) -> dict[str, Any]:
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, channels, side, side, generator=generator).to(device)
    w = torch.randn(outputs, channels, kernel, kernel, generator=generator).to(device)
    g = geometry((1, channels, side, side), outputs, channels, (kernel, kernel), padding=1)
    last = x.contiguous(memory_format=torch.channels_last)
    packed = pack_weights(w)
    low = torch.bfloat16 if device == "cpu" else torch.float16
    low_name = "bf16" if device == "cpu" else "fp16"
    contenders = _bit_convolution(device, x, last, packed, g)
    for layout, memory_format in (("NCHW", torch.contiguous_format), ("NHWC", torch.channels_last)):
        for name, kind in (("fp32", torch.float32), (low_name, low)):
            a = x.to(kind).contiguous(memory_format=memory_format)
            b = w.to(kind).contiguous(memory_format=memory_format)
            contenders[f"{name}:{layout}"] = partial(_with_tf32, False, partial(functional.conv2d, a, b, padding=1))
    if device == "cuda":
        from . import cuda

        contenders["tf32"] = lambda: _with_tf32(True, lambda: functional.conv2d(last, w, padding=1))
        ready = cuda.general_filters(x, w, g)
        contenders["general"] = lambda: cuda.general_conv2d(x, ready, g)
    else:
        from . import general

        x_host, w_host = x.numpy(), w.numpy()
        contenders["general"] = lambda: general.conv2d(x_host, w_host, g)
    pixels, depth = g.out_height * g.out_width, channels * kernel * kernel
    memory = {
        "weights_bits": packed.nbytes, "weights_fp32": outputs * depth * 4,
        "activations_bits": side * side * word_count(channels) * 8, "activations_fp32": side * side * channels * 4,
    }  # fmt: skip
    times = _times(contenders, rounds, device)
    words = -(-depth // 32) * 32
    return _row(
        "conv", f"{side}x{side}x{channels}", f"{kernel}x{kernel}->{outputs}", device, times,
        float(pixels) * outputs * words, memory,
    )  # fmt: skip


def _bit_convolution(device: str, x: Any, last: Any, packed: Any, g: Geometry) -> Contenders:
    """Ours in both layouts, and its two parts alone."""
    if device == "cuda":
        import torch

        from . import cuda

        ready = cuda.filters_to(x, packed)
        scale, zero = torch.ones(g.outputs, device=device), torch.zeros(g.channels, device=device)

        def call(a: Any) -> Any:
            return cuda.conv2d(a, ready, g, scale=scale, thresholds=zero, check_nan=False)

        def pack_only(a: Any) -> Any:
            return cuda.pack_pixels(a, groups=1)

        words = cuda.pack_pixels(x, groups=1)
        return {
            "xnor:NCHW": lambda: call(x), "xnor:NHWC": lambda: call(last),
            "pack:NCHW": lambda: pack_only(x), "pack:NHWC": lambda: pack_only(last),
            "product:NCHW": lambda: cuda.convolve_packed(words, ready, g, channels_last=False),
            "product:NHWC": lambda: cuda.convolve_packed(words, ready, g, channels_last=True),
        }  # fmt: skip
    from . import cpu
    from .operations import conv2d

    x_host, last_host = x.numpy(), last.numpy()
    bits = cpu.pack_pixels(x_host)
    return {
        "xnor:NCHW": lambda: conv2d(x, packed, padding=1), "xnor:NHWC": lambda: conv2d(last, packed, padding=1),
        "pack:NCHW": lambda: cpu.pack_pixels(x_host), "pack:NHWC": lambda: cpu.pack_pixels(last_host),
        "product:NCHW": lambda: cpu.convolve(bits, packed, g, channels_last=False),
        "product:NHWC": lambda: cpu.convolve(bits, packed, g, channels_last=True),
    }  # fmt: skip


def _with_tf32(allowed: bool, call: Callable[[], Any]) -> Any:
    """``call`` with or without tf32, in which cuDNN otherwise computes convolutions of float32 by default."""
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        return call()
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _product(device: str, size: int, rounds: int, with_low: bool = True) -> dict[str, Any]:
    """``with_low``: in bf16 or fp16, too; emulated, the large ones would take minutes."""
    import torch

    from .bitpack import pack_matrix
    from .operations import gemm

    generator = torch.Generator().manual_seed(1)
    left = torch.randn(size, size, generator=generator).to(device)
    right = torch.randn(size, size, generator=generator).to(device)
    low = torch.bfloat16 if device == "cpu" else torch.float16
    left_low, right_low = left.to(low), right.to(low)
    low_name = "bf16" if device == "cpu" else "fp16"
    contenders: Contenders = {}
    if device == "cuda":
        from . import cuda

        columns = cuda.pack_rows(right.t())
        rows = cuda.pack_rows(left)
        contenders["xnor"] = lambda: cuda.gemm_packed(cuda.pack_rows(left), columns, size)
        contenders["pack"] = lambda: cuda.pack_rows(left)
        contenders["product"] = lambda: cuda.gemm_packed(rows, columns, size)
        contenders["tf32"] = lambda: _with_tf32(True, lambda: left @ right)
    else:
        from . import cpu, general

        packed = pack_matrix(right.numpy().T)
        bits = pack_matrix(left.numpy())
        as_picture = left.numpy().T[None, :, None, :]
        contenders["xnor"] = lambda: gemm(left, packed)
        contenders["pack"] = lambda: cpu.pack_pixels(as_picture)
        contenders["product"] = lambda: gemm(bits, packed)
        if size <= 2048:
            g = geometry((1, size, 1, size), size, size, (1, 1))
            a, b = left.numpy()[:, :, None, None], right.numpy()[None, :, None, :]
            contenders["general"] = lambda: general.conv2d(b, a, g)
    contenders["fp32"] = lambda: _with_tf32(False, lambda: left @ right)
    if with_low:
        contenders[low_name] = lambda: left_low @ right_low
    words = size * word_count(size) * 8
    memory = {
        "weights_bits": words, "weights_fp32": size * size * 4,
        "activations_bits": words, "activations_fp32": size * size * 4,
    }  # fmt: skip
    times = _times(contenders, rounds, device)
    return _row("gemm", f"{size}x{size}", f"{size}x{size}", device, times, float(size) ** 3, memory)


def vgg19_weights() -> dict[str, Any]:
    """What VGG-19 weighs packed (all but the first convolution, random bits), in bytes: measured on the file that is
    written, and on the model that is loaded from it and has looked at one picture of 224x224. In float32 it is counted.

    ``layers``: a row for each layer, see `convert.LayerMemory`.
    """
    import torch

    from . import convert
    from .vgg19 import packed_vgg19, vgg19

    with TemporaryDirectory() as folder:
        path = Path(folder) / "vgg19.safetensors"
        convert.save_packed(packed_vgg19(), path)
        packed_bytes = path.stat().st_size
        with torch.device("meta"):
            empty = vgg19()
        model = convert.load_packed(empty, path)
    model(torch.randn(1, 3, 224, 224))
    rows = convert.memory(model)
    return {
        "fp32_bytes": sum(row.float_bytes for row in rows),
        "packed_bytes": packed_bytes,
        "resident_bytes": sum(row.bytes for row in rows),
        "article_fp32_bytes": 512_000_000,
        "article_packed_bytes": 16_000_000,
        "layers": [asdict(row) for row in rows],
    }
