"""Meshes by hand for the target `kubernetes`, and its emissions as a reader of YAML sees them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.backend import EmitContext
from meshc_backends.kubernetes import KUBERNETES
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import PathTemplate, RequestMatch, Segment, SegmentKind
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.ir.workload import External, Protocol, Service, ServicePort, TlsOrigination, Workload

DOMAIN = "shop.example"
EVERYTHING = RequestMatch()
SOME_REQUESTS = RequestMatch(
    methods=("GET",), path=PathTemplate((Segment(SegmentKind.LITERAL, "v1"), Segment(SegmentKind.REST)))
)


def workload(name: str, namespace: str = "default", **other: Any) -> Workload:
    account = other.pop("service_account", name)
    return Workload(
        name=name,
        namespace=namespace,
        service_account=account,
        spiffe_id=SpiffeId.of_workload(DOMAIN, namespace, account),
        selector=other.pop("selector", (("app", name),)),
        **other,
    )


def service(of: Workload, *numbers: int, versions: tuple[str, ...] = ()) -> Service:
    named = len(numbers) > 1
    ports = tuple(
        ServicePort(name=f"p{number}" if named else None, number=number, protocol=Protocol.HTTP)
        for number in numbers or (8080,)
    )
    return Service(name=of.name, host=of.name, namespace=of.namespace, workload=of.name, ports=ports, versions=versions)


def external(name: str, *hosts: str, port: int = 443) -> External:
    return External(
        name=name,
        hosts=hosts,
        port=ServicePort(name=None, number=port, protocol=Protocol.HTTP),
        tls=TlsOrigination(),
    )


def rule(
    callers: Iterable[Workload | SpiffeId] | None,
    callee: str,
    port: int = 8080,
    match: RequestMatch = EVERYTHING,
    effect: Effect = Effect.ALLOW,
) -> Rule:
    """Return a rule; callers None are any."""
    ids = None if callers is None else tuple(sorted(c.spiffe_id if isinstance(c, Workload) else c for c in callers))
    return Rule(
        id=f"{effect} {'any' if ids is None else ' '.join(map(str, ids))} -> {callee}:{port} {match.path or '*'}",
        effect=effect,
        callers=AnyCaller() if ids is None else TheseCallers(ids),
        callee=callee,
        port=port,
        match=match,
    )


def mesh_of(
    workloads: Iterable[Workload],
    services: Iterable[Service],
    rules: Iterable[Rule] = (),
    externals: Iterable[External] = (),
    name: str = "shop",
) -> MeshIndex:
    return MeshIndex(
        Mesh(
            name=name,
            trust_domain=DOMAIN,
            workloads=tuple(sorted(workloads, key=lambda each: each.name)),
            services=tuple(sorted(services, key=lambda each: each.name)),
            externals=tuple(sorted(externals, key=lambda each: each.name)),
            rules=tuple(sorted(rules, key=lambda each: each.id)),
        )
    )


def emit(index: MeshIndex, emitted: tuple[Artifact, ...] = ()) -> Emission:
    return KUBERNETES.emit(
        index,
        EmitContext(
            placement=KubernetesPlacement(),
            authority=Path("nowhere"),
            now=datetime(2026, 1, 1, tzinfo=UTC),
            previous=lambda path: None,
            emitted=emitted,
        ),
    )


def configured(index: MeshIndex) -> tuple[Artifact, ...]:
    """Stand-ins for what the other targets of the same build make."""
    files: list[Artifact] = []
    for each in index.mesh.workloads:
        files += [
            Artifact(path=f"envoy/{each.name}.json", content=f'{{\n  "node": {{"id": "{each.name}"}}\n}}\n'.encode()),
            Artifact(path=f"sidecar/{each.name}.json", content=f'{{"workload": "{each.name}"}}\n'.encode()),
            Artifact(path=f"certs/{each.name}/cert-chain.pem", content=f"chain of {each.name}\n".encode()),
            Artifact(path=f"certs/{each.name}/key.pem", content=f"KEY of {each.name}\n".encode(), secret=True),
            Artifact(path=f"certs/{each.name}/trust-bundle.pem", content=b"roots\n"),
        ]
    return tuple(files)


def documents(emission: Emission, kind: str | None = None) -> list[dict[str, Any]]:
    """Every object of the emission as a reader of YAML sees it, but for the kustomization."""
    found: list[dict[str, Any]] = []
    for artifact in emission.artifacts:
        if not artifact.path.endswith("kustomization.yaml"):
            found += yaml.safe_load_all(artifact.content)
    return [each for each in found if kind in (None, each["kind"])]


def shop_mesh() -> MeshIndex:
    ingress, web, api = workload("ingress", "ingress"), workload("web", "edge"), workload("api")
    payments = workload("payments", selector=(("app", "payments"), ("tier", "pci")))
    ledger, idle = workload("ledger", service_account="default"), workload("idle")
    return mesh_of(
        [ingress, web, api, payments, ledger, idle],
        [
            service(web),
            service(api, versions=("v1", "v2")),
            service(payments, 9090, 9091),
            service(ledger),
            service(idle),
        ],
        [
            rule([ingress], "web"),
            rule([web], "api", match=SOME_REQUESTS),
            rule([api, web], "payments", 9090),
            rule([api], "payments", 9091, match=SOME_REQUESTS),
            rule([payments, SpiffeId.of_workload("partner.example", "x", "auditor")], "ledger"),
            rule(None, "ledger", match=SOME_REQUESTS, effect=Effect.DENY),
            rule([payments], "stripe", 443),
            rule([payments], "vault", 8200),
        ],
        [external("stripe", "api.stripe.com"), external("vault", "vault.corp", "10.1.2.3", port=8200)],
    )
