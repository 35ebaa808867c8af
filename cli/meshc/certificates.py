"""Certificates from files, as people look at them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from meshc_backends.certificates.inspection import CertificateSummary, inspect_certificates
from meshc_backends.finding import reason_of
from meshc_lang.record import dataclass

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """A file and what its certificates say, or why it could not be read."""

    path: Path
    certificates: tuple[CertificateSummary, ...]
    problem: str = ""

    def is_sound(self, now: datetime) -> bool:
        """Tell whether it was read and all its certificates keep the rules and are valid at a time."""
        return not self.problem and all(not one.faults and one.begin <= now <= one.end for one in self.certificates)


def read_certificates(paths: Iterable[Path]) -> tuple[CertificateFile, ...]:
    """Read PEM files; of a directory those below it that hold certificates, chains and not the bundles beside them."""
    files: list[CertificateFile] = []
    for path in paths:
        if path.is_dir():
            below = (one for one in sorted(path.rglob("*.pem")) if one.is_file())
            found = [_read(one) for one in below if one.name != "key.pem"]
            files += [file for file in found if file.certificates]
        else:
            files.append(_read(path))
    return tuple(files)


def _read(path: Path) -> CertificateFile:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        return CertificateFile(path, (), reason_of(error))
    certificates = inspect_certificates(content)
    return CertificateFile(path, certificates or (), "" if certificates else "holds no certificate that can be read")
