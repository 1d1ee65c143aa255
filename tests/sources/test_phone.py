"""The phone: what the app sends is shown; whatever else a server does ends in one line, and soon.

Limits are short where their breach is expected, and long everywhere else: a busy machine changes nothing.
"""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from artem_vr.errors import SourceError
from artem_vr.sources import opencv, phone
from artem_vr.sources.http_client import parse_address
from artem_vr.sources.phone import PollingSource, StreamSource, decode_jpeg, open_phone
from artem_vr.sources.source import Shot
from tests.sources.phone_server import STREAM, Caller, answer, part, serving
from tests.sources.samples import encoded, gradient, grey_jpeg, jpeg_claiming

pytestmark = pytest.mark.network

LONG = {"silence": 60.0, "patience": 60.0}


def stream(url: str, path: str = "/video", layout="mono", **limits: float) -> StreamSource:
    return StreamSource(parse_address(url + path), layout, **{**LONG, **limits})  # type: ignore[arg-type]


def polling(url: str, path: str = "/shot.jpg", **limits: float) -> PollingSource:
    return PollingSource(parse_address(url + path), **{**LONG, **limits})  # type: ignore[arg-type]


def level(source) -> int:
    """The grey level of the next picture."""
    shot = source.read()
    assert shot is not None
    return round(float(shot.eyes.mean()))


def sends(*data: bytes) -> Callable[[Caller], None]:
    """A script: send it, then stay silent with the connection open."""

    def script(caller: Caller) -> None:
        for piece in data:
            caller.send(piece)
        caller.wait()

    return script


def refused(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SourceError, match=match) as caught:
        make()
    assert "\n" not in str(caught.value) and caught.value.remedy


def test_pictures_arrive_as_they_were_taken():
    jpeg = encoded(gradient(48, 64), quality=95)
    with serving(sends(STREAM, part(jpeg))) as url:
        source = stream(url)
        shot = source.read()
        source.close()
    assert shot is not None and shot.eyes.shape == (1, 48, 64, 3) and shot.eyes.dtype == np.uint8
    assert np.abs(shot.eyes[0].astype(int) - gradient(48, 64)).mean() < 6
    assert source.name == f"phone:{url}/video" and source.live and source.rate is None


def test_each_picture_in_turn_and_both_eyes():
    go = threading.Event()

    def script(caller: Caller) -> None:
        caller.send(STREAM)
        for grey in (40, 90, 140, 190):
            caller.send(part(encoded(np.full((16, 32, 3), grey, np.uint8))))
            go.wait(60)
            go.clear()
        caller.wait()

    with serving(script) as url:
        source = stream(url, layout="sbs")
        for grey in (40, 90, 140, 190):
            shot = source.read()
            assert shot is not None and shot.eyes.shape == (2, 16, 16, 3)
            assert round(float(shot.eyes.mean())) == grey
            go.set()
        source.close()


@pytest.mark.parametrize(("chunked", "most"), [(False, 19), (True, 4)])
def test_newest_wins_over_what_has_piled_up(chunked: bool, most: int):
    """Of chunks one read gives one, and what was taken from the socket with it is not to be seen there."""
    head, parts = STREAM, [part(grey_jpeg(grey)) for grey in range(20, 220, 10)]
    if chunked:  # as of HTTP/1.1
        head = head.replace(b"HTTP/1.0", b"HTTP/1.1")
        head = head.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        parts = [b"%x\r\n%s\r\n" % (len(data), data) for data in parts]
    with serving(sends(head + b"".join(parts))) as url:
        source = stream(url)
        seen = [level(source)]
        while seen[-1] < 210:
            seen.append(level(source))
        source.close()
    assert seen == sorted(seen) and len(seen) <= most


def test_a_stream_whose_every_length_is_too_short_is_read():
    def script(caller: Caller) -> None:
        caller.send(STREAM)
        while not caller.over.wait(0.01):
            caller.send(part(grey_jpeg(60), length=len(grey_jpeg(60)) - 9))

    with serving(script) as url:
        assert level(stream(url, hope=60)) == 60


def test_a_stream_that_names_no_boundary_is_read():
    head = STREAM.replace(b";boundary=Ba4oTvQMY8ew04N8dcnM", b"")
    with serving(sends(head, part(grey_jpeg(60)))) as url:
        assert level(stream(url)) == 60


def test_a_stream_in_single_bytes_is_read():
    def script(caller: Caller) -> None:
        for byte in STREAM + part(grey_jpeg(77)):
            caller.send(bytes([byte]))
        caller.wait()

    with serving(script) as url:
        assert level(stream(url)) == 77


