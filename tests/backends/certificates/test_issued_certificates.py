"""What is issued is an X.509-SVID by every rule, and every verifier at hand agrees."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.certificates import CertificateLife, CertificatesBackend
from meshc_backends.certificates.inspection import inspect_certificates
from meshc_backends.certificates.svid import authority_faults, leaf_faults
from meshc_compiler.ir.mesh import MeshIndex

Build = Callable[..., Emission]
DAY = timedelta(days=1)
OPENSSL = shutil.which("openssl")


def files(emission: Emission) -> dict[str, bytes]:
    assert emission.diagnostics == ()
    return {artifact.path: artifact.content for artifact in emission.artifacts}


def chain_of(emission: Emission, name: str) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    content = files(emission)
    leaf, intermediate = x509.load_pem_x509_certificates(content[f"certs/{name}/cert-chain.pem"])
    (root,) = x509.load_pem_x509_certificates(content[f"certs/{name}/trust-bundle.pem"])
    return leaf, intermediate, root


def test_each_workload_gets_its_three_files_and_only_the_key_is_secret(
    build: Build, shop: MeshIndex, now: datetime
) -> None:
    emission = build(shop, now)
    assert [(a.path, a.secret) for a in emission.artifacts] == [
        ("certs/trust-bundle.json", False),
        ("certs/api/cert-chain.pem", False),
        ("certs/api/key.pem", True),
        ("certs/api/trust-bundle.pem", False),
        ("certs/web/cert-chain.pem", False),
        ("certs/web/key.pem", True),
        ("certs/web/trust-bundle.pem", False),
    ]
    public = b"".join(a.content for a in emission.artifacts if not a.secret)
    assert b"PRIVATE" not in public
    assert "PRIVATE" not in repr(emission)


def test_a_leaf_obeys_the_svid_rules(build: Build, shop: MeshIndex, now: datetime) -> None:
    leaf, intermediate, _ = chain_of(build(shop, now), "web")
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(san.value) == [x509.UniformResourceIdentifier("spiffe://shop.example/ns/default/sa/web")]
    assert san.critical
    assert not list(leaf.subject)
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    own = leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(leaf.public_key())
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    theirs = intermediate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer.key_identifier == theirs.digest
    assert leaf.version is x509.Version.v3
    assert leaf_faults(leaf) == ()


def test_the_signing_certificates_obey_theirs(build: Build, shop: MeshIndex, now: datetime) -> None:
    _, intermediate, root = chain_of(build(shop, now), "web")
    for certificate, length in ((intermediate, 0), (root, None)):
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert (constraints.value.ca, constraints.value.path_length) == (True, length)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.key_cert_sign
        assert not usage.value.digital_signature
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(san) == [x509.UniformResourceIdentifier("spiffe://shop.example")]
        assert list(certificate.subject)
        assert authority_faults(certificate) == ()
    assert intermediate.subject != root.subject


def test_lives_are_nested_and_begin_five_minutes_ago(build: Build, shop: MeshIndex, now: datetime) -> None:
    leaf, intermediate, root = chain_of(build(shop, now), "web")
    second = now.replace(microsecond=0)
    assert leaf.not_valid_before_utc == second - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == second + 90 * DAY
    assert intermediate.not_valid_after_utc == second + 365 * DAY
    assert root.not_valid_after_utc == second + 3652 * DAY


def test_a_leaf_never_outlives_its_issuers(build: Build, shop: MeshIndex, now: datetime) -> None:
    life = CertificateLife(leaf=20 * DAY, renew_before=5 * DAY, intermediate=30 * DAY, root=40 * DAY)
    backend = CertificatesBackend(life=life)
    build(shop, now, backend=backend)
    late = build(shop, now + 30 * DAY, backend=backend)
    assert [d.code.id for d in late.diagnostics] == ["MSH845"]
    content = {a.path: a.content for a in late.artifacts}
    leaf, intermediate = x509.load_pem_x509_certificates(content["certs/web/cert-chain.pem"])
    (root,) = x509.load_pem_x509_certificates(content["certs/web/trust-bundle.pem"])
    assert leaf.not_valid_after_utc == intermediate.not_valid_after_utc == root.not_valid_after_utc


def test_serials_and_keys_are_never_shared(build: Build, mesh_of: Callable[..., MeshIndex], now: datetime) -> None:
    content = files(build(mesh_of(*(f"w{number}" for number in range(20))), now))
    leaves = [x509.load_pem_x509_certificate(text) for path, text in content.items() if path.endswith("chain.pem")]
    assert len({leaf.serial_number for leaf in leaves}) == 20
    assert all(64 < leaf.serial_number.bit_length() <= 159 for leaf in leaves if leaf.serial_number >> 100)
    assert sum(leaf.serial_number.bit_length() > 64 for leaf in leaves) == 20
    assert len({text for path, text in content.items() if path.endswith("key.pem")}) == 20


def test_the_key_is_pkcs8_p256_and_the_leafs_own(build: Build, shop: MeshIndex, now: datetime) -> None:
    emission = build(shop, now)
    text = files(emission)["certs/web/key.pem"]
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(text, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == chain_of(emission, "web")[0].public_key()


def test_the_bundle_is_a_spiffe_bundle(build: Build, shop: MeshIndex, now: datetime) -> None:
    emission = build(shop, now)
    root = chain_of(emission, "web")[2]
    (key,) = json.loads(files(emission)["certs/trust-bundle.json"])["keys"]
    assert set(key) == {"kty", "use", "crv", "x", "y", "x5c"}
    assert (key["kty"], key["use"], key["crv"]) == ("EC", "x509-svid", "P-256")
    (x5c,) = key["x5c"]
    assert x509.load_der_x509_certificate(base64.b64decode(x5c)) == root
    numbers = root.public_key().public_numbers()  # type: ignore[union-attr]
    for name in ("x", "y"):
        octets = base64.urlsafe_b64decode(key[name] + "=")
        assert len(octets) == 32
        assert int.from_bytes(octets, "big") == getattr(numbers, name)


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl on this machine")
@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_verifies_the_chain_strictly(
    build: Build,
    shop: MeshIndex,
    now: datetime,
    tmp_path: Path,
    purpose: str,
    write: Callable[[Emission, Path], Path],
) -> None:
    folder = write(build(shop, now), tmp_path / "out") / "certs" / "web"
    verify = [str(OPENSSL), "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "trust-bundle.pem"]
    done = subprocess.run(
        [*verify, "-untrusted", "cert-chain.pem", "cert-chain.pem"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "cert-chain.pem: OK\n"), done.stderr
    alone = subprocess.run([*verify, "cert-chain.pem"], cwd=folder, capture_output=True, text=True, check=False)
    assert alone.returncode != 0, "without its intermediate the leaf must not verify"


def test_the_verifier_of_cryptography_accepts_the_chain(build: Build, shop: MeshIndex, now: datetime) -> None:
    leaf, intermediate, root = chain_of(build(shop, now), "web")
    verifier = PolicyBuilder().store(Store([root])).time(now).build_client_verifier()
    verified = verifier.verify(leaf, [intermediate])
    assert verified.subjects is not None
    assert [name.value for name in verified.subjects] == ["spiffe://shop.example/ns/default/sa/web"]


@pytest.mark.parametrize(
    "trust_domain",
    ["a", "with_underscore.example", "10.1.2.3", "cluster.local", "x" * 255, "-odd-.", "e.x-a.m-p_l.e"],
)
def test_any_trust_domain_can_be_issued_for(
    build: Build, mesh_of: Callable[..., MeshIndex], now: datetime, trust_domain: str
) -> None:
    leaf, _, _ = chain_of(build(mesh_of("web", trust_domain=trust_domain), now), "web")
    assert leaf_faults(leaf) == ()
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://{trust_domain}/ns/default/sa/web"]


def test_inspection_tells_what_is_in_a_chain(build: Build, shop: MeshIndex, now: datetime) -> None:
    emission = build(shop, now)
    summaries = inspect_certificates(files(emission)["certs/web/cert-chain.pem"])
    assert summaries is not None
    assert [(s.identity, s.is_authority, s.faults) for s in summaries] == [
        ("spiffe://shop.example/ns/default/sa/web", False, ()),
        ("spiffe://shop.example", True, ()),
    ]
    assert summaries[0].end - now.replace(microsecond=0) == 90 * DAY
    assert summaries[0].issuer == summaries[1].subject
    assert inspect_certificates(b"not PEM") is None


@pytest.mark.parametrize(
    "life",
    [
        {"leaf": DAY, "renew_before": DAY},
        {"renew_before": timedelta(0)},
        {"leaf": 400 * DAY},
        {"root": 100 * DAY},
        {"backdate": -DAY},
    ],
)
def test_lives_that_contradict_each_other_are_refused(life: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError, match="root > intermediate"):
        CertificateLife(**life)


def test_secret_artifacts_do_not_show_themselves(build: Build, shop: MeshIndex, now: datetime) -> None:
    key = next(a for a in build(shop, now).artifacts if a.secret)
    assert isinstance(key, Artifact)
    assert repr(key) == "Artifact('certs/api/key.pem', [redacted])"


def test_the_table_of_targets_costs_no_cryptography() -> None:
    code = "import sys; from meshc_backends.certificates import CERTS; print(CERTS.name, 'cryptography' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "certs False\n"
