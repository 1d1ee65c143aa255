"""Picture files: every kind that is read, and every harm that is refused in one line."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps

from artem_vr.errors import PictureError
from artem_vr.sources import pictures
from artem_vr.sources.pictures import StillPicture, is_picture, load_levels, load_picture, save_picture
from tests.sources.samples import encoded, gradient, jpeg_claiming, png_claiming


def refused(path, match, **options):
    """`load_picture` refuses ``path`` in one line that says why, with a remedy."""
    with pytest.raises(PictureError, match=match) as caught:
        load_picture(path, **options)
    assert "\n" not in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_grey_that_stands_for_nothing_is_white(tmp_path, mode):
    image = Image.new(mode, (4, 2), 0)
    image.putpixel((1, 1), 100 if mode == "L" else 100 * 257)
    image.save(tmp_path / "a.png", transparency=0)
    seen = load_picture(tmp_path / "a.png")[:, :, 0]
    assert seen[1, 1] == 100 and (np.delete(seen.ravel(), 5) == 255).all()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_no_picture_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not is_picture(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_kinds_are_read_exactly(tmp_path, kind):
    path = tmp_path / "picture.any"
    path.write_bytes(encoded(gradient(), kind))
    read = load_picture(path)
    assert np.array_equal(read, gradient())
    assert read.flags.c_contiguous and read.flags.writeable and read.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_levels_are_the_numbers_in_the_file(tmp_path, kind):
    path = tmp_path / "measured.png"
    levels = np.array([[0, 1, 77], [100, 254, np.iinfo(kind).max]], kind)
    Image.fromarray(levels).save(path)
    assert np.array_equal(load_levels(path), levels)
    Image.fromarray(levels.astype(np.uint8)).convert("RGB").save(path)
    assert np.array_equal(load_levels(path), levels.astype(np.uint8))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PictureError):
        load_levels(path)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_lossy_kinds_are_read_upright_in_rgb(tmp_path, kind):
    path = tmp_path / "picture"
    path.write_bytes(encoded(gradient(96, 128), kind))
    assert np.abs(load_picture(path).astype(int) - gradient(96, 128)).mean() < 12


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_slim_pictures_are_pictures(tmp_path, size):
    path = tmp_path / "slim.png"
    path.write_bytes(encoded(gradient(*size), "PNG"))
    assert load_picture(path).shape == (*size, 3)


@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_of_the_camera_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(gradient(), "PNG", exif=exif))
    with Image.open(path) as picture:
        assert np.array_equal(load_picture(path), np.asarray(ImageOps.exif_transpose(picture)))
    if orientation == 6:  # the camera was turned: the picture's top is at the right
        assert np.array_equal(load_picture(path), np.rot90(gradient(), -1))


def test_a_sound_picture_is_shown_whatever_its_camera_wrote(tmp_path):
    """A resolution that is text, as some programs leave it."""
    entries = struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x11A, 2, 4, b"72\0\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(gradient(), "PNG", exif=exif))
    assert np.array_equal(load_picture(path), np.rot90(gradient(), -1))


def test_transparency_lies_over_white(tmp_path):
    path = tmp_path / "glass.png"
    Image.new("RGBA", (3, 2), (200, 0, 0, 0)).save(path)
    assert (load_picture(path) == 255).all()
    Image.new("RGBA", (3, 2), (255, 0, 0, 128)).save(path)
    assert np.abs(load_picture(path)[0, 0].astype(int) - (255, 127, 127)).max() <= 1
    Image.new("LA", (3, 2), (10, 255)).save(path)
    assert (load_picture(path) == 10).all()


def test_palettes_with_and_without_transparency(tmp_path):
    path = tmp_path / "palette.png"
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50] + [0] * 762)
    image.putpixel((1, 0), 1)
    image.save(path)
    assert load_picture(path).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    image.save(path, transparency=0)
    assert load_picture(path).tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_sixteen_bits_become_eight(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(path)
    assert load_picture(path)[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_of_any_kind_become_eight(tmp_path, channels):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "deep.png"
    eight = np.arange(256).reshape(16, 16, 1).repeat(channels, axis=2).astype(np.uint16)
    if channels == 4:
        eight[..., 3] = 255
    assert cv2.imwrite(str(path), eight * 257)
    assert np.array_equal(load_picture(path), eight[..., :1].repeat(3, axis=2))


def test_cmyk_grey_and_one_bit(tmp_path):
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, quality=95)
    red = load_picture(path)[8, 8].astype(int)
    assert red[0] > 200 and red[1] < 60 and red[2] < 60
    for mode, ink in (("L", 77), ("1", 1)):
        path = tmp_path / f"{mode}.png"
        Image.new(mode, (3, 3), ink).save(path)
        assert (load_picture(path) == (77 if mode == "L" else 255)).all()


def red_as_green() -> bytes:
    """An ICC profile in which the first of three numbers is green and the second red: sRGB with two tags swapped."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_colours_of_a_profile_become_srgb(tmp_path, kind):
    path = tmp_path / "wide.any"
    image = Image.new("RGB", (16, 16), (200, 100, 30))
    image.save(path, kind, icc_profile=red_as_green(), quality=100)
    assert np.abs(load_picture(path)[8, 8].astype(int) - (100, 200, 30)).max() <= 3
    image.save(path, kind, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), quality=100)
    assert np.abs(load_picture(path)[8, 8].astype(int) - (200, 100, 30)).max() <= 3


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_profile_holds_for_palettes_and_what_lies_over_white(tmp_path, mode):
    path = tmp_path / "wide.png"
    image = Image.new("RGB", (8, 8), (200, 100, 30)).convert(mode)
    if mode == "RGBA":
        image.paste((0, 0, 0, 0), (4, 0, 8, 8))
    image.save(path, icc_profile=red_as_green())
    read = load_picture(path).astype(int)
    assert np.abs(read[2, 2] - (100, 200, 30)).max() <= (2 if mode == "RGBA" else 30)  # palettes have few colours
    assert mode == "P" or (read[:, 4:] == 255).all()


