"""A packed layer does what its training layer does; gradients go straight through, clipped."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from tests.xnor.cases import CHANNELS
from xnor import XnorError
from xnor.layers import PackedConv2d, PackedLinear, XnorConv2d, XnorLinear, sign


def shaken(layer: XnorConv2d | XnorLinear) -> XnorConv2d | XnorLinear:
    """Parameters as after some training: nothing is at its first value."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return layer


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("last", [False, True])
def test_packed_convolution_equals_training(channels: int, last: bool) -> None:
    torch.manual_seed(channels)
    layer = shaken(XnorConv2d(channels, 21, 3, padding=1))
    x = torch.randn(2, channels, 9, 7)
    if last:
        x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(layer.pack()(x), layer(x).detach(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2, "padding": 1},
        {"stride": (1, 3), "padding": (2, 0), "dilation": (2, 1)},
        {"padding": 1, "padding_value": 1},
        {"padding": (2, 1), "padding_mode": "reflect", "input_scale": True},
        {"padding": (1, 2), "padding_mode": "replicate", "stride": 2},
        {"padding": 1, "padding_mode": "circular", "padding_value": 1},
        {"padding": (1, 2), "padding_value": -1, "stride": 2},
        {"groups": 2, "padding": 1, "input_scale": True},
        {"groups": 2, "input_scale": True, "stride": 2, "shift": False, "padding": 1, "dilation": 2},
        {"scale": "learned", "bias": False},
        {"shift": False, "prelu": False},
        {"scale": "learned", "input_scale": True, "padding": 2, "padding_value": 1, "prelu": False},
    ],
    ids=str,
)
def test_every_option(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = shaken(XnorConv2d(66, 10, 3, **options))
    packed = layer.pack()
    x = torch.randn(2, 66, 11, 13)
    torch.testing.assert_close(packed(x), layer(x).detach(), rtol=1e-5, atol=1e-4)
    assert packed.config() == layer.config()


@pytest.mark.parametrize("features", [1, 33, 64, 65, 130])
@pytest.mark.parametrize("options", [{}, {"input_scale": True, "scale": "learned"}, {"shift": False, "prelu": False}])
def test_packed_product_equals_training(features: int, options: dict[str, Any]) -> None:
    torch.manual_seed(features)
    layer = shaken(XnorLinear(features, 19, **options))
    for shape in ((features,), (3, features), (2, 5, features)):
        x = torch.randn(shape)
        torch.testing.assert_close(layer.pack()(x), layer(x).detach(), rtol=1e-5, atol=1e-4)
    assert layer.pack()(torch.empty(0, features)).shape == (0, 19)


@pytest.mark.parametrize("kind", [torch.int8, torch.int16, torch.int32, torch.int64], ids=str)
def test_whole_numbers_give_real_ones_in_both(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randint(-3, 4, (2, 5, 6, 7), dtype=kind)
    for shift in (True, False):
        reflected = shaken(XnorConv2d(5, 4, 3, padding=1, padding_mode="reflect", shift=shift))
        product = shaken(XnorLinear(7, 4, input_scale=True, shift=shift))
        for layer in (reflected, product):
            expected = layer(x).detach()
            assert expected.dtype == torch.float32 and bool((expected != expected.round()).any())
            torch.testing.assert_close(layer.pack()(x), expected, rtol=1e-5, atol=1e-4)
            for given in (x.abs().byte(), x > 0):
                for taker in (layer, layer.pack()):
                    with pytest.raises(XnorError, match="no signed number"):
                        taker(given)


def test_what_the_layers_do_not_take() -> None:
    x = torch.ones(1, 5, 6, 7)
    for layer in (XnorConv2d(5, 4, 3), XnorLinear(7, 4)):
        for taker in (layer, layer.pack()):
            for given, says in (
                (x.to_sparse(), "must be a dense tensor, got sparse_coo"),
                (torch.nested.nested_tensor([x[0]], layout=torch.jagged), "must be a dense tensor, got a nested one"),
                (x.to(torch.float8_e4m3fn), "float8_e4m3fn, which is not taken"),
            ):
                with pytest.raises(XnorError, match=says):
                    taker(given)


@pytest.mark.parametrize("size", [2**31, 2**70])
def test_layers_that_no_memory_holds_are_refused(size: int) -> None:
    for conv in (XnorConv2d, PackedConv2d):
        for sizes in ((size, 4, 3), (4, size**2, 3), (4, 4, size), (4, 4, (2**20, 2**20))):
            with pytest.raises(XnorError, match=r"safe only up to|numbers|must be at most"):
                conv(*sizes)
    for linear in (XnorLinear, PackedLinear):
        for inputs, outputs in ((size, 4), (4, size**2)):
            with pytest.raises(XnorError, match=r"safe only up to|numbers"):
                linear(inputs, outputs)


def test_a_value_on_the_threshold_is_positive_in_both() -> None:
    layer = XnorConv2d(1, 1, 1, bias=False, prelu=False, scale="learned")
    with torch.no_grad():
        layer.weight.fill_(1.0)
        assert layer.shift is not None and layer.learned_scale is not None
        layer.shift.fill_(-0.3)
        layer.learned_scale.fill_(1.0)
    x = torch.tensor([0.3, 0.29999998, 0.30000004, -0.3]).reshape(1, 1, 1, 4)
    assert layer(x).flatten().tolist() == layer.pack()(x).flatten().tolist() == [1, -1, 1, -1]


def test_gradient_of_the_sign_is_clipped() -> None:
    x = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5], requires_grad=True)
    y = sign(x)
    assert y.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    y.backward(torch.arange(1.0, 8.0))
    assert x.grad is not None and x.grad.tolist() == [0, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_signs_keep_their_type_and_nan(kind: torch.dtype) -> None:
    values = [float("-inf"), -1e-7, -0.0, 0.0, float("inf"), float("nan")]
    y = sign(torch.tensor(values, dtype=kind))
    assert y.dtype == kind and y[:5].tolist() == [-1, -1, 1, 1, 1] and bool(y[5].isnan())


@pytest.mark.parametrize("part", ["input", "weight", "bias", "shift", "slope", "learned_scale"])
def test_a_nan_in_training_reaches_the_output(part: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6)
    for layer in (shaken(XnorConv2d(3, 4, 3, scale="learned")), shaken(XnorLinear(6, 4, scale="learned"))):
        assert bool(layer(x).isfinite().all())
        given = x.clone()
        with torch.no_grad():
            (given if part == "input" else getattr(layer, part)).view(-1)[0] = torch.nan
        assert bool(layer(given).isnan().any())
        with pytest.raises(XnorError, match="NaN"):
            layer.pack()(given)


def test_gradients_reach_every_parameter_and_match_the_formula() -> None:
    torch.manual_seed(0)
    layer = XnorConv2d(4, 6, 3, padding=1, bias=True, prelu=False)
    x = torch.randn(1, 4, 5, 5, requires_grad=True)
    (layer(x) ** 2).mean().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.abs().sum() > 0), name
    # With the scale held fixed the weight's gradient is that of the real convolution of signs, where |w| <= 1.
    weight = torch.randn(6, 4, 3, 3)
    fixed = XnorConv2d(4, 6, 3, bias=False, prelu=False, shift=False, scale="learned")
    fixed.take_weight(weight.clone(), None)
    fixed(x.detach()).sum().backward()
    signs = torch.where(weight >= 0, 1.0, -1.0).requires_grad_()
    inputs = torch.where(x.detach() >= 0, 1.0, -1.0)
    assert fixed.learned_scale is not None
    (functional.conv2d(inputs, signs) * fixed.learned_scale.detach()[:, None, None]).sum().backward()
    assert fixed.weight.grad is not None and signs.grad is not None
    torch.testing.assert_close(fixed.weight.grad, signs.grad * (weight.abs() <= 1))


