"""Training learns, resumes, and does the same on one process as on two."""

from __future__ import annotations

import errno
import math
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from artem_vr import hardware
from artem_vr.atomic_file import write_atomically
from artem_vr.errors import EngineError, PictureError, SettingsError, WeightsError
from artem_vr.evaluation.split import held_out
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.vgg import VGG19
from artem_vr.sources.pictures import load_picture, save_picture
from artem_vr.training.adain import sheet_paintings
from artem_vr.training.cli import join
from artem_vr.training.compact import Paintings
from artem_vr.training.data import Photographs, load_some, sheet_photographs
from artem_vr.training.fast import FastObjective, LossWeights, StylePicture
from artem_vr.training.trainer import Process, Schedule, Trainer, load_state, save_state


def make_trainer(pictures: Path, folder: Path, batch_size: int = 2, iterations: int = 12, **recipe: int) -> Trainer:
    torch.manual_seed(0)
    network = FastNetwork(quarter=16, eighth=16, half=16, blocks=1)
    vgg = VGG19()  # random weights serve: what is tested is the machinery, not the eye
    photographs = Photographs(pictures, 64, seed=3)
    style = StylePicture(pictures / "style" / "stripes.png", (64,))
    objective = FastObjective(network, vgg, style, photographs, LossWeights(), [], seed=3)
    schedule = Schedule(iterations=iterations, warm_up=1, checkpoint_every=4, sample_every=1000, learning_rate=3e-3)
    return Trainer(objective, schedule, folder, batch_size=batch_size, mixed_precision=False, recipe=recipe)


def test_a_few_steps_lower_the_loss_on_a_fixed_batch(pictures: Path, tmp_path: Path) -> None:
    trainer = make_trainer(pictures, tmp_path)
    batch = trainer.objective.batch(0, 2, 0)
    trainer.objective.batch = lambda *_: batch  # type: ignore[method-assign]
    totals = [trainer.step()["total"] for _ in range(12)]
    assert totals[-1] < 0.9 * totals[0]


def test_two_trainings_do_not_share_a_folder(pictures: Path, tmp_path: Path) -> None:
    first, second = (make_trainer(pictures, tmp_path / "run", iterations=1, one=k) for k in range(2))

    def meanwhile() -> None:
        before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
        with pytest.raises(SettingsError, match=r"another training is at work in .*run\. Give another --run folder"):
            second.run(progress=False)
        assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before

    first.run(progress=False, after=meanwhile)
    make_trainer(pictures, tmp_path / "run", iterations=1, one=0).run(progress=False)  # the first one has ended


def losses_of(objective: FastObjective, **weights: float) -> dict[str, float]:
    """Of the first batch, by name."""
    objective.weights = LossWeights(**weights)
    with torch.no_grad():
        return {name: float(value) for name, value in objective(**objective.batch(0, 2, 0)).items()}


def test_a_weave_in_the_strokes_is_one_of_the_losses(pictures: Path, tmp_path: Path) -> None:
    objective = make_trainer(pictures, tmp_path).objective
    assert isinstance(objective, FastObjective)
    untrained, without = losses_of(objective, weave=10), losses_of(objective, weave=0)
    assert "weave" not in without
    assert untrained["total"] - without["total"] == pytest.approx(10 * untrained["weave"], abs=1e-4)
    # whatever is painted, in columns of eight pixels: of eight steps across one is large, of their changes two
    objective.network.register_forward_hook(lambda *args: args[2][..., ::8].repeat_interleave(8, dim=3))
    assert losses_of(objective, weave=10)["weave"] > 2


def test_outlines_that_are_not_the_photographs_are_one_of_the_losses(pictures: Path, tmp_path: Path) -> None:
    objective = make_trainer(pictures, tmp_path).objective
    assert isinstance(objective, FastObjective)
    untrained, without = losses_of(objective, edge=4), losses_of(objective, edge=0)
    assert "edge" not in without and 0.1 < untrained["edge"] < 1.1
    assert untrained["total"] - without["total"] == pytest.approx(4 * untrained["edge"], abs=1e-3)
    objective.network.register_forward_hook(lambda _, given, painted: 1 - given[0])  # a negative has the same outlines
    assert losses_of(objective, edge=4)["edge"] < 0.02


