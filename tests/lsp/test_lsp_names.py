"""Every kind of name: where it is declared and used, and that a program under other names is the same program."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshc.lsp.analysis.document import Cursor, Document
from meshc.lsp.analysis.navigation import RefusedError, definitions, references, rename
from meshc.lsp.analysis.program import ProgramView
from meshc.lsp.analysis.symbol import Key, NameKind, Role, occurrences
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all
from meshc_lang.diagnostic import has_errors

ROOT = Path(__file__).resolve().parents[2]

TEXT = """\
edition 2026
mesh shop { trust-domain: "shop.example" }
service web { ports { public: 8080/http, admin: 9000/http } }
service api { port: 8080/http, versions: [v1, "v2"] }
external pay { hosts: ["pay.example"], port: 443/tls }
group readers = [web, ingress]
jwt corp { issuer: "https://id.example", audiences: ["shop"], jwks: "https://id.example/k.json" }
let slow = 4s
let base = /v1/orders/**
let fast = 500/s
template caller(name, way) {
  service name { port: 8080/http }
  allow name -> api : GET way
  edge name -> api { timeout: slow }
}
use caller(shopper, base)
allow readers -> api : GET base
allow ingress -> web.public : GET /
allow web -> pay : POST /x
edge web -> api { timeout: slow }
limit web -> api fast
route api {
  /v1/** => v1 90%, v2 10% as canary
  /v1/x => v2 as pinned over canary
}
mirror api GET /v1/** => v2 5%
fault late on web -> api { delay: slow }
slo api { availability: 99.9%, window: 30d }
overlay staging {
  set slow: 5s
  set api.route.canary: [50%, 50%]
  set api.replicas: 2
  drop fault.late
  allow web -> api : GET /staging
}
test "orders" {
  web -> api GET /v1/x is allowed, routed v2, by pinned
  shopper -> api GET /v1/orders/1 is allowed
}
"""


def marked(text: str) -> tuple[str, int]:
    return text.replace("‸", ""), text.index("‸")


def at(marker: str) -> tuple[ProgramView, Cursor]:
    """The cursor at the `‸` of a stretch of the program."""
    piece, inside = marked(marker)
    assert TEXT.count(piece) == 1, piece
    document = Document("shop.mesh", TEXT)
    cursor = document.cursor_at(TEXT.index(piece) + inside)
    assert cursor is not None
    return ProgramView({"shop.mesh": document}), cursor


def line_of(view: ProgramView, cursor: Cursor) -> list[str]:
    lines = TEXT.splitlines()
    return [lines[one.place.range.start.line].strip() for one in definitions(view, cursor)]


@pytest.mark.parametrize(
    ("marker", "line"),
    [
        ("timeout: sl‸ow }\n}", "let slow = 4s"),
        ("GET ba‸se\nallow ingress", "let base = /v1/orders/**"),
        ("web -> api fa‸st", "let fast = 500/s"),
        ("use cal‸ler(", "template caller(name, way) {"),
        ("GET w‸ay", "template caller(name, way) {"),
        ("allow na‸me -> api", "template caller(name, way) {"),
        ("(shopper, ba‸se)", "let base = /v1/orders/**"),
        ("-> web.pub‸lic", "service web { ports { public: 8080/http, admin: 9000/http } }"),
        ("v1 90%, v‸2 10%", 'service api { port: 8080/http, versions: [v1, "v2"] }'),
        ("over can‸ary", "/v1/** => v1 90%, v2 10% as canary"),
        ("by pin‸ned", "/v1/x => v2 as pinned over canary"),
        ("routed v‸2", 'service api { port: 8080/http, versions: [v1, "v2"] }'),
        ("=> v‸2 5%", 'service api { port: 8080/http, versions: [v1, "v2"] }'),
        ("set sl‸ow", "let slow = 4s"),
        ("route.can‸ary: [", "/v1/** => v1 90%, v2 10% as canary"),
        ("set a‸pi.replicas", 'service api { port: 8080/http, versions: [v1, "v2"] }'),
        ("fault.la‸te", "fault late on web -> api { delay: slow }"),
        ("slo a‸pi", 'service api { port: 8080/http, versions: [v1, "v2"] }'),
        ("sho‸pper -> api GET", "use caller(shopper, base)"),
        ("allow rea‸ders", "group readers = [web, ingress]"),
        ("web -> p‸ay", 'external pay { hosts: ["pay.example"], port: 443/tls }'),
    ],
)
def test_where_a_name_is_declared(marker: str, line: str) -> None:
    assert line_of(*at(marker)) == [line]


@pytest.mark.parametrize("marker", ["allow in‸gress ->", "mesh sh‸op", "edit‸ion", "GE‸T base\nallow", "avail‸ability"])
def test_words_are_no_names(marker: str) -> None:
    assert line_of(*at(marker)) == []


@pytest.mark.parametrize(
    ("marker", "count"),
    [("let sl‸ow", 5), ("let ba‸se", 3), ("group rea‸ders", 2), ("as can‸ary", 3), ("public: ‸8080", 0)],
)
def test_everywhere_that_it_is_used(marker: str, count: int) -> None:
    view, cursor = at(marker)
    assert len(references(view, cursor, with_declaration=True)) == count


def renamed(texts: dict[str, str], key: Key, new: str) -> dict[str, str]:
    view = ProgramView({name: Document(name, text) for name, text in texts.items()})
    site = next(site for site in view.sites(key) if site.occurrence.role is Role.DECLARED)
    cursor = site.document.cursor_at(site.base + site.occurrence.span.start)
    assert cursor is not None
    changed = dict(texts)
    for name, edits in rename(view, cursor, new):
        document = view.documents[name]
        text = changed[name]
        for edit in sorted(edits, key=lambda one: one.range, reverse=True):
            start, end = document.offset(edit.range.start), document.offset(edit.range.end)
            text = text[:start] + edit.text + text[end:]
        changed[name] = text
    return changed


def declared(texts: dict[str, str]) -> list[Key]:
    view = ProgramView({name: Document(name, text) for name, text in texts.items()})
    return sorted(
        {
            one.key
            for _, stretch, _ in view.stretches()
            for one in stretch.derived(occurrences)
            if one.role is Role.DECLARED
        },
        key=lambda key: (key.kind.value, key.owner, key.name),
    )


def findings(texts: dict[str, str]) -> list[str]:
    result = compile_all(tuple(texts), MemoryReader(texts))
    return [f"{one.code.id} {one.message}" for one in result.diagnostics if has_errors((one,))]


PROGRAMS = {
    "every kind": {"shop.mesh": TEXT},
    "boutique": {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "boutique").glob("*.mesh")
    },
    "shop": {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "shop").glob("*.mesh")},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_under_other_names_has_no_new_errors(name: str) -> None:
    texts = PROGRAMS[name]
    before = findings(texts)
    assert before == []
    keys = declared(texts)
    assert {key.kind for key in keys} >= {NameKind.PEER}
    if name == "every kind":
        assert {key.kind for key in keys} == set(NameKind)
    for key in keys:
        changed = renamed(texts, key, f"{key.name}-x")
        assert changed != texts
        assert findings(changed) == [], key


def test_names_that_an_overlay_could_not_tell_apart() -> None:
    with pytest.raises(RefusedError, match="already"):
        renamed({"shop.mesh": TEXT}, Key(NameKind.VALUE, "slow"), "api")
    with pytest.raises(RefusedError, match="already"):
        renamed({"shop.mesh": TEXT}, Key(NameKind.RULE, "canary", "api"), "pinned")
    assert renamed({"shop.mesh": TEXT}, Key(NameKind.VERSION, "v1", "api"), "web") != {"shop.mesh": TEXT}
