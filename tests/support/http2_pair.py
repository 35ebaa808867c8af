"""Our end of an HTTP/2 connection and one of the `h2` library, with nothing but bytes between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from meshc_runtime.hpack import Field, HeaderBlock
from meshc_runtime.http2_connection import Http2Connection
from meshc_runtime.http2_frame import Http2Error
from meshc_runtime.http2_stream import Http2Stream

REQUEST: tuple[Field, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":authority", b"api"),
    (b":path", b"/x"),
)
RESPONSE: tuple[Field, ...] = ((b":status", b"200"), (b"x-a", b"1"))


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class HeardStream:
    """What a user of one of our streams was told. While `slow`, bodies are not acknowledged."""

    blocks: list[tuple[Field, ...]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: str | None = None
    writable: int = 0
    slow: bool = False
    stream: Http2Stream | None = None
    connection: Http2Connection | None = None

    def headers_came(self, block: HeaderBlock, ended: bool, /) -> None:
        self.blocks.append(block.fields)
        self.ended = ended

    def data_came(self, payload: bytes, ended: bool, /) -> None:
        self.body += payload
        self.ended = ended
        if not self.slow and self.connection is not None and self.stream is not None:
            self.connection.consumed(self.stream, len(payload))

    def stream_reset(self, code: int, reason: str, /) -> None:
        self.reset = reason

    def stream_writable(self) -> None:
        self.writable += 1


class OurEnd:
    """Our connection, server or client, whose streams are heard."""

    def __init__(self, *, client: bool = False) -> None:
        self.clock = Clock()
        self.connection = Http2Connection(self, self.clock, client=client)
        self.heard: dict[int, HeardStream] = {}
        self.away: str | None = None
        self.slow = False
        self.broken: str | None = None

    def stream_opened(self, stream: Http2Stream, block: HeaderBlock, ended: bool, /) -> None:
        user = HeardStream(slow=self.slow, stream=stream, connection=self.connection)
        stream.user = user
        self.heard[stream.id] = user
        user.headers_came(block, ended)

    def going_away(self, reason: str, /) -> None:
        self.away = reason

    def peer_settled(self) -> None:
        pass

    def open(self) -> Http2Stream:
        user = HeardStream(slow=self.slow, connection=self.connection)
        stream = self.connection.open(user)
        user.stream = stream
        self.heard[stream.id] = user
        return stream

    def stream(self, number: int) -> Http2Stream:
        return self.connection.streams[number]

    def receive(self, data: bytes) -> bytes:
        """Take bytes; the answer. What ends the connection is kept in `broken`."""
        with contextlib.suppress(Http2Error):
            try:
                self.connection.receive(data)
            except Http2Error as error:
                self.broken = f"{error.code.name}: {error.reason}"
                raise
        return self.connection.take()


class Pair:
    """Our end and the library's; `talk` carries bytes until both are silent, in pieces of `slice_bytes`."""

    def __init__(self, *, client: bool = False, slice_bytes: int = 1 << 20) -> None:
        self.ours = OurEnd(client=client)
        self.theirs = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=not client, header_encoding=None)
        )
        self.theirs.initiate_connection()
        self.events: list[h2.events.Event] = []
        self._slice = slice_bytes
        self.talk()

    def talk(self) -> None:
        while True:
            sent = False
            for piece in self._pieces(self.theirs.data_to_send()):
                sent = True
                self._to_them(self.ours.receive(piece))
            data = self.ours.connection.take()
            if not data and not sent:
                return
            self._to_them(data)

    def _to_them(self, data: bytes) -> None:
        for piece in self._pieces(data):
            self.events += self.theirs.receive_data(piece)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), self._slice):
            yield data[at : at + self._slice]

    def bodies(self) -> dict[int, bytes]:
        """What the library got of each stream."""
        found: dict[int, bytes] = {}
        for event in self.events:
            if isinstance(event, h2.events.DataReceived):
                found[event.stream_id] = found.get(event.stream_id, b"") + event.data
        return found

    def acknowledge(self) -> None:
        """Let the library give back the windows of what it got since the last time."""
        for event in self.events:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    self.theirs.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                event.flow_controlled_length = 0

    def of(self, kind: type[h2.events.Event]) -> list[h2.events.Event]:
        return [event for event in self.events if isinstance(event, kind)]
