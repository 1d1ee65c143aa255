import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from artem_vr.evaluation import metrics, report
from artem_vr.evaluation.baselines import Blend, ColourTransfer, Unchanged, baselines
from artem_vr.evaluation.exam import Exam, Moving, Row, mean_row, measure, measure_network
from artem_vr.evaluation.motion import pixel_positions
from artem_vr.evaluation.subjects import RATE, NetworkSubject
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.layers import SmoothedStatistics, statistics_channels
from artem_vr.networks.vgg import VGG19
from artem_vr.tensors import square

cv2 = pytest.importorskip("cv2")


def scene(seed: int, size: int = 96) -> Tensor:
    """(1, 3, size, size): blots of several sizes, unlike from seed to seed."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 3, size, size)
    for cells, share in ((4, 0.5), (12, 0.3), (32, 0.2)):
        coarse = torch.rand(1, 3, cells, cells, generator=generator)
        picture += share * torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    return ((picture - 0.5) * 1.5 + 0.5).clamp(0, 1)


def test_a_step_without_a_valid_pixel_does_not_count() -> None:
    """A film's cut is no stillness."""
    frames = [scene(seed, 16) for seed in range(3)]
    still = pixel_positions(16, 16)
    nowhere, everywhere = torch.zeros(1, 1, 16, 16, dtype=torch.bool), torch.ones(1, 1, 16, 16, dtype=torch.bool)
    with_cut = Moving(frames, [still, still], [nowhere, everywhere]).change_and_contrast(frames)[0]
    torch.testing.assert_close(with_cut, metrics.change(frames[2], frames[1]))


class Grey:
    """Perfectly steady, and nothing to see."""

    name = "grey"

    def still(self, pictures: Tensor) -> Tensor:
        return torch.full_like(pictures, 0.5)

    def sequence(self):
        return self.still


class Flickering:
    """Every frame has another brightness; the eyes differ too."""

    name = "flickering"

    def still(self, pictures: Tensor) -> Tensor:
        return (pictures * 0.8).clamp(0, 1)

    def sequence(self):
        count = 0

        def paint(eyes: Tensor) -> Tensor:
            nonlocal count
            count += 1
            steps = torch.arange(len(eyes))[:, None, None, None] + count
            return eyes * 0.8 + 0.1 * (steps % 2)

        return paint


class Woven:
    """Columns of two pixels."""

    name = "woven"

    def still(self, pictures: Tensor) -> Tensor:
        return pictures[..., ::2].repeat_interleave(2, dim=3)

    def sequence(self):
        return self.still


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


