"""What of shadow traffic, faults, health checks and settings does not fit into Envoy is refused, at its place."""

from __future__ import annotations

import pytest

from meshc_backends.envoy.backend import emit_workload
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from support.mesh_text import mesh_of_text

HEAD = """\
mesh m { trust-domain: "m.example" }
service web {}
service shadow { port: 80/http }
external bank { hosts: ["bank.example.com"], port: 443/tls }
allow web -> shadow : /**
allow web -> bank : /**
"""
API = "service api { port: 80/http }\nallow web -> api : /**\n"


def refused(text: str, name: str = "web") -> list[tuple[str, str]]:
    index = MeshIndex(mesh_of_text(HEAD + text))
    emission = emit_workload(slice_of(index, index.workloads[name]), KubernetesPlacement())
    assert bool(emission.artifacts) != bool(emission.diagnostics)
    return [(one.code.id, one.primary.text) for one in emission.diagnostics]


@pytest.mark.parametrize(
    ("text", "workload", "place"),
    [
        (
            API + 'route api { ~"/a[0-9]" => api as a { timeout: 1s } }\nmirror api ~"/[a-z]1" => shadow\n',
            "web",
            'mirror api ~"/[a-z]1" => shadow',
        ),
        (API + "fault lag on web -> api { delay: 1500us }\n", "api", "fault lag on web -> api { delay: 1500us }"),
        (API + "fault lag on web -> bank { delay: 1us }\n", "web", "fault lag on web -> bank { delay: 1us }"),
        (API + 'mirror api * if header "x-request-id" present => shadow\n', "web", None),
        (API + "edge web -> api { connect-timeout: 100us }\n", "web", "connect-timeout: 100us"),
        (API + "edge web -> api { idle-timeout: 100us }\n", "web", "idle-timeout: 100us"),
        (API + "edge web -> api { breaker { consecutive-5xx: 5, eject: 1us } }\n", "web", "eject: 1us"),
        (API + "edge web -> api { breaker { consecutive-5xx: 5, interval: 1us } }\n", "web", "interval: 1us"),
        (API + "edge web -> api { breaker { max-ejected: 33.3% } }\n", "web", "max-ejected: 33.3%"),
        (API + 'edge web -> api { retry { key-header: "x-request-id" } }\n', "web", 'key-header: "x-request-id"'),
        (API + 'edge web -> api { balance { policy: ring-hash, header: "host" } }\n', "web", None),
        (
            "service api { port: 80/http, health { path: /up, interval: 1500us } }\nallow web -> api : /**\n",
            "web",
            "health { path: /up, interval: 1500us }",
        ),
        (
            "service api { ports { calls: 90/grpc, pages: 80/http }, health { port: calls } }\n"
            "allow web -> api.pages : /**\nallow web -> api.calls : rpc grpc.health.v1.Health/Check\n",
            "web",
            "health { port: calls }",
        ),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(text: str, workload: str, place: str | None) -> None:
    found = refused(text, workload)
    assert [code for code, _ in found] == ["MSH803" if place is None or "x-request-id" in place else "MSH801"]
    if place is not None:
        assert found[0][1] == place


def test_too_many_mirrors_with_conditions_are_refused() -> None:
    mirrors = [f"mirror api /{number}/** => shadow\n" for number in range(11)]
    assert refused(API + "".join(mirrors[:10])) == []
    assert refused(API + "".join(mirrors)) == [("MSH801", "mirror api /0/** => shadow")]
    together = [f'mirror api * if header "x-{number}" == "1" => shadow\n' for number in range(4)]
    assert refused(API + "".join(together[:3])) == []
    assert refused(API + "".join(together))[0][0] == "MSH801"


def test_an_expression_of_a_mirror_fits_beside_templates_of_the_route() -> None:
    assert refused(API + 'route api { /a/** => api as a { timeout: 1s } }\nmirror api ~"/a/[a-z]+" => shadow\n') == []
