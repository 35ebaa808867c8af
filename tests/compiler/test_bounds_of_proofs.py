"""What goes beyond a bound is told with the port, the question and the number or expression; the rest is decided."""

from __future__ import annotations

import pytest

from meshc_compiler.ir.match import AllOf, AnyOf, HeaderOneOf, RequestMatch
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_compiler.space import diagram
from meshc_compiler.space.request_space import Nothing, Undecided, Witness, build_space
from support.request_strategies import VALUES

HEAD = """
mesh shop { trust-domain: "shop.example" }
service web {}
service job {}
service api { ports { pages: 80/http, admin: 81/http } }
"""


def told(text: str) -> list[str]:
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    return [f"{one.code.id} {one.message}" for one in result.diagnostics]


def test_templates_that_cross_each_other_without_end_are_told_of() -> None:
    crossing = ["/" + "/".join("a" if at == own else "*" for at in range(16)) for own in range(16)]
    text = "".join(f"allow web -> api.pages : GET {path}\n" for path in crossing)
    text += "allow web -> api.admin : GET /a\nallow web -> api.admin : GET /a/**\n"
    why = "its paths take more than 20,000 states to tell apart"
    assert told(text) == [
        f"MSH399 it could not be decided of 16 grants to `api.pages` whether others allow all of it: {why}",
        "MSH302 other grants to `api` allow all that this one allows",
    ]


def test_each_question_that_is_left_open_is_named() -> None:
    text = 'allow web -> api.pages : GET ~"/x/(a|b)*a(a|b){20}"\n'
    text += 'allow any -> api.pages : GET ~"/x/(a|b){19}[ab](a|b)*"\n'
    text += 'deny job -> api.pages : GET ~"/x/(a|b)*b(a|b){20}"\n'
    found = told(text)
    assert [one for one in found if not one.startswith("MSH399")] == []
    assert len(found) == 1
    assert "`api.pages`" in found[0]
    assert '`~"/x/(a|b)*a(a|b){20}"`' in found[0]


ONE, OTHER = '~"/x/(a|b)*a(a|b){14}"', '~"/x/(a|b)*b(a|b){14}"'
"""Two expressions of which it takes too many states to tell whether a path fits both."""

CROSSING = "".join(
    f"  GET /{'/'.join('a' if at == own else '*' for at in range(16))} => v1 as r{own}"
    + (f" over {', '.join(f'r{other}' for other in range(own))}" if own else "")
    + "\n"
    for own in range(16)
)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            f"service old {{ port: 80/http, mtls: permissive }}\nallow plaintext -> old : GET {ONE}\n"
            f'deny any -> old : GET {OTHER} because "x"\n',
            "of this grant to `old` whether calls without an identity pass all the same",
        ),
        (
            f"service old {{ port: 80/http, mtls: permissive }}\nallow plaintext -> old : GET {ONE}\n"
            f"assert never any -> old : GET {OTHER}\n",
            "whether `never any -> old : GET ",
        ),
        (
            f"service old {{ port: 80/http, folds: [case] }}\nallow web -> old : GET {ONE}\n"
            f'deny web -> old : GET {OTHER} because "x"\n',
            "of this grant to `old` whether another spelling of a path passes",
        ),
        (
            'jwt staff { issuer: "https://id.example", jwks: "https://id.example/keys", audiences: ["shop"] }\n'
            f'allow web -> api.pages : GET {ONE} if claim "role" != "guest"\n'
            f'deny web -> api.pages : GET {ONE[:-1]}?"\n',
            "whether requests without a token are allowed",
        ),
        (
            f"service old {{ port: 80/http, versions: [v1, v2] }}\nallow web -> old : POST {ONE}\n"
            f"mirror old POST {OTHER} => v2\n",
            "of this mirror of `old` whether a request that changes something is copied",
        ),
        (
            f"service old {{ port: 80/http, versions: [v1] }}\nallow web -> old : POST {ONE}\n"
            f"route old {{ POST {OTHER} => v1 {{ retry {{ limit: 1, on: [reset] }} }} }}\n",
            "of this setting of `old` whether a request that need not be idempotent is tried again",
        ),
        (
            f"service old {{ port: 80/http, versions: [v1] }}\nallow web -> old : GET {ONE}\n"
            "allow old -> api.pages : GET /a\nedge web -> old { timeout: 1s }\nedge old -> api { timeout: 3s }\n"
            f"route old {{ GET {OTHER} => v1 {{ timeout: 9s }} }}\n",
            "of this setting of `api.pages` whether all who call the caller give up before",
        ),
        (
            "service old { port: 80/http, versions: [v1] }\nallow web -> old : GET /a\n"
            f'route old {{ GET {ONE} => v1 as rule\n  GET ~"/x/(a|b)*(a|b){{15}}" => v1 over rule }}\n',
            "whether any request reaches this rule of `old`",
        ),
        (
            f"service old {{ port: 80/http, versions: [v1] }}\nallow web -> old : GET /a\nroute old {{\n{CROSSING}}}\n",
            "whether any request reaches this rule of `old`: its paths take more than 20,000 states to tell apart",
        ),
    ],
)
def test_what_any_check_leaves_open_is_told(text: str, finding: str) -> None:
    found = told(text)
    assert [one for one in found if one.startswith("MSH399") and finding in one], found


