"""A program's own terms for certificates are those of the certificates that it gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from meshc_backends.backend import EmitContext
from meshc_backends.certificates import CERTS
from meshc_backends.placement import KubernetesPlacement
from meshc_compiler.loader import MemoryReader
from meshc_compiler.pipeline import compile_program

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def chain(terms: str, authority: Path, now: datetime, previous: dict[str, bytes]) -> dict[str, bytes]:
    text = f'mesh shop {{ trust-domain: "shop.example", {terms} }}\nservice web {{}}\n'
    index = compile_program(("p.mesh",), MemoryReader({"p.mesh": text})).index
    assert index is not None
    context = EmitContext(placement=KubernetesPlacement(), authority=authority, now=now, previous=previous.get)
    return {artifact.path: artifact.content for artifact in CERTS.emit(index, context).artifacts}


@pytest.mark.parametrize(("terms", "hours"), [("mtls: strict", 90 * 24), ("certificates { life: 24h }", 24)])
def test_a_certificate_lasts_as_long_as_is_stated(terms: str, hours: int, tmp_path: Path) -> None:
    leaf = x509.load_pem_x509_certificate(chain(terms, tmp_path / "a", NOW, {})["certs/web/cert-chain.pem"])
    assert leaf.not_valid_after_utc - NOW == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("terms", "kept_until_hour"),
    [
        ("certificates { life: 24h }", 16),
        ("certificates { life: 24h, renew-before: 3h }", 21),
    ],
)
def test_it_is_issued_anew_once_its_window_has_begun(terms: str, kept_until_hour: int, tmp_path: Path) -> None:
    first = chain(terms, tmp_path / "a", NOW, {})
    before = chain(terms, tmp_path / "a", NOW + timedelta(hours=kept_until_hour, minutes=-1), first)
    after = chain(terms, tmp_path / "a", NOW + timedelta(hours=kept_until_hour, minutes=1), first)
    assert before["certs/web/cert-chain.pem"] == first["certs/web/cert-chain.pem"]
    assert after["certs/web/cert-chain.pem"] != first["certs/web/cert-chain.pem"]
