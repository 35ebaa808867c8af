"""The authority's directory: who can read it, and what is refused rather than replaced."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meshc_backends.artifact import Emission
from meshc_backends.certificates import CertificatesBackend
from meshc_backends.certificates.authority import INTERMEDIATE, ROOT, open_authority
from meshc_backends.certificates.mint import Mint
from meshc_compiler.ir.mesh import MeshIndex

Build = Callable[..., Emission]
DAY = timedelta(days=1)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=["umask-000", "umask-022", "umask-077"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, str]:
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in sorted(directory.iterdir())}


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.usefixtures("umask")
def test_the_directory_is_for_its_owner_alone_whatever_the_umask(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    assert build(shop, now).diagnostics == ()
    assert authority.stat().st_mode & 0o777 == 0o700
    assert modes(authority) == {".gitignore": "600", INTERMEDIATE: "600", "lock": "600", ROOT: "600"}
    assert (authority / ".gitignore").read_text() == "*\n"


@pytest.mark.usefixtures("umask")
def test_no_key_is_readable_by_others_even_for_a_moment(
    build: Build, shop: MeshIndex, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    build(shop, now)
    assert set(seen) == {0o600, 0o700}


def test_a_second_build_changes_nothing_in_it(build: Build, shop: MeshIndex, now: datetime, authority: Path) -> None:
    build(shop, now)
    before = content(authority)
    build(shop, now + DAY)
    assert content(authority) == before


def refused(emission: Emission) -> str:
    assert emission.artifacts == ()
    (diagnostic,) = emission.diagnostics
    assert diagnostic.help
    assert "PRIVATE" not in diagnostic.message
    return diagnostic.code.id


@pytest.mark.parametrize("name", [ROOT, INTERMEDIATE])
def test_a_key_that_others_can_read_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, name: str
) -> None:
    build(shop, now)
    (authority / name).chmod(0o640)
    before = content(authority)
    emission = build(shop, now)
    assert refused(emission) == "MSH841"
    assert "0640" in emission.diagnostics[0].message
    assert emission.diagnostics[0].primary.source.path == str(authority / name)
    assert content(authority) == before


def test_a_directory_that_others_can_enter_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    authority.mkdir(parents=True)
    authority.chmod(0o755)
    assert refused(build(shop, now)) == "MSH841"
    assert list(authority.iterdir()) == []


def swap_keys(text: bytes, other: bytes) -> bytes:
    return other[: other.index(b"-----BEGIN CERTIFICATE")] + text[text.index(b"-----BEGIN CERTIFICATE") :]


DEFECTS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "empty": lambda text, other: b"",
    "garbage": lambda text, other: b"\x00\xff nothing",
    "cut off": lambda text, other: text[:-100],
    "key cut off": lambda text, other: text[:80] + text[200:],
    "another key": swap_keys,
    "two certificates": lambda text, other: text + other[other.index(b"-----BEGIN CERTIFICATE") :],
    "the other's content": lambda text, other: other,
}


@pytest.mark.parametrize("name", [ROOT, INTERMEDIATE])
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_broken_file_is_refused_and_left_as_it_is(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, name: str, defect: str
) -> None:
    build(shop, now)
    other = ROOT if name == INTERMEDIATE else INTERMEDIATE
    (authority / name).write_bytes(DEFECTS[defect]((authority / name).read_bytes(), (authority / other).read_bytes()))
    before = content(authority)
    assert refused(build(shop, now)) == "MSH842"
    assert content(authority) == before


def test_a_lost_root_is_not_replaced(build: Build, shop: MeshIndex, now: datetime, authority: Path) -> None:
    build(shop, now)
    (authority / ROOT).unlink()
    assert refused(build(shop, now)) == "MSH842"
    assert not (authority / ROOT).exists()


def test_an_intermediate_of_another_root_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, tmp_path: Path
) -> None:
    build(shop, now)
    assert open_authority(tmp_path / "other", "shop.example", now, Mint())[0] is not None
    (authority / INTERMEDIATE).write_bytes((tmp_path / "other" / INTERMEDIATE).read_bytes())
    emission = build(shop, now)
    assert refused(emission) == "MSH842"
    assert "not signed by" in emission.diagnostics[0].message


def test_the_authority_of_another_trust_domain_is_refused(
    build: Build, shop: MeshIndex, mesh_of: Callable[..., MeshIndex], now: datetime
) -> None:
    build(shop, now)
    emission = build(mesh_of("web", trust_domain="bank.example"), now)
    assert refused(emission) == "MSH843"
    assert "`shop.example`" in emission.diagnostics[0].message
    assert "`bank.example`" in emission.diagnostics[0].message


@pytest.mark.parametrize(("days", "word"), [(3652, "ended"), (4000, "ended"), (-1, "begins")])
def test_a_root_outside_its_life_is_refused(build: Build, shop: MeshIndex, now: datetime, days: int, word: str) -> None:
    build(shop, now)
    emission = build(shop, now + days * DAY)
    assert refused(emission) == "MSH844"
    assert word in emission.diagnostics[0].message


def test_a_root_near_its_end_is_warned_of_and_still_issues(build: Build, shop: MeshIndex, now: datetime) -> None:
    build(shop, now)
    emission = build(shop, now + 3300 * DAY)
    assert [d.code.id for d in emission.diagnostics] == ["MSH845"]
    assert emission.artifacts


def test_an_intermediate_that_ends_with_the_root_is_not_made_again_each_time(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    build(shop, now)
    build(shop, now + 3600 * DAY)
    last = (authority / INTERMEDIATE).read_bytes()
    assert build(shop, now + 3640 * DAY).artifacts
    assert (authority / INTERMEDIATE).read_bytes() == last


def test_two_builds_at_once_are_told_apart(build: Build, shop: MeshIndex, now: datetime, authority: Path) -> None:
    build(shop, now)
    pauses: list[float] = []
    with (authority / "lock").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        emission = build(shop, now, backend=CertificatesBackend(wait=pauses.append))
    assert refused(emission) == "MSH846"
    assert 5 <= sum(pauses) <= 60
    assert build(shop, now).diagnostics == ()


def test_builds_that_start_together_share_one_authority(authority: Path, now: datetime) -> None:
    start = threading.Barrier(8)
    roots: list[bytes] = []

    def one() -> None:
        start.wait(10)
        opened, diagnostics = open_authority(authority, "shop.example", now, Mint())
        assert diagnostics == ()
        assert opened is not None
        roots.append(opened.root.signature + opened.intermediate.certificate.signature)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(roots) == 8
    assert len(set(roots)) == 1


def test_the_roots_key_may_be_kept_elsewhere_until_it_is_needed(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    build(shop, now)
    whole = (authority / ROOT).read_bytes()
    (authority / ROOT).write_bytes(whole[whole.index(b"-----BEGIN CERTIFICATE") :])
    assert build(shop, now + DAY).diagnostics == ()
    assert refused(build(shop, now + 300 * DAY)) == "MSH847"
    (authority / ROOT).write_bytes(whole)
    assert build(shop, now + 300 * DAY).diagnostics == ()


def test_a_place_that_cannot_be_written_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    authority.parent.mkdir(parents=True)
    authority.parent.chmod(0o500)
    if os.access(authority.parent, os.W_OK):
        pytest.skip("permissions do not bind the superuser")
    try:
        assert refused(build(shop, now)) == "MSH840"
    finally:
        authority.parent.chmod(0o700)


def test_a_file_in_place_of_the_directory_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    authority.parent.mkdir(parents=True)
    authority.write_text("a file")
    authority.chmod(0o600)
    assert refused(build(shop, now)) == "MSH840"
    assert authority.read_text() == "a file"


def test_a_file_in_place_of_the_parent_is_refused(
    build: Build, shop: MeshIndex, now: datetime, authority: Path
) -> None:
    authority.parent.write_text("a file")
    assert refused(build(shop, now)) == "MSH840"


@pytest.mark.parametrize("good_writes", range(6))
def test_a_write_that_fails_leaves_nothing_half_made(
    build: Build, shop: MeshIndex, now: datetime, authority: Path, monkeypatch: pytest.MonkeyPatch, good_writes: int
) -> None:
    calls = iter(range(100))

    def fsync(descriptor: int) -> None:
        if next(calls) == good_writes:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        emission = build(shop, now)
    assert refused(emission) == "MSH840"
    assert "no space left" in emission.diagnostics[0].message
    assert set(content(authority)) <= {".gitignore", "lock", ROOT, INTERMEDIATE}
    kept = content(authority)
    assert build(shop, now).diagnostics == ()
    assert kept.items() <= content(authority).items()
