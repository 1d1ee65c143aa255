"""Picture files: read with distrust, written whole or not at all; and a still picture as a source."""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from artem_vr.atomic_file import part_of, replace
from artem_vr.errors import PictureError
from artem_vr.sources.files import problem_of, reason
from artem_vr.sources.frame import Picture
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.source import Shot

Decoded = TypeVar("Decoded")

MAX_MEGAPIXELS = 40.0
MAX_BYTES = 256 * 2**20  # no sane picture of 40 megapixels is larger
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_SAVED = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}
_LONGEST = {"JPEG": 65500, "WEBP": 16383}
"""Pixels in a row or column that Pillow writes."""
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_OTHER = "Save it as PNG or JPEG with a picture program"


def is_picture(path: Path) -> bool:
    """True when the file's first bytes are those of a picture, whatever its name. False when it cannot be read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            head = file.read(30)
    except OSError:
        return False
    bitmap = head[:2] == b"BM" and head[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0")
    return head.startswith(_MAGIC) or bitmap or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def load_picture(path: Path | str, max_megapixels: float = MAX_MEGAPIXELS, enough: int | None = None) -> Picture:
    """Read a PNG, JPEG, WEBP, BMP or GIF (its first frame) file.

    ``enough``: pixels that suffice for the short side. A JPEG that has twice as many or more is decoded at a half, a
    quarter or an eighth of its size, which takes a third of the time.

    Returns (H, W, 3) uint8 RGB, top row first, C-contiguous. The orientation noted by the camera is applied,
    transparency is laid over white, 16-bit, grey, palette and CMYK pictures are converted, and colours of a profile in
    the file become sRGB. Files are not trusted: the size is checked before anything is decoded.

    Raises `PictureError` when the file is missing, unreadable, empty, damaged, no picture, or larger than
    ``max_megapixels``.
    """
    return _loaded(Path(path), _to_rgb, max_megapixels, enough)


def load_levels(path: Path | str, max_megapixels: float = MAX_MEGAPIXELS) -> npt.NDArray[np.float32]:
    """(H, W) fp32: the numbers of a grey picture of 8 or 16 bits as they stand in the file; of one in colours, its red.

    For measurements that are kept as pictures. As distrustful as `load_picture`; raises `PictureError`.
    """
    return _loaded(Path(path), _to_levels, max_megapixels)


def _loaded(path: Path, convert: Callable[[Any], Decoded], max_megapixels: float, enough: int | None = None) -> Decoded:
    check_file(path)
    try:
        with path.open("rb") as file:
            return _decoded(file, str(path), convert, max_megapixels, enough)
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({reason(error)})", "Check the name and the rights") from None


def decode_picture(data: bytes, name: str = "The picture", max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """`load_picture` of a file's bytes; ``name`` is what errors call it. Raises `PictureError`."""
    return _decoded(io.BytesIO(data), name, _to_rgb, max_megapixels)


def _decoded(
    file: BinaryIO, name: str, convert: Callable[[Any], Decoded], max_megapixels: float, enough: int | None = None
) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures, where our own, stricter limit decides, and of what it passes over itself.
            warnings.simplefilter("ignore")
            _refuse_large(_webp_size(file.read(30)), name, max_megapixels)
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                _refuse_large(image.size, name, max_megapixels)
                if enough is not None:
                    scale = enough / min(image.size)
                    image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
                return convert(image)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{name} is not a picture that can be read ({', '.join(FORMATS)})", _OTHER) from None
    except Image.DecompressionBombError:
        raise _too_large(name, max_megapixels) from None
    except MemoryError:
        raise PictureError(f"There is not enough memory for {name}", "Make the picture smaller") from None
    except Exception as error:  # noqa: BLE001  a damaged file brings OSError, ValueError, SyntaxError, struct.error ...
        raise PictureError(f"{name} is damaged or cut off ({error})", "Copy or save it again") from None


def check_file(path: Path) -> None:
    """Raises `PictureError` unless ``path`` is a regular file with something, but not too much, in it."""
    problem = problem_of(path)
    if problem:
        raise PictureError(*problem)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise PictureError(f"{path} has {size / 2**20:.0f} MB, which no picture needs", "Make the picture smaller")


