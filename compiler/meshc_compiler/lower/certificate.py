"""The lives of certificates: `mesh { certificates { life, renew-before } }`."""

from __future__ import annotations

from meshc_compiler.finding import Findings
from meshc_compiler.ir.certificate import CertificateTerms
from meshc_compiler.lower.field import Fields
from meshc_lang.codes import identities, units
from meshc_lang.diagnostic import Label
from meshc_lang.tree.value import Block
from meshc_lang.units import print_duration

_MINUTE = 60 * 10**9
_DAY = 24 * 60 * _MINUTE

SHORTEST_LIFE = 10 * _MINUTE
"""Clocks run apart by minutes, and a sidecar has to notice a new certificate."""
LONGEST_LIFE = 300 * _DAY
"""Below the life of the intermediate that signs it, with room for its renewal: nothing can take a certificate back."""
SHORTEST_WINDOW = _MINUTE
_NARROW = 10
"""A window below this part of the life leaves no time to notice that a renewal failed."""


def lower_certificates(block: Block, findings: Findings) -> CertificateTerms | None:
    """Return what is stated; None, with findings, where it contradicts itself."""
    fields = Fields(block, "`certificates`", "mesh.certificates", findings)
    life, window = fields.duration("life"), fields.duration("renew-before")
    sound = True
    for key, value, least, most in (
        ("life", life, SHORTEST_LIFE, LONGEST_LIFE),
        ("renew-before", window, SHORTEST_WINDOW, LONGEST_LIFE),
    ):
        if value is not None and not least <= value <= most:
            sound = False
            bounds = f"from {print_duration(least)} to {most // _DAY}d"
            findings.add(units.OUT_OF_RANGE, f"`{key}` is {bounds}", fields.span(key))
    if window is not None and fields.get("life") is None:
        sound = False
        help_line = "`renew-before` is a part of it: add for example `life: 24h`"
        fields.missing("life", help_line, fields.span("renew-before"))
    if sound and life is not None and window is not None:
        related = (Label(fields.span("life"), "the life"),)
        if window >= life:
            sound = False
            findings.add(
                identities.CERTIFICATE_LIFE,
                f"a certificate of {print_duration(life)} can't be renewed {print_duration(window)} before its end",
                fields.span("renew-before"),
                related=related,
                help="renew at about two thirds of the life: a third of it is a good window",
            )
        elif window * _NARROW < life:
            findings.add(
                identities.NARROW_RENEWAL,
                f"a renewal that fails has {print_duration(window)} of {print_duration(life)} left to be noticed",
                fields.span("renew-before"),
                related=related,
                help=f"at least a tenth of the life is sound: `renew-before: {print_duration(-(-life // _NARROW))}`",
            )
    if not sound:
        return None
    return CertificateTerms(life_ns=life, renew_before_ns=window, origin=block.span)
