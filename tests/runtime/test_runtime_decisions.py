from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshc_runtime.authorize import Authorizer, Decision
from meshc_runtime.balance import Rotation, WeightedSplit
from meshc_runtime.condition import compile_condition
from meshc_runtime.path import parse_template
from meshc_runtime.rate_limit import RateLimiter
from meshc_runtime.regex import LinearRegex
from meshc_runtime.retry import RetryBudget, RetryPolicy, TryFailure
from meshc_runtime.route import HostTable, RouteTable, UnknownHost
from meshc_runtime.snapshot import (
    AllConditions,
    AnyCondition,
    AuthorizationRule,
    Condition,
    Destination,
    HeaderEquals,
    HeaderOneOf,
    HeaderPresent,
    MeshHosts,
    NotCondition,
    PathPattern,
    RateLimit,
    RegexPath,
    Retry,
    Route,
    TemplatePath,
)

DOMAIN = "t"
CALLERS = ("spiffe://t/a", "spiffe://t/b", "spiffe://t/c")
SEGMENTS = st.lists(st.sampled_from(["a", "b", "*", "{i:int}", "{s:slug}"]), max_size=3)
PATTERNS: st.SearchStrategy[PathPattern | None] = st.one_of(
    st.none(),
    st.tuples(SEGMENTS, st.booleans()).map(
        lambda p: TemplatePath(template="/" + "/".join([*p[0], *(["**"] if p[1] else [])]))
    ),
    st.sampled_from(["/a.*", "/[ab]/b", "/(a|7)"]).map(lambda regex: RegexPath(regex=regex)),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.sampled_from(["x", "y"]).map(lambda name: HeaderPresent(name=name)),
        st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2", ""])).map(
            lambda p: HeaderEquals(name=p[0], value=p[1])
        ),
        st.lists(st.sampled_from(["1", "2"]), max_size=2).map(
            lambda values: HeaderOneOf(name="x", values=tuple(values))
        ),
    ),
    lambda inner: st.one_of(
        inner.map(lambda part: NotCondition(of=part)),
        st.lists(inner, max_size=2).map(lambda parts: AllConditions(of=tuple(parts))),
        st.lists(inner, max_size=2).map(lambda parts: AnyCondition(of=tuple(parts))),
    ),
    max_leaves=4,
)
METHODS = st.one_of(st.none(), st.lists(st.sampled_from(["GET", "POST"]), max_size=2).map(tuple))
RULES = st.lists(
    st.tuples(
        st.sampled_from(["allow", "allow", "deny"]),
        st.one_of(st.none(), st.lists(st.sampled_from(CALLERS[:2]), max_size=2).map(tuple)),
        st.one_of(st.none(), st.lists(st.sampled_from(CALLERS), max_size=2).map(tuple)),
        METHODS,
        PATTERNS,
        st.one_of(st.none(), CONDITIONS),
    ),
    max_size=8,
).map(
    lambda rules: [
        AuthorizationRule(
            id=f"r{n}",
            effect=effect,
            callers=callers,
            except_callers=besides,
            methods=methods,
            path=path,
            condition=condition,
        )
        for n, (effect, callers, besides, methods, path, condition) in enumerate(rules)
    ]
)
PATHS = st.lists(st.sampled_from(["a", "b", "7", "x-1"]), max_size=4).map(lambda parts: "/" + "/".join(parts))
HEADERS = st.dictionaries(
    st.sampled_from(["x", "y"]),
    st.lists(st.sampled_from([b"1", b"2", b"", b"1, 2", b"3,1", b"1  "]), min_size=1, max_size=2),
)


def holds(condition: Condition | None, headers: Mapping[str, list[bytes]]) -> bool:
    """The definition of conditions, straight from the text."""
    match condition:
        case None:
            return True
        case AllConditions():
            return all(holds(part, headers) for part in condition.of)
        case AnyCondition():
            return any(holds(part, headers) for part in condition.of)
        case NotCondition():
            return not holds(condition.of, headers)
        case HeaderPresent():
            return condition.name in headers
        case HeaderEquals():
            return condition.value in members(condition.name, headers)
        case HeaderOneOf():
            return any(value in members(condition.name, headers) for value in condition.values)


