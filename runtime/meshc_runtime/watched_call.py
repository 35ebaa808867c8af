"""A try to a cluster whose terms look at calls: it is counted, may wait for a connection, and its end is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshc_runtime.hpack import Field
from meshc_runtime.loop import Timer
from meshc_runtime.message import OutgoingRequest, ResponseHead, is_grpc
from meshc_runtime.refusal import http_status_of_grpc
from meshc_runtime.retry import TryFailure
from meshc_runtime.upstream_call import UpstreamCall, UpstreamUser

if TYPE_CHECKING:
    from meshc_runtime.endpoint import Endpoint
    from meshc_runtime.upstream import UpstreamCluster


class WatchedCall:
    """Stands between a request and its connection; to each it is the other."""

    def __init__(self, cluster: UpstreamCluster, user: UpstreamUser, method: str) -> None:
        self.ready = False
        self.method = method
        self.endpoint: Endpoint | None = None
        self._cluster = cluster
        self._user: UpstreamUser | None = user
        self._call: UpstreamCall | None = None
        self._waits = False
        self._runs = False
        self._began = cluster.loop.clock()
        self._responded = False
        self._timer: Timer | None = None

    def begin(self, endpoint: Endpoint | None) -> None:
        """Find a place: run, wait, or fail from the loop and not from within the user's call."""
        cluster = self._cluster
        self.endpoint = endpoint
        if endpoint is None and not cluster.searching:
            self._fail_soon(TryFailure.NO_ENDPOINT, "no endpoint is well")
            return
        if cluster.has_ready(endpoint):
            if self._run():
                self._call = cluster.connect(self, self.method, endpoint)
                self.ready = self._call.ready
            else:
                self._fail_soon(TryFailure.OVERFLOW, "too many requests")
            return
        if not self._wait():
            self._fail_soon(TryFailure.OVERFLOW, "too many requests wait for a connection")
        elif endpoint is not None and not cluster.may_connect(endpoint):
            endpoint.queue.append(self)
        else:
            self._call = cluster.connect(self, self.method, endpoint)

    def leave_queue(self) -> None:
        """It is this call's turn at its endpoint."""
        cluster, endpoint = self._cluster, self.endpoint
        self._call = call = cluster.connect(self, self.method, endpoint)
        if call.ready:
            self.upstream_ready()

    def gave_no_answer(self) -> None:
        """The request's time is over, which speaks against the instance that has it."""
        if self.ready and not self._responded:
            self._note(failed=True)

    @property
    def address(self) -> str:
        """Where it goes, for the log; empty while no address is known."""
        if self._call is not None:
            return self._call.address
        return "" if self.endpoint is None else self.endpoint.text

    # What the request asks.

    def send_request(self, request: OutgoingRequest, payload: bytes, trailers: tuple[Field, ...] | None) -> bool:
        """Send a request and what there is of its body."""
        self._began = self._cluster.loop.clock()
        return self._call is None or self._call.send_request(request, payload, trailers)

    def send_body(self, payload: bytes) -> bool:
        """Send more of the body."""
        return self._call is None or self._call.send_body(payload)

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The request is whole."""
        if self._call is not None:
            self._call.send_end(trailers)

    def pause(self) -> None:
        """Read no more of the response for now."""
        if self._call is not None:
            self._call.pause()

    def resume(self) -> None:
        """Read the response again."""
        if self._call is not None:
            self._call.resume()

    def abort(self) -> None:
        """The user no longer wants an answer."""
        self._user = None
        self._end()
        call, self._call = self._call, None
        if call is not None:
            call.abort()

    def crashed(self, error: Exception) -> None:
        """A timer's call raised."""
        self.upstream_failed(TryFailure.RESET, f"internal error: {type(error).__name__}")

    # What the connection tells.

    def upstream_ready(self) -> None:
        """The call has its connection, and runs unless too many do."""
        if not self._runs:
            self._stop_waiting()
            if not self._run():
                call, self._call = self._call, None
                if call is not None:
                    call.abort()
                self._fail(TryFailure.OVERFLOW, "too many requests")
                return
        self.ready = True
        if self._call is not None and self._call.endpoint is not None:
            self.endpoint = self._call.endpoint
        if self._user is not None:
            self._user.upstream_ready()

    def upstream_failed(self, failure: TryFailure, reason: str) -> None:
        """There is no whole response."""
        if self._call is not None and self._call.endpoint is not None:
            self.endpoint = self._call.endpoint
        if failure is not TryFailure.OVERFLOW:
            self._note(failed=True)
        self._fail(failure, reason)

    def upstream_head(self, head: ResponseHead) -> None:
        """A response begins."""
        self._responded = True
        endpoint = self.endpoint
        if endpoint is not None:
            now = self._cluster.loop.clock()
            endpoint.latency.observe(now - self._began, now)
        grpc = head.grpc_status
        if grpc is not None:
            self._note(failed=http_status_of_grpc(grpc) >= 500)
        elif not is_grpc(head.fields):  # the trailers of gRPC say how it went
            self._note(failed=head.status >= 500)
        if self._user is not None:
            self._user.upstream_head(head)

    def upstream_body(self, payload: bytes) -> None:
        """Some of the response's body."""
        if self._user is not None:
            self._user.upstream_body(payload)

    def upstream_finished(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole; one of gRPC says only now how it went."""
        for name, value in trailers:
            if name.lower() == b"grpc-status":
                self._note(failed=http_status_of_grpc(value) >= 500)
        user, self._user = self._user, None
        self._call = None
        self._end()
        if user is not None:
            user.upstream_finished(trailers)

    def upstream_flush(self) -> None:
        """Nothing more is at hand for now."""
        if self._user is not None:
            self._user.upstream_flush()

    def upstream_drained(self) -> None:
        """The request's bytes have left, after congestion."""
        if self._user is not None:
            self._user.upstream_drained()

    def _note(self, *, failed: bool) -> None:
        ejector, endpoint = self._cluster.ejector, self.endpoint
        if ejector is not None and endpoint is not None:
            ejector.answered(endpoint.outlier, failed=failed)

    def _wait(self) -> bool:
        breaker = self._cluster.breaker
        if breaker is not None:
            self._waits = breaker.wait()
            return self._waits
        return True

    def _run(self) -> bool:
        breaker = self._cluster.breaker
        if breaker is not None:
            self._runs = breaker.run()
            return self._runs
        return True

    def _stop_waiting(self) -> None:
        breaker = self._cluster.breaker
        if self._waits and breaker is not None:
            self._waits = False
            breaker.pending -= 1

    def _end(self) -> None:
        self._stop_waiting()
        breaker = self._cluster.breaker
        if self._runs and breaker is not None:
            self._runs = False
            breaker.running -= 1
        if self._timer is not None:
            self._timer.cancel()
        if self.endpoint is not None and self in self.endpoint.queue:
            self.endpoint.queue.remove(self)

    def _fail_soon(self, failure: TryFailure, reason: str) -> None:
        self._timer = self._cluster.loop.call_later(0, lambda: self._fail(failure, reason), self)

    def _fail(self, failure: TryFailure, reason: str) -> None:
        user, self._user = self._user, None
        self._call = None
        self._end()
        if user is not None:
            user.upstream_failed(failure, reason)
