"""Heads of HTTP/1.1 messages, read strictly: what two readers could read differently is refused. And their writing.

One anchored expression checks every byte of a head; only a head that fails it is looked at again, to say why.
Nothing here knows sockets. RFC 9112 sections 2, 3, 5, 6 and RFC 9110 sections 7.2 and 7.6.1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus

from meshc_runtime.header_kind import HeaderKind, kind_of, known_kind
from meshc_runtime.message import (
    CHUNKED,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    UNTIL_CLOSE,
    Fields,
    HttpError,
    OutgoingRequest,
    RequestHead,
    ResponseHead,
    check_host,
    check_method,
    read_length,
)

__all__ = [
    "CHUNKED",
    "MAX_HEAD_BYTES",
    "UNTIL_CLOSE",
    "HttpError",
    "RequestHead",
    "ResponseHead",
    "check_host",
    "find_head_end",
    "parse_request_head",
    "parse_response_head",
    "request_head_bytes",
    "response_head_bytes",
]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_FIELDS = rb"((?:" + _TOKEN + rb"++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
_REQUEST = re.compile(rb"([A-Z][A-Z0-9_-]{0,31}) ([!-~]++) HTTP/1\.1\r\n" + _FIELDS)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*+))?\r\n" + _FIELDS)
_REQUEST_LINE = re.compile(rb"([!-~]+) ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_BROKEN_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_ABSOLUTE = re.compile(r"http://([^/?#]*)(.*)", re.IGNORECASE)
_NOT_NOMINATED = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"authorization", b"cookie", b"x-forwarded-client-cert"}
)
_MAX_REMEMBERED = 2048
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


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
    check_method(method)
    fields = _Lines(match[3])
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
        fields=Fields(lines=fields.kept()),
        length=CHUNKED if fields.chunked else fields.length or 0,
        declares_length=fields.length is not None,
        keep_alive=b"close" not in fields.nominated,
        expects_continue=expects_continue,
        upgrade=fields.asked_upgrade(),
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
        fields = _Lines(match[4])
    except HttpError as error:
        raise HttpError(502, f"response: {error.reason}") from None
    if fields.chunked and (fields.length is not None or minor == b"0"):
        raise HttpError(502, "response: ambiguous framing")
    declared = fields.length
    if status == 101:
        declared, length = None, UNTIL_CLOSE
    elif status < 200 or status in (204, 304) or to_head:
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
        reason=match[3],
        upgrade=fields.asked_upgrade() if status == 101 else None,
        fields=Fields(lines=fields.kept()),
        length=length,
        declared_length=declared,
        keep_alive=persistent and length != UNTIL_CLOSE and not contradicts,
    )


# A service answers with the same bytes but for the date, which changes once a second.
_remembered_response_head = lru_cache(maxsize=512)(_read_response_head)


class _Lines:
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
            kind = known_kind(name)
            if kind is None:
                kind = kind_of(name)
            if kind is HeaderKind.PLAIN:
                self.lines.append(line)
            else:
                self._special(kind, line[len(name) + 1 :].strip(b" \t"))

    def _special(self, kind: HeaderKind, value: bytes) -> None:
        match kind:
            case HeaderKind.HOST:
                if self.host is not None:
                    raise HttpError(400, "two Hosts")
                self.host = value
            case HeaderKind.LENGTH:
                if self.length is not None:
                    raise HttpError(400, "malformed or repeated Content-Length")
                self.length = read_length(value)
            case HeaderKind.TRANSFER_ENCODING:
                if self.chunked or value.lower() != b"chunked":
                    raise HttpError(400, "a Transfer-Encoding other than chunked")
                self.chunked = True
            case HeaderKind.CONNECTION:
                for option in value.lower().split(b","):
                    name = option.strip(b" \t")
                    if name in _NOT_NOMINATED:
                        raise HttpError(400, "Connection names a header that is not hop-by-hop")
                    self.nominated.add(name)
            case HeaderKind.EXPECT:
                if self.expect is not None:
                    raise HttpError(417, "repeated Expect")
                self.expect = value
            case HeaderKind.UPGRADE:
                self.upgrade = value
            case HeaderKind.LOOKALIKE:
                raise HttpError(400, "a header of proxies spelled with underscores")
            case _:
                pass  # hop-by-hop and identity headers end here

    def kept(self) -> list[bytes]:
        """The end-to-end lines, without those that Connection names."""
        names = self.nominated - {b"close", b"keep-alive", b"upgrade"}
        if not names:
            return self.lines
        return [line for line in self.lines if line[: line.index(b":")].lower() not in names]

    def asked_upgrade(self) -> str | None:
        """The protocol that the client asks for instead; cleartext HTTP/2 is declined in silence."""
        if self.upgrade is None or b"upgrade" not in self.nominated:
            return None
        asked = self.upgrade.decode("latin-1").lower()
        return None if asked == "h2c" else asked


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


def request_head_bytes(request: OutgoingRequest) -> bytes:
    """A request's head, framing included."""
    lines = [
        f"{request.method} {request.target} HTTP/1.1\r\nhost: {request.host}".encode("ascii"),
        *request.fields.lines,
    ]
    if request.upgrade is not None:
        lines.append(b"connection: upgrade\r\nupgrade: " + request.upgrade.encode("latin-1"))
    elif request.length == CHUNKED:
        lines.append(b"transfer-encoding: chunked")
    elif request.length or request.declares_length:
        lines.append(b"content-length: %d" % request.length)
    if request.identity:
        lines.append(b"x-forwarded-client-cert: " + request.identity)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def response_head_bytes(head: ResponseHead, *, to_head: bool, close: bool) -> bytes:
    """A response's head, framing included; a body of unknown length is sent in chunks.

    `to_head` if it answers a HEAD, so that its length says nothing about a body.
    """
    reason = head.reason
    if reason is None:
        reason = _PHRASES.get(head.status, b"")
    lines = [b"HTTP/1.1 %d %b" % (head.status, reason), *head.fields.lines]
    if head.upgrade is not None:
        lines.append(b"connection: upgrade\r\nupgrade: " + head.upgrade.encode("latin-1"))
        close = False
    elif head.length in (CHUNKED, UNTIL_CLOSE):
        lines.append(b"transfer-encoding: chunked")
    elif head.declared_length is not None:
        lines.append(b"content-length: %d" % head.declared_length)
    elif not to_head and head.status >= 200 and head.status not in (204, 304):
        lines.append(b"content-length: 0")
    if close:
        lines.append(b"connection: close")
    lines.append(b"\r\n")
    return b"\r\n".join(lines)
