"""A certificate authority for proxy tests: real keys, real X.509-SVIDs, and spoiled ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meshc_runtime.snapshot import CertificateFiles

TRUST_DOMAIN = "shop.example"


def spiffe_id(workload: str) -> str:
    return f"spiffe://{TRUST_DOMAIN}/ns/default/sa/{workload}"


class ProxyAuthority:
    """Issues certificates into folders below `root`; every authority has a root key of its own."""

    def __init__(self, root: Path, name: str = "test authority", *, ends: timedelta = timedelta(days=2)) -> None:
        self.root = root
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def bundle(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        folder: str,
        *,
        uris: Sequence[str] | None = None,
        dns: Sequence[str] = (),
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=1),
        authority: bool = False,
    ) -> CertificateFiles:
        """Files for one workload; `folder` is also its name unless `uris` says otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(uri) for uri in ([spiffe_id(folder)] if uris is None else uris)
        ]
        names += [x509.DNSName(name) for name in dns]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        files = CertificateFiles(
            cert_chain=str(place / "cert-chain.pem"),
            private_key=str(place / "key.pem"),
            trust_bundle=str(place / "trust-bundle.pem"),
        )
        Path(files.cert_chain).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        Path(files.private_key).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        Path(files.private_key).chmod(0o600)
        Path(files.trust_bundle).write_bytes(self.bundle)
        return files
