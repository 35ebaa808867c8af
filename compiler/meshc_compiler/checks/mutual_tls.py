"""`mtls`: that no call is accepted without mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.refutation import refutation
from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.ir.claim import MutualTls
from meshc_compiler.ir.workload import MtlsMode
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic, Label
from meshc_lang.request import PLAINTEXT, Request


def check_mutual_tls(subject: CheckSubject, claim: MutualTls) -> Iterator[Diagnostic]:
    """Find a service that takes calls in plain text."""
    for callee, number in claim.callees:
        service = subject.index.services.get(callee)
        port = subject.index.port_of(callee, number)
        if service is None or port is None or service.mtls is MtlsMode.STRICT:
            continue
        related = () if service.origin is None else (Label(service.origin, "takes calls without mutual TLS"),)
        form = "http" if port.protocol.is_http else "tcp"
        yield from refutation(
            authorization.MTLS_VIOLATED,
            claim,
            detail=f"`{callee}` is permissive",
            related=related,
            witness=Request(caller=PLAINTEXT, callee=callee, port=port.name, protocol=form),
        )
        return
