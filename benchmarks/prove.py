"""Claim: whole meshes are proved in about a second, and one callee with 2,000 rules in seconds; costs are linear.

The peer is z3, where it is installed: it answers the same questions (which allows are dead, which redundant) about one
callee, in its theory of strings, and the answers are compared.
"""

from __future__ import annotations

import gc
import random
import resource
import sys

from benchmarks.program import generate
from benchmarks.prove_peer import compare_with_z3
from benchmarks.timing import median_seconds, print_table
from meshc_compiler.checks import CHECKS
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.policy import Effect
from meshc_compiler.loader import MemoryReader, load
from meshc_compiler.lower.program import LoweredProgram, lower_program
from meshc_compiler.pipeline import check_mesh
from meshc_compiler.space.callee_space import CalleeSpace
from meshc_lang.diagnostic import has_errors

SIZES = (100, 1_000, 10_000)
RULES = (200, 500, 2_000)
_NOUNS = ("orders", "carts", "items", "users", "invoices", "admin", "reports", "search")
_SEGMENTS = ("*", "{id:int}", "{id:uuid}", "{id:slug}", "a", "b", "c", "tags", "7")
_GUARDS = ('header "x-role" == "{role}"', 'header "x-csrf" present', 'not header "x-debug" present')
_ROLES = ("admin", "ops", "dev")


def one_callee(rules: int, seed: int = 3, callers: int = 20) -> str:
    """Return a program in which all rules are about one callee: 15 % denies, typed segments, headers, many overlaps."""
    dice = random.Random(seed)
    names = [f"c{number}" for number in range(callers)]
    lines = ["edition 2026", 'mesh bench { trust-domain: "bench.example" }', "service api { port: 8080/http }"]
    lines += [f"service {name} {{}}" for name in names]
    written: set[str] = set()
    while len(written) < rules:
        path = f"/v{dice.randint(1, 2)}/{dice.choice(_NOUNS)}"
        path += "".join(f"/{dice.choice(_SEGMENTS)}" for _ in range(dice.randint(0, 3)))
        path += "/**" if dice.random() < 0.4 else ""
        verbs = "|".join(sorted(dice.sample(("GET", "POST", "PUT", "DELETE"), dice.randint(1, 2))))
        caller = "any" if dice.random() < 0.1 else dice.choice(names)
        guard = dice.choice(_GUARDS).format(role=dice.choice(_ROLES)) if dice.random() < 0.4 else ""
        if dice.random() < 0.15:
            line = f"deny {caller} -> api : {verbs} {path}" + (f" if {guard}" if guard else "")
        else:
            line = f"allow {caller} -> api : {verbs} {path}" + (f" if {guard}" if guard else "")
        if line not in written:
            written.add(line)
            lines.append(line)
    return "\n".join(lines) + "\n"


def routed(services: int, rules: int) -> str:
    """Return a program of services with routes of so many rules: nested, crossing, and decided by `over`."""
    dice = random.Random(7)
    lines = ["edition 2026", 'mesh bench { trust-domain: "bench.example" }']
    for number in range(services):
        lines.append(f"service s{number} {{ port: 8080/http, versions: [v1, v2] }}")
        lines.append(f"route s{number} {{")
        for rule in range(rules):
            path = f"/v{dice.randint(1, 2)}/{dice.choice(_NOUNS)}{rule}"
            lines.append(f"  {path}{dice.choice(('', '/**', '/{id:int}', '/*/lines'))} => v{dice.randint(1, 2)}")
        lines.append("  /** => v1")
        lines.append("}")
    return "\n".join(lines) + "\n"


def lowered(text: str) -> LoweredProgram:
    """Return a program, lowered; one with errors ends the benchmark."""
    program, found = load(("bench.mesh",), MemoryReader({"bench.mesh": text}))
    whole, more = lower_program(program)
    if whole is None or has_errors((*found, *more)):
        raise SystemExit(f"the generated program has errors: {(*found, *more)[0].message}")
    return whole