def test_resuming_gives_what_an_unbroken_run_gives(pictures: Path, tmp_path: Path) -> None:
    whole = make_trainer(pictures, tmp_path / "whole", iterations=8)
    whole.run(progress=False)
    broken = make_trainer(pictures, tmp_path / "broken", iterations=8)
    for _ in range(4):
        broken.step()
    (tmp_path / "broken").mkdir()
    broken.save()
    resumed = make_trainer(pictures, tmp_path / "broken", iterations=8)
    resumed.run(progress=False)
    for a, b in zip(whole.objective.parameters(), resumed.objective.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert {p.name for p in (tmp_path / "broken").iterdir()} >= {"checkpoint.pt", "losses.csv", "losses.png"}


@pytest.mark.parametrize("last", [3, 8])
def test_ctrl_c_loses_no_iteration(last: int, pictures: Path, tmp_path: Path) -> None:
    """Nor is it lost itself in the last one: what follows takes long, too."""
    trainer = make_trainer(pictures, tmp_path, iterations=last)
    step = trainer.step

    def interrupted() -> dict[str, float]:
        if trainer.iteration == 2:
            signal.raise_signal(signal.SIGINT)
        return step()

    trainer.step = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run(progress=False)
    resumed = make_trainer(pictures, tmp_path, iterations=last)
    assert resumed.resume() and resumed.iteration == 3
    for a, b in zip(trainer.objective.parameters(), resumed.objective.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_of_another_recipe_is_not_resumed(pictures: Path, tmp_path: Path) -> None:
    make_trainer(pictures, tmp_path, batch_size=1, seed=1).save()
    with pytest.raises(SettingsError, match="other settings"):
        make_trainer(pictures, tmp_path, batch_size=1, seed=2).resume()


@pytest.mark.parametrize("part", ["objective", "optimizer"])
def test_a_checkpoint_of_another_version_is_one_line(part: str, pictures: Path, tmp_path: Path) -> None:
    """Whose network of the same recipe has other layers."""
    make_trainer(pictures, tmp_path).save()
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    saved[part].popitem()
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"does not fit this network.*another --run folder"):
        make_trainer(pictures, tmp_path).resume()


def test_held_out_photographs_are_never_trained_on(tmp_path: Path) -> None:
    for k in range(40):
        save_picture(tmp_path / f"{k}.png", np.zeros((8, 8, 3), np.uint8))
    names = {path.name for path in Photographs(tmp_path, 64, seed=0).paths}
    everything = {path.name for path in tmp_path.iterdir()}
    assert names == {name for name in everything if not held_out(Path(name))} and names < everything


def test_an_empty_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no pictures"):
        Photographs(tmp_path, 64, seed=0)


def test_what_cannot_be_read_is_passed_over_and_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"0.png", "5.png", "6.png"}
    for k in range(8):
        save_picture(tmp_path / f"{k}.png", np.full((80, 80, 3), 30 * k, np.uint8))
    for name in bad:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    photographs = Photographs(tmp_path, 64, seed=0)
    batches = [photographs.batch(iteration, 4) for iteration in range(20)]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(bad) and all(any(name in line for line in said) for name in bad)
    again = Photographs(tmp_path, 64, seed=0)
    again.batch(7, 1)  # in another order
    assert all(torch.equal(again.batch(k, 4), batch) for k, batch in enumerate(batches))
    for path in tmp_path.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(PictureError, match="no photograph of --content can be read"):
        Photographs(tmp_path, 64, seed=0).batch(0, 1)


