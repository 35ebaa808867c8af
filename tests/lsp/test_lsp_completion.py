"""What may come next, at places in statements that are still being written."""

from __future__ import annotations

import pytest

from meshc.lsp.analysis.completion import Completion
from meshc.lsp.analysis.completion import complete as complete_at
from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.program import ProgramView
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_compiler.reference.field import FIELDS, WORDS_OF_FIELDS
from meshc_lang.reference import STATEMENTS
from support.editor import SHOP

NAMES = {"web", "api"}


def complete(line: str, before: str = SHOP) -> tuple[Completion, Document]:
    """Complete at the `|` of a stretch of text behind a program."""
    head, _, tail = line.partition("‸")
    text = before + head + tail
    document = Document("shop.mesh", text)
    return complete_at(ProgramView({"shop.mesh": document}), document, len(before) + len(head)), document


def labels(line: str, before: str = SHOP) -> list[str]:
    return [item.label for item in complete(line, before)[0].items]


@pytest.mark.parametrize(
    "line", ["‸", "al‸", "\n‸", "# a comment\n‸", "overlay staging {\n  ‸\n}", "overlay staging {\n  al‸"]
)
def test_statements_where_a_line_begins(line: str) -> None:
    assert set(STATEMENTS) <= set(labels(line))


def test_an_overlay_has_items_of_its_own() -> None:
    assert {"set", "drop"} <= set(labels("overlay staging {\n  ‸\n}"))
    assert not {"set", "drop"} & set(labels("‸"))


@pytest.mark.parametrize(
    "line",
    [
        "allow ‸",
        "allow w‸",
        "deny ‸",
        "edge ‸",
        "limit ‸",
        "assert never ‸",
        "assert only ‸",
        "assert attempts(‸",
        "fault slow on ‸",
        'test "x" {\n  ‸',
        'test "x" {\n  web -> api GET / is allowed\n  ‸\n}',
    ],
)
def test_callers(line: str) -> None:
    found = labels(line)
    assert NAMES | {"any", "ingress"} <= set(found)
    assert "GET" not in found


@pytest.mark.parametrize(
    "line", ["allow web -> ‸", "allow web -> a‸", "edge web -> ‸", "assert never web ->* ‸", "deny any -> ‸"]
)
def test_callees(line: str) -> None:
    found = labels(line)
    assert set(found) >= NAMES
    assert "ingress" not in found


@pytest.mark.parametrize(
    "line", ["allow web -> api : ‸", "allow web -> api {\n  ‸", "route api {\n  ‸", "allow web -> api : GET /, ‸"]
)
def test_matchers(line: str) -> None:
    assert {"GET", "POST", "rpc", "tcp"} <= set(labels(line))


def test_conditions() -> None:
    assert {"header", "query", "cookie", "claim", "from", "not"} <= set(labels("allow web -> api : GET / if ‸"))
    assert {"header"} <= set(labels("deny any -> api : GET / unless not ‸"))
    assert "service.namespace" in labels("group g = where ‸")
    assert {"if"} <= set(labels("allow web -> api {\n  GET /x ‸"))


@pytest.mark.parametrize(
    ("line", "block"),
    [
        ("service x { ‸", "service"),
        ("service x {\n  po‸", "service"),
        ("service x { health { ‸", "service.health"),
        ("mesh m { ‸", "mesh"),
        ("external e { tls { ‸", "external.tls"),
        ("edge web -> api { ‸", "settings"),
        ("edge web -> api {\n  timeout: 5s\n  retry {\n    ‸", "settings.retry"),
        ("defaults mesh { breaker { ‸", "settings.breaker"),
        ("route api {\n  /x => v1 { ‸", "settings"),
        ("jwt corp { ‸", "jwt"),
        ("fault slow on web -> api { ‸", "fault"),
        ("slo api { ‸", "slo"),
        ("overlay s {\n  edge web -> api { ‸", "settings"),
    ],
)
def test_the_fields_of_a_block(line: str, block: str) -> None:
    assert set(labels(line)) == set(FIELDS[block])


def test_a_field_that_is_stated_is_not_offered_again() -> None:
    assert "timeout" not in labels("edge web -> api { timeout: 5s, ‸")
    assert "retry" in labels("edge web -> api { timeout: 5s, ‸")
    assert "retry" not in labels("edge web -> api {\n  retry { limit: 1 }\n  ‸")


def test_values() -> None:
    assert labels("mesh m { mtls: ‸")[:2] == ["strict", "permissive"]
    assert "connect-failure" in labels("edge web -> api { retry { on: [‸")
    assert "s503" in labels("edge web -> api { retry { on: [reset, s‸")
    assert labels("service x { port: 8080‸") == ["8080/http", "8080/http2", "8080/grpc", "8080/tcp", "8080/tls"]
    assert labels("service x { port: 8080/‸")[0] == "8080/http"
    assert "250ms" in labels("edge web -> api { timeout: 250‸")
    assert labels("edge web -> api { retry { budget: 20‸") == ["20%"]
    assert labels("limit web -> api 500‸") == ["500/s", "500/m", "500/h"]
    assert "slow" in labels("edge web -> api { timeout: ‸", SHOP + "let slow = 4s\n")


def test_targets_and_rules_of_a_route() -> None:
    assert labels("route api {\n  /x => ‸")[:2] == ["v1", "v2"]
    assert "redirect" in labels("route api {\n  /x => ‸")
    assert labels("route api {\n  /x => v1 50%, ‸") == ["v1", "v2"]
    assert labels("route api {\n  /x => v1 as x over ‸") == ["canary"]
    assert labels('test "t" {\n  web -> api GET / is allowed, routed ‸')[:2] == ["v1", "v2"]
    assert "as" in labels("route api {\n  /x => v1 ‸")


