"""A file under edit says what a fresh reading of its text says, whatever was done to it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from meshc_lang.diagnostic import Diagnostic
from meshc_lang.incremental import IncrementalSource
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree.dump import dump
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.walk import walk
from support.program_texts import program_texts

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOLDER = Path(__file__).parent
SHOP = (FOLDER.parents[1] / "examples" / "shop" / "shop.mesh").read_text(encoding="utf-8")

PIECES = [
    "",
    *'{}[]()"#,;\\\n',
    "\n\n",
    "\r\n",
    "\ufeff",
    "→",
    "😀",
    "}\n",
    "{\n",
    "## doc\n",
    "# note\n",
    ",\n# between\n\n",
    " \\\n",
    "service x { port: 80/http }\n",
    "service y {}; service y {}\n",
    "allow a -> b : GET /x,\n  GET /y\n",
    "  GET /v1/{id: int}\n",
    'test "t" {\n  a -> b GET /x{y}#z is allowed\n',
    "route api {\n  /x => v1\n",
    'group g = where service.x == "1"\n',
    'let x = "\\q"\n',
    "allow ",
    " -> ",
    "edition 2026",
]


def told(diagnostics: tuple[Diagnostic, ...]) -> list[object]:
    """Diagnostics as values that can be compared over two texts."""
    return [
        (
            one.code.id,
            one.message,
            (one.primary.start, one.primary.end),
            one.help,
            [(label.span.start, label.span.end, label.text) for label in one.related],
            [(fix.title, [(edit.span.start, edit.span.end, edit.text) for edit in fix.edits]) for fix in one.fixes],
        )
        for one in diagnostics
    ]


def spans(file: SourceFile) -> list[tuple[str, int, int]]:
    return [(type(node).__name__, node.span.start, node.span.end) for node in walk(file)]


def assert_same(incremental: IncrementalSource, text: str) -> None:
    assert incremental.text == text
    assert "".join(stretch.text for stretch in incremental.stretches) == text
    fresh, problems = parse(SourceText("program.mesh", text))
    file, found = incremental.file()
    assert dump(file, spans=True) == dump(fresh, spans=True)
    assert file == fresh
    assert spans(file) == spans(fresh)
    assert all(node.span.source is file.source for node in walk(file))
    assert [(one.span.start, one.text) for one in file.comments] == [
        (one.span.start, one.text) for one in fresh.comments
    ]
    assert [(one.span.start, one.text) for one in file.unread_names] == [
        (one.span.start, one.text) for one in fresh.unread_names
    ]
    assert told(found) == told(problems)


def edited(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


@QUICK
@given(st.data())
def test_any_edits_give_what_a_fresh_reading_gives(data: DataObject) -> None:
    text = data.draw(st.one_of(program_texts(most=4), st.just(SHOP), st.lists(st.sampled_from(PIECES)).map("".join)))
    incremental = IncrementalSource("program.mesh", text)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.one_of(st.integers(0, 5), st.integers(0, 400))))
        new = data.draw(st.sampled_from(PIECES))
        text = edited(text, start, end, new)
        incremental.edit(start, end, new)
        if data.draw(st.booleans()):
            assert_same(incremental, text)
    assert_same(incremental, text)


def test_a_backslash_at_the_end_of_a_line_joins_it_to_the_next_stretch() -> None:
    text = "allow a -> b : GET /x\nallow c -> d : GET /y\n"
    at = text.index("> b")
    incremental = IncrementalSource("program.mesh", text)
    incremental.edit(at, text.index("\n"), "\\")
    assert_same(incremental, edited(text, at, text.index("\n"), "\\"))


@pytest.mark.parametrize("seed", range(20))
def test_typing_a_program_a_character_at_a_time(seed: int) -> None:
    dice = random.Random(seed)
    start = dice.randrange(len(SHOP) - 40)
    incremental = IncrementalSource("program.mesh", SHOP[:start] + SHOP[start + 40 :])
    for offset in range(start, start + 40):
        incremental.edit(offset, offset, SHOP[offset])
        assert_same(incremental, SHOP[: offset + 1] + SHOP[start + 40 :])


def test_an_edit_reads_its_own_statement_alone() -> None:
    text = "".join(f"service s{number} {{ port: 80/http }}\n" for number in range(50))
    incremental = IncrementalSource("program.mesh", text)
    assert incremental.advance(60)
    before = {id(stretch) for stretch in incremental.stretches}
    at = text.index("s25")
    incremental.edit(at, at + 3, "changed")
    new = [stretch for stretch in incremental.stretches if id(stretch) not in before]
    assert [stretch.text for stretch in new] == ["service changed { port: 80/http }\n"]
    assert [stretch.is_read for stretch in new] == [False]
    incremental.edit(at, at + len("changed"), "s25")
    assert incremental.text == text


def test_an_open_brace_spoils_no_statement_but_its_own() -> None:
    text = "".join(f"service s{number} {{ port: 80/http }}\n" for number in range(50))
    incremental = IncrementalSource("program.mesh", text)
    at = text.index("\nservice s25")
    incremental.edit(at - 1, at, "")
    assert [stretch.text for stretch in incremental.stretches if stretch.chunk.broken] == [
        "service s24 { port: 80/http \n"
    ]
    file, problems = incremental.file()
    assert len(file.statements) == 49
    assert [problem.code.id for problem in problems] == ["MSH004"]


def test_a_large_text_is_read_in_small_parts() -> None:
    text = "".join(f"service s{number} {{ port: 80/http }}\n" for number in range(3000))
    incremental = IncrementalSource("program.mesh", text)
    assert not incremental.advance(0)
    steps = 1
    while not incremental.advance(0):
        steps += 1
    assert steps > 100
    assert incremental.is_read
    assert_same(incremental, text)


def test_another_text_is_taken_over_as_one_edit() -> None:
    incremental = IncrementalSource("program.mesh", SHOP)
    assert incremental.set_text(SHOP) == (0, 0, "") or incremental.set_text(SHOP)[0] == len(SHOP)
    changed = SHOP.replace("service web", "service shop")
    start, end, new = incremental.set_text(changed)
    assert edited(SHOP, start, end, new) == changed
    assert end - start < 20
    assert_same(incremental, changed)
