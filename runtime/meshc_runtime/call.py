"""One request as the proxy keeps account of it, in whatever protocol: from its head to its line in the access log."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.exchange import Client, Exchange
from meshc_runtime.judge import (
    Admitted,
    AnsweredError,
    DeadlineError,
    DeniedError,
    RateLimitedError,
    RefusedRequestError,
)
from meshc_runtime.loop import Loop
from meshc_runtime.message import RequestHead, ResponseHead
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.refusal import refusal_reason, refusal_response
from meshc_runtime.snapshot import ConnectionGuards
from meshc_runtime.stream import Stream
from meshc_runtime.tracer import Trace, Tracer
from meshc_runtime.upstream import UpstreamCluster

_MALFORMED = frozenset({400, 405, 408, 417, 426, 431, 505})


class Side(Protocol):
    """What a connection's requests are judged by: the inbound or the outbound half of the policy."""

    direction: str
    opaque: bool
    """Whether the connection's bytes are nobody's business: it is judged once, by `admit`."""
    idle_seconds: float
    """How long such a connection may carry nothing."""
    hash: bytes | None
    """What chooses the instance that such a connection goes to, where one does."""

    def greet(self, stream: Stream) -> None:
        """See who connected.

        Raises:
            RefusedConnectionError: nobody that may send requests.
        """

    def new_record(self) -> AccessRecord:
        """The record of a request that has just begun."""

    def admit(self, record: AccessRecord) -> UpstreamCluster:
        """Judge a whole connection, and say where it goes.

        Raises:
            DeniedError: nowhere.
        """

    def judge(self, head: RequestHead, record: AccessRecord) -> tuple[Admitted, UpstreamCluster]:
        """Judge a request.

        Raises:
            RefusedRequestError: it is answered by the proxy itself.
        """


class ClientConnection(Protocol):
    """A client's connection, as the proxy sees it."""

    side: Side
    deadline: float | None

    def timed_out(self) -> None:
        """The deadline has passed."""

    def drain(self) -> None:
        """Take no more requests, and close when none runs."""

    def close(self) -> None:
        """Close now."""

    def give_up(self, reason: str) -> None:
        """Cut the connection; running requests are logged with the reason."""


class ClientRegistry(Protocol):
    """The proxy, as its client connections see it."""

    loop: Loop
    metrics: ProxyMetrics
    guards: ConnectionGuards
    draining: bool
    tells_why: bool
    """Whether callers are told why they are refused."""
    tracer: Tracer | None

    def random(self) -> float:
        """A number in [0, 1)."""

    def log(self, record: AccessRecord, ended: float, duration: float) -> None:
        """Write a request's line to the access log."""

    def replaced(self, before: ClientConnection, after: ClientConnection) -> None:
        """A connection has found out what is spoken on it."""

    def closed(self, connection: ClientConnection) -> None:
        """Forget a connection."""


class Call:
    """The account of one request: its record, its exchange while one runs, and its end."""

    __slots__ = ("_began", "_registry", "_side", "_trace", "exchange", "grpc", "record")

    def __init__(self, registry: ClientRegistry, side: Side, head: RequestHead | None) -> None:
        self.record = side.new_record()
        self.exchange: Exchange | None = None
        self.grpc = head is not None and head.grpc
        self._registry = registry
        self._side = side
        self._trace: Trace | None = None
        self._began = time.monotonic()
        if head is not None:
            self.record.method = head.method
            self.record.original_path = head.path

    def admit(self, head: RequestHead, client: Client) -> Exchange:
        """Judge the request, and make its exchange.

        Raises:
            RefusedRequestError: it is answered by the proxy itself.
        """
        registry, tracer = self._registry, self._registry.tracer
        if tracer is None:
            admitted, cluster = self._side.judge(head, self.record)
        else:
            admitted, cluster = self._judge_traced(tracer, head)
        self.exchange = Exchange(
            client, cluster, admitted, self.record, registry.metrics.of(self.record), registry.random
        )
        return self.exchange

    def _judge_traced(self, tracer: Tracer, head: RequestHead) -> tuple[Admitted, UpstreamCluster]:
        """Judge the request; refused or not, it is part of its trace."""
        try:
            admitted, cluster = self._side.judge(head, self.record)
        finally:
            self._trace = trace = tracer.begin(head, self.record)
        if trace is not None:
            request = replace(admitted.request, fields=tracer.send_on(trace, admitted.request.fields))
            admitted = replace(admitted, request=request)
        return admitted, cluster

    def refusal(self, refusal: RefusedRequestError, *, to_head: bool) -> tuple[ResponseHead, bytes]:
        """The response to a request that the proxy answers itself, which is counted."""
        record, metrics = self.record, self._registry.metrics.of(self.record)
        text, location = refusal.text, None
        if isinstance(refusal, AnsweredError):
            location = refusal.location
        elif self._registry.tells_why:
            text = refusal_reason(text, refusal.reason, record.rule)
        late = isinstance(refusal, DeadlineError)
        head, text = refusal_response(refusal.status, text, grpc=self.grpc, late=late, location=location)
        record.status = head.status
        record.reason = refusal.reason
        record.response_bytes = 0 if to_head else len(text)
        if isinstance(refusal, DeniedError):
            metrics.denied.add((record.direction, record.service, record.rule))
        elif isinstance(refusal, RateLimitedError):
            metrics.limited.add((record.service, refusal.limit))
        if malformed(refusal):
            metrics.malformed.add((self._side.direction, str(refusal.status)))
        return head, b"" if to_head else text

    def end_exchange(self) -> None:
        """Whatever is under way is of no use to anybody."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()

    def finish(self, reason: str = "") -> None:
        """Count the request and write its line, with a reason unless it has one."""
        self.end_exchange()
        record, tracer = self.record, self._registry.tracer
        if reason and not record.reason:
            record.reason = reason
        duration = time.monotonic() - self._began
        self._registry.metrics.of(record).requests.count(record, duration)
        if tracer is not None and self._trace is not None:
            tracer.end(self._trace, record)
        self._registry.log(record, time.time(), duration)


def malformed(refusal: RefusedRequestError) -> bool:
    """Whether a request was refused before it was understood: nothing after it can be read on HTTP/1.1."""
    return refusal.status in _MALFORMED and not isinstance(refusal, AnsweredError)


def refuse_connection(registry: ClientRegistry, side: Side, kind: str, reason: str) -> None:
    """Count and log a connection that may send no requests."""
    registry.metrics.refused_connections.add((side.direction, kind))
    record = side.new_record()
    record.reason = f"connection refused: {reason}"
    registry.log(record, time.time(), 0.0)
