"""Requests from the command line or standard input, each explained; the exit status says whether all could be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from meshc.render.explained import ExplanationRenderer
from meshc.render.json import Json, finding_json
from meshc.render.terminal import terminal_of
from meshc.reporting import Reporting
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.request import resolve_request
from meshc_compiler.why import Explanation, explain, explain_text
from meshc_lang.diagnostic import Diagnostic, has_errors
from meshc_lang.parser import parse_request

if TYPE_CHECKING:
    from meshc_compiler.flip.search import FlipFinder


def answer_all(
    index: MeshIndex, requests: tuple[str, ...], form: str, finder: FlipFinder | None = None, *, verbose: bool = False
) -> int:
    """Explain the requests that were named; return 1 if some could not be read."""
    renderer = ExplanationRenderer(index, terminal_of(sys.stdout), verbose=verbose)
    answers = [(text, *explain_text(index, text, finder)) for text in requests]
    if form == "json":
        told = [_as_json(renderer, text, explanation, found) for text, explanation, found in answers]
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(renderer.as_text(one) for _, one, _ in answers if one is not None))
    problems = tuple(problem for _, _, found in answers for problem in found)
    Reporting().tell(problems)
    return 1 if has_errors(problems) else 0


def answer_stream(
    index: MeshIndex, lines: Iterable[bytes], form: str, finder: FlipFinder | None = None, *, verbose: bool = False
) -> int:
    """Explain one request a line, as they come; empty lines and comments are passed over.

    As JSON there is one object a line for every request; one that could not be read has `findings` in it.
    """
    renderer = ExplanationRenderer(index, terminal_of(sys.stdout), verbose=verbose)
    status = 0
    for line in lines:
        text = line.decode("utf-8", "replace").strip()
        if not text or text.startswith("#"):
            continue
        explanation, problems = _explained(index, text, finder)
        if has_errors(problems):
            status = 1
        if form == "json":
            answer = _as_json(renderer, text, explanation, problems)
            sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
        elif explanation is not None:
            sys.stdout.write(renderer.as_text(explanation) + "\n")
        else:
            Reporting().tell(problems)
    return status


def _explained(
    index: MeshIndex, text: str, finder: FlipFinder | None
) -> tuple[Explanation | None, tuple[Diagnostic, ...]]:
    request, problems = parse_request(text)
    if request is None or problems:
        return None, problems
    resolved, problems = resolve_request(index, request)
    return (None if resolved is None else explain(index, resolved, finder, near=finder is not None)), problems


def _as_json(
    renderer: ExplanationRenderer, text: str, explanation: Explanation | None, problems: tuple[Diagnostic, ...]
) -> Json:
    """Return an explanation, or in its place the request as it came and what is wrong with it."""
    if explanation is not None:
        return renderer.as_json(explanation)
    return {"request": {"text": text}, "findings": [finding_json(problem) for problem in problems]}