def prove_meshes(sizes: tuple[int, ...]) -> None:
    """Print what all checks of whole meshes cost."""
    rows = []
    first = 0.0
    for size in sizes:
        whole = lowered(generate(size))
        index = MeshIndex(whole.mesh)
        gc.disable()  # as the compiler does while it compiles
        times = 3 if size <= 1_000 else 1
        seconds, found = median_seconds(lambda whole=whole, index=index: check_mesh(whole, index), times)  # type: ignore[misc]
        gc.enable()
        rules = len(whole.mesh.rules)
        first = first or seconds / rules
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row = (f"{size:,}", f"{rules:,}", f"{seconds:.2f}", f"{seconds / rules * 1e6:.0f}")
        rows.append((*row, f"{seconds / rules / first:.2f}", str(len(found)), f"{peak:,}"))
        del whole, index
        gc.collect()
    head = ("services", "rules", "seconds", "us/rule", "growth", "found", "peak MiB")
    print_table("all proofs of a mesh, processor seconds", head, rows)


def prove_callee(sizes: tuple[int, ...]) -> None:
    """Print what the proofs about one callee with many rules cost."""
    rows = []
    for size in sizes:
        whole = lowered(one_callee(size))
        index = MeshIndex(whole.mesh)
        checks, found = median_seconds(
            lambda whole=whole, index=index: [  # type: ignore[misc]
                one for check in CHECKS for one in check(CheckSubject(whole, index))
            ],
            1,
        )
        port = index.port_of("api", 8080)
        assert port is not None
        space, _ = (CalleeSpace(index, "api", port), None)
        seconds, allowed = median_seconds(lambda space=space: space.allowed, 1)  # type: ignore[misc]
        if allowed is None or space.space is None:
            raise SystemExit("the set of allowed requests was not decided")
        again = space.union(reversed(space.of_effect(Effect.ALLOW)))
        equal, same = median_seconds(  # the same set, by another way
            lambda space=space, again=again: space.same(  # type: ignore[misc]
                space.left_over(again, space.union(space.of_effect(Effect.DENY))),
                space.left_over(space.union(space.of_effect(Effect.ALLOW)), space.union(space.of_effect(Effect.DENY))),
            ),
            1,
        )
        if same is not True:
            raise SystemExit("two ways to the same set came to different ends")
        kinds: dict[str, int] = {}
        for one in found:
            kinds[one.code.id] = kinds.get(one.code.id, 0) + 1
        told = " ".join(f"{kind}:{count}" for kind, count in sorted(kinds.items()))
        classes = len(space.space.paths)
        rows.append((f"{size:,}", f"{classes:,}", f"{checks:.2f}", f"{seconds:.2f}", f"{equal:.2f}", told))
    head = ("rules", "path atoms", "all checks s", "allowed s", "equality s", "found")
    print_table("one callee: dead, redundant and useless rules, the whole of what is allowed, equality", head, rows)


def prove_routes() -> None:
    """Print what it costs to find that no route is ambiguous."""
    rows = []
    for services, rules in ((1_000, 20), (1, 500)):
        text = routed(services, rules)
        program, _ = load(("bench.mesh",), MemoryReader({"bench.mesh": text}))
        seconds, _ = median_seconds(lambda program=program: lower_program(program), 1)  # type: ignore[misc]
        rows.append((f"{services:,}", f"{rules:,}", f"{seconds:.2f}", f"{seconds / services / rules * 1e6:.0f}"))
    print_table("ambiguity of routes, with lowering", ("services", "rules of each", "seconds", "us/rule"), rows)


def main() -> None:
    """Print the figures; `python -m benchmarks.prove 100 1000` for other sizes of meshes."""
    sizes = tuple(int(word) for word in sys.argv[1:]) or SIZES
    prove_meshes(sizes)
    prove_callee(RULES)
    prove_routes()
    compare_with_z3(lambda rules: lowered(one_callee(rules, callers=3)))


if __name__ == "__main__":
    main()
