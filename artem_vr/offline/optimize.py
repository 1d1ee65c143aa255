"""``artem-vr stylize --method optimize``: pictures painted by optimising their pixels, with snapshots on the way."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from artem_vr.atomic_file import write_atomically
from artem_vr.errors import EngineError, PictureError, SettingsError, is_lack_of_memory
from artem_vr.hardware import gpu_is_lost
from artem_vr.offline.files import Job, Outcome, each_job, resized
from artem_vr.sources.files import reason
from artem_vr.sources.frame import Picture
from artem_vr.sources.pictures import FORMATS, load_picture
from artem_vr.stylize.painters import one_line
from artem_vr.writable import check_writable

if TYPE_CHECKING:
    from torch import Tensor

    from artem_vr.networks.vgg import VGG19
    from artem_vr.training.optimize import OptimizeOptions

SIZE = 512
"""Longer side in pixels unless another is asked for: time and memory grow with the area."""

PAINTING_SIDE = 512
"""Short side in pixels at which the painting is read, as in training and in `evaluate`."""

QUALITY = 92
"""Of JPEG and WEBP, as of all pictures that the program writes."""

_DESCRIPTION, _OPTIMISED = 0x010E, "artem-vr stylize --method optimize, iterations: "
"""EXIF's ImageDescription, and how it begins: a count of iterations follows."""


@dataclass(frozen=True)
class Order:
    """What all pictures of one command share."""

    painting: Path
    options: OptimizeOptions
    vgg: Path | None = None
    size: int = SIZE
    snapshot_every: int = 0
    """Iterations; 0: no snapshots."""
    resume: Path | Literal["newest"] | None = None
    """A picture to go on from; "newest": the output or its snapshots, where there is one."""
    start: Literal["photograph", "noise"] | None = None
    """None: nothing was said, and the photograph is meant."""
    seed: int = 0
    """Of the noise."""
    device: str = "auto"


def optimize(jobs: Sequence[Job], order: Order, report: Callable[[str], None]) -> tuple[Outcome, dict[str, Any]]:
    """Paint every picture among ``jobs``; what came of it, and what it was done with.

    Raises `ArtemError` where nothing can be painted at all: no such painting, no VGG-19.
    """
    if not order.painting.is_file():
        cause = f"{order.painting} is no picture file, and styles of the program have no painting in the package"
        raise SettingsError(cause, "Give --style a PICTURE with --method optimize")
    pictures = sum(job.kind == "picture" for job in jobs)
    if isinstance(order.resume, Path) and pictures > 1:
        cause = f"{order.resume} is one picture, and there are {pictures} inputs to go on with"
        raise SettingsError(cause, "Leave the PICTURE out: with --resume alone each goes on from its own")
    painting = load_picture(order.painting)
    outputs = {job.output.resolve() for job in jobs if job.kind == "picture"}
    begins = {job: _resumed(job, order, outputs - {job.output.resolve()}) for job in jobs if job.kind == "picture"}
    if order.start and begins and all(begin.picture for begin in begins.values()):
        there = next(iter(begins.values())).picture
        cause = f"--start means nothing with --resume: there is {there} to go on from"
        raise SettingsError(cause, "Leave one of the two out")
    _check_outputs(begins, order, [job.input for job in jobs])
    from artem_vr.tensors import short_side
    from artem_vr.training.cli import chosen_device
    from artem_vr.training.data import to_tensor
    from artem_vr.training.vgg_weights import load_vgg

    device = chosen_device(order.device)
    vgg = load_vgg(order.vgg).to(device)
    target = short_side(to_tensor(painting), PAINTING_SIDE).to(device)

    def work(job: Job) -> dict[str, Any]:
        if job.kind == "video":
            raise SettingsError(f"{job.input} is a video, and --method optimize paints pictures", "Leave it out")
        return _paint(job, order, begins[job], vgg, target, report)

    facts = {"style": order.painting.stem, "strength": 1.0, "layout": "mono", "method": "optimize"}
    outcome = each_job(jobs, work, report)
    for done in outcome.outputs:
        done |= {"engine": "torch", "precision": "fp32", "device": device.type}
    return outcome, facts


def snapshot_path(output: Path, iteration: int) -> Path:
    """``out.png`` after 100 iterations: ``out-000100.png``."""
    return output.with_name(f"{output.stem}-{iteration:06d}{output.suffix}")


