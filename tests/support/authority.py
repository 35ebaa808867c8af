"""A throw-away certificate authority: X.509-SVIDs for tests, sound ones and ones with a named defect."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """The directory with cert-chain.pem, key.pem and trust-bundle.pem of one workload."""

    directory: Path

    @property
    def chain(self) -> Path:
        return self.directory / "cert-chain.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def bundle(self) -> Path:
        return self.directory / "trust-bundle.pem"


@functools.cache
def _authority_certificate(common_name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


class TestAuthority:
    """An authority of one trust domain that writes what it issues below a directory."""

    __test__ = False

    def __init__(self, directory: Path, trust_domain: str, *, name: str = "authority") -> None:
        self.directory = directory
        self.trust_domain = trust_domain
        self._key, self._certificate = _authority_certificate(f"{name} of {trust_domain}")
        self._bundle = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        name: str,
        spiffe_id: str,
        *,
        more_uris: tuple[str, ...] = (),
        dns_names: tuple[str, ...] = (),
        ip_addresses: tuple[str, ...] = (),
        expired: bool = False,
        not_yet_valid: bool = False,
        without_uri: bool = False,
        rogue: bool = False,
        server_only: bool = False,
    ) -> Issued:
        """Write a certificate, its key and the trust bundle to `directory/name`.

        The defects: `more_uris` adds URI names to the one identity; `expired` and `not_yet_valid` move the time;
        `without_uri` leaves the identity out; `rogue` signs with an authority that nobody trusts; `server_only`
        leaves out the client's extended key usage. The bundle is always the sound one.
        """
        authority_key, authority = self._key, self._certificate
        if rogue:
            authority_key, authority = _authority_certificate(f"rogue of {self.trust_domain}")
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        begins, ends = now - DAY, now + DAY
        if expired:
            begins, ends = now - 3 * DAY, now - DAY
        if not_yet_valid:
            begins, ends = now + DAY, now + 3 * DAY
        names: list[x509.GeneralName] = []
        if not without_uri:
            names.append(x509.UniformResourceIdentifier(spiffe_id))
        names.extend(x509.UniformResourceIdentifier(uri) for uri in more_uris)
        names.extend(x509.DNSName(dns) for dns in dns_names)
        names.extend(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ip_addresses)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        if not server_only:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(authority_key, hashes.SHA256())

        issued = Issued(self.directory / name)
        issued.directory.mkdir(parents=True, exist_ok=True)
        issued.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.bundle.write_bytes(self._bundle)
        issued.key.touch(mode=0o600)
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
