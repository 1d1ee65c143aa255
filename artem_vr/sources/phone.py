"""A phone as a source: Android's "IP Webcam" and whatever speaks as it does.

Motion JPEG over HTTP (``/video``), single pictures asked for again and again (``/shot.jpg``), or RTSP (by OpenCV).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from artem_vr.errors import SourceError
from artem_vr.sources import opencv
from artem_vr.sources.frame import Picture
from artem_vr.sources.http_client import Address, Connection, parse_address
from artem_vr.sources.jpeg import START_OF_IMAGE, is_complete, jpeg_size
from artem_vr.sources.layout import Layout, split
from artem_vr.sources.mjpeg import MAX_PART, MultipartError, MultipartParser, Part, PartTooLarge, boundary_of
from artem_vr.sources.source import Shot, Source

SILENCE = 1.5  # s without a byte: the server is gone
PATIENCE = 3.0  # s for an answer's header, and for one picture from its first byte to its last
FIRST_PICTURE = 12.0  # s until a video that was joined between its key frames can be decoded
HOPE = 5.0  # s without a picture that can be decoded, though parts come
MAX_MEGAPIXELS = 40.0
_DRAIN = 16 * 2**20  # bytes passed over at most to reach the newest picture
_SMALLER = "Choose a smaller picture size in the app"
_AGAIN = "Start the server in the app again"


def open_phone(url: str, layout: Layout = "mono") -> Source:
    """The source that fits the address: RTSP, single pictures, or the stream. Raises `SourceError`."""
    address = parse_address(url)
    if address.scheme == "rtsp":
        return RtspSource(url.strip(), address, layout)
    if address.path == "/":
        address = replace(address, path="/video", shown=address.shown.rstrip("/") + "/video")
    if address.path.partition("?")[0].lower().endswith((".jpg", ".jpeg")):
        return PollingSource(address, layout)
    return StreamSource(address, layout)


class StreamSource:
    """Motion JPEG. `read` gives the newest picture that has arrived; older ones are passed over undecoded."""

    live = True
    rate: float | None = None  # the phone sets the pace

    def __init__(
        self,
        address: Address,
        layout: Layout = "mono",
        silence: float = SILENCE,
        patience: float = PATIENCE,
        hope: float = HOPE,
        max_part: int = MAX_PART,
    ) -> None:
        self.name = f"phone:{address.shown}"
        self._address, self._layout, self._patience, self._hope = address, layout, patience, hope
        self._connection = Connection(address, silence, patience)
        try:
            kind = self._connection.get().headers.get("Content-Type", "")
        except SourceError:
            self.close()
            raise
        boundary = boundary_of(kind)
        if boundary is None:
            self.close()
            raise SourceError(
                f"{address.shown} sends {_shortened(kind) or 'something unknown'}, not Motion JPEG",
                "Use the address ending in /video, or in /shot.jpg for single pictures",
            )
        self._parser = MultipartParser(boundary, max_part)

    def read(self) -> Shot | None:
        end = time.monotonic() + self._hope
        reason = "parts without a picture"
        while time.monotonic() < end:
            part, captured_at = self._newest()
            picture = decode_jpeg(part.body, self._address.shown)
            if picture is not None:
                return Shot(split(picture, self._layout), captured_at)
            self._parser.doubt_lengths()
            reason = "pictures that are damaged"
        raise SourceError(f"{self._address.shown} sends only {reason}", _AGAIN)

    def skip(self) -> None:
        pass

    def close(self) -> None:
        self._connection.close()

    def _newest(self) -> tuple[Part, float]:
        """Wait for a part, then take what has arrived after it; returns the last one and when it was there."""
        newest: Part | None = None
        captured_at = 0.0
        drained = 0
        self._connection.deadline = time.monotonic() + self._patience
        while newest is None or (self._connection.more_waits() and drained < _DRAIN):
            data = b"" if self._parser.ended else self._connection.read()
            if not data and newest is not None:
                break
            if not data:
                raise SourceError(
                    f"{self._address.shown} closed the connection", "Check that the app is still open on the phone"
                )
            try:
                parts = self._parser.feed(data)
            except MultipartError as error:
                remedy = _SMALLER if isinstance(error, PartTooLarge) else _AGAIN
                raise SourceError(f"{self._address.shown} sends no proper stream ({error})", remedy) from None
            # text or sound between the pictures may come last
            pictures = [part for part in parts if part.body.startswith(START_OF_IMAGE)]
            if pictures or (parts and newest is None):
                newest, captured_at = (pictures or parts)[-1], time.perf_counter()
            if newest is not None:
                drained += len(data)
        return newest, captured_at


class PollingSource:
    """Single pictures, asked for one after the other over one connection where the server keeps it."""

    live = True

    def __init__(
        self,
        address: Address,
        layout: Layout = "mono",
        silence: float = SILENCE,
        patience: float = PATIENCE,
        max_part: int = MAX_PART,
        rate: float = 30.0,
    ) -> None:
        self.name = f"phone:{address.shown}"
        self.rate: float | None = rate
        self._address, self._layout, self._silence, self._patience = address, layout, silence, patience
        self._max_part = max_part
        self._connection: Connection | None = None
        self._first: Shot | None = None
        try:
            self._first = self.read()  # finds out now whether the address gives pictures
        except SourceError:
            self.close()
            raise

    def read(self) -> Shot | None:
        first, self._first = self._first, None
        if first is not None:
            return first
        for _ in range(3):
            captured_at = time.perf_counter()
            picture = decode_jpeg(self._fetch(), self._address.shown)
            if picture is not None:
                return Shot(split(picture, self._layout), captured_at)
        raise SourceError(f"{self._address.shown} sends no JPEG picture, or a damaged one", "Use the app's /shot.jpg")

    def skip(self) -> None:
        pass

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fetch(self) -> bytes:
        """One answer's body. A connection that the server let go in the meantime is opened again, once."""
        kept = self._connection is not None
        try:
            return self._ask()
        except SourceError:
            self.close()
            if not kept:
                raise
        try:
            return self._ask()
        except SourceError:
            self.close()
            raise

    def _ask(self) -> bytes:
        if self._connection is None:
            self._connection = Connection(self._address, self._silence, self._patience)
        answer = self._connection.get()
        body = bytearray()
        while data := self._connection.read():
            body += data
            if len(body) > self._max_part:
                raise SourceError(f"{self._address.shown} sends more than {self._max_part} bytes", _SMALLER)
        answer.close()
        if answer.will_close:
            self.close()
        return bytes(body)