@pytest.mark.parametrize("profile", [b"no profile", red_as_green()[:200], red_as_green()])
def test_profiles_of_no_use_are_passed_over(tmp_path, profile):
    path = tmp_path / "grey.png"
    mode = "L" if profile == red_as_green() else "RGB"  # a grey picture with the profile of a coloured one
    Image.new(mode, (8, 8), "#646464").save(path, icc_profile=profile)
    assert (load_picture(path) == 100).all()


@pytest.mark.parametrize(
    ("kind", "enough", "shape"),
    [("JPEG", 60, (60, 80)), ("JPEG", 61, (120, 160)), ("JPEG", 1000, (240, 320)), ("PNG", 60, (240, 320))],
)
def test_a_large_jpeg_is_read_no_larger_than_it_must_be(tmp_path, kind, enough, shape):
    picture = gradient(240, 320)
    path = tmp_path / "picture"
    Image.fromarray(picture).save(path, kind, quality=95)
    read = load_picture(path, enough=enough)
    assert read.shape == (*shape, 3)
    whole = np.array(Image.fromarray(picture).resize(shape[::-1], Image.Resampling.BOX), int)
    assert np.abs(read.astype(int) - whole).mean() < 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_read(tmp_path, kind):
    path = tmp_path / "moving"
    first, *rest = (Image.new("RGB", (16, 16), tint) for tint in ("red", "lime", "blue"))
    first.save(path, kind, save_all=True, append_images=rest, duration=50)
    assert np.abs(load_picture(path)[8, 8].astype(int) - (255, 0, 0)).max() < 12


