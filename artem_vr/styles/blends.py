"""Blends as they are typed: ``great_wave+the_scream``, ``0.7*great_wave+0.3*picture.jpg``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from artem_vr.errors import StyleError
from artem_vr.styles.codes import MOST_PARTS

_REMEDY = f"Write two to {MOST_PARTS} styles as in great_wave+the_scream or 0.7*great_wave+0.3*the_scream"


def is_blend(text: str) -> bool:
    """Whether ``text`` is meant as a blend (of however many, however wrong)."""
    return "+" in text or "*" in text


def read_blend(text: str) -> list[tuple[float, str]]:
    """Weights, whose sum is 1, and the words that name the styles. Raises `StyleError`."""
    parts = [_part(word) for word in text.split("+")]
    if not 2 <= len(parts) <= MOST_PARTS:
        raise StyleError(f"{text[:80]!r} blends {len(parts)} style{'s' if len(parts) > 1 else ''}", _REMEDY)
    total = sum(weight for weight, _ in parts)
    if not 0 < total < math.inf:
        raise StyleError(f"The weights of {text[:80]!r} have no proportion", _REMEDY)
    return [(weight / total, name) for weight, name in parts]


def write_blend(parts: Sequence[tuple[float, str]]) -> str:
    """What `read_blend` reads."""
    return "+".join(f"{weight:.6g}*{name}" for weight, name in parts)


def _part(word: str) -> tuple[float, str]:
    before, star, after = word.partition("*")
    name = (after if star else before).strip()
    try:
        weight = float(before) if star else 1.0
    except ValueError:
        raise StyleError(f"{before.strip()[:40]!r} is no weight", _REMEDY) from None
    if not 0 <= weight < math.inf:
        raise StyleError(f"A style cannot have the weight {before.strip()[:40]}", _REMEDY)
    if not name:
        raise StyleError("A part of the blend names no style", _REMEDY)
    return weight, name