def members(name: str, headers: Mapping[str, list[bytes]]) -> list[str]:
    found = []
    for line in headers.get(name, []):
        for member in line.decode().split(","):
            found.append(member[1:] if member.startswith(" ") else member)
    return found


def path_holds(pattern: PathPattern | None, path: str) -> bool:
    match pattern:
        case None:
            return True
        case TemplatePath():
            return parse_template(pattern.template).matches(path)
        case RegexPath():
            return LinearRegex(pattern.regex).matches(path)


@given(RULES, st.sampled_from(CALLERS), st.sampled_from(["GET", "POST", "PUT"]), PATHS, HEADERS)
def test_index_decides_as_reading_the_rules_one_by_one(
    rules: list[AuthorizationRule], caller: str, method: str, path: str, headers: dict[str, list[bytes]]
) -> None:
    matching = [
        rule
        for rule in rules
        if (rule.callers is None or caller in rule.callers)
        and caller not in (rule.except_callers or ())
        and (rule.methods is None or method in rule.methods)
        and path_holds(rule.path, path)
        and holds(rule.condition, headers)
    ]
    denied = next((rule for rule in matching if rule.effect == "deny"), None)
    first = denied or next(iter(matching), None)
    expected = Decision(allowed=first is not None and first.effect == "allow", rule=None if first is None else first.id)
    assert Authorizer(rules, DOMAIN).decide(caller, method, path, headers) == expected


def test_rules_for_everybody_hold_only_inside_the_trust_domain() -> None:
    rules = [AuthorizationRule(id="any", effect="allow", callers=None)]
    authorizer = Authorizer(rules, "shop.example")
    assert authorizer.decide("spiffe://shop.example/ns/x/sa/y", "GET", "/", {}).allowed
    assert not authorizer.decide("spiffe://shop.example.evil/ns/x/sa/y", "GET", "/", {}).allowed
    assert not authorizer.decide("spiffe://other/ns/x/sa/y", "GET", "/", {}).allowed


def test_no_rules_allow_nothing() -> None:
    assert not Authorizer([], DOMAIN).decide("spiffe://t/a", "GET", "/", {}).allowed


def test_look_up_does_not_read_every_rule() -> None:
    """With 20,000 rules a request meets only the few that its path leads to."""
    rules = [
        AuthorizationRule(
            id=f"r{n}",
            effect="allow",
            callers=("spiffe://t/a",),
            methods=("GET",),
            path=TemplatePath(template=f"/items/{n}/*"),
        )
        for n in range(20_000)
    ]
    authorizer = Authorizer(rules, DOMAIN)
    index = authorizer._callers["spiffe://t/a"]
    assert [entry.value.rule for entry in index.candidates("GET", "/items/19999/x")] == ["r19999"]
    assert index.candidates("GET", "/items/nowhere/x") == []


ROUTES = st.lists(st.tuples(METHODS, PATTERNS, st.one_of(st.none(), CONDITIONS)), max_size=6)


@given(ROUTES, st.sampled_from(["GET", "PUT"]), PATHS, HEADERS)
def test_first_route_that_matches_wins(
    routes: list[tuple[tuple[str, ...] | None, PathPattern | None, Condition | None]],
    method: str,
    path: str,
    headers: dict[str, list[bytes]],
) -> None:
    declared = [
        Route(
            id=f"r{n}",
            methods=methods,
            path=pattern,
            condition=condition,
            destinations=(Destination(cluster="c", weight=1),),
        )
        for n, (methods, pattern, condition) in enumerate(routes)
    ]
    table = RouteTable([(route, route.id) for route in declared])
    expected = next(
        (
            route.id
            for route in declared
            if (route.methods is None or method in route.methods)
            and path_holds(route.path, path)
            and holds(route.condition, headers)
        ),
        None,
    )
    assert table.select(method, path, headers) == expected