def test_name_and_password_are_sent_and_never_shown():
    def script(caller: Caller) -> None:
        secret = base64.b64encode(b"me:p@ss w").decode()
        if f"Authorization: Basic {secret}\r\n".encode() in caller.request:
            caller.send(STREAM + part(grey_jpeg(50)))
            caller.wait()
        caller.send(answer(b"", status="401 Unauthorized"))

    with serving(script) as url:
        source = stream(url.replace("//", "//me:p%40ss%20w@"))
        assert level(source) == 50
        assert "p@ss" not in source.name and "p%40ss" not in source.name and "***" in source.name
        refused(lambda: stream(url.replace("//", "//me:wrong@")), "refuses this name and password")
        refused(lambda: stream(url), "phone:http://USER:PASSWORD@HOST:PORT/video")


def test_garbage_between_pictures_is_skipped():
    junk = [b"", b"no picture", b"\xff\xd8\xff", grey_jpeg(9)[:-60], b"\xff\xd8" + b"\0" * 50 + b"\xff\xd9"]
    data = b"".join(part(body) for body in junk) + part(b"text", "text/plain") + part(grey_jpeg(60))
    with serving(sends(STREAM + data)) as url:
        assert level(stream(url, hope=60)) == 60


def test_pictures_are_seen_between_parts_of_other_kinds():
    """Some cameras send what they heard or measured with each picture, and both arrive in one read."""

    def script(caller: Caller) -> None:
        caller.send(STREAM)
        while not caller.over.wait(0.01):
            caller.send(part(grey_jpeg(60)) + part(b"21 degrees", "text/plain"))

    with serving(script) as url:
        assert level(stream(url, hope=5)) == 60


def test_only_garbage_is_an_error_in_the_end():
    def script(caller: Caller) -> None:
        caller.send(STREAM)
        while not caller.over.wait(0.01):
            caller.send(part(b"no picture at all"))

    with serving(script) as url:
        refused(stream(url, hope=0.3).read, "sends only pictures that are damaged")


def test_a_lying_length_costs_one_picture():
    data = (
        part(grey_jpeg(30), length=10**6) + part(grey_jpeg(80)) + part(grey_jpeg(120), length=3) + part(grey_jpeg(130))
    )
    with serving(sends(STREAM + data + b"--")) as url:
        source = stream(url)
        seen = level(source)
        while seen != 130:
            seen = level(source)


def test_a_silent_server():
    with serving(lambda caller: caller.wait()) as url:
        refused(lambda: stream(url, silence=0.2), "is silent")
    with serving(sends(STREAM)) as url:
        refused(stream(url, silence=0.2).read, "is silent")


def test_a_server_that_stalls_after_some_pictures():
    with serving(sends(STREAM + part(grey_jpeg(60)) + part(grey_jpeg(60))[:200])) as url:
        source = stream(url, silence=1.0)
        assert level(source) == 60
        refused(source.read, "is silent")


@pytest.mark.parametrize("head", [b"", STREAM, STREAM + part(grey_jpeg(60))[:90]])
def test_a_slow_drip(head):
    def script(caller: Caller) -> None:
        caller.send(head)
        while not caller.over.wait(0.01):
            caller.send(b"x")

    with serving(script) as url:
        refused(lambda: stream(url, patience=0.4).read(), "answers too slowly")


@pytest.mark.parametrize("sent", [b"", STREAM, STREAM + part(grey_jpeg(60))[:90]])
def test_a_server_that_hangs_up(sent):
    with serving(lambda caller: caller.send(sent)) as url:
        refused(lambda: stream(url).read(), "closed the connection")


def test_a_stream_that_says_it_is_over():
    with serving(sends(STREAM + part(grey_jpeg(60)) + b"--Ba4oTvQMY8ew04N8dcnM--\r\nrest")) as url:
        source = stream(url)
        assert level(source) == 60
        refused(source.read, "closed the connection")
        source.close()
        source.close()


def test_a_picture_of_a_hundred_megapixels_is_not_decoded(monkeypatch):
    class NoDecoder:
        @staticmethod
        def load():
            raise AssertionError("decoded")

    bomb = jpeg_claiming(12000, 9000)
    with serving(sends(STREAM + part(bomb))) as url:
        source = stream(url)
        monkeypatch.setattr(phone, "opencv", NoDecoder)
        refused(source.read, "12000x9000 pixels, more than 40 megapixels")
    with serving(lambda caller: caller.send(answer(bomb))) as url:
        refused(lambda: polling(url), "12000x9000 pixels")


