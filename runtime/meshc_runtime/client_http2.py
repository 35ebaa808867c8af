"""A client that speaks HTTP/2: one connection, and a request on each of its streams, judged one by one."""

from __future__ import annotations

from enum import Enum

from meshc_runtime.call import Call, ClientRegistry, Side
from meshc_runtime.exchange import Exchange
from meshc_runtime.hpack import Field, HeaderBlock
from meshc_runtime.http2_connection import Http2Connection
from meshc_runtime.http2_frame import ErrorCode, Http2Error, StreamError
from meshc_runtime.http2_message import Malformed, read_request, read_trailers, response_fields
from meshc_runtime.http2_stream import Http2Stream
from meshc_runtime.judge import RefusedRequestError, refused_by_parser
from meshc_runtime.message import CHUNKED, HttpError, RequestHead, ResponseHead
from meshc_runtime.stream import HIGH_WATER, Stream

_CHECK_SECONDS = 1.0
_LINGER_SECONDS = 1.0
_MAX_WAITING_BYTES = 2 * HIGH_WATER
_CONTINUE: tuple[Field, ...] = ((b":status", b"100"),)


class Http2Client:
    """The connection of one client, with its streams."""

    def __init__(self, registry: ClientRegistry, side: Side, stream: Stream) -> None:
        self.side = side
        self.registry = registry
        self.connection = Http2Connection(self, registry.loop.clock, client=False)
        self.deadline: float | None = None
        self._stream: Stream | None = stream
        self._calls: dict[int, Http2ClientCall] = {}
        self._holding: list[Http2ClientCall] = []
        self._flushes = False
        self._closing = False
        self._half_read_since = registry.loop.now
        self._idle_since = registry.loop.now
        self._warned = False
        self._arm()
        self.schedule()

    def connected(self) -> None:
        """The stream was up before."""

    def received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._closing:
            return
        if not self.connection.half_read:
            self._half_read_since = self.registry.loop.now
        try:
            self.connection.receive(data)
        except Http2Error as error:
            self._end(f"client: {error.reason}")
            return
        self.schedule()

    def ended(self, clean: bool, /) -> None:
        """The client sends no more: what has come whole still gets its answer."""
        del clean
        if self._closing or not self._calls:
            self.close()
            return
        for call in list(self._calls.values()):
            if not call.request_ended:
                call.stream_reset(ErrorCode.CANCEL, "client closed before the request was whole")
        self._finish_if_done()

    def drained(self) -> None:
        """The socket takes more."""
        if self._closing:
            return
        self.connection.full = False
        self.connection.pump()
        self.schedule()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self.give_up(f"client: {reason}")

    def crashed(self, error: Exception) -> None:
        """A flush raised."""
        self.give_up(f"internal error: {type(error).__name__}")

    def timed_out(self) -> None:
        """Look after the streams, and after the connection if there are none."""
        now = self.registry.loop.now
        guards = self.registry.guards
        if self._closing:
            self.close()
            return
        if (not self.connection.settled or self.connection.half_read) and (
            now - self._half_read_since > guards.head_timeout_ms / 1000
        ):
            self._end("client: a frame that does not end")
            return
        for call in list(self._calls.values()):
            call.check_deadline(now)
        if not self._calls and now - self._idle_since > guards.idle_timeout_ms / 1000:
            self._end("")
            return
        self._arm()

    def drain(self) -> None:
        """Announce the end, then take no more, then close when nothing runs."""
        if self._closing:
            return
        if not self._warned and self._calls:
            self._warned = True
            self.connection.go_away(warn_only=True)
            self.schedule()
        elif not self._calls:
            self._end("")
        else:
            self.connection.go_away()
            self.schedule()

    def close(self) -> None:
        """Close now; running requests are given up silently."""
        self.give_up("")

    def give_up(self, reason: str) -> None:
        """Cut the connection; running requests are logged with the reason."""
        self._give_up_calls(reason)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self.registry.closed(self)

    # What the connection tells.

    def stream_opened(self, stream: Http2Stream, block: HeaderBlock, ended: bool, /) -> None:
        """A request begins."""
        call = Http2ClientCall(self, stream)
        stream.user = call
        self._calls[stream.id] = call
        call.begin(block, ended)

    def going_away(self, reason: str, /) -> None:
        """The client opens no more streams; what runs goes on."""
        del reason
        self._finish_if_done()

    def peer_settled(self) -> None:
        """What waited for a greater window has been sent."""

    # What its streams ask.

    def forget(self, stream: Http2Stream) -> None:
        """A stream is over."""
        if self._calls.pop(stream.id, None) is not None and not self._calls:
            self._idle_since = self.registry.loop.now
            self._finish_if_done()

    def holds_head(self, call: Http2ClientCall) -> None:
        """A stream keeps a head until the end of this turn."""
        self._holding.append(call)
        self.schedule()

    def schedule(self) -> None:
        """Send what there is at the end of this turn, all at once."""
        if not self._flushes:
            self._flushes = True
            self.registry.loop.flush_later(self)

    def flush(self) -> None:
        """Send what there is."""
        self._flushes = False
        stream = self._stream
        if stream is None:
            return
        if self._holding:
            holding, self._holding = self._holding, []
            for call in holding:
                call.send_held()
        data = self.connection.take()
        if data:
            stream.write(data)
            if stream.congested:
                self.connection.full = True
                if stream.waiting > _MAX_WAITING_BYTES:
                    self.give_up("client does not read")
                    return
        if self._closing:
            stream.finish()

    def _finish_if_done(self) -> None:
        if not self._calls and self.connection.peer_going_away and not self._closing:
            self._end("")

    def _end(self, reason: str) -> None:
        """Say goodbye, and read on for a moment, so that no reset overtakes what was said."""
        self._give_up_calls(reason)
        self.connection.go_away()
        self._closing = True
        self.deadline = self.registry.loop.now + _LINGER_SECONDS
        self.schedule()

    def _give_up_calls(self, reason: str) -> None:
        for call in list(self._calls.values()):
            call.give_up(reason)
        self._calls.clear()

    def _arm(self) -> None:
        self.deadline = self.registry.loop.now + _CHECK_SECONDS