class RtspSource:
    """RTSP, read by the FFmpeg in OpenCV. Every wait ends after `SILENCE` seconds, but that for the first picture:
    nothing can be decoded before the sender's next key frame.
    """

    live = True
    rate: float | None = None

    def __init__(self, url: str, address: Address, layout: Layout = "mono") -> None:
        cv2 = opencv.load()
        self.name = f"phone:{address.shown}"
        self._address, self._layout = address, layout
        milliseconds = int(SILENCE * 1000)
        # Without these FFmpeg waits 30 s for a silent server.
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
        self._capture: Any = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        if not self._capture.isOpened():
            self.close()
            raise SourceError(
                f"{address.shown} cannot be opened", "Check the address, or use the app's /video over http://"
            )
        self._grabbed = self._wait_for_first()
        """Whether a picture waits to be read."""
        if not self._grabbed:
            self.close()
            remedy = "Check that the app is still open, or let it send key frames more often"
            raise SourceError(f"{address.shown} has sent no whole picture", remedy)

    def _wait_for_first(self) -> bool:
        begun = now = time.monotonic()
        while not self._capture.grab():
            before, now = now, time.monotonic()
            if now - before < SILENCE / 2 or now - begun > FIRST_PICTURE:  # at once: the sender has gone
                return False
        return True

    def read(self) -> Shot | None:
        grabbed, self._grabbed = self._grabbed, False
        if not grabbed and not self._capture.grab():
            raise SourceError(f"{self._address.shown} sends no pictures any more", "Check that the app is still open")
        captured_at = time.perf_counter()
        cv2 = opencv.load()
        good, bgr = self._capture.retrieve()
        if not good or bgr.shape[0] * bgr.shape[1] > MAX_MEGAPIXELS * 1e6:
            raise SourceError(f"{self._address.shown} sends damaged or gigantic pictures", _SMALLER)
        return Shot(split(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), self._layout), captured_at)

    def skip(self) -> None:
        pass

    def close(self) -> None:
        self._capture.release()


def decode_jpeg(data: bytes, shown: str, max_megapixels: float = MAX_MEGAPIXELS) -> Picture | None:
    """(H, W, 3) uint8 RGB; None when ``data`` is not a whole JPEG.

    Raises `SourceError`, before decoding, when the header declares more than ``max_megapixels``; ``shown`` names the
    sender.
    """
    size = jpeg_size(data)
    if size is None or 0 in size:
        return None
    if size[0] * size[1] > max_megapixels * 1e6:
        raise SourceError(
            f"{shown} sends pictures of {size[0]}x{size[1]} pixels, more than {max_megapixels:g} megapixels", _SMALLER
        )
    if not is_complete(data):
        return None
    cv2 = opencv.load()
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _shortened(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:60]
