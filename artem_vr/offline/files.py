"""``artem-vr stylize``: pictures, folders and videos, painted into files.

Both eyes of a stereo picture are painted in one batch with one set of statistics; in a video the statistics
follow the film as they do live. Outputs appear whole or not at all, and an input is never overwritten.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from artem_vr.errors import ArtemError, PictureError, SettingsError, SourceError, is_lack_of_memory
from artem_vr.same_file import same_file
from artem_vr.settings import Layout, Settings
from artem_vr.sources.frame import Picture
from artem_vr.sources.layout import split

if TYPE_CHECKING:
    from artem_vr.offline.brush import Brush

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".wmv", ".asf", ".ts", ".mts", ".m2ts", ".ogv"),
    *(".3gp", ".3g2", ".flv", ".f4v", ".vob", ".mjpeg", ".mjpg", ".divx", ".m2v", ".mxf", ".dv", ".qt", ".rm", ".ogm"),
)

Kind = Literal["picture", "video"]
PaintEyes = Callable[[npt.NDArray[np.uint8], float | None], npt.NDArray[np.uint8]]
"""(E, H, W, 3) uint8 RGB to the same, painted. The second argument is the time since the last frame of the same
film in seconds; None where the picture does not follow another."""


@dataclass(frozen=True)
class Job:
    """One file to paint. ``output`` is a file, or for a video the folder of numbered pictures."""

    input: Path
    kind: Kind
    output: Path
    prefix: str | None = None
    """Of the numbered pictures' names; None: ``output`` is a file."""


@dataclass(frozen=True)
class Look:
    """What is done with the painted picture before it is written."""

    layout: Layout = "mono"
    strength: float = 1.0
    preserve_color: bool = False
    size: int | None = None
    """Longer side in pixels at which the picture (of both eyes together) is painted; None: as it is."""


@dataclass
class Outcome:
    """What came of the jobs; both lists hold plain values, ready for JSON."""

    outputs: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)


