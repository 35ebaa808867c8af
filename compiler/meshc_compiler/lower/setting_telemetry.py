"""`telemetry { … }`: traces, access logs and metrics."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.setting import AccessLog, Scope, TracePropagation
from meshc_compiler.lower.field import Fields, as_one_of, duplicate, wrong_type
from meshc_compiler.lower.stated import Stated
from meshc_lang.codes import settings
from meshc_lang.pattern import pattern
from meshc_lang.source import Span
from meshc_lang.tree.node import Name, Text
from meshc_lang.tree.value import Block, Switch, Value

_WIDEST = {"propagation": Scope.MESH, "otlp": Scope.MESH, "metrics": Scope.SERVICE}
"""The most specific scope of what a sidecar does as a whole, and not for one call otherwise than for the next."""

_WHERE = {Scope.MESH: "`defaults mesh`", Scope.SERVICE: "`defaults mesh` or `defaults SERVICE`"}
_ADDRESS = pattern(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})\Z")
_HOST = pattern(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\Z")


def lower_telemetry(value: Value, stated: Stated, findings: Findings) -> None:
    """Note what a `telemetry` states; `off` is no traces, no access log and no metrics."""
    match value:
        case Switch(on=False):
            stated.note("trace_sampling", 0, "telemetry")
            stated.note("access_log", AccessLog.OFF, "telemetry")
            if stated.scope <= _WIDEST["metrics"]:
                stated.note("metrics", False, "telemetry")
        case Block():
            fields = Fields(value, "`telemetry`", "settings.telemetry", findings)
            inner = stated.inside(fields)
            inner.note("trace_sampling", fields.share("sampling", off=True), "sampling")
            inner.note("access_log", _access_log(fields, findings), "access-log")
            _note_widely(inner, "propagation", "trace_propagation", _propagation(fields, findings), findings)
            _note_widely(inner, "metrics", "metrics", fields.flag("metrics", "`on` or `off`"), findings)
            _note_widely(inner, "otlp", "trace_endpoint", _endpoint(fields, findings), findings)
        case _:
            example = "`off` or a block, for example `telemetry { sampling: 5%, access-log: errors }`"
            wrong_type(findings, "`telemetry`", example, value)


def _note_widely(stated: Stated, key: str, name: str, value: object, findings: Findings) -> None:
    if value is None:
        return
    if stated.scope <= _WIDEST[key]:
        stated.note(name, value, key)
        return
    message = f"`{key}` is the same for all calls of a sidecar, so it is not stated here"
    findings.add(settings.WRONG_SCOPE, message, stated.fields.span(key), help=f"state it in {_WHERE[_WIDEST[key]]}")


def _access_log(fields: Fields, findings: Findings) -> AccessLog | None:
    value = fields.get("access-log")
    if value is None:
        return None
    word = as_one_of(value, "`access-log`", (log.value for log in AccessLog), findings)
    return None if word is None else AccessLog(word)


def _propagation(fields: Fields, findings: Findings) -> tuple[TracePropagation, ...] | None:
    items = fields.items("propagation", "[w3c, b3]")
    if items is None:
        return None
    seen: dict[TracePropagation, Span] = {}
    for item in items:
        word = as_one_of(item, "a propagation", (one.value for one in TracePropagation), findings)
        if word is None:
            continue
        form = TracePropagation(word)
        if form in seen:
            duplicate(findings, f"the propagation `{word}` is stated twice", item.span, seen[form])
        seen.setdefault(form, item.span)
    return tuple(sorted(seen))


def _endpoint(fields: Fields, findings: Findings) -> str | None:
    value = fields.get("otlp")
    match value:
        case None:
            return None
        case Switch(on=False):
            return ""
        case Name(text=text) | Text(text=text):
            if _is_address(text):
                return text
            message = f"`{text}` is not the address of a collector: a host and a port"
            findings.add(
                settings.INVALID_ADDRESS,
                message,
                value.span,
                help='for example `otlp: "collector:4317"`',
            )
            return None
    wrong_type(findings, "`otlp`", 'a host and a port, for example `"collector:4317"`', value)
    return None


def _is_address(text: str) -> bool:
    found = _ADDRESS.match(text)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        return False
    host = found["host"]
    if not host.startswith("["):
        return _HOST.match(host) is not None
    import ipaddress  # here, since few programs need it and it takes 2 ms to import

    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return True
