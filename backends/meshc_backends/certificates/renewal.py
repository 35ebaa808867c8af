"""Which certificates of the last build are kept."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshc_backends.certificates.authority import Authority
from meshc_backends.certificates.life import CertificateLife
from meshc_backends.certificates.mint import Svid, certificate_pem, key_pem
from meshc_backends.certificates.svid import (
    authority_faults,
    authority_trust_domain,
    is_issued_by,
    leaf_faults,
    leaf_identity,
)
from meshc_compiler.ir.identity import SpiffeId


class Renewal:
    """Decides, for one authority and time, whether a workload's SVID of the last build is still good."""

    def __init__(self, authority: Authority, life: CertificateLife, now: datetime) -> None:
        self._authority = authority
        self._life = life
        self._now = now
        self._issuers: dict[bytes, bool] = {}

    def keeps(self, previous: Svid, identity: SpiffeId) -> bool:
        """Tell whether an SVID may be kept byte for byte.

        It is the identity's, its key is its own, it chains to the authority's root, and its renewal is not due. Files
        that hold anything else beside are not kept: what is shipped is what was issued, to the byte.
        """
        try:
            leaf, issuer = x509.load_pem_x509_certificates(previous.chain)
            key = serialization.load_pem_private_key(previous.key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            return False
        return (
            previous.chain == certificate_pem(leaf) + certificate_pem(issuer)
            and previous.key == key_pem(key)
            and key.public_key() == leaf.public_key()
            and not leaf_faults(leaf)
            and leaf_identity(leaf) == identity
            and self._is_fresh(leaf)
            and is_issued_by(leaf, issuer)
            and self._trusts(issuer)
        )

    def _is_fresh(self, leaf: x509.Certificate) -> bool:
        left = leaf.not_valid_after_utc - self._now
        # More left than a leaf is given now: the life has been shortened, and holds for what exists too.
        longest = self._life.leaf + self._life.backdate
        return leaf.not_valid_before_utc <= self._now and self._life.renew_before < left <= longest

    def _trusts(self, issuer: x509.Certificate) -> bool:
        # Nearly all leaves share one intermediate: it is looked into once.
        fingerprint = issuer.tbs_certificate_bytes + issuer.signature
        known = self._issuers.get(fingerprint)
        if known is None:
            known = self._issuers[fingerprint] = (
                issuer.not_valid_before_utc <= self._now < issuer.not_valid_after_utc
                and not authority_faults(issuer)
                and authority_trust_domain(issuer) == self._authority.trust_domain
                and is_issued_by(issuer, self._authority.root)
            )
        return known
