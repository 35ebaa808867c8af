"""A connection that speaks HTTP/2 and is shared by many requests, each on a stream of its own."""

from __future__ import annotations

from collections import deque

from meshc_runtime.endpoint import Endpoint
from meshc_runtime.hpack import Field, HeaderBlock
from meshc_runtime.http2_connection import MAX_STREAMS, Http2Connection
from meshc_runtime.http2_frame import ErrorCode, Http2Error, StreamError
from meshc_runtime.http2_message import read_response, read_trailers, request_fields
from meshc_runtime.http2_stream import Http2Stream
from meshc_runtime.message import CHUNKED, HttpError, OutgoingRequest
from meshc_runtime.retry import TryFailure
from meshc_runtime.stream import Stream
from meshc_runtime.upstream_call import UpstreamUser
from meshc_runtime.upstream_link import LinkCluster, UpstreamLink

_MAX_INTERIM = 16
_LAST_STREAM = 2**31 - 1


class Http2Upstream(UpstreamLink):
    """One connection to an endpoint; requests that it cannot take yet wait in it."""

    def __init__(self, cluster: LinkCluster) -> None:
        super().__init__(cluster)
        self.connection: Http2Connection | None = None
        self.scheme = b"http" if cluster.context is None else b"https"
        self._calls: set[Http2UpstreamCall] = set()
        self._waiting: deque[Http2UpstreamCall] = deque()
        self._begun: list[Http2UpstreamCall] = []
        self._flushes = False
        self._gone = False

    @property
    def room(self) -> int:
        """How many requests more it may take."""
        connection = self.connection
        if self._gone or (connection is not None and connection.peer_going_away):
            return 0
        most = MAX_STREAMS if connection is None else connection.peer_max_streams
        return most - len(self._calls)

    @property
    def load(self) -> int:
        """How many requests it carries."""
        return len(self._calls)

    @property
    def going(self) -> bool:
        """Whether it takes no more requests."""
        return self._gone or (self.connection is not None and self.connection.peer_going_away)

    @property
    def idle(self) -> bool:
        """Whether it carries nothing."""
        return not self._calls

    def call(self, user: UpstreamUser, method: str) -> Http2UpstreamCall:
        """Take a request, which is told when it may be sent unless its call is ready at once."""
        call = Http2UpstreamCall(self, user, to_head=method == "HEAD")
        self._take_call(call)
        return call

    def _take_call(self, call: Http2UpstreamCall) -> None:
        call.link = self
        self._calls.add(call)
        if self._endpoint is not None:
            self._endpoint.active += 1
        if self.connection is not None and self.connection.can_open and not self._waiting:
            call.ready = True
        else:
            self._waiting.append(call)

    def release(self, call: Http2UpstreamCall) -> None:
        """A request is over."""
        if call not in self._calls:
            return
        self._calls.discard(call)
        if self.ready and self._endpoint is not None and self._endpoint.session is None:
            self.keep_session()
        if call in self._waiting:
            self._waiting.remove(call)
        if self._endpoint is not None:
            self._endpoint.active -= 1
        self.idle_since = self._cluster.loop.now
        if self._gone and not self._calls:
            self.discard()
        elif self._waiting:
            self._serve_waiting()

    def schedule(self) -> None:
        """Send what there is at the end of this turn, all at once."""
        if not self._flushes:
            self._flushes = True
            self._cluster.loop.flush_later(self)

    def flush(self) -> None:
        """Send what there is."""
        self._flushes = False
        stream, connection = self._stream, self.connection
        if stream is None or connection is None:
            return
        data = connection.take()
        if data:
            stream.write(data)
            if stream.congested:
                connection.full = True

    # What the connection tells.

    def placed(self, endpoint: Endpoint) -> None:
        """The endpoint runs all that waits here."""
        endpoint.shared.append(self)
        endpoint.active += len(self._calls)

    def withdrawn(self) -> None:
        """The endpoint no longer has this connection."""
        self._gone = True
        endpoint = self._endpoint
        if endpoint is not None and self in endpoint.shared:
            endpoint.shared.remove(self)

    def up(self, stream: Stream) -> None:
        """Begin to speak."""
        if stream.tls is not None and stream.tls.session.selected_alpn_protocol() not in (None, "h2"):
            self.fail(TryFailure.CONNECT_FAILURE, "TLS: the peer does not speak HTTP/2")
            return
        self.connection = Http2Connection(self, self._cluster.loop.clock, client=True)
        self.schedule()
        self._serve_waiting()

    def failed(self, failure: TryFailure, reason: str) -> None:
        """None of the requests has a whole response."""
        calls, self._calls = self._calls, set()
        self._waiting.clear()
        if self._endpoint is not None:
            self._endpoint.active -= len(calls)
        self.discard()
        for call in calls:
            call.fail(failure, reason)

    def received(self, data: bytes) -> None:
        """Bytes of the peer."""
        connection = self.connection
        if connection is None:
            return
        try:
            connection.receive(data)
        except Http2Error as error:
            self.flush()
            self.fail(TryFailure.PROTOCOL_ERROR, error.reason)
            return
        if self._begun:
            begun, self._begun = self._begun, []
            for call in begun:
                call.tell_flush()
        self.schedule()

    def ended(self, clean: bool, /) -> None:
        """The peer sends no more."""
        del clean
        self.fail(TryFailure.RESET, "connection closed by upstream")

    def drained(self) -> None:
        """The socket takes more."""
        if self.connection is not None:
            self.connection.full = False
            self.connection.pump()
            self.schedule()

    def stream_opened(self, stream: Http2Stream, block: HeaderBlock, ended: bool, /) -> None:
        """Servers open no streams."""
        del stream, block, ended
        raise StreamError(ErrorCode.PROTOCOL_ERROR, "a stream of the server's")

    def going_away(self, reason: str, /) -> None:
        """The peer takes no more requests: those that wait here go elsewhere, those that run go on."""
        self._gone = True
        endpoint = self._endpoint
        if endpoint is not None and self in endpoint.shared:
            endpoint.shared.remove(self)
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            self._calls.discard(call)
            if endpoint is not None:
                endpoint.active -= 1
            call.fail(TryFailure.REFUSED_STREAM, f"connection is going away ({reason})")
        if not self._calls:
            self._cluster.loop.call_later(0, self._discard_if_unused, self)

    def peer_settled(self) -> None:
        """More streams may be allowed than before."""
        self._serve_waiting()

    def begun(self, call: Http2UpstreamCall) -> None:
        """A response has begun, of which no more may be at hand."""
        self._begun.append(call)

    def _discard_if_unused(self) -> None:
        if not self._calls:
            self.discard()

    def _serve_waiting(self) -> None:
        while self._waiting and self.connection is not None and self.connection.can_open:
            call = self._waiting.popleft()
            call.ready = True
            call.tell_ready()