def test_nor_does_it_end_at_paintings_or_the_pictures_of_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(8):
        save_picture(tmp_path / f"{k}.png", np.full((80, 80, 3), 30 * k, np.uint8))
    for name in ("0.png", "4.png"):
        (tmp_path / name).write_bytes(b"torn")
    paintings = Paintings([tmp_path], 64, seed=0)
    assert {path.name for path in paintings.paths} == {f"{k}.png" for k in (1, 2, 3, 5, 6, 7)}
    assert len(capsys.readouterr().err.splitlines()) == 2
    paths = sorted(tmp_path.iterdir())
    assert [picture[0, 0, 0] for picture in load_some(paths, 2)] == [30, 150], "the next ones"
    with pytest.raises(PictureError, match="none of 1 pictures"):
        load_some(paths[:1], 2)
    with pytest.raises(PictureError, match="no painting in"):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "0.png").write_bytes(b"torn")
        Paintings([tmp_path / "deep"], 64, seed=0)


def test_no_more_of_a_photograph_is_decoded_than_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's JPEG; a PNG of the same size has no smaller form."""
    y, x = np.mgrid[0:800, 0:1000]
    smooth = np.stack([127 + 120 * np.sin(x / (40 + k)) * np.cos(y / 50) for k in range(3)], axis=-1).astype(np.uint8)
    for name in ("a/a.jpg", "b/b.png"):
        (tmp_path / name).parent.mkdir()
        save_picture(tmp_path / name, smooth, quality=98)
    decoded: list[tuple[int, ...]] = []

    def load(path: Path, **how: int) -> np.ndarray:
        picture = load_picture(path, **how)
        decoded.append(picture.shape)
        return picture

    monkeypatch.setattr("artem_vr.training.data.load_picture", load)
    monkeypatch.setattr("artem_vr.training.compact.load_picture", load)
    small, whole = (Photographs(tmp_path / name, 64, seed=0).batch(0, 6) for name in "ab")
    assert set(decoded) == {(200, 250, 3), (800, 1000, 3)}  # 3 times 64 pixels are enough
    assert (small - whole).abs().mean() < 0.02
    paintings = [Paintings([tmp_path / name], 64, seed=0, short_sides=(90, 100)) for name in "ab"]
    decoded.clear()
    small, whole = (torch.cat([each.picture(view) for view in each.all_views()]) for each in paintings)
    assert set(decoded) == {(100, 125, 3), (800, 1000, 3)} and small.shape == whole.shape == (2, 3, 64, 64)


