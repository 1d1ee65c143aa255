"""Trainable binarised layers (`XnorConv2d`, `XnorLinear`) and what remains of them to run (`Packed...`).

A training layer keeps real-valued shadow weights and computes, in float,

    x = input + shift                      learned, per channel (ReActNet); optional
    sum = conv(sign(x), sign(weight))      straight-through gradients, passed where |value| <= 1
    y = sum * (scale * K) + bias           scale: mean |weight| per output, or learned; K: local mean of |x|
    (XNOR-Net), optional output = PReLU(y)                      optional

`pack()` gives a layer that holds the bits of sign(weight) and the scales, runs the kernels of this package, and
equals the training layer's forward within float rounding. sign(0) = +1 in both. Padded taps are ``padding_value``:
0 (they add nothing), -1 or +1; or the input is padded before with its own pixels (``padding_mode``). Packed layers
do not train. In training a NaN, of the input or of a parameter, reaches the output. Bits cannot say NaN: on the CPU
packed layers refuse it (XnorError); on a GPU they do not look for it, since asking would wait for the GPU: a NaN of
the input then counts as -1.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from .arguments import Pair, check_dense, pair
from .bitpack import PackedFilters, check_bits, word_count
from .errors import XnorError
from .geometry import Geometry, check_numbers, check_padding_value, geometry
from .operations import pack_weights

_INTEGERS = frozenset({torch.int8, torch.int16, torch.int32, torch.int64})
_REALS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})

Scale = Literal["mean", "learned"]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class _Sign(torch.autograd.Function):
    """Sign with sign(0) = +1, NaN where there is NaN; its gradient is taken as 1 where |x| <= 1 and 0 elsewhere."""

    generate_vmap_rule = True  # for `torch.func`

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        return torch.where(values >= 0, 1.0, values.clamp(-1.0, -1.0))  # -1, but a NaN passes through a clamp

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        return gradients[0] * (values.abs() <= 1).to(gradients[0].dtype)


def sign(values: Tensor) -> Tensor:
    """-1 or +1, NaN for NaN; any shape, floating type kept; straight-through gradient with clipping."""
    result: Tensor = _Sign.apply(values)
    return result


def _signs_for(weight: Tensor, x: Tensor) -> Tensor:
    """Signs of ``x`` in the type of ``weight``; as they are where autocast will give both another."""
    signs = sign(x)
    return signs if torch.is_autocast_enabled(x.device.type) else signs.to(weight.dtype)


def _mean_magnitude(x: Tensor, g: Geometry) -> Tensor:
    """XNOR-Net's K: |x| averaged over a group's channels and the kernel's window, zeros outside. (N, groups, OH, OW)"""
    flat = x.abs().unflatten(1, (g.groups, -1)).mean(dim=2)  # (N, groups, H, W)
    taps = g.kernel_height * g.kernel_width
    window = torch.full((g.groups, 1, g.kernel_height, g.kernel_width), 1 / taps, dtype=x.dtype, device=x.device)
    return functional.conv2d(
        flat, window, stride=(g.stride_y, g.stride_x), padding=(g.padding_y, g.padding_x),
        dilation=(g.dilation_y, g.dilation_x), groups=g.groups,
    )  # fmt: skip


class _Xnor(nn.Module):
    """What the two training layers share: parameters around a binarised product."""

    weight: nn.Parameter

    def _parameters_for(
        self, outputs: int, inputs: int, *, bias: bool, scale: Scale, input_scale: bool, shift: bool, prelu: bool
    ) -> None:
        if scale not in ("mean", "learned"):
            raise XnorError(f"scale is 'mean' or 'learned', got {scale!r}")
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.input_scale = input_scale
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.shift = nn.Parameter(torch.zeros(inputs)) if shift else None
        self.slope = nn.Parameter(torch.full((outputs,), 0.25)) if prelu else None
        self.learned_scale = nn.Parameter(self._mean_weight().detach().clone()) if scale == "learned" else None

    def _mean_weight(self) -> Tensor:
        return self.weight.abs().flatten(1).mean(dim=1)

    def take_weight(self, weight: Tensor, bias: Tensor | None) -> None:
        """Continue with these real weights (shared, not copied); a learned scale starts again at their mean."""
        self.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight)
        self.bias = None if bias is None else bias if isinstance(bias, nn.Parameter) else nn.Parameter(bias)
        if self.learned_scale is not None:
            self.learned_scale = nn.Parameter(self._mean_weight().detach().clone())

    def _check_own(self) -> None:
        """Raises XnorError where a parameter is what a hook has made of others for the last forward pass: it is not
        what the optimiser has made of them since. (Parametrizations are computed when they are read.)
        """
        for name in ("weight", "bias", "shift", "slope", "learned_scale"):
            own = name in self._parameters or name in self._buffers or parametrize.is_parametrized(self, name)
            if not own and getattr(self, name) is not None:
                raise XnorError(
                    f"the {name} is computed by a hook (weight_norm, spectral_norm, prune): remove that first, "
                    "with torch.nn.utils.remove_weight_norm, remove_spectral_norm or prune.remove"
                )

    def scale(self) -> Tensor:
        """(O,) factor of each output."""
        return self._mean_weight() if self.learned_scale is None else self.learned_scale


