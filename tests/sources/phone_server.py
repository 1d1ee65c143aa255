"""A server on this machine that speaks as a phone does, or misbehaves, as a test tells it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MARK = "Ba4oTvQMY8ew04N8dcnM"
STREAM = (
    "HTTP/1.0 200 OK\r\nConnection: close\r\nServer: IP Webcam Server 0.4\r\nCache-Control: no-store\r\n"
    f"Content-Type: multipart/x-mixed-replace;boundary={MARK}\r\n\r\n"
).encode()


def part(body: bytes, kind: str = "image/jpeg", length: int | None = None) -> bytes:
    """A part of the stream, as the app sends it."""
    said = len(body) if length is None else length
    return f"--{MARK}\r\nContent-type: {kind}\r\nContent-Length: {said}\r\n\r\n".encode() + body + b"\r\n"


def answer(
    body: bytes, kind: str = "image/jpeg", status: str = "200 OK", extra: str = "", length: int | None = None
) -> bytes:
    """A whole answer to one request."""
    said = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {said}\r\n{extra}\r\n"
    return head.encode() + body


class Caller:
    """One connection, seen from the server: what was asked, and a way to answer."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection, self.over = connection, over
        self.request = b""

    def next_request(self) -> bool:
        """Read the next request's header; False when the caller is gone."""
        self.request = b""
        while not self.request.endswith(b"\r\n\r\n"):
            got = self._connection.recv(4096)
            if not got:
                return False
            self.request += got
        return True

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait(self) -> None:
        """Say nothing more until the test is over."""
        self.over.wait(60)


@contextmanager
def serving(script: Callable[[Caller], None]) -> Iterator[str]:
    """Serve on a free port; ``script`` plays each connection after its first request. Gives ``http://127.0.0.1:PORT``."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def play(connection: socket.socket) -> None:
        # A caller that hangs up in the middle is what many of the tests are about.
        with connection, contextlib.suppress(OSError):
            caller = Caller(connection, over)
            if caller.next_request():
                script(caller)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(60)
                connections.append(connection)
                threads.append(threading.Thread(target=play, args=(connection,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        for open_still in [listener, *connections]:  # also wakes whoever waits in a call
            with contextlib.suppress(OSError):
                open_still.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(10)
