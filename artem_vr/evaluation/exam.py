"""The examination: one set of photographs, motions, eyes and noises that every subject must paint.

What does not depend on the subject is made once (`Exam`); `measure` then fills one `Row`.
"""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from artem_vr.evaluation import lattice, metrics, motion, stereo
from artem_vr.evaluation.binarised import parameter_count
from artem_vr.evaluation.subjects import Subject
from artem_vr.networks.vgg import STYLE_LAYERS, VGG19

CONTENT_LAYER = "relu4_1"
PAINTING_SIZE = 512
T = TypeVar("T")

NOISE = 2 / 255
"""Deviation of the sensor noise of the noise test."""


PLAIN_MEANS = frozenset({"edge", "edge_ssim", "style_retrieval", "content_retrieval", "disparity_drift", "bad1"})
"""Measures that can be 0 or negative; of all others the mean is geometric."""


@dataclass
class Row:
    """One network and style. A measure that was not taken is NaN; definitions are in `metrics`."""

    network: str
    style: str
    style_loss: float = math.nan
    content_loss: float = math.nan
    tex: float = math.nan
    edge: float = math.nan
    """Correlation of edges with the photograph's."""
    edge_ssim: float = math.nan
    weave: float = math.nan
    """How much the strokes follow a grid of pixels (`lattice.weave`); 0 is best."""
    style_retrieval: float = math.nan
    """Share of pictures whose nearest painting in tex is the right one."""
    content_retrieval: float = math.nan
    """Share of pictures whose nearest photograph in content is the right one."""
    e_stab: float = math.nan
    flicker: float = math.nan
    """e_stab over the output's contrast."""
    motion_gain: float = math.nan
    film_gain: float = math.nan
    stereo_error: float = math.nan
    stereo_flicker: float = math.nan
    """stereo_error over the output's contrast."""
    stereo_gain: float = math.nan
    disparity_drift: float = math.nan
    bad1: float = math.nan
    noise_gain: float = math.nan
    contrast: float = math.nan
    gram_trace: float = math.nan
    """Of the painting: the smaller, the less steady such a style tends to be."""
    ms: float = math.nan
    """Median time of one still of the exam's size, torch fp32 on this machine."""
    parameters: int | None = None
    file: str | None = None
    """Name of the file of weights."""
    file_bytes: int | None = None

    def as_json(self) -> dict[str, str | float | int | None]:
        """Numbers rounded to six digits, NaN as None."""
        result: dict[str, str | float | int | None] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                value = float(f"{value:.6g}") if math.isfinite(value) else None
            result[field.name] = value
        return result


@dataclass(frozen=True)
class Still:
    """A photograph and what is compared with it."""

    picture: Tensor
    """(1, 3, size, size)."""
    edges: Tensor
    index: int
    """Which row of `Exam.contents` is its own."""


@dataclass(frozen=True)
class Moving:
    """Frames of a moving camera; ``positions`` and ``masks`` tie each but the first to the one before."""

    frames: list[Tensor]
    positions: list[Tensor]
    masks: list[Tensor]

    def change_and_contrast(self, painted: list[Tensor]) -> tuple[Tensor, Tensor]:
        """(1,) and (1,): root mean square change over all steps with a valid pixel, mean contrast of the frames."""
        changes = [
            metrics.change(now, motion.sample(before, where), mask)
            for before, now, where, mask in zip(painted[:-1], painted[1:], self.positions, self.masks, strict=True)
        ]
        contrasts = [metrics.contrast(picture) for picture in painted]
        return torch.stack(changes).square().nanmean(dim=0).sqrt(), torch.stack(contrasts).mean(dim=0)