def test_a_part_without_end_is_not_kept():
    def script(caller: Caller) -> None:
        caller.send(STREAM + f"--{'Ba4oTvQMY8ew04N8dcnM'}\r\n\r\n".encode())
        while not caller.over.is_set():
            caller.send(b"x" * 10_000)

    with serving(script) as url:
        refused(stream(url, max_part=100_000).read, "longer than 100000 bytes")
    with serving(sends(STREAM + part(b"x", length=10**9))) as url:
        refused(stream(url).read, "1000000000 bytes is announced")


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        (answer(b"<html>", "text/html"), "sends text/html, not Motion JPEG.*ending in /video"),
        (answer(b"x", "multipart/x-mixed-replace"), "closed the connection"),
        (answer(b"x", "a\tb" * 999), "not Motion JPEG"),
        (answer(b"", status="404 Not Found"), "does not exist"),
        (answer(b"", status="503 Busy"), "status 503"),
        (
            answer(b"", status="302 Found", extra="Location: http://elsewhere/\r\n"),
            "leads to another address. Write phone:http://elsewhere/",
        ),
        (answer(b"", status="301 Moved", extra="Location: /video\r\n"), r"Write phone:http://127\.0\.0\.1:\d+/video"),
        (answer(b"", status="302 Found"), "leads to another address. Give that address itself"),
        (answer(b"", status="401 No", extra='WWW-Authenticate: Digest realm="x"\r\n'), "by Digest.*Switch"),
        (answer(b"", status="401 No", extra="WWW-Authenticate:\r\n"), "an unknown way"),
        (answer(b"", status="401 No", extra='WWW-Authenticate: Basic realm="x"\r\n'), "Write phone:http://USER:PASS"),
        (answer(b"", status="401 No"), "Write phone:http://USER:PASSWORD@HOST"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000, "does not speak HTTP"),
        (b"\x16\x03\x01\0\0" * 20_000, "does not speak HTTP"),
    ],
)
def test_a_server_that_is_no_such_phone(sent, match):
    with serving(lambda caller: caller.send(sent)) as url:
        refused(lambda: stream(url).read(), match)