def snapshots(output: Path, others: Container[Path] = ()) -> dict[int, Path]:
    """The snapshots of ``output`` that are there, by their iterations, in order.

    ``others``: outputs (resolved) of other inputs, which may be called as snapshots are, and are none.
    """
    pattern = re.compile(re.escape(output.stem) + r"-(\d{6,})" + re.escape(output.suffix))
    if not output.parent.is_dir():
        return {}
    found = ((pattern.fullmatch(path.name), path) for path in output.parent.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in found if match and path.resolve() not in others))


@dataclass(frozen=True)
class _Begin:
    """What a picture is gone on from."""

    picture: Path | None
    """None: nothing, it begins anew."""
    iterations: int
    """That are behind it, as far as files tell."""


def _check_outputs(begins: Mapping[Job, _Begin], order: Order, inputs: Iterable[Path]) -> None:
    """Raises `SettingsError` where a picture could not be written, or only over one that is read, or over another's."""
    read = {path.resolve(): path for path in (*inputs, order.painting)}
    writers: dict[Path, Job] = {}
    for job, begin in begins.items():
        names = _written(job, order, begin.iterations)
        for name in names:
            place = name.resolve()
            if place in read:
                cause = f"{read[place]} is one of the inputs and would be overwritten"
                raise SettingsError(cause, "Name another OUTPUT")
            other = writers.setdefault(place, job)
            if other is not job:
                cause = f"{name} would be written twice, for {other.input} and for {job.input}"
                raise SettingsError(cause, "Paint one of these by itself, into another folder")
        for name in (names[0], names[-1]):  # the last snapshot's number is the longest
            check_writable(name)


def _written(job: Job, order: Order, before: int) -> list[Path]:
    """The output and its snapshots."""
    counts = range(before + 1, before + order.options.iterations + 1)
    kept = [snapshot_path(job.output, n) for n in counts if _is_kept(n - before, order)]
    return [job.output, *kept]


def _is_kept(done: int, order: Order) -> bool:
    return order.snapshot_every > 0 and done % order.snapshot_every == 0


def _resumed(job: Job, order: Order, others: Container[Path]) -> _Begin:
    """``others``: outputs (resolved) of the other inputs."""
    if order.resume is None:
        return _Begin(None, 0)
    kept = snapshots(job.output, others)
    if order.resume == "newest":
        there = [path for path in (*kept.values(), job.output) if path.is_file()]
        picture = max(there, key=lambda path: (path.stat().st_mtime_ns, path == job.output), default=None)
        if picture is None:
            return _Begin(None, 0)
    else:
        picture = order.resume
    count = _count_in(picture)
    if count is None:  # what says nothing itself is a snapshot by its name, or the newest
        count = next((n for n, path in kept.items() if path.resolve() == picture.resolve()), max(kept, default=0))
    return _Begin(picture, count)


def _save(path: Path, picture: Picture, iterations: int) -> None:
    """Writes ``picture`` with how many iterations are behind it, which `_count_in` reads; a BMP cannot say so.

    Raises `PictureError`.
    """
    from PIL import Image

    exif = Image.Exif()
    exif[_DESCRIPTION] = f"{_OPTIMISED}{iterations}"
    kind, data = Image.registered_extensions()[path.suffix.lower()], io.BytesIO()
    try:
        Image.fromarray(picture).save(data, kind, quality=QUALITY, exif=exif)
        write_atomically(path, data.getvalue())
    except (OSError, ValueError) as error:
        cause = f"{path} cannot be written ({reason(error)})"
        raise PictureError(cause, "Check that the folder exists, its rights and the space left") from None


def _count_in(path: Path) -> int | None:
    """The iterations that `_save` wrote into a picture; None where there are none to be read."""
    from PIL import Image

    try:
        # Pillow warns of large pictures and of strange EXIF
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            text = str(image.getexif().get(_DESCRIPTION, ""))
    except Exception:  # noqa: BLE001  what is wrong with it is said where the picture is read
        return None
    count = text.removeprefix(_OPTIMISED)
    return int(count) if text.startswith(_OPTIMISED) and re.fullmatch(r"\d{1,12}", count, re.ASCII) else None


