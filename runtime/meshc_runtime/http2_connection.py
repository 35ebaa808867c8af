"""One end of an HTTP/2 connection (RFC 9113) without its socket: bytes in, calls to the users of streams, bytes out.

What a peer may make this end do or keep is bounded from the start: header blocks and their number of frames, streams,
streams that are reset before their time, frames that carry nothing, windows. Priorities and unknown frames are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meshc_runtime import http2_frame as h2
from meshc_runtime.hpack import HeaderBlock, HpackDecoder, HpackError
from meshc_runtime.http2_frame import ErrorCode, Http2Error, StreamError
from meshc_runtime.http2_sender import Http2Sender
from meshc_runtime.http2_stream import Http2Stream, StreamUser
from meshc_runtime.patience import Patience

MAX_STREAMS = 100
STREAM_WINDOW = 65_536
CONNECTION_WINDOW = 1_048_576
MAX_LIST_BYTES = 60 * 1024

_MAX_BLOCK_BYTES = 64 * 1024
_MAX_BLOCK_FRAMES = 16
_MAX_REMEMBERED_RESETS = 256
_LAST_STREAM = 2**31 - 1


class Http2Owner(Protocol):
    """Who owns a connection, and is told of streams that the peer opens."""

    def stream_opened(self, stream: Http2Stream, block: HeaderBlock, ended: bool, /) -> None:
        """The peer opened a stream; give it a user, or reset it.

        Raises:
            StreamError: the request is malformed; the stream is reset.
        """

    def going_away(self, reason: str, /) -> None:
        """The peer takes no more streams."""

    def peer_settled(self) -> None:
        """The peer's settings came or changed."""


