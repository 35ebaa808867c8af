"""Texts of any length in which every statement of the language occurs, about as often as in the policies of a shop.

They are read, not compiled: names are not declared, and no two rules are weighed against each other.
"""

from __future__ import annotations

import random
from collections.abc import Callable

WORDS = ("orders", "carts", "items", "users", "prices", "stock", "quotes", "labels", "refunds", "search")
TAILS = ("", "/{id:int}", "/{id:uuid}", "/*", "/**", "/{id}/lines")
VERBS = ("GET", "GET|HEAD", "POST", "PUT", "DELETE", "GET|POST")
REASONS = ("the page shows it", "ticket 4711: the old client still calls it", "for operators", "PCI scope")


class _Mixer:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def name(self) -> str:
        return f"{self.dice.choice(WORDS)}-{self.dice.randrange(400)}"

    def path(self) -> str:
        return f"/v{self.dice.randrange(1, 4)}/{self.dice.choice(WORDS)}{self.dice.randrange(100)}" + self.dice.choice(
            TAILS
        )

    def condition(self) -> str:
        return self.dice.choice(
            (
                'header "x-beta" == "1"',
                'header "x-csrf" present and query "dry-run" != "yes"',
                'cookie "session" ~ "[a-f0-9]{32}" or from ' + self.name(),
                'claim "role" in ["sre", "dev"]',
                'not (query "full" == "1" or header "x-old" present)',
            )
        )

    def grant(self) -> str:
        guard = f" if {self.condition()}" if self.dice.random() < 0.2 else ""
        kind = self.dice.random()
        if kind < 0.8:
            return f"{self.dice.choice(VERBS)} {self.path()}{guard}"
        return self.dice.choice((f"rpc shop.v1.Carts/{self.dice.choice(('Get', 'Add|Drop', '*'))}", "tcp", "* /health"))

    def service(self) -> list[str]:
        name = self.name()
        return [
            f"## What the {name} team runs; ask them before you change it.",
            f"service {name} {{",
            f"  port: {self.dice.choice((8080, 9090))}/{self.dice.choice(('http', 'grpc'))}",
            f"  namespace: n{self.dice.randrange(25)}, versions: [v1, v2], replicas: {self.dice.randrange(1, 9)}",
            '  labels: {pci: "true", tier: "backend"}',
            "}",
        ]

    def external(self) -> list[str]:
        return [f'external {self.name()} {{ hosts: ["api.example", "files.example"], port: 443/tls }}']

    def group(self) -> list[str]:
        return [f"group {self.name()} = [{self.name()}, {self.name()}, ingress] - {self.name()}"]

    def allow(self) -> list[str]:
        head = f"allow {self.name()} -> {self.name()}"
        if self.dice.random() < 0.4:
            return [f"{head} : {self.grant()}, {self.grant()}"]
        grants = [f"  {self.grant()}" for _ in range(self.dice.randrange(2, 12))]
        return [head + " {", *grants, f'}} because "{self.dice.choice(REASONS)}"']

    def deny(self) -> list[str]:
        unless = f" unless {self.condition()}" if self.dice.random() < 0.5 else ""
        return [f'deny any -> {self.name()} : * {self.path()}{unless} because "{self.dice.choice(REASONS)}"']

    def edge(self) -> list[str]:
        return [
            f"edge {self.name()} -> {self.name()} {{",
            f"  timeout: {self.dice.randrange(100, 5000)}ms  # measured in spring",
            "  retry { limit: 2, on: [connect-failure, 5xx], budget: 20%, backoff: 25ms..250ms }",
            "}",
        ]

    def route(self) -> list[str]:
        return [
            f"route {self.name()} {{",
            *(f"  {self.path()} => v1 90%, v2 10% as canary{number}" for number in range(self.dice.randrange(1, 5))),
            f"  {self.path()} if {self.condition()} => v2 as beta over canary0 {{ timeout: 4s }}",
            '  /old/** => redirect "https://shop.example/new"',
            "}",
        ]

    def limit(self) -> list[str]:
        rate = f"{self.dice.randrange(10, 900)}/s"
        return [f'limit {self.name()} -> {self.name()} {rate} burst {self.dice.randrange(10, 90)} per header "x-user"']

    def rare(self) -> list[str]:
        name, other = self.name(), self.name()
        return self.dice.choice(
            (
                [f"defaults {name} {{ timeout: 5s, pool {{ size: 64KiB, keepalive: on }} }}"],
                [f"mirror {name} GET {self.path()} => {other}.v2 5%"],
                [f"fault slow-{name} on {name} -> {other} {{ delay: 500ms, abort: 503, percent: 5% }}"],
                [f"slo {name} {{ availability: 99.9%, window: 30d, latency-p99: 300ms }}"],
                [f'jwt {name} {{ issuer: "https://id.example", audiences: ["shop"] }}'],
                [f"let {name} = {self.path()}", f"use webapp({name}, /shop/**, 2s)"],
                [f"template t-{name}(who, base) {{", "  allow ingress -> who : GET base", "}"],
                [f"overlay o-{name} {{", f"  set {name}.timeout: 8s", f"  drop fault.slow-{other}", "}"],
                [f"assert never {name} -> {other} : * /admin/**", f"assert attempts({name} -> {other}) <= 8"],
                [f"assert every edge from {name} has edge.timeout present"],
            )
        )

    def test(self) -> list[str]:
        cases = [
            f'  {self.name()} -> {self.name()} GET /v1/orders/{self.dice.randrange(999)}?full=1 {{x-beta: "1"}} is '
            + self.dice.choice(("denied", "allowed, routed v2", "allowed, timeout 4s"))
            for _ in range(self.dice.randrange(1, 6))
        ]
        return [f'test "{self.name()} as agreed" {{', *cases, "}"]


def mixture(lines: int, seed: int = 2026) -> str:
    """Return a text of about so many lines, 39 characters each; the same number gives the same text."""
    mixer = _Mixer(seed)
    kinds: tuple[tuple[Callable[[], list[str]], int], ...] = (
        (mixer.service, 12),
        (mixer.external, 2),
        (mixer.group, 4),
        (mixer.allow, 40),
        (mixer.deny, 8),
        (mixer.edge, 12),
        (mixer.route, 8),
        (mixer.limit, 4),
        (mixer.rare, 6),
        (mixer.test, 6),
    )
    makers = [maker for maker, _ in kinds]
    weights = [weight for _, weight in kinds]
    written = ["edition 2026", 'mesh bench { trust-domain: "bench.example", mtls: strict }', ""]
    while len(written) < lines:
        written += mixer.dice.choices(makers, weights)[0]()
        if mixer.dice.random() < 0.3:
            written.append("")
    return "\n".join(written) + "\n"
