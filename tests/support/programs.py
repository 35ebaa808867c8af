"""Strategies of programs that mean something: every name declared, shares that add up, no ambiguous route.

A program is made as plain data first (`MeshPlan`), so that a test can ask it what it holds: who is declared, which
edges are granted, which requests are worth asking. `MeshPlan.text` writes it down. Programs that only need to be
syntactically valid come from `support.program_texts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
SERVICES = ("web", "api", "cart", "orders", "billing", "limit", "test")
"""Names of services; the last two are keywords elsewhere."""

SEGMENTS = ("v1", "orders", "items", "admin", "{id}", "{id:int}", "{id:uuid}", "{id:slug}", "*")
HEADERS = ("x-beta", "x-user", "X-Trace")
HEADER_VALUES = ("1", "on", "a b")


@dataclass(frozen=True)
class ServicePlan:
    """A service with one HTTP port, and the versions it runs."""

    name: str
    port: int
    versions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        versions = f", versions: [{', '.join(self.versions)}]" if self.versions else ""
        return f"service {self.name} {{ port: {self.port}/http{versions} }}"


@dataclass(frozen=True)
class GuardPlan:
    """A condition on one header: `present`, or equal to a value."""

    header: str
    value: str | None

    @property
    def text(self) -> str:
        return f'header "{self.header}" ' + ("present" if self.value is None else f'== "{self.value}"')


@dataclass(frozen=True)
class GrantPlan:
    """A line of an allow or deny."""

    methods: tuple[str, ...]
    path: str
    guard: GuardPlan | None = None

    @property
    def text(self) -> str:
        methods = "|".join(self.methods) or "*"
        return f"{methods} {self.path}" + (f" if {self.guard.text}" if self.guard else "")


@dataclass(frozen=True)
class EdgePlan:
    """Who may call whom for what; `denied` is what a deny takes away again."""

    caller: str
    callee: str
    grants: tuple[GrantPlan, ...]
    denied: GrantPlan | None = None
    block: bool = False
    settings: tuple[str, ...] = ()
    limit: str = ""

    @property
    def text(self) -> str:
        flow = f"{self.caller} -> {self.callee}"
        if self.block:
            lines = ["allow " + flow + " {", *(f"  {grant.text}" for grant in self.grants), "}"]
        else:
            lines = [f"allow {flow} : {', '.join(grant.text for grant in self.grants)}"]
        if self.denied is not None:
            lines.append(f'deny {flow} : {self.denied.text} because "not for {self.caller}"')
        if self.settings:
            lines.append(f"edge {flow} {{ {', '.join(self.settings)} }}")
        if self.limit:
            lines.append(f"limit {flow} {self.limit}")
        return "\n".join(lines)


@dataclass(frozen=True)
class RulePlan:
    """A rule of a route; `shares` are per cent, one for each target, and add up to 100 (empty: one target, all)."""

    match: str
    targets: tuple[str, ...]
    shares: tuple[int, ...] = ()
    name: str = ""

    @property
    def text(self) -> str:
        shares = [f" {share}%" for share in self.shares] or [""]
        targets = ", ".join(f"{target}{share}" for target, share in zip(self.targets, shares, strict=True))
        return f"{self.match} => {targets}" + (f" as {self.name}" if self.name else "")


@dataclass(frozen=True)
class MeshPlan:
    """A whole program."""

    services: tuple[ServicePlan, ...]
    edges: tuple[EdgePlan, ...]
    routes: tuple[tuple[str, tuple[RulePlan, ...]], ...] = ()
    groups: tuple[tuple[str, str], ...] = ()
    defaults: tuple[str, ...] = ()
    trust_domain: str = field(default="shop.example")

    @property
    def granted(self) -> frozenset[tuple[str, str]]:
        """The pairs of caller and callee for which there is an allow."""
        return frozenset((edge.caller, edge.callee) for edge in self.edges)

    @property
    def ungranted(self) -> tuple[tuple[str, str], ...]:
        """The pairs of services between which nothing is allowed."""
        names = [service.name for service in self.services]
        pairs = ((caller, callee) for caller in names for callee in names if caller != callee)
        return tuple(pair for pair in pairs if pair not in self.granted)

    @property
    def text(self) -> str:
        """The program; its asserts and tests hold."""
        lines = ["edition 2026", "", f'mesh shop {{ trust-domain: "{self.trust_domain}" }}']
        lines += [service.text for service in self.services]
        lines += [f"group {name} = {members}" for name, members in self.groups]
        if self.defaults:
            lines += ["", "defaults mesh {", *(f"  {setting}" for setting in self.defaults), "}"]
        lines += ["", *(edge.text for edge in self.edges)]
        for service, rules in self.routes:
            lines += ["", f"route {service} {{", *(f"  {rule.text}" for rule in rules), "}"]
        if self.ungranted:
            lines += ["", *(f"assert never {caller} -> {callee}" for caller, callee in self.ungranted)]
            lines += ["", 'test "what nobody granted" {']
            lines += [f"  {caller} -> {callee} GET /v1 is denied" for caller, callee in self.ungranted]
            lines.append("}")
        return "\n".join(lines) + "\n"


@st.composite
def paths(draw: DrawFn) -> str:
    """A path template of up to three segments, perhaps with a final `**`."""
    segments = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3))
    return "/" + "/".join(segments) + draw(st.sampled_from(("", "", "/**")))


guards = st.builds(GuardPlan, st.sampled_from(HEADERS), st.none() | st.sampled_from(HEADER_VALUES))

grants = st.builds(
    GrantPlan,
    st.lists(st.sampled_from(METHODS), max_size=2, unique=True).map(tuple),
    st.one_of(paths(), st.sampled_from(("/**", "/"))),
    st.none() | guards,
)


denials = st.builds(
    GrantPlan,
    st.lists(st.sampled_from(METHODS), max_size=2, unique=True).map(tuple),
    st.sampled_from(("/denied/**", "/denied", "/denied/{id}/x")),
    st.none() | guards,
)
"""What a deny takes away: under a first segment that no grant names, so that it never takes a whole grant."""


@st.composite
def settings_of_edges(draw: DrawFn) -> tuple[str, ...]:
    """Settings that a target can carry: a timeout, and retries that are bounded and stated."""
    chosen: list[str] = []
    if draw(st.booleans()):
        chosen.append(f"timeout: {draw(st.sampled_from(('500ms', '2s', '1.5s', '1m')))}")
    match draw(st.integers(0, 2)):
        case 1:
            chosen.append("retry: off")
        case 2:
            limit = draw(st.integers(1, 3))
            on = draw(st.sampled_from(("connect-failure", "connect-failure, s503", "refused-stream")))
            chosen.append(f"retry {{ limit: {limit}, on: [{on}], budget: 20%, backoff: 25ms..250ms }}")
    return tuple(chosen)


@st.composite
def rules_of(draw: DrawFn, versions: tuple[str, ...]) -> tuple[RulePlan, ...]:
    """Rules for a service with versions: each under a first segment of its own, so that no two meet by chance.

    Under one segment there may also be a narrower rule, which wins by being contained in the wider one.
    """
    rules: list[RulePlan] = []
    for index in range(draw(st.integers(1, 3))):
        wide = f"/r{index}/**"
        targets = draw(st.permutations(versions))
        split = len(targets) > 1 and draw(st.booleans())
        first = draw(st.integers(1, 99))
        shares = (first, 100 - first) if split else ()
        chosen = tuple(targets[:2] if split else targets[:1])
        rules.append(RulePlan(wide, chosen, shares, f"rule-{index}" if draw(st.booleans()) else ""))
        match draw(st.integers(0, 2)):
            case 1:
                rules.append(RulePlan(f"POST /r{index}/orders", (targets[-1],)))
            case 2:
                rules.append(RulePlan(f"{wide} if {draw(guards).text}", (targets[-1],)))
    return tuple(draw(st.permutations(rules)))


@st.composite
def mesh_plans(draw: DrawFn, *, most_services: int = 4) -> MeshPlan:
    """A mesh of a few services, who calls whom in it, and how; it compiles without an error."""
    names = draw(st.lists(st.sampled_from(SERVICES), min_size=2, max_size=most_services, unique=True))
    services = tuple(
        ServicePlan(name, 8080 + index, draw(st.sampled_from(((), ("v1",), ("v1", "v2")))))
        for index, name in enumerate(names)
    )
    pairs = [(caller, callee) for caller in ("ingress", *names) for callee in names if caller != callee]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=5, unique=True))
    edges = tuple(
        EdgePlan(
            caller,
            callee,
            tuple(draw(st.lists(grants, min_size=1, max_size=3, unique=True))),
            denied=draw(st.none() | denials),
            block=draw(st.booleans()),
            settings=draw(settings_of_edges()),
            limit=draw(st.sampled_from(("", "", "500/s", "30/m burst 10", '5/s burst 5 per header "x-user"'))),
        )
        for caller, callee in chosen
    )
    versioned = [service for service in services if service.versions]
    routes = tuple((service.name, draw(rules_of(service.versions))) for service in versioned if draw(st.booleans()))
    groups = (("everyone", " | ".join(names)), ("others", f"[{', '.join(names)}] - {names[0]}"))
    defaults = draw(st.sampled_from(((), ("timeout: 5s",), ("timeout: 30s", "retry: off"))))
    return MeshPlan(services, edges, routes, draw(st.sampled_from(((), groups))), defaults)
