"""The edit that turns a verdict does turn it, breaks nothing that held, and is the smallest there is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshc_compiler.evaluate import evaluate
from meshc_compiler.examples import run_examples
from meshc_compiler.flip.search import FlipFinder, FlipSearch
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_compiler.request import resolve_request
from meshc_lang.diagnostic import Severity
from meshc_lang.parser import parse_request
from meshc_lang.request import Request
from support.correct_programs import CorrectProgram, correct_programs
from support.findings import applied

HEAD = """\
mesh shop { trust-domain: "shop.example" }
service web {}
service mobile {}
service api { port: 80/http }
service calls { ports { public: 90/grpc, raw: 91/tcp } }
service lonely { port: 80/http }
"""


def asked(text: str, request_text: str) -> tuple[FlipSearch, str]:
    """Return what came of the search, and the program's text after the edit."""
    reader = MemoryReader({"p.mesh": HEAD + text})
    finder = FlipFinder(("p.mesh",), reader)
    result = compile_all(("p.mesh",), reader)
    assert result.index is not None, [one.message for one in result.diagnostics]
    request, _ = parse_request(request_text)
    assert request is not None
    resolved, problems = resolve_request(result.index, request)
    assert resolved is not None, problems
    found = finder.find(resolved)
    if found.flip is None:
        return found, ""
    after = applied(HEAD + text, found.flip.fix)
    holds(result, after, resolved)
    return found, after.removeprefix(HEAD)


