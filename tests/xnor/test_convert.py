"""From a model to a packed file and back: the same numbers, a thirtieth of the memory, no float weight left."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from xnor import XnorError, convert
from xnor.layers import PackedConv2d, PackedLinear, XnorConv2d, XnorLinear
from xnor.vgg19 import packed_vgg19, vgg19


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.InstanceNorm2d(16, affine=True),
        nn.Sequential(nn.Conv2d(16, 48, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(48)),
        nn.Conv2d(48, 66, (3, 5), padding="same", groups=2, bias=False),
        nn.Conv2d(66, 3, 1),
        nn.Flatten(),
        nn.Linear(3 * 8 * 8, 5),
    )


def packed(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return convert.pack(convert.binarise(small(), **options)).eval()


def kinds(model: nn.Module) -> list[str]:
    wanted = XnorConv2d | XnorLinear | PackedConv2d | PackedLinear | nn.Conv2d | nn.Linear
    return [type(layer).__name__ for layer in model.modules() if isinstance(layer, wanted)]


def test_first_and_last_stay_real() -> None:
    assert kinds(convert.binarise(small())) == ["Conv2d", "XnorConv2d", "XnorConv2d", "Conv2d", "Linear"]
    assert kinds(convert.binarise(small(), linear=True)) == ["Conv2d", *["XnorConv2d"] * 3, "Linear"]
    everything = convert.binarise(small(), linear=True, keep_first=False, keep_last=False)
    assert kinds(everything) == [*["XnorConv2d"] * 4, "XnorLinear"]
    with pytest.raises(XnorError, match="none is left"):
        convert.binarise(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3)))
    with pytest.raises(XnorError, match="pads unevenly"):
        convert.binarise(nn.Sequential(nn.Conv2d(3, 4, 2, padding="same")), keep_first=False, keep_last=False)


def test_what_cannot_be_turned_leaves_the_model_as_it_was() -> None:
    uneven = nn.Sequential(*(nn.Conv2d(4, 4, side, padding="same") for side in (3, 3, 2, 3)))
    with pytest.raises(XnorError, match="pads unevenly"):
        convert.binarise(uneven)
    assert kinds(uneven) == ["Conv2d"] * 4
    model = convert.binarise(small())
    with torch.no_grad():
        model[3].weight[0] = torch.nan  # type: ignore[index]
    with pytest.raises(XnorError, match="NaN"):
        convert.pack(model)
    assert kinds(model) == ["Conv2d", "XnorConv2d", "XnorConv2d", "Conv2d", "Linear"]


def test_a_lone_layer_is_replaced_itself() -> None:
    made = convert.pack(convert.binarise(nn.Conv2d(4, 4, 3), keep_first=False, keep_last=False))
    assert isinstance(made, PackedConv2d)


def test_the_binarised_model_is_the_model_on_signs() -> None:
    torch.manual_seed(0)
    real = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), nn.Conv2d(6, 4, 3, stride=2))
    x = torch.randn(1, 4, 9, 9)
    expected = x
    for layer in real:
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        weight = torch.where(layer.weight >= 0, 1.0, -1.0)
        inputs = torch.where(expected >= 0, 1.0, -1.0)
        if layer.padding_mode == "reflect":
            inputs = nn.functional.pad(inputs, (1, 1, 1, 1), mode="reflect")
        scale = layer.weight.abs().mean(dim=(1, 2, 3))[:, None, None]
        expected = nn.functional.conv2d(inputs, weight, stride=layer.stride) * scale + layer.bias[:, None, None]
    weight_of_first = real[0].weight
    model = convert.binarise(real, keep_first=False, keep_last=False)
    torch.testing.assert_close(model(x), expected)
    assert any(parameter is weight_of_first for parameter in model.parameters())  # training goes on with the same one


class Twice(nn.Module):
    """One convolution under two names and in a list, and one scale that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.again = self.first
        self.rest = nn.ModuleList([self.first, nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GroupNorm(2, 4)])
        self.rest[3].weight = self.rest[2].weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.first, self.again, *self.rest):
            x = layer(x)
        return x


