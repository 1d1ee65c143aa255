"""``artem-vr evaluate``: measures networks on photographs that no training has seen."""

from __future__ import annotations

import argparse
import copy
import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from artem_vr.errors import PictureError, SettingsError, WeightsError
from artem_vr.typed_path import named

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from artem_vr.evaluation.exam import Exam, Row, Still
    from artem_vr.evaluation.optimized import Optimized
    from artem_vr.evaluation.pictures import PictureFiles
    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.adain import AdaINDecoder
    from artem_vr.networks.vgg import VGG19

SHEET_PAINTINGS = 8
"""On a sheet, of the many that a network for any painting was examined with."""

PHOTOGRAPHS_PER_PAINTING, OPTIMIZE_ITERATIONS = 4, 200
"""Where nothing is said."""

SMALLEST_STEADIED = 96
"""Of --size: scenes that move are two thirds as large, and strokes are followed in `matching.SMALLEST` and more."""

NAMED_PAINTINGS = 8
"""In a line that says which ones there are."""

LEAST_FILM_SIDE = 32
"""Pixels that a film's frames need in both directions: OpenCV's flow fails, or ends the process, below some 16."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "weights", nargs="+", metavar="WEIGHTS|all", help="files of weights; all: every style that is shipped"
    )
    parser.add_argument("--content", type=named, metavar="DIR", help="folder of photographs")
    parser.add_argument("--paintings", type=named, metavar="DIR", help="folder of paintings, named as the styles are")
    parser.add_argument("--vgg", type=named, metavar="FILE", help="VGG-19 weights (default: downloaded once, checked)")
    parser.add_argument(
        "--stereo", type=named, metavar="DIR",
        help="stereo pairs NAMEL.jpg, NAMER.jpg, NAMEGT.png (default: made from the photographs)",
    )  # fmt: skip
    parser.add_argument("--film", type=named, metavar="FILE|DIR", help="a film without cuts, or a folder of its frames")
    parser.add_argument("--photographs", type=int, default=50, metavar="N", help="how many (default: 50)")
    parser.add_argument("--moving", type=int, default=16, metavar="N", help="how many of them in motion (default: 16)")
    parser.add_argument("--size", type=int, default=384, metavar="PIXELS", help="of a photograph (default: 384)")
    parser.add_argument("--painting-size", type=int, default=512, metavar="PIXELS", help="short side (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="which photographs and motions (default: 0)")
    parser.add_argument("--unseen", action="store_true", help="no network was trained on --content: take any of it")
    parser.add_argument(
        "--held-out", type=int, nargs="?", const=10_000, metavar="N",
        help="only those of --paintings that train adain leaves out of training; the first N of them",
    )  # fmt: skip
    parser.add_argument(
        "--photographs-per-painting", type=int, metavar="N",
        help="that a network for any painting paints like each of them, other ones each time (default: 4)",
    )  # fmt: skip
    parser.add_argument("--style", metavar="NAME", help="the painting, where the weights do not say it")
    parser.add_argument(
        "--optimize", type=int, metavar="N",
        help="also a row for pictures that are optimised by themselves (Gatys et al. 2016), over the first N "
        "photographs at rest, for each painting; each takes minutes on a processor",
    )  # fmt: skip
    parser.add_argument("--optimize-iterations", type=int, metavar="N", help="through VGG-19, a picture (default: 200)")
    parser.add_argument("--no-baselines", action="store_true", help="leave out the four rows to compare with")
    parser.add_argument(
        "--naive-signs", action="store_true",
        help="also measure each fast network with its body turned into signs without training",
    )  # fmt: skip
    parser.add_argument(
        "--steadied", action="store_true",
        help="measure motion, noise and stereo of what the program shows, and not of what the network alone paints",
    )  # fmt: skip
    parser.add_argument(
        "--ground", type=_depth, default=0.0, metavar="DEPTH",
        help="measure photographs at rest, and what is steadied, with this ground: 0 to 1, or auto, which is what the "
        "program lays for the painting (default: 0)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor; 1 is fastest on a busy machine")
    parser.add_argument("--sheet", type=named, metavar="FILE", help="also draw a sheet of painted photographs (PNG)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON object")
    output.add_argument("--markdown", action="store_true", help="print the table in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Measures and prints; 0. Raises ArtemError for whatever the user can mend."""
    _check(arguments)
    import torch

    from artem_vr.evaluation import report
    from artem_vr.training.vgg_weights import load_vgg

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    paintings = _paintings(arguments.paintings, arguments.held_out)
    vgg = functools.cache(lambda: load_vgg(arguments.vgg))  # may be a download: not before it is needed
    candidates = _candidates(arguments, paintings, vgg)
    if arguments.naive_signs:
        candidates = _beside_naive_signs(candidates)
    if arguments.steadied:
        for candidate in candidates:
            candidate.subject.steadied = True
            candidate.subject.name += ", steadied"
    if arguments.ground:
        for candidate in candidates:
            candidate.subject.ground = _depth_for(arguments.ground, paintings[candidate.style])
            candidate.subject.name += f", ground {arguments.ground}"
    _name_apart(candidates)
    if arguments.photographs_per_painting is not None and not any(candidate.of_many for candidate in candidates):
        cause = "--photographs-per-painting means nothing without a network for any painting"
        raise SettingsError(cause, "Leave --photographs-per-painting out")
    exam, conditions = _exam(arguments, paintings, vgg())
    rows: list[Row] = []
    complete = False
    try:
        for row in _measured(arguments, exam, candidates, vgg):
            rows.append(row)
        complete = True
    finally:  # whatever ends it, Ctrl-C or an error: what was measured may have taken hours
        if rows:
            _print(arguments, rows, conditions, complete)
    if arguments.sheet is not None:  # last: whatever happens to it, what was measured is said
        report.save_sheet(arguments.sheet, _sheet(exam, candidates))
    return 0


