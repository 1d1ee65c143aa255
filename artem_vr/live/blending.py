"""Blends as hands make them: one more painting, a larger or smaller share of the last one. Pure text and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from artem_vr.errors import StyleError
from artem_vr.styles.blends import is_blend, read_blend, write_blend
from artem_vr.styles.codes import MOST_PARTS

Parts = Sequence[tuple[float, str]]
"""Shares, whose sum is 1, and names of styles."""

SHARE_STEP = 0.1
"""What one press of a key adds to the share of the last painting or takes away."""
LEAST_SHARE = 0.1


def parts_of(style: str) -> Parts:
    """The parts of a blend's name; of any other style itself, whole."""
    try:
        return read_blend(style) if is_blend(style) else [(1.0, style)]
    except StyleError:  # a file with such a name
        return [(1.0, style)]


def grown(parts: Parts, other: str) -> str:
    """The blend with one painting more: all of them get equal shares of what the new one leaves.

    Raises `StyleError` where it is full, or where a name cannot be part of a blend.
    """
    if len(parts) >= MOST_PARTS:
        raise StyleError(f"A blend has at most {MOST_PARTS} paintings", "Choose another style and begin anew")
    for name in (other, *(name for _, name in parts)):
        if "+" in name or name != name.strip():
            file = PurePath(name.strip()).name
            what = (
                "its folder's name has a +"
                if "+" in name and "+" not in file
                else "its name has a + or a space at an end"
            )
            raise StyleError(f"{file} cannot be blended: {what}", "Rename it, or drop it from somewhere else")
    share = 1 / (len(parts) + 1)
    return write_blend([*((weight * (1 - share), name) for weight, name in parts), (share, other)])


def shifted(parts: Parts, by: float) -> str:
    """The blend with ``by`` more of its last painting; the others keep their proportion.

    At least LEAST_SHARE stays of each side, or what was typed, where that is less, but something.
    """
    (last, name), others = parts[-1], parts[:-1]
    low, high = LEAST_SHARE, 1 - LEAST_SHARE
    if 0 < round(last, 6) < 1:
        low, high = min(low, last), max(high, last)
    share = min(max(round(last + by, 6), low), high)
    total = sum(weight for weight, _ in others)
    if total == 0:  # so it was typed: all that is left, in equal parts
        others, total = [(1.0, other) for _, other in others], len(others)
    return write_blend([*((weight / total * (1 - share), other) for weight, other in others), (share, name)])


def title_of(parts: Parts, titles: Mapping[str, str]) -> str:
    """ "70 % Great wave, 30 % The scream", from the parts' own titles."""
    return ", ".join(f"{100 * weight:.0f} % {titles.get(name, name)}" for weight, name in parts)
