"""The certificate authority of a trust domain: a root and an intermediate, kept outside the build."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshc_backends.certificates.mint import CertifiedKey, Mint, certificate_pem, key_pem
from meshc_backends.certificates.strongroom import AuthorityRefusedError, Strongroom
from meshc_backends.certificates.svid import authority_faults, authority_trust_domain, is_issued_by
from meshc_lang.codes import targets
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.record import dataclass

# A key and its certificate are one file: replaced in one step, they can never be from two different makings.
ROOT = "root-with-key.pem"
INTERMEDIATE = "intermediate-with-key.pem"

_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority ready to issue: `root` is what peers trust, `intermediate` signs leaves."""

    trust_domain: str
    root: x509.Certificate
    intermediate: CertifiedKey


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a file of the authority holds; the root's key may be kept elsewhere."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None


def open_authority(
    directory: Path,
    trust_domain: str,
    now: datetime,
    mint: Mint,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Authority | None, tuple[Diagnostic, ...]]:
    """Return the trust domain's authority, made if the directory holds none; None with an error otherwise.

    The intermediate is replaced while a leaf's whole life is still left of it, so that leaves are never cut short.
    Those that the old one issued stay valid: their chains carry it, and the root is the same.

    Args:
        directory: Where the authority is kept; made 0700 if it is not there.
        trust_domain: The trust domain that it must speak for.
        now: The time by which lives are counted (UTC).
        mint: Makes what is missing.
        wait: Pauses for a number of seconds while another build holds the directory.
    """
    room = Strongroom(directory)
    try:
        room.prepare()
        with room.locked(wait):
            return _open(room, trust_domain, now, mint)
    except AuthorityRefusedError as refusal:
        return None, (refusal.diagnostic,)


def _open(room: Strongroom, trust_domain: str, now: datetime, mint: Mint) -> tuple[Authority, tuple[Diagnostic, ...]]:
    root = _load(room, ROOT)
    intermediate = _load(room, INTERMEDIATE)
    if root is None:
        if intermediate is not None:
            raise room.refuse(
                targets.AUTHORITY_CORRUPT,
                ROOT,
                f"the certificate authority has an intermediate but no root: `{room.directory / ROOT}` is not there",
                f"restore the file, or move `{room.directory}` away to start a new authority",
            )
        made = mint.root(trust_domain, now)
        room.write(ROOT, _text(made))
        root = _Holding(made.certificate, made.key)
    _check_root(room, root, trust_domain, now)
    if intermediate is not None:
        _check_intermediate(room, intermediate, root, trust_domain)
    if intermediate is None or intermediate.key is None or _is_worn(intermediate, root, now, mint):
        if root.key is None:
            raise room.refuse(
                targets.ROOT_KEY_AWAY,
                ROOT,
                f"a new intermediate is needed, and `{room.directory / ROOT}` holds no private key",
                "put the root's key into the file for one build, or an intermediate signed elsewhere beside it",
            )
        current = mint.intermediate(trust_domain, CertifiedKey(root.certificate, root.key), now)
        room.write(INTERMEDIATE, _text(current))
    else:
        current = CertifiedKey(intermediate.certificate, intermediate.key)
    authority = Authority(trust_domain=trust_domain, root=root.certificate, intermediate=current)
    return authority, _ending(room, root.certificate, now, mint)


def _is_worn(intermediate: _Holding, root: _Holding, now: datetime, mint: Mint) -> bool:
    certificate = intermediate.certificate
    if now < certificate.not_valid_before_utc or now >= certificate.not_valid_after_utc:
        return True
    if certificate.not_valid_after_utc == root.certificate.not_valid_after_utc:
        return False  # a new one would end at the same time
    return certificate.not_valid_after_utc - now < mint.life.leaf


def _ending(room: Strongroom, root: x509.Certificate, now: datetime, mint: Mint) -> tuple[Diagnostic, ...]:
    if root.not_valid_after_utc - now >= mint.life.intermediate:
        return ()
    return (
        room.finding(
            targets.AUTHORITY_EXPIRING,
            ROOT,
            f"the certificate authority's root ends on {root.not_valid_after_utc:%Y-%m-%d}",
            f"move `{room.directory}` away: the next build makes a new authority, "
            "and every workload must be given its new files before any relies on them alone",
        ),
    )


def _check_root(room: Strongroom, root: _Holding, trust_domain: str, now: datetime) -> None:
    _check_authority(room, ROOT, root.certificate, trust_domain)
    if not is_issued_by(root.certificate, root.certificate):
        raise _corrupt(room, ROOT, "its certificate is not signed by itself")
    begin, end = root.certificate.not_valid_before_utc, root.certificate.not_valid_after_utc
    if now < begin or now >= end:
        when = f"begins on {begin:%Y-%m-%d %H:%M} UTC" if now < begin else f"ended on {end:%Y-%m-%d %H:%M} UTC"
        raise room.refuse(
            targets.AUTHORITY_EXPIRED,
            ROOT,
            f"the certificate authority's root {when}, and it is {now:%Y-%m-%d %H:%M} UTC",
            f"if the clock is right, move `{room.directory}` away to start a new authority, "
            "and bring its files to every workload",
        )


def _check_intermediate(room: Strongroom, intermediate: _Holding, root: _Holding, trust_domain: str) -> None:
    if intermediate.key is None:
        raise _corrupt(room, INTERMEDIATE, "it holds no private key")
    _check_authority(room, INTERMEDIATE, intermediate.certificate, trust_domain)
    if intermediate.certificate.public_key() == root.certificate.public_key():
        raise _corrupt(room, INTERMEDIATE, "it holds the root")
    if not is_issued_by(intermediate.certificate, root.certificate):
        raise _corrupt(room, INTERMEDIATE, f"its certificate is not signed by `{ROOT}`")


def _check_authority(room: Strongroom, name: str, certificate: x509.Certificate, trust_domain: str) -> None:
    if faults := authority_faults(certificate):
        raise _corrupt(room, name, f"its certificate {faults[0]}")
    own = authority_trust_domain(certificate)
    if own != trust_domain:
        whose = f"trust domain `{own}`" if own else "no trust domain"
        raise room.refuse(
            targets.AUTHORITY_FOREIGN,
            name,
            f"`{room.directory / name}` speaks for {whose}, and the mesh is `{trust_domain}`",
            "name the directory of this mesh's own authority: each trust domain has one",
        )


def _load(room: Strongroom, name: str) -> _Holding | None:
    content = room.read(name)
    if content is None:
        return None
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _corrupt(room, name, "it holds no readable certificate") from None
    if len(certificates) != 1:
        raise _corrupt(room, name, f"it holds {len(certificates)} certificates instead of one")
    public = certificates[0].public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in _CURVES:
        raise _corrupt(room, name, "its certificate is not for an ECDSA key on P-256, P-384 or P-521")
    if b"PRIVATE KEY-----" not in content:
        return _Holding(certificates[0], None)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _corrupt(room, name, "its private key cannot be read, or is encrypted") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _corrupt(room, name, "its private key is not one for ECDSA")
    if key.public_key() != public:
        raise _corrupt(room, name, "its private key and its certificate do not belong together")
    return _Holding(certificates[0], key)


def _text(made: CertifiedKey) -> bytes:
    return key_pem(made.key) + certificate_pem(made.certificate)


def _corrupt(room: Strongroom, name: str, what: str) -> AuthorityRefusedError:
    return room.refuse(
        targets.AUTHORITY_CORRUPT,
        name,
        f"`{room.directory / name}` does not hold what it should: {what}",
        f"restore the file, or move `{room.directory}` away to start a new authority",
    )