def test_folders_and_what_is_hidden_are_no_photographs(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", np.zeros((80, 80, 3), np.uint8))
    (tmp_path / "._a.png").write_bytes(b"macOS writes this beside it")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    save_picture(tmp_path / ".thumbnails" / "b.png", np.zeros((80, 80, 3), np.uint8))
    assert [path.name for path in Photographs(tmp_path, 64, seed=0).paths] == ["a.png"]


WORKER = """
import atexit, os, sys, torch
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_trainer import make_trainer
from artem_vr.errors import SettingsError
from artem_vr.training.trainer import Process, Trainer
torch.set_num_threads(1)
# Runs last: whoever is still in the group by then may be aborted with it.
atexit.register(lambda: torch.distributed.is_initialized() and os._exit(3))
folder, process = Path({folder!r}), Process.join()
plain = make_trainer(Path({pictures!r}), folder / str(process.rank), batch_size=1, iterations=4)
trainer = Trainer(plain.objective, plain.schedule, plain.folder, batch_size=1, mixed_precision=False, process=process)
"""


def run_two(work: str, pictures: Path, folder: Path) -> None:
    """Two processes that make a trainer each, of a picture an iteration and a folder of its own, and then ``work``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = WORKER.format(tests=str(Path(__file__).parent), pictures=str(pictures), folder=str(folder)) + work
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    shared["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), shared.get("PYTHONPATH", "")])
    workers = [subprocess.Popen([sys.executable, "-c", code], env=shared | {"RANK": str(rank)}) for rank in range(2)]
    try:
        assert [worker.wait(timeout=180) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()


def assert_close(a: torch.Tensor, b: torch.Tensor) -> None:
    # fp32 sums of one and of two pictures are not in the same order, and on some processors not in the same kernel
    assert torch.linalg.vector_norm(a - b) <= 1e-3 * torch.linalg.vector_norm(b)


def test_two_processes_have_the_gradients_of_one_with_the_double_batch(pictures: Path, tmp_path: Path) -> None:
    single = make_trainer(pictures, tmp_path, batch_size=2)
    single.step()
    work = """
trainer.step()
if process.first:
    torch.save([p.grad for p in trainer.objective.parameters()], folder / "gradients.pt")
"""
    run_two(work, pictures, tmp_path)
    actual = torch.load(tmp_path / "gradients.pt", weights_only=True)
    for a, p in zip(actual, single.objective.parameters(), strict=True):
        assert_close(a, p.grad)


def test_what_the_first_process_has_kept_all_go_on_from(pictures: Path, tmp_path: Path) -> None:
    """The second is on another machine: its folder is empty."""
    single = make_trainer(pictures, tmp_path / "0", batch_size=2, iterations=4)
    (tmp_path / "0").mkdir()
    for _ in range(2):
        single.step()
    single.save()
    for _ in range(2):
        single.step()
    work = """
step, steps = trainer.step, []
trainer.step = lambda: steps.append(trainer.iteration) or step()
trainer.run(progress=False)

def fail():
    raise SettingsError("a cause", "A remedy")

try:
    process.from_first(fail)
except SettingsError as error:
    told = str(error)
torch.save((steps, told, [p.data for p in trainer.objective.parameters()]), folder / f"{process.rank}.pt")
"""
    run_two(work, pictures, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for steps, told, parameters in (first, second):
        assert steps == [2, 3] and told == "a cause. A remedy."
        for a, b, c in zip(parameters, first[2], single.objective.parameters(), strict=True):
            assert torch.equal(a, b)
            assert_close(a, c.data)
    assert not (tmp_path / "1" / "checkpoint.pt").exists()


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun announces the second process of the second of two machines with two GPUs each."""
    current, backends = [0], list[str]()
    for name, value in {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(hardware, "cuda_trouble", lambda: "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[0])
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: current.insert(0, number))
    monkeypatch.setattr(dist, "is_initialized", lambda: False)
    monkeypatch.setattr(dist, "init_process_group", backends.append)
    monkeypatch.setattr(dist, "get_rank", lambda: 3)
    monkeypatch.setattr(dist, "get_world_size", lambda: 4)
    assert join("auto") == (Process(3, 4), torch.device("cuda", 1)) and backends == ["nccl"]
    assert join("cpu") == (Process(3, 4), torch.device("cpu")) and backends == ["nccl", "gloo"]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(EngineError, match="--nproc-per-node 2"):
        join("cuda")
    monkeypatch.delenv("RANK")
    assert join("cuda") == (Process(), torch.device("cuda", 1))


def test_a_group_that_nobody_announces_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other launchers set RANK, too."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(EngineError, match=r"WORLD_SIZE.*Start with torchrun, or without RANK"):
        join("cpu")


def test_a_batch_that_overflows_is_neither_learned_nor_told(pictures: Path, tmp_path: Path) -> None:
    trainer = make_trainer(pictures, tmp_path, iterations=12)
    step, overflows = trainer.objective.forward, {3, 4}  # type: ignore[attr-defined]

    def forward(**batch: torch.Tensor) -> dict[str, torch.Tensor]:
        losses: dict[str, torch.Tensor] = step(**batch)
        return (
            {name: value * float("nan") for name, value in losses.items()} if trainer.iteration in overflows else losses
        )

    trainer.objective.forward = forward  # type: ignore[attr-defined]
    for _ in range(3):
        trainer.step()
    before = [parameter.clone() for parameter in trainer.objective.parameters()]
    trainer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.objective.parameters(), strict=True))
    trainer.run(progress=False)
    assert all(math.isfinite(value) for value in trainer.losses.values())
    table = (tmp_path / "losses.csv").read_text()
    assert "nan" not in table and len(table.splitlines()) == 2


