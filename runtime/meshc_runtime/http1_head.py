"""Heads of HTTP/1.1 messages, read strictly: what two readers could read differently is refused.

One anchored expression checks every byte of a head; only a head that fails it is looked at again, to say why.
Nothing here knows sockets. RFC 9112 sections 2, 3, 5, 6 and RFC 9110 sections 7.2 and 7.6.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

MAX_HEAD_BYTES = 60 * 1024
MAX_FIELDS = 100
CHUNKED = -1
UNTIL_CLOSE = -2

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_FIELDS = rb"((?:" + _TOKEN + rb"++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
_REQUEST = re.compile(rb"([A-Z][A-Z0-9_-]{0,31}) ([!-~]++) HTTP/1\.1\r\n" + _FIELDS)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*+)?\r\n" + _FIELDS)
_REQUEST_LINE = re.compile(rb"([!-~]+) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_BROKEN_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"http://([^/?#]*)(.*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,15}")
# The registered methods (and PURGE), which are also all that Envoy's parser takes.
# fmt: off
_METHODS = frozenset({
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE", "MKACTIVITY",
    "MKCALENDAR", "MKCOL", "MOVE", "M-SEARCH", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH",
    "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK",
    "UNSUBSCRIBE",
})
# fmt: on


class _Kind(IntEnum):
    """What a header is to a proxy; plain ones pass through untouched."""

    PLAIN = 0
    HOP = 1
    HOST = 2
    LENGTH = 3
    TRANSFER_ENCODING = 4
    CONNECTION = 5
    EXPECT = 6
    UPGRADE = 7
    IDENTITY = 8
    LOOKALIKE = 9


_SPECIAL = {
    b"host": _Kind.HOST,
    b"content-length": _Kind.LENGTH,
    b"transfer-encoding": _Kind.TRANSFER_ENCODING,
    b"connection": _Kind.CONNECTION,
    b"expect": _Kind.EXPECT,
    b"upgrade": _Kind.UPGRADE,
    b"keep-alive": _Kind.HOP,
    b"proxy-connection": _Kind.HOP,
    b"proxy-authenticate": _Kind.HOP,
    b"proxy-authorization": _Kind.HOP,
    b"te": _Kind.HOP,
    b"trailer": _Kind.HOP,
    b"http2-settings": _Kind.HOP,
    b"x-forwarded-client-cert": _Kind.IDENTITY,
}
_NOT_NOMINATED = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"authorization", b"cookie", b"x-forwarded-client-cert"}
)
_KNOWN: dict[bytes, _Kind] = {}
_MAX_KNOWN = 4096
_MAX_KNOWN_BYTES = 64
_MAX_REMEMBERED = 2048
_MAX_HOST_BYTES = 512


class HttpError(Exception):
    """A message that is refused: the status to answer with and the reason for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class RequestHead:
    """A request head that passed every check.

    `path` and `query` are as received (`query` with its `?`); `lines` are the end-to-end header lines without
    framing, hop-by-hop and identity headers; `length` is a body length or CHUNKED; `declares_length` tells a
    stated 0 from none.
    """

    method: str
    path: str
    query: str
    host: str
    lines: list[bytes]
    length: int
    declares_length: bool
    keep_alive: bool
    expects_continue: bool
    upgrade: bool

    def headers(self) -> dict[str, list[bytes]]:
        """Lower-case names to the values of their lines."""
        headers: dict[str, list[bytes]] = {"host": [self.host.encode()]}
        for line in self.lines:
            name, _, value = line.partition(b":")
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.strip(b" \t"))
        return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """A response head that passed every check; `length` may also be UNTIL_CLOSE.

    `declared_length` is a Content-Length to pass on though no body follows (HEAD, 304).
    """

    status: int
    status_line: bytes
    lines: tuple[bytes, ...]
    length: int
    declared_length: int | None
    keep_alive: bool
    grpc_status: bytes | None


