"""A connection that speaks HTTP/1.1: one request after another, responses read strictly."""

from __future__ import annotations

from meshc_runtime.endpoint import Endpoint
from meshc_runtime.hpack import Field
from meshc_runtime.http1_body import BodyDecoder, CloseBody, body_decoder, encode_chunk, last_chunk
from meshc_runtime.http1_head import find_head_end, parse_response_head, request_head_bytes
from meshc_runtime.message import CHUNKED, HttpError, OutgoingRequest, ResponseHead
from meshc_runtime.retry import TryFailure
from meshc_runtime.stream import Stream
from meshc_runtime.upstream_call import UpstreamUser
from meshc_runtime.upstream_link import LinkCluster, UpstreamLink

_MAX_INTERIM = 16


class Http1Upstream(UpstreamLink):
    """One connection to an endpoint, which is also the call that it carries."""

    def __init__(self, cluster: LinkCluster, user: UpstreamUser, method: str) -> None:
        super().__init__(cluster)
        self._user: UpstreamUser | None = user
        self._method = method
        self._chunked = False
        self._counted = False
        self._clear()

    def begin(self, user: UpstreamUser, method: str) -> None:
        """Take an idle connection for a request."""
        self._user = user
        self._method = method
        self._clear()
        if self._endpoint is not None:
            self._counted = True
            self._endpoint.active += 1

    def _clear(self) -> None:
        self._head: ResponseHead | None = None
        self._decoder: BodyDecoder | None = None
        self._buffer = b""
        self._scanned = 0
        self._interim = 0
        self._request_complete = False
        self._upgrade: str | None = None

    # What a request asks of it.

    def send_request(self, request: OutgoingRequest, payload: bytes, trailers: tuple[Field, ...] | None) -> bool:
        """Send the head and what there is of the body at once."""
        self._chunked = request.length == CHUNKED
        self._upgrade = request.upgrade
        data = request_head_bytes(request)
        if payload:
            data += encode_chunk(payload) if self._chunked else payload
        if trailers is not None:
            self._request_complete = True
            if self._chunked:
                data += last_chunk(trailers)
        return self._write(data)

    def send_body(self, payload: bytes) -> bool:
        """Send more of the body."""
        return self._write(encode_chunk(payload) if self._chunked else payload)

    def send_end(self, trailers: tuple[Field, ...]) -> None:
        """The whole request is written; without this the connection is never used again."""
        self._request_complete = True
        if self._chunked:
            self._write(last_chunk(trailers))

    def pause(self) -> None:
        """Read no more of the response for now."""
        if self._stream is not None:
            self._stream.pause()

    def resume(self) -> None:
        """Read the response again."""
        if self._stream is not None:
            self._stream.resume()

    def abort(self) -> None:
        """The user no longer wants an answer; the connection is of no more use."""
        self._user = None
        self.discard()

    # What the connection tells.

    def placed(self, endpoint: Endpoint) -> None:
        """The endpoint runs one request more."""
        self._counted = True
        endpoint.active += 1

    def withdrawn(self) -> None:
        """The endpoint no longer has this connection."""
        self._release()
        if self._endpoint is not None and self in self._endpoint.idle:
            self._endpoint.idle.remove(self)

    def up(self, stream: Stream) -> None:
        """The request may be sent."""
        del stream
        if self._user is not None:
            self._user.upstream_ready()

    def failed(self, failure: TryFailure, reason: str) -> None:
        """The request has no response."""
        user, self._user = self._user, None
        self.discard()
        if user is not None:
            user.upstream_failed(failure, reason)

    def received(self, data: bytes) -> None:
        """Bytes of the response; bytes nobody asked for end an idle connection."""
        user = self._user
        if user is None:
            self.discard()
            return
        try:
            self._take(user, data)
        except HttpError as error:
            self.fail(TryFailure.PROTOCOL_ERROR, error.reason)
        if self._user is user:
            user.upstream_flush()

    def ended(self, clean: bool, /) -> None:
        """The peer sends no more: the end of the body only where the head said so."""
        decoder = self._decoder
        if self._user is None:
            self.discard()
        elif isinstance(decoder, CloseBody) and clean:
            decoder.end()
            self._finish(b"", ())
        else:
            self.fail(TryFailure.RESET, "connection closed by upstream")

    def drained(self) -> None:
        """Written bytes have left."""
        if self._user is not None:
            self._user.upstream_drained()

    def _write(self, data: bytes) -> bool:
        if self._stream is None:
            return True
        self._stream.write(data)
        return not self._stream.congested

    def _take(self, user: UpstreamUser, data: bytes) -> None:
        while self._decoder is None:
            self._buffer = self._buffer + data if self._buffer else data
            end = _response_head_end(self._buffer, self._scanned)
            if end < 0:
                self._scanned = len(self._buffer)
                return
            head = parse_response_head(self._buffer[:end], self._method)
            data, self._buffer, self._scanned = self._buffer[end:], b"", 0
            switches = head.status == 101 and head.upgrade is not None and head.upgrade == self._upgrade
            if head.status < 200 and not switches:
                self._interim += 1
                if head.status == 101 or self._interim > _MAX_INTERIM:
                    raise HttpError(502, "unexpected interim response")
                if not data:
                    return
                continue
            self._head = head
            self._decoder = body_decoder(head.length)
            user.upstream_head(head)
            if self._user is not user:
                return
        payload, rest = self._decoder.feed(data)
        if payload:
            user.upstream_body(payload)
        if self._user is user and self._decoder.done:
            self._finish(rest, tuple(self._decoder.trailers))

    def _finish(self, rest: bytes, trailers: tuple[Field, ...]) -> None:
        user, self._user = self._user, None
        self._release()
        stream, endpoint, head = self._stream, self._endpoint, self._head
        reusable = head is not None and head.keep_alive and self._request_complete and not rest
        if reusable and stream is not None and endpoint is not None and endpoint.present:
            stream.resume()
            self.idle_since = self._cluster.loop.now
            if endpoint.session is None:
                self.keep_session()
            endpoint.idle.append(self)
            self._cluster.released(endpoint)
        else:
            self.discard()
        if user is not None:
            user.upstream_finished(trailers)

    def _release(self) -> None:
        if self._counted and self._endpoint is not None:
            self._endpoint.active -= 1
        self._counted = False


def _response_head_end(buffer: bytes, scanned: int) -> int:
    try:
        return find_head_end(buffer, scanned)
    except HttpError as error:
        raise HttpError(502, f"response: {error.reason}") from None
