"""The verdict on one request: refused with a status, or admitted with all that is needed to send it on.

The order is fixed: spelling, authorisation, limits, route. Whatever is not understood is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.condition import Headers
from meshc_runtime.fault import NO_MISHAP, Mishap
from meshc_runtime.hash_key import hashed_value
from meshc_runtime.message import HttpError, OutgoingRequest, RequestHead, check_host, grpc_timeout
from meshc_runtime.path import RefusedPathError, canonical_path
from meshc_runtime.policy import CARRIED, InboundPolicy, OutboundPolicy, Policy, RoutePolicy
from meshc_runtime.refusal import refusal_text
from meshc_runtime.retry import RetryPolicy
from meshc_runtime.route import UnknownHost
from meshc_runtime.snapshot import Protocol

_NO_HEADERS: Headers = {}


class RefusedRequestError(Exception):
    """A request the proxy answers itself; `reason` is for the log, `text` for the caller."""

    def __init__(self, status: int, reason: str, text: bytes | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.text = refusal_text(status) if text is None else text


class RefusedConnectionError(Exception):
    """A connection that may send no requests; `kind` is the short word for the metric."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class DeadlineError(RefusedRequestError):
    """A call of gRPC that took longer than its caller waits."""

    def __init__(self) -> None:
        super().__init__(504, "deadline of the caller")


class AnsweredError(RefusedRequestError):
    """A request that is answered here on purpose: by a route, or by a fault that was asked for."""

    def __init__(self, status: int, reason: str, location: str | None = None) -> None:
        super().__init__(status, reason, b"")
        self.location = location


class DeniedError(RefusedRequestError):
    """A request that authorisation refuses, by a rule or because no rule allows it."""


