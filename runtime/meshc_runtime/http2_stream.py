"""One stream of an HTTP/2 connection: who uses it, its windows, and what waits for the peer's window."""

from __future__ import annotations

from typing import Protocol

from meshc_runtime.hpack import Field, HeaderBlock


class StreamUser(Protocol):
    """Who is told what happens on a stream. After `stream_reset` nothing more is told."""

    def headers_came(self, block: HeaderBlock, ended: bool, /) -> None:
        """A header block: of a head, of an interim response, or of trailers.

        Raises:
            StreamError: it is malformed; the stream is reset.
        """

    def data_came(self, payload: bytes, ended: bool, /) -> None:
        """Some of the body, to be acknowledged by `consumed`.

        Raises:
            StreamError: it is more or less than was announced; the stream is reset.
        """

    def stream_reset(self, code: int, reason: str, /) -> None:
        """The stream is gone: reset by the peer, by an error of the peer's, or with the connection."""

    def stream_writable(self) -> None:
        """Everything that had to wait has been sent."""


class Http2Stream:
    """The state of one stream; its connection alone changes it.

    `unconsumed` bytes have come and are not acknowledged, `owed` ones are and the peer has not been told yet.
    """

    __slots__ = (
        "end_waits",
        "id",
        "local_closed",
        "owed",
        "queue",
        "queued",
        "receive_window",
        "remote_closed",
        "send_window",
        "trailers",
        "unconsumed",
        "user",
    )

    def __init__(self, number: int, user: StreamUser | None, send_window: int, receive_window: int) -> None:
        self.id = number
        self.user = user
        self.send_window = send_window
        self.receive_window = receive_window
        self.unconsumed = 0
        self.owed = 0
        self.queue: list[bytes] = []
        self.queued = 0
        self.end_waits = False
        self.trailers: tuple[Field, ...] = ()
        self.local_closed = False
        self.remote_closed = False

    def take(self, most: int) -> bytes:
        """Up to so many bytes of what waits."""
        first = self.queue[0]
        if len(first) <= most:
            del self.queue[0]
        else:
            first, self.queue[0] = first[:most], first[most:]
        self.queued -= len(first)
        return first
