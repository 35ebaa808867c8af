"""How long certificates last, and when they are renewed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from meshc_compiler.ir.certificate import CertificateTerms
from meshc_lang.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateLife:
    """The lives of what an authority signs; ValueError where they contradict each other.

    A leaf is reissued once less than `renew_before` of it is left. `backdate` covers peers whose clocks run behind.
    """

    # Nothing renews these leaves but the next build and `kubectl apply`. With the 24 hours that an online authority
    # would give, a mesh would be dead a day after its last deployment; with a year, a stolen key would be good for a
    # year, for there is no revocation. 90 days with a third of them for renewal lets a monthly build miss one month.
    leaf: timedelta = timedelta(days=90)
    renew_before: timedelta = timedelta(days=30)
    intermediate: timedelta = timedelta(days=365)
    root: timedelta = timedelta(days=3652)
    backdate: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        """Raise ValueError unless root > intermediate > leaf > renew_before > 0."""
        if not self.root > self.intermediate > self.leaf > self.renew_before > timedelta(0) <= self.backdate:
            raise ValueError("certificate lives must satisfy root > intermediate > leaf > renew_before > 0")


def life_of(terms: CertificateTerms | None, usual: CertificateLife) -> CertificateLife:
    """Return the usual lives with what the program states put over them; a window that it leaves open is a third."""
    if terms is None:
        return usual
    leaf = usual.leaf if terms.life_ns is None else timedelta(microseconds=terms.life_ns // 1000)
    window = leaf / 3 if terms.renew_before_ns is None else timedelta(microseconds=terms.renew_before_ns // 1000)
    return replace(usual, leaf=leaf, renew_before=window)
