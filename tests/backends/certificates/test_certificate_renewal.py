"""Certificates of the last build are kept to the byte until their time, and only if they are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from meshc_backends.artifact import Artifact, Emission
from meshc_backends.certificates import CertificateLife, CertificatesBackend
from meshc_backends.certificates.authority import ROOT
from meshc_backends.certificates.mint import Mint, Svid, certificate_pem, generate_key, key_pem
from meshc_compiler.ir.mesh import MeshIndex

Build = Callable[..., Emission]
DAY = timedelta(days=1)


def contents(artifacts: tuple[Artifact, ...]) -> dict[str, bytes]:
    return {artifact.path: artifact.content for artifact in artifacts}


def with_file(artifacts: tuple[Artifact, ...], path: str, content: bytes | None) -> tuple[Artifact, ...]:
    kept = tuple(artifact for artifact in artifacts if artifact.path != path)
    return kept if content is None else (*kept, Artifact(path=path, content=content))


def reissued(before: tuple[Artifact, ...], after: Emission) -> set[str]:
    """The workloads whose certificate is another one; nobody keeps a key and changes the certificate or so."""
    assert after.diagnostics == ()
    old, new = contents(before), contents(after.artifacts)
    changed = {path.split("/")[1] for path in new if path.endswith("chain.pem") and old.get(path) != new[path]}
    keys = {path.split("/")[1] for path in new if path.endswith("key.pem") and old.get(path) != new[path]}
    assert changed == keys
    return changed


def test_a_build_on_the_next_day_is_the_same_to_the_byte(build: Build, shop: MeshIndex, now: datetime) -> None:
    first = build(shop, now)
    second = build(shop, now + DAY, first.artifacts)
    assert second.artifacts == first.artifacts


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True), (89, True), (200, True)])
def test_a_leaf_is_renewed_in_its_last_third(
    build: Build, shop: MeshIndex, now: datetime, days: int, renewed: bool
) -> None:
    first = build(shop, now)
    later = build(shop, now + days * DAY, first.artifacts)
    assert reissued(first.artifacts, later) == ({"api", "web"} if renewed else set())


def test_a_new_workload_does_not_disturb_the_others(
    build: Build, shop: MeshIndex, mesh_of: Callable[..., MeshIndex], now: datetime
) -> None:
    first = build(shop, now)
    assert reissued(first.artifacts, build(mesh_of("api", "web", "ledger"), now, first.artifacts)) == {"ledger"}


def test_a_changed_identity_is_reissued(
    build: Build, shop: MeshIndex, mesh_of: Callable[..., MeshIndex], now: datetime
) -> None:
    first = build(shop, now)
    moved = build(mesh_of("api", "web", namespace="edge"), now, first.artifacts)
    assert reissued(first.artifacts, moved) == {"api", "web"}


def test_a_shorter_life_holds_for_certificates_that_exist(build: Build, shop: MeshIndex, now: datetime) -> None:
    first = build(shop, now)
    short = CertificatesBackend(life=CertificateLife(leaf=DAY, renew_before=DAY / 3))
    assert reissued(first.artifacts, build(shop, now, first.artifacts, short)) == {"api", "web"}


CHAIN, KEY = "certs/web/cert-chain.pem", "certs/web/key.pem"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (CHAIN, lambda text: None),
        (KEY, lambda text: None),
        (CHAIN, lambda text: b""),
        (KEY, lambda text: b"\xff\xfe"),
        (CHAIN, lambda text: text[:400]),
        (KEY, lambda text: text[:100]),
        (CHAIN, lambda text: text + b"\n"),
        (KEY, lambda text: b"# mine\n" + text),
        (CHAIN, lambda text: text[: text.index(b"-----END") + 26]),
        (CHAIN, lambda text: text.replace(b"\n", b"\r\n")),
        (KEY, lambda text: key_pem(generate_key())),
        (KEY, lambda text: key_pem(ec.generate_private_key(ec.SECP384R1()))),
    ],
)
def test_broken_or_foreign_files_are_replaced(
    build: Build, shop: MeshIndex, now: datetime, path: str, change: Callable[[bytes], bytes | None]
) -> None:
    first = build(shop, now)
    broken = with_file(first.artifacts, path, change(contents(first.artifacts)[path]))
    again = build(shop, now, broken)
    new = contents(again.artifacts)
    old = contents(first.artifacts)
    assert new[CHAIN] != old[CHAIN]
    assert new[KEY] != old[KEY]
    assert new["certs/api/cert-chain.pem"] == old["certs/api/cert-chain.pem"]


def test_files_of_another_workload_are_not_taken_for_ones_own(build: Build, shop: MeshIndex, now: datetime) -> None:
    first = build(shop, now)
    old = contents(first.artifacts)
    mixed = with_file(with_file(first.artifacts, CHAIN, old["certs/api/cert-chain.pem"]), KEY, old["certs/api/key.pem"])
    new = contents(build(shop, now, mixed).artifacts)
    assert new[CHAIN] != old["certs/api/cert-chain.pem"]


def test_a_new_authority_reissues_everything(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, tmp_path: Path
) -> None:
    first = build(shop, now)
    authority.rename(tmp_path / "old")
    again = build(shop, now, first.artifacts)
    assert reissued(first.artifacts, again) == {"api", "web"}
    bundle = "certs/web/trust-bundle.pem"
    assert contents(again.artifacts)[bundle] != contents(first.artifacts)[bundle]


def test_the_intermediate_is_replaced_early_and_old_leaves_stay_good(
    build: Build, shop: MeshIndex, mesh_of: Callable[..., MeshIndex], now: datetime
) -> None:
    build(shop, now)
    issued = build(shop, now + 250 * DAY)
    rotated = build(mesh_of("api", "web", "ledger"), now + 280 * DAY, issued.artifacts)
    assert reissued(issued.artifacts, rotated) == {"ledger"}
    files = contents(rotated.artifacts)
    leaf, old = x509.load_pem_x509_certificates(files["certs/web/cert-chain.pem"])
    fresh, new = x509.load_pem_x509_certificates(files["certs/ledger/cert-chain.pem"])
    assert old != new
    assert fresh.not_valid_after_utc == (now + 370 * DAY).replace(microsecond=0)
    (root,) = x509.load_pem_x509_certificates(files["certs/web/trust-bundle.pem"])
    for certificate, issuer in ((leaf, old), (fresh, new)):
        verifier = PolicyBuilder().store(Store([root])).time(now + 281 * DAY).build_client_verifier()
        assert verifier.verify(certificate, [issuer]).subjects


@pytest.mark.parametrize("borrows_issuer", [False, True])
def test_a_leaf_that_an_outsider_signed_is_not_kept(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, borrows_issuer: bool
) -> None:
    first = build(shop, now)
    mint = Mint()
    web = shop.workloads["web"].spiffe_id
    real = x509.load_pem_x509_certificate((authority / ROOT).read_bytes())
    outsider = mint.intermediate("shop.example", mint.root("shop.example", now), now)
    forged = mint.svid(web, outsider, now)
    if borrows_issuer:
        genuine = x509.load_pem_x509_certificates(contents(first.artifacts)[CHAIN])[1]
        leaf = x509.load_pem_x509_certificates(forged.chain)[0]
        forged = Svid(certificate_pem(leaf) + certificate_pem(genuine), forged.key)
    planted = with_file(with_file(first.artifacts, CHAIN, forged.chain), KEY, forged.key)
    new = contents(build(shop, now, planted).artifacts)
    _, issuer = x509.load_pem_x509_certificates(new[CHAIN])
    issuer.verify_directly_issued_by(real)
    assert new[CHAIN] != forged.chain


def test_keys_and_serials_come_from_the_mint(build: Build, shop: MeshIndex, now: datetime) -> None:
    serials = iter(range(1 << 80, (1 << 80) + 100))
    keys = [generate_key() for _ in range(4)]
    source = iter(keys)
    backend = CertificatesBackend(mint=Mint(keys=lambda: next(source), serials=lambda: next(serials)))
    files = contents(build(shop, now, backend=backend).artifacts)
    assert files["certs/api/key.pem"] == key_pem(keys[2])
    leaf = x509.load_pem_x509_certificate(files["certs/web/cert-chain.pem"])
    assert leaf.serial_number == (1 << 80) + 3
