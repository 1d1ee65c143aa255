"""Takes a multipart stream (multipart/x-mixed-replace, RFC 2046) apart, in whatever pieces it arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_PART = 32 * 2**20  # bytes; a JPEG of 40 megapixels has about 15 MB
MAX_HEADER = 16 * 2**10  # bytes
_LINE = 200  # bytes; RFC 2046 allows boundaries of 70
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]*[ \t]*:")
_JPEG = b"\xff\xd8\xff"
_HEADER_END = re.compile(rb"\r?\n(?:\r?\n|(?=%s))" % re.escape(_JPEG))
"""An empty line, or, where a server sends no fields, what is sent."""


class MultipartError(Exception):
    """The stream breaks a limit; the text says which."""


class PartTooLarge(MultipartError):
    """The limit of a part's size."""


@dataclass(frozen=True)
class Part:
    """One part: its header fields (names in lower case) and its body."""

    headers: dict[str, str]
    body: bytes


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a Content-Type names, without dashes in front; empty when it names none.

    None when it is not multipart.
    """
    if not content_type.strip().lower().startswith("multipart/"):
        return None
    found = re.search(r';\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;"]+))', content_type, re.IGNORECASE)
    # Some cameras name the boundary with the dashes that are only to stand before it in the stream.
    named = (found[1] or found[2] or "").strip() if found else ""
    return (named.removeprefix("--") or named).encode("latin-1", "replace")


class MultipartParser:
    """Give it bytes as they come; it gives back the parts that are complete.

    A boundary may stand in the stream with two dashes more, as of cameras that name it with dashes of its own. And
    where the stream begins with a line of dashes, or with the boundary without any, and a header field or a JPEG
    follows, that line is the boundary, whatever was named. (Where none was named it need not be the first line.)

    Where a part says its length, it is complete with its last byte; else at the next boundary. A length that runs over
    a boundary line is a lie and the boundary counts; of those that are too short see `doubt_lengths`. What stands
    before the first boundary is passed over.
    Never holds more than ``max_part`` + ``max_header`` bytes beyond what one call brought.
    """

    def __init__(self, boundary: bytes, max_part: int = MAX_PART, max_header: int = MAX_HEADER) -> None:
        """``boundary``: as `boundary_of` gives it."""
        self._named = boundary
        self._settled = self._inside_line = False
        """It is known which boundary the stream has; before: the buffer begins within a line that is none."""
        self._take_mark(b"--" + boundary)
        self._heeds_lengths = True
        self._by_length = self._passed = self._overran = False
        """The last part was complete by its length; more came behind it than a line end; the same of the one before."""
        self._max_part, self._max_header = max_part, max_header
        self._buffer = bytearray()
        self._searched = 0  # how far the buffer was searched already
        self._headers: dict[str, str] | None = None  # those of the part whose body is being read
        self._length: int | None = None
        self._in_header = False
        self.ended = False  # the closing boundary was met: nothing more will come

    @property
    def inside(self) -> bool:
        """True while a part has begun and is not complete."""
        return self._in_header or self._headers is not None

    def feed(self, data: bytes) -> list[Part]:
        """Take in ``data``; returns the parts it completes, in order. Raises `MultipartError` at a limit."""
        self._buffer += data
        parts: list[Part] = []
        while not self.ended and self._step(parts):
            pass
        if self.ended:
            self._buffer.clear()
        return parts

    def doubt_lengths(self) -> None:
        """What a part's length gave was damaged. If more came behind it than a line end, no length counts any more."""
        self._heeds_lengths = self._heeds_lengths and not self._overran

    def _step(self, parts: list[Part]) -> bool:
        """Do one piece of work; False when more bytes are needed."""
        if self._headers is not None:
            return self._body(parts)
        return self._header() if self._in_header else self._boundary()

    def _boundary(self) -> bool:
        """Pass over everything up to, and with, the next boundary."""
        if not self._settled and not self._settle():
            return False
        at = self._find(self._mark)
        if at < 0:
            keep = len(self._mark) + 1
            if len(self._buffer) > keep:
                self._pass_over(len(self._buffer) - keep)
            return False
        end = at + len(self._mark)
        if len(self._buffer) < end + 2:  # "--" behind it closes the stream
            self._searched = at
            return False
        self.ended = self._buffer[end : end + 2] == b"--"
        dashes = 2 if self._buffer[max(0, at - 2) : at] == b"--" else 0
        self._pass_over(at - dashes)
        self._drop(dashes + len(self._mark))
        if self._by_length:
            self._by_length, self._overran = False, self._passed
        self._in_header = True
        return not self.ended

    def _settle(self) -> bool:
        """Find out which boundary the stream has; False when more bytes are needed."""
        while not self._inside_line or self._pass_line():
            self._drop(len(self._buffer) - len(self._buffer.lstrip(b"\r\n")))
            if self._named and self._buffer.startswith(self._marks):
                break
            line, newline, after = self._buffer[: 2 * _LINE].partition(b"\n")
            if not newline and len(self._buffer) < _LINE:
                return False
            if newline and len(line) < _LINE and self._may_be_mark(line.rstrip()):
                after = after.lstrip(b"\r\n")
                known = after.startswith(_JPEG) or b"\n" in after or len(self._buffer) >= 2 * _LINE
                if not known:
                    return False
                if after.startswith(_JPEG) or _FIELD.match(after):
                    self._take_mark(bytes(line.rstrip()))
                    break
            if self._named:
                break
            self._inside_line = True
        else:
            return False
        self._settled = True
        return True

    def _may_be_mark(self, line: bytearray) -> bool:
        return bool(line) and (line == self._named or (line.startswith(b"--") and line != b"--"))

    def _pass_line(self) -> bool:
        """Drop the rest of a line; False when it goes on in the next bytes."""
        end = self._buffer.find(b"\n") + 1
        self._drop(end or len(self._buffer))
        self._inside_line = not end
        return end > 0

    def _take_mark(self, mark: bytes) -> None:
        self._mark = mark
        self._marks = (mark, b"--" + mark)
        self._lines = tuple(b"\n" + mark for mark in self._marks)  # in a body it stands at the beginning of a line

    def _pass_over(self, size: int) -> None:
        """Drop what stands between parts."""
        self._passed = self._passed or bool(self._buffer[:size].strip())
        self._drop(size)

    def _header(self) -> bool:
        """Read the lines up to the empty one. The rest of the boundary's own line is the first of them."""
        found = _HEADER_END.search(self._buffer, max(0, self._searched - len(_JPEG) - 1))
        # A limit must not depend on how the bytes were cut: it counts from the header's beginning to its end.
        if (found.end() if found else len(self._buffer) - len(_JPEG) + 1) > self._max_header:
            raise MultipartError(f"a part's header is longer than {self._max_header} bytes")
        if not found:
            self._searched = len(self._buffer)
            return False
        headers: dict[str, str] = {}
        for line in bytes(self._buffer[: found.start()]).decode("latin-1").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        self._drop(found.end())
        said = headers.get("content-length", "")
        self._length = int(said) if self._heeds_lengths and re.fullmatch(r"[0-9]{1,12}", said) else None
        if self._length is not None and self._length > self._max_part:
            raise PartTooLarge(f"a part of {self._length} bytes is announced, more than {self._max_part}")
        self._headers, self._in_header = headers, False
        return True

    def _body(self, parts: list[Part]) -> bool:
        size = self._length
        window = len(self._buffer) if size is None else min(len(self._buffer), size)
        at = 0 if self._buffer.startswith(self._marks, 0, window) else self._find_line(window)
        if at >= 0:
            # The line end before a boundary belongs to the boundary.
            cut = at - 1 if at > 0 and self._buffer[at - 1 : at] == b"\r" else at
            if cut > self._max_part:
                raise PartTooLarge(f"a part is longer than {self._max_part} bytes")
            self._emit(parts, cut)
            return True
        if size is not None and len(self._buffer) >= size:
            self._emit(parts, size)
            self._by_length, self._passed = True, False
            return True
        if len(self._buffer) > self._max_part + len(self._lines[1]) + 1:
            raise PartTooLarge(f"a part is longer than {self._max_part} bytes")
        self._searched = max(0, window - len(self._lines[1]) + 1)
        return False

    def _emit(self, parts: list[Part], size: int) -> None:
        parts.append(Part(self._headers or {}, bytes(memoryview(self._buffer)[:size])))
        self._drop(size)
        self._headers = self._length = None

    def _find(self, what: bytes, end: int | None = None) -> int:
        return self._buffer.find(what, self._searched, end)

    def _find_line(self, end: int) -> int:
        """Where the next boundary line begins, or -1."""
        return min((at for line in self._lines if (at := self._find(line, end)) >= 0), default=-1)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._searched = 0
