"""What the network for any painting promises: codes do what they say, near paintings have near codes, no lattice."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from artem_vr.evaluation.lattice import VISIBLE, probes, worst_lattice
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import (
    Given,
    GivenStatistics,
    InstanceNorm,
    Normalizer,
    OwnStatistics,
    SmoothedStatistics,
    liveliness,
    statistics_channels,
)
from artem_vr.styles.codes import adjusted, mixed, read_code
from artem_vr.styles.library import Library
from artem_vr.stylize.encoder import Encoder, readable
from artem_vr.training.compact import begin_with_code


@pytest.fixture(scope="module")
def small() -> CompactNetwork:
    torch.manual_seed(2)
    return CompactNetwork(16, 16, 16, 2).eval().requires_grad_(False)


def random_codes(network: CompactNetwork, count: int = 2, seed: int = 0) -> Tensor:
    """(count, 2, C) about what trained encoders give."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(count, 2, network.channels, generator=generator)
    codes[:, 0] = 1 + 0.5 * codes[:, 0]
    return codes


class Watched:
    """A normalizer that keeps what every norm received and gave, with what was left out of both."""

    def __init__(self, inner: Normalizer) -> None:
        self._inner = inner
        self._codes: list[Given] = []
        self.seen: list[tuple[Tensor, Tensor]] = []

    def code(self, norm: InstanceNorm) -> Given | None:
        given = self._inner.code(norm)
        assert given is not None
        self._codes.append(given)
        return given

    def __call__(self, norm: InstanceNorm, x: Tensor, given: Given | None = None) -> Tensor:
        assert given is not None
        y = self._inner(norm, x, given)
        beyond = 0 if given.beyond is None else given.beyond[:, None, None]
        self.seen.append((x + beyond, y + (self._codes[-1].mean - given.mean)[:, None, None]))
        return y


def test_every_norm_gives_the_codes_deviations_and_means(small: CompactNetwork) -> None:
    """AdaIN (Huang & Belongie 2017), in float64: sigma(y) (x - mu(x)) / sigma(x) + mu(y), and that moment by moment."""
    network, code = small.double(), random_codes(small)[0].double()
    try:
        watched = Watched(OwnStatistics(code))
        network(torch.rand(2, 3, 48, 64, dtype=torch.float64), watched)
    finally:
        small.float()
    position = 0
    for x, y in watched.seen:
        here = slice(position, position + x.shape[1])
        position += x.shape[1]
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
        deviations, means = code[0, here, None, None], code[1, here, None, None]
        shown = liveliness(mean, variance)  # all but 1, where a channel shows anything
        expected = shown * deviations * (x - mean) / (variance + 1e-2).sqrt() + means
        torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-6)
        varied = (variance > 10) & (shown > 0.999)  # where the bounds on amplification no longer count
        assert ((y.std((2, 3), correction=0, keepdim=True) - deviations.abs()).abs() < 1e-2)[varied].all()
        torch.testing.assert_close(y.mean((2, 3), keepdim=True), means.expand_as(mean), rtol=1e-4, atol=1e-5)
    assert position == small.channels == statistics_channels(small.painter)


def test_a_constant_channel_gets_the_mean_and_no_nan(small: CompactNetwork) -> None:
    code = random_codes(small)[0]
    norm = next(m for m in small.modules() if isinstance(m, InstanceNorm))
    y = OwnStatistics(code)(norm, torch.full((1, norm.channels, 8, 9), 3.7))
    torch.testing.assert_close(y, code[1, : norm.channels, None, None].expand_as(y[0])[None], rtol=0, atol=1e-4)
    assert torch.isfinite(small(torch.full((1, 3, 32, 32), 0.5), OwnStatistics(code))).all()


def test_a_code_for_all_pictures_is_the_same_as_one_for_each(small: CompactNetwork) -> None:
    x, codes = torch.rand(2, 3, 40, 48), random_codes(small)
    own = OwnStatistics(codes)
    both = small(x, own)
    for k in range(2):
        alone = OwnStatistics(codes[k])
        torch.testing.assert_close(small(x[k : k + 1], alone), both[k : k + 1], rtol=1e-4, atol=1e-5)
        replayed = small(x[k : k + 1], GivenStatistics(alone.recorded, codes[k]))
        torch.testing.assert_close(replayed, both[k : k + 1], rtol=1e-4, atol=1e-5)
    replayed = small(x, GivenStatistics(own.recorded, codes))
    torch.testing.assert_close(replayed, both, rtol=1e-4, atol=1e-5)
    same = small(x, OwnStatistics(codes[:1].expand(2, -1, -1)))
    torch.testing.assert_close(same, small(x, OwnStatistics(codes[0])), rtol=1e-4, atol=1e-5)