def test_hosts() -> None:
    table: HostTable[str] = HostTable(MeshHosts(namespaces=("default", "shop")))
    table.add(["api", "api.shop"], 8080, default=True, service="main")
    table.add(["api", "api.shop"], 9090, default=False, service="other")
    table.add(["pay.example.com"], 443, default=True, service="external")
    assert table.find("api", None) == "main"
    assert table.find("api.shop", 8080) == "main"
    assert table.find("api", 9090) == "other"
    assert table.find("pay.example.com", None) == "external"
    for host in ("api2", "x.shop", "x.y.svc", "x.y.svc.cluster.local"):
        assert table.find(host, None) is UnknownHost.NOT_GRANTED
    assert table.find("api", 1) is UnknownHost.NOT_GRANTED
    for host in ("example.com", "a.b.shop", "192.0.2.7", "[::1]", "x.shop.", "pay.example.com.default.example"):
        assert table.find(host, None) is UnknownHost.NOT_DECLARED
    assert table.find("pay.example.com", 80) is UnknownHost.NOT_DECLARED


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, *, per_header: str | None = None, burst: int = 2, max_buckets: int = 100) -> RateLimiter:
    limit = RateLimit(id="l", callers=CALLERS[:2], amount=1, per_seconds=2, burst=burst, per_header=per_header)
    return RateLimiter([limit], DOMAIN, clock, max_buckets)


def test_bucket_holds_the_burst_and_fills_at_the_rate() -> None:
    clock = Clock()
    limits = limiter(clock)
    assert [limits.exceeded(CALLERS[0], {}) for _ in range(3)] == [None, None, "l"]
    clock.now += 1.9
    assert limits.exceeded(CALLERS[0], {}) == "l"
    clock.now += 0.2
    assert [limits.exceeded(CALLERS[0], {}) for _ in range(2)] == [None, "l"]
    clock.now += 1000
    assert [limits.exceeded(CALLERS[0], {}) for _ in range(3)] == [None, None, "l"]


def test_every_caller_has_a_bucket_of_its_own_and_others_none() -> None:
    limits = limiter(Clock(), burst=1)
    assert limits.exceeded(CALLERS[0], {}) is None
    assert limits.exceeded(CALLERS[1], {}) is None
    assert limits.exceeded(CALLERS[0], {}) == "l"
    assert [limits.exceeded(CALLERS[2], {}) for _ in range(5)] == [None] * 5


def test_every_header_value_has_a_bucket_and_absence_another() -> None:
    limits = limiter(Clock(), burst=1, per_header="x-user")
    given_headers: list[dict[str, list[bytes]]] = [
        {"x-user": [b"a"]},
        {"x-user": [b"b"]},
        {"x-user": [b"a", b"b"]},
        {"x-user": [b""]},
        {},
    ]
    assert [limits.exceeded(CALLERS[0], headers) for headers in given_headers] == [None] * 5
    assert [limits.exceeded(CALLERS[0], headers) for headers in given_headers] == ["l"] * 5


def test_invented_header_values_neither_fill_memory_nor_pass_for_ever() -> None:
    clock = Clock()
    limits = limiter(clock, burst=1, per_header="x-user", max_buckets=10)
    outcomes = [limits.exceeded(CALLERS[0], {"x-user": [b"%d" % n]}) for n in range(50)]
    assert outcomes == [None] * 11 + ["l"] * 39
    clock.now += 2
    assert limits.exceeded(CALLERS[0], {"x-user": [b"new"]}) is None


