"""What must hold: asserts and tests."""

from __future__ import annotations

from typing import TypeAlias

from meshc_lang.record import dataclass
from meshc_lang.request import Request
from meshc_lang.tree.declaration import Statement
from meshc_lang.tree.node import Name, Node, Text
from meshc_lang.tree.policy import Comparison, Condition, Flow, Grant, PeerRef
from meshc_lang.tree.target import Target
from meshc_lang.tree.value import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverClaim(Node):
    """`never A -> B : grants`; with no grants, nothing at all. `chain` is `A ->* B`: nor through others."""

    flow: Flow
    grants: tuple[Grant, ...] = ()
    chain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysClaim(Node):
    """`always A -> B : grants`: every such request is allowed."""

    flow: Flow
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyClaim(Node):
    """`only A -> B : grants`: nobody but A may call B, or make these requests of it."""

    caller: PeerRef
    callee: PeerRef
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryEdgeClaim(Node):
    """`every edge from A to B has COND`: of each edge that some allow opens; no peer means any."""

    caller: PeerRef | None = None
    callee: PeerRef | None = None
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricClaim(Node):
    """`attempts(A -> B) <= 8`, `deadline(A -> B : POST /x) <= 2s`: a bound on the worst path."""

    metric: Name
    flow: Flow
    grants: tuple[Grant, ...] = ()
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsClaim(Node):
    """`mtls`, `mtls A -> B`: no call of the mesh, or of the flow, is accepted without mutual TLS."""

    flow: Flow | None = None


Claim: TypeAlias = NeverClaim | AlwaysClaim | OnlyClaim | EveryEdgeClaim | MetricClaim | MtlsClaim
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
class ByVerdict(Node):
    """`by canary`: the route's rule that wins."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingVerdict(Node):
    """`timeout 4s`, `retry.limit 1`: the effective value of a setting; `name` has the dots."""

    name: Name
    value: Value


Verdict: TypeAlias = AllowedVerdict | DeniedVerdict | RoutedVerdict | ByVerdict | SettingVerdict
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