def find_head_end(buffer: bytes | bytearray, scanned: int) -> int:
    """The offset after the head's empty line, or -1 while it has not arrived.

    `scanned` bytes were looked at before; line ends that are not CR LF are refused as soon as they arrive.

    Raises:
        HttpError: 431 for a head beyond MAX_HEAD_BYTES, 400 for a broken line end.
    """
    end = buffer.find(b"\r\n\r\n", max(0, scanned - 3))
    if end >= 0:
        if end + 4 > MAX_HEAD_BYTES:
            raise HttpError(431, "head too large")
        return end + 4
    if len(buffer) > MAX_HEAD_BYTES:
        raise HttpError(431, "head too large")
    if _BROKEN_LINE_END.search(buffer, max(0, scanned - 1)):
        raise HttpError(400, "bare CR, bare LF or NUL in the head")
    return -1


def parse_request_head(head: bytes) -> RequestHead:
    """Read one whole request head, from its first byte to the empty line.

    Raises:
        HttpError: 400, 405 (CONNECT), 417 (unknown Expect), 426 (HTTP/1.0), 431, 505 (another version).
    """
    match = _REQUEST.fullmatch(head)
    if match is None:
        raise _diagnose(head)
    method = match[1].decode("ascii")
    if method not in _METHODS:
        raise HttpError(405 if method == "CONNECT" else 400, f"method {method}")
    fields = _Fields(match[3])
    if fields.host is None:
        raise HttpError(400, "no Host")
    host = fields.host.decode("latin-1")
    target = match[2].decode("ascii")
    if target[0] != "/":
        target = _origin_form(target, host)
    if "#" in target:
        raise HttpError(400, "fragment in the target")
    check_host(host)
    path, mark, query = target.partition("?")
    expects_continue = False
    if fields.expect is not None:
        if fields.expect.lower() != b"100-continue":
            raise HttpError(417, "unknown Expect")
        expects_continue = True
    if fields.chunked and fields.length is not None:
        raise HttpError(400, "both Content-Length and Transfer-Encoding")
    return RequestHead(
        method=method,
        path=path,
        query=mark + query,
        host=host,
        lines=fields.kept(),
        length=CHUNKED if fields.chunked else fields.length or 0,
        declares_length=fields.length is not None,
        keep_alive=b"close" not in fields.nominated,
        expects_continue=expects_continue,
        upgrade=fields.asks_upgrade(),
    )


def parse_response_head(head: bytes, request_method: str) -> ResponseHead:
    """Read one whole response head; the framing depends on the request's method (RFC 9112 section 6.3).

    Raises:
        HttpError: 502 for anything that breaks HTTP.
    """
    if len(head) > _MAX_REMEMBERED:
        return _read_response_head(head, request_method == "HEAD")
    return _remembered_response_head(head, request_method == "HEAD")


def _read_response_head(head: bytes, to_head: bool) -> ResponseHead:
    match = _RESPONSE.fullmatch(head)
    if match is None:
        raise HttpError(502, "malformed response head")
    minor, status = match[1], int(match[2])
    try:
        fields = _Fields(match[3])
    except HttpError as error:
        raise HttpError(502, f"response: {error.reason}") from None
    if fields.chunked and (fields.length is not None or minor == b"0"):
        raise HttpError(502, "response: ambiguous framing")
    declared = fields.length
    if status < 200 or status in (204, 304) or to_head:
        if status < 200 or status == 204:
            declared = None
        length = 0
    elif fields.chunked:
        length = CHUNKED
    else:
        length = UNTIL_CLOSE if declared is None else declared
    contradicts = status == 204 and (fields.chunked or bool(fields.length))  # its body may still come
    persistent = b"close" not in fields.nominated if minor == b"1" else b"keep-alive" in fields.nominated
    return ResponseHead(
        status=status,
        status_line=b"HTTP/1.1" + head[8 : head.index(b"\r\n")],
        lines=tuple(fields.kept()),
        length=length,
        declared_length=declared,
        keep_alive=persistent and length != UNTIL_CLOSE and not contradicts,
        grpc_status=fields.value_of(b"grpc-status"),
    )


# A service answers with the same bytes but for the date, which changes once a second.
_remembered_response_head = lru_cache(maxsize=512)(_read_response_head)


