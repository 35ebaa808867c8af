"""Messages of HTTP as all versions of it mean them: heads of requests and responses, and their header fields.

The fields of a head keep the form in which they came, and are put into the other one when somebody asks for it: lines
for HTTP/1.1, pairs for HTTP/2. So a message that is passed on as it came is never taken apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from meshc_runtime.hpack import Field

MAX_HEAD_BYTES = 60 * 1024
MAX_FIELDS = 100
CHUNKED = -1
"""A body whose length is not known before its end."""
UNTIL_CLOSE = -2
"""A body that ends with its connection."""

# The registered methods (and PURGE), which are also all that Envoy's parser takes.
# fmt: off
METHODS = frozenset({
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE", "MKACTIVITY",
    "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH",
    "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK",
    "UNSUBSCRIBE",
})
# fmt: on

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_MAX_HOST_BYTES = 512
_GRPC = b"application/grpc"
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class HttpError(Exception):
    """A message that is refused: the status to answer with and the reason for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Fields:
    """End-to-end header fields in order: as lines of HTTP/1.1, as pairs of HTTP/2, or both."""

    __slots__ = ("_lines", "_pairs", "came_as_lines")

    def __init__(self, *, lines: list[bytes] | None = None, pairs: tuple[Field, ...] | None = None) -> None:
        self._lines = lines
        self._pairs = pairs
        self.came_as_lines = lines is not None

    @property
    def lines(self) -> list[bytes]:
        """As `Name: value`, without line ends."""
        if self._lines is None:
            self._lines = [b"%b: %b" % pair for pair in self._pairs or () if pair[0] != b"te"]
        return self._lines

    @property
    def pairs(self) -> tuple[Field, ...]:
        """As names in lower case with their values."""
        if self._pairs is None:
            self._pairs = tuple(map(_pair, self._lines or ()))
        return self._pairs

    def underscored(self) -> bool:
        """Whether some name has `_`."""
        if self._lines is not None:
            return any(b"_" in line and b"_" in line[: line.index(b":")] for line in self._lines)
        return any(b"_" in name for name, _ in self._pairs or ())

    def value_of(self, name: bytes) -> bytes | None:
        """The value of the first field of this name, which is in lower case."""
        if self._pairs is not None:
            for known, value in self._pairs:
                if known == name:
                    return value
        else:
            length = len(name)
            for line in self._lines or ():
                if len(line) > length and line[length] == 0x3A and line[:length].lower() == name:
                    return line[length + 1 :].strip(b" \t")
        return None


NO_FIELDS = Fields(lines=[], pairs=())


@dataclass(slots=True, kw_only=True)
class RequestHead:
    """A request head that passed every check.

    `path` and `query` are as received (`query` with its `?`); `fields` are the end-to-end headers without framing,
    hop-by-hop and identity headers; `length` is a body length or CHUNKED; `declares_length` tells a stated 0 from none;
    `upgrade` is the protocol asked for in lower case. The same head may be shared by many requests.
    """

    method: str
    path: str
    query: str
    host: str
    fields: Fields
    length: int
    declares_length: bool
    keep_alive: bool
    expects_continue: bool
    upgrade: str | None
    _grpc: bool | None = field(default=None, repr=False, compare=False)
    _underscored: bool | None = field(default=None, repr=False, compare=False)

    @property
    def lines(self) -> list[bytes]:
        """The end-to-end headers as lines."""
        return self.fields.lines

    @property
    def grpc(self) -> bool:
        """Whether this is a gRPC call, which is answered in the form of gRPC."""
        if self._grpc is None:
            self._grpc = is_grpc(self.fields)
        return self._grpc

    @property
    def underscored(self) -> bool:
        """Whether some header's name has `_`, which many applications take for `-`."""
        if self._underscored is None:
            self._underscored = self.fields.underscored()
        return self._underscored

    def headers(self) -> dict[str, list[bytes]]:
        """Lower-case names to the values of their lines."""
        headers: dict[str, list[bytes]] = {"host": [self.host.encode()]}
        for name, value in self.fields.pairs:
            headers.setdefault(name.decode("latin-1"), []).append(value)
        return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """A request to send on: its target is canonical, and only its framing is left to the protocol.

    `identity` is the value of `x-forwarded-client-cert`, empty for none.
    """

    method: str
    target: str
    host: str
    fields: Fields
    length: int
    declares_length: bool
    identity: bytes
    upgrade: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """A response head that passed every check; `length` may also be UNTIL_CLOSE.

    `declared_length` is a Content-Length to pass on though no body follows (HEAD, 304). `reason` is the phrase after
    the status, which HTTP/2 has not; `upgrade` the protocol that a 101 switches to.
    """

    status: int
    fields: Fields
    length: int
    declared_length: int | None
    keep_alive: bool = True
    reason: bytes | None = None
    upgrade: str | None = None

    @property
    def grpc_status(self) -> bytes | None:
        """The status of a gRPC call that has no body."""
        return self.fields.value_of(b"grpc-status")


def is_grpc(fields: Fields) -> bool:
    """Whether a message is of gRPC, by its content type."""
    kind = fields.value_of(b"content-type")
    return kind is not None and kind.startswith(_GRPC) and kind[len(_GRPC) :][:1] in (b"", b"+")


def grpc_timeout(fields: Fields) -> float | None:
    """The seconds that a caller of gRPC waits at most; None where it does not say, or not in the form of gRPC."""
    value = fields.value_of(b"grpc-timeout")
    match = None if value is None else _TIMEOUT.fullmatch(value)
    return None if match is None else int(match[1]) * _UNITS[match[2]]


def read_length(value: bytes) -> int:
    """The number in a Content-Length.

    Raises:
        HttpError: 400 for anything else.
    """
    if not _LENGTH.fullmatch(value):
        raise HttpError(400, "malformed or repeated Content-Length")
    return int(value)


def check_method(method: str) -> None:
    """See that a method is one that can be carried.

    Raises:
        HttpError: 405 for CONNECT, 400 for one that is not known.
    """
    if method not in METHODS:
        raise HttpError(405 if method == "CONNECT" else 400, f"method {method}")


def check_host(host: str) -> tuple[str, int | None]:
    """The lower-case name and the port of a Host value.

    Raises:
        HttpError: 400 when it is empty or is no host.
    """
    return _read_host(host) if len(host) > _MAX_HOST_BYTES else _remembered_host(host)


def _read_host(host: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(host)
    if match is None or (match[2] is not None and int(match[2]) > 65535):
        raise HttpError(400, "malformed Host")
    return match[1].lower(), None if match[2] is None else int(match[2])


_remembered_host = lru_cache(maxsize=1024)(_read_host)


def _pair(line: bytes) -> Field:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" \t")
