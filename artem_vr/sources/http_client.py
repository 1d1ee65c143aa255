"""An HTTP request that cannot hang: every byte must come in time, and every step has an end."""

from __future__ import annotations

import base64
import http.client
import io
import re
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from artem_vr.errors import SourceError

CHUNK = 64 * 2**10  # bytes taken from the socket at once; also the buffer's size, so that one read empties it
_LINE_END = b"\r\n"
"""Stands behind a chunk, and is taken with the next one."""

_SECRET = re.compile(r"(?i)\b((?:pass(?:word|wd)?|pwd|token|auth|key)\w*)=[^&]*")
"""What apps of cameras take in the query in the place of a password in front of the host."""
_PLAIN = "%/?:@!$&'()*+,;=-._~[]"
"""What stands in a path and a query as it is, % among it: what was put in other words is left so."""


@dataclass(frozen=True)
class Address:
    """A URL taken apart. ``shown`` is the URL without the password, for messages."""

    scheme: str
    host: str
    port: int | None
    path: str
    user: str
    password: str
    shown: str


def parse_address(url: str, schemes: tuple[str, ...] = ("http", "https", "rtsp")) -> Address:
    """Take ``url`` apart; without a scheme it is http. Raises `SourceError` when it is not an address."""
    text = url.strip()
    if "://" not in text:
        text = f"http://{text}"
    advice = "Write it as the app shows it, e.g. phone:http://192.168.1.23:8080/video"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SourceError("The address of the phone cannot be understood", advice) from None
    at = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    query = _SECRET.sub(r"\1=***", parts.query)
    shown = urlunsplit((parts.scheme, f"{user}:***@{at}" if parts.password else at, parts.path, query, ""))
    if not host or parts.scheme not in schemes or not text.isprintable() or " " in text:
        raise SourceError(f"{shown!r} is not the address of a phone", advice)
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_PLAIN)
    return Address(parts.scheme, host, port, path, unquote(user), unquote(parts.password or ""), shown)


