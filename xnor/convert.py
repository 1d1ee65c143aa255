"""From a torch model to a packed file and back, and what it weighs.

    model = binarise(model)            # convolutions become XnorConv2d (first and last stay real); train on
    model = pack(model)                # XnorConv2d become PackedConv2d: bits and scales
    save_packed(model, "net.safetensors")
    with torch.device("meta"):         # the shape of the model, no memory
        empty = make_model()
    model = load_packed(empty, "net.safetensors")

A packed file is a safetensors file: the tensors of the model's state, and under the metadata key ``xnor`` a JSON
object from the name of each binarised layer to its kind and sizes. Nothing in it is executed when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from .bitpack import PackedFilters, word_count
from .errors import XnorError
from .layers import PackedConv2d, PackedLinear, Scale, XnorConv2d, XnorLinear

_KINDS: dict[str, type[PackedConv2d] | type[PackedLinear]] = {"conv2d": PackedConv2d, "linear": PackedLinear}


def _replace(model: nn.Module, name: str, made: nn.Module) -> nn.Module:
    """Put ``made`` in the place called ``name`` and wherever else its module stands; returns the model (``made`` itself
    if the name is empty).
    """
    old = model.get_submodule(name)
    for parent in list(model.modules()):
        for last, child in list(parent._modules.items()):  # `named_children` names a child once
            if child is old:
                setattr(parent, last, made)
    return model if name else made


def binarise(
    model: nn.Module,
    *,
    keep_first: bool = True,
    keep_last: bool = True,
    linear: bool = False,
    padding_value: int = 0,
    scale: Scale = "mean",
    input_scale: bool = False,
    shift: bool = False,
    prelu: bool = False,
) -> nn.Module:
    """Turn the model's Conv2d (with ``linear`` its Linear too) into trainable binarised layers, in place.

    First and last mean the order in which the model registers its layers, over both kinds where ``linear`` is set.
    The real weights go on as shadow weights (shared). A layer that stands in several places is made once and stands
    in all of them again. Padding other than zeros (reflection, ...) is done on the input, before its signs are taken.

    Only nn.Conv2d and nn.Linear themselves are turned: subclasses, layers whose weight is computed (weight_norm,
    parametrizations), other convolutions (1 or 3 dimensions, transposed) and whatever else multiplies stay real.
    `real_layers` names the convolutions and linear layers among them. Hooks of a layer that is turned do not go over to
    the new one.

    Raises XnorError where nothing is left to binarise, and for a layer that cannot be: an even kernel with
    padding='same'. The model is then as it was.
    """
    kinds: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.Linear) if linear else (nn.Conv2d,)
    found = [
        (name, layer)
        for name, layer in model.named_modules()
        if type(layer) in kinds and "weight" in layer._parameters  # weight_norm computes it from others
    ]
    chosen = found[1 if keep_first else 0 : len(found) - 1 if keep_last else len(found)]
    if not chosen:
        raise XnorError(f"of the model's {len(found)} convolutions none is left to binarise: keep fewer of them real")
    options: dict[str, Any] = {"scale": scale, "input_scale": input_scale, "shift": shift, "prelu": prelu}
    return _replace_all(model, {name: _trainable(layer, padding_value, options) for name, layer in chosen})


def _trainable(layer: nn.Module, padding_value: int, options: dict[str, Any]) -> XnorConv2d | XnorLinear:
    """``layer``, a convolution or a product, on signs."""
    made: XnorConv2d | XnorLinear
    with torch.device("meta"):  # its own initial weights are not wanted
        if isinstance(layer, nn.Conv2d):
            made = _conv_of(layer, padding_value, options)
        else:
            made = _linear_of(layer, options)
    _settle(made, layer)
    made.train(layer.training)
    return made


def _replace_all(model: nn.Module, made: Mapping[str, nn.Module]) -> nn.Module:
    """`_replace` for every name; what could fail has been done."""
    for name, layer in made.items():
        model = _replace(model, name, layer)
    _leave_short_cuts(model)
    return model


def _leave_short_cuts(model: nn.Module) -> None:
    """torch's own transformer layers take the weights of their linear ones in evaluation, and multiply by themselves;
    their encoder gives them nested tensors where rows are masked. With bits neither must be.
    """
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            inner = (module.linear1, module.linear2, module.self_attn.out_proj)
            if any(isinstance(layer, XnorLinear | PackedLinear) for layer in inner):
                module.activation_relu_or_gelu = 0  # torch leaves the short cut then
        bits = (isinstance(layer, XnorLinear | PackedLinear) for layer in module.modules())
        if isinstance(module, nn.TransformerEncoder) and any(bits):
            module.use_nested_tensor = False  # of what a mask leaves


def real_layers(model: nn.Module) -> dict[str, str]:
    """Convolutions of any kind and linear layers, their subclasses included, that multiply real numbers: name -> kind.

    After `binarise` these are the first and the last that were kept, and what it does not turn.
    """
    kinds = (_ConvNd, nn.Linear)
    return {name: type(layer).__name__ for name, layer in model.named_modules() if isinstance(layer, kinds)}


def _linear_of(layer: nn.Module, options: dict[str, Any]) -> XnorLinear:
    assert isinstance(layer, nn.Linear)
    return XnorLinear(layer.in_features, layer.out_features, layer.bias is not None, **options)


def _conv_of(layer: nn.Conv2d, padding_value: int, options: dict[str, Any]) -> XnorConv2d:
    padding: tuple[int, int] | str = layer.padding  # type: ignore[assignment]
    if padding == "valid":
        padding = (0, 0)
    elif padding == "same":
        reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        if reach[0] % 2 or reach[1] % 2:
            raise XnorError(
                "a convolution with an even kernel and padding='same' pads unevenly: give the padding in numbers"
            )
        padding = (reach[0] // 2, reach[1] // 2)
    assert not isinstance(padding, str)
    return XnorConv2d(
        layer.in_channels, layer.out_channels, (layer.kernel_size[0], layer.kernel_size[1]),
        (layer.stride[0], layer.stride[1]), padding, (layer.dilation[0], layer.dilation[1]),
        layer.groups, layer.bias is not None, padding_value=padding_value, padding_mode=layer.padding_mode, **options,
    )  # fmt: skip


def _settle(made: XnorConv2d | XnorLinear, layer: nn.Module) -> None:
    """Give a layer that was made without memory its parameters: the old layer's, and fresh ones beside them."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    device = weight.device
    for name, value in (("shift", 0.0), ("slope", 0.25), ("learned_scale", 1.0)):
        parameter = getattr(made, name)
        if parameter is not None:
            setattr(made, name, nn.Parameter(torch.full(parameter.shape, value, device=device, dtype=weight.dtype)))
    made.take_weight(weight, layer.bias)  # type: ignore[arg-type]


