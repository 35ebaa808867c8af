"""The questions that the algebra raises about a port: a request out of each set, and those next to it.

Every class of paths that the rules tell apart is asked by its witness; every set that rules make (each rule, what it
gives that no other does, what is allowed of it, what is not) by an example; each example by its neighbours, which
differ in the caller, the method, the path, or one header; and by what its callee does, where the caller tries again.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from meshc_compiler.evaluate import evaluate, identity_of
from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.space.callee_space import CalleeSpace, Region
from meshc_compiler.space.request_space import Undecided, Witness
from meshc_lang.request import Request
from support.agreement_bypass import bypasses
from support.agreement_certificates import STRANGER
from support.agreement_matrix import Callee, header_choices
from support.agreement_probe import Entrance, Probe
from support.agreement_spelling import spellings

GRPC_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"))
GRPC_BODY = b"\0\0\0\0\0"
_UNUSUAL = ("HEAD", "BREW", "M-SEARCH")
_SCRIPTS = ("503 200", "503", "500 200", "502 503 200", "429 200", "504", "404", "close 200", "reset 200")
_RPC_SCRIPTS = ("grpc-14 200", "grpc-14", "grpc-8 grpc-14 200", "grpc-13")


@dataclass(frozen=True, slots=True)
class Port:
    """One port of the mesh as the algebra sees it; `looked_at` is what its rules, routes and mirrors look at."""

    callee: Callee
    space: CalleeSpace
    looked_at: tuple[RequestMatch, ...]

    @property
    def is_grpc(self) -> bool:
        """Tell whether the port is called by gRPC."""
        return self.space.port.protocol.value == "grpc"


def ports_of(index: MeshIndex) -> tuple[Port, ...]:
    """Return every port of a mesh on which requests are judged."""
    services = ((one.name, port, len(one.ports) > 1) for one in index.mesh.services for port in one.ports)
    externals = ((one.name, one.port, False) for one in index.mesh.externals)
    return tuple(
        _port(index, name, port, is_named)
        for name, port, is_named in (*services, *externals)
        if port.protocol.is_http and any(True for _ in index.rules_of(name, port.number))
    )


def _port(index: MeshIndex, name: str, port: ServicePort, is_named: bool) -> Port:
    callee = Callee(name, port.name if is_named else None, port.number, external=name in index.externals)
    route = index.routes.get((name, port.number))
    asked = [rule.match for rule in (route.rules if route else ())]
    asked += [mirror.match for mirror in index.mirrors_of(name, port.number)]
    space = CalleeSpace(index, name, port, extra=asked)
    looked_at = tuple(dict.fromkeys([rule.match for rule in space.rules] + asked))
    return Port(callee, space, looked_at)


def questions(index: MeshIndex, port: Port, chance: random.Random, most: int) -> tuple[Probe, ...]:
    """Return so many probes at most: all examples, then of neighbours, spellings, atoms and mishaps equal parts."""
    examples = tuple(dict.fromkeys(_examples(index, port)))
    found: dict[str, Probe] = {}
    for request in examples:
        for probe in _entrances(index, port, request):
            found.setdefault(probe.text, probe)
    kinds = [
        [
            probe
            for one in examples
            for other in _neighbours(index, port, one)
            for probe in _entrances(index, port, other)
        ],
        [probe for one in _by_verdict(index, examples) for probe in _spelled(index, port, one)],
        [probe for one in _at_the_atoms(index, port, chance, most) for probe in _entrances(index, port, one)],
        [probe for one in examples for probe in _mishaps(index, port, one)],
    ]
    for number, kind in enumerate(kinds):
        chance.shuffle(kind)
        share = (most - len(found)) // (len(kinds) - number)
        for probe in kind[: max(0, share)]:
            found.setdefault(probe.text, probe)
    return tuple(found.values())[:most]


# ---- a request out of each set


def _examples(index: MeshIndex, port: Port) -> Iterator[Request]:
    space = port.space
    allowed = space.allowed
    regions: list[Region] = [allowed]
    for rule in space.rules:
        own = space.rule_boxes(rule)
        others = space.union(other for other in space.rules if other is not rule)
        regions += [own, space.shared(own, allowed), space.left_over(own, allowed), space.left_over(own, others)]
    for match in port.looked_at:
        asked = space.requests_of([match], space.everybody)
        regions += [space.shared(asked, allowed), space.left_over(allowed, asked)]
    for region in regions:
        answer = space.example(region)
        assert not isinstance(answer, Undecided), f"{port.callee}: {space.doubts}"
        if isinstance(answer, Witness):
            yield _of_a_workload(index, space.request(answer))


def _of_a_workload(index: MeshIndex, request: Request) -> Request:
    """Return the request as one of somebody who has a certificate."""
    identity = identity_of(index, request.caller)
    if identity is not None and identity in index.workloads_by_id:
        return replace(request, caller=index.workloads_by_id[identity].name)
    return replace(request, caller=f"spiffe://{index.mesh.trust_domain}/ns/default/sa/{STRANGER}")


def _by_verdict(index: MeshIndex, examples: Iterable[Request]) -> list[Request]:
    """Return two requests that are allowed, and two that are not."""
    chosen: dict[bool, list[Request]] = {True: [], False: []}
    for request in examples:
        chosen[evaluate(index, request).allowed].append(request)
    return [*chosen[True][:2], *chosen[False][:2]]


# ---- what is next to it


def _neighbours(index: MeshIndex, port: Port, request: Request) -> Iterator[Request]:
    for workload in index.mesh.workloads:
        yield replace(request, caller=workload.name)
    for method in dict.fromkeys((*_methods(port), *_UNUSUAL)):
        yield replace(request, method=method)
    for path in _paths(port):
        yield replace(request, path=path)
    bare = request.path.rstrip("/")
    parent, _, last = bare.rpartition("/")
    for path in (bare + "/", bare + "/x", bare + "x", bare + "/7", parent or "/", f"{parent}/{last.swapcase()}"):
        yield replace(request, path=path or "/")
    for headers in _headers(port):
        yield replace(request, headers=headers)
    for number in range(len(request.headers)):
        yield replace(request, headers=request.headers[:number] + request.headers[number + 1 :])


def _at_the_atoms(index: MeshIndex, port: Port, chance: random.Random, most: int) -> Iterator[Request]:
    callers = [workload.name for workload in index.mesh.workloads]
    methods, headers, paths = _methods(port), _headers(port), list(_paths(port))
    for number in range(most):
        yield Request(
            caller=chance.choice(callers),
            callee=port.callee.name,
            port=port.callee.port,
            protocol="rpc" if port.is_grpc else "http",
            method="POST" if port.is_grpc else chance.choice(methods),
            path=paths[number % len(paths)],
            headers=chance.choice(headers) if chance.random() < 0.7 else (),
        )


def _mishaps(index: MeshIndex, port: Port, request: Request) -> Iterator[Probe]:
    """Yield a request to a callee that does not answer well; with copies or limits its tries would be uncertain."""
    callee = (port.callee.name, port.callee.number)
    if index.mirrors_of(*callee) or index.faults_of(*callee) or index.limits_of(*callee):
        return
    if request.caller in index.workloads:
        for probe in itertools.islice(_entrances(index, port, request), 1):
            for script in _RPC_SCRIPTS if port.is_grpc else _SCRIPTS:
                yield replace(probe, script=script)


def _methods(port: Port) -> tuple[str, ...]:
    named = [method for match in port.looked_at for method in match.methods]
    return tuple(dict.fromkeys(("GET", *named, "PURGE", "TRACE")))


def _paths(port: Port) -> tuple[str, ...]:
    return port.space.space.paths if port.space.space is not None else ("/",)


def _headers(port: Port) -> tuple[tuple[tuple[str, str], ...], ...]:
    found = [choice for match in port.looked_at for choice in header_choices(match.condition)]
    return tuple(dict.fromkeys(found)) or ((),)


# ---- how it is sent


def _entrances(index: MeshIndex, port: Port, request: Request) -> Iterator[Probe]:
    """Yield the ways in which the caller can send a request: its own sidecar, if it has one, and past it."""
    if port.is_grpc and (request.method != "POST" or request.path.count("/") != 2):
        return  # no call of gRPC
    headers = (*request.headers, *GRPC_HEADERS) if port.is_grpc else request.headers
    body = GRPC_BODY if port.is_grpc else b""
    probe = Probe(request=replace(request, headers=headers), body=body, http2=port.is_grpc)
    if request.caller in index.workloads:
        yield probe
    if not port.callee.external:
        yield replace(probe, entrance=Entrance.INBOUND)


def _spelled(index: MeshIndex, port: Port, request: Request) -> Iterator[Probe]:
    if port.is_grpc:
        return
    for spelling in spellings(request.path):
        path, _, query = spelling.target.partition("?")
        for probe in _entrances(index, port, replace(request, path=path, query=query)):
            yield replace(probe, why=spelling.oddity)
    for probe in _entrances(index, port, request):
        yield from bypasses(probe)
