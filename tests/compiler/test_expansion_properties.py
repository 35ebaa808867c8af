"""What `let`, templates and overlays write out means what the same program means that was written by hand."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all
from meshc_lang.tree.declaration import ServiceDecl
from meshc_lang.tree.node import Name
from meshc_lang.tree.statement import DefaultsDecl, RouteDecl
from meshc_lang.tree.value import Block, Duration, Pair, Percent, Switch
from support.program_edits import TEMPLATABLE, Hole, filled, names_in, statements_of, values_in
from support.programs import MeshPlan, mesh_plans

NAMES = ("slow", "some-value", "q", "share-of-it", "Rate_1", "edge", "let", "template")
"""Words that name values and parameters; the last ones are keywords elsewhere."""


def compiled(*texts: str) -> CompileResult:
    return compile_all((".",), MemoryReader({f"{number}.mesh": text for number, text in enumerate(texts)}))


def mesh_of(*texts: str) -> Mesh:
    result = compiled(*texts)
    assert result.mesh is not None, [(one.message, str(one.primary)) for one in result.diagnostics]
    return result.mesh


def overlaid(*texts: str) -> Mesh:
    """Return the mesh of the one overlay, as if it were no overlay's."""
    result = compiled(*texts)
    (overlay,) = result.overlays
    assert overlay.mesh is not None, [(one.message, str(one.primary)) for one in result.diagnostics]
    assert overlay.mesh.overlay == overlay.overlay
    return replace(overlay.mesh, overlay=None)


def unique_names(data: DataObject, count: int) -> list[str]:
    stems = data.draw(st.lists(st.sampled_from(NAMES), min_size=count, max_size=count))
    return [f"{stem}-{number}x" for number, stem in enumerate(stems)]


@settings(max_examples=25)
@given(mesh_plans(), st.data())
def test_values_taken_out_into_lets_change_nothing(plan: MeshPlan, data: DataObject) -> None:
    text = plan.text
    lets: list[str] = []
    lines: list[str] = []
    for statement in statements_of(text):
        holes = [hole for hole in values_in(statement) if data.draw(st.booleans())]
        names = unique_names(data, len(holes))
        names = [f"{name}{len(lets)}" for name in names]
        through = [data.draw(st.booleans()) for _ in holes]
        for hole, name, indirect in zip(holes, names, through, strict=True):
            lets += [f"let {name} = {name}-in", f"let {name}-in = {hole.text}"] if indirect else []
            lets += [] if indirect else [f"let {name} = {hole.text}"]
        lines.append(filled(statement, dict(zip(holes, names, strict=True))))
    shuffled = data.draw(st.permutations(lines + lets))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert mesh_of("\n".join(shuffled[:cut]), "\n".join(shuffled[cut:])) == mesh_of(text)


@settings(max_examples=25)
@given(mesh_plans(), st.data())
def test_statements_written_out_by_templates_are_those_written_by_hand(plan: MeshPlan, data: DataObject) -> None:
    text = plan.text
    lines: list[str] = []
    for number, statement in enumerate(statements_of(text)):
        if not isinstance(statement, TEMPLATABLE) or not data.draw(st.booleans()):
            lines.append(statement.span.text)
            continue
        holes = [hole for hole in names_in(statement) + values_in(statement) if data.draw(st.booleans())]
        holes = _apart(holes)
        # One parameter may stand for several equal names; values have one each.
        parameters = unique_names(data, len(holes))
        body = filled(statement, dict(zip(holes, parameters, strict=True)))
        arguments = [hole.text for hole in holes]
        if data.draw(st.booleans()):
            inner = [f"{parameter}-inner" for parameter in parameters]
            lines.append(f"template outer{number}({', '.join(inner)}) {{\n  use t{number}({', '.join(inner)})\n}}")
            lines.append(f"use outer{number}({', '.join(arguments)})")
        else:
            lines.append(f"use t{number}({', '.join(arguments)})")
        lines.append(f"template t{number}({', '.join(parameters)}) {{\n{body}\n}}")
    shuffled = data.draw(st.permutations(lines))
    assert mesh_of("\n".join(shuffled)) == mesh_of(text)


