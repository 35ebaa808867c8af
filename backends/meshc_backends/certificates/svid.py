"""The rules of X.509-SVIDs, as questions to a certificate (SPIFFE X509-SVID §2 to §5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from meshc_compiler.ir.identity import SpiffeId, is_trust_domain

_MALFORMED = (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What `cryptography` raises on a certificate whose fields cannot be read."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def leaf_faults(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return what keeps a certificate from being a workload's SVID, as half-sentences; empty if nothing does."""
    try:
        return tuple(_leaf_faults(certificate))
    except _MALFORMED:
        return ("has extensions that cannot be read",)


def authority_faults(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return what keeps a certificate from being a signing certificate, as half-sentences; empty if nothing does."""
    try:
        return tuple(_authority_faults(certificate))
    except _MALFORMED:
        return ("has extensions that cannot be read",)


def leaf_identity(certificate: x509.Certificate) -> SpiffeId | None:
    """Return the SPIFFE ID of a leaf; None unless its only URI is one with a path."""
    uris = _uris(certificate)
    return SpiffeId.parse(uris[0]) if len(uris) == 1 else None


def authority_trust_domain(certificate: x509.Certificate) -> str | None:
    """Return the trust domain of a signing certificate; None unless its only URI is a SPIFFE ID without a path."""
    uris = _uris(certificate)
    if len(uris) != 1:
        return None
    scheme, separator, domain = uris[0].partition("://")
    named = scheme.lower() == "spiffe" and separator and is_trust_domain(domain.lower())
    return domain.lower() if named else None


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate claims to be an authority."""
    try:
        constraints = _find(certificate, x509.BasicConstraints)
    except _MALFORMED:
        return False
    return constraints is not None and constraints.value.ca


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's key signed the certificate, by its name and within its own validity."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_MALFORMED, InvalidSignature):
        return False
    return (
        issuer.not_valid_before_utc <= certificate.not_valid_before_utc
        and certificate.not_valid_after_utc <= issuer.not_valid_after_utc
    )


def _leaf_faults(certificate: x509.Certificate) -> Iterator[str]:
    uris = _uris(certificate)
    if len(uris) != 1:
        yield f"has {len(uris)} URI names instead of one"
    elif SpiffeId.parse(uris[0]) is None:
        yield "has a URI name that is no SPIFFE ID of a workload"
    names = _find(certificate, x509.SubjectAlternativeName)
    if names is not None and not names.critical and not list(certificate.subject):
        yield "has an empty subject and a SAN that is not critical"
    if is_authority(certificate):
        yield "is an authority"
    usage = _find(certificate, x509.KeyUsage)
    if usage is None:
        yield "has no key usage"
    else:
        if not usage.critical:
            yield "has a key usage that is not critical"
        if not usage.value.digital_signature:
            yield "may not sign digitally"
        if usage.value.key_cert_sign or usage.value.crl_sign:
            yield "may sign certificates or revocation lists"
    extended = _find(certificate, x509.ExtendedKeyUsage)
    if extended is not None:
        if ExtendedKeyUsageOID.SERVER_AUTH not in extended.value:
            yield "may not be used by a server"
        if ExtendedKeyUsageOID.CLIENT_AUTH not in extended.value:
            yield "may not be used by a client"


def _authority_faults(certificate: x509.Certificate) -> Iterator[str]:
    if not is_authority(certificate):
        yield "is not an authority"
    usage = _find(certificate, x509.KeyUsage)
    if usage is None:
        yield "has no key usage"
    else:
        if not usage.critical:
            yield "has a key usage that is not critical"
        if not usage.value.key_cert_sign:
            yield "may not sign certificates"


def _find(certificate: x509.Certificate, kind: type[_Extension]) -> x509.Extension[_Extension] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = _find(certificate, x509.SubjectAlternativeName)
    except _MALFORMED:
        return []
    return names.value.get_values_for_type(x509.UniformResourceIdentifier) if names else []
