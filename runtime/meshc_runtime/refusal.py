"""Responses of the proxy's own: the status and a word about it, in the form that the caller reads.

A gRPC call is answered by a response without body whose headers have the outcome (gRPC over HTTP/2, "Trailers-Only").
"""

from __future__ import annotations

from urllib.parse import quote

from meshc_runtime.message import Fields, ResponseHead

_TEXTS: dict[int, bytes] = {
    400: b"bad request\n",
    403: b"forbidden\n",
    404: b"no such host\n",
    405: b"method not allowed\n",
    408: b"request timeout\n",
    417: b"expectation failed\n",
    426: b"HTTP/1.1 required\n",
    429: b"too many requests\n",
    431: b"request head too large\n",
    502: b"bad gateway\n",
    503: b"service unavailable\n",
    504: b"gateway timeout\n",
    505: b"HTTP version not supported\n",
}
_GRPC_STATUS = {400: 13, 401: 16, 403: 7, 404: 12, 429: 8, 502: 14, 503: 14, 504: 14}
"""The status of gRPC for one of HTTP, as Envoy maps them, which tells of limits as exhausted; others are 2, unknown."""

_HTTP_STATUS = {
    b"0": 200, b"1": 499, b"3": 400, b"4": 504, b"5": 404, b"6": 409, b"7": 403, b"8": 429, b"9": 400, b"10": 409,
    b"11": 400, b"12": 501, b"14": 503, b"16": 401,
}  # fmt: skip
"""The status of HTTP for one of gRPC, as Envoy maps them; others are 500."""

_DEADLINE_EXCEEDED = 4
_PLAIN = (b"content-type", b"text/plain")


def refusal_text(status: int) -> bytes:
    """The body of a refusal."""
    return _TEXTS[status]


def refusal_reason(text: bytes, reason: str, rule: str) -> bytes:
    """A body that says why, for a proxy that was started to tell: the reason of the log, and the rule that decided."""
    decided = f" by rule {rule}" if rule else ""
    told = f"{text.decode('ascii').strip()}: {reason}{decided}"
    return told.encode("ascii", "backslashreplace") + b"\n"


def http_status_of_grpc(status: bytes) -> int:
    """The status of HTTP that says about as much."""
    return _HTTP_STATUS.get(status, 500)


def refusal_response(
    status: int, text: bytes, *, grpc: bool, late: bool = False, location: str | None = None
) -> tuple[ResponseHead, bytes]:
    """A whole response: its head and its body. `late` if the caller's own deadline has passed."""
    if not grpc:
        pairs: tuple[tuple[bytes, bytes], ...] = (_PLAIN,) if text else ()
        if location is not None:
            pairs = (*pairs, (b"location", location.encode("ascii")))
        length = None if status in (204, 304) else len(text)
        return ResponseHead(status=status, fields=Fields(pairs=pairs), length=len(text), declared_length=length), text
    message = quote(text.strip(), safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}~").encode("ascii")
    pairs = (
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"%d" % (_DEADLINE_EXCEEDED if late else _GRPC_STATUS.get(status, 2))),
        (b"grpc-message", message),
    )
    return ResponseHead(status=200, fields=Fields(pairs=pairs), length=0, declared_length=None), b""