@pytest.fixture(scope="module")
def exam(vgg: VGG19) -> Exam:
    paintings = {"blots": scene(100, 120), "stripes": (scene(101, 120) > 0.5).float()}
    # a film: the camera moves over a scene by 2 pixels a frame
    wide = (scene(7, 110)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    film = [np.ascontiguousarray(wide[:80, 2 * k : 2 * k + 90]) for k in range(3)]
    photographs = [scene(k) for k in range(3)]
    return Exam(photographs, paintings, vgg, moving=2, seed=5, film=film, painting_size=120, fast_arithmetic=False)


def test_the_unchanged_photograph(exam: Exam) -> None:
    row = measure(exam, Unchanged(), "stripes")
    assert row.content_loss == 0 and row.content_retrieval == 1
    assert row.edge == pytest.approx(1) and row.edge_ssim == pytest.approx(1)
    for gain in (row.motion_gain, row.stereo_gain, row.noise_gain, row.film_gain):
        assert gain == pytest.approx(1, abs=1e-4)
    assert row.disparity_drift < 0.6 and row.bad1 < 0.2
    assert row.style_loss > 0 and row.tex > 0 and row.e_stab > 0 and row.gram_trace > 0


def test_flat_grey_is_steady_and_nothing_else(exam: Exam) -> None:
    row = measure(exam, Grey(), "stripes")
    for name in ("e_stab", "flicker", "motion_gain", "stereo_error", "stereo_gain", "noise_gain", "film_gain"):
        assert getattr(row, name) == pytest.approx(0, abs=1e-3), name
    assert row.bad1 > 0.5 and row.contrast == pytest.approx(0, abs=1e-6)
    assert row.content_loss > 0.3 and row.edge == pytest.approx(0, abs=1e-3)


def test_flicker_shows_in_every_gain(exam: Exam) -> None:
    row, steady = measure(exam, Flickering(), "stripes"), measure(exam, Unchanged(), "stripes")
    for name in ("e_stab", "flicker", "motion_gain", "stereo_error", "stereo_flicker", "stereo_gain", "noise_gain",
                 "film_gain"):  # fmt: skip
        assert getattr(row, name) > 2 * getattr(steady, name), name


def test_a_grid_in_the_strokes_shows_in_weave_alone(exam: Exam) -> None:
    woven, whole = measure(exam, Woven(), "stripes"), measure(exam, Unchanged(), "stripes")
    assert whole.weave < 0.02 and woven.weave > 0.2
    assert woven.tex < 1.2 * whole.tex and woven.edge > 0.9
    assert measure(exam, Grey(), "stripes").weave == 0


def test_the_painting_itself_is_found_and_the_photograph_is_not(exam: Exam) -> None:
    class Painting(Grey):
        def still(self, pictures: Tensor) -> Tensor:
            height, width = pictures.shape[-2:]
            return square(exam.paintings["stripes"], max(height, width))[..., :height, :width].expand_as(pictures)

    row = measure(exam, Painting(), "stripes")
    assert row.style_retrieval == 1 and row.content_retrieval < 1
    assert row.tex < measure(exam, Unchanged(), "stripes").tex / 2
    assert row.content_loss > 0.5
    own = exam.painting_statistics["stripes"]
    assert float(metrics.tex_distance(own, own)) == 0


def test_colour_transfer_has_the_paintings_palette() -> None:
    painting, photograph = scene(1) * 0.4 + 0.3, scene(2) * 0.5
    moved = ColourTransfer(painting).still(photograph)
    torch.testing.assert_close(moved.mean(dim=(2, 3)), painting.mean(dim=(2, 3)), rtol=0, atol=0.02)
    torch.testing.assert_close(moved.std(dim=(2, 3)), painting.std(dim=(2, 3)), rtol=0, atol=0.03)


def test_blends_mix_in_their_proportion() -> None:
    painting, photograph = torch.full((1, 3, 50, 70), 1.0), torch.zeros(1, 3, 32, 40)
    assert torch.allclose(Blend(painting, 0.3).still(photograph), torch.tensor(0.7))
    assert [b.name for b in baselines(painting)] == ["photograph", "colour transfer", "blend 30/70", "blend 70/30"]


def test_a_network_is_run_as_the_program_runs_it(exam: Exam) -> None:
    torch.manual_seed(3)
    network = FastNetwork(16, 16, 8, 1).eval()
    subject = NetworkSubject("fast", network)
    photograph, eyes = exam.stills[0].picture, torch.cat([scene(1), scene(2)])
    with torch.no_grad():
        torch.testing.assert_close(subject.still(photograph), network(photograph), rtol=1e-3, atol=1e-4)
        paint = subject.sequence()
        first = SmoothedStatistics(torch.zeros(2, statistics_channels(network)), torch.ones(1))
        torch.testing.assert_close(paint(eyes), network(eyes, first), rtol=1e-3, atol=1e-4)
        second = SmoothedStatistics(first.new_state(), torch.tensor([RATE]))
        torch.testing.assert_close(paint(eyes.flip(3)), network(eyes.flip(3), second), rtol=1e-3, atol=1e-4)
        again = subject.sequence()  # a new scene forgets the old one
        torch.testing.assert_close(again(eyes), network(eyes, SmoothedStatistics(first.new_state(), torch.ones(1))),
                                   rtol=1e-3, atol=1e-4)  # fmt: skip


def test_a_code_is_painted_in_stills_and_in_sequences(exam: Exam) -> None:
    torch.manual_seed(3)
    network = CompactNetwork(16, 16, 8, 1)
    plain = network.plain.detach()
    codes = plain, plain * 1.5 + 0.2
    plainly, strongly = (NetworkSubject("compact", network, code) for code in codes)
    without, photograph = NetworkSubject("compact", network), exam.stills[0].picture
    for paint in (lambda s: s.still(photograph), lambda s: s.sequence()(photograph)):
        torch.testing.assert_close(paint(plainly), paint(without), rtol=0, atol=2e-3)  # but for `layers.liveliness`
        assert (paint(strongly) - paint(without)).abs().mean() > 0.01


def test_every_measure_of_a_network_is_filled_and_repeatable(exam: Exam) -> None:
    torch.manual_seed(3)
    network = FastNetwork(16, 16, 8, 1)
    subject = NetworkSubject("fast", network)
    row, again = measure(exam, subject, "blots"), measure(exam, subject, "blots")
    measure_network(exam, subject, network, None, row)
    assert row.parameters == sum(p.numel() for p in network.parameters()) and row.ms > 0
    values = row.as_json()
    assert [name for name, value in values.items() if value is None] == ["file", "file_bytes"]
    assert again.tex == pytest.approx(row.tex, rel=1e-4) and again.e_stab == pytest.approx(row.e_stab, rel=1e-4)


def test_an_exam_of_its_seed_is_the_same_whatever_else_is_in_it(vgg: VGG19) -> None:
    photographs = [scene(k, 64) for k in range(3)]
    short, long = (Exam(photographs, {}, vgg, moving=m, seed=5, fast_arithmetic=False) for m in (1, 3))
    for one, other in zip(short.movings[0].frames, long.movings[0].frames, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(short.pairs[0].disparity, long.pairs[0].disparity)


def test_shares_take_turns_and_still_compare_with_everything(exam: Exam) -> None:
    shares = [exam.share(first, 2) for first in (0, 2)]
    assert [[still.index for still in share.stills] for share in shares] == [[0, 1], [2, 0]]
    assert all(len(s.movings) == len(s.noisy) == len(s.pairs) == 2 for s in shares) and len(exam.stills) == 3
    row = measure(shares[1], Unchanged(), "stripes")
    assert row.content_retrieval == 1 and row.content_loss == 0 and row.film_gain == pytest.approx(1, abs=1e-4)
    whole = [measure(exam.share(k, 1), Unchanged(), "stripes") for k in range(3)]
    mean = mean_row(whole, "all three")
    assert (mean.network, mean.style) == ("photograph", "all three")
    full = measure(exam, Unchanged(), "stripes")
    assert mean.tex == pytest.approx(full.tex, rel=1e-4) and mean.edge == pytest.approx(full.edge)


def test_shares_together_see_all_that_moves_also_where_less_moves_than_stands(exam: Exam) -> None:
    whole = copy.copy(exam)
    whole.stills = [replace(exam.stills[0], index=k) for k in range(12)]
    whole.movings = [replace(exam.movings[0]) for _ in range(6)]
    whole.noisy = list(whole.movings)
    shares = [whole.share(4 * number, 4) for number in range(3)]
    places = {id(moving): place for place, moving in enumerate(whole.movings)}
    assert [[places[id(moving)] for moving in share.movings] for share in shares] == [[0, 1], [2, 3], [4, 5]]


def test_an_exam_needs_two_photographs_of_one_size(vgg: VGG19) -> None:
    with pytest.raises(ValueError, match="two"):
        Exam([scene(0)], {}, vgg)
    with pytest.raises(ValueError, match="size"):
        Exam([scene(0), scene(1, 64)], {}, vgg)


ROWS = [
    Row("fast", "starry_night", style_loss=0.3, tex=0.65, parameters=250_000, file_bytes=500_000, style_retrieval=0.98),
    Row("photograph", "starry_night", style_loss=2.5, tex=math.nan, style_retrieval=0.0),
]


def test_text_and_markdown_hold_the_same_cells() -> None:
    text, markdown = report.as_text(ROWS, "heading"), report.as_markdown(ROWS, "heading")
    for shown in ("starry_night", "0.650", "250,000", "98 %", "style found"):
        assert shown in text and shown in markdown
    assert "stereo gain" not in text  # nobody filled it
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1


def test_json_has_the_promised_keys_and_no_nan() -> None:
    printed = json.loads(json.dumps(report.as_json(ROWS, {"seed": 0}), allow_nan=False))
    promised = {
        "network", "style", "style_loss", "content_loss", "style_retrieval", "content_retrieval", "e_stab",
        "stereo_error", "disparity_drift", "noise_gain", "tex", "edge", "weave", "ms", "parameters", "file_bytes",
    }  # fmt: skip
    assert printed["seed"] == 0 and promised <= set(printed["rows"][0])
    assert printed["rows"][1]["tex"] is None and printed["rows"][0]["tex"] == 0.65


def test_sheet_shows_painting_and_pictures_in_their_places() -> None:
    def plain(value: int, height: int = 64, width: int = 64) -> np.ndarray:
        return np.full((height, width, 3), value, np.uint8)

    sheet = report.sheet([plain(10), plain(20)], [("one", plain(30, 32, 64), [plain(40), plain(50)])], size=64)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    centre = [[int(sheet[6 + r * 92 + 22 + 32, 6 + c * 70 + 32, 0]) for c in range(3)] for r in range(2)]
    assert centre == [[250, 10, 20], [30, 40, 50]]


class Trembling(FastNetwork):
    """Shows its input with a grain that is another one every time."""

    def forward(self, x: Tensor, normalize: object = None) -> Tensor:
        return (x + 0.1 * torch.randn_like(x)).clamp(0, 1)


def test_what_is_steadied_is_steadier_in_motion_and_between_the_eyes(exam: Exam, monkeypatch) -> None:
    monkeypatch.setattr(SmoothedStatistics, "new_state", lambda self: torch.zeros(2, 8))
    subject = NetworkSubject("trembling", Trembling())
    torch.manual_seed(0)
    painted = measure(exam, subject, "blots")
    subject.steadied = True
    shown = measure(exam, subject, "blots")
    assert shown.flicker < 0.8 * painted.flicker
    assert shown.noise_gain < 0.8 * painted.noise_gain
    assert shown.stereo_flicker < 0.9 * painted.stereo_flicker


def test_what_is_measured_can_lie_on_the_ground() -> None:
    torch.manual_seed(0)
    subject, grey = NetworkSubject("ours", FastNetwork(8, 8, 8, 1)), torch.full((1, 3, 96, 96), 0.5)
    subject.steadied = True
    assert subject.still(grey).std() < 1e-3 > subject.sequence()(grey).std()
    subject.ground = 0.5
    assert subject.still(grey).std() > 1e-2 < subject.sequence()(grey).std()
