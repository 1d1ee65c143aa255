"""The multipart parser: the same parts, however the bytes are cut; limits; lies."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artem_vr.sources.mjpeg import MultipartError, MultipartParser, boundary_of

MARK = b"Ba4oTvQMY8ew04N8dcnM"


def stream(bodies, lengths=True, newline=b"\r\n", closing=False, before=b"", dashes=b"--"):
    """What a server sends for ``bodies``."""
    data = before
    for body in bodies:
        said = b"Content-Length: %d" % len(body) + newline if lengths else b""
        data += newline + dashes + MARK + newline + b"Content-Type: image/jpeg" + newline + said + newline + body
    return data + newline + dashes + MARK + (b"--" + newline if closing else newline)


def parse(pieces, boundary=MARK, **limits):
    """(bodies, where it ended): the bodies that come out, and the limit's words where one is broken."""
    parser, bodies = MultipartParser(boundary, **limits), []
    try:
        for piece in pieces:
            bodies += [part.body for part in parser.feed(piece)]
    except MultipartError as error:
        return bodies, str(error)
    return bodies, ""


def cut(data, places):
    """``data`` in pieces, cut at ``places`` (parts of its length)."""
    at = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    return [data[a:b] for a, b in pairwise(at)]


bodies_ = st.lists(st.binary(max_size=60).filter(lambda b: not b.endswith(b"\r")), max_size=5)
cuts = st.lists(st.floats(0, 1), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    bodies_,
    st.booleans(),
    st.sampled_from([b"\r\n", b"\n"]),
    st.booleans(),
    st.sampled_from([b"--", b"----"]),  # the latter: a boundary that is itself named with dashes
    cuts,
)
def test_the_parts_come_out_however_the_stream_is_cut(bodies, lengths, newline, closing, dashes, places):
    data = stream(bodies, lengths, newline, closing, dashes=dashes)
    assert parse(cut(data, places)) == (bodies, "")
    assert parse([bytes([b]) for b in data]) == (bodies, "")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), cuts)
def test_any_bytes_give_the_same_however_they_are_cut(data, places):
    data = data.replace(b"\0", b"--b\r\n").replace(b"\1", b"Content-Length: 3\r\n\r\n").replace(b"\2", b"\r\n\r\n")
    whole = parse([data], b"b", max_part=40, max_header=60)
    assert parse(cut(data, places), b"b", max_part=40, max_header=60) == whole


def test_a_part_that_says_its_length_does_not_wait_for_the_next():
    parser = MultipartParser(MARK)
    data = stream([b"picture"])
    at = data.index(b"picture") + len(b"picture")
    assert [p.body for p in parser.feed(data[:at])] == [b"picture"]
    assert not parser.inside


def test_header_fields():
    (part,) = MultipartParser(MARK).feed(stream([b"x"]))
    assert part.headers == {"content-type": "image/jpeg", "content-length": "1"}


@pytest.mark.parametrize("said", [b"5000", b"-3", b"many", b"1e3", b""])
def test_a_length_that_lies_or_is_nonsense_costs_no_other_part(said):
    data = stream([b"first"], lengths=False).replace(
        b"\r\n\r\nfirst", b"\r\nContent-Length: " + said + b"\r\n\r\nfirst"
    )
    data += stream([b"second", b"third"])[2 + 2 + len(MARK) + 2 :]
    assert parse([data]) == ([b"first", b"second", b"third"], "")


def test_a_length_that_is_too_short_costs_only_its_own_part():
    data = stream([b"first", b"second"]).replace(b"Content-Length: 5", b"Content-Length: 2")
    assert parse([data]) == ([b"fi", b"second"], "")


