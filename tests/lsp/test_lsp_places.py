"""Offsets and positions of a document: in every unit that editors count, and through edits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshc.lsp.analysis.document import Document
from meshc.lsp.analysis.place import Encoding, Position, Range

TEXTS = st.lists(
    st.sampled_from([*'ab{}"# \n', "é", "→", "😀", "service web {}\n", "# 😀\n", "\r\n", 'x: "😀"']), max_size=30
).map("".join)
QUICK = settings(max_examples=150, deadline=None)


def units(text: str, encoding: Encoding) -> int:
    return (
        len(text.encode(f"{encoding.value}-le" if encoding is not Encoding.UTF8 else "utf-8"))
        // {
            Encoding.UTF8: 1,
            Encoding.UTF16: 2,
            Encoding.UTF32: 4,
        }[encoding]
    )


@QUICK
@given(TEXTS, st.sampled_from(Encoding))
def test_a_position_leads_back_to_its_offset(text: str, encoding: Encoding) -> None:
    document = Document("a.mesh", text, encoding)
    for offset in range(len(text) + 1):
        position = document.position(offset)
        assert position.line == text.count("\n", 0, offset)
        assert position.character == units(text[text.rfind("\n", 0, offset) + 1 : offset], encoding)
        if text[offset - 1 : offset + 1] != "\r\n":
            assert document.offset(position) == offset


@QUICK
@given(TEXTS, st.sampled_from(Encoding), st.integers(0, 40), st.integers(0, 200))
def test_a_position_outside_the_text_is_taken_for_the_nearest_inside(
    text: str, encoding: Encoding, line: int, character: int
) -> None:
    offset = Document("a.mesh", text, encoding).offset(Position(line, character))
    assert 0 <= offset <= len(text)
    assert text.count("\n", 0, offset) == min(line, text.count("\n"))


@pytest.mark.parametrize(("encoding", "character"), [(Encoding.UTF8, 8), (Encoding.UTF16, 6), (Encoding.UTF32, 5)])
def test_what_stands_behind_an_emoji(encoding: Encoding, character: int) -> None:
    document = Document("a.mesh", 'x: "😀" y', encoding)
    assert document.position(5) == Position(0, character)
    # In the midst of a character is where it begins.
    assert document.offset(Position(0, character - 1)) == 4


@QUICK
@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), TEXTS), max_size=4), st.data())
def test_a_stretch_is_followed_through_edits(text: str, edits: list[tuple[int, int, str]], data: st.DataObject) -> None:
    text = text + "\nMARK\n" + text
    document = Document("a.mesh", text)
    start = text.index("MARK")
    revision = document.revision
    for at, length, new in edits:
        current = document.source.text
        first = min(at, len(current))
        last = min(first + length, len(current))
        document.change(document.range(first, last), new)
    moved = document.moved(start, start + 4, revision)
    if moved is not None:
        assert document.source.text[slice(*moved)] == "MARK"
    assert 0 <= document.followed(start, revision) <= document.source.length


def test_a_range_that_runs_backwards() -> None:
    document = Document("a.mesh", "service web {}\n")
    document.change(Range(Position(0, 11), Position(0, 8)), "api")
    assert document.source.text == "service api {}\n"