def _measured(
    arguments: argparse.Namespace, exam: Exam, candidates: list[_Candidate], vgg: Callable[[], VGG19]
) -> Iterator[Row]:
    """The rows of the table, one after the other."""
    from artem_vr.evaluation.optimized import Optimized
    from artem_vr.tensors import short_side

    single = [candidate for candidate in candidates if not candidate.of_many]
    for style in dict.fromkeys(candidate.style for candidate in single):
        yield from (_row(exam, candidate) for candidate in single if candidate.style == style)
        if not arguments.no_baselines:
            yield from _baseline_rows(exam, style)
    for file in dict.fromkeys(candidate.file for candidate in candidates if candidate.of_many):
        many = [candidate for candidate in candidates if candidate.of_many and candidate.file == file]
        count = arguments.photographs_per_painting or PHOTOGRAPHS_PER_PAINTING
        yield from _rows_of_many(exam, many, count, not arguments.no_baselines)
    if arguments.optimize is not None:
        few = exam.stills_only(arguments.optimize)
        for style in dict.fromkeys(candidate.style for candidate in candidates):
            painting = short_side(exam.paintings[style], arguments.painting_size)
            iterations = arguments.optimize_iterations or OPTIMIZE_ITERATIONS
            yield _optimized_row(few, style, Optimized(vgg(), painting, iterations))


def _print(arguments: argparse.Namespace, rows: list[Row], conditions: dict[str, Any], complete: bool) -> None:
    from artem_vr.evaluation import report

    if arguments.json:
        print(json.dumps(report.as_json(rows, conditions | {"complete": complete})))
        return
    heading = (
        f"{conditions['photographs']} photographs of {conditions['size']} pixels, {conditions['moving']} of them "
        f"in motion; {len(conditions['paintings'])} paintings; stereo {conditions['stereo']}; "
        f"seed {conditions['seed']}{'' if complete else '; not complete'}"
    )
    print((report.as_markdown if arguments.markdown else report.as_text)(rows, heading))


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
        "photographs_per_painting": (1, 10_000),
        "held_out": (1, 10_000),
        "optimize": (1, 10_000),
        "optimize_iterations": (1, 1_000_000),
        "ground": (0, 1),
    }
    for option, (least, most) in bounds.items():
        value = getattr(arguments, option)
        if value not in (None, "auto") and not least <= value <= most:
            raise SettingsError(f"--{option.replace('_', '-')} is {value}", f"Give a number from {least} to {most}")
    if arguments.seed < 0:
        raise SettingsError(f"--seed is {arguments.seed}", "Give 0 or more")
    if arguments.steadied and arguments.size < SMALLEST_STEADIED:
        cause = f"--steadied means nothing with --size {arguments.size}: strokes are not followed in pictures so small"
        raise SettingsError(cause, f"Give --size {SMALLEST_STEADIED} or more")
    if arguments.optimize_iterations is not None and arguments.optimize is None:
        cause = "--optimize-iterations means nothing without --optimize"
        raise SettingsError(cause, "Leave --optimize-iterations out, or say --optimize N as well")
    if arguments.sheet is not None:
        _check_sheet(arguments)


