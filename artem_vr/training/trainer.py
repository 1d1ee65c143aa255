"""The training loop: optimiser, schedule, checkpoints, loss curve, sample sheets, several processes.

What is trained is an *objective*: a module that owns a network and turns one iteration's batch into
named losses. Under ``torchrun`` each process takes its own part of the batch and
DistributedDataParallel averages the gradients.
"""

from __future__ import annotations

import atexit
import csv
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from artem_vr.atomic_file import part_of, replace, write_atomically
from artem_vr.errors import ArtemError, EngineError, PictureError, SettingsError, WeightsError
from artem_vr.stop_requests import noted_requests
from artem_vr.training.mixed_optimizer import MixedOptimizer, OptimizerName

TOTAL = "total"
CHECKPOINT = "checkpoint.pt"
"""In the folder of a training: what it goes on from."""

MOST_SKIPPED = 50
"""Batches in a row that may overflow; then nothing is learned any more."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. Learning rates have no unit; one below the final rate stays as it is."""

    iterations: int = 4000
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warm_up: int = 100
    checkpoint_every: int = 250
    sample_every: int = 250

    def rate(self, iteration: int) -> float:
        """Linear warm-up, then half a cosine down to ``final_learning_rate``."""
        if iteration < self.warm_up:
            return self.learning_rate * (iteration + 1) / self.warm_up
        progress = (iteration - self.warm_up) / max(1, self.iterations - self.warm_up)
        swing = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        final = min(self.final_learning_rate, self.learning_rate)
        return final + (self.learning_rate - final) * swing


class Objective(Protocol):
    """What the trainer needs; implemented by `training.fast` and its siblings as an nn.Module."""

    def batch(self, iteration: int, batch_size: int, first: int) -> dict[str, Tensor]:
        """Pictures ``first`` to ``first + batch_size`` of this iteration, and their motions."""

    def __call__(self, **batch: Tensor) -> dict[str, Tensor]:
        """Named losses; ``total`` is what is minimised."""

    def parameters(self) -> Any: ...

    def rates(self) -> dict[float, list[nn.Parameter]]:
        """What is trained, by how many times the schedule's rate it is trained at."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...

    def sample_sheet(self) -> Any:
        """(H, W, 3) uint8 RGB: what the network paints now."""


class TrainedAlike(nn.Module):
    """An objective all of whose parameters are trained at the same rate."""

    def rates(self) -> dict[float, list[nn.Parameter]]:
        """See `Objective`."""
        return {1.0: [p for p in self.parameters() if p.requires_grad]}


@dataclass(frozen=True)
class Process:
    """This process among those of a ``torchrun``."""

    rank: int = 0
    count: int = 1

    @staticmethod
    def join(on_gpu: bool = False) -> Process:
        """Joins the group that torchrun announces in the environment; alone otherwise.

        ``on_gpu``: this process shall compute on a GPU. Those of one machine then take one each, which becomes their
        current device. Raises `EngineError` where there are not enough, and where the group cannot be joined.
        """
        if "RANK" not in os.environ:
            return Process()
        if on_gpu:
            take_own_gpu(int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            try:
                dist.init_process_group("nccl" if on_gpu else "gloo")
            except (ValueError, RuntimeError) as error:  # RANK alone may be another program's
                cause = f"RANK is set, as torchrun sets it, but the group of processes cannot be joined ({error})"
                raise EngineError(cause, "Start with torchrun, or without RANK in the environment") from error
            atexit.register(_leave)
        return Process(dist.get_rank(), dist.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What ``make`` gives in the first process, in all of them; an `ArtemError` that it raises there, too.

        All must ask. What is made must not lie on a GPU, of which each process has another.
        """
        if self.count == 1:
            return make()
        told: list[Any] = [None, None]  # what was made, or what an error says
        if self.first:
            try:
                told[0] = make()
            except ArtemError as error:
                told[1] = (type(error), error.cause, error.remedy)
        dist.broadcast_object_list(told, src=0)
        made, failure = told
        if failure is not None:
            kind, cause, remedy = failure
            raise kind(cause, remedy)
        return made


def _leave() -> None:
    """Leaves the group while Python still runs: its threads, ended with the interpreter, now and then abort."""
    if dist.is_initialized():
        dist.destroy_process_group()


def take_own_gpu(number: int) -> None:
    """GPU ``number`` becomes the current device of this process. Raises `EngineError` where it is not there."""
    count = torch.cuda.device_count()
    if number >= count:
        cause = f"process {number} of this machine has no GPU of its own: there {'is' if count == 1 else 'are'} {count}"
        raise EngineError(cause, f"Give torchrun --nproc-per-node {count}, or train with --device cpu")
    torch.cuda.set_device(number)