def test_a_layer_under_several_names_stays_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = convert.binarise(Twice(), keep_first=False, keep_last=False)
    assert isinstance(model, Twice) and isinstance(model.first, XnorConv2d)
    assert model.first is model.again is model.rest[0] and not convert.real_layers(model)
    x = torch.randn(1, 4, 6, 6)
    expected = model(x).detach()
    convert.pack(model)
    assert isinstance(model.first, PackedConv2d) and model.first is model.again is model.rest[0]
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    convert.save_packed(model, tmp_path / "net.safetensors")
    names = load_file(tmp_path / "net.safetensors").keys()
    assert {name for name in names if name.endswith("words")} == {"first.words", "rest.1.words"}
    with torch.device("meta"):
        empty = Twice()
    for start in (empty, Twice()):
        loaded = convert.load_packed(start, tmp_path / "net.safetensors")
        assert isinstance(loaded, Twice) and loaded.first is loaded.again is loaded.rest[0]
        assert loaded.rest[2].weight is loaded.rest[3].weight
        assert not convert.real_layers(loaded) and torch.equal(loaded(x), model(x))
        convert.save_packed(loaded, tmp_path / "again.safetensors")
        assert load_file(tmp_path / "again.safetensors").keys() == names


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_what_is_not_turned_is_named() -> None:
    class Own(nn.Conv2d):
        pass

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), Own(4, 4, 3), nn.utils.weight_norm(nn.Conv2d(4, 4, 3)), nn.Conv2d(4, 4, 3),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3)), nn.ConvTranspose2d(4, 4, 3), nn.Conv1d(4, 4, 3),
        nn.Linear(4, 4), nn.Conv2d(4, 3, 1),
    )  # fmt: skip
    before = [*model.parameters()]
    assert convert.real_layers(convert.binarise(model)) == {
        "0": "Conv2d", "1": "Own", "2": "Conv2d", "4": "ParametrizedConv2d", "5": "ConvTranspose2d", "6": "Conv1d",
        "7": "Linear", "8": "Conv2d",
    }  # fmt: skip
    assert isinstance(model[3], XnorConv2d)
    assert {id(parameter) for parameter in before} <= {id(parameter) for parameter in model.parameters()}


@pytest.mark.parametrize("options", [{}, {"linear": True, "shift": True, "prelu": True, "input_scale": True}])
def test_there_and_back(tmp_path: Path, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    trained = convert.binarise(small(), **options).eval()
    x = torch.randn(1, 3, 8, 8)
    expected = trained(x).detach()
    model = convert.pack(trained)
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
    convert.save_packed(model, tmp_path / "net.safetensors", {"style": "none"})
    exact = model(x)
    with torch.device("meta"):
        empty = small()
    for start in (empty, small(), packed(**options), convert.binarise(small(), **options)):
        loaded = convert.load_packed(start, tmp_path / "net.safetensors")
        assert torch.equal(loaded(x), exact)
        assert not any(tensor.is_meta for tensor in loaded.state_dict().values())


class WithTable(nn.Sequential):
    """Has a buffer that is in no state, as tables of positions are."""

    def __init__(self) -> None:
        super().__init__(*small())
        self.register_buffer("table", torch.ones(3, 1, 1), persistent=False)


class WithNotes(nn.Sequential):
    """Has something in its state that is no tensor."""

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}


def test_what_no_file_holds_is_said(tmp_path: Path) -> None:
    convert.save_packed(convert.pack(convert.binarise(WithTable())), tmp_path / "net.safetensors")
    with torch.device("meta"):
        empty = WithTable()
    with pytest.raises(XnorError, match="no file holds the buffer 'table'"):
        convert.load_packed(empty, tmp_path / "net.safetensors")
    convert.load_packed(WithTable(), tmp_path / "net.safetensors")(torch.randn(1, 3, 8, 8))
    with pytest.raises(XnorError, match="'_extra_state', which is no tensor"):
        convert.save_packed(convert.pack(convert.binarise(WithNotes(*small()))), tmp_path / "net.safetensors")


