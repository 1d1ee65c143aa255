import math

import pytest
import torch
from torch import Tensor

from artem_vr.evaluation import metrics
from artem_vr.evaluation.metrics import StyleStatistics
from artem_vr.networks.vgg import VGG19


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def textured(height: int, width: int, period: float = 9.0) -> Tensor:
    """(1, 3, H, W): smooth stripes and waves."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    waves = [torch.sin(x / period + k) * torch.cos(y / (period * 1.3) - k) for k in range(3)]
    return (0.5 + 0.4 * torch.stack(waves))[None]


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


def test_gram_is_the_product_over_pixels() -> None:
    feature = noise(2, 5, 4, 6)
    flat = feature[1].reshape(5, 24)
    torch.testing.assert_close(metrics.gram(feature)[1], flat @ flat.T / 24)


def test_correlation_is_of_zero_mean_unit_deviation_channels() -> None:
    feature = noise(1, 4, 16, 16) * torch.tensor([1.0, 2.0, 3.0, 0.5])[None, :, None, None] + 3
    correlation = metrics.style_statistics({"x": feature})["x"].correlation[0]
    torch.testing.assert_close(correlation, torch.corrcoef(feature[0].flatten(1)), rtol=1e-3, atol=1e-3)


def test_a_dead_channel_makes_no_noise() -> None:
    feature = noise(1, 3, 8, 8)
    feature[:, 1] = 0.25
    statistics = metrics.style_statistics({"x": feature})["x"]
    assert torch.isfinite(statistics.correlation).all()
    assert statistics.correlation[0, 1].abs().max() < 1e-2


def test_style_and_tex_are_zero_for_the_painting_itself(vgg: VGG19) -> None:
    statistics = metrics.style_statistics(vgg(textured(48, 48)))
    assert float(metrics.style_distance(statistics, statistics)) == 0
    assert float(metrics.tex_distance(statistics, statistics)) == 0


def test_tex_is_blind_to_scale_and_offset_of_channels_and_style_is_not() -> None:
    feature = noise(1, 6, 16, 16)
    other = feature * torch.arange(1, 7)[None, :, None, None] + torch.arange(6)[None, :, None, None]
    one, two = (metrics.style_statistics({"x": f}) for f in (feature, other))
    assert float(metrics.tex_distance(two, one)) < 1e-6
    assert float(metrics.style_distance(two, one)) > 1


def test_style_distance_by_hand() -> None:
    def of(value: float) -> dict[str, StyleStatistics]:
        matrix = torch.full((1, 2, 2), value)
        return {"a": StyleStatistics(matrix, matrix), "b": StyleStatistics(2 * matrix, matrix)}

    assert float(metrics.style_distance(of(3.0), of(2.0))) == pytest.approx(2 * 0.25)


def test_bfloat16_features_are_summed_in_fp32() -> None:
    feature = noise(1, 4, 64, 64) + 10
    exact, rounded = (metrics.style_statistics({"x": f})["x"] for f in (feature, feature.bfloat16()))
    assert rounded.gram.dtype == torch.float32
    torch.testing.assert_close(exact.gram, rounded.gram, rtol=1e-2, atol=0)


def test_content_is_zero_for_the_photograph_and_one_for_the_other() -> None:
    photograph, other = (metrics.instance_normalized(noise(1, 8, 12, 12, seed=s)) for s in (1, 2))
    assert float(metrics.content_distance(photograph, photograph, other)) == 0
    assert float(metrics.content_distance(other, photograph, other)) == 1
    third = metrics.instance_normalized(noise(1, 8, 12, 12, seed=3))
    assert float(metrics.content_distance(third, photograph, other)) == pytest.approx(1, abs=0.1)


def test_content_is_blind_to_palette() -> None:
    feature = noise(1, 8, 12, 12)
    torch.testing.assert_close(
        metrics.instance_normalized(feature * 7 + 2), metrics.instance_normalized(feature), rtol=1e-3, atol=1e-3
    )


def test_retrievals_find_the_nearest() -> None:
    bank = noise(5, 40)
    outputs = bank[[3, 0]] + 0.01
    distances = metrics.content_distances(outputs, bank)
    torch.testing.assert_close(distances, (outputs[:, None] - bank[None]).square().sum(dim=2), rtol=1e-3, atol=1e-3)
    assert metrics.nearest(distances).tolist() == [3, 0]


def test_edges_of_a_ramp_are_its_slope() -> None:
    ramp = (torch.arange(40).float() / 100).expand(1, 3, 30, 40)
    inner = metrics.edges(ramp)[..., 10:-10, 10:-10]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.01), rtol=1e-3, atol=1e-6)


def test_edge_measures() -> None:
    photograph = metrics.edges(textured(64, 64))
    palette = metrics.edges(0.3 * textured(64, 64) + 0.1)
    stranger = metrics.edges(noise(1, 3, 64, 64))
    grey = metrics.edges(torch.full((1, 3, 64, 64), 0.5))
    for measure in (metrics.edge_correlation, metrics.edge_ssim):
        assert float(measure(photograph, photograph)) == pytest.approx(1)
        assert float(measure(palette, photograph)) == pytest.approx(1, abs=1e-3)
        assert float(measure(stranger, photograph)) < 0.5
        assert math.isfinite(float(measure(grey, photograph))) and float(measure(grey, photograph)) < 0.5


def test_ssim_knows_equal_pictures_and_opposites() -> None:
    picture = textured(40, 40)
    assert float(metrics.ssim(picture, picture)) == pytest.approx(1)
    assert float(metrics.ssim(picture, 1 - picture)) < 0


def test_blur_keeps_the_mean_and_the_flat() -> None:
    flat = torch.full((2, 3, 20, 20), 0.7)
    torch.testing.assert_close(metrics.gaussian_blur(flat, 2.0), flat)
    spot = torch.zeros(1, 1, 31, 31)
    spot[0, 0, 15, 15] = 1
    assert float(metrics.gaussian_blur(spot, 2.0).sum()) == pytest.approx(1, abs=1e-5)


def test_change_counts_only_the_mask() -> None:
    now, expected = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    expected[..., 0] = 0.5
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    assert float(metrics.change(now, expected, mask)) == pytest.approx(0.25)
    mask[..., 0] = False
    assert float(metrics.change(now, expected, mask)) == 0
    assert math.isnan(float(metrics.change(now, expected, torch.zeros_like(mask))))
    assert float(metrics.change(now, expected)) == pytest.approx(0.25)


def test_gain_is_relative_to_contrast_and_to_the_input() -> None:
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    assert float(metrics.gain(one, one, one, one)) == 1
    assert float(metrics.gain(two, two, one, one)) == 1  # twice the change at twice the contrast
    assert float(metrics.gain(two, one, one, one)) == 2
    assert float(metrics.gain(0 * one, 0 * one, one, one)) == 0  # flat grey


def test_there_is_no_gain_over_an_input_without_change_or_contrast() -> None:
    changes, contrasts = torch.tensor([0.0, 1e-3, 0.0, 0.1]), torch.tensor([0.2, 0.0, 0.0, 0.2])
    gains = metrics.gain(torch.full((4,), 0.1), torch.full((4,), 0.2), changes, contrasts)
    assert gains.isnan().tolist() == [True, True, True, False]
    assert metrics.geometric_mean(gains) == pytest.approx(1)  # the mean is of what can be measured


def test_known_disparity_has_no_error() -> None:
    true = torch.full((1, 6, 8), 5.0)
    mask = torch.ones(1, 6, 8, dtype=torch.bool)
    assert float(metrics.bad1(true, true, mask)) == 0 and float(metrics.disparity_drift(true, true, mask)) == 0


def test_wrong_and_missing_matches_are_bad_and_drift_is_of_the_matched() -> None:
    true = torch.full((1, 1, 4), 5.0)
    found = torch.tensor([[[5.5, 7.0, float("nan"), -1.0]]])
    mask = torch.tensor([[[True, True, True, True]]])
    assert float(metrics.bad1(found, true, mask)) == 0.75
    assert float(metrics.disparity_drift(found, true, mask)) == 0.5  # torch's median is the lower one
    mask[..., 1:] = False
    assert float(metrics.bad1(found, true, mask)) == 0
    assert math.isnan(float(metrics.disparity_drift(found * float("nan"), true, mask)))
    assert math.isnan(float(metrics.bad1(found, true, torch.zeros_like(mask))))


def test_means() -> None:
    assert metrics.geometric_mean(torch.tensor([1.0, 100.0])) == pytest.approx(10)
    assert metrics.geometric_mean(torch.tensor([0.0, 100.0])) == 0
    assert metrics.geometric_mean(torch.tensor([4.0, float("nan")])) == pytest.approx(4)
    assert math.isnan(metrics.geometric_mean(torch.tensor([])))
    assert metrics.plain_mean(torch.tensor([0.0, 1.0])) == 0.5


def test_gram_trace_is_the_mean_square_of_features() -> None:
    feature = noise(1, 4, 8, 8)
    trace = float(metrics.gram_trace(metrics.style_statistics({"x": feature})))
    assert trace == pytest.approx(float(feature.square().mean()), rel=1e-4)
