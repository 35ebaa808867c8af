"""Programs of any size, of the shape that real meshes have; the same size gives the same text."""

from __future__ import annotations

import random

RULES = 20
"""Rules about each service, give or take."""

VERBS = ("GET", "GET|HEAD", "POST", "PUT", "DELETE", "GET|POST")
WORDS = ("orders", "carts", "items", "users", "prices", "stock", "quotes", "labels", "refunds", "search")


def generate(services: int, rules: int = RULES, seed: int = 2026) -> str:
    """Return a program of so many services with so many rules each: allows, denies, routes, settings, a limit.

    Every service is called by a handful of others; a tenth split their traffic. The program compiles without errors.
    """
    dice = random.Random(seed)
    lines = ["edition 2026", 'mesh bench { trust-domain: "bench.example", mtls: strict }', ""]
    lines.append("defaults mesh { timeout: 5s }")
    for number in range(services):
        versions = ", versions: [v1, v2]" if number % 10 == 0 else ""
        lines.append(f"service s{number} {{ port: 8080/http, namespace: n{number % 25}{versions} }}")
    for number in range(services):
        callers = sorted({dice.randrange(services) for _ in range(4)} - {number}) or [(number + 1) % max(services, 2)]
        paths = _paths(dice, rules)
        for position, caller in enumerate(callers):
            share = paths[position :: len(callers)]
            if not share:
                continue
            lines.append(f"allow s{caller} -> s{number} {{")
            lines += [f"  {dice.choice(VERBS)} {path}" for path in share]
            lines.append("}")
        lines.append(f'deny any -> s{number} : /internal/** because "for operators"')
        lines.append(f"edge s{callers[0]} -> s{number} {{ timeout: {dice.randrange(500, 4000)}ms }}")
        if number % 10 == 0:
            lines += [
                f"route s{number} {{",
                "  /v1/** => v1 90%, v2 10% as canary",
                '  /v1/** if header "x-beta" == "1" => v2 as beta',
                "}",
            ]
            lines.append(f"limit s{callers[0]} -> s{number} 500/s burst 100")
    return "\n".join(lines) + "\n"


def _paths(dice: random.Random, count: int) -> list[str]:
    """Return so many path templates, no two of which are the same."""
    paths: list[str] = []
    while len(paths) < count:
        head = f"/v{dice.randrange(1, 3)}/{dice.choice(WORDS)}{dice.randrange(100)}"
        tail = dice.choice(("", "/{id:int}", "/{id:uuid}", "/*", "/**", "/{id}/lines"))
        if head + tail not in paths:
            paths.append(head + tail)
    return paths
