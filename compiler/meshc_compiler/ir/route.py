"""Where a service's requests go."""

from __future__ import annotations

from typing import TypeAlias

from meshc_compiler.ir.match import RequestMatch
from meshc_compiler.ir.setting import NOTHING_STATED, Settings
from meshc_lang.record import dataclass, field
from meshc_lang.source import Span

WHOLE = 1_000_000
"""The sum of the weights of a rule's destinations: millionths of the requests."""

REDIRECT_STATUS = 307
"""Temporary Redirect: nobody keeps it, and the method stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A share of the requests: to one version of a service, or to all its instances (version None)."""

    service: str
    version: str | None
    weight: int
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The caller's sidecar answers 307 (RFC 9110 §15.4.8) with exactly this `Location`; the method is kept."""

    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """The caller's sidecar answers with this status, 200 to 599."""

    status: int


Answer: TypeAlias = Redirect | Respond
"""What the caller's sidecar answers itself to requests that are allowed; the others are refused as everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """One line of a route. `id` names it in logs: its `as` name, or the line as a sentence.

    With an `answer` nothing is called: there are no destinations and no settings.

    `yields_to` holds the ids of the rules that win over this one where both match, because they are more specific or
    say `over`. `settings` are those of the route scope alone.
    """

    id: str
    name: str | None
    match: RequestMatch
    destinations: tuple[Destination, ...]
    answer: Answer | None = None
    yields_to: tuple[str, ...] = ()
    settings: Settings = NOTHING_STATED
    origin: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The rules of one port of a service, in an order in which the first that matches is the one that wins.

    A request that no rule matches goes to all the service's instances.
    """

    service: str
    port: int
    rules: tuple[RouteRule, ...]
