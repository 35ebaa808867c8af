"""What a target does not carry is refused before anything is written; no feature of a program is forgotten."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from meshc_backends.build import BuildInput, build
from meshc_backends.feature_refusal import carriers
from meshc_backends.registry import BACKENDS, TARGETS, Target
from meshc_compiler.ir.caller import AnyCaller, TheseCallers
from meshc_compiler.ir.dump import mesh_digest
from meshc_compiler.ir.feature import Feature, feature_of_setting, features
from meshc_compiler.ir.match import (
    AllOf,
    AttributeKind,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    Not,
)
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.objective import Objective
from meshc_compiler.ir.policy import LimitKey, LimitKeyKind
from meshc_compiler.ir.route import Redirect, Respond, Route, RouteRule
from meshc_compiler.ir.setting import (
    SETTING_FIELDS,
    SETTING_NAMES,
    AccessLog,
    Backoff,
    Balance,
    BalancePolicy,
    HashKey,
    HashKeyKind,
    Scope,
    Setting,
    Settings,
    TracePropagation,
)
from meshc_compiler.ir.traffic import Fault, Mirror
from meshc_compiler.ir.workload import External, HealthCheck, MtlsMode, TlsOrigination
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes.targets import TARGET_LACKS_FEATURE
from support.ir_mesh import (
    DOMAIN,
    allow,
    callers,
    http_port,
    limit,
    match,
    present,
    route_rule,
    service,
    spiffe,
    workload,
)

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SETTINGS: dict[str, object] = {
    "timeout_ns": 1_000_000,
    "connect_timeout_ns": 1_000_000,
    "idle_timeout_ns": 1_000_000,
    "retry_limit": 1,
    "retry_on": ("reset",),
    "retry_budget": 200_000,
    "retry_backoff": Backoff(low_ns=1_000_000, high_ns=2_000_000),
    "per_try_timeout_ns": 1_000_000,
    "idempotent": True,
    "retry_key_header": "idempotency-key",
    "breaker_max_requests": 5,
    "breaker_max_pending": 5,
    "breaker_max_connections": 5,
    "outlier_consecutive_5xx": 5,
    "outlier_eject_ns": 30_000_000_000,
    "outlier_interval_ns": 10_000_000_000,
    "outlier_max_ejected": 500_000,
    "balance": Balance(policy=BalancePolicy.LEAST_REQUEST),
    "trace_sampling": 50_000,
    "trace_propagation": (TracePropagation.W3C,),
    "trace_endpoint": "collector:4317",
    "access_log": AccessLog.ERRORS,
    "metrics": False,
}
"""A value of each setting by which something is asked of a target."""

CARRIED_TESTS = {
    **{
        ("envoy", feature): f"tests/backends/envoy/test_envoy_settings_live.py::{test}"
        for feature, test in (
            (Feature.CONNECT_TIMEOUT, "test_what_takes_longer_to_connect_to_is_a_connect_failure"),
            (Feature.IDLE_TIMEOUT, "test_an_unused_connection_is_ended_as_stated"),
            (Feature.RETRY_KEY_HEADER, "test_what_need_not_be_idempotent_is_tried_again_with_a_key_alone"),
            (Feature.BREAKER, "test_no_more_calls_at_once_than_stated"),
            (Feature.EJECTION, "test_an_instance_that_fails_in_a_row_is_left_alone_for_a_while"),
            (Feature.LEAST_REQUEST, "test_at_random_and_by_least_requests_every_instance_is_called"),
            (Feature.RANDOM, "test_at_random_and_by_least_requests_every_instance_is_called"),
            (Feature.RING_HASH, "test_a_header_keeps_its_instance"),
        )
    },
    **{
        ("envoy", feature): f"tests/backends/envoy/test_envoy_shadows_live.py::{test}"
        for feature, test in (
            (Feature.REDIRECT, "test_a_redirect_has_exactly_the_location"),
            (Feature.RESPOND, "test_they_are_for_who_is_allowed"),
            (Feature.MIRROR, "test_what_matches_is_copied_and_nothing_else"),
            (Feature.FAULT, "test_an_abort_is_retried_as_a_real_one_is"),
            (Feature.HEALTH_CHECK, "test_an_instance_that_is_not_well_gets_no_calls"),
        )
    },
    **{
        ("envoy", feature): f"tests/backends/envoy/test_envoy_external_tls_live.py::{test}"
        for feature, test in (
            (Feature.TLS_SERVER_NAME, "test_the_server_name_that_is_asked_for"),
            (Feature.TLS_CA, "test_roots_of_its_own"),
            (Feature.TLS_NAMES, "test_a_certificate_without_one_of_the_names_is_not_believed"),
        )
    },
    ("envoy", Feature.TIMEOUT): "tests/agreement/test_settings.py::test_calls_end_when_their_time_is_over",
    ("envoy", Feature.RETRY): "tests/agreement/test_settings.py::test_answers_are_tried_again_as_the_conditions_say",
    ("envoy", Feature.SPLIT): "tests/agreement/test_splits.py::test_versions_get_their_shares",
    **{
        ("sidecar", feature): f"tests/backends/sidecar/test_sidecar_telemetry_live.py::{test}"
        for feature, test in (
            (Feature.TRACING, "test_traces_begin_go_on_and_are_told_over_grpc"),
            (Feature.ACCESS_LOG, "test_the_log_tells_what_the_program_chose"),
            (Feature.METRICS_OFF, "test_metrics_that_are_off_are_not_there"),
        )
    },
    **{
        ("sidecar", feature): f"tests/backends/sidecar/test_sidecar_externals_live.py::{test}"
        for feature, test in (
            (Feature.CONNECT_TIMEOUT, "test_what_takes_longer_to_connect_to_is_a_connect_failure"),
            (Feature.TLS_SERVER_NAME, "test_the_server_name_that_is_asked_for"),
            (Feature.TLS_CA, "test_roots_of_its_own"),
            (Feature.TLS_NAMES, "test_a_certificate_without_one_of_the_names_is_not_believed"),
        )
    },
    ("prometheus", Feature.OBJECTIVE): (
        "tests/backends/prometheus/test_measured_live.py::test_an_envoy_counts_by_the_names_that_the_rules_go_by"
    ),
    **{
        ("sidecar", feature): f"tests/agreement/test_terms.py::{test}"
        for feature, test in (
            (Feature.BREAKER, "test_no_more_calls_run_than_stated"),
            (Feature.EJECTION, "test_an_instance_that_fails_in_a_row_is_left_alone_for_a_while"),
            (Feature.LEAST_REQUEST, "test_otherwise_every_instance_is_called"),
            (Feature.RANDOM, "test_otherwise_every_instance_is_called"),
            (Feature.RING_HASH, "test_what_is_hashed_keeps_its_instance"),
            (Feature.RETRY_KEY_HEADER, "test_what_is_not_safe_to_repeat_needs_a_key"),
        )
    },
    ("sidecar", Feature.REDIRECT): "tests/agreement/test_answers.py::test_a_redirect_has_exactly_the_location",
    ("sidecar", Feature.RESPOND): "tests/agreement/test_answers.py::test_answers_are_for_who_is_allowed",
    ("sidecar", Feature.FAULT): "tests/agreement/test_answers.py::test_an_abort_is_tried_again_as_a_real_one",
    ("sidecar", Feature.LIMIT_KEY): "tests/runtime/test_proxy_terms.py::test_each_value_of_a_key_has_a_bucket",
    ("sidecar", Feature.PEAK_EWMA): "tests/runtime/test_proxy_terms.py::test_the_slow_instance_is_called_less",
    (
        "sidecar",
        Feature.IDLE_TIMEOUT,
    ): "tests/runtime/test_proxy_terms.py::test_an_unused_connection_is_closed_as_stated",
    ("sidecar", Feature.TIMEOUT): "tests/agreement/test_settings.py::test_calls_end_when_their_time_is_over",
    ("sidecar", Feature.RETRY): "tests/agreement/test_settings.py::test_answers_are_tried_again_as_the_conditions_say",
    ("sidecar", Feature.SPLIT): "tests/agreement/test_splits.py::test_versions_get_their_shares",
}
"""For each feature that a target carries, the test that proves it on the real proxy."""


def plain_mesh() -> Mesh:
    return Mesh(
        name="features",
        trust_domain=DOMAIN,
        workloads=tuple(replace(workload(name), selector=(("app", name),)) for name in ("api", "web")),
        services=(service("api", versions=("v1", "v2")),),
        rules=(allow("web", "api"),),
    )


def with_setting(name: str, value: object) -> Mesh:
    stated: dict[str, Any] = {name: Setting(value=value, scope=Scope.EDGE)}
    return replace(plain_mesh(), edge_settings=(("web", "api", Settings(**stated)),))


def with_rule(rule: RouteRule) -> Mesh:
    return replace(plain_mesh(), routes=(Route(service="api", port=8080, rules=(rule,)),))


def with_condition(condition: Condition) -> Mesh:
    return replace(plain_mesh(), rules=(allow("web", "api", match("/**", when=condition)),))


def answering(answer: Redirect | Respond) -> Mesh:
    return with_rule(RouteRule(id="r", name="r", match=match("/old"), destinations=(), answer=answer))


def with_tls(tls: TlsOrigination) -> Mesh:
    bank = External(name="bank", hosts=("bank.example",), port=http_port(443), tls=tls)
    return replace(plain_mesh(), externals=(bank,), rules=(allow("web", "api"), allow("web", "bank", port=443)))


def balanced(policy: BalancePolicy) -> Mesh:
    key = HashKey(kind=HashKeyKind.HEADER, name="x-user") if policy is BalancePolicy.RING_HASH else None
    return with_setting("balance", Balance(policy=policy, key=key))


def asking(feature: Feature) -> Mesh:
    """Return a mesh that asks for one feature."""
    for name, value in SETTINGS.items():
        if feature_of_setting(name, value) is feature:
            return with_setting(name, value)
    for policy in BalancePolicy:
        if policy.name == feature.name:
            return balanced(policy)
    health = HealthCheck(
        port=8080, path="/healthz", interval_ns=5_000_000_000, timeout_ns=1_000_000_000, unhealthy=3, healthy=2
    )
    mirror = Mirror(
        id="mirror api * => api.v2",
        service="api",
        port=8080,
        match=match(),
        target_service="api",
        target_port=8080,
        target_version="v2",
        share=1_000_000,
    )
    fault = Fault(
        name="slow",
        callers=callers("web"),
        callee="api",
        port=8080,
        delay_ns=1_000_000,
        abort_status=None,
        share=1_000_000,
    )
    meshes = {
        Feature.SPLIT: with_rule(route_rule("canary", match("/**"), ("api", "v1", 90), ("api", "v2", 10))),
        Feature.REDIRECT: answering(Redirect(location="https://new.example/")),
        Feature.RESPOND: answering(Respond(status=410)),
        Feature.MIRROR: replace(plain_mesh(), mirrors=(mirror,)),
        Feature.FAULT: replace(plain_mesh(), faults=(fault,)),
        Feature.HEALTH_CHECK: replace(
            plain_mesh(), services=(replace(service("api", versions=("v1", "v2")), health=health),)
        ),
        Feature.PERMISSIVE: replace(
            plain_mesh(), services=(replace(service("api", versions=("v1", "v2")), mtls=MtlsMode.PERMISSIVE),)
        ),
        Feature.TLS_SERVER_NAME: with_tls(TlsOrigination(server_name="other.example")),
        Feature.TLS_CA: with_tls(TlsOrigination(ca_file="ca.pem")),
        Feature.TLS_NAMES: with_tls(TlsOrigination(names=("alt.example",))),
        Feature.HEADER_PATTERN: with_condition(HeaderMatches("x-a", "[0-9]+")),
        Feature.QUERY: with_condition(AttributePresent(AttributeKind.QUERY, "q")),
        Feature.COOKIE: with_condition(Not(AttributeOneOf(AttributeKind.COOKIE, "beta", ("1",)))),
        Feature.END_USER: with_condition(AttributeMatches(AttributeKind.CLAIM, "sub", ".+")),
        Feature.LIMIT_KEY: replace(
            plain_mesh(),
            limits=(replace(limit(callers(), "api", 5), per=LimitKey(LimitKeyKind.QUERY, "user")),),
        ),
        Feature.OBJECTIVE: replace(
            plain_mesh(), objectives=(Objective(service="api", window_ns=1, availability=999_000),)
        ),
    }
    return meshes[feature]


def built(mesh: Mesh, target: str, folder: Path) -> list[str]:
    """Build a mesh and return the codes of the errors that kept it from being written."""
    source = BuildInput(
        program=mesh_digest(mesh), compiler="test", tests=(0, 0), authority=folder / "authority", now=NOW
    )
    result = build(MeshIndex(mesh), (target,), folder / "build", source)
    assert result.written == (folder / "build").exists()
    return [] if result.written else [diagnostic.code.id for diagnostic in result.diagnostics]


def test_every_setting_asks_for_something_that_is_known() -> None:
    assert set(SETTINGS) == set(SETTING_FIELDS) == set(SETTING_NAMES) == {one.name for one in fields(Settings)}
    for name, value in SETTINGS.items():
        assert feature_of_setting(name, value) is not None, name


@pytest.mark.parametrize("name", SETTING_FIELDS)
def test_what_is_switched_off_asks_for_nothing(name: str) -> None:
    off = {"balance": Balance(policy=BalancePolicy.ROUND_ROBIN), "access_log": AccessLog.ON, "metrics": True}
    for nothing in [off[name]] if name in off else [0, "", (), False]:
        assert feature_of_setting(name, nothing) is None


def test_every_word_of_a_closed_setting_is_answered() -> None:
    for policy in BalancePolicy:
        feature_of_setting("balance", Balance(policy=policy))
    for log in AccessLog:
        feature_of_setting("access_log", log)


@pytest.mark.parametrize("target", BACKENDS, ids=lambda target: target.name)
def test_a_target_carries_a_feature_or_leaves_it_to_others_and_never_both(target: Target) -> None:
    backend = target.load()
    assert not backend.carries & backend.leaves


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("feature", Feature, ids=lambda feature: feature.name)
def test_every_feature_is_carried_or_refused_by_every_target(feature: Feature, target: str, tmp_path: Path) -> None:
    mesh = asking(feature)
    assert feature in {asked.feature for asked in features(mesh)}
    backend = next(one for one in BACKENDS if one.name == target).load()
    found = built(mesh, target, tmp_path)
    if target in {"kubernetes", "prometheus"}:  # bring `envoy` into the build, which has its own say
        backend = next(one for one in BACKENDS if one.name == "envoy").load()
    if feature in backend.carries | backend.leaves:
        assert found == []
    else:
        assert set(found) == {"MSH870"}


def test_a_feature_that_a_target_carries_has_a_test_on_the_real_proxy() -> None:
    carried = {(target.name, feature) for target in BACKENDS for feature in target.load().carries}
    assert carried == set(CARRIED_TESTS)
    for place in CARRIED_TESTS.values():
        file, name = place.split("::")
        functions = {
            node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, place


def test_a_refusal_names_the_statement_the_target_and_who_carries_it(tmp_path: Path) -> None:
    text = TARGET_LACKS_FEATURE.bad
    index = compile_program(("p.mesh",), MemoryReader({"p.mesh": text})).index
    assert index is not None
    source = BuildInput(
        program=mesh_digest(index.mesh), compiler="test", tests=(0, 0), authority=tmp_path / "authority", now=NOW
    )
    result = build(index, ("envoy", "certs"), tmp_path / "build", source)
    assert not result.written
    [finding] = result.diagnostics
    assert finding.code is TARGET_LACKS_FEATURE
    assert finding.message == "the target `envoy` does not carry balancing by latency, for which `balance` asks"
    assert finding.primary.text == "balance: peak-ewma"
    assert finding.help == "`sidecar` carries it: leave `envoy` out of `--target`, or take it out of the program"
    assert [(one.target, one.loss.value, one.subject) for one in result.reservations] == [
        ("envoy", "refused", "`balance`")
    ]
    assert build(index, ("certs",), tmp_path / "certs", source).written


def test_the_program_put_right_is_built(tmp_path: Path) -> None:
    index = compile_program(("p.mesh",), MemoryReader({"p.mesh": TARGET_LACKS_FEATURE.good})).index
    assert index is not None
    assert built(index.mesh, "envoy", tmp_path) == []


def test_a_statement_that_stands_for_many_edges_asks_once() -> None:
    text = (
        'mesh shop { trust-domain: "shop.example" }\nservice a {}\nservice b {}\nservice api { port: 80/http }\n'
        "group all = a | b\nallow all -> api : GET /\nedge all -> api { breaker { max-requests: 5 } }\n"
    )
    mesh = compile_program(("p.mesh",), MemoryReader({"p.mesh": text})).mesh
    assert mesh is not None
    assert [(one.feature, one.what) for one in features(mesh)] == [(Feature.BREAKER, "`breaker max-requests`")]


def test_who_carries_what_is_found_among_all_targets() -> None:
    assert carriers(Feature.RETRY) == ("envoy", "sidecar")


@pytest.mark.parametrize("target", ["envoy", "sidecar"])
@pytest.mark.parametrize("callers_of_rule", [AnyCaller(), TheseCallers((spiffe("web"),))], ids=["any", "web"])
def test_who_calls_is_asked_by_every_target(
    target: str, callers_of_rule: AnyCaller | TheseCallers, tmp_path: Path
) -> None:
    web = CallerIn(TheseCallers((spiffe("web"),)))
    for condition in (web, Not(web), AllOf((present("x-a"), Not(web)))):
        mesh = with_condition(condition)
        rules = (replace(mesh.rules[0], callers=callers_of_rule),)
        route = Route(
            service="api", port=8080, rules=(route_rule("r", match("/**", when=condition), ("api", "v1", 100)),)
        )
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        assert built(replace(mesh, rules=rules, routes=(route,)), target, folder) == []


@pytest.mark.parametrize("feature", [one for one in Feature if one is not Feature.OBJECTIVE], ids=lambda one: one.name)
def test_the_guide_to_the_targets_says_which_of_them_carries_a_feature(feature: Feature) -> None:
    said = ["yes" if name in carriers(feature) else "—" for name in ("envoy", "sidecar")]
    assert f"| {feature} | {' | '.join(said)} |" in (ROOT / "docs" / "targets.md").read_text()
