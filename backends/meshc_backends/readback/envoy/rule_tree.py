"""Trees of matchers (`xds.type.matcher.v3.Matcher`) with verdicts of authorisation at their ends.

The first end that a request gets to decides, and one that gets to none is refused. A list is tried from its beginning,
the prefixes of a map from the longest; a branch that comes to no end is left again, at last for `on_no_match`.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshc_backends.readback.envoy.caller import EVERYBODY, NOBODY, complement, intersection, named_by, union
from meshc_backends.readback.envoy.fields import Message, items, known, only_field, text, type_of, typed
from meshc_backends.readback.envoy.text import expression, paths_with_query, text_matcher
from meshc_backends.readback.formula import (
    ALWAYS,
    NEVER,
    All,
    Callers,
    Formula,
    Has,
    JoinedMatches,
    MethodIn,
    PathIn,
    all_of,
    any_of,
    any_of_products,
    not_,
    path_in,
)
from meshc_backends.readback.language import intersection as common
from meshc_backends.readback.paths import Begins, Exact, PathForm, PathSet, Pieces, path_language
from meshc_backends.readback.policy import Gate, Named, Stage
from meshc_backends.readback.text_match import Comparison, TextMatcher
from meshc_backends.readback.unread import UnreadError
from meshc_lang.record import dataclass

_MATCHER = frozenset({"matcher_list", "matcher_tree", "on_no_match"})
_TREE = frozenset({"input", "exact_match_map", "prefix_match_map"})
_NAMED = frozenset({"name", "typed_config"})
_URI_NAMES = "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"
_HEADER = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
_ACTION = "envoy.config.rbac.v3.Action"

_MOST_IN_TURN = 200
"""How many ends may be read one after the other, where allows and denies stand among each other."""

_ANY_BYTES = r"\C*"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What is known of the requests on a way into the tree. `target` compares their path with the query behind it."""

    callers: Callers = EVERYBODY
    target: TextMatcher | None = None
    asked: frozenset[Formula] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """A verdict under a rule's name, and the requests that get there if no earlier end has them."""

    name: str
    denies: bool
    way: _Way


def tree_gate(message: object, place: str, universe: str | None) -> Gate:
    """Return what a tree refuses; `universe` begins the names of all who get here, None where they have none."""
    ends = list(_Tree(place, universe).ends(message, _Way()))
    denies = [end for end in ends if end.denies]
    allows = [end for end in ends if not end.denies]
    if ends == denies + allows:
        refused = [Stage(denies=True, rules=_rules(denies, place))] if denies else []
        return (*refused, Stage(denies=False, rules=_rules(allows, place)))
    if len(ends) > _MOST_IN_TURN:
        raise UnreadError(place, "denies behind allows")
    allowed: Formula = NEVER
    for end in reversed(ends):
        (rule,) = _rules([end], place) or (Named(end.name, NEVER),)
        allowed = all_of((not_(rule.formula), allowed)) if end.denies else any_of((rule.formula, allowed))
    return (Stage(denies=False, rules=frozenset({Named("the tree", allowed)})),)