class RateLimitedError(RefusedRequestError):
    """A request over a limit."""

    def __init__(self, limit: str) -> None:
        super().__init__(429, f"limit {limit}")
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may go on: what to send, where to, and how to try it; times are seconds.

    `timeout` begins at the end of the request, `deadline` at its beginning. Calls of one `hash` go to one instance. A
    `mishap` comes before anything is called.
    """

    request: OutgoingRequest
    cluster: str
    timeout: float | None
    retry: RetryPolicy | None
    deadline: float | None = None
    hash: bytes | None = None
    mishap: Mishap = NO_MISHAP


def judge_inbound(
    policy: InboundPolicy,
    caller: str,
    identity: bytes,
    head: RequestHead,
    record: AccessRecord,
    random: Callable[[], float] | None = None,
) -> Admitted:
    """Judge a request of an authenticated caller to this workload, and note the verdict in the record.

    `random`, numbers in [0, 1), draws the lots of faults; without it nothing befalls the request.

    Raises:
        RefusedRequestError: 400, 403, 405 or 429.
    """
    path = _understand(head, record, policy.port.protocol, underscores=policy.takes_underscores)
    headers = head.headers() if policy.uses_headers else _NO_HEADERS
    decision = policy.authorizer.decide(caller, head.method, path, headers)
    record.rule = decision.rule or ""
    if not decision.allowed:
        raise DeniedError(403, "denied" if decision.rule else "not allowed")
    _refuse_trace(head)
    limit = policy.limiter.exceeded(caller, headers, head.query)
    if limit is not None:
        raise RateLimitedError(limit)
    record.cluster = "app"
    return Admitted(
        request=_outgoing(head, path, identity),
        cluster=policy.port.server_name,
        timeout=None,
        retry=None,
        mishap=policy.faults.draw(caller, random) if policy.faults and random is not None else NO_MISHAP,
    )


def judge_connection(policy: InboundPolicy, caller: str, record: AccessRecord) -> str:
    """Judge a whole connection of an authenticated caller to this workload; the name of the app's cluster.

    Rules of such a port are about nothing but callers, so any request is as good as another to ask them about.

    Raises:
        DeniedError: the caller may not connect.
    """
    decision = policy.authorizer.decide(caller, "", "/", _NO_HEADERS)
    record.rule = decision.rule or ""
    if not decision.allowed:
        raise DeniedError(403, "denied" if decision.rule else "not allowed")
    record.cluster = "app"
    return policy.port.server_name


def judge_outbound(
    policy: Policy,
    head: RequestHead,
    random: Callable[[], float],
    record: AccessRecord,
    source: bytes = b"",
    *,
    faults: bool = True,
) -> Admitted:
    """Judge a request of the workload itself to the service its Host names, and note the verdict.

    `random`, numbers in [0, 1), chooses among weighted destinations. `source` is the address it comes from. Without
    `faults` nothing befalls the request.

    Raises:
        RefusedRequestError: 400, 403, 404, 405, or 503 for a protocol that is not carried; or what the route answers.
    """
    name, port = check_host(head.host)
    found = policy.hosts.find(name, port)
    if isinstance(found, OutboundPolicy):
        record.service = found.service.name
        record.port = found.service.port
        record.measured = found.service.metrics
        record.logged = found.service.routes[-1].access_log
        record.sampling = found.service.routes[-1].trace_sampling
    protocol: Protocol = found.service.protocol if isinstance(found, OutboundPolicy) else "http"
    path = _understand(head, record, protocol, underscores=policy.sends_underscores)
    if isinstance(found, UnknownHost):
        if found is UnknownHost.NOT_GRANTED:
            raise DeniedError(403, "no grant for this host")
        raise RefusedRequestError(404, "host is not declared")
    service = found.service
    if service.protocol not in CARRIED:
        raise RefusedRequestError(
            503,
            f"protocol {service.protocol} is not carried",
            f"this proxy does not carry {service.protocol} yet\n".encode(),
        )
    headers = head.headers() if found.uses_headers else _NO_HEADERS
    if found.authorizer is not None:
        decision = found.authorizer.decide(policy.snapshot.workload.spiffe_id, head.method, path, headers)
        record.rule = decision.rule or ""
        if not decision.allowed:
            raise DeniedError(403, "denied" if decision.rule else "not allowed")
        _refuse_trace(head)
    route = found.routes.select(head.method, path, headers)
    if route is None:
        raise RefusedRequestError(503, "no route")
    record.route = route.id
    record.logged = route.logged
    record.sampling = route.sampling
    own = policy.snapshot.workload.spiffe_id
    if route.split is None:
        raise _answer(found, route, own, head, path, headers, record)
    record.cluster = route.split.choose(random)
    deadline = grpc_timeout(head.fields) if service.protocol == "grpc" else None
    retry = route.retry
    if retry is not None and not retry.repeats(head.method, headers):
        retry = None
    return Admitted(
        request=_outgoing(head, path, b""),
        cluster=record.cluster,
        timeout=route.timeout,
        retry=retry,
        deadline=deadline,
        hash=None if route.hash_key is None else hashed_value(route.hash_key, headers, source),
        mishap=found.faults.draw(own, random) if found.faults and faults else NO_MISHAP,
    )


def _answer(
    service: OutboundPolicy,
    route: RoutePolicy,
    caller: str,
    head: RequestHead,
    path: str,
    headers: Headers,
    record: AccessRecord,
) -> RefusedRequestError:
    """What a route answers itself, to whom the callee would allow the request."""
    decision = service.guards.decide(caller, head.method, path, headers)
    record.rule = decision.rule or ""
    if not decision.allowed:
        return DeniedError(403, "denied" if decision.rule else "not allowed")
    _refuse_trace(head)
    if route.answer is None:
        return RefusedRequestError(503, "no destination")
    return AnsweredError(route.answer.status, f"answer of {route.id}", route.answer.location)


def _understand(head: RequestHead, record: AccessRecord, protocol: Protocol, *, underscores: bool) -> str:
    """The canonical path, once the request is one that this proxy carries.

    Unless rules name headers with `_`, requests with such are refused: the application could take one for another
    header than the rules do.
    """
    if not underscores and head.underscored:
        raise RefusedRequestError(400, "an underscore in a header's name")
    try:
        path = canonical_path(head.path)
    except RefusedPathError as error:
        raise RefusedRequestError(400, str(error)) from None
    record.path = path
    if head.upgrade:
        _check_upgrade(head, protocol)
    return path


def _check_upgrade(head: RequestHead, protocol: Protocol) -> None:
    """WebSockets are judged by the request that opens them; nothing else may take a connection over."""
    if head.upgrade != "websocket" or protocol != "http":
        raise RefusedRequestError(403, "upgrade is not carried")
    if head.method != "GET" or head.length or head.declares_length:
        raise RefusedRequestError(400, "an upgrade that is no bare GET")


def _refuse_trace(head: RequestHead) -> None:
    """TRACE would show a caller what proxies add on the way; who may not call at all is not told even that."""
    if head.method == "TRACE":
        raise RefusedRequestError(405, "method TRACE")


def _outgoing(head: RequestHead, path: str, identity: bytes) -> OutgoingRequest:
    return OutgoingRequest(
        method=head.method,
        target=path + head.query,
        host=head.host,
        fields=head.fields,
        length=head.length,
        declares_length=head.declares_length,
        identity=identity,
        upgrade=head.upgrade,
    )


def identity_value(own: str, peer: str, fingerprint: str) -> bytes:
    """What tells the app who calls (Envoy `x-forwarded-client-cert`)."""
    return f"By={own};Hash={fingerprint};URI={peer}".encode("ascii")


def refused_by_parser(error: HttpError) -> RefusedRequestError:
    """The refusal of a message that broke HTTP."""
    return RefusedRequestError(error.status, error.reason)
