"""The plainest request of an allow without a guard: a witness for little, where it turns out to be allowed."""

from __future__ import annotations

from typing import assert_never

from meshc_compiler.evaluate import NEVER_FORWARDED
from meshc_compiler.ir.match import PathRegex, PathTemplate, Segment, SegmentKind
from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_lang.request import Request


def sample_request(rule: Rule, caller: str, port: ServicePort) -> Request | None:
    """Return a request that a rule matches; None where it takes more to find one: a guard, or an expression."""
    match = rule.match
    if match.condition is not None or isinstance(match.path, PathRegex):
        return None
    if not port.protocol.is_http:
        return Request(caller=caller, callee=rule.callee, port=port.name, protocol="tcp")
    rpc = port.protocol is Protocol.GRPC
    methods = match.methods or (("POST",) if rpc else ("GET",))
    method = next((method for method in methods if method not in NEVER_FORWARDED), None)
    if method is None:
        return None
    path = "/" if match.path is None else _path(match.path)
    return Request(
        caller=caller,
        callee=rule.callee,
        port=port.name,
        protocol="rpc" if rpc and method == "POST" and path.count("/") == 2 else "http",
        method=method,
        path=path,
    )


def _path(template: PathTemplate) -> str:
    return "/" + "/".join(text for segment in template.segments if (text := _segment(segment)))


def _segment(segment: Segment) -> str:
    match segment.kind:
        case SegmentKind.LITERAL:
            return segment.literal
        case SegmentKind.ANY | SegmentKind.SLUG:
            return "x"
        case SegmentKind.INT:
            return "7"
        case SegmentKind.UUID:
            return "00000000-0000-4000-8000-000000000000"
        case SegmentKind.REST:
            return ""
        case _:
            assert_never(segment.kind)
