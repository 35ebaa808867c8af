"""Certificates at the edge: this workload's identity, and whom a peer's certificate proves it to be.

X.509-SVID sections 2, 4 and 5: exactly one URI SAN, a leaf, `spiffe://` with a path. Chains are verified by OpenSSL
against the trust bundle; names are read from the verified certificate only.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from meshc_runtime.snapshot import CertificateFiles, TlsTransport
from meshc_runtime.tls_layer import tls_reason

_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")
_MAX_CACHED = 4096


class IdentityError(Exception):
    """A certificate that proves no identity, or files that cannot; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """What a verified certificate proves, until when (Unix seconds): a SPIFFE ID; and its SHA-256 in hex."""

    spiffe_id: str
    fingerprint: str
    not_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInfo:
    """What the admin endpoint tells of a certificate."""

    path: str
    spiffe_id: str
    serial: str
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityInfo:
    """What the admin endpoint tells of a certificate in the trust bundle; times are ISO 8601."""

    subject: str
    serial: str
    not_before: str
    not_after: str


class _InboundSession(ssl.SSLObject):
    """A server's TLS session that remembers which server name its client asked for."""

    asked_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTls:
    """The loaded identity of this workload, ready for both directions; clients by what they say they speak."""

    server: ssl.SSLContext
    clients: Mapping[str, ssl.SSLContext]
    certificate: CertificateInfo
    authorities: tuple[AuthorityInfo, ...]


class PeerIdentities:
    """Reads identities from DER certificates, and remembers them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[bytes, PeerIdentity] = {}

    def read(self, session: ssl.SSLObject | None) -> PeerIdentity:
        """The identity of the peer of a session whose handshake is done.

        Raises:
            IdentityError: no certificate, or one that is no X.509-SVID.
        """
        der = None if session is None else session.getpeercert(True)
        if der is None:
            raise IdentityError("no certificate")
        identity = self._known.get(der)
        if identity is None:
            identity = _read_identity(der)
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[der] = identity
        if identity.not_after < self._clock():
            raise IdentityError("the certificate has expired")  # in a session that began before
        return identity


def _read_identity(der: bytes) -> PeerIdentity:
    try:
        certificate = x509.load_der_x509_certificate(der)
        spiffe_id = _spiffe_id(certificate)
    except (ValueError, x509.DuplicateExtension) as error:
        raise IdentityError(f"unreadable certificate: {type(error).__name__}") from None
    return PeerIdentity(
        spiffe_id=spiffe_id,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def _spiffe_id(certificate: x509.Certificate) -> str:
    extensions = certificate.extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise IdentityError("the certificate has no URI SAN") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise IdentityError(f"the certificate has {len(uris)} URI SANs, not one")
    if not _SPIFFE_ID.fullmatch(uris[0]):
        raise IdentityError("the certificate's URI SAN is no SPIFFE ID of a workload")
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise IdentityError("the certificate is an authority's")
    except x509.ExtensionNotFound:
        pass
    return uris[0]


def verify_dns_name(session: ssl.SSLObject | None, accepted: tuple[str, ...]) -> None:
    """Check that the peer's certificate carries one of these names (RFC 6125 section 6.4.3).

    Raises:
        IdentityError: it carries none of them.
    """
    der = None if session is None else session.getpeercert(True)
    carried: list[str] = []
    if der is not None:
        try:
            certificate = x509.load_der_x509_certificate(der)
            if certificate.not_valid_after_utc < datetime.now(UTC):
                raise IdentityError("the server's certificate has expired")  # in a session that began before
            extensions = certificate.extensions
            names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            carried = names.get_values_for_type(x509.DNSName)
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            carried = []
    for name in carried:
        lower = name.lower()
        for wanted in accepted:
            _, _, parent = wanted.partition(".")
            if lower == wanted or (lower.startswith("*.") and "." in parent and lower[2:] == parent):
                return
    raise IdentityError("the server's certificate has none of the accepted names")


def load_mesh_tls(
    files: CertificateFiles, spiffe_id: str, knows_server_name: Callable[[str | None], bool], now: datetime
) -> MeshTls:
    """Load the workload's key, certificate and trust bundle, and check that they belong together.

    Raises:
        IdentityError: a file is missing, unreadable or malformed, the key is not the certificate's, the
            certificate is not valid now, or is not this workload's, or no authority is valid now.
    """
    info = _describe(files.cert_chain, spiffe_id, now)
    server = _context(ssl.PROTOCOL_TLS_SERVER, files)
    server.verify_mode = ssl.CERT_REQUIRED
    # Sessions are resumed within one loading of the files alone: the keys of tickets are the context's, which a change
    # of certificate or trust bundle replaces. That a peer's certificate still holds is checked each time.
    server.num_tickets = 1
    # A request's end never depends on the connection's: a client that only half-closes gets its answer.
    server.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    server.sslobject_class = _InboundSession

    def select(session: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if not knows_server_name(name):
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        if isinstance(session, _InboundSession):
            session.asked_name = name
        return None

    server.sni_callback = select
    server.set_alpn_protocols(["h2", "http/1.1"])
    clients = {speaks: _mesh_client(files, speaks) for speaks in ("http/1.1", "h2", "bytes")}
    return MeshTls(server=server, clients=clients, certificate=info, authorities=_authorities(files.trust_bundle, now))


def asked_server_name(session: ssl.SSLObject | None) -> str | None:
    """The SNI of a client of ours."""
    return session.asked_name if isinstance(session, _InboundSession) else None


def _mesh_client(files: CertificateFiles, speaks: str) -> ssl.SSLContext:
    client = _context(ssl.PROTOCOL_TLS_CLIENT, files)
    client.check_hostname = False  # the SPIFFE ID is checked instead, exactly
    client.verify_mode = ssl.CERT_REQUIRED
    _offer(client, speaks)
    return client


def _offer(client: ssl.SSLContext, speaks: str) -> None:
    """Say what will be spoken (RFC 7301); of bytes nothing is said."""
    if speaks != "bytes":
        client.set_alpn_protocols([speaks])


def external_context(transport: TlsTransport, speaks: str) -> ssl.SSLContext:
    """The client context for something outside the mesh; this workload's identity is not shown to it.

    Raises:
        IdentityError: the file of trusted roots cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # any of the declared names will do: see verify_dns_name
    context.verify_mode = ssl.CERT_REQUIRED
    _offer(context, speaks)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if transport.minimum_version == "1.3" else ssl.TLSVersion.TLSv1_2
    if transport.ca_file is None:
        context.load_default_certs()
    else:
        _load_roots(context, transport.ca_file)
    return context