class XnorConv2d(_Xnor):
    """Binarised convolution, (N, C, H, W) -> (N, O, OH, OW) real numbers. For the formula see the module's text.

    Raises XnorError for channels that groups do not divide, and for what `geometry` refuses.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        padding_value: int = 0,
        padding_mode: str = "zeros",
        scale: Scale = "mean",
        input_scale: bool = False,
        shift: bool = True,
        prelu: bool = True,
    ) -> None:
        super().__init__()
        _check_groups(in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride, self.padding = pair(stride, "stride", 1), pair(padding, "padding", 0)
        self.dilation, self.padding_value = pair(dilation, "dilation", 1), check_padding_value(padding_value)
        self.padding_mode = _check_padding_mode(padding_mode)
        _check_weights(out_channels, in_channels // groups * self.kernel_size[0] * self.kernel_size[1])
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel_size))
        self._parameters_for(
            out_channels, in_channels, bias=bias, scale=scale, input_scale=input_scale, shift=shift, prelu=prelu
        )

    def forward(self, x: Tensor) -> Tensor:
        x = _outside(self, _real(x, self.weight))
        g = _conv_geometry(self, x)
        if self.shift is not None:
            x = x + self.shift[:, None, None]
        padded, padding = _signs_for(self.weight, x), _own_padding(self)
        if self.padding_value != 0 and any(padding):
            (down, across), padding = padding, (0, 0)
            padded = functional.pad(padded, (across, across, down, down), value=float(self.padding_value))
        total = functional.conv2d(
            padded, sign(self.weight), None, self.stride, padding, self.dilation, self.groups
        )  # (N, O, OH, OW)
        factor = self.scale()[:, None, None]
        if self.input_scale:
            spread = _mean_magnitude(x, g).repeat_interleave(self.out_channels // self.groups, dim=1)
            factor = factor * spread
        y = total * factor
        if self.bias is not None:
            y = y + self.bias[:, None, None]
        return y if self.slope is None else functional.prelu(y, self.slope.to(y.dtype))

    def pack(self) -> PackedConv2d:
        """Bits and scales alone, on the same device. Raises XnorError where a hook computes a parameter."""
        self._check_own()
        packed = pack_weights(self.weight)
        made = PackedConv2d(**self.config())
        made.fill(_words(packed), self)
        return made.to(self.weight.device)

    def config(self) -> dict[str, Any]:
        """What `PackedConv2d` is made from; numbers, lists and booleans only."""
        return _conv_config(self)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, stride={self.stride}, groups={self.groups}"
        )


class XnorLinear(_Xnor):
    """Binarised product, (..., in_features) -> (..., out_features) real numbers. K here is the row's mean of |x|."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        scale: Scale = "mean",
        input_scale: bool = False,
        shift: bool = True,
        prelu: bool = True,
    ) -> None:
        super().__init__()
        _check_features(in_features, out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self._parameters_for(
            out_features, in_features, bias=bias, scale=scale, input_scale=input_scale, shift=shift, prelu=prelu
        )

    def forward(self, x: Tensor) -> Tensor:
        x = _of_width(_real(x, self.weight), self.in_features)
        if self.shift is not None:
            x = x + self.shift
        factor = self.scale()
        if self.input_scale:
            factor = factor * x.abs().mean(dim=-1, keepdim=True)
        y = functional.linear(_signs_for(self.weight, x), sign(self.weight)) * factor
        if self.bias is not None:
            y = y + self.bias
        return y if self.slope is None else _prelu_last(y, self.slope)

    def pack(self) -> PackedLinear:
        """Bits and scales alone, on the same device. Raises XnorError where a hook computes a parameter."""
        self._check_own()
        packed = pack_weights(self.weight[:, :, None, None])
        made = PackedLinear(**self.config())
        made.fill(_words(packed), self)
        return made.to(self.weight.device)

    def config(self) -> dict[str, Any]:
        """What `PackedLinear` is made from."""
        return _linear_config(self)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}"