class _Fields:
    """The header lines of one message, sorted by what they are to a proxy."""

    __slots__ = ("chunked", "expect", "host", "length", "lines", "nominated", "upgrade")

    def __init__(self, block: bytes) -> None:
        self.host: bytes | None = None
        self.length: int | None = None
        self.chunked = False
        self.expect: bytes | None = None
        self.upgrade: bytes | None = None
        self.nominated: set[bytes] = set()
        self.lines: list[bytes] = []
        lines = block.split(b"\r\n")
        lines.pop()
        if len(lines) > MAX_FIELDS:
            raise HttpError(431, "too many headers")
        for line in lines:
            name = line[: line.index(b":")]
            kind = _KNOWN.get(name)
            if kind is None:
                kind = _learn(name)
            if kind is _Kind.PLAIN:
                self.lines.append(line)
            else:
                self._special(kind, line[len(name) + 1 :].strip(b" \t"))

    def _special(self, kind: _Kind, value: bytes) -> None:
        match kind:
            case _Kind.HOST:
                if self.host is not None:
                    raise HttpError(400, "two Hosts")
                self.host = value
            case _Kind.LENGTH:
                if self.length is not None or not _LENGTH.fullmatch(value):
                    raise HttpError(400, "malformed or repeated Content-Length")
                self.length = int(value)
            case _Kind.TRANSFER_ENCODING:
                if self.chunked or value.lower() != b"chunked":
                    raise HttpError(400, "a Transfer-Encoding other than chunked")
                self.chunked = True
            case _Kind.CONNECTION:
                for option in value.lower().split(b","):
                    name = option.strip(b" \t")
                    if name in _NOT_NOMINATED:
                        raise HttpError(400, "Connection names a header that is not hop-by-hop")
                    self.nominated.add(name)
            case _Kind.EXPECT:
                if self.expect is not None:
                    raise HttpError(417, "repeated Expect")
                self.expect = value
            case _Kind.UPGRADE:
                self.upgrade = value
            case _Kind.LOOKALIKE:
                raise HttpError(400, "a framing header spelled with underscores")
            case _:
                pass  # hop-by-hop and identity headers end here

    def kept(self) -> list[bytes]:
        """The end-to-end lines, without those that Connection names."""
        names = self.nominated - {b"close", b"keep-alive", b"upgrade"}
        if not names:
            return self.lines
        return [line for line in self.lines if line[: line.index(b":")].lower() not in names]

    def asks_upgrade(self) -> bool:
        """Whether the client asks for another protocol; cleartext HTTP/2 is declined in silence."""
        return self.upgrade is not None and b"upgrade" in self.nominated and self.upgrade.lower() != b"h2c"

    def value_of(self, wanted: bytes) -> bytes | None:
        for line in self.lines:
            if len(line) > len(wanted) and line[: len(wanted) + 1].lower() == wanted + b":":
                return line[len(wanted) + 1 :].strip(b" \t")
        return None


def _learn(name: bytes) -> _Kind:
    lower = name.lower()
    kind = _SPECIAL.get(lower, _Kind.PLAIN)
    if kind is _Kind.PLAIN and b"_" in lower:
        # CGI-like applications read `_` and `-` as the same name.
        alike = _SPECIAL.get(lower.replace(b"_", b"-"))
        if alike is _Kind.IDENTITY:
            kind = _Kind.IDENTITY
        elif alike is not None:
            kind = _Kind.LOOKALIKE
    if len(_KNOWN) < _MAX_KNOWN and len(name) <= _MAX_KNOWN_BYTES:
        _KNOWN[name] = kind
    return kind


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


def _origin_form(target: str, host: str) -> str:
    """RFC 9112 section 3.2.2; the authority must be the Host, or two readers could disagree."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise HttpError(400, "malformed target")
    if match[1].lower() != host.lower():
        raise HttpError(400, "the target's authority is not the Host")
    rest = match[2]
    return rest if rest.startswith("/") else "/" + rest


def _diagnose(head: bytes) -> HttpError:
    """Why the strict expression refused the head."""
    line = _REQUEST_LINE.match(head)
    if line is None:
        return HttpError(400, "malformed request line")
    version = (line[3], line[4])
    if version == (b"1", b"0"):
        return HttpError(426, "HTTP/1.0")
    if version != (b"1", b"1"):
        return HttpError(505, "unknown HTTP version")
    return HttpError(400, "malformed method or header")
