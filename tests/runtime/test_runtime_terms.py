"""Terms of calls without a network: circuit breaking, ejection and balancing under a clock of the test's own."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from meshc_runtime.balancer import Balancer, PeakLatency, Ring
from meshc_runtime.circuit_breaker import CircuitBreaker
from meshc_runtime.fault import NO_MISHAP, FaultPlan, Mishap
from meshc_runtime.hash_key import hashed_value
from meshc_runtime.outlier import Ejector, InstanceRecord
from meshc_runtime.query import query_values
from meshc_runtime.retry import RetryPolicy, TryFailure
from meshc_runtime.snapshot import BalancePolicy, Breaker, Ejection, Fault, HashKey, Retry


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Known:
    text: str
    active: int = 0
    failing: bool = False
    latency: PeakLatency = field(default_factory=PeakLatency)


def ejector(clock: Clock, count: int, **terms: int) -> tuple[Ejector, list[InstanceRecord]]:
    stated = {"consecutive_5xx": 3, "eject_ms": 30_000, "interval_ms": 10_000, "max_percent": 50, **terms}
    made = Ejector(Ejection(**stated), clock)
    records = [InstanceRecord() for _ in range(count)]
    made.members = records
    return made, records


def fail(made: Ejector, record: InstanceRecord, times: int = 3) -> None:
    for _ in range(times):
        made.answered(record, failed=True)


def fault(
    name: str, share: int = 1_000_000, *, delay: int | None = None, abort: int | None = None, who: str = ""
) -> Fault:
    callers = (f"spiffe://test.example/{who}",) if who else None
    return Fault(name=name, callers=callers, delay_ms=delay, abort_status=abort, share=share)


def test_faults_befall_whom_they_are_about() -> None:
    plan = FaultPlan([fault("lag", delay=500, who="web"), fault("lost", abort=503, who="jobs")], "test.example")
    web, jobs, other = ("spiffe://test.example/web", "spiffe://test.example/jobs", "spiffe://test.example/x")
    assert plan.draw(web, lambda: 0.5) == Mishap(delay=0.5, name="lag")
    assert plan.draw(jobs, lambda: 0.5) == Mishap(status=503, name="lost")
    assert plan.draw(other, lambda: 0.5) is NO_MISHAP
    everybody = FaultPlan([fault("all", abort=500)], "test.example")
    assert everybody.draw(other, lambda: 0.5).status == 500
    assert everybody.draw("spiffe://elsewhere.example/x", lambda: 0.5) is NO_MISHAP


def test_delays_add_up_until_an_abort_and_each_has_its_lot() -> None:
    plan = FaultPlan(
        [fault("a", delay=100), fault("b", 500_000, delay=200, abort=503), fault("c", delay=400)], "test.example"
    )
    lots = iter([0.9, 0.1, 0.9, 0.0])  # the delay of b falls, its abort does not
    assert plan.draw("spiffe://test.example/x", lambda: next(lots)) == Mishap(delay=0.1 + 0.2 + 0.4, name="c")
    lots = iter([0.9, 0.9, 0.1])
    assert plan.draw("spiffe://test.example/x", lambda: next(lots)) == Mishap(delay=0.1, status=503, name="b")


def test_a_share_is_a_share() -> None:
    plan = FaultPlan([fault("some", 250_000, abort=503)], "test.example")
    chance = random.Random(11).random
    befallen = sum(plan.draw("spiffe://test.example/x", chance) is not NO_MISHAP for _ in range(10_000))
    assert 2300 < befallen < 2700


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", []),
        ("?a=1", ["1"]),
        ("?b=2&a=1&a=%32+x", ["1", "2 x"]),
        ("?a", [""]),
        ("?%61=1&&A=2", ["1"]),
        ("?a=b=c", ["b=c"]),
    ],
)
def test_parameters_of_a_query(query: str, values: list[str]) -> None:
    assert query_values(query, "a") == values


def test_what_runs_and_what_waits_is_bounded() -> None:
    breaker = CircuitBreaker(Breaker(max_requests=2, max_pending=1))
    assert [breaker.run() for _ in range(3)] == [True, True, False]
    assert [breaker.wait() for _ in range(2)] == [True, False]
    breaker.running -= 1
    assert breaker.run()
    assert all(CircuitBreaker(Breaker(max_connections=1)).run() for _ in range(1000))


def test_only_failures_in_a_row_eject() -> None:
    made, (one, _) = ejector(Clock(), 2)
    fail(made, one, 2)
    made.answered(one, failed=False)
    fail(made, one, 2)
    assert not one.out
    fail(made, one, 1)
    assert one.out


def test_who_comes_back_is_looked_at_in_intervals_and_each_time_later() -> None:
    clock = Clock()
    made, (one, _) = ejector(clock, 2)
    for multiple in (1, 2, 3):
        fail(made, one)
        began = clock.now
        while one.out:
            clock.now += 1.0
            made.look()
        assert 30 * multiple <= clock.now - began <= 30 * multiple + 10
    clock.now += 1000.0  # long in good health: the next time is short again
    made.look()
    fail(made, one)
    began = clock.now
    while one.out:
        clock.now += 1.0
        made.look()
    assert clock.now - began <= 40


def test_looking_seldom_changes_nothing() -> None:
    often, seldom = Clock(), Clock()
    (one, [a, _]), (other, [b, _]) = ejector(often, 2), ejector(seldom, 2)
    chance = random.Random(7)
    for _ in range(300):
        step = chance.choice((0.5, 3.0, 25.0, 70.0))
        for _ in range(int(step * 2)):
            often.now += 0.5
            one.look()
        seldom.now += step
        other.look()
        assert (a.out, a.times) == (b.out, b.times)
        if chance.random() < 0.5 and not a.out:
            fail(one, a)
            fail(other, b)


def test_nobody_is_out_for_more_than_five_minutes() -> None:
    clock = Clock()
    made, (one, _) = ejector(clock, 2, eject_ms=200_000)
    for _ in range(3):
        fail(made, one)
        clock.now += 310.0
        made.look()
        assert not one.out


@pytest.mark.parametrize(
    ("count", "percent", "out"), [(4, 50, 2), (3, 50, 1), (1, 50, 0), (1, 100, 1), (3, 100, 3), (2, 0, 0)]
)
def test_no_more_are_out_than_the_share(count: int, percent: int, out: int) -> None:
    made, records = ejector(Clock(), count, max_percent=percent)
    for record in records:
        fail(made, record)
    assert sum(record.out for record in records) == out


def choices(policy: BalancePolicy, known: list[Known], times: int = 3000, key: bytes | None = None) -> Counter[str]:
    balancer = Balancer(policy, random.Random(3).random, Clock())
    return Counter(known[balancer.choose(known, known, key)].text for _ in range(times))


@pytest.mark.parametrize("policy", ["round-robin", "least-request", "random", "peak-ewma", "ring-hash"])
def test_equals_are_called_alike(policy: BalancePolicy) -> None:
    seen = choices(policy, [Known(name) for name in "abc"])
    assert all(850 < seen[name] < 1150 for name in "abc")


def test_of_two_the_one_with_fewer_calls() -> None:
    seen = choices("least-request", [Known("a", active=9), Known("b"), Known("c")])
    assert seen["a"] == 0
    assert choices("least-request", [Known("a", active=9)]) == {"a": 3000}


@pytest.mark.parametrize("policy", ["least-request", "peak-ewma"])
def test_what_cannot_be_reached_does_not_get_the_calls_of_the_others(policy: BalancePolicy) -> None:
    assert choices(policy, [Known("a", failing=True), Known("b", active=50)]) == {"b": 3000}


def test_the_slow_are_called_less_and_forgiven_in_time() -> None:
    clock = Clock()
    slow, fast = Known("slow"), Known("fast")
    slow.latency.observe(1.0, clock.now)
    fast.latency.observe(0.01, clock.now)
    balancer = Balancer("peak-ewma", random.Random(1).random, clock)
    assert {balancer.choose([slow, fast], [slow, fast]) for _ in range(50)} == {1}
    fast.active = 200  # the load counts with the latency
    assert {balancer.choose([slow, fast], [slow, fast]) for _ in range(50)} == {0}
    clock.now += 100
    assert slow.latency.value(clock.now) < 0.001


def test_a_peak_counts_at_once_and_better_times_slowly() -> None:
    latency = PeakLatency()
    latency.observe(0.1, 0.0)
    latency.observe(2.0, 1.0)
    assert latency.value(1.0) == 2.0
    latency.observe(0.1, 2.0)
    assert 1.5 < latency.value(2.0) < 2.0


def test_a_key_stays_where_it_is_while_its_instance_stays() -> None:
    names = tuple(f"10.0.0.{number}:80" for number in range(8))
    keys = [f"user-{number}".encode() for number in range(2000)]
    ring = Ring(names)
    before = {key: ring.find(key, names) for key in keys}
    shares = Counter(before.values())
    assert len(shares) == 8
    assert max(shares.values()) < 2.5 * min(shares.values())
    for key in keys:
        without = ring.find(key, names[1:])
        assert without == before[key] or before[key] == names[0]


def test_balancing_by_hash_goes_by_who_is_well() -> None:
    known = [Known(name) for name in "abcd"]
    balancer = Balancer("ring-hash", random.Random(5).random, Clock())
    [home] = {balancer.choose(known, known, b"k") for _ in range(20)}
    others = [one for index, one in enumerate(known) if index != home]
    [refuge] = {others[balancer.choose(known, others, b"k")].text for _ in range(20)}
    assert refuge != known[home].text
    assert {balancer.choose(known, known, b"k") for _ in range(20)} == {home}


def test_what_is_hashed() -> None:
    headers = {"x-user": [b"7"], "cookie": [b'a=1; session="s"', b"b=2"]}
    assert hashed_value(HashKey(kind="header", name="x-user"), headers, b"::1") == b"7"
    assert hashed_value(HashKey(kind="header", name="x-none"), headers, b"::1") is None
    assert hashed_value(HashKey(kind="cookie", name="session"), headers, b"::1") == b"s"
    assert hashed_value(HashKey(kind="cookie", name="b"), headers, b"::1") == b"2"
    assert hashed_value(HashKey(kind="cookie", name="c"), headers, b"::1") is None
    assert hashed_value(HashKey(kind="source"), headers, b"::1") == b"::1"
    assert hashed_value(HashKey(kind="source"), headers, b"") is None


@pytest.mark.parametrize("failure", [TryFailure.OVERFLOW, TryFailure.NO_ENDPOINT])
def test_what_is_refused_here_is_not_tried_again(failure: TryFailure) -> None:
    policy = RetryPolicy(Retry(limit=3, on=("5xx", "reset", "connect-failure", "gateway-error", "refused-stream")))
    assert failure.status == 503
    assert not policy.retries_failure(failure)


@pytest.mark.parametrize(("method", "repeats"), [("GET", True), ("PUT", True), ("POST", False), ("PATCH", False)])
def test_a_key_makes_a_call_safe_to_repeat(method: str, repeats: bool) -> None:
    policy = RetryPolicy(Retry(limit=3, on=("5xx",), key_header="idempotency-key"))
    assert policy.repeats(method, {}) == repeats
    assert policy.repeats(method, {"idempotency-key": [b"k"]})
    assert RetryPolicy(Retry(limit=3, on=("5xx",))).repeats(method, {})
