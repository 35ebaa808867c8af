"""`mirror api GET /v1/** => api.v2 5%`: copies of requests."""

from __future__ import annotations

from meshc_compiler.finding import Findings, did_you_mean, heading, one_of
from meshc_compiler.ir.route import WHOLE
from meshc_compiler.ir.traffic import Mirror
from meshc_compiler.ir.workload import Protocol, Service, ServicePort
from meshc_compiler.lower.callee import routed_service
from meshc_compiler.lower.condition import lower_condition
from meshc_compiler.lower.match import Form, lower_grant
from meshc_compiler.lower.rule import fitting, no_port_fits
from meshc_compiler.lower.sentence import callee_text, match_text
from meshc_compiler.resolve.peer import Landscape, PeerResolver
from meshc_compiler.resolve.symbol import SymbolKind, SymbolTable
from meshc_lang.codes import names, routing, units
from meshc_lang.diagnostic import Label
from meshc_lang.record import dataclass
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import MirrorDecl
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import Percent
from meshc_lang.units import print_percent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aim:
    """Who gets the copies: a service, perhaps one version of it, perhaps a port by name."""

    service: Service
    version: str | None
    port: ServicePort | None


class MirrorBook:
    """The mirrors of a program by id: the same statement written twice is one."""

    def __init__(self, symbols: SymbolTable, landscape: Landscape, resolver: PeerResolver, findings: Findings) -> None:
        self._symbols = symbols
        self._landscape = landscape
        self._resolver = resolver
        self._findings = findings
        self._mirrors: dict[str, Mirror] = {}

    def mirrors(self) -> tuple[Mirror, ...]:
        """Return the mirrors by id."""
        return tuple(self._mirrors[id_] for id_ in sorted(self._mirrors))

    def add(self, statement: MirrorDecl) -> None:
        """Lower a statement: a mirror for each port and match that it speaks of."""
        routed = routed_service(statement.service, statement.port, self._symbols, self._landscape, self._findings)
        guard = None
        if statement.guard is not None:
            guard = lower_condition(statement.guard, self._resolver, self._findings, outbound=True)
        matcher = lower_grant(statement.matcher, guard, self._findings)
        share = self._share(statement.target)
        if routed is None or matcher is None or share is None or (statement.guard is not None and guard is None):
            return
        service, callee = routed
        aim = self._aim(service, statement.target)
        if aim is None:
            return
        if matcher.form is Form.TCP:
            message = "a mirror copies requests, and `tcp` speaks of connections"
            self._findings.add(units.PROTOCOL_MISMATCH, message, statement.matcher.span)
            return
        ports = [port for _, port in fitting(callee, matcher) if port.protocol.is_http]
        if not ports:
            no_port_fits(callee, matcher, statement.matcher.span, self._findings)
        for port in ports:
            target = self._target_port(aim, port, statement.target)
            if target is None:
                return
            words = aim.service.name if aim.version is None else f"{aim.service.name}.{aim.version}"
            for match in matcher.matches:
                id_ = (
                    f"mirror {callee_text(service.name, port)} {match_text(match, port.protocol)} => "
                    f"{words} {print_percent(share)}"
                )
                mirror = Mirror(
                    id=id_,
                    service=service.name,
                    port=port.number,
                    match=match,
                    target_service=aim.service.name,
                    target_port=target.number,
                    target_version=aim.version,
                    share=share,
                    origin=statement.span,
                )
                self._mirrors.setdefault(id_, mirror)

    def _share(self, target: Target) -> int | None:
        share = target.share
        if share is None:
            return WHOLE
        if not isinstance(share, Percent):
            # A name that is left stands for no share, which another finding tells.
            return None
        if 0 < share.millionths <= WHOLE:
            return share.millionths
        self._findings.add(units.OUT_OF_RANGE, "a mirror copies more than 0% and at most 100%", share.span)
        return None

    def _aim(self, service: Service, target: Target) -> _Aim | None:
        name, part = target.name, target.part
        if part is None and name.text in service.versions:
            return _Aim(service=service, version=name.text, port=None)
        if name.text == service.name:
            if part is None:
                message = f"the copies would go to `{service.name}` itself, which gets the requests already"
                help_line = "send them to a version or to another service"
                if service.versions:
                    help_line = f"send them to a version: {one_of(f'{service.name}.{one}' for one in service.versions)}"
                self._findings.add(routing.MIRROR_TO_ITSELF, message, target.span, help=help_line)
                return None
            return self._part(service, part)
        symbol = self._symbols.get(name.text)
        if symbol is None and part is None and service.versions and not self._symbols.may_be_lost(name.text):
            self._unknown_version(service, name)
            return None
        symbol = self._symbols.resolve(name.text, name.span, (SymbolKind.SERVICE,), self._findings)
        if symbol is None or symbol.name in self._landscape.broken:
            return None
        other = self._landscape.services.get(symbol.name)
        if other is None:
            label = Label(symbol.declaration.name.span, "declared here without a `port`")
            message = f"`{name}` has no port, so it cannot get copies"
            self._findings.add(names.WRONG_KIND, message, name.span, related=(label,))
            return None
        return _Aim(service=other, version=None, port=None) if part is None else self._part(other, part)

    def _part(self, service: Service, part: Name) -> _Aim | None:
        if part.text in service.versions:
            return _Aim(service=service, version=part.text, port=None)
        for port in service.ports:
            if port.name == part.text:
                return _Aim(service=service, version=None, port=port)
        self._unknown_version(service, part)
        return None

    def _unknown_version(self, service: Service, name: Name) -> None:
        known = service.versions
        help_line, fixes = did_you_mean(name.text, known, name.span)
        if not help_line:
            listed = one_of(known).replace(" or ", " and ")
            help_line = f"it declares {listed}" if known else "add `versions: [v1, v2]` to it"
        related = (Label(heading(service.origin), "declared here"),) if service.origin is not None else ()
        message = f"`{service.name}` declares no version `{name}`"
        self._findings.add(names.UNKNOWN_VERSION, message, name.span, help=help_line, fixes=fixes, related=related)

    def _target_port(self, aim: _Aim, port: ServicePort, target: Target) -> ServicePort | None:
        """Return the port that gets the copies: the one named, the same one, one of the same name, or the only one."""
        rpc = port.protocol is Protocol.GRPC
        able = [one for one in aim.service.ports if one.protocol.is_http and (one.protocol is Protocol.GRPC) == rpc]
        if aim.port is not None:
            able = [one for one in able if one == aim.port]
        named = [one for one in able if one.name == port.name]
        if len(named) == 1 or len(able) == 1:
            return (named or able)[0]
        if not able:
            words = f"the requests come on this port, which speaks `{port.protocol}`"
            related = (Label(port.origin, words),) if port.origin is not None else ()
            message = f"no port of `{aim.service.name}` can take copies of what `{port.protocol}` carries"
            self._findings.add(units.PROTOCOL_MISMATCH, message, target.span, related=related)
            return None
        choices = one_of(f"{aim.service.name}.{one.name}" for one in able)
        message = f"`{aim.service.name}` has several ports that could take the copies"
        self._findings.add(routing.MIRROR_PORT, message, target.span, help=f"name one: {choices}")
        return None
