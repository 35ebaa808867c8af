"""A client that speaks HTTP/1.1: requests are read strictly, judged one after another, answered in order."""

from __future__ import annotations

from enum import Enum

from meshc_runtime.call import Call, ClientRegistry, Side, malformed
from meshc_runtime.exchange import Exchange
from meshc_runtime.hpack import Field
from meshc_runtime.http1_body import BodyDecoder, TunnelBody, body_decoder, encode_chunk, last_chunk
from meshc_runtime.http1_head import find_head_end, parse_request_head, response_head_bytes
from meshc_runtime.judge import RefusedRequestError, refused_by_parser
from meshc_runtime.message import CHUNKED, UNTIL_CLOSE, HttpError, RequestHead, ResponseHead
from meshc_runtime.stream import Stream

_STASH_BYTES = 65_536
_LINGER_MILLISECONDS = 1000
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Waiting(Enum):
    """What the connection waits for, and so what its deadline means."""

    REQUEST = "request"
    HEAD = "head"
    BODY = "body"
    RESPONSE = "response"
    CLIENT_TO_READ = "client to read"
    CLOSE = "close"


_READS_HEADS = frozenset({_Waiting.REQUEST, _Waiting.HEAD})


class Http1Client:
    """One client: at most one request runs at a time, later ones wait in a bounded stash."""

    def __init__(self, registry: ClientRegistry, side: Side, stream: Stream) -> None:
        self.side = side
        self.deadline: float | None = None
        self._registry = registry
        self._stream: Stream | None = stream
        self._waiting = _Waiting.REQUEST
        self._buffer = b""
        self._scanned = 0
        self._blank_skipped = False
        self._decoder: BodyDecoder | None = None
        self._exchange: Exchange | None = None
        self._call: Call | None = None
        self._head_only = False
        self._responding = False
        self._held = b""
        self._chunked = False
        self._tunnels = False
        self._close_after = False
        self._half_closed = False
        self._wait(_Waiting.REQUEST, registry.guards.idle_timeout_ms)

    def connected(self) -> None:
        """The stream was up before."""

    def received(self, data: bytes) -> None:
        """Bytes of a request: of its body, of the next head, or of a request that has to wait."""
        if self._waiting is _Waiting.CLOSE:
            return
        if self._decoder is not None:
            self._take_body(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self._exchange is None:
            self._serve()
        elif len(self._buffer) > _STASH_BYTES and self._stream is not None:
            self._stream.pause()

    def ended(self, _clean: bool, /) -> None:
        """The client sends no more; a request that is whole still gets its answer."""
        self._half_closed = True
        if isinstance(self._decoder, TunnelBody):
            self._end_exchange()
            self._finish_call()
            self.close()
        elif self._exchange is not None and self._decoder is not None:
            self.give_up("client closed before the request was whole")
        elif self._exchange is None and (self._stream is None or self._stream.sent):
            self.close()

    def drained(self) -> None:
        """The client has read what was sent."""
        if self._waiting is _Waiting.CLOSE:
            self._linger()
            return
        if self._exchange is not None:
            if self._waiting is _Waiting.CLIENT_TO_READ:
                self._wait(_Waiting.RESPONSE, None)
            self._exchange.client_drained()
        elif self._half_closed:
            self.close()
        else:
            self._next()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        if self._exchange is not None:
            self.give_up(f"client: {reason}")
        else:
            self.close()

    def timed_out(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        match self._waiting:
            case _Waiting.HEAD:
                self.head_timed_out()
            case _Waiting.BODY:
                if self._responding:
                    self.give_up("body timeout")
                else:
                    self._end_exchange()
                    self._refuse(RefusedRequestError(408, "body timeout"))
            case _Waiting.CLIENT_TO_READ:
                self.give_up("client does not read")
            case _Waiting.REQUEST | _Waiting.RESPONSE | _Waiting.CLOSE:
                self.close()

    def head_timed_out(self) -> None:
        """A head has begun and does not end."""
        self._begin(None)
        self._refuse(RefusedRequestError(408, "head timeout"))

    def drain(self) -> None:
        """Close unless a request runs or has begun to arrive; the one that runs is the last."""
        if self._waiting is _Waiting.REQUEST:
            self.close()

    def close(self) -> None:
        """Close now; a running request is given up silently."""
        self._end_exchange()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self._registry.closed(self)

    def give_up(self, reason: str) -> None:
        """Cut the connection; a running request is logged with the reason."""
        self._end_exchange()
        self._finish_call(reason)
        self.close()

    # What an exchange asks of its client.

    def send_head(self, head: ResponseHead) -> None:
        """Keep the head until there is something to send with it."""
        self._tunnels = head.upgrade is not None
        self._chunked = not self._tunnels and head.length in (CHUNKED, UNTIL_CLOSE)
        self._held = response_head_bytes(head, to_head=self._head_only, close=self._closing())

    def send_body(self, payload: bytes) -> bool:
        """Send some of the response's body, and the head that waits for it."""
        data = encode_chunk(payload) if self._chunked else payload
        held, self._held = self._held, b""
        return self._send(held + data if held else data)

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The response is whole."""
        tail = self._held
        self._held = b""
        if self._chunked:
            tail += last_chunk(trailers)
        if tail:
            self._send(tail)
        self._exchange = None
        self._complete()

    def flush(self) -> None:
        """Send a head whose body has not come yet."""
        if self._held:
            held, self._held = self._held, b""
            self._send(held)
        if self._tunnels and self._decoder is None:
            self._open_tunnel()

    def answer(self, refusal: RefusedRequestError) -> None:
        """Answer an admitted request without its service."""
        self._exchange = None
        self._refuse(refusal)

    def broken(self, reason: str) -> None:
        """The response stops short: cut the connection, so that the client can tell."""
        self._exchange = None
        self.give_up(reason)

    def hold(self) -> None:
        """Read no more of the body for now; the pause is not the client's fault."""
        if self._stream is not None and self._decoder is not None:
            self._stream.pause()
            if not self._tunnels:
                self._wait(_Waiting.RESPONSE, None)

    def go_on(self) -> None:
        """Read the body again."""
        if self._stream is not None and self._decoder is not None:
            self._stream.resume()
            if not self._tunnels:
                self._wait(_Waiting.BODY, self._registry.guards.body_idle_timeout_ms)

    # One request after another.

    def _serve(self) -> None:
        while self._exchange is None and self._buffer and self._waiting in _READS_HEADS:
            if self._waiting is not _Waiting.HEAD:
                self._wait(_Waiting.HEAD, self._registry.guards.head_timeout_ms)
            if not self._blank_skipped and self._buffer.startswith(b"\r\n"):
                # RFC 9112 section 2.2: one empty line before a request is forgiven.
                self._blank_skipped = True
                self._buffer = self._buffer[2:]
                self._scanned = 0
                continue
            try:
                end = find_head_end(self._buffer, self._scanned)
                if end < 0:
                    self._scanned = len(self._buffer)
                    return
                head = parse_request_head(self._buffer[:end])
            except HttpError as error:
                self._begin(None)
                self._refuse(refused_by_parser(error))
                return
            self._buffer = self._buffer[end:]
            self._scanned = 0
            self._blank_skipped = False
            self._request(head)

    def _request(self, head: RequestHead) -> None:
        call = self._begin(head)
        self._close_after = not head.keep_alive
        decoder = body_decoder(head.length)
        self._decoder = None if decoder.done else decoder
        try:
            exchange = call.admit(head, self)
        except RefusedRequestError as refusal:
            self._refuse(refusal)
            return
        self._exchange = exchange
        if head.upgrade is not None:
            # What the client says in the other protocol waits until the service has agreed to it.
            self._wait(_Waiting.RESPONSE, None)
            exchange.start()
            return
        if decoder.done:
            self._wait(_Waiting.RESPONSE, None)
            exchange.body_ended()
            exchange.start()
            return
        self._wait(_Waiting.BODY, self._registry.guards.body_idle_timeout_ms)
        if head.expects_continue and not self._buffer and self._stream is not None:
            self._stream.write(_CONTINUE)
        data, self._buffer = self._buffer, b""
        if data:
            self._take_body(data)
        if self._exchange is exchange:
            exchange.start()

    def _take_body(self, data: bytes) -> None:
        decoder, exchange = self._decoder, self._exchange
        if decoder is None or exchange is None:
            return
        try:
            payload, rest = decoder.feed(data)
        except HttpError as error:
            if self._responding:
                self.give_up(error.reason)
            else:
                self._end_exchange()
                self._refuse(refused_by_parser(error))
            return
        if self._waiting is _Waiting.BODY:
            self._wait(_Waiting.BODY, self._registry.guards.body_idle_timeout_ms)
        if decoder.done:
            self._decoder = None
            self._buffer = rest
            self._wait(_Waiting.RESPONSE, None)
        if payload:
            exchange.body(payload)
        if decoder.done:
            exchange.body_ended(tuple(decoder.trailers))

    def _open_tunnel(self) -> None:
        """From here on the connection is the two ends' own."""
        self._decoder = TunnelBody()
        self._close_after = True
        data, self._buffer = self._buffer, b""
        if self._stream is not None:
            self._stream.resume()
        if data:
            self._take_body(data)

    def _begin(self, head: RequestHead | None) -> Call:
        self._call = call = Call(self._registry, self.side, head)
        self._head_only = head is not None and head.method == "HEAD"
        self._responding = False
        self._held = b""
        self._tunnels = False
        if head is None:
            self._close_after = True
        return call

    def _send(self, data: bytes) -> bool:
        stream = self._stream
        if stream is None:
            return True
        self._responding = True
        stream.write(data)
        if stream.congested:
            self._wait(_Waiting.CLIENT_TO_READ, self._registry.guards.body_idle_timeout_ms)
            return False
        return True

    def _closing(self) -> bool:
        """Whether this response is the connection's last."""
        if self._decoder is not None or self._half_closed or self._registry.draining:
            self._close_after = True
        return self._close_after

    def _refuse(self, refusal: RefusedRequestError) -> None:
        """Answer a request in the proxy's own words; what cannot be read on from here closes."""
        if self._call is None:
            self.close()
            return
        head, text = self._call.refusal(refusal, to_head=self._head_only)
        if malformed(refusal):
            self._close_after = True
        answer = response_head_bytes(head, to_head=self._head_only, close=self._closing()) + text
        if self._stream is not None:
            self._stream.write(answer)
        self._complete()

    def _complete(self) -> None:
        """A response has been written: log it, and close or go on to the next request."""
        self._finish_call()
        stream = self._stream
        if stream is None:
            return
        if self._close_after or self._decoder is not None or self._half_closed:
            self._decoder = None
            self._buffer = b""
            self._wait(_Waiting.CLOSE, self._registry.guards.body_idle_timeout_ms)
            stream.finish()
            stream.resume()
            if stream.sent:
                self._linger()
        elif stream.congested:
            stream.pause()
            self._wait(_Waiting.CLIENT_TO_READ, self._registry.guards.body_idle_timeout_ms)
        else:
            self._next()

    def _linger(self) -> None:
        """Read on for a moment, so that no reset overtakes the response."""
        if self._half_closed:
            self.close()
        else:
            self._wait(_Waiting.CLOSE, _LINGER_MILLISECONDS)

    def _next(self) -> None:
        """Go on to the request that waits, or wait for one."""
        self._wait(_Waiting.REQUEST, self._registry.guards.idle_timeout_ms)
        if self._registry.draining and not self._buffer:
            self.close()
        elif self._stream is not None:
            self._stream.resume()
            if self._buffer:
                self._serve()

    def _end_exchange(self) -> None:
        self._exchange = None
        if self._call is not None:
            self._call.end_exchange()

    def _finish_call(self, reason: str = "") -> None:
        call, self._call = self._call, None
        if call is not None:
            call.finish(reason)

    def _wait(self, what: _Waiting, milliseconds: int | None) -> None:
        self._waiting = what
        self.deadline = None if milliseconds is None else self._registry.loop.now + milliseconds / 1000
