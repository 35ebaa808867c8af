"""Bodies of HTTP/1.1 messages: decoders that take bytes as they come, and the chunked encoding.

RFC 9112 sections 6 and 7. Chunk extensions are checked, bounded and dropped; so are trailers that none may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from meshc_runtime.header_kind import allowed_in_trailers
from meshc_runtime.hpack import Field
from meshc_runtime.message import CHUNKED, UNTIL_CLOSE, HttpError

LAST_CHUNK = b"0\r\n\r\n"
_MAX_CHUNK_LINE = 256
_MAX_EXTENSIONS = 16 * 1024
_MAX_TRAILERS = 8 * 1024
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
)
_TRAILER = re.compile(_TOKEN + rb":[\t -~\x80-\xff]*")


def encode_chunk(payload: bytes) -> bytes:
    """One chunk; an empty payload gives nothing, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def last_chunk(trailers: Iterable[Field]) -> bytes:
    """The end of a chunked body."""
    lines = b"".join([b"%b: %b\r\n" % field for field in trailers])
    return b"0\r\n%b\r\n" % lines if lines else LAST_CHUNK


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("done", "left")
    trailers: Sequence[Field] = ()

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The payload in `data`, and what follows the body."""
        if len(data) <= self.left:
            self.left -= len(data)
            self.done = self.left == 0
            return data, b""
        payload, rest = data[: self.left], data[self.left :]
        self.left = 0
        self.done = True
        return payload, rest

    def end(self) -> bool:
        """Whether the body may end here because the connection does."""
        return self.done


class CloseBody:
    """A response body that ends with its connection."""

    __slots__ = ("done",)
    trailers: Sequence[Field] = ()

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it is payload."""
        return data, b""

    def end(self) -> bool:
        """The end of the connection is the end of the body."""
        self.done = True
        return True


class ChunkedBody:
    """A body in chunks (RFC 9112 section 7.1), decoded to its payload."""

    __slots__ = ("_buffer", "_extensions", "_left", "_state", "_trailers", "done", "trailers")

    _LINE, _DATA, _DATA_END, _TRAILER = range(4)

    def __init__(self) -> None:
        self.done = False
        self.trailers: list[Field] = []
        self._state = self._LINE
        self._left = 0
        self._buffer = b""
        self._extensions = 0
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The payload in `data`, and what follows the body.

        Raises:
            HttpError: 400 for a malformed size, extension, line end or trailer, or too much of them.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        payload: list[bytes] = []
        at = 0
        while not self.done:
            if self._state == self._DATA:
                piece = data[at : at + self._left]
                payload.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = self._DATA_END
            elif self._state == self._DATA_END:
                given = data[at : at + 2]
                if not b"\r\n".startswith(given):
                    raise HttpError(400, "a chunk is longer than its size")
                if len(given) < 2:
                    self._buffer = given
                    break
                at += 2
                self._state = self._LINE
            else:
                limit = _MAX_CHUNK_LINE if self._state == self._LINE else _MAX_TRAILERS
                end = data.find(b"\r\n", at, at + limit + 2)
                if end < 0:
                    self._hold(data[at:], limit)
                    break
                self._take_line(data[at:end])
                at = end + 2
        return b"".join(payload), data[at:] if self.done else b""

    def end(self) -> bool:
        """A chunked body cannot end with its connection."""
        return self.done

    def _hold(self, data: bytes, limit: int) -> None:
        if len(data) > limit + 1 or b"\n" in data or b"\r" in data[:-1] or b"\x00" in data:
            raise HttpError(400, "malformed chunk")
        self._buffer = data

    def _take_line(self, line: bytes) -> None:
        if self._state == self._LINE:
            match = _CHUNK_LINE.fullmatch(line)
            if match is None:
                raise HttpError(400, "malformed chunk size or extension")
            self._extensions += len(match[2])
            if self._extensions > _MAX_EXTENSIONS:
                raise HttpError(400, "too many chunk extensions")
            self._left = int(match[1], 16)
            self._state = self._DATA if self._left else self._TRAILER
        elif not line:
            self.done = True
        else:
            self._trailers += len(line) + 2
            if self._trailers > _MAX_TRAILERS or not _TRAILER.fullmatch(line):
                raise HttpError(400, "malformed or oversized trailers")
            name, _, value = line.partition(b":")
            if allowed_in_trailers(name):
                self.trailers.append((name.lower(), value.strip(b" \t")))


class TunnelBody:
    """What a client sends when the connection no longer speaks HTTP: it has no end of its own."""

    __slots__ = ()
    done = False
    trailers: Sequence[Field] = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it is payload."""
        return data, b""

    def end(self) -> bool:
        """It ends with the connection."""
        return True


BodyDecoder = LengthBody | ChunkedBody | CloseBody | TunnelBody


def body_decoder(length: int) -> BodyDecoder:
    """The decoder for a length as heads carry it: a number, CHUNKED or UNTIL_CLOSE."""
    if length == CHUNKED:
        return ChunkedBody()
    if length == UNTIL_CLOSE:
        return CloseBody()
    return LengthBody(length)
