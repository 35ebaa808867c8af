"""What a program says should become of single requests: the cases of its tests."""

from __future__ import annotations

from typing import TypeAlias

from meshc_compiler.ir.edge_condition import EdgeValue
from meshc_lang.record import dataclass, field
from meshc_lang.request import Request
from meshc_lang.source import Span


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
class ExpectRule:
    """The route's rule of this name wins."""

    name: str
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRetries:
    """The number of extra tries that the request may be given."""

    limit: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSettings:
    """The request has these values of fields of `Settings`; a field that is `off` (0) has none."""

    values: tuple[tuple[str, EdgeValue], ...]
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectLimit:
    """A limit of this rate, so many in so many seconds, counts the request; None: no limit does."""

    rate: tuple[int, int] | None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectMirror:
    """A share of such requests is copied to this service, to one version of it if one is named; None: none is."""

    target: tuple[str, str | None] | None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectFault:
    """The fault of this name befalls a share of such requests; None: no fault does."""

    name: str | None
    origin: Span | None = field(default=None, compare=False, repr=False)


Expectation: TypeAlias = (
    ExpectAllowed
    | ExpectDenied
    | ExpectRouted
    | ExpectRule
    | ExpectRetries
    | ExpectSettings
    | ExpectLimit
    | ExpectMirror
    | ExpectFault
)
"""What a test expects of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One line of a `test` block."""

    test: str
    request: Request
    expectations: tuple[Expectation, ...]
    origin: Span | None = field(default=None, compare=False, repr=False)