@pytest.mark.parametrize("short", [1, 4])
def test_lengths_that_are_too_short_are_not_heeded_any_more(short):
    """... once what they gave is known to be damaged; a server's own garbage between parts is no reason."""
    parser = MultipartParser(MARK)
    data = stream([b"picture"]).replace(b"Content-Length: 7", b"Content-Length: %d" % (7 - short))[: -len(MARK) - 6]
    assert [p.body for p in parser.feed(data)] == [b"picture"[: 7 - short]]
    parser.doubt_lengths()  # nobody knows yet what comes behind it
    assert [p.body for p in parser.feed(data)] == [b"picture"[: 7 - short]]
    parser.doubt_lengths()
    assert [p.body for p in parser.feed(data + stream([]))] == [b"picture"]
    for dashes in (b"--", b"----"):
        parser = MultipartParser(MARK)
        junk = stream([b"sound"], dashes=dashes).replace(b"Content-Length: 5", b"Content-Length: 3")
        parser.feed(junk[: -len(MARK) - 4] + stream([b"damaged", b"damaged"], dashes=dashes))
        parser.doubt_lengths()
        assert [p.body for p in parser.feed(b"Content-Length: 1\r\n\r\nx")] == [b"x"], "what was long ago is no reason"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([b"--other", b"----other", MARK, b"--" + MARK, b"--x y"]),
    st.sampled_from([MARK, b""]),
    st.sampled_from([b"\r\nContent-Type: image/jpeg\r\n\r\n", b"\r\n", b"\r\n\r\n"]),
    st.booleans(),
    st.sampled_from([b"", b"hello\r\n--\r\n", b"--no boundary\r\n--nor this\r\n", b"--" + b"x" * 500 + b"\r\n"]),
    cuts,
)
def test_the_boundary_is_that_of_the_stream_whatever_was_named(line, named, between, closing, before, places):
    if line == MARK and not named:
        line = b"--" + line  # without a name it takes dashes to know it
    bodies = [b"\xff\xd8\xff one\n--two", b"\xff\xd8\xff another"]
    data = (
        (b"" if named else before)
        + b"\r\n"
        + b"".join(line + between + body + b"\r\n" for body in bodies)
        + line
        + b"--" * closing
        + b"\r\n"
    )
    assert parse(cut(data, places), named) == (bodies, "")


def test_a_line_of_dashes_before_the_first_part_is_no_boundary():
    assert parse([stream([b"x"], before=b"----\r\nWelcome\r\n--\r\nA: b\r\n")]) == ([b"x"], "")


def test_what_stands_before_the_first_part_is_passed_over():
    assert parse([stream([b"x"], before=b"This is a multi-part message.\r\n" * 9)]) == ([b"x"], "")


def test_the_closing_mark_ends_it():
    parser = MultipartParser(MARK)
    parser.feed(stream([b"x"], closing=True))
    assert parser.ended
    assert parser.feed(stream([b"y"])) == []


def test_limits():
    _, why = parse([stream([b"x" * 101])], max_part=100)
    assert "101 bytes is announced" in why
    _, why = parse([stream([b"x" * 500], lengths=False)], max_part=100)
    assert "longer than 100" in why
    _, why = parse([b"--" + MARK + b"\r\n" + b"A: b\r\n" * 50], max_header=100)
    assert "header" in why


def test_an_endless_stream_is_not_kept():
    parser = MultipartParser(MARK, max_part=1000)
    for _ in range(1000):
        parser.feed(b"x" * 1000)  # no boundary at all
    assert len(parser._buffer) < 100
    parser.feed(b"\r\n--" + MARK + b"\r\n\r\n")
    with pytest.raises(MultipartError):
        for _ in range(10):
            parser.feed(b"x" * 1000)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/x-mixed-replace;boundary=Ba4oTvQMY8ew04N8dcnM", MARK),
        ('multipart/x-mixed-replace; boundary="--a b"', b"a b"),
        ("Multipart/X-Mixed-Replace; charset=x; BOUNDARY=--frame", b"frame"),
        ("multipart/x-mixed-replace", b""),
        ('multipart/x-mixed-replace; boundary=""', b""),
        ("image/jpeg", None),
        ("text/html; boundary=x", None),
        ("", None),
    ],
)
def test_the_boundary_in_a_content_type(kind, boundary):
    assert boundary_of(kind) == boundary
