"""Comparisons of texts, headers and paths (`envoy.type.matcher.v3`, `envoy.config.route.v3.HeaderMatcher`)."""

from __future__ import annotations

from functools import lru_cache

from meshc_backends.readback.envoy.fields import Message, flag, known, only_field, text
from meshc_backends.readback.expression import ExpressionError, matched_by
from meshc_backends.readback.formula import (
    NEVER,
    Formula,
    Has,
    JoinedMatches,
    LineMatches,
    MethodIn,
    all_of,
    any_of,
    not_,
    path_in,
)
from meshc_backends.readback.language import Language, intersection, language_of, only, union
from meshc_backends.readback.paths import (
    Begins,
    Exact,
    PathSet,
    as_tree,
    ends_before_queries,
    expression_paths,
    path_language,
)
from meshc_backends.readback.text_match import Comparison, TextMatcher, matcher_language
from meshc_backends.readback.unread import UnreadError
from meshc_compiler.regex import Characters, Repeat, Sequence

_PLAIN = {
    "exact": Comparison.EXACT,
    "prefix": Comparison.PREFIX,
    "suffix": Comparison.SUFFIX,
    "contains": Comparison.CONTAINS,
}


def text_matcher(message: object, place: str) -> TextMatcher:
    """Return a `StringMatcher`; letters are compared as they are (`ignore_case` is not known)."""
    kind, value = only_field(message, place)
    comparison = _PLAIN.get(kind)
    if comparison is not None and isinstance(value, str):
        return TextMatcher(comparison, value)
    if kind == "safe_regex":
        return TextMatcher(Comparison.EXPRESSION, expression(value, place))
    raise UnreadError(place, f"`{kind}` of {value!r}")


def expression(message: object, place: str) -> str:
    """Return the expression of a `RegexMatcher`, which must match the whole."""
    pattern = text(known(message, place, frozenset({"regex"})), "regex", place)
    try:
        matched_by(pattern)
    except ExpressionError as error:
        raise UnreadError(place, str(error)) from error
    return pattern


def path_matcher(message: object, place: str) -> Formula:
    """Return a `PathMatcher`: the path without its query."""
    matcher = text_matcher(known(message, place, frozenset({"path"})).get("path"), place)
    return path_in(_paths_of(matcher, place))


def _paths_of(matcher: TextMatcher, place: str) -> PathSet:
    match matcher.comparison:
        case Comparison.EXACT:
            return frozenset({Exact(matcher.text)})
        case Comparison.PREFIX:
            return frozenset({Begins(matcher.text)})
        case Comparison.EXPRESSION:
            return expression_paths(matcher.text)
        case _:
            raise UnreadError(place, f"a path compared by `{matcher.comparison}`")


# ---- headers


_LINE_FIELDS = frozenset({"name", "string_match", "present_match"})
_ROUTE_FIELDS = _LINE_FIELDS | {"invert_match", "treat_missing_header_as_empty"}


def line_header(message: object, place: str) -> Formula:
    """Return a header matcher of authorisation, which looks at each line by itself (since CVE-2026-26308)."""
    header = known(message, place, _LINE_FIELDS)
    name = text(header, "name", place)
    if "present_match" in header:
        return _present(header, name, place)
    matcher = text_matcher(header.get("string_match"), place)
    if name == ":method":
        return _method(matcher, place)
    if name.startswith(":"):
        raise UnreadError(place, f"the pseudo-header `{name}`")
    return LineMatches(name.lower(), frozenset({matcher}))


def route_header(message: object, place: str) -> Formula:
    """Return a header matcher of routes, which looks at all lines joined by commas."""
    header = known(message, place, _ROUTE_FIELDS)
    name = text(header, "name", place)
    inverted = flag(header, "invert_match", place)
    if "present_match" in header:
        present = _present(header, name, place)
        return not_(present) if inverted else present
    matcher = text_matcher(header.get("string_match"), place)
    if name == ":method":
        method = _method(matcher, place)
        return not_(method) if inverted else method
    if name == ":path":
        paths = path_in(paths_with_query(matcher, place))
        return not_(paths) if inverted else paths
    if name.startswith(":"):
        raise UnreadError(place, f"the pseudo-header `{name}`")
    # A header that is not there matches nothing, inverted or not, unless it is taken for an empty one.
    there: Formula = JoinedMatches(name.lower(), frozenset({matcher}))
    empty = flag(header, "treat_missing_header_as_empty", place) and matcher_language(matcher).holds("")
    if inverted:
        if flag(header, "treat_missing_header_as_empty", place) and not empty:
            return not_(there)
        return all_of((Has(None, name.lower()), not_(there)))
    return any_of((there, not_(Has(None, name.lower())))) if empty else there


def _present(header: Message, name: str, place: str) -> Formula:
    if "string_match" in header or "treat_missing_header_as_empty" in header or name.startswith(":"):
        raise UnreadError(place, f"a header `{name}` that is asked for in two ways")
    present = Has(None, name.lower())
    return present if flag(header, "present_match", place) else not_(present)


def _method(matcher: TextMatcher, place: str) -> Formula:
    if matcher.comparison is Comparison.EXACT:
        return MethodIn(frozenset({matcher.text}))
    methods = finite(matcher_language(matcher))
    if methods is None:
        raise UnreadError(place, f"methods compared by `{matcher.comparison}` with `{matcher.text}`")
    return MethodIn(methods) if methods else NEVER


_MOST_TEXTS = 10_000


def finite(language: Language) -> frozenset[str] | None:
    """Return the texts of a language; None if there are endlessly or very many."""
    alive = {state for state in range(len(language.rows)) if language.accepting >> state & 1}
    while more := {
        state
        for state, row in enumerate(language.rows)
        if state not in alive and any(target in alive for _, target in row)
    }:
        alive |= more
    found: set[str] = set()
    waiting = [(0, "")]
    for state, sofar in waiting:
        if len(waiting) > _MOST_TEXTS * 100 or len(sofar) > len(language.rows) or len(found) > _MOST_TEXTS:
            return None
        if language.accepting >> state & 1:
            found.add(sofar)
        for mask, target in language.rows[state]:
            if target in alive:
                waiting += [(target, sofar + chr(number)) for number in range(129) if mask >> number & 1]
    return frozenset(found)


# ---- the pseudo-header `:path`, which holds the query too


_QUERY = "(?:\\?.*)?"
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_ANY = Repeat(Characters(_VISIBLE), 0, None)
_TARGETS = language_of(_ANY)
_WITHOUT = language_of(Repeat(Characters(_VISIBLE - {"?"}), 0, None))


@lru_cache(maxsize=16384)
def paths_with_query(matcher: TextMatcher, place: str) -> PathSet:
    """Return the paths that a matcher of path and query accepts, whatever the query is.

    Raises:
        UnreadError: it depends on the query.
    """
    if matcher.comparison is Comparison.PREFIX and "?" not in matcher.text:
        return frozenset({Begins(matcher.text)})
    if matcher.comparison is Comparison.EXPRESSION and matcher.text.endswith(_QUERY):
        without = matcher.text.removesuffix(_QUERY)
        paths = expression_paths(without)
        if ends_before_queries(without):
            return paths
        alone = intersection(path_language(paths), _WITHOUT)
        every = union(alone, language_of(Sequence((as_tree(alone), only("?"), _ANY))))
        if intersection(matched_by(matcher.text), _TARGETS) is every:
            return paths
    raise UnreadError(place, f"a path compared together with its query by `{matcher.text}`")
