"""Spans on their way to a collector: a bounded queue, sent in batches, never waited for.

OTLP over gRPC, or over HTTP in protobuf (https://opentelemetry.io/docs/specs/otlp/). What does not fit into the queue,
or is not taken, is dropped and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from meshc_runtime.hpack import Field
from meshc_runtime.loop import Loop, Timer
from meshc_runtime.message import Fields, OutgoingRequest, ResponseHead
from meshc_runtime.metrics import Counter
from meshc_runtime.otlp import Span, encode_spans
from meshc_runtime.retry import TryFailure
from meshc_runtime.upstream import UpstreamCluster
from meshc_runtime.upstream_call import UpstreamCall

MAX_QUEUED = 2048
BATCH = 512
PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
_TRIES = 2

_HTTP = "/v1/traces"
_GRPC = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class SpanExporter:
    """One collector's queue; one batch is under way at a time."""

    def __init__(
        self, loop: Loop, cluster: UpstreamCluster, host: str, workload: tuple[tuple[str, str], ...], counted: Counter
    ) -> None:
        self._loop = loop
        self.cluster = cluster
        self._host = host
        self._resource = workload
        self._counted = counted
        self._queue: deque[Span] = deque()
        self._batch: list[Span] = []
        self._tries = 0
        self._call: UpstreamCall | None = None
        self._accepted = False
        self._patience: Timer | None = None
        self._when_empty: Callable[[], None] | None = None
        loop.call_later(PAUSE_SECONDS, self._tick)

    @property
    def pending(self) -> bool:
        """Whether spans have not been taken yet."""
        return bool(self._queue or self._batch)

    def offer(self, span: Span) -> None:
        """Queue a span, or drop it."""
        if len(self._queue) >= MAX_QUEUED:
            self._counted.add(("queue-full",))
            return
        self._queue.append(span)
        if len(self._queue) >= BATCH:
            self._send()

    def finish(self, then: Callable[[], None]) -> None:
        """Send what is left, then go on; the caller bounds how long that may take."""
        self._when_empty = then
        self._send()

    # What the collector's connection tells.

    def upstream_ready(self) -> None:
        """Send the batch."""
        call = self._call
        if call is None:
            return
        body = encode_spans(self._resource, self._batch)
        grpc = self.cluster.http2
        if grpc:
            body = b"\0" + len(body).to_bytes(4, "big") + body
        kind = b"application/grpc" if grpc else b"application/x-protobuf"
        pairs: tuple[Field, ...] = ((b"content-type", kind), *(((b"te", b"trailers"),) if grpc else ()))
        request = OutgoingRequest(
            method="POST",
            target=_GRPC if grpc else _HTTP,
            host=self._host,
            fields=Fields(pairs=pairs),
            length=len(body),
            declares_length=True,
            identity=b"",
        )
        call.send_request(request, body, ())

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """Try once more: a connection that was idle may have been closed meanwhile."""
        del failure, reason
        self._call = None
        if self._tries < _TRIES:
            self._loop.call_later(0.0, self._try)
        else:
            self._done("failed")

    def upstream_head(self, head: ResponseHead) -> None:
        """Whether the batch was taken; gRPC says so at the end."""
        self._accepted = 200 <= head.status < 300 and head.grpc_status in (None, b"0")

    def upstream_body(self, payload: bytes) -> None:
        """Nothing that is looked at."""

    def upstream_finished(self, trailers: tuple[Field, ...]) -> None:
        """The batch was taken, or refused."""
        self._call = None
        refused = dict(trailers).get(b"grpc-status", b"0") != b"0"
        self._done("exported" if self._accepted and not refused else "refused")

    def upstream_flush(self) -> None:
        """Nothing waits."""

    def upstream_drained(self) -> None:
        """All was given at once."""

    def crashed(self, error: Exception) -> None:
        """A timer's call raised: give the batch up."""
        del error
        self._give_up()

    def _tick(self) -> None:
        self._loop.call_later(PAUSE_SECONDS, self._tick)
        self._send()

    def _send(self) -> None:
        if self._batch:
            return
        if not self._queue:
            then, self._when_empty = self._when_empty, None
            if then is not None:
                then()
            return
        self._batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        self._tries = 0
        self._patience = self._loop.call_later(_PATIENCE_SECONDS, self._give_up, self)
        self._try()

    def _try(self) -> None:
        if not self._batch:
            return
        self._tries += 1
        self._accepted = False
        self._call = call = self.cluster.acquire(self, "POST")
        if call.ready:
            self.upstream_ready()

    def _give_up(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.abort()
        self._done("failed")

    def _done(self, outcome: str) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._batch:
            self._counted.add((outcome,), len(self._batch))
            self._batch = []
        if len(self._queue) >= BATCH or self._when_empty is not None:
            self._send()
