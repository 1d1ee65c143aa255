"""Training that begins with the weights of another network."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from artem_vr.errors import WeightsError
from artem_vr.networks.fast import FastNetwork


def begin_as(network: FastNetwork, base: FastNetwork) -> None:
    """``network`` begins with the weights of ``base``, which may have another depth or `FastNetwork` ``reach``.

    Blocks that ``base`` does not have begin as identities; its last ones go where it has more. What ``network`` sees
    beyond the reach of ``base`` weighs nothing at first. Raises `WeightsError` if it has other widths or more reach.
    """
    reach = base.options["reach"]
    if _widths(base) == _widths(network) and reach > network.options["reach"]:
        raise WeightsError(f"The base sees further (reach {reach})", f"Say --reach {reach}")
    if _widths(base) != _widths(network):
        cause = f"The base (fast, {base.options}) does not fit"
        raise WeightsError(cause, f"Give a network of {network.options}; numbers of blocks may differ")
    for ours, theirs in ((network.blocks, base.blocks), (network.late_blocks, base.late_blocks)):
        for extra in list(ours)[len(theirs) :]:
            nn.init.zeros_(extra.norm2.weight)  # type: ignore[union-attr, arg-type]
    own = network.state_dict()
    known = {name: value for name, value in base.state_dict().items() if name in own}
    further = network.options["reach"] - reach
    known["encode8.weight"] = F.pad(known["encode8.weight"], (further,) * 4)
    network.load_state_dict(known, strict=False)


def _widths(network: FastNetwork) -> dict[str, int]:
    return {name: network.options[name] for name in ("quarter", "eighth", "half")}