def test_eyes_that_see_the_same_are_painted_the_same(small: CompactNetwork) -> None:
    eye, code = torch.rand(1, 3, 40, 48), random_codes(small)[0]
    painted = small(eye.expand(2, -1, -1, -1), SmoothedStatistics(torch.zeros(2, small.channels), torch.ones(1), code))
    assert torch.equal(painted[0], painted[1])
    torch.testing.assert_close(painted[:1], small(eye, OwnStatistics(code)), rtol=1e-3, atol=1e-4)


def test_without_a_code_it_is_the_painter_with_its_own(small: CompactNetwork) -> None:
    x = torch.rand(1, 3, 40, 48)
    torch.testing.assert_close(small(x), small(x, OwnStatistics(small.plain)), rtol=0, atol=2e-3)  # `liveliness`
    assert small.plain.shape == (2, small.channels)


def test_the_budget() -> None:
    network = CompactNetwork()
    assert sum(p.numel() for p in network.parameters()) <= 2_000_000


@pytest.mark.parametrize("size", [(32, 32), (33, 200), (250, 41)])
def test_a_painting_of_any_size_is_a_code_of_one_size(small: CompactNetwork, size: tuple[int, int]) -> None:
    codes = small.encode(torch.rand(2, 3, *size))
    assert codes.shape == (2, 2, small.channels) and torch.isfinite(codes).all()
    alone = small.encode(torch.rand(2, 3, *size)[:1])
    assert alone.shape == (1, 2, small.channels)


def test_where_a_thing_is_in_the_painting_does_not_matter(small: CompactNetwork) -> None:
    tile = torch.rand(1, 3, 64, 64)
    wide, tall = torch.cat([tile] * 6, dim=3), torch.cat([tile] * 6, dim=2)
    difference = (small.encode(wide) - small.encode(tall)).abs().mean()
    assert difference < 0.1 * (small.encode(wide) - small.encode(wide * 0.5)).abs().mean()


# --- the network that is shipped ------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """The network for any painting that is shipped; before there is one, an untrained one that reads as well."""

    network: CompactNetwork
    codes: list[np.ndarray]
    """Of paintings; of the network itself first."""

    def encode(self, picture: np.ndarray) -> np.ndarray:
        read = torch.tensor(readable(picture, 224)).permute(2, 0, 1)[None] / 255
        return self.network.encode(read)[0].numpy()

    def paint(self, code: np.ndarray, photograph: Tensor) -> Tensor:
        return self.network(photograph, OwnStatistics(torch.from_numpy(code)))


@pytest.fixture(scope="module")
def reader() -> Reader:
    library = Library()
    if library.compact is not None:
        encoder = Encoder(*library.compact)
        styles = [style for style in library.styles() if style.form == "code" and style.kind == "shipped"]
        return Reader(encoder.network(), [encoder.plain, *(read_code(s.path, s.sha256).values for s in styles)])
    torch.manual_seed(0)
    network = CompactNetwork()
    begin_with_code(network)
    nn.init.normal_(network.encoder.answer.weight)  # paintings as far from each other as after training
    network.eval().requires_grad_(False)
    return Reader(network, [network.plain.numpy(), *random_codes(network, 3).numpy()])


