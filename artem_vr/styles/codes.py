"""Style codes: what a painting is to the network that paints like any painting, as arrays and as files.

A code is (2, C) fp32: the deviations, then the means, that adaptive instance normalisation (Huang & Belongie
2017) gives the C channels of the network's norms. Codes live in one space with the network's own ``plain``
code, which shows the photograph: they can be weakened, mixed and exaggerated.

A file is safetensors: ``code`` F32 (2, C) and what the code can be made of again for another network: ``picture`` U8,
the bytes of a JPEG, where the painting may be kept; of a mixture ``parts`` in the header (weights, and the names of
paintings that have shipped codes) and pictures ``picture_0`` and so on of the other parts. Nothing in it is trusted:
whatever is wrong becomes one `WeightsError` line.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artem_vr.atomic_file import write_atomically
from artem_vr.errors import WeightsError
from artem_vr.networks.header import read_metadata, smooth_entry, smooth_of, with_sorted_metadata

SUFFIX = ".code.safetensors"
"""How names of files of codes end."""

FORMAT_VERSION = 1
KIND = "style code"
MAX_BYTES = 8 * 2**20
MAX_CHANNELS = 8192
MAX_VALUE = 1e3
"""No picture gives deviations or means of a fifth of this size; with much more a single channel overflows fp16.

Many channels together can do so before: `stylize.styled.StyledPainter` notices that."""
MAX_TITLE = 120
PICTURE_SIDE = 448
"""Short side, in pixels, of the picture that is kept with a code: what the network reads by default."""
PICTURE_PROPORTION = 4
"""The longer side of a kept picture, at most, over `PICTURE_SIDE`."""
MOST_PARTS = 4
EASING = 4.0
"""Exponent of `adjusted`: half way between the photograph's code and a painting's what is painted is of neither."""

Values = npt.NDArray[np.float32]

_DAMAGED = "Add the picture again: artem-vr styles add PICTURE"


@dataclass(frozen=True)
class Part:
    """What a part of a mixed code can be read from again: a picture, or the shipped code of a painting."""

    weight: float
    picture: bytes = b""
    """JPEG, as `StyleCode.picture`; empty where the painting has a shipped code."""
    painting: str = ""
    """The shipped code's, as `library.Style.painting`."""


@dataclass(frozen=True, eq=False)
class StyleCode:
    """The code of one painting for one network."""

    values: Values
    """(2, C) fp32: deviations, means."""
    network: str
    """sha256 (hex) of the file of the network that made it and that it is for."""
    title: str = ""
    picture: bytes = b""
    """JPEG of the painting, short side at most `PICTURE_SIDE`; empty where it is not kept."""
    smooth: float = 0.0
    """Share of the painting that its painter left smooth, 0 to 1 (`stylize.ground`)."""
    parts: tuple[Part, ...] = ()
    """Of a mixture, where all of it can be read again: two to `MOST_PARTS`."""

    @property
    def can_be_made_anew(self) -> bool:
        """Whether it can be read again for another network."""
        return bool(self.picture or self.parts)


def read_code(path: Path, sha256: str | None = None) -> StyleCode:
    """The code in ``path``, all of it checked; the picture is not decoded. ``sha256`` (hex) as the file must have.

    Raises `WeightsError`.
    """
    data = _read(path)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise WeightsError(f"The sha256 of {path.name} is not the recorded one", "Reinstall the program")
    metadata = read_metadata(path.name, data)
    if metadata.get("kind") != KIND:
        raise WeightsError(f"{path.name} holds no style code", _DAMAGED)
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        remedy = f"This program reads format {FORMAT_VERSION}; update it or the file"
        raise WeightsError(f"{path.name} has format {version[:20]!r}", remedy)
    network = metadata.get("network", "")
    if not re.fullmatch(r"[0-9a-f]{64}", network):
        raise WeightsError(f"{path.name} does not say which network it is for", _DAMAGED)
    import safetensors.numpy

    try:
        tensors = safetensors.numpy.load(data)
    except Exception as error:  # noqa: BLE001 (the parser's own error types differ between versions)
        raise WeightsError(f"{path.name} is not a sound safetensors file ({error})", _DAMAGED) from None
    parts = _parts(path.name, metadata.get("parts", "[]"), tensors)
    known = {"code", "picture", *(_picture_of(number) for number, part in enumerate(parts) if part.picture)}
    unknown = sorted(set(tensors) - known)
    if "code" not in tensors or unknown:
        which = f"has an unknown tensor {unknown[0][:60]!r}" if unknown else "lacks its code"
        raise WeightsError(f"{path.name} {which}", _DAMAGED)
    problem = _problem(tensors["code"])
    if problem:
        raise WeightsError(f"{path.name}: its code {problem}", _DAMAGED)
    picture = _bytes_of(path.name, tensors, "picture")
    values = np.array(tensors["code"], np.float32)  # ours, not a window into the file's bytes
    title = clean_title(metadata.get("title", ""))
    return StyleCode(values, network, title, picture, smooth_of(metadata), parts)


