"""Limits: that the bucket is large enough for the rate to be reached."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_lang.codes import resilience
from meshc_lang.diagnostic import Diagnostic
from meshc_lang.units import print_rate


def check_limits(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find buckets that hold less than a tenth of a second's refill."""
    for limit in subject.mesh.limits:
        if limit.burst * limit.seconds * 10 < limit.amount and limit.origin is not None:
            rate = print_rate(limit.amount, limit.seconds)
            yield Diagnostic(
                code=resilience.SMALL_BURST,
                message=f"a burst of {limit.burst} is too small for {rate}: calls are refused far below the rate",
                primary=limit.origin,
                help=f"take at least {limit.amount // (limit.seconds * 10)}, or leave it out for {limit.amount}",
                subject=limit.id,
            )
