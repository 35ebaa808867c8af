"""A connection on which requests come in: read strictly, judged one after another, answered in order."""

from __future__ import annotations

import time
from enum import Enum
from typing import Protocol

from meshc_runtime.access_log import AccessRecord
from meshc_runtime.exchange import Exchange
from meshc_runtime.http1_body import BodyDecoder, body_decoder
from meshc_runtime.http1_head import HttpError, RequestHead, find_head_end, parse_request_head
from meshc_runtime.judge import (
    Admitted,
    DeniedError,
    RateLimitedError,
    RefusedConnectionError,
    RefusedRequestError,
    refusal_bytes,
    refused_by_parser,
)
from meshc_runtime.loop import Loop
from meshc_runtime.metrics import ProxyMetrics
from meshc_runtime.snapshot import ConnectionGuards
from meshc_runtime.stream import Stream
from meshc_runtime.upstream import UpstreamCluster

_STASH_BYTES = 65_536
_LINGER_MILLISECONDS = 1000
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Side(Protocol):
    """What a connection's requests are judged by: the inbound or the outbound half of the policy."""

    direction: str

    def greet(self, stream: Stream) -> None:
        """See who connected.

        Raises:
            RefusedConnectionError: nobody that may send requests.
        """

    def new_record(self) -> AccessRecord:
        """The record of a request that has just begun."""

    def judge(self, head: RequestHead, record: AccessRecord) -> tuple[Admitted, UpstreamCluster]:
        """Judge a request.

        Raises:
            RefusedRequestError: it is answered by the proxy itself.
        """


class ClientRegistry(Protocol):
    """The proxy, as its client connections see it."""

    loop: Loop
    metrics: ProxyMetrics
    guards: ConnectionGuards
    draining: bool

    def random(self) -> float:
        """A number in [0, 1)."""

    def log(self, record: AccessRecord, ended: float, duration: float) -> None:
        """Write a request's line to the access log."""

    def closed(self, connection: ClientConnection) -> None:
        """Forget a connection."""


class _Waiting(Enum):
    """What the connection waits for, and so what its deadline means."""

    HANDSHAKE = "handshake"
    REQUEST = "request"
    HEAD = "head"
    BODY = "body"
    RESPONSE = "response"
    CLIENT_TO_READ = "client to read"
    CLOSE = "close"


_READS_HEADS = frozenset({_Waiting.REQUEST, _Waiting.HEAD})


