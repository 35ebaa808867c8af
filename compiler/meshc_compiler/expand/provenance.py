"""What is found about expanded statements, told where people look: at the source, with the way it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import zip_longest

from meshc_compiler.finding import did_you_mean
from meshc_lang.codes import Code, authorization, expansion, names, routing, units
from meshc_lang.diagnostic import Applicability, Diagnostic, Edit, Fix, Label
from meshc_lang.record import dataclass, field
from meshc_lang.source import ExpandedSpan, Span, UseSite
from meshc_lang.tree.statement import OverlayDecl

MOST_USES = 3
"""At so many `use` statements a finding in a template points at most."""

_IDLE_LINES: frozenset[Code] = frozenset(
    {
        authorization.DEAD_ALLOW,
        authorization.REDUNDANT_ALLOW,
        authorization.USELESS_DENY,
        routing.UNREACHABLE_ROUTE,
    }
)
"""Findings that say that a line does nothing. Of a line that stands for several statements (a template's, or the
program's and that of its overlays) this is a mistake only if none of them does anything."""

_IDLE = _IDLE_LINES | {authorization.UNREACHABLE_SERVICE, names.EMPTY_GROUP}
"""Findings that say that something declared is of no use; that it is of none in an overlay is no mistake."""

_WORDS: frozenset[Code] = frozenset({units.WRONG_TYPE, units.WRONG_UNIT, units.UNKNOWN_WORD})
_UNKNOWN: frozenset[Code] = frozenset({names.UNKNOWN_NAME, names.UNKNOWN_ROUTE_NAME, expansion.UNKNOWN_VALUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What an expansion knows that makes findings clearer.

    `lets` are the names that may have been meant by a word; `poisoned` the places of names whose value has an error
    of its own; `expansions` how often each template was written out. `overlay` is the one that was applied, `dropped`
    the names that it took away. With `by_itself` the overlay is all that was compiled, so that a finding may be one of
    the program: it is told as the overlay's if something of the overlay has part in it.
    """

    lets: tuple[str, ...] = ()
    poisoned: Set[tuple[str, int, int]] = frozenset()
    expansions: Mapping[str, int] = field(default_factory=dict)
    overlay: OverlayDecl | None = None
    dropped: Mapping[str, Span] = field(default_factory=dict)
    by_itself: bool = False


def explained(diagnostics: Iterable[Diagnostic], background: Background) -> tuple[Diagnostic, ...]:
    """Return findings with the places that explain them; what several uses of a template have in common, once.

    Findings in values that are wrong elsewhere are left out, and those that say that a line of a template, or one of
    the program while an overlay is applied, is without effect, where it has one otherwise.
    """
    groups: dict[tuple[tuple[str, int, int], str, str], list[Diagnostic]] = {}
    places: dict[tuple[tuple[str, int, int], str], set[tuple[Span, ...]]] = {}
    for diagnostic in diagnostics:
        key = diagnostic.primary.sort_key
        if key in background.poisoned or _is_idle_elsewhere(diagnostic, background):
            continue
        groups.setdefault((key, diagnostic.code.id, diagnostic.message), []).append(diagnostic)
        uses = tuple(site.span for site in _sites(diagnostic.primary))
        places.setdefault((key, diagnostic.code.id), set()).add(uses)
    told = []
    for (key, code, _), group in groups.items():
        first = group[0]
        everywhere = len(places[key, code]) >= _times(first.primary, background)
        if first.code in _IDLE_LINES and not everywhere:
            continue
        told.append(_told(first, group, everywhere, background))
    return tuple(told)


def less_sure(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return findings of a program that has overlays: a line without effect may have one in some overlay.

    So no fix that takes such a line away is safe.
    """
    return tuple(
        dataclasses.replace(
            one, fixes=tuple(dataclasses.replace(fix, applicability=_at_most_unsafe(fix)) for fix in one.fixes)
        )
        if one.code in _IDLE_LINES and one.fixes
        else one
        for one in diagnostics
    )


def _at_most_unsafe(fix: Fix) -> Applicability:
    return Applicability.UNSAFE if fix.applicability is Applicability.SAFE else fix.applicability


def _is_idle_elsewhere(diagnostic: Diagnostic, background: Background) -> bool:
    return background.overlay is not None and diagnostic.code in _IDLE and diagnostic.primary.overlay == ""


def _sites(span: Span) -> tuple[UseSite, ...]:
    return span.uses if isinstance(span, ExpandedSpan) else ()


def _times(span: Span, background: Background) -> int:
    """Return how often the template in which a span stands was written out; 1 outside of templates."""
    sites = _sites(span)
    return background.expansions.get(sites[0].template, 1) if sites else 1


def _told(first: Diagnostic, group: list[Diagnostic], everywhere: bool, background: Background) -> Diagnostic:
    own = list(first.related)
    ways = list(_waypoints(group))
    uses = list(_uses(group))
    overlay = []
    if background.overlay is not None and (not background.by_itself or _has_part(first)):
        name = background.overlay.name
        overlay = [Label(name.span, f"in the overlay `{name}`")]
    dropped = background.dropped.get(first.primary.text) if first.code in _UNKNOWN | _WORDS else None
    if dropped is not None:
        own.append(Label(dropped, "dropped here"))
    if not (ways or uses or overlay or dropped):
        return _with_let(first, background)
    # Renderings show the first few: one of each kind comes first.
    rows = zip_longest(own, overlay, ways, uses)
    related = tuple(dict.fromkeys(label for row in rows for label in row if label is not None))
    if dropped is not None:
        # Neither another name nor a declaration is what is wanted of a name that the overlay takes away.
        return dataclasses.replace(first, related=related, help="", fixes=())
    fixes = tuple(_mended(fix, everywhere, background) for fix in first.fixes)
    return _with_let(dataclasses.replace(first, related=related, fixes=fixes), background)


def _has_part(diagnostic: Diagnostic) -> bool:
    """Tell whether something of an overlay has part in a finding."""
    spans = (diagnostic.primary, *(label.span for label in diagnostic.related))
    return any(note.startswith("overlay ") for span in spans for note in span.notes)


def _waypoints(group: list[Diagnostic]) -> Iterator[Label]:
    seen: dict[tuple[tuple[str, int, int], str], Label] = {}
    for diagnostic in group:
        span = diagnostic.primary
        for way in span.waypoints if isinstance(span, ExpandedSpan) else ():
            seen.setdefault((way.span.sort_key, way.text), Label(way.span, way.text))
    yield from list(seen.values())[:MOST_USES]


def _uses(group: list[Diagnostic]) -> Iterator[Label]:
    """Return the `use` statements through which the places of findings came, each once."""
    spans: dict[tuple[str, int, int], Span] = {}
    for diagnostic in group:
        for span in (diagnostic.primary, *(label.span for label in diagnostic.related)):
            for site in _sites(span):
                spans.setdefault(site.span.sort_key, site.span)
    yield from (Label(span, "expanded from this `use`") for span in list(spans.values())[:MOST_USES])


def _mended(fix: Fix, everywhere: bool, background: Background) -> Fix:
    """Return a fix whose edits are made in the source: in the `let` of which a value came, not where it is used.

    A safe fix of what stands for other statements as well is safe no more.
    """
    edits = tuple(
        Edit(edit.span.written, edit.text)
        if isinstance(edit.span, ExpandedSpan) and edit.span.written is not None
        else edit
        for edit in fix.edits
    )
    shared = not everywhere or not all(_is_in(edit.span, background.overlay) for edit in edits)
    if fix.applicability is Applicability.SAFE and shared:
        return dataclasses.replace(fix, edits=edits, applicability=Applicability.UNSAFE)
    return dataclasses.replace(fix, edits=edits)


def _is_in(span: Span, overlay: OverlayDecl | None) -> bool:
    """Tell whether a span is in the text of the overlay, if one was applied."""
    if overlay is None:
        return True
    there = overlay.span
    return span.source.path == there.source.path and there.start <= span.start and span.end <= there.end


def _with_let(diagnostic: Diagnostic, background: Background) -> Diagnostic:
    """Return a finding about a word that stands where a value should, with the `let` that may have been meant."""
    if diagnostic.code not in _WORDS or diagnostic.fixes or not background.lets:
        return diagnostic
    span = diagnostic.primary
    word = span.text
    if word in background.lets or not word.replace("-", "").replace("_", "").isalnum() or word[:1].isdigit():
        return diagnostic
    help_line, fixes = did_you_mean(word, background.lets, span)
    return dataclasses.replace(diagnostic, help=help_line, fixes=fixes) if fixes else diagnostic
