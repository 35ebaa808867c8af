"""TLS as a transformation of bytes, without a socket: `ssl.MemoryBIO` on both sides."""

from __future__ import annotations

import contextlib
import ssl

_READ_BYTES = 65_536


class TlsLayer:
    """One TLS connection's state: ciphertext in, plaintext out, and the other way round."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_name: str | None = None,
        resumed: ssl.SSLSession | None = None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.session = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name, session=resumed
        )
        self.established = False
        self.ended = False
        self.cut_off = False

    def shake_hands(self) -> None:
        """Go on with the handshake as far as the bytes at hand allow.

        Raises:
            ssl.SSLError: the peer is not accepted, or does not accept us.
        """
        with contextlib.suppress(ssl.SSLWantReadError):
            self.session.do_handshake()
            self.established = True

    def receive(self, data: bytes) -> None:
        """Take ciphertext; empty bytes are the end of the connection."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def read(self) -> bytes:
        """Some plaintext; empty when more ciphertext is needed or the peer has `ended`.

        Raises:
            ssl.SSLError: the bytes are not TLS, or the peer sent an alert.
        """
        try:
            plain = self.session.read(_READ_BYTES)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            plain = b""
        except ssl.SSLEOFError:
            self.cut_off = True
            plain = b""
        if not plain:
            self.ended = True
        return plain

    def write(self, data: bytes) -> None:
        """Encrypt; the ciphertext is in `outgoing`.

        Raises:
            ssl.SSLError: the connection is broken.
        """
        view = memoryview(data)
        while view:
            view = view[self.session.write(view) :]

    @property
    def resumable(self) -> ssl.SSLSession | None:
        """What spares the next connection to the same peer most of its handshake; None before the peer gave it."""
        session = self.session.session if self.established else None
        return session if session is not None and session.has_ticket else None

    def outgoing(self) -> bytes:
        """The ciphertext to send now."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def say_goodbye(self) -> None:
        """Queue the close alert, so that the peer can tell the end from a cut."""
        with contextlib.suppress(ssl.SSLError):
            self.session.unwrap()


def tls_reason(error: Exception) -> str:
    """The short name of a TLS failure, such as CERTIFICATE_VERIFY_FAILED."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.reason}: {error.verify_message}"
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, str) else type(error).__name__
