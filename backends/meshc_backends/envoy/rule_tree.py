"""Large sets of rules as a tree of matchers (`xds.type.matcher.v3.Matcher`): what a request costs stays flat.

Envoy tries `policies` one by one; a tree finds by hash and by trie the few rules that can be about a path. A branch
that comes to nothing goes on with the next: from an exact path to the prefixes, longest first, and then to the rules
without a path. All actions of one effect lead to one verdict, so their order does not matter; a deny stands before
every allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from meshc_backends.carried import NotCarriedError
from meshc_backends.envoy.header_match import member_string_matches
from meshc_backends.envoy.message import Message, typed
from meshc_backends.envoy.names import unique_names
from meshc_backends.envoy.path_match import (
    ExactPath,
    PathPrefix,
    RegexPath,
    literal_start,
    path_forms,
    quote,
)
from meshc_backends.envoy.target_expression import of_expression, of_literal, of_template
from meshc_compiler.ir.caller import AnyCaller, Callers, PlaintextCaller, TheseCallers
from meshc_compiler.ir.match import (
    AllOf,
    AnyOf,
    AttributeMatches,
    AttributeOneOf,
    AttributePresent,
    CallerIn,
    Condition,
    HeaderMatches,
    HeaderOneOf,
    HeaderPresent,
    Not,
    PathMatch,
    PathRegex,
)
from meshc_compiler.ir.policy import Effect, Rule
from meshc_lang.record import dataclass

TREE_FROM = 32
"""How many rules of one effect become a tree. Fewer are read more easily, and tried as fast, one after another."""

_LIST_AT_MOST = 8
"""How many rules are tried one by one, rather than looked up by caller, method and path."""

_CALLERS_AT_MOST = 3
_METHODS_AT_MOST = 2
"""How many callers and methods a rule may have to stand under each of them, instead of being tried."""

_IN_EXPRESSION = 100
"""How many identities one expression compares with; RE2's programs are bounded."""

