"""``artem-vr evaluate``: measures networks on photographs that no training has seen."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artem_vr.errors import PictureError, SettingsError, WeightsError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from artem_vr.evaluation.exam import Exam, Row, Still
    from artem_vr.evaluation.subjects import NetworkSubject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "weights", nargs="+", metavar="WEIGHTS|all", help="files of weights; all: every style that is shipped"
    )
    parser.add_argument("--content", type=Path, metavar="DIR", help="folder of photographs")
    parser.add_argument("--paintings", type=Path, metavar="DIR", help="folder of paintings, named as the styles are")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-19 weights (default: downloaded once, checked)")
    parser.add_argument(
        "--stereo", type=Path, metavar="DIR",
        help="stereo pairs NAMEL.jpg, NAMER.jpg, NAMEGT.png (default: made from the photographs)",
    )  # fmt: skip
    parser.add_argument("--film", type=Path, metavar="FILE|DIR", help="a film without cuts, or a folder of its frames")
    parser.add_argument("--photographs", type=int, default=50, metavar="N", help="how many (default: 50)")
    parser.add_argument("--moving", type=int, default=16, metavar="N", help="how many of them in motion (default: 16)")
    parser.add_argument("--size", type=int, default=384, metavar="PIXELS", help="of a photograph (default: 384)")
    parser.add_argument("--painting-size", type=int, default=512, metavar="PIXELS", help="short side (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="which photographs and motions (default: 0)")
    parser.add_argument("--unseen", action="store_true", help="no network was trained on --content: take any of it")
    parser.add_argument("--style", metavar="NAME", help="the painting, where the weights do not say it")
    parser.add_argument("--no-baselines", action="store_true", help="leave out the four rows to compare with")
    parser.add_argument(
        "--naive-signs", action="store_true",
        help="also measure each fast network with its body turned into signs without training",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor; 1 is fastest on a busy machine")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also draw a sheet of painted photographs (PNG)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON object")
    output.add_argument("--markdown", action="store_true", help="print the table in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints; 0. Raises ArtemError for whatever the user can mend."""
    _check(arguments)
    import torch

    from artem_vr.evaluation import report
    from artem_vr.evaluation.exam import measure, measure_network

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    paintings = _paintings(arguments.paintings)
    subjects = _subjects(arguments, list(paintings))
    exam, conditions = _exam(arguments, paintings)
    rows: list[Row] = []
    for style in dict.fromkeys(style for _, style, _ in subjects):
        for subject, its_style, file in subjects:
            if its_style == style:
                row = measure(exam, subject, style, steps=_progress(f"{subject.name} {style}"))
                measure_network(exam, subject, subject.network, file, row)
                rows.append(row)
        if not arguments.no_baselines:
            rows += _baseline_rows(exam, style)
    if arguments.sheet is not None:
        report.save_sheet(arguments.sheet, _sheet(exam, subjects))
    heading = (
        f"{conditions['photographs']} photographs of {conditions['size']} pixels, {conditions['moving']} of them "
        f"in motion; {len(paintings)} paintings; stereo {conditions['stereo']}; seed {conditions['seed']}"
    )
    if arguments.json:
        print(json.dumps(report.as_json(rows, conditions)))
    else:
        print((report.as_markdown if arguments.markdown else report.as_text)(rows, heading))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    for option, what in (("content", "photographs"), ("paintings", "paintings")):
        if getattr(arguments, option) is None:
            raise SettingsError(
                f"evaluate has no {what}: none are shipped", f"Give --{option} a folder of JPEG, PNG or WEBP pictures"
            )
    bounds = {
        "photographs": (2, 10_000),
        "moving": (0, 10_000),
        "size": (64, 2048),
        "painting_size": (64, 2048),
        "threads": (1, 1024),
    }
    for option, (least, most) in bounds.items():
        value = getattr(arguments, option)
        if value is not None and not least <= value <= most:
            raise SettingsError(f"--{option.replace('_', '-')} is {value}", f"Give a number from {least} to {most}")
    if arguments.seed < 0:
        raise SettingsError(f"--seed is {arguments.seed}", "Give 0 or more")


def _paintings(folder: Path) -> dict[str, Tensor]:
    """By name of file, (1, 3, H, W) each."""
    from artem_vr.evaluation.pictures import files, read_picture

    return {path.stem: read_picture(path) for path in files(folder, "--paintings")}


