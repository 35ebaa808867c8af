"""The fix that takes a grant away: its line, its part of a list, or the whole statement if it is the only one."""

from __future__ import annotations

import re

from meshc_compiler.lower.rule import GrantSite
from meshc_lang.diagnostic import Applicability, Edit, Fix
from meshc_lang.source import Span

_REST_OF_LINE = re.compile(r"[ \t]*\r?\n?")


def delete_grant(site: GrantSite, applicability: Applicability) -> Fix:
    """Return the fix that removes one grant, comments around it left alone."""
    grants = site.statement.grants
    if len(grants) == 1:
        span = _whole_lines(site.statement.span)
        if site.statement.doc:
            span = _with_doc(span, len(site.statement.doc))
        return Fix(title="delete this statement", applicability=applicability, edits=(Edit(span, ""),))
    own = site.grant.span
    source = own.source
    # By identity: two grants of a statement may say the same and so be equal.
    position = next(number for number, grant in enumerate(grants) if grant is site.grant)
    if position + 1 < len(grants):
        span = Span(source, own.start, grants[position + 1].span.start)
    else:
        span = Span(source, grants[position - 1].span.end, own.end)
    if "#" in span.text.replace(own.text, ""):
        # A comment stands between the grants: keep it, at the cost of an empty line.
        span = own
    return Fix(title="delete this grant", applicability=applicability, edits=(Edit(span, ""),))


def _whole_lines(span: Span) -> Span:
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    rest = _REST_OF_LINE.match(text, span.end)
    if text[start : span.start].strip() or rest is None or not (rest[0].endswith("\n") or rest.end() == len(text)):
        return span
    return Span(span.source, start, rest.end())


def _with_doc(span: Span, lines: int) -> Span:
    start = span.start
    for _ in range(lines):
        start = span.source.text.rfind("\n", 0, max(start - 1, 0)) + 1
    return Span(span.source, start, span.end)