def test_what_is_left_open_is_no_finding_of_the_check_itself() -> None:
    text = f"service old {{ port: 80/http, versions: [v1, v2] }}\nallow web -> old : POST {ONE}\n"
    found = told(text + f"mirror old POST {OTHER} => v2\n")
    assert not [one for one in found if one.startswith("MSH504")]


def test_a_set_that_grows_beyond_its_bound_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    one = RequestMatch(condition=AllOf(tuple(HeaderOneOf(f"h{number}", VALUES) for number in range(12))))
    other = RequestMatch(condition=AnyOf(tuple(HeaderOneOf(f"h{number}", VALUES[:1]) for number in range(12))))
    space = build_space((one, other))
    assert space is not None
    assert isinstance(space.example(space.boxes(one)), Witness)
    assert isinstance(space.escape(space.boxes(one), space.boxes(one)), Nothing)
    assert space.doubts == ()
    monkeypatch.setattr(diagram, "MOST_NODES", 10)
    space = build_space((one, other))
    assert space is not None
    assert isinstance(space.example(space.intersection(space.boxes(one), space.boxes(other))), Undecided)
    assert [doubt for doubt in space.doubts if "nodes" in doubt]


def test_many_rules_of_one_callee_are_decided() -> None:
    guards = (
        'header "role" == "a"',
        'header "role" in ["a", "b"]',
        'not header "debug" present',
        'query "n" ~ "[0-9]+"',
    )
    tails = ("", "/**", "/{id:int}", "/{id:uuid}/lines", "/*", "/7")
    text = ""
    for number in range(300):
        effect, caller = ("deny", "job") if number % 7 == 0 else ("allow", ("web", "job", "any")[number % 3])
        path = f"/v{number % 2}/{'abcde'[number % 5]}{tails[number * 5 % 6]}"
        text += f"{effect} {caller} -> api.pages : GET {path} if {guards[number // 7 % 4]}\n"
    assert [one for one in told(text) if one.startswith("MSH399")] == []


def test_without_proofs_a_program_can_be_asked_about_and_not_be_built() -> None:
    text = HEAD + "allow web -> api.pages : GET /a\nassert never web -> api.pages : GET /a\n"
    whole = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    lowered = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}), proofs=False)
    assert "MSH310" in [one.code.id for one in whole.diagnostics]
    assert lowered.mesh == whole.mesh
    assert lowered.diagnostics == ()
    assert not lowered.buildable
    wrong = text.replace("allow web", "allow wbe")
    assert compile_program(("p.mesh",), MemoryReader({"p.mesh": wrong}), proofs=False).index is None
