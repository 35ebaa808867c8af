"""What a service says of itself is held against what is said about its calls; of silence nothing is found."""

from __future__ import annotations

import pytest

from meshc_compiler.evaluate import evaluate
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program


def told(service: str, rest: str) -> list[str]:
    text = f'mesh shop {{ trust-domain: "shop.corp.example" }}\nservice web {{}}\nservice api {{ {service} }}\n{rest}\n'
    result = compile_program(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert result.index is not None, [one.message for one in result.diagnostics]
    for one in result.diagnostics:
        if one.witness is not None:
            assert evaluate(result.index, one.witness).allowed
    return [f"{one.code.id} {one.message}" + (f" [{one.witness}]" if one.witness else "") for one in result.diagnostics]


BREAKER = "allow web -> api : GET /**\ndefaults api { breaker { consecutive-5xx: 5, max-ejected: 34% } }"
LIMIT = "allow web -> api : GET /**\nlimit web -> api 600/m burst 100"
DENY = "allow web -> api : GET /**\ndeny any -> api : /admin/{id:int}/**"


@pytest.mark.parametrize(
    ("service", "rest", "expected"),
    [
        ("port: 80/http", BREAKER, []),
        ("port: 80/http, replicas: 3", BREAKER, []),
        (
            "port: 80/http, replicas: 2",
            BREAKER,
            ["MSH509 34% of the 2 instances of `api` is none, so none is ever ejected"],
        ),
        (
            "port: 80/http, replicas: 1",
            "allow web -> api : GET /**\nedge web -> api { breaker { consecutive-5xx: 5, max-ejected: 99% } }",
            ["MSH509 99% of the 1 instance of `api` is none, so none is ever ejected"],
        ),
        ("port: 80/http, capacity: 10/s", LIMIT, []),
        (
            "port: 80/http, capacity: 9/s",
            LIMIT,
            ["MSH510 a limit of 600/m never protects `api`, whose instances carry 9/s"],
        ),
        ("port: 80/http", DENY, []),
        ("port: 80/http, folds: [case, parameters]", "allow web -> api : GET /orders/**", []),
        (
            "port: 80/http, folds: [case]",
            DENY,
            ["MSH308 `api` reads `/ADMIN/7` as a path that this denies: it takes no heed of the case of letters "
             "[web -> api GET /ADMIN/7]"],
        ),
        (
            "port: 80/http, folds: [parameters]",
            DENY,
            ["MSH308 `api` reads `/admin;x/7` as a path that this denies: it cuts off what stands behind a `;` in a "
             "segment [web -> api GET /admin;x/7]"],
        ),
        # Every spelling is denied by the expression, so nobody slips by.
        (
            "port: 80/http, folds: [case]",
            'allow web -> api : GET /**\ndeny any -> api : ~"/[aA][dD][mM][iI][nN](/.*)?"',
            [],
        ),
    ],
)  # fmt: skip
def test_a_service_is_held_to_its_word(service: str, rest: str, expected: list[str]) -> None:
    assert told(service, rest) == expected


def test_what_a_service_says_of_itself_is_read_with_its_unit() -> None:
    text = 'mesh m { trust-domain: "shop.corp.example" }\nservice api { port: 80/http, capacity: 5, folds: [cases] }\n'
    found = compile_program(("p.mesh",), MemoryReader({"p.mesh": text})).diagnostics
    assert [one.message for one in found] == [
        "`capacity` needs a unit, for example `5/s`",
        "nothing is folded by `cases`",
    ]