_URI_NAMES: Message = {
    "name": "envoy.matching.inputs.uri_san",
    "typed_config": typed("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """A rule at one place of the tree, and what is left to ask there.

    The caller must have one of `callers`, if it is not empty; likewise for `methods`.
    """

    name: str
    effect: Effect
    callers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    path: PathMatch | None = None
    asked: tuple[Message, ...] = ()

    def without_callers(self) -> _Leaf:
        return _Leaf(name=self.name, effect=self.effect, methods=self.methods, path=self.path, asked=self.asked)

    def without_methods(self) -> _Leaf:
        return _Leaf(name=self.name, effect=self.effect, callers=self.callers, path=self.path, asked=self.asked)

    def without_path(self, *asked: Message) -> _Leaf:
        every = (*asked, *self.asked)
        return _Leaf(name=self.name, effect=self.effect, callers=self.callers, methods=self.methods, asked=every)


def rule_tree(rules: Iterable[Rule], trust_domain: str, *, callers_known: bool = False) -> Message:
    """Return the tree in which denies are looked for first, and then allows; what no rule allows is refused.

    With `callers_known` everybody who gets here is the caller whom the rules are about.
    """
    every = sorted(rules, key=lambda rule: rule.id)
    tree: Message | None = None
    for effect in (Effect.ALLOW, Effect.DENY):
        chosen = [rule for rule in every if rule.effect is effect]
        if chosen:
            names = unique_names(rule.id for rule in chosen)
            named = zip(names, chosen, strict=True)
            tree = _tree([_leaf(name, rule, trust_domain, callers_known=callers_known) for name, rule in named], tree)
    if tree is None:
        raise ValueError("a tree of no rules: a filter without policies says that")
    return tree


def _leaf(name: str, rule: Rule, trust_domain: str, *, callers_known: bool) -> _Leaf:
    callers, whoever = ((), ()) if callers_known else _callers(rule.callers, trust_domain, rule.effect)
    condition = () if rule.match.condition is None else (_condition(rule.match.condition),)
    return _Leaf(
        name=name,
        effect=rule.effect,
        callers=callers,
        methods=rule.match.methods,
        path=rule.match.path,
        asked=(*whoever, *condition),
    )


def _tree(leaves: list[_Leaf], otherwise: Message | None) -> Message:
    """Return a matcher of the rules: a few as a list, many first by caller, then by method, then by path."""
    if len(leaves) <= _LIST_AT_MOST:
        return _listed(leaves) | _on_no_match(otherwise)
    for input_, keys, shortened in (
        (_URI_NAMES, _few_callers, _Leaf.without_callers),
        (_header(":method"), _few_methods, _Leaf.without_methods),
    ):
        by_key: dict[str, list[_Leaf]] = {}
        rest = []
        for leaf in leaves:
            for key in keys(leaf):
                by_key.setdefault(key, []).append(shortened(leaf))
            if not keys(leaf):
                rest.append(leaf)
        if by_key:
            found = {key: _bucket(some) for key, some in sorted(by_key.items())}
            beyond = _tree(rest, otherwise) if rest else otherwise
            return _looked_up(input_, "exact_match_map", found) | _on_no_match(beyond)
    return _by_path(leaves, otherwise)


def _few_callers(leaf: _Leaf) -> tuple[str, ...]:
    return leaf.callers if len(leaf.callers) <= _CALLERS_AT_MOST else ()


def _few_methods(leaf: _Leaf) -> tuple[str, ...]:
    return leaf.methods if len(leaf.methods) <= _METHODS_AT_MOST else ()


def _by_path(leaves: list[_Leaf], otherwise: Message | None) -> Message:
    exact: dict[str, list[_Leaf]] = {}
    prefix: dict[str, list[_Leaf]] = {}
    everywhere: list[_Leaf] = []
    for leaf in leaves:
        if leaf.path is None:
            everywhere.append(leaf)
            continue
        if leaf.asked or leaf.callers or leaf.methods:
            # What else is asked takes room: it stands once, with an expression for the path.
            prefix.setdefault(literal_start(leaf.path), []).append(leaf.without_path(*_path_predicates(leaf.path)))
            continue
        for form in path_forms(leaf.path):
            match form:
                case ExactPath(path):
                    exact.setdefault(path, []).append(leaf.without_path())
                    prefix.setdefault(path + "?", []).append(leaf.without_path())
                case PathPrefix(start):
                    prefix.setdefault(start, []).append(leaf.without_path())
                case RegexPath():
                    asked = _path_predicates(leaf.path)
                    prefix.setdefault(literal_start(leaf.path), []).append(leaf.without_path(*asked))
                case _:
                    assert_never(form)
    tree = otherwise
    if everywhere:
        tree = _listed(everywhere) | _on_no_match(tree)
    for kind, buckets in (("prefix_match_map", prefix), ("exact_match_map", exact)):
        if buckets:
            found = {key: _alternatives(some) for key, some in sorted(buckets.items())}
            tree = _looked_up(_header(":path"), kind, found) | _on_no_match(tree)
    if tree is None:
        raise ValueError("a tree of no rules")
    return tree


def _on_no_match(tree: Message | None) -> Message:
    return {} if tree is None else {"on_no_match": {"matcher": tree}}


def _looked_up(input_: Message, kind: str, found: Message) -> Message:
    return {"matcher_tree": {"input": input_, kind: {"map": found}}}


def _bucket(leaves: list[_Leaf]) -> Message:
    return {"matcher": _tree(leaves, None)}


def _alternatives(leaves: list[_Leaf]) -> Message:
    """Return what becomes of requests whose path is looked up, as an `OnMatch`."""
    if len(leaves) == 1 and not _predicates(leaves[0]):
        return _action(leaves[0])
    return {"matcher": _listed(leaves)}


def _listed(leaves: list[_Leaf]) -> Message:
    matchers = [{"predicate": all_of(_predicates(leaf)), "on_match": _action(leaf)} for leaf in leaves]
    return {"matcher_list": {"matchers": matchers}}


def _action(leaf: _Leaf) -> Message:
    verdict = typed("envoy.config.rbac.v3.Action", name=leaf.name, action=leaf.effect.value.upper())
    return {"action": {"name": leaf.effect.value, "typed_config": verdict}}


# ---- predicates


def _predicates(leaf: _Leaf) -> list[Message]:
    """Return what is left to ask, the cheaper and rarer answers first."""
    asked = [] if leaf.path is None else [*_path_predicates(leaf.path)]
    if leaf.methods:
        asked.append(any_of(_compared(_header(":method"), {"exact": method}) for method in leaf.methods))
    asked += leaf.asked
    if leaf.callers:
        asked.append(_one_of(_URI_NAMES, leaf.callers))
    return asked


def _path_predicates(path: PathMatch) -> tuple[Message, ...]:
    """Return what must hold of the path, whatever the query; nothing if that is always so."""
    if isinstance(path, PathRegex):
        target = of_expression(path.pattern)
    else:
        match path_forms(path):
            case (RegexPath(regex),):
                target = of_template(regex)
            case (PathPrefix(),):
                return ()
            case (ExactPath(text), PathPrefix()):
                target = of_template(f"{quote(text)}(?:/.*)?")
            case (ExactPath(text), ExactPath()):
                target = of_template(f"{quote(text)}/?")
            case _:
                target = of_literal("/")
    return (_compared(_header(":path"), _expression(target)),)


def all_of(predicates: Iterable[Message]) -> Message:
    """Return the predicate that holds if all do; of none, always: no method is empty."""
    operands = list(predicates)
    if not operands:
        return {"not_matcher": _compared(_header(":method"), {"exact": ""})}
    return operands[0] if len(operands) == 1 else {"and_matcher": {"predicate": operands}}


def any_of(predicates: Iterable[Message]) -> Message:
    """Return the predicate that holds if any does; of none, never."""
    operands = list(predicates)
    if not operands:
        return _compared(_header(":method"), {"exact": ""})
    return operands[0] if len(operands) == 1 else {"or_matcher": {"predicate": operands}}


def _callers(callers: Callers, trust_domain: str, effect: Effect) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    """Return the identities that a rule names, or else what must hold of the caller's.

    Any caller of an allow is one of the trust domain, any caller of a deny is whoever calls: where in doubt, both deny.
    """
    match callers:
        case TheseCallers(ids):
            return tuple(map(str, ids)), ()
        case AnyCaller(besides):
            whoever = () if effect is Effect.DENY else (_compared(_URI_NAMES, {"prefix": f"spiffe://{trust_domain}/"}),)
            others = ({"not_matcher": _one_of(_URI_NAMES, tuple(map(str, besides)))},) if besides else ()
            return (), (*whoever, *others)
        case PlaintextCaller():
            raise NotCarriedError(callers)
        case _:
            assert_never(callers)


def _one_of(input_: Message, texts: tuple[str, ...]) -> Message:
    """Return the predicate that the input is one of the texts: by comparing, or where they are many by expressions."""
    if len(texts) <= _CALLERS_AT_MOST:
        return any_of(_compared(input_, {"exact": text}) for text in texts)
    chunks = (texts[at : at + _IN_EXPRESSION] for at in range(0, len(texts), _IN_EXPRESSION))
    return any_of(_compared(input_, _expression("|".join(map(quote, chunk)))) for chunk in chunks)


def _condition(condition: Condition) -> Message:
    r"""Return a condition as a predicate.

    Here Envoy joins the lines of a header by commas; a member is found in them by the same comparisons. `\C` is any
    byte, so that whatever a header's value is, it is there.
    """
    match condition:
        case HeaderPresent(name):
            return _compared(_header(name), _expression(r"\C*"))
        case HeaderOneOf(name, values):
            return any_of(_members(name, values))
        case AllOf(operands):
            return all_of(_condition(operand) for operand in operands)
        case AnyOf(operands):
            return any_of(_condition(operand) for operand in operands)
        case Not(operand):
            return {"not_matcher": _condition(operand)}
        case HeaderMatches() | AttributePresent() | AttributeOneOf() | AttributeMatches() | CallerIn():
            raise NotCarriedError(condition)
        case _:
            assert_never(condition)


def _members(name: str, values: tuple[str, ...]) -> Iterator[Message]:
    for value in values:
        for matcher in member_string_matches(value):
            yield _compared(_header(name), matcher)


def _header(name: str) -> Message:
    config = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)
    return {"name": "envoy.matching.inputs.request_headers", "typed_config": config}


def _compared(input_: Message, matcher: Message) -> Message:
    return {"single_predicate": {"input": input_, "value_match": matcher}}


def _expression(regex: str) -> Message:
    return {"safe_regex": {"google_re2": {}, "regex": regex}}
