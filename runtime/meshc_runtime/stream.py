"""One connection's bytes, in the clear or inside TLS: bounded buffers, pause and resume, orderly end."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import Protocol

from meshc_runtime.loop import READ, WRITE, Loop
from meshc_runtime.tls_layer import TlsLayer, tls_reason

RECEIVE_BYTES = 65_536
HIGH_WATER = 262_144


class StreamOwner(Protocol):
    """Who is told what happens on a stream. After `lost` nothing more is told."""

    def connected(self) -> None:
        """The connection, TLS included, is up."""

    def received(self, data: bytes) -> None:
        """Bytes of the peer."""

    def ended(self, clean: bool, /) -> None:
        """The peer sends no more; not clean when TLS was cut off."""

    def drained(self) -> None:
        """Everything written has left, after the stream was congested or told to finish."""

    def lost(self, reason: str, /) -> None:
        """The connection is gone and closed."""


class Stream:
    """A non-blocking TCP connection, with TLS when `tls` is given. It closes its socket itself."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        owner: StreamOwner,
        *,
        tls: TlsLayer | None = None,
        connecting: bool = False,
    ) -> None:
        self.owner = owner
        self.tls = tls
        self.closed = False
        self._loop = loop
        self._sock = sock
        self._connecting = connecting
        self._out = bytearray()
        self._was_congested = False
        self._finishing = False
        self._says_no_more = False
        self._paused = False
        self._ended = False
        self._events = WRITE if connecting else READ
        self._watched = True
        loop.register(sock, self, self._events)

    @property
    def peer(self) -> bytes:
        """The address of the peer, without its port; empty when the connection is gone."""
        try:
            address = self._sock.getpeername()
        except OSError:
            return b""
        return str(address[0]).encode() if isinstance(address, tuple) else b""

    @property
    def congested(self) -> bool:
        """Whether the peer reads too slowly for more to be written now; `drained` will tell."""
        if len(self._out) > HIGH_WATER:
            self._was_congested = True
            return True
        return False

    @property
    def established(self) -> bool:
        """Whether bytes of the application may flow."""
        return not self._connecting and (self.tls is None or self.tls.established)

    @property
    def waiting(self) -> int:
        """How many bytes have been written and have not left."""
        return len(self._out)

    @property
    def sent(self) -> bool:
        """Whether everything written has left."""
        return not self._out

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent; nothing happens on a closed stream."""
        if self.closed or self._finishing or self._says_no_more:
            return
        if self.tls is None:
            self._send(data)
            return
        try:
            self.tls.write(data)
        except ssl.SSLError:
            return  # reading will find out, and tell what is left to tell
        self._send(self.tls.outgoing())

    def pause(self) -> None:
        """Read no more until `resume`."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            self._watch()

    def end_writing(self) -> None:
        """Tell the peer, when what is left has been sent, that no more comes; read on what it still sends."""
        if self.closed or self._finishing or self._says_no_more:
            return
        self._says_no_more = True
        if self.tls is not None and self.tls.established:
            self.tls.say_goodbye()
            self._send(self.tls.outgoing())
        if not self._out:
            self._shut_down()

    def finish(self) -> None:
        """Send what is left and tell the peer that no more comes; what it still sends is thrown away."""
        if self.closed or self._finishing:
            return
        if self.tls is not None and self.tls.established:
            self.tls.say_goodbye()
            self._send(self.tls.outgoing())
        self._finishing = True
        if not self._out:
            self._shut_down()

    def close(self) -> None:
        """Give up the connection now."""
        if not self.closed:
            self.closed = True
            self._out.clear()
            self._loop.retire(self._sock)

    def ready(self, events: int) -> None:
        """The loop's report."""
        if self._connecting:
            self._finish_connecting()
            return
        if events & WRITE and not self.closed:
            self._drain()
        if events & ~WRITE and not self.closed:
            if self._paused or self._ended:
                if events & ~(READ | WRITE):
                    self._broken_unread()
                return
            self._receive()

    def crashed(self, error: Exception) -> None:
        """The loop caught an error in the owner: this connection and its partner are given up."""
        self._lose(f"internal error: {type(error).__name__}")

    def _finish_connecting(self) -> None:
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lose(f"connect: {os.strerror(error)}")
            return
        self._connecting = False
        self._watch()
        if self.tls is None:
            self.owner.connected()
        else:
            self._shake_hands(self.tls)

    def _receive(self) -> None:
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"read: {error.strerror or error}")
            return
        if self.tls is None or self._finishing:
            if data:
                if not self._finishing:
                    self.owner.received(data)
            else:
                self._ended = True
                self._watch()
                self.owner.ended(True)
        else:
            self._decrypt(self.tls, data)

    def _decrypt(self, tls: TlsLayer, data: bytes) -> None:
        tls.receive(data)
        try:
            if not tls.established and not self._shake_hands(tls):
                if not data:
                    self._lose("TLS: closed during the handshake")
                return
            while not self.closed:
                plain = tls.read()
                if not plain:
                    break
                self.owner.received(plain)
        except ssl.SSLError as error:
            self._send(tls.outgoing())
            self._lose(f"TLS: {tls_reason(error)}")
            return
        if self.closed:
            return
        self._send(tls.outgoing())
        if tls.ended and not self._ended:
            self._ended = True
            self._watch()
            self.owner.ended(not tls.cut_off)

    def _shake_hands(self, tls: TlsLayer) -> bool:
        """Whether the connection is up; it may be lost instead."""
        try:
            tls.shake_hands()
        except (ssl.SSLError, OSError) as error:
            self._send(tls.outgoing())
            self._lose(f"TLS: {tls_reason(error)}")
            return False
        self._send(tls.outgoing())
        if tls.established and not self.closed:
            self.owner.connected()
        return tls.established and not self.closed

    def _send(self, data: bytes) -> None:
        if self.closed or not data:
            return
        if self._out or self._connecting:
            self._out += data
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The peer is gone for writing; what it sent before may still be read, and ends in an error.
            return
        if sent < len(data):
            self._out += memoryview(data)[sent:]
            self._watch()

    def _drain(self) -> None:
        try:
            sent = self._sock.send(self._out) if self._out else 0
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._out)  # as in `_send`
        del self._out[:sent]
        if self._out:
            return
        self._watch()
        if self._finishing or self._says_no_more:
            self._shut_down()
            self.owner.drained()
        elif self._was_congested:
            self._was_congested = False
            self.owner.drained()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _watch(self) -> None:
        if self.closed or self._connecting:
            return
        events = 0 if self._paused or self._ended else READ
        if self._out:
            events |= WRITE
        if not self._watched:
            self._watched = True
            self._loop.register(self._sock, self, events)
        elif events != self._events:
            self._loop.modify(self._sock, events)
        self._events = events

    def _broken_unread(self) -> None:
        """A hang-up cannot be masked: while nobody reads, stop watching instead of spinning."""
        if self._ended:
            self._lose("connection reset")
        else:
            self._watched = False
            self._loop.unregister(self._sock)

    def _lose(self, reason: str) -> None:
        if not self.closed:
            self.close()
            self.owner.lost(reason)
