"""Who may call whom: rules, and rate limits."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.match import RequestMatch
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


class Effect(StrEnum):
    """What a rule does to a request that it matches; a deny beats every allow."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class AnyCaller:
    """Every caller with a verified identity of the mesh."""


@dataclass(frozen=True, slots=True)
class TheseCallers:
    """The callers with these identities (sorted, at least one)."""

    ids: tuple[SpiffeId, ...]


Callers: TypeAlias = AnyCaller | TheseCallers
"""Whose calls a rule or limit is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One grant of an allow or deny, about one port of one callee (a service or an external).

    `id` is the grant as a sentence, the same however files are cut: it names the rule in logs and metrics. `port` is
    the number of the callee's port.
    """

    id: str
    effect: Effect
    callers: Callers
    callee: str
    port: int
    match: RequestMatch
    because: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A local rate limit at the callee, one token bucket for each caller and instance of the callee.

    The bucket holds `burst` tokens and gains `amount` every `seconds` (1, 60 or 3600). With `per_header` (in lower
    case) there is one bucket for each value of the header, and one for requests without it.
    """

    id: str
    callers: Callers
    callee: str
    port: int
    amount: int
    seconds: int
    burst: int
    per_header: str | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)