class Connection:
    """One HTTP connection to ``address``; a request's answer is read with `read`.

    ``silence``: the longest wait for the next byte, in seconds. ``deadline`` (a `time.monotonic` moment, None: none)
    ends any reading, however busily bytes drip. Raises `SourceError`, in one line, for whatever goes wrong.
    """

    def __init__(self, address: Address, silence: float, patience: float) -> None:
        self.address = address
        self._silence, self._patience = silence, patience
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        port = address.port or kind.default_port  # left to it, it takes an IPv6 address's last group for the port
        self._http = kind(address.host, port, timeout=silence)
        self._socket: _TimedSocket | None = None
        self._answer: http.client.HTTPResponse | None = None
        self.deadline: float | None = None

    def get(self) -> http.client.HTTPResponse:
        """Ask for the address; returns the answer, its header read. Raises `SourceError`, also for a status not 200."""
        headers = {"User-Agent": "artem-vr", "Accept": "*/*"}
        if self.address.user or self.address.password:
            secret = f"{self.address.user}:{self.address.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        self.deadline = time.monotonic() + self._patience
        try:
            if self._http.sock is None:
                self._http.connect()
                inner: Any = self._http.sock
                self._socket = _TimedSocket(inner, self._silence, self)
                wrapped: Any = self._socket
                self._http.sock = wrapped
            self._http.request("GET", self.address.path, headers=headers)
            self._answer = self._http.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._refusal(error) from None
        if self._answer.status != 200:
            raise self._bad_status(self._answer)
        return self._answer

    def read(self) -> bytes:
        """The next bytes of the answer, at most `CHUNK`; empty at its end. Raises `SourceError`."""
        assert self._answer is not None
        try:
            return self._answer.read1(CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._refusal(error) from None

    def more_waits(self) -> bool:
        """True when further bytes have arrived already."""
        return self._socket is not None and (self._socket.buffered() > len(_LINE_END) or self._socket.ready())

    def close(self) -> None:
        try:
            if self._answer is not None:
                self._answer.close()
            self._http.close()
            if self._socket is not None:
                self._socket.shut()
        except OSError:
            pass

    def _refusal(self, error: Exception) -> SourceError:
        shown = self.address.shown
        if isinstance(error, _TooSlow):
            return SourceError(
                f"{shown} answers too slowly", "Choose a smaller picture in the app, or go nearer to the WLAN router"
            )
        if isinstance(error, TimeoutError):
            return SourceError(
                f"{shown} is silent (nothing for {self._silence:g} s)",
                "Check that the app's server runs and that the phone is awake",
            )
        if isinstance(error, ConnectionRefusedError):
            return SourceError(f"{shown} refuses the connection", "Start the server in the app, and check the port")
        if isinstance(error, (socket.gaierror, UnicodeError)):  # the latter: two dots in a row
            return SourceError(f"There is no machine named {self.address.host!r}", "Check the app's address")
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceError(f"{shown} has no certificate that can be trusted", "Use the app's http:// address")
        if isinstance(error, ssl.SSLError):
            return SourceError(f"{shown} does not speak HTTPS", "Use the app's http:// address")
        if isinstance(error, (http.client.IncompleteRead, ConnectionError)):
            return SourceError(f"{shown} closed the connection", "Check that the app is still open on the phone")
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            return SourceError(f"{shown} cannot be reached ({reason})", "Check that both are in the same WLAN")
        return SourceError(f"{shown} does not speak HTTP", "Check address and port")

    def _bad_status(self, answer: http.client.HTTPResponse) -> SourceError:
        shown, status = self.address.shown, answer.status
        if status == 401:
            ways = answer.headers.get_all("WWW-Authenticate", [])
            if ways and not any(way.strip().lower().startswith("basic") for way in ways):
                way = one_line(ways[0].split()[0]) if ways[0].split() else "an unknown way"
                remedy = "Switch the app's password off, or its way of asking to Basic"
                return SourceError(f"{shown} asks for a password by {way}, which is not known here", remedy)
            if self.address.user or self.address.password:
                return SourceError(f"{shown} refuses this name and password", "Check both in the app's settings")
            return SourceError(f"{shown} asks for a password", "Write phone:http://USER:PASSWORD@HOST:PORT/video")
        if status == 404:
            return SourceError(f"{shown} does not exist", "IP Webcam's paths are /video and /shot.jpg")
        if 300 <= status < 400:
            target = one_line(answer.headers.get("Location", ""))
            remedy = f"Write phone:{urljoin(self._bare_url(), target)}" if target else "Give that address itself"
            return SourceError(f"{shown} leads to another address", remedy)
        return SourceError(f"{shown} answers with status {status}", "Check the address")

    def _bare_url(self) -> str:
        """The address without name and password."""
        shown = urlsplit(self.address.shown)
        return urlunsplit((shown.scheme, shown.netloc.rpartition("@")[2], shown.path, shown.query, ""))


def one_line(text: str, most: int = 200) -> str:
    """What a server sent, fit to be shown."""
    return "".join(letter for letter in text if letter.isprintable())[:most]


class _TooSlow(TimeoutError):
    """The deadline passed although bytes came."""


class _TimedSocket:
    """A socket whose every reading ends at the owner's deadline. Has what `http.client` asks of a socket."""

    def __init__(self, inner: socket.socket, silence: float, owner: Connection) -> None:
        self._inner, self._silence, self._owner = inner, silence, owner
        self.makefile()

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader[Any]:
        """One for each answer."""
        self._raw = _TimedReader(self)
        self._reader: io.BufferedReader[Any] = io.BufferedReader(self._raw, CHUNK)
        return self._reader

    def buffered(self) -> int:
        """How many bytes were taken from the socket and not read: of an answer in chunks only one is read at a time."""
        self._raw.dry = True
        try:
            return len(self._reader.peek(1))
        except ValueError:  # it was closed
            return 0
        finally:
            self._raw.dry = False

    def sendall(self, data: bytes) -> None:
        self._inner.settimeout(self._silence)
        self._inner.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        wait, end = self._silence, self._owner.deadline
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise _TooSlow
            wait = min(wait, left)
        self._inner.settimeout(wait)
        try:
            return self._inner.recv_into(buffer)
        except TimeoutError:
            raise (TimeoutError if wait == self._silence else _TooSlow) from None

    def ready(self) -> bool:
        if isinstance(self._inner, ssl.SSLSocket) and self._inner.pending():
            return True
        try:
            return bool(select.select([self._inner], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Called by `http.client` while the answer is still to be read; `shut` is what ends the connection."""

    def shut(self) -> None:
        self._inner.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, inner: _TimedSocket) -> None:
        self._inner = inner
        self.dry = False
        """Give nothing for now: who asks wants to know what is buffered."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return None if self.dry else self._inner.recv_into(buffer)
