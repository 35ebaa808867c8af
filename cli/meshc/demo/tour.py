"""The tour of `examples/shop`: each stop makes calls, says what they show, and checks that it is so."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator

from meshc.demo.call import call, log_record
from meshc.local_mesh.mesh import LocalMesh
from meshc_lang.record import dataclass

_SPLIT_CALLS = 200
_BURST_CALLS = 16
_APIS = ("api-v1", "api-v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One line of the tour: a call, what came of it, and whether that is what the program says."""

    call: str
    result: str
    right: bool
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing to see: a title, the line of the program behind it, and the calls."""

    title: str
    source: str
    visit: Callable[[LocalMesh], Iterator[Seen]]


def _allowed(mesh: LocalMesh) -> Iterator[Seen]:
    answer = call(mesh, "web", "api", "GET", "/v1/orders/42")
    caller = answer.told.get("caller")
    yield Seen(
        call="web -> api GET /v1/orders/42",
        result=f"{answer.status} from {answer.by}, which sees the caller as {caller}",
        right=answer.status == 200 and caller == "spiffe://shop.example/ns/edge/sa/web",
    )


def _denied(mesh: LocalMesh) -> Iterator[Seen]:
    answer = call(mesh, "web", "api", "POST", "/v1/orders")
    yield Seen(
        call="web -> api POST /v1/orders",
        result=f"{answer.status}: the grant asks for the header x-csrf",
        right=answer.status == 403,
    )
    for path in ("/admin/metrics", "/v1/..//%61dmin/metrics"):
        answer = call(mesh, "web", "api", "GET", path)
        rule = log_record(mesh, _APIS, "inbound", "/admin/metrics").get("rule", "")
        yield Seen(
            call=f"web -> api GET {path}",
            result=f"{answer.status} by the rule: {rule}",
            right=answer.status == 403 and str(rule).startswith("deny"),
        )
    answer = call(mesh, "web", "ledger", "POST", "/v1/entries")
    yield Seen(
        call="web -> ledger POST /v1/entries",
        result=f"{answer.status}: nothing lets web call ledger",
        right=answer.status == 403,
    )


def _identity(mesh: LocalMesh) -> Iterator[Seen]:
    inbound = mesh.instance("api-v1").listeners.inbound
    with socket.create_connection((inbound.host, inbound.port), timeout=10) as plain:
        plain.sendall(b"GET /v1/orders/42 HTTP/1.1\r\nHost: api\r\n\r\n")
        try:
            answer = plain.recv(1024)
        except ConnectionError:
            answer = b""
    yield Seen(
        call="plaintext -> api GET /v1/orders/42",
        result="the connection is closed: no certificate, no call" if b"200" not in answer else "it was answered",
        right=not answer.startswith(b"HTTP/1.1 2"),
    )


def _split(mesh: LocalMesh) -> Iterator[Seen]:
    counts = Counter(call(mesh, "web", "api", "GET", "/v1/orders/42").by for _ in range(_SPLIT_CALLS))
    for name in _APIS:
        share = counts[name] / _SPLIT_CALLS
        # Five standard deviations of 200 draws with p = 0.1 are 0.106: a fair split fails once in a million tours.
        expected = {"api-v1": 0.9, "api-v2": 0.1}[name]
        yield Seen(
            call=f"{_SPLIT_CALLS} calls, answered by {name}",
            result=f"{counts[name]:>3} ({share:.0%})",
            right=abs(share - expected) <= 0.11,
            share=share,
        )
    answer = call(mesh, "web", "api", "GET", "/v1/orders/42", {"x-beta": "1"})
    yield Seen(
        call='web -> api GET /v1/orders/42 {x-beta: "1"}',
        result=f"{answer.status} from {answer.by}: the more specific route wins",
        right=answer.by == "api-v2",
    )


def _retried(mesh: LocalMesh) -> Iterator[Seen]:
    path = "/v1/orders/retried"
    answer = call(
        mesh, "web", "api", "GET", path, {"x-request-id": "tour", "x-stand-in-fail-first": "2", "x-beta": "1"}
    )
    tries = log_record(mesh, ("web",), "outbound", path).get("attempts")
    yield Seen(
        call="web -> api, which answers 503 twice",
        result=f"{answer.status} after {tries} tries, says the sidecar's log",
        right=answer.status == 200 and tries == 3,
    )


def _timeout(mesh: LocalMesh) -> Iterator[Seen]:
    answer = call(mesh, "web", "api", "GET", "/v1/orders/slow", {"x-stand-in-delay": "8s"})
    yield Seen(
        call="web -> api, which takes 8 seconds",
        result=f"{answer.status} after {answer.seconds:.1f} s",
        right=answer.status == 504 and answer.seconds < 7,
    )


def _limited(mesh: LocalMesh) -> Iterator[Seen]:
    counts = Counter(call(mesh, "api-v1", "payments", "POST", "/v1/charges").status for _ in range(_BURST_CALLS))
    told = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
    yield Seen(
        call=f"api -> payments POST /v1/charges, {_BURST_CALLS} times at once",
        result=told,
        right=counts[200] >= 10 and counts[429] >= 1 and counts[200] + counts[429] == _BURST_CALLS,
    )


TOUR = (
    Stop("allowed", "allow web -> api { GET /v1/orders/** }", _allowed),
    Stop("denied", "no grant, no call; and deny any -> api : /admin/** beats every allow", _denied),
    Stop("identified", "mtls: strict", _identity),
    Stop("split", "/v1/** => v1 90%, v2 10% as canary", _split),
    Stop("retried", "retry { limit: 2, on: [connect-failure, s503] }", _retried),
    Stop("timed out", "edge web -> api { timeout: 2s }", _timeout),
    Stop("limited", "limit api -> payments 5/s burst 10", _limited),
)
"""What is shown, in order."""
