"""What must hold of a request, in no target's words: formulas over questions, in a form in which most equals are equal.

Questions about one thing are put together: `or` of two sets of methods is one set. What is left may still mean the same
in two forms; `decision` settles that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from meshc_backends.readback.paths import EVERY_PATH, PathSet
from meshc_backends.readback.text_match import TextMatcher, members_meant
from meshc_compiler.ir.match import AttributeKind
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True)
class Callers:
    """The caller is one of `named`; or with `others` any verified identity of the mesh but those.

    `plaintext` is whether callers without an identity are among them too.
    """

    named: frozenset[str]
    others: bool = False
    plaintext: bool = False

    def include(self, caller: str | None) -> bool:
        """Tell whether a caller is among them; None is one without an identity."""
        return self.plaintext if caller is None else (caller in self.named) is not self.others


@dataclass(frozen=True, slots=True)
class MethodIn:
    """The method is one of these."""

    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class PathIn:
    """The path is one of the set."""

    paths: PathSet


@dataclass(frozen=True, slots=True)
class Has:
    """The request bears the header (kind None), parameter, cookie or claim at all."""

    kind: AttributeKind | None
    name: str


@dataclass(frozen=True, slots=True)
class MemberIn:
    """Some member of the header is one of the values."""

    name: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class MemberLike:
    """Some member of the header is matched by the expression."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class LineMatches:
    """One of the matchers accepts some line of the header."""

    name: str
    matchers: frozenset[TextMatcher]


@dataclass(frozen=True, slots=True)
class JoinedMatches:
    """The header is there, and one of the matchers accepts its lines, joined by commas."""

    name: str
    matchers: frozenset[TextMatcher]


@dataclass(frozen=True, slots=True)
class ValueIn:
    """Some value under the name, of the query, cookies or claims, is one of these."""

    kind: AttributeKind
    name: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class ValueLike:
    """Some value under the name, of the query, cookies or claims, is matched by the expression."""

    kind: AttributeKind
    name: str
    pattern: str


Question: TypeAlias = (
    Callers | MethodIn | PathIn | Has | MemberIn | MemberLike | LineMatches | JoinedMatches | ValueIn | ValueLike
)


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold; of none, always."""

    parts: frozenset[Formula]


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds; of none, never."""

    parts: frozenset[Formula]


@dataclass(frozen=True, slots=True)
class No:
    """The part does not hold."""

    part: Formula


Formula: TypeAlias = Question | All | Any | No

ALWAYS = All(frozenset())
NEVER = Any(frozenset())
"""There is one of each: what is made here is compared with them by identity."""
(EVERYTHING_BEGINS,) = EVERY_PATH


def all_of(parts: Iterable[Formula]) -> Formula:
    """Return the formula that holds if all parts do."""
    flat: set[Formula] = set()
    nots: list[Formula] = []
    for part in parts:
        if part is NEVER:
            return NEVER
        if isinstance(part, All):
            flat.update(part.parts)
        elif isinstance(part, No):
            nots.append(part.part)
        else:
            flat.add(part)
    if nots:
        # Of the negated parts of inner formulas too, those about one thing become one.
        negated = [part for part in flat if isinstance(part, No)]
        flat.difference_update(negated)
        merged = any_of([*nots, *(part.part for part in negated)])
        flat.update(No(one) for one in (merged.parts if isinstance(merged, Any) else (merged,)))
    methods = [part for part in flat if isinstance(part, MethodIn)]
    if len(methods) > 1:
        both = frozenset.intersection(*(part.methods for part in methods))
        if not both:
            return NEVER
        flat.difference_update(methods)
        flat.add(MethodIn(both))
    if len(flat) == 1:
        return flat.pop()
    return All(frozenset(flat)) if flat else ALWAYS


def any_of(parts: Iterable[Formula]) -> Formula:
    """Return the formula that holds if any part does; questions about one thing become one."""
    flat: set[Formula] = set()
    merged: dict[object, Formula] = {}
    waiting = list(parts)
    for part in waiting:
        if part is ALWAYS:
            return ALWAYS
        if isinstance(part, Any):
            waiting += part.parts
            continue
        about = _about(part)
        if about is None:
            flat.add(part)
        else:
            known = merged.get(about)
            merged[about] = part if known is None else _put_together(known, part)
    flat.update(map(_recognised, merged.values()))
    if len(flat) == 1:
        return flat.pop()
    return Any(frozenset(flat)) if flat else NEVER