def _check_sheet(arguments: argparse.Namespace) -> None:
    """Raises `SettingsError` before hours of measuring where the sheet could not be kept, or would replace an input."""
    from artem_vr.evaluation.pictures import SUFFIXES
    from artem_vr.same_file import same_file
    from artem_vr.writable import check_writable

    sheet: Path = arguments.sheet
    if sheet.suffix.lower() not in SUFFIXES or sheet.is_dir():
        raise SettingsError(f"--sheet {sheet} is no name of a picture", "Give it a name that ends in .png")
    if not sheet.parent.is_dir():
        raise SettingsError(f"the folder of --sheet {sheet} does not exist", "Make it, or give another FILE")
    check_writable(sheet)
    if not sheet.exists():
        return
    given = (getattr(arguments, name) for name in ("content", "paintings", "stereo", "film"))
    for place in (place for place in given if place is not None):
        if any(same_file(sheet, file) for file in (place.rglob("*") if place.is_dir() else [place])):
            raise SettingsError(f"--sheet {sheet} is read and would be overwritten", "Give --sheet another FILE")


def _depth(text: str) -> float | Literal["auto"]:
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 0 to 1 nor auto") from None


def _depth_for(wanted: float | Literal["auto"], painting: Tensor) -> float:
    """Of the ground; ``painting`` is (1, 3, H, W), RGB in [0, 1]."""
    from artem_vr.stylize.encoder import smooth_share_of
    from artem_vr.stylize.ground import DEPTH, share_for
    from artem_vr.tensors import bytes_of

    return DEPTH * share_for(smooth_share_of(bytes_of(painting)[0])) if wanted == "auto" else wanted


def _paintings(folder: Path, most_held_out: int | None) -> PictureFiles:
    """By name of file: all, or so many of those that training leaves out."""
    from artem_vr.evaluation.pictures import PictureFiles, by_stem, files
    from artem_vr.evaluation.split import held_out

    found = files(folder, "--paintings")
    chosen = found if most_held_out is None else [path for path in found if held_out(path)][:most_held_out]
    if not chosen:
        raise PictureError(f"{folder} has no painting that training leaves out", "Leave --held-out away")
    return PictureFiles(by_stem(chosen, "--paintings"))


