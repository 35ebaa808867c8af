"""Ports: a number and a protocol, `8080/http`."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.workload import Protocol, ServicePort
from meshc_compiler.lower.field import wrong_type
from meshc_lang.codes import units
from meshc_lang.tree.value import Integer, PortLiteral, Value


def lower_port(name: str | None, value: Value, what: str, target: int | None, findings: Findings) -> ServicePort | None:
    """Return a port, or tell that the value is none. `target` is where the workload listens, if elsewhere."""
    if not isinstance(value, PortLiteral):
        if isinstance(value, Integer):
            message = f"{what} needs its protocol, for example `{value.value}/http`"
            findings.add(units.WRONG_UNIT, message, value.span, label="a bare number")
        else:
            wrong_type(findings, what, "a port and its protocol, for example `8080/http`", value)
        return None
    if not 1 <= value.number <= 65535:
        findings.add(units.OUT_OF_RANGE, f"a port is from 1 to 65535, and this is {value.number}", value.span)
        return None
    return ServicePort(
        name=name,
        number=value.number,
        protocol=Protocol(value.protocol),
        target=None if target == value.number else target,
        origin=value.span,
    )
