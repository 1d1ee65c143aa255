"""What this machine has, asked in a process of its own: ``python -m artem_vr.probes NAME`` prints a JSON object.

Drivers crash and hang. `ask` therefore never runs a probe in the caller's process, and gives up in time.
Each probe returns a dictionary of plain values; one that raises is answered with ``{"error": "..."}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60.0


def ask(name: str, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any]:
    """The answer of probe ``name``, or ``{"error": "one line"}``. Never raises."""
    # -P: a numpy.py in the working folder is somebody's own, and not to be run
    command = [sys.executable, "-P", "-m", "artem_vr.probes", name]
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parent.parent)  # a checkout is found from any working folder
    environment["PYTHONPATH"] = os.pathsep.join(p for p in (root, environment.get("PYTHONPATH")) if p)
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {timeout:.0f} s"}
    except OSError as error:
        return {"error": f"cannot start ({error.strerror})"}
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        answer = None
    if isinstance(answer, dict):
        return answer
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return {"error": f"crashed with status {done.returncode}" + (f" ({said[-1][:200]})" if said else "")}


def torch() -> dict[str, Any]:
    """PyTorch, the GPUs that it sees, and what keeps it, or the kernels of bits, from computing there."""
    import torch

    from artem_vr.hardware import cuda_trouble

    gpus = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        gpus.append({"name": properties.name, "memory_gb": round(properties.total_memory / 1e9, 1)})
    trouble, kernels = "", False
    if gpus:
        trouble = cuda_trouble()
        with contextlib.suppress(ImportError):  # without Numba there are no kernels
            from xnor.cuda import available

            kernels = available()
    return {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "cuda": torch.version.cuda,
        "trouble": trouble,
        "kernels": kernels,
    }


def openvino() -> dict[str, Any]:
    """OpenVINO, its devices and what arithmetic the CPU is good at."""
    from artem_vr.stylize.engines.quiet import import_openvino

    openvino = import_openvino()
    core = openvino.Core()
    devices = list(core.available_devices)
    capabilities = list(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")) if "CPU" in devices else []
    return {"version": str(openvino.get_version()).split("-")[0], "devices": devices, "cpu": capabilities}


def graphics() -> dict[str, Any]:
    """A context as `run` opens it: a (hidden) window, or off screen where there is no display."""
    from artem_vr.render.context import open_context

    context = open_context(offscreen=None, title="artem-vr doctor", size=(64, 64), visible=False)
    try:
        return {"renderer": context.renderer, "offscreen": context.offscreen}
    finally:
        context.close()


def steamvr() -> dict[str, Any]:
    """Is SteamVR installed, and does it run? Asks as a background program, so it is never started by this."""
    import openvr

    if not openvr.isRuntimeInstalled():
        return {"installed": False, "running": False}
    try:
        openvr.init(openvr.VRApplication_Background)
    except openvr.OpenVRError as error:  # its text is empty: the class is the message
        return {"installed": True, "running": False, "reason": type(error).__name__}
    openvr.shutdown()
    return {"installed": True, "running": True, "headset": bool(openvr.isHmdPresent())}


def camera() -> dict[str, Any]:
    """Opens the camera that ``run`` would take for one picture."""
    from artem_vr.sources.camera import cameras, find_camera, open_capture

    devices = sorted(str(path) for path in Path("/dev").glob("video*")) if sys.platform == "linux" else None
    if devices == []:
        return {"found": False, "devices": devices}
    capture = open_capture(find_camera("", cameras()))
    try:
        there, picture = capture.read() if capture.isOpened() else (False, None)
        size = [int(picture.shape[1]), int(picture.shape[0])] if there and picture is not None else None
        return {"found": size is not None, "size": size, "devices": devices}
    finally:
        capture.release()


def screen() -> dict[str, Any]:
    """The monitors whose pictures can be taken; takes one. Where `run` would refuse to: why, and what to do."""
    from artem_vr.sources.desktop import refusal

    if refused := refusal():
        return {"refused": refused.cause, "remedy": refused.remedy}
    import mss

    with mss.MSS() as grabber:
        monitors = [[int(m["width"]), int(m["height"])] for m in grabber.monitors[1:]]
        if monitors:
            grabber.grab(grabber.monitors[1])
    return {"monitors": monitors}


def engine() -> dict[str, Any]:
    """The engine that `run` would take, and what settings ask for; where it is not there: why, and what to do."""
    from artem_vr import settings
    from artem_vr.errors import EngineError
    from artem_vr.stylize.engines import choose_engine

    try:
        said, _ = settings.load()
    except settings.SettingsError:  # which is another finding
        said = settings.Settings()
    asked = [name for name in ("engine", "device", "precision") if getattr(said, name) != "auto"]
    try:
        chosen = choose_engine(said.engine, said.device, said.precision)
    except EngineError as error:
        return {"refused": error.cause, "remedy": error.remedy, "asked": asked}
    return {"engine": chosen.name, "precision": chosen.precision, "device": chosen.device, "asked": asked}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    probe.__name__: probe for probe in (torch, openvino, graphics, steamvr, camera, screen, engine)
}


def main(name: str) -> None:
    try:
        answer = PROBES[name]()
    except ModuleNotFoundError as error:
        answer = {"error": f"the library {error.name} is not installed", "missing": error.name}
    except Exception as error:  # noqa: BLE001 (whatever a driver or library raises is the finding)
        text = " ".join(str(error).split())
        answer = {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}
    print("\n" + json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)  # some drivers crash when they are unloaded; the answer is out already
