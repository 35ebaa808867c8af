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
