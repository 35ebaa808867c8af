"""Mistakes planted in trees of rules: each is found, and shown by a request where the tree can be read."""

from __future__ import annotations

from typing import Any

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.ir.mesh import MeshIndex
from support.readback import Spoil, bootstrap, found, index_of

PROGRAM = "\n".join(
    (
        'mesh shop { trust-domain: "shop.example" }',
        "service web {}",
        "service job {}",
        "service api { port: 8080/http }",
        *(f"allow web -> api : GET|HEAD /v1/items/r{number}" for number in range(40)),
        "allow job -> api : POST /v1/orders/{id:int}",
        *(f'deny any -> api : GET /v1/items/r{number} if header "x-no" == "1"' for number in range(40)),
        "allow any -> api : GET /health",
    )
)


@pytest.fixture(scope="module")
def shop() -> MeshIndex:
    return index_of(PROGRAM)


def tree(document: Any) -> Any:
    """Return the tree of the port: denies by method and path, and behind them the allows by caller, method and path."""
    listener = next(one for one in document["static_resources"]["listeners"] if one["name"] == "inbound")
    manager = next(one for one in listener["filter_chains"][0]["filters"] if one["name"] == "http")
    filters = manager["typed_config"]["http_filters"]
    return next(one for one in filters if one["name"] == "allow")["typed_config"]["matcher"]


def allows(document: Any) -> Any:
    found_ = tree(document)["on_no_match"]["matcher"]
    while by(found_) != "uri_san":
        found_ = found_["on_no_match"]["matcher"]
    return found_


def by(matcher: Any) -> str:
    return str(matcher["matcher_tree"]["input"]["name"]).rpartition(".")[2]


def of_web(document: Any, method: str = "GET") -> Any:
    callers = allows(document)["matcher_tree"]["exact_match_map"]["map"]
    web = next(found_ for name, found_ in callers.items() if name.endswith("/web"))
    return web["matcher"]["matcher_tree"]["exact_match_map"]["map"][method]["matcher"]


def exact(matcher: Any) -> Any:
    return matcher["matcher_tree"]["exact_match_map"]["map"]


def queried(matcher: Any) -> Any:
    return matcher["on_no_match"]["matcher"]["matcher_tree"]["prefix_match_map"]["map"]


def a_path_is_lost(document: Any) -> None:
    del exact(of_web(document))["/v1/items/r7"], queried(of_web(document))["/v1/items/r7?"]


def another_path(document: Any) -> None:
    for suffix in ("", "/"):
        exact(of_web(document))[f"/v1/items/s7{suffix}"] = exact(of_web(document))[f"/v1/items/r7{suffix}"]
        queried(of_web(document))[f"/v1/items/s7{suffix}?"] = queried(of_web(document))[f"/v1/items/r7{suffix}?"]


def a_prefix_for_a_path(document: Any) -> None:
    queried(of_web(document))["/v1/items/r7"] = queried(of_web(document))["/v1/items/r7?"]


def another_caller(document: Any) -> None:
    callers = exact(allows(document))
    web = next(name for name in callers if name.endswith("/web"))
    callers["spiffe://shop.example/ns/shop/sa/stranger"] = callers[web]


def another_method(document: Any) -> None:
    callers = exact(allows(document))
    web = next(found_ for name, found_ in callers.items() if name.endswith("/web"))["matcher"]
    exact(web)["DELETE"] = exact(web)["GET"]


def a_deny_allows(document: Any) -> None:
    for found_ in every_action(tree(document)):
        if found_["name"].startswith("deny") and "/r7 " in found_["name"]:
            found_["action"] = "ALLOW"


def denies_are_lost(document: Any) -> None:
    matcher = tree(document)
    behind = allows(document)
    matcher.clear()
    matcher.update(behind)


def anybody(document: Any) -> None:
    last = allows(document)
    while "on_no_match" in last:
        last = last["on_no_match"]["matcher"]
    action = next(iter(every_on_match(last)))
    last["on_no_match"] = action


def every_action(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value] if value.get("@type", "").endswith("rbac.v3.Action") else []
        return own + [one for inner in value.values() for one in every_action(inner)]
    return [one for inner in value for one in every_action(inner)] if isinstance(value, list) else []


def every_on_match(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value] if "action" in value and isinstance(value["action"], dict) else []
        return own + [one for inner in value.values() for one in every_on_match(inner)]
    return [one for inner in value for one in every_on_match(inner)] if isinstance(value, list) else []


SHOWN: dict[str, Spoil] = {
    "a path is lost": a_path_is_lost,
    "another path is let in": another_path,
    "a path lets in all that begin so": a_prefix_for_a_path,
    "another caller is let in": another_caller,
    "another method is let in": another_method,
    "denies are lost": denies_are_lost,
    "anybody is let in": anybody,
}


def test_the_tree_is_proved(shop: MeshIndex) -> None:
    assert "matcher_tree" in tree(bootstrap(shop, "api"))
    assert found(shop, "api") == ()


@pytest.mark.parametrize("name", SHOWN)
def test_a_request_shows_the_mistake(name: str, shop: MeshIndex) -> None:
    finding = next(one for one in found(shop, "api", SHOWN[name]) if one.code.id == "MSH880")
    assert finding.witness is not None
    decision = evaluate(shop, finding.witness)
    assert decision.path is not None
    assert ("allowed in the program" in finding.message) is decision.allowed


def a_query_counts(document: Any) -> None:
    del queried(of_web(document))["/v1/items/r7?"]


def an_unknown_input(document: Any) -> None:
    tree(document)["matcher_tree"]["input"]["typed_config"]["@type"] = "type.googleapis.com/x.Y"


@pytest.mark.parametrize("spoil", [a_query_counts, an_unknown_input, a_deny_allows])
def test_what_a_reader_does_not_know_is_told(spoil: Spoil, shop: MeshIndex) -> None:
    assert found(shop, "api", spoil)
