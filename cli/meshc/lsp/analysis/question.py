"""What is asked of a compiled program, and what is answered: plain values, so that another process can answer.

Questions are by name, never by place: the program that was compiled last may be older than the text on the screen.
"""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass

ANYBODY = "any"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something stood in the text that was compiled, by offsets."""

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFact:
    """A value of a setting, the scope at which it was stated, and whether it is the one in effect."""

    name: str
    value: str
    scope: str
    origin: Origin | None
    effective: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFact:
    """A rule as a sentence."""

    text: str
    effect: str
    because: str
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFact:
    """What a name turned out to mean.

    `rows` are things worth knowing, each with what it is called. `callers` are those that some allow names, with the
    number of rules, `settings` what holds for calls to it whoever calls. `origin` is where it was declared: in a
    statement or a manifest.
    """

    name: str
    kind: str
    origin: Origin | None = None
    rows: tuple[tuple[str, str], ...] = ()
    members: tuple[str, ...] | None = None
    callers: tuple[tuple[str, int], ...] = ()
    settings: tuple[SettingFact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFact:
    """What holds for the calls of one peer to another: rules about them, settings, limits.

    `pairs` is how many pairs of a caller and a callee there are; settings are told where all pairs have the same.
    """

    caller: str
    callee: str
    pairs: int
    rules: tuple[RuleFact, ...]
    settings: tuple[SettingFact, ...]
    varying: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFact:
    """What a single grant, or rule of a route, is about: a request that it decides, and what takes part."""

    witness: str
    rows: tuple[tuple[str, str], ...] = ()
    settings: tuple[SettingFact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFact:
    """A peer that calls, or is called, and the rules that allow it."""

    name: str
    rules: tuple[RuleFact, ...]


@dataclass(frozen=True, slots=True)
class AboutName:
    """What does a name mean? Answered by a `NameFact`, or None."""

    name: str


@dataclass(frozen=True, slots=True)
class AboutEdge:
    """What holds for calls of one peer to another? Answered by an `EdgeFact`, or None."""

    caller: str
    callee: str
    port: str | None = None


@dataclass(frozen=True, slots=True)
class AboutGrant:
    """What does a grant with this text, of a sentence about this callee, decide? A `GrantFact`, or None."""

    callee: str
    text: str


@dataclass(frozen=True, slots=True)
class AboutRoute:
    """What does the rule of a route with this name, or else this text, decide? A `GrantFact`, or None."""

    service: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class WhoCalls:
    """Who may call this service? A tuple of `CallFact`."""

    name: str


@dataclass(frozen=True, slots=True)
class WhomItCalls:
    """Whom may this workload call? A tuple of `CallFact`."""

    name: str


@dataclass(frozen=True, slots=True)
class HowMany:
    """How many callers has a service, or members a group? A number, or None where the name is neither."""

    name: str


@dataclass(frozen=True, slots=True)
class AllPeers:
    """What services and externals are there, those of imported manifests included? A tuple of names."""


Question: TypeAlias = AboutName | AboutEdge | AboutGrant | AboutRoute | WhoCalls | WhomItCalls | HowMany | AllPeers
"""Whatever is asked."""

Fact: TypeAlias = NameFact | EdgeFact | GrantFact | tuple[CallFact, ...] | tuple[str, ...] | int | None
"""Whatever is answered."""
