"""A build after an edit is the build from nothing, byte by byte and word by word, however the program was edited."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from meshc.building import build_program
from meshc.rebuilding import Memory
from meshc.reporting import Reporting
from meshc_backends.build import BuildInput, BuildResult
from meshc_compiler.edit.local import LOCAL_FINDINGS
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program
from meshc_lang.diagnostic import Diagnostic, has_errors, in_order
from support.bundles import tree

SERVICES = 9
EDITS = 20

HEAD = [
    "edition 2026",
    'mesh many { trust-domain: "many.example" }',
    "defaults mesh { timeout: 5s }",
    'external mail { hosts: ["mail.example"], port: 80/http }',
    "group some = [s1, s2]",
    "group rest = [s6, s7] - [s7]",
]
METHODS = ("GET", "POST", "GET|HEAD", "DELETE")


def program(dice: random.Random, targets: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the statements of two files."""
    own = [*HEAD]
    for number in range(SERVICES):
        versions = ", versions: [v1, v2]" if number % 2 else ""
        own.append(f"service s{number} {{ port: 8080/http, namespace: n{number % 3}{versions} }}")
        if number == 4:
            own.append("defaults s4 { connect-timeout: 2s }")
    files = {
        "a.mesh": own,
        "b.mesh": [f"allow s{number} -> s{(number + 1) % SERVICES} : GET /" for number in range(SERVICES)],
    }
    for _ in range(50):
        more = {**files, "b.mesh": [*files["b.mesh"], sentence(dice)]}
        if is_quiet(more, targets):
            files = more
    return files


def is_quiet(files: dict[str, list[str]], targets: tuple[str, ...]) -> bool:
    """Tell whether little is found in a program: of errors nothing is built."""
    found = compile_program(
        tuple(files), MemoryReader({name: text(lines) for name, lines in files.items()})
    ).diagnostics
    carried = "sidecar" not in targets or not any(
        word in line for lines in files.values() for line in lines for word in ("idle-timeout", "respond")
    )
    return carried and not has_errors(found) and {one.code.id for one in found} <= LOCAL_FINDINGS.keys()


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def sentence(dice: random.Random) -> str:
    """Return a statement about some services; some make the program fall back to being compiled as a whole."""
    caller, callee = dice.sample([f"s{number}" for number in range(SERVICES)], 2)
    routed = f"s{dice.randrange(1, SERVICES, 2)}"
    path = f"/p{dice.randrange(4)}" + dice.choice(("", "/{id:int}", "/**", "/*"))
    method = dice.choice(METHODS)
    kinds: list[tuple[int, str]] = [
        (24, f"allow {caller} -> {callee} : {method} {path}"),
        (4, f"allow {caller} -> {callee} {{\n  {method} {path}\n  GET /other\n}}"),
        (3, f'allow {caller} -> {callee} : GET {path} if header "x" == "{dice.randrange(2)}"'),
        (2, f"allow {caller} -> {callee} : GET /f if from {caller}"),
        (2, f"allow some -> {callee} : {method} {path}"),
        (2, f"allow {caller} -> some : {method} {path}"),
        (1, f"deny {caller} -> rest : {method} {path}"),
        (1, f"allow any -> {callee} : GET /open"),
        (2, f"allow ingress -> {callee} : GET {path}"),
        (2, f"allow {caller} -> mail : GET {path}"),
        (4, f"deny any -> {callee} : {path}"),
        (2, f'deny {caller} -> {callee} : {path} because "guard"'),
        (1, f"edge {caller} -> {callee} {{ idle-timeout: {dice.randrange(1, 20)}m }}"),
        (8, f"edge {caller} -> {callee} {{ timeout: {dice.randrange(1, 20)}s }}"),
        (2, f"edge some -> {callee} {{ connect-timeout: {dice.randrange(1, 5)}s }}"),
        (3, f"limit {caller} -> {callee} {dice.randrange(10, 90)}/s burst 50"),
        (4, f"route {routed} {{ {path} => v1 90%, v2 {dice.choice((9, 10))}% as r{path[2]} }}"),
        (2, f"route {routed} {{ {path} => v1 as q{path[2]} }}"),
        (1, f"route {routed} {{ /gone/{path[2]} => respond 404 }}"),
    ]
    return dice.choices([text for _, text in kinds], [weight for weight, _ in kinds])[0]


