"""How long the identities of workloads are good for."""

from __future__ import annotations

from meshc_lang.record import dataclass, field
from meshc_lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTerms:
    """What the program states about X.509-SVIDs (SPIFFE X.509-SVID §4): in nanoseconds, None where it states nothing.

    A certificate lasts for `life_ns` and is issued anew once less than `renew_before_ns` of that is left.
    """

    life_ns: int | None = None
    renew_before_ns: int | None = None
    origin: Span | None = field(default=None, compare=False, repr=False)
