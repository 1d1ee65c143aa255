"""``artem-vr doctor``: what this machine has, what is missing, and what to do about it.

A finding is ``ok``, ``absent`` (something that the program does without) or ``bad`` (it cannot run, or something
is damaged). The exit status is 0 where the program can run and 1 where it cannot.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from artem_vr import __version__, assets, probes, settings
from artem_vr.installing import pip_install
from artem_vr.named_settings import find

Status = Literal["ok", "absent", "bad"]
Answer = Mapping[str, Any]

REQUIRED = {
    "glfw": "glfw",
    "mss": "mss",
    "numpy": "numpy",
    "opencv-python": "cv2",  # which other packages have, too
    "openvr": "openvr",
    "pillow": "PIL",
    "platformdirs": "platformdirs",
    "PyOpenGL": "OpenGL",
    "safetensors": "safetensors",
    "torch": "torch",
}
"""Libraries that ``run`` cannot do without: what to ask the package index for, and the module that it brings."""

USEFUL = {
    "filelock": "no train",
    "matplotlib": "no train, no bench xnor --plots",
    "numba": "no styles of bits, no bench xnor",
    "tqdm": "no train, no evaluate, no films and folders with stylize, no styles sheet",
}
"""Libraries that ``run`` does without (module and package are called alike), and what does not work then."""


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``essential``: the program cannot run while this is bad."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    essential: bool = False


def run(as_json: bool = False, ask: Callable[[str], Answer] = probes.ask) -> int:
    """Examine, print, and return the exit status."""
    findings = examine(ask)
    able = can_run(findings)
    if as_json:
        report = {"version": __version__, "can_run": able, "checks": [asdict(finding) for finding in findings]}
        print(json.dumps(report, indent=2))
    else:
        print(as_text(findings))
    return 0 if able else 1


def can_run(findings: list[Finding]) -> bool:
    return not any(finding.essential and finding.status == "bad" for finding in findings)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding, and one below it for what to do."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<7} {finding.name:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':<7} {'':<{width}}  -> {finding.remedy}")
    verdict = "Art'Em VR can run here." if can_run(findings) else "Art'Em VR cannot run here yet: mend what is bad."
    return "\n".join([*lines, "", verdict])


def examine(ask: Callable[[str], Answer] = probes.ask) -> list[Finding]:
    """All findings, in the order of the report. ``ask`` answers a probe by its name."""
    names = list(probes.PROBES)
    # A few at a time: each is a process that loads a large library.
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = dict(zip(names, pool.map(ask, names), strict=True))
    return [
        python(),
        libraries(),
        torch(answers["torch"]),
        gpu(answers["torch"]),
        openvino(answers["openvino"]),
        engine(answers["engine"]),
        opengl(answers["graphics"]),
        steamvr(answers["steamvr"], wanted=_headset_wanted()),
        camera(answers["camera"]),
        screen(answers["screen"]),
        weights(),
        settings_file(),
    ]


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    detail = f"{'.'.join(map(str, version))}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPU threads"
    if version < (3, 11):
        return Finding("Python", "bad", detail, "Install Python 3.11 or newer", essential=True)
    return Finding("Python", "ok", detail, essential=True)


def libraries(find: Callable[[str], object | None] = find_spec) -> Finding:
    """The libraries that must be there: ``find`` looks for a module without importing it, None if there is none."""
    missing = [package for package, module in REQUIRED.items() if find(module) is None]
    if missing:
        detail, remedy = f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        return Finding("Libraries", "bad", detail, remedy, essential=True)
    absent = [module for module in USEFUL if find(module) is None]
    if absent:
        detail = "; ".join(f"without {module}: {USEFUL[module]}" for module in absent)
        return Finding("Libraries", "absent", detail, f"pip install {' '.join(absent)}", essential=True)
    return Finding("Libraries", "ok", f"all {len(REQUIRED) + len(USEFUL)} are installed", essential=True)


def torch(answer: Answer) -> Finding:
    if "error" in answer:
        return Finding("PyTorch", "bad", answer["error"], 'Reinstall it: pip install "torch>=2.10"', essential=True)
    detail = f"{answer['version']}, {answer['threads']} threads"
    return Finding("PyTorch", "ok", detail, essential=True)


def gpu(answer: Answer) -> Finding:
    gpus = answer.get("gpus") or []
    if gpus:
        names = ", ".join(f"{gpu['name']} ({gpu['memory_gb']} GB)" for gpu in gpus)
        if answer.get("trouble"):
            remedy = "Install the PyTorch that is built for this card (pytorch.org). Until then the processor paints"
            return Finding("GPU", "absent", f"{names}, but PyTorch cannot use it: {answer['trouble']}", remedy)
        remedy = "" if answer.get("kernels") else f"For styles of bits on the GPU: {pip_install('gpu')}"
        return Finding("GPU", "ok", names, remedy)
    if answer.get("cuda") or "error" in answer:
        remedy = "With an NVIDIA card: install its driver. Without one the processor paints, at a smaller scale"
    else:
        remedy = "With an NVIDIA card: install PyTorch's CUDA build. Without one the processor paints"
    return Finding("GPU", "absent", "no CUDA device", remedy)


def openvino(answer: Answer) -> Finding:
    if answer.get("missing"):
        remedy = f"On a processor it is the fastest engine: {pip_install('openvino')}"
        return Finding("OpenVINO", "absent", "not installed", remedy)
    if "error" in answer or "CPU" not in answer["devices"]:
        detail = answer.get("error", "its part for processors is missing or does not load")
        return Finding("OpenVINO", "absent", detail, "Reinstall it: pip install --force-reinstall openvino")
    floats = "bf16" if "BF16" in answer["cpu"] else "no bf16, so what is not in int8 is in fp32"
    return Finding("OpenVINO", "ok", f"{answer['version']}, {', '.join(answer['devices'])}, {floats}")


def engine(answer: Answer) -> Finding:
    if "error" in answer:
        return Finding("Engine", "bad", answer["error"], "See PyTorch above", essential=True)
    asked = answer["asked"]
    if "refused" in answer:
        remedy = ". Or ".join([answer["remedy"], *settings.unsaid_for(asked, answer["remedy"])])
        return Finding("Engine", "bad", answer["refused"], remedy, essential=True)
    by = f"as chosen ({', '.join(asked)})," if asked else "auto takes"
    detail = f"{by} {answer['engine']} {answer['precision']} on {answer['device']}"
    return Finding("Engine", "ok", detail, essential=True)


def opengl(answer: Answer) -> Finding:
    if "error" in answer:
        remedy = "Install the graphics driver" + (
            "; on Debian or Ubuntu at least: apt-get install libgl1 libegl1 libgl1-mesa-dri libegl-mesa0"
            if sys.platform == "linux"
            else ""
        )
        return Finding("OpenGL", "bad", answer["error"], remedy, essential=True)
    renderer = str(answer["renderer"])
    slow = any(word in renderer.lower() for word in ("llvmpipe", "softpipe", "gdi generic"))
    if answer["offscreen"]:
        detail = f"{renderer}, off screen"
        remedy = "There is no display, so run draws off screen; --record keeps a picture"
    else:
        detail, remedy = renderer, "This draws on the processor; install the graphics card's driver" if slow else ""
    return Finding("OpenGL", "ok", detail, remedy, essential=True)


def _headset_wanted() -> bool:
    """Whether settings say that nothing is to be painted without a headset."""
    try:
        return settings.load()[0].headset == "openvr"
    except (settings.SettingsError, ModuleNotFoundError):  # which is another finding
        return False


def steamvr(answer: Answer, wanted: bool = False) -> Finding:
    """``wanted``: without it nothing is painted."""
    if wanted and ("error" in answer or not answer["installed"]):
        remedy = f"Install SteamVR from Steam, or {settings.how_to_unsay('headset')}"
        return Finding("SteamVR", "bad", answer.get("error", "not installed"), remedy, essential=True)
    if "error" in answer:
        return Finding("SteamVR", "absent", answer["error"], "Without it the program runs in its window")
    if not answer["installed"]:
        remedy = "For a headset: install SteamVR from Steam. Without one the program runs in its window"
        return Finding("SteamVR", "absent", "not installed", remedy)
    if not answer["running"]:
        reason = f" ({answer['reason']})" if answer.get("reason") else ""
        return Finding("SteamVR", "absent", f"installed, not running{reason}", "For a headset: start SteamVR first")
    if not answer["headset"]:
        return Finding("SteamVR", "absent", "running, no headset", "Connect the headset and switch it on")
    return Finding("SteamVR", "ok", "running, with a headset")


def camera(answer: Answer) -> Finding:
    if answer.get("found"):
        return Finding("Camera", "ok", "{}x{}".format(*answer["size"]))
    if "error" in answer:
        detail = answer["error"]
    elif answer.get("devices"):
        detail = f"{', '.join(answer['devices'])} gives no picture"
    else:
        detail = "none"
    remedy = "Connect one, close programs that use it, or use a phone: --source phone:http://HOST:8080/video"
    return Finding("Camera", "absent", detail, remedy)


def screen(answer: Answer) -> Finding:
    if answer.get("refused"):
        return Finding("Screen", "absent", answer["refused"], answer["remedy"])
    monitors = answer.get("monitors") or []
    if monitors:
        return Finding("Screen", "ok", ", ".join(f"{width}x{height}" for width, height in monitors))
    remedy = "No screen can be captured here: use a camera, a phone, a file or demo as source"
    return Finding("Screen", "absent", answer.get("error", "none"), remedy)


def weights(folder: Path | None = None) -> Finding:
    """Every file that weights/index.json lists, read whole and compared with its sha256.

    A style that is a code is of no use without the network that paints like any picture.
    """
    reinstall = "Install artem-vr again"
    try:
        folder = assets.folder("weights") if folder is None else folder
        index = json.loads((folder / "index.json").read_bytes())
        entries = [(str(style["name"]), str(style["file"]), str(style["sha256"])) for style in index["styles"]]
        codes = {str(style["name"]) for style in index["styles"] if style.get("network") == "code"}
        compact = index.get("compact")
        painter = None if compact is None else (str(compact["file"]), str(compact["sha256"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Finding("Weights", "bad", f"no usable index.json ({error})", reinstall, essential=True)
    if not entries:
        return Finding("Weights", "bad", "no styles", reinstall, essential=True)
    damaged = [name for name, file, digest in entries if _sha256(folder / file) != digest.lower()]
    useless = set(damaged)
    if painter is not None and _sha256(folder / painter[0]) != painter[1].lower():
        damaged.append(f"{painter[0]}, which paints codes and pictures")
        useless |= codes
    elif painter is None and codes:
        damaged.append("the network that paints codes and pictures")
        useless |= codes
    sound = len(entries) - len(useless)
    if damaged:
        detail = f"{sound} of {len(entries)} styles can be used; damaged or missing: {', '.join(damaged)}"
        return Finding("Weights", "bad", detail, reinstall, essential=not sound)
    return Finding("Weights", "ok", f"{sound} styles, all sums right", essential=True)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def settings_file(path: Path | None = None) -> Finding:
    """What is wrong in settings.toml and in the environment. The file stays where it is, to be mended."""
    try:
        path = settings.settings_path() if path is None else path
        _, notices = settings.load(path=path, find=find)
    except settings.SettingsError as error:
        return Finding("Settings", "bad", error.cause, error.remedy, essential=True)
    except ModuleNotFoundError as error:  # what says where the file lies; Libraries names it as well
        detail = f"not found: the library {error.name} is missing"
        return Finding("Settings", "bad", detail, f"pip install {error.name}", essential=True)
    if notices:
        remedy = f"Mend {path}, or delete it" if path.exists() else "Mend or unset the variable"
        return Finding("Settings", "bad", " ".join(notices), remedy)
    return Finding("Settings", "ok", str(path) if path.exists() else f"the defaults (no {path})")
