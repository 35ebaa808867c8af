"""The checker of X.509-SVIDs tells good from bad: certificates with one defect each, and those of go-spiffe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshc_backends.certificates.mint import CertifiedKey, Mint, generate_key
from meshc_backends.certificates.svid import authority_faults, is_issued_by, leaf_faults, leaf_identity

ROOT = Path(__file__).resolve().parents[3]
GO_SPIFFE = ROOT.parent / "shared" / "corpus" / "go-spiffe-testdata" / "svid" / "x509svid" / "testdata"

GOOD_URI = "spiffe://shop.example/ns/default/sa/web"


def usage(critical: bool = True, **bits: bool) -> tuple[x509.KeyUsage, bool]:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names}), critical


def certificate(
    now: datetime,
    *,
    uris: tuple[str, ...] = (GOOD_URI,),
    san_critical: bool = True,
    subject: str = "",
    ca: bool = False,
    key_usage: tuple[x509.KeyUsage, bool] | None = usage(digital_signature=True),
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    dns: tuple[str, ...] = (),
) -> x509.Certificate:
    key = generate_key()
    names = [x509.UniformResourceIdentifier(uri) for uri in uris] + [x509.DNSName(name) for name in dns]
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=san_critical)
    if key_usage:
        builder = builder.add_extension(*key_usage)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(key, hashes.SHA256())


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"subject": "web", "san_critical": False},
        {"dns": ("web.default",)},
        {"purposes": ()},
        {"key_usage": usage(digital_signature=True, key_encipherment=True, key_agreement=True)},
        {"uris": ("SPIFFE://Shop.Example/Case/Kept",)},
    ],
)
def test_what_the_rules_allow_has_no_fault(now: datetime, good: dict[str, object]) -> None:
    assert leaf_faults(certificate(now, **good)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({"uris": ()}, "0 URI names"),
        ({"uris": (GOOD_URI, GOOD_URI + "2")}, "2 URI names"),
        ({"uris": ("https://shop.example/ns/default/sa/web",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example/",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example/a/../b",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example:443/a",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://user@shop.example/a",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example/a%62",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example/a?b",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe://shop.example/a#b",)}, "no SPIFFE ID"),
        ({"uris": ("spiffe:///a",)}, "no SPIFFE ID"),
        ({"san_critical": False}, "not critical"),
        ({"ca": True}, "is an authority"),
        ({"key_usage": None}, "no key usage"),
        ({"key_usage": usage(critical=False, digital_signature=True)}, "not critical"),
        ({"key_usage": usage(key_encipherment=True)}, "may not sign digitally"),
        ({"key_usage": usage(digital_signature=True, key_cert_sign=True)}, "may sign certificates"),
        ({"key_usage": usage(digital_signature=True, crl_sign=True)}, "may sign certificates"),
        ({"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "by a client"),
        ({"purposes": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "by a server"),
    ],
)
def test_each_defect_of_a_leaf_is_found(now: datetime, bad: dict[str, object], fault: str) -> None:
    faults = leaf_faults(certificate(now, **bad))  # type: ignore[arg-type]
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({"ca": False, "key_usage": usage(key_cert_sign=True)}, "not an authority"),
        ({"key_usage": None}, "no key usage"),
        ({"key_usage": usage(critical=False, key_cert_sign=True)}, "not critical"),
        ({"key_usage": usage(crl_sign=True)}, "may not sign certificates"),
    ],
)
def test_each_defect_of_an_authority_is_found(now: datetime, bad: dict[str, object], fault: str) -> None:
    made = certificate(now, **{"ca": True, "subject": "ca", **bad})  # type: ignore[arg-type]
    assert [fault in found for found in authority_faults(made)] == [True]


def test_an_issuer_must_outlast_what_it_signs(now: datetime) -> None:
    mint = Mint()
    root = mint.root("shop.example", now)
    long = mint.intermediate("shop.example", root, now)
    assert is_issued_by(long.certificate, root.certificate)
    assert not is_issued_by(root.certificate, long.certificate)
    # The same name and key, but an end before that of what it has signed.
    short = Mint(keys=lambda: root.key).root("shop.example", now - timedelta(days=3600))
    assert short.certificate.subject == root.certificate.subject
    assert not is_issued_by(long.certificate, short.certificate)
    assert is_issued_by(long.certificate, CertifiedKey(root.certificate, root.key).certificate)


def go_spiffe(pattern: str) -> list[Path]:
    return sorted(GO_SPIFFE.glob(pattern))


needs_go_spiffe = pytest.mark.skipif(not GO_SPIFFE.is_dir(), reason="go-spiffe's test data is not at hand")


@needs_go_spiffe
def test_every_wrong_leaf_of_go_spiffe_is_rejected() -> None:
    wrong = go_spiffe("wrong-leaf-*.pem")
    assert len(wrong) >= 5
    accepted = [path.name for path in wrong if not _faults_of_file(path, leaf_faults)]
    assert accepted == []


@needs_go_spiffe
def test_every_good_leaf_of_go_spiffe_is_accepted() -> None:
    good = go_spiffe("good-*.pem")
    assert good
    for path in good:
        leaf = x509.load_pem_x509_certificates(path.read_bytes())[0]
        assert leaf_faults(leaf) == (), path.name
        assert leaf_identity(leaf) is not None


@needs_go_spiffe
def test_every_wrong_intermediate_of_go_spiffe_is_rejected() -> None:
    wrong = go_spiffe("wrong-intermediate-*.pem")
    assert wrong
    for path in wrong:
        _, *intermediates = x509.load_pem_x509_certificates(path.read_bytes())
        assert any(authority_faults(each) for each in intermediates), path.name


def _faults_of_file(path: Path, faults: Callable[[x509.Certificate], tuple[str, ...]]) -> tuple[str, ...]:
    return faults(x509.load_pem_x509_certificates(path.read_bytes())[0])
