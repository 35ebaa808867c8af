"""One port of a callee in two programs: a request put to both of them."""

from __future__ import annotations

from dataclasses import replace

from meshc_compiler.diff.change import ChangeKind
from meshc_compiler.diff.fate import CalleeSide
from meshc_compiler.evaluate import Decision, evaluate
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import callee_text
from meshc_compiler.space.callee_space import is_rpc
from meshc_compiler.space.request_space import Witness
from meshc_lang.request import PLAINTEXT, Request

Caller = SpiffeId | None
"""A caller by its identity; None is a call without one."""


class PortSides:
    """The two sides of one port. At least one of them has it; `to` is the callee with it, as it is written."""

    def __init__(self, old: CalleeSide, new: CalleeSide) -> None:
        self.old, self.new = old, new
        port = new.port or old.port
        assert port is not None  # noqa: S101 - a pair of ports holds one at least
        self.port: ServicePort = port
        self.to = callee_text(new.callee, port)

    def name(self, caller: Caller) -> str:
        """Return how a caller is told: the name of its workload in either program, or its SPIFFE ID."""
        if caller is None:
            return PLAINTEXT
        workload = self.new.index.workloads_by_id.get(caller) or self.old.index.workloads_by_id.get(caller)
        return str(caller) if workload is None else workload.name

    def request(self, witness: Witness, caller: Caller, kind: ChangeKind) -> Request:
        """Return a request as the program has it that lets it pass, the new one where both do."""
        side = self.old if kind is ChangeKind.CLOSED else self.new
        port = self.port if side.port is None else side.port
        form = "rpc" if is_rpc(port, witness) else "http" if port.protocol.is_http else "tcp"
        plain = form == "tcp"
        return Request(
            caller=self._name_for(caller, kind),
            callee=side.callee,
            port=port.name,
            protocol=form,
            method="POST" if form == "rpc" else "GET" if plain else witness.method,
            path="/" if plain else witness.path,
            query=witness.query if form == "http" else "",
            headers=() if plain else witness.headers,
            claims=() if plain else witness.claims,
        )

    def _name_for(self, caller: Caller, kind: ChangeKind) -> str:
        """Return a name by which each program that lets the request pass knows the caller."""
        if caller is None:
            return PLAINTEXT
        old, new = (side.index.workloads_by_id.get(caller) for side in (self.old, self.new))
        known = {ChangeKind.OPENED: new, ChangeKind.CLOSED: old}.get(kind, new if old is not None else None)
        return str(caller) if known is None else known.name

    def decided(self, request: Request) -> tuple[Decision, Decision]:
        """Return what becomes of a request in the old program and in the new one."""
        return (_decision(self.old, request), _decision(self.new, request))

    def has_port(self) -> tuple[bool, bool]:
        """Tell in which of the programs there is the port."""
        return (self.old.port is not None, self.new.port is not None)


def _decision(side: CalleeSide, request: Request) -> Decision:
    """The same port may bear another name there."""
    name = request.port if side.port is None else side.port.name
    return evaluate(side.index, request if name == request.port else replace(request, port=name))
