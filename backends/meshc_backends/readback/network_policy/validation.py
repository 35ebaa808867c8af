"""Emitted network policies proved against the program: nothing that it needs is cut, and nobody else may connect.

A policy sees pods and ports; the requests that it lets through are more than the program allows. That is a proof in two
parts: each connection that some allow needs leaves the caller and may come in at the callee, and neither end opens
anything else. Pods of which the program says nothing, and addresses outside, are looked at too.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.placement import Placement
from meshc_backends.readback.network_policy.address import AddressSet
from meshc_backends.readback.network_policy.cluster import Cluster, Pod
from meshc_backends.readback.network_policy.connection import EVERYTHING, NOTHING, ConnectionSet
from meshc_backends.readback.network_policy.finding import (
    Place,
    cut,
    cut_collector,
    cut_from_world,
    cut_stranger,
    opened,
    opened_inward,
    opened_outward,
    unreadable,
)
from meshc_backends.readback.network_policy.manifest import yaml_documents
from meshc_backends.readback.network_policy.needed import COLLECTOR, DNS, Needed, needed, tcp
from meshc_backends.readback.network_policy.policy import Direction, NetworkPolicy, Outside, Pods, Rule
from meshc_backends.readback.network_policy.policy_reader import UnreadableError, network_policy
from meshc_backends.readback.network_policy.reach import ports_of
from meshc_backends.readback.network_policy.stranger import Strangers, require_plain
from meshc_compiler.ir.match import PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.ir.workload import Service, Workload
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass, field

_DNS_POD = Pod(namespace="kube-system", owner="kube-dns", labels={"k8s-app": "kube-dns"})
"""Where a cluster's names are looked up: the labels that every distribution gives to CoreDNS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionProof:
    """What was proved of a file of network policies: so many connections are needed, and these and no others are open.

    `wider` names, by service, the rules of which a network policy sees nothing but who connects to whom: what callers
    may send beyond them is the sidecar's to refuse.
    """

    file: str
    connections: int
    wider: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The findings about a file, or the proof that there are none."""

    diagnostics: tuple[Diagnostic, ...] = ()
    proof: ConnectionProof | None = None


def validate(index: MeshIndex, placement: Placement, file: str, content: bytes) -> Validation:
    """Read back a file of network policies and compare it with the program; costs what the policies name."""
    import yaml  # here, since only reading back needs it

    place = Place(index, file)
    workloads = index.mesh.workloads
    pods = [Pod(namespace=one.namespace, owner=one.name, labels=dict(one.selector)) for one in workloads]
    try:
        policies = [network_policy(one) for one in yaml_documents(content)]
        proof = _Proof(place, placement, Cluster((*pods, _DNS_POD), {}, policies))
    except (UnreadableError, yaml.YAMLError) as error:
        return Validation(diagnostics=(unreadable(place, " ".join(str(error).split())),))
    if found := tuple(proof.differences()):
        return Validation(diagnostics=found)
    wider = tuple((service.name, rules) for service in index.mesh.services if (rules := _unseen(index, service)))
    return Validation(proof=ConnectionProof(file=file, connections=proof.connections, wider=wider))


def _unseen(index: MeshIndex, service: Service) -> tuple[str, ...]:
    """Return the rules of which connections show less than they say: some requests, some ports, or a deny."""
    by_port = [index.rules_of(service.name, port.number) for port in service.ports]
    some_ports = len({frozenset(rule.callers for rule in rules) for rules in by_port}) > 1
    return tuple(
        dict.fromkeys(
            rule.id
            for rules in by_port
            for rule in rules
            if some_ports or rule.effect is Effect.DENY or not _is_whole(rule.match)
        )
    )


def _is_whole(match: RequestMatch) -> bool:
    """Tell whether a match takes all that its port carries."""
    return match.is_everything or match == RequestMatch(path=PathTemplate((Segment(SegmentKind.REST),)))


@dataclass(frozen=True, slots=True)
class _Open:
    """What one pod's policies open in one direction.

    `pods` are known pods by number; `everybody` is what is open to all, pods and addresses; `strangers` are pods that
    the program does not know; `addresses` lie outside the cluster.
    """

    pods: dict[int, ConnectionSet] = field(default_factory=dict)
    everybody: list[ConnectionSet] = field(default_factory=list)
    strangers: list[tuple[str, ConnectionSet]] = field(default_factory=list)
    addresses: list[tuple[AddressSet, ConnectionSet]] = field(default_factory=list)

    def to(self, number: int) -> ConnectionSet:
        """Return what is open to a known pod."""
        ports = self.pods.get(number, NOTHING)
        for more in self.everybody:
            ports |= more
        return ports

    def add(self, other: _Open) -> None:
        """Put more to it: policies add up."""
        for number, ports in other.pods.items():
            known = self.pods.get(number)
            self.pods[number] = ports if known is None else known | ports
        self.everybody.extend(other.everybody)
        self.strangers.extend(other.strangers)
        self.addresses.extend(other.addresses)


class _Proof:
    def __init__(self, place: Place, placement: Placement, cluster: Cluster) -> None:
        self._place = place
        self._cluster = cluster
        self._workloads = place.index.mesh.workloads
        self._numbers = {workload.name: number for number, workload in enumerate(self._workloads)}
        self._dns = next(number for number, pod in enumerate(cluster.pods) if pod is _DNS_POD)
        self._strangers = Strangers(cluster.pods)
        self._needed = [needed(place.index, placement, workload) for workload in self._workloads]
        self._open: dict[Direction, dict[int, _Open]] = {direction: {} for direction in Direction}
        for policy in cluster.policies:
            require_plain(policy)
            self._read(policy)
        self.connections = 0

    def differences(self) -> Iterator[Diagnostic]:
        """Yield a finding for each connection that is cut, and for each that is open and not needed."""
        for policy in self._cluster.policies:
            if (stranger := self._strangers.among(Pods(None, policy.subject), policy.namespace)) is not None:
                yield cut_stranger(self._place, policy.name, stranger)
        for number, (workload, wanted) in enumerate(zip(self._workloads, self._needed, strict=True)):
            yield from self._outward(number, workload, wanted)
            yield from self._inward(number, workload, wanted)

    def _read(self, policy: NetworkPolicy) -> None:
        subjects = tuple(self._cluster.select(Pods(None, policy.subject), policy.namespace))
        for direction, rules in policy.rules.items():
            opened_by_it = _Open()
            for rule in rules:
                opened_by_it.add(self._opened_by(rule, policy.namespace))
            for subject in subjects:
                self._open[direction].setdefault(subject, _Open()).add(opened_by_it)

    def _opened_by(self, rule: Rule, namespace: str) -> _Open:
        ports = ports_of(rule.ports, None)
        if rule.peers is None:
            return _Open(everybody=[ports])
        found = _Open()
        for peer in rule.peers:
            if isinstance(peer, Outside):
                found.addresses.append((peer.addresses, ports))
                continue
            for number in self._cluster.select(peer, namespace):
                found.pods[number] = ports
            if (stranger := self._strangers.among(peer, namespace)) is not None:
                found.strangers.append((stranger, ports))
        return found

    def _outward(self, number: int, workload: Workload, wanted: Needed) -> Iterator[Diagnostic]:
        opened_to = self._open[Direction.EGRESS].get(number)
        if opened_to is None:
            yield opened_outward(self._place, workload, "everything", EVERYTHING)
            return
        for ports in opened_to.everybody:
            yield opened_outward(self._place, workload, "everything", ports)
        for stranger, ports in opened_to.strangers:
            yield opened_outward(self._place, workload, stranger, ports)
        for callee in dict.fromkeys((*map(self._numbers.__getitem__, wanted.callees), *opened_to.pods)):
            if callee == self._dns:
                continue
            yield from self._pair(number, workload, callee, wanted, opened_to)
        yield from self._names(workload, wanted, opened_to)
        yield from self._addresses(workload, wanted, opened_to)

    def _pair(
        self, number: int, workload: Workload, callee: int, wanted: Needed, opened_to: _Open
    ) -> Iterator[Diagnostic]:
        other = self._workloads[callee]
        need = wanted.callees.get(other.name, NOTHING)
        inward = self._open[Direction.INGRESS].get(callee)
        leaving, entering = opened_to.to(callee), EVERYTHING if inward is None else inward.to(number)
        if missing := need - leaving:
            yield cut(self._place, workload, other.name, missing, "on its way out")
        elif missing := need - entering:
            yield cut(self._place, workload, other.name, missing, "on its way in")
        else:
            self.connections += bool(need)
        if extra := opened_to.pods.get(callee, NOTHING) - need:
            yield opened(self._place, workload, other, extra, "" if extra & entering else " on its way out")

    def _names(self, workload: Workload, wanted: Needed, opened_to: _Open) -> Iterator[Diagnostic]:
        ports = opened_to.to(self._dns)
        if wanted.looks_up and (missing := DNS - ports):
            callee = next(iter(wanted.callees), None) or wanted.outward[0].names[0]
            yield self._cut(workload, callee, missing, "to look up its name")
        if extra := ports - (DNS if wanted.calls else NOTHING):
            yield opened_outward(self._place, workload, "where names are looked up", extra)

    def _cut(self, workload: Workload, callee: str, ports: ConnectionSet, where: str) -> Diagnostic:
        if callee == COLLECTOR:
            return cut_collector(self._place, workload, ports, where)
        return cut(self._place, workload, callee, ports, where)

    def _addresses(self, workload: Workload, wanted: Needed, opened_to: _Open) -> Iterator[Diagnostic]:
        known = NOTHING
        for outward in wanted.outward:
            port = tcp(outward.port)
            known |= port
            found = AddressSet()
            for addresses, ports in opened_to.addresses:
                if port & ports:
                    found |= addresses
            if missing := (outward.least - found).first():
                yield self._cut(workload, outward.names[0], port, f"of {missing}")
            if extra := (found - outward.most).first():
                yield opened_outward(self._place, workload, f"the address {extra}", port)
        for addresses, ports in opened_to.addresses:
            if addresses and (more := ports - known):
                yield opened_outward(self._place, workload, f"the address {addresses.first()}", more)

    def _inward(self, number: int, workload: Workload, wanted: Needed) -> Iterator[Diagnostic]:
        opened_to = self._open[Direction.INGRESS].get(number)
        if opened_to is None:
            yield opened_inward(self._place, workload, "everybody", EVERYTHING)
            return
        world = NOTHING
        for ports in opened_to.everybody:
            world |= ports
        if missing := wanted.world - world:
            yield cut_from_world(self._place, workload, missing)
        if extra := world - wanted.world:
            yield opened_inward(self._place, workload, "everybody", extra)
        for caller, ports in opened_to.pods.items():
            if caller == self._dns:
                continue
            other = self._workloads[caller]
            outward = self._open[Direction.EGRESS].get(caller)
            extra = ports - self._needed[caller].callees.get(workload.name, NOTHING)
            if extra and outward is not None and not extra & outward.to(number):
                # What leaves the caller too is told there.
                yield opened(self._place, other, workload, extra, " on its way in")
        for stranger, ports in opened_to.strangers:
            if more := ports - wanted.world:
                yield opened_inward(self._place, workload, stranger, more)
        for addresses, ports in opened_to.addresses:
            if addresses and (more := ports - wanted.world):
                yield opened_inward(self._place, workload, f"the address {addresses.first()}", more)
