"""One admitted request on its way: tries, retries, timeouts, and the flow of both bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.fault import NO_MISHAP
from meshc_runtime.hpack import Field
from meshc_runtime.judge import Admitted, AnsweredError, DeadlineError, RefusedRequestError
from meshc_runtime.loop import Timer
from meshc_runtime.message import ResponseHead
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.retry import RetryPolicy, TryFailure
from meshc_runtime.upstream import UpstreamCluster
from meshc_runtime.upstream_call import UpstreamCall
from meshc_runtime.watched_call import WatchedCall

REPLAY_BYTES = 65_536


class Client(Protocol):
    """The side a request came from, in whatever protocol, as its exchange sees it."""

    def send_head(self, head: ResponseHead) -> None:
        """The response begins; what is sent may wait for the body, or for `flush`."""

    def send_body(self, payload: bytes) -> bool:
        """Send some of the response's body; false when the client is slow and `client_drained` will follow."""

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole; the exchange is over."""

    def flush(self) -> None:
        """Nothing more is at hand for now."""

    def answer(self, refusal: RefusedRequestError) -> None:
        """Answer in the proxy's own words; the exchange is over."""

    def broken(self, reason: str) -> None:
        """The response cannot be completed: let the client see that; the exchange is over."""

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
        admitted: Admitted,
        record: AccessRecord,
        metrics: ProxyMetrics,
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._request = admitted.request
        self._timeout = admitted.timeout
        self._deadline = admitted.deadline
        self._retry = admitted.retry
        self._hash = admitted.hash
        self._mishap = admitted.mishap
        self._record = record
        self._metrics = metrics
        self._random = random
        self._call: UpstreamCall | None = None
        self._body: list[bytes] = []  # everything to send again, or not yet sent
        self._body_bytes = 0
        self._holds_all = True
        self._request_complete = False
        self._trailers: tuple[Field, ...] = ()
        self._responded = False
        self._retries = 0
        self._failed_at: set[str] = set()  # endpoints that gave no response
        self._retrying = False
        self._started = False
        self._over = False
        self._total_timer: Timer | None = None
        self._deadline_timer: Timer | None = None
        self._try_timer: Timer | None = None

    def start(self) -> None:
        """Begin the first try."""
        self._started = True
        self._cluster.budget.requests += 1
        if self._deadline is not None:
            self._deadline_timer = self._cluster.loop.call_later(self._deadline, self._deadline_passed, self)
        if self._mishap is NO_MISHAP:
            self._try()
        else:
            self._try_timer = self._cluster.loop.call_later(self._mishap.delay, self._mishap_over, self)

    def body(self, payload: bytes) -> None:
        """Some of the request's body."""
        self._record.request_bytes += len(payload)
        if self._over or not payload:
            return
        call = self._call
        ready = call is not None and call.ready
        if not ready or self._may_retry():
            self._body.append(payload)
            self._body_bytes += len(payload)
        if call is not None and ready:
            flowing = call.send_body(payload)
            if self._body_bytes > REPLAY_BYTES or not self._may_retry():
                self._forget_body()
            if not flowing:
                self._client.hold()
        elif self._body_bytes > REPLAY_BYTES:
            self._client.hold()

    def body_ended(self, trailers: tuple[Field, ...] = ()) -> None:
        """The request is whole; its timeouts begin (as Envoy's do)."""
        self._request_complete = True
        self._trailers = trailers
        if self._over:
            return
        if self._mishap is NO_MISHAP:
            self._limit_time()
        call = self._call
        if call is not None and call.ready:
            call.send_end(trailers)
            self._request_sent()

    def _mishap_over(self) -> None:
        """What was to befall the call has: it is answered, or goes on as if it came only now."""
        mishap, self._mishap = self._mishap, NO_MISHAP
        if mishap.status is not None:
            self._end()
            self._client.answer(AnsweredError(mishap.status, f"fault {mishap.name}"))
            return
        if self._request_complete:
            self._limit_time()
        self._try()

    def _limit_time(self) -> None:
        if self._timeout is not None:
            self._total_timer = self._cluster.loop.call_later(self._timeout, self._total_timed_out, self)

    def client_gone(self) -> None:
        """The client closed: whatever is under way is of no use to anybody."""
        self._end()

    def client_drained(self) -> None:
        """The client takes more of the response."""
        if self._call is not None:
            self._call.resume()

    def upstream_ready(self) -> None:
        """Send what there is of the request."""
        call = self._call
        if call is None:
            return
        self._record.upstream = call.address
        payload = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        complete = self._request_complete
        flowing = call.send_request(self._request, payload, self._trailers if complete else None)
        if not self._may_retry():
            self._forget_body()
        if complete:
            self._request_sent()
        elif flowing:
            self._client.go_on()
        else:
            self._client.hold()

    def upstream_drained(self) -> None:
        """The request's body may flow again."""
        self._client.go_on()

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """A try ended without a whole response."""
        if self._call is not None:
            self._record.upstream = self._call.address or self._record.upstream
            self._failed_at.add(self._call.address)
        self._call = None
        self._metrics.upstream_failures.add((self._record.cluster, failure.value))
        if self._responded:
            self._end()
            self._client.broken(f"{failure.value} after the response began: {reason}")
        elif not (self._retry and self._retry.retries_failure(failure) and self._try_again(self._retry)):
            self._end()
            self._client.answer(RefusedRequestError(failure.status, f"{failure.value}: {reason}"))

    def upstream_head(self, head: ResponseHead) -> None:
        """A response begins: try again, or pass it on."""
        retry = self._retry
        if retry and retry.retries_response(head.status, head.grpc_status):
            call, self._call = self._call, None
            if self._try_again(retry):
                if call is not None:
                    call.abort()
                return
            self._call = call
        self._responded = True
        self._cancel_try_timer()
        self._forget_body()
        self._record.status = head.status
        self._client.send_head(head)

    def upstream_body(self, payload: bytes) -> None:
        """Some of the response's body."""
        self._record.response_bytes += len(payload)
        if not self._client.send_body(payload) and self._call is not None:
            self._call.pause()

    def upstream_flush(self) -> None:
        """Nothing more of the response is at hand for now."""
        if not self._over:
            self._client.flush()

    def upstream_finished(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole."""
        self._call = None
        self._end()
        self._client.send_end(trailers)

    def crashed(self, error: Exception) -> None:
        """A timer's call raised: give up this request alone."""
        self._end()
        self._client.broken(f"internal error: {type(error).__name__}")

    def _try(self) -> None:
        self._record.attempts += 1
        self._call = call = self._cluster.acquire(self, self._request.method, self._failed_at, self._hash)
        if call.ready:
            self.upstream_ready()

    def _request_sent(self) -> None:
        if self._retry is not None and self._retry.per_try_timeout is not None and not self._responded:
            self._cancel_try_timer()
            timeout = self._retry.per_try_timeout
            self._try_timer = self._cluster.loop.call_later(timeout, self._try_timed_out, self)

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
        if self._call is not None:
            self._tell_late()
            self._call.abort()
        self.upstream_failed(TryFailure.PER_TRY_TIMEOUT, "no response in time")

    def _tell_late(self) -> None:
        if isinstance(self._call, WatchedCall):
            self._call.gave_no_answer()

    def _total_timed_out(self) -> None:
        self._tell_late()
        self._out_of_time("timeout", RefusedRequestError(504, "timeout"))

    def _deadline_passed(self) -> None:
        self._out_of_time("deadline of the caller", DeadlineError())

    def _out_of_time(self, reason: str, refusal: RefusedRequestError) -> None:
        responded = self._responded
        self._end()
        if responded:
            self._client.broken(f"{reason} after the response began")
        else:
            self._client.answer(refusal)

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
        for timer in (self._total_timer, self._deadline_timer):
            if timer is not None:
                timer.cancel()
        self._total_timer = self._deadline_timer = None
        call, self._call = self._call, None
        if call is not None:
            call.abort()
