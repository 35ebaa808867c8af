"""Mistakes planted in Envoy's bootstraps: each is found, and shown by a request that the program decides otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from support.readback import Spoil, bootstrap, found, index_of

PROGRAM = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service job {}
service api { port: 8080/http, versions: [v1, v2] }
group callers = [job, web]
allow callers -> api : GET|HEAD /v1/**
allow web -> api : POST /v1/orders/{id:int} if header "x-csrf" == "yes"
allow web -> api : GET ~"/report/[0-9]+\\\\.csv"
allow web -> api : GET /files/report.csv/{id}
allow any -> api : GET /health
deny any -> api : GET /v1/secret/** if not header "x-role" == "sre"
limit web -> api 100/s burst 10
route api {
  /v1/** if not header "x-old" == "1" => v2 as new
  /v1/orders/** if header "x-old" == "1" => v1 90%, v2 10% as old
}
edge web -> api { retry { limit: 2, on: [connect-failure, s503], per-try: 500ms } }
"""


@pytest.fixture(scope="module")
def shop() -> MeshIndex:
    return index_of(PROGRAM)


def listener(document: Any, name: str) -> Any:
    return next(one for one in document["static_resources"]["listeners"] if one["name"] == name)


def manager(document: Any, name: str) -> Any:
    return next(
        one["typed_config"] for one in listener(document, name)["filter_chains"][0]["filters"] if one["name"] == "http"
    )


def rbac(document: Any, effect: str) -> Any:
    return next(
        one["typed_config"]["rules"] for one in manager(document, "inbound")["http_filters"] if one["name"] == effect
    )


def policy(document: Any, effect: str, words: str) -> Any:
    policies = rbac(document, effect)["policies"]
    return policies[next(name for name in policies if words in name)]


def routes(document: Any) -> Any:
    hosts = manager(document, "outbound")["route_config"]["virtual_hosts"]
    return next(host["routes"] for host in hosts if host["name"] == "api:8080")


def named(document: Any, name: str) -> list[Any]:
    return [route for route in routes(document) if route["name"] == name]


def cluster(document: Any, name: str = "api:8080") -> Any:
    return next(one for one in document["static_resources"]["clusters"] if one["name"].startswith(name))


def replace(value: Any, old: str, new: str) -> Any:
    """Replace a text wherever it stands in a value, in place where that can be."""
    match value:
        case dict():
            for key in value:
                value[key] = replace(value[key], old, new)
        case list():
            value[:] = [replace(one, old, new) for one in value]
        case str():
            return value.replace(old, new)
    return value


def part(document: Any, effect: str, words: str, number: int) -> Any:
    return policy(document, effect, words)["permissions"][0]["and_rules"]["rules"][number]


# ---- who may call


def missing_method(document: Any) -> None:
    part(document, "allow", "/v1/**", 0)["or_rules"]["rules"].pop()


def dropped_deny(document: Any) -> None:
    rbac(document, "deny")["policies"].clear()


def allow_for_deny(document: Any) -> None:
    rbac(document, "deny")["action"] = "ALLOW"


def unescaped(document: Any) -> None:
    replace(policy(document, "allow", "/files"), "report\\.csv", "report.csv")


def bytes_for_segments(document: Any) -> None:
    replace(policy(document, "allow", "/v1/**"), "/v1/", "/v1")


def anybody(document: Any) -> None:
    policy(document, "allow", "/v1/**")["principals"] = [{"any": True}]


def another_caller(document: Any) -> None:
    replace(policy(document, "allow", "/v1/orders"), "sa/web", "sa/job")


def condition_left_out(document: Any) -> None:
    policy(document, "allow", "/v1/orders")["permissions"][0]["and_rules"]["rules"].pop()


def not_left_out(document: Any) -> None:
    rules = policy(document, "deny", "/v1/secret")["permissions"][0]["and_rules"]["rules"]
    rules[2] = rules[2]["not_rule"]


def header_by_exact_value(document: Any) -> None:
    rules = policy(document, "allow", "/v1/orders")["permissions"][0]["and_rules"]["rules"]
    rules[2] = {"header": {"name": "x-csrf", "string_match": {"exact": "yes"}}}


def authorisation_off(document: Any) -> None:
    off = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    host = manager(document, "inbound")["route_config"]["virtual_hosts"][0]
    host["typed_per_filter_config"] = {"allow": off}


def no_normalisation(document: Any) -> None:
    del manager(document, "inbound")["normalize_path"]


def no_merging(document: Any) -> None:
    manager(document, "inbound")["merge_slashes"] = False


def escaped_slashes(document: Any) -> None:
    manager(document, "inbound")["path_with_escaped_slashes_action"] = "KEEP_UNCHANGED"


def odd_spellings_let_through(document: Any) -> None:
    manager(document, "inbound")["route_config"]["virtual_hosts"][0]["routes"].pop(0)


# ---- where it goes


def swapped_routes(document: Any) -> None:
    everything = named(document, "otherwise")[0]
    routes(document).remove(everything)
    routes(document).insert(1, everything)