def all_apart(parts: list[Formula]) -> Formula:
    """Return the formula that holds if all parts do, of which no two are about one thing and none is a combination."""
    told = [part for part in parts if part is not ALWAYS]
    return told[0] if len(told) == 1 else All(frozenset(told)) if told else ALWAYS


def path_in(paths: PathSet) -> Formula:
    """Return the question for a path of the set; every path has a slash at its beginning."""
    return ALWAYS if EVERYTHING_BEGINS in paths else PathIn(paths)


def not_(part: Formula) -> Formula:
    """Return the formula that holds if the part does not."""
    if isinstance(part, No):
        return part.part
    if part is ALWAYS:
        return NEVER
    if part is NEVER:
        return ALWAYS
    if isinstance(part, Any):
        return all_of(No(one) for one in part.parts)
    return No(part)


def _about(question: Formula) -> object | None:
    """Return by what a question may be put together with another one by `or`; None if it can't be."""
    match question:
        case MethodIn():
            return MethodIn
        case PathIn():
            return PathIn
        case Callers(_, others, plaintext):
            return (Callers, plaintext) if not others else None
        case MemberIn(name):
            return (MemberIn, name)
        case LineMatches(name):
            return (LineMatches, name)
        case JoinedMatches(name):
            return (JoinedMatches, name)
        case ValueIn(kind, name):
            return (ValueIn, kind, name)
        case _:
            return None


def _put_together(left: Formula, right: Formula) -> Formula:
    match left, right:
        case MethodIn(one), MethodIn(other):
            return MethodIn(one | other)
        case PathIn(one_paths), PathIn(other_paths):
            return PathIn(one_paths | other_paths)
        case Callers(), Callers():
            return Callers(left.named | right.named, False, left.plaintext)
        case MemberIn(name, one), MemberIn(_, other):
            return MemberIn(name, one | other)
        case LineMatches(name, one_matchers), LineMatches(_, other_matchers):
            return LineMatches(name, one_matchers | other_matchers)
        case JoinedMatches(name, one_matchers), JoinedMatches(_, other_matchers):
            return JoinedMatches(name, one_matchers | other_matchers)
        case ValueIn(kind, name, one), ValueIn(_, _, other):
            return ValueIn(kind, name, one | other)
        case _:
            raise AssertionError("questions about two things")


def _recognised(question: Formula) -> Formula:
    """Return a comparison of lines as one of members, if it is exactly that."""
    if isinstance(question, LineMatches | JoinedMatches):
        values = members_meant(question.matchers)
        if values is not None:
            return MemberIn(question.name, values)
    return question


def any_of_products(alternatives: list[frozenset[Formula]]) -> Formula:
    """Return the formula that holds if all questions of some alternative do, put together as far as they differ in one.

    A target that knows no `or` spells a rule out as alternatives: each method with each path with each value.
    """
    pending = list(dict.fromkeys(alternatives))
    changed = True
    while changed and len(pending) > 1:
        changed = False
        for subject in dict.fromkeys(_subject(part) for parts in pending for part in parts):
            groups: dict[frozenset[Formula], list[Formula]] = {}
            for parts in pending:
                own = [part for part in parts if _subject(part) == subject]
                groups.setdefault(parts.difference(own), []).append(all_of(own))
            if len(groups) < len(pending):
                pending = [rest if (one := any_of(own)) is ALWAYS else rest | {one} for rest, own in groups.items()]
                changed = True
    return any_of(all_of(parts) for parts in pending)


def _subject(formula: Formula) -> object:
    """Return what a formula of an alternative is about."""
    match formula:
        case No(part):
            return _subject(part)
        case MethodIn() | PathIn() | Callers():
            return type(formula)
        case All(parts) | Any(parts):
            subjects = {_subject(part) for part in parts}
            return next(iter(subjects)) if len(subjects) == 1 else formula
        case Has(kind, name) | ValueIn(kind, name) | ValueLike(kind, name):
            return (kind, name)
        case MemberIn(name) | MemberLike(name) | LineMatches(name) | JoinedMatches(name):
            return (None, name)


def questions(formula: Formula) -> Iterator[Question]:
    """Yield every question of a formula."""
    match formula:
        case All(parts) | Any(parts):
            for part in parts:
                yield from questions(part)
        case No(part):
            yield from questions(part)
        case _:
            yield formula


def holds(formula: Formula, answer: Callable[[Question], bool]) -> bool:
    """Tell whether a formula holds, given the answers."""
    match formula:
        case All(parts):
            return all(holds(part, answer) for part in parts)
        case Any(parts):
            return any(holds(part, answer) for part in parts)
        case No(part):
            return not holds(part, answer)
        case _:
            return answer(formula)
