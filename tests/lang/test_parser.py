"""Programs become the tree that says what was written."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshc_lang.codes import syntax
from meshc_lang.format import format_file
from meshc_lang.parser import parse, parse_request
from meshc_lang.source import SourceText
from meshc_lang.tree import claim as claim_
from meshc_lang.tree import statement as st_
from meshc_lang.tree.declaration import MeshDecl, ServiceDecl
from meshc_lang.tree.dump import dump
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.policy import Compare, Comparison, HttpMatcher, RegexPattern
from meshc_lang.tree.value import Block
from meshc_lang.tree.walk import walk
from support.program_texts import program_texts
from support.programs import MeshPlan, mesh_plans

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOLDER = Path(__file__).parent


def read(text: str) -> SourceFile:
    file, problems = parse(SourceText("program.mesh", text))
    assert problems == (), text
    return file


def only(text: str) -> str:
    """The dump of the one statement of a text."""
    return dump(read(text))


def test_the_whole_language_in_one_program() -> None:
    file = read((FOLDER / "language.mesh").read_text(encoding="utf-8"))
    assert dump(file) == (FOLDER / "language.tree").read_text(encoding="utf-8")


def test_keywords_are_names_where_no_keyword_may_stand() -> None:
    assert only("service test { limit: 3, on: [on, off], allow { deny: mesh } }") == (
        "ServiceDecl\n"
        "  name: Name text='test'\n"
        "  body: Block\n"
        "    pairs: Pair\n"
        "      key: Name text='limit'\n"
        "      value: Integer value=3\n"
        "    pairs: Pair\n"
        "      key: Name text='on'\n"
        "      value: ListValue\n"
        "        items: Switch on=True\n"
        "        items: Switch on=False\n"
        "    pairs: Pair\n"
        "      key: Name text='allow'\n"
        "      value: Block\n"
        "        pairs: Pair\n"
        "          key: Name text='deny'\n"
        "          value: Name text='mesh'\n"
    )


@pytest.mark.parametrize(
    ("written", "apart"),
    [
        ("allow any->web : *", "allow any -> web : *"),
        ("allow a-b->c-d:GET /x", "allow a-b -> c-d : GET /x"),
        ("group g = a-b", "group g = a-b"),
        ("group g=a|b -c", "group g = a | b - c"),
        ("mesh m{a:1,b{c:2}}", "mesh m {\n  a: 1\n  b {\n    c: 2\n  }\n}"),
        ("allow a -> b { GET /x, POST /y }", "allow a -> b {\n  GET /x\n  POST /y\n}"),
        ("allow a -> b : GET /x, POST /y", "allow a -> b : GET /x,\n  POST /y"),
        ("edition 2026; mesh m {}", "edition 2026\n\n\nmesh m {\n}"),
        ("allow a -> b : GET /x", "allow a \\\n  -> b : \\\n  GET /x"),
        ('group g = where a.x == "y" and (b.c present)', 'group g = where a.x == "y" and b.c present'),
        ("allow a -> b : /x", "allow a -> b : * /x"),
        ("assert never a->*b:base", "assert never a ->* b : base"),
        ("assert deadline(a->b:/x(1))<=2s", "assert deadline( a -> b : /x(1) ) <= 2s"),
        ("use t(a,/x/**,2s,)", "use t(\n  a\n  /x/**\n  2s\n)"),
        ("let a=[1,2]", "let a = [\n  1\n  2\n]"),
        ("template t(a,b){allow a->b:*;deny b->a:*}", "template t(a, b) {\n  allow a -> b : *\n  deny b -> a : *\n}"),
        ("overlay o{set a . b:1;drop c}", "overlay o {\n  set a.b: 1\n\n  drop c\n}"),
        ("mirror a/x if(from b)=>c 5%", "mirror a /x if from b => c 5%"),
    ],
)  # fmt: skip
def test_spacing_and_line_breaks_mean_nothing(written: str, apart: str) -> None:
    assert read(written) == read(apart)


NAMED = {
    "let": "edge let -> use { set: drop }",
    "set": "overlay set {\n  set set.drop: set\n  drop drop.set\n}",
    "fault": "fault on on every -> has {}",
    "mirror": "mirror redirect.respond by => never",
    "to": "assert every edge from to to from has edge.has <= mtls",
    "mtls": 'assert mtls mtls -> only because "x"',
    "per": 'limit burst -> per burst burst per per header "x"',
    "import": 'import import "x" for for.import',
    "over": "route as {\n  over => over as as over over\n}",
    "by": 'test "x" {\n  is -> is GET /is is by by, is.by is\n}',
}


@pytest.mark.parametrize("text", NAMED.values(), ids=NAMED.keys())
def test_a_keyword_is_a_name_wherever_a_name_must_stand(text: str) -> None:
    assert format_file(read(text)) == f"{text}\n"


def test_a_path_ends_before_a_parenthesis_that_is_none_of_its_own() -> None:
    guard = 'if (header "x" == /a(1)/b or header "y" == /c) and from c'
    assert format_file(read(f"allow a -> b : /x {guard}")) == f"allow a -> b : /x {guard}\n"


def test_a_name_stands_for_a_path_a_rate_a_burst_and_a_share() -> None:
    assert only("limit a -> b fast burst some").splitlines()[6:] == [
        "  rate: Name text='fast'",
        "  burst: Name text='some'",
    ]
    assert "share: Name text='most'" in only("route a { base => v1 most }")
    assert "path: PathName" in only('allow a -> b : GET base if header "x" present')


def test_the_first_design_of_a_whole_program_reads_as_it_stands() -> None:
    path = Path(__file__).parents[3] / "shared" / "design" / "shop.mesh"
    if not path.exists():
        pytest.skip("the shared files are not beside this checkout")
    file = read(path.read_text(encoding="utf-8"))
    assert read(format_file(file)).statements == file.statements


def test_a_word_that_only_begins_as_a_keyword_is_none() -> None:
    assert [problem.code for problem in parse(SourceText("p", "allowance a -> b : *"))[1]] == [syntax.UNKNOWN_STATEMENT]
    assert "AnyPeer" not in only("allow anyone -> ingress2 : *")


def test_conditions_bind_as_everywhere_not_before_and_before_or() -> None:
    loose = read('allow a -> b : /x if header "a" present or not header "b" present and header "c" present')
    tight = read('allow a -> b : /x if header "a" present or ((not header "b" present) and header "c" present)')
    assert loose == tight


def test_group_operators_bind_from_the_left_and_parentheses_change_that() -> None:
    assert read("group g = a | b - c") == read("group g = (a | b) - c")
    assert read("group g = a - b - c") != read("group g = a - (b - c)")


def test_doc_comments_belong_to_the_statement_below() -> None:
    file = read(
        "## the first\n## two lines\nedition 2026\n\n"
        "## not attached: a blank line follows\n\nmesh m {} ## not either\n"
        "# plain\n  ##  indented \nservice a {}\n### a divider\nservice b {}\r\n## with CRLF\r\nservice c {}\n"
    )
    assert [statement.doc for statement in file.statements] == [
        ("the first", "two lines"),
        (),
        ("indented",),
        (),
        ("with CRLF",),
    ]
    assert len(file.comments) == 8


def test_strings_have_the_escapes_of_json_and_regular_expressions_none() -> None:
    file = read(r'allow a -> b : GET ~"/\d+/\"x\"" if header "A" ~ "\\." because "q \" \\ \u00e9 \ud83d\ude00 \n"')
    allow = file.statements[0]
    assert isinstance(allow, st_.AllowDecl)
    grant = allow.grants[0]
    assert isinstance(grant.matcher, HttpMatcher)
    assert isinstance(grant.matcher.path, RegexPattern)
    assert grant.matcher.path.pattern.text == r"/\d+/\"x\""
    assert isinstance(grant.guard, Compare)
    assert grant.guard.comparison is Comparison.MATCHES
    assert grant.guard.value.text == r"\\."  # type: ignore[union-attr]
    assert allow.because is not None
    assert allow.because.text == 'q " \\ é \U0001f600 \n'


@QUICK
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_string_can_be_written(text: str) -> None:
    literal = json.dumps(text).replace("\x7f", "\\u007f")
    file = read(f"mesh m {{ a: {literal} }}")
    mesh = file.statements[0]
    assert isinstance(mesh, MeshDecl)
    assert mesh.body.pairs[0].value.text == text  # type: ignore[union-attr]


@QUICK
@given(program_texts(most=3))
def test_spans_nest_and_hold_what_the_node_says(text: str) -> None:
    file = read(text)
    for node in walk(file):
        covered = node.span.text
        assert covered == covered.strip()
        assert covered
        if isinstance(node, Block):
            assert covered[0] + covered[-1] == "{}"
    for statement in file.statements:
        for node in walk(statement):
            assert statement.span.start <= node.span.start <= node.span.end <= statement.span.end


@QUICK
@given(program_texts(most=3))
def test_a_statement_read_by_its_span_alone_is_the_same_statement(text: str) -> None:
    for statement in read(text).statements:
        (again,) = read(statement.span.text).statements
        assert dump(again) == dump(statement).replace(f" doc={statement.doc!r}", "", 1)


@settings(max_examples=30, deadline=None)
@given(mesh_plans())
def test_generated_meshes_read(plan: MeshPlan) -> None:
    file = read(plan.text)
    kinds = [type(statement) for statement in file.statements]
    assert kinds.count(ServiceDecl) == len(plan.services)
    assert kinds.count(st_.AllowDecl) == len(plan.edges)
    assert kinds.count(st_.RouteDecl) == len(plan.routes)


def test_reading_leaves_the_collector_as_it_was() -> None:
    assert gc.isenabled()
    read("edition 2026")
    assert gc.isenabled()
    parse(SourceText("p", "nonsense"))
    assert gc.isenabled()


REQUESTS = (
    'web -> api GET /v1/orders/42?full=1 {x-beta: "1"}',
    "api -> payments rpc pay.v1.Payments/Charge",
    "payments -> ledger tcp",
    'ingress -> web GET / claims {role: "sre"}',
    "plaintext -> web GET /",
    "web -> api.admin GET /",
    '"spiffe://shop.example/ns/a/sa/b" -> api PROPFIND /',
    'web -> api POST /x {a: "1", a: "2", "odd key": "\\"é\\\\"} claims {"a.b": "c"}',
    "web -> api GET /..;/a%2f%2e//b\\c;d,e#f{g}\"h",
)  # fmt: skip


@pytest.mark.parametrize("text", REQUESTS)
def test_a_request_prints_as_it_was_written(text: str) -> None:
    request, problems = parse_request(text)
    assert problems == ()
    assert request is not None
    assert request.text == text
    assert parse_request(f"  {text} \n")[0] == request
    (test,) = read(f'test "t" {{\n  {text} is allowed\n}}').statements
    assert isinstance(test, claim_.TestDecl)
    assert test.cases[0].request == request


def test_the_parts_of_a_request() -> None:
    request, _ = parse_request('web -> api.admin /a//b;c?x=1?y {X-A: "1", X-A: "2"} claims {role: "sre"}')
    assert request is not None
    assert (request.caller, request.callee, request.port, request.method) == ("web", "api", "admin", "GET")
    assert (request.path, request.query) == ("/a//b;c", "x=1?y")
    assert request.headers == (("X-A", "1"), ("X-A", "2"))
    assert request.claims == (("role", "sre"),)
    rpc, _ = parse_request("web -> api rpc a.B/C")
    assert rpc is not None
    assert (rpc.protocol, rpc.method, rpc.path) == ("rpc", "POST", "/a.B/C")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this request needs a caller and a callee, as in `web -> api`"),
        ("web", "this request needs `->` and a callee after the caller `web`"),
        ("web -> api", "this request needs what is asked of `api`: a method and a path, an `rpc` or `tcp`"),
        ("web -> api GET", "this request needs a path after the method `GET`"),
        ("web -> api get /", "methods are written in capitals: `GET`"),
        ("web -> api GET x", "this request needs a path after the method `GET`, not `x`"),
        ("web => api GET /", "between a caller and its callee stands `->`, not `=>`"),
        ("web -> api GET / {x: 1}", "`1` needs quotes here"),
        ("web -> api GET / extra", "this request is complete before `extra`"),
        ("web -> api GET /\nweb -> api GET /", "this request is complete before `web`"),
        ("any -> api GET /", "a request has one caller, and `any` stands for many"),
        ("web -> any GET /", "a request has one callee, and `any` stands for many"),
        ("web.x -> api GET /", "a caller has no port, so `.x` has no meaning here"),
        ('web -> "spiffe://a/b" GET /', "a callee is called by name, not by SPIFFE ID"),
        ("web -> api rpc a.B/*", "a request names one method, and `a.B/*` stands for several"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_told_why(text: str, message: str) -> None:
    request, problems = parse_request(text)
    assert request is None
    assert [problem.message for problem in problems] == [message]
    assert problems[0].primary.source.path == "<request>"