def _apart(holes: list[Hole]) -> list[Hole]:
    kept: list[Hole] = []
    for hole in sorted(holes, key=lambda hole: hole.span.start):
        if not kept or kept[-1].span.end <= hole.span.start:
            kept.append(hole)
    return kept


@settings(max_examples=30)
@given(mesh_plans(), st.data())
def test_an_overlay_does_what_editing_the_source_does(plan: MeshPlan, data: DataObject) -> None:
    text = plan.text
    items: list[str] = []
    edits: list[tuple[int, int, str]] = []
    back: list[str] = []
    for statement in statements_of(text):
        match statement:
            case ServiceDecl(name=name, body=body):
                owner = name.text
            case DefaultsDecl(scope=scope, body=body):
                owner = f"{scope}.defaults"
            case RouteDecl():
                for rule in statement.rules:
                    if rule.name is None or len(rule.targets) != 2 or not data.draw(st.booleans()):
                        continue
                    first = data.draw(st.integers(1, 99))
                    shares = [target.share for target in rule.targets]
                    for share, percent in zip(shares, (first, 100 - first), strict=True):
                        assert isinstance(share, Percent)
                        edits.append((share.span.start, share.span.end, f"{percent}%"))
                    items.append(f"set {statement.service}.route.{rule.name}: [{first}%, {100 - first}%]")
                    old = ", ".join(share.span.text for share in shares if share is not None)
                    back.append(f"set {statement.service}.route.{rule.name}: [{old}]")
                continue
            case _:
                continue
        for path, pair in _entries(body, owner):
            if not data.draw(st.booleans()):
                continue
            back.append(f"set {path}: {pair.value.span.text}")
            if isinstance(pair.value, Duration):
                value = data.draw(st.sampled_from(("1500ms", "3s", "70s")))
                items.append(f"set {path}: {value}")
                edits.append((pair.value.span.start, pair.value.span.end, value))
    assume(items or back)
    by_hand = text
    for start, end, new in sorted(edits, reverse=True):
        by_hand = by_hand[:start] + new + by_hand[end:]
    changed = data.draw(st.permutations(items))
    if items:
        assert overlaid(text, "overlay other {\n" + "\n".join(changed) + "\n}\n") == mesh_of(by_hand)
        undone = "overlay other {\n" + "\n".join(back) + "\n}\n"
        assert overlaid(by_hand, undone) == mesh_of(text)
    result = compiled(text, "overlay same {\n" + "\n".join(back) + "\n}\n")
    told = [one.code.id for one in result.diagnostics if one.code.id.startswith("MSH7")]
    assert told == ["MSH702"] * len(back)
    assert result.overlays[0].mesh is not None
    assert replace(result.overlays[0].mesh, overlay=None) == result.mesh


def _entries(block: Block, owner: str) -> list[tuple[str, Pair]]:
    """The entries of a block whose values an overlay may set, by their paths."""
    found: list[tuple[str, Pair]] = []
    for pair in block.pairs:
        path = f"{owner}.{pair.key}"
        if isinstance(pair.value, Block):
            found += _entries(pair.value, path)
        elif isinstance(pair.key, Name) and not isinstance(pair.value, Switch):
            found.append((path, pair))
    return found


@settings(max_examples=15)
@given(mesh_plans(), st.data())
def test_statements_of_an_overlay_are_facts_of_the_program(plan: MeshPlan, data: DataObject) -> None:
    """Whatever an overlay adds means what it means beside the program, but for settings, which beat the program's."""
    text = plan.text
    kept: list[str] = []
    moved: list[str] = []
    for statement in statements_of(text):
        movable = type(statement).__name__ not in {"EditionDecl", "MeshDecl"}
        (moved if movable and data.draw(st.booleans()) else kept).append(statement.span.text)
    result = compiled("\n".join(kept), "overlay all {\n" + "\n".join(moved) + "\n}\n")
    (overlay,) = result.overlays
    # Without what was moved, the program by itself may lack names.
    if result.mesh is not None:
        assert overlay.mesh is not None, [(one.message, str(one.primary)) for one in result.diagnostics]
        assert replace(overlay.mesh, overlay=None) == mesh_of(text)
