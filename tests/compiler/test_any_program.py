"""No program makes the compiler raise, however broken; and one mistake is told once."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_all
from meshc_lang.diagnostic import has_errors
from support.program_texts import program_texts

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
PIECES = tuple(
    dict.fromkeys(
        piece
        for path in sorted(CORPUS.glob("*/*.mesh"))
        for piece in re.findall(r'"[^"\n]*"|[A-Za-z0-9_./*{}:%-]+|\S|\n', path.read_text())
    )
)
LINES = tuple(dict.fromkeys(line for path in sorted(CORPUS.glob("*/*.mesh")) for line in path.read_text().splitlines()))
HEAD = 'mesh m { trust-domain: "m.example" }\nservice web {}\nservice api { port: 80/http, versions: [v1, v2] }\n'


def compiled(text: str) -> list[str]:
    result = compile_all(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert (result.mesh is None) <= has_errors(result.diagnostics)
    return [str(one.code) for one in result.diagnostics]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_lines_in_any_order_are_a_program_or_findings(lines: list[str]) -> None:
    compiled(HEAD + "\n".join(lines) + "\n")


@settings(max_examples=150)
@given(st.sampled_from(sorted(CORPUS.glob("*/*.mesh"))), st.data())
def test_a_program_with_pieces_exchanged_is_a_program_or_findings(path: Path, data: st.DataObject) -> None:
    pieces = re.findall(r'"[^"\n]*"|[A-Za-z0-9_./*{}:%-]+|[^\S\n]+|\S|\n', path.read_text())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pieces) - 1))
        pieces[at] = data.draw(st.sampled_from(PIECES))
    compiled("".join(pieces))


def test_names_of_a_statement_that_cannot_be_parsed_are_not_unknown() -> None:
    found = compiled(HEAD + "service db { port: 5432/tcp\nallow web -> db : tcp\nallow web -> api : GET /x\n")
    assert all(code.startswith("MSH0") for code in found), found


def test_without_a_file_nothing_that_could_be_in_it_is_unknown() -> None:
    reader = MemoryReader({"a.mesh": HEAD + "allow web -> db : tcp\n", "b.mesh": b"\xff"})
    found = compile_all((".",), reader).diagnostics
    assert [str(one.code) for one in found] == ["MSH081 not-utf8"]


def test_a_sentence_about_an_empty_group_is_about_nobody() -> None:
    text = (
        HEAD
        + "group none = web - web\nallow none -> api : GET /x\ndeny none -> api : /x\nlimit none -> api 5/s\n"
        + "allow web -> none : GET /x\nedge none -> api { timeout: 1s }\nassert never none -> api\n"
    )
    result = compile_all(("p.mesh",), MemoryReader({"p.mesh": text}))
    assert [str(one.code) for one in result.diagnostics] == ["MSH304 unreachable-service", "MSH109 empty-group"]
    assert result.mesh is not None
    assert result.mesh.rules == ()
    assert result.mesh.limits == ()


@settings(max_examples=150)
@given(program_texts(most=4))
def test_whatever_reads_as_a_program_is_one_or_has_findings(text: str) -> None:
    compiled(HEAD + text + "\n")
