"""Many rules: a tree of matchers in Envoy, which names the rule that decided, and is no larger than it must be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from meshc_backends.envoy.message import encode
from meshc_backends.envoy.path_match import literal_start
from meshc_backends.envoy.rbac import authorisation
from meshc_backends.envoy.rule_tree import TREE_FROM
from meshc_backends.envoy.target_expression import of_expression
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.ir.policy import Effect, Rule
from meshc_compiler.regex import full_match
from support.envoy_mesh import EnvoyMesh
from support.http_call import call
from support.ir_mesh import DOMAIN, allow, callers, deny, header, match, rule, service, template, workload


def many(count: int) -> tuple[Rule, ...]:
    return tuple(allow("web", "api", match(f"/v1/items/r{number}", "GET")) for number in range(count))


def test_few_rules_are_tried_one_by_one() -> None:
    found = authorisation(many(TREE_FROM - 1), DOMAIN)
    assert "rules" in found[Effect.ALLOW]
    assert "matcher" not in found[Effect.ALLOW]


def test_many_rules_are_a_tree_and_few_denies_stay_as_they_are() -> None:
    found = authorisation((*many(TREE_FROM), deny("web", "api", match("/v1/items/r0"))), DOMAIN)
    assert "matcher" in found[Effect.ALLOW]
    assert len(found[Effect.DENY]["rules"]["policies"]) == 1


def test_the_text_of_a_tree_grows_as_its_rules_do() -> None:
    sizes = [len(encode(authorisation(many(count), DOMAIN)[Effect.ALLOW])) for count in (500, 1000, 2000)]
    assert sizes[2] - sizes[1] < 2.2 * (sizes[1] - sizes[0])
    assert sizes[2] < 2000 * 2500


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/v1/{id}/x", "/v1/"),
        ("/{id}", "/"),
        ("/a/b", "/a/b"),
        ("/a/**", "/a"),
        ("/**", "/"),
        ("/", "/"),
        ("/a/b/{id:int}/**", "/a/b/"),
        ("/caf%C3%A9/{id}", "/"),
    ],
)
def test_a_template_begins_with_its_literal_segments(path: str, start: str) -> None:
    assert literal_start(template(path)) == start


@pytest.mark.parametrize("pattern", ["/r/[^.]+", "/a.*z", "/x{2,3}(?:y|z)*", "/[-a]\\.c", "/q+/?[0-9]"])
def test_an_expression_never_reaches_into_the_query(pattern: str) -> None:
    spelled = re.compile(of_expression(pattern))
    for path in ("/r/ab", "/r/", "/az", "/abcz", "/xx", "/xxxyz", "/-.c", "/a.c", "/aac", "/qq/1", "/q7"):
        for query in ("", "?", "?a=z", "?z", "?/r/ab", "??1"):
            assert bool(spelled.fullmatch(path + query)) is full_match(pattern, path), (path, query)


RULES = (
    *many(40),
    *(allow("any", "api", match(f"/t/{{id:int}}/part{number}", "GET")) for number in range(12)),
    *(deny("any", "api", match(f"/v1/items/r{number}", "GET", when=header("x-no", "1"))) for number in range(40)),
    rule(Effect.ALLOW, callers("web", *(f"w{n}" for n in range(120))), "api", match("/group/**"), named="many callers"),
    allow("job", "api", match("~/v1/re/[^.]+", "GET"), named="an expression"),
    allow("job", "api", match("/root/**")),
    allow("job", "api", match("/root/a/b", "GET"), named="below"),
)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyMesh]:
    value = Mesh(
        name="many",
        trust_domain=DOMAIN,
        workloads=tuple(workload(name) for name in ("api", "job", "other", "web")),
        services=(service("api"),),
        rules=RULES,
    )
    with EnvoyMesh(value, tmp_path_factory.mktemp("mesh")) as running:
        yield running


@pytest.mark.parametrize(
    ("caller", "target", "status"),
    [
        ("web", "/v1/items/r7", 200),
        ("web", "/v1/items/r7/", 200),
        ("web", "/v1/items/r7?x=1", 200),
        ("web", "/v1/items/r7/?/", 200),
        ("web", "/v1/items/r777", 403),
        ("web", "/v1/items/?r7", 403),
        ("job", "/v1/items/r7", 403),
        ("other", "/t/12/part3", 200),
        ("other", "/t/?/part3", 403),
        ("other", "/t/12?/part3", 403),
        ("other", "/t/x/part3", 403),
        ("web", "/group/x", 200),
        ("web", "/group?x", 200),
        ("job", "/group/x", 403),
        ("job", "/v1/re/ab?c.d", 200),
        ("job", "/v1/re/?ab", 403),
        ("job", "/root/a/b", 200),
        ("job", "/root/a/c", 200),
    ],
)
def test_what_a_tree_allows(mesh: EnvoyMesh, caller: str, target: str, status: int) -> None:
    assert call(mesh.inbound("api"), "GET", target, tls=mesh.peer(caller)).status == status


@pytest.mark.parametrize(
    ("headers", "status", "decided"),
    [
        ([], 200, "allow web -> api GET /v1/items/r9"),
        ([("x-no", "1")], 403, "deny any -> api GET /v1/items/r9 if"),
        ([("x-no", "2,1")], 403, "deny any -> api GET /v1/items/r9 if"),
        ([("x-no", "11")], 200, "allow web -> api GET /v1/items/r9"),
    ],
)
def test_the_log_names_the_rule_that_decided(
    mesh: EnvoyMesh, headers: list[tuple[str, str]], status: int, decided: str
) -> None:
    name = f"tree-{decided.split()[0]}-{len(headers)}-{headers[0][1] if headers else ''}"
    lines = [*headers, ("x-request-id", name)]
    answer = call(mesh.inbound("api"), "GET", "/v1/items/r9", headers=lines, tls=mesh.peer("web"))
    assert answer.status == status
    assert mesh.sidecars["api"].logged_request(name)["rule"].startswith(decided)


def test_what_no_rule_is_about_has_no_rule_in_the_log(mesh: EnvoyMesh) -> None:
    lines = [("x-request-id", "tree-nothing")]
    assert call(mesh.inbound("api"), "GET", "/nothing", headers=lines, tls=mesh.peer("web")).status == 403
    assert not mesh.sidecars["api"].logged_request("tree-nothing")["rule"]
