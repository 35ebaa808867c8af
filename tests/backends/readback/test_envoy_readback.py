"""What Envoy's backend writes is proved equal to the program, and hardly any change of it would be."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.build import BuildInput, BuildResult, build
from meshc_backends.envoy.backend import emit_workload
from meshc_backends.placement import Placement
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.slice import WorkloadSlice
from support.agreement_programs import Asks, Size, generated_program
from support.mutations import Path as Place
from support.mutations import mutations
from support.programs import MeshPlan, mesh_plans
from support.readback import bootstrap, carried, everything_at_hand, found, index_of, read

AT_HAND = dict(everything_at_hand())


@pytest.mark.parametrize("name", AT_HAND)
def test_the_examples_and_the_corpus_are_proved(name: str) -> None:
    index = AT_HAND[name]
    for workload in carried(index):
        assert not found(index, workload), workload


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("asks", list(Asks))
def test_programs_with_statements_of_every_kind_are_proved(seed: int, asks: Asks) -> None:
    _, index = generated_program(seed, asks, Size.SMALL)
    for workload in carried(index):
        assert not found(index, workload), workload


@given(mesh_plans())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_meshes_are_proved(plan: MeshPlan) -> None:
    index = index_of(plan.text)
    for workload in carried(index):
        assert not found(index, workload), workload


# ---- every small change

CHANGED = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service job {}
service api { ports: { http: 8080/http, ops: 8081/http }, versions: [v1, v2] }
service shadow { port: 80/http }
external bank { hosts: ["bank.example"], port: 443/tls, tls { min: "1.3" } }
group callers = [job, web]
allow callers -> api.http : GET|HEAD|TRACE /v1/**
allow web -> api.http : POST /v1/orders/{id:int} if header "x-csrf" == "yes"
allow any -> api.ops : *
allow callers -> shadow : *
allow web -> bank : GET ~"/accounts/[0-9]+", TRACE /**
deny web -> bank : GET /accounts/0
deny any -> api.http : GET /v1/secret/** if not header "x-role" == "sre"
limit web -> api.http 100/s burst 10 per header "x-user"
fault slow on web -> api.http { delay: 500ms, percent: 5% }
route api.http { /v1/** if not header "x-old" == "1" => v1 90%, v2 10% as new }
defaults mesh { timeout: 5s }
edge web -> api.http {
  retry { limit: 2, on: [connect-failure, s503], budget: 30%, per-try: 500ms, backoff: 50ms..300ms }
  breaker { max-requests: 100, max-pending: 10, consecutive-5xx: 7, eject: 40s }
  balance: least-request
  connect-timeout: 2s
}
"""

NAMES = frozenset(
    {
        "access_log", "cluster_name", "local_reply_config", "metadata", "node", "rules_stat_prefix", "shadow_rules",
        "shadow_rules_stat_prefix", "stat_prefix", "stats_config", "track_per_rule_stats",
    }
)  # fmt: skip
"""Parts that decide nothing: what is logged, counted, and called by which name."""


@pytest.fixture(scope="module")
def changed() -> MeshIndex:
    return index_of(CHANGED)


DEFAULTS = frozenset(
    {
        "accept_http_10", "action", "always_consume_default_token_bucket", "codec_type", "connect_timeout",
        "denominator",
        "dns_lookup_family", "enable_x_ratelimit_headers", "enforcing_consecutive_5xx",
        "enforcing_consecutive_gateway_failure", "enforcing_failure_percentage", "generate_request_id",
        "http_protocol_options", "interval", "lb_policy", "listener_filters_timeout", "max_headers_count",
        "min_retry_concurrency", "name", "policies", "principal_name", "priority", "respect_dns_ttl",
        "rules", "tls_maximum_protocol_version", "tls_minimum_protocol_version", "tls_params", "type", "value",
    }
)  # fmt: skip
"""What may be left out: Envoy takes the same by itself, or nothing of the program hangs on it."""

ORDERS = frozenset(
    {
        "actions", "clusters", "descriptors", "domains", "filter_chains", "headers", "http_filters", "listeners",
        "permissions", "predicate", "principals", "rate_limits", "request_headers_to_remove",
        "retriable_status_codes", "routes", "rules", "virtual_hosts",
    }
)  # fmt: skip
"""What may stand in another order, routes where no request has both."""

OTHERS = frozenset(
    {
        ("action", "other"),  # of filters for which each host of the workload's calls has rules of its own
        ("exact", "other"),  # a path that no allow has: whether a deny has it is no matter
        ("idle_timeout", "other"),  # of peers' connections: still longer than callers keep them
        ("listener_filters_timeout", "other"),
        ("name", "other"),
        ("numerator", "greater"),  # more than all
        ("transport_socket_connect_timeout", "other"),
        ("type", "other"),  # addresses that need no looking up
    }
)
"""What may be otherwise."""


def is_told_nothing(document: Any, place: Place) -> bool:
    """Tell whether a change is in a part that no call meets: names and logs, or the pages of Envoy's own."""
    if not NAMES.isdisjoint(map(str, place)):
        return True
    if place[:1] != ("static_resources",) or len(place) < 3:
        return False
    return document["static_resources"][place[1]][place[2]]["name"] in {"admin", "metrics", "readiness"}


@pytest.mark.parametrize("workload", ["api", "web"])
def test_each_small_change_is_found_or_changes_nothing(changed: MeshIndex, workload: str) -> None:
    document = bootstrap(changed, workload)
    every = [one for one in mutations(document) if not is_told_nothing(document, one[0])]
    missed = []
    for place, what, other in every[::EACH]:
        if not read(changed, workload, other):
            missed.append((next(one for one in reversed(place) if isinstance(one, str)), what))
    unexplained = {
        (key, what)
        for key, what in missed
        if not (what == "left out" and key in DEFAULTS)
        and not (what == "swapped" and key in ORDERS)
        and (key, what) not in OTHERS
    }
    assert not unexplained
    assert len(missed) < len(every[::EACH]) / 5


EACH = 19
"""Of so many changes one is tried in an ordinary run; set to 1 for all of them, in some minutes."""


# ---- builds


def built(index: MeshIndex, folder: Path) -> BuildResult:
    source = BuildInput(
        program=hashlib.sha256(b"").hexdigest(),
        compiler="0.0.0",
        tests=(0, 0),
        authority=folder / "authority",
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return build(index, ("envoy", "certs"), folder / "build", source)


def test_the_manifest_says_what_was_proved(changed: MeshIndex, tmp_path: Path) -> None:
    result = built(changed, tmp_path)
    manifest = json.loads((tmp_path / "build" / "manifest.json").read_text())
    assert [(one.target, one.files, one.meaning) for one in result.proofs] == [("envoy", 5, "equal")]
    (envoy,) = manifest["proved"]["read_back"]
    assert (envoy["target"], envoy["files"], envoy["meaning"]) == ("envoy", 5, "equal")


def careless(slice_: WorkloadSlice, placement: Placement) -> Emission:
    """Emit a workload's file with its denies made allows."""
    emission = emit_workload(slice_, placement)
    files = tuple(
        Artifact(path=one.path, content=one.content.replace(b'"action": "DENY"', b'"action": "ALLOW"'))
        for one in emission.artifacts
    )
    return Emission(artifacts=files)


def test_nothing_is_written_of_a_build_that_is_not_proved(
    changed: MeshIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshc_backends.envoy.backend.emit_workload", careless)
    result = built(changed, tmp_path)
    assert not result.written
    assert {one.code.id for one in result.diagnostics} == {"MSH880"}
    assert not (tmp_path / "build").exists()