def plan(
    inputs: Sequence[Path],
    output: Path,
    into_folder: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[list[Job], list[tuple[Path, str]]]:
    """What is to be written where, and for each input that cannot be used a line that says why.

    OUTPUT is a folder if it is one already, if ``into_folder`` (the user typed a separator at its end), or if
    there are several inputs, whether all can be used or not. Raises `SettingsError` for a plan that makes no sense
    as a whole; by then ``report`` has got the lines about single inputs.
    """
    files, errors = _listed(inputs, output)
    for _, line in errors:
        report(line)
    if not files:
        return [], errors
    several = len(set(inputs)) > 1 or any(path.is_dir() for path in inputs)
    if not (output.is_dir() or into_folder or several):
        path, kind = files[0]
        numbered = kind == "video" and not output.suffix
        if not numbered:
            check_suffix(output, kind)
        jobs = [Job(path, kind, output, path.stem if numbered else None)]
    else:
        if output.is_file():
            why = "there are several files to paint" if several else "a folder is named like it"
            raise SettingsError(f"{output} is a file, and {why}", "Name a folder")
        if several and not output.exists() and not into_folder and _kind(output):
            raise SettingsError(
                f"{output} is called like one file, and there are several to paint",
                f"Name a folder, or {output}{os.sep}",
            )
        jobs = [
            Job(path, kind, output, name) if kind == "video" else Job(path, kind, output / f"{name}.png")
            for (path, kind), name in zip(files, _names(files), strict=True)
        ]
    for job in jobs:
        if victim := next((path for path, _ in files if overwrites(job, path)), None):
            raise SettingsError(f"{victim} is one of the inputs and would be overwritten", "Name another OUTPUT")
    return jobs, errors


def _listed(inputs: Iterable[Path], output: Path) -> tuple[list[tuple[Path, Kind]], list[tuple[Path, str]]]:
    """The files among ``inputs`` and in the folders among them (sorted, not deeper), each once."""
    files: dict[str, tuple[Path, Kind]] = {}
    errors: list[tuple[Path, str]] = []
    found: dict[Path, Kind]
    for path in inputs:
        try:
            if not path.exists():
                errors.append((path, f"There is no file {path}. Check the name."))
                continue
            if not path.is_dir():
                found = {path: _kind_of_named(path, output)}
            else:
                found = {item: kind for item in sorted(path.iterdir()) if (kind := _kind(item)) and item.is_file()}
        except OSError as error:
            errors.append((path, f"{path} cannot be read ({error.strerror}). Check the name and the rights."))
            continue
        if not found:
            errors.append((path, f"{path} holds no pictures and no videos. Name another folder."))
        for item, kind in found.items():
            files.setdefault(os.path.abspath(item), (item, kind))  # however it was named
    return list(files.values()), errors


def _kind_of_named(path: Path, output: Path) -> Kind:
    """Of a file that was named by itself, which is used whatever it is called."""
    from artem_vr.offline.video_files import is_video
    from artem_vr.sources.files import problem_of
    from artem_vr.sources.pictures import is_picture

    suffix, wanted = path.suffix.lower(), _kind(output)
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in PICTURE_SUFFIXES or wanted == "picture" or is_picture(path) or problem_of(path):
        return "picture"
    return "video" if wanted == "video" or is_video(path) else "picture"


def _kind(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return None
    return "picture" if suffix in PICTURE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None


def overwrites(job: Job, path: Path) -> bool:
    """Would ``job`` write over ``path``, which is read?"""
    if job.prefix is None:
        return same_file(job.output, path)
    # some file systems do not tell Film from film
    numbered = path.name.casefold().startswith(f"{job.prefix}_".casefold()) and path.suffix.lower() == ".png"
    return numbered and path.parent.resolve() == job.output.resolve()


def _names(files: Sequence[tuple[Path, Kind]]) -> list[str]:
    """A name of its own for each output, without ending: the input's stem, or its whole name where two share it, or
    where it is called as a frame of one of the films."""
    stems = [path.stem.lower() for path, _ in files]
    films = {path.stem.lower() for path, kind in files if kind == "video"}

    def is_frame(name: str) -> bool:
        film, _, number = name.rpartition("_")
        return film in films and number.isdecimal()

    def alone(stem: str) -> bool:
        return stems.count(stem) == 1 and not is_frame(stem)

    names = [path.stem if alone(path.stem.lower()) else path.name for path, _ in files]
    taken: set[str] = set()
    for index in sorted(range(len(files)), key=lambda index: files[index][1] != "video"):  # so that `films` is whole
        name, number = names[index], 2
        while names[index].lower() in taken or is_frame(names[index].lower()):
            names[index] = f"{name}-{number}"
            number += 1
        taken.add(names[index].lower())
        if files[index][1] == "video":
            films.add(names[index].lower())
    return names


def check_suffix(output: Path, kind: Kind) -> None:
    """Raises `SettingsError` where the ending of ``output`` names nothing of this kind that can be written."""
    from artem_vr.offline.video_files import SUFFIXES

    writable = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
    suffix = output.suffix.lower()
    if kind == "picture" and suffix not in writable:
        raise SettingsError(f"{output} does not say which kind of picture it is", f"End it in {', '.join(writable)}")
    if kind == "video" and suffix not in SUFFIXES:
        remedy = f"End it in {', '.join(SUFFIXES)}, or name a folder to get numbered pictures"
        raise SettingsError(f"{output} does not say which kind of video it is", remedy)


def painted(picture: Picture, look: Look, paint: PaintEyes, elapsed: float | None) -> Picture:
    """``picture`` (H, W, 3) uint8 RGB, both eyes of it painted together. Strength 0 is the source, bit for bit.

    An odd last column or row that belongs to no eye is left out. Raises `ArtemError`.
    """
    picture = with_eyes_resized(picture, look.layout, look.size)
    eyes = split(picture, look.layout)
    result = joined(paint(eyes, elapsed), look.layout)
    source = picture[: result.shape[0], : result.shape[1]]
    if look.preserve_color:
        result = with_colors_of(source, result)
    return blended(source, result, look.strength)


def joined(eyes: npt.NDArray[np.uint8], layout: Layout) -> Picture:
    """(E, H, W, 3) uint8 back into one picture: what `split` took apart."""
    if layout == "mono":
        return eyes[0]
    if layout == "half-sbs":
        eyes = _mean(eyes[:, :, 0::2], eyes[:, :, 1::2])
    elif layout == "half-tb":
        eyes = _mean(eyes[:, 0::2], eyes[:, 1::2])
    return np.concatenate([eyes[0], eyes[1]], axis=0 if layout in ("tb", "half-tb") else 1)


def _mean(some: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Of neighbouring pixels: an eye back to half its width or height."""
    return ((some.astype(np.uint16) + others + 1) // 2).astype(np.uint8)


def with_colors_of(source: Picture, painting: Picture) -> Picture:
    """The painting's luminance (BT.601) with the source's chroma; both (H, W, 3) uint8 RGB."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    difference = painting.astype(np.float32) @ weights - source.astype(np.float32) @ weights  # (H, W)
    return np.clip(np.rint(source + difference[:, :, None]), 0, 255).astype(np.uint8)


def blended(source: Picture, painting: Picture, strength: float) -> Picture:
    """Between the source (0) and the painting (1), exact at both ends."""
    if strength <= 0:
        return np.array(source)
    if strength >= 1:
        return painting
    mixed = source + np.float32(strength) * (painting.astype(np.float32) - source)
    return np.rint(mixed).astype(np.uint8)


def resized(picture: Picture, longer_side: int | None) -> Picture:
    """``picture`` with its longer side at ``longer_side`` pixels, and its proportions."""
    if longer_side is None or max(picture.shape[:2]) == longer_side:
        return picture
    return _resized_to(picture, *_size_of(picture.shape, longer_side))


def with_eyes_resized(picture: Picture, layout: Layout, longer_side: int | None) -> Picture:
    """As `resized`, each eye of ``picture`` by itself: at the seam none shows anything of the other.

    An eye's sides are whole pixels, so the longer side of both may be a pixel less. Raises `SourceError` where
    ``picture`` has no room for two eyes.
    """
    if layout == "mono" or longer_side is None or max(picture.shape[:2]) == longer_side:
        return resized(picture, longer_side)
    height, width = _size_of(picture.shape, longer_side)
    halves: Layout = "tb" if layout in ("tb", "half-tb") else "sbs"
    if halves == "tb":
        height = max(1, height // 2)
    else:
        width = max(1, width // 2)
    return joined(np.stack([_resized_to(eye, height, width) for eye in split(picture, halves)]), halves)


def _size_of(shape: tuple[int, ...], longer_side: int | None) -> tuple[int, int]:
    """Height and width, which ``shape`` begins with, with that longer side; None: as they are."""
    height, width = shape[:2]
    if longer_side is None:
        return height, width
    scale = longer_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resized_to(picture: Picture, height: int, width: int) -> Picture:
    import cv2

    how = cv2.INTER_AREA if height * width < picture.shape[0] * picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def paint_picture(job: Job, look: Look, paint: PaintEyes) -> dict[str, Any]:
    """Paint one picture file. Raises `ArtemError`."""
    from artem_vr.sources.pictures import check_fits, load_picture, save_picture

    picture = load_picture(job.input)
    check_fits(job.output, *_size_of(picture.shape, look.size))  # painting takes long
    result = painted(picture, look, paint, None)
    save_picture(job.output, result)
    return {"width": result.shape[1], "height": result.shape[0], "frames": 1}


def paint_video(job: Job, look: Look, paint: PaintEyes) -> dict[str, Any]:
    """Paint one video, into a video or into numbered pictures. Raises `ArtemError`."""
    from artem_vr.offline.video_files import VideoReader, VideoWriter, check_size
    from artem_vr.sources.pictures import check_file, save_picture

    _check_video(check_file, job.input)
    frames = 0
    with VideoReader(job.input, look.layout) as video:
        bar = progress(video, total=video.count, desc=job.input.name, unit="frame")
        elapsed = 1 / video.rate

        def results() -> Iterable[Picture]:
            for number, picture in enumerate(bar):
                yield painted(picture, look, paint, elapsed if number else None)

        width = height = 0
        if job.prefix is not None:
            for result in results():
                frames += 1
                save_picture(job.output / f"{job.prefix}_{frames:06d}.png", result)
                height, width = result.shape[:2]
        else:
            check_size(job.output, *_size_of((video.height, video.width), look.size))  # painting takes long
            with VideoWriter(job.output, video.rate) as writer:
                for result in results():
                    frames += 1
                    writer.write(result)
            width, height = writer.size
        said = video.count
    facts: dict[str, Any] = {"width": width, "height": height, "frames": frames, "fps": video.rate}
    notices = []
    if said is not None and frames < 0.9 * said:
        notices.append(f"{job.input} ends after {frames} of {said} frames; it may be cut off.")
    if older := _numbered_beyond(job, frames):
        pictures = "picture" if older == 1 else "pictures"
        notices.append(f"{job.output} holds {older} older {pictures} behind the last one of {job.input}.")
    if notices:
        facts["notice"] = " ".join(notices)
    return facts


def _numbered_beyond(job: Job, frames: int) -> int:
    """How many pictures of a longer film of that name are there, which would be taken for the end of this one."""
    if job.prefix is None:
        return 0
    names = (path.name for path in job.output.iterdir())
    numbers = (re.fullmatch(rf"{re.escape(job.prefix)}_(\d{{6,}})\.png", name) for name in names)
    return sum(int(number[1]) > frames for number in numbers if number)


def _check_video(check_file: Callable[[Path], None], path: Path) -> None:
    """Raises `SourceError` for what is not a file with something in it (a film may be of any size)."""
    try:
        check_file(path)
    except PictureError as error:
        if not error.cause.endswith("no picture needs"):
            raise SourceError(error.cause, error.remedy) from None


def stylize(
    jobs: Sequence[Job], look: Look, settings: Settings, report: Callable[[str], None]
) -> tuple[Outcome, dict[str, Any]]:
    """Paint every job in the style of ``settings``; what came of it, and what it was done with.

    Raises `ArtemError` where nothing can be painted at all: no such style, damaged weights, no such engine.
    """
    from artem_vr.styles.library import Library

    library = Library()
    if settings.style:
        for path in library.find_for(settings.precision, settings.style).files:
            if any(overwrites(job, path) for job in jobs):
                raise SettingsError(f"{path} is the style and would be overwritten", "Name another OUTPUT")
    from artem_vr.offline.brush import Brush, load_style  # for seconds: a style that is not there is told before

    style = load_style(library, settings.style, settings)
    facts = {"style": style.name, "strength": look.strength, "layout": look.layout}
    brushes: dict[Kind, Brush] = {}

    def lost(line: str) -> None:
        report(line)
        for other in brushes.values():
            other.leave_gpu()

    def brush(kind: Kind) -> Brush:
        if kind not in brushes:
            brushes[kind] = Brush(style, settings, still=kind == "picture", lost=lost)
        return brushes[kind]

    for kind in {job.kind for job in jobs}:
        brush(kind)  # an engine that is not there is said before anything is written
    try:
        return paint_all(jobs, look, brush, report, lambda kind: brush(kind).facts), facts
    finally:
        for used in brushes.values():
            used.close()


def paint_all(
    jobs: Sequence[Job],
    look: Look,
    brush: Callable[[Kind], PaintEyes],
    report: Callable[[str], None],
    painter: Callable[[Kind], dict[str, str]] = lambda kind: {},
) -> Outcome:
    """Paint every job; one that fails costs one line to ``report`` and the others go on.

    ``painter`` says what paints; it is asked when a file is done, since a GPU may fail.
    """

    def work(job: Job) -> dict[str, Any]:
        paint = paint_picture if job.kind == "picture" else paint_video
        return paint(job, look, brush(job.kind)) | painter(job.kind)

    return each_job(jobs, work, report, eyes=1 if look.layout == "mono" else 2)


def each_job(
    jobs: Sequence[Job], work: Callable[[Job], dict[str, Any]], report: Callable[[str], None], eyes: int = 1
) -> Outcome:
    """Do ``work``, which returns facts and may raise `ArtemError`, for every job; as `paint_all` does."""
    outcome = Outcome()
    bar = progress(jobs, total=len(jobs), desc="stylize", unit="file") if len(jobs) > 1 else jobs
    for job in bar:
        begun = time.perf_counter()
        try:
            _make_folder(job.output.parent if job.prefix is None else job.output)
            facts = work(job)
        except Exception as error:
            if not (isinstance(error, (ArtemError, OSError)) or is_lack_of_memory(error)):
                raise
            line = _in_one_line(job, error)
            outcome.errors.append({"input": str(job.input), "error": line})
            report(line)
            continue
        if "notice" in facts:
            report(facts["notice"])
        seconds = round(time.perf_counter() - begun, 3)
        outcome.outputs.append(
            {"input": str(job.input), "output": str(job.output), "kind": job.kind, "eyes": eyes, "seconds": seconds}
            | facts
        )
    return outcome


def _make_folder(folder: Path) -> None:
    """Raises `PictureError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Check its name and the rights, or name another OUTPUT"
        raise PictureError(f"the folder {folder} cannot be made ({error.strerror})", remedy) from None


def _in_one_line(job: Job, error: Exception) -> str:
    if isinstance(error, ArtemError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{error.strerror or error}. Check the path, the rights and the free space."
    else:
        text = "memory does not suffice. Paint it smaller with --size."
    name = str(job.input)
    return text if name in text or job.input.name in text else f"{name}: {text}"


def progress(items: Iterable[Any], **options: Any) -> Iterable[Any]:
    """A progress bar on standard error, where that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, disable=None, leave=False, **options)


def typed_as_folder(text: str) -> bool:
    """True if OUTPUT, as typed, can only mean a folder."""
    return text.endswith(tuple(s for s in ("/", os.sep, os.altsep) if s)) or text in (".", "..")