def _exam(arguments: argparse.Namespace, paintings: dict[str, Tensor]) -> tuple[Exam, dict[str, Any]]:
    from artem_vr.evaluation.exam import Exam
    from artem_vr.evaluation.pictures import choose_photographs, read_picture, square
    from artem_vr.evaluation.stereo import read_pairs
    from artem_vr.training.vgg_weights import load_vgg

    chosen = choose_photographs(arguments.content, arguments.photographs, arguments.seed, arguments.unseen)
    photographs = [square(read_picture(path), arguments.size) for path in chosen]
    if len(chosen) < arguments.photographs:
        few = f"only {len(chosen)} photographs in {arguments.content} were left out of training"
        print(f"artem-vr: {few}", file=sys.stderr)
    exam = Exam(
        photographs,
        paintings,
        load_vgg(arguments.vgg),
        moving=arguments.moving,
        seed=arguments.seed,
        painting_size=arguments.painting_size,
        pairs=read_pairs(arguments.stereo, arguments.size) if arguments.stereo is not None else None,
        film=_film(arguments.film, arguments.size) if arguments.film is not None else None,
    )
    conditions = {
        "photographs": len(photographs),
        "size": arguments.size,
        "painting_size": arguments.painting_size,
        "moving": len(exam.movings),
        "seed": arguments.seed,
        "paintings": list(paintings),
        "stereo": "given" if arguments.stereo is not None else "made from photographs",
    }
    return exam, conditions


@dataclass(frozen=True)
class _Shipped:
    file: Path
    name: str | None
    sha256: str | None


def _subjects(arguments: argparse.Namespace, paintings: list[str]) -> list[tuple[NetworkSubject, str, Path | None]]:
    """The networks, the painting each is like, and its file, where it has one."""
    from artem_vr.evaluation.binarised import NAIVE, naive_signs
    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.fast import FastNetwork

    subjects: list[tuple[NetworkSubject, str, Path | None]] = []
    for word in arguments.weights:
        for entry in _shipped() if word == "all" else [_Shipped(Path(word), None, None)]:
            network, metadata = load_network(entry.file, sha256=entry.sha256)
            style = arguments.style or next(
                (n for n in (entry.name, metadata.get("style"), entry.file.stem) if n in paintings), None
            )
            if style not in paintings:
                wanted = style or entry.name or metadata.get("style") or entry.file.stem
                raise PictureError(
                    f"there is no painting {wanted!r} among those of --paintings", "Add it, or name one with --style"
                )
            subjects.append((NetworkSubject(metadata["architecture"], network), style, entry.file))
            if arguments.naive_signs and isinstance(network, FastNetwork):
                subjects.append((NetworkSubject(NAIVE, naive_signs(network)), style, None))
    return subjects


def _shipped() -> list[_Shipped]:
    """The networks of weights/index.json."""
    from artem_vr import assets

    remedy = "Reinstall artem-vr, or name a file of weights instead of all"
    try:
        folder = assets.folder("weights")
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        entries = [_Shipped(folder / e["file"], str(e["name"]), e.get("sha256")) for e in index["styles"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"the list of shipped styles cannot be read ({error})", remedy) from error
    if not entries:
        raise WeightsError("no styles are shipped", remedy)
    return entries


def _baseline_rows(exam: Exam, style: str) -> list[Row]:
    from artem_vr.evaluation.baselines import baselines
    from artem_vr.evaluation.exam import measure

    return [
        measure(exam, baseline, style, steps=_progress(f"{baseline.name} {style}"))
        for baseline in baselines(exam.paintings[style])
    ]


def _progress(title: str) -> Any:
    """A bar on standard error, where that is a terminal."""

    def steps(stills: Iterable[Still]) -> Iterable[Still]:
        from tqdm import tqdm

        return tqdm(stills, desc=title, leave=False, disable=None)

    return steps


def _film(path: Path, size: int, most: int = 60) -> list[np.ndarray]:
    """At most ``most`` frames of a folder of pictures or a video, the shorter side ``size`` at most."""
    import cv2
    import numpy as np

    from artem_vr.evaluation.pictures import files
    from artem_vr.sources.pictures import load_picture

    remedy = "Give --film a video or a folder of its frames"
    frames: list[np.ndarray] = []
    if path.is_dir():
        frames = [load_picture(file) for file in files(path, "--film")[:most]]
    elif path.is_file():
        video = cv2.VideoCapture(str(path))
        try:
            while len(frames) < most and (read := video.read())[0]:
                frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
        finally:
            video.release()
    if len(frames) < 2:
        raise PictureError(f"no film of two frames or more can be read from {path}", remedy)
    if len({frame.shape for frame in frames}) > 1:
        raise PictureError(f"the frames of {path} differ in size", remedy)
    scale = min(1.0, size / min(frames[0].shape[:2]))
    if scale < 1:
        width, height = (round(n * scale) for n in frames[0].shape[1::-1])
        frames = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return [np.ascontiguousarray(frame) for frame in frames]


def _sheet(exam: Exam, subjects: list[tuple[NetworkSubject, str, Path | None]], count: int = 4) -> np.ndarray:
    from artem_vr.evaluation import report

    stills = [still.picture for still in exam.stills[:count]]
    styles = [
        (f"{style} ({subject.name})", _bytes(exam.paintings[style]), [_bytes(subject.still(s)) for s in stills])
        for subject, style, _ in subjects
    ]
    return report.sheet([_bytes(s) for s in stills], styles)


def _bytes(picture: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
