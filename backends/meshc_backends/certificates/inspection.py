"""What a certificate says, for people to read."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from meshc_backends.certificates.svid import (
    authority_faults,
    authority_trust_domain,
    is_authority,
    leaf_faults,
    leaf_identity,
)
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSummary:
    """What matters of one certificate; nothing of a key.

    `identity` is the SPIFFE ID (of an authority: without a path), None where there is none. `serial` and `fingerprint`
    (SHA-256) are lower-case hexadecimal. `faults` says which rules of X.509-SVIDs it breaks.
    """

    identity: str | None
    is_authority: bool
    subject: str
    issuer: str
    serial: str
    begin: datetime
    end: datetime
    fingerprint: str
    faults: tuple[str, ...]


def inspect_certificates(pem: bytes) -> tuple[CertificateSummary, ...] | None:
    """Return what the certificates of a PEM file say, in order; None where the file holds none that can be read."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return None
    return tuple(_summary(certificate) for certificate in certificates)


def _summary(certificate: x509.Certificate) -> CertificateSummary:
    authority = is_authority(certificate)
    domain = authority_trust_domain(certificate) if authority else None
    identity = leaf_identity(certificate)
    return CertificateSummary(
        identity=f"spiffe://{domain}" if domain else str(identity) if identity else None,
        is_authority=authority,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        begin=certificate.not_valid_before_utc,
        end=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        faults=authority_faults(certificate) if authority else leaf_faults(certificate),
    )