def paintings(size: tuple[int, int] = (260, 320)) -> dict[str, np.ndarray]:
    """Made up, and unlike in palette and strokes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    swirls = np.sin(np.hypot(x - 130, y - 90) / 4 + 2 * np.arctan2(y - 90, x - 130))
    dots = (np.hypot(x % 12 - 6, y % 12 - 6) < 4).astype(float)
    blocks = np.kron(rng.random((size[0] // 20, size[1] // 20)), np.ones((20, 20)))
    strokes = np.sin((x + 0.3 * y) / 2.5) * np.sin(y / 30)
    palettes = rng.random((4, 2, 3))
    result = {}
    for (name, pattern), (dark, light) in zip(
        {"swirls": swirls, "dots": dots, "blocks": blocks, "strokes": strokes}.items(), palettes, strict=True
    ):
        share = ((pattern - pattern.min()) / np.ptp(pattern))[..., None]
        noisy = dark + share * (light - dark) + rng.normal(0, 0.02, (*pattern.shape, 3))
        result[name] = (noisy.clip(0, 1) * 255).astype(np.uint8)
    return result


def photograph() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 9, 12, generator=generator)
    return nn.functional.interpolate(coarse, size=(144, 192), mode="bicubic").clamp(0, 1)


def rotated(picture: np.ndarray, degrees: float) -> np.ndarray:
    """By a small angle, without the corners that leave the picture."""
    from PIL import Image

    turned = np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC))
    margin = math.ceil(max(picture.shape) * math.sin(math.radians(abs(degrees))))
    return turned[margin:-margin, margin:-margin]


CHANGES = {
    "cropped": lambda p: p[10:-14, 16:-8],
    "brightened": lambda p: (p * 1.05 + 4).clip(0, 255).astype(np.uint8),
    "rotated": lambda p: rotated(p, 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nearly_the_same_painting_has_nearly_the_same_code_and_picture(reader: Reader, change: str) -> None:
    pictures = list(paintings().values())
    codes = [reader.encode(picture) for picture in pictures]
    painted = [reader.paint(code, photograph()) for code in codes]
    pairs = list(itertools.combinations(range(len(pictures)), 2))
    unlike_codes = np.mean([np.abs(codes[i] - codes[j]).mean() for i, j in pairs])
    unlike_painted = np.mean([float((painted[i] - painted[j]).abs().mean()) for i, j in pairs])
    for k, picture in enumerate(pictures):
        near = reader.encode(CHANGES[change](picture))
        assert np.abs(near - codes[k]).mean() < 0.5 * unlike_codes
        assert (reader.paint(near, photograph()) - painted[k]).abs().mean() < 0.5 * unlike_painted


def test_two_paintings_mixed_give_a_picture_between(reader: Reader) -> None:
    a, b = (reader.encode(picture) for picture in list(paintings().values())[:2])
    first, *between, last = (
        reader.paint(mixed([a, b], [1 - share, share]), photograph()) for share in (0, 0.25, 0.5, 0.75, 1)
    )
    whole = (last - first).abs().mean()
    from_first = [float((picture - first).abs().mean() / whole) for picture in between]
    from_last = [float((picture - last).abs().mean() / whole) for picture in between]
    assert from_first == sorted(from_first) and from_last == sorted(from_last, reverse=True)
    assert all(0.02 < distance < 1 for distance in (*from_first, *from_last))
    assert torch.equal(first, reader.paint(a, photograph())) and torch.equal(last, reader.paint(b, photograph()))


def test_strength_leads_steadily_away_from_the_photograph(reader: Reader) -> None:
    """As it is shown: strokes grow with the code, and the source shines through."""
    plain, code = reader.codes[0], reader.encode(paintings()["swirls"])
    painted = [reader.paint(adjusted(code, plain, k / 8), photograph()) for k in range(9)]
    pictures = [torch.lerp(photograph(), picture, k / 8) for k, picture in enumerate(painted)]
    away = [float((picture - pictures[0]).abs().mean()) for picture in pictures]
    assert away[0] == 0 and away[-1] > 0.02
    steps = [float((b - a).abs().mean()) for a, b in itertools.pairwise(pictures)]
    assert max(steps) < 0.25 * away[-1]  # no strength where the picture jumps
    assert torch.equal(pictures[-1], reader.paint(code, photograph()))


def test_the_shipped_painter_is_at_most_1_3_times_the_fast_network(reader: Reader) -> None:
    def operations(network: nn.Module) -> int:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 128, 128))
        return int(counter.get_total_flops())

    assert operations(reader.network.painter) <= 1.3 * operations(FastNetwork())
    assert sum(p.numel() for p in reader.network.parameters()) <= 2_000_000


@pytest.mark.parametrize("size", [256, 512])
def test_no_code_leaves_a_lattice(reader: Reader, size: int) -> None:
    for number, code in enumerate(reader.codes):
        for name, picture in probes(size, size).items():
            assert worst_lattice(reader.paint(code, picture)) < VISIBLE, (number, name)