def inverted_header(document: Any) -> None:
    for route in routes(document):
        for header in route["match"].get("headers", []):
            header.pop("invert_match", None)


def header_that_must_be_there(document: Any) -> None:
    for route in routes(document):
        for header in route["match"].get("headers", []):
            header.pop("treat_missing_header_as_empty", None)


def wrong_weight(document: Any) -> None:
    for route in routes(document):
        for share in route.get("route", {}).get("weighted_clusters", {}).get("clusters", []):
            share["weight"] = 500_000


def wrong_cluster(document: Any) -> None:
    for route in routes(document):
        if route.get("route", {}).get("cluster", "").startswith("api:8080/v2"):
            route["route"]["cluster"] = named(document, "otherwise")[0]["route"]["cluster"]


def wrong_host(document: Any) -> None:
    host = next(
        one for one in manager(document, "outbound")["route_config"]["virtual_hosts"] if one["name"] == "api:8080"
    )
    host["domains"][0] = "apis"


DECIDED: dict[str, tuple[str, Spoil]] = {
    "a method is missing": ("api", missing_method),
    "a deny is dropped": ("api", dropped_deny),
    "a deny is an allow": ("api", allow_for_deny),
    "an expression is not escaped": ("api", unescaped),
    "a prefix is one of bytes": ("api", bytes_for_segments),
    "anybody is let in": ("api", anybody),
    "another caller is let in": ("api", another_caller),
    "a condition is left out": ("api", condition_left_out),
    "a `not` is left out": ("api", not_left_out),
    "a header is compared as a whole": ("api", header_by_exact_value),
    "authorisation is off": ("api", authorisation_off),
    "routes are swapped": ("web", swapped_routes),
    "a header is not inverted": ("web", inverted_header),
    "a header must be there": ("web", header_that_must_be_there),
    "a weight is wrong": ("web", wrong_weight),
    "a cluster is wrong": ("web", wrong_cluster),
}


@pytest.mark.parametrize("name", DECIDED)
def test_a_request_shows_what_is_decided_or_routed_otherwise(name: str, shop: MeshIndex) -> None:
    workload, spoil = DECIDED[name]
    assert bootstrap(shop, workload)
    findings = found(shop, workload, spoil)
    finding = next(one for one in findings if one.code.id == "MSH880")
    assert finding.witness is not None
    decision = evaluate(shop, finding.witness)
    assert decision.path is not None
    if "the decision" in finding.message:
        assert ("allowed in the program" in finding.message) is decision.allowed
    assert finding.primary.text


WITNESSES = {
    "a method is missing": "HEAD",
    "a deny is dropped": "GET /v1/secret",
    "an expression is not escaped": "/files/report",
    "a prefix is one of bytes": "/v1a",
    "anybody is let in": "spiffe://shop.example/ns/any/sa/any",
    "another caller is let in": "-> api POST /v1/orders/0",
    "routes are swapped": "web -> api",
}


@pytest.mark.parametrize("name", WITNESSES)
def test_the_request_is_the_plain_one(name: str, shop: MeshIndex) -> None:
    workload, spoil = DECIDED[name]
    texts = [one.witness.text for one in found(shop, workload, spoil) if one.witness is not None]
    assert any(WITNESSES[name] in text for text in texts), texts


