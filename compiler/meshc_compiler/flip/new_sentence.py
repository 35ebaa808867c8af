"""A sentence about one request, and where it is best written."""

from __future__ import annotations

from meshc_compiler.ir.match import PathTemplate, RequestMatch
from meshc_compiler.ir.mesh import MeshIndex
from meshc_compiler.ir.workload import ServicePort
from meshc_compiler.lower.sentence import callee_text, match_text, quoted
from meshc_compiler.lower.template import parse_template
from meshc_lang.diagnostic import Edit
from meshc_lang.pattern import pattern
from meshc_lang.request import PLAINTEXT, Request
from meshc_lang.source import ExpandedSpan, Span
from meshc_lang.tree.statement import AllowDecl, DenyDecl

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_PLAIN_PATH = pattern(r"/[A-Za-z0-9._~%!$&'()+=:@/-]*\Z")
_REST = pattern(r"[ \t,]*(#.*)?\r?\Z")
_CLOSING = pattern(r"(?m)^[ \t]*\}")
_STATEMENTS = ("allow", "deny", "service", "external", "use")


def names_caller(index: MeshIndex, caller: str) -> str | None:
    """Return a caller as a sentence names it; None for an identity that the mesh does not know."""
    if caller == PLAINTEXT or caller in index.workloads or caller == "ingress":
        return caller
    return quoted(caller) if caller.startswith("spiffe://") else None


def grant_text(request: Request, path: str, port: ServicePort) -> str | None:
    """Return the narrowest grant that can be written for a request with this canonical path."""
    if not port.protocol.is_http:
        return "tcp"
    template = parse_template(path)
    if request.method not in _METHODS or not isinstance(template, PathTemplate) or not _PLAIN_PATH.match(path):
        return None
    if port.protocol.value == "grpc" and (request.method != "POST" or len(template.segments) != 2):
        return None
    return match_text(RequestMatch(methods=(request.method,), path=template), port.protocol)


def add_grants(statement: AllowDecl | DenyDecl, grant: str) -> tuple[Span, str]:
    """Return where a further grant is written in a statement, and the text that is: on a line of its own in a block."""
    last = statement.grants[-1].span
    text = last.source.text
    line = text.rfind("\n", 0, last.start) + 1
    before = text[line : last.start]
    if before.strip():
        return last.at(last.end, last.end), f", {grant}"
    end = text.find("\n", last.end)
    rest = text[last.end : end if end != -1 else len(text)]
    # Behind a comment on the line, if there is nothing else that would be in the way.
    at = last.end + len(rest.rstrip()) if _REST.match(rest) else last.end
    return last.at(at, at), f"\n{before}{grant}"


def add_sentence(
    index: MeshIndex, callee: str, port: ServicePort, beginning: str, grant: str
) -> tuple[Edit, str] | None:
    """Return the edit that writes a sentence about a callee behind those that are there, and its line."""
    place = _place(index, callee)
    if place is None:
        return None
    line = f"{beginning} -> {callee_text(callee, port)} : {grant}"
    return Edit(place, f"\n{_indent(place)}{line}"), line


def _place(index: MeshIndex, callee: str) -> Span | None:
    """Return where a sentence about the callee is best added: at the end of the line of the last one, or of its own."""
    service, external = index.services.get(callee), index.externals.get(callee)
    ports = [port.number for port in service.ports] if service else [external.port.number] if external else []
    spans = [rule.origin for number in ports for rule in index.rules_of(callee, number) if rule.origin is not None]
    named = service or external
    if not spans and named is not None and named.origin is not None:
        spans = [named.origin]
    if not spans:
        return None
    # Within a template it would be added for each of its uses: behind the `use` it is said once.
    plain = [span.uses[-1].span if isinstance(span, ExpandedSpan) and span.uses else span for span in spans]
    return _after_statement(max(plain, key=lambda span: span.sort_key))


def _indent(place: Span) -> str:
    """Return the indentation of the line that ends at a place: within an overlay statements are indented."""
    text = place.source.text
    line = text[text.rfind("\n", 0, place.start) + 1 : place.start]
    return line[: len(line) - len(line.lstrip())]


def _after_statement(span: Span) -> Span:
    """Return the end of the line on which the statement around a span ends: past the brace of its block, if any."""
    text = span.source.text
    line_start = text.rfind("\n", 0, span.start) + 1
    at = span.end
    if not text[line_start : span.start].lstrip().startswith(_STATEMENTS):
        closing = _CLOSING.search(text, at)
        at = closing.end() if closing is not None else len(text)
    end = text.find("\n", at)
    end = len(text) if end == -1 else end
    return Span(span.source, end, end)
