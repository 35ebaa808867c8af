"""The fix that takes a grant away: its line, its part of a list, or the whole statement if it is the only one."""

from __future__ import annotations

from meshc_compiler.finding import delete
from meshc_compiler.lower.rule import GrantSite
from meshc_lang.diagnostic import Applicability, Edit, Fix
from meshc_lang.source import Span


def delete_grant(site: GrantSite, applicability: Applicability) -> Fix:
    """Return the fix that removes one grant, comments around it left alone."""
    grants = site.statement.grants
    if len(grants) == 1:
        return delete("delete this statement", site.statement.span, len(site.statement.doc), applicability)
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
