"""Sizes read from a JPEG's header alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.sources.jpeg import is_complete, jpeg_size
from tests.sources.samples import encoded, gradient, jpeg_claiming


def test_the_size_is_that_of_the_picture():
    for options in ({}, {"progressive": True}, {"quality": 10}, {"exif": b"Exif\0\0" + b"x" * 500}):
        assert jpeg_size(encoded(gradient(17, 40), **options)) == (40, 17)


def test_the_size_is_what_the_header_claims():
    assert jpeg_size(jpeg_claiming(12000, 9000)) == (12000, 9000)


def test_the_largest_of_several_headers_counts():
    one, other = encoded(gradient(8, 8)), jpeg_claiming(60000, 60000)
    header = other[other.index(b"\xff\xc0") :][:19]
    at = one.index(b"\xff\xc0")
    assert jpeg_size(one[:at] + header + one[at:]) == (60000, 60000)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 600), st.binary(max_size=40))
def test_cut_and_spoilt_files_are_read_without_harm(cut, spoilt):
    data = encoded(gradient())[:cut] + spoilt
    size = jpeg_size(data)
    assert size is None or (size[0] >= 0 and size[1] >= 0)


def test_whole_and_cut():
    data = encoded(gradient())
    assert is_complete(data) and is_complete(data + b"\r\n\0\0")
    assert is_complete(data + bytes(512)), "padded to a block"
    assert is_complete(data + b"Image_UTC_Data1234567890123\0" * 9 + b"SEFT"), "a Samsung phone's"
    thumbnail = encoded(gradient(), exif=b"Exif\0\0" + data)
    assert is_complete(thumbnail) and not is_complete(thumbnail[:-40])
    assert not is_complete(data[:-40]) and not is_complete(b"") and not is_complete(b"GIF89a\xff\xd9")
