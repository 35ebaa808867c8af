"""One admitted request on its way: tries, retries, timeouts, and the flow of both bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.http1_body import LAST_CHUNK, encode_chunk
from meshc_runtime.http1_head import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from meshc_runtime.judge import Admitted
from meshc_runtime.loop import Timer
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.retry import RetryPolicy, TryFailure
from meshc_runtime.upstream import UpstreamCluster, UpstreamConnection

REPLAY_BYTES = 65_536


class Client(Protocol):
    """The side a request came from, as its exchange sees it."""

    def send(self, data: bytes) -> bool:
        """Send some of the response; false when the client is slow and `client_drained` will follow."""

    def closing(self) -> bool:
        """Whether the connection will close after this response, seen when its head is made."""

    def answer(self, status: int, reason: str) -> None:
        """Answer in the proxy's own words; the exchange is over."""

    def finished(self) -> None:
        """The response is whole; the exchange is over."""

    def broken(self, reason: str) -> None:
        """The response cannot be completed: cut the connection; the exchange is over."""

    def hold(self) -> None:
        """Read no more of the request's body for now."""

    def go_on(self) -> None:
        """Read the request's body again."""


class Exchange:
    """A request that was admitted, until its response is whole or given up."""

    def __init__(
        self,
        client: Client,
        cluster: UpstreamCluster,
        head: RequestHead,
        admitted: Admitted,
        record: AccessRecord,
        metrics: ProxyMetrics,
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._method = head.method
        self._chunked = head.length == CHUNKED
        self._request_head = admitted.head
        self._timeout = admitted.timeout
        self._retry = admitted.retry
        self._record = record
        self._metrics = metrics
        self._random = random
        self._connection: UpstreamConnection | None = None
        self._body: list[bytes] = []  # everything to send again, or not yet sent
        self._body_bytes = 0
        self._holds_all = True
        self._request_complete = False
        self._response_chunked = False
        self._held = b""
        self._responded = False
        self._retries = 0
        self._failed_at: set[str] = set()  # endpoints that gave no response
        self._retrying = False
        self._started = False
        self._over = False
        self._total_timer: Timer | None = None
        self._try_timer: Timer | None = None

    def start(self) -> None:
        """Begin the first try."""
        self._started = True
        self._cluster.budget.requests += 1
        self._try()

    def body(self, payload: bytes) -> None:
        """Some of the request's body."""
        self._record.request_bytes += len(payload)
        self._send_body(encode_chunk(payload) if self._chunked else payload)

    def body_ended(self) -> None:
        """The request is whole; its timeouts begin (as Envoy's do)."""
        self._request_complete = True
        if self._chunked:
            self._send_body(LAST_CHUNK)
        if self._over:
            return
        if self._timeout is not None:
            self._total_timer = self._cluster.loop.call_later(self._timeout, self._total_timed_out, self)
        if self._connection is not None and self._connection.ready:
            self._request_sent(self._connection)

    def client_gone(self) -> None:
        """The client closed: whatever is under way is of no use to anybody."""
        self._end()

    def client_drained(self) -> None:
        """The client takes more of the response."""
        if self._connection is not None:
            self._connection.resume()

    def upstream_ready(self) -> None:
        """Send what there is of the request."""
        connection = self._connection
        if connection is None:
            return
        self._record.upstream = connection.address
        flowing = connection.write(b"".join((self._request_head, *self._body)))
        if not self._may_retry():
            self._forget_body()
        if self._request_complete:
            self._request_sent(connection)
        elif flowing:
            self._client.go_on()
        else:
            self._client.hold()

    def upstream_drained(self) -> None:
        """The request's body may flow again."""
        self._client.go_on()

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """A try ended without a whole response."""
        if self._connection is not None:
            self._record.upstream = self._connection.address or self._record.upstream
            self._failed_at.add(self._connection.address)
        self._connection = None
        self._metrics.upstream_failures.add((self._record.cluster, failure.value))
        if self._responded:
            self._end()
            self._client.broken(f"{failure.value} after the response began: {reason}")
        elif not (self._retry and self._retry.retries_failure(failure) and self._try_again(self._retry)):
            self._end()
            self._client.answer(failure.status, f"{failure.value}: {reason}")

    def upstream_head(self, head: ResponseHead) -> None:
        """A response begins: try again, or pass it on."""
        retry = self._retry
        if retry and retry.retries_response(head.status, head.grpc_status):
            connection, self._connection = self._connection, None
            if self._try_again(retry):
                if connection is not None:
                    connection.abort()
                return
            self._connection = connection
        self._responded = True
        self._cancel_try_timer()
        self._forget_body()
        self._record.status = head.status
        self._held = self._response_head(head)

    def upstream_body(self, payload: bytes) -> None:
        """Some of the response's body, sent together with a head that waits for it."""
        self._record.response_bytes += len(payload)
        data = encode_chunk(payload) if self._response_chunked else payload
        held, self._held = self._held, b""
        if not self._client.send(held + data) and self._connection is not None:
            self._connection.pause()

    def upstream_flush(self) -> None:
        """Send a head whose body has not come yet."""
        if self._held and not self._over:
            held, self._held = self._held, b""
            self._client.send(held)

    def upstream_finished(self) -> None:
        """The response is whole."""
        self._connection = None
        tail = self._held + (LAST_CHUNK if self._response_chunked else b"")
        self._held = b""
        if tail:
            self._client.send(tail)
        self._end()
        self._client.finished()

    def crashed(self, error: Exception) -> None:
        """A timer's call raised: give up this request alone."""
        self._end()
        self._client.broken(f"internal error: {type(error).__name__}")

    def _try(self) -> None:
        self._record.attempts += 1
        self._connection = connection = self._cluster.acquire(self, self._method, self._failed_at)
        if connection.ready:
            self.upstream_ready()

    def _request_sent(self, connection: UpstreamConnection) -> None:
        connection.end_request()
        if self._retry is not None and self._retry.per_try_timeout is not None and not self._responded:
            self._cancel_try_timer()
            timeout = self._retry.per_try_timeout
            self._try_timer = self._cluster.loop.call_later(timeout, self._try_timed_out, self)

    def _send_body(self, data: bytes) -> None:
        if self._over or not data:
            return
        connection = self._connection
        ready = connection is not None and connection.ready
        if not ready or self._may_retry():
            self._body.append(data)
            self._body_bytes += len(data)
        if connection is not None and ready:
            flowing = connection.write(data)
            if self._body_bytes > REPLAY_BYTES or not self._may_retry():
                self._forget_body()
            if not flowing:
                self._client.hold()
        elif self._body_bytes > REPLAY_BYTES:
            self._client.hold()

    def _may_retry(self) -> bool:
        """Whether a retry is possible at all: allowed, not used up, and the whole request at hand."""
        return self._retry is not None and self._retries < self._retry.limit and self._holds_all

    def _forget_body(self) -> None:
        if self._body_bytes:
            self._body.clear()
            self._body_bytes = 0
            self._holds_all = False

    def _try_again(self, retry: RetryPolicy) -> bool:
        """Arrange another try, if limit, budget and the kept body allow one."""
        self._cancel_try_timer()
        self._stop_retrying()
        labels = (self._record.service, self._record.route)
        if self._retries >= retry.limit:
            if retry.limit:
                self._metrics.retries.add((*labels, "exhausted"))
            return False
        if not self._holds_all:
            self._metrics.retries.add((*labels, "body-too-large"))
            return False
        if not self._cluster.budget.allows(retry):
            self._metrics.retries.add((*labels, "over-budget"))
            return False
        self._metrics.retries.add((*labels, "started"))
        self._retries += 1
        self._retrying = True
        self._cluster.budget.retries += 1
        pause = retry.backoff(self._retries, self._random)
        self._try_timer = self._cluster.loop.call_later(pause, self._try, self)
        return True

    def _try_timed_out(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self.upstream_failed(TryFailure.PER_TRY_TIMEOUT, "no response in time")

    def _total_timed_out(self) -> None:
        responded = self._responded
        self._end()
        if responded:
            self._client.broken("timeout after the response began")
        else:
            self._client.answer(504, "timeout")

    def _response_head(self, head: ResponseHead) -> bytes:
        lines = [head.status_line, *head.lines]
        if head.length in (CHUNKED, UNTIL_CLOSE):
            self._response_chunked = True
            lines.append(b"transfer-encoding: chunked")
        elif head.declared_length is not None:
            lines.append(b"content-length: %d" % head.declared_length)
        if self._client.closing():
            lines.append(b"connection: close")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)

    def _cancel_try_timer(self) -> None:
        if self._try_timer is not None:
            self._try_timer.cancel()
            self._try_timer = None

    def _stop_retrying(self) -> None:
        if self._retrying:
            self._retrying = False
            self._cluster.budget.retries -= 1

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._started:
            self._cluster.budget.requests -= 1
        self._stop_retrying()
        self._cancel_try_timer()
        if self._total_timer is not None:
            self._total_timer.cancel()
            self._total_timer = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
