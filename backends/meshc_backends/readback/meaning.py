"""What the program asks of one workload's sidecar: the slice, read by the reference's meaning (`evaluate`)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import assert_never

from meshc_backends.placement import Placement, host_names, server_name
from meshc_backends.readback.asked import (
    ANYBODY,
    by_underscored,
    callers_meant,
    condition_meant,
    ejection,
    hashed,
    is_address,
    limited,
    limited_by_underscored,
    mirror_sets,
    mishap,
    origins,
    pair,
    speech,
    strangers,
    underscored,
    value_of,
    whole,
)
from meshc_backends.readback.formula import ALWAYS, NEVER, Callers, Formula, MethodIn, all_apart, all_of, path_in
from meshc_backends.readback.paths import Escapes, meant
from meshc_backends.readback.policy import (
    Action,
    Answer,
    Entry,
    Forward,
    Gate,
    Handling,
    Health,
    Inbound,
    Named,
    Outbound,
    Peer,
    Policy,
    Retry,
    Side,
    Stage,
    Upstream,
)
from meshc_backends.readback.spelling import canonical_paths
from meshc_backends.readback.terms import TargetTerms
from meshc_compiler.ir.caller import includes
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathRegex, RequestMatch
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.route import REDIRECT_STATUS, Redirect, Respond
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_compiler.ir.slice import (
    InboundPort,
    OutboundExternal,
    OutboundMirror,
    OutboundRule,
    OutboundService,
    WorkloadSlice,
)
from meshc_compiler.ir.workload import MtlsMode, Protocol, Service, ServicePort, TlsVersion, Workload
from meshc_lang.record import dataclass, field

_STANDARD_PORTS = {False: 80, True: 443}


def meaning_of(slice_: WorkloadSlice, placement: Placement, terms: TargetTerms) -> Policy:
    """Return what the slice asks of the sidecar, with the target's own terms where the program leaves a thing open."""
    return _Meaning(slice_, placement, terms).policy()


