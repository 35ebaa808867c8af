"""Whatever hypothesis makes of words, programs and trees of files holds what must hold."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from meshc_compiler.loader import DiskReader, load
from meshc_lang.diagnostic import has_errors
from meshc_lang.tables import grammar_text
from support import fuzz_targets
from support.effort import examples
from support.program_texts import program_texts

KEYWORDS = tuple(re.findall(r"^[A-Z_]+\.2: /([a-z]+)\(", grammar_text(), flags=re.MULTILINE))
MARKS = tuple(re.findall(r'^[A-Z_]+: "(.+)"$', grammar_text(), flags=re.MULTILINE))
VALUES = (
    "web", "a-b", "GET", "/v1/**", "/{id:int}", "pay.v1.P/C", '"x"', '"\\u0041"', "5s", "1.5", "20%", "64KiB",
    "9/s", "80/http", "5xx", "2026", "~", "\n", "\n", " # c\n", ";", "\\\n",
)  # fmt: skip
SEEDS = sorted((Path(__file__).resolve().parent / "corpus").glob("program/*.mesh"))

soups = st.lists(st.sampled_from(KEYWORDS + MARKS + VALUES), max_size=60).map(" ".join)


@st.composite
def spliced(draw: DrawFn) -> str:
    """The beginning of one program and the end of another, cut anywhere."""
    programs = st.one_of(program_texts(most=3), st.sampled_from(SEEDS).map(lambda path: path.read_text("utf-8")))
    first, second = draw(programs), draw(programs)
    return first[: draw(st.integers(0, len(first)))] + second[draw(st.integers(0, len(second))) :]


@examples(150)
@example(" ;## above\nedition 2026")
@given(st.one_of(soups, spliced()))
def test_any_row_of_words_is_read_or_refused(text: str) -> None:
    fuzz_targets.program(text.encode("utf-8", "replace"))


@examples(100)
@given(st.one_of(soups, spliced(), st.sampled_from(SEEDS).map(lambda path: path.read_text("utf-8"))), soups)
def test_any_row_of_words_is_compiled_or_refused(text: str, more: str) -> None:
    fuzz_targets.compilation((text + "\n" + more).encode("utf-8", "replace"))


@examples(150)
@given(st.lists(st.sampled_from((*VALUES, " -> ", "rpc ", "tcp", "claims ", '{x: "1"}', "any", ".")), max_size=9))
def test_any_row_of_words_is_a_request_or_refused(words: list[str]) -> None:
    fuzz_targets.request(("web -> api " + "".join(words)).encode())


@examples(150)
@given(st.lists(st.sampled_from((*r"/ab0.*+?|()[]{}^$-\d,:", "(?:", "[^", "{2,3}", "\\.")), max_size=12).map("".join))
def test_any_row_of_marks_is_an_expression_or_refused(pattern: str) -> None:
    fuzz_targets.regex(pattern.encode())


NAMES = ("a.mesh", "b.mesh", "lib", "..", ".", "c.yaml", "p.proto", "q", "~")
PATHS = st.lists(st.sampled_from(NAMES), max_size=4).map("/".join)


@st.composite
def trees(draw: DrawFn) -> str:
    """Files that import each other, or what is not there."""
    files = draw(st.dictionaries(PATHS, st.lists(PATHS, max_size=3), max_size=5))
    kinds = st.sampled_from(['import "{}"', 'import kubernetes "{}"', 'import proto "{}" for a', 'import openapi "{}"'])
    texts = []
    for path, imported in files.items():
        imports = "\n".join(draw(kinds).format(other) for other in imported)
        texts.append(f"=== {path}\n{imports}\n" + draw(st.sampled_from(["", "service a {}\n", "mesh m {\n"])))
    return "".join(texts)


@examples(100)
@given(trees())
def test_any_files_that_import_each_other_are_a_program_or_refused(text: str) -> None:
    fuzz_targets.tree(text.encode())


KINDS = ("file", "latin", "mark", "nul", "empty", "directory", "fifo", "link", "device", "unreadable", "large")


@examples(60)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_any_tree_on_disk_is_read_or_refused(tmp_path_factory, things: list[tuple[str, int, int]]) -> None:  # type: ignore[no-untyped-def]
    root = tmp_path_factory.mktemp("tree")
    program = root / "program"
    program.mkdir()
    (root / "secret.mesh").write_text("service secret {}\n")
    places = [program]
    for number, (kind, where, to) in enumerate(things):
        folder = places[where % len(places)]
        path = folder / f"{number}.mesh"
        match kind:
            case "directory":
                path.mkdir()
                places.append(path)
            case "fifo":
                os.mkfifo(path)
            case "link":
                targets = [*places, root / "secret.mesh", root, path, program / f"{to}.mesh", Path("..")]
                path.symlink_to(targets[to % len(targets)])
            case "device":
                path.symlink_to("/dev/zero")
            case "unreadable":
                path.write_text("service a {}\n")
                path.chmod(0)
            case _:
                contents = {
                    "latin": b"# caf\xe9\n",
                    "mark": b"\xef\xbb\xbfservice a {}\n",
                    "nul": b"service\0a {}\n",
                    "empty": b"",
                    "large": b"# comment\n" * 20_000,
                }
                path.write_bytes(contents.get(kind, b"service a {}\n"))
    loaded, found = load((".",), DiskReader(program))
    assert loaded.incomplete <= has_errors(found)
    for source in loaded.sources:
        assert (program / source.path).resolve().is_relative_to(program.resolve())
        assert "secret" not in source.text
