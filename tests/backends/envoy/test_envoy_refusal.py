"""What does not fit into Envoy is said, with the place, and nothing is emitted for the workload."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from meshc_backends.artifact import Emission
from meshc_backends.envoy.backend import emit_workload
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.ir.match import AllOf
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.policy import Limit, Rule
from meshc_compiler.ir.route import Route
from meshc_compiler.ir.setting import Scope, Setting, Settings
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.ir.workload import External
from meshc_lang.codes.code import Code
from meshc_lang.codes.targets import ENVOY_CANNOT_HOLD, ENVOY_HOST_TAKEN, ENVOY_OWN_HEADER
from meshc_lang.source import SourceText
from support.ir_mesh import (
    DOMAIN,
    allow,
    callers,
    header,
    http_port,
    limit,
    match,
    present,
    route_rule,
    service,
    workload,
)

PLACE = SourceText("shop.mesh", "allow web -> api").span(0, 16)


def emit(
    of: str,
    *,
    rules: tuple[Rule, ...] = (),
    limits: tuple[Limit, ...] = (),
    routes: tuple[Route, ...] = (),
    externals: tuple[External, ...] = (),
    settings: Settings | None = None,
) -> Emission:
    mesh = Mesh(
        name="refused",
        trust_domain=DOMAIN,
        workloads=(workload("api"), workload("web")),
        services=(service("api"), service("web")),
        externals=externals,
        rules=(*rules, allow("web", "api"), *(allow("web", e.name, port=e.port.number) for e in externals)),
        limits=limits,
        routes=routes,
        mesh_settings=settings or Settings(),
    )
    index = MeshIndex(mesh)
    return emit_workload(slice_of(index, index.workloads[of]), KubernetesPlacement())


def assert_refused(emission: Emission, code: Code, *words: str) -> None:
    assert emission.artifacts == ()
    [finding] = emission.diagnostics
    assert finding.code is code
    for word in words:
        assert word in finding.message


@pytest.mark.parametrize("name", ["x-envoy-peer", "x-forwarded-client-cert", "host", "x-request-id"])
def test_headers_that_envoy_makes_itself(name: str) -> None:
    rule = replace(allow("web", "api", match("/a", when=header(name, "1"))), origin=PLACE)
    emission = emit("api", rules=(rule,))
    assert_refused(emission, ENVOY_OWN_HEADER, f"`{name}`")
    assert emission.diagnostics[0].primary == PLACE
    assert_refused(emit("api", limits=(limit(callers(), "api", 1, per_header=name),)), ENVOY_OWN_HEADER, f"`{name}`")
    route = Route(service="api", port=8080, rules=(route_rule("r", match(when=present(name)), ("api", None, 100)),))
    assert_refused(emit("web", routes=(route,)), ENVOY_OWN_HEADER, f"`{name}`", "`r`")


def test_only_the_workload_concerned_hears_of_it() -> None:
    rule = allow("web", "api", match("/a", when=header("host", "1")))
    assert emit("web", rules=(rule,)).diagnostics == ()


def test_a_route_that_would_take_too_many_routes() -> None:
    condition = AllOf(tuple(header(f"x-{number}", "a", "b", "c") for number in range(4)))
    route = Route(service="api", port=8080, rules=(route_rule("wide", match(when=condition), ("api", None, 100)),))
    assert_refused(emit("web", routes=(route,)), ENVOY_CANNOT_HOLD, "`wide`", "512")


def test_times_that_envoy_would_cut() -> None:
    """500 µs would become 0: no timeout at all."""
    short = Settings(timeout_ns=Setting(value=500_000, scope=Scope.MESH, origin=PLACE))
    emission = emit("web", settings=short)
    assert_refused(emission, ENVOY_CANNOT_HOLD, "a timeout finer than a millisecond")
    assert emission.diagnostics[0].primary == PLACE


def test_hosts_that_cannot_be_resolved() -> None:
    external = External(name="any", hosts=("*.example",), port=http_port(443))
    assert_refused(emit("web", externals=(external,)), ENVOY_CANNOT_HOLD, "`*.example`")


def test_two_callees_of_one_name() -> None:
    one = External(name="one", hosts=("same.example",), port=http_port(443))
    two = External(name="two", hosts=("Same.example",), port=http_port(443))
    emission = emit("web", externals=(one, two))
    assert emission.artifacts == ()
    assert {finding.code for finding in emission.diagnostics} == {ENVOY_HOST_TAKEN}
    inside = External(name="inside", hosts=("api.default.svc",), port=http_port(8080))
    assert emit("web", externals=(inside,)).diagnostics[0].code is ENVOY_HOST_TAKEN


def test_two_ports_of_one_host_are_told_apart() -> None:
    one = External(name="one", hosts=("same.example",), port=http_port(80))
    two = External(name="two", hosts=("same.example",), port=http_port(81))
    emission = emit("web", externals=(one, two))
    assert emission.diagnostics == ()
    outbound = json.loads(emission.artifacts[0].content)["static_resources"]["listeners"][1]
    hosts = outbound["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    domains = {host["name"]: host["domains"] for host in hosts}
    assert domains["one/same.example"] == ["same.example", "same.example:80"]
    assert domains["two/same.example"] == ["same.example:81"]


def test_rules_with_one_id_stay_two_rules() -> None:
    rules = (allow("web", "api", match("/a"), named="twin"), allow("web", "api", match("/b"), named="twin"))
    emission = emit("api", rules=rules)
    policies = json.loads(emission.artifacts[0].content)["static_resources"]["listeners"][0]["filter_chains"][0][
        "filters"
    ][1]["typed_config"]["http_filters"][1]["typed_config"]["rules"]["policies"]
    assert set(policies) == {"allow web -> api * /**", "twin", "twin (2)"}


def test_names_with_an_underscore_are_let_in_where_a_rule_wants_one() -> None:
    def actions(*rules: Rule) -> set[str]:
        text = emit("api", rules=rules).artifacts[0].content.decode()
        return set(re.findall('"headers_with_underscores_action": "([A-Z_]+)"', text))

    assert actions() == {"REJECT_REQUEST"}
    # Outbound, where the rule says nothing, they are refused still.
    assert actions(allow("web", "api", match(when=present("x_user")))) == {"ALLOW", "REJECT_REQUEST"}


def test_the_artifact_is_where_the_bundle_wants_it() -> None:
    [artifact] = emit("web").artifacts
    assert Path(artifact.path) == Path("envoy/web.json")
    assert artifact.content.endswith(b"}\n")
    assert not artifact.secret