def holds(before: CompileResult, text: str, request: Request) -> None:
    """An edit does what it promises: another verdict, no new error, and what held holds."""
    after = compile_all(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert before.index is not None
    assert after.index is not None, [one.message for one in after.diagnostics]
    assert evaluate(after.index, request).allowed is not evaluate(before.index, request).allowed
    errors = {one.message for one in before.diagnostics if one.severity is Severity.ERROR}
    assert [
        one.message for one in after.diagnostics if one.severity is Severity.ERROR and one.message not in errors
    ] == []
    for old, new in zip((before, *before.overlays), (after, *after.overlays), strict=True):
        assert old.index is not None
        assert new.index is not None
        passed = {(case.test, case.request) for case in run_examples(old.index) if case.passed}
        assert passed <= {(case.test, case.request) for case in run_examples(new.index) if case.passed}


@pytest.mark.parametrize(
    ("program", "request_text", "after"),
    [
        # A grant more, in the sentence that is there: in its line, or on a line of its own in a block.
        ("allow web -> api : GET /a\n", "web -> api POST /b", "allow web -> api : GET /a, POST /b\n"),
        (
            "allow web -> api {\n  GET /a  # all\n  PUT /c\n}\n",
            "web -> api GET /b",
            "allow web -> api {\n  GET /a  # all\n  PUT /c\n  GET /b\n}\n",
        ),
        # A method more is shorter, where the path is the request's own …
        ("allow web -> api : GET /a\n", "web -> api POST /a", "allow web -> api : GET|POST /a\n"),
        # … and opens more than the request where it is not.
        ("allow web -> api : GET /a/**\n", "web -> api POST /a/b", "allow web -> api : GET /a/**, POST /a/b\n"),
        # A sentence of its own.
        (
            "allow web -> api : GET /a\n",
            "mobile -> api GET /b",
            "allow web -> api : GET /a\nallow mobile -> api : GET /b\n",
        ),
        ("", "web -> calls.raw tcp", None),
        # A group that is for nothing else takes one more.
        (
            "group front = web\nallow front -> api : GET /a\n",
            "mobile -> api GET /a",
            "group front = web | mobile\nallow front -> api : GET /a\n",
        ),
        (
            "group front = web\nallow front -> api : GET /a/**\n",
            "mobile -> api GET /a/b",
            "group front = web\nallow front -> api : GET /a/**\nallow mobile -> api : GET /a/b\n",
        ),
        # A deny lets one caller pass.
        (
            'allow web -> api : GET /a/**\ndeny any -> api : /a/b because "x"\n',
            "web -> api GET /a/b",
            'allow web -> api : GET /a/**\ndeny any -> api : /a/b unless from web because "x"\n',
        ),
        (
            'allow web -> api : GET /a/**\ndeny any -> api : /a/b unless header "k" == "v" because "x"\n',
            "web -> api GET /a/b",
            'allow web -> api : GET /a/**\ndeny any -> api : /a/b unless header "k" == "v" or from web because "x"\n',
        ),
        (
            'allow any -> api : GET /a/**\ndeny any -> api : /a/b, /a/c because "x"\n',
            "web -> api GET /a/b",
            'allow any -> api : GET /a/**\ndeny any -> api : /a/b if not from web, /a/c because "x"\n',
        ),
        # One that is about this caller alone is deleted.
        (
            'allow web -> api : GET /a/**\ndeny web -> api : GET /a/b because "x"\n',
            "web -> api GET /a/b",
            "allow web -> api : GET /a/**\n",
        ),
        # A deny in the way, and nothing that would allow it.
        (
            'allow mobile -> api : GET /a/b\ndeny any -> api : /a/b because "x"\nallow web -> api : GET /z\n',
            "web -> api GET /a/b",
            None,
        ),
        # From allowed to refused.
        (
            "allow web -> api : GET /a/**\n",
            "web -> api GET /a/b",
            "allow web -> api : GET /a/**\ndeny web -> api : GET /a/b\n",
        ),
        ("allow web -> api : GET /a, GET /b\n", "web -> api GET /a", "allow web -> api : GET /b\n"),
        ("allow web -> api : GET|PUT /a\n", "web -> api GET /a", "allow web -> api : PUT /a\n"),
        ("allow web -> api : GET /b\nallow web -> api : GET /a\n", "web -> api GET /a", "allow web -> api : GET /b\n"),
    ],
)
def test_the_smallest_edit(program: str, request_text: str, after: str | None) -> None:
    found, changed = asked(program, request_text)
    assert found.flip is not None, found.obstacle
    if after is not None:
        assert changed == after
    assert found.flip.opens.count == 0
    assert found.flip.closes.count == 0


@pytest.mark.parametrize(
    ("program", "request_text", "obstacle"),
    [
        ("allow mobile -> api : GET /a\nassert never web -> api\n", "web -> api GET /a", "never web -> api"),
        ("allow web -> api : GET /a\nassert always web -> api : GET /a\n", "web -> api GET /a", "always web -> api"),
        (
            'allow web -> api : GET /a\ntest "t" { web -> api GET /a is allowed }\n',
            "web -> api GET /a",
            "the test `t: web -> api GET /a`",
        ),
        (
            "allow web -> api : GET /a\noverlay strict { assert never mobile -> api }\n",
            "mobile -> api GET /a",
            "never mobile -> api",
        ),
        (
            "allow web -> api : GET /a\nallow api -> lonely : GET /x\nassert never mobile ->* lonely\n",
            "mobile -> api GET /a",
            "never mobile ->* lonely",
        ),
    ],
)
def test_what_would_break_an_assert_or_a_test_is_not_offered(program: str, request_text: str, obstacle: str) -> None:
    found, _ = asked(program, request_text)
    assert found.flip is None
    assert obstacle in found.obstacle


@pytest.mark.parametrize(
    "request_text",
    [
        "plaintext -> api GET /a",
        "web -> api GET /a%2Fb",
        "web -> api PURGE /b",
        '"spiffe://other.example/x" -> api GET /a',
    ],
)
def test_where_no_edit_of_this_kind_would_help_none_is_offered(request_text: str) -> None:
    found, _ = asked("allow web -> api : GET /a\n", request_text)
    assert found == FlipSearch()


def test_what_an_edit_does_besides_is_counted_and_shown() -> None:
    text = (
        "group front = web | mobile\n"
        "allow front -> api : GET /a\n"
        'test "t" { web -> api GET /a is allowed }\n'
        'deny any -> api : GET /b because "x"\nallow any -> api : GET /b\n'
    )
    found, after = asked(text, "mobile -> api GET /b")
    assert found.flip is not None
    assert "unless from mobile" in after
    (found, _) = asked('allow any -> api : ~"/a/[0-9]+"\n', "web -> api GET /a/7")
    assert found.flip is not None
    assert found.flip.opens.count == 0


def test_an_edit_within_a_template_or_an_overlay() -> None:
    found, after = asked(
        "template pages(a) { allow a -> api : GET /p }\nuse pages(web)\nuse pages(mobile)\n", "web -> api GET /p"
    )
    assert found.flip is not None
    assert "deny web -> api : GET /p" in after
    found, after = asked(
        "allow web -> api : GET /a\noverlay staging { allow mobile -> api : GET /b }\n", "mobile -> api GET /c"
    )
    assert found.flip is not None
    assert "allow mobile -> api : GET /c" in after


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(correct_programs(), st.data())
def test_flips_of_any_program_hold(program: CorrectProgram, data: st.DataObject) -> None:
    reader = MemoryReader({"p.mesh": program.text})
    before = compile_all(("p.mesh",), reader)
    assert before.index is not None
    finder = FlipFinder(("p.mesh",), reader)
    known = [example.request for example in before.index.mesh.examples]
    callers = [*before.index.workloads, "plaintext"]
    made = [
        Request(caller=caller, callee=service.name, port=port.name, protocol=form, method=method, path=path)
        for service in before.index.mesh.services
        for port in service.ports
        for form, method, path in (
            [("http", "GET", "/"), ("http", "POST", "/v1/x"), ("http", "GET", "/healthz")]
            if port.protocol.is_http
            else [("tcp", "GET", "/")]
        )
        for caller in callers
        if caller != service.name
    ]
    request = data.draw(st.sampled_from([*known, *made]))
    found = finder.find(request)
    if found.flip is not None:
        holds(before, applied(program.text, found.flip.fix), request)