def save_state(state: dict[str, Any], path: Path) -> None:
    """Writes what a training goes on from, in one step. Raises `WeightsError`; the old file is then still there."""
    temporary = part_of(path)  # a name of its own: the same training may have been started twice
    try:
        torch.save(state, temporary)
        replace(temporary, path)
    except (RuntimeError, OSError) as error:  # torch says of a full disk that a writer failed
        raise WeightsError(f"{path} cannot be written", "Check the space left and the folder's rights") from error
    finally:
        temporary.unlink(missing_ok=True)  # also at Ctrl-C


def load_state(path: Path, device: torch.device) -> dict[str, Any]:
    """What `save_state` wrote. Raises `WeightsError`."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})", "Check its rights") from error
    except Exception as error:  # torch says of some damages a number, or nothing, of others a page
        cause = f"{path} cannot be read as the state of a training ({type(error).__name__})"
        raise WeightsError(cause, "Delete it to begin anew") from error
    return state


class Trainer:
    """Runs an objective for a schedule; everything it writes goes under ``folder``.

    ``checkpoint.pt`` (resumable; replaced atomically), ``losses.csv``, ``losses.png`` and
    ``sheet-NNNNNN.png``.
    """

    def __init__(
        self,
        objective: Objective,
        schedule: Schedule,
        folder: Path,
        *,
        batch_size: int = 2,
        optimizer: OptimizerName = "adam",
        device: torch.device | None = None,
        mixed_precision: bool = True,
        process: Process | None = None,
        recipe: dict[str, Any] | None = None,
        inputs: dict[str, str] | None = None,
    ) -> None:
        """``recipe`` and ``inputs`` (sums of the files that it names) must be those of a training that is resumed."""
        self.objective, self.schedule, self.folder = objective, schedule, folder
        self._lock = FileLock(folder / ".lock")
        self.batch_size, self.process = batch_size, process or Process()
        self.device = device or torch.device("cpu")
        self.mixed_precision = mixed_precision
        self.recipe = json.loads(json.dumps(recipe or {}, default=str))
        self.inputs = dict(inputs or {})
        self.optimizer = MixedOptimizer(objective.rates(), optimizer)
        self.iteration = 0
        self.losses: dict[str, float] = {}
        self._skipped = 0  # batches in a row
        self._module: Any = objective
        if self.process.count > 1:
            self._module = DistributedDataParallel(objective)

    def step(self) -> dict[str, float]:
        """One iteration; returns this process's losses."""
        self.optimizer.set_rate(self.schedule.rate(self.iteration))
        batch = self.objective.batch(self.iteration, self.batch_size, self.process.rank * self.batch_size)
        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        mixed = torch.autocast(self.device.type, torch.bfloat16) if self.mixed_precision else nullcontext()
        self.optimizer.zero_grad()
        with mixed:
            losses: dict[str, Tensor] = self._module(**batch)
        losses[TOTAL].backward()
        parameters = [p for p in self.objective.parameters() if p.requires_grad]
        norm = nn.utils.clip_grad_norm_(parameters, 10.0)
        if torch.isfinite(norm):  # a batch that overflowed is skipped, not learned
            self.optimizer.step()
            self._skipped = 0
        else:
            self._skipped += 1
            if self._skipped >= MOST_SKIPPED:
                raise SettingsError(
                    f"the training has run away: {MOST_SKIPPED} batches in a row overflowed",
                    "Delete its folder and begin anew with a smaller --learning-rate, or with --precision fp32",
                )
        self.iteration += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def run(self, progress: bool = True, after: Callable[[], None] | None = None) -> None:
        """Trains until the schedule ends; resumes where ``folder`` left off. ``after`` runs at checkpoints.

        Asked to end (Ctrl-C), it finishes the iteration, saves, and raises `KeyboardInterrupt`.
        """
        with self.folder_held():
            self._go_on(progress, after)

    @contextmanager
    def folder_held(self) -> Iterator[None]:
        """Nobody else trains in ``folder`` meanwhile: tables would be mixed, and checkpoints overwrite each other.

        For what is done with the network after `run`, which holds it, too. Raises `SettingsError` where somebody does.
        """
        self.process.from_first(self._take_folder)
        try:
            yield
        finally:
            self._lock.release()

    def _take_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SettingsError(f"another training is at work in {self.folder}", "Give another --run folder") from None

    def _go_on(self, progress: bool, after: Callable[[], None] | None) -> None:
        self.resume()
        if self.process.first:
            self._drop_later_losses()
        schedule = self.schedule
        if self.process.first and 0 < schedule.iterations <= self.iteration:
            tqdm.write(f"artem-vr: the training in {self.folder} is finished already", file=sys.stderr)
        with (
            noted_requests() as asked_to_end,
            tqdm(  # closed whatever happens: an error stands on a line of its own, not behind the bar
                total=schedule.iterations,
                initial=self.iteration,
                disable=not (progress and self.process.first and self.iteration < schedule.iterations),
                mininterval=2.0,
                dynamic_ncols=True,
            ) as bar,
        ):
            self._iterate(bar, after, asked_to_end)
        if self.process.first and not schedule.iterations:  # what follows keeps its own state under this recipe
            self.save()

    def _iterate(self, bar: tqdm[Any], after: Callable[[], None] | None, asked_to_end: Callable[[], bool]) -> None:
        schedule, smooth = self.schedule, dict(self.losses)
        while self.iteration < schedule.iterations:
            losses = self.step()
            for name, value in losses.items():
                if math.isfinite(value):
                    smooth[name] = value if name not in smooth else 0.95 * smooth[name] + 0.05 * value
            bar.update()
            bar.set_postfix({name: f"{value:.3f}" for name, value in smooth.items()}, refresh=False)
            last = self.iteration == schedule.iterations
            if not self.process.first:
                continue  # torchrun ends all when the first one ends
            self.losses = smooth
            draws = self.iteration % schedule.sample_every == 0 or last
            if (self.iteration % 50 == 0 or draws) and smooth.keys() >= losses.keys():
                self._show(partial(self._log, smooth))
            if self.iteration % schedule.checkpoint_every == 0 or last:
                self.save()
                if after:
                    after()
            if draws:
                self._show(self._draw_sheet)
                self._show(self._draw_curve)
            if asked_to_end():
                if not last:
                    self.save()
                raise KeyboardInterrupt

    def save(self) -> None:
        """Writes ``checkpoint.pt``: network, optimiser, iteration, recipe."""
        state = {
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "losses": self.losses,
            "recipe": json.dumps(self.recipe, sort_keys=True),
            "inputs": self.inputs,
            "schedule": asdict(self.schedule),
        }
        save_state(state, self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Continues from ``checkpoint.pt`` if it is there. Raises when it is of another recipe or network.

        The first process writes it and reads it, for all: the others may run on machines that do not have it.
        """
        saved = self.process.from_first(self._saved)
        if saved is None:
            return False
        try:
            self.objective.load_state_dict(saved["objective"])
            self.optimizer.load_state_dict(saved["optimizer"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            cause = f"{self.folder / CHECKPOINT} does not fit this network: another version of the program wrote it"
            raise WeightsError(cause, "Give another --run folder") from error
        self.iteration, self.losses = saved["iteration"], saved["losses"]
        return True

    def _saved(self) -> dict[str, Any] | None:
        """What `save` wrote, on the CPU; None where nothing is there. Raises when it is of another recipe."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        saved = load_state(path, torch.device("cpu"))
        parts = {"objective", "optimizer", "iteration", "losses", "recipe"}
        if not isinstance(saved, dict) or not saved.keys() >= parts:
            raise WeightsError(f"{path} is no checkpoint of such a training", "Give another --run folder")
        same = saved.get("inputs", self.inputs) == self.inputs  # older trainings do not say
        if not same or saved["recipe"] != json.dumps(self.recipe, sort_keys=True):
            raise SettingsError(
                f"{self.folder} holds a training with other settings or pictures",
                "Use the same, or another --run folder",
            )
        return saved

    def _show(self, write: Callable[[], None]) -> None:
        """Writes something to look at. Where that fails, it is said and the training goes on: a night of it must not
        end at a full disk that has room again, nor at a table that somebody has opened in a spreadsheet.
        """
        try:
            write()
        except (OSError, PictureError) as error:
            cause = error.cause if isinstance(error, PictureError) else error
            tqdm.write(f"artem-vr: {cause}; the training goes on", file=sys.stderr)

    def _log(self, losses: dict[str, float]) -> None:
        path = self.folder / "losses.csv"
        before = path.read_bytes() if path.exists() else b""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if not before:
            writer.writerow(["iteration", *losses])
        writer.writerow([self.iteration, *(f"{value:.5f}" for value in losses.values())])
        write_atomically(path, before + text.getvalue().encode())  # where the disk is full it stays as it was

    def _drop_later_losses(self) -> None:
        """Takes out of ``losses.csv`` what was computed after the checkpoint, and is now computed again."""
        path = self.folder / "losses.csv"
        if not path.exists():
            return
        lines = path.read_bytes().splitlines(keepends=True)
        rows = (line for line in lines[1:] if line.endswith(b"\n"))  # the last may have been cut off
        counted = ((row.partition(b",")[0], row) for row in rows)
        kept = [row for count, row in counted if count.isdigit() and int(count) <= self.iteration]
        if kept and lines[0].startswith(b"iteration,"):
            write_atomically(path, b"".join([lines[0], *kept]))
        else:
            path.unlink()

    def _draw_sheet(self) -> None:
        from artem_vr.sources.pictures import save_picture

        save_picture(self.folder / f"sheet-{self.iteration:06d}.png", self.objective.sample_sheet())

    def _draw_curve(self) -> None:
        from artem_vr.training.curve import draw_curve

        table = self.folder / "losses.csv"
        if table.exists():  # else no batch was finite yet
            draw_curve(table, self.folder / "losses.png")
