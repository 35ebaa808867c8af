"""Messages of HTTP/2 and their validation (RFC 9113 section 8).

What HTTP/1.1 could not say, or would read otherwise, is refused, so that nothing is smuggled from one version into the
other.
"""

from __future__ import annotations

import re

from meshc_runtime.header_kind import HeaderKind, allowed_in_trailers, kind_of, known_kind
from meshc_runtime.hpack import Field, HeaderBlock
from meshc_runtime.message import (
    CHUNKED,
    MAX_FIELDS,
    Fields,
    HttpError,
    OutgoingRequest,
    RequestHead,
    ResponseHead,
    check_host,
    check_method,
    is_grpc,
    read_length,
)

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]++")
_VALUE = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*+(?<![\t ]))?)?")
_METHOD = re.compile(rb"[A-Z][A-Z0-9_-]{0,31}")
_PATH = re.compile(rb"/[!-~]*+")
_STATUS = re.compile(rb"[1-5][0-9][0-9]")
_REQUEST_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_OF_CONNECTIONS = frozenset({b"keep-alive", b"proxy-connection"})
_TRAILERS_WANTED: Field = (b"te", b"trailers")


class Malformed(HttpError):  # noqa: N818 - what is malformed is no failure of ours
    """A message that breaks HTTP/2 itself: its stream is reset, whatever it is answered (section 8.1.1)."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)


def read_request(block: HeaderBlock, *, ended: bool) -> RequestHead:
    """Read a request's header block; the same block gives the same head. `ended` if no body follows.

    Raises:
        HttpError: 400, 405 (CONNECT), 417 (unknown Expect), 431.
        Malformed: it breaks HTTP/2.
    """
    known = block.known
    if isinstance(known, RequestHead) and not known.length and ended:
        return known
    head = _read_request(block, ended)
    if ended:
        block.known = head
    return head


def _read_request(block: HeaderBlock, ended: bool) -> RequestHead:
    if block.oversized or len(block.fields) > MAX_FIELDS + len(_REQUEST_PSEUDO):
        raise HttpError(431, "too many or too large headers")
    pseudo, pairs = _split(block.fields, _REQUEST_PSEUDO)
    kept = _Kept(pairs)
    method = pseudo.get(b":method", b"")
    if not _METHOD.fullmatch(method):
        raise Malformed("no method")
    check_method(method.decode("ascii"))
    if pseudo.get(b":scheme") not in (b"http", b"https"):
        raise Malformed("no scheme of HTTP")
    target = pseudo.get(b":path", b"")
    if not _PATH.fullmatch(target):
        raise Malformed("malformed path")
    if b"#" in target:
        raise HttpError(400, "fragment in the target")
    authority = pseudo.get(b":authority")
    if authority is None:
        authority = kept.host
    elif kept.host is not None and kept.host.lower() != authority.lower():
        raise HttpError(400, "the authority is not the Host")
    if authority is None:
        raise HttpError(400, "no Host")
    host = authority.decode("latin-1")
    check_host(host)
    if kept.expect is not None and kept.expect.lower() != b"100-continue":
        raise HttpError(417, "unknown Expect")
    if ended and kept.length:
        raise Malformed("a Content-Length without a body")
    path, mark, query = target.decode("ascii").partition("?")
    return RequestHead(
        method=method.decode("ascii"),
        path=path,
        query=mark + query,
        host=host,
        fields=Fields(pairs=kept.pairs()),
        length=kept.length if kept.length is not None else 0 if ended else CHUNKED,
        declares_length=kept.length is not None,
        keep_alive=True,
        expects_continue=kept.expect is not None and not ended,
        upgrade=None,
    )


def read_response(block: HeaderBlock, *, to_head: bool, ended: bool) -> ResponseHead:
    """Read a response's header block; `to_head` if it answers a HEAD.

    Raises:
        HttpError: 502 for anything that breaks HTTP.
    """
    try:
        if block.oversized or len(block.fields) > MAX_FIELDS + 1:
            raise HttpError(502, "too many or too large headers")
        pseudo, pairs = _split(block.fields, frozenset({b":status"}))
        kept = _Kept(pairs)
    except HttpError as error:
        raise HttpError(502, f"response: {error.reason}") from None
    text = pseudo.get(b":status", b"")
    if not _STATUS.fullmatch(text) or text == b"101":
        raise HttpError(502, "response: no status")
    status = int(text)
    declared = kept.length
    bodiless = to_head or status in (204, 304)
    if status < 200:
        if ended or declared is not None:
            raise HttpError(502, "response: an interim one with a body")
    elif ended and declared and not bodiless:
        raise HttpError(502, "response: a Content-Length without a body")
    if status < 200 or status == 204:
        declared = None
    return ResponseHead(
        status=status,
        fields=Fields(pairs=kept.pairs()),
        length=0 if bodiless or ended else CHUNKED if declared is None else declared,
        declared_length=declared,
    )


def read_trailers(block: HeaderBlock) -> tuple[Field, ...]:
    """Read the fields after a body; those that may not stand there are left out.

    Raises:
        Malformed: they break HTTP/2.
        HttpError: 431 for too many.
    """
    if block.oversized or len(block.fields) > MAX_FIELDS:
        raise HttpError(431, "too many or too large trailers")
    _, pairs = _split(block.fields, frozenset())
    return tuple(pair for pair in pairs if allowed_in_trailers(pair[0]))


def request_fields(request: OutgoingRequest, scheme: bytes) -> tuple[Field, ...]:
    """The fields of a request without its identity, which differs by caller."""
    pairs = request.fields.pairs
    length: tuple[Field, ...] = ()
    if request.length > 0 or (request.length == 0 and request.declares_length):
        length = ((b"content-length", b"%d" % request.length),)
    if request.fields.came_as_lines and is_grpc(request.fields):
        length = (*length, _TRAILERS_WANTED)  # servers of gRPC ask for it, and on the hop before it was hop-by-hop
    return (
        (b":method", request.method.encode("ascii")),
        (b":scheme", scheme),
        (b":authority", request.host.encode("ascii")),
        (b":path", request.target.encode("ascii")),
        *pairs,
        *length,
    )


def response_fields(head: ResponseHead) -> tuple[Field, ...]:
    """The fields of a response."""
    status = (b":status", b"%d" % head.status)
    if head.declared_length is None:
        return (status, *head.fields.pairs)
    return (status, *head.fields.pairs, (b"content-length", b"%d" % head.declared_length))


def _split(fields: tuple[Field, ...], allowed: frozenset[bytes]) -> tuple[dict[bytes, bytes], list[Field]]:
    """The pseudo-headers, which come first and once each (section 8.3), and the fields, checked (section 8.2)."""
    pseudo: dict[bytes, bytes] = {}
    for place, (name, value) in enumerate(fields):
        if name[:1] != b":":
            pairs = list(fields[place:])
            break
        if name not in allowed or name in pseudo:
            raise Malformed("a pseudo-header that is unknown or repeated")
        pseudo[name] = value
    else:
        return pseudo, []
    for name, value in pairs:
        if (known_kind(name) is None or not name.islower()) and not _NAME.fullmatch(name):
            raise Malformed("a malformed header name, or a pseudo-header after the others")
        if not _VALUE.fullmatch(value):
            raise Malformed("a malformed header value")
    return pseudo, pairs


class _Kept:
    """The fields of one message, sorted by what they are to a proxy."""

    __slots__ = ("_cookies", "_dropped", "_pairs", "expect", "host", "length")

    def __init__(self, pairs: list[Field]) -> None:
        self.host: bytes | None = None
        self.length: int | None = None
        self.expect: bytes | None = None
        self._pairs = pairs
        self._dropped = False
        self._cookies = 0
        for name, value in pairs:
            kind = known_kind(name)
            if kind is None:
                kind = kind_of(name)
            if kind is not HeaderKind.PLAIN:
                self._special(kind, name, value)
            elif name == b"cookie":
                self._cookies += 1

    def _special(self, kind: HeaderKind, name: bytes, value: bytes) -> None:
        match kind:
            case HeaderKind.HOST:
                if self.host is not None:
                    raise HttpError(400, "two Hosts")
                self.host = value
            case HeaderKind.LENGTH:
                if self.length is not None:
                    raise HttpError(400, "malformed or repeated Content-Length")
                self.length = read_length(value)
            case HeaderKind.EXPECT:
                if self.expect is not None:
                    raise HttpError(417, "repeated Expect")
                self.expect = value
            case HeaderKind.TE:
                if value != b"trailers":
                    raise Malformed("a TE other than trailers")
                return
            case HeaderKind.TRANSFER_ENCODING | HeaderKind.CONNECTION | HeaderKind.UPGRADE:
                raise Malformed("a header of HTTP/1.1 connections")
            case HeaderKind.LOOKALIKE:
                raise HttpError(400, "a header of proxies spelled with underscores")
            case _ if name in _OF_CONNECTIONS:
                raise Malformed("a header of HTTP/1.1 connections")
            case _:
                pass  # hop-by-hop and identity headers end here
        self._dropped = True

    def pairs(self) -> tuple[Field, ...]:
        """The end-to-end fields; crumbs of cookies become one (section 8.2.3)."""
        pairs = self._pairs
        if self._dropped:
            pairs = [pair for pair in pairs if _kept(kind_of(pair[0]))]
        if self._cookies > 1:
            whole = b"; ".join([value for name, value in pairs if name == b"cookie"])
            pairs = [*(pair for pair in pairs if pair[0] != b"cookie"), (b"cookie", whole)]
        return tuple(pairs)


def _kept(kind: HeaderKind) -> bool:
    return kind is HeaderKind.PLAIN or kind is HeaderKind.TE