@dataclass(frozen=True, slots=True)
class _Tree:
    """Reads one tree; `place` is where it stands."""

    place: str
    universe: str | None

    def ends(self, message: object, way: _Way) -> Iterator[_End]:
        """Yield the ends in the order in which they are come to."""
        matcher = known(message, self.place, _MATCHER)
        if "matcher_list" in matcher:
            if "matcher_tree" in matcher:
                raise UnreadError(self.place, "a matcher that is two")
            yield from self._listed(matcher["matcher_list"], way)
        elif "matcher_tree" in matcher:
            yield from self._looked_up(matcher["matcher_tree"], way)
        if "on_no_match" in matcher:
            yield from self._on_match(matcher["on_no_match"], way)

    def _on_match(self, message: object, way: _Way) -> Iterator[_End]:
        if way.callers == NOBODY:
            return
        kind, value = only_field(message, self.place)
        if kind == "matcher":
            yield from self.ends(value, way)
        elif kind == "action":
            action = known(value, self.place, _NAMED)
            verdict = typed(action.get("typed_config"), _ACTION, self.place, frozenset({"@type", "name", "action"}))
            word = verdict.get("action", "ALLOW")
            if word not in {"ALLOW", "DENY"}:
                raise UnreadError(self.place, f"the action {word!r}")
            yield _End(name=text(verdict, "name", self.place), denies=word == "DENY", way=way)
        else:
            raise UnreadError(self.place, f"`{kind}` in a matcher")

    def _listed(self, message: object, way: _Way) -> Iterator[_End]:
        for one in items(known(message, self.place, frozenset({"matchers"})), "matchers", self.place):
            matcher = known(one, self.place, frozenset({"predicate", "on_match"}))
            callers, asked = self._parts(matcher.get("predicate"))
            if asked is not NEVER:
                yield from self._on_match(matcher.get("on_match"), _narrowed(way, callers, asked))

    def _looked_up(self, message: object, way: _Way) -> Iterator[_End]:
        tree = known(message, self.place, _TREE)
        kind, value = only_field({key: tree[key] for key in tree if key != "input"}, self.place)
        found = known(value, self.place, frozenset({"map"})).get("map", {})
        if not isinstance(found, dict):
            raise UnreadError(self.place, "a map that is none")
        subject = self._subject(tree.get("input"))
        comparison = Comparison.EXACT if kind == "exact_match_map" else Comparison.PREFIX
        # The longest prefix comes first.
        for key in sorted(found, key=len, reverse=True) if comparison is Comparison.PREFIX else found:
            matcher = TextMatcher(comparison, key)
            if subject == ":path":
                if way.target is not None:
                    raise UnreadError(self.place, "a path that is looked up twice")
                narrower = _Way(callers=way.callers, target=matcher, asked=way.asked)
                yield from self._on_match(found[key], narrower)
            else:
                callers, asked = self._compared(subject, matcher)
                yield from self._on_match(found[key], _narrowed(way, callers, asked))

    # ---- predicates

    def _parts(self, message: object) -> tuple[Callers, Formula]:
        """Return a predicate as whose certificate is asked for, and what else is asked."""
        kind, value = only_field(message, self.place)
        if kind == "and_matcher":
            callers, asked = EVERYBODY, []
            for one in self._operands(value):
                who, what = self._parts(one)
                callers = intersection(callers, who)
                asked.append(what)
            return callers, all_of(asked)
        if kind == "or_matcher":
            parts = [self._parts(one) for one in self._operands(value)]
            if all(what is ALWAYS for _, what in parts):
                callers = NOBODY
                for who, _ in parts:
                    callers = union(callers, who)
                return callers, ALWAYS
            return EVERYBODY, any_of(what if who == EVERYBODY else all_of((who, what)) for who, what in parts)
        if kind == "not_matcher":
            who, what = self._parts(value)
            if what is ALWAYS:
                return complement(who), ALWAYS
            return EVERYBODY, not_(what if who == EVERYBODY else all_of((who, what)))
        if kind != "single_predicate":
            raise UnreadError(self.place, f"the predicate `{kind}`")
        single = known(value, self.place, frozenset({"input", "value_match"}))
        subject = self._subject(single.get("input"))
        given = single.get("value_match")
        if isinstance(given, dict) and set(given) == {"safe_regex"}:
            regex = known(given["safe_regex"], self.place, frozenset({"google_re2", "regex"}))
            if regex.get("regex") == _ANY_BYTES and subject is not None and not subject.startswith(":"):
                return EVERYBODY, Has(None, subject)
            plain = {"regex": text(regex, "regex", self.place)}
            matcher = TextMatcher(Comparison.EXPRESSION, expression(plain, self.place))
        else:
            matcher = text_matcher(given, self.place)
        return self._compared(subject, matcher)

    def _operands(self, message: object) -> list[Message]:
        return items(known(message, self.place, frozenset({"predicate"})), "predicate", self.place)

    def _subject(self, message: object) -> str | None:
        """Return which header is looked at; None are the names in the peer's certificate."""
        config = known(message, self.place, _NAMED).get("typed_config")
        if type_of(config, self.place) == _URI_NAMES:
            known(config, self.place, frozenset({"@type"}))
            if not self.universe:
                raise UnreadError(self.place, "names of peers that have none")
            return None
        header = typed(config, _HEADER, self.place, frozenset({"@type", "header_name"}))
        return text(header, "header_name", self.place).lower()

    def _compared(self, subject: str | None, matcher: TextMatcher) -> tuple[Callers, Formula]:
        """Return who, or which requests, show the text that a matcher accepts; lines of a header are joined."""
        if subject is None:
            return named_by(matcher, self.place, self.universe or ""), ALWAYS
        if subject == ":path":
            return EVERYBODY, path_in(paths_with_query(matcher, self.place))
        if subject == ":method":
            if matcher.comparison is not Comparison.EXACT:
                raise UnreadError(self.place, f"methods compared by `{matcher.comparison}` with `{matcher.text}`")
            return EVERYBODY, MethodIn(frozenset({matcher.text})) if matcher.text else NEVER
        if subject.startswith(":"):
            raise UnreadError(self.place, f"the pseudo-header `{subject}`")
        return EVERYBODY, any_of([JoinedMatches(subject, frozenset({matcher}))])


