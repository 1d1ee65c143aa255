import pytest
import torch
from torch.nn import functional as F

from artem_vr.networks.vgg import CONVOLUTIONS, LAYERS, VGG19


@pytest.fixture(scope="module")
def vgg() -> VGG19:
    torch.manual_seed(1)
    vgg = VGG19()
    vgg.mean.copy_(torch.tensor([0.4, 0.5, 0.6]))
    return vgg


def plain(vgg: VGG19, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The network written out step by step, in the order of the article."""
    features = {}
    x = x - vgg.mean[None, :, None, None]
    for block, count in enumerate((2, 2, 4, 1), start=1):
        if block > 1:
            x = F.max_pool2d(x, kernel_size=2, stride=2)
        for index in range(1, count + 1):
            layer = vgg.get_submodule(f"conv{block}_{index}")
            x = F.conv2d(x, layer.weight, layer.bias, padding=1).clamp(min=0)  # type: ignore[arg-type]
            features[f"relu{block}_{index}"] = x
    return features


def test_every_layer_is_the_plain_networks(vgg: VGG19) -> None:
    x = torch.rand(2, 3, 37, 50)
    got, wanted = vgg(x, LAYERS), plain(vgg, x)
    assert list(got) == list(LAYERS) == list(wanted)
    for name in LAYERS:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_default_layers_and_sizes(vgg: VGG19) -> None:
    features = vgg(torch.rand(1, 3, 64, 48))
    sizes = {name: tuple(f.shape[1:]) for name, f in features.items()}
    assert sizes == {
        "relu1_1": (64, 64, 48),
        "relu2_1": (128, 32, 24),
        "relu3_1": (256, 16, 12),
        "relu4_1": (512, 8, 6),
    }


def test_stops_after_the_deepest_layer_asked_for(vgg: VGG19) -> None:
    ran = []
    hooks = [vgg.get_submodule(n).register_forward_hook(lambda *_, n=n: ran.append(n)) for n in CONVOLUTIONS]
    features = vgg(torch.rand(1, 3, 16, 16), ("relu2_1",))
    for hook in hooks:
        hook.remove()
    assert ran == ["conv1_1", "conv1_2", "conv2_1"] and list(features) == ["relu2_1"]


def test_an_unknown_layer_is_named(vgg: VGG19) -> None:
    with pytest.raises(ValueError, match="relu5_1"):
        vgg(torch.rand(1, 3, 16, 16), ("relu5_1",))


def test_border_is_the_mean_and_not_black(vgg: VGG19) -> None:
    """Zero padding after the mean is subtracted: a picture of the mean colour has no border."""
    x = vgg.mean[None, :, None, None].expand(1, 3, 32, 32)
    feature = vgg(x, ("relu1_1",))["relu1_1"]
    assert torch.equal(feature, feature[:, :, :1, :1].expand_as(feature))


def test_frozen_but_lets_gradients_through(vgg: VGG19) -> None:
    assert not any(p.requires_grad for p in vgg.parameters()) and not vgg.training
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    sum(f.square().mean() for f in vgg(x).values()).backward()
    assert x.grad is not None and bool(x.grad.abs().sum() > 0)


def test_bfloat16_autocast_stays_near(vgg: VGG19) -> None:
    x = torch.rand(1, 3, 48, 48)
    exact = vgg(x)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = vgg(x)
    for name, feature in rounded.items():
        assert feature.dtype == torch.bfloat16
        error = (feature.float() - exact[name]).norm() / exact[name].norm()
        assert error < 0.05, name


def test_a_part_shares_its_weights_and_has_the_same_features(vgg: VGG19) -> None:
    before = torch.get_rng_state()
    part = vgg.up_to("relu3_1")
    assert torch.equal(before, torch.get_rng_state())
    x = torch.rand(1, 3, 24, 24)
    for name, feature in part(x, ("relu1_1", "relu3_1")).items():
        assert torch.equal(feature, vgg(x, (name,))[name])
    assert part.conv1_1.weight.data_ptr() == vgg.conv1_1.weight.data_ptr()
    assert not any(p.requires_grad for p in part.parameters())
    assert len(list(part.parameters())) == 2 * part.layers.index("relu3_1") + 2
    with pytest.raises(ValueError, match="relu4_1"):
        part(x, ("relu4_1",))