class Http2Connection(Http2Sender):
    """A server's end, or with `client` a client's; `receive` takes what the socket got, `take` gives what to send."""

    def __init__(self, owner: Http2Owner, clock: Callable[[], float], *, client: bool) -> None:
        super().__init__()
        self.client = client
        self.peer_max_streams = MAX_STREAMS
        self.peer_going_away = False
        self._owner = owner
        self._buffer = b""
        self._decoder = HpackDecoder(MAX_LIST_BYTES)
        self._next_stream = 1
        self._last_peer_stream = 0
        self._refuse_beyond = _LAST_STREAM
        self._settled = False
        self._preface_left = b"" if client else h2.PREFACE
        self._block: list[bytes] = []
        self._block_bytes = 0
        self._block_stream = 0
        self._block_ends = False
        self._forgotten: dict[int, None] = {}
        self._calm = Patience(2000, 100, clock)
        self._resets = Patience(200, 10, clock)
        self._receive_window = CONNECTION_WINDOW
        self._owed = 0
        first = (h2.ENABLE_PUSH, 0) if client else (h2.MAX_CONCURRENT_STREAMS, MAX_STREAMS)
        settings = dict((first, (h2.INITIAL_WINDOW_SIZE, STREAM_WINDOW), (h2.MAX_HEADER_LIST_SIZE, MAX_LIST_BYTES)))
        greeting = h2.settings_frame(settings) + h2.window_update(0, CONNECTION_WINDOW - h2.DEFAULT_WINDOW)
        self._out.append(h2.PREFACE + greeting if client else greeting)

    @property
    def settled(self) -> bool:
        """Whether the peer has said that it speaks HTTP/2."""
        return self._settled

    @property
    def half_read(self) -> bool:
        """Whether a frame or a header block has begun and not ended."""
        return bool(self._buffer) or self._block_stream != 0

    @property
    def can_open(self) -> bool:
        """Whether a client may open one more stream now."""
        return not self.peer_going_away and len(self.streams) < self.peer_max_streams and self._next_stream < 2**31

    def open(self, user: StreamUser) -> Http2Stream:
        """Open a stream of this end's; `send_headers` comes next."""
        stream = Http2Stream(self._next_stream, user, self.initial_send_window, STREAM_WINDOW)
        self._next_stream += 2
        self.streams[stream.id] = stream
        return stream

    def consumed(self, stream: Http2Stream, amount: int) -> None:
        """Acknowledge bytes of a body: the peer may send as many again."""
        if stream.id not in self.streams:
            return  # whatever it held was acknowledged when it ended
        stream.unconsumed -= amount
        stream.owed += amount
        if not self.client:
            self._consumed_of_connection(amount)
        if stream.owed >= STREAM_WINDOW // 2 and not stream.remote_closed:
            self._out.append(h2.window_update(stream.id, stream.owed))
            stream.receive_window += stream.owed
            stream.owed = 0

    def reset(self, stream: Http2Stream, code: ErrorCode) -> None:
        """End a stream at once; its user is told nothing."""
        stream.user = None
        if stream.id in self.streams:
            self._out.append(h2.reset_frame(stream.id, code))
            if not stream.remote_closed:
                if len(self._forgotten) >= _MAX_REMEMBERED_RESETS:
                    del self._forgotten[next(iter(self._forgotten))]
                self._forgotten[stream.id] = None
            self._forget(stream)

    def go_away(self, *, warn_only: bool = False) -> None:
        """Tell the peer to open no more streams; `warn_only` still takes those that are on their way."""
        if self._refuse_beyond == _LAST_STREAM:
            if warn_only:
                self._out.append(h2.goaway_frame(_LAST_STREAM, ErrorCode.NO_ERROR))
            else:
                self._say_goodbye(ErrorCode.NO_ERROR)

    def lost(self, reason: str) -> None:
        """The connection is gone: so are all its streams."""
        for stream in list(self.streams.values()):
            user, stream.user = stream.user, None
            if user is not None:
                user.stream_reset(ErrorCode.CANCEL, reason)
        self.streams.clear()

    def receive(self, data: bytes) -> None:
        """Take bytes of the peer.

        Raises:
            Http2Error: the connection ends; what is left to send says so to the peer.
        """
        try:
            self._receive(data)
        except HpackError as error:
            broken = Http2Error(ErrorCode.COMPRESSION_ERROR, str(error))
            self._say_goodbye(broken.code)
            raise broken from None
        except Http2Error as error:
            self._say_goodbye(error.code)
            raise

    def _say_goodbye(self, code: ErrorCode) -> None:
        self._refuse_beyond = self._last_peer_stream
        self._out.append(h2.goaway_frame(self._refuse_beyond, code))

    def _receive(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at = 0
        if self._preface_left:
            at = len(self._preface_left)
            if not data.startswith(self._preface_left[: len(data)]):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "no preface of HTTP/2")
            if len(data) < at:
                self._buffer = data
                return
            self._preface_left = b""
        size = len(data)
        while size - at >= h2.HEADER_BYTES:
            upper, lower, kind, flags, number = h2.read_frame_header(data, at)
            length = upper << 8 | lower
            if length > h2.MAX_FRAME_BYTES:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "a frame that is too large")
            start = at + h2.HEADER_BYTES
            end = start + length
            if end > size:
                break
            at = end
            self._frame(kind, flags, number & 0x7FFFFFFF, data[start:end])
        self._buffer = data[at:]

    def _frame(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if self._block_stream:
            if kind != h2.CONTINUATION or number != self._block_stream:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a header block that is interrupted")
            self._continuation(flags, payload)
        elif not self._settled and (kind != h2.SETTINGS or flags & h2.ACK):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "no SETTINGS first")
        elif kind == h2.HEADERS:
            self._headers(flags, number, payload)
        elif kind == h2.DATA:
            self._data(flags, number, payload)
        elif kind == h2.WINDOW_UPDATE:
            self._window_update(number, payload)
        else:
            self._control(kind, flags, number, payload)

    def _control(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == h2.SETTINGS:
            self._settings(flags, number, payload)
        elif kind == h2.PING:
            self._ping(flags, number, payload)
        elif kind == h2.RST_STREAM:
            self._rst_stream(number, payload)
        elif kind == h2.GOAWAY:
            self._goaway(number, payload)
        elif kind == h2.PRIORITY:
            if number == 0:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "PRIORITY of the connection")
            self._bear(1)
            if len(payload) != 5 or int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == number:
                self._broken_stream(number, ErrorCode.PROTOCOL_ERROR, "malformed PRIORITY")
        elif kind == h2.PUSH_PROMISE:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE")
        elif kind == h2.CONTINUATION:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        else:
            self._bear(1)  # section 5.5: unknown frames are ignored

    # Header blocks.

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if number == 0 or (not self.client and not number & 1):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "HEADERS of a stream that cannot be")
        if flags & h2.PADDED:
            payload = h2.unpadded(payload, flags)
        if flags & h2.PRIORITY_FLAG:
            if len(payload) < 5:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
            if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == number:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a stream that depends on itself")
            payload = payload[5:]
        if flags & h2.END_HEADERS:
            self._header_block(number, payload, bool(flags & h2.END_STREAM))
            return
        self._block = [payload]
        self._block_bytes = len(payload)
        self._block_stream = number
        self._block_ends = bool(flags & h2.END_STREAM)

    def _continuation(self, flags: int, payload: bytes) -> None:
        self._block.append(payload)
        self._block_bytes += len(payload)
        if self._block_bytes > _MAX_BLOCK_BYTES or len(self._block) > _MAX_BLOCK_FRAMES:
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "a header block that is too long")
        if flags & h2.END_HEADERS:
            number, block = self._block_stream, b"".join(self._block)
            self._block_stream = 0
            self._block = []
            self._header_block(number, block, self._block_ends)

    def _header_block(self, number: int, encoded: bytes, ended: bool) -> None:
        block = self._decoder.decode(encoded)
        stream = self.streams.get(number)
        if stream is None:
            self._new_stream(number, block, ended)
            return
        if stream.remote_closed:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "HEADERS after the end of a stream")
        user = stream.user
        if ended:
            stream.remote_closed = True
        if user is not None:
            try:
                user.headers_came(block, ended)
            except StreamError as error:
                self._broken_stream(number, error.code, error.reason)
                return
        self.settle(stream)

    def _new_stream(self, number: int, block: HeaderBlock, ended: bool) -> None:
        if self.client or number <= self._last_peer_stream:
            self._late(number)
            return
        self._last_peer_stream = number
        if number > self._refuse_beyond or len(self.streams) >= MAX_STREAMS:
            self._spend_reset()
            self._out.append(h2.reset_frame(number, ErrorCode.REFUSED_STREAM))
            self._forgotten[number] = None
            return
        self._calm.earn(5)
        stream = Http2Stream(number, None, self.initial_send_window, STREAM_WINDOW)
        stream.remote_closed = ended
        self.streams[number] = stream
        try:
            self._owner.stream_opened(stream, block, ended)
        except StreamError as error:
            self._broken_stream(number, error.code, error.reason)
        else:
            self.settle(stream)

    def _late(self, number: int) -> None:
        """A frame of a stream that is over: its sender may not know yet that it was reset here."""
        if number not in self._forgotten and not (self.client and 0 < number < self._first_unopened(number)):
            if number >= self._first_unopened(number):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
            raise Http2Error(ErrorCode.STREAM_CLOSED, "a frame of a stream that has ended")
        self._bear(1)

    # Bodies and windows.

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "DATA of the connection")
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        ended = bool(flags & h2.END_STREAM)
        if flags & h2.PADDED:
            payload = h2.unpadded(payload, flags)
        stream = self.streams.get(number)
        if stream is None:
            self._late(number)
            self._consumed_of_connection(size)
            return
        if stream.remote_closed:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "DATA after the end of a stream")
        stream.receive_window -= size
        if self.client:
            self._consumed_of_connection(size)  # other streams must not wait for a slow reader of this one
        stream.unconsumed += size
        if stream.receive_window < 0:
            self._broken_stream(number, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
            return
        if size > len(payload):
            self.consumed(stream, size - len(payload))
        if payload:
            self._calm.earn(1)
        elif not ended:
            self._bear(4)
        if ended:
            stream.remote_closed = True
        if stream.user is None:
            self.consumed(stream, len(payload))
        else:
            try:
                stream.user.data_came(payload, ended)
            except StreamError as error:
                self._broken_stream(number, error.code, error.reason)
                return
        self.settle(stream)

    def _consumed_of_connection(self, amount: int) -> None:
        self._owed += amount
        if self._owed >= CONNECTION_WINDOW // 2:
            self._out.append(h2.window_update(0, self._owed))
            self._receive_window += self._owed
            self._owed = 0

    def _window_update(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a broken length")
        self._bear(1)
        amount = int.from_bytes(payload, "big") & 0x7FFFFFFF
        if number == 0:
            self.send_window += amount
            if amount == 0 or self.send_window > h2.MAX_WINDOW:
                code = ErrorCode.FLOW_CONTROL_ERROR if amount else ErrorCode.PROTOCOL_ERROR
                raise Http2Error(code, "WINDOW_UPDATE of nothing, or beyond the greatest window")
            self.pump()
            return
        stream = self.streams.get(number)
        if stream is None:
            if number not in self._forgotten and number >= self._first_unopened(number):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
            return
        stream.send_window += amount
        if amount == 0:
            self._broken_stream(number, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        elif stream.send_window > h2.MAX_WINDOW:
            self._broken_stream(number, ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE beyond the greatest window")
        elif stream.queue:
            self.await_window(stream)
            self.pump()

    # What concerns the connection.

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "SETTINGS of a stream")
        if flags & h2.ACK:
            if payload:
                raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with a payload")
            self._bear(1)
            return
        settings = h2.read_settings(payload)
        self._bear(10 + len(settings))
        for name, value in settings:
            if name == h2.INITIAL_WINDOW_SIZE:
                self.change_initial_window(value)
            elif name == h2.HEADER_TABLE_SIZE:
                self.encoder.limit_table(value)
            elif name == h2.MAX_CONCURRENT_STREAMS:
                self.peer_max_streams = min(value, MAX_STREAMS)
            elif (name == h2.MAX_FRAME_SIZE and not h2.MAX_FRAME_BYTES <= value <= 0xFFFFFF) or (
                name == h2.ENABLE_PUSH and value > (0 if self.client else 1)
            ):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a setting out of its range")
        self._settled = True
        self._out.append(h2.SETTINGS_ACK)
        self.pump()
        self._owner.peer_settled()

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "PING of a stream")
        if len(payload) != 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "PING of a broken length")
        self._bear(2)
        if not flags & h2.ACK:
            self._out.append(h2.frame(h2.PING, h2.ACK, 0, payload))

    def _rst_stream(self, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of a broken length")
        stream = self.streams.get(number)
        if stream is None:
            if number == 0 or (number not in self._forgotten and number >= self._first_unopened(number)):
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "a frame of a stream that was never opened")
            self._bear(1)
            return
        code = int.from_bytes(payload, "big")
        if not self.client:
            self._spend_reset()
        user, stream.user = stream.user, None
        self._forget(stream)
        if user is not None:
            user.stream_reset(code, f"reset by peer ({_code_name(code)})")

    def _goaway(self, number: int, payload: bytes) -> None:
        if number:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "GOAWAY of a stream")
        if len(payload) < 8:
            raise Http2Error(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY of a broken length")
        self._bear(1)
        last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        name = _code_name(int.from_bytes(payload[4:8], "big"))
        self.peer_going_away = True
        if self.client:
            for stream in [stream for stream in self.streams.values() if stream.id > last]:
                user, stream.user = stream.user, None
                self._forget(stream)
                if user is not None:
                    user.stream_reset(ErrorCode.REFUSED_STREAM, f"connection is going away ({name})")
        self._owner.going_away(name)

    # Ends.

    def _broken_stream(self, number: int, code: ErrorCode, reason: str) -> None:
        """Reset a stream for an error of the peer's; making this end do so costs as much as resetting."""
        if not self.client:
            self._spend_reset()
        stream = self.streams.get(number)
        if stream is None:
            self._out.append(h2.reset_frame(number, code))
            return
        user = stream.user
        self.reset(stream, code)
        if user is not None:
            user.stream_reset(code, reason)

    def _forget(self, stream: Http2Stream) -> None:
        super()._forget(stream)
        if stream.remote_closed and stream.local_closed:
            self._resets.earn(1)
        if stream.unconsumed and not self.client:
            self._consumed_of_connection(stream.unconsumed)
        stream.unconsumed = 0

    def earned(self) -> None:
        """A frame of a body was sent, for which the peer may answer with updates of windows."""
        self._calm.earn(4)

    def _first_unopened(self, number: int) -> int:
        if self.client:
            return self._next_stream if number & 1 else 0
        return self._last_peer_stream + 1 if number & 1 else 0

    def _bear(self, cost: int) -> None:
        if not self._calm.spend(cost):
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _spend_reset(self) -> None:
        if not self._resets.spend():
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too many streams that are reset")


def _code_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"0x{code:x}"