def test_a_refused_request_costs_no_token_of_another_limit() -> None:
    clock = Clock()
    wide = RateLimit(id="wide", callers=CALLERS[:1], amount=1, per_seconds=1000, burst=3)
    narrow = RateLimit(id="narrow", callers=CALLERS[:1], amount=1, per_seconds=1, burst=1)
    limits = RateLimiter([wide, narrow], DOMAIN, clock)
    assert [limits.exceeded(CALLERS[0], {}) for _ in range(5)] == [None, *["narrow"] * 4]
    clock.now += 1
    assert limits.exceeded(CALLERS[0], {}) is None
    clock.now += 1
    assert limits.exceeded(CALLERS[0], {}) is None
    clock.now += 1
    assert limits.exceeded(CALLERS[0], {}) == "wide"


def policy(*on: str, limit: int = 2, budget: float | None = None) -> RetryPolicy:
    return RetryPolicy(Retry(limit=limit, on=on, budget_percent=budget, backoff_base_ms=100, backoff_max_ms=500))


WITHOUT_RESPONSE = set(TryFailure) - {TryFailure.OVERFLOW, TryFailure.NO_ENDPOINT}


@pytest.mark.parametrize(
    ("on", "failures", "statuses"),
    [
        ("connect-failure", {TryFailure.CONNECT_FAILURE}, set()),
        (
            "reset",
            WITHOUT_RESPONSE,
            set(),
        ),
        (
            "5xx",
            WITHOUT_RESPONSE,
            {500, 502, 503, 504, 599},
        ),
        (
            "gateway-error",
            WITHOUT_RESPONSE,
            {502, 503, 504},
        ),
        ("s503", set(), {503}),
        ("s404", set(), {404}),
        ("refused-stream", {TryFailure.REFUSED_STREAM}, set()),
        ("unavailable", set(), set()),
    ],
)
def test_what_a_condition_retries(on: str, failures: set[TryFailure], statuses: set[int]) -> None:
    compiled = policy(on)
    assert {failure for failure in TryFailure if compiled.retries_failure(failure)} == failures
    assert {code for code in (200, 404, 500, 502, 503, 504, 599) if compiled.retries_response(code, None)} == statuses


def test_grpc_statuses() -> None:
    assert policy("unavailable").retries_response(200, b"14")
    assert not policy("unavailable").retries_response(200, b"0")
    assert not policy("cancelled", "internal").retries_response(200, b"14")


def test_backoff_doubles_under_a_ceiling_and_jitters_down_to_nothing() -> None:
    assert [policy("reset").backoff(n, lambda: 1.0) for n in (1, 2, 3, 9)] == [0.1, 0.30000000000000004, 0.5, 0.5]
    assert policy("reset").backoff(3, lambda: 0.0) == 0.0


def test_budget_counts_retries_against_running_requests() -> None:
    budget = RetryBudget()
    generous = policy("reset", budget=20)
    budget.requests, budget.retries = 10, 2
    assert budget.allows(generous)
    budget.retries = 3
    assert not budget.allows(generous)
    budget.requests = 20
    assert budget.allows(generous)
    budget.retries = 10_000
    assert budget.allows(policy("reset"))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any))
def test_split_gives_every_target_exactly_its_share(weights: list[int]) -> None:
    split = WeightedSplit([(index, weight) for index, weight in enumerate(weights)])
    total = sum(weights)
    steps = count()
    drawn = Counter(split.choose(lambda: (next(steps) + 0.5) / total) for _ in range(total))
    assert drawn == Counter({index: weight for index, weight in enumerate(weights) if weight})


def test_rotation_goes_round_and_skips_the_busier() -> None:
    rotation = Rotation()
    assert [rotation.choose([0, 0, 0]) for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert [Rotation().choose([5, 0]) for _ in range(2)] == [1, 1]
    with pytest.raises(ValueError):
        rotation.choose([])


@given(CONDITIONS, HEADERS)
def test_conditions_mean_what_their_definition_says(condition: Condition, headers: dict[str, list[bytes]]) -> None:
    assert compile_condition(condition)(headers) == holds(condition, headers)
