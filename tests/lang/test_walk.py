"""Ways through the tree."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree.dump import dump
from meshc_lang.tree.file import SourceFile
from meshc_lang.tree.walk import children, find_at, walk
from support.program_texts import program_texts

TEXT = 'allow web -> api {\n  GET /v1 if header "x" == "1"\n}\n# end\n'


def read(text: str) -> SourceFile:
    return parse(SourceText("program.mesh", text))[0]


def kinds_at(text: str, offset: int) -> list[str]:
    return [type(node).__name__ for node in find_at(read(text), offset)]


@pytest.mark.parametrize(
    ("at", "kinds"),
    [
        ("allow", ["AllowDecl"]),
        ("api", ["AllowDecl", "Flow", "NamedPeer", "Name"]),
        ("/v1", ["AllowDecl", "Grant", "HttpMatcher", "PathPattern"]),
        ('"1"', ["AllowDecl", "Grant", "Compare", "Text"]),
        ("}", ["AllowDecl"]),
        ("# end", []),
    ],
)
def test_the_nodes_at_a_place_from_the_statement_inwards(at: str, kinds: list[str]) -> None:
    assert kinds_at(TEXT, TEXT.index(at) + 1 if len(at) > 1 else TEXT.index(at)) == kinds


def test_a_cursor_behind_a_word_is_still_at_it() -> None:
    assert kinds_at(TEXT, TEXT.index("api") + 3)[-1] == "Name"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program_texts(most=3), st.data())
def test_walking_meets_every_node_once_and_finding_agrees(text: str, data: st.DataObject) -> None:
    file = read(text)
    nodes = list(walk(file))
    assert len({id(node) for node in nodes}) == len(nodes)
    assert len(dump(file).splitlines()) == max(1, len(nodes))
    if nodes:
        node = data.draw(st.sampled_from(nodes))
        path = find_at(file, node.span.start)
        assert path[0] in file.statements
        for outer, inner in pairwise(path):
            assert inner in children(outer)


def test_a_dump_with_places() -> None:
    assert dump(read("edition 2026"), spans=True) == "EditionDecl @1:1\n  year: Integer @1:9 value=2026\n"
