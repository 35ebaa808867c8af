"""The trust bundle: the roots by which members of a trust domain know each other."""

from __future__ import annotations

import base64
import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshc_backends.certificates.mint import certificate_pem

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
"""Names of curves in JWKs (RFC 7518 §6.2.1.1)."""


def bundle_pem(roots: tuple[x509.Certificate, ...]) -> bytes:
    """Return the roots in PEM, one after another."""
    return b"".join(certificate_pem(root) for root in roots)


def bundle_jwks(roots: tuple[x509.Certificate, ...]) -> bytes:
    """Return the roots as a SPIFFE bundle: a JWK set (SPIFFE Trust Domain and Bundle §4, X509-SVID §6.2).

    Each key has `use` x509-svid, exactly one certificate in `x5c`, and no `kid`.
    """
    text = json.dumps({"keys": [_jwk(root) for root in roots]}, indent=2)
    return text.encode() + b"\n"


def _jwk(root: x509.Certificate) -> dict[str, str | list[str]]:
    key = root.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("an authority's root has an ECDSA key")  # open_authority refuses any other
    size = (key.curve.key_size + 7) // 8
    numbers = key.public_numbers()
    return {
        "kty": "EC",
        "use": "x509-svid",
        "crv": _CURVES[key.curve.name],
        "x": _base64url(numbers.x.to_bytes(size, "big")),
        "y": _base64url(numbers.y.to_bytes(size, "big")),
        "x5c": [base64.b64encode(root.public_bytes(serialization.Encoding.DER)).decode()],
    }


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