def pack(model: nn.Module) -> nn.Module:
    """Replace every trainable binarised layer of the model by its packed form, in place, wherever it stands. Raises
    XnorError if there is none, and where a weight has no sign (NaN), is float64, or is computed by a hook; the model is
    then as it was.
    """
    found = {name: layer for name, layer in model.named_modules() if isinstance(layer, XnorConv2d | XnorLinear)}
    if not found:
        raise XnorError("the model has no binarised layer to pack: binarise it first")
    return _replace_all(model, {name: layer.pack() for name, layer in found.items()})


def packed_layers(model: nn.Module) -> dict[str, PackedConv2d | PackedLinear]:
    """The model's packed layers by name."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, PackedConv2d | PackedLinear)}


def packed_state(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """(tensors, layers): the model's state, and a JSON-ready description of each packed layer for `restore`.

    What stands in the model under several names is in both under the first of them. Raises XnorError where no layer is
    packed, where the state holds something else than tensors, and for numbers that `restore` refuses.
    """
    layers = {
        name: {"kind": "conv2d" if isinstance(layer, PackedConv2d) else "linear", **layer.config()}
        for name, layer in packed_layers(model).items()
    }
    if not layers:
        raise XnorError("the model has no packed layer: pack it first")
    state = model.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):  # `get_extra_state` of a module
            raise XnorError(f"the model's state holds {name!r}, which is no tensor: a packed file keeps tensors alone")
    tensors = {names[0]: _whole(state[names[0]]) for names in _names_of_each_tensor(model)}
    _check_numbers(tensors, layers, "the model")
    return tensors, layers


def _whole(tensor: Tensor) -> Tensor:
    """On the CPU, and no part of what another tensor keeps."""
    tensor = tensor.contiguous().cpu()
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _check_numbers(tensors: Mapping[str, Tensor], layers: Mapping[str, Any], source: str) -> None:
    """Raises XnorError for NaN, and for infinity in what belongs to a packed layer. (A mask may hold it.)"""
    parts = {f"{name}." if name else "" for name in layers}
    for name, tensor in tensors.items():
        packed = name[: name.rfind(".") + 1] in parts
        if tensor.is_floating_point() and not bool((tensor.isfinite() if packed else ~tensor.isnan()).all()):
            raise XnorError(f"the tensor {name!r} in {source} holds NaN{' or infinity' if packed else ''}")


def save_packed(model: nn.Module, path: Path | str, metadata: Mapping[str, str] | None = None) -> None:
    """Write a packed model. Raises XnorError as `packed_state`, and where the file cannot be written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors, layers = packed_state(model)
    said = {**(metadata or {}), "xnor": json.dumps(layers, separators=(",", ":"))}
    try:
        save_file(tensors, str(path), metadata=said)
    except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError: two tensors are one
        raise XnorError(f"the packed file {path} cannot be written: {error}") from error


