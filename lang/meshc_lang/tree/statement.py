"""Statements about edges: allow and deny, settings, routes, limits, shadow traffic, faults; templates and overlays."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.tree.claim import AssertDecl, TestDecl
from meshc_lang.tree.declaration import (
    EditionDecl,
    ExternalDecl,
    GroupDecl,
    ImportDecl,
    JwtDecl,
    LetDecl,
    MeshDecl,
    ServiceDecl,
    Statement,
)
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import Attribute, Condition, Flow, Grant, Matcher
from meshc_lang.tree.target import Answer, Target
from meshc_lang.tree.value import Block, Integer, Rate, Value


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
class RuleDecl(Node):
    """One line of a route: `MATCHER if … => TARGETS as NAME over NAME { settings }`.

    With an `answer` the request goes nowhere, and there are no targets.
    """

    matcher: Matcher
    guard: Condition | None = None
    targets: tuple[Target, ...] = ()
    answer: Answer | None = None
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
    """`limit A -> B 500/s burst 100 per header "x-user"`; rate and burst may be names of values."""

    flow: Flow
    rate: Rate | Name
    burst: Integer | Name | None = None
    per: Attribute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorDecl(Statement):
    """`mirror api GET /v1/** if … => api.v2 5%`: a copy of a share of the requests, whose answers nobody sees."""

    service: Name
    port: Name | None = None
    matcher: Matcher
    guard: Condition | None = None
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDecl(Statement):
    """`fault NAME on A -> B { delay: 500ms, abort: 503, percent: 5% }`."""

    name: Name
    flow: Flow
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class SloDecl(Statement):
    """`slo SERVICE { availability, window, latency-p99 }`: objectives."""

    service: Name
    body: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDecl(Statement):
    """`template NAME(a, b) { statements }`: statements that `use` writes out with values for the names."""

    name: Name
    parameters: tuple[Name, ...]
    body: tuple[AnyStatement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseDecl(Statement):
    """`use NAME(x, y)`."""

    name: Name
    arguments: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref(Node):
    """`api.route.canary`: the path to one named thing of the program."""

    parts: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetItem(Statement):
    """`set api.route.canary: [50%, 50%]`: another value for what a path names."""

    ref: Ref
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class DropItem(Statement):
    """`drop api.route.canary`: takes away what a path names."""

    ref: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayDecl(Statement):
    """`overlay NAME { set …, drop …, and statements }`: an environment, as a change of the program."""

    name: Name
    items: tuple[AnyStatement | SetItem | DropItem, ...]


AnyStatement: TypeAlias = (
    EditionDecl
    | ImportDecl
    | MeshDecl
    | ServiceDecl
    | ExternalDecl
    | GroupDecl
    | JwtDecl
    | LetDecl
    | TemplateDecl
    | UseDecl
    | AllowDecl
    | DenyDecl
    | DefaultsDecl
    | EdgeDecl
    | RouteDecl
    | LimitDecl
    | MirrorDecl
    | FaultDecl
    | SloDecl
    | AssertDecl
    | TestDecl
    | OverlayDecl
)
"""Every statement of the language."""
