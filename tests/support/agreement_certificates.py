"""Certificates of a mesh under test: real ones by the real backend, and those of people who should not get in."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from meshc_backends.artifact import Artifact
from meshc_backends.backend import EmitContext
from meshc_backends.certificates import CERTS
from meshc_backends.certificates.authority import open_authority
from meshc_backends.certificates.mint import Mint, certificate_pem, generate_key, key_pem
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.ir.identity import SpiffeId
from meshc_compiler.ir.mesh import Mesh, MeshIndex
from meshc_compiler.ir.workload import Workload
from meshc_lang.diagnostic import has_errors
from support.agreement_probe import Credential

LONG_AGO: Final = timedelta(days=100)
"""Far enough back that a leaf has expired since and its authority has not."""

STRANGER: Final = "stranger"
"""An identity of the trust domain that no program declares."""

FOREIGNER: Final = "foreigner"
"""An identity of another trust domain, under the same authority."""


_FOLDERS = {Credential.OWN: "issued", Credential.EXPIRED: "expired", Credential.ROGUE: "rogue"}


class Certificates:
    """What the certificate backend issues for a mesh, below a directory, and TLS contexts for clients."""

    def __init__(self, index: MeshIndex, directory: Path) -> None:
        self._directory = directory
        mesh = _with_guests(index.mesh)
        self._trust_domain = mesh.trust_domain
        now = datetime.now(UTC)
        authority = directory / "authority"
        self._issue(mesh, directory / "expired", authority, now - LONG_AGO)
        self._issue(mesh, directory / "issued", authority, now)
        self._issue(mesh, directory / "rogue", directory / "another-authority", now)
        self._names = {str(workload.spiffe_id): workload.name for workload in mesh.workloads}
        self._contexts: dict[tuple[str, Credential], ssl.SSLContext] = {}

    def directory_of(self, workload: str) -> Path:
        """Return where a workload's own certificate lies."""
        return self._directory / "issued" / "certs" / workload

    def client(self, caller: str, credential: Credential) -> ssl.SSLContext:
        """Return the context of a client that is `caller` (a workload's name or a SPIFFE ID), or says so."""
        key = (caller, credential)
        if key not in self._contexts:
            self._contexts[key] = self._make_client(self._names.get(caller, caller), credential)
        return self._contexts[key]

    def server(self, workload: str, credential: Credential = Credential.OWN) -> ssl.SSLContext:
        """Return the context of a server that is `workload`, or says so, and asks its callers for certificates."""
        shown = self._directory / _FOLDERS[credential] / "certs" / workload
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown / "cert-chain.pem", shown / "key.pem")
        context.load_verify_locations(self.directory_of(workload) / "trust-bundle.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def signed(self, *uris: str, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH) -> ssl.SSLContext:
        """Return a client whose certificate, by the mesh's own authority, bears these URI names and no others."""
        now = datetime.now(UTC)
        authority, _ = open_authority(self._directory / "authority", self._trust_domain, now, Mint())
        assert authority is not None
        issuer, key = authority.intermediate, generate_key()
        names = x509.SubjectAlternativeName([*map(x509.UniformResourceIdentifier, uris), x509.DNSName("a.example")])
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(names, critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(issuer.key, hashes.SHA256())
        )
        chain, private = certificate_pem(leaf) + certificate_pem(issuer.certificate), key_pem(key)
        folder = self._directory / "signed" / str(leaf.serial_number)
        artifacts = (Artifact(path="chain.pem", content=chain), Artifact(path="key.pem", content=private, secret=True))
        write_artifacts(artifacts, folder)
        context = self._make_client(STRANGER, Credential.NONE)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        return context

    def _make_client(self, workload: str, credential: Credential) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.directory_of(STRANGER) / "trust-bundle.pem")
        folder = _FOLDERS.get(credential)
        if folder is not None:
            shown = self._directory / folder / "certs" / workload
            context.load_cert_chain(shown / "cert-chain.pem", shown / "key.pem")
        return context

    @staticmethod
    def _issue(mesh: Mesh, out: Path, authority: Path, now: datetime) -> None:
        context = EmitContext(placement=KubernetesPlacement(), authority=authority, now=now, previous=lambda _: None)
        emission = CERTS.emit(MeshIndex(mesh), context)
        assert not has_errors(emission.diagnostics), emission.diagnostics
        write_artifacts(emission.artifacts, out)


def write_artifacts(artifacts: tuple[Artifact, ...], out: Path) -> None:
    """Write artefacts below a directory; secret ones for their owner alone."""
    for artifact in artifacts:
        path = out / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600 if artifact.secret else 0o644)
        path.write_bytes(artifact.content)


def _with_guests(mesh: Mesh) -> Mesh:
    guests = (
        _guest(STRANGER, SpiffeId.of_workload(mesh.trust_domain, "default", STRANGER)),
        _guest(FOREIGNER, SpiffeId.of_workload("elsewhere.example", "default", FOREIGNER)),
    )
    return replace(mesh, workloads=mesh.workloads + guests)


def _guest(name: str, identity: SpiffeId) -> Workload:
    return Workload(name=name, namespace="default", service_account=name, spiffe_id=identity)
