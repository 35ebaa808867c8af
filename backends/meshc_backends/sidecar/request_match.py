"""Sets of requests in the snapshot's words."""

from __future__ import annotations

from typing import TypedDict, assert_never

from meshc_backends.carried import NotCarriedError
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
    PathTemplate,
    RequestMatch,
)
from meshc_runtime import snapshot as out


class MatchFields(TypedDict):
    """The fields by which rules and routes of a snapshot say which requests they mean; None is any."""

    methods: tuple[str, ...] | None
    path: out.TemplatePath | out.RegexPath | None
    condition: out.Condition | None


def match_fields(match: RequestMatch) -> MatchFields:
    """Return a match as the fields of a snapshot's rule or route."""
    return MatchFields(
        methods=match.methods or None,
        path=None if match.path is None else path_pattern(match.path),
        condition=None if match.condition is None else condition_of(match.condition),
    )


def path_pattern(path: PathMatch) -> out.TemplatePath | out.RegexPath:
    """Return a path's pattern; a template keeps its notation, which the proxy reads itself."""
    match path:
        case PathTemplate():
            return out.TemplatePath(template=str(path))
        case PathRegex():
            return out.RegexPath(regex=path.pattern)
        case _:
            assert_never(path)


def condition_of(condition: Condition) -> out.Condition:
    """Return a condition on headers."""
    match condition:
        case HeaderPresent():
            return out.HeaderPresent(name=condition.name)
        case HeaderOneOf(values=(only,)):
            return out.HeaderEquals(name=condition.name, value=only)
        case HeaderOneOf():
            return out.HeaderOneOf(name=condition.name, values=condition.values)
        case AllOf():
            return out.AllConditions(of=tuple(map(condition_of, condition.operands)))
        case AnyOf():
            return out.AnyCondition(of=tuple(map(condition_of, condition.operands)))
        case Not():
            return out.NotCondition(of=condition_of(condition.operand))
        case HeaderMatches() | AttributePresent() | AttributeOneOf() | AttributeMatches() | CallerIn():
            raise NotCarriedError(condition)
        case _:
            assert_never(condition)
