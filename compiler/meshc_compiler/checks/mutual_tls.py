"""`mtls`: that no call is accepted without mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.refutation import refutation
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import heading
from meshc_compiler.ir.claim import MutualTls
from meshc_compiler.ir.workload import MtlsMode
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label


def check_mutual_tls(subject: CheckSubject, claim: MutualTls) -> Iterator[Diagnostic]:
    """Find a service that takes calls in plain text."""
    for callee, _ in claim.callees:
        service = subject.index.services.get(callee)
        if service is None or service.mtls is MtlsMode.STRICT:
            continue
        place = service.mtls_origin or (None if service.origin is None else heading(service.origin))
        related = () if place is None else (Label(place, "takes calls without mutual TLS"),)
        yield from refutation(
            authorization.MTLS_VIOLATED,
            claim,
            detail=f"`{callee}` is permissive",
            related=related,
        )
        return
