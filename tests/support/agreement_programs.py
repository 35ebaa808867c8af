"""Programs made up from a seed: a few workloads with many ports, and on each port rules of its own.

A proxy is started for each workload, and that takes longer than thousands of questions: so a program is big. Each port
has every kind of statement that its voices carry with some probability; what the compiler refuses, as ambiguous or
useless, is left out port by port.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import Enum

from meshc_compiler.ir.mesh import MeshIndex
from support.agreement_stage import compiled_text

_LITERALS = ("a", "b", "admin", "v1", "items", "x.y", "q-1", "A", "7", "%3A", "@me")
_KINDS = ("*", "{id}", "{id:int}", "{id:uuid}", "{id:slug}")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
_HEADERS = ("x-a", "x-b", "x-c")
_VALUES = ("v", "w", "yes", "two words", "a.b*", "1")
_REGEXES = ("/(a|b)[0-9]+", "/files/.*[.]txt", "/[^/]+", "/v1.*", "/a/[a-m]+/.*", "/(x|y)*/z?")
_CALLERS = ("web", "batch", "ingress", "any", "pair", "web | ingress", '"spiffe://made.example/ns/jobs/sa/batch"')
_RETRIED = ("s503", "gateway-error", "5xx", "reset", "s429")
_RPCS = ("shop.Carts/Get", "shop.Carts/Get|Add", "shop.Carts/*", "shop.Bills/Pay", "a.b.C/D")


class Asks(Enum):
    """What a made up program asks of its proxies."""

    OF_BOTH = "what both proxies carry"
    OF_ENVOY = "also what Envoy alone carries"


class Size(Enum):
    """How many ports of each kind a program has: versioned, plain, for gRPC."""

    USUAL = (10, 5, 2)
    SMALL = (2, 1, 1)


def generated_program(seed: int, asks: Asks = Asks.OF_BOTH, size: Size = Size.USUAL) -> tuple[str, MeshIndex]:
    """Return a program that compiles, as text and as a mesh; the same seed gives the same one."""
    chance = random.Random(f"{seed} {asks}")
    versioned, plain, rpcs = size.value
    ports = [f"api.p{number}" for number in range(versioned)] + [f"store.q{number}" for number in range(plain)]
    calls = [f"store.g{number}" for number in range(rpcs)]
    head = [
        "edition 2026",
        f"## Made from seed {seed}.",
        'mesh made { trust-domain: "made.example" }',
        "service web { port: 8080/http }",
        "service batch { namespace: jobs }",
        f"service api {{ ports {{ {_ports(ports, 'api', 8000)} }}, versions: [v1, v2] }}",
        f"service store {{ ports {{ {_ports(ports + calls, 'store', 9000)} }}, namespace: data }}",
        'external out { hosts: ["out.example.org", "second.example.org"], port: 80/http }',
        "group pair = [web, batch]",
        *_of_all(chance, asks),
    ]
    lines = list(head)
    for callee in (*ports, *calls, "out"):
        makers = _rpc_port(chance, callee) if callee in calls else _port(chance, callee, asks)
        kept: list[str] = []
        for statements in makers:
            if compiled_text("\n".join((*head, *kept, *statements)) + "\n") is not None:
                kept += statements
        lines += kept
    text = "\n".join(lines) + "\n"
    index = compiled_text(text)
    assert index is not None, f"each part of it compiles:\n{text}"
    return text, index


def _ports(callees: Sequence[str], service: str, first: int) -> str:
    names = [name for owner, name in (callee.split(".") for callee in callees) if owner == service]
    return ", ".join(
        f"{name}: {first + number}/{'grpc' if name[0] == 'g' else 'http'}" for number, name in enumerate(names)
    )


def _of_all(chance: random.Random, asks: Asks) -> Iterator[str]:
    settings = ["timeout: 9s"]
    if chance.random() < 0.5:
        settings.append("connect-timeout: 4s")
    if asks is Asks.OF_ENVOY:
        settings += [
            "idle-timeout: 50s",
            "breaker { max-connections: 900, max-requests: 900, consecutive-5xx: 10000 }",
            f"balance: {chance.choice(('random', 'least-request', 'round-robin'))}",
        ]
    yield f"defaults mesh {{ {', '.join(settings)} }}"


# ---- one port


def _port(chance: random.Random, callee: str, asks: Asks) -> Iterator[list[str]]:
    """Yield groups of statements about a port, each of which stands or falls with what is before it."""
    for _ in range(chance.randint(2, 5)):
        yield [f"allow {chance.choice(_CALLERS)} -> {callee} : {_grants(chance)}{_guard(chance, ' if ')}"]
    for _ in range(chance.randint(0, 3)):
        exception = f" unless {_condition(chance, 2)}" if chance.random() < 0.4 else ""
        yield [f"deny {chance.choice(_CALLERS)} -> {callee} : {_grants(chance)}{_guard(chance, ' if ')}{exception}"]
    only_envoy = asks is Asks.OF_ENVOY
    if chance.random() < 0.8:
        yield _route(chance, callee, only_envoy)
    if chance.random() < 0.5:
        yield [f"edge {chance.choice(('web', 'batch', 'ingress'))} -> {callee} {{ {_settings(chance, only_envoy)} }}"]
    elif callee.startswith("store") and chance.random() < 0.7:
        key = f' per header "{chance.choice(_HEADERS)}"' if chance.random() < 0.6 else ""
        yield [f"limit {chance.choice(('web', 'pair', 'any'))} -> {callee} 2/h burst {chance.randint(2, 9)}{key}"]
    elif only_envoy and chance.random() < 0.4:
        name = callee.replace(".", "-")
        mishap = chance.choice(("delay: 30ms", "abort: 503", "abort: 418", "delay: 20ms, abort: 500"))
        yield [f"fault {name} on {chance.choice(('web', 'pair', 'any'))} -> {callee} {{ {mishap}, percent: 100% }}"]
    elif only_envoy and callee.startswith("api") and chance.random() < 0.7:
        which = chance.choice(("/**", "GET /**", _grant(chance))) + _guard(chance, " if ")
        yield [f"mirror {callee} {which} => {chance.choice(('v1', 'v2'))} 100%"]


def _rpc_port(chance: random.Random, callee: str) -> Iterator[list[str]]:
    for effect in ("allow", "allow", "allow", "deny"):
        guard = _guard(chance, " if ")
        yield [f"{effect} {chance.choice(_CALLERS)} -> {callee} : rpc {chance.choice(_RPCS)}{guard}"]
    if chance.random() < 0.5:
        retried = "retry { limit: 2, on: [unavailable, resource-exhausted], backoff: 1ms..2ms }"
        yield [f"edge web -> {callee} {{ timeout: 2s, {retried} }}"]


def _route(chance: random.Random, callee: str, only_envoy: bool) -> list[str]:
    """Return routes that are nested in one another, so that one of two that match is always the more specific."""
    path, name = "", callee.replace(".", "-")
    rules = []
    targets: tuple[str, ...] = ()
    if callee.startswith("api"):
        targets = ("v1", "v2", "api", "v1 50%, v2 50%", "v1 0%, v2 100%")
    if only_envoy:
        targets = (*targets, 'redirect "https://elsewhere.example/"', "respond 404", "respond 503")
    targets = targets or (callee.partition(".")[0],)
    for depth in range(chance.randint(1, 4)):
        target = chance.choice(targets)
        block = f" {{ {_settings(chance, only_envoy)} }}" if target[0] not in "r" and chance.random() < 0.25 else ""
        rules.append(f"  {path}/** => {target} as {name}-{depth}{block}")
        path += "/" + chance.choice(_LITERALS)
    if chance.random() < 0.6:
        rules.append(f"  GET {path}/** if {_condition(chance, 2)} => {chance.choice(targets)} as {name}-last")
    return [f"route {callee} {{", *rules, "}"]


def _settings(chance: random.Random, only_envoy: bool) -> str:
    if chance.random() < 0.3:
        return f"timeout: {chance.choice(('300ms', '4s', 'off'))}"
    conditions = ", ".join(sorted(chance.sample(_RETRIED, chance.randint(1, 2))))
    more = chance.choice(("idempotent: true", "idempotent: true", "per-try: 250ms, idempotent: true"))
    if only_envoy and chance.random() < 0.4:
        more = 'key-header: "x-c"'
    return f"timeout: 3s, retry {{ limit: {chance.randint(1, 3)}, on: [{conditions}], backoff: 1ms..2ms, {more} }}"


# ---- what rules are about


def _grants(chance: random.Random) -> str:
    return ", ".join(_grant(chance) for _ in range(chance.randint(1, 2)))


def _grant(chance: random.Random) -> str:
    methods = "|".join(sorted(chance.sample(_METHODS, chance.randint(1, 3)))) if chance.random() < 0.6 else ""
    return f"{methods} {_path(chance)}".strip()


def _path(chance: random.Random) -> str:
    if chance.random() < 0.12:
        return f'~"{chance.choice(_REGEXES)}"'
    length = chance.choice((0, 1, 1, 2, 2, 3))
    segments = [chance.choice(_LITERALS) if chance.random() < 0.65 else chance.choice(_KINDS) for _ in range(length)]
    if chance.random() < 0.4:
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
    match chance.randrange(6):
        case 0:
            return f"{header} present"
        case 1:
            return f"not {header} present"
        case 2:
            return f'{header} != "{chance.choice(_VALUES)}"'
        case 3:
            first, second = chance.sample(_VALUES, 2)
            return f'{header} in ["{first}", "{second}"]'
        case 4:
            return f"from {chance.choice(('web', 'pair', 'ingress', 'any'))}"
        case _:
            return f'{header} == "{chance.choice(_VALUES)}"'
