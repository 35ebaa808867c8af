"""Addresses that tcp callees would need and cannot have: refused, with what takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from meshc_backends.artifact import Emission, Loss
from meshc_backends.backend import EmitContext
from meshc_backends.envoy.backend import ENVOY, emit_workload
from meshc_backends.placement import Address, KubernetesPlacement, Listeners, LoopbackPlacement
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.ir.workload import Protocol
from meshc_compiler.loader import DiskReader, MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes.targets import ENVOY_CANNOT_HOLD, ENVOY_PORT_TAKEN, ENVOY_PROTOCOL
from support.ir_mesh import DOMAIN, allow, callers, deny, http_port, limit, match, route_rule, service, workload

ROOT = Path(__file__).resolve().parents[3]

HEAD = 'mesh shop { trust-domain: "shop.example" }\n'


def index_of(text: str) -> MeshIndex:
    result = compile_program(("shop.mesh",), MemoryReader({"shop.mesh": text}))
    assert result.index is not None
    assert not [found for found in result.diagnostics if found.severity == "error"]
    return result.index


def emit(index: MeshIndex) -> Emission:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    context = EmitContext(placement=KubernetesPlacement(), authority=Path("unused"), now=now, previous=lambda _: None)
    return ENVOY.emit(index, context)


def findings(text: str) -> list[tuple[str, str]]:
    """Compile a program, emit it, and return code and message of each finding."""
    emission = emit(index_of(HEAD + text))
    made = {artifact.path for artifact in emission.artifacts}
    assert ("envoy/web.json" in made) is not bool(emission.diagnostics)
    return [(found.code.id, found.message) for found in emission.diagnostics]


def test_two_callees_of_one_port_number_cannot_both_be_called() -> None:
    [(code, message)] = findings(
        "service web {}\nservice a { port: 6379/tcp }\nservice b { port: 6379/tcp }\n"
        "allow web -> a : tcp\nallow web -> b : tcp\n"
    )
    assert code == "MSH804"
    assert message == "`web` would call `b:6379` at 127.0.0.1:6379, which is taken by the calls to `a:6379`"


def test_different_callers_may_use_the_number_twice() -> None:
    assert (
        findings(
            "service web {}\nservice job {}\nservice a { port: 6379/tcp }\nservice b { port: 6379/tcp }\n"
            "allow web -> a : tcp\nallow job -> b : tcp\n"
        )
        == []
    )


@pytest.mark.parametrize("number", [15000, 15001, 15006, 15021, 15090, 8080])
def test_the_sidecars_own_ports_and_the_workloads_are_taken(number: int) -> None:
    [(code, message)] = findings(
        f"service web {{ port: 8080/http }}\nservice a {{ port: {number}/tcp }}\n"
        "allow ingress -> web : GET /\nallow web -> a : tcp\n"
    )
    assert code == "MSH804"
    assert "web" in message


def test_both_places_are_shown() -> None:
    text = HEAD + "service web { port: 8080/http }\nservice a { port: 8080/tcp }\nallow web -> a : tcp\n"
    [finding] = emit(index_of(text)).diagnostics
    [other] = finding.related
    assert (finding.primary.text, other.span.text) == ("8080/tcp", "8080/http")
    assert finding.help


def test_the_programs_of_the_documentation_yield_their_codes() -> None:
    for code in (ENVOY_PROTOCOL, ENVOY_PORT_TAKEN):
        assert {found.code for found in emit(index_of(code.bad)).diagnostics} == {code}
        assert emit(index_of(code.good)).diagnostics == ()


def test_an_external_of_whole_connections_is_refused_aloud() -> None:
    emission = emit(index_of(ENVOY_PROTOCOL.bad))
    [reservation] = emission.reservations
    assert (reservation.loss, reservation.subject) == (Loss.REFUSED, "external `db` port 5432/tcp")
    [web] = [artifact for artifact in emission.artifacts if artifact.path == "envoy/web.json"]
    assert b"5432" not in web.content


def test_the_whole_boutique_is_carried() -> None:
    result = compile_program((str(ROOT / "examples" / "boutique"),), DiskReader())
    assert result.index is not None
    emission = emit(result.index)
    assert emission.diagnostics == ()
    assert emission.reservations == ()
    [cart] = [artifact for artifact in emission.artifacts if artifact.path == "envoy/cart.json"]
    assert b'"outbound redis-cart:6379"' in cart.content


def tcp_mesh(rules: tuple[Rule, ...] = (), limits: tuple[Limit, ...] = (), routes: tuple[Route, ...] = ()) -> MeshIndex:
    """Return a mesh as no program could write it: the compiler keeps requests off such ports."""
    return MeshIndex(
        Mesh(
            name="refused",
            trust_domain=DOMAIN,
            workloads=(workload("api"), workload("web")),
            services=(service("api", http_port(6379, protocol=Protocol.TCP)),),
            rules=(allow("web", "api", port=6379), *rules),
            limits=limits,
            routes=routes,
        )
    )


@pytest.mark.parametrize(
    ("of", "index"),
    [
        ("api", tcp_mesh(rules=(deny("web", "api", match("/admin"), port=6379),))),
        ("api", tcp_mesh(limits=(limit(callers(), "api", 5, port=6379),))),
        (
            "web",
            tcp_mesh(routes=(Route(service="api", port=6379, rules=(route_rule("r", match(), ("api", None, 100)),)),)),
        ),
    ],
    ids=["rule", "limit", "route"],
)
def test_what_speaks_of_requests_is_never_dropped(of: str, index: MeshIndex) -> None:
    emission = emit_workload(slice_of(index, index.workloads[of]), KubernetesPlacement())
    assert emission.artifacts == ()
    assert [found.code for found in emission.diagnostics] == [ENVOY_CANNOT_HOLD]


def test_a_callee_without_an_address_is_refused() -> None:
    index = tcp_mesh()
    listeners = Listeners(**{name: Address("127.0.0.1", port) for port, name in enumerate(_PARTS, 20000)})
    placement = LoopbackPlacement(
        listener_table={"web": listeners},
        application_table={},
        endpoint_table={("api", None): (Address("127.0.0.1", 21000),)},
        certificate_directories={"web": "unused"},
    )
    emission = emit_workload(slice_of(index, index.workloads["web"]), placement)
    assert emission.artifacts == ()
    [finding] = emission.diagnostics
    assert finding.code is ENVOY_CANNOT_HOLD
    assert "`api:6379`" in finding.message


_PARTS = ("inbound", "outbound", "admin", "readiness", "metrics")