class ClientConnection:
    """One client: at most one request runs at a time, later ones wait in a bounded stash."""

    def __init__(self, registry: ClientRegistry, side: Side) -> None:
        self.side = side
        self.deadline: float | None = registry.loop.now + registry.guards.handshake_timeout_ms / 1000
        self._registry = registry
        self._stream: Stream | None = None
        self._waiting = _Waiting.HANDSHAKE
        self._buffer = b""
        self._scanned = 0
        self._blank_skipped = False
        self._decoder: BodyDecoder | None = None
        self._exchange: Exchange | None = None
        self._record: AccessRecord | None = None
        self._began = 0.0
        self._head_only = False
        self._responding = False
        self._close_after = False
        self._half_closed = False

    def attach(self, stream: Stream) -> None:
        """Begin, on a stream whose owner this is; one without TLS is up already."""
        self._stream = stream
        if stream.established:
            self.connected()

    @property
    def idle(self) -> bool:
        """Whether no request runs and none has begun to arrive."""
        return self._waiting is _Waiting.REQUEST

    def connected(self) -> None:
        """The stream is up: see who it is."""
        if self._stream is None:
            return
        try:
            self.side.greet(self._stream)
        except RefusedConnectionError as error:
            self._refuse_connection(error.kind, str(error))
            return
        self._wait(_Waiting.REQUEST, self._registry.guards.idle_timeout_ms)

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
        if self._exchange is not None and self._decoder is not None:
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
        if self._waiting is _Waiting.HANDSHAKE:
            self._refuse_connection("handshake", reason)
        elif self._exchange is not None:
            self.give_up(f"client: {reason}")
        else:
            self.close()

    def timed_out(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        match self._waiting:
            case _Waiting.HANDSHAKE:
                self._refuse_connection("timeout", "handshake timeout")
            case _Waiting.HEAD:
                self._begin(None)
                self._refuse(RefusedRequestError(408, "head timeout"))
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

    def close(self) -> None:
        """Close now; a running request is given up silently."""
        self._end_exchange()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self._registry.closed(self)

    def give_up(self, reason: str) -> None:
        """Cut the connection; a running request is logged with the reason."""
        if self._record is not None and not self._record.reason:
            self._record.reason = reason
        self._end_exchange()
        self._finish_record()
        self.close()

    # What an exchange asks of its client.

    def send(self, data: bytes) -> bool:
        """Send some of the response."""
        stream = self._stream
        if stream is None:
            return True
        self._responding = True
        stream.write(data)
        if stream.congested:
            self._wait(_Waiting.CLIENT_TO_READ, self._registry.guards.body_idle_timeout_ms)
            return False
        return True

    def closing(self) -> bool:
        """Whether this response is the connection's last."""
        if self._decoder is not None or self._half_closed or self._registry.draining:
            self._close_after = True
        return self._close_after

    def answer(self, status: int, reason: str) -> None:
        """Answer an admitted request without its service."""
        self._exchange = None
        self._refuse(RefusedRequestError(status, reason))

    def finished(self) -> None:
        """The response has been written whole."""
        self._exchange = None
        self._complete()

    def broken(self, reason: str) -> None:
        """The response stops short: cut the connection, so that the client can tell."""
        self._exchange = None
        self.give_up(reason)

    def hold(self) -> None:
        """Read no more of the body for now; the pause is not the client's fault."""
        if self._stream is not None and self._decoder is not None:
            self._stream.pause()
            self._wait(_Waiting.RESPONSE, None)

    def go_on(self) -> None:
        """Read the body again."""
        if self._stream is not None and self._decoder is not None:
            self._stream.resume()
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
        record = self._begin(head)
        self._close_after = not head.keep_alive
        decoder = body_decoder(head.length)
        self._decoder = None if decoder.done else decoder
        try:
            admitted, cluster = self.side.judge(head, record)
        except RefusedRequestError as refusal:
            self._refuse(refusal)
            return
        registry = self._registry
        exchange = Exchange(self, cluster, head, admitted, record, registry.metrics, registry.random)
        self._exchange = exchange
        if decoder.done:
            self._wait(_Waiting.RESPONSE, None)
            exchange.body_ended()
            exchange.start()
            return
        self._wait(_Waiting.BODY, registry.guards.body_idle_timeout_ms)
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
            exchange.body_ended()

    def _begin(self, head: RequestHead | None) -> AccessRecord:
        record = self.side.new_record()
        self._record = record
        self._began = time.monotonic()
        self._head_only = False
        self._responding = False
        if head is None:
            self._close_after = True
        else:
            self._head_only = head.method == "HEAD"
            record.method = head.method
            record.original_path = head.path
        return record

    def _refuse(self, refusal: RefusedRequestError) -> None:
        """Answer a request in the proxy's own words; what cannot be read on from here closes."""
        record, metrics = self._record, self._registry.metrics
        if record is not None:
            record.status = refusal.status
            record.reason = refusal.reason
            if isinstance(refusal, DeniedError):
                metrics.denied.add((record.direction, record.service, record.rule))
            elif isinstance(refusal, RateLimitedError):
                metrics.limited.add((record.service, refusal.limit))
        malformed = refusal.status in (400, 405, 408, 417, 426, 431, 505)
        if malformed:
            metrics.malformed.add((self.side.direction, str(refusal.status)))
            self._close_after = True
        close = self.closing()
        answer = refusal_bytes(refusal.status, refusal.text, head_only=self._head_only, close=close)
        if record is not None:
            record.response_bytes = 0 if self._head_only else len(refusal.text)
        if self._stream is not None:
            self._stream.write(answer)
        self._complete()

    def _complete(self) -> None:
        """A response has been written: log it, and close or go on to the next request."""
        self._finish_record()
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
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def _finish_record(self) -> None:
        record, self._record = self._record, None
        if record is None:
            return
        duration = time.monotonic() - self._began
        metrics = self._registry.metrics
        metrics.requests.add((record.direction, record.service, record.route, record.rule, str(record.status)))
        metrics.duration.observe((record.direction, record.service), duration)
        self._registry.log(record, time.time(), duration)

    def _refuse_connection(self, kind: str, reason: str) -> None:
        self._registry.metrics.refused_connections.add((self.side.direction, kind))
        record = self.side.new_record()
        record.reason = f"connection refused: {reason}"
        self._registry.log(record, time.time(), 0.0)
        self.close()

    def _wait(self, what: _Waiting, milliseconds: int | None) -> None:
        self._waiting = what
        self.deadline = None if milliseconds is None else self._registry.loop.now + milliseconds / 1000