def test_a_layer_learns() -> None:
    torch.manual_seed(0)
    target, layer = XnorConv2d(8, 8, 3), XnorConv2d(8, 8, 3)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.03)
    x = torch.randn(2, 8, 6, 6)
    wanted = target(x).detach()
    first = functional.mse_loss(layer(x), wanted).item()
    for _ in range(12):
        optimiser.zero_grad()
        functional.mse_loss(layer(x), wanted).backward()
        optimiser.step()
    assert functional.mse_loss(layer(x), wanted).item() < 0.8 * first


def test_packed_layers_hold_bits_and_move_and_copy() -> None:
    layer = shaken(XnorConv2d(64, 32, 3, padding=1)).pack()
    assert isinstance(layer, PackedConv2d) and not list(layer.parameters())
    assert layer.words.shape == (32, 9) and layer.words.dtype == torch.int64
    x = torch.randn(1, 64, 6, 6)
    expected = layer(x)
    assert torch.equal(copy.deepcopy(layer)(x), expected)
    other = PackedConv2d(**layer.config())
    other(x)  # the words it held before must be forgotten
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), expected)
    halved = copy.deepcopy(layer).half()  # what the kernels read stays as it is
    assert halved.output_scale.dtype == torch.float32 and torch.equal(halved(x), expected)
    assert layer(x.half()).dtype == torch.float16