def test_bombs_are_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    def decoding(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoding)
    webp = bytearray(encoded(gradient(), "WEBP", lossless=True))
    webp[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    gif = bytearray(encoded(gradient(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded(gradient(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 30000, 30000)
    bombs = {
        "png": png_claiming(100_000, 100_000),
        "small.png": png_claiming(10_000, 10_000),
        "jpg": jpeg_claiming(65000, 65000),
        "webp": bytes(webp),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
    }
    for name, data in bombs.items():
        path = tmp_path / f"bomb.{name}"
        path.write_bytes(data)
        refused(path, "more than 40 megapixels")


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_forty_megapixels_are_read_and_one_line_more_is_not(tmp_path, mode):
    path = tmp_path / "large.png"
    Image.new(mode, (8000, 5000), 257 if mode == "I;16" else None).save(path, compress_level=1)
    picture = load_picture(path)
    assert picture.shape == (5000, 8000, 3) and picture[-1, -1].tolist() == picture[0, 0].tolist()
    Image.new(mode, (8000, 5001)).save(path, compress_level=1)
    refused(path, "8000x5001 pixels, more than 40 megapixels")


@pytest.mark.parametrize("side", [7000, 65535])
def test_a_frame_that_is_larger_than_its_animation_is_refused_undecoded(tmp_path, monkeypatch, side):
    def decoding(*_):
        raise AssertionError("decoded")

    data = bytearray(encoded(gradient(), "GIF"))
    at = data.index(b",\0\0\0\0" + struct.pack("<HH", 32, 24))
    data[at + 5 : at + 9] = struct.pack("<HH", side, side)
    path = tmp_path / "bomb.gif"
    path.write_bytes(data)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoding)
    refused(path, "more than 40 megapixels")


def test_a_text_that_unpacks_to_gigabytes_is_refused(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    plain = encoded(gradient(), "PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 2**26))
    path = tmp_path / "bomb.png"
    path.write_bytes(plain[:33] + text + plain[33:])
    refused(path, "damaged")


def test_several_pictures_in_one_jpeg_give_the_first(tmp_path):
    path = tmp_path / "phone.jpg"
    first, second = (Image.new("RGB", (16, 16), tint) for tint in ("red", "blue"))
    first.save(path, "MPO", save_all=True, append_images=[second])
    assert np.abs(load_picture(path)[8, 8].astype(int) - (255, 0, 0)).max() < 12


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_header_without_a_picture_is_refused(tmp_path, kind):
    data = encoded(gradient(), kind)
    path = tmp_path / "head"
    for length in (4, 12, 30, 60):
        path.write_bytes(data[:length])
        refused(path, "damaged or cut off|not a picture")


def test_the_limit_can_be_chosen(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(gradient(100, 100), "PNG"))
    assert load_picture(path, max_megapixels=0.01).shape == (100, 100, 3)
    refused(path, "more than 0.0099 megapixels", max_megapixels=0.0099)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_cut_files_are_refused(tmp_path, kind):
    data = encoded(np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8), kind)
    path = tmp_path / "cut"
    for part in (0.9, 0.5, 0.1):
        path.write_bytes(data[: int(len(data) * part)])
        refused(path, "damaged or cut off|not a picture")


def test_what_is_no_picture_is_refused(tmp_path):
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Sir or Madam,\n")
    refused(text, "not a picture that can be read")
    empty = tmp_path / "empty.png"
    empty.touch()
    refused(empty, "empty")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.png", "There is no file")
    refused(tmp_path / ("x" * 5000), "cannot be read")
    refused("a\0b", "cannot be read|no file")


def test_a_format_that_is_not_trusted_is_refused(tmp_path):
    path = tmp_path / "picture.eps"
    Image.fromarray(gradient()).save(path, "EPS")
    refused(path, "not a picture that can be read")


def test_a_gigantic_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 1000)
    path = tmp_path / "long.png"
    path.write_bytes(encoded(gradient(), "PNG") + b"\0" * 5000)
    refused(path, "which no picture needs")


@pytest.mark.skipif(os.name != "posix", reason="named pipes are a thing of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    refused(path, "not a regular file")


def test_a_file_without_rights_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(gradient(), "PNG"))
    opening = io.open

    def unreadable(name, *arguments, **options):  # to root, too
        if name == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opening(name, *arguments, **options)

    monkeypatch.setattr(io, "open", unreadable)
    refused(path, "cannot be read")


_GOOD = {kind: encoded(gradient(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP")}


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(_GOOD)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_a_spoilt_file_gives_a_picture_or_one_line(tmp_path_factory, kind, changes):
    data = bytearray(_GOOD[kind])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "spoilt"
    path.write_bytes(data)
    try:
        picture = load_picture(path, max_megapixels=1)
    except PictureError as error:
        assert "\n" not in str(error)
    else:
        assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8


def test_saving_and_reading_again(tmp_path):
    for name in ("a.png", "b.BMP"):
        save_picture(tmp_path / name, gradient())
        assert np.array_equal(load_picture(tmp_path / name), gradient())
    for name in ("c.jpg", "d.jpeg", "e.webp"):
        save_picture(tmp_path / name, gradient(), quality=95)
        assert load_picture(tmp_path / name).shape == gradient().shape
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.BMP", "c.jpg", "d.jpeg", "e.webp"]


def test_a_failed_saving_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    save_picture(path, gradient())

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PictureError, match="No space left"):
        save_picture(path, np.zeros((3, 3, 3), np.uint8))
    assert np.array_equal(load_picture(path), gradient())
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]


def test_saving_where_it_cannot_be(tmp_path):
    with pytest.raises(PictureError, match="cannot be written"):
        save_picture(tmp_path / "none" / "a.png", gradient())
    with pytest.raises(PictureError, match=r"End it in \.png"):
        save_picture(tmp_path / "a.tga", gradient())
    with pytest.raises(ValueError, match="uint8"):
        save_picture(tmp_path / "a.png", gradient().astype(np.float32))


@pytest.mark.skipif(os.name != "posix", reason="file modes are a thing of POSIX")
def test_a_saved_file_has_the_usual_rights(tmp_path):
    save_picture(tmp_path / "a.png", gradient())
    (tmp_path / "other").touch()
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_pictures_are_known_by_their_first_bytes(tmp_path):
    path = tmp_path / "file.mp4"
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        path.write_bytes(encoded(gradient(), kind))
        assert is_picture(path)
    for data in (b"", b"BMW", b"RIFF\0\0\0\0AVI LIST", b"text"):
        path.write_bytes(data)
        assert not is_picture(path)
    assert not is_picture(tmp_path / "none") and not is_picture(tmp_path)


def test_a_still_picture_is_given_again_and_again(tmp_path):
    path = tmp_path / "pair.png"
    path.write_bytes(encoded(np.concatenate([gradient(), 255 - gradient()], axis=1), "PNG"))
    source = StillPicture(path, "sbs", "pair.png")
    first, second = source.read(), source.read()
    assert first is not None and second is not None
    assert np.array_equal(first.eyes, np.stack([gradient(), 255 - gradient()]))
    assert np.array_equal(second.eyes, first.eyes)
    assert not source.live and source.rate == 10 and source.name == "pair.png"
    assert first.still and first.stands
    source.skip()
    source.close()
    assert io.BytesIO(path.read_bytes()).read(4) == b"\x89PNG"