def save_picture(path: Path | str, picture: Picture, quality: int = 92) -> None:
    """Write (H, W, 3) uint8 RGB as PNG, JPEG, WEBP or BMP, by the name's ending; the file appears whole or not at all.

    ``quality`` (1..100) is that of JPEG and WEBP. Raises `PictureError` when the ending is unknown or the file cannot
    be written.
    """
    path = Path(path)
    kind = _SAVED.get(path.suffix.lower())
    if kind is None:
        raise PictureError(f"{path.name} does not say which kind of picture it is", f"End it in {', '.join(_SAVED)}")
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture is (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
    check_fits(path, *picture.shape[:2])
    from PIL import Image

    part = part_of(path)
    try:
        with part.open("wb") as file:
            Image.fromarray(np.ascontiguousarray(picture)).save(file, kind, quality=quality)
        replace(part, path)
    except (OSError, ValueError) as error:
        raise PictureError(
            f"{path} cannot be written ({reason(error)})", "Check that the folder exists, its rights and the space left"
        ) from None
    finally:
        part.unlink(missing_ok=True) if part.parent.is_dir() else None


def check_fits(path: Path, height: int, width: int) -> None:
    """Raises `PictureError` where what ``path`` is called cannot hold a picture of so many pixels."""
    kind = _SAVED.get(path.suffix.lower(), "")
    most = _LONGEST.get(kind, max(height, width))
    if max(height, width) > most:
        cause = f"{path} would be {width}x{height} pixels, and {kind} holds no more than {most} in either direction"
        raise PictureError(cause, f"End it in .png, or make it smaller: --size {most}")


class StillPicture:
    """A picture file as a source: the same picture again and again, so that a change of style repaints it.

    Raises `PictureError` (opening), `SourceError` (a layout that does not fit).
    """

    live = False
    rate: float | None = 10.0

    def __init__(self, path: Path, layout: Layout = "mono", name: str | None = None) -> None:
        self.name = name or str(path)
        self._shot = Shot(split(load_picture(path), layout), still=True, stands=True)

    def read(self) -> Shot | None:
        return self._shot

    def skip(self) -> None:
        pass

    def close(self) -> None:
        pass


def _to_rgb(image: Any) -> Picture:
    """A PIL image of any mode -> (H, W, 3) uint8 sRGB. Decodes."""
    from PIL import Image

    image.load()
    profile = image.info.get("icc_profile")
    image = _upright(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # 16 bits (held in 32 for mode I) to 8
        deep = np.asarray(image).astype(np.float32)  # and in place: 40 megapixels of it are enough
        hidden = image.info.get("transparency")  # a grey that stands for nothing
        clear = deep == hidden if isinstance(hidden, int) else None
        deep *= 255.0 if image.mode == "F" and deep.max(initial=0) <= 1 else 1 / 257
        deep += 0.5
        if clear is not None:
            deep[clear] = 255
        image = Image.fromarray(np.clip(deep, 0, 255, out=deep).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    if profile:
        image = _in_srgb(image, profile)
    return np.array(image.convert("RGB"), np.uint8, order="C")


def _upright(image: Any) -> Any:
    """A PIL image as its camera was held. Nothing else of what the camera wrote matters: `ImageOps.exif_transpose`
    writes all of it anew, and fails where anything of it makes no sense."""
    from PIL import ExifTags, Image

    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  what is damaged says nothing, and the picture may be sound
        return image
    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_270, 7: turn.TRANSVERSE, 8: turn.ROTATE_90,
    }  # fmt: skip
    return image.transpose(turns[orientation]) if orientation in turns else image


def _in_srgb(image: Any, profile: bytes) -> Any:
    """A PIL image whose colours are those of an ICC ``profile``, in sRGB; as it is where the profile is of no use."""
    from PIL import ImageCms

    straight = image if image.mode in ("L", "CMYK") else image.convert("RGB")  # of palettes the colours
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(straight, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):  # damaged, or made for pictures of another kind
        return image


def _to_levels(image: Any) -> npt.NDArray[np.float32]:
    """A PIL image of any mode -> (H, W) fp32, nothing scaled. Decodes."""
    image.load()
    if image.mode not in ("L", "I", "F") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    levels = np.asarray(image, np.float32)
    return levels if levels.ndim == 2 else levels[:, :, 0]


def _webp_size(head: bytes) -> tuple[int, int]:
    """(width, height) of a WEBP file that begins so, else (0, 0). Opening one, Pillow allocates its canvas."""
    if len(head) < 30 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return 0, 0
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _refuse_large(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    if size[0] * size[1] > max_megapixels * 1e6:
        raise _too_large(name, max_megapixels, size)


def _too_large(name: str, max_megapixels: float, size: tuple[int, int] | None = None) -> PictureError:
    says = f" of {size[0]}x{size[1]} pixels" if size else ""
    return PictureError(
        f"{name} is a picture{says}, more than {max_megapixels:g} megapixels", "Make the picture smaller"
    )