def load_packed(model: nn.Module, path: Path | str) -> nn.Module:
    """Fill ``model`` from a packed file, in place: the layers named there become packed ones, the rest takes its
    tensors.

    The model may be on the meta device (then no float weight is ever made; but buffers that are no part of a state can
    only be made with memory), real-valued, trainable or packed.
    Raises XnorError where the file cannot be read, is damaged, or is of another model; the model may then be half
    changed, so load into a fresh one.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            description = (file.metadata() or {}).get("xnor")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise XnorError(f"the packed file {path} cannot be read: {error}") from error
    if description is None:
        raise XnorError(f"{path} is no packed file: its metadata say nothing of binarised layers")
    try:
        layers = json.loads(description)
    except (ValueError, RecursionError) as error:  # no JSON, a number of thousands of digits, nested without end
        raise XnorError(f"the description of the layers in {path} is damaged: {error}") from error
    return restore(model, tensors, layers, str(path))


def restore(
    model: nn.Module, tensors: Mapping[str, Tensor], layers: Any, source: str = "the packed state"
) -> nn.Module:
    """The model that `packed_state` described, from its tensors (taken, not copied). Raises XnorError as
    `load_packed`.
    """
    if not isinstance(layers, dict):
        raise XnorError(f"the description of the layers in {source} is damaged: not an object")
    for name, description in layers.items():
        made = _layer_of(name, description, source)
        _check_tensors(name, made, tensors, source)
        try:
            model = _replace(model, name, made)
        except AttributeError as error:
            raise XnorError(f"{source} has a layer {name!r} that the model lacks: it is of another model") from error
    _leave_short_cuts(model)
    _check_numbers(tensors, layers, source)
    try:
        _load_shared(model, tensors)
    except RuntimeError as error:
        raise XnorError(f"{source} is of another model: {str(error).splitlines()[-1].strip()}") from error
    empty = next((name for name, buffer in model.named_buffers() if buffer.is_meta), None)
    if empty is not None:
        raise XnorError(
            f"no file holds the buffer {empty!r}, which is not in the model's state, and it lies on the meta device: "
            "make the model on the CPU"
        )
    return model.eval()


def _names_of_each_tensor(model: nn.Module) -> list[list[str]]:
    """The names in the model's state, those of one tensor together: of a shared layer or a shared weight."""
    names: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():  # the tensors themselves, not new ones beside them
        names.setdefault(id(tensor), []).append(name)
    return list(names.values())


def _load_shared(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """`load_state_dict` of ``tensors``, in which shared ones may be missing but under one name; they stay shared."""
    groups = [names for names in _names_of_each_tensor(model) if len(names) > 1]
    under_all_names = dict(tensors)
    for names in groups:
        given = next((tensors[name] for name in names if name in tensors), None)
        if given is not None:
            under_all_names = {**dict.fromkeys(names, given), **under_all_names}
    model.load_state_dict(under_all_names, strict=True, assign=True)
    for first, *others in groups:
        parent, _, last = first.rpartition(".")
        kept = getattr(model.get_submodule(parent), last)
        for name in others:
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, kept)


def _layer_of(name: str, description: Any, source: str) -> PackedConv2d | PackedLinear:
    try:
        sizes = dict(description)
        kind = _KINDS[sizes.pop("kind")]
        with torch.device("meta"):
            return kind(**sizes)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise XnorError(f"the description of layer {name!r} in {source} is damaged: {error}") from error


