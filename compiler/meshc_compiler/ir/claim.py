"""What must hold for every request, in every environment: asserts."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from meshc_compiler.ir.edge_condition import EdgeCondition
from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

ANYBODY = "any"
"""What stands for every verified identity among the callers of a claim; no workload can have the name."""

CalleePorts = tuple[tuple[str, int], ...]
"""Callees of a claim: pairs of a name and a port's number, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """No request of `matches` from any of `callers` to any of `callees` is allowed; no matches means none at all.

    `callers` are workload names or SPIFFE IDs, or `any` alone: every verified identity, declared or not.
    """

    callers: tuple[str, ...]
    callees: CalleePorts
    matches: tuple[RequestMatch, ...]
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverChain:
    """None of `callers` reaches any of `callees` by calls that are allowed one after the other.

    `matches` are the requests of the last call; none means any.
    """

    callers: tuple[str, ...]
    callees: CalleePorts
    matches: tuple[RequestMatch, ...]
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Always:
    """Every request of `matches` from each of `callers` to each of `callees` is allowed."""

    callers: tuple[str, ...]
    callees: CalleePorts
    matches: tuple[RequestMatch, ...]
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Nobody but `callers` is allowed a request of `matches` at `callees`; no matches means any request."""

    callers: tuple[str, ...]
    callees: CalleePorts
    matches: tuple[RequestMatch, ...] = ()
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryEdge:
    """On each open edge from `callers` to `callees` the condition holds of the settings of every call."""

    callers: tuple[str, ...]
    callees: CalleePorts
    condition: EdgeCondition
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


class Metric(StrEnum):
    """What of the worst path is bounded."""

    ATTEMPTS = "attempts"
    """How many requests the callee may see for one request of the caller: tries multiply along a chain."""
    DEADLINE = "deadline"
    """How long the caller may wait for an answer that depends on the callee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricBound:
    """The metric of the worst path from any of `callers` to any of `callees` is at most `bound`.

    `bound` counts tries, or nanoseconds. `strict` excludes the bound itself, `exact` asks for no less either.
    `matches` are the requests of the last call; none means any.
    """

    metric: Metric
    callers: tuple[str, ...]
    callees: CalleePorts
    matches: tuple[RequestMatch, ...] = ()
    bound: int
    strict: bool = False
    exact: bool = False
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualTls:
    """No call of `callees` is accepted without mutual TLS."""

    callees: CalleePorts
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


Assertion: TypeAlias = Never | NeverChain | Always | Only | EveryEdge | MetricBound | MutualTls
"""A statement proved on every build."""
