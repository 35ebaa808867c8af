"""Who can call a service: the question read from the command line, and the answer written."""

from __future__ import annotations

import gc
import re
import sys

import click

from meshc.checking import DEFAULT_PROGRAM
from meshc.compiling import compile_paths
from meshc.render.callers import as_dot, as_json, as_text
from meshc.render.terminal import terminal_of
from meshc.reporting import Reporting
from meshc_compiler.callers.chain import chains_to
from meshc_compiler.callers.direct import direct_callers
from meshc_compiler.callers.question import read_question
from meshc_compiler.source_reader import DiskReader
from meshc_lang.record import dataclass

_MATCHER = re.compile(r"[A-Z][A-Z0-9_-]*(?:\|[A-Z][A-Z0-9_-]*)*\Z|\*\Z|rpc\Z|tcp\Z|~|/")
"""How a matcher begins: methods, `*`, `rpc`, `tcp`, an expression, or a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of a command line told apart: the program's paths, the service, and a matcher of requests."""

    program: tuple[str, ...]
    service: str
    requests: str


def tell_apart(words: tuple[str, ...]) -> Words:
    """Return what the words mean; they may leave the program out.

    What exists on the disk is of the program; of words that all exist the last is the service, and so is what stands
    before a matcher.
    """
    disk = DiskReader()
    at = 0
    while at < len(words) - 1 and disk.exists(words[at]):
        at += 1
    if at and _begins_a_matcher(words[at]):
        at -= 1
    first = words[at + 1] if at + 1 < len(words) else ""
    if first and not _begins_a_matcher(first):
        if at == 0 and "." not in words[at]:
            raise click.UsageError(f"there is no file or directory `{words[at]}`")
        raise click.UsageError(f"`{first}` is no matcher of requests, such as `GET /v1/**`")
    return Words(program=words[:at] or (DEFAULT_PROGRAM,), service=words[at], requests=" ".join(words[at + 1 :]))


def _begins_a_matcher(word: str) -> bool:
    return _MATCHER.match(word.partition(" ")[0]) is not None


def answer(words: tuple[str, ...], form: str, *, overlay: str | None, via: bool) -> int:
    """Answer the question that the words ask; return 1 if it could not be understood, or the program has errors."""
    asked = tell_apart(words)
    reporting = Reporting()
    result = compile_paths(asked.program, overlay, proofs=False)
    if result.index is None:
        reporting.tell_result(result)
        return 1
    gc.freeze()  # what was compiled stays to the end: the collector need not look through it again
    question, problems = read_question(result.index, result.program, asked.service, asked.requests)
    reporting.tell(problems)
    if question is None:
        return 1
    direct = direct_callers(result.index, question)
    chains = chains_to(result.index, question, direct)
    match form:
        case "json":
            sys.stdout.write(as_json(asked.service, asked.requests, direct, chains))
        case "dot":
            sys.stdout.write(as_dot(question.callee, direct, chains))
        case _:
            sys.stdout.write(as_text(asked.service, asked.requests, direct, chains, terminal_of(sys.stdout), via=via))
    return 0
