"""Names in great numbers: what is told of them stays right, and short."""

from __future__ import annotations

from meshc_compiler.ir.caller import TheseCallers
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all, compile_program
from meshc_compiler.resolve.symbol import MOST_COMPARED
from meshc_lang.diagnostic import Diagnostic

HEAD = 'mesh m { trust-domain: "m.example" }\n'
MANY = 3_000


def told(text: str) -> tuple[Diagnostic, ...]:
    return compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text})).diagnostics


def test_groups_may_name_each_other_in_a_row_of_any_length() -> None:
    rows = "".join(f"group g{number} = g{number + 1}\n" for number in range(MANY))
    text = f"service web {{}}\nservice api {{ port: 80/http }}\n{rows}group g{MANY} = [web]\nallow g0 -> api : GET /x\n"
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": HEAD + text}))
    assert [str(one.code) for one in result.diagnostics] == []
    assert result.index is not None
    (rule,) = result.index.mesh.rules
    assert isinstance(rule.callers, TheseCallers)
    assert [str(identity) for identity in rule.callers.ids] == ["spiffe://m.example/ns/default/sa/web"]


def test_a_circle_of_any_length_is_told_once_and_in_short() -> None:
    rows = "".join(f"group g{number} = g{(number + 1) % MANY} | web\n" for number in range(MANY))
    (found,) = told(f"service web {{}}\n{rows}")
    assert found.code.name == "group-cycle"
    assert found.message.startswith("the group `g0` contains itself: `g0` -> `g1` -> ")
    assert found.message.endswith(" -> … -> `g0`")
    assert len(found.message) < 200


def test_each_circle_is_told_and_what_else_is_wrong_in_it() -> None:
    found = told("service web {}\ngroup a = b | nobody\ngroup b = a\ngroup c = [c, web]\ngroup d = a | c\n")
    assert [(one.code.name, one.primary.text) for one in found] == [
        ("group-cycle", "a"),
        ("unknown-name", "nobody"),
        ("group-cycle", "c"),
    ]


def test_of_many_unknown_names_some_are_told_with_what_they_may_mean() -> None:
    services = "".join(f"service web{number} {{}}\n" for number in range(200))
    allows = "".join(f"allow wbe{number} -> web0 : GET /{number}\n" for number in range(MOST_COMPARED + 50))
    found = [one for one in told(services + allows) if one.code.name == "unknown-name"]
    assert len(found) == MOST_COMPARED + 50
    assert sum(one.help.startswith("did you mean") for one in found) == MOST_COMPARED


def test_items_of_an_overlay_contradict_what_touches_the_whole_of_theirs() -> None:
    items = " set a.namespace: x\n set a.namespace: y\n set a.labels.t: z\n drop a.labels\n"
    text = f"{HEAD}service a {{}}\noverlay o {{\n{items}}}\n"
    found = compile_all(("p.mesh",), MemoryReader({"p.mesh": text})).diagnostics
    assert [one.message for one in found if one.code.name == "overlay-contradiction"] == [
        "two items of the overlay `o` touch `a.namespace`",
        "the overlay `o` touches `a.labels.t` and the whole of `a.labels`",
    ]