class Http2UpstreamCall:
    """One request on its stream."""

    def __init__(self, link: Http2Upstream, user: UpstreamUser, *, to_head: bool) -> None:
        self.link = link
        self.ready = False
        self._user: UpstreamUser | None = user
        self._to_head = to_head
        self._stream: Http2Stream | None = None
        self._responded = False
        self._interim = 0
        self._left: int | None = None  # bytes of the body that were announced and have not come
        self._paused = False
        self._owed = 0

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that it goes to, once one is known."""
        return self.link.endpoint

    @property
    def address(self) -> str:
        """Where it goes, for the log; empty while no address is known."""
        return self.link.address

    # What a request asks of it.

    def send_request(self, request: OutgoingRequest, payload: bytes, trailers: tuple[Field, ...] | None) -> bool:
        """Send the head and what there is of the body."""
        connection = self.link.connection
        if connection is None:
            return True
        self.link.schedule()
        self._stream = stream = connection.open(self)
        identity: tuple[Field, ...] = ((b"x-forwarded-client-cert", request.identity),) if request.identity else ()
        alone = trailers is not None and not trailers and not payload
        connection.send_headers(stream, request_fields(request, self.link.scheme), identity, end=alone)
        flowing = True
        if payload:
            flowing = connection.send_data(stream, payload, end=trailers is not None and not trailers)
        if trailers:
            connection.send_trailers(stream, trailers)
        return flowing

    def send_body(self, payload: bytes) -> bool:
        """Send more of the body."""
        connection, stream = self.link.connection, self._stream
        if connection is None or stream is None:
            return True
        self.link.schedule()
        return connection.send_data(stream, payload, end=False)

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The request is whole."""
        connection, stream = self.link.connection, self._stream
        if connection is not None and stream is not None:
            self.link.schedule()
            connection.send_trailers(stream, trailers)

    def pause(self) -> None:
        """Give the peer no window for more of the response."""
        self._paused = True

    def resume(self) -> None:
        """Give it back."""
        self._paused = False
        owed, self._owed = self._owed, 0
        if owed and self._stream is not None and self.link.connection is not None:
            self.link.connection.consumed(self._stream, owed)
            self.link.schedule()

    def abort(self) -> None:
        """The user no longer wants an answer."""
        self._user = None
        self._close(ErrorCode.CANCEL)

    # What the link and the connection tell.

    def tell_ready(self) -> None:
        """The request may be sent."""
        if self._user is not None:
            self._user.upstream_ready()

    def tell_flush(self) -> None:
        """Nothing more of the response is at hand for now."""
        if self._user is not None:
            self._user.upstream_flush()

    def fail(self, failure: TryFailure, reason: str) -> None:
        """The request gets no whole response."""
        user, self._user = self._user, None
        self._close(ErrorCode.PROTOCOL_ERROR if failure is TryFailure.PROTOCOL_ERROR else ErrorCode.CANCEL)
        if user is not None:
            user.upstream_failed(failure, reason)

    def headers_came(self, block: HeaderBlock, ended: bool, /) -> None:
        """A head, or trailers."""
        user = self._user
        if user is None:
            return
        try:
            if self._responded:
                if not ended:
                    raise HttpError(502, "response: a second head")
                trailers = read_trailers(block)
                self._finish(trailers)
                return
            head = read_response(block, to_head=self._to_head, ended=ended)
            if head.status < 200:
                self._interim += 1
                if self._interim > _MAX_INTERIM:
                    raise HttpError(502, "unexpected interim response")
                return
        except HttpError as error:
            self.fail(TryFailure.PROTOCOL_ERROR, error.reason)
            return
        self._responded = True
        self._left = None if head.length == CHUNKED else head.length
        self.link.begun(self)
        user.upstream_head(head)
        if ended and self._user is user:
            self._finish(())

    def data_came(self, payload: bytes, ended: bool, /) -> None:
        """Some of the response's body."""
        user, stream, connection = self._user, self._stream, self.link.connection
        if user is None or stream is None or connection is None:
            return
        size = len(payload)
        if self._left is not None:
            self._left -= size
        if not self._responded or (self._left is not None and self._left < 0):
            self.fail(TryFailure.PROTOCOL_ERROR, "response: a body that was not announced")
            return
        if payload:
            user.upstream_body(payload)
            if self._paused:
                self._owed += size
            else:
                connection.consumed(stream, size)
        if ended and self._user is user:
            self._finish(())

    def stream_reset(self, code: int, reason: str, /) -> None:
        """The peer gave up the stream, or the connection ended."""
        failure = TryFailure.REFUSED_STREAM if code == ErrorCode.REFUSED_STREAM else TryFailure.RESET
        self.fail(failure, reason)

    def stream_writable(self) -> None:
        """More of the request may be sent."""
        if self._user is not None:
            self._user.upstream_drained()

    def _finish(self, trailers: tuple[Field, ...]) -> None:
        if self._left:
            self.fail(TryFailure.PROTOCOL_ERROR, "response: a body shorter than announced")
            return
        user, self._user = self._user, None
        self._close(ErrorCode.CANCEL)
        if user is not None:
            user.upstream_finished(trailers)

    def _close(self, code: ErrorCode) -> None:
        """Leave the stream, which is reset unless both sides have ended it."""
        stream, self._stream = self._stream, None
        connection = self.link.connection
        if stream is not None and connection is not None:
            stream.user = None
            if not (stream.local_closed and stream.remote_closed):
                connection.reset(stream, code)
                self.link.schedule()
        self.link.release(self)
