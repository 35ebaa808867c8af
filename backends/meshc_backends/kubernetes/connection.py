"""Who connects to whom: what is left of the rules when only connections are seen."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.artifact import Loss, Reservation
from meshc_backends.kubernetes.outside import literal_address
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.slice import rules_by_caller
from meshc_compiler.ir.workload import External, Service, Workload
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections that some allow needs, each tuple in order of name.

    `callers` is by service, `callees` and `externals` by workload. A workload without any is not a key.
    """

    callers: dict[str, tuple[Workload, ...]]
    callees: dict[str, tuple[Workload, ...]]
    externals: dict[str, tuple[External, ...]]


def connections(index: MeshIndex) -> Connections:
    """Return the connections of a mesh; costs what the allows name, which `any` makes one for each workload."""
    callers: dict[str, list[Workload]] = {}
    callees: dict[str, tuple[Workload, ...]] = {}
    externals: dict[str, tuple[External, ...]] = {}
    for workload in index.mesh.workloads:
        names = dict.fromkeys(name for name, _ in index.callees_of(workload.spiffe_id))
        called = [index.services[name] for name in names if name in index.services]
        for service in called:
            callers.setdefault(service.name, []).append(workload)
        if called:
            callees[workload.name] = tuple(index.workloads[service.workload] for service in called)
        if outside := tuple(index.externals[name] for name in names if name in index.externals):
            externals[workload.name] = outside
    return Connections({name: tuple(who) for name, who in callers.items()}, callees, externals)


def reservations(index: MeshIndex, target: str) -> Iterator[Reservation]:
    """Yield what network policies cannot say of this mesh: requests, hosts, and identities without known pods."""
    for service in index.mesh.services:
        if reason := _narrowed(index, service):
            yield Reservation(target=target, loss=Loss.NARROWED, subject=service.name, reason=reason)
        for stranger in _strangers(index, service):
            yield Reservation(
                target=target,
                loss=Loss.REFUSED,
                subject=f"{stranger} -> {service.name}",
                reason="no workload of the program has this identity, so its pods are not known, and the network "
                "policy keeps them out",
            )
    for external in index.mesh.externals:
        named = [host for host in external.hosts if literal_address(host) is None]
        rules = rules_by_caller(index, external.name, external.port.number)
        allowed = any(rule.effect is Effect.ALLOW for rule in rules)
        if named and allowed:
            yield Reservation(
                target=target,
                loss=Loss.NARROWED,
                subject=external.name,
                reason="a network policy cannot name hosts: pods of its callers may connect to port "
                f"{external.port.number} of other addresses too, and only their sidecars hold them to "
                f"{', '.join(named)}",
            )


def _narrowed(index: MeshIndex, service: Service) -> str | None:
    by_port = [rules_by_caller(index, service.name, port.number) for port in service.ports]
    rules = [rule for rules in by_port for rule in rules]
    allows = sum(rule.effect is Effect.ALLOW and not rule.match.is_everything for rule in rules)
    denies = sum(rule.effect is Effect.DENY for rule in rules)
    callers = {_callers(rules) for rules in by_port}
    what = []
    if allows:
        what.append(f"which requests its callers may send ({_count(allows, 'allow')})")
    if denies:
        what.append(f"what is denied ({_count(denies, 'deny')})")
    if len(callers) > 1:
        what.append("which of its ports each caller may use")
    if not what:
        return None
    return f"a network policy sees connections and no more: the sidecar decides {', and '.join(what)}"


def _callers(rules: tuple[Rule, ...]) -> frozenset[SpiffeId] | None:
    """Return whom the allows of a port name; None stands for any caller."""
    found: set[SpiffeId] = set()
    for rule in rules:
        if rule.effect is Effect.ALLOW:
            match rule.callers:
                case AnyCaller():
                    return None
                case TheseCallers(ids):
                    found.update(ids)
    return frozenset(found)


def _count(number: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


def _strangers(index: MeshIndex, service: Service) -> tuple[SpiffeId, ...]:
    found = {
        identity
        for port in service.ports
        for rule in rules_by_caller(index, service.name, port.number)
        if rule.effect is Effect.ALLOW and isinstance(rule.callers, TheseCallers)
        for identity in rule.callers.ids
        if identity not in index.workloads_by_id
    }
    return tuple(sorted(found))
