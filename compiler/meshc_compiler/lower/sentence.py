"""Rules as sentences of the language: canonical, the same however files are cut. They are the ids of the IR."""

from __future__ import annotations

from typing import assert_never

from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathTemplate,
    RequestMatch,
    SegmentKind,
)
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_lang.json_string import json_ascii, json_text
from meshc_lang.request import PLAINTEXT
from meshc_lang.tree.policy import AnyPeer, Flow, IngressPeer, NamedPeer, PeerRef, SpiffePeer


def callee_text(name: str, port: ServicePort) -> str:
    """Return a port of a callee as it is written: the name alone where there is one port."""
    return name if port.name is None else f"{name}.{port.name}"


def peer_text(peer: PeerRef) -> str:
    """Return one end of an edge as it would be written, whatever parameter of a template stands there."""
    match peer:
        case NamedPeer():
            return peer.name.text if peer.part is None else f"{peer.name}.{peer.part}"
        case AnyPeer():
            return "any"
        case IngressPeer():
            return "ingress"
        case SpiffePeer():
            return json_text(peer.id.text)
        case _:
            assert_never(peer)


def flow_text(flow: Flow) -> str:
    """Return `A -> B`."""
    return f"{peer_text(flow.caller)} -> {peer_text(flow.callee)}"


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
            return f"header {json_ascii(condition.name)} present"
        case HeaderOneOf(values=(value,)):
            return f"header {json_ascii(condition.name)} == {json_ascii(value)}"
        case HeaderOneOf():
            return f"header {json_ascii(condition.name)} in [{', '.join(map(json_ascii, condition.values))}]"
        case HeaderMatches():
            return f'header {json_ascii(condition.name)} ~ "{condition.pattern}"'
        case AttributePresent():
            return f"{_attribute(condition)} present"
        case AttributeOneOf(values=(value,)):
            return f"{_attribute(condition)} == {quoted(value)}"
        case AttributeOneOf(values=values):
            return f"{_attribute(condition)} in [{', '.join(map(quoted, values))}]"
        case AttributeMatches():
            return f'{_attribute(condition)} ~ "{condition.pattern}"'
        case CallerIn():
            return f"from {condition.text or _callers_text(condition.callers)}"
        case Not(operand=HeaderOneOf(values=(value,)) as inner):
            return f"header {json_ascii(inner.name)} != {json_ascii(value)}"
        case Not(operand=AttributeOneOf(values=(value,)) as inner):
            return f"{_attribute(inner)} != {quoted(value)}"
        case Not():
            return f"not {_nested(condition.operand)}"
        case AllOf():
            return " and ".join(_nested(operand) for operand in condition.operands)
        case AnyOf():
            return " or ".join(_nested(operand) for operand in condition.operands)
        case _:
            assert_never(condition)


def _attribute(condition: AttributePresent | AttributeOneOf | AttributeMatches) -> str:
    return f"{condition.kind} {quoted(condition.name)}"


def quoted(text: str) -> str:
    """Return a text as a string of the language."""
    # JSON leaves DEL as it is, and a string of the language holds no control character.
    return json_text(text).replace("\x7f", "\\u007f")


def _callers_text(callers: Callers) -> str:
    match callers:
        case AnyCaller():
            return "any"
        case PlaintextCaller():
            return PLAINTEXT
        case TheseCallers(ids):
            return " or from ".join(f'"{identity}"' for identity in ids)
        case _:
            assert_never(callers)


def _nested(condition: Condition) -> str:
    text = condition_text(condition)
    return f"({text})" if isinstance(condition, AllOf | AnyOf) else text