@pytest.mark.parametrize("how", ["copy_", "data", "inference"])
def test_words_changed_in_place_are_the_ones_that_count(how: str) -> None:
    torch.manual_seed(0)
    layers = [shaken(XnorConv2d(8, 4, 3, padding=1)) for _ in range(2)]
    x = torch.randn(1, 8, 6, 6)
    with torch.inference_mode(how == "inference"):
        first, other = (layer.pack() for layer in layers)
        first(x)  # keeps sums of signs for the zeros outside the picture
        for mine, theirs in zip(first.buffers(), other.buffers(), strict=True):
            (mine.data if how == "data" else mine).copy_(theirs)
        assert torch.equal(first(x), other(x))


@pytest.mark.parametrize("kind", ["convolution", "product"])
def test_a_compiled_model_calls_packed_layers_as_they_are(kind: str) -> None:
    """Dynamo would follow Numba's dispatcher, and fail."""
    torch.manual_seed(0)
    layer = XnorConv2d(8, 8, 3, padding=1) if kind == "convolution" else XnorLinear(8, 8)
    model = nn.Sequential(nn.ReLU(), layer.pack(), nn.Sigmoid())
    x = torch.randn(2, 8, 6, 8)
    try:
        compiled = torch.compile(model, backend="eager")
        torch.testing.assert_close(compiled(x), model(x))
    finally:
        torch.compiler.reset()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_packed_layer_is_not_traced() -> None:
    """Its result would be that of the first picture, for ever."""
    for layer, x in ((XnorConv2d(8, 8, 3), torch.randn(1, 8, 6, 8)), (XnorLinear(8, 8), torch.randn(2, 8))):
        with pytest.raises(XnorError, match="cannot be traced"):
            torch.jit.trace(layer.pack(), x)