class Exam:
    """Everything that is the same for all subjects. Built from plain tensors: knows no files."""

    def __init__(
        self,
        photographs: list[Tensor],
        paintings: Mapping[str, Tensor],
        vgg: VGG19,
        *,
        moving: int = 16,
        seed: int = 0,
        pairs: list[stereo.StereoPair] | None = None,
        film: list[np.ndarray] | None = None,
        painting_size: int = PAINTING_SIZE,
        fast_arithmetic: bool | None = None,
    ) -> None:
        """``photographs``: at least two, (1, 3, S, S) each; ``paintings`` by name, (1, 3, H, W) each, any size.

        The first ``moving`` photographs are also seen in motion, in stereo and through a noisy sensor, at two
        thirds of their size (their own detail then fills the smaller picture). ``pairs``: real stereo pairs
        instead of those made from photographs. ``film``: (H, W, 3) uint8 RGB frames without a cut.
        ``painting_size``: short side of a painting when its style is taken. ``fast_arithmetic``: VGG-19 in
        bf16; None: where the processor has it.
        """
        from artem_vr.tensors import short_side

        if len(photographs) < 2 or len({p.shape for p in photographs}) > 1:
            raise ValueError("an exam needs two or more photographs of one size")
        self.size = photographs[0].shape[-1]
        self._vgg = vgg
        self._fast = has_fast_bf16() if fast_arithmetic is None else fast_arithmetic
        self.paintings = paintings
        self.painting_statistics = {
            name: metrics.style_statistics(self.features(short_side(p, painting_size))) for name, p in paintings.items()
        }
        self.stills = [Still(p, metrics.edges(p), k) for k, p in enumerate(photographs)]
        self.contents = torch.cat([self._content(self.features(p, (CONTENT_LAYER,))).flatten(1) for p in photographs])
        small = max(16, self.size * 2 // 3)
        scenes = photographs[:moving]
        self.movings = [_moving(scene, small, _generator(seed, 1, i)) for i, scene in enumerate(scenes)]
        self.noisy = [_noisy(m.frames[0], _generator(seed, 2, i)) for i, m in enumerate(self.movings)]
        self._given_pairs = bool(pairs)
        self.pairs = pairs or [
            stereo.synthetic_pair(scene, small, _generator(seed, 3, i)) for i, scene in enumerate(scenes)
        ]
        self.film = _film(film) if film is not None else None

    def share(self, first: int, count: int) -> Exam:
        """``count`` of the photographs, from number ``first`` on and round, and as large a part of the motions.

        A picture must still be told from all photographs and paintings. For subjects of many styles: each is
        examined on other photographs, and `mean_row` has seen them all.
        """
        part = copy.copy(self)
        part.stills = _some(self.stills, first, count)
        moving = math.ceil(len(self.movings) * len(part.stills) / len(self.stills))
        begin = first * moving // len(part.stills)  # fewer than photographs: they take their turns more slowly
        part.movings, part.noisy = _some(self.movings, begin, moving), _some(self.noisy, begin, moving)
        if not self._given_pairs:  # given ones are few: everybody paints them
            part.pairs = _some(self.pairs, begin, moving)
        return part

    def stills_only(self, count: int) -> Exam:
        """The first ``count`` photographs and no motions, for subjects that take minutes a picture."""
        part = self.share(0, count)
        part.movings, part.noisy, part.pairs, part.film = [], [], [], None
        return part

    def features(self, picture: Tensor, layers: tuple[str, ...] = STYLE_LAYERS) -> dict[str, Tensor]:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self._fast):
            return self._vgg(picture, layers)

    @staticmethod
    def _content(features: Mapping[str, Tensor]) -> Tensor:
        return metrics.instance_normalized(features[CONTENT_LAYER])


def measure(
    exam: Exam,
    subject: Subject,
    style: str,
    *,
    steps: Callable[[Iterable[Still]], Iterable[Still]] = iter,
) -> Row:
    """Examines ``subject``, which paints in the manner of the exam's painting ``style``.

    ``steps`` is wrapped around the photographs, for a progress bar.
    """
    row = Row(subject.name, style)
    with torch.no_grad():
        _measure_stills(exam, subject, style, row, steps)
        if exam.movings:
            _measure_motion(exam, subject, row)
            _measure_noise(exam, subject, row)
        if exam.pairs:
            _measure_stereo(exam, subject, row)
        if exam.film is not None:
            row.film_gain = float(_gains([exam.film], subject)[2])
    row.gram_trace = float(metrics.gram_trace(exam.painting_statistics[style]))
    return row


