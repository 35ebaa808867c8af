"""`fault NAME on A -> B { … }`: mishaps on purpose."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.route import WHOLE
from meshc_compiler.ir.traffic import Fault
from meshc_compiler.lower.field import Fields
from meshc_compiler.resolve.peer import PeerResolver
from meshc_lang.codes import names, resilience, units
from meshc_lang.diagnostic import Label
from meshc_lang.tree.statement import FaultDecl

_LEAST, _MOST = 200, 599
"""Final statuses (RFC 9110 §15)."""


class FaultBook:
    """The faults of a program; a name stands for one statement."""

    def __init__(self, resolver: PeerResolver, findings: Findings) -> None:
        self._resolver = resolver
        self._findings = findings
        self._declared: dict[str, FaultDecl] = {}
        self._faults: dict[tuple[str, str, int], Fault] = {}

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults by name, callee and port."""
        return tuple(self._faults[key] for key in sorted(self._faults))

    def names(self) -> tuple[str, ...]:
        """Return the names of all statements, whatever is wrong with them otherwise."""
        return tuple(self._declared)

    def add(self, statement: FaultDecl) -> None:
        """Lower a statement: a fault for each port of its callees that carries requests."""
        name = statement.name.text
        first = self._declared.setdefault(name, statement)
        if first is not statement:
            label = Label(first.name.span, "the first is here")
            message = f"two faults are named `{name}`"
            self._findings.add(
                names.DUPLICATE_NAME, message, statement.name.span, related=(label,), subject=f"fault {name}"
            )
            return
        fields = Fields(statement.body, f"the fault `{name}`", "fault", self._findings)
        delay = fields.time("delay")
        abort = fields.integer("abort", _LEAST, _MOST)
        share = WHOLE if fields.get("percent") is None else fields.share("percent")
        if fields.get("delay") is None and fields.get("abort") is None:
            message = f"the fault `{name}` neither delays nor aborts a call"
            help_line = "add for example `delay: 500ms` or `abort: 503`"
            self._findings.add(resilience.FAULT_WITHOUT_EFFECT, message, statement.name.span, help=help_line)
            return
        caller = self._resolver.caller(statement.flow.caller)
        callee = self._resolver.callee(statement.flow.callee)
        if caller is None or callee is None or share is None or (delay is None and abort is None) or caller.nobody:
            return
        if caller.plaintext:
            message = "a fault is for callers that are known, and whoever calls as `plaintext` is not"
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return
        targets = [(called, port) for called, ports in callee.ports for port in ports if port.protocol.is_http]
        if not targets and callee.ports:
            message = f"a fault befalls requests, and no port of `{callee.text}` shows them"
            self._findings.add(units.PROTOCOL_MISMATCH, message, callee.span)
        if (caller.ids or caller.plaintext) and any(called in self._resolver.externals for called, _ in targets):
            message = "a fault of an external happens at the caller's sidecar, and an undeclared one has none"
            self._findings.add(names.WRONG_KIND, message, caller.span)
            return
        for called, port in targets:
            self._faults[name, called, port.number] = Fault(
                name=name,
                callers=self._resolver.callers(caller),
                callee=called,
                port=port.number,
                delay_ns=delay,
                abort_status=abort,
                share=share,
                origin=statement.span,
            )