@dataclass(slots=True)
class _Meaning:
    slice_: WorkloadSlice
    placement: Placement
    terms: TargetTerms
    _peers: dict[tuple[str, int], Peer] = field(default_factory=dict)
    _underscored: bool | None = None

    def policy(self) -> Policy:
        hosts: dict[str, Outbound] = {}
        connections: dict[tuple[str, int], Outbound] = {}
        for callee in self.slice_.services:
            name = f"{callee.service.name}:{callee.port.number}"
            if callee.port.protocol not in self.terms.protocols:
                continue
            outbound = Outbound(name=name, side=self.service(callee), origin=callee.service.origin)
            if callee.port.protocol.is_http:
                hosts.update((host.lower(), outbound) for host in host_names(callee.service, callee.port))
            elif address := self.placement.outbound_tcp(self.slice_.workload, callee.service, callee.port):
                connections[address.host, address.port] = outbound
        for external in self.slice_.externals:
            if external.external.port.protocol in self.terms.protocols_outside:
                for host in external.external.hosts:
                    side = self.external(external, host)
                    outbound = Outbound(name=external.external.name, side=side, origin=external.external.origin)
                    hosts.setdefault(host.lower(), outbound)
                    hosts[f"{host}:{external.external.port.number}".lower()] = outbound
        where = self.placement.listeners(self.slice_.workload)
        listens = {"outbound": where.outbound, "admin": where.admin}
        if self.terms.shows_pages:
            listens |= {"readiness": where.readiness, "metrics": where.metrics}
        if self.slice_.inbound:
            listens["inbound"] = where.inbound
        return Policy(
            inbound=tuple(
                self.inbound(port) for port in self.slice_.inbound if port.port.protocol in self.terms.protocols
            ),
            hosts=hosts,
            connections=connections,
            strangers=strangers(self.slice_.namespaces) if self.terms.tells_strangers else None,
            listens={name: (address.host, address.port) for name, address in listens.items()},
        )

    def _underscored_out(self) -> bool:
        """Tell whether anything that is sent out is judged or routed by a header with `_` in its name."""
        if self._underscored is None:
            services, externals = self.slice_.services, self.slice_.externals
            matches = [rule.rule.match for callee in services for rule in callee.rules if rule.rule is not None]
            matches += [rule.match for callee in services for rule in callee.guards]
            matches += [one.mirror.match for callee in services for one in callee.mirrors]
            matches += [rule.match for callee in externals for rule in callee.rules]
            settings = [rule.settings for callee in services for rule in callee.rules]
            settings += [callee.settings for callee in externals]
            self._underscored = underscored(matches) or any(by_underscored(one) for one in settings)
        return self._underscored

    # ---- on the way in

    def inbound(self, inbound: InboundPort) -> Inbound:
        service, port = inbound.service, inbound.port
        http = port.protocol.is_http
        names = None if len(self.slice_.inbound) == 1 else frozenset({server_name(service, port)})
        gate = self.gate(inbound.rules)
        upstream = Upstream(
            addresses=(pair(self.placement.application(self.slice_.workload, port)),),
            speaks=speech(port),
            peer=None,
            connect_timeout_ns=self.terms.connect_timeout_ns,
            idle_timeout_ns=self.terms.application_idle_ns if http else None,
        )
        idle = None if http else max(self.terms.connection_idle_ns, inbound.longest_idle_ns or 0)
        forward = Forward(
            destinations=whole(upstream),
            timeout_ns=None,
            idle_timeout_ns=idle,
            websockets=self.terms.tells_upgrades and port.protocol is Protocol.HTTP,
        )
        handling = Handling(
            gate=gate,
            limits=frozenset(limited(limit) for limit in inbound.limits),
            mishaps=frozenset(mishap(fault) for fault in inbound.faults),
            action=forward,
        )
        entries = [Entry(ALWAYS, handling)]
        if http:
            entries.insert(0, Entry(self._never_forwarded(), Handling(gate=gate, action=Answer(405))))
        return Inbound(
            name=f"{service.name}:{port.number}",
            protocol="http" if http else "tcp",
            server_names=names,
            peer=Peer(
                names=frozenset({("URI", f"spiffe://{self.slice_.trust_domain}/*")}),
                roots=f"{self._certificates()}/trust-bundle.pem",
                own=self._own(),
                server_name=None,
                protocols=self.terms.protocols_offered if http else (),
                versions=("1.2", "1.3"),
            ),
            one_identity=True,
            plaintext=service.mtls is MtlsMode.PERMISSIVE and self.terms.hears_plaintext,
            side=self._side(
                entries,
                names_underscored=underscored(rule.match for rule in inbound.rules) or limited_by_underscored(inbound),
                matches=(rule.match for rule in inbound.rules),
            ),
            origin=port.origin or service.origin,
        )

    def _never_forwarded(self) -> Formula:
        return MethodIn(self.terms.never_forwarded)

    def _side(self, entries: list[Entry], *, names_underscored: bool, matches: Iterable[RequestMatch] = ()) -> Side:
        # An expression of the program's is about canonical paths, and those have their escapes in upper case.
        expressions = any(isinstance(match.path, PathRegex) for match in matches)
        return Side(
            entries=tuple(entries),
            carried=canonical_paths(Escapes.UPPER if expressions else self.terms.escapes),
            refuses_underscores=self.terms.refuses_underscores and not names_underscored,
        )

    def gate(self, rules: tuple[Rule, ...], caller: SpiffeId | None = None) -> Gate:
        """Return the denies, then the allows; with a caller, those about it, which then does not matter."""
        stages: list[list[Named]] = [[], []]
        for rule in rules:
            who = callers_meant(rule.callers)
            if caller is not None:
                if not who.include(str(caller)):
                    continue
                formula = self.match(rule.match)
            else:
                formula = self.match(rule.match, None if who == ANYBODY else who)
            stages[rule.effect is Effect.ALLOW].append(Named(rule.id, formula, rule.origin))
        return (
            Stage(denies=True, rules=frozenset(stages[0])),
            Stage(denies=False, rules=frozenset(stages[1])),
        )

    def match(self, match: RequestMatch, callers: Callers | None = None) -> Formula:
        parts: list[Formula] = [] if callers is None else [callers]
        if match.methods:
            parts.append(MethodIn(frozenset(match.methods)))
        if match.path is not None:
            parts.append(path_in(meant(match.path, self.terms.escapes)))
        if match.condition is not None:
            parts.append(condition_meant(match.condition))
            return all_of(parts)
        return all_apart(parts)

    # ---- on the way out

    def service(self, callee: OutboundService) -> Side:
        if not callee.port.protocol.is_http:
            settings = callee.rules[-1].settings.of_connections()
            forward = self.forward(callee, callee.rules[-1], settings, ())
            return self._side([Entry(ALWAYS, Handling(action=forward))], names_underscored=False)
        entries: list[Entry] = []
        caller = self.slice_.workload.spiffe_id
        for rule in callee.rules:
            own = rule.rule
            formula = ALWAYS if own is None else self.match(own.match)
            if own is not None and own.answer is not None:
                gate = self.gate(callee.guards, caller)
                action: Action
                match own.answer:
                    case Respond(status=status):
                        action = Answer(status)
                    case Redirect(location=location):
                        action = Answer(REDIRECT_STATUS, location)
                    case _:
                        assert_never(own.answer)
                if not own.match.methods or not self.terms.never_forwarded.isdisjoint(own.match.methods):
                    refused = all_of((formula, self._never_forwarded()))
                    entries.append(Entry(refused, Handling(gate=gate, action=Answer(405), origin=own.origin)))
                entries.append(Entry(formula, Handling(gate=gate, action=action, name=own.id, origin=own.origin)))
                continue
            for mirrors in mirror_sets(callee):
                both = all_of((formula, *(self.match(one.mirror.match) for one in mirrors)))
                if both is NEVER:
                    continue
                action = self.forward(callee, rule, rule.settings, mirrors)
                entries.append(
                    Entry(
                        both,
                        Handling(
                            action=action,
                            name="" if own is None else own.id,
                            origin=None if own is None else own.origin,
                        ),
                    )
                )
        matches = [rule.rule.match for rule in callee.rules if rule.rule is not None]
        matches += [guard.match for guard in callee.guards]
        matches += [one.mirror.match for one in callee.mirrors]
        return self._side(entries, names_underscored=self._underscored_out(), matches=matches)

    def forward(
        self,
        callee: OutboundService,
        rule: OutboundRule,
        settings: Settings,
        mirrors: tuple[OutboundMirror, ...],
    ) -> Forward:
        total = sum(destination.weight for destination in rule.destinations)
        shares: dict[Upstream, Fraction] = {}
        for destination in rule.destinations:
            if destination.weight:
                upstream = self.mesh_upstream(
                    callee.service, callee.workload, callee.port, destination.version, settings
                )
                shares[upstream] = shares.get(upstream, Fraction(0)) + Fraction(destination.weight, total)
        http = callee.port.protocol.is_http
        copies = frozenset(
            (
                self.mesh_upstream(one.service, one.workload, one.port, one.mirror.target_version, NOTHING_STATED),
                one.mirror.share,
            )
            for one in mirrors
        )
        return Forward(
            destinations=frozenset(shares.items()),
            timeout_ns=value_of(settings.timeout_ns) if http else None,
            idle_timeout_ns=None if http else value_of(settings.idle_timeout_ns) or self.terms.connection_idle_ns,
            retry=self._retry(settings) if http else None,
            hashed=hashed(settings),
            copies=copies,
            websockets=self.terms.tells_upgrades and callee.port.protocol is Protocol.HTTP,
            callers_deadline=self._callers_deadline(callee.port, settings),
            origins=origins(settings),
        )

    def external(self, callee: OutboundExternal, host: str) -> Side:
        external = callee.external
        caller = self.slice_.workload.spiffe_id
        settings = callee.settings
        peer = None
        if external.tls is not None:
            asked = external.tls.server_name or host
            protocol = "h2" if speech(external.port) == "http2" else "http/1.1"
            peer = Peer(
                names=frozenset(("IP" if is_address(name) else "DNS", name) for name in external.tls.names or (asked,)),
                roots=external.tls.ca_file or self.placement.external_roots(),
                own=None,
                server_name=None if is_address(asked) else asked,
                protocols=(protocol,),
                versions=("1.2" if external.tls.minimum is TlsVersion.TLS_1_2 else "1.3", "1.3"),
            )
        upstream = self._upstream(
            addresses=(pair(self.placement.external(external, host)),),
            speaks=speech(external.port),
            peer=peer,
            idle=value_of(settings.idle_timeout_ns) or self.terms.external_idle_ns,
            settings=settings,
        )
        standard = external.port.number == _STANDARD_PORTS[external.tls is not None]
        forward = Forward(
            destinations=whole(upstream),
            timeout_ns=value_of(settings.timeout_ns),
            retry=self._retry(settings),
            hashed=hashed(settings),
            host=(host if standard else f"{host}:{external.port.number}") if self.terms.rewrites_host else None,
            websockets=self.terms.tells_upgrades and external.port.protocol is Protocol.HTTP,
            callers_deadline=self._callers_deadline(external.port, settings),
            origins=origins(settings),
        )
        gate = self.gate(callee.rules, caller)
        handling = Handling(
            gate=gate,
            mishaps=frozenset(mishap(fault, everybody=True) for fault in callee.faults),
            action=forward,
        )
        refused = Handling(gate=gate, action=Answer(405))
        entries = [Entry(self._never_forwarded(), refused), Entry(ALWAYS, handling)]
        own = [rule.match for rule in callee.rules if includes(rule.callers, caller)]
        return self._side(entries, names_underscored=self._underscored_out(), matches=own)

    def mesh_upstream(
        self, service: Service, workload: Workload, port: ServicePort, version: str | None, settings: Settings
    ) -> Upstream:
        idle = None
        if port.protocol.is_http:
            idle = min(value_of(settings.idle_timeout_ns) or self.terms.mesh_idle_ns, self.terms.mesh_idle_ns)
        return self._upstream(
            addresses=tuple(map(pair, self.placement.endpoints(service, version))),
            speaks=speech(port),
            peer=self.mesh_peer(service, workload, port),
            idle=idle,
            settings=settings,
            health=self._health(service, workload),
        )

    def _upstream(
        self,
        *,
        addresses: tuple[tuple[str, int], ...],
        speaks: str,
        peer: Peer | None,
        idle: int | None,
        settings: Settings,
        health: Health | None = None,
    ) -> Upstream:
        budget = value_of(settings.retry_budget) if settings.retries else None
        return Upstream(
            addresses=addresses,
            speaks=speaks,
            peer=peer,
            connect_timeout_ns=value_of(settings.connect_timeout_ns) or self.terms.connect_timeout_ns,
            idle_timeout_ns=idle,
            max_requests=value_of(settings.breaker_max_requests),
            max_pending=value_of(settings.breaker_max_pending),
            max_connections=value_of(settings.breaker_max_connections),
            retry_budget=None if budget is None else (budget, self.terms.retry_budget_minimum),
            ejection=ejection(settings),
            balance="round-robin" if settings.balance is None else settings.balance.value.policy.value,
            health=health,
        )

    def mesh_peer(self, service: Service, workload: Workload, port: ServicePort) -> Peer:
        key = (service.name, port.number)
        if key not in self._peers:
            self._peers[key] = Peer(
                names=frozenset({("URI", str(workload.spiffe_id))}),
                roots=f"{self._certificates()}/trust-bundle.pem",
                own=self._own(),
                server_name=server_name(service, port),
                protocols=(("h2" if speech(port) == "http2" else "http/1.1"),) if port.protocol.is_http else (),
                versions=("1.2", "1.3"),
            )
        return self._peers[key]

    def _health(self, service: Service, workload: Workload) -> Health | None:
        health = service.health
        if health is None:
            return None
        asked = next(one for one in service.ports if one.number == health.port)
        question, host = "connect", None
        if asked.protocol is Protocol.GRPC:
            question, host = "grpc", service.host
        elif asked.protocol.is_http:
            question, host = f"GET {health.path} {speech(asked)}", service.host
        return Health(
            question=question,
            host=host,
            peer=self.mesh_peer(service, workload, asked),
            interval_ns=health.interval_ns,
            timeout_ns=health.timeout_ns,
            unhealthy=health.unhealthy,
            healthy=health.healthy,
        )

    def _callers_deadline(self, port: ServicePort, settings: Settings) -> bool:
        """Tell whether `grpc-timeout` ends a call: not where a timeout is stated, which Envoy would look past then."""
        return self.terms.tells_upgrades and port.protocol is Protocol.GRPC and not value_of(settings.timeout_ns)

    def _retry(self, settings: Settings) -> Retry | None:
        if not settings.retries or settings.retry_on is None or settings.retry_limit is None:
            return None
        low, high = self.terms.pause_ns
        if settings.retry_backoff is not None:
            low, high = settings.retry_backoff.value.low_ns, settings.retry_backoff.value.high_ns
        low = max(low, self.terms.least_pause_ns)
        key = settings.retry_key_header
        return Retry(
            on=frozenset(settings.retry_on.value),
            limit=settings.retry_limit.value,
            per_try_ns=value_of(settings.per_try_timeout_ns),
            pause_ns=(low, max(low, high)),
            key_header=None if key is None else key.value,
        )

    def _certificates(self) -> str:
        return self.placement.certificates(self.slice_.workload).rstrip("/")

    def _own(self) -> tuple[str, str]:
        folder = self._certificates()
        return f"{folder}/cert-chain.pem", f"{folder}/key.pem"
