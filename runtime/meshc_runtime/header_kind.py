"""What a header is to a proxy, whatever the protocol: plain ones pass through, the others have a meaning on one hop."""

from __future__ import annotations

from enum import IntEnum


class HeaderKind(IntEnum):
    """The kinds of headers; PLAIN is false."""

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
    TE = 10


_SPECIAL = {
    b"host": HeaderKind.HOST,
    b"content-length": HeaderKind.LENGTH,
    b"transfer-encoding": HeaderKind.TRANSFER_ENCODING,
    b"connection": HeaderKind.CONNECTION,
    b"expect": HeaderKind.EXPECT,
    b"upgrade": HeaderKind.UPGRADE,
    b"keep-alive": HeaderKind.HOP,
    b"proxy-connection": HeaderKind.HOP,
    b"proxy-authenticate": HeaderKind.HOP,
    b"proxy-authorization": HeaderKind.HOP,
    b"te": HeaderKind.TE,
    b"trailer": HeaderKind.HOP,
    b"http2-settings": HeaderKind.HOP,
    b"x-forwarded-client-cert": HeaderKind.IDENTITY,
}
_NO_TRAILERS = frozenset(
    {
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"cookie",
        b"max-forwards",
        b"pragma",
        b"range",
        b"set-cookie",
    }
)
_KNOWN: dict[bytes, HeaderKind] = {}
_MAX_KNOWN = 4096
_MAX_KNOWN_BYTES = 64

known_kind = _KNOWN.get
"""The kind of a name that was seen before; None says nothing."""


def kind_of(name: bytes) -> HeaderKind:
    """The kind of a header's name, in whatever case; it is remembered if it is not too long."""
    kind = _KNOWN.get(name)
    if kind is not None:
        return kind
    lower = name.lower()
    kind = _SPECIAL.get(lower, HeaderKind.PLAIN)
    # CGI-like applications read `_` and `-` as the same name.
    if kind is HeaderKind.PLAIN and b"_" in lower and lower.replace(b"_", b"-") in _SPECIAL:
        kind = HeaderKind.LOOKALIKE
    if len(_KNOWN) < _MAX_KNOWN and len(name) <= _MAX_KNOWN_BYTES:
        _KNOWN[name] = kind
    return kind


def allowed_in_trailers(name: bytes) -> bool:
    """Whether a field may come after the body (RFC 9110 section 6.5.1); others are dropped there."""
    return kind_of(name) is HeaderKind.PLAIN and name.lower() not in _NO_TRAILERS
