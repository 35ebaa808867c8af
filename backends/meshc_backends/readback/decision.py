"""Two meanings compared request by request: one request stands for each class that no question tells apart.

Callers, methods, paths and each header, parameter, cookie or claim are dimensions of their own; their classes are
found exactly (paths and values by automata), so what is the same for all representatives is the same for all requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import TypeAlias

from meshc_backends.readback.expression import matched_by
from meshc_backends.readback.formula import (
    Callers,
    Formula,
    Has,
    JoinedMatches,
    LineMatches,
    MemberIn,
    MemberLike,
    MethodIn,
    PathIn,
    Question,
    ValueIn,
    ValueLike,
    holds,
    questions,
)
from meshc_backends.readback.language import Language, TooLargeError, classes, language_of, only, union_of
from meshc_backends.readback.paths import path_language
from meshc_backends.readback.text_match import (
    LINES,
    VALUES,
    lines_matched,
    lines_with_member,
    lines_with_member_like,
)
from meshc_compiler.ir.match import AttributeKind
from meshc_lang.record import dataclass

MOST_REQUESTS = 200_000
"""The most representatives that are looked at."""

MOST_STATES = 20_000
"""The most states of one dimension's search."""

MOST_COMBINATIONS = 1024
"""The most ways in which the questions about one header may be answered at once."""

OTHER_METHODS = ("GET", "POST", "PUT", "DELETE", "PURGE")
"""What stands for the methods that nobody mentions: the first that is not mentioned."""


class UndecidedError(Exception):
    """There are too many classes of requests to look at them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A request that stands for its class. `caller` None is one without an identity, "" one that nobody names."""

    caller: str | None = ""
    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    claims: tuple[tuple[str, str], ...] = ()


Answers: TypeAlias = Callable[[Question], bool]
_Option: TypeAlias = tuple[dict[Question, bool], tuple[str, object]]
"""One class of a dimension: its answers, and what of the example it sets."""


def requests(formulas: Iterable[Formula], carried: Language) -> Iterator[tuple[Example, Answers]]:
    """Yield a request of each class that the formulas tell apart, with the answers to their questions.

    Raises:
        UndecidedError: there are more than `MOST_REQUESTS`.
    """
    asked = list(dict.fromkeys(question for formula in formulas for question in questions(formula)))
    try:
        dimensions = [
            _callers([one for one in asked if isinstance(one, Callers)]),
            _methods([one for one in asked if isinstance(one, MethodIn)]),
            _paths([one for one in asked if isinstance(one, PathIn)], carried),
            *_headers(asked),
            *_values(asked),
        ]
    except TooLargeError as error:
        raise UndecidedError from error
    if prod(map(len, dimensions)) > MOST_REQUESTS:
        raise UndecidedError
    place = {question: number for number, options in enumerate(dimensions) for question in options[0][0]}
    for chosen in product(*dimensions):
        yield _example(chosen), _answers(chosen, place)


def _answers(chosen: tuple[_Option, ...], place: dict[Question, int]) -> Answers:
    return lambda question: chosen[place[question]][0][question]


def _example(chosen: tuple[_Option, ...]) -> Example:
    fields: dict[str, object] = {}
    for _, (name, value) in chosen:
        if name in {"headers", "query", "cookies", "claims"}:
            fields[name] = (*fields.get(name, ()), *value)  # type: ignore[misc]
        else:
            fields[name] = value
    return Example(**fields)  # type: ignore[arg-type]


@lru_cache(maxsize=16384)
def equivalent(left: Formula, right: Formula, carried: Language) -> bool:
    """Tell whether two formulas hold of the same requests.

    Raises:
        UndecidedError: there are too many classes.
    """
    if left == right:
        return True
    return all(holds(left, answer) is holds(right, answer) for _, answer in requests((left, right), carried))


def _distinct(options: Iterable[_Option]) -> list[_Option]:
    """Return the options without those that answer as an earlier one."""
    kept: dict[tuple[bool, ...], _Option] = {}
    for option in options:
        kept.setdefault(tuple(option[0].values()), option)
    return list(kept.values())


