"""Rules as sentences of the language: canonical, the same however files are cut. They are the ids of the IR."""

from __future__ import annotations

import json
from typing import assert_never

from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    Condition,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathTemplate,
    RequestMatch,
    SegmentKind,
)
from meshc_compiler.ir.workload import Protocol, ServicePort


def callee_text(name: str, port: ServicePort) -> str:
    """Return a port of a callee as it is written: the name alone where there is one port."""
    return name if port.name is None else f"{name}.{port.name}"


def match_text(match: RequestMatch, protocol: Protocol) -> str:
    """Return a set of requests as a matcher with its guard."""
    guard = "" if match.condition is None else f" if {condition_text(match.condition)}"
    if match.path is None and not match.methods:
        words = "*" if protocol.is_http else "tcp"
    elif (rpc := _rpc_text(match, protocol)) is not None:
        words = f"rpc {rpc}"
    else:
        words = f"{'|'.join(match.methods) or '*'} {match.path if match.path is not None else '/**'}"
    return words + guard


def _rpc_text(match: RequestMatch, protocol: Protocol) -> str | None:
    if protocol is not Protocol.GRPC or match.methods != ("POST",) or not isinstance(match.path, PathTemplate):
        return None
    segments = match.path.segments
    if len(segments) != 2 or segments[0].kind is not SegmentKind.LITERAL:
        return None
    if segments[1].kind is SegmentKind.ANY:
        return f"{segments[0].literal}/*"
    return f"{segments[0].literal}/{segments[1].literal}" if segments[1].kind is SegmentKind.LITERAL else None


def condition_text(condition: Condition) -> str:
    """Return a condition as it is written."""
    match condition:
        case HeaderPresent():
            return f"header {json.dumps(condition.name)} present"
        case HeaderOneOf(values=(value,)):
            return f"header {json.dumps(condition.name)} == {json.dumps(value)}"
        case HeaderOneOf():
            return f"header {json.dumps(condition.name)} in {json.dumps(list(condition.values))}"
        case Not(operand=HeaderOneOf(values=(value,)) as inner):
            return f"header {json.dumps(inner.name)} != {json.dumps(value)}"
        case Not():
            return f"not {_nested(condition.operand)}"
        case AllOf():
            return " and ".join(_nested(operand) for operand in condition.operands)
        case AnyOf():
            return " or ".join(_nested(operand) for operand in condition.operands)
        case _:
            assert_never(condition)


def _nested(condition: Condition) -> str:
    text = condition_text(condition)
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text
