"""Formatting keeps what a program says, keeps every comment, and settles at once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from meshc_lang.format import format_file
from meshc_lang.parser import parse
from meshc_lang.source import SourceText
from meshc_lang.tree.file import SourceFile
from support.program_texts import program_texts

QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(text: str) -> SourceFile:
    file, problems = parse(SourceText("program.mesh", text))
    assert problems == (), text
    return file


def comments(file: SourceFile) -> list[str]:
    return [comment.text.rstrip() for comment in file.comments]


def formatted(text: str) -> str:
    return format_file(read(text))


@QUICK
@given(program_texts())
def test_formatting_changes_neither_meaning_nor_comments_and_is_idempotent(text: str) -> None:
    before = read(text)
    once = format_file(before)
    after = read(once)
    assert after.statements == before.statements
    assert comments(after) == comments(before)
    assert format_file(after) == once