class _Waiting(Enum):
    """What a stream waits for, and so what its deadline means."""

    BODY = "body"
    RESPONSE = "response"
    CLIENT_TO_READ = "client to read"


class Http2ClientCall:
    """One stream: a request, and the response to it."""

    def __init__(self, client: Http2Client, stream: Http2Stream) -> None:
        self.request_ended = False
        self._client = client
        self._connection = client.connection
        self._stream = stream
        self._call: Call | None = None
        self._exchange: Exchange | None = None
        self._head_only = False
        self._left: int | None = None  # bytes of the body that were announced and have not come
        self._owed = 0
        self._holds = False
        self._held: ResponseHead | None = None
        self._responding = False
        self._waiting = _Waiting.RESPONSE
        self._deadline: float | None = None

    def begin(self, block: HeaderBlock, ended: bool) -> None:
        """Read, judge and send on a request."""
        client = self._client
        self.request_ended = ended
        try:
            head = read_request(block, ended=ended)
        except HttpError as error:
            self._call = Call(client.registry, client.side, None)
            self._refuse(refused_by_parser(error), ErrorCode.PROTOCOL_ERROR if isinstance(error, Malformed) else None)
            return
        self._call = call = Call(client.registry, client.side, head)
        self._head_only = head.method == "HEAD"
        try:
            self._exchange = exchange = call.admit(head, self)
        except RefusedRequestError as refusal:
            self._refuse(refusal)
            return
        if ended:
            exchange.body_ended()
        else:
            self._await_body(head)
        exchange.start()

    def _await_body(self, head: RequestHead) -> None:
        self._left = None if head.length == CHUNKED else head.length
        self._wait(_Waiting.BODY)
        if head.expects_continue:
            self._connection.send_headers(self._stream, _CONTINUE, end=False)

    # What the connection tells of the stream.

    def headers_came(self, block: HeaderBlock, ended: bool, /) -> None:
        """Trailers: a request has no second head."""
        if not ended:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a second head")
        try:
            trailers = read_trailers(block)
        except HttpError as error:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, error.reason) from None
        self._body_ended(trailers)

    def data_came(self, payload: bytes, ended: bool, /) -> None:
        """Some of the request's body."""
        size = len(payload)
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise StreamError(ErrorCode.PROTOCOL_ERROR, "a body longer than announced")
        exchange = self._exchange
        if exchange is None:
            self._connection.consumed(self._stream, size)
        else:
            self._wait(_Waiting.BODY)
            exchange.body(payload)
            if self._holds:
                self._owed += size
            else:
                self._connection.consumed(self._stream, size)
        if ended:
            self._body_ended(())

    def stream_reset(self, code: int, reason: str, /) -> None:
        """The client no longer wants an answer."""
        del code
        self._connection.reset(self._stream, ErrorCode.CANCEL)  # only if it is still open
        self.give_up(f"client: {reason}")
        self._client.forget(self._stream)

    def stream_writable(self) -> None:
        """The client's window has taken what waited."""
        if self._waiting is _Waiting.CLIENT_TO_READ:
            self._wait(_Waiting.RESPONSE)
        if self._exchange is not None:
            self._exchange.client_drained()
        elif self._call is None:
            self._over()

    def check_deadline(self, now: float) -> None:
        """Give up a stream on which nothing moves."""
        if self._deadline is None or self._deadline > now:
            return
        self._deadline = None
        if self._waiting is _Waiting.BODY and not self._responding and self._held is None:
            if self._call is not None:
                self._call.end_exchange()
            self._exchange = None
            self._refuse(RefusedRequestError(408, "body timeout"))
        else:
            stalled = "body timeout" if self._waiting is _Waiting.BODY else "client does not read"
            self.stream_reset(ErrorCode.CANCEL, stalled)
        self._client.schedule()

    def give_up(self, reason: str) -> None:
        """Nobody wants an answer any more."""
        self._stream.user = None
        self._exchange = None
        call, self._call = self._call, None
        if call is not None:
            call.finish(reason)

    # What an exchange asks of its client.

    def send_head(self, head: ResponseHead) -> None:
        """Keep the head, which ends the stream if nothing follows."""
        self._held = head
        self._client.holds_head(self)

    def send_body(self, payload: bytes) -> bool:
        """Send some of the response's body."""
        self.send_held()
        self._client.schedule()
        if self._head_only or self._connection.send_data(self._stream, payload, end=False):
            return True
        self._wait(_Waiting.CLIENT_TO_READ)
        return False

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole."""
        self._exchange = None
        self._client.schedule()
        head, self._held = self._held, None
        if head is not None and not trailers:
            self._connection.send_headers(self._stream, response_fields(head), end=True)
        else:
            if head is not None:
                self._connection.send_headers(self._stream, response_fields(head), end=False)
            self._connection.send_trailers(self._stream, trailers)
        self._finish()

    def flush(self) -> None:
        """A head is sent at the end of the turn in any case."""

    def send_held(self) -> None:
        """Send a head whose body has not come."""
        head = self._held
        if head is not None:
            self._held = None
            self._responding = True
            self._connection.send_headers(self._stream, response_fields(head), end=False)

    def answer(self, refusal: RefusedRequestError) -> None:
        """Answer an admitted request without its service."""
        self._exchange = None
        self._refuse(refusal)
        self._client.schedule()

    def broken(self, reason: str) -> None:
        """The response stops short: reset the stream, so that the client can tell."""
        self._exchange = None
        self._connection.reset(self._stream, ErrorCode.INTERNAL_ERROR)
        self.give_up(reason)
        self._client.schedule()
        self._client.forget(self._stream)

    def hold(self) -> None:
        """Give the client no window for more of the body; the pause is not its fault."""
        if not self.request_ended:
            self._holds = True
            self._wait(_Waiting.RESPONSE)

    def go_on(self) -> None:
        """Acknowledge the body again."""
        if self._holds:
            self._holds = False
            owed, self._owed = self._owed, 0
            if not self.request_ended:
                self._wait(_Waiting.BODY)
            self._connection.consumed(self._stream, owed)
            self._client.schedule()

    def _body_ended(self, trailers: tuple[Field, ...]) -> None:
        if self._left:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, "a body shorter than announced")
        self.request_ended = True
        if self._waiting is _Waiting.BODY:
            self._wait(_Waiting.RESPONSE)
        if self._exchange is not None:
            self._exchange.body_ended(trailers)

    def _refuse(self, refusal: RefusedRequestError, code: ErrorCode | None = None) -> None:
        if self._call is None:
            return
        head, text = self._call.refusal(refusal, to_head=self._head_only)
        fields = response_fields(head)
        self._connection.send_headers(self._stream, fields, end=not text)
        if text:
            self._connection.send_data(self._stream, text, end=True)
        if code is not None:
            self._connection.reset(self._stream, code)
        self._finish()

    def _finish(self) -> None:
        """The response has been written: log it; the stream ends when the client has all of it."""
        call, self._call = self._call, None
        if call is not None:
            call.finish()
        if self._stream.queue:
            self._wait(_Waiting.CLIENT_TO_READ)
        else:
            self._over()

    def _over(self) -> None:
        # RFC 9113 section 8.1: the client need not send the rest of its request.
        self._stream.user = None
        self._connection.reset(self._stream, ErrorCode.NO_ERROR)
        self._client.forget(self._stream)

    def _wait(self, what: _Waiting) -> None:
        self._waiting = what
        registry = self._client.registry
        if what is _Waiting.RESPONSE:
            self._deadline = None
        else:
            self._deadline = registry.loop.now + registry.guards.body_idle_timeout_ms / 1000
