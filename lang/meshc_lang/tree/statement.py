"""Statements about edges: allow and deny, settings, routes, limits; and what must hold: asserts and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from meshc_lang.request import Request
from meshc_lang.tree.declaration import EditionDecl, ExternalDecl, GroupDecl, MeshDecl, ServiceDecl, Statement
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import Attribute, Condition, Flow, Grant, Matcher, PeerRef
from meshc_lang.tree.value import Block, Integer, Percent, Rate, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowDecl(Statement):
    """`allow A -> B : GET /x, rpc S/M because "…"`, or with a block of grants."""

    flow: Flow
    grants: tuple[Grant, ...]
    because: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyDecl(Statement):
    """`deny A -> B : … unless … because "…"`; overrides every allow."""

    flow: Flow
    grants: tuple[Grant, ...]
    unless: Condition | None = None
    because: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsDecl(Statement):
    """`defaults mesh { … }` or `defaults SERVICE { … }`: settings."""

    scope: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDecl(Statement):
    """`edge A -> B { … }`: settings of an edge."""

    flow: Flow
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Node):
    """`v1 95%`, `api.v2`: where a route sends, and which share of it."""

    name: Name
    part: Name | None = None
    share: Percent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDecl(Node):
    """One line of a route: `MATCHER if … => TARGETS as NAME over NAME { settings }`."""

    matcher: Matcher
    guard: Condition | None = None
    targets: tuple[Target, ...]
    name: Name | None = None
    over: tuple[Name, ...] = ()
    body: Block | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDecl(Statement):
    """`route SERVICE { rules }`; `port` names one of several ports behind a dot."""

    service: Name
    port: Name | None = None
    rules: tuple[RuleDecl, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDecl(Statement):
    """`limit A -> B 500/s burst 100 per header "x-user"`."""

    flow: Flow
    rate: Rate
    burst: Integer | None = None
    per: Attribute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverClaim(Node):
    """`never A -> B : grants`; with no grants, nothing at all."""

    flow: Flow
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyClaim(Node):
    """`only A -> B`: nobody but A may call B."""

    caller: PeerRef
    callee: PeerRef


Claim: TypeAlias = NeverClaim | OnlyClaim
"""What an assert states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertDecl(Statement):
    """`assert CLAIM because "…"`: proved on every build."""

    claim: Claim
    because: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedVerdict(Node):
    """`allowed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedVerdict(Node):
    """`denied`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedVerdict(Node):
    """`routed v1`."""

    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingVerdict(Node):
    """`timeout 4s`: the effective value of a setting."""

    name: Name
    value: Value


Verdict: TypeAlias = AllowedVerdict | DeniedVerdict | RoutedVerdict | SettingVerdict
"""What a test expects of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecl(Node):
    """One line of a test: a request and what is expected of it."""

    request: Request
    flow: Flow
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDecl(Statement):
    """`test "…" { cases }`."""

    name: Text
    cases: tuple[CaseDecl, ...]


AnyStatement: TypeAlias = (
    EditionDecl
    | MeshDecl
    | ServiceDecl
    | ExternalDecl
    | GroupDecl
    | AllowDecl
    | DenyDecl
    | DefaultsDecl
    | EdgeDecl
    | RouteDecl
    | LimitDecl
    | AssertDecl
    | TestDecl
)
"""Every statement of the language."""
