"""Snapshots say what the slice of the mesh says, in the proxy's own terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meshc_backends.artifact import Emission, Loss
from meshc_backends.backend import EmitContext
from meshc_backends.placement import Address, KubernetesPlacement, Listeners, LoopbackPlacement
from meshc_backends.sidecar import SIDECAR, emit_workload
from meshc_compiler.ir.match import AllOf, AnyOf, HeaderOneOf, HeaderPresent, Not
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.setting import Scope, Setting, Settings
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.ir.workload import External, Protocol, ServicePort, TlsOrigination, TlsVersion
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes.targets import SIDECAR_CANNOT_HOLD, SIDECAR_PROTOCOL
from meshc_runtime import snapshot as out
from support.ir_mesh import (
    DOMAIN,
    allow,
    callers,
    deny,
    http_port,
    limit,
    match,
    route_rule,
    service,
    settings,
    spiffe,
    workload,
)

STRIPE = External(
    name="stripe",
    hosts=("api.stripe.com", "files.stripe.com"),
    port=ServicePort(name=None, number=443, protocol=Protocol.HTTP),
    tls=TlsOrigination(minimum=TlsVersion.TLS_1_3),
)


def mesh(**changes: object) -> Mesh:
    """Return a mesh of web, api and the gateway; web may call api."""
    plain = Mesh(
        name="shop",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("ingress", "ingress"), workload("web")),
        services=(service("api", versions=("v1", "v2")), service("web")),
        rules=(allow("web", "api", match("/v1/**", "GET")),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def emit(a_mesh: Mesh) -> Emission:
    return SIDECAR.emit(
        MeshIndex(a_mesh),
        EmitContext(
            placement=KubernetesPlacement(),
            authority=Path("unused"),
            now=datetime(2026, 1, 1, tzinfo=UTC),
            previous=lambda _: None,
        ),
    )


def snapshot(a_mesh: Mesh, name: str) -> out.Snapshot:
    emission = emit(a_mesh)
    assert emission.diagnostics == (), emission.diagnostics
    content = {artifact.path: artifact.content for artifact in emission.artifacts}
    return out.parse_snapshot(content[f"sidecar/{name}.json"])


def test_every_workload_has_a_snapshot_that_the_proxy_reads() -> None:
    emission = emit(mesh())
    assert [artifact.path for artifact in emission.artifacts] == [
        "sidecar/api.json",
        "sidecar/ingress.json",
        "sidecar/web.json",
    ]
    assert not any(artifact.secret for artifact in emission.artifacts)
    assert emit(mesh()) == emission
    web = snapshot(mesh(), "web")
    assert web.workload.spiffe_id == "spiffe://test.example/ns/default/sa/web"
    assert web.certificates.private_key == "/var/run/meshc/certs/key.pem"
    assert web.listeners == out.Listeners()
    assert web.mesh_hosts.namespaces == ("default",)


def test_the_gateway_takes_no_calls_from_the_mesh() -> None:
    gateway = snapshot(mesh(rules=(allow("web", "api"),)), "ingress")
    assert gateway.listeners.inbound is None
    assert gateway.inbound == ()


def test_rules_and_limits_stand_at_the_callee() -> None:
    rules = (
        allow("web", "api", match("/v1/carts/{id:uuid}", "GET", "DELETE"), named="carts"),
        deny("any", "api", match("~/admin/.+"), named="no admin"),
    )
    a_mesh = mesh(
        rules=rules,
        limits=(limit(callers("web"), "api", 500, burst=100, per_header="x-user", named="fast"),),
    )
    (port,) = snapshot(a_mesh, "api").inbound
    assert (port.service, port.number, port.protocol) == ("api", 8080, "http")
    assert port.server_name == "8080.api.default.mesh.internal"
    assert port.app == out.Address(host="127.0.0.1", port=8080)
    carts, admin = port.rules
    assert carts == out.AuthorizationRule(
        id="carts",
        effect="allow",
        callers=(str(spiffe("web")),),
        methods=("DELETE", "GET"),
        path=out.TemplatePath(template="/v1/carts/{id:uuid}"),
    )
    assert admin.callers is None
    assert admin.path == out.RegexPath(regex="/admin/.+")
    assert admin.methods is None
    assert port.limits == (
        out.RateLimit(
            id="fast", callers=(str(spiffe("web")),), amount=500, per_seconds=1, burst=100, per_header="x-user"
        ),
    )
    assert snapshot(a_mesh, "web").inbound[0].rules == ()


def test_conditions_keep_their_structure() -> None:
    condition = AllOf(
        (
            AnyOf((HeaderPresent("x-a"), HeaderOneOf("x-b", ("1",)))),
            Not(HeaderOneOf("x-c", ("1", "2"))),
        )
    )
    (port,) = snapshot(mesh(rules=(allow("web", "api", match(when=condition)),)), "api").inbound
    assert port.rules[0].condition == out.AllConditions(
        of=(
            out.AnyCondition(of=(out.HeaderPresent(name="x-a"), out.HeaderEquals(name="x-b", value="1"))),
            out.NotCondition(of=out.HeaderOneOf(name="x-c", values=("1", "2"))),
        )
    )


def test_a_rule_stated_twice_is_one_and_different_ones_never_merge() -> None:
    first = allow("web", "api", match("/a"), named="same")
    other = deny("web", "api", match("/b"), named="same")
    (port,) = snapshot(mesh(rules=(first, first, other)), "api").inbound
    assert [(rule.id, rule.effect) for rule in port.rules] == [("same", "allow"), ("same'", "deny")]


def test_a_long_id_stays_its_own() -> None:
    one, two = ("x" * 400 + end for end in "ab")
    a_mesh = mesh(rules=(allow("web", "api", match("/a"), named=one), allow("web", "api", match("/b"), named=two)))
    ids = [rule.id for rule in snapshot(a_mesh, "api").inbound[0].rules]
    assert len(set(ids)) == 2
    assert all(len(rule_id) <= 253 and rule_id.startswith("xxx") for rule_id in ids)
    assert ids == [rule.id for rule in snapshot(a_mesh, "api").inbound[0].rules]


def test_many_rules_of_one_long_id_stay_apart() -> None:
    rules = tuple(allow("web", "api", match(f"/{number}"), named="x" * 400) for number in range(12))
    ids = [rule.id for rule in snapshot(mesh(rules=rules), "api").inbound[0].rules]
    assert len(set(ids)) == 12


def test_the_longest_host_with_its_port_is_a_name_too() -> None:
    host = ".".join("abcdefgh"[number] * 63 for number in range(3)) + "." + "z" * 61
    assert len(host) == 253
    far = replace(STRIPE, hosts=(host,), tls=None)
    web = snapshot(mesh(externals=(far,), rules=(allow("web", "stripe", port=443),)), "web")
    assert [cluster.name for cluster in web.clusters] == [f"{host}:443"]


def test_routes_end_with_everything_else_and_carry_settings() -> None:
    stated = settings(
        timeout_ms=1500, limit=2, on=("s503", "reset"), budget_percent=20, per_try_ms=400, backoff_ms=(10, 90)
    )
    a_mesh = mesh(
        routes=(
            Route(
                service="api",
                port=8080,
                rules=(route_rule("canary", match("/v1/**"), ("api", "v1", 90), ("api", "v2", 10), settings=stated),),
            ),
        )
    )
    web = snapshot(a_mesh, "web")
    (api,) = web.outbound
    assert api.hosts == ("api", "api.default", "api.default.svc", "api.default.svc.cluster.local")
    assert (api.port, api.default, api.rules) == (8080, True, None)
    canary, otherwise = api.routes
    assert canary.id == "canary"
    assert [(one.cluster, one.weight) for one in canary.destinations] == [
        ("api:8080/v1", 900_000),
        ("api:8080/v2", 100_000),
    ]
    assert canary.timeout_ms == 1500
    assert canary.retry == out.Retry(
        limit=2,
        on=("reset", "s503"),
        budget_percent=20,
        backoff_base_ms=10,
        backoff_max_ms=90,
        per_try_timeout_ms=400,
    )
    assert (otherwise.methods, otherwise.path, otherwise.condition) == (None, None, None)
    assert (otherwise.timeout_ms, otherwise.retry) == (None, None)
    assert [cluster.name for cluster in web.clusters] == ["api:8080", "api:8080/v1", "api:8080/v2"]
    assert web.clusters[1].transport == out.MeshTransport(
        spiffe_id=str(spiffe("api")), server_name="8080.api.default.mesh.internal"
    )
    assert web.clusters[1].endpoints == (out.Address(host="api-v1-mesh.default.svc.cluster.local", port=15006),)


def test_a_limit_of_no_tries_is_no_retry() -> None:
    a_mesh = mesh(mesh_settings=settings(limit=0, on=("reset",), scope=Scope.MESH))
    assert snapshot(a_mesh, "web").outbound[0].routes[-1].retry is None


def test_a_rule_named_like_the_last_one_does_not_take_its_place() -> None:
    rule = route_rule("otherwise", match("/x"), ("api", "v1", 100))
    routes = snapshot(mesh(routes=(Route(service="api", port=8080, rules=(rule,)),)), "web").outbound[0].routes
    assert [route.id for route in routes] == ["otherwise", "otherwise'"]


def test_only_the_first_port_answers_to_a_bare_name() -> None:
    a_mesh = mesh(
        services=(service("api", http_port(8080, "main"), http_port(9090, "extra")), service("web")),
        rules=(allow("web", "api", port=8080), allow("web", "api", port=9090)),
    )
    first, second = snapshot(a_mesh, "web").outbound
    assert (first.port, first.default) == (8080, True)
    assert (second.port, second.default) == (9090, False)
    assert first.hosts == second.hosts


def test_an_external_is_decided_at_the_caller() -> None:
    rules = (allow("web", "stripe", match("/v1/charges/**", "POST"), port=443, named="charges"),)
    web = snapshot(mesh(externals=(STRIPE,), rules=rules), "web")
    assert [(one.name, one.hosts, one.port, one.default) for one in web.outbound] == [
        ("stripe", ("api.stripe.com",), 443, True),
        ("stripe", ("files.stripe.com",), 443, True),
    ]
    assert all(one.rules is not None and [rule.id for rule in one.rules] == ["charges"] for one in web.outbound)
    transport = web.clusters[0].transport
    assert transport == out.TlsTransport(
        server_name="api.stripe.com",
        minimum_version="1.3",
        ca_file="/etc/ssl/certs/ca-certificates.crt",
        dns_names=("api.stripe.com",),
    )
    plain = replace(STRIPE, tls=None)
    assert snapshot(mesh(externals=(plain,), rules=rules), "web").clusters[0].transport == out.PlainTransport()


def test_a_host_of_two_externals_means_the_one_that_speaks_http() -> None:
    raw = External(
        name="raw", hosts=("api.stripe.com",), port=ServicePort(name=None, number=5000, protocol=Protocol.TCP)
    )
    rules = (allow("web", "raw", port=5000), allow("web", "stripe", port=443))
    emission = emit(mesh(externals=(raw, STRIPE), rules=rules))
    content = {artifact.path: artifact.content for artifact in emission.artifacts}
    outbound = out.parse_snapshot(content["sidecar/web.json"]).outbound
    assert [(one.name, one.hosts, one.port, one.default) for one in outbound] == [
        ("stripe", ("api.stripe.com",), 443, True),
        ("stripe", ("files.stripe.com",), 443, True),
    ]


def test_the_programs_of_the_documentation_yield_their_codes() -> None:
    for code in (SIDECAR_PROTOCOL, SIDECAR_CANNOT_HOLD):
        for program, expected in ((code.bad, {code.id}), (code.good, set())):
            compiled = compile_program(("p.mesh",), MemoryReader({"p.mesh": program}))
            assert compiled.diagnostics == ()
            assert compiled.mesh is not None
            assert {diagnostic.code.id for diagnostic in emit(compiled.mesh).diagnostics} == expected, program


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.TLS])
def test_whole_connections_stay_in_the_mesh(protocol: Protocol) -> None:
    services = (service("api", http_port(9000, protocol=protocol)), service("web"))
    outside = External(name="raw", hosts=("raw.example",), port=ServicePort(name="main", number=9, protocol=protocol))
    emission = emit(mesh(services=services, externals=(outside,), rules=(allow("web", "api", port=9000),)))
    (warning,) = emission.diagnostics
    assert (warning.code.id, warning.severity) == ("MSH820", "warning")
    assert f"`{protocol.value}`" in warning.message
    (reservation,) = emission.reservations
    assert (reservation.loss, reservation.target) == (Loss.REFUSED, "sidecar")
    assert reservation.subject == f"external `raw` port 9/{protocol.value}"
    content = {artifact.path: artifact.content for artifact in emission.artifacts}
    assert out.parse_snapshot(content["sidecar/api.json"]).inbound[0].protocol == protocol.value
    web = out.parse_snapshot(content["sidecar/web.json"])
    assert web.outbound == ()
    (connection,) = web.connections
    assert (connection.service, connection.port, connection.listener.port) == ("api", 9000, 9000)
    assert [(one.name, one.speaks) for one in web.clusters] == [(connection.cluster, "bytes")]


def test_two_callees_at_one_address_are_told() -> None:
    services = tuple(service(name, http_port(9000, protocol=Protocol.TCP)) for name in ("one", "two"))
    rules = tuple(allow("web", name, port=9000) for name in ("one", "two"))
    workloads = tuple(map(workload, ("one", "two", "web")))
    emission = emit(mesh(workloads=workloads, services=(*services, service("web")), rules=rules))
    (finding,) = emission.diagnostics
    assert finding.message == "`web` would call `two:9000` at 127.0.0.1:9000, which is taken by the calls to `one:9000`"


def test_connections_speak_what_their_port_does() -> None:
    for protocol, spoken in ((Protocol.HTTP, "http/1.1"), (Protocol.HTTP2, "h2"), (Protocol.GRPC, "h2")):
        services = (service("api", http_port(9000, protocol=protocol)), service("web"))
        rule = allow("web", "api", match("/x", "POST"), port=9000)
        emission = emit(mesh(services=services, rules=(rule,)))
        assert emission.diagnostics == ()
        content = {artifact.path: artifact.content for artifact in emission.artifacts}
        (cluster,) = out.parse_snapshot(content["sidecar/web.json"]).clusters
        assert cluster.speaks == spoken


def _stated(**values: object) -> Settings:
    return Settings(**{name: Setting(value=value, scope=Scope.MESH) for name, value in values.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "beyond",
    [
        _stated(timeout_ns=1_500_000),
        _stated(timeout_ns=500),
        _stated(timeout_ns=2 * 86_400_000_000_000),
        _stated(retry_limit=101, retry_on=("reset",)),
        _stated(retry_limit=1, retry_on=("reset",), per_try_timeout_ns=999_999),
    ],
)
def test_what_does_not_fit_is_refused_and_never_rounded(beyond: Settings) -> None:
    emission = emit(mesh(mesh_settings=beyond))
    assert {diagnostic.code.id for diagnostic in emission.diagnostics} == {"MSH821"}
    assert "sidecar/web.json" not in {artifact.path for artifact in emission.artifacts}


def test_a_workload_that_nobody_connects_changes_no_other_snapshot() -> None:
    before = {artifact.path: artifact.content for artifact in emit(mesh()).artifacts}
    grown = mesh(
        workloads=(workload("api"), workload("ingress", "ingress"), workload("lone"), workload("web")),
        services=(service("api", versions=("v1", "v2")), service("lone"), service("web")),
    )
    after = {artifact.path: artifact.content for artifact in emit(grown).artifacts}
    assert {path: after[path] for path in before} == before


def test_on_one_machine_addresses_come_from_the_placement() -> None:
    index = MeshIndex(mesh())
    here = LoopbackPlacement(
        listener_table={"web": Listeners(inbound=Address("127.0.0.1", 1), outbound=Address("127.0.0.1", 2))},
        application_table={("web", 8080): Address("127.0.0.1", 3)},
        endpoint_table={("api", None): (Address("127.0.0.1", 4), Address("127.0.0.1", 5))},
        certificate_directories={"web": "/run/x"},
    )
    (artifact,) = emit_workload(slice_of(index, index.workloads["web"]), here).artifacts
    web = out.parse_snapshot(artifact.content)
    assert web.listeners.inbound == out.Address(host="127.0.0.1", port=1)
    assert web.inbound[0].app.port == 3
    assert [endpoint.port for endpoint in web.clusters[0].endpoints] == [4, 5]
    assert web.certificates.cert_chain == "/run/x/cert-chain.pem"