def test_packed_layers_are_the_same_whatever_torch_makes_by_default() -> None:
    layer, x = XnorConv2d(8, 8, 3), torch.randn(1, 8, 6, 8)
    expected, before = layer.pack()(x), torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.equal(layer.pack()(x), expected)
        kinds = {buffer.dtype for buffer in PackedConv2d(8, 8, 3).buffers()}
        assert kinds == {torch.float32, torch.int64}
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("own", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("given", [torch.float16, torch.float32, torch.int64], ids=str)
def test_layers_take_other_precisions_than_their_own(own: torch.dtype, given: torch.dtype) -> None:
    torch.manual_seed(0)
    choices: list[dict[str, Any]] = [{}, {"input_scale": True, "scale": "learned"}, {"shift": False, "prelu": False}]
    for options in choices:
        made: list[tuple[Any, tuple[int, ...]]] = [
            (XnorConv2d(5, 4, 3, **options), (2, 5, 6, 7)),
            (XnorLinear(7, 4, **options), (3, 7)),
        ]
        for layer, shape in made:
            x = torch.randint(-3, 4, shape).to(given)
            expected = shaken(layer)(x.float()).detach()
            result = layer.to(own)(x)
            assert result.is_floating_point()
            torch.testing.assert_close(result.float(), expected, rtol=2e-2, atol=6e-2)


@pytest.mark.parametrize("kind", ["convolution", "product"])
def test_training_layers_are_compiled_whole(kind: str) -> None:
    torch.manual_seed(0)
    layer = XnorConv2d(8, 8, 3, padding=1) if kind == "convolution" else XnorLinear(8, 8)
    x = torch.randn(2, 8, 6, 8)
    try:
        torch.testing.assert_close(torch.compile(layer, backend="aot_eager", fullgraph=True)(x), layer(x))
    finally:
        torch.compiler.reset()


def test_under_autocast_signs_are_not_made_wide_first() -> None:
    layer, x, seen = XnorConv2d(8, 8, 3), torch.randn(1, 8, 6, 8).bfloat16(), []
    multiply = functional.conv2d

    def convolution(x: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(x.dtype)
        return multiply(x, *rest)

    with pytest.MonkeyPatch.context() as patched, torch.autocast("cpu", torch.bfloat16):
        patched.setattr("xnor.layers.functional.conv2d", convolution)
        layer(x)
    assert seen == [torch.float32 if layer.shift is not None else torch.bfloat16]


def test_layers_are_functions_to_torch_func() -> None:
    torch.manual_seed(0)
    layer = shaken(XnorConv2d(3, 4, 3))
    x = torch.randn(5, 3, 6, 6)
    parameters = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(parameters: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, parameters, (one[None],)).square().mean()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    layer(x).square().mean().backward()
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(each[name].mean(dim=0), parameter.grad)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_what_a_hook_computed_before_the_last_step_is_not_packed() -> None:
    """Else the packed layer is that of the step before."""
    kinds: list[tuple[Any, Any]] = [
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
        (lambda layer: prune.l1_unstructured(layer, "weight", 0.5), lambda layer: prune.remove(layer, "weight")),
    ]
    for put_on, take_off in kinds:
        layer, x = XnorConv2d(4, 4, 3), torch.randn(1, 4, 6, 6)
        put_on(layer)
        layer(x)
        with pytest.raises(XnorError, match=r"weight is computed by a hook.*remove"):
            layer.pack()
        take_off(layer)
        torch.testing.assert_close(layer.pack()(x), layer(x).detach(), rtol=1e-5, atol=1e-4)
    frozen = XnorLinear(4, 4)
    weight = frozen.weight.detach()
    del frozen.weight
    frozen.register_buffer("weight", weight)
    frozen.pack()
    now = nn.utils.parametrizations.weight_norm(XnorLinear(4, 4))
    torch.testing.assert_close(now.pack()(x[0, 0, :, :4]), now(x[0, 0, :, :4]).detach(), rtol=1e-5, atol=1e-4)


def test_layers_loaded_in_inference_mode_run() -> None:
    layer = shaken(XnorConv2d(8, 4, 3, padding=1))
    x = torch.randn(1, 8, 6, 6)
    with torch.inference_mode():
        packed = layer.pack()
        assert packed.words.is_inference()
    torch.testing.assert_close(packed(x), layer(x).detach(), rtol=1e-5, atol=1e-4)


def test_bad_input() -> None:
    for kind in (XnorConv2d, PackedConv2d):
        for inputs, outputs, groups in ((5, 4, 2), (4, 5, 2), (0, 4, 1), (4, 0, 1), (4, 4, 0), (4, 4, -1)):
            with pytest.raises(XnorError, match="shared out"):
                kind(inputs, outputs, 3, groups=groups)
        with pytest.raises(XnorError, match="are integers"):
            kind(4.0, 4, 3)  # type: ignore[arg-type]
    with pytest.raises(XnorError, match="'mean' or 'learned'"):
        XnorConv2d(3, 4, 3, scale="median")  # type: ignore[arg-type]
    for product_kind in (XnorLinear, PackedLinear):
        with pytest.raises(XnorError, match="empty"):
            product_kind(0, 4)
        with pytest.raises(XnorError, match="counted in integers"):
            product_kind(4, "4")  # type: ignore[arg-type]
    with pytest.raises(XnorError, match="padding_mode is"):
        XnorConv2d(3, 4, 3, padding_mode="mirror")
    for mode, size in (("reflect", (2, 9)), ("circular", (9, 1)), ("replicate", (0, 9))):
        for taker in (made := XnorConv2d(3, 4, 3, padding=2, padding_mode=mode), made.pack()):
            with pytest.raises(XnorError, match=f"padding.*{mode}.*needs larger pictures"):
                taker(torch.ones(1, 3, *size))
    for value in (7, "x", None, np.zeros(2), True):
        for kind in (XnorConv2d, PackedConv2d):
            with pytest.raises(XnorError, match="padding_value is -1, 0 or"):
                kind(3, 4, 3, padding_value=value)  # type: ignore[arg-type]
    layer = XnorConv2d(3, 4, 3).pack()
    with pytest.raises(XnorError, match=r"takes \(N, C, H, W\)"):
        layer(torch.ones(3, 8, 8))
    with pytest.raises(XnorError, match="2 channels"):
        layer(torch.ones(1, 2, 8, 8))
    with pytest.raises(XnorError, match="more than the padded"):
        layer(torch.ones(1, 3, 2, 2))
    for scaled in (False, True):
        with pytest.raises(XnorError, match="the input holds NaN"):
            XnorConv2d(3, 4, 3, input_scale=scaled).pack()(torch.full((1, 3, 8, 8), torch.nan))
    for product in (XnorLinear(3, 4), XnorLinear(3, 4).pack()):
        for given in (torch.ones(2, 4), torch.tensor(1.0)):
            with pytest.raises(XnorError, match=r"takes \(\.\.\., 3\)"):
                product(given)


def every_layer() -> list[torch.nn.Module]:
    """One of each kind; all take (1, 3, 8, 3)."""
    made = (XnorConv2d(3, 4, 3), XnorLinear(3, 4))
    return [*made, *(layer.pack() for layer in made)]


def test_an_input_on_another_device_is_refused() -> None:
    x = torch.ones(1, 3, 8, 3)
    for layer in every_layer():
        with pytest.raises(XnorError, match="the input lies on meta and the layer on cpu"):
            layer(x.to("meta"))
        with pytest.raises(XnorError, match="the input lies on cpu and the layer on meta"):
            layer.to("meta")(x)


def test_float64_is_taken_by_float64_layers_alone() -> None:
    x = torch.randn(1, 3, 8, 3)
    for layer in every_layer():
        with pytest.raises(XnorError, match="float64"):
            layer(x.double())
    for layer in every_layer()[:2]:
        expected = layer(x)
        assert layer.double()(x.double()).dtype == torch.float64
        torch.testing.assert_close(layer(x.double()).float(), expected)