def test_verdicts() -> None:
    assert {"allowed", "denied", "routed", "timeout", "limit"} <= set(labels('test "t" {\n  web -> api GET / is ‸'))
    assert "routed" in labels('test "t" {\n  web -> api GET / is allowed, ‸')
    assert "is" in labels('test "t" {\n  web -> api GET / ‸')


def test_headers_that_the_program_speaks_of() -> None:
    assert labels('allow web -> api : GET / if header "‸') == ["x-csrf"]
    assert labels('allow web -> api : GET / if query "‸') == []
    assert labels('test "‸') == []


def test_codes_in_a_comment_that_suppresses() -> None:
    found, document = complete("# meshc: ignore[MSH3‸] because\n")
    assert "MSH304" in [item.label for item in found.items]
    start, end = document.offset(found.range.start), document.offset(found.range.end)
    assert document.source.text[start:end] == "MSH3"
    assert "MSH304" in labels("# meshc: ignore[‸")
    assert labels("# meshc: ignore[MSH304] ‸") == []
    assert labels("# al‸") == []


def test_other_names() -> None:
    text = SHOP + "template webapp(name) { service name { port: 80/http } }\nlet slow = 4s\n"
    assert labels("use ‸", text) == ["webapp"]
    assert {"slow", "web"} <= set(labels("use webapp(‸", text))
    assert {"mesh", "web", "api"} <= set(labels("defaults ‸"))
    assert set(labels("route ‸")) >= NAMES
    assert NAMES | {"where"} <= set(labels("group g = [‸"))


def test_what_is_written_is_replaced() -> None:
    found, document = complete("allow we‸ -> api : GET /\n")
    start, end = document.offset(found.range.start), document.offset(found.range.end)
    assert document.source.text[start:end] == "we"


def test_snippets_are_programs_when_their_places_are_filled() -> None:
    import re

    text = SHOP
    for word in ("service", "external", "allow", "edge", "limit", "defaults"):
        snippet = STATEMENTS[word].snippet
        filled = re.sub(
            r"\$\{\d+\|([^,|]+)[^}]*\}|\$\{\d+:([^}]*)\}|\$\d", lambda found: found[1] or found[2] or "", snippet
        )
        for placeholder, name in (("caller", "web"), ("callee", "api"), ("/**", "/x")):
            filled = filled.replace(placeholder, name)
        result = compile_program(("a.mesh",), MemoryReader({"a.mesh": text + filled.replace("name", "other") + "\n"}))
        assert [one for one in result.diagnostics if one.code.id.startswith(("MSH0", "MSH1", "MSH2"))] == [], filled


BLOCKS = {
    "mesh": 'mesh m {{ trust-domain: "m.example", {} }}\n',
    "mesh.ingress": 'mesh m {{ trust-domain: "m.example", ingress {{ {} }} }}\n',
    "mesh.certificates": 'mesh m {{ trust-domain: "m.example", certificates {{ {} }} }}\n',
    "service": "service x {{ {} }}\n",
    "service.health": "service x {{ port: 80/http, health {{ {} }} }}\n",
    "external": "external x {{ {} }}\n",
    "external.tls": 'external x {{ hosts: ["a.example"], port: 443/tls, tls {{ {} }} }}\n',
    "jwt": "jwt x {{ {} }}\n",
    "settings": "defaults mesh {{ {} }}\n",
    "settings.retry": "defaults mesh {{ retry {{ {} }} }}\n",
    "settings.breaker": "defaults mesh {{ breaker {{ {} }} }}\n",
    "settings.balance": "defaults mesh {{ balance {{ {} }} }}\n",
    "settings.telemetry": "defaults mesh {{ telemetry {{ {} }} }}\n",
    "fault": "fault x on web -> api {{ {} }}\n",
    "slo": "slo api {{ {} }}\n",
}


def messages(block: str, entry: str) -> list[str]:
    text = BLOCKS[block].format(entry)
    program = text if block.startswith("mesh") else SHOP + text
    result = compile_program(("a.mesh",), MemoryReader({"a.mesh": program}))
    return [f"{one.code.id} {one.message} {one.help}" for one in result.diagnostics]


@pytest.mark.parametrize(("block", "field"), [(block, field) for block in BLOCKS for field in FIELDS[block]])
def test_every_field_that_is_offered_is_one(block: str, field: str) -> None:
    told = messages(block, FIELDS[block][field].form)
    assert [line for line in told if f"has no field `{field}`" in line or "not part of this version" in line] == []


@pytest.mark.parametrize("block", BLOCKS)
def test_every_field_that_there_is_is_offered(block: str) -> None:
    (told,) = [line for line in messages(block, "zzzzzzzz: 1") if "has no field `zzzzzzzz`" in line]
    known = [name for name in told.split("`")[1::2] if name not in ("zzzzzzzz",) and " " not in name]
    assert known
    offered = set(FIELDS[block]) | {"x", "m", "api", block.rpartition(".")[2], "web", "defaults mesh"}
    assert set(known) <= offered
    if "others" not in told and " others" not in told:
        assert set(FIELDS[block]) <= set(known)


@pytest.mark.parametrize(
    ("field", "word"), [(field, word) for field, words in WORDS_OF_FIELDS.items() for word in words]
)
def test_every_word_that_is_offered_may_stand_there(field: str, word: str) -> None:
    block, _, name = field.rpartition(".")
    entry = f"{name}: [{word}]" if name in ("on", "propagation") else f"{name}: {word}"
    told = messages(block, entry + (', header: "x"' if word == "ring-hash" else ""))
    assert [line for line in told if line.startswith(("MSH20", "MSH23", "MSH22")) and f"`{word}`" in line] == []