def _check_tensors(name: str, made: PackedConv2d | PackedLinear, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises XnorError unless the words of a layer have its size and type and clear tails."""
    prefix = f"{name}." if name else ""  # a model that is itself one layer
    words = tensors.get(f"{prefix}words")
    if words is None:
        raise XnorError(f"{source} lacks the words of layer {name!r}")
    if words.dtype != torch.int64 or words.dim() != 2:
        raise XnorError(
            f"the words of layer {name!r} in {source} must be int64 of 2 axes, got {words.dtype} of {words.dim()}"
        )
    for part in ("output_scale", "bias", "thresholds", "slope"):
        tensor = tensors.get(f"{prefix}{part}")
        if tensor is not None and tensor.dtype != torch.float32:
            raise XnorError(f"the {part} of layer {name!r} in {source} must be float32, got {tensor.dtype}")
    if isinstance(made, PackedConv2d):
        channels, kernel, outputs = made.in_channels // made.groups, made.kernel_size, made.out_channels
    else:
        channels, kernel, outputs = made.in_features, (1, 1), made.out_features
    wanted = (outputs, word_count(channels * kernel[0] * kernel[1]))
    if tuple(words.shape) != wanted:
        raise XnorError(f"layer {name!r} in {source} needs words of shape {wanted}, got {tuple(words.shape)}")
    try:
        PackedFilters(words.numpy().view("uint64"), channels, kernel)
    except XnorError as error:
        raise XnorError(f"layer {name!r} in {source}: {error}") from error


@dataclass(frozen=True)
class LayerMemory:
    """One layer's parameters in bytes, before and after: in a file and in memory, as float32 and as they are now.

    ``file_bytes`` are its tensors in a file of `save_packed`, without their names and sizes in the header (some kB a
    file). ``bytes`` count what a packed layer keeps beside its tensors, too, which it does from the first forward on.
    """

    name: str
    kind: str
    binarised: bool
    float_file_bytes: int
    file_bytes: int
    float_bytes: int
    bytes: int


def memory(model: nn.Module) -> list[LayerMemory]:
    """Memory of every layer that holds tensors of its own, in the model's order. Activations are not counted. A tensor
    that several layers share counts for the first of them, as in a file.
    """
    rows: list[LayerMemory] = []
    counted: set[int] = set()
    for name, layer in model.named_modules():
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        if tensors:
            rows.append(_layer_memory(name, layer, [pair for pair in tensors if id(pair[1]) not in counted]))
            counted |= {id(tensor) for _, tensor in tensors}
    return rows


def _layer_memory(name: str, layer: nn.Module, own: list[tuple[str, Tensor]]) -> LayerMemory:
    """Of ``layer``, with these of its tensors."""
    stored = [tensor for part, tensor in own if part not in layer._non_persistent_buffers_set]
    file_bytes = sum(tensor.nbytes for tensor in stored)
    size = sum(tensor.nbytes for _, tensor in own)
    if isinstance(layer, PackedConv2d | PackedLinear):
        numbers = layer.words.shape[0] * layer.signs_per_output + (0 if layer.bias is None else layer.bias.numel())
        if layer._ready is not None and isinstance(layer._ready[1], PackedFilters):
            size += sum(sums.nbytes for sums in layer._ready[1]._tap_sums.values())
        return LayerMemory(name, type(layer).__name__, True, 4 * numbers, file_bytes, 4 * numbers, size)
    as_float = 4 * sum(tensor.numel() for _, tensor in own)
    stored_as_float = 4 * sum(tensor.numel() for tensor in stored)
    return LayerMemory(name, type(layer).__name__, False, stored_as_float, file_bytes, as_float, size)


def report(model: nn.Module) -> str:
    """`memory` as a table of lines, with the sums at the end. The ratio is that of the bytes in memory."""
    rows = memory(model)
    titles = ("file, float32", "file now", "memory, float32", "memory now")
    lines = [f"{'layer':<32}{'kind':<16}{''.join(f'{title:>17}' for title in titles)}{'ratio':>8}"]
    for row in [*rows, _total(rows)]:
        sizes = (row.float_file_bytes, row.file_bytes, row.float_bytes, row.bytes)
        ratio = row.float_bytes / max(1, row.bytes)
        lines.append(f"{row.name:<32}{row.kind:<16}{''.join(f'{size:>17,}' for size in sizes)}{ratio:>8.1f}")
    return "\n".join(lines)


def _total(rows: list[LayerMemory]) -> LayerMemory:
    return LayerMemory(
        "total", "", False, sum(r.float_file_bytes for r in rows), sum(r.file_bytes for r in rows),
        sum(r.float_bytes for r in rows), sum(r.bytes for r in rows),
    )  # fmt: skip