class Masked(nn.Sequential):
    mask: torch.Tensor
    first_row: torch.Tensor

    def __init__(self) -> None:
        super().__init__(*small())
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))
        self.register_buffer("first_row", self.mask[0])  # a part of it


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """A mask of -infinity, and a part of another tensor, among it."""
    model, again, path = Masked(), Masked(), tmp_path / "net.safetensors"
    convert.save_packed(convert.pack(convert.binarise(model)).eval(), path)
    convert.load_packed(again, path)
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(again(x), model(x)) and torch.equal(again.mask, model.mask)
    assert torch.equal(again.first_row, model.first_row)
    next(model.parameters()).data[0, 0, 0, 0] = torch.nan
    with pytest.raises(XnorError, match=r"'0\.weight' in the model holds NaN"):
        convert.save_packed(model, path)
    assert torch.equal(convert.load_packed(Masked(), path)(x), again(x)), "the file of before is there"


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    model = packed()
    with pytest.raises(XnorError, match=r"none.*cannot be written"):
        convert.save_packed(model, tmp_path / "none" / "net.safetensors")
    model.register_buffer("same", next(model.parameters()).detach().view(-1))
    with pytest.raises(XnorError, match=r"cannot be written.*same"):
        convert.save_packed(model, tmp_path / "net.safetensors")


def test_no_float_weight_of_a_binarised_layer_is_left_anywhere(tmp_path: Path) -> None:
    convert.save_packed(packed(linear=True, keep_last=False), tmp_path / "net.safetensors")
    gc.collect()
    before = {id(tensor) for tensor in gc.get_objects() if issubclass(type(tensor), torch.Tensor)}
    with torch.device("meta"):
        model: nn.Module = small()
    model = convert.load_packed(model, tmp_path / "net.safetensors")
    model(torch.randn(1, 3, 8, 8))
    layers = convert.packed_layers(model)
    assert len(layers) == 4
    for name, layer in layers.items():
        assert not list(layer.parameters()), name
        numbers = layer.words.numel() * 64
        for part, tensor in layer.named_buffers():
            assert part == "words" or tensor.numel() * 8 < numbers, (name, part)
    smallest = min(layer.words.numel() * 64 for layer in layers.values())
    real = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    gc.collect()
    for made in gc.get_objects():
        if issubclass(type(made), torch.Tensor) and id(made) not in before | real and not made.is_meta:
            assert not made.is_floating_point() or made.numel() < smallest


def test_memory_by_layer_in_the_file_and_loaded(tmp_path: Path) -> None:
    model = packed(shift=True)
    rows = {row.name: row for row in convert.memory(model)}
    real = (3 * 16 * 9 + 16) * 4
    assert rows["0"] == convert.LayerMemory("0", "Conv2d", False, real, real, real, real)
    bits = 48 * 3 * 8 + 48 * 4 + 48 * 4 + 16 * 4  # 144 signs in 3 words, scale, bias, thresholds
    as_float = (16 * 48 * 9 + 48) * 4
    assert rows["2.0"] == convert.LayerMemory("2.0", "PackedConv2d", True, as_float, bits, as_float, bits)
    model(torch.randn(1, 3, 8, 8))
    after = {row.name: row for row in convert.memory(model)}
    kept = 15 * 66 * 4  # sums of signs by tap: this layer pads with zeros
    assert after["3"] == replace(rows["3"], bytes=rows["3"].bytes + kept) and after["2.0"] == rows["2.0"]
    convert.save_packed(model, tmp_path / "net.safetensors")
    written = (tmp_path / "net.safetensors").read_bytes()
    header = 8 + int.from_bytes(written[:8], "little")
    assert len(written) == header + sum(row.file_bytes for row in rows.values())
    lines = convert.report(model).splitlines()
    assert len(lines) == len(rows) + 2
    assert [int(word.replace(",", "")) for word in lines[-1].split()[1:5]] == [
        sum(getattr(row, part) for row in after.values())
        for part in ("float_file_bytes", "file_bytes", "float_bytes", "bytes")
    ]