def edited(dice: random.Random, files: dict[str, list[str]]) -> None:
    """Edit one of the files in one of many ways."""
    lines = files[dice.choice(("a.mesh", "b.mesh", "b.mesh", "b.mesh"))]
    place = dice.randrange(1, len(lines))
    line = lines[place]
    name = f"s{dice.randrange(SERVICES)}"

    def put(text: str) -> Callable[[], None]:
        return lambda: lines.insert(place, text)

    ways: list[tuple[int, Callable[[], object]]] = [
        (10, put(sentence(dice))),
        (8, lambda: lines.pop(place)),
        (4, lambda: lines.__setitem__(place, line.replace("GET", "PUT", 1))),
        (4, lambda: lines.__setitem__(place, line.replace("/p1", "/p2"))),
        (3, lambda: lines.__setitem__(place, line.replace("timeout: 5s", "timeout: 6s"))),
        (3, lambda: lines.__setitem__(place, line.replace("s1", name, 1))),
        (2, lambda: lines.__setitem__(place, line.replace(" ", "  ", 1))),
        (2, lambda: lines.__setitem__(place, line.replace("[s1, s2]", f"[s1, {name}]"))),
        (2, put("# a comment")),
        (1, put("## a comment that belongs to a statement")),
        (2, put("")),
        (3, lambda: lines.append(lines.pop(place))),
        (2, lambda: lines.insert(place, lines.pop())),
        (1, put("service s9 { port: 8080/http }")),
        (1, lambda: lines.__setitem__(slice(None), [one for one in lines if not one.startswith("service s9")])),
        (1, put(f"defaults {name} {{ timeout: 4s }}")),
        (1, put("edge s1 -> s2 { retry { limit: 2, on: [connect-failure] } }")),
        (1, put(f"assert never s1 -> {name} : DELETE /x/**")),
        (1, put("allow s1 -> nobody : GET /x")),
        (1, put(f"allow any -> {name} : GET /open")),
        (1, put("allow s1 -> s2 GET")),
        (1, put(f"# meshc: ignore[MSH302] known\nallow s1 -> {name} : GET /p1")),
        (1, put("allow s1 -> s2 { GET /half")),
        (1, put("mirror s1 GET /m => s1.v2 5%")),
    ]
    dice.choices([way for _, way in ways], [weight for weight, _ in ways])[0]()


def told(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [f"{one.severity.value}[{one.code.id}] {one.message} {one.primary}" for one in in_order(diagnostics)]


def built(folder: str, cache: Path | None, targets: tuple[str, ...], strict: bool = False) -> BuildResult:
    reporting = Reporting.of("text", strict=strict)
    return build_program((".",), targets, Path(folder), Path("authority"), reporting, None, cache)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Work in a directory of its own; the list tells of each rebuild whether the quick way was taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    taken: list[bool] = []
    whole = Memory.rebuild

    def rebuild(self: Memory, source: BuildInput, stops: Callable[[tuple[Diagnostic, ...]], object]) -> object:
        result = whole(self, source, stops)
        taken.append(result is not None)
        return result

    monkeypatch.setattr(Memory, "rebuild", rebuild)
    return taken


def compare(files: dict[str, list[str]], targets: tuple[str, ...], strict: bool = False) -> None:
    """Build in both ways and compare all that can be seen."""
    for name, lines in files.items():
        Path(name).write_text(text(lines))
    before = tree(Path("../warm"))
    cold = built("../cold", None, targets, strict)
    warm = built("../warm", Path("../cache"), targets, strict)
    assert told(warm.diagnostics) == told(cold.diagnostics)
    assert warm.written == cold.written
    if not cold.written:
        assert tree(Path("../warm")) == before
        return
    after = tree(Path("../warm"))
    assert after == tree(Path("../cold"))
    assert (warm.files, warm.targets, warm.added, warm.proofs) == (cold.files, cold.targets, cold.added, cold.proofs)
    names = after.keys() - {"manifest.json"}
    assert warm.changed == sum(before.get(name) != after[name] for name in names)
    assert warm.removed == len(before.keys() - after.keys())


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_is_the_build_from_nothing(quick: list[bool], seed: int) -> None:
    dice = random.Random(seed)
    targets = ("envoy",) if seed % 2 else ("envoy", "sidecar")
    files = program(dice, targets)
    compare(files, targets)
    for _ in range(EDITS):
        wished, last = dice.random() < 0.85, copied(files)
        for _ in range(9):
            files = copied(last)
            edited(dice, files)
            if dice.random() < 0.2:
                edited(dice, files)
            if is_quiet(files, targets) or not wished:
                break
        compare(files, targets, strict=dice.random() < 0.1)
        if not is_quiet(files, targets) and dice.random() < 0.7:
            files = last
        meddle(dice)
    assert any(quick)
    assert not all(quick)


def copied(files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: list(lines) for name, lines in files.items()}


def meddle(dice: random.Random) -> None:
    """Now and then damage, empty or delete the cache, or touch the bundle."""
    entries = [path for path in Path("../cache").iterdir() if len(path.name) == 64]
    match dice.randrange(20) if entries else 99:
        case 0:
            for path in entries:
                path.unlink()
        case 1:
            for path in entries:
                path.write_bytes(path.read_bytes()[:-3] + b"xyz")
        case 2:
            other = dice.choice(entries)
            for path in entries:
                path.write_bytes(other.read_bytes())
        case 3:
            path = Path("../warm/envoy/s1.json")
            path.write_bytes(path.read_bytes().replace(b"s1", b"s2"))
        case _:
            pass
