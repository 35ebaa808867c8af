"""Classes of requests as a program's own sentences cut them: what an allow opens to a caller, less what denies take."""

from __future__ import annotations

from meshc_compiler.ir.policy import Rule
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import match_text
from meshc_lang.record import dataclass
from meshc_lang.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClass:
    """What one allow opens to a caller of those requests that are asked about.

    `denied` are the denies that take something of it away from this caller. `witness` is a request that is allowed;
    None where it could not be decided whether there is any.
    """

    allow: Rule
    port: ServicePort
    denied: tuple[Rule, ...] = ()
    witness: Request | None = None

    @property
    def text(self) -> str:
        """The requests as the language writes them: methods, path and guard."""
        return match_text(self.allow.match, self.port.protocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCaller:
    """Somebody who can call, with what.

    `name` is a workload's name, a SPIFFE ID that is not declared, `plaintext` for whoever calls without an identity, or
    `any` for every identity of the mesh that is not listed by itself; then `names` are the workloads among them.
    """

    name: str
    classes: tuple[RequestClass, ...]
    names: tuple[str, ...] = ()

    @property
    def fate(self) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
        """What is open to the caller, the same for callers who can do the same."""
        return tuple((one.allow.id, tuple(deny.id for deny in one.denied), one.witness is None) for one in self.classes)