def _prelu_last(y: Tensor, slope: Tensor) -> Tensor:
    return torch.where(y >= 0, y, y * slope)


def _words(packed: PackedFilters) -> Tensor:
    """The words as int64, the type that torch and safetensors both have; the bits are the same."""
    return torch.from_numpy(packed.words.view("int64"))


def _check_groups(channels: int, outputs: int, groups: int) -> None:
    if not all(type(size) is int for size in (channels, outputs, groups)):
        raise XnorError(f"channels and groups are integers, got {channels!r} -> {outputs!r} in {groups!r} group(s)")
    if groups < 1 or channels < 1 or channels % groups or outputs < 1 or outputs % groups:
        raise XnorError(f"{channels} -> {outputs} channels cannot be shared out among {groups} group(s)")


def _check_weights(outputs: int, signs: int) -> None:
    """Raises XnorError for filters of so many signs that no sum or no memory holds them."""
    check_bits(signs, "a filter")
    check_numbers("weights", outputs, signs)


def _check_features(inputs: int, outputs: int) -> None:
    if type(inputs) is not int or type(outputs) is not int:
        raise XnorError(f"features are counted in integers, got {inputs!r} -> {outputs!r}")
    if inputs < 1 or outputs < 1:
        raise XnorError(f"a product of {inputs} -> {outputs} features is empty")
    _check_weights(outputs, inputs)


def _check_padding_mode(mode: str) -> PaddingMode:
    for known in ("zeros", "reflect", "replicate", "circular"):
        if mode == known:
            return known
    raise XnorError(f"padding_mode is zeros, reflect, replicate or circular, got {mode!r}")


def _real(x: Tensor, own: Tensor) -> Tensor:
    """The input itself, or float32 where it holds signed integers: what is scaled is not whole any more.

    Raises XnorError for truth values, unsigned and complex numbers and floats of 8 bits, as the kernels do; for float64
    into a layer that is not float64; for a sparse input; and for one that does not lie where ``own``, a tensor of the
    layer, does.
    """
    check_dense(x, "the input")
    if x.device != own.device:
        raise XnorError(f"the input lies on {x.device} and the layer on {own.device}: move one to the other's device")
    if x.dtype in _INTEGERS:
        return x.float()
    if x.dtype == torch.float64 != own.dtype:
        raise XnorError("the input has type torch.float64 and the layer has not: convert it to float32 first")
    if not x.is_floating_point():
        raise XnorError(f"the input has type {x.dtype}, no signed number: convert it to float32 first")
    if x.dtype not in _REALS:
        raise XnorError(f"the input has type {x.dtype}, which is not taken: convert it to float32 first")
    return x


def _of_width(x: Tensor, features: int) -> Tensor:
    """The input itself. Raises XnorError unless it has ``features`` numbers a row."""
    if x.dim() < 1 or x.shape[-1] != features:
        raise XnorError(f"this product takes (..., {features}), got shape {tuple(x.shape)}")
    return x


def _own_padding(layer: XnorConv2d | PackedConv2d) -> tuple[int, int]:
    """What the convolution itself pads, with ``padding_value``."""
    return layer.padding if layer.padding_mode == "zeros" else (0, 0)


def _conv_config(layer: XnorConv2d | PackedConv2d) -> dict[str, Any]:
    return {
        "in_channels": layer.in_channels, "out_channels": layer.out_channels,
        "kernel_size": list(layer.kernel_size), "stride": list(layer.stride), "padding": list(layer.padding),
        "dilation": list(layer.dilation), "groups": layer.groups, "padding_value": layer.padding_value,
        "padding_mode": layer.padding_mode,
        "bias": layer.bias is not None, "input_scale": layer.input_scale,
        "shift": layer.shift is not None, "prelu": layer.slope is not None,
    }  # fmt: skip


def _linear_config(layer: XnorLinear | PackedLinear) -> dict[str, Any]:
    return {
        "in_features": layer.in_features, "out_features": layer.out_features, "bias": layer.bias is not None,
        "input_scale": layer.input_scale, "shift": layer.shift is not None, "prelu": layer.slope is not None,
    }  # fmt: skip


def _outside(layer: XnorConv2d | PackedConv2d, x: Tensor) -> Tensor:
    """The input with its own pixels repeated around it, where the layer pads so; else the input itself."""
    if x.dim() != 4:
        raise XnorError(f"a convolution takes (N, C, H, W), got shape {tuple(x.shape)}")
    if layer.padding_mode == "zeros" or not any(layer.padding):
        return x
    down, across = layer.padding
    more = {"reflect": 1, "circular": 0}.get(layer.padding_mode)  # than the padding: what each side must have
    if min(x.shape) == 0 or (more is not None and (x.shape[2] < down + more or x.shape[3] < across + more)):
        raise XnorError(
            f"padding {layer.padding} in the mode {layer.padding_mode!r} needs larger pictures than {tuple(x.shape)}"
        )
    return functional.pad(x, (across, across, down, down), mode=layer.padding_mode)


