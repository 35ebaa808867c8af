"""Snapshots of the Python proxy are read back and proved equal to the program; what is planted in them is told."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from meshc_backends.feature_refusal import refusals
from meshc_backends.placement import KubernetesPlacement
from meshc_backends.readback.proof import findings
from meshc_backends.readback.sidecar.proof import prove_snapshot
from meshc_backends.registry import plan as targets_of
from meshc_backends.sidecar import emit_workload
from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import slice_of
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.codes.validation import (
    FILE_BEHAVES_OTHERWISE,
    FILE_DECIDES_OTHERWISE,
    FILE_NOT_UNDERSTOOD,
    FILE_TRUSTS_OTHERWISE,
)
from meshc_lang.diagnostic import Code, Diagnostic
from meshc_runtime.snapshot import SnapshotError
from support.agreement_programs import Size, generated_program
from support.corpus import CORPUS, case_files
from support.programs import MeshPlan, mesh_plans
from support.snapshot_changes import RealProxy, changed, changes, probes

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PLACEMENT = KubernetesPlacement()

PROGRAM = """
mesh shop { trust-domain: "shop.example" }
service web { port: 8080/http }
service jobs { namespace: night }
service api { ports: { main: 8080/http, admin: 9000/http }, versions: [v1, v2] }
external stripe { hosts: ["api.stripe.com"], port: 443/tls, tls { min: "1.3" } }
allow ingress -> web : GET /**
allow web -> api.main { GET|HEAD /v1/orders/{id:int}, POST /v1/orders if header "x-csrf" present }
allow jobs -> api.main : DELETE /v1/orders/{id:int}
allow any -> api.admin : GET ~"/(health|ready)"
deny jobs -> api.admin : /ready because "not at night"
allow web -> stripe : POST /v1/**
deny web -> stripe : /v1/refunds/** unless header "x-approved" == "yes"
limit any -> api.main 10/s burst 20
limit jobs -> api.main 5/m per header "x-user"
edge web -> api {
  timeout: 2s
  connect-timeout: 250ms
  retry { limit: 2, on: [connect-failure, s503], per-try: 500ms, budget: 20%, idempotent: true }
}
route api.main {
  /v1/** => v1 90%, v2 10% as canary
  GET /v1/orders/** => v2 as orders
}
"""


def index_of(text: str) -> MeshIndex:
    result = compile_program(("program.mesh",), MemoryReader({"program.mesh": text}))
    assert result.index is not None, [(one.code.id, one.message) for one in result.diagnostics]
    return result.index


def snapshot_of(index: MeshIndex, workload: str) -> Any:
    emission = emit_workload(slice_of(index, index.workloads[workload]), PLACEMENT)
    (artifact,) = emission.artifacts
    return json.loads(artifact.content)


def told(index: MeshIndex, workload: str, content: bytes) -> tuple[Diagnostic, ...]:
    slice_ = slice_of(index, index.workloads[workload])
    return findings(prove_snapshot(slice_, PLACEMENT, f"sidecar/{workload}.json", content), slice_, index)


def rules(document: Any, port: int = 0) -> Any:
    return document["inbound"][port]["rules"]


def no_deny(api: Any) -> None:
    rules(api, 1)[:] = [rule for rule in rules(api, 1) if rule["effect"] == "allow"]


def one_method_less(api: Any) -> None:
    next(rule for rule in rules(api) if rule["methods"] == ["GET", "HEAD"])["methods"] = ["GET"]


def every_method(api: Any) -> None:
    next(rule for rule in rules(api) if rule["methods"] == ["GET", "HEAD"])["methods"] = None


def wider_template(api: Any) -> None:
    next(rule for rule in rules(api) if rule["methods"] == ["GET", "HEAD"])["path"]["template"] = "/v1/orders/**"


def wider_expression(api: Any) -> None:
    next(rule for rule in rules(api, 1) if rule["effect"] == "allow")["path"]["regex"] = "/(health|ready).*"


def no_condition(api: Any) -> None:
    next(rule for rule in rules(api) if rule["condition"])["condition"] = None


def other_caller(api: Any) -> None:
    for rule in rules(api):
        rule["callers"] = ["spiffe://shop.example/ns/night/sa/jobs"]


def anybody(api: Any) -> None:
    for rule in rules(api):
        rule["callers"] = None


def no_limit(api: Any) -> None:
    api["inbound"][0]["limits"] = api["inbound"][0]["limits"][1:]


def slower_limit(api: Any) -> None:
    api["inbound"][0]["limits"][0]["per_seconds"] = 60


def other_port_behind_the_name(api: Any) -> None:
    first, second = api["inbound"]
    first["server_name"], second["server_name"] = second["server_name"], first["server_name"]


def orders(web: Any) -> Any:
    return next(service for service in web["outbound"] if service["name"] == "api" and service["port"] == 8080)


def routes_turned_round(web: Any) -> None:
    routes = orders(web)["routes"]
    routes[0], routes[1] = routes[1], routes[0]


def other_weight(web: Any) -> None:
    route = next(route for route in orders(web)["routes"] if route["id"] == "canary")
    route["destinations"][0]["weight"] = route["destinations"][1]["weight"]


def longer_timeout(web: Any) -> None:
    orders(web)["routes"][0]["timeout_ms"] = 15_000


def no_timeout(web: Any) -> None:
    orders(web)["routes"][0]["timeout_ms"] = None


def one_try_more(web: Any) -> None:
    orders(web)["routes"][0]["retry"]["limit"] = 3


def one_condition_more(web: Any) -> None:
    orders(web)["routes"][0]["retry"]["on"].append("reset")


def no_budget(web: Any) -> None:
    orders(web)["routes"][0]["retry"]["budget_percent"] = None


def longer_tries(web: Any) -> None:
    orders(web)["routes"][0]["retry"]["per_try_timeout_ms"] = None


def longer_connecting(web: Any) -> None:
    for cluster in web["clusters"]:
        cluster["connect_timeout_ms"] = 5000


def other_identity(web: Any) -> None:
    for cluster in web["clusters"]:
        if cluster["name"].startswith("api:"):
            cluster["transport"]["spiffe_id"] = "spiffe://shop.example/ns/night/sa/jobs"


def other_instances(web: Any) -> None:
    for cluster in web["clusters"]:
        if cluster["name"].startswith("api:8080/v2"):
            cluster["endpoints"][0]["host"] = "web-mesh.default.svc.cluster.local"


def other_name_outside(web: Any) -> None:
    for cluster in web["clusters"]:
        if cluster["transport"]["kind"] == "tls":
            cluster["transport"]["dns_names"].append("evil.example")


def older_tls(web: Any) -> None:
    for cluster in web["clusters"]:
        if cluster["transport"]["kind"] == "tls":
            cluster["transport"]["minimum_version"] = "1.2"


def in_clear(web: Any) -> None:
    for cluster in web["clusters"]:
        if cluster["transport"]["kind"] == "tls":
            cluster["transport"] = {"kind": "plain"}


def unjudged_outside(web: Any) -> None:
    next(service for service in web["outbound"] if service["name"] == "stripe")["rules"] = None


def another_host(web: Any) -> None:
    orders(web)["hosts"].append("ledger")


def other_domain(web: Any) -> None:
    web["mesh_hosts"]["namespaces"] += ["kube-system"]


def unknown_field(web: Any) -> None:
    orders(web)["shadow"] = "yes"


@pytest.mark.parametrize(
    ("workload", "change", "code", "witness", "words"),
    [
        ("api", no_deny, FILE_DECIDES_OTHERWISE, "jobs -> api.admin GET /ready", "refused in the program"),
        ("api", one_method_less, FILE_DECIDES_OTHERWISE, "web -> api.main HEAD /v1/orders/0", "allowed in the program"),
        ("api", every_method, FILE_DECIDES_OTHERWISE, None, "refused in the program"),
        ("api", wider_template, FILE_DECIDES_OTHERWISE, None, "refused in the program"),
        ("api", wider_expression, FILE_DECIDES_OTHERWISE, None, "refused in the program"),
        ("api", no_condition, FILE_DECIDES_OTHERWISE, "web -> api.main POST /v1/orders", "refused in the program"),
        ("api", other_caller, FILE_DECIDES_OTHERWISE, None, "allowed in the file"),
        ("api", anybody, FILE_DECIDES_OTHERWISE, None, "allowed in the file"),
        ("api", no_limit, FILE_BEHAVES_OTHERWISE, None, "limits is"),
        ("api", slower_limit, FILE_BEHAVES_OTHERWISE, None, "limits is"),
        ("api", other_port_behind_the_name, FILE_TRUSTS_OTHERWISE, None, "server_names is"),
        ("web", routes_turned_round, FILE_DECIDES_OTHERWISE, "web -> api.main GET /v1/orders", "where it goes is"),
        ("web", other_weight, FILE_DECIDES_OTHERWISE, None, "90%"),
        ("web", longer_timeout, FILE_BEHAVES_OTHERWISE, None, "timeout_ns is 2s in the program and 15s in the file"),
        ("web", no_timeout, FILE_BEHAVES_OTHERWISE, None, "timeout_ns is 2s in the program and none in the file"),
        ("web", one_try_more, FILE_BEHAVES_OTHERWISE, None, "retry.limit is 2 in the program and 3 in the file"),
        ("web", one_condition_more, FILE_BEHAVES_OTHERWISE, None, "retry.on is"),
        ("web", no_budget, FILE_BEHAVES_OTHERWISE, None, "retry_budget is"),
        ("web", longer_tries, FILE_BEHAVES_OTHERWISE, None, "retry.per_try_ns is 500ms"),
        ("web", longer_connecting, FILE_BEHAVES_OTHERWISE, None, "connect_timeout_ns is 250ms"),
        ("web", other_identity, FILE_TRUSTS_OTHERWISE, None, "peer.names is"),
        ("web", other_instances, FILE_DECIDES_OTHERWISE, None, "where it goes is"),
        ("web", other_name_outside, FILE_TRUSTS_OTHERWISE, None, "peer.names is"),
        ("web", older_tls, FILE_TRUSTS_OTHERWISE, None, "peer.versions is"),
        ("web", in_clear, FILE_TRUSTS_OTHERWISE, None, "peer is"),
        ("web", unjudged_outside, FILE_DECIDES_OTHERWISE, None, "allowed in the file"),
        ("web", another_host, FILE_DECIDES_OTHERWISE, None, "ledger"),
        ("web", other_domain, FILE_DECIDES_OTHERWISE, None, "namespaces"),
        ("web", unknown_field, FILE_NOT_UNDERSTOOD, None, "shadow"),
    ],
)
def test_what_is_planted_in_a_snapshot_is_told(
    workload: str, change: Callable[[Any], None], code: Code, witness: str | None, words: str
) -> None:
    index = index_of(PROGRAM)
    document = snapshot_of(index, workload)
    assert told(index, workload, changed(document, lambda _: None)) == ()
    found = told(index, workload, changed(document, change))
    assert {one.code for one in found} == {code}
    assert any(words in one.message for one in found), [one.message for one in found]
    witnesses = [one.witness for one in found if one.witness is not None]
    if witness is not None:
        assert witness in [one.text for one in witnesses]
    if code is FILE_DECIDES_OTHERWISE and workload == "api":
        assert witnesses
        proxy = RealProxy(changed(document, change))
        for one in witnesses:
            # The real proxy does with the planted snapshot what the program says it must not.
            port = index.services["api"].ports[("main", "admin").index(one.port or "main")].number
            caller = next((str(it.spiffe_id) for it in index.mesh.workloads if it.name == one.caller), one.caller)
            headers = {name: (value.encode(),) for name, value in one.headers}
            decided = proxy.admits(port, caller, one.method, one.path, headers)
            assert decided is not evaluate(index, one).allowed


IN_LOGS = re.compile(r"(inbound|outbound)\..*\.id = .*|outbound\.\d+\.name = .*")
"""Changes of what rules, limits, routes and callees are called in logs."""

NOT_ASKED = re.compile(
    r"inbound\.0\.server_name = .*|"  # of a workload's only port, which needs no name to be found
    r"outbound\..*\.destinations\.0\.weight = .*|"  # of the only destination
    r"outbound\..*\.rules\.\d+\.(except_)?callers.* = .*|"  # outside, all calls are the workload's own
    r"without .*|"  # the proxy refuses the snapshot, or it is as it would be by default
    r".*: \d+ and \d+ turned round"
)
"""Changes that may mean nothing: the real proxy says so of each that the proof does not notice."""


def check_changes(index: MeshIndex, workload: str, most: int, seed: int) -> tuple[int, list[str]]:
    """Plant changes: each is noticed, or is one that the real proxy refuses or does not notice either.

    Returns:
        How many were tried, and those that were not noticed.
    """
    document = snapshot_of(index, workload)
    every = [(what, change) for what, change in changes(document) if not IN_LOGS.fullmatch(what)]
    chosen = every if len(every) <= most else random.Random(seed).sample(every, most)
    callers = [*map(str, index.workloads_by_id), f"spiffe://{index.mesh.trust_domain}/ns/x/sa/else"]
    asked = probes(document)
    meant = RealProxy(json.dumps(document).encode()).decisions(callers, asked)
    unnoticed = []
    for what, change in chosen:
        content = changed(document, change)
        if told(index, workload, content):
            continue
        unnoticed.append(what)
        try:
            proxy = RealProxy(content)
        except SnapshotError:
            continue
        assert proxy.decisions(callers, asked) == meant, what
    return len(chosen), unnoticed


@pytest.mark.parametrize("workload", ["api", "web", "ingress", "jobs"])
def test_every_change_of_a_member_that_means_something_is_noticed(workload: str) -> None:
    tried, unnoticed = check_changes(index_of(PROGRAM), workload, most=10_000, seed=0)
    assert tried > 80
    assert all(NOT_ASKED.fullmatch(what) for what in unnoticed), unnoticed
    assert len(unnoticed) < tried / 4


TELLING = (
    PROGRAM
    + """
defaults mesh { telemetry { sampling: 5%, propagation: [w3c, b3], otlp: "collector:4318", access-log: errors } }
defaults api { telemetry { metrics: off, sampling: 1% } }
edge jobs -> api { telemetry { access-log: off } }
"""
)


@pytest.mark.parametrize("workload", ["api", "web", "jobs"])
def test_every_change_of_what_is_told_of_calls_is_noticed(workload: str) -> None:
    index = index_of(TELLING)
    document = snapshot_of(index, workload)
    assert told(index, workload, json.dumps(document).encode()) == ()
    for name, value in (("propagation", ["w3c"]), ("speaks", "h2"), ("collector", None)):
        tracing = {**document["tracing"], name: value}
        assert told(index, workload, json.dumps({**document, "tracing": tracing}).encode())
    assert told(index, workload, json.dumps({**document, "tracing": None}).encode())
    parts = [
        *document["inbound"],
        *document["outbound"],
        *(one for out in document["outbound"] for one in out["routes"]),
    ]
    changed = 0
    for part in parts:
        for name, other in (("access_log", "on"), ("metrics", None), ("trace_sampling", 77)):
            if name in part:
                before, part[name] = part[name], not part[name] if other is None else other
                (finding,) = told(index, workload, json.dumps(document).encode())
                assert "telemetry of" in finding.message
                part[name] = before
                changed += 1
    assert changed >= 3


@pytest.mark.parametrize("seed", range(4))
def test_changes_of_snapshots_of_generated_programs_are_noticed(seed: int) -> None:
    _, index = generated_program(seed, size=Size.SMALL)
    for workload in index.mesh.workloads:
        assert told(index, workload.name, json.dumps(snapshot_of(index, workload.name)).encode()) == ()
    check_changes(index, "api", most=25, seed=seed)
    check_changes(index, "web", most=25, seed=seed)


def proved(index: MeshIndex) -> int:
    """Prove every snapshot of a mesh, if the target carries what its program asks for; return how many there were."""
    targets, _ = targets_of(["sidecar"])
    refused, _ = refusals(index.mesh, targets)
    if refused:
        return 0
    count = 0
    for workload in index.mesh.workloads:
        for artifact in emit_workload(slice_of(index, workload), PLACEMENT).artifacts:
            assert told(index, workload.name, artifact.content) == (), workload.name
            count += 1
    return count


PROGRAMS = [path for path in (*sorted(EXAMPLES.iterdir()), *sorted(CORPUS.iterdir())) if path.is_dir()]


def test_nothing_is_found_in_the_snapshots_of_our_programs() -> None:
    count = 0
    for folder in PROGRAMS:
        files = case_files(folder)
        sources = tuple(file for file in files if file.endswith(".mesh"))
        index = compile_program(sources, MemoryReader(files)).index
        count += 0 if index is None else proved(index)
    assert count > 40


@settings(max_examples=30, deadline=None)
@given(mesh_plans())
def test_nothing_is_found_in_the_snapshots_of_any_program(plan: MeshPlan) -> None:
    assert proved(index_of(plan.text)) > 0
