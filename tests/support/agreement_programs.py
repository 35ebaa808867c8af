"""Programs made up from a seed: a few services, and every kind of rule and route that an HTTP mesh has."""

from __future__ import annotations

import random
from collections.abc import Sequence

_LITERALS = ("a", "b", "admin", "v1", "items", "x.y", "q-1", "A")
_KINDS = ("*", "{id}", "{id:int}", "{id:uuid}", "{id:slug}")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")
_HEADERS = ("x-a", "x-b", "x-c")
_VALUES = ("v", "w", "yes", "two words", "a.b*", "1")
_REGEXES = ("/(a|b)[0-9]+", "/files/.*[.]txt")
_CALLERS = ("web", "batch", "ingress", "any", "pair")
_CALLEES = ("api", "store")
_VERSIONED = "api"


def generated_program(seed: int) -> str:
    """Return the text of a program; the same seed gives the same text. It may be refused, as ambiguous or useless."""
    chance = random.Random(seed)
    lines = [
        "edition 2026",
        f"## Made from seed {seed}.",
        'mesh made { trust-domain: "made.example" }',
        "service web { port: 8080/http }",
        "service batch { namespace: jobs }",
        "service api { port: 8080/http, versions: [v1, v2] }",
        "service store { port: 9090/http, namespace: data }",
        "group pair = [web, batch]",
    ]
    callees = [*_CALLEES]
    if chance.random() < 0.5:
        lines.append('external out { hosts: ["out.example.org"], port: 80/http }')
        callees.append("out")
    for callee in callees:
        for _ in range(chance.randint(2, 5)):
            lines.append(f"allow {chance.choice(_CALLERS)} -> {callee} : {_grants(chance)}{_guard(chance, ' if ')}")
        for _ in range(chance.randint(0, 3)):
            lines.append(f"deny {chance.choice(_CALLERS)} -> {callee} : {_grants(chance)}{_guard(chance, ' unless ')}")
    lines += _route(chance)
    return "\n".join(lines) + "\n"


def _route(chance: random.Random) -> Sequence[str]:
    """Return routes that are nested in one another, so that one of two that match is always the more specific."""
    if chance.random() < 0.2:
        return ()
    path = ""
    rules = []
    for depth in range(chance.randint(1, 4)):
        name, target = f"r{depth}", chance.choice(("v1", "v2", "api", "v1 50%, v2 50%"))
        rules.append(f"  {path}/** => {target} as {name}")
        path += "/" + chance.choice(_LITERALS)
    if chance.random() < 0.6:
        rules.append(f"  GET {path}/** if {_condition(chance, 2)} => v2 as last")
    return (f"route {_VERSIONED} {{", *rules, "}")


def _grants(chance: random.Random) -> str:
    return ", ".join(_grant(chance) for _ in range(chance.randint(1, 2)))


def _grant(chance: random.Random) -> str:
    methods = "|".join(sorted(chance.sample(_METHODS, chance.randint(1, 3)))) if chance.random() < 0.7 else ""
    return f"{methods} {_path(chance)}".strip()


def _path(chance: random.Random) -> str:
    if chance.random() < 0.1:
        return f'~"{chance.choice(_REGEXES)}"'
    length = chance.choice((0, 1, 1, 2, 2, 3))
    segments = [chance.choice(_LITERALS) if chance.random() < 0.65 else chance.choice(_KINDS) for _ in range(length)]
    if chance.random() < 0.35:
        segments.append("**")
    return "/" + "/".join(segments)


def _guard(chance: random.Random, word: str) -> str:
    return word + _condition(chance, 2) if chance.random() < 0.45 else ""


def _condition(chance: random.Random, depth: int) -> str:
    if depth and chance.random() < 0.45:
        join = chance.choice((" and ", " or "))
        inner = join.join(_condition(chance, depth - 1) for _ in range(2))
        return f"not ({inner})" if chance.random() < 0.3 else f"({inner})"
    header = f'header "{chance.choice(_HEADERS)}"'
    match chance.randrange(5):
        case 0:
            return f"{header} present"
        case 1:
            return f"not {header} present"
        case 2:
            return f'{header} != "{chance.choice(_VALUES)}"'
        case 3:
            first, second = chance.sample(_VALUES, 2)
            return f'{header} in ["{first}", "{second}"]'
        case _:
            return f'{header} == "{chance.choice(_VALUES)}"'