def _conv_geometry(layer: XnorConv2d | PackedConv2d, x: Tensor) -> Geometry:
    n, c, h, w = (int(size) for size in x.shape)
    return geometry(
        (n, c, h, w), layer.out_channels, layer.in_channels // layer.groups, layer.kernel_size,
        stride=layer.stride, padding=_own_padding(layer), padding_value=layer.padding_value,
        dilation=layer.dilation, groups=layer.groups,
    )  # fmt: skip


class _Packed(nn.Module):
    """Buffers of a packed layer: words int64 (O, words), scale (O,), and bias, thresholds, slope where there are
    any.
    """

    words: Tensor
    output_scale: Tensor
    bias: Tensor | None
    thresholds: Tensor | None
    slope: Tensor | None

    def _buffers_for(self, outputs: int, inputs: int, bits: int, *, bias: bool, shift: bool, prelu: bool) -> None:
        self.register_buffer("words", torch.zeros(outputs, word_count(bits), dtype=torch.int64))
        real = torch.float32  # whatever torch makes by default
        self.register_buffer("output_scale", torch.ones(outputs, dtype=real))
        self.register_buffer("bias", torch.zeros(outputs, dtype=real) if bias else None)
        self.register_buffer("thresholds", torch.zeros(inputs, dtype=real) if shift else None)
        self.register_buffer("slope", torch.full((outputs,), 0.25, dtype=real) if prelu else None)
        self._ready: tuple[Any, Any] | None = None

    def fill(self, words: Tensor, layer: _Xnor) -> None:
        """Take the words and the real-valued parameters of a training layer (copied)."""
        with torch.no_grad():
            self.words = words
            self.output_scale = layer.scale().detach().float().cpu().clone()
            if layer.bias is not None:
                self.bias = layer.bias.detach().float().cpu().clone()
            if layer.shift is not None:
                self.thresholds = -layer.shift.detach().float().cpu()
            if layer.slope is not None:
                self.slope = layer.slope.detach().float().cpu().clone()

    def _filters(self, channels: int, kernel: tuple[int, int]) -> Any:
        """The words as the back end of their device takes them, on the same memory; made anew when the buffer moved or
        was written to, since on a GPU sums of signs are kept beside them. There, what is written past autograd's count
        (by ``.data``, or to a tensor made under `torch.inference_mode`) is not noticed: move the layer, or load it.
        """
        # A tensor made under `torch.inference_mode` does not count what is written to it.
        written = 0 if self.words.is_inference() else self.words._version
        key = (self.words.device, self.words.data_ptr(), written)
        if self._ready is None or self._ready[0] != key:
            if self.words.is_cuda:
                from . import cuda

                self._ready = (key, cuda.filters_from_tensor(self.words, channels, kernel))
            else:
                words = self.words.numpy().view("uint64")
                self._ready = (key, PackedFilters(words, channels, kernel))
        return self._ready[1]

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self._ready = None  # the words change where they lie
        super()._load_from_state_dict(*arguments)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._ready = None
        before = {name: getattr(self, name) for name in ("output_scale", "bias", "thresholds", "slope")}
        moved = super()._apply(fn, recurse)
        for name, value in before.items():  # `.half()` must not round what the kernels read
            now = getattr(self, name)
            if now is not None and now.dtype != value.dtype:
                setattr(self, name, value.to(now.device))
        return moved

    def _finite_slope(self) -> Tensor:
        """The slope, on the CPU checked as the kernels check scale and bias."""
        assert self.slope is not None
        if not self.slope.is_cuda and not bool(self.slope.isfinite().all()):
            raise XnorError("the slope of the PReLU holds NaN or infinity")
        return self.slope

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": None}

    def _convolve(self, x: Tensor, filters: Any, g: Geometry, input_scale: Tensor | None) -> Tensor:
        run = _convolved
        if torch.compiler.is_compiling():  # it would follow Numba's dispatcher, and fail
            run = torch.compiler.disable(run)
        return run(self, x, filters, g, input_scale)


def _check_runs() -> None:
    """Raises XnorError where torch looks on: it would not see what the kernels do."""
    if torch.jit.is_tracing():
        raise XnorError("packed layers cannot be traced: their result would be a constant. Use torch.compile")


