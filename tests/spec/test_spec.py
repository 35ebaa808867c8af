"""The specification, page by page: each program on it means what the page says, and draws the findings that it shows.

A page is Markdown with fenced blocks:

    ```mesh prelude    statements that every later program of the page begins with
    ```mesh            a program, in one file `program.mesh`
    ```mesh lib/a.mesh a further file of the program that follows
    ```proto a.proto   likewise, of another language
    ```findings        every finding of the program before, as `MSHnnn LINE:COLUMN message`; lines count in its block,
                       `prelude` stands for all of that. No block: the program has no finding at all
    ```cases           lines of a `test` block, all of which pass
    ```cases staging   the same in an overlay
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from meshc_compiler.examples import run_examples
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import CompileResult, compile_all, compile_program

PAGES = Path(__file__).resolve().parent
_BLOCK = re.compile(r"^```(?P<kind>[a-z]+)(?: (?P<argument>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAM = "program.mesh"


@dataclass
class Chapter:
    """A program of a page with what the page says about it; `line` is where its block begins."""

    page: str
    line: int
    prelude: str
    text: str
    files: dict[str, str]
    findings: tuple[str, ...] = ()
    cases: list[tuple[str | None, str]] = field(default_factory=list)

    def check(self) -> CompileResult:
        """Compile the program by itself and in each of its overlays, as `meshc check` does."""
        return compile_all((_PROGRAM,), MemoryReader({_PROGRAM: self.prelude + self.text, **self.files}))

    def compile(self, overlay: str | None = None, cases: str = "") -> CompileResult:
        text = self.prelude + self.text + (f'test "spec" {{\n{cases}}}\n' if cases else "")
        files = {_PROGRAM: text, **self.files}
        return compile_program((_PROGRAM,), MemoryReader(files), overlay=overlay)


def chapters(page: Path) -> Iterator[Chapter]:
    text = page.read_text()
    prelude = ""
    files: dict[str, str] = {}
    current: Chapter | None = None
    for block in _BLOCK.finditer(text):
        kind, argument, content = block["kind"], block["argument"], block["text"]
        line = text.count("\n", 0, block.start()) + 1
        match kind, argument:
            case "mesh", "prelude":
                prelude = content
            case "mesh", None:
                if current is not None:
                    yield current
                current = Chapter(page.stem, line, prelude, content, files)
                files = {}
            case "findings", None:
                assert current is not None, f"{page.name}:{line}: findings of no program"
                current.findings = tuple(content.splitlines())
            case "cases", _:
                assert current is not None, f"{page.name}:{line}: cases of no program"
                current.cases.append((argument, content))
            case (("mesh" | "proto" | "yaml" | "json"), str()):
                files[argument] = content
            case _:
                raise AssertionError(f"{page.name}:{line}: no such block as `{kind} {argument}`")
    if current is not None:
        yield current


CHAPTERS = [chapter for page in sorted(PAGES.glob("*.md")) for chapter in chapters(page)]


def told(result: CompileResult, prelude_lines: int) -> tuple[str, ...]:
    """Every finding as the pages write it; lines of the program are counted in its own block."""
    lines = []
    for one in result.diagnostics:
        at = one.primary.first
        if one.primary.source.path != _PROGRAM:
            place = f"{one.primary.source.path}:{at.line}:{at.column}"
        else:
            place = f"{at.line - prelude_lines}:{at.column}" if at.line > prelude_lines else "prelude"
        lines.append(f"{one.code.id} {place} {one.message}")
    return tuple(lines)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: f"{chapter.page}:{chapter.line}")
def test_a_program_of_the_specification_is_as_its_page_says(chapter: Chapter) -> None:
    result = chapter.check()
    assert told(result, chapter.prelude.count("\n")) == chapter.findings
    for overlay, cases in chapter.cases:
        tried = chapter.compile(overlay, cases)
        assert tried.index is not None, told(tried, chapter.prelude.count("\n"))
        failed = [case for case in run_examples(tried.index) if not case.passed]
        assert not failed, [f"{case.request}: expected {case.expected}, {case.actual}" for case in failed]


def test_every_page_has_programs_and_cases() -> None:
    pages = {page.stem for page in PAGES.glob("*.md")}
    assert pages == {chapter.page for chapter in CHAPTERS}
    assert sum(len(chapter.cases) for chapter in CHAPTERS) >= len(pages)