def _callers(asked: list[Callers]) -> list[_Option]:
    named = sorted({name for question in asked for name in question.named})
    every: list[str | None] = [*named, ""]
    if any(question.plaintext for question in asked):
        every.append(None)
    return _distinct(({question: question.include(who) for question in asked}, ("caller", who)) for who in every)


def _methods(asked: list[MethodIn]) -> list[_Option]:
    named = sorted({method for question in asked for method in question.methods})
    other = next(method for method in (*OTHER_METHODS, "REPORT-") if method not in named)
    return _distinct(
        ({question: method in question.methods for question in asked}, ("method", method)) for method in (other, *named)
    )


def _paths(asked: list[PathIn], carried: Language) -> list[_Option]:
    found = classes(tuple(path_language(question.paths) for question in asked), carried, MOST_STATES)
    return [
        ({question: bool(mask >> bit & 1) for bit, question in enumerate(asked)}, ("path", path))
        for mask, path in found
    ]


def _headers(asked: list[Question]) -> Iterator[list[_Option]]:
    names: dict[str, list[Question]] = {}
    for question in asked:
        if isinstance(question, MemberIn | MemberLike | LineMatches | JoinedMatches) or (
            isinstance(question, Has) and question.kind is None
        ):
            names.setdefault(question.name, []).append(question)
    for name, own in names.items():
        if any(isinstance(one, LineMatches) for one in own) and any(isinstance(one, JoinedMatches) for one in own):
            raise UndecidedError
        yield _several(own, [_lines_of(question) for question in own], LINES, name, "headers")


def _lines_of(question: Question) -> Language | None:
    match question:
        case MemberIn(_, values):
            return lines_with_member(values)
        case MemberLike(_, pattern):
            return lines_with_member_like(pattern)
        case LineMatches(_, matchers) | JoinedMatches(_, matchers):
            return lines_matched(matchers)
        case _:
            return None


_FIELDS = {AttributeKind.QUERY: "query", AttributeKind.COOKIE: "cookies", AttributeKind.CLAIM: "claims"}


def _values(asked: list[Question]) -> Iterator[list[_Option]]:
    names: dict[tuple[AttributeKind, str], list[Question]] = {}
    for question in asked:
        if isinstance(question, ValueIn | ValueLike | Has) and question.kind is not None:
            names.setdefault((question.kind, question.name), []).append(question)
    for (kind, name), own in names.items():
        languages = [_values_of(question) for question in own]
        yield _several(own, languages, VALUES, name, _FIELDS[kind])


def _values_of(question: Question) -> Language | None:
    match question:
        case ValueIn(_, _, values):
            return union_of(language_of(only(value)) for value in sorted(values))
        case ValueLike(_, _, pattern):
            return matched_by(pattern)
        case _:
            return None


def _several(
    asked: list[Question],
    languages: list[Language | None],
    within: Language,
    name: str,
    field: str,
) -> list[_Option]:
    """Return the classes of what may be there several times or not at all: a question holds if one value answers it.

    Of lines joined by commas the answers are those of one line.
    """
    compared = tuple(language for language in languages if language is not None)
    singles = classes(compared, within, MOST_STATES)
    joined = any(isinstance(question, JoinedMatches) for question in asked)
    masks: dict[int, tuple[str, ...]] = {mask: (text,) for mask, text in singles}
    if not joined:
        waiting = list(masks)
        for mask in waiting:
            for other, text in singles:
                if mask | other not in masks:
                    if len(masks) >= MOST_COMBINATIONS:
                        raise UndecidedError
                    masks[mask | other] = (*masks[mask], text)
                    waiting.append(mask | other)
    options: list[_Option] = [(dict.fromkeys(asked, False), (field, ()))]
    for mask, texts in masks.items():
        answers: dict[Question, bool] = {}
        bit = 0
        for question, language in zip(asked, languages, strict=True):
            if language is None:
                answers[question] = True
            else:
                answers[question] = bool(mask >> bit & 1)
                bit += 1
        options.append((answers, (field, tuple((name, text) for text in texts))))
    return _distinct(options)