def _exam(arguments: argparse.Namespace, paintings: Mapping[str, Tensor], vgg: VGG19) -> tuple[Exam, dict[str, Any]]:
    from artem_vr.evaluation.exam import Exam
    from artem_vr.evaluation.pictures import choose_photographs, read_picture
    from artem_vr.evaluation.stereo import read_pairs
    from artem_vr.tensors import square

    chosen = choose_photographs(arguments.content, arguments.photographs, arguments.seed, arguments.unseen)
    photographs = [square(read_picture(path), arguments.size) for path in chosen]
    if len(chosen) < arguments.photographs:
        which = "" if arguments.unseen else " that were left out of training"
        print(f"artem-vr: {arguments.content} has only {len(chosen)} photographs{which}", file=sys.stderr)
    exam = Exam(
        photographs,
        paintings,
        vgg,
        moving=arguments.moving,
        seed=arguments.seed,
        painting_size=arguments.painting_size,
        pairs=read_pairs(arguments.stereo, arguments.size) if arguments.stereo is not None else None,
        film=_film(arguments.film, arguments.size, steadied=arguments.steadied) if arguments.film is not None else None,
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
class _Candidate:
    """Something that paints, the painting it paints like, and the file its weights are from."""

    subject: NetworkSubject
    style: str
    file: Path | None
    """None where it is no file's, but was made of one."""
    of_many: bool = False
    """One of the paintings of a network for any: measured on a share of the photographs, then averaged."""
    made_of: Path | None = None


def _candidates(
    arguments: argparse.Namespace, paintings: Mapping[str, Tensor], vgg: Callable[[], VGG19]
) -> list[_Candidate]:
    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.adain import AdaINDecoder
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.networks.compact import CompactNetwork

    result: list[_Candidate] = []
    for word in _each_once(arguments.weights):
        if word == "all":
            result += _shipped(arguments, paintings)
            result += _shipped_decoder(arguments, paintings, vgg)
            continue
        network, metadata = load_network(word, parts=True)
        if isinstance(network, CompactNetwork | AdaINDecoder):
            chosen = _chosen(arguments, paintings)
            if isinstance(network, AdaINDecoder):
                result += _of_decoder(Path(word), network, vgg(), chosen, arguments.painting_size)
            else:
                result += _of_any(Path(word), chosen)
        else:
            style = _painting_of(arguments, [metadata.get("style", ""), Path(word).stem], paintings)
            result.append(_Candidate(NetworkSubject(metadata["architecture"], network), style, Path(word)))
    return result


def _each_once(words: list[str]) -> list[str]:
    """A file that is named twice, however, would count twice in its mean; so would a shipped one beside "all"."""
    from artem_vr.styles.library import Library

    named: dict[str, str] = {}
    for word in words:
        named.setdefault(word if word == "all" else os.path.realpath(word), word)
    if "all" in named:
        library = Library()
        shipped = [style.path for style in library.styles() if style.kind == "shipped"]
        shipped += [found[0] for found in (library.compact, library.decoder) if found is not None]
        for path in shipped:
            named.pop(os.path.realpath(path), None)
    return list(named.values())


def _beside_naive_signs(candidates: list[_Candidate]) -> list[_Candidate]:
    """Behind each fast network the same with its body turned into signs."""
    from artem_vr.evaluation.binarised import NAIVE, naive_signs
    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.fast import FastNetwork

    result: list[_Candidate] = []
    for candidate in candidates:
        result.append(candidate)
        if isinstance(candidate.subject.network, FastNetwork):
            signs = NetworkSubject(NAIVE, naive_signs(candidate.subject.network))
            result.append(_Candidate(signs, candidate.style, None, made_of=candidate.file))
    return result


def _name_apart(candidates: list[_Candidate]) -> None:
    """Networks of one kind and style are called by their files, too."""
    files: dict[tuple[str, str], set[Path | None]] = {}
    for candidate in candidates:
        files.setdefault((candidate.subject.name, candidate.style), set()).add(candidate.file or candidate.made_of)
    alike = {key for key, found in files.items() if len(found) > 1}
    for candidate in candidates:
        origin = candidate.file or candidate.made_of
        if (candidate.subject.name, candidate.style) in alike and origin is not None:
            candidate.subject.name += f" ({origin.stem})"


def _chosen(arguments: argparse.Namespace, paintings: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The painting of --style alone, else all. Raises PictureError."""
    if not arguments.style:
        return paintings
    style = _painting_of(arguments, [], paintings)
    return {style: paintings[style]}


def _painting_of(arguments: argparse.Namespace, names: list[str], paintings: Mapping[str, Tensor]) -> str:
    """The painting of --style, else the first of ``names`` that is there. Raises PictureError."""
    names = [arguments.style] if arguments.style else names
    found = next((name for name in names if name in paintings), None)
    if found is None:
        raise _no_painting(arguments, next(name for name in names if name), list(paintings))
    return found


def _no_painting(arguments: argparse.Namespace, wanted: str, there: list[str]) -> PictureError:
    """Says which ones are ``there``, and where --held-out took ``wanted`` away."""
    from artem_vr.evaluation.pictures import files

    cause, remedy = f"there is no painting {wanted!r} among those of --paintings", "Add it"
    if arguments.held_out is not None and wanted in {path.stem for path in files(arguments.paintings, "--paintings")}:
        cause, remedy = f"--held-out takes the painting {wanted!r} away", "Leave --held-out out"
    more = ", ..." if len(there) > NAMED_PAINTINGS else ""
    return PictureError(cause, f"{remedy}, or name one with --style: {', '.join(there[:NAMED_PAINTINGS])}{more}")


def _of_any(file: Path, paintings: Mapping[str, Tensor]) -> list[_Candidate]:
    """The network for any painting, once for each painting, as the program reads it."""
    import torch

    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.stylize.encoder import Encoder
    from artem_vr.tensors import bytes_of

    encoder = Encoder(file)
    network = encoder.network()
    codes = {name: torch.from_numpy(encoder.encode(bytes_of(picture)[0])) for name, picture in paintings.items()}
    return [_Candidate(NetworkSubject("compact", network, code), name, file, True) for name, code in codes.items()]


def _of_decoder(
    file: Path, decoder: AdaINDecoder, vgg: VGG19, paintings: Mapping[str, Tensor], painting_size: int
) -> list[_Candidate]:
    """VGG-19 and the decoder of AdaIN, once for each painting. Raises WeightsError if they do not fit."""
    import torch

    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.adain import AdaINNetwork
    from artem_vr.tensors import short_side

    try:
        network = AdaINNetwork(vgg, decoder)
    except ValueError as error:
        raise WeightsError(f"{file.name} does not fit: {error}", "Give --vgg the file it was trained with") from None
    with torch.no_grad():
        codes = {name: network.encode(short_side(picture, painting_size))[0] for name, picture in paintings.items()}
    return [_Candidate(NetworkSubject("adain", network, code), name, file, True) for name, code in codes.items()]


def _shipped_decoder(
    arguments: argparse.Namespace, paintings: Mapping[str, Tensor], vgg: Callable[[], VGG19]
) -> list[_Candidate]:
    """The network that needs VGG-19 beside what is shipped; none, and a line, where it was trained with another."""
    from artem_vr.networks.adain import AdaINDecoder
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.styles.library import Library

    shipped = Library().decoder
    if shipped is None:
        return []
    decoder, _ = load_network(*shipped, parts=True)
    assert isinstance(decoder, AdaINDecoder)
    chosen = _chosen(arguments, paintings)
    try:
        return _of_decoder(shipped[0], decoder, vgg(), chosen, arguments.painting_size)
    except WeightsError as error:
        print(f"artem-vr: {error}", file=sys.stderr)
        return []


def _shipped(arguments: argparse.Namespace, paintings: Mapping[str, Tensor]) -> list[_Candidate]:
    """The networks and codes that are shipped; all of them like the painting of --style if that is said."""
    import torch

    from artem_vr.evaluation.subjects import NetworkSubject
    from artem_vr.networks.checkpoint import load_network
    from artem_vr.styles.codes import read_code
    from artem_vr.styles.library import Library

    library = Library()
    shipped = [one for one in library.styles() if one.kind == "shipped"]
    if not shipped:
        reason = library.problems[0] if library.problems else "No styles are shipped"
        raise WeightsError(reason, "Reinstall artem-vr, or name a file of weights instead of all")
    for problem in library.problems:
        print(f"artem-vr: {problem}", file=sys.stderr)
    compact = library.compact
    result = []
    for one in shipped:
        code = None
        if one.form == "code" and compact is not None:
            kept = read_code(one.path, one.sha256)
            if kept.network != compact[1]:
                raise WeightsError(f"{one.name} is for another network than the one shipped", "Reinstall artem-vr")
            code = torch.from_numpy(kept.values)
            network, metadata = load_network(*compact)
        else:
            network, metadata = load_network(one.path, one.sha256)
        subject = NetworkSubject(metadata["architecture"], network, code)
        names = [one.painting, metadata.get("style", "")]
        file = compact[0] if code is not None and compact is not None else one.path
        result.append(_Candidate(subject, _painting_of(arguments, names, paintings), file))
    return result


def _row(exam: Exam, candidate: _Candidate) -> Row:
    from artem_vr.evaluation.exam import measure, measure_network

    subject, style = candidate.subject, candidate.style
    row = measure(exam, subject, style, steps=_progress(f"{subject.name} {style}"))
    bare = copy.copy(subject)
    bare.ground = 0.0
    measure_network(exam, bare, subject.network, candidate.file, row)
    return row


def _optimized_row(exam: Exam, style: str, subject: Optimized) -> Row:
    from artem_vr.evaluation.exam import measure

    row = measure(exam, subject, style, steps=_progress(f"{subject.name} {style}"))
    row.ms = subject.ms
    return row


def _rows_of_many(exam: Exam, many: list[_Candidate], photographs: int, with_baselines: bool) -> Iterator[Row]:
    """A row for each painting, then the mean of these, then those of the baselines over the same paintings."""
    from artem_vr.evaluation.exam import mean_row

    rows: list[Row] = []
    others: list[list[Row]] = []
    for number, candidate in enumerate(many):
        part = exam.share(number * photographs, photographs)
        rows.append(_row(part, candidate))
        yield rows[-1]
        if with_baselines:
            others.append(list(_baseline_rows(part, candidate.style)))
    mean = "1 painting" if len(many) == 1 else f"mean of {len(many)} paintings"
    yield from (mean_row(one, mean) for one in (rows, *map(list, zip(*others, strict=True))))


def _baseline_rows(exam: Exam, style: str) -> Iterator[Row]:
    from artem_vr.evaluation.baselines import baselines
    from artem_vr.evaluation.exam import measure

    for baseline in baselines(exam.paintings[style]):
        yield measure(exam, baseline, style, steps=_progress(f"{baseline.name} {style}"))


def _progress(title: str) -> Any:
    """A bar on standard error, where that is a terminal."""

    def steps(stills: Iterable[Still]) -> Iterable[Still]:
        from tqdm import tqdm

        return tqdm(stills, desc=title, leave=False, disable=None)

    return steps


def _in_order(path: Path) -> list[int | str]:
    """Frame 10 comes behind frame 9, whether or not their numbers have leading zeros."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(path))]


def _film(path: Path, size: int, most: int = 60, steadied: bool = False) -> list[np.ndarray]:
    """At most ``most`` frames of a folder of pictures or a video, the shorter side ``size`` at most.

    ``steadied``: such that strokes are followed in them. Raises PictureError.
    """
    import numpy as np

    from artem_vr.evaluation.pictures import files
    from artem_vr.sources import opencv
    from artem_vr.sources.pictures import load_picture

    cv2 = opencv.load()
    remedy = "Give --film a video or a folder of its frames"
    frames: list[np.ndarray] = []
    if path.is_dir():
        frames = [load_picture(file) for file in sorted(files(path, "--film"), key=_in_order)[:most]]
    elif path.is_file():
        video = cv2.VideoCapture(opencv.name_of(path))
        try:
            while len(frames) < most and (read := video.read())[0]:
                frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
        finally:
            video.release()
    if len(frames) < 2:
        raise PictureError(f"no film of two frames or more can be read from {path}", remedy)
    if len({frame.shape for frame in frames}) > 1:
        raise PictureError(f"the frames of {path} differ in size", remedy)
    height, width = frames[0].shape[:2]
    least = SMALLEST_STEADIED if steadied else LEAST_FILM_SIDE
    if min(height, width) < least:
        cause = f"the frames of {path} have {width}x{height} pixels, and their motion is not found in so few"
        raise PictureError(cause, f"Give --film one of {least} or more in both directions")
    scale = min(1.0, size / min(frames[0].shape[:2]))
    if scale < 1:
        width, height = (round(n * scale) for n in frames[0].shape[1::-1])
        frames = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return [np.ascontiguousarray(frame) for frame in frames]


def _sheet(exam: Exam, candidates: list[_Candidate]) -> np.ndarray:
    """Four photographs; of a network for any painting six, and eight of the paintings."""
    from artem_vr.evaluation import report
    from artem_vr.tensors import bytes_of

    many = [candidate for candidate in candidates if candidate.of_many]
    shown = [c for c in candidates if not c.of_many] + many[:: max(1, len(many) // SHEET_PAINTINGS)][:SHEET_PAINTINGS]
    stills = [still.picture for still in exam.stills[: 6 if many else 4]]
    styles = [
        (
            f"{candidate.style} ({candidate.subject.name})",
            bytes_of(exam.paintings[candidate.style])[0],
            [bytes_of(candidate.subject.still(still))[0] for still in stills],
        )
        for candidate in shown
    ]
    return report.sheet([bytes_of(still)[0] for still in stills], styles)
