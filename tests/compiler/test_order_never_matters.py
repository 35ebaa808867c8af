"""A program is a set of facts: statements and files may be moved at will."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.ir.dump import dump_mesh, mesh_digest
from meshc_compiler.ir.mesh import Mesh
from meshc_compiler.loader import DiskReader, MemoryReader, load
from meshc_compiler.pipeline import compile_all
from meshc_lang.tree.declaration import ImportDecl
from support.corpus import foreign_files

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
SOUND = sorted(
    path.name
    for path in CORPUS.iterdir()
    if (path / "expected" / "ir.json").exists()
    and not any("\nimport " in file.read_text() for file in path.glob("*.mesh"))
)
"""The programs that mean something, but for those with imports: these stand beside other files."""


@cache
def statements_of(name: str) -> tuple[str, ...]:
    program, _ = load((".",), DiskReader(CORPUS / name))
    statements = (statement for file in program.files for statement in file.statements)
    return tuple(statement.span.text for statement in statements if not isinstance(statement, ImportDecl))


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """Return what a case imports from other languages: the paths are relative, so these lines stay where they are."""
    program, _ = load((".",), DiskReader(CORPUS / name))
    statements = (statement for file in program.files for statement in file.statements)
    return tuple(one.span.text for one in statements if isinstance(one, ImportDecl) and one.kind is not None)


def meshes_of(files: dict[str, str]) -> tuple[Mesh | None, ...]:
    """Return the mesh of a program, and of it with each of its overlays."""
    result = compile_all((".",), MemoryReader(files))
    assert result.mesh is not None, [diagnostic.message for diagnostic in result.diagnostics]
    return (result.mesh, *(overlay.mesh for overlay in result.overlays))


def mesh_of(files: dict[str, str]) -> Mesh:
    mesh = meshes_of(files)[0]
    assert mesh is not None
    return mesh


@cache
def originals(name: str) -> tuple[Mesh | None, ...]:
    return meshes_of({"all.mesh": "\n".join(statements_of(name)) + "\n"})


def original(name: str) -> Mesh:
    mesh = originals(name)[0]
    assert mesh is not None
    return mesh


@settings(max_examples=40)
@given(st.sampled_from(SOUND), st.data())
def test_neither_order_nor_files_change_the_mesh(name: str, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(statements_of(name)))
    cut = data.draw(st.integers(0, len(shuffled)))
    here = "\n".join((*shuffled[:cut], *imports_of(name))) + "\n"
    files = {"z.mesh": here, "below/a.mesh": "\n".join(shuffled[cut:]) + "\n"}
    moved, first = mesh_of({**foreign_files(CORPUS / name), **files}), original(name)
    assert dump_mesh(moved) == dump_mesh(first)
    assert moved == first
    assert mesh_digest(moved) == mesh_digest(first)


@pytest.mark.parametrize("name", SOUND)
def test_ids_name_one_thing_each(name: str) -> None:
    mesh = original(name)
    for ids in ([rule.id for rule in mesh.rules], [limit.id for limit in mesh.limits]):
        assert ids == sorted(set(ids))
    for route in mesh.routes:
        assert len({rule.id for rule in route.rules}) == len(route.rules)


def test_of_two_equal_grants_the_one_with_a_reason_is_kept_wherever_it_stands() -> None:
    head = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http }\n'
    plain = "allow web -> api : GET /x\n"
    reason = 'allow web -> api : GET /x because "asked for"\n'
    first = mesh_of({"p.mesh": head + plain + reason})
    second = mesh_of({"p.mesh": head + reason + plain})
    assert first == second
    assert [rule.because for rule in first.rules] == ["asked for"]


def test_a_digest_changes_with_the_meaning_alone() -> None:
    head = 'mesh shop { trust-domain: "shop.example" }\nservice web {}\nservice api { port: 80/http }\n'
    one = mesh_of({"p.mesh": head + "allow web -> api : GET /x\n"})
    spaced = mesh_of({"p.mesh": "# a comment\n\n" + head + "allow   web ->   api : GET /x\n"})
    other = mesh_of({"p.mesh": head + "allow web -> api : GET /y\n"})
    assert mesh_digest(one) == mesh_digest(spaced)
    assert mesh_digest(one) != mesh_digest(other)
