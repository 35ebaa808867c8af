"""Services that nobody may call."""

from __future__ import annotations

from collections.abc import Iterator

from meshc_compiler.checks.subject import CheckSubject
from meshc_compiler.finding import heading
from meshc_compiler.ir.policy import Effect
from meshc_lang.codes import authorization
from meshc_lang.diagnostic import Diagnostic


def check_unreachable_services(subject: CheckSubject) -> Iterator[Diagnostic]:
    """Find the services about which there is no allow."""
    called = {rule.callee for rule in subject.mesh.rules if rule.effect is Effect.ALLOW}
    for service in subject.mesh.services:
        if service.name not in called and service.origin is not None:
            yield Diagnostic(
                code=authorization.UNREACHABLE_SERVICE,
                message=f"nobody may call `{service.name}`",
                primary=heading(service.origin),
                help=f"add an `allow … -> {service.name}`, or leave out its port if it only calls others",
                subject=f"service {service.name}",
            )