def test_a_table_of_losses_outlives_a_full_disk(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(pictures, tmp_path, iterations=12)
    written: list[Path] = []

    def full_at_first(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(path, data)

    monkeypatch.setattr("artem_vr.training.trainer.write_atomically", full_at_first)
    trainer._show(lambda: trainer._log({"gram": 1.0}))
    for trainer.iteration in (50, 100):
        trainer._show(lambda: trainer._log({"gram": 1.0}))
        trainer._show(trainer._draw_curve)
    assert (tmp_path / "losses.csv").read_text().splitlines() == ["iteration,gram", "50,1.00000", "100,1.00000"]
    assert (tmp_path / "losses.png").is_file()


@pytest.mark.parametrize(
    "table", ["50,1.0\n100,1.0\n", "iteration;gram\n50;1,0\n", "iteration,gram\n50\n100,much,2.0\nx,1.0\n"]
)
def test_no_training_ends_at_a_table_that_somebody_saved(
    pictures: Path, tmp_path: Path, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = make_trainer(pictures, tmp_path, iterations=12)
    (tmp_path / "losses.csv").write_text(table)
    trainer._show(trainer._draw_curve)
    readable = table.startswith("iteration,")
    assert (tmp_path / "losses.png").is_file() == readable
    assert ("no table of losses any more; the training goes on" in capsys.readouterr().err) != readable


def test_a_training_that_has_run_away_ends(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(pictures, tmp_path, iterations=60)
    monkeypatch.setattr("artem_vr.training.trainer.MOST_SKIPPED", 3)
    step = trainer.objective.forward  # type: ignore[attr-defined]
    trainer.objective.forward = lambda **batch: {k: v * float("inf") for k, v in step(**batch).items()}  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match=r"3 batches in a row overflowed.*smaller --learning-rate"):
        trainer.run(progress=False)


def test_an_error_stands_on_a_line_of_its_own(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not behind the progress bar."""
    trainer = make_trainer(pictures, tmp_path, iterations=1)
    monkeypatch.setattr(trainer.objective, "forward", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        trainer.run()
    assert caught.tb  # keeps the bar alive, as the command does while it says the error
    assert capsys.readouterr().err.endswith("\n")


def test_where_no_batch_is_finite_there_is_no_curve_to_draw(pictures: Path, tmp_path: Path) -> None:
    trainer = make_trainer(pictures, tmp_path, iterations=2)
    step = trainer.objective.forward  # type: ignore[attr-defined]
    trainer.objective.forward = lambda **batch: {k: v * float("inf") for k, v in step(**batch).items()}  # type: ignore[attr-defined]
    trainer.run(progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "checkpoint.pt", "sheet-000002.png"}


def test_what_cannot_be_shown_does_not_end_a_training(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = {"sheet-000001.png", "losses.png"}
    for name in in_the_way:
        (tmp_path / name).mkdir()
    make_trainer(pictures, tmp_path, iterations=1).run(progress=False)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.endswith("; the training goes on") for line in said)
    assert all(any(name in line for line in said) for name in in_the_way)
    assert (tmp_path / "checkpoint.pt").is_file() and (tmp_path / "losses.csv").is_file()


def test_a_disk_that_is_full_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_state({"iteration": 1}, path)
    old = path.read_bytes()

    def full(_state: object, file: Path) -> None:
        file.write_bytes(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc] PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(WeightsError, match="cannot be written"):
        save_state({"iteration": 2}, path)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["checkpoint.pt"]


def test_a_state_that_cannot_be_read_is_one_readable_line(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"made with": Schedule()}, path)
    for content in (path.read_bytes(), b"half of it", b""):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"checkpoint.pt cannot be read.*Delete it") as caught:
            load_state(path, torch.device("cpu"))
        assert len(str(caught.value)) < len(str(path)) + 120 and str(caught.value).isprintable()
    path.unlink()
    path.mkdir()
    with pytest.raises(WeightsError, match="Check its rights"):  # nor is what is sound to be deleted
        load_state(path, torch.device("cpu"))


def test_two_trainings_in_one_folder_do_not_tear_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, save = tmp_path / "checkpoint.pt", torch.save

    def slowly(state: object, file: Path) -> None:
        save(state, file)
        monkeypatch.setattr(torch, "save", save)
        save_state({"iteration": 2}, path)  # the other one, meanwhile

    monkeypatch.setattr(torch, "save", slowly)
    save_state({"iteration": 1}, path)
    assert torch.load(path, weights_only=True) == {"iteration": 1} and os.listdir(tmp_path) == ["checkpoint.pt"]

    def interrupted(_state: object, file: Path) -> None:
        file.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_state({"iteration": 3}, path)
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


@pytest.mark.parametrize("rate", [1e-3, 1e-5, 1e-6])
def test_the_learning_rate_never_rises_after_its_warm_up(rate: float) -> None:
    schedule = Schedule(iterations=400, learning_rate=rate, warm_up=10)
    rates = [schedule.rate(iteration) for iteration in range(10, 400)]
    assert rates == sorted(rates, reverse=True) and rates[0] == pytest.approx(rate)
    assert rates[-1] == pytest.approx(min(rate, 1e-5), rel=0.01)


def test_photographs_of_a_sheet_are_reduced(tmp_path: Path) -> None:
    for size, shown in (((800, 1000), (384, 480)), ((200, 300), (200, 300))):
        save_picture(tmp_path / "a.png", np.zeros((*size, 3), np.uint8))
        assert [picture.shape for picture in sheet_photographs(tmp_path)] == [(*shown, 3)]


def test_a_sheet_shows_others_where_those_left_out_cannot_be_read(tmp_path: Path) -> None:
    for k in range(40):
        path = tmp_path / f"{k}.png"
        save_picture(path, np.full((80, 80, 3), 200 if held_out(path) else 90, np.uint8))
    assert {picture[0, 0, 0] for picture in sheet_photographs(tmp_path)} == {200}
    for path in tmp_path.iterdir():
        if held_out(path):
            path.write_bytes(b"torn")
    shown = [*sheet_photographs(tmp_path, 3), *sheet_paintings([tmp_path], 3)]
    assert [picture[0, 0, 0] for picture in shown] == [90] * 6


def test_losses_are_told_as_if_there_had_been_no_interruption(pictures: Path, tmp_path: Path) -> None:
    """Also of a training that draws its sheets more often than every 50 iterations."""

    def trainer(folder: Path) -> Trainer:
        made = make_trainer(pictures, folder, iterations=8)
        made.schedule = replace(made.schedule, sample_every=2)
        return made

    whole = trainer(tmp_path / "whole")
    whole.run(progress=False)
    broken = trainer(tmp_path / "broken")
    batch = broken.objective.batch

    def interrupted(iteration: int, *places: int) -> dict[str, torch.Tensor]:
        if iteration == 6:  # 2, 4 and 6 are in the table, and 4 was kept
            raise KeyboardInterrupt
        return batch(iteration, *places)

    broken.objective.batch = interrupted  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        broken.run(progress=False)
    with (tmp_path / "broken" / "losses.csv").open("a") as table:
        table.write("8,0.1")  # the power went
    resumed = trainer(tmp_path / "broken")
    resumed.run(progress=False)

    assert resumed.losses == pytest.approx(whole.losses, abs=1e-3)
    tables = [np.genfromtxt(tmp_path / name / "losses.csv", delimiter=",", names=True) for name in ("whole", "broken")]
    assert tables[0]["iteration"].tolist() == tables[1]["iteration"].tolist() == [2, 4, 6, 8]
    assert tables[1]["total"] == pytest.approx(tables[0]["total"], abs=1e-3)