def mean_row(rows: Sequence[Row], style: str) -> Row:
    """Rows of one subject in several styles as one, called ``style``: means as over photographs (`metrics`)."""
    result = replace(rows[0], style=style)
    for field in fields(Row):
        if isinstance(field.default, float):
            mean = metrics.plain_mean if field.name in PLAIN_MEANS else metrics.geometric_mean
            setattr(result, field.name, mean(torch.tensor([getattr(row, field.name) for row in rows])))
    return result


def measure_network(exam: Exam, subject: Subject, network: nn.Module, file: Path | None, row: Row) -> None:
    """Fills in time, parameters, and the file's name and size. ``subject``: the network and nothing before it."""
    picture = exam.stills[0].picture
    times = []
    for _ in range(6):
        start = time.perf_counter()
        subject.still(picture)
        times.append(1000 * (time.perf_counter() - start))
    row.ms = statistics.median(times[1:])  # the first one prepares
    row.parameters = parameter_count(network)
    if file is not None:
        row.file, row.file_bytes = file.name, file.stat().st_size


def _measure_stills(
    exam: Exam, subject: Subject, style: str, row: Row, steps: Callable[[Iterable[Still]], Iterable[Still]]
) -> None:
    names = list(exam.painting_statistics)
    styles, texs, contents, correlations, ssims, weaves, right_style, right_content = ([] for _ in range(8))
    for still in steps(exam.stills):
        painted = subject.still(still.picture)
        features = exam.features(painted)
        own = metrics.style_statistics(features)
        tex = torch.stack([metrics.tex_distance(own, exam.painting_statistics[name]) for name in names], dim=1)
        styles.append(metrics.style_distance(own, exam.painting_statistics[style]))
        texs.append(tex[:, names.index(style)])
        right_style.append(metrics.nearest(tex) == names.index(style))

        content = metrics.instance_normalized(features[CONTENT_LAYER])
        photograph, other = (
            exam.contents[k].view_as(content) for k in (still.index, (still.index + 1) % len(exam.contents))
        )
        contents.append(metrics.content_distance(content, photograph, other))
        distances = metrics.content_distances(content.flatten(1), exam.contents)
        right_content.append(metrics.nearest(distances) == still.index)

        edges = metrics.edges(painted)
        correlations.append(metrics.edge_correlation(edges, still.edges))
        ssims.append(metrics.edge_ssim(edges, still.edges))
        weaves.append(lattice.weave(painted))
    row.style_loss = metrics.geometric_mean(torch.cat(styles))
    row.tex = metrics.geometric_mean(torch.cat(texs))
    row.content_loss = metrics.geometric_mean(torch.cat(contents))
    row.edge = metrics.plain_mean(torch.cat(correlations))
    row.edge_ssim = metrics.plain_mean(torch.cat(ssims))
    row.weave = metrics.geometric_mean(torch.cat(weaves))
    row.style_retrieval = metrics.plain_mean(torch.cat(right_style).float())
    row.content_retrieval = metrics.plain_mean(torch.cat(right_content).float())


def _some(things: list[T], first: int, count: int) -> list[T]:
    """``count`` of them, no more than there are, from ``first`` on; the end is followed by the beginning."""
    return [things[(first + k) % len(things)] for k in range(min(count, len(things)))]


