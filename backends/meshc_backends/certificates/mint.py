"""The making of certificates: roots, intermediates, and the X.509-SVIDs of workloads (SPIFFE X509-SVID)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshc_backends.certificates.life import CertificateLife
from meshc_compiler.ir.identity import SpiffeId
from meshc_lang.record import dataclass, field

_LONGEST_NAME = 38
"""Characters of a trust domain that go into a common name, which holds 64 at most (RFC 5280, appendix A.1)."""


def generate_key() -> ec.EllipticCurvePrivateKey:
    """Return a new P-256 key: the curve that every TLS stack has, and whose signatures are small and quick."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A certificate and its private key; its repr shows neither."""

    certificate: x509.Certificate = field(repr=False)
    key: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Svid:
    """An issued X.509-SVID in PEM: `chain` is the leaf, then its intermediate; `key` is PKCS #8, not encrypted."""

    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """Makes certificates from a source of keys and one of serial numbers (positive, at most 159 bits).

    No certificate carries name constraints. A constraint of the intermediate to its trust domain is right by RFC 5280
    §4.2.1.10, and OpenSSL and GnuTLS accept it; but the verifier of `cryptography` does not know URI
    constraints and refuses the chain, and so does rustls (webpki from 0.103.12), which other meshes' proxies use.
    """

    life: CertificateLife = field(default_factory=CertificateLife)
    keys: Callable[[], ec.EllipticCurvePrivateKey] = generate_key
    serials: Callable[[], int] = x509.random_serial_number

    def root(self, trust_domain: str, now: datetime) -> CertifiedKey:
        """Return a new root for the trust domain, signed by itself."""
        key = self.keys()
        builder = self._authority(trust_domain, "root", key, path_length=None)
        begin, end = self._validity(now, self.life.root, None)
        name = _authority_name(trust_domain, "root", key)
        certificate = self._sign(builder, key, issuer_name=name, issuer_key=key, begin=begin, end=end)
        return CertifiedKey(certificate, key)

    def intermediate(self, trust_domain: str, root: CertifiedKey, now: datetime) -> CertifiedKey:
        """Return a new intermediate, which may sign leaves and nothing else; it does not outlive the root."""
        key = self.keys()
        builder = self._authority(trust_domain, "intermediate", key, path_length=0)
        begin, end = self._validity(now, self.life.intermediate, root.certificate)
        certificate = self._sign(
            builder, key, issuer_name=root.certificate.subject, issuer_key=root.key, begin=begin, end=end
        )
        return CertifiedKey(certificate, key)

    def svid(self, identity: SpiffeId, intermediate: CertifiedKey, now: datetime) -> Svid:
        """Return a new SVID for the identity; it does not outlive the intermediate.

        The subject is empty: the SPIFFE ID is the only name, and no peer can be led to match another. For that the
        SAN is critical (RFC 5280 §4.2.1.6).
        """
        key = self.keys()
        begin, end = self._validity(now, self.life.leaf, intermediate.certificate)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(identity))]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        issuer = intermediate.certificate
        leaf = self._sign(builder, key, issuer_name=issuer.subject, issuer_key=intermediate.key, begin=begin, end=end)
        return Svid(chain=certificate_pem(leaf) + certificate_pem(issuer), key=key_pem(key))

    def _authority(
        self, trust_domain: str, role: str, key: ec.EllipticCurvePrivateKey, path_length: int | None
    ) -> x509.CertificateBuilder:
        identity = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")
        return (
            x509.CertificateBuilder()
            .subject_name(_authority_name(trust_domain, role, key))
            .add_extension(x509.SubjectAlternativeName([identity]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        )

    def _validity(self, now: datetime, life: timedelta, issuer: x509.Certificate | None) -> tuple[datetime, datetime]:
        second = now.replace(microsecond=0)
        begin, end = second - self.life.backdate, second + life
        if issuer is not None:
            begin, end = max(begin, issuer.not_valid_before_utc), min(end, issuer.not_valid_after_utc)
        return begin, end

    def _sign(
        self,
        builder: x509.CertificateBuilder,
        key: ec.EllipticCurvePrivateKey,
        *,
        issuer_name: x509.Name,
        issuer_key: ec.EllipticCurvePrivateKey,
        begin: datetime,
        end: datetime,
    ) -> x509.Certificate:
        return (
            builder.issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(self.serials())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in PEM: PKCS #8, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _authority_name(trust_domain: str, role: str, key: ec.EllipticCurvePrivateKey) -> x509.Name:
    # The key's digest makes each authority's name its own, so that a verifier with two of them picks the right one.
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:12]
    common = f"{trust_domain[:_LONGEST_NAME]} {role} {digest}"
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "meshc"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
