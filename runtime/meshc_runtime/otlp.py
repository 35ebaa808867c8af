"""Spans as OTLP has them (opentelemetry/proto/collector/trace/v1): the few fields that a proxy fills, in protobuf."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SERVER = 2
CLIENT = 3
"""Kinds of spans (`Span.SpanKind`): of what came in, of what goes out."""

_ERROR = 2
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One request's passage through this proxy; ids are hex, times Unix nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    state: bytes
    name: str
    kind: int
    began_ns: int
    ended_ns: int
    attributes: Sequence[tuple[str, str | int]]
    failed: str | None
    """Why it failed; null where it did not."""


def encode_spans(resource: Iterable[tuple[str, str | int]], spans: Iterable[Span]) -> bytes:
    """An `ExportTraceServiceRequest` of one resource."""
    scope = _text(1, "meshc-proxy")
    inside = _bytes(1, scope) + b"".join(_bytes(2, _span(span)) for span in spans)
    return _bytes(1, _bytes(1, _attributes(1, resource)) + _bytes(2, inside))


def _span(span: Span) -> bytes:
    parts = [
        _bytes(1, bytes.fromhex(span.trace_id)),
        _bytes(2, bytes.fromhex(span.span_id)),
        _bytes(3, span.state.decode("latin-1").encode()) if span.state else b"",
        _bytes(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
        _text(5, span.name),
        _number(6, span.kind),
        _tag(7, 1) + struct.pack("<Q", span.began_ns),
        _tag(8, 1) + struct.pack("<Q", span.ended_ns),
        _attributes(9, span.attributes),
    ]
    if span.failed is not None:
        parts.append(_bytes(15, _text(2, span.failed) + _number(3, _ERROR)))
    return b"".join(parts)


def _attributes(field: int, attributes: Iterable[tuple[str, str | int]]) -> bytes:
    return b"".join(
        _bytes(field, _text(1, key) + _bytes(2, _text(1, value) if isinstance(value, str) else _number(3, value)))
        for key, value in attributes
    )


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text[:_MAX_TEXT].encode("utf-8", "replace"))


def _bytes(field: int, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