SPELLINGS = {
    "normalize_path": (no_normalisation, "/x/../y"),
    "merge_slashes": (no_merging, "//y"),
    "path_with_escaped_slashes_action": (escaped_slashes, "/x%2Fy"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_shows_what_is_not_brought_into_one(name: str, shop: MeshIndex) -> None:
    spoil, path = SPELLINGS[name]
    findings = found(shop, "api", spoil)
    assert any(one.witness is not None and one.witness.path == path for one in findings)
    assert {one.code.id for one in findings} == {"MSH880"}


def test_odd_spellings_are_not_let_through(shop: MeshIndex) -> None:
    findings = found(shop, "api", odd_spellings_let_through)
    finding = next(one for one in findings if one.code.id == "MSH880")
    assert finding.witness is not None
    assert evaluate(shop, finding.witness).status == 400


def test_a_name_that_is_lost_is_told(shop: MeshIndex) -> None:
    messages = [one.message for one in found(shop, "web", wrong_host)]
    assert any("`api`" in message for message in messages)
    assert any("`apis`" in message for message in messages)


# ---- how calls behave


def default_timeout(document: Any) -> None:
    for route in routes(document):
        route.get("route", {}).pop("timeout", None)


def default_retry(document: Any) -> None:
    for route in routes(document):
        if "route" in route:
            route["route"].setdefault("retry_policy", {"retry_on": "5xx"})


def default_number_of_tries(document: Any) -> None:
    for route in routes(document):
        route.get("route", {}).get("retry_policy", {}).pop("num_retries", None)


def status_left_out(document: Any) -> None:
    for route in routes(document):
        route.get("route", {}).get("retry_policy", {}).pop("retriable_status_codes", None)


def default_breaker(document: Any) -> None:
    for one in document["static_resources"]["clusters"]:
        one.pop("circuit_breakers", None)


def limit_not_enforced(document: Any) -> None:
    filters = manager(document, "inbound")["http_filters"]
    del next(one for one in filters if one["name"] == "limit")["typed_config"]["filter_enforced"]


def requests_ended_when_idle(document: Any) -> None:
    del manager(document, "outbound")["stream_idle_timeout"]


def steered_by_peers(document: Any) -> None:
    del manager(document, "inbound")["internal_address_config"]


BEHAVIOUR: dict[str, tuple[str, Spoil, str]] = {
    "Envoy's timeout": ("job", default_timeout, "timeout_ns is none in the program and 15s in the file"),
    "Envoy's retry": ("job", default_retry, "retry is none in the program and on 5xx limit 1"),
    "Envoy's number of tries": ("web", default_number_of_tries, "retry.limit is 2 in the program and 1 in the file"),
    "a condition of retries": ("web", status_left_out, "retry.on is connect-failure, s503 in the program"),
    "Envoy's breaker": ("web", default_breaker, "max_retries is none in the program and 3 in the file"),
    "a limit that is not enforced": ("api", limit_not_enforced, "limits is"),
    "Envoy's idle timeout": ("web", requests_ended_when_idle, "no request is ended for being idle is yes"),
    "headers that steer": ("api", steered_by_peers, "headers by which a peer would steer"),
}


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_defaults_that_envoy_adds_are_told(name: str, shop: MeshIndex) -> None:
    workload, spoil, words = BEHAVIOUR[name]
    findings = [one for one in found(shop, workload, spoil) if one.code.id == "MSH881"]
    assert any(words in one.message for one in findings), [one.message for one in findings]


def test_a_setting_is_told_with_the_place_where_it_is_stated(shop: MeshIndex) -> None:
    finding = next(one for one in found(shop, "web", default_number_of_tries) if "retry.limit" in one.message)
    assert finding.primary.text == "limit: 2"


# ---- who is believed


def wrong_san(document: Any) -> None:
    replace(cluster(document), "ns/default/sa/api", "ns/default/sa/job")


def no_bundle(document: Any) -> None:
    del listener(document, "inbound")["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"][
        "validation_context"
    ]["trusted_ca"]


def any_san(document: Any) -> None:
    del cluster(document)["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"][
        "match_typed_subject_alt_names"
    ]


def no_certificate_asked(document: Any) -> None:
    listener(document, "inbound")["filter_chains"][0]["transport_socket"]["typed_config"][
        "require_client_certificate"
    ] = False


def several_identities(document: Any) -> None:
    filters = listener(document, "inbound")["filter_chains"][0]["filters"]
    filters[:] = [one for one in filters if one["name"] != "one_identity"]


def plain(document: Any) -> None:
    del cluster(document)["transport_socket"]


def another_server_name(document: Any) -> None:
    cluster(document)["transport_socket"]["typed_config"]["sni"] = "8081.api.default.mesh.internal"


TRUST: dict[str, tuple[str, Spoil, str]] = {
    "a wrong name": ("web", wrong_san, "peer.names is URI:spiffe://shop.example/ns/default/sa/api"),
    "no bundle": ("api", no_bundle, "peer.roots is"),
    "any name": ("web", any_san, "peer.names is"),
    "no certificate": ("api", no_certificate_asked, "peer.required is yes"),
    "several identities": ("api", several_identities, "one_identity is yes"),
    "no TLS": ("web", plain, "peer is"),
    "another server name": ("web", another_server_name, "peer.server_name is 8080.api.default"),
}


@pytest.mark.parametrize("name", TRUST)
def test_another_peer_that_would_be_believed_is_told(name: str, shop: MeshIndex) -> None:
    workload, spoil, words = TRUST[name]
    findings = [one for one in found(shop, workload, spoil) if one.code.id == "MSH882"]
    assert any(words in one.message for one in findings), [one.message for one in findings]


# ---- what is not known


def unknown_field(document: Any) -> None:
    routes(document)[1]["match"]["case_sensitive"] = False


def unknown_filter(document: Any) -> None:
    manager(document, "inbound")["http_filters"].insert(
        0, {"name": "lua", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}}
    )


def other_order(document: Any) -> None:
    filters = manager(document, "inbound")["http_filters"]
    filters[0], filters[2] = filters[2], filters[0]


@pytest.mark.parametrize(("workload", "spoil"), [("web", unknown_field), ("api", unknown_filter), ("api", other_order)])
def test_what_a_reader_does_not_know_is_never_passed_over(workload: str, spoil: Spoil, shop: MeshIndex) -> None:
    assert [one.code.id for one in found(shop, workload, spoil)] == ["MSH883"]


def test_nothing_is_found_in_what_was_not_spoilt(shop: MeshIndex) -> None:
    assert all(not found(shop, workload.name) for workload in shop.mesh.workloads)