def _parts(name: str, listed: str, tensors: dict[str, npt.NDArray[np.generic]]) -> tuple[Part, ...]:
    """What the header lists, with the pictures that belong to it. Raises `WeightsError`."""
    try:
        rows = [(float(row["weight"]), str(row.get("painting", ""))) for row in json.loads(listed)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise WeightsError(f"{name}: what it is mixed of is damaged", _DAMAGED) from None
    parts = tuple(
        Part(weight, b"" if painting else _bytes_of(name, tensors, _picture_of(number)), painting)
        for number, (weight, painting) in enumerate(rows[: MOST_PARTS + 1])
    )
    sound = not parts or (2 <= len(parts) <= MOST_PARTS and 0 < sum(part.weight for part in parts) < np.inf)
    if not sound or not all(part.weight >= 0 and (part.painting or part.picture) for part in parts):
        raise WeightsError(f"{name}: what it is mixed of is damaged", _DAMAGED)
    return parts


def _picture_of(number: int) -> str:
    """Name of the tensor that holds the picture of so manieth a part."""
    return f"picture_{number}"


def _bytes_of(name: str, tensors: dict[str, npt.NDArray[np.generic]], tensor: str) -> bytes:
    """Empty where there is none. Raises `WeightsError`."""
    found = tensors.get(tensor, np.zeros(0, np.uint8))
    if found.dtype != np.uint8 or found.ndim != 1:
        raise WeightsError(f"{name}: its {tensor} is {found.dtype} {found.shape}, no bytes", _DAMAGED)
    return found.tobytes()


def write_code(path: Path, code: StyleCode) -> str:
    """Writes ``code`` in one step, exactly (fp32), and returns the file's sha256.

    Raises `WeightsError` when it cannot be written, or is nothing that `read_code` would take.
    """
    problem = _problem(code.values)
    if problem:
        raise WeightsError(f"The code for {path.name} {problem}", "Try another picture")
    import safetensors.numpy

    pictures = {"picture": code.picture} | {_picture_of(n): part.picture for n, part in enumerate(code.parts)}
    tensors = {"code": np.ascontiguousarray(code.values)}
    tensors |= {name: np.frombuffer(picture, np.uint8) for name, picture in pictures.items() if picture}
    parts = [{"weight": part.weight} | ({"painting": part.painting} if part.painting else {}) for part in code.parts]
    header = {
        "format_version": str(FORMAT_VERSION),
        "kind": KIND,
        "network": code.network,
        "title": clean_title(code.title),
        **smooth_entry(code.smooth),
        **({"parts": json.dumps(parts)} if parts else {}),
    }
    data = with_sorted_metadata(safetensors.numpy.save(tensors, header))
    if len(data) > MAX_BYTES:
        raise WeightsError(f"The picture of {path.name} is too large to be kept", "Make it smaller")
    try:
        write_atomically(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{path} cannot be written ({reason})", "Check the folder's rights") from None
    return hashlib.sha256(data).hexdigest()


def mixed(values: Sequence[Values], weights: Sequence[float]) -> Values:
    """The mean of two to four codes, (2, C) each; at weights (1, 0) the first one, bit for bit.

    Weights are not negative, and not all 0; only their proportion counts. Raises ValueError.
    """
    if not 2 <= len(values) <= MOST_PARTS or len(values) != len(weights):
        raise ValueError(f"{len(values)} codes and {len(weights)} weights: two to {MOST_PARTS} can be mixed")
    total = float(sum(weights))
    if not all(w >= 0 for w in weights) or not 0 < total < np.inf:
        raise ValueError(f"weights {weights} have no proportion")
    terms = [w / total * v.astype(np.float64) for v, w in zip(values, weights, strict=True) if w > 0]
    return sum(terms[1:], terms[0]).astype(np.float32)


def adjusted(
    values: Values, plain: Values, strength: float = 1.0, mean_weight: float = 1.0, contrast: float = 1.0
) -> Values:
    """A code between ``plain`` (no style) and ``values``, (2, C) each:

        amount     = 1 - (1 - strength)^EASING
        deviations = plain + amount * contrast    * (values - plain)
        means      = plain + amount * mean_weight * (values - plain)

    ``strength``: as the content-style trade-off alpha of Huang & Belongie 2017, 0 gives ``plain`` and 1, where the
    others are 1, ``values``, both exactly. What is shown is mixed with the source by the strength besides: strokes
    grow a little with it, and each step of it is one of the picture. ``mean_weight`` is how far the style's means are
    followed (0: the photograph's own tone), ``contrast`` the same of its deviations; above 1 they exaggerate.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} must be 0 to 1")
    reach = (1 - (1 - strength) ** EASING) * np.array([[contrast], [mean_weight]], np.float64)  # deviations, means
    if not np.isfinite(reach).all():
        raise ValueError("mean_weight and contrast must be finite")
    return ((1 - reach) * plain + reach * values).astype(np.float32)


def thumbnail(picture: npt.NDArray[np.uint8]) -> bytes:
    """JPEG of ``picture``, (H, W, 3) uint8 RGB, as it is kept with a code: good enough to be read again."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = min(1.0, PICTURE_SIDE / min(image.size), PICTURE_PROPORTION * PICTURE_SIDE / max(image.size))
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=92, subsampling=0)
    return written.getvalue()


def clean_title(text: str) -> str:
    """One line of printable characters, fit for a terminal and the HUD."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_TITLE]


def _problem(values: npt.NDArray[np.generic]) -> str:
    """What is wrong with ``values`` as a code; empty if nothing is."""
    if values.dtype != np.float32:
        return f"is {values.dtype} and not float32"
    if values.ndim != 2 or values.shape[0] != 2 or not 1 <= values.shape[1] <= MAX_CHANNELS:
        return f"has shape {values.shape} and not (2, C)"
    if not np.isfinite(values).all():
        return "holds values that are not finite"
    if np.abs(values).max() > MAX_VALUE:
        return f"holds values beyond {MAX_VALUE:g}"
    return ""


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            cause = "is not a file" if path.exists() else "does not exist"
            raise WeightsError(f"The style code {path} {cause}", "Check the name")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"The style code {path} cannot be read ({reason})", "Check its permissions") from None
    if len(data) > MAX_BYTES:
        raise WeightsError(f"{path.name} is larger than {MAX_BYTES // 2**20} MB: no style code", _DAMAGED)
    return data
