"""What must hold for any input at all: one function a part of meshc, each of which takes bytes.

Tests ask it of texts that hypothesis makes and of the corpus, `make fuzz` of what libFuzzer finds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from meshc.render.terminal import Terminal
from meshc.render.text import render_diagnostic
from meshc_compiler.loader import MemoryReader, Refusal
from meshc_compiler.pipeline import compile_all
from meshc_compiler.program_path import resolve_inside
from meshc_compiler.regex import RegexProblem, full_match, parse_regex, samples
from meshc_lang.diagnostic import Diagnostic, has_errors, in_order
from meshc_lang.format import format_file
from meshc_lang.parser import parse, parse_request
from meshc_lang.source import SourceText
from meshc_lang.tree.dump import dump
from meshc_lang.tree.walk import walk
from meshc_runtime.regex import LinearRegex

SEPARATOR = re.compile(r"^===[ ]?(.*)\n", re.MULTILINE)
"""In an input for `tree`, the line above each file, with its path."""


def text_of(data: bytes) -> str:
    """Return an input as a text: whatever is no UTF-8 becomes something else."""
    return data.decode("utf-8", "replace")


def assert_told_well(problems: tuple[Diagnostic, ...], text: str) -> None:
    """Check that findings stand in the text, in order, and can be shown."""
    assert problems == in_order(problems)
    assert len(problems) <= 500
    for problem in problems:
        assert 0 <= problem.primary.start <= problem.primary.end <= len(text)
        assert problem.message.isprintable()
        assert "``" not in problem.message or "`" in text
        assert len(problem.message) < 400


def program(data: bytes) -> None:
    """A text is read or refused in words; what is read can be walked, and written in its one form."""
    text = text_of(data)
    file, problems = parse(SourceText("program.mesh", text))
    assert_told_well(problems, text)
    assert all(statement.span.source.text == text for statement in file.statements)
    assert sum(1 for _ in walk(file)) <= 10 * len(text) + 10
    if problems:
        return
    written = format_file(file)
    again, found = parse(SourceText("program.mesh", written))
    assert found == ()
    assert (again == file, dump(again) == dump(file)) == (True, True)
    assert format_file(again) == written


def compilation(data: bytes) -> None:
    """A program is compiled, by itself and with its overlays, or there is an error that says why it is not."""
    result = compile_all(("program.mesh",), MemoryReader({"program.mesh": data}))
    assert (result.mesh is None) <= has_errors(result.diagnostics)
    for problem in result.diagnostics:
        shown = render_diagnostic(problem, Terminal())
        assert all(mark.isprintable() or mark == "\n" or unicodedata.category(mark) == "Zs" for mark in shown)
        assert 0 <= problem.primary.start <= problem.primary.end <= len(problem.primary.source.text)
        for fix in problem.fixes:
            assert all(edit.span.end <= len(edit.span.source.text) for edit in fix.edits)


def request(data: bytes) -> None:
    """A request is read, and reads the same from its own notation; or it is refused in words."""
    text = text_of(data)
    found, problems = parse_request(text)
    assert (found is None) == bool(problems)
    assert_told_well(problems, text)
    if found is not None:
        assert parse_request(found.text) == (found, ())


def regex(data: bytes) -> None:
    """An expression that is taken means the same to our matcher, to Python's and to the proxy's."""
    pattern = text_of(data)
    tree = parse_regex(pattern)
    if isinstance(tree, RegexProblem):
        assert 0 <= tree.offset <= len(pattern)
        return
    theirs = re.compile(pattern, re.ASCII)
    proxy = LinearRegex(pattern)
    for text in samples(tree, 6):
        # Python's matcher goes back over what it tried: on a long text it may take for ever.
        assert len(text) > 16 or theirs.fullmatch(text)
        for other in (text, text[:-1], text + "a", text[1:]):
            assert full_match(pattern, other) is proxy.matches(other)


def tree(data: bytes) -> None:
    """A directory of any files is compiled or refused, and no path written in it leads out of it."""
    files: dict[str, str | bytes] = {}
    parts = SEPARATOR.split(text_of(data))
    for path, content in zip(parts[1::2], parts[2::2], strict=True):
        inside = resolve_path(path)
        if inside is not None:
            files[inside] = content
    result = compile_all(("p",), MemoryReader({"q/secret.mesh": "", **files}))
    assert (result.mesh is None) <= has_errors(result.diagnostics)
    assert all(source.path.startswith("p/") for source in result.program.read)
    for path in parts[1::2]:
        found = resolve_inside("p", "p", path, MemoryReader(files))
        assert isinstance(found, Refusal) or found in files


def resolve_path(path: str) -> str | None:
    """Return a file's place below `p`, or None for one that no file system could hold."""
    names = [name for name in path.split("/") if name not in ("", ".", "..")]
    return "/".join(["p", *names]) if names and path.isprintable() and len(path) < 200 else None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "program": program,
    "compilation": compilation,
    "request": request,
    "regex": regex,
    "tree": tree,
}
"""Each target by its name; the corpus of `compilation` is that of `program`."""

CORPUS = {"compilation": "program"}
"""The folders of corpora that are not named as their target is."""
