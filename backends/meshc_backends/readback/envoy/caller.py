"""Sets of callers, by the names in their certificates: all who get to a filter have exactly one."""

from __future__ import annotations

from meshc_backends.readback.envoy.text import finite
from meshc_backends.readback.formula import Callers
from meshc_backends.readback.text_match import Comparison, TextMatcher, matcher_language
from meshc_backends.readback.unread import UnreadError

NOBODY = Callers(frozenset())
EVERYBODY = Callers(frozenset(), others=True)


def named_by(matcher: TextMatcher, place: str, universe: str) -> Callers:
    """Return whose one URI name the matcher accepts; the names of all who get here begin with `universe`."""
    match matcher.comparison:
        case Comparison.EXACT:
            return Callers(frozenset({matcher.text})) if matcher.text.startswith(universe) else NOBODY
        case Comparison.PREFIX if universe.startswith(matcher.text):
            return EVERYBODY
        case Comparison.PREFIX if not matcher.text.startswith(universe):
            return NOBODY
        case Comparison.EXPRESSION if (names := finite(matcher_language(matcher))) is not None:
            return Callers(frozenset(name for name in names if name.startswith(universe)))
        case _:
            raise UnreadError(place, f"names compared by `{matcher.comparison}` with `{matcher.text}`")


def union(one: Callers, other: Callers) -> Callers:
    """Return the callers of either."""
    match one.others, other.others:
        case False, False:
            return Callers(one.named | other.named)
        case True, True:
            return Callers(one.named & other.named, others=True)
        case True, False:
            return Callers(one.named - other.named, others=True)
        case _:
            return Callers(other.named - one.named, others=True)


def complement(one: Callers) -> Callers:
    """Return every other caller."""
    return Callers(one.named, others=not one.others)


def intersection(one: Callers, other: Callers) -> Callers:
    """Return the callers of both."""
    return complement(union(complement(one), complement(other)))
