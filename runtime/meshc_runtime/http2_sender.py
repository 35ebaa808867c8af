"""What one end of an HTTP/2 connection sends: header blocks, and bodies as far as the peer's windows allow."""

from __future__ import annotations

from meshc_runtime import http2_frame as h2
from meshc_runtime.hpack import Field, HpackEncoder
from meshc_runtime.http2_frame import ErrorCode, Http2Error
from meshc_runtime.http2_stream import Http2Stream

_SMALL_BYTES = 1024


class Http2Sender:
    """The sending half. While `full` is set the socket takes no more, and bodies wait."""

    def __init__(self) -> None:
        self.streams: dict[int, Http2Stream] = {}
        self.encoder = HpackEncoder()
        self.initial_send_window = h2.DEFAULT_WINDOW
        self.send_window = h2.DEFAULT_WINDOW
        self.full = False
        self._out: list[bytes] = []
        self._ready: dict[int, Http2Stream] = {}  # those that have something to send and a window of their own

    def take(self) -> bytes:
        """The bytes to send now."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

    def send_headers(
        self, stream: Http2Stream, fields: tuple[Field, ...], tail: tuple[Field, ...] = (), *, end: bool
    ) -> None:
        """Send a head, or an interim one."""
        self._out.append(h2.headers_frames(stream.id, self.encoder.encode(fields, tail), end_stream=end))
        if end:
            stream.local_closed = True
            self.settle(stream)

    def send_data(self, stream: Http2Stream, payload: bytes, *, end: bool) -> bool:
        """Send some of a body, or let it wait; false when it waits, and `stream_writable` will follow."""
        size = len(payload)
        if not stream.queue and (
            not size
            or (
                size <= h2.MAX_FRAME_BYTES and size <= stream.send_window and size <= self.send_window and not self.full
            )
        ):
            stream.send_window -= size
            self.send_window -= size
            self._out.append(h2.frame(h2.DATA, h2.END_STREAM if end else 0, stream.id, payload))
            self.earned()
            if end:
                stream.local_closed = True
                self.settle(stream)
            return True
        if payload:
            stream.queue.append(payload)
            stream.queued += size
        stream.end_waits = end
        self.await_window(stream)
        self.pump()
        return not stream.queue

    def send_trailers(self, stream: Http2Stream, trailers: tuple[Field, ...]) -> None:
        """End a body with trailers; without any it just ends."""
        if stream.queue:
            stream.trailers = trailers
            stream.end_waits = True
        elif trailers:
            self.send_headers(stream, trailers, end=True)
        elif self._ends_with_data_of(stream):
            last = self._out[-1]
            self._out[-1] = b"%b\x01%b" % (last[:4], last[5:])
            stream.local_closed = True
            self.settle(stream)
        else:
            self.send_data(stream, b"", end=True)

    def await_window(self, stream: Http2Stream) -> None:
        """Let a stream take part in what is sent, if its window allows something."""
        if stream.send_window > 0 and stream.queue:
            self._ready[stream.id] = stream

    def pump(self) -> None:
        """Send what waits, a frame of each stream in turn, as far as windows and socket allow."""
        ready = self._ready
        while ready and self.send_window > 0 and not self.full:
            for stream in list(ready.values()):
                if stream.id in ready:  # what is told of one stream may end another
                    self._send_waiting(stream)
                if self.send_window <= 0:
                    return

    def change_initial_window(self, size: int) -> None:
        """Follow the peer's setting (section 6.9.2): windows of open streams move by the difference.

        Raises:
            Http2Error: a window beyond the greatest.
        """
        if size > h2.MAX_WINDOW:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a setting beyond the greatest window")
        difference = size - self.initial_send_window
        self.initial_send_window = size
        for stream in self.streams.values():
            stream.send_window += difference
            if stream.send_window > h2.MAX_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "a setting beyond the greatest window")
            if stream.send_window > 0:
                self.await_window(stream)
            else:
                self._ready.pop(stream.id, None)

    def settle(self, stream: Http2Stream) -> None:
        """Forget a stream that both sides have ended."""
        if stream.local_closed and stream.remote_closed:
            self._forget(stream)

    def earned(self) -> None:
        """A DATA frame has been sent that no small window cut short."""

    def _ends_with_data_of(self, stream: Http2Stream) -> bool:
        """Whether the last frame to send is a small one of this stream's body, which may as well say that it ends."""
        if not self._out:
            return False
        last = self._out[-1]
        return (
            len(last) < _SMALL_BYTES
            and last[3] == h2.DATA
            and last[:3] == (len(last) - h2.HEADER_BYTES).to_bytes(3, "big")
            and last[5:9] == stream.id.to_bytes(4, "big")
        )

    def _send_waiting(self, stream: Http2Stream) -> None:
        payload = stream.take(min(h2.MAX_FRAME_BYTES, stream.send_window, self.send_window))
        size = len(payload)
        stream.send_window -= size
        self.send_window -= size
        last = stream.end_waits and not stream.queue
        ends_here = last and not stream.trailers
        self._out.append(h2.frame(h2.DATA, h2.END_STREAM if ends_here else 0, stream.id, payload))
        if size >= _SMALL_BYTES or not stream.queue:
            self.earned()
        if not stream.queue or stream.send_window <= 0:
            self._ready.pop(stream.id, None)
        if last:
            if ends_here:
                stream.local_closed = True
                self.settle(stream)
            else:
                self.send_headers(stream, stream.trailers, end=True)
        elif not stream.queue and stream.user is not None:
            stream.user.stream_writable()

    def _forget(self, stream: Http2Stream) -> None:
        self.streams.pop(stream.id, None)
        self._ready.pop(stream.id, None)
        stream.queue.clear()
        stream.queued = 0