def _gains(movings: list[Moving], subject: Subject) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Change, change over contrast, gain and contrast; (scenes,) each."""
    results = []
    for moving in movings:
        paint = subject.sequence()
        change, contrast = moving.change_and_contrast([paint(frame) for frame in moving.frames])
        own_change, own_contrast = moving.change_and_contrast(moving.frames)
        gain = metrics.gain(change, contrast, own_change, own_contrast)
        results.append((change, change / contrast.clamp_min(1e-3), gain, contrast))
    change, relative, gain, contrast = (torch.cat(column) for column in zip(*results, strict=True))
    return change, relative, gain, contrast


def _measure_motion(exam: Exam, subject: Subject, row: Row) -> None:
    means = [metrics.geometric_mean(values) for values in _gains(exam.movings, subject)]
    row.e_stab, row.flicker, row.motion_gain, row.contrast = means


def _measure_noise(exam: Exam, subject: Subject, row: Row) -> None:
    row.noise_gain = metrics.geometric_mean(_gains(exam.noisy, subject)[2])


def _measure_stereo(exam: Exam, subject: Subject, row: Row) -> None:
    errors, relative, gains, drifts, bads = ([] for _ in range(5))
    for pair in exam.pairs:
        painted = subject.sequence()(pair.eyes)
        mask = pair.mask[:, None]
        error, contrast = metrics.change(painted[:1], pair.expected_left(painted), mask), metrics.contrast(painted[:1])
        own_error = metrics.change(pair.eyes[:1], pair.expected_left(pair.eyes), mask)
        found = stereo.match(painted, float(pair.disparity.where(pair.mask, 0).max()))
        errors.append(error)
        relative.append(error / contrast.clamp_min(1e-3))
        gains.append(metrics.gain(error, contrast, own_error, metrics.contrast(pair.eyes[:1])))
        drifts.append(metrics.disparity_drift(found, pair.disparity, pair.mask))
        bads.append(metrics.bad1(found, pair.disparity, pair.mask))
    row.stereo_error = metrics.geometric_mean(torch.cat(errors))
    row.stereo_flicker = metrics.geometric_mean(torch.cat(relative))
    row.stereo_gain = metrics.geometric_mean(torch.cat(gains))
    row.disparity_drift = metrics.plain_mean(torch.cat(drifts))
    row.bad1 = metrics.plain_mean(torch.cat(bads))


def _moving(scene: Tensor, size: int, generator: torch.Generator) -> Moving:
    """Three frames: the head moves a little, then trembles by less than a pixel."""
    motions = [torch.eye(3, dtype=torch.float64)]
    motions.append(motion.head_motion(generator, size, size, pixels=size / 64))
    motions.append(motions[-1] @ motion.subpixel_shift(generator))
    camera = motion.Camera(scene, size)
    positions = [motion.displacement(now, before, size) for before, now in itertools.pairwise(motions)]
    return Moving([camera.picture(m) for m in motions], positions, [motion.inside(p, size, size) for p in positions])


def _noisy(picture: Tensor, generator: torch.Generator) -> Moving:
    """Two pictures of the same still scene through a sensor with noise."""
    size = picture.shape[-1]
    frames = [(picture + NOISE * torch.randn(picture.shape, generator=generator)).clamp(0, 1) for _ in range(2)]
    still = motion.pixel_positions(size, size)
    return Moving(frames, [still], [torch.ones(1, 1, size, size, dtype=torch.bool)])


def _film(frames: list[np.ndarray]) -> Moving:
    tied = [motion.film_motion(now, before) for before, now in itertools.pairwise(frames)]
    pictures = [torch.from_numpy(np.ascontiguousarray(f)).permute(2, 0, 1)[None].float() / 255 for f in frames]
    return Moving(pictures, [positions for positions, _ in tied], [mask for _, mask in tied])


def _generator(*numbers: int) -> torch.Generator:
    """Its own luck for each picture and test: leaving one out changes no other."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint32)[0])
    return torch.Generator().manual_seed(seed)


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 by itself."""
    probe = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    try:
        return bool(probe()) if probe is not None else False
    except RuntimeError:
        return False