def _context(protocol: int, files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(files.cert_chain, files.private_key, password=_refuse_password)
    except ssl.SSLError as error:
        raise IdentityError(f"cannot use the key {files.private_key}: {_wrong_key(error, files)}") from None
    except OSError as error:
        raise IdentityError(f"cannot use the key {files.private_key}: {_reason(error)}") from None
    except ValueError:
        raise IdentityError(f"cannot use the key {files.private_key}: it is encrypted") from None
    _load_roots(context, files.trust_bundle)
    return context


def _wrong_key(error: ssl.SSLError, files: CertificateFiles) -> str:
    reason = tls_reason(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"it is not the key of the certificate {files.cert_chain} ({reason})"
    return f"it is no private key in PEM ({reason})"


def _refuse_password() -> str:
    raise ValueError("the private key is encrypted")


def _load_roots(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise IdentityError(f"cannot use the trust bundle {path}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return tls_reason(error) if isinstance(error, ssl.SSLError) else (error.strerror or str(error))


def _describe(path: str, spiffe_id: str, now: datetime) -> CertificateInfo:
    try:
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
        named = _spiffe_id(certificate)
    except OSError as error:
        raise IdentityError(f"cannot read the certificate {path}: {error.strerror or error}") from None
    except (ValueError, x509.DuplicateExtension):
        raise IdentityError(f"cannot read the certificate {path}: it is not PEM") from None
    except IdentityError as error:
        raise IdentityError(f"cannot use the certificate {path}: {error}") from None
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now <= ends:
        state = "has expired on" if now > ends else "is not valid before"
        raise IdentityError(f"the certificate {path} {state} {(ends if now > ends else begins).isoformat()}")
    if named != spiffe_id:
        raise IdentityError(f"the certificate {path} is for {named}, and this proxy is {spiffe_id}")
    return CertificateInfo(
        path=path,
        spiffe_id=named,
        serial=f"{certificate.serial_number:x}",
        not_before=begins.astimezone(UTC).isoformat(),
        not_after=ends.astimezone(UTC).isoformat(),
    )


def _authorities(path: str, now: datetime) -> tuple[AuthorityInfo, ...]:
    """The certificates of a trust bundle that OpenSSL has read, one of which must be valid."""
    try:
        found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError):
        raise IdentityError(f"cannot use the trust bundle {path}: it is not PEM") from None
    if not any(one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in found):
        latest = max((one.not_valid_after_utc for one in found), default=now)
        state = f"the last expired on {latest.isoformat()}" if latest < now else "none is valid yet"
        raise IdentityError(f"cannot use the trust bundle {path}: no authority in it is valid now; {state}")
    return tuple(
        AuthorityInfo(
            subject=one.subject.rfc4514_string(),
            serial=f"{one.serial_number:x}",
            not_before=one.not_valid_before_utc.isoformat(),
            not_after=one.not_valid_after_utc.isoformat(),
        )
        for one in found
    )