def test_nobody_there(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused(lambda: stream(f"http://127.0.0.1:{port}"), "refuses the connection")

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    refused(lambda: stream("http://phone.invalid:8080"), "no machine named 'phone.invalid'")
    refused(lambda: stream("http://192.168..1.23:8080"), "no machine named '192.168..1.23'")


def test_https_to_a_server_that_has_none():
    with (
        serving(lambda caller: caller.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")) as url,
        pytest.raises(SourceError) as caught,
    ):
        stream(url.replace("http:", "https:"), silence=0.5)
    assert "\n" not in str(caught.value)


def test_single_pictures_over_one_connection():
    calls = []

    def script(caller: Caller) -> None:
        calls.append(1)
        grey = 40
        while True:
            caller.send(answer(grey_jpeg(grey)))
            grey += 10
            if not caller.next_request():
                return

    with serving(script) as url:
        source = polling(url)
        assert [level(source) for _ in range(5)] == [40, 50, 60, 70, 80]
        source.skip()
        source.close()
    assert len(calls) == 1 and source.live and source.rate == 30


@pytest.mark.parametrize("extra", ["Connection: close\r\n", ""])
def test_single_pictures_from_a_server_that_hangs_up_after_each(extra):
    with serving(lambda caller: caller.send(answer(grey_jpeg(60), extra=extra))) as url:
        source = polling(url)
        assert [level(source) for _ in range(4)] == [60] * 4
        source.close()


def test_single_pictures_that_are_none():
    def cut(caller: Caller) -> None:
        caller.send(answer(grey_jpeg(60)[:-100], length=10_000))

    def says(data: bytes) -> Callable[[Caller], None]:
        return lambda caller: caller.send(data)

    for script, match in (
        (says(answer(b"<html>", "text/html")), "no JPEG picture"),
        (says(answer(b"")), "no JPEG picture"),
        (cut, "no JPEG picture|closed the connection"),
        (says(answer(b"", status="404 Not Found")), "does not exist"),
    ):
        with serving(script) as url, pytest.raises(SourceError, match=match):
            polling(url)


def test_single_pictures_without_end_or_life():
    def endless(caller: Caller) -> None:
        caller.send(b"HTTP/1.0 200 OK\r\n\r\n")
        while not caller.over.is_set():
            caller.send(b"x" * 10_000)

    with serving(endless) as url:
        refused(lambda: polling(url, max_part=100_000), "more than 100000 bytes")
    with serving(lambda caller: caller.wait()) as url:
        refused(lambda: polling(url, silence=0.2), "is silent")

    def drip(caller: Caller) -> None:
        caller.send(b"HTTP/1.0 200 OK\r\n\r\n")
        while not caller.over.wait(0.01):
            caller.send(b"x")

    with serving(drip) as url:
        refused(lambda: polling(url, patience=0.4), "answers too slowly")


def test_the_address_decides_how_it_is_read():
    def script(caller: Caller) -> None:
        if caller.request.startswith((b"GET /shot.jpg?x=1 ", b"GET /photo.JPG ")):
            caller.send(answer(grey_jpeg(70), extra="Connection: close\r\n"))
        elif caller.request.startswith(b"GET /video "):
            caller.send(STREAM + part(grey_jpeg(80)))
            caller.wait()

    with serving(script) as url:
        host = url.removeprefix("http://")
        for text, kind, grey in (
            (url, StreamSource, 80),
            (host, StreamSource, 80),
            (f" {url}/ ", StreamSource, 80),
            (f"{url}/video", StreamSource, 80),
            (f"{url}/shot.jpg?x=1", PollingSource, 70),
            (f"{host}/photo.JPG", PollingSource, 70),
        ):
            source = open_phone(text)
            assert isinstance(source, kind) and level(source) == grey
            source.close()


@pytest.mark.parametrize("text", ["", "http://", "ftp://host/x", "http://host:port/", "http://ho st/", "http://[::1/", "file:///etc/passwd",
                                  "http://a:70000/", "http://host/\nX: y"])  # fmt: skip
def test_what_is_no_address(text):
    refused(lambda: open_phone(text), "address")


def test_passwords_are_not_shown_in_errors():
    with pytest.raises(SourceError) as caught:
        open_phone("ftp://me:secret@host/x")
    assert "secret" not in str(caught.value)


def test_rtsp_that_nobody_serves_is_refused():
    with serving(lambda caller: caller.wait()) as url:
        refused(lambda: open_phone(url.replace("http:", "rtsp:") + "/h264.sdp"), "cannot be opened")


class Capture:
    """Of a video whose next key frame comes after ``missed`` silences; None: the sender goes."""

    def __init__(self, missed: int | None, now: list[float]) -> None:
        self._missed, self._now, self.released = missed, now, False

    def isOpened(self) -> bool:
        return True

    def grab(self) -> bool:
        if not self._missed:
            return self._missed == 0
        self._missed -= 1
        self._now[0] += phone.SILENCE
        return False

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((4, 6, 3), (1, 2, 3), np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize("missed", [0, 6, None, 9])
def test_a_video_that_was_joined_between_its_key_frames_is_waited_for(monkeypatch, missed: int | None):
    """OpenCV gives no picture before the next one; a sender that has gone is not waited for."""
    now = [0.0]
    capture = Capture(missed, now)
    monkeypatch.setattr(opencv.load(), "VideoCapture", lambda *_: capture)
    monkeypatch.setattr(phone, "time", SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter))
    if missed in (0, 6):
        source = open_phone("rtsp://127.0.0.1/h264.sdp")
        shot = source.read()
        assert isinstance(shot, Shot) and (shot.eyes == (3, 2, 1)).all()
        capture._missed = None
        with pytest.raises(SourceError, match="any more"):
            source.read()
    else:
        refused(lambda: open_phone("rtsp://127.0.0.1/h264.sdp"), "has sent no whole picture")
        assert capture.released and now[0] <= phone.FIRST_PICTURE + phone.SILENCE


def test_no_wait_for_rtsp_is_longer_than_a_silence(monkeypatch):
    cv2 = opencv.load()
    asked = []

    def capture(_url, _backend, limits):
        asked.append(dict(zip(limits[::2], limits[1::2], strict=True)))
        return SimpleNamespace(isOpened=lambda: False, release=lambda: None)

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    refused(lambda: open_phone("rtsp://127.0.0.1/h264.sdp"), "cannot be opened")
    limit = int(phone.SILENCE * 1000)
    assert asked == [{cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC: limit}]


def test_decoding_is_rgb_and_refuses_halves():
    picture = decode_jpeg(encoded(np.full((8, 8, 3), (255, 0, 0), np.uint8)), "it")
    assert picture is not None and picture[4, 4, 0] > 240 and picture[4, 4, 2] < 20
    assert decode_jpeg(b"", "it") is None
    assert decode_jpeg(jpeg_claiming(0, 9), "it") is None
    assert decode_jpeg(grey_jpeg(5)[:-30], "it") is None


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_an_ipv6_address_without_a_port_keeps_its_last_group(scheme: str, port: int) -> None:
    from artem_vr.sources.http_client import Address, Connection

    for host in ("fe80::abcd", "fd00::1:8080"):
        connection = Connection(Address(scheme, host, None, "/video", "", "", "shown"), 1.0, 1.0)
        assert (connection._http.host, connection._http.port) == (host, port)


def test_what_the_query_tells_in_secret_is_sent_and_not_shown():
    def script(caller: Caller) -> None:
        if caller.request.startswith(b"GET /vid%C3%A9o?user=me&pwd=s%20cret&n=1 "):
            caller.send(STREAM + part(grey_jpeg(50)))
            caller.wait()
        caller.send(answer(b"", status="401 Unauthorized"))

    with serving(script) as url:
        source = open_phone(f"{url}/vidéo?user=me&pwd=s%20cret&n=1")
        assert level(source) == 50
        assert "cret" not in source.name and "user=me&pwd=***&n=1" in source.name