def _narrowed(way: _Way, callers: Callers, asked: Formula) -> _Way:
    parts = asked.parts if isinstance(asked, All) else {asked}
    return _Way(callers=intersection(way.callers, callers), target=way.target, asked=way.asked | parts)


# ---- ends as rules


def _rules(ends: list[_End], place: str) -> frozenset[Named]:
    """Return what the ends of one verdict are about, those of one name put together.

    All of them count: which comes first does not matter to a verdict that is the same.
    """
    by_name: dict[str, dict[frozenset[Formula], list[TextMatcher | None]]] = {}
    for end in ends:
        who = frozenset[Formula]() if end.way.callers == EVERYBODY else frozenset[Formula]({end.way.callers})
        by_name.setdefault(end.name, {}).setdefault(end.way.asked | who, []).append(end.way.target)
    return frozenset(
        Named(name, formula)
        for name, alternatives in by_name.items()
        if (formula := any_of_products([_alternative(asked, of, place) for asked, of in alternatives.items()]))
        is not NEVER
    )


def _alternative(asked: frozenset[Formula], targets: list[TextMatcher | None], place: str) -> frozenset[Formula]:
    if None in targets:
        return asked
    paths = _paths_of([target for target in targets if target is not None], place)
    looked_at = path_in(paths)
    if looked_at is ALWAYS or any(_is_within(part, paths) for part in asked):
        return asked
    return asked | {looked_at}


def _paths_of(targets: list[TextMatcher], place: str) -> PathSet:
    """Return the paths, whatever the query, of some comparisons with path and query.

    A path stands for itself only if it is found with a query behind it too.
    """
    exact = {one.text for one in targets if one.comparison is Comparison.EXACT}
    prefixes = {one.text for one in targets if one.comparison is Comparison.PREFIX}
    begun = {one for one in prefixes if "?" not in one}
    if {f"{one}?" for one in exact} != prefixes - begun:
        odd = min({f"{one}?" for one in exact} ^ (prefixes - begun))
        raise UnreadError(place, f"a path that counts by its query: `{odd}`")
    return frozenset([*map(Exact, exact), *map(Begins, begun)])


def _is_within(part: Formula, paths: PathSet) -> bool:
    """Tell whether a question for a path already holds what the way to it says: one beginning."""
    (form, *others) = paths
    if others or not isinstance(form, Begins) or not isinstance(part, PathIn):
        return False
    if all(_begins_with(one, form.text) for one in part.paths):
        return True
    asked = path_language(part.paths)
    return common(asked, path_language(paths)) is asked


def _begins_with(form: PathForm, start: str) -> bool:
    if isinstance(form, Exact | Begins):
        return form.text.startswith(start)
    if isinstance(form, Pieces):
        text_ = ""
        for piece in form.pieces:
            if not isinstance(piece, str):
                return f"{text_}/".startswith(start)
            text_ += f"/{piece}"
        return text_.startswith(start)
    return False