def _convolved(layer: _Packed, x: Tensor, filters: Any, g: Geometry, input_scale: Tensor | None) -> Tensor:
    if x.is_cuda:
        from . import cuda

        on_gpu: Tensor = cuda.conv2d(
            x, filters, g, scale=layer.output_scale, bias=layer.bias, thresholds=layer.thresholds,
            input_scale=input_scale, check_nan=False,
        )  # fmt: skip
        return on_gpu
    from .operations import conv2d

    result: Tensor = conv2d(
        x, filters, stride=(g.stride_y, g.stride_x), padding=(g.padding_y, g.padding_x),
        padding_value=g.padding_value, dilation=(g.dilation_y, g.dilation_x), groups=g.groups,
        scale=layer.output_scale, bias=layer.bias, thresholds=layer.thresholds, input_scale=input_scale,
    )  # fmt: skip
    return result


class PackedConv2d(_Packed):
    """A binarised convolution from bits: (N, C, H, W) -> (N, O, OH, OW) of the same floating type. No gradients.

    Signed integers are taken too and give float32.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        dilation: Pair = 1, groups: int = 1, *, padding_value: int = 0, padding_mode: str = "zeros",
        bias: bool = True, input_scale: bool = False, shift: bool = True, prelu: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        _check_groups(in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride, self.padding = pair(stride, "stride", 1), pair(padding, "padding", 0)
        self.dilation, self.padding_value = pair(dilation, "dilation", 1), check_padding_value(padding_value)
        self.input_scale = input_scale
        self.padding_mode = _check_padding_mode(padding_mode)
        _check_weights(out_channels, self.signs_per_output)
        self._buffers_for(out_channels, in_channels, self.signs_per_output, bias=bias, shift=shift, prelu=prelu)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        _check_runs()
        x = _outside(self, _real(x, self.words))
        g = _conv_geometry(self, x)
        spread = None
        if self.input_scale:
            shifted = x if self.thresholds is None else x - self.thresholds[:, None, None]
            spread = _mean_magnitude(shifted.float(), g)
        filters = self._filters(self.in_channels // self.groups, self.kernel_size)
        y = self._convolve(x, filters, g, spread)
        if self.slope is not None:
            y = functional.prelu(y, self._finite_slope())
        return y.to(x.dtype)

    @property
    def signs_per_output(self) -> int:
        """Weights of one filter; the bits of a row of ``words`` that count."""
        return self.in_channels // self.groups * self.kernel_size[0] * self.kernel_size[1]

    def config(self) -> dict[str, Any]:
        """What this layer is made from; numbers, lists and booleans only."""
        return _conv_config(self)

    @property
    def shift(self) -> Tensor | None:
        """The shift before the sign: minus the thresholds."""
        return None if self.thresholds is None else -self.thresholds


class PackedLinear(_Packed):
    """A binarised product from bits: (..., in_features) -> (..., out_features) of the same floating type. No gradients.

    Signed integers are taken too and give float32.
    """

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool = True, input_scale: bool = False,
        shift: bool = True, prelu: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        _check_features(in_features, out_features)
        self.in_features, self.out_features, self.input_scale = in_features, out_features, input_scale
        self._buffers_for(out_features, in_features, in_features, bias=bias, shift=shift, prelu=prelu)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        _check_runs()
        x = _of_width(_real(x, self.words), self.in_features)
        rows = x.reshape(-1, self.in_features)
        if rows.shape[0] == 0:
            return x.new_empty((*x.shape[:-1], self.out_features))
        # A row is a pixel and the features are its channels: (1, K, 1, rows) with the channels together.
        pictures = rows.t()[None, :, None, :]
        g = geometry((1, self.in_features, 1, rows.shape[0]), self.out_features, self.in_features, (1, 1))
        spread = None
        if self.input_scale:
            shifted = rows if self.thresholds is None else rows - self.thresholds
            spread = shifted.float().abs().mean(dim=1)[None, None, None, :]
        y = self._convolve(pictures, self._filters(self.in_features, (1, 1)), g, spread)
        y = y[0, :, 0, :].t().reshape(*x.shape[:-1], self.out_features)
        if self.slope is not None:
            y = _prelu_last(y, self._finite_slope())
        return y.to(x.dtype)

    @property
    def signs_per_output(self) -> int:
        """Weights of one output; the bits of a row of ``words`` that count."""
        return self.in_features

    def config(self) -> dict[str, Any]:
        """What this layer is made from."""
        return _linear_config(self)

    @property
    def shift(self) -> Tensor | None:
        """The shift before the sign: minus the thresholds."""
        return None if self.thresholds is None else -self.thresholds
