"""By which headers a trace goes on: W3C Trace Context, and B3 in one header or several.

https://www.w3.org/TR/trace-context/ and https://github.com/openzipkin/b3-propagation. What is not in the form of its
specification is no context: the trace begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from meshc_runtime.hpack import Field
from meshc_runtime.message import Fields

W3C = "w3c"
B3 = "b3"

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_B3_SINGLE = re.compile(rb"([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?")
_B3_TRACE = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{16}")
_B3_SPAN = re.compile(rb"[0-9a-f]{16}")
_B3_SAMPLED = {b"1": True, b"true": True, b"0": False, b"false": False}
_MAX_STATE = 512

_HEADERS = {
    W3C: frozenset({b"traceparent", b"tracestate"}),
    B3: frozenset({b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled", b"x-b3-flags"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """What a request says of its trace. Ids are lower-case hex, empty where only the verdict came.

    `sampled` is null where the caller leaves it open. `state` is the vendors' own (W3C `tracestate`). `b3_single`
    and `b3_short` are the form in which B3 came: one header, ids of 64 bits.
    """

    trace_id: str = ""
    span_id: str = ""
    sampled: bool | None = None
    debug: bool = False
    state: bytes = b""
    b3_single: bool = False
    b3_short: bool = False


def read_context(fields: Fields, forms: Collection[str]) -> TraceContext | None:
    """The context that a request came with, in one of these forms; of two W3C's counts, as the more exact."""
    wanted: frozenset[bytes] = frozenset().union(*(_HEADERS[form] for form in forms))
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields.pairs:
        if name in wanted:
            found.setdefault(name, []).append(value)
    if not found:
        return None
    single = b"b3" in found
    b3 = _read_b3(found)
    w3c = _read_w3c(found)
    if w3c is None:
        return b3
    return TraceContext(
        trace_id=w3c.trace_id, span_id=w3c.span_id, sampled=w3c.sampled, state=w3c.state, b3_single=single
    )


def with_context(fields: Fields, context: TraceContext, span_id: str, forms: Collection[str]) -> Fields:
    """The fields of a request that goes on as part of a trace, under the span of this proxy."""
    replaced: frozenset[bytes] = frozenset().union(*(_HEADERS[form] for form in forms))
    added = tuple(_fields_of(context, span_id, forms))
    if fields.came_as_lines:
        kept = [line for line in fields.lines if line.partition(b":")[0].lower() not in replaced]
        return Fields(lines=[*kept, *(b"%b: %b" % pair for pair in added)])
    return Fields(pairs=(*(pair for pair in fields.pairs if pair[0] not in replaced), *added))


def _fields_of(context: TraceContext, span_id: str, forms: Collection[str]) -> list[Field]:
    trace, span = context.trace_id.encode(), span_id.encode()
    fields: list[Field] = []
    if W3C in forms:
        fields.append((b"traceparent", b"00-%b-%b-%b" % (trace, span, b"01" if context.sampled else b"00")))
        if context.state:
            fields.append((b"tracestate", context.state))
    if B3 in forms:
        shown = trace[16:] if context.b3_short else trace
        parent = context.span_id.encode()
        if context.b3_single:
            verdict = b"d" if context.debug else b"1" if context.sampled else b"0"
            fields.append((b"b3", b"-".join((shown, span, verdict, *((parent,) if parent else ())))))
        else:
            fields += [(b"x-b3-traceid", shown), (b"x-b3-spanid", span)]
            if parent:
                fields.append((b"x-b3-parentspanid", parent))
            if context.debug:
                fields.append((b"x-b3-flags", b"1"))
            else:
                fields.append((b"x-b3-sampled", b"1" if context.sampled else b"0"))
    return fields


def _read_w3c(found: dict[bytes, list[bytes]]) -> TraceContext | None:
    values = found.get(b"traceparent", [])
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if match is None or match[1] == b"ff" or (match[1] == b"00" and match[5]) or _is_zero(match[2], match[3]):
        return None
    state = b",".join(value for value in found.get(b"tracestate", []) if value)
    return TraceContext(
        trace_id=match[2].decode(),
        span_id=match[3].decode(),
        sampled=bool(int(match[4], 16) & 1),
        state=state if len(state) <= _MAX_STATE else b"",
    )


def _read_b3(found: dict[bytes, list[bytes]]) -> TraceContext | None:
    single = found.get(b"b3")
    if single is not None:
        return _read_b3_single(single[0].lower()) if len(single) == 1 else None
    debug = found.get(b"x-b3-flags") == [b"1"]
    said = found.get(b"x-b3-sampled", [b""])
    sampled = True if debug else _B3_SAMPLED.get(said[0].lower()) if len(said) == 1 else None
    trace, span = (b"".join(found.get(name, [])).lower() for name in (b"x-b3-traceid", b"x-b3-spanid"))
    if not _B3_TRACE.fullmatch(trace) or not _B3_SPAN.fullmatch(span) or _is_zero(trace, span):
        return TraceContext(sampled=sampled, debug=debug) if sampled is not None else None
    return _b3(trace, span, sampled, debug=debug, single=False)


def _read_b3_single(value: bytes) -> TraceContext | None:
    if value in (b"0", b"1", b"d"):
        return TraceContext(sampled=value != b"0", debug=value == b"d", b3_single=True)
    match = _B3_SINGLE.fullmatch(value)
    if match is None or _is_zero(match[1], match[2]):
        return None
    sampled = None if match[3] is None else match[3] != b"0"
    return _b3(match[1], match[2], sampled, debug=match[3] == b"d", single=True)


def _b3(trace: bytes, span: bytes, sampled: bool | None, *, debug: bool, single: bool) -> TraceContext:
    return TraceContext(
        trace_id=trace.decode().rjust(32, "0"),
        span_id=span.decode(),
        sampled=sampled,
        debug=debug,
        b3_single=single,
        b3_short=len(trace) == 16,
    )


def _is_zero(*ids: bytes) -> bool:
    return any(not one.strip(b"0") for one in ids)
