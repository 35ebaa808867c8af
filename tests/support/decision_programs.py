"""Programs with every kind of predicate, and requests at their boundaries, made up from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote_plus

from meshc_compiler.ir.match import AttributeKind
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_lang.request import PLAINTEXT, Request

STRANGER = "spiffe://made.example/ns/x/sa/stranger"
CALLERS = ("web", "job", "ingress", "any", "both", f'"{STRANGER}"', PLAINTEXT)
METHODS = ("GET", "POST", "DELETE", "TRACE")
_LITERALS = ("a", "b", "admin", "v1", "7", "x.y", "q-1", "A")
_KINDS = ("*", "{id}", "{id:int}", "{id:uuid}", "{id:slug}")
_UUID = "6FA459EA-ee8a-3ca4-894e-db77e160355e"
_SEGMENTS = (*_LITERALS, _UUID, "007", "x_y", "%3A")
_PATH_EXPRESSIONS = ("/a/[0-9]+", "/(a|b)/.*", "/[^/]+", "/v1.*", "(/7)*", "/admin/[a-m]+", "/[a-z0-9-]+/x[.]y")
_VALUES = ("1", "2", "12", "x", "x y", "beta-9")
_OTHER_VALUES = (*_VALUES, "", "7", "xx", "beta-", "0")
_EXPRESSIONS = ("[0-9]+", "1|2", ".*", "x.*", "[^0-9]*", "beta-[0-9]", r"\w+", r"\W+", "x( y)?")
_HEADERS = ("x-one", "x-two")
_NAMES = ("a", "role")


def decision_program(seed: int) -> str:
    """Return the text of a program; the same seed gives the same text. It can be lowered, and may be foolish."""
    chance = random.Random(seed)
    lines = [
        "edition 2026",
        'mesh made { trust-domain: "made.example" }',
        "service web {}",
        "service job {}",
        f"service api {{ port: 80/http{', mtls: permissive' if chance.random() < 0.5 else ''} }}",
        "service calls { port: 90/grpc }",
        "service db { port: 91/tcp }",
        "group both = web | job",
    ]
    if chance.random() < 0.7:
        lines.append('jwt corp { issuer: "https://id.example", audiences: any, jwks: "keys.json" }')
    for _ in range(chance.randint(2, 7)):
        lines.append(f"allow {_caller(chance)} -> api : {_grant(chance)}{_guard(chance)}")
    for _ in range(chance.randint(0, 4)):
        unless = f" unless {_condition(chance, 1)}" if chance.random() < 0.3 else ""
        lines.append(f"deny {_caller(chance)} -> api : {_grant(chance)}{_guard(chance)}{unless}")
    for effect in ("allow", "allow", "deny"):
        rpc = f"rpc shop.Carts/{chance.choice(('Get', 'Add', '*'))}"
        lines.append(f"{effect} {chance.choice(CALLERS[:5])} -> calls : {rpc}{_guard(chance)}")
        if chance.random() < 0.7:
            lines.append(f"{effect} {chance.choice(CALLERS[:5])} -> db : tcp")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _caller(chance: random.Random) -> str:
    return chance.choice(CALLERS)


def _grant(chance: random.Random) -> str:
    methods = "|".join(sorted(chance.sample(METHODS, chance.randint(1, 3)))) if chance.random() < 0.6 else ""
    if chance.random() < 0.15:
        return f'{methods} ~"{chance.choice(_PATH_EXPRESSIONS)}"'.strip()
    length = chance.choice((0, 1, 1, 2, 2, 3))
    segments = [chance.choice(_LITERALS) if chance.random() < 0.6 else chance.choice(_KINDS) for _ in range(length)]
    if chance.random() < 0.4:
        segments.append("**")
    return f"{methods} /{'/'.join(segments)}".strip()


def _guard(chance: random.Random) -> str:
    return f" if {_condition(chance, 2)}" if chance.random() < 0.5 else ""


def _condition(chance: random.Random, depth: int) -> str:
    roll = chance.random()
    if depth and roll < 0.25:
        return f"({_condition(chance, depth - 1)} and {_condition(chance, depth - 1)})"
    if depth and roll < 0.45:
        return f"({_condition(chance, depth - 1)} or {_condition(chance, depth - 1)})"
    if depth and roll < 0.6:
        return f"not {_condition(chance, depth - 1)}"
    if roll < 0.67:
        return f"from {chance.choice(CALLERS)}"
    kind = chance.choice(("header", "header", "query", "cookie", "claim"))
    name = f'{kind} "{chance.choice(_HEADERS if kind == "header" else _NAMES)}"'
    # A cookie holds no space; an expression may ask for one all the same.
    values = [f'"{one}"' for one in _VALUES if kind != "cookie" or " " not in one]
    match chance.randrange(5):
        case 0:
            return f"{name} present"
        case 1:
            return f"{name} == {chance.choice(values)}"
        case 2:
            return f"{name} != {chance.choice(values)}"
        case 3:
            return f"{name} in [{', '.join(sorted(chance.sample(values, 2)))}]"
        case _:
            return f'{name} ~ "{chance.choice(_EXPRESSIONS)}"'


def requests_at(space: CalleeSpace, count: int, seed: int) -> Iterator[Request]:
    """Yield so many requests to a port: half of them with paths of the space's atoms and values that rules ask for."""
    chance = random.Random(seed)
    paths = () if space.space is None else space.space.paths
    callers = ("web", "job", "ingress", STRANGER, PLAINTEXT)
    http = space.port.protocol.is_http
    for number in range(count):
        path = chance.choice(paths) if number % 2 and paths else _path(chance)
        values = _VALUES if number % 2 else _OTHER_VALUES
        headers = [
            (chance.choice((name, name.upper())), ", ".join(_some(chance, values) or [""]))
            for name in _some(chance, _HEADERS)
        ]
        borne = {kind: [(name, chance.choice(values)) for name in _some(chance, _NAMES)] for kind in AttributeKind}
        if cookies := borne[AttributeKind.COOKIE]:
            headers.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies)))
        parameters = borne[AttributeKind.QUERY]
        yield Request(
            caller=chance.choice(callers),
            callee=space.callee,
            protocol="http" if http else "tcp",
            method=chance.choice((*METHODS, "HEAD", "PURGE")) if http else "GET",
            path=path if http else "/",
            query="&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters) if http else "",
            headers=tuple(headers) if http else (),
            claims=tuple(borne[AttributeKind.CLAIM]) if http else (),
        )


def _some(chance: random.Random, choices: tuple[str, ...]) -> list[str]:
    """Return none of the choices as often as one, and sometimes two."""
    return chance.sample(choices, chance.choice((0, 1, 1, 2)))


def _path(chance: random.Random) -> str:
    path = "/" + "/".join(chance.choice(_SEGMENTS) for _ in range(chance.randint(0, 4)))
    return path + chance.choice(("", "", "", "/", "/../a", "//b", "/./"))
