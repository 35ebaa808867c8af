"""What must hold: asserts, and the examples in tests."""

from __future__ import annotations

from typing import TypeAlias

from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass, field
from meshc_lang.request import Request
from meshc_lang.source import Span

ANYBODY = "any"
"""What stands for every verified identity among the callers of a claim; no workload can have the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """No request of `matches` from any of `callers` to any of `callees` is allowed; no matches means none at all.

    `callers` are workload names or SPIFFE IDs, or `any` alone: every verified identity, declared or not. `callees` are
    pairs of a name and a port's number.
    """

    callers: tuple[str, ...]
    callees: tuple[tuple[str, int], ...]
    matches: tuple[RequestMatch, ...]
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Nobody but `callers` is allowed anything at `callees`."""

    callers: tuple[str, ...]
    callees: tuple[tuple[str, int], ...]
    text: str
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


Assertion: TypeAlias = Never | Only
"""A statement proved on every build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectAllowed:
    """The request is allowed."""

    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectDenied:
    """The request is denied."""

    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRouted:
    """Some share of the request goes to this version of this service; version None means all its instances."""

    service: str
    version: str | None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectTimeout:
    """The request's total timeout, in nanoseconds; None stands for `off`: no timeout."""

    timeout_ns: int | None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRetries:
    """The number of extra tries that the request may be given."""

    limit: int
    origin: Span | None = field(default=None, compare=False, repr=False)


Expectation: TypeAlias = ExpectAllowed | ExpectDenied | ExpectRouted | ExpectTimeout | ExpectRetries
"""What a test expects of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One line of a `test` block."""

    test: str
    request: Request
    expectations: tuple[Expectation, ...]
    origin: Span | None = field(default=None, compare=False, repr=False)