def test_what_layers_share_is_counted_once(tmp_path: Path) -> None:
    model = nn.Sequential(*small(), nn.Linear(5, 5), nn.Linear(5, 5))
    model[8].weight = model[7].weight
    convert.save_packed(convert.pack(convert.binarise(model)), tmp_path / "net.safetensors")
    written = (tmp_path / "net.safetensors").read_bytes()
    header = 8 + int.from_bytes(written[:8], "little")
    rows = {row.name: row for row in convert.memory(model)}
    assert len(written) == header + sum(row.file_bytes for row in rows.values())
    assert rows["8"] == convert.LayerMemory("8", "Linear", False, *[5 * 4] * 4)  # its bias


def edited(change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object], path: Path) -> Path:
    """A packed file with something changed."""
    tensors, layers = convert.packed_state(packed())
    change(tensors, layers)
    save_file(tensors, path, metadata={"xnor": json.dumps(layers)})
    return path


W = "3.words"
CHANGES: list[tuple[str, Callable[[dict[str, Any], dict[str, Any]], object], str]] = [
    ("words too few", lambda t, _: t.update({W: t[W][:, :-1].contiguous()}), "needs words of shape"),
    ("words too many", lambda t, _: t.update({W: torch.cat([t[W], t[W]], 1)}), "needs words of shape"),
    ("filters lack", lambda t, _: t.update({W: t[W][1:].contiguous()}), "needs words of shape"),
    ("float words", lambda t, _: t.update({W: t[W].double()}), "must be int64"),
    ("tail set", lambda t, _: t[W][0, -1].fill_(-1), "behind the last sign"),
    ("no words", lambda t, _: t.pop(W), "lacks the words"),
    ("no scale", lambda t, _: t.pop("3.output_scale"), "another model"),
    ("double scale", lambda t, _: t.update({"3.output_scale": t["3.output_scale"].double()}), "must be float32"),
    ("NaN scale", lambda t, _: t["3.output_scale"].fill_(torch.nan), "NaN or infinity"),
    ("a tensor more", lambda t, _: t.update({"what": torch.ones(1)}), "another model"),
    ("first layer resized", lambda t, _: t.update({"0.weight": torch.ones(2, 2)}), "another model"),
    ("unknown layer", lambda t, d: (d.update({"9": d["3"]}), t.update({"9.words": t[W].clone()})), "the model lacks"),
    ("unknown kind", lambda _, d: d["3"].update(kind="gru"), "description of layer '3'.*damaged"),
    ("sizes as text", lambda _, d: d["3"].update(in_channels="many"), "description of layer '3'.*damaged"),
    ("no groups", lambda _, d: d["3"].update(groups=0), "description of layer '3'.*damaged"),
    ("more channels", lambda _, d: d["3"].update(in_channels=480), "needs words of shape"),
    ("padding of sevens", lambda _, d: d["3"].update(padding_value=7), "layer '3'.*padding_value is"),
    ("padding of text", lambda _, d: d["3"].update(padding_value="x"), "layer '3'.*padding_value is"),
    ("stride without end", lambda _, d: d["3"].update(stride=[2**70, 1]), "layer '3'.*stride must be at most"),
    ("huge", lambda _, d: d["3"].update(out_channels=2**80), "description of layer '3'.*damaged"),
    ("no sizes", lambda _, d: d.update({"3": None}), "description of layer '3'.*damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_damaged_files(tmp_path: Path, change: Callable[..., object], says: str) -> None:
    path = edited(change, tmp_path / "net.safetensors")
    with pytest.raises(XnorError, match=says) as caught:
        convert.load_packed(small(), path)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(XnorError, match="cannot be read"):
        convert.load_packed(small(), path)
    path.write_bytes(b"no such thing")
    with pytest.raises(XnorError, match="cannot be read"):
        convert.load_packed(small(), path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(XnorError, match="no packed file"):
        convert.load_packed(small(), path)
    for text in ("{", "[1]", "[" * 100_000, "9" * 10_000):
        save_file({"a": torch.ones(1)}, path, metadata={"xnor": text})
        with pytest.raises(XnorError, match="damaged"):
            convert.load_packed(small(), path)
    with pytest.raises(XnorError, match="pack it first"):
        convert.save_packed(small(), path)
    with pytest.raises(XnorError, match="binarise it first"):
        convert.pack(small())


def test_vgg19_fits_in_20_megabytes_in_the_file_and_in_memory(tmp_path: Path) -> None:
    """The article: 512 MB to 16 MB. Random bits, since making 143 million random weights first would only take time
    (packing them is tested above).
    """
    path = tmp_path / "vgg19.safetensors"
    convert.save_packed(packed_vgg19(), path)
    assert path.stat().st_size <= 20e6
    assert sum(tensor.nbytes for tensor in load_file(path).values()) <= 20e6
    with torch.device("meta"):
        loaded = convert.load_packed(vgg19(), path)
    result = loaded(torch.randn(1, 3, 224, 224))
    assert result.shape == (1, 1000) and bool(result.isfinite().all()) and float(result.std()) > 0
    assert len(convert.packed_layers(loaded)) == 18  # all of its 19 layers but the first
    rows = convert.memory(loaded)
    assert sum(row.float_bytes for row in rows) == 143_667_240 * 4
    assert sum(row.bytes for row in rows) <= 20e6  # after a forward, with what layers keep beside
    assert not any(tensor.is_floating_point() and tensor.numel() > 1e6 for tensor in loaded.state_dict().values())


@pytest.mark.parametrize("whole", [False, True], ids=["layer", "encoder"])
def test_transformers_multiply_bits_in_evaluation_too(whole: bool, tmp_path: Path) -> None:
    """torch's own short cut takes the weights of the linear layers and calls none."""

    def make() -> nn.Module:
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        return nn.TransformerEncoder(layer, 2) if whole else layer

    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1))
    model = make().eval()
    with torch.no_grad():
        real = model(x)
    model = convert.binarise(model, keep_first=False, keep_last=False, linear=True)
    masked = {"src_key_padding_mask": torch.arange(5).expand(2, 5) >= torch.tensor([[3], [5]])}
    seen = ~masked["src_key_padding_mask"]
    with torch.no_grad():
        bits = model(x)
        some = model(x, **masked)
    assert some.shape == x.shape and not torch.allclose(some[seen], bits[seen], atol=1e-3)
    assert not torch.allclose(bits, real, atol=0.1)
    torch.testing.assert_close(bits, model(x).detach(), rtol=1e-4, atol=1e-4)
    packed = convert.pack(model).eval()
    with torch.no_grad():
        torch.testing.assert_close(packed(x), bits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(packed(x, **masked)[seen], some[seen], rtol=1e-4, atol=1e-4)
        convert.save_packed(packed, tmp_path / "net.safetensors")
        loaded = convert.load_packed(make(), tmp_path / "net.safetensors")
        torch.testing.assert_close(loaded(x), bits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(loaded(x, **masked)[seen], some[seen], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precisions_keep_theirs(dtype: torch.dtype) -> None:
    model: nn.Module = nn.Sequential(*(nn.Conv2d(8, 8, 3) for _ in range(3))).to(dtype)
    model = convert.binarise(model, shift=True, prelu=True, scale="learned")
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert model(torch.randn(1, 8, 9, 9).to(dtype)).dtype == dtype


def test_a_model_that_is_one_layer_goes_there_and_back(tmp_path: Path) -> None:
    model = convert.pack(convert.binarise(nn.Conv2d(3, 8, 3), keep_first=False, keep_last=False))
    convert.save_packed(model, tmp_path / "net.safetensors")
    loaded = convert.load_packed(nn.Conv2d(3, 8, 3), tmp_path / "net.safetensors")
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(loaded(x), model(x))


def test_a_transformer_with_a_layer_of_ones_own_is_packed_and_runs() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    layer.linear1 = XnorLinear(16, 32)  # type: ignore[assignment]
    packed = convert.pack(layer).eval()
    with torch.no_grad():
        assert packed(torch.randn(2, 5, 16)).shape == (2, 5, 16)