class _Way:
    """What a picture goes through: its losses, its snapshots, and how it is when somebody ends it."""

    def __init__(self, job: Job, order: Order, begin: _Begin, report: Callable[[str], None], bar: Any) -> None:
        self.losses: list[float] = []
        self._job, self._order, self._begin, self._report, self._bar = job, order, begin, report, bar
        self._latest: Tensor | None = None
        self._lost = False
        """Whether a snapshot could not be kept: others most likely cannot for the same reason."""

    def iterated(self, done: int, loss: float, picture: Tensor) -> None:
        """After every iteration (`training.optimize.Report`)."""
        self.losses.append(loss)
        self._latest = picture.clone()
        self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        self._bar.update()
        if not _is_kept(done, self._order):
            return
        number = self._begin.iterations + done
        try:
            _save(snapshot_path(self._job.output, number), _bytes(picture), number)
        except PictureError as error:
            if not self._lost:
                self._say(f"{error.cause}; the picture itself is painted on. {error.remedy}.")
            self._lost = True

    def interrupted(self) -> None:
        """Saves the picture as far as it is, which may have taken an hour."""
        if self._latest is None:
            return
        try:
            _save(self._job.output, _bytes(self._latest), self._begin.iterations + len(self.losses))
        except PictureError as error:
            self._say(str(error))
        else:
            done = f"{len(self.losses)} of {self._order.options.iterations} iterations"
            self._say(f"{self._job.output} is as it was after {done}; --resume goes on from there.")

    def _say(self, line: str) -> None:
        self._bar.clear()
        self._report(line)


def _paint(
    job: Job, order: Order, begin: _Begin, vgg: VGG19, target: Tensor, report: Callable[[str], None]
) -> dict[str, Any]:
    """Paint one picture file; what goes wrong beside it costs a line to ``report``. Raises `ArtemError`."""
    from tqdm import tqdm

    from artem_vr.training.data import to_tensor
    from artem_vr.training.optimize import LEAST_SIDE, Optimization

    photograph = resized(load_picture(job.input), order.size)
    height, width = photograph.shape[:2]
    if min(height, width) < LEAST_SIDE:
        cause = f"{job.input} is {width}x{height} pixels at this size, and {LEAST_SIDE} are needed in both directions"
        raise PictureError(cause, "Cut it, or paint it larger with --size")
    start = _start(begin.picture, order, photograph)
    try:
        optimization = Optimization(vgg, to_tensor(photograph).to(target.device), target, order.options)
        with tqdm(total=order.options.iterations, desc=job.input.name, disable=None, leave=False) as bar:
            way = _Way(job, order, begin, report, bar)
            try:
                result = optimization.run(start.to(target.device), way.iterated)
            except KeyboardInterrupt:
                way.interrupted()
                raise
    except RuntimeError as error:  # torch's word for everything
        if gpu_is_lost(target.device.type, error):  # and with it the picture, as far as it was
            remedy = "Take --device cpu, or begin again: with --resume from the newest snapshot, if there is one"
            raise EngineError(f"the GPU has failed ({one_line(error)})", remedy) from None
        if not is_lack_of_memory(error):
            raise
        cause = f"memory does not suffice to optimise {width}x{height} pixels"
        raise EngineError(cause, "Paint it smaller with --size") from None
    _save(job.output, _bytes(result), begin.iterations + order.options.iterations)
    return {
        "width": width,
        "height": height,
        "frames": 1,
        "iterations": order.options.iterations,
        "first_loss": way.losses[0],
        "last_loss": optimization.loss(result),
        "resumed_from": str(begin.picture) if begin.picture else None,
    }


def _start(begin: Path | None, order: Order, photograph: Picture) -> Tensor:
    """(1, 3, H, W) in [0, 1], as large as ``photograph``."""
    import torch

    from artem_vr.training.data import to_tensor

    height, width = photograph.shape[:2]
    if begin is not None:
        picture = load_picture(begin)
        if abs(picture.shape[1] / picture.shape[0] / (width / height) - 1) > 0.02:
            cause = f"{begin} has other proportions than the input ({picture.shape[1]}x{picture.shape[0]})"
            raise SettingsError(cause, "Give --resume a picture that was painted from this input")
        if picture.shape != photograph.shape:
            import cv2

            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        return to_tensor(picture)
    if order.start == "noise":
        return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(order.seed))
    return to_tensor(photograph)


def _bytes(picture: Tensor) -> Picture:
    """(1, 3, H, W) to (H, W, 3) uint8 RGB."""
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
