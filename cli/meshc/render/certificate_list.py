"""Certificates as people and programs read them; nothing of a key."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from meshc.render.count import counted
from meshc.render.json import document
from meshc.render.terminal import Ink, Terminal

if TYPE_CHECKING:
    from meshc.certificates import CertificateFile
    from meshc_backends.certificates.inspection import CertificateSummary

_HOUR, _DAY = 3600, 86400


def certificates_text(files: tuple[CertificateFile, ...], now: datetime, terminal: Terminal) -> str:
    """Return each file with its certificates: identity, life, faults."""
    lines: list[str] = []
    for file in files:
        lines.append(terminal.paint(terminal.safe(str(file.path)), Ink.STRONG))
        if file.problem:
            lines.append(f"  {terminal.paint(file.problem, Ink.ERROR)}")
        for one in file.certificates:
            kind = "authority" if one.is_authority else "workload"
            lines.append(f"  {terminal.safe(one.identity or one.subject)}  ({kind})")
            lines.append(f"    {_life(one, now, terminal)}")
            lines += [f"    {terminal.paint(terminal.safe(fault), Ink.ERROR)}" for fault in one.faults]
    return "\n".join(lines) + "\n" if lines else "no certificates\n"


def certificates_document(files: tuple[CertificateFile, ...], now: datetime) -> str:
    """Return the same as JSON."""
    return document(
        files=[
            {
                "path": str(file.path),
                "problem": file.problem or None,
                "certificates": [
                    {
                        "identity": one.identity,
                        "authority": one.is_authority,
                        "subject": one.subject,
                        "issuer": one.issuer,
                        "serial": one.serial,
                        "not_before": one.begin.isoformat(),
                        "not_after": one.end.isoformat(),
                        "valid_now": one.begin <= now <= one.end,
                        "sha256": one.fingerprint,
                        "faults": list(one.faults),
                    }
                    for one in file.certificates
                ],
            }
            for file in files
        ]
    )


def _life(one: CertificateSummary, now: datetime, terminal: Terminal) -> str:
    if now < one.begin:
        return terminal.paint(f"not valid before {one.begin:%Y-%m-%d %H:%M} UTC", Ink.ERROR)
    if now > one.end:
        return terminal.paint(f"ended {one.end:%Y-%m-%d %H:%M} UTC", Ink.ERROR)
    left = int((one.end - now).total_seconds())
    words = counted(left // _DAY, "day") if left >= _DAY else counted(left // _HOUR, "hour")
    return f"valid until {one.end:%Y-%m-%d %H:%M} UTC ({words} left)"
