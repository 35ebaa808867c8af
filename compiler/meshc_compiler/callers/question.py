"""What `who-can` is asked: the ports of a callee, and of their requests all or those of one matcher."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, one_of
from meshc_compiler.ir.condition import is_about_requests
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.loader import Program
from meshc_compiler.lower.condition import lower_condition
from meshc_compiler.lower.match import lower_grant
from meshc_compiler.lower.rule import no_port_fits
from meshc_compiler.request import landscape_of
from meshc_compiler.resolve.group import GroupTable
from meshc_compiler.resolve.peer import CalleeEnd, PeerResolver
from meshc_compiler.resolve.symbol import collect_symbols
from meshc_lang.codes import names
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.parser import parse
from meshc_lang.record import dataclass
from meshc_lang.source import SourceText
from meshc_lang.tree.statement import AllowDecl

_SENTENCE = "allow any -> "


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The ports of a callee, each with the requests that are asked about; `matches` empty means all of them."""

    callee: str
    ports: tuple[ServicePort, ...]
    matches: tuple[RequestMatch, ...] = ()

    @property
    def targets(self) -> tuple[tuple[str, int], ...]:
        """The ports as pairs of the callee's name and a number."""
        return tuple((self.callee, port.number) for port in self.ports)


def read_question(
    index: MeshIndex, program: Program, callee: str, requests: str = ""
) -> tuple[Question | None, tuple[Diagnostic, ...]]:
    """Return what is asked, or None with what is wrong about it.

    `callee` is a service or external, or one of its ports behind a dot; `requests` is a matcher of the language, with a
    guard if need be: `GET|HEAD /v1/** if header "x" present`, `rpc pay.v1.Payments/Charge`.
    """
    findings = Findings()
    ports = _ports(index, callee, findings)
    name = callee.partition(".")[0]
    if ports is None:
        return None, findings.all()
    if not requests:
        return Question(callee=name, ports=ports), ()
    sentence = f"{_SENTENCE}{name} : {requests}"
    file, problems = parse(SourceText("<request>", sentence))
    if has_errors(problems):
        return None, problems
    match file.statements:
        case (AllowDecl() as allow,) if allow.because is None:
            pass
        case _:
            message = "what is asked about is one matcher, such as `GET /v1/**`"
            findings.add(names.WRONG_KIND, message, file.source.span(len(_SENTENCE) + len(name) + 3, len(sentence)))
            return None, findings.all()
    resolver = _resolver(index, program, findings)
    matches: list[RequestMatch] = []
    fitting: dict[int, ServicePort] = {}
    for grant in allow.grants:
        guard = None if grant.guard is None else lower_condition(grant.guard, resolver, findings)
        if grant.guard is not None and guard is None:
            continue
        matcher = lower_grant(grant.matcher, guard, findings)
        if matcher is None:
            continue
        guarded = any(is_about_requests(match.condition) for match in matcher.matches)
        fits = [port for port in ports if matcher.form.fits(port, guarded)]
        if not fits:
            no_port_fits(CalleeEnd(((name, ports),), True, name, allow.flow.callee.span), matcher, grant.span, findings)
        fitting |= {port.number: port for port in fits}
        matches += matcher.matches
    found = findings.all()
    if has_errors(found) or not matches or not fitting:
        return None, found
    return Question(callee=name, ports=tuple(fitting.values()), matches=tuple(matches)), found


def _resolver(index: MeshIndex, program: Program, findings: Findings) -> PeerResolver:
    """Return what looks up the callers of a condition `from`, groups among them."""
    statements = [statement for file in program.files for statement in file.statements]
    symbols = collect_symbols(statements, Findings(), frozenset(), False)
    landscape = landscape_of(index)
    groups = GroupTable(symbols, landscape.workloads, landscape.trust_domain, Findings())
    groups.resolve_all()
    return PeerResolver(symbols, groups, landscape, findings)


def _ports(index: MeshIndex, text: str, findings: Findings) -> tuple[ServicePort, ...] | None:
    """Return the ports that are meant by `SERVICE` or `SERVICE.PORT`; None, and why, if there are none."""
    span = SourceText("<service>", text).span(0, len(text))
    name, dot, part = text.partition(".")
    landscape = landscape_of(index)
    ports = landscape.ports(name)
    if not ports:
        if name in index.workloads or name == "ingress":
            findings.add(names.WRONG_KIND, f"`{name}` has no port, so nobody can call it", span)
            return None
        callees = (*(service.name for service in index.mesh.services if service.ports), *landscape.externals)
        help_line, _ = did_you_mean(name, callees, span)
        findings.add(names.UNKNOWN_NAME, f"there is no service or external `{name}`", span, help=help_line)
        return None
    if not dot:
        return ports
    named = tuple(port for port in ports if port.name == part)
    if not named:
        known = [port.name for port in ports if port.name is not None]
        near, _ = did_you_mean(part, known, span)
        help_line = near or (f"its ports are {one_of(known)}" if known else "it has a single port, without a name")
        findings.add(names.UNKNOWN_PORT, f"`{name}` has no port `{part}`", span, help=help_line)
        return None
    return named
